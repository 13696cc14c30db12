"""New prices: for each item the one with the best weighted sum of profit, units and stability."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..history import Doubles
from .candidates import Flags

STEPS = 20  # of prices on the way from the lowest allowed to the highest
OBJECTIVES = ("profit", "units", "stability")


@dataclasses.dataclass(frozen=True)
class Offer:
    """Items as they are sold now, arrays of shape (items,).

    units are a week's at `price`; elasticity with its standard deviation; floor is the lowest price
    allowed; movable says whose price may change.
    """

    price: Doubles
    cost: Doubles
    units: Doubles
    elasticity: Doubles
    deviation: Doubles
    floor: Doubles
    movable: Flags

    def expected(self, price: Doubles) -> Doubles:
        """The units at other prices, shape (items, n).

        By the median of what elasticities may be: the mean would be larger for those of which
        little is known, and no item sells more for being dearer.
        """
        step = np.log(price / self.price[:, None])
        slope = np.minimum(self.elasticity, 0)[:, None]
        out: Doubles = self.units[:, None] * np.exp(slope * step)
        return out

    def interval(self, price: Doubles, level: float) -> tuple[Doubles, Doubles]:
        """The units at other prices, shape (items,), with elasticities at both ends."""
        step = np.log(price / self.price)
        slope = np.minimum(self.elasticity, 0)
        ends = [
            self.units * np.exp((slope + sign * level * self.deviation) * step) for sign in (-1, 1)
        ]
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

    Args:
        offer: the items.
        prices: that they may get, as candidates gives them.
        weights: of OBJECTIVES.
    """
    units = offer.expected(prices)
    profit = units * (prices - offer.cost[:, None])
    total = max(float(np.abs(profit[:, 0]).sum()), 1e-12)
    sold = max(float(offer.units.sum()), 1e-12)
    moved = np.abs(np.log(prices / offer.price[:, None])) * offer.units[:, None]
    score = (
        weights[0] * (profit - profit[:, :1]) / total
        + weights[1] * (units - units[:, :1]) / sold
        - weights[2] * moved / sold
    )
    # below the floor the price of now is none: the lowest allowed one is taken
    below = offer.price < offer.floor - 1e-9 * offer.price
    score[:, 0] = np.where(below & np.isfinite(score[:, 1:]).any(axis=1), -np.inf, 0.0)
    best = np.argmax(np.where(np.isfinite(score), score, -np.inf), axis=1)
    out: Doubles = np.take_along_axis(prices, best[:, None], 1)[:, 0]
    return out
