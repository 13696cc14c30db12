"""What a metric of a model is worth: its mean with standard error, interval and test."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from .trial import Doubles

OURS = "morec_sql"
RESAMPLES = 999
RESAMPLES_OF_SETS = 199  # for coverage and Gini, which count over all lists at once


@dataclasses.dataclass(frozen=True)
class Measured:
    """One metric of one model: its mean over the users, and ours against it.

    difference is ours minus this model's over the same users, p_value that of a paired permutation
    test of it; both are None for our own rows and for metrics of all lists together.
    """

    model: str
    metric: str
    value: float
    standard_error: float
    low: float
    high: float
    users: int
    difference: float | None
    p_value: float | None


def of_users(model: str, metric: str, ours: Doubles, theirs: Doubles) -> Measured:
    """The mean of a metric that each user has, with its bootstrap interval over the users."""
    from scipy import stats

    values = theirs[np.isfinite(theirs)]
    value = float(values.mean()) if len(values) else float("nan")
    error, low, high = 0.0, value, value
    if len(values) > 1 and np.ptp(values) > 0:
        drawn = stats.bootstrap(
            (values,), np.mean, n_resamples=RESAMPLES, method="percentile", vectorized=True, rng=0
        )
        error = float(drawn.standard_error)
        low, high = map(float, drawn.confidence_interval)
    difference = p_value = None
    if model != OURS:
        both = np.isfinite(ours) & np.isfinite(theirs)
        change = ours[both] - theirs[both]
        difference, p_value = float(change.mean()) if len(change) else 0.0, 1.0
        if change.any():
            p_value = float(
                stats.permutation_test(
                    (ours[both], theirs[both]),
                    lambda a, b, axis: np.mean(a - b, axis=axis),
                    permutation_type="samples",
                    n_resamples=RESAMPLES,
                    vectorized=True,
                    rng=0,
                ).pvalue
            )
    return Measured(model, metric, value, error, low, high, len(values), difference, p_value)


def errors_of_sets(lists: npt.NDArray[np.int64], items: int) -> dict[str, float]:
    """Standard errors of coverage and Gini: their spread over resamples of the users."""
    from scipy.sparse import csr_array

    user, place = np.nonzero(lists >= 0)
    shown, item = np.unique(lists[user, place], return_inverse=True)
    matrix = csr_array((np.ones(len(item)), (user, item)), shape=(len(lists), len(shown)))
    users = len(lists)
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(users, np.full(users, 1 / users), RESAMPLES_OF_SETS)
    times = np.sort((matrix.T @ drawn.T).T, axis=1)
    place = np.arange(items - len(shown) + 1, items + 1)
    gini = ((2 * place - items - 1) * times).sum(axis=1) / (items * times.sum(axis=1))
    coverage = (times > 0).sum(axis=1) / items
    return {"coverage": float(coverage.std(ddof=1)), "gini": float(gini.std(ddof=1))}
