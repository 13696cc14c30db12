"""How far the lists that are served have moved from those of the training.

By the population stability index over ten groups, sum (a - e) ln(a / e) for the shares of what is
served and of what was to be expected: below .1 nothing moved, from .25 on much did (Siddiqi 2006).
"""

from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..udfs.history import Doubles, Longs

GROUPS = 10
FEWEST = 500  # places in lists, of fewer nothing is said
MEMORY = 10_000  # places after which what was served counts half


class Drift:
    """Counts what is served beside the lists of some users by a version of a recommender.

    Args:
        items: what these lists hold, as texts.
        score: of each, shape (n,).
    """

    def __init__(self, items: pa.Array, score: Doubles) -> None:
        self._edges = np.unique(np.quantile(score, np.linspace(0, 1, GROUPS + 1)[1:-1]))
        counted = items.value_counts()
        count = counted.field("counts").to_numpy()
        order = np.argsort(-count, kind="stable")
        self._items = counted.field("values").take(pa.array(order))
        # as many places in each group, from what is listed most; the last is of what never was
        share = np.cumsum(count[order]) / count.sum()
        self._group = np.append(np.minimum((share * GROUPS).astype(np.int64), GROUPS - 1), GROUPS)
        self._expected = self._groups(items, score)
        self._served = {of: np.zeros(len(one)) for of, one in self._expected.items()}
        self._lock = threading.Lock()

    def _groups(self, items: pa.Array, score: Doubles) -> dict[str, Longs]:
        place = pc.index_in(items, value_set=self._items).fill_null(len(self._items)).to_numpy()
        return {
            "items": np.bincount(self._group[place], minlength=GROUPS + 1),
            "scores": np.bincount(
                np.searchsorted(self._edges, score), minlength=len(self._edges) + 1
            ),
        }

    def count(self, items: pa.Array, score: Doubles) -> None:
        """Count what was served; arguments as those of the class."""
        found = self._groups(items, score)
        kept = 0.5 ** (len(items) / MEMORY)
        with self._lock:
            for of, served in self._served.items():
                served *= kept
                served += found[of]

    def index(self) -> dict[str, float]:
        """The index of items and of scores; none where too little was served."""
        with self._lock:
            served = {of: one.copy() for of, one in self._served.items()}
        return {
            of: psi(self._expected[of], one) for of, one in served.items() if one.sum() >= FEWEST
        }


def psi(expected: Longs, came: Doubles) -> float:
    """The population stability index of counts in groups, one more in each on both sides."""
    e, a = ((one + 1) / (one + 1).sum() for one in (expected, came))
    return float(((a - e) * np.log(a / e)).sum())
