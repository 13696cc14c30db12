"""Predicates over the items and the users of a recommender."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..arrays import whole
from ..source.expressions import evaluated, expression
from ..source.tables import Table
from ..templates import arrow, identifier, sql


def items_of(con: duckdb.DuckDBPyConnection, schema: str) -> Table:
    """The recommender's view of the items."""
    return _view(con, schema, "items")


def users_of(con: duckdb.DuckDBPyConnection, schema: str) -> Table | None:
    """The recommender's view of the users, None where it was made without a table of them."""
    try:
        return _view(con, schema, "users")
    except duckdb.CatalogException:
        return None


def _view(con: duckdb.DuckDBPyConnection, schema: str, name: str) -> Table:
    view = f"{identifier(schema)}.{name}"
    columns = con.execute(f"DESCRIBE SELECT * FROM {view}").fetchall()
    return Table(view, {row[0]: row[1] for row in columns})


def values_of_items(
    con: duckdb.DuckDBPyConnection, schema: str, columns: list[str], catalogue: str, items: int
) -> list[Any]:
    """The values of expressions over the items, each by item.

    They are Arrow arrays, NULL where there is none, and dictionary-encoded where they are texts;
    truth values are NumPy arrays, false where there is none.

    Args:
        con: where they are evaluated.
        schema: the recommender.
        columns: the expressions, as SQL.
        catalogue: the table, as SQL, that numbers the items.
        items: how many it numbers.
    """
    named = ", ".join(f"{one} AS _value_{place}" for place, one in enumerate(columns))
    parts = {"schema": identifier(schema), "catalogue": catalogue, "columns": named}
    table = arrow(con, sql("answer/values_of_items", **parts))
    rows = np.full(items, -1)
    # the first of rows with the same id counts
    rows[table.column("_place").to_numpy()[::-1]] = np.arange(len(table))[::-1]
    order = pa.array(rows, mask=rows < 0)
    read = (whole(table.column(f"_value_{place}")).take(order) for place in range(len(columns)))
    return [_as_given(one) for one in read]


def _as_given(column: pa.Array) -> Any:
    """A column as values_of_items gives it."""
    if pa.types.is_boolean(column.type):
        return column.fill_null(False).to_numpy(zero_copy_only=False)
    return column.dictionary_encode() if pa.types.is_string(column.type) else column


def filtered(
    con: duckdb.DuckDBPyConnection,
    schema: str,
    predicate: str,
    catalogue: str,
    argument: str = "filter",
) -> npt.NDArray[np.int64]:
    """Indices of the items of which `predicate` is true, sorted.

    Args:
        con: where it is evaluated.
        schema: the recommender, whose view items it is about.
        predicate: as the user wrote it.
        catalogue: the table, as SQL, that numbers the items.
        argument: what it came as.

    Raises:
        MorecError: it is not one predicate over the columns of the items.
    """
    found = _filtered(
        con, schema, argument, predicate, "items", "answer/filtered_items", catalogue=catalogue
    )
    return np.asarray(found["item_index"], np.int64)


def users_filtered(
    con: duckdb.DuckDBPyConnection, schema: str, predicate: str, argument: str = "filter"
) -> npt.NDArray[np.object_]:
    """The users of which `predicate` is true, as texts; parameters and errors as in filtered."""
    found = _filtered(con, schema, argument, predicate, "users", "answer/filtered_users")
    return np.asarray(found["user_id"], object)


def _filtered(
    con: duckdb.DuckDBPyConnection,
    schema: str,
    argument: str,
    predicate: str,
    view: str,
    query: str,
    **parts: str,
) -> dict[str, npt.NDArray[Any]]:
    """The columns of what a predicate over a view keeps."""
    checked = expression(con, argument, predicate, _view(con, schema, view), wanted="predicate")
    statement = sql(query, schema=identifier(schema), predicate=checked, **parts)
    with evaluated(argument, predicate):
        return con.execute(statement).fetchnumpy()
