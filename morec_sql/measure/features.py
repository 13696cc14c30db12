"""The columns of items as features of models that explain a recommender."""

from __future__ import annotations

import dataclasses

import duckdb
import numpy as np
import pyarrow as pa

from ..answer.filters import items_of
from ..arrays import whole
from ..source.expressions import is_number
from ..templates import first_row, identifier, sql
from .trial import Doubles

MOST_COLUMNS = 30  # of the items
MOST_CATEGORIES = 1000  # of a column that says what items have in common
NAMED = 12  # categories of a column that are features of their own


@dataclasses.dataclass(frozen=True)
class Feature:
    """A column of numbers; of a category where `category` is one, 1 for it and 0 for others."""

    name: str
    values: Doubles
    category: str | None = None

    def says(self, value: float) -> str:
        """What it is for an item that has this value."""
        if self.category is None:
            return f"{self.name} = {value:.6g}"
        return f"{self.name} {'=' if value > 0.5 else '<>'} {self.category}"


def write_columns(con: duckdb.DuckDBPyConnection, name: str) -> tuple[list[str], list[str]]:
    """Write the temporary table of the columns of a recommender's items.

    Returns:
        the columns that are numbers, and those that are categories: some items have them in common.
    """
    columns = items_of(con, name).columns
    numbers = [one for one, kind in columns.items() if is_number(kind)]
    others = [
        one for one, kind in columns.items()
        if kind in ("VARCHAR", "BOOLEAN") or kind.startswith("ENUM")
    ]  # fmt: skip
    ids = first_row(con, f"SELECT count(DISTINCT item_id) FROM {identifier(name)}.items")
    assert ids is not None
    if numbers + others:
        counts = ", ".join(f"count(DISTINCT {identifier(one)})" for one in numbers + others)
        row = first_row(con, f"SELECT {counts} FROM {identifier(name)}.items")
        found = dict(zip(numbers + others, row or (), strict=True))
        # ids of items and of texts tell each from all others, and nothing of any
        numbers = [one for one in numbers if found[one] > 1 and "_id" not in one.lower()]
        most = min(MOST_CATEGORIES, ids[0] / 2)
        others = [one for one in others if 1 < found[one] <= most]
    numbers, others = numbers[:MOST_COLUMNS], others[: MOST_COLUMNS - len(numbers[:MOST_COLUMNS])]
    listed = [f"CAST(_i.{identifier(one)} AS DOUBLE) AS {identifier(one)}" for one in numbers]
    listed += [f"CAST(_i.{identifier(one)} AS VARCHAR) AS {identifier(one)}" for one in others]
    parts = {"schema": identifier(name), "columns": "".join(f", {one}" for one in listed)}
    con.execute(sql("measure/columns_of_items", **parts))
    return numbers, others


def features_of(table: pa.Table, numbers: list[str], categories: list[str]) -> list[Feature]:
    """The features of the rows of a table: numbers as they are, the commonest categories each.

    A number that is missing is taken as the median.
    """
    found = []
    for name in numbers:
        values = whole(table.column(name)).cast(pa.float64()).to_numpy(zero_copy_only=False)
        known = values[np.isfinite(values)]
        if len(known):
            found.append(Feature(name, np.where(np.isfinite(values), values, np.median(known))))
    for name in categories:
        encoded = whole(table.column(name)).dictionary_encode()
        index = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        counts = np.bincount(index[index >= 0], minlength=len(encoded.dictionary))
        # of two the one says all of the other
        most = 1 if len(counts) == 2 and (index >= 0).all() else NAMED
        for code in np.argsort(-counts, kind="stable")[:most]:
            same = (index == code).astype(np.float64)
            found.append(Feature(name, same, encoded.dictionary[int(code)].as_py()))
    return found
