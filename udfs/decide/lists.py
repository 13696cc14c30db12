"""Lists that keep within limits: what prices leave undecided is decided by who loses most."""

from __future__ import annotations

import numpy as np

from ..history import Doubles, Floats, Longs
from .candidates import SLACK, Candidates, Flags, Limit, item_price


def choose(
    candidates: Candidates,
    k: int,
    limits: list[Limit],
    prices: list[Doubles],
    empty: float,
    fill: bool,
    places: Longs | None = None,
) -> Flags:
    """Lists that keep within the limits, by who would lose most without an item.

    What is to be reached comes first, then each round the places that are left are asked for, and
    who loses least gives way where there is not enough.

    Args:
        candidates: of all users.
        k: places in a list.
        limits: which there are.
        prices: of each group of each limit.
        empty: what an empty place counts as.
        fill: whether a place is rather given to an item that is worth less than left empty.
        places: how many each user has, shape (users,), where it is not k.

    Returns:
        which of the candidates are listed, shape (users, c).
    """
    # what is reached has no price any more
    paid = [
        np.zeros(len(one)) if limit.least else one
        for limit, one in zip(limits, prices, strict=True)
    ]
    price = item_price(limits, paid, candidates.at.shape[1])
    order = np.argsort(price[candidates.item] - candidates.score, axis=1)
    item = np.take_along_axis(candidates.item, order, 1)
    score = np.take_along_axis(candidates.score, order, 1)
    there: Flags = np.isfinite(score) & (fill | (score > empty))
    left = _Left(there, item, np.full(len(item), k) if places is None else places.copy(), limits)
    if any(limit.least for limit in limits):
        wanted = score - item_price(limits, prices, len(price))[item].astype(np.float32)
        instead = -np.partition(-wanted, min(k, wanted.shape[1]) - 1, axis=1)
        instead = instead[:, min(k, wanted.shape[1]) - 1]
    for limit in limits:
        while limit.least:
            user, column = np.nonzero(left.wanted_by(limit))
            if not len(user):
                break
            left.give(user, column, wanted[user, column] - instead[user], limit)
    reduced = score - price[item].astype(np.float32)
    worst = float(reduced[there].min(initial=empty))
    # what is worth its price, and then what there is room for
    for least in (empty, worst - 1) if fill else (empty,):
        while True:
            rows, mine, after = left.asked(reduced > least)
            if not len(rows):
                break
            user, column = np.nonzero(mine)
            instead = np.where(after, reduced[rows], np.float32(least)).max(axis=1)
            user, lost = rows[user], reduced[rows[user], column] - instead[user]
            left.give(user, column, lost)
    out = np.zeros_like(there)
    np.put_along_axis(out, order, left.listed, 1)
    return out


class _Left:
    """What is left of places and limits while items are given to users.

    Args:
        there: which candidates may be listed yet, shape (users, c), the best first.
        item: the candidates, the same.
        places: that each user has, shape (users,).
        limits: which there are.
    """

    def __init__(self, there: Flags, item: Longs, places: Longs, limits: list[Limit]) -> None:
        self.there, self.item, self.limits = there, item, limits
        self.listed = np.zeros_like(there)
        self.places = places
        self.room = [limit.bound.copy() for limit in limits]
        self._drop()

    def _drop(self) -> None:
        """Leave out what nobody may have any more."""
        fits = _fitting(self.limits, self.room, int(self.item.max(initial=0)) + 1)
        self.there &= fits[self.item]

    def wanted_by(self, limit: Limit) -> Flags:
        """The candidates that would help to reach a limit, shape (users, c)."""
        short = self.room[self.limits.index(limit)] > SLACK
        group = limit.group[self.item]
        return self.there & (group >= 0) & short[group] & (self.places > 0)[:, None]

    def asked(self, worth: Flags) -> tuple[Longs, Flags, Flags]:
        """Users with places left, the candidates that they ask for, and the next one of each.

        Args:
            worth: the candidates that may be asked for.
        """
        rows = np.flatnonzero((self.places > 0) & (self.there & worth).any(axis=1))
        there, places = self.there[rows] & worth[rows], self.places[rows, None]
        count = there.cumsum(axis=1)
        return rows, there & (count <= places), there & (count == places + 1)

    def give(self, user: Longs, column: Longs, lost: Floats, only: Limit | None = None) -> None:
        """Give items to users while there is enough, to who would lose most without them first.

        Args:
            user: of each pair.
            column: of the user's candidates.
            lost: what the user loses without it.
            only: a limit that is to be reached, and not more.
        """
        order = np.argsort(-lost)
        user, column = user[order], column[order]
        item = self.item[user, column]
        ok = _within(user, np.ones(len(user)), self.places)
        for limit, room in zip(self.limits, self.room, strict=True):
            if not limit.least or limit is only:
                inside = np.flatnonzero(limit.group[item] >= 0)
                of = item[inside]
                ok[inside] &= _within(limit.group[of], limit.cost[of], room, limit is only)
        user, column, item = user[ok], column[ok], item[ok]
        self.listed[user, column], self.there[user, column] = True, False
        self.places -= np.bincount(user, minlength=len(self.places))
        for limit, room in zip(self.limits, self.room, strict=True):
            room -= limit.used(item)
        self._drop()


def _fitting(limits: list[Limit], room: list[Doubles], items: int) -> Flags:
    """The items of which one more keeps within the limits."""
    out = np.ones(items, bool)
    for limit, left in zip(limits, room, strict=True):
        if not limit.least:
            group, cost = limit.group[:items], limit.cost[:items]
            out &= (group < 0) | (cost <= left[group] + SLACK)
    return out


def fitting(limits: list[Limit], item: Longs, items: int) -> Flags:
    """The items of which one more keeps within the limits, where `item` are listed already."""
    return _fitting(limits, [limit.bound - limit.used(item) for limit in limits], items)


def _within(group: Longs, cost: Doubles, room: Doubles | Longs, reach: bool = False) -> Flags:
    """Which pairs of groups, one after another, there is room for; or that it takes to fill it."""
    order = np.argsort(group, kind="stable")
    group, cost = group[order], cost[order]
    total = np.cumsum(cost)
    first = np.searchsorted(group, group)
    total -= total[first] - cost[first]
    out = np.empty(len(group), bool)
    out[order] = (total - cost < room[group] - SLACK) if reach else total <= room[group] + SLACK
    return out
