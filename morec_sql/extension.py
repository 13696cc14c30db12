"""Opens the SQL interface in a DuckDB connection."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable
from typing import Any

import duckdb

from . import registry
from .catalog.installed import load_macros
from .errors import MorecError
from .interrupts import listen_in_notebooks
from .session import Session
from .source.pure import STRICT, is_strict
from .templates import first_row

_sessions: dict[str, Session] = {}


def connect(
    database: str | os.PathLike[str] = ":memory:", **options: Any
) -> duckdb.DuckDBPyConnection:
    """Open a database with the SQL interface loaded.

    Args:
        database: path of the file, or ":memory:".
        options: passed to `duckdb.connect`, such as read_only=True.

    Raises:
        MorecError: another process has the file open.
    """
    try:
        con = duckdb.connect(str(database), **options)
    except duckdb.IOException as error:
        if "lock" not in str(error):
            raise
        raise MorecError(_locked(str(database), str(error))) from error
    load(con)
    return con


def _locked(database: str, said: str) -> str:
    """Who has a file open, and what helps, from what DuckDB says."""
    holder = re.search(r"held in (.*?)\s*\(PID (\d+)\)", said)
    who = "another process"
    if holder:
        program = os.path.basename(holder[1]) or "of another user"
        who = f"the process {holder[2]} ({program})"
    how = "closed there, or everybody opens it read-only"
    if "read-only mode" in said:
        return f"database: {database!r} is read by {who}; it can be read, too (read-only)"
    return f"database: {database!r} is open in {who}, which may write; it can be opened once {how}"


def load(con: duckdb.DuckDBPyConnection, other_tables: bool = True) -> None:
    """Make the SQL interface available in the database of an open connection.

    The functions are registered for all connections and cursors of the database instance. The
    table macros, such as create_recommender, are temporary ones of this connection: nothing is
    written to the database. The first recommender that is made writes them to its schema main, for
    all connections. May be repeated.

    Args:
        con: the connection.
        other_tables: whether filters, objectives and other expressions may read other tables by
            subqueries; where they may not once, they may not in this database as long as it is
            open.
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
        _keep(con, "morec_instance", lambda: key, "VARCHAR")
        _sessions[key] = session
    if not other_tables and not is_strict(con):
        _keep(con, STRICT, lambda: True, "BOOLEAN")
    load_macros(con)
    listen_in_notebooks()


def _keep(
    con: duckdb.DuckDBPyConnection, name: str, function: Callable[[], Any], returns: str
) -> None:
    """Register a function without arguments, by which something is known of a database instance."""
    registry.KEPT.append(function)
    con.create_function(name, function, [], returns)


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
