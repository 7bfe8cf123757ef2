"""Publication: one complete version at every moment, whatever goes wrong."""

import errno
import functools
import json
import multiprocessing
import os
import re
import resource
import signal
import stat
from collections.abc import Callable, Iterator
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path

import duckdb
import pytest

from dagster_project.lib.errors import CheckFailed, InputError, RegularsError
from dagster_project.lib.publish import generations as publishing
from dagster_project.lib.publish.candidate import TableDescription, verify_candidate
from dagster_project.lib.publish.generations import (
    Publication,
    current_id,
    generations,
    publish,
    rollback,
)
from dagster_project.lib.publish.previous import rules_hash
from dagster_project.lib.publish.query import connect_published
from dagster_project.lib.settings import Settings, load_settings

AS_OF = date(2024, 2, 29)
VERSIONS = """
select distinct version
from (from fct_orders select version union all from live select version)
"""
WRITING = ("mkdir", "fsync", "rename", "symlink", "replace")
REMOVING = ("unlink", "rmdir")


def build(settings: Settings, version: int, rows: int = 5) -> None:
    """A build whose every table carries `version`; `live` is a view over Parquet."""
    folder = settings.raw_dir / "shop" / "orders"
    folder.mkdir(parents=True, exist_ok=True)
    raw = str(settings.raw_dir).replace("'", "''")
    settings.build_dir.mkdir(exist_ok=True)
    settings.build_file.unlink(missing_ok=True)
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute(
            f"copy (select {version} as version, i as id from range({rows}) t(i))"
            f" to '{raw}/shop/orders/a.parquet'"
        )
        connection.execute(f"set file_search_path = '{raw}'")
        connection.execute("create schema marts; create schema staging")
        connection.execute("create table staging.secret as select 1 as email")
        connection.execute(
            """create table marts.fct_orders (
                order_id bigint not null, net_sales decimal(18, 2), ordered_at timestamp,
                order_date date, "odd ""name; --" varchar, tags varchar[], version integer,
                primary key (order_id))"""
        )
        connection.execute(
            f"""insert into marts.fct_orders
                select i, i / 4, timestamp '2024-01-01' + i * interval 1 hour,
                    date '2024-01-01' + i::int, 'it''s ' || i, ['a', null], {version}
                from range({rows}) t(i)"""
        )
        connection.execute("create table marts.empty (amount decimal(9, 3), version integer)")
        connection.execute(
            """create view marts.live as
               select version, sum(id)::decimal(18, 2) as total
               from read_parquet('shop/orders/*.parquet') group by version"""
        )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load_settings(warehouse=tmp_path / "it's a warehouse", keep_generations=3)
    build(settings, 1)
    return settings


def go(settings: Settings, version: int | None = None) -> Publication:
    if version is not None:
        build(settings, version)
    return publish(settings, run_id=f"run-{version}", as_of=AS_OF)


def seen(settings: Settings) -> list[int]:
    with connect_published(settings) as connection:
        return [version for (version,) in connection.execute(VERSIONS).fetchall()]


def folders(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.published_dir / "generations").iterdir())


# What is published


