"""Lists under limits, and their prices, by the linear program itself where it is small.

Its solutions are whole numbers but for a few places, at most as many as there are limits that bind
(Dantzig 1963), and its dual values are the prices.
"""

from __future__ import annotations

import numpy as np

from ..history import Doubles, Longs
from .candidates import SLACK, Candidates, Flags, Limit

MOST = 300_000  # pairs of a user and an item, where they are all that there are
FEW = 30_000  # the same, where more may be looked for at the prices, and it is solved again
WHOLE = 1e-6  # a share of a place that is none, or a whole one
GAIN = 1e-6  # of a place that is filled rather than left empty, as a share of the range of scores


def solve(
    candidates: Candidates, k: int, limits: list[Limit], empty: float
) -> tuple[list[Doubles], Flags] | None:
    """The prices of limits and the lists with the largest sum of scores.

    Args:
        candidates: of all users.
        k: places in a list.
        limits: which there are.
        empty: what an empty place counts as; no item with less is listed.

    Returns:
        the prices of each group of each limit, and which of the candidates are listed, shape
        (users, c); None where there are too many candidates, or nothing meets all limits.
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    there = np.isfinite(candidates.score) & (candidates.score >= empty)
    user, column = np.nonzero(there)
    most = FEW if np.isfinite(candidates.rest).any() else MOST
    if not limits or not 0 < len(user) <= most:
        return None
    item = candidates.item[user, column]
    score = candidates.score[user, column].astype(np.float64) - empty
    rows, columns, values, bounds, groups = (
        [user],
        [np.arange(len(user))],
        [np.ones(len(user))],
        [],
        [],
    )
    bounds.append(np.full(len(there), float(k)))
    first = len(there)
    for limit in limits:
        group = limit.group[item]
        inside = np.flatnonzero(group >= 0)
        sign = -1.0 if limit.least else 1.0
        # of what nobody may have only what is to be reached is in the way
        known = np.unique(group[inside])
        if limit.least and (np.delete(limit.bound, known) > SLACK).any():
            return None
        number = np.full(len(limit.bound), -1)
        number[known] = np.arange(len(known))
        rows.append(first + number[group[inside]])
        columns.append(inside)
        values.append(sign * limit.cost[item[inside]])
        bounds.append(sign * limit.bound[known])
        groups.append(known)
        first += len(known)
    matrix = coo_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
        shape=(first, len(user)),
    ).tocsr()
    bound = np.concatenate(bounds)
    gain = GAIN * (1 + np.ptp(score))
    found = linprog(-(score + gain), A_ub=matrix, b_ub=bound, bounds=(0, 1), method="highs-ipm")
    if found.status != 0:
        return None
    listed = found.x > 1 - WHOLE
    # what the program splits goes to who has most of it, where there is room for a whole one
    left = bound - matrix @ listed
    split = np.flatnonzero((found.x > WHOLE) & ~listed)
    by_pair = matrix.tocsc()
    for pair in split[np.argsort(-found.x[split], kind="stable")].tolist():
        takes = by_pair[:, [pair]].toarray()[:, 0]
        if (takes <= np.maximum(left, 0) + SLACK).all():
            listed[pair] = True
            left -= takes
    if (left < -SLACK).any():
        return None
    out = np.zeros_like(there)
    out[user[listed], column[listed]] = True
    return _prices(found.ineqlin.marginals[len(there) :], limits, groups), out


def _prices(marginals: Doubles, limits: list[Limit], groups: list[Longs]) -> list[Doubles]:
    """The prices of the groups of limits, from how the program's value depends on bounds."""
    prices, first = [], 0
    for limit, known in zip(limits, groups, strict=True):
        price = np.zeros(len(limit.bound))
        mine = marginals[first : first + len(known)]
        price[known] = 0.0 + (mine if limit.least else -mine)
        prices.append(price)
        first += len(known)
    return prices
