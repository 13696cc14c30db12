"""explain_locally: why an item has its score, from the columns of the items around it alone."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ..errors import MorecError, shown
from ..registry import Argument, sql_function
from ..session import Session
from ..source.checks import weights, whole_number
from ..templates import identifier, literal, sql, type_of
from .features import features_of, write_columns

WIDTH = 0.75  # of the kernel, in root features, as in LIME
RIDGE = 1.0
CONTENDERS = 300
USERS = "users of the item"


@sql_function(
    of="recommender",
    returns={
        "feature": "VARCHAR",
        "contribution": "DOUBLE",
        "slope": "DOUBLE",
        "fit": "DOUBLE",
    },
    arguments=(
        Argument("user_id", "the user", None, "CAST(user_id AS VARCHAR)"),
        Argument("item_id", "the item, listed or not", None, "CAST(item_id AS VARCHAR)"),
        Argument("weights", "as in recommend", "NULL"),
        Argument("samples", "so many items of the catalogue are scored", "2000"),
    ),
    result={
        "feature": "a column of the items, or how many users it has, and its value here",
        "contribution": "what it adds to the score, against the mean of all these items",
        "slope": "by how much the score changes with a deviation of the column",
        "fit": "R squared of all of them together, by the weights of the items around",
    },
    template="catalog/rows",
)
def explain_locally(
    session: Session, catalog: str, name: str, given: dict[str, Any]
) -> list[tuple[str, float, float, float]]:
    """What in an item's columns goes with its score for a user, by LIME (Ribeiro et al. 2016).

    A linear model of the scores of the items around it, which knows nothing of how scores are made:
    an independent check of explain.
    """
    samples = whole_number("samples", given["samples"], 50, 100_000)
    with session.cursor(catalog) as con:
        numbers, categories = write_columns(con, name)
        table = _scored(con, name, given, samples, numbers + categories)
    asked = table.column("asked about").to_numpy(zero_copy_only=False)
    if not asked.any():
        raise MorecError(f"item_id: {shown(given['item_id'])} is not an item of the catalogue")
    score = table.column("score for the user").to_numpy(zero_copy_only=False)
    features = features_of(table, [USERS, *numbers], categories)
    features = [one for one in features if one.values.std() > 0]
    if not features:
        raise MorecError(f"items: {name!r} has no column of its items that differs among them")
    design = np.column_stack([one.values for one in features])
    # users of an item are spread over magnitudes
    design[:, 0] = np.log1p(design[:, 0]) if features[0].name == USERS else design[:, 0]
    design = (design - design.mean(axis=0)) / design.std(axis=0)
    here = design[asked][0]
    distance = ((design - here) ** 2).sum(axis=1)
    weight = np.exp(-distance / (WIDTH**2 * design.shape[1]))
    around = np.average(design, axis=0, weights=weight)
    centre = np.average(score, weights=weight)
    left = (design - around) * np.sqrt(weight)[:, None]
    right = (score - centre) * np.sqrt(weight)
    slope = np.linalg.solve(left.T @ left + RIDGE * np.eye(design.shape[1]), left.T @ right)
    rest = float(((right - left @ slope) ** 2).sum())
    fit = 1 - rest / max(float((right**2).sum()), 1e-12)
    found = [
        (one.says(float(one.values[asked][0])), float(by * value), float(by), fit)
        for one, by, value in zip(features, slope, here, strict=True)
    ]
    return sorted(found, key=lambda row: -abs(row[1]))


def _scored(
    con: duckdb.DuckDBPyConnection,
    name: str,
    given: dict[str, Any],
    samples: int,
    columns: list[str],
) -> pa.Table:
    """Items with their scores and columns, as sql/measure/scored_columns.sql gives them."""
    named = con.execute(f"SELECT objective FROM {identifier(name)}.objectives ORDER BY position")
    names = [row[0] for row in named.fetchall()]
    wanted = "NULL"
    if given["weights"] is not None:
        values = weights(given["weights"], names)
        wanted = f"[{', '.join(map(literal, values))}]"
    query = sql(
        "measure/scored_columns",
        schema=identifier(name),
        contenders=literal(CONTENDERS),
        others=literal(samples),
        weights=wanted,
        item_type=type_of(con, "item_id", f"{identifier(name)}.item_vectors"),
        columns="".join(f", _c.{identifier(one)}" for one in columns),
    )
    user, item = given["user_id"], given["item_id"]
    return con.sql(query, params=[user, item, item, user]).to_arrow_table()
