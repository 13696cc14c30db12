"""The user's tables as temporary ones with numbers, and the texts as vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import duckdb
import numpy as np

from ..arrays import matrix, whole
from ..catalog.objectives import Objective
from ..catalog.recommenders import recommenders, stored_arguments
from ..catalog.values import unit_vectors
from ..progress import Progress, Stages
from ..source.arguments import Arguments
from ..source.source import Source
from ..templates import arrow, first_row, identifier, literal, sql
from ..udfs.embedding import embed_texts
from ..udfs.history import Events
from ..udfs.relevance.content import Content

if TYPE_CHECKING:
    import numpy.typing as npt


def load_catalogue(con: duckdb.DuckDBPyConnection, source: Source, listed: list[Objective]) -> None:
    """Make the temporary table of all items with their text and raw objectives."""
    columns = [f"{source.text_sql} AS _text", "CAST(NULL AS TIMESTAMP) AS _item_time"]
    if source.item_time:
        columns[1] = f"CAST({identifier(source.item_time)} AS TIMESTAMP) AS _item_time"
    columns += [
        f"{value} AS {identifier(f'_vector_{place}')}"
        for place, value in enumerate(source.vectors.values())
    ]
    of_events: list[str] = []
    for position, objective in enumerate(listed):
        if objective.sql:
            value = f"({objective.sql})"
            if not objective.of_categories and not objective.of_vectors:
                value = f"TRY_CAST({value} AS DOUBLE)"
            value += f" AS {identifier(f'_objective_{position}')}"
            (of_events if objective.over_events else columns).append(value)
    if source.items is not None:
        key = source.items_key
        origin = (
            f"{key.sql} AS item_id, {', '.join(columns)} FROM {source.items.sql} AS _i"
            f" WHERE {key.usable(key.sql)}"
        )
    else:
        origin = f"item_id, {', '.join(columns)} FROM morec_raw_events"
    con.execute(f"CREATE TEMP TABLE morec_raw_items AS SELECT {origin}")
    before = "true" if of_events else "false"
    if of_events and source.until is not None:
        before = f"{source.time_sql} < CAST({literal(source.until)} AS TIMESTAMP)"
    if of_events and source.some is not None:
        before += f" AND {source.some}"
    con.execute(
        sql(
            "train/items",
            item_id=source.item_sql,
            of_events="".join(f", {value}" for value in of_events),
            events=source.events.sql,
            before=before,
        )
    )
    con.execute("DROP TABLE morec_raw_items")


def listed_items(
    con: duckdb.DuckDBPyConnection, source: Source, stages: Stages
) -> npt.NDArray[np.bool_]:
    """Which items are to be recommended, shape (items,); what does not meet is counted."""
    if source.items is None:
        row = first_row(con, "SELECT count(*) FROM morec_items")
        assert row is not None
        return np.ones(row[0], bool)
    row = first_row(con, sql("train/items_counted"))
    assert row is not None
    _, events, lacking, without_event, without = row
    kept = "recommended all the same" if source.unlisted_items else "not recommended"
    stages.count(
        f"events: of items that are not in the items table, {kept}, as {lacking!r}", events
    )
    stages.count(f"items: without an event, as {without!r}", without_event)
    declared = con.execute("SELECT _declared FROM morec_items ORDER BY item_index").fetchnumpy()[
        "_declared"
    ]
    return np.asarray(declared, bool) | source.unlisted_items


def index_events(
    con: duckdb.DuckDBPyConnection, source: Source, stages: Stages, channels: Sequence[str] = ()
) -> tuple[int, int, int]:
    """Number users, items and distinct events; return how many there are of each.

    Args:
        con: with the events that count.
        source: the user's tables.
        stages: where what is left out is counted.
        channels: the names of the channels, where events are to have the number of theirs.
    """
    con.execute(sql("train/users"))
    # two at one time that differ in what relevance is about only are one event
    wanted, channel, grouped = "_e.wanted", "_e.channel", ""
    if source.has_time:
        wanted, channel, grouped = "bool_or(_e.wanted)", "min(_e.channel)", "GROUP BY ALL"
    known = ", ".join(map(literal, channels))
    number = f", CAST(list_position([{known}], {channel}) - 1 AS SMALLINT) AS channel"
    con.execute(
        sql(
            "train/events_indexed",
            wanted=wanted,
            grouped=grouped,
            channel=number if channels else "",
        )
    )
    row = first_row(con, sql("train/events_counted"))
    assert row is not None
    users, items, events, usable = row
    con.execute("DROP TABLE morec_raw_events")
    stages.count("events: duplicates, counted once", usable - events)
    return users, items, events


def embed_items(
    con: duckdb.DuckDBPyConnection, catalog: str, arguments: Arguments, progress: Progress
) -> tuple[list[str], npt.NDArray[np.float32], npt.NDArray[np.int64], int]:
    """Embed each distinct text that no recommender of the database has embedded by this model.

    Returns:
        the distinct texts, their vectors, the text of each item (-1 without one), and how many
        texts were embedded anew.
    """
    table = arrow(con, "SELECT _text FROM morec_items ORDER BY item_index")
    encoded = whole(table.column(0)).dictionary_encode()
    texts: list[str] = encoded.dictionary.to_pylist()
    text_id = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    if not texts:
        return texts, np.zeros((0, 1), np.float32), text_id, 0
    cached: dict[str, npt.NDArray[np.float32]] = {}
    for name in recommenders(con, catalog):
        stored, _ = stored_arguments(con, catalog, name)
        if stored.model == arguments.model:
            rows = arrow(con, f"SELECT text, embedding FROM {identifier(name)}.texts")
            known = matrix(rows.column("embedding"))
            cached.update(zip(rows.column("text").to_pylist(), known, strict=True))
    missing = [text for text in texts if text not in cached]
    if missing:
        fresh = embed_texts(missing, arguments.model, progress.advance, bfloat16=True)
        cached.update(zip(missing, fresh, strict=True))
    return texts, np.stack([cached[text] for text in texts]), text_id, len(missing)


def read_vectors(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    stages: Stages,
    widths: list[int] | None = None,
) -> list[Content]:
    """The vectors that items have.

    Args:
        con: with the temporary table of the items.
        source: the user's tables.
        stages: where what is left out is counted.
        widths: how many numbers each has; by default as most of them.
    """
    out = []
    for place, name in enumerate(source.vectors):
        width = None if widths is None else widths[place]
        unit, row, bad = unit_vectors(con, identifier(f"_vector_{place}"), width)
        stages.count(f"vectors {name}: items that have one", len(unit))
        said = f"not {unit.shape[1]} finite numbers or all 0"
        stages.count(f"vectors {name}: left out, {said}", bad)
        mean = unit.sum(axis=0) / np.float32(max(len(unit), 1))
        out.append(Content(f"vectors {name}", unit, row, mean))
    return out


def read_events(
    con: duckdb.DuckDBPyConnection, channels: Sequence[str] = ()
) -> tuple[Events, npt.NDArray[np.bool_], npt.NDArray[np.int16]]:
    """Read the distinct events, which are wanted, and the channels; as index_events numbered."""
    channel = ", channel" if channels else ""
    columns = con.execute(sql("train/training_events", channel=channel)).fetchnumpy()
    events = Events(
        np.asarray(columns["user"], np.int32),
        np.asarray(columns["item"], np.int32),
        np.asarray(columns["time"], np.float64),
        np.asarray(columns["weight"], np.float32),
    )
    of = np.asarray(columns.get("channel", ()), np.int16)
    return events, np.asarray(columns["wanted"], np.bool_), of
