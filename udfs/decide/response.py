"""What an offer leads to: chances, counts and amounts as functions of features, additive in them.

Chances are by logistic regression, counts by Poisson regression with the time that they were
counted over as exposure, amounts by least squares, all with a ridge (le Cessie and van Houwelingen
1992). So the logarithm of the odds, or of the count, or the amount is a sum with a part for each
feature. How strong the ridge is, and which features count at all, is what foretells best the
outcomes of groups that were left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ..history import Doubles, Longs
from .candidates import Flags
from .groups import apart

RIDGES = (3.0, 30.0, 300.0, 3000.0)  # in units of observations
FOLDS = 5
FEWEST_GROUPS = 3  # that say how far they are apart
MARGIN = 1.0  # standard deviations from what was seen that are not far
STEPS = 100  # of Newton's, at most
SOLVER = "newton-cholesky"  # for many rows of few features
SMALLEST = 1e-9  # chance or count, within a deviance

Kind = Literal["chance", "count", "amount"]


@dataclasses.dataclass(frozen=True)
class Response:
    """A regression on standardised features: mean, deviation and coefficient have shape (f,).

    low and high are the smallest and the largest value of each feature that it was fitted on.
    spread is the standard deviation by which groups, such as campaigns, are off as a whole when
    they were left out, of the log-odds, the logarithm or the amount; NaN where that is not known.
    """

    kind: Kind
    mean: Doubles
    deviation: Doubles
    coefficient: Doubles
    intercept: float
    low: Doubles
    high: Doubles
    spread: float = float("nan")

    def parts(self, x: Doubles) -> Doubles:
        """What each feature adds to the intercept, shape (n, f); nothing where it is unknown."""
        out: Doubles = (x - self.mean) / self.deviation * self.coefficient
        return np.where(np.isfinite(out), out, 0.0)

    def expected(self, x: Doubles, exposure: Doubles | None = None) -> Doubles:
        """The chance, the count over the exposure, or the amount, of features of shape (n, f)."""
        # not by BLAS, whose last digits depend on where the arrays lie in memory
        total: Doubles = self.intercept + self.parts(x).sum(axis=1)
        if self.kind == "amount":
            return total
        if self.kind == "chance":
            out: Doubles = 1 / (1 + np.exp(-total))
            return out
        counted: Doubles = np.exp(total) * (1.0 if exposure is None else exposure)
        return counted

    def off(self, expected: Doubles, spreads: float) -> Doubles:
        """What was expected, or a multiple of counts, of a group that is off by so many spreads."""
        if self.kind == "amount":
            return expected + spreads * self.spread
        more = expected * np.exp(spreads * self.spread)
        out: Doubles = more / (1 - expected + more) if self.kind == "chance" else more
        return out

    def beyond(self, x: Doubles) -> Flags:
        """Where a feature that counts is unknown, or far from what was seen, shape (n,)."""
        margin = MARGIN * self.deviation
        inside = (x >= self.low - margin) & (x <= self.high + margin)
        out: Flags = (~inside & (self.coefficient != 0)).any(axis=1)
        return out


def deviance(kind: Kind, y: Doubles, expected: Doubles, weight: Doubles | None = None) -> float:
    """The mean deviance: twice the log loss of chances, the squared error of amounts.

    Args:
        kind: of the outcome.
        y: outcomes, shape (n,).
        expected: the same as they were expected.
        weight: how often each row counts; once by default.
    """
    if kind == "amount":
        each = (y - expected) ** 2
    elif kind == "chance":
        mean, rest = (np.maximum(one, SMALLEST) for one in (expected, 1 - expected))
        each = -2 * (y * np.log(mean) + (1 - y) * np.log(rest))
    else:
        mean = np.maximum(expected, SMALLEST)
        each = 2 * (y * np.log(np.where(y > 0, y / mean, 1.0)) - y + mean)
    return float(np.average(each, weights=weight))


def fit(
    kind: Kind,
    x: Doubles,
    y: Doubles,
    groups: Longs,
    subsets: Mapping[str, Sequence[int]],
    exposure: Doubles | None = None,
) -> tuple[str, Response]:
    """Fit the subset of the features, and the ridge, that foretell other groups best.

    Args:
        kind: a chance, of y of 0 and 1, a count, of y from 0 on, or an amount.
        x: features, shape (n, f), NaN where one is unknown.
        y: outcomes, shape (n,).
        groups: what is left out together, shape (n,); rows by themselves where there is one group.
        subsets: positions of features, by the name of each subset; the first of equals is taken.
        exposure: what counts are over, such as days, shape (n,).

    Returns:
        the name of the subset, and the regression.
    """
    exposure = np.ones(len(y)) if exposure is None else exposure
    fold = _folds(groups)
    best: tuple[float, str, float, float] | None = None
    for name, features in subsets.items():
        for ridge in RIDGES if len(features) else RIDGES[:1]:
            expected = np.empty(len(y))
            for out in np.unique(fold):
                left = fold == out
                one = _fitted(kind, x[~left], y[~left], exposure[~left], features, ridge)
                expected[left] = one.expected(x[left], exposure[left])
            found = deviance(kind, y, expected)
            if best is None or found < best[0]:
                best = found, name, ridge, _spread(kind, y, expected, groups)
    assert best is not None
    _, name, ridge, spread = best
    fitted = _fitted(kind, x, y, exposure, subsets[name], ridge)
    return name, dataclasses.replace(fitted, spread=spread)


def _spread(kind: Kind, y: Doubles, expected: Doubles, groups: Longs) -> float:
    """By how much groups are off as a whole beyond chance, as Response.spread.

    By the method of moments (DerSimonian and Laird 1986).

    Args:
        kind: of the outcome.
        y: outcomes, shape (n,).
        expected: the same as they were expected of groups that were left out.
        groups: of the rows.
    """
    _, group = np.unique(groups, return_inverse=True)
    size = np.bincount(group)
    if len(size) < FEWEST_GROUPS:
        return float("nan")
    came, said = (np.bincount(group, one) for one in (y, expected))
    off: Doubles
    information: Doubles
    if kind == "amount":
        off = ((came - said) / size).astype(np.float64)
        information = (size / max(float(np.var(y - expected)), SMALLEST)).astype(np.float64)
    elif kind == "count":
        square = (y - expected) ** 2 / np.maximum(expected, SMALLEST)
        off = np.log((came + 0.5) / (said + 0.5))
        information = ((said + 0.5) / max(float(square.mean()), 1.0)).astype(np.float64)
    else:
        off = np.log((came + 0.5) / (size - came + 0.5) / (said + 0.5) * (size - said + 0.5))
        information = np.bincount(group, expected * (1 - expected)).astype(np.float64)
    return float(apart(off[:, None], information[:, None])[0] ** 0.5)


def _folds(groups: Longs) -> Longs:
    """The fold of each row: groups stay together where there are several."""
    _, number = np.unique(groups, return_inverse=True)
    count = int(number.max(initial=0)) + 1
    if count == 1:
        return np.arange(len(groups)) % FOLDS
    # the largest first, each into the smallest fold
    size = np.bincount(number)
    load, fold = np.zeros(min(FOLDS, count)), np.zeros(count, np.int64)
    for group in np.argsort(-size, kind="stable"):
        fold[group] = int(load.argmin())
        load[fold[group]] += size[group]
    out: Longs = fold[number]
    return out


def _fitted(
    kind: Kind, x: Doubles, y: Doubles, exposure: Doubles, features: Sequence[int], ridge: float
) -> Response:
    """The regression on some features, with coefficients of 0 for the others."""
    known = np.isfinite(x)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, x, 0).sum(axis=0) / count
    deviation = np.sqrt((np.where(known, x - mean, 0) ** 2).sum(axis=0) / count)
    deviation = np.where(deviation > SMALLEST, deviation, 1.0)
    z = np.where(known, (x - mean) / deviation, 0.0)[:, list(features)]
    coefficient = np.zeros(x.shape[1])
    # half an outcome more of either kind, so that no chance is 0 or 1
    if kind == "chance":
        share = (y.sum() + 0.5) / (len(y) + 1)
        intercept = float(np.log(share / (1 - share)))
    elif kind == "amount":
        intercept = float(y.mean())
    else:
        intercept = float(np.log((y.sum() + 0.5) / (exposure.sum() + 0.5)))
    if len(features) and len(np.unique(y)) > 1:
        from threadpoolctl import threadpool_limits

        model = _regression(kind, ridge, float(exposure.sum()))
        # of a few columns, for which threads wait for each other longer than they work
        with threadpool_limits(1):
            if kind == "count":
                model.fit(z, y / exposure, sample_weight=exposure)
            else:
                model.fit(z, y > 0 if kind == "chance" else y)
        coefficient[list(features)] = model.coef_.ravel()
        intercept = float(np.ravel(model.intercept_)[0])
    low, high = (
        edge(np.where(known, x, other), axis=0, initial=other)
        for edge, other in ((np.min, np.inf), (np.max, -np.inf))
    )
    return Response(kind, mean, deviation, coefficient, intercept, low, high)


def _regression(kind: Kind, ridge: float, exposure: float) -> Any:
    from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge

    if kind == "chance":
        return LogisticRegression(C=1 / ridge, solver=SOLVER, max_iter=STEPS)
    if kind == "amount":
        return Ridge(alpha=ridge)
    # its penalty is beside a mean over the exposure, and not a sum
    return PoissonRegressor(alpha=ridge / exposure, solver=SOLVER, max_iter=STEPS)
