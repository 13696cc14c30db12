"""The SQL text in `sql/`, with its placeholders filled in by SQL that sqlglot wrote; running it."""

from __future__ import annotations

import string
from functools import cache
from importlib import resources
from typing import Any

import duckdb
import pyarrow as pa


@cache
def _template(name: str) -> string.Template:
    folder = resources.files("morec_sql.sql")
    return string.Template((folder / f"{name}.sql").read_text(encoding="utf-8"))


def sql(name: str, **parts: str) -> str:
    """Return `sql/<name>.sql` with `${part}` replaced.

    Args:
        name: the file's name without its ending.
        parts: SQL made by `morec_sql.expressions`: quoted identifiers, literals, expressions.
    """
    return _template(name).substitute(parts)


def first_row(
    con: duckdb.DuckDBPyConnection, query: str, parameters: list[Any] | None = None
) -> tuple[Any, ...] | None:
    """Run a query to its end, so that the connection is free again, and return its first row."""
    rows = con.execute(query, parameters).fetchall()
    return rows[0] if rows else None


def arrow(con: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """Run a query and return all of its rows."""
    return con.sql(query).to_arrow_table()
