"""How much the prices of a category move what each of its items sells: cross effects.

An elasticity is that of an item whose price changes while the others' stay as they are. What all
prices of a category do to it is told by its weeks: how much more or less it sold in a week than was
to be expected of the items' own prices, by the mean of these. Of logarithms,

    w_kt = g_k X_kt + s_kt,    X_kt = sum_j share_j x_jt

so that the units of item i change by b_i x_i + g_k X_k (the demand of a nested model, to first
order: Berry 1994). g is above 0 where items stand for each other: a price that falls takes units
from the others. Seasons s are what weeks around have in common, and what all categories do.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from ..history import Doubles, Longs
from .candidates import Flags
from .elasticity import LEAST, Response, Sales, base_of, effects_of, relative
from .groups import WIDE, apart

AROUND = 4  # weeks before and after that say what season it is
FEWEST_WEEKS = 12  # of a category that says anything
FEWEST_CATEGORIES = 10  # from which on their common weeks are taken out


@dataclasses.dataclass(frozen=True)
class Weeks:
    """What categories sold beyond what was expected, and their prices, as logarithms.

    Arrays have shape (n,), a row for each category and week: numbers from 0 on, and what is left of
    both where seasons are taken out; but doubt, shape (categories,), is the standard deviation of
    the mean of the elasticities, by which what was expected is known.
    """

    category: Longs
    week: Longs
    beyond: Doubles
    price: Doubles
    doubt: Doubles

    def take(self, rows: Flags) -> Weeks:
        """Some of the rows."""
        parts = self.category[rows], self.week[rows], self.beyond[rows], self.price[rows]
        return Weeks(*parts, self.doubt)


@dataclasses.dataclass(frozen=True)
class Cross:
    """Cross effects with their standard deviations, shape (categories,)."""

    effect: Doubles
    deviation: Doubles

    @staticmethod
    def none(categories: int) -> Cross:
        """No effect of any category."""
        return Cross(np.zeros(categories), np.zeros(categories))


def weeks_of(sales: Sales, response: Response) -> Weeks:
    """The weeks of categories, by the response of their items."""
    items = len(sales.category)
    count = np.maximum(np.bincount(sales.item, minlength=items), 1)
    level = np.bincount(sales.item, sales.units, minlength=items) / count
    weight = level[sales.item]
    span = int(sales.week.max(initial=0)) + 1
    key = sales.category[sales.item] * span + sales.week
    keys, place = np.unique(key, return_inverse=True)
    units: Doubles = np.bincount(place, weight).astype(np.float64)
    step = relative(sales, base_of(sales))
    price = np.bincount(place, weight * step) / np.maximum(units, 1e-300)
    beyond = np.empty(len(keys))
    beyond[place] = effects_of(sales, response)
    category, week = np.divmod(keys, span)
    kept = (np.bincount(category)[category] >= FEWEST_WEEKS) & (units > 0)
    total = np.bincount(sales.category, level)
    share = level / np.maximum(total, 1e-300)[sales.category]
    doubt = np.sqrt(np.bincount(sales.category, (share * response.deviation) ** 2))
    found = Weeks(category, week, beyond, price, doubt).take(kept)
    rest = [_without_seasons(found, values) for values in (found.beyond, found.price)]
    return dataclasses.replace(found, beyond=rest[0], price=rest[1])


def _without_seasons(weeks: Weeks, values: Doubles) -> Doubles:
    """Values less the mean of those of the weeks around, and of all categories in the week."""
    from scipy.ndimage import convolve1d

    if not len(values):
        return values
    span = int(weeks.week.max()) + 1
    count = int(weeks.category.max()) + 1
    table, there = np.zeros((count, span)), np.zeros((count, span))
    table[weeks.category, weeks.week], there[weeks.category, weeks.week] = values, 1.0
    if count >= FEWEST_CATEGORIES:
        table -= there * (table.sum(axis=0) / np.maximum(there.sum(axis=0), 1))
    width = np.ones(2 * AROUND + 1)
    around = [convolve1d(one, width, axis=1, mode="constant") for one in (table, there)]
    out: Doubles = (table - around[0] / np.maximum(around[1], 1))[weeks.category, weeks.week]
    return out


def crossing(weeks: Weeks) -> Cross:
    """The cross effect of each category, drawn towards the mean of all.

    How far apart they are is found as for elasticities (DerSimonian and Laird 1986).

    Args:
        weeks: of the categories.
    """
    categories = len(weeks.doubt)
    square = np.bincount(weeks.category, weeks.price**2, minlength=categories)
    both = np.bincount(weeks.category, weeks.price * weeks.beyond, minlength=categories)
    known = square > 1e-9
    own = np.where(known, both / np.where(known, square, 1.0), 0.0)
    rest = (weeks.beyond - own[weeks.category] * weeks.price) ** 2
    # a season takes a weight of one week in so many
    free = np.bincount(weeks.category, minlength=categories) * (1 - 1 / (2 * AROUND + 1)) - 1
    noise = np.bincount(weeks.category, rest, minlength=categories) / np.maximum(free, 1)
    known &= (free > 1) & (noise > 0)
    information = np.where(known, square / np.where(known, noise, 1.0), 0.0)
    if not known.any():
        return Cross(np.zeros(categories), np.full(categories, WIDE))
    weight, value = information[known], own[known]
    spread = max(float(apart(value[:, None], weight[:, None])[0]), LEAST)
    # the mean, each as much as is known of it, beside what is thought before any sale
    by = 1 / (spread + 1 / weight)
    of_middle = 1 / (by.sum() + WIDE**-2)
    middle = (by * value).sum() * of_middle
    precision = 1 / spread
    drawn = precision / (precision + information)
    effect = drawn * middle + (1 - drawn) * own
    # what is wrong of the elasticity is wrong of this, the other way round
    variance = 1 / (precision + information) + drawn**2 * of_middle
    deviation = np.sqrt(variance + weeks.doubt**2)
    return Cross(effect, deviation)


def foretold(weeks: Weeks, first: int) -> tuple[Doubles, Doubles]:
    """What later weeks were beyond what was expected, and by cross effects of those before.

    Both are in standard deviations of the category's weeks before.

    Args:
        weeks: of the categories.
        first: the first of the later weeks.
    """
    categories = len(weeks.doubt)
    past, later = (weeks.take(of) for of in (weeks.week < first, weeks.week >= first))
    known = np.bincount(past.category, minlength=categories)
    square = np.bincount(past.category, past.beyond**2, minlength=categories)
    scale = np.sqrt(square / np.maximum(known, 1))
    later = later.take((scale > 0)[later.category])
    effect = crossing(past).effect
    unit = scale[later.category]
    return later.beyond / unit, effect[later.category] * later.price / unit