def test_marts_arrive_as_tables_with_types_constraints_and_comments(settings: Settings) -> None:
    descriptions = {
        "fct_orders": TableDescription(
            "Orders, it's said.", {"order_id": "The 'key'"}, "one order"
        ),
        "live": TableDescription(
            "Grain: one row per version.",
            {"gone": "x"},
            "one row per version",
            key=("version", "total"),
        ),
        "empty": TableDescription("Nothing."),
    }
    said: list[str] = []
    done = publish(
        settings, run_id="r", as_of=AS_OF, descriptions=descriptions, progress=said.append
    )
    assert done.rows == {"empty": 0, "fct_orders": 5, "live": 1}
    assert list(done.rows) == sorted(done.rows)
    assert said[0] == "publishing marts.empty (1 of 3)"
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        expected = connection.execute("from marts.fct_orders").fetchall()
        types = connection.execute(
            "select table_name, column_name, data_type from duckdb_columns() where"
            " schema_name = 'marts' order by all"
        ).fetchall()
    with connect_published(settings) as connection:
        query = connection.execute
        assert query("from marts.fct_orders").fetchall() == expected
        assert query("select total from live").fetchall()[0][0] == 10
        columns = query(
            "select table_name, column_name, data_type, is_nullable, comment from duckdb_columns()"
            " where schema_name = 'marts' order by all"
        ).fetchall()
        assert [column[:3] for column in columns] == types
        assert [column[1] for column in columns if not column[3]] == ["order_id"]
        assert [column[4] for column in columns if column[4]] == ["The 'key'"]
        assert query("select table_name, comment from duckdb_tables() order by 1").fetchall() == [
            ("empty", "Nothing."),
            ("fct_orders", "Grain: one order. Orders, it's said."),
            ("keys", "Grain: one row per mart and column by which its rows are told apart; position"
             " counts from 1."),
            ("live", "Grain: one row per version."),
            ("publication", "Grain: one row. Which run this warehouse comes from; rules_hash stands"
             " for settings, seeds and models; published_at is in UTC."),
        ]  # fmt: skip
        assert query("select * from duckdb_views() where not internal").fetchall() == []
        keys = query("from meta.keys").fetchall()
        assert keys == [("live", 1, "version"), ("live", 2, "total")]
        (publication,) = query("from meta.publication").fetchall()
        assert publication[:4] == (done.generation, "r", rules_hash(settings), AS_OF)


def test_files_are_sealed_and_described(settings: Settings) -> None:
    done = go(settings)
    assert settings.published_file.resolve() == done.file.resolve()
    assert os.readlink(settings.published_dir / "current") == f"generations/{done.generation}"
    assert sorted(os.listdir(done.file.parent)) == ["manifest.json", "warehouse.duckdb"]
    assert stat.S_IMODE(done.file.stat().st_mode) == 0o444
    assert stat.S_IMODE(done.file.with_name("manifest.json").stat().st_mode) == 0o444
    assert stat.S_IMODE(done.file.parent.stat().st_mode) == 0o555
    assert stat.S_IMODE(settings.published_dir.stat().st_mode) == 0o755
    manifest = json.loads(done.file.with_name("manifest.json").read_text())
    assert manifest["as_of"] == "2024-02-29"
    assert manifest["tables"]["fct_orders"]["rows"] == 5


def test_older_clients_can_open_it(settings: Settings) -> None:
    header = go(settings).file.read_bytes()[:64]
    assert header[8:12] == b"DUCK"
    assert int.from_bytes(header[12:20], "little") == 67  # the format of 1.4, not that of 1.5


def test_same_build_gives_the_same_content(settings: Settings) -> None:
    def tables(done: Publication) -> object:
        return json.loads(done.file.with_name("manifest.json").read_text())["tables"]

    first, second = go(settings), go(settings)
    assert tables(first) == tables(second)
    assert first.generation < second.generation


# Readers


def test_open_reader_keeps_its_version_and_blocks_nothing(settings: Settings) -> None:
    go(settings, 1)
    with connect_published(settings) as reader:
        for version in range(2, 7):  # its generation is removed meanwhile
            go(settings, version)
            assert reader.execute(VERSIONS).fetchall() == [(1,)]
            assert seen(settings) == [version]


def _poll(warehouse: Path, pipe: Connection) -> None:
    """Read until told to stop and once more; send what was seen, an error as its text."""
    settings = load_settings(warehouse=warehouse)
    results: list[list[object]] = []
    is_last = False
    while not is_last:
        is_last = pipe.poll()
        try:
            results.append([*seen(settings)])
            with duckdb.connect(str(settings.published_file), read_only=True) as outsider:
                outsider.execute("use marts")
                results.append([row[0] for row in outsider.execute(VERSIONS).fetchall()])
        except Exception as error:
            results.append([repr(error)])
        if len(results) <= 2:
            pipe.send("ready")
    pipe.send(results)


def test_polling_reader_sees_one_complete_version_each_time(settings: Settings) -> None:
    go(settings, 0)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    reader = context.Process(target=_poll, args=(settings.warehouse, theirs))
    reader.start()
    assert ours.recv() == "ready"
    for version in range(1, 11):
        go(settings, version)
    ours.send("stop")
    results = ours.recv()
    reader.join()
    assert all(len(result) == 1 for result in results), results
    versions = [result[0] for result in results]
    assert versions == sorted(versions)
    assert set(versions) <= set(range(11)) and versions[0] == 0 and versions[-1] == 10


