"""A recommender in the database: written in one transaction, listed, removed."""

from __future__ import annotations

import dataclasses
import json
import time

import duckdb
import pyarrow as pa

from .expressions import MorecError, identifier, literal
from .objectives import Objective, metric_names
from .source import Arguments, Source
from .templates import first_row, sql
from .udfs.repeats import ITEM_FEATURES

OWN_OBJECTS = {"settings", "objectives", "stages", "texts", "item_vectors", "events", "items"}


@dataclasses.dataclass
class Build:
    """All that publishing writes; `con` holds the temporary table of the items."""

    con: duckdb.DuckDBPyConnection
    catalog: str
    arguments: Arguments
    version: str
    tables_and_macros: list[str]
    views: list[str]
    tables: dict[str, pa.Table]
    stages: list[tuple[str, int, float | None]]


def publish(built: Build) -> list[tuple[str, int, float | None]]:
    """Write the recommender in one transaction and return its stages."""
    con, arguments = built.con, built.arguments
    began = time.perf_counter()
    con.execute("BEGIN")
    try:
        check_free(con, built.catalog, arguments)
        for name, table in built.tables.items():
            con.register(name, table)
        for statement in built.tables_and_macros:
            con.execute(statement)
        if _wants_default(con, built.catalog, arguments):
            con.execute(
                sql(
                    "default_recommend",
                    schema=identifier(arguments.name),
                    comment=literal(_default_comment(arguments.name)),
                )
            )
        for statement in built.views:
            con.execute(statement)
        items = first_row(con, "SELECT count(*) FROM morec_items")
        seconds = round(time.perf_counter() - began, 3)
        stages = [*built.stages, ("write", items[0] if items else 0, seconds)]
        con.register("morec_new_stages", _stage_table(stages))
        con.execute(sql("stages", schema=identifier(arguments.name)))
        con.execute(sql("comments", schema=identifier(arguments.name)))
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise
    finally:
        con.close()
    return stages


def drop(con: duckdb.DuckDBPyConnection, catalog: str, name: str | None) -> int:
    """Remove a recommender and return the number of its items."""
    stored_arguments(con, catalog, name)
    name = str(name)
    con.execute(f"USE {identifier(catalog)}")
    foreign = con.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_catalog = ?"
        " AND table_schema = ?",
        [catalog, name],
    ).fetchall()
    others = sorted({row[0] for row in foreign} - OWN_OBJECTS)
    if others:
        raise MorecError(
            f"name: the schema {name!r} holds {others[0]!r}, which is not the recommender's;"
            " move it first"
        )
    row = first_row(con, f"SELECT count(*) FROM {identifier(name)}.item_vectors")
    is_default = _default_of(con, catalog) == name
    con.execute("BEGIN")
    try:
        con.execute(f"DROP SCHEMA {identifier(name)} CASCADE")
        if is_default:
            con.execute("DROP MACRO TABLE main.recommend")
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise
    return int(row[0]) if row else 0


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


def _default_comment(name: str) -> str:
    return f"The ranked list of the default recommender, {name}: as {name}.recommend."


def _default_of(con: duckdb.DuckDBPyConnection, catalog: str) -> str | None:
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
        if row[0] == _default_comment(name):
            return name
    return ""


def _wants_default(con: duckdb.DuckDBPyConnection, catalog: str, arguments: Arguments) -> bool:
    """Whether main.recommend should become this recommender's: the first one gets it."""
    default = _default_of(con, catalog)
    if arguments.make_default is False:
        return False
    if default == "":
        if arguments.make_default:
            raise MorecError(
                "make_default: main.recommend exists and is not morec_sql's; drop it first"
            )
        return False
    return bool(arguments.make_default) or default in (None, arguments.name)


def statements(
    source: Source,
    arguments: Arguments,
    listed: list[Objective],
    version: str,
    schema: str,
    cap: float,
    dimensions: int,
    text_dimensions: int,
) -> tuple[list[str], list[str]]:
    """The SQL that writes the recommender: tables and macros, then views of the user's tables.

    Macros are bound when they are made, and a column of the user's that has the name of a macro
    parameter would be taken for a conflict: so they are made over an empty view.
    """
    common = {
        "schema": schema,
        "schema_name": literal(arguments.name),
        "version": literal(version),
        "item_type": source.item_type,
        "contributions": _by_objective(listed, "_r.contributions"),
    }
    if source.items is not None:
        excluded = [
            identifier(column) for column in source.items.columns if column.lower() == "item_id"
        ]
        columns = f"_i.{identifier(source.items_key)} AS item_id, _i.*"
        if excluded:
            columns += f" EXCLUDE ({', '.join(excluded)})"
        items_view = sql(
            "items_view",
            schema=schema,
            columns=columns,
            items=source.items.sql,
            item_id=identifier(source.items_key),
        )
    else:
        items_view = sql("items_of_events", schema=schema)
    return [
        sql(
            "tables",
            schema=schema,
            dimensions=str(dimensions),
            text_dimensions=str(text_dimensions),
            statistics=str(len(ITEM_FEATURES)),
        ),
        sql(
            "events_placeholder",
            schema=schema,
            user_type=source.user_type,
            item_type=source.item_type,
        ),
        sql(
            "recommend",
            macro="recommend",
            key="user_id",
            history=sql("history_of_user", schema=schema, key_type=source.user_type),
            **common,
        ),
        sql(
            "recommend",
            macro="recommend_for",
            key="items",
            history=sql("history_of_items", schema=schema, key_type=f"{source.item_type}[]"),
            **common,
        ),
        sql("evaluate", schema=schema, schema_name=literal(arguments.name)),
        sql(
            "search",
            schema=schema,
            schema_name=literal(arguments.name),
            weights=_by_objective(listed, "_p.weights"),
            metrics=", ".join(
                f"_p.metrics[{position}] AS {identifier(metric)}"
                for position, metric in enumerate(metric_names(listed), 1)
            ),
        ),
    ], [
        sql(
            "events_view",
            schema=schema,
            events_raw=source.events_raw,
            usable=source.usable,
            weight_cap=literal(cap),
        ),
        items_view,
    ]


def _by_objective(listed: list[Objective], values: str) -> str:
    """The fields of a struct that has one of the list `values` for each objective."""
    return ", ".join(
        f"{literal(objective.name)}: {values}[{position}]"
        for position, objective in enumerate(listed, 1)
    )


def _stage_table(stages: list[tuple[str, int, float | None]]) -> pa.Table:
    """The stages as a table to write."""
    return pa.table(
        {
            "stage": pa.array([row[0] for row in stages], pa.string()),
            "rows": pa.array([row[1] for row in stages], pa.int64()),
            "seconds": pa.array([row[2] for row in stages], pa.float64()),
        }
    )
