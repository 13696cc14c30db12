"""Tables of users, looked up by the names that they gave."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable

import duckdb

from ..errors import MorecError, nearest, shortened, shown
from ..templates import DIALECT, folded, identifier, literal

NO_IDS = ("STRUCT", "MAP", "UNION", "VARIANT", "INTERVAL", "BOOLEAN", "NULL", '"NULL"')
FILES = (".parquet", ".csv", ".csv.gz", ".tsv", ".json", ".jsonl", ".ndjson", ".xlsx", ".duckdb")


@dataclasses.dataclass(frozen=True)
class Table:
    """A table or view of the user's: its quoted name, and the types of its columns by name."""

    sql: str
    columns: dict[str, str]

    def one_of(self, names: Iterable[str]) -> str | None:
        """The exact spelling of the first of some names that is a column's, None without any."""
        spelled = {folded(column): column for column in reversed(self.columns)}
        return next((spelled[folded(one)] for one in names if folded(one) in spelled), None)

    def column(self, argument: str, name: str) -> str:
        """Return the exact spelling of the column `name`, or raise a MorecError."""
        column = self.one_of([name])
        if column is not None:
            return column
        hint = nearest(name, self.columns)
        if "(" in name:
            hint = (
                "a column is needed: CREATE VIEW my_events AS SELECT *,"
                f" {shortened(name, 60)} AS my_{argument} FROM {self.sql}"
            )
        raise MorecError(f"{argument}: {self.sql} has no column {shown(name)}; {hint}")


@dataclasses.dataclass(frozen=True)
class Id:
    """A column of ids: its name, its SQL in a query of its table, and the type of the ids."""

    column: str
    sql: str
    kind: str

    @staticmethod
    def of(argument: str, column: str, table: Table, alias: str) -> Id:
        """A column of a table that is called `alias`; ids of an ENUM are texts."""
        kind, written = table.columns[column], f"{alias}.{identifier(column)}"
        if kind.startswith("ENUM"):
            return Id(column, f"CAST({written} AS VARCHAR)", "VARCHAR")
        if kind.split("(")[0] in NO_IDS or kind.endswith("]"):
            raise MorecError(
                f"{argument}: the column {column!r} is {shown(kind)}, but ids are numbers, texts,"
                " UUIDs or dates"
            )
        return Id(column, written, kind)

    def usable(self, value: str, beside: str | None = None) -> str:
        """The predicate that `value` is an id: neither NULL, nor NaN, nor blank.

        Args:
            value: SQL of the id.
            beside: another column of a table whose index has to stay in use. A function in a
                condition on one column alone would keep DuckDB from it, as for usable_time.
        """
        more = ""
        if self.kind in ("FLOAT", "DOUBLE"):  # NaN is larger than all numbers
            more = f" AND {value} < CAST('nan' AS {self.kind})"
        if self.kind == "VARCHAR":
            more = f" AND trim({value}) <> ''"
            if beside is not None:
                more = f" AND CASE WHEN {beside} IS NOT NULL THEN trim({value}) <> '' END"
        return f"{value} IS NOT NULL{more}"


def usable_time(value: str) -> str:
    """The predicate that SQL of a timestamp is a moment: neither NULL nor infinite.

    By comparisons, since a function like isfinite would keep DuckDB from using an index on others.
    """
    low, high = (f"CAST('{sign}infinity' AS TIMESTAMP)" for sign in ("-", ""))
    return f"{value} IS NOT NULL AND {value} > {low} AND {value} < {high}"


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
            table if folded(where) == folded(schema) else f"{where}.{table}"
            for database, where, table in known
            if folded(database) == folded(catalog)
        ]
        way = _way_out(argument, name, names)
        raise MorecError(f"{argument}: there is no table or view {shown(name)}; {way}")
    # a file may be attached under another name later: its own name is left out
    quoted = identifier(*(found[1:] if folded(found[0]) == folded(catalog) else found))
    columns = con.execute(f"DESCRIBE SELECT * FROM {identifier(*found)}").fetchall()
    return Table(quoted, {row[0]: row[1] for row in columns})


def _way_out(argument: str, name: str, names: list[str]) -> str:
    """How to make a table or view of what is none, or which one is meant."""
    make = f"CREATE VIEW my_{argument} AS FROM"
    if "(" in name or name.lower().startswith(("select ", "from ")):
        return f"a query or function needs a name first: {make} {shortened(name, 90)}"
    if name.lower().endswith(FILES):
        return f"a file needs a name first: {make} {literal(shortened(name, 90))}"
    return (
        f"{nearest(name, names)}; a temporary table or a registered frame is seen by its own"
        f" connection alone: CREATE TABLE my_{argument} AS FROM {shortened(name, 60)}"
    )


def _match(known: list[tuple[str, ...]], parts: list[str]) -> tuple[str, ...] | None:
    """Find a name as DuckDB does."""
    wanted = [folded(part) for part in parts]
    return next((row for row in known if [folded(part) for part in row] == wanted), None)