# Generations


def test_the_last_n_generations_stay(settings: Settings) -> None:
    ids = [go(settings, version).generation for version in range(5)]
    assert ids == sorted(set(ids))
    assert folders(settings) == ids[2:]
    kept = generations(settings)
    assert [item.id for item in kept] == ids[2:]
    assert [item.is_current for item in kept] == [False, False, True]
    assert kept[0].as_of == AS_OF


def test_clock_set_back_keeps_the_order(settings: Settings) -> None:
    first = go(settings, 1).generation
    os.rename(
        settings.published_dir / "generations" / first,
        settings.published_dir / "generations" / "20991231T235959Z-00ff",
    )
    assert go(settings, 2).generation == "20991231T235959Z-0100"


def test_rollback_and_forward(settings: Settings) -> None:
    first, second, third = (go(settings, version).generation for version in (1, 2, 3))
    assert rollback(settings).id == second
    assert seen(settings) == [2]
    assert rollback(settings).id == first
    with pytest.raises(InputError, match=f"no generation to go back to; kept: {first}.*current"):
        rollback(settings)
    assert rollback(settings, third).is_current
    assert seen(settings) == [3]
    with pytest.raises(InputError, match=f"generation ../x is not kept; kept: {first} "):
        rollback(settings, "../x")
    assert seen(settings) == [3]


def test_publication_after_a_rollback_goes_back_to_the_good_one(settings: Settings) -> None:
    old, good, bad = (go(settings, version).generation for version in (1, 2, 3))
    rollback(settings)
    done = go(settings, 4)
    assert folders(settings) == [good, bad, done.generation]
    assert done.removed == (old,)
    assert rollback(settings).id == good


def test_keeping_one_generation_keeps_the_current_one(settings: Settings) -> None:
    settings = settings.model_copy(update={"keep_generations": 1})
    go(settings, 1)
    done = go(settings, 2)
    assert folders(settings) == [done.generation]
    with pytest.raises(InputError, match="no generation to go back to"):
        rollback(settings)


def test_nothing_to_roll_back(settings: Settings) -> None:
    assert generations(settings) == []
    with pytest.raises(InputError, match="nothing was published yet"):
        rollback(settings)


def test_rollback_refuses_a_damaged_generation(settings: Settings) -> None:
    first = go(settings, 1)
    go(settings, 2)
    flip(first.file, 300_000)
    with pytest.raises(CheckFailed, match="not as it was published"):
        rollback(settings)
    assert seen(settings) == [2]


# Candidates that are refused


def flip(file: Path, offset: int) -> None:
    file.chmod(0o644)
    with file.open("r+b") as handle:
        handle.seek(offset)
        byte = handle.read(1)
        handle.seek(offset)
        handle.write(bytes([byte[0] ^ 4]))


def refuse(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], object]
) -> str:
    """Damage the candidate between writing and verifying; return why it was refused."""
    before = go(settings, 1).generation

    def damaged(file: Path, *rest: object) -> None:
        damage(file)
        verify_candidate(file, *rest)

    build(settings, 2)
    monkeypatch.setattr(publishing, "verify_candidate", damaged)
    with pytest.raises(CheckFailed) as error:
        go(settings)
    assert seen(settings) == [1]
    assert folders(settings) == [before]
    assert "\n" not in str(error.value) and "the version published before stays" in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.8])
