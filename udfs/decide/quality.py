"""How well chances and orders foretell what came, with intervals by drawing users anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..history import Doubles, Longs
from .response import deviance

DRAWS = 40, 200  # of the bootstrap (Efron 1979), at least and at most; users are what is drawn
CHOSEN = "chosen"  # the method that answers, among others
MEASURED = ("value", "low", "high", "gain", "gain_low", "gain_high")  # the fields of Measured
MOST_ROWS = 4e7  # in all draws, about
LEVEL = 0.9  # of intervals


def auc(y: Doubles, score: Doubles, weight: Doubles) -> float:
    """The chance that one with an outcome is before one without; ties count as half.

    Args:
        y: 0 or 1.
        score: the higher, the earlier.
        weight: how often each row counts.
    """
    _, place = np.unique(score, return_inverse=True)
    with_it, without = np.bincount(place, weight * y), np.bincount(place, weight * (1 - y))
    below = np.cumsum(without) - without
    total = with_it.sum() * without.sum()
    return float((with_it * (below + without / 2)).sum() / total) if total else float("nan")


def ndcg(y: Doubles, score: Doubles, weight: Doubles) -> float:
    """Normalised discounted cumulative gain of all rows in the order of their scores.

    A row that counts several times takes as many places; parameters are those of auc.
    """
    order = np.argsort(-score, kind="stable")
    gain = np.repeat(y[order], weight[order].astype(np.int64))
    discount = 1 / np.log2(np.arange(len(gain)) + 2)
    best = float((np.sort(gain)[::-1] * discount).sum())
    return float((gain * discount).sum()) / best if best else float("nan")


Measure = Callable[[Doubles, Doubles, Doubles], Any]


def within(measure: Measure, groups: Longs) -> Measure:
    """The mean of a measure over groups, without those in which it is not defined."""
    rows = [np.flatnonzero(groups == group) for group in np.unique(groups)]

    def mean(y: Doubles, score: Doubles, weight: Doubles) -> float:
        found = np.array([measure(y[mine], score[mine], weight[mine]) for mine in rows])
        known = found[np.isfinite(found)]
        return float(known.mean()) if len(known) else float("nan")

    return mean


@dataclasses.dataclass(frozen=True)
class Measured:
    """A value with its interval, and how much larger the first one's is, with its interval.

    All are numbers, or arrays of one shape where that is what is measured.
    """

    value: Any
    low: Any
    high: Any
    gain: Any
    gain_low: Any
    gain_high: Any

    @property
    def numbers(self) -> tuple[Any, ...]:
        """All of them, in the order of MEASURED."""
        return dataclasses.astuple(self)


def measured(
    measure: Measure, y: Doubles, scores: Mapping[str, Doubles], users: Longs, seed: int
) -> dict[str, Measured]:
    """A measure of several scores of the same rows, with intervals.

    Args:
        measure: what is measured.
        y: outcomes, shape (n,).
        scores: by name, each of shape (n,); the first one is what others are compared to.
        users: of the rows, shape (n,); all rows of one are drawn together.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    _, number = np.unique(users, return_inverse=True)
    count = int(number.max(initial=0)) + 1
    every = np.ones(len(y))
    value = [measure(y, one, every) for one in scores.values()]
    drawn = []
    for _ in range(int(np.clip(MOST_ROWS / max(len(y), 1), *DRAWS))):
        times = np.bincount(generator.integers(0, count, count), minlength=count)
        weight = times[number].astype(np.float64)
        drawn.append([measure(y, one, weight) for one in scores.values()])
    draws = np.array(drawn)
    found = {}
    for place, name in enumerate(scores):
        less = draws[:, 0] - draws[:, place]
        low, high = _interval(draws[:, place])
        gain = value[0] - value[place]
        found[name] = Measured(value[place], low, high, gain, *_interval(less))
    return found


def _interval(drawn: Doubles) -> Doubles:
    """The ends of the interval, of what is defined along the first axis; NaN without any."""
    if np.isnan(drawn).all():
        return np.full((2, *drawn.shape[1:]), np.nan)
    out: Doubles = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return out


def calibration(y: Doubles, expected: Doubles, weight: Doubles) -> float:
    """How many outcomes were expected for each that came."""
    came = float((weight * y).sum())
    return float((weight * expected).sum()) / came if came else float("nan")


def log_loss(y: Doubles, expected: Doubles, weight: Doubles) -> float:
    """The mean of minus the logarithm of the chance of what came."""
    return deviance("chance", y, expected, weight) / 2


def explained(y: Doubles, expected: Doubles, weight: Doubles) -> float:
    """The share of the Poisson deviance from the mean that is explained."""
    mean = np.full(len(y), (weight * y).sum() / weight.sum())
    least = deviance("count", y, mean, weight)
    return 1 - deviance("count", y, expected, weight) / least if least else float("nan")


def mean_absolute(y: Doubles, expected: Doubles, weight: Doubles) -> float:
    """The mean absolute error."""
    return float(np.average(np.abs(y - expected), weights=weight))


def mean_square(y: Doubles, expected: Doubles, weight: Doubles) -> float:
    """The mean squared error."""
    return deviance("amount", y, expected, weight)


def root_mean_square(y: Doubles, expected: Doubles, weight: Doubles) -> float:
    """The root of the mean squared error."""
    return float(mean_square(y, expected, weight) ** 0.5)


def poisson_deviance(y: Doubles, expected: Doubles, weight: Doubles) -> float:
    """The mean deviance of counts."""
    return deviance("count", y, expected, weight)


def ratio(y: Doubles, value: Doubles, weight: Doubles) -> float:
    """The sum of values for each unit of the outcome."""
    total = float((weight * y).sum())
    return float((weight * value).sum()) / total if total else float("nan")
