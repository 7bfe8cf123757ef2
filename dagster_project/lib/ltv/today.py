"""What is said of the customers as of the run, or why nothing is."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np

from dagster_project.lib.ltv import tables
from dagster_project.lib.ltv.arrays import Floats, Ints
from dagster_project.lib.ltv.choice import DEFAULT
from dagster_project.lib.ltv.cohorts import WEEK, Fits, cohort_of, fit_candidate
from dagster_project.lib.ltv.fit import NOT_FOUND, Fit, NoFit, fit_spend
from dagster_project.lib.ltv.inputs import Customers, Limits
from dagster_project.lib.ltv.intervals import Prospects, Totals, Worth, total_purchases, total_value
from dagster_project.lib.ltv.past import CANDIDATES, Past, Row, described, described_fit
from dagster_project.lib.ltv.scores import rank_correlation
from dagster_project.lib.ltv.spend import Spend
from dagster_project.lib.ltv.tables import HORIZONS

MONTHS_AHEAD = 12
CENTRAL_SHARES = (0.7, 0.9)  # of the counts in the middle of their distributions; .8 is right
RATIOS = (2 / 3, 1.5)  # of predicted to actual purchases
ENOUGH = 30  # of either, for a ratio to say something
OUT_OF_RANGE = 0.01  # the chance, in a whole shop, of one customer who paid so much

Named = tuple[Ints, list[tuple[date | None, str | None]]]  # numbers of cohorts, and their names


@dataclass(frozen=True)
class Today:
    """Rows of `models`, columns of the other tables."""

    models: list[Row]
    purchases: Mapping[str, Any] = field(default_factory=lambda: tables.columns("purchases", []))
    values: Mapping[str, Any] = field(default_factory=lambda: tables.columns("values", []))
    totals: Mapping[str, Any] = field(default_factory=lambda: tables.columns("totals", []))


def predicted(limits: Limits, customers: Customers, name: str, past: Past | None) -> Today:
    """past: the latest cut-off that was graded, by which the model called name may be refused."""
    chosen = {"cut_off_date": limits.as_of, "is_chosen": True}
    try:
        _require_enough(limits, customers)
        name, fits = _fitted(customers, name)
    except NoFit as error:
        return Today([_refused(name, customers, str(error)) | chosen])
    reason = _unfit(name, fits, past)
    models = [{**row, **chosen, "refusal_reason": reason} for row in described(name, fits)]
    if reason:
        return Today(models)
    purchases = _purchases(fits, customers, limits.discount_rate)
    try:
        spend = _spend(customers)
    except NoFit as error:
        models.append(
            _refused("gamma_gamma", customers, f"no value is predicted: {error}") | chosen
        )
        return Today(models, purchases, totals=_totals(fits, None, customers))
    models.append({**_described(spend, customers), **chosen})
    return Today(models, purchases, _values(spend, customers), _totals(fits, spend, customers))


def _require_enough(limits: Limits, customers: Customers) -> None:
    if customers.repeat_customers < limits.min_repeat_customers:
        raise NoFit(
            f"{customers.repeat_customers:,} customers have bought again;"
            f" predictions begin with {limits.min_repeat_customers:,}"
        )
    if limits.history_days < limits.min_history_days:
        raise NoFit(
            f"the first purchase was {limits.history_days} days ago;"
            f" predictions begin at {limits.min_history_days}"
        )


def _fitted(customers: Customers, name: str) -> tuple[str, Fits]:
    """The model called name, or the default where it has no fit. Raises NoFit without any."""
    history = customers.cohort, customers.x, customers.t_x, customers.T, customers.customers
    if name != DEFAULT:
        with suppress(NoFit):
            fits = fit_candidate(CANDIDATES[name], *history)
            if fits.everybody.has_converged:
                return name, fits
    return DEFAULT, fit_candidate(CANDIDATES[DEFAULT], *history)


def _unfit(name: str, fits: Fits, past: Past | None) -> str | None:
    """Why a model that was fitted must not predict."""
    if not fits.everybody.has_converged:
        return fits.everybody.message
    if not past:
        return None
    graded = past.backtest_of(name)
    if not graded:
        return f"{past.backtests[0]['cut_off_date']} is not graded: {NOT_FOUND}"
    day, days = graded["cut_off_date"], graded["horizon_days"]
    low, high = CENTRAL_SHARES
    if not low <= graded["pit_share"] <= high:
        return (
            f"in the {days} days after {day}, {graded['pit_share']:.0%} of customers bought as"
            " often as was thought likely, where 80 % should have"
        )
    said, actual = graded["predicted"], graded["actual"]
    low, high = RATIOS
    if max(said, actual) >= ENOUGH and not low * actual <= said <= high * actual:
        return (
            f"for the {days} days after {day}, {said:,.0f} purchases were predicted and"
            f" {actual:,.0f} came"
        )
    return None


def _refused(name: str, customers: Customers, reason: str) -> Row:
    """The row of a model that was not even fitted."""
    return dict.fromkeys(tables.LTV_COLUMNS["models"]) | {
        "model_name": name,
        "cohort": "all",
        "customers": int(customers.customers.sum()),
        "refusal_reason": reason,
    }


def _spend(customers: Customers) -> Fit[Spend]:
    """The value model, of all whom it can explain. Raises NoFit where none serves."""
    paid = customers.paid.where(customers.paid.x_m > 0)
    fit = fit_spend(paid.x_m, paid.m, paid.customers)
    while not (explained := paid.sales <= _largest_sums(fit, paid.x_m)).all():
        paid = paid.where(explained)
        fit = fit_spend(paid.x_m, paid.m, paid.customers)
    if not fit.has_converged:
        raise NoFit(fit.message)
    if not np.isfinite(fit.model.expected_spend(0, 0.0)):
        raise NoFit("purchases differ so much in value that they have no mean")
    return fit


def _largest_sums(fit: Fit[Spend], x_m: Ints) -> Floats:
    """Sums of x_m purchases beyond which the value model does not explain what a customer paid."""
    distinct, index = np.unique(np.maximum(x_m, 1), return_inverse=True)
    return fit.model.largest_sum(distinct, OUT_OF_RANGE / fit.customers)[index]


def _described(fit: Fit[Spend], customers: Customers) -> Row:
    """The row of `models` of the value model."""
    paid = customers.paid.where(customers.paid.x_m > 0)
    notes = [fit.message] if fit.message else []
    explained = paid.sales <= _largest_sums(fit, paid.x_m)
    if unexplained := int(paid.customers[~explained].sum()):
        notes.append(f"left out: {unexplained:,} who paid more than it can explain")
    paid = paid.where(explained)
    return described_fit("gamma_gamma", fit) | {
        "rank_correlation": rank_correlation(customers.x[paid.history], paid.m, paid.customers),
        "note": "; ".join(notes) or None,
    }


def _values(fit: Fit[Spend], customers: Customers) -> Mapping[str, Any]:
    x_m = np.unique(customers.paid.x_m)
    columns: dict[str, Any] = {
        name: np.full(x_m.size, value) for name, value in fit.model.parameters.items()
    }
    return columns | {"valued_repeats": x_m, "largest_repeat_sales": _largest_sums(fit, x_m)}


def _purchases(fits: Fits, customers: Customers, rate: float) -> Mapping[str, Any]:
    x, t_x, T = customers.distinct[0]
    columns: dict[str, Any] = {
        column: np.empty(x.size) for column in tables.LTV_COLUMNS["purchases"]
    }
    columns |= {"frequency": x, "recency_days": t_x, "age_days": T}
    for fit, chosen in fits.parts(cohort_of(customers.as_of, T / WEEK)):
        history = x[chosen], t_x[chosen] / WEEK, T[chosen] / WEEK
        model = fit.model
        columns["p_alive"][chosen] = model.p_alive(*history)
        discounted, before, begin = np.zeros(history[0].size), np.zeros(history[0].size), 0
        for end in sorted({*range(30, max(HORIZONS), 30), *HORIZONS}):
            expected = model.expected_purchases(*history, end / WEEK)
            discounted += (expected - before) * (1 + rate) ** (-(begin + end) / 2 / 365)
            before, begin = expected, end
            if end in HORIZONS:
                any_purchase = model.at_least(1, *history, end / WEEK)
                columns[f"probability_of_purchase_{end}_days"][chosen] = any_purchase
                columns[f"expected_purchases_{end}_days"][chosen] = expected
                columns[f"discounted_purchases_{end}_days"][chosen] = discounted
    return columns


def _totals(fits: Fits, spend: Fit[Spend] | None, customers: Customers) -> Mapping[str, Any]:
    """Of the shop by horizon, and of each cohort and channel by the month ends to come."""
    month = customers.cohort_month.astype("datetime64[D]").astype(str)
    keys, cohort = np.unique(
        np.char.add(np.char.add(month, " "), customers.channel.astype(str)), return_inverse=True
    )
    shop: Named = np.zeros_like(cohort), [(None, None)]
    cohorts: Named = cohort, [(date.fromisoformat(key[:10]), key[11:]) for key in keys.tolist()]
    wanted = [(shop, customers.as_of + timedelta(days)) for days in HORIZONS]
    wanted += [(cohorts, until) for until in _month_ends(customers.as_of)]
    (x, t_x, T), position = customers.distinct
    parts = list(fits.parts(cohort_of(customers.as_of, T / WEEK)))
    worth = spend and _worth(spend, customers)
    table: dict[str, list[Any]] = {column: [] for column in tables.LTV_COLUMNS["totals"]}
    for (index, names), until in wanted:
        weeks = (until - customers.as_of).days / WEEK
        prospects = Prospects.of(parts, x, t_x / WEEK, T / WEEK, weeks).at(position)
        purchases = total_purchases(prospects, customers.customers, index)
        unknown = Totals(*np.full((3, len(names)), np.nan))
        sales = total_value(prospects, worth, index) if worth else unknown
        table["cohort_month"] += [month for month, _ in names]
        table["acquisition_channel"] += [channel for _, channel in names]
        table["until_date"] += [until] * len(names)
        for name, totals in (("purchases", purchases), ("sales", sales)):
            table[f"expected_{name}"] += totals.expected.tolist()
            table[f"expected_{name}_lower"] += totals.lower.tolist()
            table[f"expected_{name}_upper"] += totals.upper.tolist()
    return table


def _worth(fit: Fit[Spend], customers: Customers) -> Worth:
    """What is not explained counts as nothing, as it does in a sum over customers."""
    paid = customers.paid
    explained = paid.customers * (paid.sales <= _largest_sums(fit, paid.x_m))
    return Worth.of(fit, paid.x_m, paid.m, explained, paid.history)


def _month_ends(as_of: date) -> list[date]:
    """The next month ends after a date, as many as are predicted."""
    ends: list[date] = []
    day = as_of + timedelta(days=1)
    while len(ends) < MONTHS_AHEAD:
        day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        ends.append(day - timedelta(days=1))
    return ends
