"""How demand answers to prices: elasticities of items, drawn towards those of their category.

Units of an item in a week are Poisson with the mean

    exp(a_i + b_i x_it + c_k d_it + w_kt)

where x is the logarithm of the price less its mean over the item's weeks, d whether it was
promoted, and w how much the category k sold in the week. The level a_i falls out of the likelihood
of how an item's units spread over its weeks (Hausman, Hall and Griliches 1984). b_i is normal
around that of the category, and those of categories around that of all; how far apart they are is
found by the method of moments (DerSimonian and Laird 1986), and variances are as many times those
of Poisson counts as residuals say.

Prices that were paid are known of weeks in which something was sold alone. Where there are many
others, they would be known in weeks that sold well, and elasticities would say as much: only items
that sold in nearly all of their weeks teach anything then, others have those of their category.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from ..history import Doubles, Longs
from .candidates import Flags

STEPS = 30  # of Newton's, at most
CLOSE = 1e-8
WIDE = 3.0  # standard deviation of what is thought of an elasticity before any sale
FARTHEST = 20.0  # elasticities and promotions are not beyond
NEARLY_ALL = 0.8  # of an item's weeks, in which it has to sell to teach anything
LONG = 8  # weeks that it has to be there for that
ROUNDS = 3  # of week effects and responses in turns
FEWEST = 10  # items of a category that say how far apart its elasticities are
LEAST = 1e-4  # variance of elasticities in a category
WEEKS = 10.0  # that the dispersion of a group counts for beside an item's own
SOME = 1e-6  # information below which prices say nothing


@dataclasses.dataclass(frozen=True)
class Sales:
    """Units by item and week, sorted by both, with every week from an item's first to its last.

    item is a number from 0 on, price that of the week and promoted the share of the units, both as
    they were last known where nothing was sold; category is the number of each item's, (items,).
    listed says that prices are those of a list, and known whether anything was sold or not.
    """

    item: Longs
    week: Longs
    units: Doubles
    price: Doubles
    promoted: Doubles
    category: Longs
    listed: bool = False

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

    own is how much of an item's is of its own weeks, from 0 to 1, and dispersion how many times as
    large its variances are as those of Poisson counts; promotion is the logarithm of what a
    promotion multiplies units by, and of_category the elasticity, both of shape (categories,).
    """

    elasticity: Doubles
    deviation: Doubles
    own: Doubles
    promotion: Doubles
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
        promoted: the same.
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
    """How much each row's category sold in its week beyond what was expected, as a logarithm.

    Args:
        sales: the units.
        expected: of each row, whatever the week; as much in all by default.
    """
    weeks = int(sales.week.max(initial=0)) + 1
    key = sales.category[sales.item] * weeks + sales.week
    size = (int(sales.category.max(initial=-1)) + 1) * weeks
    if expected is None:
        level = np.bincount(sales.item, sales.units) / np.maximum(np.bincount(sales.item), 1)
        expected = level[sales.item]
    came = np.bincount(key, sales.units, minlength=size)
    usual = np.bincount(key, expected, minlength=size)
    # one unit more on both sides, so that a week of a few units says little
    out: Doubles = np.log((came + 1) / (usual + 1))[key]
    return out


def elasticities(sales: Sales) -> tuple[Response, Doubles]:
    """The response of every item to its price, and the week effect of each row, (n,).

    Both are found in turns, since prices that fall in a week are part of what is sold in it.
    """
    teaching = sales.take(np.flatnonzero(teaches(sales)[sales.item]))
    effects = week_effects(teaching)
    for _ in range(ROUNDS):
        response = _response(teaching, effects)
        effects = week_effects(teaching, _without_weeks(teaching, response, effects))
    response = _response(teaching, effects)
    usual = _demand(sales, response, np.zeros(len(sales.item)), base_of(sales))
    return response, week_effects(sales, _level(sales, usual)[sales.item] * usual)


