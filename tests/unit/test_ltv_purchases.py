"""The purchase models against the formulas of the papers in any precision, against numerical
integration over all that is unknown of a customer, and against what must hold of them."""

import math
from itertools import pairwise
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special, stats

from dagster_project.lib.ltv.purchases import (
    BG_NBD,
    MBG_CNBD_2,
    MBG_CNBD_3,
    MBG_NBD,
    PROCESSES,
    Process,
    Purchases,
)

History = tuple[int, float, float]  # x, t_x, T


# The formulas of the papers, where k = 1


class Papers:
    """BG/NBD and MBG/NBD as printed, with as many digits as mpmath is set to."""

    def __init__(self, model: Purchases, x: int, t_x: float, T: float) -> None:
        self.parameters = tuple(map(mp.mpf, model.parameters.values()))
        self.is_modified = model.process == MBG_NBD
        self.x, self.t_x, self.T = x, mp.mpf(t_x), mp.mpf(T)

    def alive_and_gone(self, r: Any, alpha: Any, a: Any, b: Any) -> tuple[Any, Any]:
        """The two parts of the likelihood: alive at T, and left after the last purchase."""
        x, last = self.x, self.x - 1 + self.is_modified
        common = mp.gamma(r + x) / mp.gamma(r) * alpha**r / mp.beta(a, b)
        alive = common * mp.beta(a, b + last + 1) * (alpha + self.T) ** -(r + x)
        if last < 0:
            return alive, mp.mpf(0)
        return alive, common * mp.beta(a + 1, b + last) * (alpha + self.t_x) ** -(r + x)

    def log_likelihood(self, *log_parameters: Any) -> Any:
        parameters = map(mp.exp, log_parameters) if log_parameters else self.parameters
        return mp.log(sum(self.alive_and_gone(*parameters)))

    def p_alive(self) -> Any:
        alive, gone = self.alive_and_gone(*self.parameters)
        return alive / (alive + gone)

    def expected_purchases(self, h: float) -> Any:
        r, alpha, a, b = self.parameters
        if a == 1:
            a += mp.mpf(10) ** -60
        s, c = r + self.x, b + self.x + self.is_modified
        share = h / (alpha + self.T + h)
        series = mp.hyp2f1(s, c, a + c - 1, share, maxprec=100_000)
        return self.p_alive() * (a + c - 1) / (a - 1) * (1 - (1 - share) ** s * series)


def extreme(seed: int, count: int) -> list[tuple[Purchases, History, float]]:
    """Models, histories and horizons far beyond what shops look like."""
    random = np.random.default_rng(seed)

    def between(low: float, high: float) -> float:
        return float(np.exp(random.uniform(np.log(low), np.log(high))))

    cases = []
    for i in range(count):
        a = 1.0 if i % 10 == 0 else between(0.01, 100)
        model = Purchases(
            (MBG_NBD, BG_NBD)[i % 2], between(0.01, 100), between(0.1, 1000), a, between(0.01, 100)
        )
        x, T = 0 if i % 5 == 0 else int(between(1, 900)), between(1 / 7, 10_000)
        t_x = 0.0 if x == 0 else (0.0, T, T * random.random())[i % 3]
        cases.append((model, (x, t_x, T), between(1 / 7, 1000)))
    return cases


@pytest.mark.parametrize("seed", range(4))
def test_a_thousand_extreme_histories_give_what_the_papers_say(seed: int) -> None:
    for model, history, h in extreme(seed, 250):
        with mp.workdps(150):
            papers = Papers(model, *history)
            for exact, ours in (
                (papers.log_likelihood(), model.log_likelihood(*history)),
                (papers.p_alive(), np.nan_to_num(model.p_alive(*history), nan=1)),
                (papers.expected_purchases(h), model.expected_purchases(*history, h)),
            ):
                assert math.isclose(ours, exact, rel_tol=1e-9, abs_tol=1e-12), (model, history, h)


