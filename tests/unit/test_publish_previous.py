"""What of the published version is kept for the next run to compare with."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from dagster_project.lib.errors import RegularsError
from dagster_project.lib.intake.ledger import PREVIOUS_COLUMNS
from dagster_project.lib.publish.previous import keep_previous, rules_hash
from dagster_project.lib.settings import Settings, load_settings

NOTHING = dict.fromkeys(PREVIOUS_COLUMNS, 0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(landing=tmp_path / "landing", warehouse=tmp_path / "warehouse")


def publish(settings: Settings, *changes: str) -> None:
    """A published version with a row in each table that is kept, and with what it need not have."""
    settings.published_file.parent.mkdir(parents=True)
    with duckdb.connect(str(settings.published_file)) as connection:
        connection.execute("create schema marts; create schema meta")
        for name, columns in PREVIOUS_COLUMNS.items():
            if name != "publication":
                declared = ", ".join(f"{column} {kind}" for column, kind in columns.items())
                connection.execute(f"create table marts.{name} (more integer, {declared})")
                connection.execute(f"insert into marts.{name} (more) values (1)")
        connection.execute(
            "create table meta.publication as select 'g' as generation,"
            f" '{rules_hash(settings)}' as rules_hash, date '2024-02-29' as as_of_date"
        )
        for change in changes:
            connection.execute(change)


def kept(settings: Settings, name: str) -> duckdb.DuckDBPyRelation:
    return duckdb.read_parquet(str(settings.raw_dir / "previous" / name / "*.parquet"))


def test_the_compared_columns_are_kept_and_no_others(settings: Settings) -> None:
    publish(settings)
    assert keep_previous(settings) == dict.fromkeys(PREVIOUS_COLUMNS, 1)
    for name, columns in PREVIOUS_COLUMNS.items():
        table = kept(settings, name)
        assert table.columns == list(columns)
        assert [str(kind).lower() for kind in table.types] == list(columns.values())
        folder = settings.raw_dir / "previous" / name
        assert [path.name for path in folder.iterdir()] == ["published.parquet"]
        assert folder.stat().st_mode & 0o077 == 0
    assert kept(settings, "publication").fetchall() == [(True, date(2024, 2, 29))]


def test_where_nothing_is_published_typed_tables_without_rows_are_kept(settings: Settings) -> None:
    assert keep_previous(settings) == NOTHING
    assert kept(settings, "fct_orders").columns == list(PREVIOUS_COLUMNS["fct_orders"])


def test_a_version_that_is_gone_is_not_compared_any_more(settings: Settings) -> None:
    publish(settings)
    keep_previous(settings)
    settings.published_file.unlink()
    assert keep_previous(settings) == NOTHING


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ("drop table marts.fct_orders", "fct_orders"),
        ("alter table marts.fct_lifecycle_transitions drop to_stage", "fct_lifecycle_transitions"),
        ("alter table meta.publication drop rules_hash", None),
    ],
)
def test_a_version_without_a_compared_column_hands_its_list_on_but_is_not_compared(
    settings: Settings, change: str, lost: str | None
) -> None:
    publish(settings, change)
    counts = keep_previous(settings)
    assert counts["fct_restatements"] == 1
    assert {name for name, rows in counts.items() if not rows} == {"publication", lost} - {None}


def test_other_settings_or_seeds_are_other_rules_and_other_folders_are_not(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    same = settings.model_copy(update={"landing": tmp_path, "keep_generations": 9})
    other = settings.model_copy(update={"follow_up_days": 90})
    assert rules_hash(same) == rules_hash(settings) != rules_hash(other)
    publish(settings)
    keep_previous(other)
    assert kept(settings, "publication").fetchall() == [(False, date(2024, 2, 29))]
    monkeypatch.setattr("dagster_project.lib.publish.previous.DBT_DIR", tmp_path)
    monkeypatch.setattr("dagster_project.lib.publish.previous.PROJECT_ROOT", tmp_path)
    for name in ("seeds", "models", "macros"):
        before = rules_hash(settings)
        (tmp_path / name).mkdir()
        (tmp_path / name / "shops_own.csv").write_text("1")
        assert rules_hash(settings) != before


def test_a_damaged_version_is_named_with_the_way_back(settings: Settings) -> None:
    settings.published_file.parent.mkdir(parents=True)
    settings.published_file.write_bytes(b"no database" * 1000)
    with pytest.raises(RegularsError, match=r"cannot be kept .*`regulars rollback` goes back"):
        keep_previous(settings)
