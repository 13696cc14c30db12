"""How much of each item is going to be sold within a horizon, with quantiles.

Smoothed rates of an item's sales, the same days of a year ago, and what its customers are expected
to buy by how often they buy it and whether they are still there, are joined by a Poisson regression
over all items and several past horizons, relative to one of the rates. The spread around it is
negative binomial, with as much more variance than Poisson as made quantiles lose least in the past,
by how much is expected.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from ..history import Doubles, Longs
from .candidates import Flags
from .lifetimes import fit_lifetimes
from .response import Response, fit

FADING = 1.0, 4.0, 16.0  # horizons after which a sale counts half
YEAR = 364.0  # days, so that weekdays are the same
WINDOWS = 4  # past horizons that are learnt from
BINS = 12  # of expected units, by which variance is known
MOST = 1500  # items of a bin that it is found by
VARIANCES = (
    1e-6,
    0.03,
    0.1,
    0.2,
    0.4,
    0.7,
    1.0,
    1.5,
    2.5,
    4.0,
    8.0,
)  # times the squared mean, more
SMALL = 0.02  # units that are added to rates, so that logarithms exist
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)  # of the quantiles that forecasts are measured by
CAP = 50.0  # times the base, beyond which units of a past horizon are not learnt from
USUAL = 0.999  # share of the items by which a method is chosen
OURS, BOTH = "regression", "regression and moving average"
LAST, AVERAGE, SEASON = "last period", "moving average", "seasonal naive"
PERIODS = 4  # horizons of the moving average
FEATURES = (
    "lately", "so far", "in all", "a year ago", "customers", "recency", "age",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Sold:
    """Units by customer, item and day, all of one shape; numbers of both are from 0 on."""

    customer: Longs
    item: Longs
    day: Doubles
    units: Doubles
    customers: int
    items: int

    @property
    def first(self) -> float:
        """The first day."""
        return float(self.day.min(initial=np.inf))


@dataclasses.dataclass(frozen=True)
class Known:
    """What is known of items at the start of a day: those sold before, by their numbers.

    base is the rate that all else is relative to, in units a horizon, features have shape (n, 7),
    and simple the forecasts of simple methods by their names, shape (n,) each.
    """

    item: Longs
    base: Doubles
    features: Doubles
    simple: dict[str, Doubles]


def known_at(sold: Sold, moment: float, horizon: float, seasonal: bool) -> Known:
    """What is known of items before a day.

    Args:
        sold: all units.
        moment: the day.
        horizon: in days.
        seasonal: whether there is a year of sales before all such days.
    """
    past = sold.day < moment
    item, day, units = sold.item[past], sold.day[past], sold.units[past]

    def total(weight: npt.NDArray[Any]) -> Doubles:
        return np.bincount(item, weight * units, minlength=sold.items).astype(np.float64)

    first, last = np.full(sold.items, np.inf), np.full(sold.items, -np.inf)
    np.minimum.at(first, item, day)
    np.maximum.at(last, item, day)
    there = np.flatnonzero(np.isfinite(first))
    age = moment - first[there]
    rates = []
    for fading in FADING:
        half_life = fading * horizon
        # of a steady rate since the first sale
        seen = half_life / np.log(2) * (1 - np.exp2(-age / half_life))
        rates.append(total(np.exp2(-(moment - day) / half_life))[there] / seen * horizon)
    begins = moment - YEAR
    season = total(((day >= begins) & (day < begins + horizon)) * 1.0)[there]
    customers = _of_customers(sold, past, moment, horizon)[there]
    base = rates[1] + SMALL

    def relative(rate: Doubles) -> Doubles:
        out: Doubles = np.log((rate + SMALL) / base)
        return out

    features = np.column_stack(
        [
            relative(rates[0]),
            np.log(base),
            relative(rates[2]),
            relative(season) if seasonal else np.zeros(len(there)),
            relative(customers),
            np.log1p((moment - last[there]) / horizon),
            np.log1p(age / horizon),
        ]
    )
    late = [total((day >= moment - count * horizon) * 1.0)[there] for count in (1, PERIODS)]
    lived = np.clip(age / horizon, 1, PERIODS)
    simple = {LAST: late[0], AVERAGE: late[1] / lived}
    if seasonal:
        simple[SEASON] = season
    return Known(there, base, features, simple)


def _of_customers(sold: Sold, past: Flags, moment: float, horizon: float) -> Doubles:
    """The units that customers are expected to buy by how often each did, shape (items,).

    Each counts by how many orders are expected of them, in units of how many there were so far.
    """
    customer, day = sold.customer[past], sold.day[past]
    orders = np.unique(customer * 1_000_000 + (day - sold.first).astype(np.int64))
    who, when = np.divmod(orders, 1_000_000)
    count = np.bincount(who, minlength=sold.customers).astype(np.float64)
    begins = np.searchsorted(who, np.arange(sold.customers))
    ends = np.searchsorted(who, np.arange(sold.customers), side="right")
    known = np.flatnonzero(count)
    first, last = when[begins[known]], when[ends[known] - 1]
    age = moment - sold.first - first
    of = count[known] - 1, (last - first).astype(np.float64), age.astype(np.float64)
    expected = fit_lifetimes(*of, seed=0).orders(*of, horizon)
    factor = np.zeros(sold.customers)
    factor[known] = expected / count[known]
    units = sold.units[past] * factor[customer]
    return np.bincount(sold.item[past], units, minlength=sold.items).astype(np.float64)


@dataclasses.dataclass(frozen=True)
class Spread:
    """How much more variance than Poisson there is, by how much is expected: at `edges`."""

    edges: Doubles
    more: Doubles

    @staticmethod
    def fit(expected: Doubles, came: Doubles) -> Spread:
        """Those whose quantiles lose least, in bins of what was expected."""
        order = np.argsort(expected, kind="stable")
        generator = np.random.default_rng(0)
        edges, more = [], []
        for rows in np.array_split(order, min(BINS, max(len(order) // 50, 1))):
            some = rows if len(rows) <= MOST else generator.choice(rows, MOST, replace=False)
            mean = np.log(np.median(expected[rows]) + SMALL)

            def loss(one: float, some: Longs = some, mean: float = mean) -> float:
                tried = Spread(np.array([mean]), np.array([one]))
                return float(losses(came[some], _of(expected[some], tried)).sum())

            edges.append(float(mean))
            more.append(min(VARIANCES, key=loss))
        return Spread(np.array(edges), np.array(more))

    def _shape(self, expected: Doubles) -> tuple[Doubles, Doubles]:
        more = np.interp(np.log(expected + SMALL), self.edges, self.more)
        return 1 / more, 1 / (1 + more * np.maximum(expected, 1e-9))

    def quantile(self, expected: Doubles, level: float) -> Doubles:
        """The units that are not exceeded with such a chance, shape (n,)."""
        from scipy.stats import nbinom

        out: Doubles = nbinom.ppf(level, *self._shape(expected))
        return out

    def above(self, expected: Doubles, units: Doubles) -> Doubles:
        """The chance that more than so many units are wanted, shape (n,)."""
        from scipy.stats import nbinom

        out: Doubles = nbinom.sf(np.floor(units), *self._shape(expected))
        return np.where(units < 0, 1.0, out)


@dataclasses.dataclass(frozen=True)
class Forecast:
    """What is expected of items, by their numbers, and how it spreads.

    held_out has what simple methods and ours expected for the last horizon, with their spread, and
    what came, by the items of then; chosen is the method that answers.
    """

    item: Longs
    expected: Doubles
    spread: Spread
    chosen: str
    held_out: dict[str, tuple[Doubles, Spread]]
    came: Doubles
    items_then: Longs


def forecast(sold: Sold, now: float, horizon: float) -> Forecast:
    """Learn from past horizons, measure on the last one, and look ahead.

    Args:
        sold: the units.
        now: the day from which on is looked ahead.
        horizon: in days.
    """
    span = now - sold.first
    back = int(np.clip(span / horizon - 2, 2, WINDOWS + 1))
    seasonal = span >= YEAR + (back + 1) * horizon
    known = {
        step: known_at(sold, now - step * horizon, horizon, seasonal) for step in range(back + 1)
    }
    came = {step: _came(sold, known[step], now - step * horizon, horizon) for step in known if step}
    # fitted on the horizons before the last, the spread of methods on the one before it
    earlier = range(2, back + 1)
    response = _fit([known[step] for step in earlier], [came[step] for step in earlier])
    before = _methods(known[2], response)
    spreads = {name: Spread.fit(mean, came[2]) for name, mean in before.items()}
    held_out = {name: (mean, spreads[name]) for name, mean in _methods(known[1], response).items()}
    # the choice is by the horizon before the one that is measured
    lost = {name: losses(came[2], _of(mean, spreads[name])) for name, mean in before.items()}
    worst = np.max(list(lost.values()), axis=0)
    # a few items that were sold by the pallet once would decide for all
    kept = worst <= np.quantile(worst, USUAL)
    chosen = min(lost, key=lambda name: float(lost[name][kept].sum()))
    final = _fit([known[step] for step in range(1, back)], [came[step] for step in range(1, back)])
    expected = _methods(known[0], final)[chosen]
    spread = Spread.fit(held_out[chosen][0], came[1])
    return Forecast(known[0].item, expected, spread, chosen, held_out, came[1], known[1].item)


def _came(sold: Sold, known: Known, moment: float, horizon: float) -> Doubles:
    """The units of the items that were known, within a horizon."""
    inside = (sold.day >= moment) & (sold.day < moment + horizon)
    units = np.bincount(sold.item[inside], sold.units[inside], minlength=sold.items)
    return units.astype(np.float64)[known.item]


def _fit(known: list[Known], came: list[Doubles]) -> Response:
    """The regression over several horizons, in which items count alike from one unit on."""
    x = np.concatenate([one.features for one in known])
    y, base = np.concatenate(came), np.concatenate([one.base for one in known])
    window = np.repeat(np.arange(len(known)), [len(one.item) for one in known])
    size = np.maximum(base, 1)
    # what is so rare that it would be anything
    ratio = np.minimum(y / base, CAP)
    subsets = {"all": range(len(FEATURES)), "rates": range(3), "none": []}
    return fit("count", x, ratio * base / size, window, subsets, base / size)[1]


def _methods(known: Known, response: Response) -> dict[str, Doubles]:
    """What each method expects."""
    ours = response.expected(known.features, known.base)
    both = np.sqrt((ours + SMALL) * (known.simple[AVERAGE] + SMALL))
    return {OURS: ours, BOTH: both, **known.simple}


def _of(mean: Doubles, spread: Spread) -> tuple[Doubles, ...]:
    return tuple(spread.quantile(mean, level) for level in LEVELS)


def losses(came: Doubles, quantiles: tuple[Doubles, ...]) -> Doubles:
    """Twice the mean pinball loss over LEVELS of each item, shape (n,)."""
    each = [
        np.where(came >= one, level * (came - one), (1 - level) * (one - came))
        for level, one in zip(LEVELS, quantiles, strict=True)
    ]
    out: Doubles = 2 * np.mean(each, axis=0)
    return out


def quantile_losses(
    held_out: dict[str, tuple[Doubles, Spread]], came: Doubles
) -> dict[str, Doubles]:
    """The losses of each method by item."""
    return {name: losses(came, _of(mean, spread)) for name, (mean, spread) in held_out.items()}
