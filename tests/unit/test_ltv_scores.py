"""Scores against the same by scipy over single customers, and against what they mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dagster_project.lib.ltv.fit import fit_purchases
from dagster_project.lib.ltv.purchases import BG_NBD, MBG_CNBD_2, MBG_NBD, Process, Purchases
from dagster_project.lib.ltv.scores import (
    Forecast,
    cohort_average,
    forecast,
    own_rate,
    rank_correlation,
    score,
)
from tests.histories import simulated

GROUPS = np.array([3, 1, 2, 4])
ACTUAL = np.array([0, 1, 4, 2])
SAID = Forecast(
    expected=np.array([0.5, 1.5, 1.5, 3.0]),
    probability=np.array([0.6, 0.3, 0.02, 0.25]),
    below=np.array([0.0, 0.4, 0.97, 0.35]),
)


def test_scores_are_means_over_customers() -> None:
    scores = score(SAID, ACTUAL, GROUPS)
    expected, actual = np.repeat(SAID.expected, GROUPS), np.repeat(ACTUAL, GROUPS)

    assert scores.customers == 10
    assert scores.expected == pytest.approx(expected.mean())
    assert scores.actual == pytest.approx(actual.mean())
    assert scores.bias == pytest.approx((expected - actual).mean())
    assert scores.mean_absolute_error == pytest.approx(np.abs(expected - actual).mean())
    assert scores.log_score == pytest.approx(np.log(np.repeat(SAID.probability, GROUPS)).mean())
    rank = stats.spearmanr(expected, actual).statistic
    assert scores.rank_correlation == pytest.approx(rank)
    # Of [0, .6], [.4, .7], [.97, .99], [.35, .6] these parts lie in [.1, .9].
    assert scores.central_share == pytest.approx((3 * 0.5 / 0.6 + 1 * 1 + 2 * 0 + 4 * 1) / 10)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 5)), min_size=2))
def test_rank_correlation_is_that_of_spearman_with_ties(groups: list[tuple[int, int, int]]) -> None:
    first, second, customers = (np.array(column) for column in zip(*groups, strict=True))
    ours = rank_correlation(first, second, customers)

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        assert np.isnan(ours)
    else:
        single = stats.spearmanr(np.repeat(first, customers), np.repeat(second, customers))
        assert ours == pytest.approx(single.statistic, abs=1e-12)


@pytest.mark.parametrize("process", [MBG_NBD, BG_NBD, MBG_CNBD_2], ids=lambda each: each.name)
def test_the_true_model_is_calibrated_and_a_wrong_one_is_not(process: Process) -> None:
    truth = Purchases(process, 0.8, 30.0, 0.7, 2.0)
    shop = simulated(truth, 20_000, seed=1)
    history = shop.x, shop.t_x, shop.T
    right = score(forecast(truth, shop.holdout, *history, 180), shop.holdout, shop.customers)
    wrong = Purchases(process, 0.8, 30.0, 0.0, 1.0)
    worse = score(forecast(wrong, shop.holdout, *history, 180), shop.holdout, shop.customers)

    assert right.central_share == pytest.approx(0.8, abs=0.01)
    assert right.bias == pytest.approx(0, abs=0.05)
    assert abs(worse.central_share - 0.8) > 0.05
    assert worse.log_score < right.log_score


def test_a_fitted_model_is_calibrated_on_100_000_customers() -> None:
    shop = simulated(Purchases(MBG_NBD, 0.6, 60.0, 0.9, 2.2), 100_000, seed=1)
    history = shop.x, shop.t_x, shop.T
    model = fit_purchases(MBG_NBD, *history, shop.customers).model
    said = forecast(model, shop.holdout, *history, 180)

    assert 0.78 < score(said, shop.holdout, shop.customers).central_share < 0.82
    assert said.expected.sum() == pytest.approx(shop.holdout.sum(), rel=0.02)


def test_the_central_share_is_what_random_draws_come_to() -> None:
    truth = Purchases(MBG_NBD, 0.8, 30.0, 0.7, 2.0)
    shop = simulated(truth, 2_000, seed=2)
    said = forecast(truth, shop.holdout, shop.x, shop.t_x, shop.T, 180)
    draws = np.random.default_rng(0).random((500, 2_000))
    places = said.below + draws * said.probability

    drawn = ((places > 0.1) & (places < 0.9)).mean()
    exact = score(said, shop.holdout, shop.customers).central_share
    assert exact == pytest.approx(drawn, abs=0.002)


def test_own_rate_goes_on_as_before() -> None:
    x, T, customers = np.array([2, 0, 0]), np.array([20.0, 30.0, 0.0]), np.array([1, 4, 5])
    pooled = 2 / (20 + 120)
    actual = np.array([3, 0, 2])
    said = own_rate(actual, x, T, 10, customers)
    poisson = stats.poisson([1.0, 10 * pooled, 10 * pooled])

    assert said.expected.tolist() == [1, 0, 0]
    assert said.probability == pytest.approx(poisson.pmf(actual))
    assert said.below == pytest.approx(poisson.cdf(actual - 1))


def test_cohort_average_gives_everybody_the_rate_of_his_cohort() -> None:
    x, T = np.array([2, 0, 0, 1]), np.array([20.0, 30.0, 10.0, 40.0])
    customers, cohort = np.array([1, 4, 5, 2]), np.array([0, 0, 1, 2])
    actual = np.array([3, 0, 1, 0])
    said = cohort_average(actual, x, T, 10, customers, cohort)
    rates = [2 / 140, 2 / 140, 4 / 270, 2 / 80]

    assert said.expected == pytest.approx(10 * np.array(rates) * [1, 1, 0, 1])
    poisson = stats.poisson(10 * np.array(rates))
    assert said.probability == pytest.approx(poisson.pmf(actual))
    assert said.below == pytest.approx(poisson.cdf(actual - 1))


def test_what_seemed_impossible_costs_much_but_not_everything() -> None:
    assert np.isfinite(Forecast(np.ones(1), np.zeros(1), np.ones(1)).log_score).all()
