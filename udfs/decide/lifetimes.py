"""When customers who order now and then are lost, and how often the others order: BG/NBD.

While alive a customer orders at a rate of their own, gamma with shape r and rate alpha over all of
them, and after each order is lost with a chance of their own, beta with a and b (Fader, Hardie and
Lee 2005, "Counting your customers the easy way"). x is the number of orders after the first one,
t_x the time of the last and T the time until now, both since the first.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from ..history import Doubles

MOST = 20_000  # customers that the parameters are fitted on
EDGE = 8.0  # of the logarithm of a parameter
STARTS = ((0.0, 0.0, 0.0, 0.0), (0.0, 3.0, -1.0, 1.0))  # of the optimiser, as logarithms


@dataclasses.dataclass(frozen=True)
class Lifetimes:
    """The parameters; times are in the unit that they were fitted in."""

    r: float
    alpha: float
    a: float
    b: float

    def alive(self, x: Doubles, t_x: Doubles, age: Doubles) -> Doubles:
        """The chance not to be lost, shape (n,)."""
        return 1 / (1 + self._odds(x, t_x, age))

    def active(self, x: Doubles, t_x: Doubles, age: Doubles, horizon: float) -> Doubles:
        """The chance of an order within the horizon, shape (n,).

        Nobody is lost before the next order, so that it is the chance to be alive times that of a
        Poisson process whose rate is gamma with r + x and alpha + T.
        """
        none = ((self.alpha + age) / (self.alpha + age + horizon)) ** (self.r + x)
        out: Doubles = self.alive(x, t_x, age) * (1 - none)
        return out

    def orders(self, x: Doubles, t_x: Doubles, age: Doubles, horizon: float) -> Doubles:
        """The expected number of orders within the horizon, shape (n,): formula (10)."""
        from scipy.special import hyp2f1

        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        # the formula has a gap at a = 1
        a = a + 1e-6 if abs(a - 1) < 1e-6 else a
        later = alpha + age + horizon
        rest = ((alpha + age) / later) ** (r + x)
        series = hyp2f1(r + x, b + x, a + b + x - 1, horizon / later)
        out: Doubles = (a + b + x - 1) / (a - 1) * (1 - rest * series) * self.alive(x, t_x, age)
        return np.maximum(out, 0)

    def _odds(self, x: Doubles, t_x: Doubles, age: Doubles) -> Doubles:
        """The odds to be lost; 0 for who ordered once alone."""
        ratio = (self.alpha + age) / (self.alpha + t_x)
        out: Doubles = np.where(
            x > 0, self.a / (self.b + np.maximum(x, 1) - 1) * ratio ** (self.r + x), 0.0
        )
        return out


def likelihood(of: Lifetimes, x: Doubles, t_x: Doubles, age: Doubles) -> Doubles:
    """The logarithm of the likelihood of each customer, shape (n,): formula (6)."""
    from scipy.special import gammaln

    r, alpha, a, b = of.r, of.alpha, of.a, of.b
    order = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    stay = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    alive = -(r + x) * np.log(alpha + age)
    lost = np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + t_x)
    out: Doubles = order + stay + np.where(x > 0, np.logaddexp(alive, lost), alive)
    return out


def fit_lifetimes(x: Doubles, t_x: Doubles, age: Doubles, seed: int) -> Lifetimes:
    """The parameters that make what customers did likeliest; arguments have shape (n,)."""
    from scipy.optimize import minimize

    if len(x) > MOST:
        some = np.random.default_rng(seed).choice(len(x), MOST, replace=False)
        x, t_x, age = x[some], t_x[some], age[some]
    # times in units of the mean age, so that parameters are of about one size
    unit = max(float(age.mean()), 1e-9)
    t_x, age = t_x / unit, age / unit

    def loss(logarithms: Doubles) -> float:
        r, alpha, a, b = np.exp(logarithms)
        return -float(likelihood(Lifetimes(r, alpha, a, b), x, t_x, age).mean())

    bounds = [(-EDGE, EDGE)] * 4
    found = min(
        (minimize(loss, start, method="L-BFGS-B", bounds=bounds) for start in STARTS),
        key=lambda one: float(one.fun),
    )
    r, alpha, a, b = np.exp(found.x).tolist()
    return Lifetimes(r, alpha * unit, a, b)


def credible(total: Doubles, squares: Doubles, count: Doubles) -> Doubles:
    """The mean of what each customer's orders bring, drawn towards that of all (Buhlmann 1967).

    Args:
        total: the sum over the orders of each customer, shape (n,).
        squares: the sum of their squares.
        count: how many, from 0 on.
    """
    number = count.sum()
    if not number:
        return np.zeros(len(total))
    overall = float(total.sum() / number)
    mean = np.where(count > 0, total / np.maximum(count, 1), overall)
    inner = float((squares - count * mean**2).sum())
    customers = int((count > 0).sum())
    within = max(inner / max(number - customers, 1), 0.0)
    spread = float((count * (mean - overall) ** 2).sum()) - (customers - 1) * within
    between = spread / max(number - float((count**2).sum()) / number, 1e-9)
    # how many orders of a customer weigh as much as what is known of all
    prior = within / between if between > 1e-12 else np.inf
    weight = count / (count + prior) if np.isfinite(prior) else np.zeros(len(count))
    out: Doubles = weight * mean + (1 - weight) * overall
    return out
