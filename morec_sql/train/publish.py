"""A recommender in the database: written in one transaction."""

from __future__ import annotations

import dataclasses
import time

import duckdb
import pyarrow as pa

from ..answer.recommender import Recommenders
from ..catalog.kept_lists import lists_anew
from ..catalog.recommenders import check_free, recommenders
from ..catalog.versions import add, prune, put_to_use, worse
from ..progress import STAGE_TYPES, Stage
from ..registry import arrow_rows, rows_type, udf
from ..session import Session
from ..source.arguments import Arguments
from ..source.left_out import Counted
from ..source.source import Source
from ..source.tables import Id, Table
from ..templates import first_row, identifier, literal, sql

PENDING = 4  # builds that wait to be published


@dataclasses.dataclass
class Build:
    """All that publishing writes; `con` holds the temporary tables of the items and events.

    tables are registered for the SQL that writes; dimensions are those of item vectors and of
    embeddings; made_by is the function of SQL that was called.
    """

    con: duckdb.DuckDBPyConnection
    catalog: str
    arguments: Arguments
    version: str
    tables: dict[str, pa.Table]
    dimensions: tuple[int, int]
    stages: list[Stage]
    made_by: str = ""
    keep_if_worse: bool = False


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
    published = []
    for token in tokens.to_pylist():
        built = pending.take(token)
        stages = publish(session, built)
        published.append([*stages, *lists_anew(session, built.catalog, built.arguments.name)])
    return pa.array(published, arrow_rows(STAGE_TYPES))


def publish(session: Session, built: Build) -> list[Stage]:
    """Write the recommender in one transaction and return its stages."""
    con, arguments = built.con, built.arguments
    began = time.perf_counter()
    try:
        with session.shared(Recommenders).rewritten(con, built.catalog, arguments.name):
            check_free(con, built.catalog, arguments)
            name = arguments.name
            before = name in recommenders(con, built.catalog)
            for table, rows in built.tables.items():
                con.register(table, rows)
            number = add(con, name, built.made_by, *built.dimensions)
            stages = list(built.stages)
            found = worse(con, name, number) if before else None
            if found is not None:
                stages.append(found)
            if found is None or not built.keep_if_worse:
                put_to_use(con, built.catalog, name, number, arguments.make_default)
            else:
                stages.append((f"version {number} is kept and not put to use", number, None))
            prune(con, name, arguments.versions)
            items = first_row(con, "SELECT count(*) FROM morec_items")
            seconds = round(time.perf_counter() - began, 3)
            stages.append(("write", items[0] if items else 0, seconds))
            con.register("morec_new_stages", _stage_table(stages))
            con.execute(sql("catalog/stages_kept", schema=identifier(name), id=str(number)))
    finally:
        con.close()
    return stages


def views_of(
    source: Source, arguments: Arguments, counted: Counted, labels: str | None
) -> list[str]:
    """The statements that make a recommender's views of the user's tables.

    Args:
        source: the user's tables.
        arguments: of create_recommender.
        counted: how the events that count are read.
        labels: SQL of the labels of a row of the table of users, None for none.
    """
    schema = identifier(arguments.name)
    events_view = sql(
        "catalog/events_view",
        schema=schema,
        events_raw=source.events_raw,
        usable=source.usable,
        event_time=counted.live,
        weight_cap=literal(counted.weight_cap),
    )
    views = [events_view]
    if source.items is not None:
        views.append(_own_view(schema, "items", source.items, source.items_key, "item_id"))
    if source.users is not None:
        views.append(_own_view(schema, "users", source.users, source.users_key, "user_id"))
        if labels is not None:
            key = source.users_key
            views.append(
                sql(
                    "catalog/user_labels",
                    schema=schema,
                    user_id=key.sql,
                    labels=labels,
                    users=source.users.sql,
                    usable=key.usable(key.sql),
                )
            )
    graph = source.user_graph
    if graph is not None:
        views.append(
            sql(
                "catalog/user_graph",
                schema=schema,
                edges=graph.sql,
                usable=graph.usable,
            )
        )
    if source.impressions is not None:
        shown = source.impressions
        views.append(
            sql("catalog/impressions", schema=schema, shown=shown.sql, usable=shown.usable)
        )
    return views


def _own_view(schema: str, view: str, table: Table, key: Id, standard: str) -> str:
    """The view of the user's table of items or users, with the id under its standard name."""
    excluded = [identifier(column) for column in table.columns if column.lower() == standard]
    columns = f"{key.sql} AS {standard}, _i.*"
    if excluded:
        columns += f" EXCLUDE ({', '.join(excluded)})"
    return sql(
        "catalog/own_view",
        schema=schema,
        view=view,
        columns=columns,
        own=table.sql,
        usable=key.usable(key.sql),
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
