"""Constraints that a query states, read and evaluated over the items."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ..errors import MorecError
from ..source.expressions import expression
from ..source.tables import Table
from ..udfs.history import Doubles
from ..udfs.ranking.constraints import KINDS, Constraint


def constraints(
    con: duckdb.DuckDBPyConnection,
    text: str,
    items: Table,
    objectives: dict[str, Doubles],
    values: Callable[[list[str]], list[Any]],
) -> tuple[list[Constraint], list[str]]:
    """Read the constraints of a query.

    Args:
        con: where they are evaluated.
        text: the JSON object that SQL passes: by kind, what is constrained and how.
        items: the recommender's view of the items.
        objectives: values by item of the objectives that a floor may name.
        values: evaluates expressions over the items, by item.

    Returns:
        the constraints over the items in the order of item_index, and the expressions that these
        evaluate, as SQL.

    Raises:
        MorecError: one of them is wrong, or two contradict each other.
    """
    found: list[Constraint] = []
    for kind, rule in KINDS.items():
        given = json.loads(text).get(kind)
        if given is None:
            continue
        if not isinstance(given, dict) or not given:
            raise MorecError(
                f"{kind}: a struct of columns or expressions and numbers is needed, not {given!r}"
            )
        for key, limit in given.items():
            number = isinstance(limit, int | float) and not isinstance(limit, bool)
            if not number or not np.isfinite(limit) or not rule.allowed(limit):
                raise MorecError(f"{kind}: {limit!r} for {key!r} is not {rule.limits}")
            found.append(Constraint(key, kind, np.zeros(0), float(limit)))
    if not found:
        return [], []
    columns = [_written(con, one, items, objectives) for one in found]
    read = values(columns)
    out = [
        dataclasses.replace(one, values=_values(one, column, objectives))
        for one, column in zip(found, read, strict=True)
    ]
    shares = [one for one in out if one.rule.of == "predicate"]
    for one, other in itertools.combinations(shares, 2):
        if one.limit + other.limit > 1 and not (one.values * other.values).any():
            raise MorecError(
                f"{one.kind}: {one.key!r} and {other.key!r} have no item in common, but"
                f" their shares add up to {one.limit + other.limit:g}, where 1 is allowed"
            )
    return out, columns


def _of_objective(constraint: Constraint, objectives: dict[str, Doubles]) -> bool:
    return constraint.rule.of_objectives and constraint.key in objectives


def _written(
    con: duckdb.DuckDBPyConnection,
    constraint: Constraint,
    items: Table,
    objectives: dict[str, Doubles],
) -> str:
    """What is constrained as SQL over the items; NULL where it is an objective's value."""
    if _of_objective(constraint, objectives):
        return "NULL"
    of = constraint.rule.of
    text = expression(con, constraint.kind, constraint.key, items, wanted=of)
    return f"CAST(({text}) AS {'VARCHAR' if of == 'category' else 'DOUBLE'})"


def _values(constraint: Constraint, array: pa.Array, objectives: dict[str, Doubles]) -> Doubles:
    """The values of a constraint by item."""
    if _of_objective(constraint, objectives):
        return objectives[constraint.key]
    if constraint.rule.of == "category":
        array = array.indices.fill_null(-1)
    values: Doubles = array.to_numpy(zero_copy_only=False).astype(np.float64)
    return np.nan_to_num(values) if constraint.rule.of == "predicate" else values