def teaches(sales: Sales) -> Flags:
    """Which items were there for long and have prices that are known, shape (items,).

    Those that were paid are where they sold in nearly all of their weeks.
    """
    items = len(sales.category)
    weeks = np.bincount(sales.item, minlength=items)
    sold = np.bincount(sales.item, sales.units > 0, minlength=items)
    out: Flags = (weeks >= LONG) & (sales.listed | (sold >= NEARLY_ALL * weeks))
    return out


def _response(sales: Sales, effects: Doubles) -> Response:
    """The response of every item, week effects being known."""
    items, categories = len(sales.category), int(sales.category.max(initial=-1)) + 1
    x = np.column_stack([relative(sales, base_of(sales)), sales.promoted])
    of = sales.category
    everything = _Groups(sales, effects, x, np.zeros(items, np.int64), np.ones(items))
    middle, _ = everything.fit(np.zeros((1, 2)), np.full((1, 2), WIDE**-2))
    dispersion = everything.dispersion(middle)
    groups = _Groups(sales, effects, x, of, dispersion)
    variance = apart(*groups.one_step(np.tile(middle, (categories, 1))))
    precisions = np.tile(1 / np.maximum(variance, SOME), (categories, 1))
    prior = np.tile(middle, (categories, 1)), precisions
    theta, _ = groups.fit(*prior)
    dispersion = groups.dispersion(theta)
    # promotions count as they do in the category, prices as they do for the item
    rest = effects + theta[of[sales.item], 1] * sales.promoted
    own = _Groups(sales, rest, x[:, :1], np.arange(items), dispersion)
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
    known = information[:, 0] > SOME
    weight = np.where(known, 1 / (spread[of] + 1 / np.maximum(information[:, 0], SOME)), 0.0)
    sums = np.bincount(of, weight, minlength=categories) + WIDE**-2
    mean = np.bincount(of, weight * estimate[:, 0], minlength=categories) + WIDE**-2 * theta[:, 0]
    middle = mean / sums
    precision = 1 / spread[of, None]
    found, information = own.fit(middle[of, None], precision)
    total = information[:, 0] + precision[:, 0]
    drawn = precision[:, 0] / total
    return Response(
        found[:, 0],
        np.sqrt(1 / total + drawn**2 / sums[of]),
        1 - drawn,
        theta[:, 1],
        middle,
        dispersion,
    )


def base_of(sales: Sales) -> Doubles:
    """The mean of the logarithm of each item's price, shape (items,)."""
    items = len(sales.category)
    count = np.bincount(sales.item, minlength=items)
    total = np.bincount(sales.item, np.log(sales.price), minlength=items)
    return total / np.maximum(count, 1)


def relative(sales: Sales, base: Doubles) -> Doubles:
    """The logarithm of each row's price in units of that of the item."""
    out: Doubles = np.log(sales.price) - base[sales.item]
    return out


def _demand(sales: Sales, response: Response, effects: Doubles, base: Doubles) -> Doubles:
    """Units of each row for one of the item's level."""
    promotion = response.promotion[sales.category[sales.item]] * sales.promoted
    slope = response.elasticity[sales.item] * relative(sales, base)
    out: Doubles = np.exp(effects + slope + promotion)
    return out


def _level(sales: Sales, demand: Doubles) -> Doubles:
    """The units of each item for a demand of 1, shape (items,)."""
    items = len(sales.category)
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


