"""The recommenders of a database: which there are, how they were made, whether a name is free."""

from __future__ import annotations

import dataclasses
import json

import duckdb

from ..errors import MorecError
from ..source.arguments import Arguments
from ..templates import first_row, identifier, literal

OWN_OBJECTS = {"settings", "objectives", "stages", "texts", "item_vectors", "events", "items"}


def recommenders(con: duckdb.DuckDBPyConnection, catalog: str) -> list[str]:
    """Names of the recommenders in a database."""
    rows = con.execute(
        "SELECT schema_name FROM duckdb_tables() WHERE database_name = ?"
        " AND table_name IN ('settings', 'item_vectors', 'objectives')"
        " GROUP BY schema_name HAVING count(*) = 3 ORDER BY schema_name",
        [catalog],
    ).fetchall()
    return [row[0] for row in rows]


def stored_arguments(
    con: duckdb.DuckDBPyConnection, catalog: str, name: str | None
) -> tuple[Arguments, str]:
    """Return the arguments of a recommender, and the schema where its tables were looked up."""
    known = recommenders(con, catalog)
    if name not in known:
        raise MorecError(f"name: there is no recommender {name!r}; {_recommender_hint(known)}")
    row = first_row(con, f"SELECT arguments FROM {identifier(catalog, str(name))}.settings")
    stored = json.loads(row[0]) if row else {}
    schema = stored.pop("schema")
    # tuned or updated since: a refresh keeps them
    rows = con.execute(
        f"SELECT default_weight FROM {identifier(catalog, str(name))}.objectives ORDER BY position"
    ).fetchall()
    stored["weights"] = [row[0] for row in rows]
    return dataclasses.replace(Arguments(**stored), replace=True), schema


def _recommender_hint(known: list[str]) -> str:
    return "there is " + ", ".join(map(repr, known)) if known else "create_recommender makes one"


def check_free(con: duckdb.DuckDBPyConnection, catalog: str, arguments: Arguments) -> None:
    """Raise a MorecError unless the recommender may be written under its name."""
    name = arguments.name
    if name.lower() == catalog.lower():
        raise MorecError(
            f"name: the database is called {catalog!r} too, and DuckDB could not tell the schema"
            " from it; choose another name"
        )
    known = recommenders(con, catalog)
    if name in known:
        if not arguments.replace:
            raise MorecError(
                f"name: the recommender {name!r} exists already; pass replace => true, or call"
                f" refresh_recommender({literal(name)})"
            )
        return
    taken = first_row(
        con,
        "SELECT 1 FROM information_schema.schemata WHERE catalog_name = ? AND schema_name = ?",
        [catalog, name],
    )
    if taken or name.lower() in ("main", "temp", "pg_catalog", "information_schema"):
        raise MorecError(f"name: the schema {name!r} exists already and is not a recommender")


def default_comment(name: str) -> str:
    """The comment by which main.recommend is known to be ours."""
    return f"The ranked list of the default recommender, {name}: as {name}.recommend."


def default_of(con: duckdb.DuckDBPyConnection, catalog: str) -> str | None:
    """Name of the default recommender, '' where main.recommend is not ours, None without one."""
    row = first_row(
        con,
        "SELECT comment FROM duckdb_functions() WHERE database_name = ? AND schema_name = 'main'"
        " AND function_name = 'recommend'",
        [catalog],
    )
    if row is None:
        return None
    for name in recommenders(con, catalog):
        if row[0] == default_comment(name):
            return name
    return ""


def wants_default(con: duckdb.DuckDBPyConnection, catalog: str, arguments: Arguments) -> bool:
    """Whether main.recommend should become this recommender's: the first one gets it."""
    default = default_of(con, catalog)
    if arguments.make_default is False:
        return False
    if default == "":
        if arguments.make_default:
            raise MorecError(
                "make_default: main.recommend exists and is not morec_sql's; drop it first"
            )
        return False
    return bool(arguments.make_default) or default in (None, arguments.name)
