"""What customers ordered until a moment, in figures that foretell what they order next."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..history import Doubles, Longs

FEATURES = {
    "lately": "orders, those of some time ago counting half, logarithm",
    "so far": "orders, those of long ago counting half, logarithm",
    "in all": "orders in all, logarithm",
    "last period": "orders in the last horizon, logarithm",
    "recency": "days since the last order, logarithm",
    "lateness": "days since the last order, in units of the usual gap, logarithm",
    "tenure": "days since the first order, logarithm",
}
FADING = 0.5, 2.0  # horizons after which an order counts half, for lately and so far
QUANTILES = 5  # of recency, frequency and spending: the cells of RFM
PRIOR = 5.0  # customers that the mean of all counts as in a cell


@dataclasses.dataclass(frozen=True)
class Orders:
    """Orders, one a day at most, sorted by customer and day: all of one shape.

    customer is a number from 0 on, day counts from any, and value is what the order brings.
    """

    customer: Longs
    day: Doubles
    value: Doubles

    def before(self, moment: float) -> Orders:
        """Those before a day."""
        kept = self.day < moment
        return Orders(self.customer[kept], self.day[kept], self.value[kept])

    def after(self, moment: float, horizon: float, customers: int) -> tuple[Doubles, Doubles]:
        """How many orders each customer has from a day on within a horizon, and what they bring."""
        kept = (self.day >= moment) & (self.day < moment + horizon)
        count = np.bincount(self.customer[kept], minlength=customers).astype(np.float64)
        value = np.bincount(self.customer[kept], self.value[kept], minlength=customers)
        return count, value.astype(np.float64)


@dataclasses.dataclass(frozen=True)
class Known:
    """What is known of customers at a moment; arrays are by customer, of those who ordered before.

    customer are their numbers; x, t_x and age as of lifetimes; features have shape (n, f); total,
    squares and count are of what their orders brought, recent the orders and the value of the last
    horizon, shape (n, 2).
    """

    customer: Longs
    x: Doubles
    t_x: Doubles
    age: Doubles
    features: Doubles
    total: Doubles
    squares: Doubles
    count: Doubles
    recent: Doubles


def known_at(orders: Orders, moment: float, horizon: float) -> Known:
    """What is known of customers at the start of a day; `orders` may have later ones."""
    past = orders.before(moment)
    starts = np.flatnonzero(np.append(True, np.diff(past.customer) != 0)[: len(past.customer)])
    customer = past.customer[starts]
    ends = np.append(starts, len(past.customer))[1:]
    first, last = past.day[starts], past.day[ends - 1]
    count = (ends - starts).astype(np.float64)
    age, since = moment - first, moment - last
    sums = [
        np.add.reduceat(np.exp2(-(moment - past.day) / (fading * horizon)), starts)
        for fading in FADING
    ]
    inside = past.day >= moment - horizon
    recent = np.column_stack(
        [np.add.reduceat(inside * one, starts) for one in (np.ones(len(inside)), past.value)]
    )
    # the usual gap; before a second order the customer's age says as much
    gap = np.where(count > 1, (last - first) / np.maximum(count - 1, 1), np.maximum(age, 1))
    features = np.column_stack(
        [
            np.log1p(sums[0]),
            np.log1p(sums[1]),
            np.log1p(count),
            np.log1p(recent[:, 0]),
            np.log1p(since),
            np.log1p(since / np.maximum(gap, 1)),
            np.log1p(age),
        ]
    )
    total = np.add.reduceat(past.value, starts)
    squares = np.add.reduceat(past.value**2, starts)
    return Known(
        customer, count - 1, last - first, age, features, total, squares, count, recent
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Cells:
    """Customers by quantiles of recency, frequency and spending (RFM), with means of outcomes.

    edges are those of each of the three, mean has the mean of an outcome for each cell.
    """

    edges: list[Doubles]
    mean: Doubles

    @staticmethod
    def fit(known: Known, outcome: Doubles) -> Cells:
        """The cells of customers, and the mean of what came in each."""
        inner = np.linspace(0, 1, QUANTILES + 1)[1:-1]
        edges = [np.unique(np.quantile(one, inner)) for one in _rfm(known)]
        cell = _cell(known, edges)
        size = (QUANTILES + 1) ** 3
        count = np.bincount(cell, minlength=size)
        total = np.bincount(cell, outcome, minlength=size)
        return Cells(edges, (total + PRIOR * outcome.mean()) / (count + PRIOR))

    def expected(self, known: Known) -> Doubles:
        """The mean of the cell of each customer."""
        out: Doubles = self.mean[_cell(known, self.edges)]
        return out


def _rfm(known: Known) -> tuple[Doubles, Doubles, Doubles]:
    return known.age - known.t_x, known.count, known.total


def _cell(known: Known, edges: list[Doubles]) -> Longs:
    cell = np.zeros(len(known.customer), np.int64)
    for one, edge in zip(_rfm(known), edges, strict=True):
        cell = cell * (QUANTILES + 1) + np.searchsorted(edge, one, side="right")
    return cell
