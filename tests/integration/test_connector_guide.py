"""docs/connectors.md: the connector that it adds works as it stands on the page."""

import re
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from dagster_project.lib.settings import PROJECT_ROOT
from tests.shops import environment, rows

GUIDE = (PROJECT_ROOT / "docs" / "connectors.md").read_text(encoding="utf-8")
FILES = re.findall(r"^`(dbt/models/\S+)`\n\n```\w+\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
(EXPORT,) = re.findall(r"^```\n(receipt;.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
(LINE,) = re.findall(r"^```yaml\n( +tills: .*?\n)```", GUIDE, re.MULTILINE)
PARTS = ("dagster_project", "dbt", "docs", "expectations", "seeds", "tests", "pyproject.toml")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project to which the guide has been followed."""
    folder = tmp_path_factory.mktemp("guide")
    left_out = shutil.ignore_patterns("target", "logs", "__pycache__")
    for part in PARTS:
        if (PROJECT_ROOT / part).is_dir():
            shutil.copytree(PROJECT_ROOT / part, folder / part, ignore=left_out)
        else:
            shutil.copy(PROJECT_ROOT / part, folder)
    for name, text in FILES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    settings = folder / "dbt" / "dbt_project.yml"
    declared = "\n  connectors:\n"
    settings.write_text(settings.read_text().replace(declared, declared + LINE))
    (folder / "exports").mkdir()
    (folder / "exports" / "receipts_2025-01.csv").write_text(EXPORT)
    return folder


# By the SQL of what is asked for; the command builds, tests and checks everything.
REBUILD = """
from datetime import date
from pathlib import Path
from tests.shops import rebuild, settings_of

rebuild(
    settings_of(Path("exports"), Path("shop"), connectors="tills"),
    as_of=date(2025, 1, 31),
    marts=["fct_orders", "fct_refunds", "fct_reconciliation"],
)
"""
REGULARS = ("-m", "dagster_project.cli")
TILLS = ("--connector", "tills", "--landing", "exports")
COMMAND = (*REGULARS, "run", *TILLS, "--warehouse", "shop", "--as-of", "2025-01-31")


def run(project: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_doctor_knows_the_new_export(project: Path) -> None:
    said = run(project, *REGULARS, "doctor", *TILLS)

    assert "receipt_lines" in said
    assert re.search(r"receipts_2025-01\.csv.*\b4\b", said)


@pytest.mark.parametrize(
    "command",
    [("-c", REBUILD), pytest.param(COMMAND, marks=pytest.mark.long)],
    ids=["sql", "command"],
)
def test_the_new_connector_fills_the_marts(project: Path, command: tuple[str, ...]) -> None:
    run(project, *command)
    shop = project / "shop"

    assert rows(
        shop, "select order_id, customer_id, net_sales from fct_orders order by order_id"
    ) == [
        ("4711", "C-1", Decimal("4.50")),  # 2 x 4.95 - 0.90 - the return of 4.50
        ("4712", None, Decimal("5.50")),
    ]
    assert rows(shop, "select refund_id, order_id, match_rule from fct_refunds") == [
        ("4713-1", "4711", "customer_and_product")
    ]
    assert rows(shop, "select count(*) from fct_reconciliation where not is_balanced") == [(0,)]


def test_the_new_connector_keeps_the_rules_of_the_house(project: Path) -> None:
    about_it = ("tests/unit/test_structure.py", "-k", "tills or base or raw or connector or layer")
    run(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", *about_it)
    run(project, "-m", "sqlfmt", "--check", "dbt/models/staging/connectors/tills")
