"""What was loaded, what was rejected, and what was checked."""

from dagster_project.lib.report.markup import element
from dagster_project.lib.report.parts import Chart, Column, Data, Section, not_available, tiles
from dagster_project.lib.report.snapshot import Snapshot
from dagster_project.lib.report.wording import count, decimal, many, percent, text, words

FILES = """
select
    connector,
    coalesce(entity, 'belongs to no table') as entity,
    count(*)::bigint as files,
    sum(records)::bigint as records,
    sum(loaded)::bigint as loaded,
    sum(rejected)::bigint as rejected,
    count(*) filter (where status = 'held') as held
from fct_intake_files
where status <> 'duplicate'
group by connector, entity
order by records desc, connector, entity
"""

NOT_TAKEN = """
select file, column_name, reason, count(*)::bigint as records, min(line) as first_line
from fct_rejected_rows
group by file, column_name, reason
union all
select file, null, reason, null, null
from fct_intake_files
where status = 'held'
order by records desc nulls first, file, column_name, reason
limit 25
"""

CHECKS = """
select
    layer,
    count(*)::bigint as checks,
    count(*) filter (where passed)::bigint as held
from fct_check_results
group by layer
order by list_position(['raw', 'seeds', 'staging', 'intermediate', 'marts'], layer)
"""

FAILED = """
select table_name, expectation, severity, observed, description
from fct_check_results
where not passed
order by severity, check_id
limit 25
"""


def quality(snapshot: Snapshot) -> Section:
    return Section(
        "quality",
        "Can the figures be trusted?",
        [_files(snapshot), _checks(snapshot), _books(snapshot)],
    )


def _files(snapshot: Snapshot) -> Chart:
    heading = "What was loaded and what was not"
    shown = ["fct_intake_files", "fct_intake_files.records", "fct_rejected_rows"]
    rows = snapshot.rows(FILES)
    if not rows:
        return not_available("files", heading, "no file has landed", shown)
    records, rejected = sum(row.records for row in rows), sum(row.rejected for row in rows)
    held, files = sum(row.held for row in rows), sum(row.files for row in rows)
    sentence = (
        f"{count(sum(row.loaded for row in rows))} of {many(records, 'record')} of"
        f" {many(files, 'file')} were loaded; {many(rejected, 'record was', 'records were')}"
        f" rejected and {many(held, 'file was', 'files were')} held back."
    )
    problems = Data(
        [
            Column("file", "File"),
            Column("column_name", "Column"),
            Column("reason", "Reason"),
            Column("records", "Records", count),
            Column("first_line", "First line", count),
        ],
        snapshot.rows(NOT_TAKEN),
    )
    return Chart(
        "files",
        heading,
        sentence,
        element(
            "div",
            tiles(
                ("Files", count(files), ()),
                ("Records", count(records), ()),
                ("Rejected", count(rejected), ()),
                ("Files held back", count(held), ()),
            ),
            problems.table("What was rejected or held back, and why") if problems.rows else None,
        ),
        Data(
            [
                Column("connector", "Connector"),
                Column("entity", "Table", words),
                Column("files", "Files", count),
                Column("records", "Records", count),
                Column("loaded", "Loaded", count),
                Column("rejected", "Rejected", count),
                Column("held_files", "Files held back", count),
            ],
            rows,
        ),
        columns=shown,
        is_wide=True,
    )


def _checks(snapshot: Snapshot) -> Chart:
    heading = "What was checked"
    shown = ["fct_check_results", "fct_check_results.severity"]
    rows = snapshot.rows(CHECKS)
    if not rows:
        return not_available("checks", heading, "this version was built without checks", shown)
    checks, held = sum(row.checks for row in rows), sum(row.held for row in rows)
    failed = Data(
        [
            Column("table_name", "Table"),
            Column("expectation", "What is expected", words),
            Column("severity", "Severity"),
            Column("observed", "Found"),
            Column("description", "Why it is expected"),
        ],
        snapshot.rows(FAILED),
    )
    return Chart(
        "checks",
        heading,
        f"{count(held)} of {many(checks, 'check')} held"
        + (
            f"; {many(checks - held, 'warning')} should be looked at."
            if checks > held
            else ", all of them."
        ),
        element(
            "div",
            tiles(
                *(
                    (
                        row.layer.capitalize(),
                        f"{count(row.held)} of {count(row.checks)}",
                        () if row.held == row.checks else ("should be looked at",),
                    )
                    for row in rows
                )
            ),
            failed.table("Checks that did not hold") if failed.rows else None,
        ),
        Data(
            [
                Column("layer", "Layer"),
                Column("checks", "Checks", count),
                Column("held", "Held", count),
            ],
            rows,
        ),
        columns=shown,
        is_wide=True,
    )


def _books(snapshot: Snapshot) -> Chart:
    heading = "Whether the books balance"
    shown = ["fct_reconciliation", "fct_reconciliation.difference"]
    rows = snapshot.rows(
        "select check_name, category, currency, amount, other_amount, difference, is_balanced"
        " from fct_reconciliation order by is_balanced, check_name, category, currency"
    )
    if not rows:
        return not_available("books", heading, "there is nothing to sum", shown)
    balanced = sum(row.is_balanced for row in rows)
    sentence = f"{count(balanced)} of {many(len(rows), 'sum')} made in two ways meet to the cent."
    data = Data(
        [
            Column("check_name", "Equation"),
            Column("category", "Part"),
            Column("currency", "Currency", text),
            Column("amount", "Nearer to the source", lambda amount: decimal(amount, 2)),
            Column("other_amount", "Nearer to the tables", lambda amount: decimal(amount, 2)),
            Column("difference", "Difference", lambda amount: decimal(amount, 2)),
        ],
        [tuple(row)[:-1] for row in rows],
    )
    unbalanced = Data(data.columns, data.rows[: len(rows) - balanced])
    return Chart(
        "books",
        heading,
        sentence,
        unbalanced.table("Sums that do not meet") if balanced < len(rows) else None,
        data,
        note=f"{percent(balanced / len(rows), 0)} balanced." if balanced < len(rows) else "",
        columns=shown,
        is_wide=True,
    )
