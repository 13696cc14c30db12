"""Constraints that a query states, read and evaluated over the items."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np

from .arrays import whole
from .expressions import MorecError, Table, expression, identifier
from .templates import arrow, sql
from .udfs.constraints import Constraint, Doubles

KINDS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "max_per": ("a whole number from 1 up", lambda x: x >= 1 and x == int(x)),
    "min_share": ("a share above 0 and up to 1", lambda x: 0 < x <= 1),
    "floor": ("a finite number", lambda x: True),
    "budget": ("a finite number from 0 up", lambda x: x >= 0),
}


def constraints(
    con: duckdb.DuckDBPyConnection,
    schema: str,
    text: str,
    items: Table,
    objectives: dict[str, Doubles],
) -> list[Constraint]:
    """Read the constraints of a query.

    Args:
        con: where they are evaluated.
        schema: the recommender.
        text: the JSON object that SQL passes: by kind, what is constrained and how.
        items: the recommender's view of the items.
        objectives: values by item of the objectives that a floor may name.

    Returns:
        the constraints over the items in the order of item_index.

    Raises:
        MorecError: one of them is wrong, or two contradict each other.
    """
    found: list[Constraint] = []
    written: list[str] = []
    for kind, (allowed, check) in KINDS.items():
        given = json.loads(text).get(kind)
        if given is None:
            continue
        if not isinstance(given, dict) or not given:
            raise MorecError(
                f"{kind}: a struct of columns or expressions and numbers is needed, not {given!r}"
            )
        for key, limit in given.items():
            number = isinstance(limit, int | float) and not isinstance(limit, bool)
            if not number or not np.isfinite(limit) or not check(limit):
                raise MorecError(f"{kind}: {limit!r} for {key!r} is not {allowed}")
            found.append(Constraint(key, kind, np.zeros(0), float(limit)))
            written.append(_written(con, kind, key, items, objectives))
    if not found:
        return []
    columns = ", ".join(f"{one} AS _value_{n}" for n, one in enumerate(written))
    query = sql("constrained_items", schema=identifier(schema), columns=columns)
    table = arrow(con, query)
    out = []
    for place, constraint in enumerate(found):
        if constraint.kind == "floor" and constraint.key in objectives:
            values = objectives[constraint.key]
        else:
            column = whole(table.column(f"_value_{place}"))
            if constraint.kind == "max_per":
                column = column.dictionary_encode().indices.fill_null(-1)
            values = column.to_numpy(zero_copy_only=False).astype(np.float64)
        if constraint.kind == "min_share":
            values = np.nan_to_num(values)
        out.append(dataclasses.replace(constraint, values=values))
    shares = [one for one in out if one.kind == "min_share"]
    for one, other in itertools.combinations(shares, 2):
        if one.limit + other.limit > 1 and not (one.values * other.values).any():
            raise MorecError(
                f"min_share: {one.key!r} and {other.key!r} have no item in common, but"
                f" their shares add up to {one.limit + other.limit:g}, where 1 is allowed"
            )
    return out


def _written(
    con: duckdb.DuckDBPyConnection, kind: str, key: str, items: Table, objectives: dict[str, Any]
) -> str:
    """What is constrained as SQL over the items; NULL where it is an objective's value."""
    if kind == "floor" and key in objectives:
        return "NULL"
    wanted = {"max_per": "category", "min_share": "predicate"}.get(kind, "number")
    text = expression(con, kind, key, items, wanted=wanted)
    return f"CAST(({text}) AS {'VARCHAR' if kind == 'max_per' else 'DOUBLE'})"
