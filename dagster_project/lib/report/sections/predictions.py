"""How earlier predictions did against what came."""

from typing import Any

from dagster_project.lib.report import charts
from dagster_project.lib.report.charts import Mark, Series
from dagster_project.lib.report.markup import element
from dagster_project.lib.report.parts import Chart, Column, Data, Section, not_available
from dagster_project.lib.report.snapshot import Snapshot
from dagster_project.lib.report.wording import (
    change,
    compact,
    count,
    day,
    decimal,
    listed,
    many,
    month,
    percent,
    text,
    words,
)

# The model that serves today beside the rival that gives everybody the average of his cohort.
FORECASTS = """
select
    model.cut_off_date,
    model.horizon_days,
    model.customers,
    model.model_name,
    model.predicted,
    rival.predicted as rival_predicted,
    model.actual
from fct_ltv_backtests as model
left join
    fct_ltv_backtests as rival
    on rival.model_name = 'cohort_average'
    and rival.cut_off_date = model.cut_off_date
    and rival.horizon_days = model.horizon_days
    and rival.frequency_bucket = 'all'
where
    model.frequency_bucket = 'all'
    and model.model_name = (select any_value(model_name) from fct_customer_ltv)
order by model.cut_off_date desc
limit 13
"""

THRESHOLDS = """
with
gradable as (
    select call_month
    from fct_threshold_backtests
    group by call_month
    having count(*) = count(returned_90_days)
    order by call_month desc
    limit 12
)
select
    state,
    sum(called)::bigint as called,
    sum(returned_90_days)::bigint as returned,
    sum(fixed_rule_called)::bigint as fixed_called,
    sum(fixed_rule_returned_90_days)::bigint as fixed_returned,
    min(call_month) as first_month,
    max(call_month) as last_month
from fct_threshold_backtests
where call_month in (from gradable)
group by state
order by state
"""

DECILES = """
select
    cut_off_date, score_decile, customers, repurchased_90_days, repurchase_rate, auc, auc_lower,
    auc_upper, days_since_last_auc, verdict
from fct_health_backtests
where cut_off_date = (select max(cut_off_date) from fct_health_backtests where auc is not null)
order by try_cast(score_decile as integer) desc nulls last
"""


def predictions(snapshot: Snapshot) -> Section:
    return Section(
        "predictions",
        "Were earlier predictions right?",
        [_forecasts(snapshot), _scores(snapshot), _thresholds(snapshot)],
    )


def _forecasts(snapshot: Snapshot) -> Chart:
    heading = "Purchases that were forecast, and those that came"
    shown = [
        "fct_ltv_backtests",
        "fct_ltv_backtests.predicted",
        "fct_ltv_backtests.actual",
        "fct_customer_ltv.model_name",
    ]
    rows = snapshot.rows(FORECASTS)[::-1]
    if not rows:
        reasons = snapshot.rows(
            "select distinct refusal_reason as reason from fct_ltv_models"
            " where refusal_reason is not null and cut_off_date = as_of_date order by reason"
        )
        reason = (
            listed([row.reason for row in reasons]) or "nothing has been forecast long enough ago"
        )
        return not_available("forecasts", heading, reason, shown)
    last = rows[-1]
    sentence = (
        f"On {day(last.cut_off_date)} {count(last.predicted)} purchases of the next"
        f" {last.horizon_days} days were forecast; {count(last.actual)} came{_off(last)}."
    )
    errors = [row.predicted / row.actual - 1 for row in rows if row.actual]
    if len(errors) > 1:
        sentence += (
            f" Over {many(len(errors), 'month')} such forecasts were off by"
            f" {_signed(min(errors))} to {_signed(max(errors))}."
        )
    series = [
        Series("came", [float(row.actual) for row in rows], "s3"),
        Series("forecast", [row.predicted for row in rows], "s1"),
        Series("by cohort average", [row.rival_predicted for row in rows], "s4"),
    ]
    drawing = element(
        "div",
        charts.legend([(each.name, each.style) for each in series]),
        charts.lines(
            heading,
            f"Purchases in the {last.horizon_days} days after each cut-off: forecast by the model"
            " that serves today, by the cohort average, and those that came.",
            [month(row.cut_off_date) for row in rows],
            series,
            count,
            compact,
        ),
    )
    return Chart(
        "forecasts",
        heading,
        sentence,
        drawing,
        Data(
            [
                Column("cut_off_date", "Forecast on", day),
                Column("horizon_days", "For days", count),
                Column("customers", "Customers", count),
                Column("model_name", "Model", text),
                Column("predicted", "Forecast", count),
                Column("cohort_average", "By cohort average", count),
                Column("actual", "Came", count),
            ],
            rows,
        ),
        note="Each forecast knows only what was known on its day.",
        columns=shown,
        is_wide=True,
    )


def _off(row: Any) -> str:
    return f" ({_signed(row.predicted / row.actual - 1)})" if row.actual else ""


