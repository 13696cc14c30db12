"""add_objective and drop_objective: other objectives, the model as it is."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import duckdb

from ..catalog.objectives import Objective, default_weights, metric_names
from ..catalog.versions import in_use, put_to_use
from ..errors import MorecError, nearest, shown
from ..progress import STAGE_COLUMNS, STAGE_TYPES, Stage
from ..registry import Argument, sql_function
from ..session import Session
from ..source.arguments import Arguments
from ..source.checks import number, truth
from ..source.source import Source
from ..templates import database_of, first_row, folded, identifier, literal, sql
from .in_place import Writing, changed
from .objectives import objectives_table
from .refresh_objectives import computed, write_values

Edit = Callable[[Arguments, list[Objective]], None]
NAME = Argument("name", "the recommender")


@sql_function(
    of="database",
    returns=STAGE_TYPES,
    arguments=(
        NAME,
        Argument("objective", "its name"),
        Argument(
            "expression", "SQL, as in create_recommender; NULL for one that is built in", "NULL"
        ),
        Argument("weight", "its default weight; with 0 lists are as before", "0.0"),
        Argument("replace", "whether it may take the place of one of the same name", "false"),
    ),
    result=STAGE_COLUMNS,
    template="catalog/rows",
)  # fmt: skip
def add_objective(session: Session, catalog: str, _: str, given: dict[str, Any]) -> list[Stage]:
    """Adds an objective to a recommender, or changes one, without training."""
    added, weight = given["objective"], number("weight", given["weight"])
    if not isinstance(added, str) or not added.strip():
        raise MorecError(f"objective: {shown(added)} came, but a name is needed")
    replace = truth("replace", given["replace"])

    def edit(arguments: Arguments, listed: list[Objective]) -> None:
        said, weights = _said(listed), dict(_weights(arguments, listed))
        there = next((name for name in said if folded(name) == folded(added)), None)
        if there is not None and not replace:
            raise MorecError(f"objective: there is {there!r} already; replace => true changes it")
        name = there or added
        said[name], weights[name] = given["expression"], weight
        arguments.objectives, arguments.weights = said, list(weights.values())

    return changed(session, catalog, given["name"], _change, edit)


@sql_function(
    of="database",
    returns=STAGE_TYPES,
    arguments=(NAME, Argument("objective", "its name")),
    result=STAGE_COLUMNS,
    template="catalog/rows",
)
def drop_objective(session: Session, catalog: str, _: str, given: dict[str, Any]) -> list[Stage]:
    """Removes an objective from a recommender, without training."""
    dropped = given["objective"]

    def edit(arguments: Arguments, listed: list[Objective]) -> None:
        said, weights = _said(listed), dict(_weights(arguments, listed))
        there = next((name for name in said if folded(name) == folded(str(dropped))), None)
        if there is None:
            raise MorecError(
                f"objective: there is no {shown(dropped)}; {nearest(str(dropped), said)}"
            )
        if next(one for one in listed if one.name == there).kind == "relevance":
            raise MorecError("objective: 'relevance' cannot be dropped; its weight may be 0")
        del said[there], weights[there]
        if not any(weights.values()):
            raise MorecError(
                f"objective: without {there!r} all default weights are 0; UPDATE the table"
                " objectives before"
            )
        arguments.objectives, arguments.weights = said, list(weights.values())

    return changed(session, catalog, given["name"], _change, edit)


def _said(listed: list[Objective]) -> dict[str, str | None]:
    """Objectives as create_recommender takes them."""
    return {
        one.name: one.expression or (None if one.built_in == one.name else one.built_in)
        for one in listed
    }


def _weights(arguments: Arguments, listed: list[Objective]) -> zip[tuple[str, float]]:
    """The default weight of each objective."""
    return zip(
        (one.name for one in listed), default_weights(arguments.weights, listed), strict=True
    )


def _change(
    con: duckdb.DuckDBPyConnection,
    name: str,
    arguments: Arguments,
    source: Source,
    listed: list[Objective],
    writing: Writing,
) -> list[Stage]:
    """Write other objectives, as in_place.changed calls it."""
    number_in_use = in_use(con, name)
    if number_in_use is None:
        raise MorecError(
            f"name: {name!r} was made before there were versions; refresh_recommender brings them"
        )
    weights = default_weights(arguments.weights, listed)
    stages, values = computed(con, name, source, listed)
    con.register("morec_new_objectives", objectives_table(listed, weights, values))
    row = first_row(con, f"SELECT arguments FROM {identifier(name)}.settings")
    assert row is not None
    kept = {"schema": json.loads(row[0])["schema"]}
    with writing():
        con.execute(
            sql(
                "train/objectives_changed",
                schema=identifier(name),
                id=str(number_in_use),
                arguments=literal(json.dumps({**dataclasses.asdict(arguments), **kept})),
                metrics=f"[{', '.join(map(literal, metric_names(listed)))}]",
            )
        )
        write_values(con, name)
        put_to_use(con, database_of(con), name, number_in_use)
    return stages
