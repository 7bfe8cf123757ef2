"""What leaves in an export, who does not, and what is recorded of it."""

# ruff: noqa: RUF001 - letters of many scripts look alike
import csv
import os
import shutil
import stat
import unicodedata
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random

import duckdb
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from dagster_project.cli import app
from dagster_project.lib.activation import export
from dagster_project.lib.activation.contacts import records
from dagster_project.lib.activation.export import Exported, Exporter, Format
from dagster_project.lib.errors import InputError, RegularsError
from dagster_project.lib.settings import PROJECT_ROOT, Settings
from tests.definitions.test_audiences import is_held_out
from tests.shops import rebuild, regulars, rows, settings_of, take_in, write_csv

AS_OF = date(2025, 12, 31)
Record = dict[str, object]


def shop(
    folder: Path, customers: list[Record], suppressions: list[Record] | None = None, **given: object
) -> Settings:
    """A shop whose customers have all bought once and fallen silent."""
    files = folder / "landing" / "files"
    write_csv(files / "customers.csv", customers)
    bought = {"ordered_at": "2025-01-01 10:00:00", "merchandise_amount": 5}
    orders = [
        {"order_id": number, "customer_id": customer["customer_id"], **bought}
        for number, customer in enumerate(customers)
    ]
    write_csv(files / "orders.csv", orders)
    if suppressions:
        write_csv(files / "suppressions.csv", suppressions)
    settings = settings_of(folder / "landing", folder / "warehouse", connectors="files", **given)
    return rebuild(settings, marts=["fct_audience_members", "int_contacts__greeted"], as_of=AS_OF)


def person(number: int, **given: object) -> Record:
    return {
        "customer_id": f"c{number}",
        "email": f"c{number}@example.com",
        "first_name": "Anna",
        "last_name": "Bell",
        "phone": None,
        "language": "en",
        "has_marketing_consent": "yes",
        "has_sms_consent": None,
        "created_at": "2024-12-31",
        **given,
    }


def exported(
    settings: Settings, on: str = "2026-01-05", format: Format = "csv", audience: str = "inactive"
) -> tuple[Exported, list[dict[str, str]]]:
    with Exporter(settings, date.fromisoformat(on)) as exporter:
        done = exporter.export(audience, format)
    with done.file.open(encoding="utf-8-sig", newline="") as file:
        return done, list(csv.DictReader(file)) if format == "csv" else []


# Names in many scripts

SCRIPTS = (
    *((0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x531, 0x586)),
    *((0x5D0, 0x5EA), (0x620, 0x64A), (0x904, 0x94D), (0xE01, 0xE39), (0x10A0, 0x10FF)),
    *((0x1200, 0x1357), (0x1780, 0x17D2), (0x3041, 0x30FA), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3)),
)
REAL = (
    "Anna",
    "Jean-Luc",
    "O'Brien",
    "María José",
    "Юлия",
    "李雷",
    "محمد",
    "नमस्ते",
    "ロミ",
    "김민준",
)
WRAPPINGS = (
    "{}",
    " {} ",
    "{{{{{}}}}}",
    "%%{}%%",
    "[{}]",
    "*|{}|*",
    "${}",
    "<b>{}</b>",
    "={}",
    "{}1",
)
PLACEHOLDERS = (
    (PROJECT_ROOT / "seeds" / "placeholder_names.csv").read_text(encoding="utf-8").splitlines()[1:]
)
SIGNS = " -'’·.\t\u00a0\u200c\u200d\u202e{}%<>=+@&;0123456789😀ﬁｔ"


@dataclass
class Customer:
    number: int
    record: Record
    may_be_written_to: bool
    is_suppressed: bool
    way: str


def a_name(random: Random) -> str:
    kind = random.randrange(4)
    if kind == 0:
        return random.choice(REAL)
    if kind == 1:
        word = random.choice(PLACEHOLDERS)
        spelled = random.choice((word, word.upper(), word.title(), word.replace(" ", "_")))
        return random.choice(WRAPPINGS).format(spelled)
    first, last = random.choice(SCRIPTS)
    letters = [chr(random.randint(first, last)) for _ in range(random.randint(1, 8))]
    if kind == 3:
        for _ in range(random.randint(1, 3)):
            letters.insert(random.randint(0, len(letters)), random.choice(SIGNS))
    return "".join(letters)


