"""Predicates over the items of a recommender."""

from __future__ import annotations

import duckdb
import numpy as np
import numpy.typing as npt

from ..errors import MorecError, reason, shown
from ..source.expressions import expression
from ..source.tables import Table
from ..templates import identifier, sql


def items_of(con: duckdb.DuckDBPyConnection, schema: str) -> Table:
    """The recommender's view of the items."""
    view = f"{identifier(schema)}.items"
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
    checked = expression(con, "filter", predicate, items_of(con, schema), wanted="predicate")
    try:
        found = con.execute(
            sql(
                "answer/filtered_items",
                schema=identifier(schema),
                catalogue=catalogue,
                predicate=checked,
            )
        ).fetchnumpy()
    except duckdb.Error as error:
        raise MorecError(
            f"filter: {shown(predicate)} cannot be evaluated: {reason(error)}"
        ) from None
    return np.asarray(found["item_index"], np.int64)