@pytest.mark.parametrize("process", [MBG_NBD, BG_NBD])
@pytest.mark.parametrize("history", [(0, 0.0, 38.9), (2, 30.4, 38.9), (40, 3.0, 200.0)])
def test_derivatives_are_those_of_the_likelihood_of_the_papers(
    process: Process, history: History
) -> None:
    model = Purchases(process, 0.4, 5.0, 0.8, 2.0)
    _, gradient = model.log_likelihood_and_gradient(*history)

    with mp.workdps(40):
        papers = Papers(model, *history)
        logs = tuple(map(mp.log, papers.parameters))
        exact = [
            mp.diff(papers.log_likelihood, logs, tuple(int(j == i) for j in range(4)))
            for i in range(4)
        ]
    assert gradient == pytest.approx([float(each) for each in exact], rel=1e-12)


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_counts_of_new_customers_are_distributed_as_the_paper_of_bg_nbd_says(n: int) -> None:
    r, alpha, a, b, t = 0.243, 4.414, 0.793, 2.426, 39.0
    share = t / (alpha + t)
    events = [
        special.poch(r, j) / math.factorial(j) * share**j * (1 - share) ** r for j in range(n + 1)
    ]
    exact = special.beta(a, b + n) / special.beta(a, b) * events[n]
    if n > 0:
        left = special.beta(a + 1, b + n - 1) / special.beta(a, b)
        exact += left * (1 - sum(events[:n]))

    assert Purchases(BG_NBD, r, alpha, a, b).probability(n, 0, 0, 0, t) == pytest.approx(exact)


# All that is unknown of a customer, integrated out


class Integrated:
    """What a process means for a customer whose rate and inclination to leave are known, and its
    mean over both, by Gauss rules of the gamma and the beta distribution."""

    def __init__(self, model: Purchases, x: int, t_x: float, T: float) -> None:
        nodes, weights = special.roots_genlaguerre(150, model.r - 1)
        self.rate = (nodes / model.alpha)[:, None]
        leaving, more = special.roots_jacobi(60, model.b - 1, model.a - 1)
        self.p = (leaving[None, :] + 1) / 2
        self.weight = np.outer(weights / weights.sum(), more / more.sum())
        k, n = model.process.stages, x + model.process.leaves_at_once
        history = (
            self.rate ** (k * x) * np.exp(-self.rate * t_x) * t_x ** ((k - 1) * x)
            * math.gamma(max(x, 1)) / math.gamma(max(k * x, 1))
        )  # fmt: skip
        self.stages = np.arange(k)[:, None, None]
        waiting = stats.poisson.pmf(self.stages, self.rate * (T - t_x))
        self.alive = history * (1 - self.p) ** n * waiting
        self.gone = history * self.p * (1 - self.p) ** (n - 1) if n else 0 * self.p

    def mean(self, values: NDArray[Any]) -> float:
        return float((self.weight * values).sum())

    def likelihood(self) -> float:
        return self.mean(self.alive) + self.mean(self.gone)

    def p_alive(self) -> float:
        return self.mean(self.alive) / self.likelihood()

    def at_least(self, n: int, h: float) -> float:
        enough = stats.poisson.sf(len(self.stages) * n - self.stages - 1, self.rate * h)
        return self.mean(self.alive * enough * (1 - self.p) ** (n - 1)) / self.likelihood()


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
@pytest.mark.parametrize("history", [(0, 0.0, 6.0), (1, 2.0, 2.5), (3, 5.0, 9.0), (6, 4.0, 30.0)])
def test_everything_is_the_mean_over_all_that_is_unknown_of_a_customer(
    process: Process, history: History
) -> None:
    model, h = Purchases(process, 1.4, 8.0, 0.7, 2.3), 20.0
    exact = Integrated(model, *history)
    tails = [exact.at_least(n, h) for n in range(1, 200)]

    assert model.log_likelihood(*history) == pytest.approx(math.log(exact.likelihood()), rel=1e-9)
    assert np.nan_to_num(model.p_alive(*history), nan=1) == pytest.approx(exact.p_alive(), rel=1e-9)
    assert model.at_least(1, *history, h) == pytest.approx(tails[0], rel=1e-9)
    assert model.at_least(4, *history, h) == pytest.approx(tails[3], rel=1e-9)
    assert model.probability(0, *history, h) == pytest.approx(1 - tails[0], rel=1e-9)
    assert model.probability(4, *history, h) == pytest.approx(tails[3] - tails[4], rel=1e-9)
    assert model.expected_purchases(*history, h) == pytest.approx(sum(tails), rel=1e-9)
    square = sum((2 * n - 1) * tail for n, tail in enumerate(tails, start=1))
    assert model.second_moment(*history, h) == pytest.approx(square, rel=1e-9)


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
def test_a_query_gets_the_same_from_the_formulas_in_words(process: Process) -> None:
    r, alpha, a, b, h = 0.6, 40.0, 0.9, 2.2, 90.0
    model, k, is_modified = Purchases(process, r, alpha, a, b), process.stages, process != BG_NBD
    for x, t_x, T in [(1, 30.0, 100.0), (4, 200.0, 210.0), (9, 50.0, 700.0)]:
        n, s, u = x + is_modified, r + k * x, (T - t_x) / (alpha + T)
        terms = [1, s * u, s * (s + 1) / 2 * u**2][:k]
        odds = a / (b + n - 1) * ((alpha + T) / (alpha + t_x)) ** s / sum(terms)
        weights = [term / sum(terms) for term in terms]
        factors = [model.expected_if_alive(x, T, h, stage) for stage in range(k)]
        chances = [model.any_purchase_if_alive(x, T, h, stage) for stage in range(k)]

        assert model.p_alive(x, t_x, T) == pytest.approx(1 / (1 + odds))
        assert model.stage_weights(x, t_x, T) == pytest.approx(weights)
        expected = sum(map(float.__mul__, weights, map(float, factors))) / (1 + odds)
        assert model.expected_purchases(x, t_x, T, h) == pytest.approx(expected)
        chance = sum(map(float.__mul__, weights, map(float, chances))) / (1 + odds)
        assert model.at_least(1, x, t_x, T, h) == pytest.approx(chance)


