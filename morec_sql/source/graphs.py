"""Graphs of the user's: tables whose rows are edges, between users or between items and more."""

from __future__ import annotations

import dataclasses

import duckdb

from ..templates import identifier, sql
from .expressions import go_together
from .pairs import columns_of, id_as
from .tables import Id, Table


@dataclasses.dataclass(frozen=True)
class Edges:
    """A graph as SQL: edges have the columns source, target and weight; usable is of a row _g."""

    sql: str
    usable: str


def edges_of_users(
    con: duckdb.DuckDBPyConnection, catalog: str, schema: str, given: str | None, key: Id
) -> Edges | None:
    """The graph between users, whose ends are ids as `key`; None where none is given.

    Raises:
        MorecError: it is not a table with such columns, or their types are not those of users.
    """
    if given is None:
        return None
    table, columns, weight = columns_of(con, "user_graph", given, catalog, schema, 3)
    ends = [id_as("user_graph", column, table, "_e", key, "users") for column in columns]
    usable = f"{key.usable('_g.source')} AND {key.usable('_g.target')}"
    return _edges(table, ends, weight, usable)


def edges_of_items(
    con: duckdb.DuckDBPyConnection, catalog: str, schema: str, given: str | None, kind: str
) -> Edges | None:
    """The graph of items and of what joins them, whose ends are texts; None where none is given.

    Where ids as those of items, of the type `kind`, can be at one end only, nothing at the other is
    an item.

    Raises:
        MorecError: it is not a table with such columns.
    """
    if given is None:
        return None
    table, columns, weight = columns_of(con, "item_graph", given, catalog, schema, 3)
    ids = [Id.of("item_graph", column, table, "_e") for column in columns]
    of_items = [go_together(one.kind, kind) for one in ids]
    ends = []
    for one, of_item in zip(ids, of_items, strict=True):
        cast = one.sql
        if of_item and one.kind != kind:
            cast = f"TRY_CAST({cast} AS {kind})"
        other = "'of ' || " if any(of_items) and not of_item else ""
        ends.append(f"{other}nullif(trim(CAST({cast} AS VARCHAR)), '')")
    usable = "_g.source IS NOT NULL AND _g.target IS NOT NULL"
    return _edges(table, ends, weight, usable)


def _edges(table: Table, ends: list[str], weight: str | None, usable: str) -> Edges:
    number = "1.0" if weight is None else f"TRY_CAST(_e.{identifier(weight)} AS DOUBLE)"
    written = sql("source/edges", source=ends[0], target=ends[1], weight=number, edges=table.sql)
    usable += " AND _g.weight > 0 AND _g.weight < CAST('infinity' AS DOUBLE)"
    return Edges(written, usable)
