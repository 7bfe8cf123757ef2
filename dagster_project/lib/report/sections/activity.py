"""What bad experiences cost, and how far visits get."""

from dagster_project.lib.report import charts
from dagster_project.lib.report.charts import Mark
from dagster_project.lib.report.markup import element
from dagster_project.lib.report.parts import Chart, Column, Data, Section, not_available
from dagster_project.lib.report.snapshot import Row, Snapshot
from dagster_project.lib.report.wording import count, day, many, percent, text, words

EFFECTS = """
select
    experience_type,
    experience_value,
    is_reference,
    customers,
    excluded_customers,
    km_rate as rate,
    km_rate_lower as lower,
    km_rate_upper as upper,
    rate_difference as difference,
    rate_difference_lower as difference_lower,
    rate_difference_upper as difference_upper
from fct_experience_effects
where purchase_number = 1 and window_days = 180 and experience_type <> 'sales_channel'
order by
    list_position(
        ['late_delivery', 'late_delivery_over_3_days', 'return', 'ticket', 'rating', 'recovery'],
        experience_type
    ),
    is_reference desc,
    experience_value
"""

VALUES = {
    ("late_delivery", "on_time"): "Delivered on time",
    ("late_delivery", "late"): "Delivered late",
    ("late_delivery_over_3_days", "on_time"): "Delivered on time",
    ("late_delivery_over_3_days", "late_over_3_days"): "More than 3 days late",
    ("return", "kept"): "Nothing sent back",
    ("return", "returned"): "Sent something back",
    ("ticket", "no_ticket"): "No support ticket",
    ("ticket", "ticket"): "Support ticket",
    ("rating", "good"): "Rated 4 or 5",
    ("rating", "bad"): "Rated 1 or 2",
    ("recovery", "not_recovered"): "Bad experience, not put right",
    ("recovery", "recovered"): "Bad experience, put right",
}
STEPS = {
    "sessions": "Visits",
    "product_views": "Looked at a product",
    "carts": "Put something into the cart",
    "checkouts": "Began the checkout",
    "orders": "Ordered",
}

ENOUGH_VISITS = 100  # to be called the best channel

FUNNEL = """
select
    sum(sessions)::bigint as sessions,
    sum(product_views)::bigint as product_views,
    sum(carts)::bigint as carts,
    sum(checkouts)::bigint as checkouts,
    sum(orders)::bigint as orders
from fct_funnel_daily
where session_date > ?::date - interval 90 day
"""

CHANNELS = """
select
    channel,
    sum(sessions)::bigint as sessions,
    sum(carts)::bigint as carts,
    sum(orders)::bigint as orders,
    sum(orders) / nullif(sum(sessions), 0) as share
from fct_funnel_daily
where session_date > ?::date - interval 90 day
group by channel
order by sessions desc, channel
limit 8
"""


def experience(snapshot: Snapshot) -> Section:
    heading = "Who buys again after a first purchase that went well, and badly"
    shown = [
        "fct_experience_effects",
        "fct_experience_effects.experience_value",
        "fct_experience_effects.km_rate",
    ]
    section = "What do bad experiences cost?"
    rows = snapshot.rows(EFFECTS)
    if not rows:
        reason = "no delivery date, return, support ticket or rating was delivered"
        return Section("experience", section, [not_available("experience", heading, reason, shown)])
    marks = [
        Mark(
            f"{VALUES[row.experience_type, row.experience_value]} ({count(row.customers)})",
            row.rate,
            percent(row.rate) if row.rate is not None else "too few to tell",
            _style(row),
            row.lower,
            row.upper,
        )
        for row in rows
        if row.experience_type != "late_delivery_over_3_days" or not row.is_reference
    ]
    drawing = element(
        "div",
        charts.legend(
            [
                ("went well", "bar s4"),
                ("went badly", "bar s2"),
                ("put right", "bar s3"),
                ("95% interval", "whisker"),
            ]
        ),
        charts.rows(
            heading,
            "Share that buys again within 180 days by what happened with the first purchase.",
            marks,
        ),
    )
    return Section(
        "experience",
        section,
        [
            Chart(
                "experience",
                heading,
                _costs(rows),
                drawing,
                Data(
                    [
                        Column("experience_type", "Experience", words),
                        Column("experience_value", "Value", words),
                        Column("customers", "Customers", count),
                        Column("excluded_customers", "Had bought before it was known", count),
                        Column("km_rate", "Buy again within 180 days", percent),
                        Column("lower", "95% interval from", percent),
                        Column("upper", "to", percent),
                        Column("rate_difference", "Difference", percent),
                        Column("difference_lower", "95% interval from", percent),
                        Column("difference_upper", "to", percent),
                    ],
                    [
                        (
                            row.experience_type,
                            row.experience_value,
                            row.customers,
                            row.excluded_customers,
                            row.rate,
                            row.lower,
                            row.upper,
                            row.difference,
                            row.difference_lower,
                            row.difference_upper,
                        )
                        for row in rows
                    ],
                ),
                note="An association and no effect: those to whom it happened may differ in more.",
                columns=shown,
                is_wide=True,
            )
        ],
    )