class _Groups:
    """How items' units spread over their weeks, by groups of items that share parameters.

    Args:
        sales: the units.
        offset: what is known of each row, as a logarithm.
        x: what parameters are of, shape (n, p).
        group: of each item.
        dispersion: of each item, by which information is divided.
    """

    def __init__(
        self, sales: Sales, offset: Doubles, x: Doubles, group: Longs, dispersion: Doubles
    ) -> None:
        self.item, self.units, self.offset, self.x = sales.item, sales.units, offset, x
        self.group, self.dispersion_of = group, dispersion
        self.items = len(group)
        self.count = int(group.max(initial=-1)) + 1
        self.total = np.bincount(self.item, self.units, minlength=self.items)

    def _mean(self, theta: Doubles) -> Doubles:
        """The expected units of each row, given those of each item."""
        linear = self.offset + (self.x * theta[self.group[self.item]]).sum(axis=1)
        top = np.full(self.items, -np.inf)
        np.maximum.at(top, self.item, linear)
        weight = np.exp(linear - top[self.item])
        sums = np.bincount(self.item, weight, minlength=self.items)
        out: Doubles = weight / sums[self.item] * self.total[self.item]
        return out

    def _slopes(self, theta: Doubles) -> tuple[Doubles, Doubles]:
        """The gradient, shape (groups, p), and the information, shape (groups, p, p)."""
        mean = self._mean(theta)
        p = self.x.shape[1]
        rest = (self.units - mean) / self.dispersion_of[self.item]
        of_row = self.group[self.item]
        gradient = np.zeros((self.count, p))
        for k in range(p):
            gradient[:, k] = np.bincount(of_row, rest * self.x[:, k], minlength=self.count)
        total = np.maximum(self.total, 1e-300)
        centre = [
            np.bincount(self.item, mean * self.x[:, k], minlength=self.items) for k in range(p)
        ]
        information = np.empty((self.count, p, p))
        for k in range(p):
            for m in range(p):
                square = np.bincount(
                    self.item, mean * self.x[:, k] * self.x[:, m], minlength=self.items
                )
                each = (square - centre[k] * centre[m] / total) / self.dispersion_of
                information[:, k, m] = np.bincount(self.group, each, minlength=self.count)
        return gradient, information

    def fit(self, mean: Doubles, precision: Doubles) -> tuple[Doubles, Doubles]:
        """The likeliest parameters with a normal prior, shape (groups, p), and their information.

        Args:
            mean: of the prior, shape (groups, p).
            precision: of the prior, the same.
        """
        theta = mean.copy()
        eye = np.eye(mean.shape[1])
        for _ in range(STEPS):
            gradient, information = self._slopes(theta)
            hessian = information + precision[:, :, None] * eye
            step = np.linalg.solve(hessian, (gradient - precision * (theta - mean))[:, :, None])
            # far from the top Newton's steps are too long
            step = np.clip(step[:, :, 0], -1, 1)
            theta = np.clip(theta + step, -FARTHEST, FARTHEST)
            if np.abs(step).max(initial=0) < CLOSE:
                break
        _, information = self._slopes(theta)
        return theta, np.einsum("gkk->gk", information)

    def one_step(self, theta: Doubles) -> tuple[Doubles, Doubles]:
        """Estimates of each group alone, a step of Newton's from theta, and their information."""
        gradient, information = self._slopes(theta)
        diagonal = np.einsum("gkk->gk", information)
        step = np.where(diagonal > SOME, gradient / np.maximum(diagonal, SOME), 0.0)
        return theta + step, diagonal

    def dispersion(self, theta: Doubles) -> Doubles:
        """The mean squared residual of each item, in units of that of Poisson counts, (items,).

        It is drawn towards that of its group, and at least 1.
        """
        mean = self._mean(theta)
        kept = mean > 1e-9
        square = np.where(kept, (self.units - mean) ** 2 / np.maximum(mean, 1e-9), 0.0)
        total = np.bincount(self.item, square, minlength=self.items)
        free = np.maximum(np.bincount(self.item, kept, minlength=self.items) - 1.0, 0)
        in_group = np.bincount(self.group, total) / np.maximum(np.bincount(self.group, free), 1)
        out: Doubles = (total + WEEKS * in_group[self.group]) / (free + WEEKS)
        return np.maximum(out, 1.0)


def apart(estimate: Doubles, information: Doubles) -> Doubles:
    """The variance of what is estimated beyond that of the estimates, shape (p,)."""
    out = np.zeros(estimate.shape[1])
    for k in range(estimate.shape[1]):
        kept = information[:, k] > SOME
        weight, value = information[kept, k], estimate[kept, k]
        if len(weight) < 2:
            out[k] = WIDE**2
            continue
        total = weight.sum()
        middle = (weight * value).sum() / total
        free = len(weight) - 1
        excess = (weight * (value - middle) ** 2).sum() - free
        # and its standard error, since intervals with a variance that is too small are too narrow
        out[k] = (max(excess, 0.0) + (2 * free) ** 0.5) / (total - (weight**2).sum() / total)
    return out
