"""Names, expressions and weights from users: checked, and written as SQL by sqlglot."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import math
from collections.abc import Iterable
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from .templates import first_row

DIALECT = "duckdb"


class MorecError(ValueError):
    """A bad argument; the message is one sentence: the argument, what came, what is allowed."""


def identifier(*names: str) -> str:
    """Quote a name, or join several with dots."""
    return ".".join(exp.to_identifier(name, quoted=True).sql(DIALECT) for name in names)


def literal(value: str | float | bool | None) -> str:
    """Write a Python value as a SQL literal."""
    return exp.convert(value).sql(DIALECT)


def nearest(name: str, names: Iterable[str]) -> str:
    """Say which of `names` is meant, as the end of a sentence."""
    names = list(names)
    lowered = {candidate.lower(): candidate for candidate in reversed(names)}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    if close:
        return f"did you mean {lowered[close[0]]!r}?"
    listed = ", ".join(repr(candidate) for candidate in names[:12])
    return f"there is {listed}{', ...' if len(names) > 12 else ''}" if names else "there is none"


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


def _parse(argument: str, text: str, columns: Iterable[str]) -> exp.Expression:
    """Parse one SQL expression over `columns`."""
    if not isinstance(text, str) or not text.strip():
        raise MorecError(f"{argument}: a SQL expression is needed, not {text!r}")
    try:
        statements = sqlglot.parse(f"SELECT {text}", dialect=DIALECT)
    except SqlglotError:
        raise MorecError(f"{argument}: {text!r} is not a SQL expression") from None
    select = statements[0]
    if len(statements) != 1 or not isinstance(select, exp.Select):
        raise MorecError(f"{argument}: {text!r} holds more than one expression or statement")
    clauses = [name for name, value in select.args.items() if value and name != "expressions"]
    if clauses or len(select.expressions) != 1:
        raise MorecError(f"{argument}: {text!r} holds more than one expression or statement")
    expression: exp.Expression = select.expressions[0]
    if isinstance(expression, (exp.Alias, exp.Star)):
        raise MorecError(f"{argument}: {text!r} is not one SQL expression")
    # inside a subquery or a lambda, names of other things than columns are known to DuckDB alone
    if expression.find(exp.Subquery, exp.Select, exp.Lambda) is None:
        lowered = {column.lower() for column in columns}
        for column in expression.find_all(exp.Column):
            if column.name.lower() not in lowered and not column.table:
                raise MorecError(
                    f"{argument}: {text!r} refers to the unknown column {column.name!r};"
                    f" {nearest(column.name, columns)}"
                )
    return expression


def call(argument: str, text: str, names: Iterable[str]) -> tuple[str, str] | None:
    """Read `text` as a call of one of `names` with one argument; None where it is something else.

    Returns:
        the name, and the SQL of its argument.
    """
    with contextlib.suppress(SqlglotError, TypeError):
        parsed = sqlglot.parse_one(text, dialect=DIALECT)
        if isinstance(parsed, exp.Anonymous) and str(parsed.this).lower() in names:
            name = str(parsed.this).lower()
            if len(parsed.expressions) != 1:
                raise MorecError(
                    f"{argument}: {text!r} has {len(parsed.expressions)} arguments, where {name}"
                    " takes one"
                )
            return name, parsed.expressions[0].sql(DIALECT, comments=False)
    return None


def aggregates(con: duckdb.DuckDBPyConnection, text: str) -> bool:
    """Whether `text` is an expression that aggregates rows, outside of any subquery."""
    with contextlib.suppress(SqlglotError, TypeError):
        return _aggregates(con, sqlglot.parse_one(text, dialect=DIALECT))
    return False


def _aggregates(con: duckdb.DuckDBPyConnection, parsed: exp.Expr) -> bool:
    if parsed.find(exp.Subquery, exp.Select, exp.Window):
        return False
    if parsed.find(exp.AggFunc):
        return True
    # what sqlglot does not know may be an aggregate of DuckDB's
    names = sorted({str(function.this).lower() for function in parsed.find_all(exp.Anonymous)})
    query = (
        "SELECT 1 FROM duckdb_functions() WHERE function_type = 'aggregate'"
        " AND function_name IN (SELECT unnest(?))"
    )
    return bool(names) and first_row(con, query, [names]) is not None


def expression(
    con: duckdb.DuckDBPyConnection,
    argument: str,
    text: str,
    table: Table,
    wanted: str = "number",
    per: str | None = None,
) -> str:
    """Check a SQL expression over the columns of `table`, and write it anew.

    Args:
        con: where the table is; the expression is bound, not run.
        argument: the name of the argument, for errors.
        text: what the user wrote.
        table: the table whose columns it may use.
        wanted: a number (or BOOLEAN), a predicate, or a category, which may be of any type.
        per: for an aggregate, the SQL that it is grouped by; without it there must be one value
            per row.
    """
    parsed = _parse(argument, text, table.columns)
    per_row = per is None and parsed.find(exp.Subquery, exp.Select) is None
    if per_row and (_aggregates(con, parsed) or parsed.find(exp.Window)):
        raise MorecError(f"{argument}: {text!r} aggregates rows, where one value per row is needed")
    written = parsed.sql(DIALECT, comments=False)
    rows = f"{table.sql} AS _e GROUP BY {per}" if per else table.sql
    try:
        row = first_row(con, f"DESCRIBE SELECT ({written}) AS value FROM {rows}")
    except duckdb.Error as error:
        reason = str(error).split("\n")[0]
        raise MorecError(f"{argument}: {text!r} cannot be evaluated: {reason}") from None
    kind = str(row[1]) if row else ""
    if wanted == "predicate" and kind != "BOOLEAN":
        raise MorecError(f"{argument}: {text!r} is {kind}, but a predicate must be BOOLEAN")
    if wanted == "number" and not is_number(kind) and kind != "BOOLEAN":
        raise MorecError(f"{argument}: {text!r} is {kind}, but a number is needed")
    return written


def weights(
    given: Any, names: list[str], argument: str = "weights", of: str = "objective"
) -> list[float]:
    """Check weights given by position (a list) or by name (a dict), and return them by position."""
    expected = ", ".join(names)
    if isinstance(given, dict):
        lowered = {name.lower(): name for name in names}
        for name in given:
            if name.lower() not in lowered:
                raise MorecError(f"{argument}: unknown {of} {name!r}; {nearest(name, names)}")
        by_name = {lowered[name.lower()]: value for name, value in given.items()}
        values = [by_name.get(name, 0.0) for name in names]
    elif isinstance(given, list):
        if len(given) != len(names):
            raise MorecError(
                f"{argument}: {len(given)} values came, but {len(names)} are needed ({expected})"
            )
        values = given
    else:
        raise MorecError(
            f"{argument}: {given!r} is neither a list nor a struct of numbers for {expected}"
        )
    for name, value in zip(names, values, strict=True):
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise MorecError(f"{argument}: {value!r} for {name} is not a finite number from 0 up")
        if value < 0:
            raise MorecError(f"{argument}: {value!r} for {name} is negative; 0 or more is allowed")
    if not any(values):
        raise MorecError(f"{argument}: all are 0, but at least one of {expected} must count")
    return [float(value) for value in values]


def is_number(kind: str) -> bool:
    """Whether a DuckDB type name is numeric."""
    return kind.split("(")[0] in {
        "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT",
        "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL",
    }  # fmt: skip
