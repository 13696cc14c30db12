"""How demand answers to prices: elasticities of items, drawn towards those of their category.

Units of an item in a week are Poisson with the mean

    exp(a_i + b_i x_it + c_k d_it + w_kt)

where x is the logarithm of the price less its mean over the item's weeks, d which kinds of
promotion it was under, and w how much the category k sold in the week. The level a_i falls out of
the likelihood (groups). b_i is normal around that of the category, and those of categories around
that of all; how far apart they are is found by the method of moments (DerSimonian and Laird 1986),
and variances are as many times those of Poisson counts as residuals say.

Prices that were paid are known of weeks in which something was sold alone. Where there are many
others, they would be known in weeks that sold well, and elasticities would say as much: only items
that sold in nearly all of their weeks teach anything then, others have those of their category.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from ..history import Doubles, Longs
from .candidates import Flags
from .groups import SOME, WIDE, Groups, apart, deviations, weights

NEARLY_ALL = 0.8  # of an item's weeks, in which it has to sell to teach anything
LONG = 8  # weeks that it has to be there for that
ROUNDS = 3  # of week effects and responses in turns
FEWEST = 10  # items of a category that say how far apart its elasticities are
LEAST = 1e-4  # variance of elasticities in a category


@dataclasses.dataclass(frozen=True)
class Sales:
    """Units by item and week, sorted by both, with every week from an item's first to its last.

    item is a number from 0 on, price that of the week and promoted the share of the units that was
    under each kind of promotion, shape (n, kinds), both as they were last known where nothing was
    sold; category is the number of each item's, (items,).
    listed says that prices are those of a list, and known whether anything was sold or not.

    Where stores are told apart, an item of the rows is an item in a store: kind, of each of these,
    is the number of the item, which has the category, and store that of the store.
    """

    item: Longs
    week: Longs
    units: Doubles
    price: Doubles
    promoted: Doubles
    category: Longs
    listed: bool = False
    kind: Longs | None = None
    store: Longs | None = None

    @functools.cached_property
    def kinds(self) -> Longs:
        """The item that each item of the rows is."""
        return np.arange(len(self.category)) if self.kind is None else self.kind

    @functools.cached_property
    def categories(self) -> Longs:
        """The category of each item of the rows."""
        return self.category[self.kinds]

    @functools.cached_property
    def markets(self) -> Longs:
        """In what each item of the rows shares its weeks: its category, in its store."""
        if self.store is None:
            return self.categories
        key = self.categories * (int(self.store.max(initial=0)) + 1) + self.store
        number: Longs = np.unique(key, return_inverse=True)[1]
        return number

    def take(self, rows: Longs) -> Sales:
        """Some of the rows; items keep their numbers."""
        return dataclasses.replace(
            self,
            **{
                name: getattr(self, name)[rows]
                for name in ("item", "week", "units", "price", "promoted")
            },
        )


@dataclasses.dataclass(frozen=True)
class Response:
    """Elasticities with their standard deviations, shape (items,), and what they are drawn from.

    own is how much of an item's is of its own weeks, from 0 to 1, and dispersion, of the items of
    the rows, how many times as large variances are as those of Poisson counts; promotion is the
    logarithm of what each kind of promotion multiplies units by, shape (categories, kinds), with
    its standard deviations, and of_category the elasticity, shape (categories,).
    """

    elasticity: Doubles
    deviation: Doubles
    own: Doubles
    promotion: Doubles
    promotion_deviation: Doubles
    of_category: Doubles
    dispersion: Doubles


def filled(
    item: Longs, week: Longs, units: Doubles, price: Doubles, promoted: Doubles, category: Longs
) -> Sales:
    """Sales with the weeks between an item's first and last in which nothing was sold.

    Args:
        item: numbers from 0 on, sorted, and within an item by week.
        week: of each row.
        units: the same.
        price: the same.
        promoted: the same, shape (n, kinds).
        category: of each item.
    """
    starts = np.searchsorted(item, np.arange(len(category) + 1))
    there = np.flatnonzero(np.diff(starts))
    first, last = week[starts[there]], week[starts[there + 1] - 1]
    length = last - first + 1
    offset = np.zeros(len(category), np.int64)
    offset[there] = np.concatenate([[0], np.cumsum(length)[:-1]]) - first
    place = offset[item] + week
    total = int(length.sum())
    row = np.full(total, -1)
    row[place] = np.arange(len(item))
    known = np.maximum.accumulate(row)
    sold = row >= 0
    all_items = np.repeat(there, length)
    return Sales(
        all_items,
        np.arange(total) - offset[all_items],
        np.where(sold, units[known], 0.0),
        price[known],
        promoted[known],
        category,
    )


def week_effects(sales: Sales, expected: Doubles | None = None) -> Doubles:
    """How much each row's market sold in its week beyond what was expected, as a logarithm.

    Args:
        sales: the units.
        expected: of each row, whatever the week; as much in all by default.
    """
    weeks = int(sales.week.max(initial=0)) + 1
    key = sales.markets[sales.item] * weeks + sales.week
    size = (int(sales.markets.max(initial=-1)) + 1) * weeks
    if expected is None:
        level = np.bincount(sales.item, sales.units) / np.maximum(np.bincount(sales.item), 1)
        expected = level[sales.item]
    came = np.bincount(key, sales.units, minlength=size)
    usual = np.bincount(key, expected, minlength=size)
    # one unit more on both sides, so that a week of a few units says little
    out: Doubles = np.log((came + 1) / (usual + 1))[key]
    return out


def elasticities(sales: Sales) -> Response:
    """The response of every item to its price.

    It and week effects are found in turns, since prices that fall in a week are part of what is
    sold in it.
    """
    teaching = sales.take(np.flatnonzero(teaches(sales)[sales.item]))
    effects = week_effects(teaching)
    for _ in range(ROUNDS):
        response = _response(teaching, effects)
        effects = week_effects(teaching, _without_weeks(teaching, response, effects))
    return _response(teaching, effects)


def effects_of(sales: Sales, response: Response) -> Doubles:
    """The week effect of each row, (n,), given how items respond to their prices."""
    usual = _demand(sales, response, np.zeros(len(sales.item)), base_of(sales))
    return week_effects(sales, _level(sales, usual)[sales.item] * usual)


def teaches(sales: Sales) -> Flags:
    """Which items were there for long and have prices that are known, shape (items,).

    Those that were paid are where they sold in nearly all of their weeks.
    """
    items = len(sales.kinds)
    weeks = np.bincount(sales.item, minlength=items)
    sold = np.bincount(sales.item, sales.units > 0, minlength=items)
    out: Flags = (weeks >= LONG) & (sales.listed | (sold >= NEARLY_ALL * weeks))
    return out


def _response(sales: Sales, effects: Doubles) -> Response:
    """The response of every item, week effects being known."""
    items, categories = len(sales.category), int(sales.category.max(initial=-1)) + 1
    item, units = sales.item, sales.units
    x = np.column_stack([relative(sales, base_of(sales)), sales.promoted])
    of, of_rows = sales.category, sales.categories
    same = np.zeros(len(of_rows), np.int64)
    everything = Groups(item, units, effects, x, same, np.ones(len(of_rows)))
    nothing = np.zeros((1, x.shape[1]))
    start, _ = everything.fit(nothing, nothing + WIDE**-2)
    dispersion = everything.dispersion(start)
    groups = Groups(item, units, effects, x, of_rows, dispersion, categories)
    flat = np.full((categories, x.shape[1]), WIDE**-2)
    estimate, information = groups.fit(np.repeat(start, categories, axis=0), flat)
    said = np.einsum("gkk->gk", information)
    variance = np.maximum(apart(estimate, said), SOME)
    # categories count by what is known of them, and not by how much of them is sold
    weight = weights(variance, said)
    of_middle = weight.sum(axis=0) + WIDE**-2
    middle = ((weight * estimate).sum(axis=0) + WIDE**-2 * start[0]) / of_middle
    precisions = np.tile(1 / variance, (categories, 1))
    theta, information = groups.fit(np.tile(middle, (categories, 1)), precisions)
    excess = groups.excess(theta, information)
    information = information / np.sqrt(excess[:, :, None] * excess[:, None, :])
    promotion_deviation = deviations(information, precisions, of_middle)[:, 1:]
    dispersion = groups.dispersion(theta)
    # promotions count as they do in the category, prices as they do for the item
    rest = effects + (theta[of_rows[item], 1:] * sales.promoted).sum(axis=1)
    own = Groups(item, units, rest, x[:, :1], sales.kinds, dispersion, items)
    at = theta[of, :1]
    estimate, information = own.one_step(at)
    overall = apart(estimate - at, information)[0]
    # where a category has few items, as far apart as all
    enough = np.bincount(of[information[:, 0] > SOME], minlength=categories) >= FEWEST
    spread = np.full(categories, overall)
    for one in np.flatnonzero(enough):
        spread[one] = apart(estimate[of == one], information[of == one])[0]
    spread = np.maximum(spread, LEAST)
    # the mean of a category's items, each as much as is known of it, and not of its largest ones
    weight = weights(spread[of], information[:, 0])
    sums = np.bincount(of, weight, minlength=categories) + WIDE**-2
    mean = np.bincount(of, weight * estimate[:, 0], minlength=categories) + WIDE**-2 * theta[:, 0]
    middle = mean / sums
    precision = 1 / spread[of, None]
    found, information = own.fit(middle[of, None], precision)
    total = information[:, 0, 0] + precision[:, 0]
    drawn = precision[:, 0] / total
    return Response(
        found[:, 0],
        np.sqrt(1 / total + drawn**2 / sums[of]),
        1 - drawn,
        theta[:, 1:],
        promotion_deviation,
        middle,
        dispersion,
    )


def base_of(sales: Sales) -> Doubles:
    """The mean of the logarithm of each item's price, shape (items,)."""
    items = len(sales.kinds)
    count = np.bincount(sales.item, minlength=items)
    total = np.bincount(sales.item, np.log(sales.price), minlength=items)
    return total / np.maximum(count, 1)


