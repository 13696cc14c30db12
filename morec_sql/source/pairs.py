"""Tables by the names of their columns: 'table(one, two)' or 'table(one, two, weight)'."""

from __future__ import annotations

import re

import duckdb

from ..errors import MorecError, shown
from .expressions import go_together, is_number
from .tables import Id, Table, find_table

# the name of a table, and columns of it in parentheses
WRITTEN = re.compile(r"(?P<table>.+?)\((?P<columns>[^()]*)\)\s*", re.DOTALL)
EXAMPLES = {
    "user_graph": "'friends(user_id, friend_id)'",
    "item_graph": "'taxonomy(product_id, category)'",
    "identities": "'logins(cookie, customer_id)'",
}


def named(
    con: duckdb.DuckDBPyConnection,
    argument: str,
    given: object,
    catalog: str,
    schema: str,
    count: tuple[int, int],
    needed: str,
) -> tuple[Table, list[str]]:
    """Read a table and some of its columns, such as 'table(one, two)', no column twice.

    Args:
        con: where the table is.
        argument: for errors.
        given: as it came.
        catalog: the database where it is looked up first.
        schema: the schema, likewise.
        count: of columns, the least and the most.
        needed: what is, with an example, for errors.

    Raises:
        MorecError: it is not of that form, or there is no such table or column.
    """
    found = WRITTEN.fullmatch(given.strip()) if isinstance(given, str) else None
    names = [] if found is None else [one.strip().strip('"') for one in found["columns"].split(",")]
    if found is None or not count[0] <= len(names) <= count[1]:
        raise MorecError(f"{argument}: {needed}, not {shown(given)}")
    table = find_table(con, argument, found["table"].strip(), catalog, schema)
    columns = [table.column(argument, name) for name in names]
    for place, column in enumerate(columns):
        if column in columns[:place]:
            raise MorecError(f"{argument}: the column {column!r} comes twice")
    return table, columns


def check_ids(argument: str, column: str, kind: str, own: str, what: str) -> None:
    """Raise a MorecError where a column of a table cannot hold ids of the recommender.

    Args:
        argument: that names it.
        column: its name.
        kind: its type.
        own: the type of the ids.
        what: they are of, users or items.
    """
    if not go_together(kind, own):
        raise MorecError(
            f"{argument}: {column!r} is {kind} but the ids of {what} are {own}; both must have one"
            " type"
        )


def id_as(argument: str, column: str, table: Table, alias: str, key: Id, what: str) -> str:
    """SQL of the ids in a column of a table that is called `alias`, of the type of `key`.

    Args:
        argument: for errors.
        column: its name.
        table: that has it.
        alias: what the table is called.
        key: the ids of the recommender.
        what: they are of, users or items.

    Raises:
        MorecError: it cannot hold such ids.
    """
    own = Id.of(argument, column, table, alias)
    check_ids(argument, column, own.kind, key.kind, what)
    return own.sql if own.kind == key.kind else f"TRY_CAST({own.sql} AS {key.kind})"


def columns_of(
    con: duckdb.DuckDBPyConnection,
    argument: str,
    given: str,
    catalog: str,
    schema: str,
    most: int,
) -> tuple[Table, tuple[str, str], str | None]:
    """Read a table with two columns, and of at most three one more: 'table(one, two, weight)'.

    Raises:
        MorecError: there is no such table or column, or a weight that is no number.
    """
    needed = (
        f"a table with two columns is needed, such as {EXAMPLES[argument.rpartition('.')[2]]}"
        f"{', or a third one with weights' if most > 2 else ''}"
    )
    table, found = named(con, argument, given, catalog, schema, (2, most), needed)
    first, second, *weights = found
    if weights and not is_number(table.columns[weights[0]]):
        raise MorecError(
            f"{argument}: the column {weights[0]!r} is {table.columns[weights[0]]}, but a weight"
            " must be a number"
        )
    return table, (first, second), weights[0] if weights else None
