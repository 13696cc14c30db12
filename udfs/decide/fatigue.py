"""What being shown before, and the place in a list, do to the chance that an item is taken.

A logistic regression with a level for each number of times and each place, beside how often the
user and the item had been taken before: who is shown an item again is not who is shown it once.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from ..history import Doubles, Longs
from .estimates import sure

PRIOR = 20.0  # impressions that the share of all counts as beside those of a user or item
RIDGE = 1.0  # on levels, in observations: of no account but where one was never or always taken
FEWEST = 30  # taken, below which nothing is said


@dataclasses.dataclass(frozen=True)
class Levels:
    """Log-odds of levels beside those of the first, with their standard errors, shape (levels,)."""

    odds: Doubles
    error: Doubles

    @property
    def sure(self) -> Doubles:
        """What of the log-odds is sure."""
        return sure(self.odds, self.error)


def before(taken: Doubles, shown: Doubles, share: float) -> Doubles:
    """The log-odds of the share that was taken before, drawn towards that of all."""
    found = (taken + PRIOR * share) / (shown + PRIOR)
    out: Doubles = np.log(found / (1 - found))
    return out


def levels(taken: Doubles, factors: list[Longs], beside: list[Doubles]) -> list[Levels]:
    """The log-odds of the levels of each factor.

    Args:
        taken: 0 or 1, shape (n,).
        factors: numbers of levels from 0 on, shape (n,) each.
        beside: what else counts, shape (n,) each.
    """
    from sklearn.linear_model import LogisticRegression

    counts = [int(one.max(initial=0)) for one in factors]
    columns = [one == level for one, most in zip(factors, counts, strict=True)
               for level in range(1, most + 1)]  # fmt: skip
    x = np.column_stack([*columns, *(one - one.mean() for one in beside)]).astype(np.float64)
    fitted = LogisticRegression(C=1 / RIDGE, solver="newton-cholesky", tol=1e-8).fit(x, taken)
    chance = fitted.predict_proba(x)[:, 1]
    wide = np.column_stack([x, np.ones(len(x))])
    information = wide.T @ (wide * (chance * (1 - chance))[:, None])
    information[np.diag_indices(x.shape[1])] += RIDGE
    error = np.sqrt(np.diag(np.linalg.inv(information)))
    found, first = [], 0
    for most in counts:
        mine = slice(first, first + most)
        found.append(
            Levels(np.append(0.0, fitted.coef_[0][mine]), np.append(0.0, error[: x.shape[1]][mine]))
        )
        first += most
    return found
