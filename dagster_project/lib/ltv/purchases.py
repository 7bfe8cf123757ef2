"""Purchases of customers who may leave unseen: MBG/NBD, BG/NBD and MBG/CNBD-k.

While a customer is alive, the time to his next purchase is Erlang-k with rate lambda: every k-th
event of a Poisson process is a purchase. After each repeat purchase he leaves for good with
probability p; in the MBG models also right after the first. Over customers lambda ~ Gamma(r, rate
alpha) and p ~ Beta(a, b), independently. a = 0 is the limit without drop-out, the NBD.

x is the number of repeat purchases, t_x the time from the first to the last, T from the first to
the cut-off, h the horizon after it, all in the unit of time of alpha. x, t_x, T and n are numbers
or arrays that broadcast, h is a number; x and n are whole, 0 <= t_x <= T, h >= 0. Nothing is
checked. A new customer is x = t_x = T = 0: his expected_purchases are E[X(t)], t = h.

Everything follows from two facts. Who could leave n times is still alive with probability
E(1-p)^n = B(a, b+n) / B(a, b). And who is alive at T after x purchases has p ~ Beta(a, b+n) and,
if j of the k events to the next purchase have happened, lambda ~ Gamma(r + kx + j, rate alpha + T),
so that the number of events to come is negative binomial; j has weights in closed form.

[BG]    Fader, Hardie and Lee 2005, "Counting Your Customers" the Easy Way: An Alternative to the
        Pareto/NBD Model, Marketing Science 24(2)
[alive] Fader, Hardie and Lee 2008, Computing P(alive) Using the BG/NBD Model
[MBG]   Batislam, Denizel and Filiztekin 2007, Empirical validation and comparison of models for
        customer base analysis, International Journal of Research in Marketing 24(3)
[CNBD]  Reutterer, Platzer and Schroeder 2021, Leveraging purchase regularity for predicting
        customer behavior the easy way, International Journal of Research in Marketing 38(1)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from dagster_project.lib.ltv.arrays import Floats, Ints, Numbers
from dagster_project.lib.ltv.quadrature import mean_over_beta

Sums = Callable[[Any, Floats, Floats], Any]

# By k, those beside 1, and how many times their real part counts (for a conjugate pair twice).
ROOTS_OF_UNITY: dict[int, list[tuple[complex, int]]] = {
    1: [],
    2: [(-1.0, 1)],
    3: [(np.exp(2j * np.pi / 3), 2)],
}


@dataclass(frozen=True)
class Process:
    """How purchases and drop-out follow each other, whatever the parameters."""

    name: str
    stages: int = 1  # k
    leaves_at_once: bool = True  # may leave right after the first purchase


MBG_NBD = Process("mbg_nbd")
BG_NBD = Process("bg_nbd", leaves_at_once=False)
MBG_CNBD_2 = Process("mbg_cnbd_2", stages=2)
MBG_CNBD_3 = Process("mbg_cnbd_3", stages=3)
PROCESSES = (MBG_NBD, BG_NBD, MBG_CNBD_2, MBG_CNBD_3)


@dataclass(frozen=True)
class Purchases:
    """A process with its parameters."""

    process: Process
    r: float
    alpha: float
    a: float
    b: float

    @property
    def name(self) -> str:
        return self.process.name

    @property
    def parameters(self) -> dict[str, float]:
        return {"r": self.r, "alpha": self.alpha, "a": self.a, "b": self.b}

    def log_likelihood(self, x: Numbers, t_x: Numbers, T: Numbers) -> Floats:
        """Log-likelihood of each history: [BG] eq. (6) and [alive] eq. (1); [MBG]; k > 1: [CNBD].

        For k > 1 it is that of x and t_x without the purchases between them, in the measure in
        which k = 1 gives the usual one: so it tells which k fits. Where a repeat purchase has
        t_x = 0 it is -inf, for no Erlang time is 0.
        """
        return self.log_likelihood_and_gradient(x, t_x, T)[0]

    def log_likelihood_and_gradient(
        self, x: Numbers, t_x: Numbers, T: Numbers
    ) -> tuple[Floats, Floats]:
        """The log-likelihoods and, in four rows, their derivatives by log r, alpha, a, b."""
        x, t_x, T = np.asarray(x, np.int64), np.asarray(t_x, float), np.asarray(T, float)
        r, alpha, a, b, k = self.r, self.alpha, self.a, self.b, self.process.stages
        n, shape = self._chances(x), r + k * x
        silence = (T - t_x) / (alpha + t_x)
        log_silence, log_age = np.log1p(silence), np.log1p(T / alpha)
        terms = self._stage_terms(x, t_x, T)
        ways = sum(terms)
        by_shape = sum(
            term * sum(1 / (shape + i) for i in range(j)) for j, term in enumerate(terms)
        )
        by_share = sum(j * term for j, term in enumerate(terms))
        log_odds = self._log_odds_at_last(n) + shape * log_silence - np.log(ways)
        smaller = np.exp(-np.abs(log_odds))
        gone = np.where(log_odds > 0, 1, smaller) / (1 + smaller)
        alive = (1 - gone) / ways
        value = (
            _sum_below(k * x, lambda i: np.log((r + i) / alpha))
            - _sum_below(n, lambda i: np.log1p(a / (b + i)))
            - shape * log_age
            + np.log(ways)
            + np.maximum(log_odds, 0)
            + np.log1p(smaller)
        )
        if k > 1:
            between = np.maximum(x, 1), np.maximum(k * x, 1)
            value = value + special.gammaln(between[0]) - special.gammaln(between[1])
            value = value + special.xlogy((k - 1) * x, t_x)
        gradient = (
            _sum_below(k * x, lambda i: r / (r + i))
            + r * (alive * by_shape + gone * log_silence - log_age),
            (r * T - alpha * (k * x + alive * by_share + gone * shape * silence)) / (alpha + T),
            gone - _sum_below(n, lambda i: a / (a + b + i)),
            _sum_below(n, lambda i: a / (a + b + i) * b / (b + i))
            - gone * b / np.where(n > 0, b + (n - 1), 1),
        )
        return value, np.stack(np.broadcast_arrays(*gradient))

    def p_alive(self, x: Numbers, t_x: Numbers, T: Numbers) -> Floats:
        """Probability of being alive at T; nan where the model cannot know (BG/NBD with x = 0).

        1 / (1 + a / (b + n - 1) * ((alpha + T) / (alpha + t_x)) ** (r + k * x) / S)

        n is x + 1 ([MBG] appendix A eq. (5), [CNBD]), in the BG/NBD x ([alive]). S is 1 for k = 1,
        1 + (r + 2 * x) * u for k = 2, and 1 + (r + 3 * x) * u * (1 + (r + 3 * x + 1) * u / 2) for
        k = 3, where u = (T - t_x) / (alpha + T).
        """
        return np.where(self._chances(x) > 0, self._alive(x, t_x, T), np.nan)

    def stage_weights(self, x: Numbers, t_x: Numbers, T: Numbers) -> list[Floats]:
        """Of one who is alive at T, the probabilities that j = 0 .. k - 1 of the k events to the
        next purchase have happened: the terms of S in `p_alive`, divided by S."""
        terms = self._stage_terms(x, t_x, T)
        ways = sum(terms)
        return [term / ways for term in terms]

    def expected_if_alive(self, x: Numbers, T: Numbers, h: float, stage: int = 0) -> Floats:
        """Expected purchases in (T, T + h] of one who is alive at T, in this stage.

        For k = 1 it is the numerator of [BG] eq. (10), and with b + 1 for b that of [MBG]. Their
        hypergeometric function is 0 / 0 at a = 1; here a quadrature over p takes its place, for
        every k: the mean of the sum over n of P(at least n purchases, if he stays) (1 - p)^(n - 1).
        """
        return self._mean_if_alive(x, T, h, stage, _tail_sums)

    def second_moment_if_alive(self, x: Numbers, T: Numbers, h: float, stage: int = 0) -> Floats:
        """Mean square of the number of purchases in (T, T + h] of one who is alive at T."""
        k = self.process.stages
        mean = self.expected_if_alive(x, T, h, stage)
        rising = self._mean_if_alive(x, T, h, stage, _rising_tail_sums)
        return mean + 2 * (rising - (k - 1 - stage) * mean) / k

    def any_purchase_if_alive(self, x: Numbers, T: Numbers, h: float, stage: int = 0) -> Floats:
        """Probability of a purchase in (T, T + h] of one who is alive at T, in this stage.

        For k = 1 it is 1 - ((alpha + T) / (alpha + T + h)) ** (r + x).
        """
        return _at_least(self.process.stages - stage, *self._events(x, T, h, stage))

    def expected_purchases(self, x: Numbers, t_x: Numbers, T: Numbers, h: float) -> Floats:
        """Expected purchases in (T, T + h]: [BG] eq. (10), of a new customer eq. (9); [MBG].

        It is p_alive (1 for nan) times the sum over stages of their weight times
        `expected_if_alive`, which for k > 1 [CNBD] approximates.
        """
        return self._over_stages(x, t_x, T, lambda j: self.expected_if_alive(x, T, h, j))

    def second_moment(self, x: Numbers, t_x: Numbers, T: Numbers, h: float) -> Floats:
        """Mean square of the number of purchases in (T, T + h]."""
        return self._over_stages(x, t_x, T, lambda j: self.second_moment_if_alive(x, T, h, j))

    def at_least(self, n: Numbers, x: Numbers, t_x: Numbers, T: Numbers, h: float) -> Floats:
        """P(at least n purchases in (T, T + h]); with n = 1 the probability of any purchase.

        As many events must come as n purchases need, and he must stay after the first n - 1.
        """
        n, k = np.asarray(n), self.process.stages
        stays = self._stays(x, np.maximum(n - 1, 0))

        def if_alive(stage: int) -> Floats:
            return stays * _at_least(np.maximum(k * n - stage, 1), *self._events(x, T, h, stage))

        some = np.minimum(self._over_stages(x, t_x, T, if_alive), 1.0)  # weights sum to 1 + 2e-16
        return np.where(n > 0, some, 1.0)

    def probability(self, n: Numbers, x: Numbers, t_x: Numbers, T: Numbers, h: float) -> Floats:
        """P(n purchases in (T, T + h]); of a new customer [BG] eq. (8).

        Either the events suffice for n purchases and no more, and he stays after the first n - 1;
        or they suffice for more, and he leaves after the n-th.
        """
        n, x, t_x, T = np.broadcast_arrays(n, x, t_x, T)
        chance, some = np.empty(n.shape), n > 0
        chance[~some] = self._probability_of_none(x[~some], t_x[~some], T[~some], h)
        chance[some] = self._probability_of(n[some], x[some], t_x[some], T[some], h)
        return chance

    def _probability_of_none(self, x: Ints, t_x: Floats, T: Floats, h: float) -> Floats:
        k = self.process.stages

        def if_alive(stage: int) -> Floats:
            shape, ratio = self._events(x, T, h, stage)
            return np.asarray(special.betaincc(k - stage, shape, ratio / (1 + ratio)))

        gone = special.expit(self._log_odds_of_leaving(x, t_x, T))
        return np.asarray(gone + self._over_stages(x, t_x, T, if_alive))

    def _probability_of(self, n: Ints, x: Ints, t_x: Floats, T: Floats, h: float) -> Floats:
        """Of n > 0 purchases."""
        k = self.process.stages
        stays = self._stays(x, n - 1)
        leaves = self.a / (self.a + self.b + self._chances(x) + n - 1)

        def if_alive(stage: int) -> Floats:
            shape, ratio = self._events(x, T, h, stage)
            events = k * n - stage
            enough = sum(_exactly(events + i, shape, ratio) for i in range(k))
            return np.asarray(stays * (enough + leaves * _at_least(events + k, shape, ratio)))

        return self._over_stages(x, t_x, T, if_alive)

    def _chances(self, x: Numbers) -> Ints:
        """How often one with x repeat purchases could have left."""
        return np.asarray(x, np.int64) + self.process.leaves_at_once

    def _alive(self, x: Numbers, t_x: Numbers, T: Numbers) -> Floats:
        return np.asarray(special.expit(-self._log_odds_of_leaving(x, t_x, T)))

    def _log_odds_of_leaving(self, x: Numbers, t_x: Numbers, T: Numbers) -> Floats:
        """Of having left at t_x against being alive at T."""
        silence = (np.asarray(T, float) - t_x) / (self.alpha + np.asarray(t_x, float))
        shape, last = self._events(x, T, 0, 0)[0], self._log_odds_at_last(self._chances(x))
        return np.asarray(
            last + shape * np.log1p(silence) - np.log(sum(self._stage_terms(x, t_x, T)))
        )

    def _log_odds_at_last(self, n: Ints) -> Floats:
        """Of leaving at the last of n chances against not leaving at all; -inf without a chance."""
        with np.errstate(divide="ignore"):
            odds = np.log(self.a / (self.b + np.arange(np.max(n, initial=0))))
        return np.concatenate([[-np.inf], odds])[n]

    def _stage_terms(self, x: Numbers, t_x: Numbers, T: Numbers) -> list[Floats]:
        """The terms of S in `p_alive`."""
        shape = self.r + self.process.stages * np.asarray(x)
        share = (np.asarray(T, float) - t_x) / (self.alpha + np.asarray(T, float))
        terms: list[Floats] = [np.ones(())]
        for j in range(1, self.process.stages):
            terms.append(terms[-1] * (shape + j - 1) / j * share)
        return terms

    def _stays(self, x: Numbers, n: Numbers) -> Floats:
        """Probability that one who is alive after x purchases stays after n more."""
        chances = np.stack(np.broadcast_arrays(self._chances(x), self._chances(x) + n))
        before, after = _sum_below(chances, lambda i: np.log1p(self.a / (self.b + i)))
        return np.asarray(np.exp(before - after))

    def _events(self, x: Numbers, T: Numbers, h: float, stage: int) -> tuple[Floats, Floats]:
        """Shape, and mean per shape, of the negative binomial number of events in (T, T + h]."""
        shape = self.r + self.process.stages * np.asarray(x) + stage
        return shape, h / (self.alpha + np.asarray(T, float))

    def _over_stages(
        self, x: Numbers, t_x: Numbers, T: Numbers, if_alive: Callable[[int], Floats]
    ) -> Floats:
        weights = self.stage_weights(x, t_x, T)
        mean = sum(weight * if_alive(stage) for stage, weight in enumerate(weights))
        return np.asarray(self._alive(x, t_x, T) * mean)

    def _mean_if_alive(self, x: Numbers, T: Numbers, h: float, stage: int, sums: Sums) -> Floats:
        """Mean over p of the terms of a series in z = (1 - p)^(1/k) that stand for purchases.

        Of the events i = 1, 2, .. these are k - stage, 2k - stage, ..; the roots of unity pick
        them out, and a division leaves the powers 0, 1, .. of 1 - p. Each (x, T) is computed once.
        """
        k = self.process.stages
        ages, age = np.unique(T, return_inverse=True)
        pairs, index = np.unique(np.asarray(x) * ages.size + age, return_inverse=True)
        x, T = pairs // ages.size, ages[pairs % ages.size]
        shape, ratio = self._events(x, T, h, stage)

        def given(log_stay: float) -> Floats:
            z, gap = np.exp(log_stay / k), -np.expm1(log_stay / k)
            total = sums(gap, shape, ratio)
            for root, twins in ROOTS_OF_UNITY[k]:
                term = root ** (stage + 1) * sums(1 - root * z, shape, ratio)
                total = total + twins * np.real(term)
            return np.asarray(total / k * np.exp((stage + 1 - k) / k * log_stay))

        c = self.b + self._chances(x)
        return mean_over_beta(given, self.a, c, float(np.max(shape * ratio)))[index]


def _sum_below(count: Ints, term: Callable[[Ints], Floats]) -> Floats:
    """The sum of term(i) over 0 <= i < count, for each count."""
    sums = np.cumsum(term(np.arange(np.max(count, initial=0))))
    return np.concatenate([[0.0], sums])[count]


def _at_least(events: Numbers, shape: Floats, ratio: Floats) -> Floats:
    """P(so many events or more), for one or more: negative binomial with mean shape * ratio."""
    if np.ndim(events) == 0 and events == 1:
        return -np.expm1(-shape * np.log1p(ratio))
    return np.asarray(special.betainc(events, shape, ratio / (1 + ratio)))


def _exactly(events: Numbers, shape: Floats, ratio: Floats) -> Floats:
    """P(just so many events)."""
    log_ways = -special.betaln(shape, np.add(events, 1.0)) - np.log(shape + events)
    log_share = special.xlogy(events, ratio / (1 + ratio)) - shape * np.log1p(ratio)
    return np.asarray(np.exp(log_ways + log_share))


def _tail_sums(gap: Any, shape: Floats, ratio: Floats) -> Any:
    """The sum over i = 1, 2, .. of P(at least i events) z^(i - 1), where z = 1 - gap."""
    return -np.expm1(-shape * np.log1p(ratio * gap)) / gap


def _rising_tail_sums(gap: Any, shape: Floats, ratio: Floats) -> Any:
    """The same with weights i - 1: z times its derivative by z."""
    mean = ratio * gap
    if np.iscomplexobj(gap):
        two_or_more = 1 - (1 + shape * mean / (1 + mean)) * np.exp(-shape * np.log1p(mean))
    else:
        two_or_more = special.betainc(2, shape, mean / (1 + mean))
    return (1 - gap) * two_or_more / gap**2
