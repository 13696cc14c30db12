"""The recommenders of a database: which there are, how they were made, whether a name is free."""

from __future__ import annotations

import dataclasses
import json

import duckdb
import pyarrow as pa

from ..errors import MorecError
from ..registry import udf
from ..session import Session
from ..source.arguments import Arguments
from ..source.source import Source, resolve
from ..templates import first_row, folded, identifier, literal, sql


def attached(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of the databases that are open, that in use first."""
    rows = con.execute(
        "SELECT database_name FROM duckdb_databases() WHERE NOT internal"
        " ORDER BY database_name <> current_database(), database_name"
    ).fetchall()
    return [row[0] for row in rows]


def recommenders(con: duckdb.DuckDBPyConnection, catalog: str) -> list[str]:
    """Names of the recommenders in a database."""
    return [
        row[0]
        for row in con.execute(sql("catalog/recommenders", catalog=literal(catalog))).fetchall()
    ]


def tables_of(con: duckdb.DuckDBPyConnection, name: str) -> set[str]:
    """The tables in the schema of a recommender."""
    rows = con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
        " AND schema_name = ?",
        [name],
    ).fetchall()
    return {row[0] for row in rows}


def check_here(con: duckdb.DuckDBPyConnection, catalog: str, name: str, version: str) -> None:
    """Raise a MorecError where a macro of another database's recommender was called.

    A macro reads the views of the database that is in use, and not of the one that holds it.
    """

    def holds(other: str) -> bool:
        if name not in recommenders(con, other):
            return False
        return first_row(con, f"SELECT version FROM {identifier(other, name)}.settings") == (
            version,
        )

    # in none where it was trained anew since the query was planned: what is there now is meant
    found = next(filter(holds, attached(con)), catalog)
    if found != catalog:
        raise MorecError(
            f"{name!r} of the database {found!r} answers where that is in use;"
            f" USE {identifier(found)} first, since {catalog!r} is in use"
        )


@udf("morec_here", ["VARCHAR"] * 3, "VARCHAR")
def here(session: Session, *columns: pa.Array) -> pa.Array:
    """The databases in use, where check_here finds nothing against them."""
    for catalog, name, version in set(zip(*map(pa.Array.to_pylist, columns), strict=True)):
        with session.cursor(catalog) as con:
            check_here(con, catalog, name, version)
    return columns[0]


def recommender_of(con: duckdb.DuckDBPyConnection, catalog: str, name: str | None) -> str:
    """The exact spelling of the name of a recommender, or a MorecError."""
    known = recommenders(con, catalog)
    for candidate in known:
        if name is not None and folded(candidate) == folded(name):
            return candidate
    raise MorecError(f"name: there is no recommender {name!r}; {_recommender_hint(known)}")


def stored_arguments(
    con: duckdb.DuckDBPyConnection, catalog: str, name: str | None
) -> tuple[Arguments, str]:
    """Return the arguments of a recommender, and the schema where its tables were looked up."""
    name = recommender_of(con, catalog, name)
    row = first_row(con, f"SELECT arguments FROM {identifier(catalog, name)}.settings")
    stored = json.loads(row[0]) if row else {}
    schema = stored.pop("schema")
    # tuned or updated since: a refresh keeps them
    rows = con.execute(
        f"SELECT default_weight FROM {identifier(catalog, name)}.objectives ORDER BY position"
    ).fetchall()
    stored["weights"] = [row[0] for row in rows]
    # what became the default once need not be it any more
    stored["make_default"] = stored.get("make_default") and None
    return dataclasses.replace(Arguments(**stored), name=name, replace=True), schema


def stored_source(con: duckdb.DuckDBPyConnection, catalog: str, name: str) -> Source:
    """The user's tables of a recommender as they are now."""
    arguments, schema = stored_arguments(con, catalog, name)
    return resolve(con, catalog, schema, arguments)


def events_known(
    con: duckdb.DuckDBPyConnection, name: str
) -> tuple[int, float | None, float | None]:
    """How many events a recommender has, and the seconds of the first and the last one."""
    row = first_row(con, sql("catalog/events_known", schema=identifier(name)))
    assert row is not None
    count, first, last = row
    return count, first, last


def _recommender_hint(known: list[str]) -> str:
    return "there is " + ", ".join(map(repr, known)) if known else "create_recommender makes one"


def check_writable(con: duckdb.DuckDBPyConnection, catalog: str, name: str) -> None:
    """Raise a MorecError where the database of a recommender cannot be written."""
    row = first_row(
        con, "SELECT readonly FROM duckdb_databases() WHERE database_name = ?", [catalog]
    )
    if row is not None and row[0]:
        raise MorecError(
            f"name: {name!r} cannot be written, since the database {catalog!r} is opened read-only"
        )


def check_free(con: duckdb.DuckDBPyConnection, catalog: str, arguments: Arguments) -> None:
    """Raise a MorecError unless the recommender may be written under its name.

    The name of one that is replaced becomes that which is there.
    """
    name = arguments.name
    check_writable(con, catalog, name)
    if folded(name) == folded(catalog):
        raise MorecError(
            f"name: the database is called {catalog!r} too, and DuckDB could not tell the schema"
            " from it; choose another name"
        )
    taken = [
        row[0]
        for row in con.execute(
            "SELECT schema_name FROM duckdb_schemas() WHERE database_name = ?", [catalog]
        ).fetchall()
        if folded(row[0]) == folded(name)
    ]
    if not taken and folded(name) not in ("temp", "system"):
        return
    if not taken or taken[0] not in recommenders(con, catalog):
        raise MorecError(
            f"name: the schema {(taken or [name])[0]!r} exists already and is not a recommender"
        )
    arguments.name = taken[0]
    if not arguments.replace:
        raise MorecError(
            f"name: the recommender {taken[0]!r} exists already; pass replace => true, or call"
            f" refresh_recommender({literal(taken[0])})"
        )


def default_comment(name: str) -> str:
    """The comment of main.recommend."""
    return f"The ranked list of the default recommender, {name}: as {name}.recommend."


def default_of(con: duckdb.DuckDBPyConnection, catalog: str) -> str | None:
    """Name of the default recommender, '' where main.recommend is not ours, None without one.

    It is that which main.recommend calls: comments do not outlive an export.
    """
    row = first_row(
        con,
        "SELECT macro_definition FROM duckdb_functions() WHERE database_name = ?"
        " AND schema_name = 'main' AND function_name = 'recommend'",
        [catalog],
    )
    if row is None:
        return None
    for name in recommenders(con, catalog):
        if any(f"FROM {one}.recommend(" in str(row[0]) for one in (name, identifier(name))):
            return name
    return ""


def wants_default(
    con: duckdb.DuckDBPyConnection, catalog: str, name: str, make_default: bool | None
) -> bool:
    """Whether main.recommend should become this recommender's: the first one gets it."""
    default = default_of(con, catalog)
    if make_default is False:
        return False
    if default == "":
        if make_default:
            raise MorecError(
                "make_default: main.recommend exists and is not morec_sql's; drop it first"
            )
        return False
    return bool(make_default) or default in (None, name)
