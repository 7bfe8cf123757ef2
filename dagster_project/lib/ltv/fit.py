"""Maximum likelihood on grouped counts: each distinct history once, with its customers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from scipy import optimize, special

from dagster_project.lib.ltv.arrays import Floats, Numbers
from dagster_project.lib.ltv.purchases import Process, Purchases
from dagster_project.lib.ltv.spend import Spend

Model = TypeVar("Model", Purchases, Spend)

PILOT = 5_000  # distinct histories on which the starts are tried
STEEP = 1e-8  # a derivative of the mean log-likelihood from which on this is no maximum
BLOCK = 16_000  # histories computed at once
FREE = 3.0  # a standard error of a log parameter from which on it is unknown: a factor of 20
TIE = 0.1  # a gain in log-likelihood up to which drop-out cannot be told from none
ENDLESS = 1e12  # stands for a q without end
LARGEST_P = 1e4  # purchases that differ by a hundredth differ by nothing
FAR = 30.0  # a log parameter beyond which nothing changes any more

PURCHASE_STARTS = ((0.5, 1, 3), (0.2, 0.1, 0.1), (0.5, 5, 2), (2, 0.3, 30), (1, 50, 50))  # r, a, b
SPEND_STARTS = ((2, 3), (10, 3), (1, 20))  # p, q

NO_DROP_OUT = "no drop-out: nobody is seen to leave, so everybody counts as alive"
STEADY = "customers do not vary in what they pay: everybody is expected to pay his own mean"
ALIKE = "customers do not differ in what they pay: everybody is expected to pay the mean"
OPEN = "a boundary: the data leave parameters open by more than a factor of 20"
NOT_FOUND = "no maximum of the likelihood was found"


class NoFit(Exception):
    """A model cannot be fitted to these data, for the reason in words."""


@dataclass(frozen=True)
class Fit(Generic[Model]):
    """A model at the maximum of its likelihood.

    covariance: of the logarithms of the parameters; 0 in the directions that the data leave free.
    standard_errors: of the parameters, by the delta method; None where `message` is not empty.
    has_converged: no derivative of the mean log-likelihood reaches 1e-8.
    is_boundary: parameters are at a limit, or open by more than a factor of 20.
    message: in plain words, what is out of the ordinary.
    """

    model: Model
    log_likelihood: float
    customers: int
    covariance: Floats
    standard_errors: dict[str, float] | None
    has_converged: bool
    is_boundary: bool
    message: str = ""


def fit_purchases(
    process: Process, x: Numbers, t_x: Numbers, T: Numbers, customers: Numbers
) -> Fit[Purchases]:
    """The process with the parameters under which these histories are likeliest.

    x, t_x, T, customers: as many as there are distinct histories, in any order; see `purchases`.
    Where drop-out gains nothing over the limit without, the NBD, the fit is that limit: a = 0 and
    everybody alive. Raises NoFit where nobody has bought again, and for k > 1 where somebody
    has at time 0.
    """
    if process.stages > 1 and np.any((np.asarray(x) > 0) & (np.asarray(t_x) == 0)):
        raise NoFit("a repeat purchase in no time cannot be one of regular purchases")
    data = _Data.of([x, t_x, T], customers)
    repeats, observed = (data.customers @ data.histories[i] for i in (0, 2))
    if not repeats:
        raise NoFit("nobody has bought again")
    pace = process.stages * observed / repeats
    starts = [np.log(np.array([r, r * pace, a, b])) for r, a, b in PURCHASE_STARTS]
    leaving = _Likelihood(data, lambda v: Purchases(process, *v))
    staying = _Likelihood(data, lambda v: Purchases(process, v[0], v[1], 0.0, 1.0))
    fit = leaving.fit(starts)
    if fit.is_boundary:
        limit = staying.fit([np.log(np.array([1.0, pace]))], NO_DROP_OUT)
        if fit.log_likelihood < limit.log_likelihood + TIE:
            return limit
    return fit


def fit_spend(x_m: Numbers, m: Numbers, customers: Numbers) -> Fit[Spend]:
    """The Gamma-Gamma model under which these means m of x_m purchases are likeliest.

    x_m, m, customers: as many as there are distinct pairs, in any order, all above 0. Where
    customers do not differ, or the purchases of one customer do not, it is the limit without such
    a difference. Raises NoFit where there are none.
    """
    data = _Data.of([x_m, m], customers)
    if not data.customers.size:
        raise NoFit("nobody has bought again for a positive value")
    mean = data.customers @ data.histories[1] / data.customers.sum()
    starts = [np.log(np.array([p, q, mean * (q - 1) / p])) for p, q in SPEND_STARTS]
    fit = _Likelihood(data, lambda v: Spend(*v)).fit(starts)
    if fit.is_boundary or not fit.has_converged:
        limit = max(_alike(data), _steady(data), key=lambda limit: limit.log_likelihood)
        if not fit.has_converged or fit.log_likelihood < limit.log_likelihood + TIE:
            return limit
    return fit


def _steady(data: "_Data") -> Fit[Spend]:
    """The limit of Gamma-Gamma in which a customer always pays the same: p without end."""
    mean = data.customers @ data.histories[1] / data.customers.sum()
    likelihood = _Likelihood(data, lambda v: Spend(LARGEST_P, v[1], v[2] / LARGEST_P), held=0)
    return likelihood.fit([np.log(np.array([LARGEST_P, 3, 2 * mean]))], STEADY)


def _alike(data: "_Data") -> Fit[Spend]:
    """The limit of Gamma-Gamma in which the purchases of all have one gamma distribution.

    Its mean is that of all purchases; its shape p is where the derivative of the likelihood is 0.
    """
    (x_m, m), customers = data.histories, data.customers
    mean = float(customers @ (x_m * m) / (customers @ x_m))

    def derivative(p: float) -> float:
        difference = np.log(p * x_m) - special.psi(p * x_m) + np.log(m / mean)
        return float(customers @ (x_m * difference))

    is_even = derivative(LARGEST_P) > 0
    p = LARGEST_P if is_even else optimize.brentq(derivative, 1e-6, LARGEST_P)
    model = Spend(p, ENDLESS, mean / p * ENDLESS)
    px = p * x_m
    shape = 0.0 if is_even else 1 / (customers @ (px**2 * special.polygamma(1, px) - px))
    level = 1 / (customers @ px)
    return Fit(
        model=model,
        log_likelihood=float(customers @ model.log_likelihood(x_m, m)),
        customers=int(customers.sum()),
        covariance=np.array([[shape, 0, -shape], [0, 0, 0], [-shape, 0, shape + level]]),
        standard_errors=None,
        has_converged=True,
        is_boundary=True,
        message=ALIKE,
    )


@dataclass(frozen=True)
class _Data:
    """Distinct histories in one order, whatever that of the input."""

    histories: list[Floats]
    customers: Floats

    @classmethod
    def of(cls, columns: Sequence[Numbers], customers: Numbers) -> "_Data":
        histories = [np.asarray(column) for column in columns]
        order = np.lexsort(histories)
        return cls([column[order] for column in histories], np.asarray(customers, float)[order])

    def pilot(self) -> "_Data":
        """A part of the data that stands for all: the larger a group, the likelier it is in it."""
        if self.customers.size <= PILOT:
            return self
        sizes = np.cumsum(np.sqrt(self.customers))
        chosen = np.searchsorted(sizes, (np.arange(PILOT) + 0.5) / PILOT * sizes[-1])
        return _Data([column[chosen] for column in self.histories], np.sqrt(self.customers[chosen]))


@dataclass(frozen=True)
class _Peak:
    """A maximum: where, how high, and the first and second derivatives there, these negated."""

    theta: Floats
    value: float
    gradient: Floats
    curvature: Floats

    @property
    def slope(self) -> float:
        return float(np.abs(self.gradient).max())


@dataclass(frozen=True)
class _Likelihood(Generic[Model]):
    """The mean log-likelihood of the data as a function of log parameters, one of which may be
    held."""

    data: _Data
    model: Callable[[list[float]], Model]
    held: int | None = None

    def at(self, theta: Floats) -> Model:
        return self.model(np.exp(np.clip(theta, -FAR, FAR)).tolist())

    def __call__(self, theta: Floats) -> tuple[float, Floats]:
        """The value and its derivatives, in blocks that fit the cache of a processor.

        Sums are by einsum: a matrix product of such blocks would wake threads that wait on each
        other longer than they work, and its rounding would depend on their number.
        """
        model = self.at(theta)
        value, gradient = 0.0, np.zeros(theta.size)
        for i in range(0, len(self.data.customers), BLOCK):
            block = slice(i, i + BLOCK)
            customers = self.data.customers[block]
            values, gradients = model.log_likelihood_and_gradient(
                *(column[block] for column in self.data.histories)
            )
            value += float(np.einsum("i,i", values, customers))
            gradient += np.einsum("ij,j", gradients[: theta.size], customers)
        total = self.data.customers.sum()
        is_free = (np.abs(theta) < FAR) & (np.arange(theta.size) != self.held)
        return value / total, np.where(is_free, gradient / total, 0.0)

    def gradient(self, theta: Floats) -> Floats:
        return self(theta)[1]

    def curvature(self, theta: Floats) -> Floats:
        """The second derivatives, by differences of the first, over the root of the precision."""
        here, step = self.gradient(theta), 1e-8
        rows = [self.gradient(theta + step * unit) - here for unit in np.eye(theta.size)]
        return (np.array(rows) + np.transpose(rows)) / (2 * step)

    def climb(self, start: Floats) -> "_Peak":
        """The maximum that a start leads to, by Newton's method in a trust region.

        Where rounding stops it early, one step more is judged by the derivatives alone.
        """
        try:
            found = optimize.minimize(
                lambda theta: tuple(-part for part in self(theta)),
                start,
                jac=True,
                hess=lambda theta: -self.curvature(theta),
                method="trust-exact",
                options={"gtol": STEEP / 10, "max_trust_radius": 2.0},
            )
            peak = _Peak(found.x, -found.fun, -found.jac, found.hess)
            if peak.slope < STEEP / 10:
                return peak
            theta = found.x - np.linalg.lstsq(found.hess, found.jac, rcond=1e-9)[0]
            return min(peak, _Peak(theta, *self(theta), found.hess), key=lambda peak: peak.slope)
        except (np.linalg.LinAlgError, ValueError):  # no numbers any more: no maximum here
            return _Peak(start, -np.inf, np.full(start.size, np.inf), np.zeros((start.size,) * 2))

    def best(self, starts: Sequence[Floats]) -> "_Peak":
        """The highest of the maxima to which starts lead, which a part of the data decides."""
        pilot = _Likelihood(self.data.pilot(), self.model, self.held)
        return self.climb(max(map(pilot.climb, starts), key=lambda peak: peak.value).theta)

    def fit(self, starts: Sequence[Floats], limit: str = "") -> Fit[Model]:
        """The best fit; `limit` says in words that the model is a limit of another."""
        peak, customers = self.best(starts), self.data.customers.sum()
        model = self.at(peak.theta)
        information, directions = np.linalg.eigh(customers * peak.curvature)
        known = information > FREE**-2
        spread = np.zeros((len(model.parameters), known.sum()))
        spread[: peak.theta.size] = directions[:, known] / np.sqrt(information[known])
        sizes = np.linalg.norm(spread, axis=1) * list(model.parameters.values())
        has_converged, is_open = peak.slope < STEEP, not known.all()
        notes = [limit or OPEN] * (bool(limit) or is_open) + [NOT_FOUND] * (not has_converged)
        return Fit(
            model=model,
            log_likelihood=float(peak.value * customers),
            customers=int(customers),
            covariance=spread @ spread.T,
            standard_errors=None
            if notes
            else dict(zip(model.parameters, sizes.tolist(), strict=True)),
            has_converged=has_converged,
            is_boundary=bool(limit) or is_open,
            message="; ".join(notes),
        )
