"""Names, addresses and numbers: what is kept, and what nobody is to be written to by."""

# ruff: noqa: RUF001 - letters of many scripts look alike
import unicodedata
from pathlib import Path

import duckdb
import pytest

from dagster_project.lib.settings import PROJECT_ROOT, Settings
from tests.shops import rebuild, settings_of, write_csv

NAMES = (
    *("Anna", "anna", "ANNA", "Bo", "Ng", "Jean-Luc", "O'Brien", "O’Neill", "d'Artagnan", "Gal·la"),
    *("María José", "Đặng", "Nguyễn Thị", "Łukasz", "Þór", "İsmail", "Kalākaua", "Keʻala", "Ætla"),
    *("J. R. R. Tolkien", "Anne Marie-Louise", "Ὀδυσσεύς", "Юлия", "אברהם", "محمد", "علي رضا"),
    *("می‌خواهم", "नमस्ते", "สมชาย", "李雷", "明", "丽丽", "김", "ロミ", "a\u0301n"),
)
NO_NAMES = (
    *("", "  ", "\t", "J", "J.", "J. R.", "Aa", "aaa", "XXXX", "Ab" * 20 + "c"),
    *("%%NAME%%", "{{first_name}}", "{{ customer.first_name }}", "[FNAME]", "*|FNAME|*", "$name"),
    *("<b>Anna</b>", "&lt;Anna&gt;", "=cmd", "+Anna", "-Anna", "@Anna", "Anna-", "Anna--Maria"),
    *(
        "test",
        "TEST",
        "Test",
        "Test User",
        "Test-Anna",
        "Anna Test",
        "Jane Doe",
        "testkunde",
        "Тест",
        "测试",
        "テスト",
        "t e s t",
        "O'Test",
        "Test’Anna",
        "Anna·Test",
        "テスト・ロミ",
    ),
    *("name", "First Name", "first_name", "n/a", "none", "null", "Unbekannt", "Max Mustermann"),
    *("Dr. Anna", "Frau", "Customer", "guest", "asdf", "qwertz"),
    *("Anna1", "1234", "anna@example.com", "www.example.com", "Anna,Maria", "Anna; Maria"),
    *(
        "ｔｅｓｔ",
        "𝓣𝓮𝓼𝓽",
        "ᵗᵉˢᵗ",
        "teſt",
        "ㅤ",
        "ㅁㅁ",
        "ـــ",
        "ーー",
        "あああ",
        "無名",
        "ﾃｽﾄ",
        "te\u200cst",
        "te\u200dst",
        "김\u115f",
        "김\u1160",
        "Annaʰ",
        "Annaˠ",
        "Anna\u202eanna",
        "Ann\u00adabel",
        "Anna 😀",
        "\ufeffAnna",
    ),
)
ADDRESSES = (
    "a@example.com",
    "A.b+c@sub.example.org",
    "  x@example.com ",
    "jörg@müller.de",
    "a@b.xn--p1ai",
)
NO_ADDRESSES = (
    *(
        "a",
        "a@",
        "@example.com",
        "a@example",
        "a@b@example.com",
        "a b@example.com",
        "a@exa mple.com",
    ),
    *(
        "a..b@example.com",
        ".a@example.com",
        "a.@example.com",
        "a@.com",
        "a@.b.com",
        "a@example.c",
        "a@1.2.3.4",
    ),
    *("a@example.com,b@example.com", "<a@example.com>", "a@example.com\x07", "%%EMAIL%%"),
    *(f"{'a' * 243}@example.com", "Anna <a@example.com>", "a\u200b@example.com"),
)
NUMBERS = {
    "+49 170 1234567": "+491701234567",
    "0049 (0)170 / 123-45-67": "+491701234567",
    "+49 170 1234567890": "+491701234567890",
    "+12345678": "+12345678",
    "+1 (212) 555.0100": "+12125550100",
}
NO_NUMBERS = (
    "0170 1234567",
    "+0170123456",
    "+49",
    "49 170 1234567",
    "+49 170 12345678901",
    "+1234567",
    "+49 x",
)


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, ...]]:
    """Name, address and number that each account has, by its id."""
    folder = tmp_path_factory.mktemp("contacts")
    rows = [
        {"customer_id": f"{column} {number}", column: value}
        for column, values in {
            "first_name": (*NAMES, *NO_NAMES),
            "email": (*ADDRESSES, *NO_ADDRESSES),
            "phone": (*NUMBERS, *NO_NUMBERS),
        }.items()
        for number, value in enumerate(values)
    ]
    columns = ("customer_id", "first_name", "email", "phone")
    settings = shop(folder, [{column: row.get(column) for column in columns} for row in rows])
    with duckdb.connect(str(settings.build_file), read_only=True) as build:
        found = build.execute(
            "select customer_id, first_name, email_address, phone_number from pii.stg_contacts"
        ).fetchall()
    return {account: tuple(values) for account, *values in found}


