"""refresh_items: new, changed and removed items, the model as it is."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..arrays import lists, matrix, vectors, whole
from ..catalog.objectives import Objective
from ..catalog.values import Items
from ..catalog.versions import Relations, in_use, relations
from ..errors import MorecError
from ..progress import STAGE_COLUMNS, STAGE_TYPES, Progress, Stage, Stages
from ..registry import Argument, sql_function
from ..session import Session
from ..source.arguments import Arguments
from ..source.source import Source
from ..templates import arrow, first_row, identifier, literal, sql
from ..udfs.embedding import embed_texts
from ..udfs.history import Clock, Events, Floats, History, Longs, bounds
from ..udfs.relevance.content import Content
from ..udfs.relevance.fold_in import FoldIn
from ..udfs.relevance.model import normalised, pair_weights, user_vectors
from ..udfs.relevance.repeats import item_features
from .graphs import read_item_graph
from .in_place import Writing, changed
from .reading import index_events, load_catalogue, read_events, read_vectors

OF_ALL = ("trend", "fairness")  # what an item is beside all others: average until computed


@dataclasses.dataclass(frozen=True)
class _Present:
    """The version in use, into which items are taken.

    mean is what embeddings, and behind them the vectors that items have, are counted from; chosen
    is what its training chose.
    """

    name: str
    number: int
    where: Relations
    chosen: dict[str, Any]
    mean: Floats
    fold_in: FoldIn

    @property
    def widths(self) -> list[int]:
        """How many numbers the vectors that items have have; recommenders made before have none."""
        return list(self.chosen.get("vector_widths", []))

    @property
    def parts(self) -> list[tuple[Floats, float]]:
        """What each source of content is counted from, the texts first, and its weight."""
        texts = len(self.mean) - sum(self.widths)
        means = np.split(self.mean, np.cumsum([texts, *self.widths])[:-1])
        weights = list(self.chosen.get("content_weights", [1.0]))
        # without texts there is no weight of theirs
        return list(zip(means, weights if texts else [1.0, *weights], strict=True))

    def sql(self, file: str, **parts: str) -> str:
        """A file of sql/ about it."""
        tables = {"texts": self.where.texts, "item_vectors": self.where.item_vectors}
        return sql(file, schema=identifier(self.name), **tables, **parts)


@sql_function(
    of="database",
    returns=STAGE_TYPES,
    arguments=(Argument("name", "the recommender"),),
    result=STAGE_COLUMNS,
    template="catalog/rows",
)
def refresh_items(session: Session, catalog: str, _: str, given: dict[str, Any]) -> list[Stage]:
    """Takes in new, changed and removed items of a recommender, without training.

    New items get vectors from their texts and first events.
    """
    return changed(session, catalog, given["name"], _refresh)


def _refresh(
    con: duckdb.DuckDBPyConnection,
    name: str,
    arguments: Arguments,
    source: Source,
    listed: list[Objective],
    writing: Writing,
) -> list[Stage]:
    """Take in what changed in the items since the version in use was made or refreshed so."""
    present = _present(con, name)
    with Progress() as progress:
        stages = Stages(progress)
        with stages.stage("compare") as done:
            con.execute(present.sql("train/items_changed", items=_items_of(source, name)))
            rows = con.execute("SELECT item_index FROM morec_changed ORDER BY place").fetchall()
            known = np.array([-1 if one is None else one for (one,) in rows], int)
            gone = first_row(con, present.sql("train/items_gone"))
            assert gone is not None
            done(len(known))
        stages.count("items: new", int((known < 0).sum()))
        stages.count("items: with another text", int((known >= 0).sum()))
        stages.count("items: gone, not recommended any more", gone[0])
        stages.count("items: back, recommended again", gone[1])
        with stages.stage("embed") as done:
            text_id, features, fresh = _texts(con, present, arguments.model, progress)
            done(fresh)
        with stages.stage("vectors") as done:
            parts = _write_vectors(con, present, source, listed, known, text_id, features)
            done(len(known))
    with stages.stage("write") as done:
        with writing():
            con.execute(present.sql("train/items_refreshed", **parts, id=str(present.number)))
        done(len(known))
    return stages.rows


def _present(con: duckdb.DuckDBPyConnection, name: str) -> _Present:
    """Read what is kept for items that come later."""
    number = in_use(con, name)
    if number is None:
        raise MorecError(
            f"name: {name!r} was made by an earlier version of morec_sql, which kept nothing for"
            f" new items; refresh_recommender({literal(name)}) does"
        )
    row = first_row(
        con,
        f"SELECT settings.model, fold_in FROM {identifier(name)}.archive WHERE id = {number}",
    )
    assert row is not None
    kept = {key: np.array(value, np.float32) for key, value in row[1].items()}
    features = len(kept["mean"])
    fold_in = FoldIn(
        kept["axes"].reshape(features, -1 if features else 0),
        kept["texts"].reshape(features, len(kept["values"])),
        kept["values"],
        (float(kept["damping"][0]), float(kept["damping"][1])),
        float(kept["late_share"]),
    )
    where = relations(name, number)
    return _Present(name, number, where, json.loads(row[0]), kept["mean"], fold_in)


def _items_of(source: Source, name: str) -> str:
    """The items that there are today, with their texts."""
    found = []
    if source.items is not None:
        key = source.items_key
        found.append(
            f"SELECT {key.sql} AS item_id, {source.text_sql} AS _text FROM {source.items.sql} AS _i"
            f" WHERE {key.usable(key.sql)}"
        )
    if source.items is None or source.unlisted_items:
        found.append(f"SELECT item_id, NULL AS _text FROM {identifier(name)}.events")
    return " UNION ALL ".join(found)


def _texts(
    con: duckdb.DuckDBPyConnection, present: _Present, model: str, progress: Progress
) -> tuple[Longs, Floats, int]:
    """The text and the centred embedding of each changed item; new texts become a table to write.

    Returns:
        the number of each item's text, -1 without one; embeddings, shape (items, features), zeros
        without one; and how many texts were embedded.
    """
    fresh: list[str] = []
    mean, weight = present.parts[0]
    # of a training without a single text nothing is known of what texts say
    if len(mean):
        fresh = [text for (text,) in con.execute(present.sql("train/texts_new")).fetchall()]
    embeddings = np.zeros((0, max(len(mean), 1)), np.float32)
    if fresh:
        embeddings = embed_texts(fresh, model, progress.advance, bfloat16=True)
    new = {"text": pa.array(fresh, pa.string()), "embedding": vectors(embeddings)}
    con.register("morec_fresh", pa.table(new))
    con.execute(present.sql("train/texts_numbered"))
    found = whole(arrow(con, present.sql("train/texts_changed")).column(0))
    text_id: Longs = found.fill_null(-1).to_numpy().astype(np.int64)
    known = np.unique(text_id[text_id >= 0])
    con.register("morec_wanted", pa.table({"text_id": pa.array(known)}))
    stored = np.zeros((0, len(mean)), np.float32)
    if len(known) and len(mean):
        stored = matrix(arrow(con, present.sql("train/embeddings_of_texts")).column(0))
    row = np.where(text_id >= 0, np.searchsorted(known, text_id), -1)
    features = Content("text", stored, row, mean).features(weight)
    return text_id, features, len(fresh)


def _write_vectors(
    con: duckdb.DuckDBPyConnection,
    present: _Present,
    source: Source,
    listed: list[Objective],
    known: Longs,
    text_id: Longs,
    features: Floats,
) -> dict[str, str]:
    """Make the table of the vectors of changed items.

    Args:
        con: with the temporary table morec_changed.
        present: the version in use.
        source: the user's tables.
        listed: the objectives.
        known: the number of each item, -1 for a new one.
        text_id: of each item.
        features: of the text of each item.

    Returns:
        what the SQL that writes them has to know.
    """
    count = len(known)
    con.execute(present.sql("train/events_of_new"))
    load_catalogue(con, source.among("morec_changed"), listed)
    stages = Stages(Progress())
    given = read_vectors(con, source, stages, present.widths)
    given += read_item_graph(con, source, stages, present.sql("train/items_ever"))
    of_vectors = [
        dataclasses.replace(one, mean=mean).features(weight)
        for one, (mean, weight) in zip(given, present.parts[1:], strict=True)
    ]
    features = np.concatenate([features, *of_vectors], axis=1)
    users, items, _ = index_events(con, source, Stages(Progress()))
    assert items == count
    clock = Clock(**present.chosen["clock"])
    events, *_ = read_events(con)
    if not clock.timeless and len(events):
        clock = dataclasses.replace(clock, now=max(clock.now, float(events.time.max()) + 1))
    history = events.history(clock, clock.now)
    total = first_row(con, present.sql("train/catalogue_of_today"))
    assert total is not None
    taken = _taken(con, present, clock, users, count, total[0])
    encoder, decoder = present.fold_in.behaviour(present.chosen, features, taken, history)
    # who was there keeps what its users say of it, where it has some
    stored = arrow(con, present.sql("train/vectors_changed"))
    place = stored.column("place").to_numpy()
    split = encoder.shape[1]
    if len(place):
        used = stored.column("used").to_numpy(zero_copy_only=False)
        for array, column in ((encoder, "encoder"), (decoder, "decoder")):
            array[place[used]] = matrix(stored.column(column))[used, :split]
    content = present.fold_in.content(features)
    statistics = item_features(history, count)
    number = np.where(known >= 0, known, total[0] + np.cumsum(known < 0) - 1)
    values = _objectives(con, present, source, listed, history, clock, (total[1], total[0]), count)
    con.register(
        "morec_new_vectors",
        pa.table(
            {
                "place": pa.array(np.arange(count, dtype=np.int32)),
                "item_index": pa.array(number.astype(np.int32)),
                "text_id": pa.array(text_id.astype(np.int32), mask=text_id < 0),
                "encoder": vectors(np.concatenate([encoder, content], axis=1)),
                "decoder": vectors(np.concatenate([decoder, content], axis=1)),
                "statistics": vectors(statistics),
                "objectives": lists(values),
            }
        ),
    )
    return {
        "dimensions": str(split + content.shape[1]),
        "text_dimensions": str(max(len(present.parts[0][0]), 1)),
        "statistics": str(statistics.shape[1]),
    }


def _taken(
    con: duckdb.DuckDBPyConnection,
    present: _Present,
    clock: Clock,
    users: int,
    count: int,
    known: int,
) -> Floats:
    """What the users of each new item are like, as of FoldIn.behaviour."""
    rank = len(present.fold_in.values)
    taken = np.zeros((count, rank), np.float32)
    if not users:
        return taken
    columns = con.execute(present.sql("train/histories_of_new", known=str(known))).fetchnumpy()
    user, item, time, weight = (
        np.asarray(columns[name]) for name in ("user", "item", "time", "weight")
    )
    events = Events.sorted(
        user.astype(np.int32), item.astype(np.int32), time, weight, clock.timeless
    )
    history = events.history(clock, clock.now)
    starts = bounds(history.user, users)
    pair = normalised(pair_weights(history, present.chosen["half_life"]), starts)
    used, place = np.unique(history.item, return_inverse=True)
    con.register("morec_wanted_items", pa.table({"item_index": pa.array(used[used < known])}))
    table = arrow(con, present.sql("train/encoders_of_items"))
    encoder = np.zeros((len(used), rank), np.float32)
    if len(table):
        encoder[: len(table)] = matrix(table.column(0))[:, :rank]
    queries = user_vectors(encoder, place.astype(np.int32), pair, starts)
    new = history.item >= known
    np.add.at(taken, history.item[new] - known, pair[new, None] * queries[history.user[new]])
    return taken


def _objectives(
    con: duckdb.DuckDBPyConnection,
    present: _Present,
    source: Source,
    listed: list[Objective],
    history: History,
    clock: Clock,
    catalogue: tuple[float, int],
    count: int,
) -> npt.NDArray[np.float32]:
    """The objectives of changed items on the scale of the version, as Values.columns has them.

    Args:
        con: with the temporary table morec_items of them.
        present: the version in use.
        source: the user's tables.
        listed: the objectives.
        history: the pairs of these items.
        clock: as of which it is.
        catalogue: how many pairs and items there are in all.
        count: how many items changed.
    """
    width = first_row(con, f"SELECT max(len(objectives)) FROM {present.where.item_vectors}")
    assert width is not None
    out = np.zeros((count, width[0]), np.float32)
    items = Items(
        con, count, history, clock.now, clock.half_lives[1], lambda: np.ones(count), 0, catalogue
    )
    scales = con.execute(
        f"SELECT mean, deviation FROM {relations(present.name).objectives} ORDER BY position"
    ).fetchall()
    columns = [f"objectives[{position}]" for position in range(1, len(listed) + 1)]
    ranges = ", ".join(f"[min({column}), max({column})]" for column in columns)
    bounds_of = first_row(con, f"SELECT {ranges} FROM {present.where.item_vectors}")
    assert bounds_of is not None
    for position, (objective, (mean, deviation)) in enumerate(zip(listed, scales, strict=True)):
        mine = dataclasses.replace(items, position=position)
        if objective.values is not None:
            if objective.built_in in OF_ALL or not deviation:
                continue
            raw = (objective.values(mine) - mean) / deviation
            out[:, position] = np.nan_to_num(np.clip(raw, *bounds_of[position]))
        elif objective.of_categories:
            found = con.execute(
                present.sql(
                    "train/categories_of_items",
                    category=objective.sql or "NULL",
                    column=mine.column,
                    place=str(position + 1),
                )
            ).fetchall()
            out[:, position] = [code for (code,) in found]
        elif objective.of_vectors:
            out[:, len(listed) :] = mine.vectors(width[0] - len(listed))
    return out
