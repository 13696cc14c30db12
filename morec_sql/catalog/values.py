"""Values of objectives over the catalogue: one function for each kind that has them.

Each takes the Items and gives a value by item, shape (items,), NaN where there is none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..arrays import whole
from ..templates import arrow, identifier
from ..udfs.history import Doubles, Floats, History, Longs


@dataclasses.dataclass(frozen=True)
class Items:
    """What the values of an objective come from.

    con holds the temporary table morec_items; count is the number of items; history are all
    user-item pairs as of `now`, in seconds of the epoch, whose ages are in units of `unit` seconds;
    exposure gives how much attention each item gets in lists by relevance, shape (items,).
    position is the objective's, whose SQL is a column of morec_items. Where they are only some of
    the items of a catalogue, catalogue is how many pairs and items that has.
    """

    con: duckdb.DuckDBPyConnection
    count: int
    history: History
    now: float
    unit: float
    exposure: Callable[[], Doubles]
    position: int = 0
    catalogue: tuple[float, int] | None = None

    @property
    def users(self) -> Doubles:
        """How many users know each item."""
        return np.bincount(self.history.item, minlength=self.count).astype(np.float64)

    @property
    def column(self) -> str:
        """The column of the objective's SQL."""
        return identifier(f"_objective_{self.position}")

    def numbers(self, column: str | None = None) -> Doubles:
        """The values of a column, by default of the objective's SQL."""
        query = f"SELECT {column or self.column} FROM morec_items ORDER BY item_index"
        values: Doubles = arrow(self.con, query).column(0).to_numpy().astype(np.float64)
        return values

    def categories(self) -> npt.NDArray[np.int64]:
        """Numbers of the categories in the objective's SQL, in their order; -1 for NULL."""
        table = arrow(
            self.con,
            f"SELECT CASE WHEN {self.column} IS NOT NULL"
            f" THEN dense_rank() OVER (ORDER BY {self.column}) - 1 END AS code"
            " FROM morec_items ORDER BY item_index",
        )
        codes: npt.NDArray[np.int64] = whole(table.column(0)).fill_null(-1).to_numpy()
        return codes.astype(np.int64)

    def vectors(self, width: int | None = None) -> Floats:
        """Vectors of length 1 in the objective's SQL, 0 without one, shape (items, width)."""
        unit, row, _ = unit_vectors(self.con, self.column, width)
        out = np.zeros((len(row), unit.shape[1]), np.float32)
        out[row >= 0] = unit[row[row >= 0]]
        return out


def unit_vectors(
    con: duckdb.DuckDBPyConnection, column: str, width: int | None = None
) -> tuple[Floats, Longs, int]:
    """The vectors in a column of lists of numbers, of length 1.

    Args:
        con: with the temporary table of the items.
        column: SQL of the column.
        width: how many numbers each has; by default as most of them.

    Returns:
        the vectors, shape (m, width), that of each item among them, -1 without one, and how many
        are left out, since they have others than so many finite numbers, or are all 0.
    """
    found = whole(arrow(con, f"SELECT {column} FROM morec_items ORDER BY item_index").column(0))
    lengths = found.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    if width is None:
        width = int(np.bincount(lengths[lengths > 0]).argmax()) if lengths.any() else 1
    fitting = np.flatnonzero(lengths == width)
    values = found.take(pa.array(fitting)).flatten().to_numpy(zero_copy_only=False)
    values = values.reshape(-1, width)
    norm = np.linalg.norm(values.astype(np.float64), axis=1)
    good = np.isfinite(norm) & (norm > 0)
    unit = (values[good] / norm[good, None]).astype(np.float32)
    row = np.full(len(found), -1)
    row[fitting[good]] = np.arange(len(unit))
    return unit, row, int((lengths > 0).sum()) - len(unit)


def popularity(items: Items) -> Doubles:
    """Log of the number of users."""
    return np.log1p(items.users)


def novelty(items: Items) -> Doubles:
    """Self-information in bits."""
    users = items.users
    return _information(users, *(items.catalogue or (float(users.sum()), items.count)))


def trend(items: Items) -> Doubles:
    """Log of the users of late, against those expected from all users."""
    late = np.bincount(items.history.item, items.history.last <= 1.0, minlength=items.count)
    users = items.users
    out: Doubles = np.log((late + 1) / (users * (late.sum() / max(users.sum(), 1)) + 1))
    return out


def freshness(items: Items) -> Doubles:
    """How recently the item appeared, 1 for now and half of that a unit ago."""
    declared_age = (items.now - items.numbers("epoch(_item_time)")) / items.unit
    age = np.full(items.count, -np.inf)
    np.maximum.at(age, items.history.item, items.history.first.astype(np.float64))
    age = np.where(items.users > 0, age, np.nan)
    age = np.where(np.isfinite(declared_age), declared_age, age)
    out: Doubles = np.exp2(-np.maximum(age, 0.0))
    return out


def expression(items: Items) -> Doubles:
    """What the objective's SQL says."""
    return items.numbers()


def log_expression(items: Items) -> Doubles:
    """The log of what the objective's SQL says, where that is above 0."""
    values = items.numbers()
    return np.log(np.where(values > 0, values, np.nan))


def fairness(items: Items) -> Doubles:
    """Log of the share of the pairs that a provider has against the share of attention it gets.

    Attention in proportion to merit (Singh and Joachims 2018): what lists by relevance alone give
    too little of goes up, in all lists together and not within each one, where few providers fit.
    Shares are smoothed by one pair per provider.
    """
    provider, exposure = items.categories(), items.exposure()
    known = provider >= 0
    providers = int(provider.max()) + 1
    if not providers:
        return np.full(len(provider), np.nan)
    merit = np.bincount(provider[known], items.users[known], minlength=providers)
    seen = np.bincount(provider[known], exposure[known], minlength=providers)
    seen *= merit.sum() / max(seen.sum(), 1e-12)
    return np.where(known, np.log((merit + 1) / (seen + 1))[provider], np.nan)


def self_information(history: History, items: int) -> Doubles:
    """-log2 of the share of each item among all user-item pairs, in bits, smoothed by one user."""
    users = np.bincount(history.item, minlength=items).astype(np.float64)
    return _information(users, float(users.sum()), items)


def _information(users: Doubles, pairs: float, items: int) -> Doubles:
    """As self_information, of items with so many users each, of so many pairs and items in all."""
    out: Doubles = -np.log2((users + 1) / (pairs + items))
    return out
