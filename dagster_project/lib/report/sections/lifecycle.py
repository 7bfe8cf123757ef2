"""Where customers stand, how they move, and what those who are leaving are worth."""

from datetime import date

from dagster_project.lib.report import charts
from dagster_project.lib.report.charts import Mark, Series
from dagster_project.lib.report.markup import element
from dagster_project.lib.report.parts import Chart, Column, Data, Section, not_available
from dagster_project.lib.report.snapshot import Snapshot
from dagster_project.lib.report.wording import (
    compact,
    count,
    day,
    listed,
    many,
    month,
    percent,
    text,
    words,
)

STAGES = {"acquisition": "s4", "onboarding": "r1", "retention": "r4", "loyalty": "r8"}
SEGMENTS = (
    *("new", "active", "hero", "won_back", "negative_experience", "at_risk", "inactive"),
    *("cart_abandoner", "prospect"),
)

STOCK = """
select lifecycle_date, lifecycle_stage, sum(customers)::bigint as customers
from fct_lifecycle_daily
where
    lifecycle_date > ?::date - interval 13 month
    and (lifecycle_date = last_day(lifecycle_date) or lifecycle_date = ?::date)
group by lifecycle_date, lifecycle_stage
order by lifecycle_date
"""

# Somebody who changes his stage within a segment is in it before and after.
FLOWS = """
with
moves as (
    select from_segment, to_segment
    from fct_lifecycle_transitions
    where
        transition_date > ?::date - interval 12 month
        and from_segment is distinct from to_segment
)
select
    segment,
    (select count(*) from dim_customers where dim_customers.segment = segments.segment)::bigint
        as customers,
    (select count(*) from moves where to_segment = segment)::bigint as entered,
    (select count(*) from moves where from_segment = segment)::bigint as exited
from (select unnest(?::varchar[]) as segment) as segments
"""

# A segment that goes before others is left and entered again: who comes back into won_back out of
# negative_experience was not won back twice.
TURNS = """
select
    (
        select count(*)
        from dim_customers
        where first_purchase_date > ?::date - interval 12 month
    )::bigint as first_bought,
    count(*) filter (from_segment = 'inactive' and to_segment in ('won_back', 'hero'))::bigint
        as won_back,
    count(*) filter (to_segment = 'inactive' and from_segment <> 'negative_experience')::bigint
        as fell_silent
from fct_lifecycle_transitions
where transition_date > ?::date - interval 12 month and from_segment <> to_segment
"""

LEAVING = """
select
    segment,
    count(*)::bigint as customers,
    sum(historic_ltv) as historic_ltv,
    sum(predicted_ltv_365_days) as predicted_ltv_365_days
from dim_customers
where purchase_count > 0
group by segment
"""

MOST_AT_RISK = """
select customer_id, last_purchase_date, purchase_count, historic_ltv, predicted_ltv_365_days
from dim_customers
where segment = 'at_risk' and predicted_ltv_365_days is not null
order by predicted_ltv_365_days desc, customer_id
limit 10
"""


def lifecycle(snapshot: Snapshot) -> Section:
    return Section(
        "lifecycle",
        "Where do customers stand, and where do they go?",
        [_stages(snapshot), _flows(snapshot)],
    )


def _stages(snapshot: Snapshot) -> Chart:
    heading = "How far the relationship has come"
    shown = ["fct_lifecycle_daily", "dim_customers.lifecycle_stage"]
    stock: dict[date, dict[str, int]] = {}
    for row in snapshot.rows(STOCK, snapshot.as_of, snapshot.as_of):
        stock.setdefault(row.lifecycle_date, {})[row.lifecycle_stage] = row.customers
    if not stock:
        return not_available("stages", heading, "no customer is known", shown)
    days = list(stock)[-13:]
    now, then = stock[days[-1]], stock[days[0]]
    known = sum(now.values())
    sentence = (
        f"Of {many(known, 'known person', 'known persons')},"
        f" {count(now.get('retention', 0) + now.get('loyalty', 0))} have bought, and"
        f" {count(now.get('loyalty', 0))} of these on three days or more (loyalty);"
        f" on {day(days[0])} {'it was' if then.get('loyalty', 0) == 1 else 'these were'}"
        f" {count(then.get('loyalty', 0))}."
    )
    series = [
        Series(stage, [stock[when].get(stage, 0) for when in days], style)
        for stage, style in reversed(STAGES.items())
        if any(stock[when].get(stage) for when in days)
    ]
    drawing = element(
        "div",
        charts.legend([(each.name, f"bar {each.style}") for each in series]),
        charts.columns(
            heading,
            "Customers in each stage at the end of the month, over twelve months.",
            [month(when) for when in days],
            series,
            count,
            compact,
        ),
    )
    return Chart(
        "stages",
        heading,
        sentence,
        drawing,
        Data(
            [Column("date", "End of", day)]
            + [Column(stage, stage.capitalize(), count) for stage in STAGES],
            [(when, *(stock[when].get(stage, 0) for stage in STAGES)) for when in days],
        ),
        columns=shown,
    )


