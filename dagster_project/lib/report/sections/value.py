"""What customers bring: by cohort, against what they cost, and how unevenly."""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any

from dagster_project.lib.report import charts
from dagster_project.lib.report.charts import Mark, Series
from dagster_project.lib.report.markup import element
from dagster_project.lib.report.parts import Chart, Column, Data, Section, not_available
from dagster_project.lib.report.snapshot import Snapshot
from dagster_project.lib.report.wording import (
    compact,
    count,
    decimal,
    listed,
    many,
    month,
    percent,
    words,
)

MOST_CURVES = 8

# One row per cohort month: customers of all channels, and what they have brought up to each month.
COHORTS = """
select
    cohort_month,
    month_since,
    sum(customers)::bigint as customers,
    sum(net_sales) as net_sales,
    sum(predicted_cumulative_net_sales_per_customer * customers) as predicted,
    bool_and(is_complete) as is_complete
from fct_ltv_cohorts
where customers > 0
group by cohort_month, month_since
order by cohort_month, month_since
"""

# The twelve latest cohort months that have had twelve months since theirs.
PAYBACK = """
with
old_enough as (
    select distinct cohort_month
    from fct_ltv_cohorts
    where month_since = 12 and is_complete
    order by cohort_month desc
    limit 12
)
select
    acquisition_channel,
    month_since,
    sum(sum(margin)) over (partition by acquisition_channel order by month_since) as margin,
    sum(spend) as spend,
    sum(customers)::bigint as customers,
    min(known_cost_share) as known_cost_share,
    count(*) filter (where is_paid_back) as paid_back,
    count(*) as cohorts,
    min(cohort_month) as first_cohort,
    max(cohort_month) as last_cohort
from fct_ltv_cohorts
where
    cohort_month in (from old_enough)
    and month_since <= 12
    and spend > 0
group by acquisition_channel, month_since
order by acquisition_channel, month_since
"""


def value(snapshot: Snapshot) -> Section:
    return Section(
        "value",
        "What is a customer worth?",
        [_curves(snapshot), _payback(snapshot)],
    )


def concentration(snapshot: Snapshot) -> Section:
    heading = "How much comes from the best customers"
    shown = [
        "fct_value_concentration",
        "fct_value_concentration.multiple_of_average",
        "fct_value_concentration.benchmark_multiple",
    ]
    rows = snapshot.rows(
        "select top_percent, customers, net_sales, net_sales_share, margin_share,"
        " multiple_of_average, benchmark_multiple from fct_value_concentration order by top_percent"
    )
    section = "How much depends on a few?"
    if not rows or rows[0].net_sales_share is None:
        reason = "nobody has bought yet" if not rows else "no net sales are left after refunds"
        return Section(
            "concentration", section, [not_available("concentration", heading, reason, shown)]
        )
    best = rows[0]
    fifth = next(row for row in rows if row.top_percent == 20)
    sentence = (
        f"The best 20% of customers brought {percent(fifth.net_sales_share)} of net sales."
        f" One of the best 1% ({count(best.customers)}) brought"
        f" {decimal(best.multiple_of_average)} times what a customer brings on average;"
        f" elsewhere it is up to {count(best.benchmark_multiple)} times (RJMetrics)."
    )
    marks = [
        Mark(
            f"Best {row.top_percent}% ({many(row.customers, 'customer')})",
            row.net_sales_share,
            percent(row.net_sales_share),
        )
        for row in rows
    ]
    return Section(
        "concentration",
        section,
        [
            Chart(
                "concentration",
                heading,
                sentence,
                charts.rows(
                    heading, "Share of net sales that the best customers brought.", marks, 1.0
                ),
                Data(
                    [
                        Column("top_percent", "Best of customers, %", count),
                        Column("customers", "Customers", count),
                        Column("net_sales", "Net sales", snapshot.money),
                        Column("net_sales_share", "Share of net sales", percent),
                        Column("margin_share", "Share of margin", percent),
                        Column("multiple_of_average", "Times the average", decimal),
                        Column("benchmark_multiple", "Elsewhere up to", decimal),
                    ],
                    rows,
                ),
                columns=shown,
            )
        ],
    )


