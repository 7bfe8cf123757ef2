"""Who speaks for the shop, and whether those who buy do."""

from dagster_project.lib.report import charts
from dagster_project.lib.report.charts import Line, Series
from dagster_project.lib.report.parts import Chart, Column, Data, Section, not_available
from dagster_project.lib.report.snapshot import Snapshot
from dagster_project.lib.report.wording import count, decimal, many, month, percent

TIERS = {"lover": "r8", "liker": "r5", "lurker": "s4"}
QUADRANTS = {
    "locked_in": "Buys, but silent",
    "loyal_advocate": "Buys and speaks",
    "neither": "Neither",
    "advocate_not_buying": "Speaks, seldom buys",
}
NO_ACTIONS = "no review, rating, referral or other such action was ever delivered"

MONTHS = """
select
    month, customers, lurkers, likers, lovers, lurker_share, liker_share, lover_share,
    benchmark_lurker_share, benchmark_liker_share, benchmark_lover_share,
    invited, responses, nps, nps_lower, nps_upper, value_auc, value_auc_lower, value_auc_upper
from fct_advocacy_monthly
order by month desc
limit 12
"""


def advocacy(snapshot: Snapshot) -> Section:
    return Section(
        "advocacy",
        "Who speaks for the shop?",
        [_pyramid(snapshot), _quadrants(snapshot), _promoters(snapshot)],
    )


def _pyramid(snapshot: Snapshot) -> Chart:
    heading = "Lovers, likers and lurkers"
    shown = [
        "fct_customer_advocacy.advocacy_tier",
        "fct_advocacy_monthly",
        "fct_advocacy_monthly.value_auc",
    ]
    rows = [row for row in snapshot.rows(MONTHS) if row.customers]
    if not rows:
        return not_available("tiers", heading, NO_ACTIONS, shown)
    now = rows[0]
    sentence = (
        f"{percent(now.lover_share)} of customers are lovers and {percent(now.liker_share)}"
        f" likers; {percent(now.lurker_share)} have never spoken for the shop. In online"
        f" communities it is {percent(now.benchmark_lover_share, 0)},"
        f" {percent(now.benchmark_liker_share, 0)} and {percent(now.benchmark_lurker_share, 0)}"
        " (Nielsen Norman Group)."
    )
    tiers = [
        (
            f"{tier.capitalize()}s",
            f"{count(getattr(now, tier + 's'))} · {percent(getattr(now, tier + '_share'))}"
            f" · communities {percent(getattr(now, f'benchmark_{tier}_share'), 0)}",
            getattr(now, f"{tier}_share"),
            style,
        )
        for tier, style in TIERS.items()
    ]
    worth = ""
    if now.value_auc is not None:
        if now.value_auc_lower > 0.5:
            worth = "Lovers have brought more than lurkers of the same year more often than not"
        elif now.value_auc_upper < 0.5:
            worth = "Lovers have brought less than lurkers of the same year more often than not"
        else:
            worth = "Speaking says nothing of value: lovers have not brought more than lurkers"
        worth += (
            f" ({percent(now.value_auc, 0)} of pairs, 95% interval"
            f" {percent(now.value_auc_lower, 0)} to {percent(now.value_auc_upper, 0)})."
        )
    return Chart(
        "tiers",
        heading,
        sentence,
        charts.pyramid(heading, "Shares of lovers, likers and lurkers among customers.", tiers),
        Data(
            [
                Column("month", "Month", month),
                Column("customers", "Customers", count),
                Column("lovers", "Lovers", count),
                Column("likers", "Likers", count),
                Column("lurkers", "Lurkers", count),
                Column("lover_share", "Lovers, share", percent),
                Column("liker_share", "Likers, share", percent),
                Column("lurker_share", "Lurkers, share", percent),
            ],
            [
                (
                    row.month,
                    row.customers,
                    row.lovers,
                    row.likers,
                    row.lurkers,
                    row.lover_share,
                    row.liker_share,
                    row.lurker_share,
                )
                for row in rows
            ],
        ),
        note=worth,
        columns=shown,
    )


