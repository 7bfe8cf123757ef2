"""Value per purchase: the Gamma-Gamma model.

The values of a customer's purchases are Gamma(p, rate nu), and over customers nu ~ Gamma(q, rate
gamma), whatever the number of purchases. x_m is the number of repeat purchases of positive value, m
their mean; amounts are in the unit of gamma.

[GG] Fader and Hardie 2013, The Gamma-Gamma Model of Monetary Value, brucehardie.com/notes/025
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from dagster_project.lib.ltv.arrays import Floats, Numbers


@dataclass(frozen=True)
class Spend:
    """The model with its parameters."""

    p: float
    q: float
    gamma: float

    @property
    def name(self) -> str:
        return "gamma_gamma"

    @property
    def parameters(self) -> dict[str, float]:
        return {"p": self.p, "q": self.q, "gamma": self.gamma}

    def log_likelihood(self, x_m: Numbers, m: Numbers) -> Floats:
        """Log-likelihood of each mean m of x_m > 0 purchases: [GG] eq. (1a)."""
        return self.log_likelihood_and_gradient(x_m, m)[0]

    def log_likelihood_and_gradient(self, x_m: Numbers, m: Numbers) -> tuple[Floats, Floats]:
        """The log-likelihoods and, in three rows, their derivatives by log p, q, gamma."""
        p, q, gamma = self.p, self.q, self.gamma
        x_m, m = np.asarray(x_m, np.int64), np.asarray(m, float)
        px, spent = p * x_m, x_m * m
        log_prior, log_spent = -np.log1p(spent / gamma), -np.log1p(gamma / spent)
        each = p * np.arange(1, np.max(x_m, initial=1) + 1)  # px of every count, computed once
        both = special.psi(each + q)
        value = -special.betaln(each, q)[x_m - 1] - np.log(m) + q * log_prior + px * log_spent
        gradient = np.stack(
            [
                px * ((both - special.psi(each))[x_m - 1] + log_spent),
                q * ((both - special.psi(q))[x_m - 1] + log_prior),
                q - (px + q) * gamma / (gamma + spent),
            ]
        )
        return value, gradient

    def expected_spend(self, x_m: Numbers, m: Numbers) -> Floats:
        """Expected value of a future purchase: [GG] eq. (5), p (gamma + x_m m) / (p x_m + q - 1).

        For x_m = 0 it is the mean over customers, whatever m. Where p x_m + q <= 1 it is inf.
        """
        return self._moment(x_m, m, 1) * self.p

    def second_moment(self, x_m: Numbers, m: Numbers) -> Floats:
        """Mean square, over what x_m and m leave open, of a customer's own mean value per purchase;
        inf where p x_m + q <= 2. The value of one purchase has 1 + 1 / p times this mean square."""
        return self._moment(x_m, m, 2) * self.p**2

    def largest_sum(self, x_m: Numbers, chance: float) -> Floats:
        """The sum of x_m > 0 purchases that a customer exceeds with this chance.

        Over customers, sum / (gamma + sum) ~ Beta(p x_m, q), and its complement Beta(q, p x_m).
        """
        px = self.p * np.asarray(x_m, float)
        share, rest = (
            special.betainccinv(px, self.q, chance),
            special.betaincinv(self.q, px, chance),
        )
        return np.asarray(self.gamma * share / rest)

    def _moment(self, x_m: Numbers, m: Numbers, power: int) -> Floats:
        """E nu^-power, where nu ~ Gamma(p x_m + q, rate gamma + x_m m)."""
        x_m = np.asarray(x_m, float)
        shape, rate = self.p * x_m + self.q, self.gamma + np.where(x_m > 0, x_m * m, 0)
        moment = np.ones(np.broadcast(shape, rate).shape)
        with np.errstate(divide="ignore"):
            for i in range(1, power + 1):
                moment = moment * rate / np.maximum(shape - i, 0)
        return moment
