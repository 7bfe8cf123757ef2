"""Means over beta distributions of every shape against their closed forms."""

import numpy as np
import pytest
from scipy import special

from dagster_project.lib.ltv.quadrature import mean_over_beta

SHAPES = [1e-9, 1e-3, 0.2, 1.0, 8.0, 150.0, 1e4, 1e9]


@pytest.mark.parametrize("a", SHAPES)
@pytest.mark.parametrize("c", SHAPES)
def test_powers_have_their_mean(a: float, c: float) -> None:
    for power in (1, 2, 7):
        steps = np.arange(power)
        exact = np.exp(-np.log1p(a / (c + steps)).sum())  # E (1 - P)^power
        mean = mean_over_beta(lambda log_rest, m=power: np.exp(m * log_rest), a, np.array([c]), 1)
        assert mean == pytest.approx(exact, rel=1e-11)


@pytest.mark.parametrize("sharpness", [1e-3, 1.0, 1e3, 1e7])
def test_a_function_that_changes_far_from_the_peak_has_its_mean(sharpness: float) -> None:
    """E 1 / (1 + P y) = 2F1(1, a; a + c; -y), for several c at once."""
    a, c = 0.8, np.array([0.5, 3.0, 40.0])
    mean = mean_over_beta(lambda rest: 1 / (1 - np.expm1(rest) * sharpness), a, c, sharpness)

    assert mean == pytest.approx(special.hyp2f1(1, a, a + c, -sharpness), rel=1e-11)


def test_the_limit_of_no_probability_is_the_value_there() -> None:
    mean = mean_over_beta(lambda rest: np.exp(rest) + np.zeros(2), 0, np.array([1.0, 5.0]), 1)

    assert mean.tolist() == [1, 1]
