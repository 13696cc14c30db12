"""Tables of pairs by the names of their columns: 'table(one, two)' or 'table(one, two, weight)'."""

from __future__ import annotations

import re

import duckdb

from ..errors import MorecError, shown
from .expressions import is_number
from .tables import Table, find_table

# the name of a table, and columns of it in parentheses
WRITTEN = re.compile(r"(?P<table>.+?)\((?P<columns>[^()]*)\)\s*", re.DOTALL)
EXAMPLES = {
    "user_graph": "'friends(user_id, friend_id)'",
    "item_graph": "'taxonomy(product_id, category)'",
    "identities": "'logins(cookie, customer_id)'",
}


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
    found = WRITTEN.fullmatch(given.strip())
    names = [] if found is None else [one.strip().strip('"') for one in found["columns"].split(",")]
    if found is None or not 2 <= len(names) <= most:
        what = argument.rpartition(".")[2]
        raise MorecError(
            f"{argument}: a table with two columns is needed, such as {EXAMPLES[what]}"
            f"{', or a third one with weights' if most > 2 else ''}, not {shown(given)}"
        )
    table = find_table(con, argument, found["table"].strip(), catalog, schema)
    first, second, *weights = (table.column(argument, name) for name in names)
    if first == second:
        raise MorecError(f"{argument}: both columns are {first!r}; two are needed")
    if weights and not is_number(table.columns[weights[0]]):
        raise MorecError(
            f"{argument}: the column {weights[0]!r} is {table.columns[weights[0]]}, but a weight"
            " must be a number"
        )
    return table, (first, second), weights[0] if weights else None
