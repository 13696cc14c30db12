"""Predicates over the items and the users of a recommender."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from ..errors import MorecError, reason, shown
from ..source.expressions import expression
from ..source.tables import Table
from ..templates import identifier, sql


def items_of(con: duckdb.DuckDBPyConnection, schema: str) -> Table:
    """The recommender's view of the items."""
    return _view(con, schema, "items")


def _view(con: duckdb.DuckDBPyConnection, schema: str, name: str) -> Table:
    view = f"{identifier(schema)}.{name}"
    columns = con.execute(f"DESCRIBE SELECT * FROM {view}").fetchall()
    return Table(view, {row[0]: row[1] for row in columns})


def filtered(
    con: duckdb.DuckDBPyConnection, schema: str, predicate: str, catalogue: str
) -> npt.NDArray[np.int64]:
    """Indices of the items of which `predicate` is true, sorted.

    Args:
        con: where it is evaluated.
        schema: the recommender, whose view items it is about.
        predicate: as the user wrote it.
        catalogue: the table, as SQL, that numbers the items.

    Raises:
        MorecError: it is not one predicate over the columns of the items.
    """
    found = _filtered(con, schema, predicate, "items", "answer/filtered_items", catalogue=catalogue)
    return np.asarray(found["item_index"], np.int64)


def users_filtered(
    con: duckdb.DuckDBPyConnection, schema: str, predicate: str
) -> npt.NDArray[np.object_]:
    """The users of which `predicate` is true, as texts; parameters and errors as in filtered."""
    found = _filtered(con, schema, predicate, "users", "answer/filtered_users")
    return np.asarray(found["user_id"], object)


def _filtered(
    con: duckdb.DuckDBPyConnection, schema: str, predicate: str, view: str, query: str, **parts: str
) -> dict[str, npt.NDArray[Any]]:
    """The columns of what a predicate over a view keeps."""
    checked = expression(con, "filter", predicate, _view(con, schema, view), wanted="predicate")
    try:
        return con.execute(
            sql(query, schema=identifier(schema), predicate=checked, **parts)
        ).fetchnumpy()
    except duckdb.Error as error:
        raise MorecError(
            f"filter: {shown(predicate)} cannot be evaluated: {reason(error)}"
        ) from None
