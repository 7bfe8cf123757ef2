from pathlib import Path

import pytest

from tests.definitions.demo_files import DemoFiles


@pytest.fixture(scope="session")
def demo_files(demo_landing: Path) -> DemoFiles:
    return DemoFiles(demo_landing)