def a_customer(random: Random, number: int) -> Customer:
    consent, sms = random.choice(("yes", "yes", "no", None)), random.choice(("yes", "no", None))
    address = random.choice((f"c{number}@example.com", f"c{number}@example.com", "nowhere", None))
    phone = random.choice((f"+44 7700 9{number:05d}", f"07700 9{number:05d}", None))
    is_suppressed = random.random() < 0.15
    ways = []
    if consent == "yes" and "@" in str(address):
        ways.append("email")
    if sms == "yes" and str(phone).startswith("+"):
        ways.append("sms")
    record = person(
        number,
        first_name=a_name(random),
        last_name=a_name(random),
        language=random.choice(("en", "de", "fr", "ja", "pl", "xx", "EN-gb", None)),
        email=address,
        phone=phone,
        has_marketing_consent=consent,
        has_sms_consent=sms,
    )
    return Customer(number, record, bool(ways), is_suppressed, ways[0] if ways else "")


with (PROJECT_ROOT / "seeds" / "greetings.csv").open(encoding="utf-8") as seed:
    GREETINGS = {row["language"]: row for row in csv.DictReader(seed)}


def is_clean(name: str) -> bool:
    """Of letters and what joins them, and no placeholder, whatever letters it is dressed in."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    plain = "".join(letter for letter in plain if letter not in "\u200c\u200d")
    words = "".join(
        letter if unicodedata.category(letter)[0] in "LM" else " " for letter in plain
    ).split()
    kinds = {unicodedata.category(letter)[0] for letter in name} - {"L", "M"}
    joints = {letter for letter in name if unicodedata.category(letter)[0] not in "LM"}
    return (
        bool(words)
        and joints <= set(" -'’‘·・.\u200c\u200d")
        and kinds <= {"Z", "P", "C"}
        and " ".join(words) not in PLACEHOLDERS
        and words[0] not in PLACEHOLDERS
        and words[-1] not in PLACEHOLDERS
    )


def check_greeting(row: dict[str, str]) -> bool:
    """Whether the greeting is by name; it is clean either way, in the customer's language."""
    greeting = GREETINGS[row["language"]]
    if row["greeting"] == greeting["neutral"]:
        return False
    before, after = greeting["with_name"].split("{name}")
    assert row["greeting"] == f"{before}{row['first_name']}{after}"
    assert is_clean(row["first_name"]), ascii(row["first_name"])
    return True


def check_exports_of_a_shop(folder: Path, seed: int, customers: int) -> None:
    random = Random(seed)
    crowd = [a_customer(random, number) for number in range(customers)]
    listed = [
        {"customer_id": f"c{one.number}"}
        if one.number % 2 or "@" not in str(one.record["email"])
        else {"customer_id": None, "customer_email": f" C{one.number}@EXAMPLE.com"}
        for one in crowd
        if one.is_suppressed
    ]
    columns = ("customer_id", "customer_email")
    suppressions = [{column: row.get(column) for column in columns} for row in listed]
    settings = shop(folder, [one.record for one in crowd], suppressions)
    done, leaving = exported(settings)
    wanted = {
        f"c{one.number}": one
        for one in crowd
        if one.may_be_written_to and not one.is_suppressed and not is_held_out(f"c{one.number}")
    }
    assert {row["customer_id"]: row["channel"] for row in leaving} == {
        customer: one.way for customer, one in wanted.items()
    }
    assert done.customers == len(leaving) and done.held_out > 0
    by_name = [row for row in leaving if check_greeting(row)]
    assert 0 < len(by_name) < len(leaving)
    for row in leaving:
        record = wanted[row["customer_id"]].record
        language = str(record["language"] or "")[:2].lower()
        assert row["language"] == (language if language in GREETINGS else "en")
        assert not row["last_name"] or is_clean(row["last_name"].removeprefix("'"))
        if record["first_name"] in REAL and row["language"] != "pl":
            assert row in by_name
    for_machines, _ = exported(settings, format="parquet")
    assert [row["customer_id"] for row in leaving] == [
        row["customer_id"] for row in pq.read_table(for_machines.file).to_pylist()
    ]


@pytest.mark.parametrize("seed", [1])
def test_nobody_leaves_without_consent_channel_or_clean_greeting(tmp_path: Path, seed: int) -> None:
    check_exports_of_a_shop(tmp_path, seed, customers=1500)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_nobody_leaves_in_many_shops(tmp_path: Path, seed: int) -> None:
    check_exports_of_a_shop(tmp_path, seed, customers=5000)


# The record, the cap, the hold-out