def _quadrants(snapshot: Snapshot) -> Chart:
    heading = "Who buys, and who speaks"
    shown = ["fct_customer_advocacy.advocacy_quadrant", "fct_customer_advocacy"]
    found = {
        row.advocacy_quadrant: row.customers
        for row in snapshot.rows(
            "select advocacy_quadrant, count(*)::bigint as customers from fct_customer_advocacy"
            " group by advocacy_quadrant"
        )
    }
    total = sum(found.values())
    if not total:
        return not_available("quadrants", heading, NO_ACTIONS, shown)
    outside = found.get("advocate_not_buying", 0)
    loyal = found.get("locked_in", 0) + found.get("loyal_advocate", 0)
    sentence = f"{many(loyal, 'customer is', 'customers are')} loyal"
    if loyal:
        sentence += (
            f"; {percent(found.get('locked_in', 0) / loyal)} of these are silent or speak against"
            " the shop (locked in)"
        )
    return Chart(
        "quadrants",
        heading,
        f"{sentence}. {many(outside, 'customer speaks', 'customers speak')} for it without being"
        " loyal.",
        charts.quadrants(
            heading,
            "Customers by whether they are loyal and whether they speak for the shop.",
            [
                (label, percent(found.get(name, 0) / total), many(found.get(name, 0), "customer"))
                for name, label in QUADRANTS.items()
            ],
        ),
        Data(
            [
                Column("advocacy_quadrant", "Quadrant", lambda name: QUADRANTS.get(name, name)),
                Column("customers", "Customers", count),
                Column("share", "Share", percent),
            ],
            [(name, found.get(name, 0), found.get(name, 0) / total) for name in QUADRANTS],
        ),
        columns=shown,
    )


def _promoters(snapshot: Snapshot) -> Chart:
    heading = "Net promoter score"
    shown = [
        "fct_advocacy_monthly.nps",
        "fct_advocacy_monthly.nps_lower",
        "fct_advocacy_monthly.responses",
        "fct_advocacy_monthly.invited",
    ]
    rows = snapshot.rows(MONTHS)[::-1]
    answered = [row for row in rows if row.responses]
    if not answered:
        return not_available(
            "promoters", heading, "nobody has answered whether he would recommend the shop", shown
        )
    last = answered[-1]
    sentence = (
        f"In {month(last.month)} it was {decimal(last.nps, 0)}, by {many(last.responses, 'answer')}"
    )
    if last.nps_lower is not None:
        sentence += f" (95% interval {decimal(last.nps_lower, 0)} to {decimal(last.nps_upper, 0)})"
    return Chart(
        "promoters",
        heading,
        sentence + ".",
        charts.lines(
            heading,
            "Net promoter score by month, with 95% intervals.",
            [month(row.month) for row in rows],
            [
                Series(
                    "net promoter score",
                    [row.nps for row in rows],
                    "s1",
                    [row.nps_lower for row in rows],
                    [row.nps_upper for row in rows],
                )
            ],
            lambda score: decimal(score, 0),
            lambda score: decimal(score, 0),
            across=[Line("0", 0, 0)],
            from_zero=False,
        ),
        Data(
            [
                Column("month", "Month", month),
                Column("invited", "Asked", count),
                Column("responses", "Answers", count),
                Column("nps", "Net promoter score", lambda score: decimal(score, 0)),
                Column("nps_lower", "95% interval from", lambda score: decimal(score, 0)),
                Column("nps_upper", "to", lambda score: decimal(score, 0)),
            ],
            [
                (row.month, row.invited, row.responses, row.nps, row.nps_lower, row.nps_upper)
                for row in rows
            ],
        ),
        note="From \N{MINUS SIGN}100 (nobody would recommend the shop) to 100. The band is the"
        " 95% interval.",
        columns=shown,
        is_wide=True,
    )
