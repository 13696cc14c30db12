"""New prices: for each item the one with the best weighted sum of profit, units and stability."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from ..history import Doubles, Longs
from .candidates import Flags

ROUNDS = 16  # of prices that answer to each other
STEPS = 20  # of prices on the way from the lowest allowed to the highest
OBJECTIVES = ("profit", "units", "stability")


@dataclasses.dataclass(frozen=True)
class Offer:
    """Items as they are sold now, arrays of shape (items,).

    units are a week's at `price`; elasticity with its standard deviation; floor is the lowest price
    allowed; movable says whose price may change; category is the number of each, and cross its
    cross effect, none where it is below 0.
    """

    price: Doubles
    cost: Doubles
    units: Doubles
    elasticity: Doubles
    deviation: Doubles
    floor: Doubles
    movable: Flags
    category: Longs
    cross: Doubles

    @functools.cached_property
    def share(self) -> Doubles:
        """What each has of the units of its category."""
        total = np.bincount(self.category, self.units)
        return self.units / np.maximum(total, 1e-300)[self.category]

    def crossed(self, price: Doubles) -> Doubles:
        """What units are multiplied by as all prices of the category change, shape (items,).

        They change with the mean of all, and no item sells less for others being dearer. Where all
        change alike, an item sells no more for being dearer with them.

        Args:
            price: the new prices of all items.
        """
        moved = self.share * np.log(price / self.price)
        mean = np.bincount(self.category, moved)[self.category]
        out: Doubles = np.exp(self.effect * mean)
        return out

    @functools.cached_property
    def turn(self) -> Longs:
        """0 or 1: every other item of a category."""
        order = np.argsort(self.category, kind="stable")
        of_order = self.category[order]
        place = np.arange(len(order)) - np.searchsorted(of_order, of_order)
        out = np.empty(len(order), np.int64)
        out[order] = place % 2
        return out

    @functools.cached_property
    def effect(self) -> Doubles:
        """The cross effect on each item: no more than what its own price does."""
        out: Doubles = np.clip(self.cross, 0, np.maximum(-self.elasticity, 0))
        return out

    def expected(self, price: Doubles) -> Doubles:
        """The units at other prices, shape (items, n).

        By the median of what elasticities may be: the mean would be larger for those of which
        little is known, and no item sells more for being dearer.
        """
        step = np.log(price / self.price[:, None])
        slope = np.minimum(self.elasticity, 0)[:, None]
        out: Doubles = self.units[:, None] * np.exp(slope * step)
        return out

    def sold(self, price: Doubles) -> Doubles:
        """The units where all items have new prices, both of shape (items,)."""
        return self.expected(price[:, None])[:, 0] * self.crossed(price)

    def interval(self, price: Doubles, level: float) -> tuple[Doubles, Doubles]:
        """The units where all have new prices, shape (items,), with elasticities at both ends."""
        step = np.log(price / self.price)
        slope = np.minimum(self.elasticity, 0)
        units = self.units * self.crossed(price)
        ends = [units * np.exp((slope + sign * level * self.deviation) * step) for sign in (-1, 1)]
        return np.minimum(*ends), np.maximum(*ends)


def candidates(offer: Offer, most: float, endings: list[float]) -> Doubles:
    """Prices that each item may get, shape (items, n), that of now first; NaN for none.

    Args:
        offer: the items.
        most: the largest change, as a share of the price.
        endings: what prices end on, such as .99; any by default.
    """
    share = np.linspace(1 - most, 1 + most, STEPS + 1)
    grid = offer.price[:, None] * share
    if endings:
        whole = np.floor(grid)
        grid = np.concatenate([whole + up + ending for ending in endings for up in (-1, 0)], axis=1)
    slack = 1e-9 * offer.price[:, None]
    low = np.maximum(offer.price * (1 - most), offer.floor)[:, None] - slack
    high = (offer.price * (1 + most))[:, None] + slack
    allowed = (grid >= low) & (grid <= high) & (grid > 0) & offer.movable[:, None]
    return np.concatenate([offer.price[:, None], np.where(allowed, grid, np.nan)], axis=1)


def plan(offer: Offer, prices: Doubles, weights: Doubles) -> Doubles:
    """The price of each item with the best weighted sum of objectives, shape (items,).

    Profit and units are in shares of what all items bring and sell now, stability is minus the mean
    change of prices, by the units that they are of: so a weight is worth so many percent of each.
    Where items of a category stand for each other, what a price does to the others counts, too, to
    second order, at the prices that these have: items take turns until it settles.

    Args:
        offer: the items.
        prices: that they may get, as candidates gives them.
        weights: of OBJECTIVES.
    """
    alone = offer.expected(prices)
    margin = prices - offer.cost[:, None]
    total = max(float(np.abs(alone[:, 0] * margin[:, 0]).sum()), 1e-12)
    sold = max(float(offer.units.sum()), 1e-12)
    step = np.log(prices / offer.price[:, None])
    moving = weights[2] * np.abs(step) * offer.units[:, None] / sold
    gain = weights[0] * margin / total + weights[1] / sold  # of a unit
    # below the floor the price of now is none: the lowest allowed one is taken
    below = offer.price < offer.floor - 1e-9 * offer.price
    forced = below & np.isfinite(prices[:, 1:]).any(axis=1)
    rows, at = np.arange(len(prices)), np.zeros(len(prices), np.int64)
    effect, plans = offer.effect[:, None], []
    for turn in range(ROUNDS if effect.any() else 1):
        new = prices[rows, at]
        crossed = offer.crossed(new)
        # what the category's mean moves by where this item alone has another price
        moved = offer.share[:, None] * (step - step[rows, at][:, None])
        score = gain * alone * crossed[:, None] * np.exp(effect * moved) - moving
        if effect.any():
            worth = gain[rows, at] * alone[rows, at] * crossed
            for power, factor in ((1, 1.0), (2, 0.5)):
                mine = worth * offer.effect**power
                others = np.bincount(offer.category, mine)[offer.category] - mine
                score += factor * others[:, None] * moved**power
        score[:, 0] = np.where(forced, -np.inf, score[:, 0])
        best = np.argmax(np.where(np.isfinite(score), score, -np.inf), axis=1)
        # first all, then every other item of a category in turns, so that two do not swap
        at = best if turn == 0 else np.where(offer.turn == turn % 2, best, at)
        new = prices[rows, at]
        value = gain[rows, at] * offer.sold(new) - moving[rows, at]
        plans.append((float(value.sum()), new))
    best_plan: Doubles = max(plans, key=lambda one: one[0])[1]
    return best_plan
