"""The SQL text in `sql/`, with its placeholders filled in by SQL that sqlglot wrote; running it."""

from __future__ import annotations

import contextlib
import re
import string
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

import duckdb
import pyarrow as pa

DIALECT = "duckdb"


def identifier(*names: str) -> str:
    """Quote a name, or join several with dots."""
    from sqlglot import exp  # here and below: not needed to load the interface, and slow to import

    return ".".join(exp.to_identifier(name, quoted=True).sql(DIALECT) for name in names)


def literal(value: str | float | bool | None) -> str:
    """Write a Python value as a SQL literal."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    from sqlglot import exp

    return exp.convert(value).sql(DIALECT)


def folded(name: str) -> str:
    """The name as DuckDB compares names: the case of ASCII letters does not count."""
    return re.sub("[A-Z]+", lambda letters: letters[0].lower(), name)


@cache
def _template(name: str) -> string.Template:
    folder = resources.files("morec_sql.sql")
    return string.Template((folder / f"{name}.sql").read_text(encoding="utf-8"))


def sql(name: str, /, **parts: str) -> str:
    """Return `sql/<name>.sql` with `${part}` replaced.

    Args:
        name: the file's room and name without its ending, such as `answer/recommend`.
        parts: SQL that sqlglot wrote: quoted identifiers, literals, checked expressions.
    """
    return _template(name).substitute(parts)


def first_row(
    con: duckdb.DuckDBPyConnection, query: str, parameters: list[Any] | None = None
) -> tuple[Any, ...] | None:
    """Run a query to its end, so that the connection is free again, and return its first row."""
    rows = con.execute(query, parameters).fetchall()
    return rows[0] if rows else None


def database_of(con: duckdb.DuckDBPyConnection) -> str:
    """The database that a connection uses."""
    row = first_row(con, "SELECT current_database()")
    assert row is not None
    return str(row[0])


def type_of(con: duckdb.DuckDBPyConnection, column: str, relation: str) -> str:
    """The type of a column of a table or view, both as SQL."""
    row = first_row(con, f"DESCRIBE SELECT {column} FROM {relation}")
    assert row is not None
    return str(row[1])


@contextlib.contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """A transaction that is committed in the end, or rolled back where something fails."""
    con.execute("BEGIN")
    try:
        yield
        con.execute("COMMIT")
    except BaseException:
        # a full disk ends it already: what is said then must not take the place of the cause
        with contextlib.suppress(duckdb.Error):
            con.execute("ROLLBACK")
        raise


def arrow(con: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """Run a query and return all of its rows."""
    return con.sql(query).to_arrow_table()