@pytest.fixture(scope="module")
def twenty(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return shop(tmp_path_factory.mktemp("twenty"), [person(number) for number in range(20)])


@pytest.fixture
def silent(twenty: Settings, tmp_path: Path) -> Settings:
    """A copy of that shop: twenty who may all be written to."""
    shutil.copytree(twenty.warehouse, tmp_path / "warehouse", symlinks=True)
    return twenty.model_copy(update={"warehouse": tmp_path / "warehouse"})


def recorded(settings: Settings) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(
            "select customer_id, audience, contact_date, is_holdout, holdout_share"
            " from read_parquet(?) order by customer_id, contact_date",
            [str(records(settings) / "*.parquet")],
        ).fetchall()


def test_who_is_held_out_is_recorded_and_does_not_leave(silent: Settings) -> None:
    held_out = {f"c{number}" for number in range(20) if is_held_out(f"c{number}")}
    done, leaving = exported(silent)
    assert held_out and (done.customers, done.held_out) == (20 - len(held_out), len(held_out))
    assert {row["customer_id"] for row in leaving} == {f"c{n}" for n in range(20)} - held_out
    assert recorded(silent) == sorted(
        (f"c{number}", "inactive", date(2026, 1, 5), f"c{number}" in held_out, 0.1)
        for number in range(20)
    )


def test_all_customers_may_be_held_out(tmp_path: Path) -> None:
    settings = shop(tmp_path, [person(number) for number in range(3)], holdout_share=1)
    done, leaving = exported(settings)
    assert (done.customers, done.held_out, leaving) == (0, 3, [])


def test_an_export_made_again_is_the_same_and_is_recorded_once(silent: Settings) -> None:
    first, leaving = exported(silent)
    before = recorded(silent)
    again, leaving_again = exported(silent)
    assert leaving_again == leaving and recorded(silent) == before
    assert (first.is_repeated, again.is_repeated) == (False, True)
    assert again.left_out == 0


@pytest.mark.parametrize(
    ("on", "may"), [("2026-01-04", False), ("2026-01-11", False), ("2026-01-12", True)]
)
def test_a_second_contact_within_a_week_is_not_made(silent: Settings, on: str, may: bool) -> None:
    exported(silent)
    done, leaving = exported(silent, on)
    assert bool(leaving) == may
    assert done.left_out == (0 if may else 18) and done.held_out == 2


def test_the_cap_counts_contacts_of_other_audiences(silent: Settings) -> None:
    with duckdb.connect(str(silent.build_file)) as build:
        build.execute("update intermediate.int_run__settings set max_contacts = 2")
    exported(silent)
    with duckdb.connect() as connection:
        file = records(silent) / "2026-01-06-lovers.parquet"
        connection.execute(
            f"copy (select * replace ('lovers' as audience) from"
            f" read_parquet('{records(silent)}/2026*.parquet') where customer_id <> 'c3')"
            f" to '{file}' (format parquet)"
        )
    done, leaving = exported(silent, "2026-01-07")
    assert [row["customer_id"] for row in leaving] == ["c3"]
    assert (done.left_out, done.held_out) == (17, 2)


def test_the_cap_is_that_of_the_build_wherever_its_settings_stand(tmp_path: Path) -> None:
    """An export is not told the landing folder, in which regulars.toml may be."""
    settings = shop(tmp_path, [person(1)], contact_days=30, holdout_share=0)
    elsewhere = settings_of(tmp_path / "nowhere", settings.warehouse)
    assert exported(elsewhere)[0].customers == 1
    assert exported(elsewhere, "2026-01-20")[0].left_out == 1


def test_who_refuses_after_the_date_of_the_version_is_not_written_to(tmp_path: Path) -> None:
    later = {"created_at": "2026-01-02"}
    settings = shop(
        tmp_path,
        [
            *(person(1, email="a@example.com"), person(2, email="b@example.com"), person(3)),
            person(4, email="A@example.com", has_marketing_consent="no", **later),
            person(5, email="b@example.com", **later),
        ],
        [{"customer_id": "c5"}],
        holdout_share=0,
    )
    assert [row["customer_id"] for row in exported(settings)[1]] == ["c3"]


def test_an_address_is_listed_in_whichever_column_it_stands(tmp_path: Path) -> None:
    listed: list[Record] = [{"customer_id": " X@example.com"}]
    customers = [person(1, email="x@example.com"), person(2)]
    settings = shop(tmp_path, customers, listed, holdout_share=0)
    assert [row["customer_id"] for row in exported(settings)[1]] == ["c2"]


def test_a_language_is_told_from_others_that_begin_alike(tmp_path: Path) -> None:
    """Estonian, Filipino and Slovak in three letters; words are no codes."""
    languages = ("est", "fil", "slk", "Estonian", "es-MX", " NB_no")
    customers = [person(number, language=code) for number, code in enumerate(languages)]
    settings = shop(tmp_path, customers, holdout_share=0)
    assert [row["language"] for row in exported(settings)[1]] == ["en"] * 4 + ["es", "nb"]


def test_who_withdraws_is_not_in_an_export_made_again(silent: Settings) -> None:
    _, leaving = exported(silent)
    with duckdb.connect(str(silent.build_file)) as build:
        build.execute("delete from pii.int_contacts__greeted where customer_id = 'c3'")
    again, leaving_again = exported(silent)
    assert leaving_again == [row for row in leaving if row["customer_id"] != "c3"]
    assert again.left_out == 1


def test_what_was_held_out_stays_so_when_an_export_is_made_again(silent: Settings) -> None:
    _, leaving = exported(silent)
    with duckdb.connect(str(silent.build_file)) as build:
        build.execute("update pii.int_contacts__greeted set is_holdout = not is_holdout")
    _, leaving_again = exported(silent)
    assert leaving and leaving_again == []


def test_a_killed_export_is_on_record_and_can_be_made_again(
    silent: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(export, "put", killed)
        with pytest.raises(KeyboardInterrupt):
            exported(silent)
    assert len(recorded(silent)) == 20
    assert not (silent.warehouse / "exports" / "2026-01-05" / "inactive.csv").exists()
    done, leaving = exported(silent)
    assert done.is_repeated and leaving


def test_exports_and_records_are_for_their_owner_alone(silent: Settings) -> None:
    done, _ = exported(silent)
    for path in (done.file, *records(silent).glob("2026*")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


# Formulas


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_a_text_that_begins_like_a_formula_is_no_formula_in_csv(first: str) -> None:
    assert export.neutralised(f"{first}1+1") == f"'{first}1+1"
    assert export.neutralised("1=1") == "1=1"
    assert export.neutralised(-1) == -1


def test_formulas_stay_as_they_are_in_parquet(tmp_path: Path) -> None:
    cells = {"customer_id": "=1+1", "email": "+a@example.com", "language": "en"}
    settings = shop(tmp_path, [person(1, **cells)], holdout_share=0)
    _, (row,) = exported(settings)
    assert (row["customer_id"], row["address"]) == ("'=1+1", "'+a@example.com")
    done, _ = exported(settings, format="parquet")
    (kept,) = pq.read_table(done.file).to_pylist()
    assert (kept["customer_id"], kept["address"]) == ("=1+1", "+a@example.com")
    assert kept["since_date"].isoformat() == row["since_date"]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("Tops;=1+1", "Tops;'=1+1"),
        ("a\t@sum", "a\t'@sum"),
        ("a\n-1", "a\n'-1"),
        ("a, =1; -2", "a, =1; -2"),  # no cell begins with a blank and is a formula
    ],
)
def test_a_text_that_another_separator_parts_has_no_formula_in_it(text: str, cell: str) -> None:
    assert export.neutralised(text) == cell


# What is refused


def test_a_list_that_cannot_be_read_stops_every_export(tmp_path: Path) -> None:
    settings = shop(
        tmp_path, [person(1)], [{"customer_id": "c1", "customer_email": "c1@example.com"}]
    )
    listed = settings.landing / "files" / "suppressions.csv"
    listed.write_text('customer_id,customer_email\n"c1\n', encoding="utf-8")
    rebuild(settings, marts=["fct_audience_members", "int_contacts__greeted"], as_of=AS_OF)
    with pytest.raises(
        InputError, match=r"not known who is not to be contacted.*suppressions\.csv"
    ):
        exported(settings)


def test_what_was_loaded_and_not_built_stops_every_export(tmp_path: Path) -> None:
    settings = shop(tmp_path, [person(1)], holdout_share=0)
    write_csv(settings.landing / "files" / "suppressions.csv", [{"customer_id": "c1"}])
    take_in(settings, AS_OF)
    with pytest.raises(RegularsError, match=r"ended before it knew .* run `regulars run` first"):
        exported(settings)


def test_a_row_that_names_nobody_stops_every_export(tmp_path: Path) -> None:
    settings = shop(tmp_path, [person(1)], [{"customer_id": None, "channel": "email"}])
    with pytest.raises(InputError, match="a row names no account, address or number"):
        exported(settings)


def test_a_list_without_a_column_that_is_known_is_held_and_stops_every_export(
    tmp_path: Path,
) -> None:
    settings = shop(tmp_path, [person(1)], [{"id": "c1", "email": "c1@example.com"}])
    with pytest.raises(InputError, match=r"suppressions\.csv names none of the columns of supp"):
        exported(settings)


def test_a_number_on_the_list_stops_whoever_has_it(tmp_path: Path) -> None:
    numbers = ("+49 (0)170 1234567", "+49 170 7654321", "+44 7700 900123", "+447700900123")
    customers = [
        person(number, phone=phone, has_marketing_consent=None, has_sms_consent="yes")
        for number, phone in enumerate(numbers)
    ]
    listed = [{"customer_phone": "0170-1234567", "channel": "sms"}]
    settings = shop(tmp_path, customers, listed, holdout_share=0)
    assert [row["customer_id"] for row in exported(settings)[1]] == ["c1"]  # two share the last


def test_a_day_that_the_version_knows_and_an_unknown_audience_are_refused(silent: Settings) -> None:
    with pytest.raises(InputError, match="speaks of 2025-12-31: nobody can be written to on"):
        exported(silent, "2025-12-31")
    with pytest.raises(InputError, match="no audience 'everybody'; negative_experience, cart_"):
        exported(silent, audience="everybody")


def test_a_build_of_a_past_date_says_nothing_about_who_came_since(silent: Settings) -> None:
    before = recorded(silent)
    with duckdb.connect(str(silent.build_file)) as connection:
        connection.execute("update intermediate.int_run__settings set as_of_date = '2025-12-30'")
    with pytest.raises(RegularsError, match="the last build is of 2025-12-30, before"):
        exported(silent)
    assert recorded(silent) == before


@pytest.mark.parametrize("place", ["nowhere/x.csv", "folder", "."])
def test_what_cannot_be_written_leaves_no_record(silent: Settings, place: str) -> None:
    (silent.warehouse / "folder").mkdir()
    before = recorded(silent)
    with Exporter(silent, date(2026, 1, 5)) as exporter:
        with pytest.raises(InputError, match="cannot write"):
            exporter.export("inactive", output=silent.warehouse / place)
        (silent.warehouse / "exports").write_text("no folder")
        with pytest.raises(InputError, match="cannot write"):
            exporter.export("inactive")
    assert recorded(silent) == before == []


def test_a_link_stays_one_and_leads_to_the_export(silent: Settings, tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    with Exporter(silent, date(2026, 1, 5)) as exporter:
        exporter.export("inactive", output=tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink() and (tmp_path / "real.csv").stat().st_size > 100


def test_without_a_version_or_a_whole_build_nothing_leaves(
    silent: Settings, tmp_path: Path
) -> None:
    nothing = settings_of(tmp_path, tmp_path / "nothing", connectors="files")
    with pytest.raises(InputError, match="nothing is published yet"):
        exported(nothing)
    with duckdb.connect(str(silent.build_file)) as build:
        build.execute("drop table pii.int_contacts__greeted")
    with pytest.raises(RegularsError, match=r"no whole build .* run `regulars run` first"):
        exported(silent)


def test_the_command_line_exports_every_audience_in_turn(silent: Settings) -> None:
    where = ("--warehouse", silent.warehouse, "--on", "2026-01-05")
    result = regulars("export", *where, cwd=silent.warehouse)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "To write to on 05 January 2026, by what was known on 31 December 2025"
    assert any(line.split() == ["inactive", "18", "2", "0"] for line in lines)
    assert "days lie between" not in result.stdout
    assert lines[-1] == "in exports/2026-01-05: personal data, readable by its owner only"
    assert len(os.listdir(silent.warehouse / "exports" / "2026-01-05")) == 10


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--output", "x.csv"), "--output is for one audience"),
        (("--on", "tomorrow"), "--on 'tomorrow' is not a date"),
        (("hero", "--output", "x.parquet"), "--output ends in .parquet; say --format parquet"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    silent: Settings, given: tuple[str, ...], said: str
) -> None:
    refused = CliRunner().invoke(app, ["export", "--warehouse", str(silent.warehouse), *given])
    assert refused.exit_code == 2
    assert said in refused.stderr


def test_what_is_old_is_said(silent: Settings) -> None:
    given = ("--warehouse", str(silent.warehouse), "--on", "2026-02-01")
    done = CliRunner().invoke(app, ["export", "inactive", "inactive", *given])
    assert done.exit_code == 0 and "32 days lie between" in done.stdout
    assert sum("inactive" in line for line in done.stdout.splitlines()) == 1


def test_no_export_leaves_a_trace_of_persons_in_the_marts(silent: Settings) -> None:
    exported(silent)
    columns = {
        name for (name,) in rows(silent, "select column_name from (describe fct_audience_members)")
    }
    assert columns.isdisjoint({"address", "greeting", "first_name", "last_name"})