def _curves(snapshot: Snapshot) -> Chart:
    heading = "What cohorts bring as they age"
    shown = [
        "fct_ltv_cohorts",
        "fct_ltv_cohorts.cumulative_net_sales_per_customer",
        "fct_ltv_cohorts.predicted_cumulative_net_sales_per_customer",
    ]
    rows = snapshot.rows(COHORTS)
    if not rows:
        return not_available("cohorts", heading, "nobody has bought yet", shown)
    months = sorted({row.cohort_month for row in rows})
    unit = next(
        (
            size
            for size in (1, 3, 6)
            if len({_period(when, size) for when in months}) <= MOST_CURVES
        ),
        12,
    )
    pooled = _pooled(rows, unit)
    labels = list(pooled)[-MOST_CURVES:]
    if not labels:
        return not_available("cohorts", heading, "no month with customers has ended yet", shown)
    longest = max(len(pooled[label][1]) for label in labels)
    series, table = [], []
    for position, label in enumerate(labels):
        customers, points = pooled[label]
        known = sum(not is_expected for _, is_expected in points)
        values = [float(amount) for amount, _ in points]
        series.append(
            Series(
                f"{label} ({count(customers)})",
                values + [None] * (longest - len(values)),
                f"a{round(1 + 7 * position / max(len(labels) - 1, 1)) if len(labels) > 1 else 8}",
                expected_from=known,
            )
        )
        table += [
            (label, customers, age, round(amount, 2), is_expected)
            for age, (amount, is_expected) in enumerate(points)
        ]
    expected = any(row[-1] for row in table)
    entries = [(each.name, each.style) for each in series]
    drawing = element(
        "div",
        charts.legend([*entries, *([("expected", "expected s4")] if expected else [])]),
        charts.lines(
            heading,
            "Net sales per customer by months since the first purchase, one curve for each cohort.",
            [str(age) for age in range(longest)],
            series,
            lambda amount: snapshot.money(amount, 2),
            compact,
        ),
        element("p", "Months since the month of the first purchase", class_="axis-title"),
    )
    return Chart(
        "cohorts",
        heading,
        _curve_sentence(snapshot, pooled, labels, expected),
        drawing,
        Data(
            [
                Column("cohort", "Cohort"),
                Column("customers", "Customers", count),
                Column("month_since", "Months since", count),
                Column(
                    "net_sales_per_customer",
                    "Net sales per customer",
                    lambda amount: snapshot.money(amount, 2),
                ),
                Column("is_expected", "Expected", lambda flag: "yes" if flag else "no"),
            ],
            table,
        ),
        note="A cohort is those who first bought in its months. Its curve is drawn as far as all of"
        " its months have come.",
        columns=shown,
    )


def _curve_sentence(
    snapshot: Snapshot,
    pooled: dict[str, tuple[int, list[tuple[Decimal, bool]]]],
    labels: list[str],
    expected: bool,
) -> str:
    for age in (12, 6, 3, 1, 0):
        reached = [
            label
            for label in labels
            if len(pooled[label][1]) > age and not pooled[label][1][age][1]
        ]
        if reached:
            break
    else:
        return "No month of any cohort has ended yet."
    first, last = (
        snapshot.money(pooled[label][1][age][0], 2) for label in (reached[0], reached[-1])
    )
    after = f"{many(age, 'month')} after the month of the first purchase"
    sentence = f"{after} a customer of {reached[-1]} had brought {last}"
    if len(reached) > 1:
        sentence += f", one of {reached[0]} {first}"
    return sentence + ("; dashed lines are what the models expect." if expected else ".")


def _pooled(rows: list[Any], unit: int) -> dict[str, tuple[int, list[tuple[Decimal, bool]]]]:
    """Customers and cumulative net sales per customer by month since, with whether it is expected,
    of the cohort months of each period together."""
    cohorts: dict[date, list[Any]] = defaultdict(list)
    for row in rows:
        cohorts[row.cohort_month].append(row)
    periods: dict[str, list[list[Any]]] = defaultdict(list)
    for when, cohort in cohorts.items():
        periods[_period(when, unit)].append(cohort)
    pooled = {}
    for label, members in periods.items():
        customers = sum(cohort[0].customers for cohort in members)
        points: list[tuple[Decimal, bool]] = []
        so_far = [Decimal(0)] * len(members)
        for age in range(min(len(cohort) for cohort in members)):
            amount, is_expected = Decimal(0), False
            for position, cohort in enumerate(members):
                month_of = cohort[age]
                so_far[position] += month_of.net_sales or 0
                if month_of.is_complete:
                    amount += so_far[position]
                elif month_of.predicted is None:
                    break
                else:
                    amount, is_expected = amount + month_of.predicted, True
            else:
                points.append((amount / customers, is_expected))
                continue
            break
        if points:
            pooled[label] = (customers, points)
    return pooled


def _period(when: date, months: int) -> str:
    if months == 1:
        return month(when)
    part = (when.month - 1) // months + 1
    return {3: f"{when.year} Q{part}", 6: f"{when.year} H{part}", 12: str(when.year)}[months]