def test_flipped_bit(settings: Settings, monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    def damage(file: Path) -> None:  # a byte that DuckDB's blocks really hold
        content = file.read_bytes()
        used = [i for i in range(0, len(content), 7) if content[i] and i > 12_300]
        flip(file, 9 if share == 0 else used[int(share * len(used))])

    assert "cannot be read" in refuse(settings, monkeypatch, damage)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            "update marts.fct_orders set net_sales = net_sales + 0.01 where order_id = 3",
            "fct_orders",
        ),
        ("delete from marts.fct_orders where order_id = 3", r"fct_orders .*\(4 rows against 5\)"),
        ("insert into marts.live from marts.live", r"live .*\(2 rows against 1\)"),
        ("drop table marts.empty", "in the tables empty"),
        ("create table marts.extra as select 1 as i", "in the tables extra"),
        ("alter table marts.empty alter amount type decimal(9, 2)", "marts.empty differs"),
        ("update meta.publication set generation = 'x'", "says it is"),
        ("drop schema meta cascade", "cannot be read"),
    ],
)
def test_changed_content(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, change: str, reason: str
) -> None:
    def damage(file: Path) -> None:
        with duckdb.connect(str(file)) as connection:
            connection.execute(change)

    assert re.search(reason, refuse(settings, monkeypatch, damage))