def _flows(snapshot: Snapshot) -> Chart:
    heading = "Who came and who left, in twelve months"
    shown = [
        "dim_customers.segment",
        "fct_lifecycle_transitions",
        "dim_customers.is_at_risk",
        "dim_customers.is_inactive",
        "dim_customers.is_hero",
        "dim_customers.is_won_back",
        "dim_customers.is_negative_experience",
    ]
    found = {row.segment: row for row in snapshot.rows(FLOWS, snapshot.as_of, list(SEGMENTS))}
    rows = [
        (segment, found[segment].customers, found[segment].entered, found[segment].exited)
        for segment in SEGMENTS
        if found[segment].customers or found[segment].entered or found[segment].exited
    ]
    if not rows:
        return not_available("flows", heading, "no customer is known", shown)
    turns = snapshot.row(TURNS, snapshot.as_of, snapshot.as_of)
    sentence = (
        f"{many(turns.first_bought, 'customer') if turns.first_bought else 'Nobody'} bought for the"
        f" first time. {many(turns.won_back, 'time')} somebody came back who had been silent for so"
        f" long that few return, and {many(turns.fell_silent, 'time')} somebody fell silent like"
        " that."
    )
    drawing = element(
        "div",
        charts.legend([("left", "bar s2"), ("came", "bar s3")]),
        charts.flows(
            heading,
            "For each segment, how many customers are in it now, how many came into it and how"
            " many left it.",
            [(words(segment).capitalize(), now, came, left) for segment, now, came, left in rows],
            count,
        ),
    )
    return Chart(
        "flows",
        heading,
        sentence,
        drawing,
        Data(
            [
                Column("segment", "Segment", lambda name: words(name).capitalize()),
                Column("customers", "Now", count),
                Column("entered", "Came", count),
                Column("exited", "Left", count),
            ],
            rows,
        ),
        note="Each move counts, so that somebody who comes twice is counted twice.",
        columns=shown,
    )


def at_risk(snapshot: Snapshot) -> Section:
    heading = "What those who are leaving are expected to bring"
    shown = [
        "dim_customers.segment",
        "dim_customers.is_at_risk",
        "dim_customers.predicted_ltv_365_days",
        "fct_customer_ltv",
    ]
    rows = {row.segment: row for row in snapshot.rows(LEAVING)}
    section = "Who is about to leave, and what is at stake?"
    if not rows:
        return Section(
            "risk", section, [not_available("risk", heading, "nobody has bought yet", shown)]
        )
    refused = snapshot.rows(
        "select distinct refusal_reason from fct_customer_ltv where refusal_reason is not null"
        " order by refusal_reason"
    )
    total = sum(row.predicted_ltv_365_days or 0 for row in rows.values())
    risk = rows.get("at_risk")
    if risk is None:
        sentence = "Nobody is at risk today."
    elif risk.predicted_ltv_365_days is None:
        sentence = (
            f"{many(risk.customers, 'customer is', 'customers are')} at risk; what they will bring"
            f" is not available, because {listed([row.refusal_reason for row in refused])}."
        )
    else:
        sentence = (
            f"{many(risk.customers, 'customer is', 'customers are')} at risk. In the next 365 days"
            f" {snapshot.money(risk.predicted_ltv_365_days)} are expected of them,"
            f" {percent(risk.predicted_ltv_365_days / total if total else None)} of all that is"
            " expected of today's customers."
        )
    ordered = [rows[segment] for segment in SEGMENTS if segment in rows]
    marks = [
        Mark(
            f"{words(row.segment).capitalize()} ({count(row.customers)})",
            None if row.predicted_ltv_365_days is None else float(row.predicted_ltv_365_days),
            snapshot.money(row.predicted_ltv_365_days),
            "s2" if row.segment == "at_risk" else "s4",
        )
        for row in ordered
    ]
    by_segment = Chart(
        "risk",
        heading,
        sentence,
        charts.rows(
            heading,
            "Net sales expected in the next 365 days of the customers of each segment.",
            marks,
        )
        if total
        else None,
        Data(
            [
                Column("segment", "Segment", lambda name: words(name).capitalize()),
                Column("customers", "Customers", count),
                Column("historic_ltv", "Brought so far", snapshot.money),
                Column("predicted_ltv_365_days", "Expected in 365 days", snapshot.money),
            ],
            ordered,
        ),
        columns=shown,
        is_wide=True,
    )
    return Section("risk", section, [by_segment, *_most_at_risk(snapshot)])


def _most_at_risk(snapshot: Snapshot) -> list[Chart]:
    rows = snapshot.rows(MOST_AT_RISK)
    if not rows:
        return []
    heading = "Whom to win first"
    data = Data(
        [
            Column("customer_id", "Customer", text),
            Column("last_purchase_date", "Last purchase", day),
            Column("purchase_count", "Purchases", count),
            Column("historic_ltv", "Brought so far", lambda amount: snapshot.money(amount, 2)),
            Column(
                "predicted_ltv_365_days",
                "Expected in 365 days",
                lambda amount: snapshot.money(amount, 2),
            ),
        ],
        rows,
    )
    return [
        Chart(
            "customers-at-risk",
            heading,
            f"These {count(len(rows))} customers at risk are expected to bring the most;"
            ' "regulars export at_risk" writes all who may be written to.'
            if len(rows) > 1
            else "One customer at risk can be valued.",
            data.table(heading, is_headed=True),
            data,
            columns=["dim_customers.is_at_risk", "dim_customers.predicted_ltv_365_days"],
            is_wide=True,
        )
    ]