def relative(sales: Sales, base: Doubles) -> Doubles:
    """The logarithm of each row's price in units of that of the item."""
    out: Doubles = np.log(sales.price) - base[sales.item]
    return out


def _demand(sales: Sales, response: Response, effects: Doubles, base: Doubles) -> Doubles:
    """Units of each row for one of the item's level."""
    of_row = response.promotion[sales.categories[sales.item]]
    promotion = (of_row * sales.promoted).sum(axis=1)
    slope = response.elasticity[sales.kinds[sales.item]] * relative(sales, base)
    out: Doubles = np.exp(effects + slope + promotion)
    return out


def _level(sales: Sales, demand: Doubles) -> Doubles:
    """The units of each item for a demand of 1, shape (items,)."""
    items = len(sales.kinds)
    known = np.bincount(sales.item, sales.units, minlength=items)
    return known / np.maximum(np.bincount(sales.item, demand, minlength=items), 1e-12)


def _without_weeks(sales: Sales, response: Response, effects: Doubles) -> Doubles:
    """The units that were to be expected in each row if all weeks were alike."""
    base = base_of(sales)
    level = _level(sales, _demand(sales, response, effects, base))
    out: Doubles = level[sales.item] * _demand(sales, response, np.zeros(len(effects)), base)
    return out


def expected(
    sales: Sales, response: Response, effects: Doubles, future: Sales, of_future: Doubles
) -> Doubles:
    """The units of later weeks at their prices, from the weeks of `sales`.

    Args:
        sales: the weeks before.
        response: of their items.
        effects: of the weeks before.
        future: later rows of the same items.
        of_future: their week effects.
    """
    base = base_of(sales)
    level = _level(sales, _demand(sales, response, effects, base))
    out: Doubles = level[future.item] * _demand(future, response, of_future, base)
    return out