def test_write_ahead_log_left(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def damage(file: Path) -> None:
        file.with_name("warehouse.duckdb.wal").write_bytes(b"")

    assert "a .wal is left" in refuse(settings, monkeypatch, damage)


def test_empty_build_is_refused(settings: Settings) -> None:
    go(settings, 1)
    settings.build_file.unlink()
    with pytest.raises(
        RegularsError, match=r"cannot publish: .*the version published before stays"
    ):
        go(settings)
    duckdb.connect(str(settings.build_file)).close()
    with pytest.raises(CheckFailed, match="nothing to publish"):
        go(settings)
    assert seen(settings) == [1]


# Faults of the machine


def test_failing_system_calls_leave_one_complete_version(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(settings, 1)
    build(settings, 2)
    for failing in range(1, 50):
        before = folders(settings)
        calls = iter(range(1, 1000))
        try:
            with monkeypatch.context() as patch:
                for name in WRITING:
                    patch.setattr(os, name, _interrupted(name, calls, failing, _input_output_error))
                go(settings)
        except RegularsError as error:
            assert "Input/output error" in str(error) and "\n" not in str(error)
            if "is current" not in str(error):
                assert seen(settings) == [1]
                assert folders(settings) == before
        else:
            break
    assert failing > 8
    assert seen(settings) == [2]


def _input_output_error() -> None:
    raise OSError(errno.EIO, "Input/output error")


def _interrupted(
    name: str, calls: Iterator[int], point: int, interrupt: Callable[[], None]
) -> Callable[..., object]:
    """`os.<name>` that is interrupted when the shared count of `calls` comes to `point`."""
    real = getattr(os, name)

    def call(*args: object, **named: object) -> object:
        if next(calls) == point:
            interrupt()
        return real(*args, **named)

    return call


def test_no_permission_is_one_line(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "current")

    go(settings, 1)
    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(RegularsError, match="cannot publish: Permission denied: current; the ver"):
        go(settings, 2)
    assert len(folders(settings)) == 1


def _in_child(action: Callable[[], None]) -> int:
    """Run in a fork, as the process it ends or kills; the exit status of `os.waitpid`."""
    if child := os.fork():
        return os.waitpid(child, 0)[1]
    try:
        action()
    except RegularsError as error:
        os._exit(1 if "\n" not in str(error) else 3)
    except BaseException:
        os._exit(4)
    os._exit(0)


def _killed_everywhere(warehouse: Path, pipe: Connection) -> None:
    """Kill a publication before its n-th system call, n = 1, 2, ... until one comes through."""

    def killed_at(point: int) -> None:
        calls = iter(range(1, 1000))
        for name in WRITING + REMOVING:
            kill = functools.partial(os.kill, os.getpid(), signal.SIGKILL)
            setattr(os, name, _interrupted(name, calls, point, kill))
        go(load_settings(warehouse=warehouse, keep_generations=2))

    # No DuckDB in this process before the fork: its threads would not come along.
    for point in range(1, 100):
        status = _in_child(lambda point=point: killed_at(point))
        pipe.send((point, status))
        pipe.recv()
        if status == 0:
            return


def test_killed_at_every_step(settings: Settings) -> None:
    settings = settings.model_copy(update={"keep_generations": 2})
    go(settings, 1)
    go(settings, 1)
    build(settings, 2)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    runner = context.Process(target=_killed_everywhere, args=(settings.warehouse, theirs))
    runner.start()
    status, results = 1, []
    while status:
        point, status = ours.recv()
        assert status in (0, signal.SIGKILL)
        (version,) = seen(settings)
        results.append(version)
        if version == 2 and status:  # switched, then killed: start again from the old version
            build(settings, 1)
            go(settings)
            build(settings, 2)
        ours.send("next")
    runner.join()
    assert point > 10 and results[-1] == 2
    assert results == sorted(results), "once switched, later steps cannot undo it"
    assert len(folders(settings)) == 2 and all("." not in name for name in folders(settings))
    assert sorted(os.listdir(settings.published_dir)) == ["current", "generations"]


def _out_of_space(warehouse: Path, limits: list[int], pipe: Connection) -> None:
    def limited(limit: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        go(load_settings(warehouse=warehouse))

    for limit in limits:
        pipe.send(_in_child(lambda limit=limit: limited(limit)))
        pipe.recv()


def test_no_space_leaves_the_published_version(settings: Settings) -> None:
    before = go(settings, 1).generation
    build(settings, 2, rows=60_000)
    limits = [0, 5_000, 12_288, 300_000, 600_000]
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    runner = context.Process(target=_out_of_space, args=(settings.warehouse, limits, theirs))
    runner.start()
    for limit in limits:
        status = ours.recv()
        assert os.waitstatus_to_exitcode(status) == 1, limit
        assert seen(settings) == [1]
        assert folders(settings) == [before]
        ours.send("next")
    runner.join()
    assert current_id(settings) == before
    go(settings)
    assert seen(settings) == [2]


def test_only_described_tables_are_published_and_all_of_them(settings: Settings) -> None:
    described = {"fct_orders": TableDescription("Grain: one row per order.")}
    publication = publish(settings, run_id="r", as_of=AS_OF, descriptions=described)
    assert list(publication.rows) == ["fct_orders"]
    with pytest.raises(CheckFailed, match="marts lacks fct_gone"):
        publish(
            settings,
            run_id="r",
            as_of=AS_OF,
            descriptions={**described, "fct_gone": TableDescription("")},
        )


# Versions of past dates


def test_a_version_of_a_past_date_stands_beside_the_current_one(settings: Settings) -> None:
    go(settings, 1)
    current = current_id(settings)
    build(settings, 2)
    past = date(2023, 12, 31)
    dated = publish(settings, run_id="r", as_of=past, make_current=False)
    assert (seen(settings), current_id(settings)) == ([1], current)
    with connect_published(settings, past) as connection:
        assert connection.execute(VERSIONS).fetchall() == [(2,)]
    listed = {version.id: version for version in generations(settings)}
    assert listed[dated.generation].is_dated and not listed[dated.generation].is_current
    with pytest.raises(InputError, match="no version of 2023-12-30; `regulars backfill"):
        connect_published(settings, date(2023, 12, 30))


def test_versions_of_past_dates_are_kept_until_they_are_built_anew(settings: Settings) -> None:
    kept = settings.model_copy(update={"keep_generations": 2})
    past = [date(2023, 12, day) for day in range(1, 5)]
    build(kept, 1)
    dated = {
        day: publish(kept, run_id="r", as_of=day, make_current=False).generation for day in past
    }
    for version in range(2, 6):
        go(kept, version)
    undated = [version for version in generations(kept) if not version.is_dated]
    assert len(undated) == 2 and len(generations(kept)) == 6
    again = publish(kept, run_id="r", as_of=past[0], make_current=False).generation
    assert dated[past[0]] in publish(kept, run_id="r", as_of=AS_OF).removed
    left = {version.id for version in generations(kept) if version.is_dated}
    assert left == {again, *(dated[day] for day in past[1:])}


def test_rollback_does_not_go_to_a_past_date_by_itself(settings: Settings) -> None:
    build(settings, 1)
    dated = publish(settings, run_id="r", as_of=date(2023, 1, 1), make_current=False).generation
    go(settings, 2)
    with pytest.raises(InputError, match="there is no generation to go back to"):
        rollback(settings)
    assert rollback(settings, dated).is_current
    assert seen(settings) == [1]
