"""The table macros of the interface, such as create_recommender, in a schema."""

from __future__ import annotations

import re

import duckdb

from ..errors import MorecError
from ..registry import macros
from ..templates import database_of, first_row, identifier, literal, sql

VERSION = "0.1.0"
TEMPORARY = "temp.main"
MARKS = ("morec_", "query_table(")  # of which one is in the text of each macro of ours


def is_newer(version: str) -> bool:
    """Whether a version of the interface is newer than this one."""
    return _parts(version) > _parts(VERSION)


def _parts(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def load_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Make the macros temporary ones of a connection, unless they are.

    Those that an earlier version wrote into the schema main of the database are written anew; into
    that of a database in memory they are written at once.

    Raises:
        MorecError: somebody else made a macro of such a name.
    """
    temporary, written = _present(con)
    if not temporary:
        _write(con, TEMPORARY)
        if written:
            temporary, written = _present(con)
    if written and all(
        _words(definition) == _words(temporary[name]) for name, definition in written.items()
    ):
        return
    read_only, in_memory = _kept(con)
    # what is in memory has no file to be left as it was, and other connections want them, too
    if in_memory or (written and not read_only):
        _write(con, _main(con))


def _kept(con: duckdb.DuckDBPyConnection) -> tuple[bool, bool]:
    """Whether the database is opened to read only, and whether it is in memory."""
    row = first_row(
        con,
        "SELECT readonly, path IS NULL FROM duckdb_databases()"
        " WHERE database_name = current_database()",
    )
    return (bool(row[0]), bool(row[1])) if row else (False, False)


def write_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Write the macros into the schema main of the database, for all connections.

    Raises:
        MorecError: somebody else made a macro of such a name.
    """
    _present(con)
    _write(con, _main(con))


def _main(con: duckdb.DuckDBPyConnection) -> str:
    """The schema main of the database: without its name it may be that of temporary objects."""
    return identifier(database_of(con), "main")


def _words(definition: str) -> list[str]:
    """The words of a definition, which DuckDB does not always give in the same order."""
    return sorted(re.findall(r"\w+", definition))


def remove_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Remove the macros from the schema main of the database, unless it is in memory."""
    if _kept(con)[1]:
        return
    _, written = _present(con)
    schema = _main(con)
    for name in written:
        con.execute(f"DROP MACRO TABLE {schema}.{identifier(name)}")


def _write(con: duckdb.DuckDBPyConnection, schema: str) -> None:
    temporary = "TEMP " if schema == TEMPORARY else ""
    con.execute(
        "".join(
            f"{macro.sql(schema=schema, temporary=temporary)}"
            f"COMMENT ON MACRO TABLE {schema}.{macro.name} IS {literal(macro.comment)};"
            for macro in macros("database")
        )
    )


def _present(con: duckdb.DuckDBPyConnection) -> tuple[dict[str, str], dict[str, str]]:
    """The definitions by name of those that are temporary, and of those in the schema main."""
    names = [macro.name for macro in macros("database")]
    rows = con.execute(sql("catalog/installed"), [names]).fetchall()
    temporary = {name: definition for is_temporary, name, definition in rows if is_temporary}
    written = {name: definition for is_temporary, name, definition in rows if not is_temporary}
    for name, definition in written.items():
        # by its text, since comments do not outlive an export
        if not any(mark in definition for mark in MARKS):
            raise MorecError(
                f"connection: main.{name} exists and is not morec_sql's; drop or rename it first"
            )
    return temporary, written
