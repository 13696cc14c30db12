"""A recommender in the database: written in one transaction."""

from __future__ import annotations

import dataclasses
import json
import time

import duckdb
import pyarrow as pa

from ..progress import STAGE_TYPES, Stage
from ..registry import MACROS, arrow_rows, macros, rows_type, udf
from ..session import Session
from ..source.arguments import Arguments
from ..source.left_out import Counted
from ..source.source import Source
from ..templates import first_row, identifier, literal, sql, transaction
from ..udfs.ranking.constraints import KINDS
from ..udfs.relevance.repeats import ITEM_FEATURES
from .installed import write_macros
from .objectives import Objective, metric_names
from .recommenders import check_free, default_comment, wants_default

PENDING = 4  # builds that wait to be published


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
    stages: list[Stage]


class Pending:
    """Builds that wait to be published, the latest few: one that was interrupted never is."""

    def __init__(self) -> None:
        self._builds: dict[str, Build] = {}

    def add(self, build: Build) -> str:
        """Keep a build, and return the token by which it is published."""
        while len(self._builds) >= PENDING:
            self._builds.pop(next(iter(self._builds)), None)
        self._builds[build.version] = build
        return build.version

    def take(self, token: str) -> Build:
        """Return a build, which is kept no longer."""
        return self._builds.pop(token)


@udf("morec_publish", ["VARCHAR"], rows_type(STAGE_TYPES))
def publish_pending(session: Session, tokens: pa.Array) -> pa.Array:
    """Publish builds by their tokens, and return the stages of each."""
    pending = session.shared(Pending)
    published = [publish(pending.take(token)) for token in tokens.to_pylist()]
    return pa.array(published, arrow_rows(STAGE_TYPES))


def publish(built: Build) -> list[Stage]:
    """Write the recommender in one transaction and return its stages."""
    con, arguments = built.con, built.arguments
    schema = identifier(arguments.name)
    began = time.perf_counter()
    try:
        with transaction(con):
            check_free(con, built.catalog, arguments)
            for name, table in built.tables.items():
                con.register(name, table)
            for statement in built.tables_and_macros:
                con.execute(statement)
            if wants_default(con, built.catalog, arguments):
                recommend = MACROS["recommender", "recommend"]
                default = dataclasses.replace(
                    recommend, template="catalog/default_recommend", includes={}, udf=""
                )
                comment = literal(default_comment(arguments.name))
                con.execute(default.sql(schema=schema, comment=comment))
            for statement in built.views:
                con.execute(statement)
            write_macros(con)
            items = first_row(con, "SELECT count(*) FROM morec_items")
            seconds = round(time.perf_counter() - began, 3)
            stages = [*built.stages, ("write", items[0] if items else 0, seconds)]
            con.register("morec_new_stages", _stage_table(stages))
            con.execute(sql("catalog/stages", schema=schema))
            con.execute(sql("catalog/reason_templates", schema=schema))
            con.execute(sql("catalog/comments", schema=schema))
            for macro in macros("recommender"):
                name = f"{schema}.{identifier(macro.name)}"
                con.execute(f"COMMENT ON {macro.kind} {name} IS {literal(macro.comment)}")
    finally:
        con.close()
    return stages


def statements(
    source: Source,
    arguments: Arguments,
    listed: list[Objective],
    version: str,
    counted: Counted,
    dimensions: int,
    text_dimensions: int,
) -> tuple[list[str], list[str]]:
    """The SQL that writes the recommender: tables and macros, then views of the user's tables.

    Macros are bound when they are made, and a column of the user's that has the name of a macro
    parameter would be taken for a conflict: so they are made over an empty view.

    Args:
        source: the user's tables.
        arguments: of create_recommender.
        listed: the objectives.
        version: of the training.
        counted: how the events that count are read.
        dimensions: length of the item vectors.
        text_dimensions: length of the embeddings.
    """
    schema = identifier(arguments.name)
    # what the macros of a recommender may know of it
    parts = {
        "schema": schema,
        "schema_name": literal(arguments.name),
        "version": literal(version),
        "user_type": source.user_type,
        "item_type": source.item_type,
        "limits": ", ".join(f"{literal(kind)}: to_json({kind})" for kind in KINDS),
        "no_limits": literal(json.dumps(dict.fromkeys(KINDS), separators=(",", ":"))),
        "contributions": _by_objective(listed, "_r.contributions"),
        "weights": _by_objective(listed, "_r.weights"),
        "metrics": ", ".join(
            f"_r.metrics[{position}] AS {identifier(metric)}"
            for position, metric in enumerate(metric_names(listed), 1)
        ),
    }
    tables = sql(
        "catalog/tables",
        schema=schema,
        dimensions=str(dimensions),
        text_dimensions=str(text_dimensions),
        statistics=str(len(ITEM_FEATURES)),
    )
    events_view = sql(
        "catalog/events_view",
        schema=schema,
        events_raw=source.events_raw,
        usable=source.usable,
        event_time=counted.live,
        weight_cap=literal(counted.weight_cap),
    )
    return [
        tables,
        sql("catalog/events_placeholder", **parts),
        *(macro.sql(**parts) for macro in macros("recommender")),
    ], [events_view, _items_view(source, schema)]


def _items_view(source: Source, schema: str) -> str:
    """The view of the user's items, or of those that the events held."""
    if source.items is None:
        return sql("catalog/items_of_events", schema=schema)
    excluded = [
        identifier(column) for column in source.items.columns if column.lower() == "item_id"
    ]
    columns = f"{source.items_key.sql} AS item_id, _i.*"
    if excluded:
        columns += f" EXCLUDE ({', '.join(excluded)})"
    return sql(
        "catalog/items_view",
        schema=schema,
        columns=columns,
        items=source.items.sql,
        usable=source.items_key.usable(source.items_key.sql),
    )


def _by_objective(listed: list[Objective], values: str) -> str:
    """The fields of a struct that has one of the list `values` for each objective."""
    return ", ".join(
        f"{literal(objective.name)}: {values}[{position}]"
        for position, objective in enumerate(listed, 1)
    )


def _stage_table(stages: list[Stage]) -> pa.Table:
    """The stages as a table to write."""
    return pa.table(
        {
            "stage": pa.array([row[0] for row in stages], pa.string()),
            "rows": pa.array([row[1] for row in stages], pa.int64()),
            "seconds": pa.array([row[2] for row in stages], pa.float64()),
        }
    )
