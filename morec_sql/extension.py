"""Opens the SQL interface in a DuckDB connection."""

from __future__ import annotations

import hashlib
import os
import uuid
from typing import Any

import duckdb

from . import registry
from .errors import MorecError
from .session import Session
from .templates import first_row, literal

VERSION = "0.1.0"

_sessions: dict[str, Session] = {}


def connect(
    database: str | os.PathLike[str] = ":memory:", **options: Any
) -> duckdb.DuckDBPyConnection:
    """Open a database with the SQL interface loaded.

    Args:
        database: path of the file, or ":memory:".
        options: passed to `duckdb.connect`, such as read_only=True.
    """
    con = duckdb.connect(str(database), **options)
    load(con)
    return con


def load(con: duckdb.DuckDBPyConnection) -> None:
    """Make the SQL interface available in the database of an open connection.

    The functions are registered for all connections and cursors of the database instance; the
    table macros of the database, such as create_recommender, are written to the schema main of the
    current database unless it is read-only. May be repeated.
    """
    registry.discover()
    key = _instance_of(con)
    if key is not None:
        _sessions[key].add(con)
    else:
        key, session = uuid.uuid4().hex, Session()
        session.add(con)
        for udf in registry.UDFS.values():
            udf.register(con, session)

        def instance() -> str:
            return key

        registry.KEPT.append(instance)
        con.create_function("morec_instance", instance, [], "VARCHAR")
        _sessions[key] = session
    _write_macros(con)


def _instance_of(con: duckdb.DuckDBPyConnection) -> str | None:
    """The key of the session of a connection's database instance, None where there is none yet."""
    # on a cursor of its own, whose error does not touch a transaction of the user's
    with con.cursor() as cursor:
        try:
            row = first_row(cursor, "SELECT morec_instance()")
        except duckdb.CatalogException:
            return None
    assert row is not None
    return str(row[0])


def _write_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Write the macros of the schema main where they are missing or of another version."""
    statements = {macro.name: macro.sql(schema="main") for macro in registry.macros("database")}
    comments = {}
    for macro in registry.macros("database"):
        digest = hashlib.sha256(statements[macro.name].encode()).hexdigest()[:8]
        comments[macro.name] = f"{macro.comment} (morec_sql {VERSION}, {digest})"
    rows = con.execute(
        "SELECT function_name, comment FROM duckdb_functions() WHERE schema_name = 'main'"
        " AND database_name = current_database()"
    ).fetchall()
    present = {name: comment or "" for name, comment in rows if name in comments}
    if present == comments:
        return
    read_only = first_row(
        con, "SELECT readonly FROM duckdb_databases() WHERE database_name = current_database()"
    )
    if read_only and read_only[0]:
        return
    for name, comment in present.items():
        if "(morec_sql " not in comment:
            raise MorecError(
                f"connection: main.{name} exists and is not morec_sql's; drop or rename it first"
            )
    for name, statement in statements.items():
        con.execute(statement)
        con.execute(f"COMMENT ON MACRO TABLE main.{name} IS {literal(comments[name])}")
