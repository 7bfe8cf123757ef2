"""Fits against the figures of the literature, against another library and against the truth of
simulated customers."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lifetimes import BetaGeoFitter, GammaGammaFitter, ModifiedBetaGeoFitter
from scipy import stats

from dagster_project.lib.ltv.fit import NoFit, fit_purchases, fit_spend
from dagster_project.lib.ltv.purchases import (
    BG_NBD,
    MBG_CNBD_2,
    MBG_NBD,
    PROCESSES,
    Process,
    Purchases,
)
from dagster_project.lib.ltv.scores import forecast, own_rate, score
from dagster_project.lib.ltv.spend import Spend
from tests.histories import Histories, cdnow, histories, olist, online_retail, simulated

WEEK = 7
TRUTH = {"r": 0.6, "alpha": 60.0, "a": 0.9, "b": 2.2}


@pytest.fixture(scope="module")
def sample(real_data: Path) -> Histories:
    """CDNOW as in the literature: weeks, 39 of calibration, 39 of holdout, all 2,357 customers."""
    return histories(cdnow(real_data), date(1997, 9, 30), date(1998, 6, 30), unit=WEEK)


# Figures of the literature


def test_bg_nbd_of_the_cdnow_sample_is_that_of_the_paper(sample: Histories) -> None:
    fit = fit_purchases(BG_NBD, *sample.grouped())

    assert fit.customers == 2357
    assert fit.has_converged and not fit.is_boundary and not fit.message
    printed = {"r": 0.2425945, "alpha": 4.4136019, "a": 0.7929199, "b": 2.4258881}
    assert fit.model.parameters == pytest.approx(printed, rel=1e-5)
    assert round(fit.log_likelihood, 3) == -9582.429
    growth = [float(fit.model.expected_purchases(0, 0, 0, weeks)) for weeks in (1, 3, 32, 78)]
    assert [round(each, 4) for each in growth] == [0.0532, 0.1506, 1.0437, 1.8580]


def test_mbg_nbd_of_the_cdnow_sample_is_the_published_one(sample: Histories) -> None:
    fit = fit_purchases(MBG_NBD, *sample.grouped())

    rounded = {name: round(value, 3) for name, value in fit.model.parameters.items()}
    assert rounded == {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}
    assert round(fit.log_likelihood, 3) == -9582.136


def test_the_first_customer_is_as_in_the_paper(sample: Histories) -> None:
    first = sample.x[0], sample.t_x[0], sample.T[0]
    model = Purchases(BG_NBD, 0.2425945, 4.4136019, 0.7929199, 2.4258881)

    assert [first[0], *(round(float(each), 2) for each in first[1:])] == [2, 30.43, 38.86]
    assert round(float(model.expected_purchases(*first, 39)), 3) == 1.226
    assert round(float(model.p_alive(*first)), 4) == 0.7266


def test_gamma_gamma_of_the_cdnow_sample_is_that_of_the_note(sample: Histories) -> None:
    has = sample.x_m > 0
    fit = fit_spend(sample.x_m[has], sample.m[has], sample.customers[has])

    assert fit.customers == 946
    rounded = {name: round(value, 2) for name, value in fit.model.parameters.items()}
    assert rounded == {"p": 6.25, "q": 3.74, "gamma": 15.44}
    assert round(fit.log_likelihood, 2) == -4055.92
    spend = fit.model.expected_spend(sample.x_m[:10], sample.m[:10])
    assert np.round(spend, 2).tolist() == [
        24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17
    ]  # fmt: skip


def test_the_holdout_of_the_cdnow_sample_is_forecast_as_in_the_literature(
    sample: Histories,
) -> None:
    history = sample.x, sample.t_x, sample.T
    fits = {process: fit_purchases(process, *sample.grouped()) for process in (BG_NBD, MBG_NBD)}
    totals = {
        process.name: round(float(fit.model.expected_purchases(*history, 39).sum()), 1)
        for process, fit in fits.items()
    }
    assert totals == {"bg_nbd": 1653.4, "mbg_nbd": 1576.7}

    said = forecast(fits[BG_NBD].model, sample.holdout, *history, 39)
    scores = score(said, sample.holdout, sample.customers)
    naive = own_rate(sample.holdout, sample.x, sample.T, 39, sample.customers)
    assert (scores.customers, scores.actual * 2357) == (2357, pytest.approx(1882))
    assert round(scores.mean_absolute_error, 4) == 0.7855
    naive_scores = score(naive, sample.holdout, sample.customers)
    assert round(naive_scores.mean_absolute_error, 4) == 1.0237
    assert round(float(np.corrcoef(said.expected, sample.holdout)[0, 1]), 4) == 0.6256
    assert scores.log_score > naive_scores.log_score

    buckets = [np.minimum(sample.x, 7) == bucket for bucket in range(8)]
    assert (buckets[0].sum(), (sample.holdout > 0).sum()) == (1411, 684)
    expected = [round(float(said.expected[each].mean()), 3) for each in buckets]
    actual = [round(float(sample.holdout[each].mean()), 3) for each in buckets]
    assert expected == [0.225, 0.523, 1.044, 1.520, 2.164, 2.654, 3.504, 6.157]
    assert actual == [0.237, 0.697, 1.393, 1.560, 2.532, 2.947, 3.862, 6.359]


@pytest.mark.parametrize("process", [MBG_NBD, BG_NBD])
def test_online_retail_shows_no_drop_out(real_data: Path, process: Process) -> None:
    shop = histories(online_retail(real_data), date(2011, 6, 9), date(2011, 12, 9), unit=WEEK)
    fit = fit_purchases(process, *shop.grouped())

    assert round(fit.log_likelihood, 3) == -13255.613
    assert fit.has_converged and fit.is_boundary and "no drop-out" in fit.message
    assert fit.standard_errors is None
    assert (fit.model.a, fit.model.b) == (0, 1)
    assert (
        fit.model.p_alive(shop.x[shop.x > 0], shop.t_x[shop.x > 0], shop.T[shop.x > 0]) == 1
    ).all()


# Another library


@pytest.fixture(scope="module", params=["cdnow", "olist", "synthetic"])
def shop(request: pytest.FixtureRequest) -> Histories:
    if request.param == "synthetic":
        return simulated(Purchases(MBG_NBD, **TRUTH), 100_000, seed=1, spend=Spend(6, 4, 15))
    real_data = request.getfixturevalue("real_data")
    if request.param == "cdnow":
        return histories(cdnow(real_data), date(1997, 9, 30), date(1998, 6, 30))
    return histories(olist(real_data), date(2018, 3, 3), date(2018, 9, 3))


@pytest.mark.parametrize(
    ("process", "fitter"), [(BG_NBD, BetaGeoFitter), (MBG_NBD, ModifiedBetaGeoFitter)]
)
def test_another_library_finds_no_likelier_parameters_and_expects_the_same(
    shop: Histories, process: Process, fitter: Any
) -> None:
    history = shop.x, shop.t_x, shop.T
    fit = fit_purchases(process, *shop.grouped())
    other = fitter().fit(*history)

    def likelihoods(parameters: dict[str, float]) -> list[float]:
        logs = np.log([parameters[name] for name in ("r", "alpha", "a", "b")])
        theirs = -fitter._negative_log_likelihood(logs, *history, shop.customers, 0.0)
        ours = Purchases(process, **parameters).log_likelihood(*history).mean()
        return [ours, theirs]

    ours, theirs = likelihoods(fit.model.parameters)
    assert ours == pytest.approx(theirs, rel=1e-9)
    assert fit.log_likelihood == pytest.approx(ours * shop.x.size, rel=1e-9)
    ours, theirs = likelihoods(other.params_.to_dict())
    assert ours == pytest.approx(theirs, rel=1e-9)
    assert fit.log_likelihood >= ours * shop.x.size - 1e-4

    model = Purchases(process, **other.params_)
    for h in (30, 365):
        expected = other.conditional_expected_number_of_purchases_up_to_time(h, *history)
        assert model.expected_purchases(*history, h) == pytest.approx(expected, rel=1e-4)
    known = np.nan_to_num(model.p_alive(*history), nan=1)
    assert known == pytest.approx(other.conditional_probability_alive(*history), rel=1e-9)


def test_another_library_finds_no_likelier_spending_and_expects_the_same(shop: Histories) -> None:
    has = shop.x_m > 0
    x_m, m, customers = shop.x_m[has], shop.m[has], shop.customers[has]
    fit = fit_spend(x_m, m, customers)
    other = GammaGammaFitter().fit(x_m, m)
    p, q, gamma = (float(other.params_[name]) for name in ("p", "q", "v"))

    theirs = -GammaGammaFitter._negative_log_likelihood(
        np.log([p, q, gamma]), x_m, m, customers, 0.0
    )
    model = Spend(p, q, gamma)
    assert model.log_likelihood(x_m, m).mean() == pytest.approx(theirs, rel=1e-9)
    assert fit.log_likelihood >= theirs * m.size - 1e-4
    expected = other.conditional_expected_average_profit(x_m, m)
    assert model.expected_spend(x_m, m) == pytest.approx(expected, rel=1e-9)


# The truth of simulated customers


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
@pytest.mark.parametrize(
    "seed", [*range(10), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(10, 40))]
)
def test_simulated_customers_give_back_the_parameters_they_were_drawn_from(
    process: Process, seed: int
) -> None:
    model = Purchases(process, **TRUTH | {"alpha": 60 / process.stages})
    fit = fit_purchases(process, *simulated(model, 5_000, seed).grouped())

    assert fit.has_converged and not fit.is_boundary
    pairs = zip(fit.model.parameters.values(), model.parameters.values(), strict=True)
    off = np.array([np.log(found / true) for found, true in pairs])
    distance = off @ np.linalg.solve(fit.covariance, off)
    assert distance < stats.chi2(4).ppf(0.999)


@pytest.mark.parametrize("seed", range(20))
def test_simulated_spending_gives_back_the_parameters_it_was_drawn_from(seed: int) -> None:
    spend = Spend(6.0, 4.0, 15.0)
    shop = simulated(Purchases(MBG_NBD, **TRUTH), 5_000, seed, spend=spend)
    has = shop.x_m > 0
    fit = fit_spend(shop.x_m[has], shop.m[has], shop.customers[has])

    pairs = zip(fit.model.parameters.values(), spend.parameters.values(), strict=True)
    off = np.array([np.log(found / true) for found, true in pairs])
    assert off @ np.linalg.solve(fit.covariance, off) < stats.chi2(3).ppf(0.999)


def test_customers_who_pay_alike_are_expected_to_pay_the_mean() -> None:
    """The limit has the likelihood of one gamma distribution, fitted by scipy."""
    random = np.random.default_rng(5)
    paid = random.gamma(5, 8, 2_000)
    fit = fit_spend(np.ones(2_000), paid, np.ones(2_000))
    shape, _, scale = stats.gamma.fit(paid, floc=0)

    assert fit.is_boundary and fit.has_converged and fit.standard_errors is None
    assert "customers do not differ" in fit.message
    assert fit.model.p == pytest.approx(shape, rel=1e-4)
    likelihood = stats.gamma(shape, scale=scale).logpdf(paid).sum()
    assert fit.log_likelihood == pytest.approx(likelihood, rel=1e-6)
    expected = fit.model.expected_spend(np.array([0, 1, 9]), np.array([0.0, 200.0, 1.0]))
    assert expected == pytest.approx(np.full(3, paid.mean()), rel=1e-6)
    above = stats.gamma(3 * shape, scale=scale).isf(1e-6)
    assert fit.model.largest_sum(3, 1e-6) == pytest.approx(above, rel=1e-4)
    one = np.array([[1, 0, 1]])  # the logarithm of the mean is that of p gamma / q
    spread = np.sqrt(one @ fit.covariance @ one.T).item()
    assert spread == pytest.approx(paid.std() / paid.mean() / np.sqrt(2_000), rel=0.05)


def test_customers_who_always_pay_the_same_are_expected_to_do_so() -> None:
    """The limit has the likelihood of an inverse gamma distribution, fitted by scipy."""
    random = np.random.default_rng(1)
    x_m, rate = random.integers(1, 300, 260), random.gamma(4, 1 / 15, 260)
    paid = random.gamma(6 * x_m, 1 / rate / x_m)  # so often that their means say all
    fit = fit_spend(x_m, paid, np.ones(260))
    shape, _, scale = stats.invgamma.fit(paid, floc=0)

    assert fit.is_boundary and fit.has_converged and fit.standard_errors is None
    assert "customers do not vary" in fit.message
    assert fit.model.q == pytest.approx(shape, rel=1e-3)
    assert fit.model.expected_spend(x_m, paid) == pytest.approx(paid, rel=1e-3)
    assert fit.model.expected_spend(0, 0.0) == pytest.approx(scale / (shape - 1), rel=1e-3)


def test_one_price_is_the_expected_value() -> None:
    fit = fit_spend(np.arange(1, 51), np.full(50, 29.9), np.ones(50))

    assert fit.has_converged and "customers do not differ" in fit.message
    assert fit.model.expected_spend(np.arange(3), np.full(3, 29.9)) == pytest.approx(29.9, rel=1e-6)


# What a fit says of itself


def test_a_fit_is_at_a_maximum_and_its_errors_are_those_of_the_curvature() -> None:
    model = Purchases(MBG_NBD, **TRUTH)
    *history, customers = simulated(model, 3_000, seed=5).grouped()
    fit = fit_purchases(MBG_NBD, *history, customers)
    found = np.log(list(fit.model.parameters.values()))

    def total(log_parameters: Any) -> float:
        model = Purchases(MBG_NBD, *np.exp(log_parameters))
        return float(model.log_likelihood(*history) @ customers)

    _, gradient = fit.model.log_likelihood_and_gradient(*history)
    assert np.abs(gradient @ customers / customers.sum()).max() < 1e-8
    assert fit.log_likelihood == pytest.approx(total(found), rel=1e-12)
    step = 1e-3
    curvature = [
        [
            sum(
                i * j * total(found + step * (i * one + j * other))
                for i in (1, -1)
                for j in (1, -1)
            )
            / (4 * step**2)
            for other in np.eye(4)
        ]
        for one in np.eye(4)
    ]
    assert fit.covariance == pytest.approx(np.linalg.inv(-np.array(curvature)), rel=1e-3)
    errors = np.exp(found) * np.sqrt(np.diag(fit.covariance))
    assert list((fit.standard_errors or {}).values()) == pytest.approx(errors)


def test_the_order_of_histories_and_their_grouping_do_not_matter() -> None:
    shop = simulated(Purchases(MBG_NBD, **TRUTH), 2_000, seed=3)
    x, t_x, T = shop.x, np.ceil(shop.t_x), np.ceil(shop.T)
    order = np.random.default_rng(0).permutation(x.size)
    fit = fit_purchases(MBG_NBD, x, t_x, T, shop.customers)
    shuffled = fit_purchases(MBG_NBD, x[order], t_x[order], T[order], shop.customers)
    groups, size = np.unique(np.stack([x, t_x, T]), axis=1, return_counts=True)
    grouped = fit_purchases(MBG_NBD, groups[0].astype(int), groups[1], groups[2], size)

    assert shuffled.model == fit.model
    assert shuffled.log_likelihood == fit.log_likelihood
    assert grouped.model.parameters == pytest.approx(fit.model.parameters, rel=1e-6)
    assert grouped.log_likelihood == pytest.approx(fit.log_likelihood, rel=1e-12)


def test_a_part_of_many_histories_leads_to_the_maximum_of_all() -> None:
    """Starts are tried on 5,000 of them."""
    shop = simulated(Purchases(MBG_NBD, **TRUTH), 30_000, seed=2)
    assert np.unique(np.stack([shop.x, shop.t_x, shop.T]), axis=1).shape[1] > 20_000
    fit = fit_purchases(MBG_NBD, shop.x, shop.t_x, shop.T, shop.customers)
    _, gradient = fit.model.log_likelihood_and_gradient(shop.x, shop.t_x, shop.T)

    assert fit.has_converged
    assert np.abs(gradient.mean(axis=1)).max() < 1e-8


def test_regular_buyers_are_told_by_the_likelihood() -> None:
    shop = simulated(Purchases(MBG_CNBD_2, 0.8, 30.0, 0.5, 2.0), 3_000, seed=4).grouped()
    likelihoods = {
        process.name: fit_purchases(process, *shop).log_likelihood for process in PROCESSES
    }

    assert max(likelihoods, key=lambda name: likelihoods[name]) == "mbg_cnbd_2"


def test_customers_who_all_buy_alike_leave_parameters_open() -> None:
    """Everybody's purchases are a week apart: the rates do not differ, and no drop-out is seen."""
    T = np.arange(70, 140)
    fit = fit_purchases(MBG_NBD, T // 7, T // 7 * 7.0, T.astype(float), np.ones(70))

    assert fit.is_boundary and fit.message and fit.standard_errors is None
    assert np.isfinite(fit.covariance).all()
    expected = float(fit.model.expected_purchases(14, 98.0, 100.0, 70.0))
    assert expected == pytest.approx(10, rel=0.1)


def test_a_boundary_other_than_no_drop_out_says_what_is_open() -> None:
    """Half of the customers are gone after the first purchase, the others never leave."""
    rng = np.random.default_rng(1)
    T = rng.uniform(300, 400, 2_000)
    x = np.where(np.arange(2_000) % 2, 0, rng.poisson(T / 10))
    t_x = np.where(x, T * (1 - rng.beta(1, np.maximum(x, 1))), 0)
    fit = fit_purchases(MBG_NBD, x, t_x, T, np.ones(2_000))

    assert fit.has_converged and fit.is_boundary and "factor of 20" in fit.message
    assert fit.standard_errors is None
    assert fit.model.p_alive(0, 0.0, 350.0) < 0.01
    assert fit.model.p_alive(35, 348.0, 350.0) > 0.99


def test_regular_purchases_are_none_of_one_who_bought_again_at_once() -> None:
    history = np.array([1, 2]), np.array([0.0, 9.0]), np.array([30.0, 30.0]), np.ones(2)

    with pytest.raises(NoFit, match="in no time"):
        fit_purchases(MBG_CNBD_2, *history)
    assert np.isfinite(fit_purchases(MBG_NBD, *history).log_likelihood)


def test_without_anybody_who_bought_again_there_is_no_fit() -> None:
    nobody = np.zeros(5, int)
    with pytest.raises(NoFit, match="bought again"):
        fit_purchases(MBG_NBD, nobody, nobody, np.arange(5), np.ones(5))
    with pytest.raises(NoFit, match="bought again"):
        fit_spend([], [], [])
