"""The Gamma-Gamma model against its density in any precision and against integration over the
rate that is unknown of a customer."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dagster_project.lib.ltv.spend import Spend

MODEL = Spend(6.25, 3.74, 15.44)


@pytest.mark.parametrize(("x_m", "m"), [(1, 11.77), (2, 22.35), (300, 1e5), (5, 1e-3)])
def test_likelihood_and_derivatives_are_those_of_the_density(x_m: int, m: float) -> None:
    with mp.workdps(40):
        logs = tuple(mp.log(each) for each in MODEL.parameters.values())

        def density(*log_parameters: mp.mpf) -> mp.mpf:
            p, q, gamma = map(mp.exp, log_parameters)
            spent = gamma + x_m * mp.mpf(m)
            share = (gamma / spent) ** q * (x_m * mp.mpf(m) / spent) ** (p * x_m)
            return mp.log(share / m / mp.beta(p * x_m, q))

        exact = float(density(*logs))
        slopes = [float(mp.diff(density, logs, unit)) for unit in np.eye(3, dtype=int).tolist()]
    value, gradient = MODEL.log_likelihood_and_gradient(x_m, m)

    assert value == pytest.approx(exact, rel=1e-12)
    assert gradient == pytest.approx(slopes, rel=1e-10)


@pytest.mark.parametrize(("x_m", "m"), [(0, np.nan), (1, 11.77), (7, 60.0)])
def test_moments_are_means_over_the_rate_that_is_unknown_of_a_customer(x_m: int, m: float) -> None:
    p, q, gamma = MODEL.parameters.values()
    rate = np.exp(np.linspace(-30, 8, 8001))
    weights = stats.gamma(q, scale=1 / gamma).pdf(rate) * rate  # evenly in the logarithm
    if x_m:
        weights *= stats.gamma(p * x_m, scale=1 / rate).pdf(x_m * m)
    mean = (weights * p / rate).sum() / weights.sum()
    square = (weights * (p / rate) ** 2).sum() / weights.sum()

    assert MODEL.expected_spend(x_m, m) == pytest.approx(mean, rel=1e-9)
    assert MODEL.second_moment(x_m, m) == pytest.approx(square, rel=1e-9)


def test_a_mean_that_does_not_exist_is_infinite() -> None:
    model = Spend(0.5, 0.8, 10.0)

    assert model.expected_spend(np.array([0, 1]), np.array([0.0, 5.0])).tolist() == [
        np.inf,
        pytest.approx(0.5 * 15 / 0.3),
    ]
    assert model.second_moment(1, 5.0) == np.inf


@given(st.integers(1, 500), st.floats(0.01, 1e6))
def test_expected_spend_lies_between_the_own_mean_and_that_of_all(x_m: int, m: float) -> None:
    low, high = sorted([m, float(MODEL.expected_spend(0, 0.0))])

    assert low * (1 - 1e-12) <= MODEL.expected_spend(x_m, m) <= high * (1 + 1e-12)


@pytest.mark.parametrize("x_m", [1, 3, 40])
@pytest.mark.parametrize("chance", [0.1, 1e-3, 1e-9])
def test_a_sum_beyond_the_largest_is_as_unlikely_as_was_asked(x_m: int, chance: float) -> None:
    """Integrated over the rate that is unknown of a customer."""
    largest = float(MODEL.largest_sum(x_m, chance))
    p, q, gamma = MODEL.parameters.values()
    log_rate = np.linspace(-40, 8, 20_001)
    weights = stats.gamma(q, scale=1 / gamma).pdf(np.exp(log_rate)) * np.exp(log_rate)
    exceeded = stats.gamma(p * x_m).sf(np.exp(log_rate) * largest)

    assert np.trapezoid(weights * exceeded, log_rate) == pytest.approx(chance, rel=1e-8)


@pytest.mark.parametrize("model", [MODEL, Spend(0.3, 0.4, 2.0), Spend(200.0, 80.0, 1e4)])
def test_the_largest_sum_is_that_of_the_density_in_any_precision(model: Spend) -> None:
    x_m, chance = np.array([1, 2, 300]), 1e-7
    for count, largest in zip(x_m.tolist(), model.largest_sum(x_m, chance).tolist(), strict=True):
        with mp.workdps(40):
            share = mp.mpf(model.gamma) / (model.gamma + mp.mpf(largest))
            exact = mp.betainc(model.q, model.p * count, 0, share, regularized=True)
        assert float(exact) == pytest.approx(chance, rel=1e-9)


def test_of_simulated_customers_as_many_exceed_the_largest_sum_as_should() -> None:
    random = np.random.default_rng(1)
    x_m = random.integers(1, 6, 200_000)
    rate = random.gamma(MODEL.q, 1 / MODEL.gamma, x_m.size)
    spent = random.gamma(MODEL.p * x_m, 1 / rate)

    share = np.mean(spent > MODEL.largest_sum(x_m, 0.02))
    assert share == pytest.approx(0.02, abs=0.001)