def _after(months: int | None) -> str:
    return f"after {many(months, 'month')}" if months else "in the month of the first purchase"


def _payback(snapshot: Snapshot) -> Chart:
    heading = "When marketing is paid back"
    shown = [
        "fct_ltv_cohorts.cac",
        "fct_ltv_cohorts.margin",
        "fct_ltv_cohorts.is_paid_back",
        "fct_ltv_cohorts.payback_months",
        "fct_ltv_cohorts.known_cost_share",
    ]
    rows = snapshot.rows(PAYBACK)
    if not rows:
        spent = snapshot.row("select count(spend) as cohorts from fct_ltv_cohorts").cohorts
        reason = (
            "no cohort with marketing spend has had twelve months since its first"
            if spent
            else "no marketing spend was delivered"
        )
        return not_available("payback", heading, reason, shown)
    channels: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        channels[row.acquisition_channel].append(row)
    most_first = sorted(channels.items(), key=lambda item: -item[1][0].spend)
    lost = [
        f"{words(name)} ({snapshot.money(months[0].spend)})"
        for name, months in most_first
        if not months[0].customers
    ]
    by_spend = [(name, months) for name, months in most_first if months[0].customers][:6]
    spent_on = {name: months[0].spend for name, months in by_spend}
    if not by_spend:
        return not_available(
            "payback", heading, f"nobody was won by what was spent on {listed(lost)}", shown
        )
    marks = []
    for channel, months in by_spend:
        brought = months[-1].margin / months[0].customers
        cost = spent_on[channel] / months[0].customers
        marks.append(
            Mark(
                f"{words(channel)} ({count(months[0].customers)})",
                float(brought),
                f"{snapshot.money(brought, 2)} for {snapshot.money(cost, 2)}",
                "s1" if brought >= cost else "s2",
                benchmark=(float(cost), float(cost)),
            )
        )
    drawing = element(
        "div",
        charts.legend(
            [("margin in twelve months", "bar s1"), ("what a customer cost", "benchmark")]
        ),
        charts.rows(
            heading,
            "Margin per customer in twelve months, and what a customer cost, by channel.",
            marks,
        ),
    )
    first = min(months[0].first_cohort for _, months in by_spend)
    last = max(months[0].last_cohort for _, months in by_spend)
    done = [
        (
            channel,
            next((row.month_since for row in months if row.margin >= spent_on[channel]), None),
        )
        for channel, months in by_spend
    ]
    paid = [f"{words(name)} {_after(age)}" for name, age in done if age is not None]
    open_ones = [
        f"{words(name)} ({percent(months[-1].margin / spent_on[name], 0)})"
        for (name, age), (_, months) in zip(done, by_spend, strict=True)
        if age is None
    ]
    sentence = f"Of customers won from {month(first)} to {month(last)}, the margin had paid back "
    if paid and len({age for _, age in done}) == 1:
        sentence += f"{listed([words(name) for name, _ in done])} {_after(done[0][1])}"
    else:
        sentence += listed(paid) if paid else "no channel within twelve months"
    if open_ones:
        sentence += f"; not yet after twelve months: {listed(open_ones)}"
    if lost:
        sentence += f"; nobody was won by what was spent on {listed(lost)}"
    known = _least_known(by_spend)
    return Chart(
        "payback",
        heading,
        sentence + ".",
        drawing,
        Data(
            [
                Column("acquisition_channel", "Channel"),
                Column("month_since", "Months since", count),
                Column("customers", "Customers", count),
                Column("spend", "Spend", snapshot.money),
                Column("margin", "Margin so far", snapshot.money),
                Column("cac", "Spend per customer", lambda amount: snapshot.money(amount, 2)),
                Column("share_of_spend", "Of the spend", percent),
                Column("paid_back_cohorts", "Cohort months paid back today", count),
                Column("cohorts", "Cohort months", count),
            ],
            [
                (
                    channel,
                    row.month_since,
                    row.customers,
                    spent_on[channel],
                    row.margin,
                    spent_on[channel] / months[0].customers,
                    row.margin / spent_on[channel],
                    row.paid_back,
                    row.cohorts,
                )
                for channel, months in by_spend
                for row in months
            ],
        ),
        note="Costs of goods are known for all but little of the sales."
        if known >= 0.95
        else "Where the cost of goods is not known it counts as nothing: it is known for"
        f" {percent(known, 0)} or more of the sales of each month's customers.",
        columns=shown,
    )


def _least_known(by_spend: list[tuple[str, list[Any]]]) -> float:
    shares = [row.known_cost_share for _, months in by_spend for row in months]
    return min((share for share in shares if share is not None), default=0.0)
