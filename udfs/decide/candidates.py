"""Limits that bind all users together, and the items that contend for their lists."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import numpy.typing as npt

from ..history import Doubles, Floats, Longs

PLENTY = 3.0  # times what is to be reached are the candidates that it is chosen from
SLACK = 1e-9  # of sums of costs

Flags = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Limit:
    """How much all lists together may take of each group of items, or have to.

    Args:
        name: what it is called.
        group: the number of each item's group, shape (items,), -1 for what is not limited.
        cost: what a place in a list takes of it, by item, above 0 for what is limited.
        bound: of each group, shape (groups,).
        least: whether it is to be reached, and not the most that is allowed.
    """

    name: str
    group: Longs
    cost: Doubles
    bound: Doubles
    least: bool = False

    def used(self, item: Longs) -> Doubles:
        """What places in lists, given by their items, take of each group."""
        mine = item[self.group[item] >= 0]
        out: Doubles = np.bincount(
            self.group[mine], self.cost[mine], minlength=len(self.bound)
        ).astype(np.float64)
        return out

    @functools.cached_property
    def by_item(self) -> bool:
        """Whether no group has two items."""
        inside = self.group[self.group >= 0]
        return len(inside) == 0 or int(np.bincount(inside).max()) == 1


@dataclasses.dataclass
class Candidates:
    """The items that each user's list is chosen from.

    Args:
        item: shape (users, c).
        score: the same, -inf for what is none.
        rest: no item that is not among a user's has a score, less the prices of `at`, above it,
            shape (users,); -inf where there is no other.
        at: the prices of items that `rest` is of, one row for each time that candidates were
            looked for, shape (times, items).
        time: which of them it is for each user, shape (users,).
    """

    item: Longs
    score: Floats
    rest: Floats
    at: Doubles
    time: Longs

    @property
    def least(self) -> float:
        """The lowest score, 0 without any."""
        there = self.score[np.isfinite(self.score)]
        return float(there.min()) if len(there) else 0.0

    @property
    def outweighs(self) -> float:
        """A price that outweighs any difference of scores."""
        return 2 * (float(self.score.max(initial=self.least)) - self.least) + 1

    def reduced(self, price: Doubles) -> Floats:
        """Scores less the prices of the items, shape (users, c)."""
        out: Floats = self.score - price[self.item].astype(np.float32)
        return out

    def value(self, listed: Flags, empty: float) -> float:
        """The sum of the scores of what is listed, shape (users, c), above an empty place's."""
        return float((self.score[listed].astype(np.float64) - empty).sum())

    def have(self, rows: Longs, item: Longs) -> Flags:
        """Which items are among the candidates of users, `rows`, already; shapes are as of item."""
        known = np.where(np.isfinite(self.score[rows]), self.item[rows], -1)
        known.sort(axis=1)
        # each user's items in a range of their own, so that one search finds them all
        base = np.arange(len(rows))[:, None] * (self.at.shape[1] + 1) + 1
        key, wanted = (known + base).ravel(), (item + base).ravel()
        place = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
        out: Flags = (key[place] == wanted).reshape(item.shape)
        return out

    def others(self, price: Doubles) -> Floats:
        """What no other item's score less its price is above, at other prices of items."""
        fallen = (self.at - price).max(axis=1)
        out: Floats = (self.rest + fallen[self.time]).astype(np.float32)
        return out


def merged(
    candidates: Candidates,
    rows: Longs,
    item: Longs,
    score: Floats,
    rest: Floats | None = None,
    price: Doubles | None = None,
) -> Candidates:
    """Candidates with further ones of some users.

    Args:
        candidates: those that there are.
        rows: the users.
        item: of these, shape (users, c).
        score: the same, -inf for none.
        rest: what no other item's score less its price is above; None where that is not known.
        price: of items, where `rest` is given.
    """
    users, width = candidates.item.shape
    both = np.zeros((users, width + item.shape[1]), np.int64)
    scores = np.full(both.shape, -np.inf, np.float32)
    both[:, :width], scores[:, :width] = candidates.item, candidates.score
    both[rows, width:] = item
    scores[rows, width:] = np.where(candidates.have(rows, item), -np.inf, score)
    out = dataclasses.replace(candidates, item=both, score=scores)
    if rest is not None and price is not None:
        out.rest, out.time = candidates.rest.copy(), candidates.time.copy()
        out.rest[rows], out.time[rows] = rest, len(candidates.at)
        out.at = np.vstack([candidates.at, price])
    return out


def scarce(candidates: Candidates, limits: list[Limit]) -> Flags:
    """The items that help to reach a limit, where too few candidates do to choose from."""
    out = np.zeros(candidates.at.shape[1], bool)
    item = candidates.item[np.isfinite(candidates.score)]
    for limit in limits:
        if limit.least:
            few = limit.used(item) < PLENTY * limit.bound
            out |= (limit.group >= 0) & few[limit.group]
    return out


def item_price(limits: list[Limit], prices: list[Doubles], items: int) -> Doubles:
    """What a place for each item takes of all limits, at their prices, shape (items,)."""
    out = np.zeros(items)
    for limit, price in zip(limits, prices, strict=True):
        inside = limit.group >= 0
        out[inside] += limit.cost[inside] * price[limit.group[inside]]
    return out