# Limits


def test_without_drop_out_purchases_are_negative_binomial() -> None:
    model, n = Purchases(MBG_NBD, 0.7, 60.0, 0.0, 1.0), np.arange(20)
    events = stats.nbinom(0.7 + 3, (60 + 100) / (60 + 100 + 365))

    assert model.p_alive(3, 10.0, 100.0) == 1
    assert model.expected_purchases(3, 10.0, 100.0, 365) == pytest.approx(events.mean())
    assert model.probability(n, 3, 10.0, 100.0, 365) == pytest.approx(events.pmf(n))
    assert model.second_moment(3, 10.0, 100.0, 365) == pytest.approx(events.moment(2))


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
def test_ever_rarer_drop_out_comes_to_none(process: Process) -> None:
    never = Purchases(process, 0.7, 60.0, 0.0, 1.0)
    history = (3, 80.0, 100.0, 365.0)
    for rarely in (
        Purchases(process, 0.7, 60.0, 1e-11, 1.0),
        Purchases(process, 0.7, 60.0, 3.0, 1e12),
        Purchases(process, 0.7, 60.0, 1e3, 1e15),
    ):
        for quantity in ("expected_purchases", "second_moment"):
            rare = getattr(rarely, quantity)(*history)
            assert rare == pytest.approx(getattr(never, quantity)(*history), rel=1e-9)


def test_one_who_bought_nothing_again_is_unknown_to_bg_nbd_and_known_to_mbg_nbd() -> None:
    x, t_x, T = np.array([0, 1]), np.array([0.0, 5.0]), np.array([50.0, 50.0])

    assert np.isnan(Purchases(BG_NBD, 0.5, 5, 1, 2).p_alive(x, t_x, T)).tolist() == [True, False]
    assert np.isnan(Purchases(MBG_NBD, 0.5, 5, 1, 2).p_alive(x, t_x, T)).tolist() == [False, False]
    assert np.isfinite(Purchases(BG_NBD, 0.5, 5, 1, 2).expected_purchases(x, t_x, T, 9)).all()


@pytest.mark.parametrize("process", [MBG_CNBD_2, MBG_CNBD_3])
def test_an_erlang_time_cannot_be_zero(process: Process) -> None:
    model = Purchases(process, 0.5, 5.0, 1.0, 2.0)

    assert model.log_likelihood(1, 0.0, 50.0) == -np.inf
    assert np.isfinite(model.log_likelihood(0, 0.0, 50.0))