def _style(row: Row) -> str:
    if row.experience_type == "recovery":
        return "s2" if row.is_reference else "s3"
    return "s4" if row.is_reference else "s2"


def _costs(rows: list[Row]) -> str:
    bad = [row for row in rows if row.difference is not None and row.experience_type != "recovery"]
    clear = [row for row in bad if row.difference_upper is not None and row.difference_upper < 0]
    if not clear:
        return (
            "No bad experience goes with clearly fewer second purchases; the intervals hold no"
            " difference, too."
            if bad
            else "Too few customers had a bad experience to tell what it costs."
        )
    worst = min(clear, key=lambda row: row.difference)
    reference = next(
        row for row in rows if row.experience_type == worst.experience_type and row.is_reference
    )
    label = VALUES[(worst.experience_type, worst.experience_value)].lower()
    other = VALUES[(reference.experience_type, reference.experience_value)].lower()
    return (
        f"After a first purchase that was {label}, {percent(worst.rate)} buy again within 180 days,"
        f" against {percent(reference.rate)} where it was {other}."
        if worst.experience_type.startswith("late")
        else f"{percent(worst.rate)} buy again within 180 days ({label}), against"
        f" {percent(reference.rate)} ({other})."
    )


def funnel(snapshot: Snapshot) -> Section:
    heading = "How far visits of the last 90 days came"
    shown = ["fct_funnel_daily", *(f"fct_funnel_daily.{step}" for step in STEPS)]
    section = "How far do visitors get?"
    row = snapshot.row(FUNNEL, snapshot.as_of)
    if not row.sessions:
        ever = snapshot.row("select count(*) as rows from fct_funnel_daily").rows
        reason = "nobody visited in the last 90 days" if ever else "no events were delivered"
        return Section("funnel", section, [not_available("funnel", heading, reason, shown)])
    steps = [(step, getattr(row, step)) for step in STEPS]
    marks = [
        Mark(STEPS[step], float(number), f"{count(number)} · {percent(number / row.sessions)}")
        for step, number in steps
    ]
    sentence = (
        f"Of {many(row.sessions, 'visit')} {percent(row.orders / row.sessions)} ended in an order."
    )
    if row.carts:
        ordered = row.orders / row.carts
        sentence += (
            f" For 100 visits with something in the cart there were {count(100 * ordered)} with an"
            " order."
        )
    since = snapshot.rows("select ?::date - 89 as first_day", snapshot.as_of)[0].first_day
    by_step = Chart(
        "funnel",
        heading,
        sentence,
        charts.rows(heading, "Visits that reached each step.", marks, float(row.sessions)),
        Data(
            [
                Column("step", "Step", lambda step: STEPS[step]),
                Column("visits", "Visits", count),
                Column("share", "Of all visits", percent),
            ],
            [(step, number, number / row.sessions) for step, number in steps],
        ),
        note=f"{day(since)} to {day(snapshot.as_of)}.",
        columns=shown,
    )
    channels = snapshot.rows(CHANNELS, snapshot.as_of)
    busy = [row for row in channels if row.sessions >= ENOUGH_VISITS] or channels
    best = max(busy, key=lambda row: row.share)
    heading = "Which channels bring visits that order"
    by_channel = Chart(
        "channels",
        heading,
        f"Most visits come by {words(channels[0].channel)} ({count(channels[0].sessions)});"
        f" {words(best.channel)} has the largest share of visits with an order"
        f" ({percent(best.share)}).",
        charts.rows(
            heading,
            "Share of visits that ended in an order, by channel.",
            [
                Mark(
                    f"{words(row.channel)} ({many(row.sessions, 'visit')})",
                    row.share,
                    percent(row.share),
                )
                for row in channels
            ],
        ),
        Data(
            [
                Column("channel", "Channel", text),
                Column("sessions", "Visits", count),
                Column("carts", "With something in the cart", count),
                Column("orders", "With an order", count),
                Column("share", "Share with an order", percent),
            ],
            channels,
        ),
        columns=["fct_funnel_daily.channel", "fct_funnel_daily.orders"],
    )
    return Section("funnel", section, [by_step, by_channel])
