"""refresh_objectives: the values of the objectives anew, the model as it is."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ..answer.recommender import load_recommender
from ..arrays import lists
from ..catalog.objectives import Objective
from ..catalog.values import Items
from ..catalog.versions import in_use, relations
from ..progress import STAGE_COLUMNS, STAGE_TYPES, Progress, Stage, Stages
from ..registry import Argument, sql_function
from ..session import Session
from ..source.arguments import Arguments
from ..source.left_out import left_out
from ..source.source import Source
from ..templates import identifier, sql
from ..udfs.ranking.contending import contenders
from .in_place import Writing, changed
from .objectives import Values, exposure_of, standardised
from .reading import index_events, listed_items, load_catalogue, read_events
from .windows import clock_of


@sql_function(
    of="database",
    returns=STAGE_TYPES,
    arguments=(Argument("name", "the recommender"),),
    result=STAGE_COLUMNS,
    template="catalog/rows",
)
def refresh_objectives(
    session: Session, catalog: str, _: str, given: dict[str, Any]
) -> list[Stage]:
    """Computes the objectives of a recommender anew, without training, on what its tables hold."""
    return changed(session, catalog, given["name"], _refresh)


def _refresh(
    con: duckdb.DuckDBPyConnection,
    name: str,
    arguments: Arguments,
    source: Source,
    listed: list[Objective],
    writing: Writing,
) -> list[Stage]:
    """Compute the values on what the tables hold now, as in_place.changed calls it."""
    stages, _ = computed(con, name, source, listed)
    with writing():
        write_values(con, name)
    return stages


def computed(
    con: duckdb.DuckDBPyConnection, name: str, source: Source, listed: list[Objective]
) -> tuple[list[Stage], Values]:
    """Compute the values of objectives on what the tables hold now, and register them.

    Args:
        con: a connection whose temporary tables may be used.
        name: the recommender.
        source: the user's tables.
        listed: the objectives.

    Returns:
        what was done, and the values.
    """
    with Progress() as progress:
        stages = Stages(progress)
        with stages.stage("read") as done:
            left_out(con, source, stages)
            load_catalogue(con, source, listed)
            con.execute(sql("train/known_items", schema=identifier(name)))
            listed_now = listed_items(con, source, stages)
            users, items, events = index_events(con, source, stages)
            done(events)
        with stages.stage("objectives") as done:
            of_events, *_ = read_events(con)
            clock = clock_of(of_events, source)
            history = of_events.history(clock, clock.now)
            contending = contenders(load_recommender(con, name).catalogue.model, history, users)
            of_items = Items(
                con, items, history, clock.now, clock.half_lives[1],
                lambda: exposure_of(contending, items),
            )  # fmt: skip
            values = standardised(listed, of_items, contending.item)
            values.report(stages, items)
            done(len(listed))
    con.register(
        "morec_new_values",
        pa.table(
            {
                "item_index": pa.array(np.arange(items, dtype=np.int32)),
                "objectives": lists(values.columns),
                "listed": pa.array(listed_now),
            }
        ),
    )
    con.register(
        "morec_new_scales",
        pa.table(
            {
                "position": pa.array(range(1, len(listed) + 1), pa.int32()),
                "mean": pa.array(values.mean, pa.float64()),
                "deviation": pa.array(values.deviation, pa.float64()),
            }
        ),
    )
    return stages.rows, values


def write_values(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Write what `computed` registered into the version in use."""
    where = relations(name, in_use(con, name))
    parts = {"schema": identifier(name), "item_vectors": where.item_vectors}
    con.execute(sql("train/refreshed_objectives", **parts))
