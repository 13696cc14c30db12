"""Tables of users, looked up by the names that they gave."""

from __future__ import annotations

import contextlib
import dataclasses

import duckdb

from ..errors import MorecError, nearest
from ..templates import DIALECT, identifier


@dataclasses.dataclass(frozen=True)
class Table:
    """A table or view of the user's: its quoted name, and the types of its columns by name."""

    sql: str
    columns: dict[str, str]

    def column(self, argument: str, name: str) -> str:
        """Return the exact spelling of the column `name`, or raise a MorecError."""
        for column in self.columns:
            if column == name:
                return column
        for column in self.columns:
            if column.lower() == name.lower():
                return column
        raise MorecError(
            f"{argument}: {self.sql} has no column {name!r}; {nearest(name, self.columns)}"
        )


def find_table(
    con: duckdb.DuckDBPyConnection, argument: str, name: str, catalog: str, schema: str
) -> Table:
    """Look up a table or view by the name that the user gave.

    The whole text is tried as a name first, so that a table called `a.b; c` is only ever a name;
    then it is read as schema.table or catalog.schema.table.
    """
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    known = con.execute(
        "SELECT table_catalog, table_schema, table_name FROM information_schema.tables"
    ).fetchall()
    readings = [[name]]
    with contextlib.suppress(SqlglotError, ValueError):
        readings.append([part.name for part in exp.to_table(name, dialect=DIALECT).parts])
    found = None
    for parts in readings:
        places = [parts]
        if len(parts) == 1:
            places = [[catalog, schema, *parts], [catalog, "main", *parts]]
        elif len(parts) == 2:
            places = [[catalog, *parts], [parts[0], "main", parts[1]]]
        for place in places:
            found = found or _match(known, place)
    if found is None:
        names = [
            table if where == schema else f"{where}.{table}"
            for database, where, table in known
            if database == catalog
        ]
        raise MorecError(f"{argument}: there is no table {name!r}; {nearest(name, names)}")
    # a file may be attached under another name later: its own name is left out
    quoted = identifier(*(found[1:] if found[0] == catalog else found))
    columns = con.execute(f"DESCRIBE SELECT * FROM {identifier(*found)}").fetchall()
    return Table(quoted, {row[0]: row[1] for row in columns})


def _match(known: list[tuple[str, ...]], parts: list[str]) -> tuple[str, ...] | None:
    """Find a name spelt exactly so, or else one that differs in case only."""
    for row in known:
        if list(row) == parts:
            return row
    lowered = [part.lower() for part in parts]
    return next((row for row in known if [part.lower() for part in row] == lowered), None)