def _signed(error: float) -> str:
    return change(error, percent(abs(error)))


def _scores(snapshot: Snapshot) -> Chart:
    heading = "Whether the health score told who buys again"
    shown = [
        "fct_health_backtests",
        "fct_health_backtests.auc",
        "fct_health_backtests.days_since_last_auc",
        "fct_health_backtests.verdict",
    ]
    rows = snapshot.rows(DECILES)
    if not rows:
        verdict = snapshot.rows(
            "select verdict from fct_health_backtests where score_decile = 'all'"
            " order by cut_off_date desc limit 1"
        )
        reason = verdict[0].verdict if verdict else "no score is old enough to be graded"
        return not_available("scores", heading, reason, shown)
    whole = next(row for row in rows if row.score_decile == "all")
    tenths = [row for row in rows if row.score_decile != "all"]
    best, worst = tenths[0], tenths[-1]
    sentence = (
        f"Of the tenth with the highest score on {day(whole.cut_off_date)},"
        f" {percent(best.repurchase_rate)} bought within 90 days; of the lowest"
        f" {percent(worst.repurchase_rate)}. The score was {whole.verdict}"
        f" (AUC {decimal(whole.auc, 2)} against {decimal(whole.days_since_last_auc, 2)})."
    )
    return Chart(
        "scores",
        heading,
        sentence,
        charts.rows(
            heading,
            "Share that bought within 90 days, by tenth of the health score.",
            [
                Mark(
                    f"{_tenth(row.score_decile)} ({count(row.customers)})",
                    row.repurchase_rate,
                    percent(row.repurchase_rate),
                )
                for row in tenths
            ],
        ),
        Data(
            [
                Column("cut_off_date", "Scored on", day),
                Column("score_decile", "Tenth, 10 the highest"),
                Column("customers", "Customers", count),
                Column("repurchased_90_days", "Bought within 90 days", count),
                Column("repurchase_rate", "Share", percent),
                Column("auc", "AUC of the score", lambda auc: decimal(auc, 3)),
                Column("auc_lower", "95% interval from", lambda auc: decimal(auc, 3)),
                Column("auc_upper", "to", lambda auc: decimal(auc, 3)),
                Column(
                    "days_since_last_auc", "AUC of days since last", lambda auc: decimal(auc, 3)
                ),
            ],
            [tuple(row)[:-1] for row in rows],
        ),
        columns=shown,
    )


def _tenth(decile: str) -> str:
    return {"10": "Highest tenth", "1": "Lowest tenth"}.get(decile, f"Tenth {decile}")


def _thresholds(snapshot: Snapshot) -> Chart:
    heading = "Whether those who were given up were gone"
    shown = [
        "fct_threshold_backtests",
        "fct_threshold_backtests.called",
        "fct_threshold_backtests.returned_90_days",
        "fct_threshold_backtests.fixed_rule_called",
    ]
    rows = [row for row in snapshot.rows(THRESHOLDS) if row.called]
    if not rows:
        return not_available(
            "thresholds", heading, "nobody was called at risk or inactive 90 days ago", shown
        )
    figures = [(row.state, row.called, row.returned, row.returned / row.called) for row in rows]
    if rows[0].fixed_called:
        fixed = rows[0]
        figures.append(
            (
                "fixed_rule",
                fixed.fixed_called,
                fixed.fixed_returned,
                fixed.fixed_returned / fixed.fixed_called,
            )
        )
    shares = {state: share for state, _, _, share in figures}
    labels = {
        "at_risk": "Called at risk",
        "inactive": "Called inactive",
        "fixed_rule": "Anybody silent for 90 days",
    }
    told = [
        f"{percent(shares[state])} of those called {words(state)}"
        for state in ("at_risk", "inactive")
        if state in shares
    ]
    sentence = f"{listed(told)} bought again within 90 days"
    if "fixed_rule" in shares:
        sentence += (
            "; of anybody silent for 90 days, however often he used to buy,"
            f" {percent(shares['fixed_rule'])} did"
        )
    return Chart(
        "thresholds",
        heading,
        sentence + ".",
        charts.rows(
            heading,
            "Share of silences that ended in a purchase within 90 days after the call.",
            [
                Mark(
                    f"{labels[state]} ({count(called)})",
                    share,
                    percent(share),
                    "s4" if state == "fixed_rule" else "s1",
                )
                for state, called, _, share in figures
            ],
        ),
        Data(
            [
                Column("state", "Rule", lambda state: labels[state]),
                Column("called", "Called", count),
                Column("returned_90_days", "Bought within 90 days", count),
                Column("share", "Share", percent),
            ],
            figures,
        ),
        note=f"Silences called from {month(rows[0].first_month)} to {month(rows[0].last_month)}."
        " Few returns of inactive customers mean that they were gone.",
        columns=shown,
    )
