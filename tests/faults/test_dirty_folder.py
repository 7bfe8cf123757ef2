"""Bad files beside good ones, in one run of the command: each ends as it should, the good ones are
loaded."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.faults.dirty_folder import HELD, LOADED, ORDER_IDS, REJECTED, write_dirty_folder
from tests.shops import refresh, rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dirty")


@pytest.fixture(scope="module")
def run(folder: Path) -> subprocess.CompletedProcess[str]:
    """`regulars run`, which must end with 0."""
    landing = write_dirty_folder(folder / "landing")
    return refresh(landing, folder / "warehouse", "--connector", "files")


@pytest.fixture(scope="module")
def files(run: object, folder: Path) -> dict[str, dict[str, Any]]:
    names = ["file", "entity", "status", "reason", "records", "loaded", "rejected"]
    found = rows(folder / "warehouse", f"select {', '.join(names)} from fct_intake_files")
    return {row[0]: dict(zip(names, row, strict=True)) for row in found}


@pytest.mark.parametrize("name", HELD)
def test_a_file_that_cannot_be_trusted_is_held(
    files: dict[str, dict[str, Any]], run: subprocess.CompletedProcess[str], name: str
) -> None:
    file = files[name]
    assert (file["status"], file["records"], file["loaded"], file["rejected"]) == ("held", 0, 0, 0)
    assert file["reason"].startswith(f"{name} ")
    for part in HELD[name]:
        assert part in file["reason"]
    assert f"held: {file['reason']}" in run.stdout.splitlines()


@pytest.mark.parametrize("name", LOADED)
def test_a_good_file_is_loaded(files: dict[str, dict[str, Any]], name: str) -> None:
    rejected = sum(file == name for file, *_ in REJECTED)
    found = (files[name]["status"], files[name]["loaded"], files[name]["rejected"])
    assert found == ("loaded", LOADED[name], rejected)


def test_every_record_is_loaded_or_rejected(files: dict[str, dict[str, Any]]) -> None:
    assert {name for name, file in files.items() if file["status"] == "loaded"} == LOADED.keys()
    assert {name for name, file in files.items() if file["status"] == "held"} == HELD.keys()
    assert files["notes.txt"]["status"] == "unrecognised"
    assert all(f["records"] == f["loaded"] + f["rejected"] for f in files.values())
    assert sum(file["records"] for file in files.values()) == 8


def test_rejected_records_say_file_line_column_and_reason(run: object, folder: Path) -> None:
    query = "select file, line, column_name, reason from fct_rejected_rows order by all"
    found = rows(folder / "warehouse", query)
    assert [row[:3] for row in found] == [expected[:3] for expected in REJECTED]
    for (*_, reason), (*_, part) in zip(found, REJECTED, strict=True):
        assert part in reason


def test_only_good_records_are_in_the_marts(run: object, folder: Path) -> None:
    query = "select order_id, net_sales from fct_orders order by 1"
    found = [(key, float(net)) for key, net in rows(folder / "warehouse", query)]
    assert [key for key, _ in found] == ORDER_IDS
    assert dict(found)["g2"] == 20.0  # 20.50 less a refund of 0.50
    assert sum(net for _, net in found) == 5 + 6 + 10 + 20 + 30
    unbalanced = "select count(*) from fct_reconciliation where not is_balanced"
    assert rows(folder / "warehouse", unbalanced) == [(0,)]


def test_the_summary_counts_them(run: subprocess.CompletedProcess[str]) -> None:
    text = " ".join(run.stdout.split())
    assert "Loaded 6 of 8 records from 11 files; 2 rejected, 7 files held" in text
    assert "Traceback" not in run.stderr
