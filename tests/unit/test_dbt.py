"""The manifest, which processes that start at one time may all find out of date."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from dbt.cli.main import dbtRunner

from dagster_project.lib import dbt


def test_a_manifest_is_written_apart_and_switched_in_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = tmp_path / "target" / "manifest.json"
    monkeypatch.setattr(dbt, "MANIFEST_FILE", manifest)

    def parse(_: dbtRunner, arguments: list[str]) -> SimpleNamespace:
        own = Path(arguments[arguments.index("--target-path") + 1])
        for name in ("manifest.json", "partial_parse.msgpack"):
            (own / name).write_text("half of")
            (own / name).write_text('{"nodes": {}}')
        assert not manifest.exists()
        return SimpleNamespace(success=True)

    monkeypatch.setattr(dbtRunner, "invoke", parse)
    assert dbt.read_manifest() == {"nodes": {}}
    assert {path.name for path in manifest.parent.iterdir()} == {
        "manifest.json",
        "partial_parse.msgpack",
    }


def test_a_project_of_which_only_dates_have_changed_is_parsed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = tmp_path / "target" / "manifest.json"
    monkeypatch.setattr(dbt, "MANIFEST_FILE", manifest)
    dbt.prepare_manifest()
    before = manifest.read_bytes()
    os.utime(manifest, (0, 0))
    dbt.prepare_manifest()
    assert json.loads(manifest.read_bytes())["nodes"] == json.loads(before)["nodes"]
    assert (manifest.parent / "partial_parse.msgpack").exists()
