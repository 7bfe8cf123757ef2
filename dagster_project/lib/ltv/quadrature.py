"""Means over a beta distribution, right to rounding for every shape of it."""

from collections.abc import Callable

import numpy as np

from dagster_project.lib.ltv.arrays import Floats

NEVER = -230.0  # log odds that stand for a probability of 0; its square is still a number


def mean_over_beta(
    function: Callable[[float], Floats], a: float, c: Floats, sharpest: float
) -> Floats:
    """E f(P) for P ~ Beta(a, c), one value for each c; a = 0 is the limit in which P is 0.

    function: takes log(1 - P), gives the shape of c; smooth in P / (1 - P), and flat where P is far
    below 1 / sharpest.

    It is the trapezoidal rule over v = log(P / (1 - P)), where the integrand is smooth and its
    tails fall like exp(a v) and exp(-c v). v moves evenly where something happens and ever faster
    beyond, so that a heavy tail costs few steps more. The rule converges exponentially (Trefethen
    and Weideman 2014, The exponentially convergent trapezoidal rule, section 5).
    """
    if a == 0:
        return function(-np.exp(NEVER))
    least, most = float(np.min(c)), float(np.max(c))
    low, high = np.log(a / most), np.log(a / least)  # between them lie the peaks of the densities
    width = np.sqrt(80 / a + 80 / least)  # beyond it, and 40 / a or 40 / c more, they vanish
    fine = 0.7 / np.sqrt(8 + a * most / (a + most))
    scale = min(1.0, width / 3)
    with np.errstate(divide="ignore"):
        first = max(min(low, -np.log(sharpest)), low - width - 40 / a) - 3 * scale
    last = min(max(high, 0.0), high + width + 40 / least) + 3 * scale
    start = first - scale * np.log1p(40 / a / scale)
    end = last + scale * np.log1p(40 / least / scale)

    log_peak = -a * np.log1p(c / a) - c * np.log1p(a / c)
    norm = total = np.zeros(np.shape(c))
    for step in np.arange(start, end, fine):
        before, after = np.exp((first - step) / scale), np.exp((step - last) / scale)
        v = step + scale * (after - before)
        log_density = -a * np.logaddexp(0, -v) - c * np.logaddexp(0, v)
        weight = (1 + before + after) * np.exp(log_density - log_peak)
        norm = norm + weight
        total = total + weight * function(-np.logaddexp(0, max(v, NEVER)))
    return np.asarray(total / norm)
