"""Who comes back, how soon, how sure that is, and whether it gets better."""

from dagster_project.lib.report import charts
from dagster_project.lib.report.charts import Mark, Series
from dagster_project.lib.report.markup import Element, element
from dagster_project.lib.report.parts import Chart, Column, Data, Section, not_available
from dagster_project.lib.report.snapshot import Row, Snapshot
from dagster_project.lib.report.wording import count, many, month, percent

RATES = """
select
    window_days,
    customers,
    mature_customers,
    at_risk,
    km_repurchase_rate as rate,
    km_repurchase_rate_lower as lower,
    km_repurchase_rate_upper as upper,
    repurchase_rate
from fct_repurchase_rates
where dimension_name = 'all' and cohort_month is null
order by window_days
"""

COHORTS = """
select
    cohort_month,
    customers,
    at_risk,
    km_repurchase_rate as rate,
    km_repurchase_rate_lower as lower,
    km_repurchase_rate_upper as upper
from fct_repurchase_rates
where dimension_name = 'all' and cohort_month is not null and window_days = 90
order by cohort_month desc
limit 24
"""

NEXT = """
select
    purchase_number,
    reached,
    km_180_days_customers as customers,
    km_180_days_rate as rate,
    km_180_days_rate_lower as lower,
    km_180_days_rate_upper as upper,
    benchmark_rate
from fct_next_purchase_rates
where dimension_name = 'all' and purchase_number <= 6
order by purchase_number
"""

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")


def repeat(snapshot: Snapshot) -> Section:
    return Section(
        "repeat",
        "Do customers come back?",
        [_by_days(snapshot), _by_cohort(snapshot), _by_number(snapshot)],
    )


def _by_days(snapshot: Snapshot) -> Chart:
    heading = "How many buy a second time, and how soon"
    shown = ["fct_repurchase_rates", "fct_repurchase_rates.km_repurchase_rate"]
    rows = snapshot.rows(RATES)
    if not rows:
        return not_available("repurchase", heading, "nobody has bought yet", shown)
    known = [row for row in rows if row.rate is not None]
    if not known:
        return not_available(
            "repurchase", heading, "fewer than ten customers have had 30 days to come back", shown
        )
    middle = next((row for row in known if row.window_days == 90), known[-1])
    longest = known[-1]
    sentence = f"{percent(middle.rate)} buy again within {middle.window_days} days"
    if middle.upper is not None:
        sentence += f" (95% interval {percent(middle.lower)} to {percent(middle.upper)})"
    if longest is not middle:
        sentence += f", and {percent(longest.rate)} within {longest.window_days}"
    return Chart(
        "repurchase",
        heading,
        sentence + ".",
        _over_days(
            heading,
            "Share of customers who buy again within 30, 60, 90, 180 and 365 days, with 95%"
            " intervals.",
            known,
        ),
        Data(
            [
                Column("window_days", "Within days", count),
                Column("km_repurchase_rate", "Buy again", percent),
                Column("lower", "95% interval from", percent),
                Column("upper", "to", percent),
                Column("at_risk", "Followed to the end", count),
                Column("mature_customers", "Customers whose days are over", count),
                Column("repurchase_rate", "Of these bought again", percent),
            ],
            [
                (
                    row.window_days,
                    row.rate,
                    row.lower,
                    row.upper,
                    row.at_risk,
                    row.mature_customers,
                    row.repurchase_rate,
                )
                for row in rows
            ],
        ),
        note="Corrected for the time that each customer has had. The band is the 95% interval.",
        columns=shown,
    )


def _over_days(heading: str, description: str, known: list[Row]) -> Element:
    days = [row.window_days for row in known]
    return element(
        "div",
        charts.lines(
            heading,
            description,
            [str(number) for number in days],
            [
                Series(
                    "buy again",
                    [row.rate for row in known],
                    "s1",
                    [row.lower for row in known],
                    [row.upper for row in known],
                )
            ],
            percent,
            lambda share: percent(share, 0),
            at=days,
        ),
        element("p", "Days since the first purchase", class_="axis-title"),
    )


