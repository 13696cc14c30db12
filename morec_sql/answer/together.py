"""Rules about items that are in one list: some never are, and some stand behind others."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from ..udfs.history import Longs
from ..udfs.ranking.lists import Ranking
from .applied import Flags

MOST = 4  # rules that keep items apart, for each of which a list is made either way

Pair = tuple[Flags, Flags]


def keep_apart(
    found: Ranking, pairs: list[Pair], again: Callable[[Longs, Flags], Ranking | None]
) -> None:
    """Put the best lists without either of each pair of sets in the place of those that have both.

    Of any list that keeps all pairs apart one set of each is missing, so the best one is among the
    best without either.

    Args:
        found: the lists.
        pairs: flags of the items of the two sets, which have none in common; those behind the
            first few are not kept apart.
        again: gives the lists of some users without some items, None where none are left.
    """
    pairs = pairs[:MOST]
    users = np.flatnonzero(np.any([have_both(found, pair) for pair in pairs], axis=0))
    if not len(users):
        return
    best: list[tuple[int, int, float] | None] = [None] * len(users)
    for sides in itertools.product((0, 1), repeat=len(pairs)):
        out = np.any([pair[side] for pair, side in zip(pairs, sides, strict=True)], axis=0)
        others = again(users, out)
        if others is None:
            continue
        for place, user in enumerate(users.tolist()):
            listed = others.item[place] >= 0
            worth = (
                -len(others.unmet[place]),
                int(listed.sum()),
                float(others.score[place][listed].sum()),
            )
            if best[place] is None or worth > best[place]:  # type: ignore[operator]
                best[place] = worth
                found.copy(user, others, place)


def put_behind(found: Ranking, pair: Pair, fixed: Flags) -> Flags:
    """Put the items of the first set behind the last of the second in each list.

    Args:
        found: the lists.
        pair: flags of the items of the two sets.
        fixed: the places whose items are to stay, shape (users, k).

    Returns:
        the lists where that cannot be, shape (users,).
    """
    item = found.item
    missed = np.zeros(len(item), bool)
    for user in np.flatnonzero(have_both(found, pair)).tolist():
        listed = item[user] >= 0
        first, second = (of[item[user]] & listed for of in pair)
        last = int(np.flatnonzero(second)[-1])
        early = np.flatnonzero(first[:last])
        if not len(early):
            continue
        order = np.arange(len(listed))
        order[: last + 1] = np.concatenate([np.flatnonzero(~first[: last + 1]), early])
        if np.any(fixed[user] & (order != np.arange(len(order)))):
            missed[user] = True
        else:
            found.reorder(user, order)
    return missed


def have_both(found: Ranking, pair: Pair) -> Flags:
    """The lists that have items of both sets, shape (users,)."""
    listed = found.item >= 0
    first, second = (np.any(of[found.item] & listed, axis=1) for of in pair)
    out: Flags = np.logical_and(first, second)
    return out