def shop(
    folder: Path, customers: list[dict[str, str | None]], file: str = "customers.csv"
) -> Settings:
    files = folder / "landing" / "files"
    write_csv(files / file, customers)
    bought = {"customer_id": customers[0]["customer_id"], "ordered_at": "2025-01-01"}
    write_csv(files / "orders.csv", [{"order_id": "1", **bought, "merchandise_amount": "5"}])
    settings = settings_of(folder / "landing", folder / "warehouse", connectors="files")
    return rebuild(settings, marts=["int_contacts__reachable", "fct_orders"])


def test_names_of_many_scripts_are_kept_and_what_stands_for_none_is_not(
    accounts: dict[str, tuple[str, ...]],
) -> None:
    for number, name in enumerate((*NAMES, *NO_NAMES)):
        kept = accounts[f"first_name {number}"][0]
        assert kept == (name if name in NAMES else None), name


def test_blanks_around_and_within_a_name_are_single(tmp_path: Path) -> None:
    rows = [{"customer_id": "a", "first_name": " \u00a0Anna \t Maria\u202f"}]
    settings = shop(tmp_path, list(rows))
    with duckdb.connect(str(settings.build_file), read_only=True) as build:
        assert build.execute("select first_name from pii.stg_contacts").fetchall() == [
            ("Anna Maria",)
        ]


def test_only_addresses_and_numbers_that_something_can_be_sent_to_are_kept(
    accounts: dict[str, tuple[str, ...]],
) -> None:
    for number, address in enumerate((*ADDRESSES, *NO_ADDRESSES)):
        kept = accounts[f"email {number}"][1]
        assert kept == (address.strip() if address in ADDRESSES else None), address
    for number, phone in enumerate((*NUMBERS, *NO_NUMBERS)):
        assert accounts[f"phone {number}"][2] == NUMBERS.get(phone), phone


def test_the_latest_version_of_an_account_counts(tmp_path: Path) -> None:
    """By when it changed, where that is known; else by file and row."""
    versions = (
        *(("by time", "Later", "2025-02-01"), ("by time", "Earlier", "2025-01-01")),
        *(("by time", "Undated", None), ("by row", "Upper", None), ("by row", "Lower", None)),
    )
    columns = ("customer_id", "first_name", "updated_at")
    rows = [dict(zip(columns, version, strict=True)) for version in versions]
    rows.append({"customer_id": "by file", "first_name": "Second", "updated_at": None})
    first = [{"customer_id": "by file", "first_name": "First", "updated_at": None}]
    write_csv(tmp_path / "landing" / "files" / "customers-1.csv", first)
    settings = shop(tmp_path, list(rows), "customers-2.csv")
    with duckdb.connect(str(settings.build_file), read_only=True) as build:
        kept = build.execute("select customer_id, first_name from pii.stg_contacts").fetchall()
    assert set(kept) == {("by time", "Later"), ("by row", "Lower"), ("by file", "Second")}


def test_a_seeded_placeholder_is_one_word_of_letters_or_several() -> None:
    """Others could never meet a name, which is compared in small letters and with blanks."""
    lines = (PROJECT_ROOT / "seeds" / "placeholder_names.csv").read_text("utf-8").splitlines()[1:]
    assert lines == sorted(set(lines))
    for line in lines:
        assert line == line.lower()
        assert {unicodedata.category(letter)[0] for letter in line} <= {"L", "M", "Z"}, line
