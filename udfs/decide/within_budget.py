"""Whom to choose where each costs something and all together may cost so much."""

from __future__ import annotations

import numpy as np

from ..history import Doubles, Longs

TINY = 1e-9  # of the largest cost: costs below it do not set the price
STEPS = 60  # of the price of the budget, each halving what is known of it


def within_budget(score: Doubles, cost: Doubles, budget: float, size: int) -> Longs:
    """The rows with the largest sum of scores, nearly, in the order of their scores.

    Rows with a score above 0 come first, by the Lagrangian: those with the largest score less price
    times cost, at the lowest price at which the best `size` of them keep within the budget. Their
    sum falls short of the best by less than one row's score. What is left goes to the best others
    that fit.

    Args:
        score: shape (n,).
        cost: shape (n,), from 0 on.
        budget: what chosen rows may cost together.
        size: how many may be chosen.
    """

    def best(price: float) -> Longs:
        net = score - price * cost
        order = np.argsort(-net, kind="stable")[:size]
        kept: Longs = order[(net[order] > 0) & (score[order] > 0)]
        return kept

    chosen = best(0.0)
    if cost[chosen].sum() > budget:
        least = max(float(cost[cost > 0].min()), TINY * float(cost.max()))
        low, high, chosen = 0.0, float(score.max()) / least, chosen[:0]
        for _ in range(STEPS):
            price = (low + high) / 2
            found = best(price)
            if cost[found].sum() > budget:
                low = price
            else:
                high, chosen = price, found
    taken = np.zeros(len(score), bool)
    taken[chosen] = True
    left, places = budget - cost[chosen].sum(), size - len(chosen)
    others = np.argsort(-score, kind="stable")
    for row in others[~taken[others] & (cost[others] <= left)].tolist():
        if places <= 0:
            break
        if cost[row] <= left:
            taken[row] = True
            left -= cost[row]
            places -= 1
    rows = np.flatnonzero(taken)
    out: Longs = rows[np.argsort(-score[rows], kind="stable")]
    return out