def test_nothing_is_bought_in_no_time() -> None:
    for process in PROCESSES:
        model = Purchases(process, 0.5, 5.0, 1.0, 2.0)
        assert model.expected_purchases(2, 5.0, 9.0, 0) == 0
        assert model.at_least(1, 2, 5.0, 9.0, 0) == 0
        assert model.probability(0, 2, 5.0, 9.0, 0) == 1


# What must hold, whatever the parameters and the history


def positive(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(math.log(low), math.log(high)).map(math.exp)


models = st.builds(
    Purchases,
    st.sampled_from(PROCESSES),
    positive(0.05, 20),
    positive(1, 500),
    positive(0.05, 20),
    positive(0.05, 20),
)


@st.composite
def customers(draw: st.DrawFn, at_least: int = 0) -> History:
    x, T = draw(st.integers(at_least, 60)), draw(positive(1 / 7, 2000))
    return x, T * draw(st.floats(0.01, 1)) if x else 0.0, T


@given(models, customers(), positive(0.1, 1000))
def test_p_alive_is_a_probability_and_falls_with_silence(
    model: Purchases, customer: History, longer: float
) -> None:
    x, t_x, T = customer
    before, after = np.nan_to_num(model.p_alive(x, t_x, np.array([T, T + longer])), nan=1)

    assert 0 <= after <= before * (1 + 1e-12) and before <= 1


@given(models, customers(at_least=1), positive(2, 1000))
def test_p_alive_falls_strictly_with_silence_once_somebody_has_bought_again(
    model: Purchases, customer: History, longer: float
) -> None:
    x, t_x, T = customer
    before, after = model.p_alive(x, t_x, np.array([T, T + longer]))

    assert after < before or before == 0


@settings(deadline=None)
@given(models, customers(), positive(0.1, 500), positive(1, 5))
def test_expected_purchases_rise_with_the_horizon(
    model: Purchases, customer: History, h: float, times: float
) -> None:
    shorter, longer = (model.expected_purchases(*customer, each) for each in (h, h * times))

    assert 0 <= shorter <= longer * (1 + 1e-12)


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
def test_every_further_day_brings_purchases(process: Process) -> None:
    model = Purchases(process, 0.6, 40.0, 0.9, 2.2)
    expected = [float(model.expected_purchases(2, 50.0, 90.0, h)) for h in (0, 1, 2, 364, 365)]

    assert all(shorter < longer for shorter, longer in pairwise(expected))


@settings(deadline=None)
@given(models, customers(), positive(0.1, 50))
def test_probabilities_of_counts_sum_to_one_and_have_the_stated_moments(
    model: Purchases, customer: History, h: float
) -> None:
    n = np.arange(3000)
    probability, rest = model.probability(n, *customer, h), model.at_least(3000, *customer, h)

    assert (probability >= 0).all()
    assert probability.sum() == pytest.approx(1 - rest, abs=1e-10)
    assert probability[5:].sum() == pytest.approx(model.at_least(5, *customer, h) - rest, abs=1e-10)
    if rest < 1e-20:
        expected, square = (
            float(moment(*customer, h))
            for moment in (model.expected_purchases, model.second_moment)
        )
        assert n @ probability == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert n**2 @ probability == pytest.approx(square, rel=1e-9, abs=1e-12)


@settings(deadline=None)
@given(models, st.lists(customers(), min_size=1, max_size=8), st.data())
def test_customers_in_any_order_and_in_groups_come_to_the_same(
    model: Purchases, people: list[History], data: st.DataObject
) -> None:
    crowd = data.draw(st.lists(st.sampled_from(people), min_size=1, max_size=40))
    groups = sorted(set(crowd))
    size = np.array([crowd.count(each) for each in groups])
    for quantity in (model.log_likelihood, lambda *each: model.expected_purchases(*each, 90.0)):
        one_by_one = sum(quantity(*each) for each in crowd)
        together = np.sum(quantity(*map(np.array, zip(*crowd, strict=True))))
        grouped = quantity(*map(np.array, zip(*groups, strict=True))) @ size

        assert together == pytest.approx(one_by_one, rel=1e-10)
        assert grouped == pytest.approx(one_by_one, rel=1e-10)
