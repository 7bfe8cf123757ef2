"""How long it takes to fit the MBG/NBD and Gamma-Gamma models to simulated customers and to score
each of them, beside the library `lifetimes`, and which fit is likelier.

Usage, from the root of the project: python -m benchmarks.ltv_against_lifetimes [customers]

Ours is what a run does: each distinct history once, in fit and score, then looked up by customer.
The library is measured twice: a row per customer, as its guide shows, and with histories grouped
as its argument `weights` allows, scored by group and looked up by customer. Both give p_alive,
expected purchases of 30, 90, 180 and 365 days and expected value per purchase; ours also the
probability of a purchase within each, which the library has not for one with a history. Means of
value differ from customer to customer, so nobody groups them. Of three runs the fastest counts;
beyond a million customers only our side runs, once.
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from lifetimes import GammaGammaFitter, ModifiedBetaGeoFitter

from dagster_project.lib.ltv.fit import fit_purchases, fit_spend
from dagster_project.lib.ltv.purchases import MBG_NBD, Purchases
from dagster_project.lib.ltv.spend import Spend
from tests.histories import Array, Histories, lives

HORIZONS = (30, 90, 180, 365)
PURCHASES, SPEND = Purchases(MBG_NBD, 0.6, 60.0, 0.9, 2.2), Spend(6.0, 4.0, 15.0)
SEED, DAYS = 20261123, 730
RUNS = 3
GROUPING, FIT_PURCHASES, SCORE, FIT_SPEND, SCORE_SPEND = STEPS = (
    *("group", "fit purchases", "score purchases", "fit value", "score value"),
)
TOTALS = ("together", "ratio", "log-likelihood of purchases", "of value")


@dataclass(frozen=True)
class Result:
    """seconds: of each step. figures: one value for each customer."""

    seconds: Mapping[str, float]
    purchases: Mapping[str, float]
    spend: Mapping[str, float]
    figures: Mapping[str, Array]

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


class Clock:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STEPS, 0.0)

    def __call__(self, step: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        self.seconds[step] += time.perf_counter() - start
        return result


def grouped(*columns: Array) -> tuple[list[Array], Array, Array]:
    """Whole numbers: each distinct row, its number of customers, and the row of each customer."""
    key = np.zeros(columns[0].size, np.int64)
    sizes = [int(column.max()) + 1 for column in columns]
    for column, size in zip(columns, sizes, strict=True):
        key = key * size + column.astype(np.int64)
    distinct, index, customers = np.unique(key, return_inverse=True, return_counts=True)
    split = []
    for size in reversed(sizes):
        split.append(distinct % size)
        distinct = distinct // size
    return split[::-1], customers, index


def ours(shop: Histories) -> Result:
    clock = Clock()
    history, customers, index = clock(GROUPING, lambda: grouped(shop.x, shop.t_x, shop.T))
    model = clock(FIT_PURCHASES, lambda: fit_purchases(MBG_NBD, *history, customers)).model

    def score() -> dict[str, Array]:
        figures = {"p_alive": model.p_alive(*history)[index]}
        for days in HORIZONS:
            figures[f"expected_{days}"] = model.expected_purchases(*history, days)[index]
            figures[f"probability_{days}"] = model.at_least(1, *history, days)[index]
        return figures

    figures = clock(SCORE, score)
    has = shop.x_m > 0
    spend = clock(
        FIT_SPEND, lambda: fit_spend(shop.x_m[has], shop.m[has], np.ones(has.sum()))
    ).model
    figures["value"] = clock(SCORE_SPEND, lambda: spend.expected_spend(shop.x_m, shop.m))
    return Result(clock.seconds, model.parameters, spend.parameters, figures)


def library(shop: Histories, is_grouped: bool) -> Result:
    clock = Clock()
    history: list[Array] = [shop.x, shop.t_x, shop.T]
    weights, index = None, np.arange(shop.x.size)
    if is_grouped:
        history, weights, index = clock(GROUPING, lambda: grouped(*history))
    purchases, spend = ModifiedBetaGeoFitter(), GammaGammaFitter()
    clock(FIT_PURCHASES, lambda: purchases.fit(*history, weights=weights))

    def score() -> dict[str, Array]:
        figures = {"p_alive": purchases.conditional_probability_alive(*history)[index]}
        for days in HORIZONS:
            expected = purchases.conditional_expected_number_of_purchases_up_to_time(days, *history)
            figures[f"expected_{days}"] = expected[index]
        return figures

    figures = clock(SCORE, score)
    has = shop.x_m > 0
    clock(FIT_SPEND, lambda: spend.fit(shop.x_m[has], shop.m[has]))
    value = spend.conditional_expected_average_profit
    figures["value"] = clock(SCORE_SPEND, lambda: value(shop.x_m, shop.m))
    p, q, gamma = spend.params_
    return Result(
        clock.seconds,
        purchases.params_.to_dict(),
        {"p": p, "q": q, "gamma": gamma},
        figures,
    )


def log_likelihoods(shop: Histories, result: Result) -> tuple[float, float]:
    """Of both fits, by our formulas, whosever the parameters are."""
    has = shop.x_m > 0
    purchases = Purchases(MBG_NBD, **result.purchases).log_likelihood(shop.x, shop.t_x, shop.T)
    spend = Spend(**result.spend).log_likelihood(shop.x_m[has], shop.m[has])
    return float(purchases.sum()), float(spend.sum())


def main() -> None:
    customers = int(sys.argv[1]) if sys.argv[1:] else 1_000_000
    shop = lives(PURCHASES, customers, SEED, DAYS, horizon=0, spend=SPEND).in_whole_days()
    sides: dict[str, Callable[[], Result]] = {"ours": lambda: ours(shop)}
    if customers <= 1_000_000:
        sides["`lifetimes`, a row per customer"] = lambda: library(shop, is_grouped=False)
        sides["`lifetimes`, grouped"] = lambda: library(shop, is_grouped=True)
    runs = [
        {name: side() for name, side in sides.items()} for _ in range(RUNS if len(sides) > 1 else 1)
    ]
    results = {name: min((run[name] for run in runs), key=lambda run: run.total) for name in sides}
    distinct = grouped(shop.x, shop.t_x, shop.T)[1].size
    print(f"{customers:,} customers, {distinct:,} distinct histories\n")
    print("| | " + " | ".join([*STEPS, *TOTALS]) + " |")
    print("|---" * (len(STEPS) + len(TOTALS) + 1) + "|")
    own = results["ours"]
    for name, result in results.items():
        purchases, spend = log_likelihoods(shop, result)
        seconds = [f"{result.seconds[step]:.2f}" for step in STEPS]
        together = [f"{result.total:.1f} s", f"{result.total / own.total:.1f}"]
        cells = [name, *seconds, *together, f"{purchases:,.6f}", f"{spend:,.6f}"]
        print("| " + " | ".join(cells) + " |", flush=True)
    for name, result in results.items():
        parameters = {**result.purchases, **result.spend}
        print(f"\n{name}:", ", ".join(f"{key} {value:.6g}" for key, value in parameters.items()))
        for figure, values in result.figures.items():
            off = np.max(np.abs(values / own.figures[figure] - 1))
            if result is not own:
                print(f"  {figure}: differs by {off:.1e} at most")


if __name__ == "__main__":
    main()