def _by_cohort(snapshot: Snapshot) -> Chart:
    heading = "Whether newer customers come back as often"
    shown = ["fct_repurchase_rates.km_repurchase_rate", "fct_repurchase_rates.at_risk"]
    rows = snapshot.rows(COHORTS)[::-1]
    known = [row for row in rows if row.rate is not None]
    if len(known) < 2:
        return not_available(
            "cohort-rates",
            heading,
            "fewer than two months of first purchases have been followed for 90 days",
            shown,
        )
    first, last = known[0], known[-1]
    apart = None not in (first.lower, first.upper, last.lower, last.upper) and (
        last.lower > first.upper or last.upper < first.lower
    )
    sentence = (
        f"Of customers won in {month(last.cohort_month)}, {percent(last.rate)} buy again within"
        f" 90 days; of those won in {month(first.cohort_month)} {percent(first.rate)} did. "
        + (
            "The difference is more than chance."
            if apart
            else "Their intervals overlap, so that it may be chance."
        )
    )
    return Chart(
        "cohort-rates",
        heading,
        sentence,
        charts.lines(
            heading,
            "Share that buys again within 90 days by month of the first purchase, with 95%"
            " intervals.",
            [month(row.cohort_month) for row in known],
            [
                Series(
                    "buy again within 90 days",
                    [row.rate for row in known],
                    "s1",
                    [row.lower for row in known],
                    [row.upper for row in known],
                )
            ],
            percent,
            lambda share: percent(share, 0),
        ),
        Data(
            [
                Column("cohort_month", "First purchase in", month),
                Column("customers", "Customers", count),
                Column("km_repurchase_rate", "Buy again within 90 days", percent),
                Column("lower", "95% interval from", percent),
                Column("upper", "to", percent),
                Column("at_risk", "Followed to the end", count),
            ],
            [
                (row.cohort_month, row.customers, row.rate, row.lower, row.upper, row.at_risk)
                for row in rows
            ],
        ),
        note="A month is drawn once ten of its customers have been followed for 90 days."
        if len(known) < len(rows)
        else "",
        columns=shown,
    )


def _by_number(snapshot: Snapshot) -> Chart:
    heading = "Who goes on to the next purchase"
    shown = [
        "fct_next_purchase_rates",
        "fct_next_purchase_rates.km_180_days_rate",
        "fct_next_purchase_rates.benchmark_rate",
    ]
    rows = snapshot.rows(NEXT)
    known = [row for row in rows if row.rate is not None]
    if not known:
        return not_available(
            "next-purchase",
            heading,
            "fewer than ten customers have been followed for 180 days"
            if rows
            else "nobody has bought yet",
            shown,
        )
    sentence = f"{percent(known[0].rate)} make a second purchase within 180 days of the first"
    second = next((row for row in known if row.purchase_number == 2), None)
    if second:
        sentence += (
            f"; of those who have, {percent(second.rate)} make a third"
            f" (elsewhere {percent(second.benchmark_rate, 0)} ever do, SumAll)"
        )
    marks = [
        Mark(
            f"{ORDINALS[row.purchase_number - 1].capitalize()} to"
            f" {ORDINALS[row.purchase_number]} ({count(row.customers)})",
            row.rate,
            percent(row.rate),
            lower=row.lower,
            upper=row.upper,
            benchmark=(row.benchmark_rate, row.benchmark_rate) if row.benchmark_rate else None,
        )
        for row in known
    ]
    drawing = element(
        "div",
        charts.legend([("95% interval", "whisker"), ("benchmark", "benchmark")]),
        charts.rows(
            heading, "Share that makes the next purchase within 180 days, by purchase.", marks, 1.0
        ),
    )
    return Chart(
        "next-purchase",
        heading,
        sentence + ".",
        drawing,
        Data(
            [
                Column("purchase_number", "After purchase", count),
                Column("reached", "Have made it", count),
                Column("customers", "Counted for 180 days", count),
                Column("km_180_days_rate", "Make the next one", percent),
                Column("lower", "95% interval from", percent),
                Column("upper", "to", percent),
                Column("benchmark_rate", "Elsewhere", percent),
            ],
            rows,
        ),
        note=""
        if len(known) == len(rows)
        else f"Of {many(len(rows) - len(known), 'later step')} too few customers can be followed.",
        is_wide=True,
        columns=shown,
    )
