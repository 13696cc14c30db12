"""Reads, embeds and trains; writes nothing to the user's database."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa

from . import objectives as objectives_of
from .arrays import lists, matrix, vectors, whole
from .expressions import MorecError, identifier, literal
from .objectives import Objective
from .progress import Progress
from .schema import Build, check_free, recommenders, statements, stored_arguments
from .serve import load_recommender
from .signals import combination
from .source import USABLE_WEIGHT, Arguments, Source, resolve
from .templates import arrow, first_row, sql
from .udfs import relevance, scoring
from .udfs.embedding import embed_texts
from .udfs.history import DAY, Clock, Events, History, Signal, Window

if TYPE_CHECKING:
    import numpy.typing as npt

HALF_LIVES = (1 / 24, 1 / 8, 1 / 2)  # of the time that the events span
WINDOW = 1 / 13  # of the time that the events span: the length of what is learnt from
WINDOWS = 7  # each begins half a window before the next
WINDOW_EVENTS = 10_000_000  # of more, some of the users stand for all in the windows
SAMPLED_USERS = 500  # for the unit of relevance, and what gets attention
LISTED = 10  # length of the lists in which items get attention
REPEAT_SHARE = 0.05  # of validation pairs; below it recommend leaves out what is known


class _Stages:
    """Collects what each stage did, with its wall time, and shows it on the progress bar."""

    def __init__(self, progress: Progress) -> None:
        self.rows: list[tuple[str, int, float | None]] = []
        self.progress = progress

    def count(self, what: str, rows: int) -> None:
        if rows:
            self.rows.append((what, rows, None))

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[Callable[[int], None]]:
        self.progress.start(name)
        began = time.perf_counter()
        rows = 0

        def done(count: int) -> None:
            nonlocal rows
            rows = count

        place = len(self.rows)
        yield done
        self.rows.insert(place, (name, rows, round(time.perf_counter() - began, 3)))


@dataclasses.dataclass
class Trained:
    """A recommender in memory, before it is written anywhere.

    con holds the temporary tables morec_users, morec_items and morec_events, from which the model
    was trained; text_id is the text of each item, -1 without one.
    """

    con: duckdb.DuckDBPyConnection
    source: Source
    clock: Clock
    weight_cap: float
    history: History
    users: int
    items: int
    model: relevance.RelevanceModel
    objectives: list[Objective]
    default_weights: list[float]
    values: objectives_of.Values
    texts: list[str]
    embeddings: npt.NDArray[np.float32]
    text_id: npt.NDArray[np.int64]
    stages: list[tuple[str, int, float | None]]

    @functools.cached_property
    def catalogue(self) -> scoring.Catalogue:
        """The recommender, ready to score."""
        kinds = [objective.kind for objective in self.objectives]
        return scoring.Catalogue(
            self.model, kinds, self.values.columns, self.embeddings, self.text_id
        )

    @property
    def exclude_seen(self) -> bool:
        """Whether lists leave out what is known, since hardly anyone buys the same thing twice."""
        return not self.source.has_time or self.model.chosen["repeat_share"] < REPEAT_SHARE


def train(
    con: duckdb.DuckDBPyConnection,
    catalog: str,
    schema: str,
    arguments: Arguments,
    until: str | None = None,
) -> Trained:
    """Read, embed and train; nothing is written to the database.

    Args:
        con: a connection of its own, whose temporary tables the training may use.
        catalog: the database of the recommender.
        schema: where unqualified table names are looked up first.
        arguments: as given in SQL.
        until: a timestamp; events from it on are left out.

    Raises:
        MorecError: an argument is wrong.
    """
    con.execute(f"USE {identifier(catalog)}")
    source = resolve(con, catalog, schema, arguments)
    if until is not None:
        source = source.before(until)
    listed = objectives_of.declared(con, arguments.objectives, source)
    default_weights = objectives_of.default_weights(arguments.weights, listed)
    combine = combination(arguments.combine, [loss for loss, _ in source.losses])
    with Progress() as progress:
        stages = _Stages(progress)
        with stages.stage("read") as done:
            cap = _report(con, source, stages)
            _load_catalogue(con, source, listed)
            users, items, events = _index(con, source, stages)
            done(events)
        if not events:
            raise MorecError(
                f"events: {arguments.events!r} has no usable event (ids present,"
                " a finite time, a positive weight)"
            )
        with stages.stage("embed") as done:
            texts, embeddings, text_id, fresh = _embed(con, catalog, arguments, progress)
            done(fresh)
        with stages.stage("train") as done:
            of_events, wanted = _events(con)
            clock = _clock(of_events, source)
            history = of_events.history(clock, clock.now)
            features = None
            if len(texts):
                features = np.where(
                    (text_id >= 0)[:, None], embeddings[text_id] - embeddings.mean(axis=0), 0
                ).astype(np.float32)
            signals = _signals(con, source, clock)
            windows = _windows(con, source, clock, of_events, wanted)
            del of_events, wanted  # the windows may do with a part of them
            model = relevance.fit(
                history,
                users,
                items,
                features,
                windows,
                signals,
                combine,
                arguments.dimensions,
                arguments.seed,
            )
            model = dataclasses.replace(model, unit=_relevance_unit(model, history, users))
            for signal in signals:
                said = _of_loss(signal.name, model.chosen["losses"])
                stages.rows.append((said, len(signal.user), None))
            done(len(history))
        with stages.stage("objectives") as done:
            values = objectives_of.standardised(
                con,
                listed,
                history,
                items,
                clock.now,
                clock.half_lives[1],
                lambda: _exposure(model, history, users),
            )
            for objective in values.without_effect:
                stages.count(
                    f"objective {objective}: constant or NULL, its weight has no effect", items
                )
            done(len(listed))
    return Trained(
        con, source, clock, cap, history, users, items, model, listed, default_weights, values,
        texts, embeddings, text_id, stages.rows,
    )  # fmt: skip


def build(con: duckdb.DuckDBPyConnection, catalog: str, schema: str, arguments: Arguments) -> Build:
    """Train a recommender and prepare all that publishing writes; the arguments are as of train.

    Raises:
        MorecError: an argument is wrong.
    """
    check_free(con, catalog, arguments)
    trained = train(con, catalog, schema, arguments)
    model, clock, listed, values = trained.model, trained.clock, trained.objectives, trained.values
    version = uuid.uuid4().hex
    tables_and_macros, views = statements(
        trained.source, arguments, listed, version, identifier(arguments.name),
        trained.weight_cap, model.encoder.shape[1], max(trained.embeddings.shape[1], 1),
    )  # fmt: skip
    chosen = {
        **model.chosen,
        "content": model.content,
        "unknown": model.unknown.tolist(),
        "repeats": model.repeats.as_json(),
        "unit": model.unit,
        "clock": dataclasses.asdict(clock),
        "exclude_seen": trained.exclude_seen,
    }
    tables = {
        "morec_new_settings": pa.table(
            {
                "version": [version],
                "arguments": [json.dumps({**dataclasses.asdict(arguments), "schema": schema})],
                "model": [json.dumps(chosen)],
                "trained_until": pa.array([clock.now], pa.float64()),
            }
        ),
        "morec_new_objectives": pa.table(
            {
                "position": pa.array(range(1, len(listed) + 1), pa.int32()),
                "objective": [objective.name for objective in listed],
                "kind": [objective.kind for objective in listed],
                "expression": pa.array([o.expression for o in listed], pa.string()),
                "default_weight": pa.array(trained.default_weights, pa.float64()),
                "mean": pa.array(values.mean, pa.float64()),
                "deviation": pa.array(values.deviation, pa.float64()),
            }
        ),
        "morec_new_texts": pa.table(
            {
                "text_id": pa.array(range(len(trained.texts)), pa.int32()),
                "text": pa.array(trained.texts, pa.string()),
                "embedding": vectors(trained.embeddings),
            }
        ),
        "morec_new_vectors": pa.table(
            {
                "item_index": pa.array(np.arange(trained.items, dtype=np.int32)),
                "text_id": pa.array(trained.text_id.astype(np.int32), mask=trained.text_id < 0),
                "encoder": vectors(model.encoder),
                "decoder": vectors(model.decoder),
                "statistics": vectors(model.statistics),
                "objectives": lists(values.columns),
            }
        ),
    }
    return Build(con, catalog, arguments, version, tables_and_macros, views, tables, trained.stages)


def refresh_objectives(
    con: duckdb.DuckDBPyConnection, catalog: str, name: str
) -> tuple[str, list[tuple[str, int, float | None]]]:
    """Compute the values of the objectives on what the tables hold now; the model stays.

    Args:
        con: a connection of its own, whose temporary tables may be used.
        catalog: the database of the recommender.
        name: the recommender.

    Returns:
        the version of the recommender, and what was done.

    Raises:
        MorecError: there is no such recommender, or an expression is not valid any more.
    """
    arguments, schema = stored_arguments(con, catalog, name)
    source = resolve(con, catalog, schema, arguments)
    listed = objectives_of.declared(con, arguments.objectives, source)
    with Progress() as progress:
        stages = _Stages(progress)
        with stages.stage("read") as done:
            _report(con, source, stages)
            _load_catalogue(con, source, listed)
            con.execute(sql("known_items", schema=identifier(name)))
            users, items, events = _index(con, source, stages)
            done(events)
        with stages.stage("objectives") as done:
            of_events, _ = _events(con)
            clock = _clock(of_events, source)
            history = of_events.history(clock, clock.now)
            values = objectives_of.standardised(
                con, listed, history, items, clock.now, clock.half_lives[1],
                lambda: _exposure(load_recommender(con, name).catalogue.model, history, users),
            )  # fmt: skip
            for objective in values.without_effect:
                stages.count(
                    f"objective {objective}: constant or NULL, its weight has no effect", items
                )
            done(len(listed))
    index = pa.array(np.arange(items, dtype=np.int32))
    con.register(
        "morec_new_values", pa.table({"item_index": index, "objectives": lists(values.columns)})
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
    con.execute("BEGIN")
    try:
        con.execute(sql("refreshed_objectives", schema=identifier(name)))
        row = first_row(con, f"SELECT version FROM {identifier(name)}.settings")
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise
    assert row is not None
    return row[0], stages.rows


def _report(con: duckdb.DuckDBPyConnection, source: Source, stages: _Stages) -> float:
    """Count what is left out, and return the cap of event weights."""
    row = first_row(
        con,
        sql(
            "events_report",
            events_raw=source.events_raw,
            usable=source.usable,
            time_usable=source.time_usable,
            weight_usable=USABLE_WEIGHT,
        ),
    )
    assert row is not None
    read, user, item, when, weight, cap = row
    cap = float(cap) if cap is not None else 1.0
    stages.count("events: read", read)
    stages.count("events: left out, no user", user)
    stages.count("events: left out, no item", item)
    stages.count("events: left out, no finite time", when)
    stages.count("events: left out, weight not above 0 and finite", weight)
    parts = {
        "events_raw": source.events_raw,
        "usable": source.usable,
        "weight_cap": literal(cap),
    }
    con.execute(sql("events_usable", **parts))
    row = first_row(con, sql("events_capped", **parts))
    assert row is not None
    stages.count("events: weight above 10 times the 99th percentile, capped", row[0])
    if source.items is not None:
        row = first_row(
            con,
            sql("items_report", item_id=identifier(source.items_key), items=source.items.sql),
        )
        assert row is not None
        stages.count("items: left out, no id", row[0])
        stages.count("items: id seen before, one row used", row[1])
    return cap


def _load_catalogue(
    con: duckdb.DuckDBPyConnection, source: Source, listed: list[Objective]
) -> None:
    """Make the temporary table of all items with their text and raw objectives."""
    columns = ["CAST(NULL AS VARCHAR) AS _text", "CAST(NULL AS TIMESTAMP) AS _item_time"]
    if source.text:
        parts = ", ".join(
            f"nullif(trim(CAST({identifier(column)} AS VARCHAR)), '')" for column in source.text
        )
        columns[0] = f"nullif(concat_ws(' | ', {parts}), '') AS _text"
    if source.item_time:
        columns[1] = f"CAST({identifier(source.item_time)} AS TIMESTAMP) AS _item_time"
    of_events: list[str] = []
    for position, objective in enumerate(listed):
        if objective.sql:
            value = f"({objective.sql})"
            if not objective.of_categories:
                value = f"TRY_CAST({value} AS DOUBLE)"
            value += f" AS {identifier(f'_objective_{position}')}"
            (of_events if objective.over_events else columns).append(value)
    if source.items is not None:
        key = identifier(source.items_key)
        origin = (
            f"{key} AS item_id, {', '.join(columns)} FROM {source.items.sql}"
            f" WHERE {key} IS NOT NULL"
        )
    else:
        origin = f"item_id, {', '.join(columns)} FROM morec_raw_events"
    con.execute(f"CREATE TEMP TABLE morec_raw_items AS SELECT {origin}")
    before = "true" if of_events else "false"
    if of_events and source.until is not None:
        before = f"{source.time_sql} < CAST({literal(source.until)} AS TIMESTAMP)"
    con.execute(
        sql(
            "catalogue",
            item_id=source.item_sql,
            of_events="".join(f", {value}" for value in of_events),
            events=source.events.sql,
            before=before,
        )
    )
    con.execute("DROP TABLE morec_raw_items")


def _index(con: duckdb.DuckDBPyConnection, source: Source, stages: _Stages) -> tuple[int, int, int]:
    """Number users, items and distinct events; return how many there are of each."""
    con.execute(sql("users"))
    # two at one time that differ in what relevance is about only are one event
    wanted, grouped = (
        ("bool_or(_e.wanted)", "GROUP BY ALL") if source.has_time else ("_e.wanted", "")
    )
    con.execute(sql("events_indexed", wanted=wanted, grouped=grouped))
    row = first_row(con, sql("events_counted"))
    assert row is not None
    users, items, events, usable = row
    con.execute("DROP TABLE morec_raw_events")
    stages.count("events: duplicates, counted once", usable - events)
    return users, items, events


def _embed(
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


def _events(con: duckdb.DuckDBPyConnection) -> tuple[Events, npt.NDArray[np.bool_]]:
    """Read the distinct events, and which of them are wanted."""
    columns = con.execute(sql("training_events")).fetchnumpy()
    events = Events(
        np.asarray(columns["user"], np.int32),
        np.asarray(columns["item"], np.int32),
        np.asarray(columns["time"], np.float64),
        np.asarray(columns["weight"], np.float32),
    )
    return events, np.asarray(columns["wanted"], np.bool_)


def _clock(events: Events, source: Source) -> Clock:
    weight = float(events.weight.mean(dtype=np.float64))
    if not source.has_time:
        return Clock(0.0, (DAY, DAY, DAY), weight, DAY)
    first, last = float(events.time.min()), float(events.time.max())
    span = max(last - first, DAY)
    # the clock stands just behind the last event, so that every age is positive
    return Clock(
        last + 1.0,
        (span * HALF_LIVES[0], span * HALF_LIVES[1], span * HALF_LIVES[2]),
        weight,
        span * WINDOW,
    )


def _held_out(user: npt.NDArray[np.int32], item: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """A fifth of all pairs, which stands in for a window where events have no time."""
    mixed = user.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + item.astype(np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    out: npt.NDArray[np.bool_] = (mixed >> np.uint64(32)) % np.uint64(5) == 0
    return out


def _windows(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    clock: Clock,
    events: Events,
    wanted: npt.NDArray[np.bool_],
) -> Iterator[Window]:
    """The windows of time to learn from, the latest first: what came before, and what in them.

    Without times a fifth of the pairs stands in for one window.
    """
    every = -(-len(events) // WINDOW_EVENTS)
    if every > 1:
        some = events.user % every == 0
        events, wanted = events.take(some), wanted[some]
    for number in range(1 if clock.timeless else WINDOWS):
        first = clock.now - (1 + number / 2) * clock.window
        if clock.timeless:
            inside = _held_out(events.user, events.item)
            past = ~inside
        else:
            past = events.time < first
            inside = ~past & (events.time < first + clock.window)
        target = events.take(inside & wanted).history(clock, first)
        signals = functools.partial(_signals, con, source, clock, first, every)
        yield Window(events.take(past).history(clock, first), target.user, target.item, signals)


def _signals(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    clock: Clock,
    until: float | None = None,
    every: int = 1,
) -> list[Signal]:
    """Read what the losses are about, whatever the weight of the events.

    Args:
        con: with the tables of the training.
        source: where the losses read from.
        clock: as of which all events have happened.
        until: only what was before, in seconds; None for all.
        every: only users whose number this divides.
    """
    before = source.time_usable
    if not clock.timeless:
        before += f" AND epoch(_c.event_time) < {literal(clock.now if until is None else until)}"
    found = []
    for loss, events_raw in source.losses:
        columns = con.execute(
            sql(
                "signals",
                aggregate="avg" if loss.kind == "squared_error" else "max",
                events_raw=events_raw,
                before=before,
            )
        ).fetchnumpy()
        user, item = (np.asarray(columns[key], np.int32) for key in ("user", "item"))
        kept = user % every == 0
        if clock.timeless and until is not None:
            kept &= ~_held_out(user, item)
        value = np.asarray(columns["value"])
        found.append(Signal(loss.name, loss.kind, user[kept], item[kept], value[kept]))
    return found


def _of_loss(name: str, losses: dict[str, float]) -> str:
    """What a stage says of a loss."""
    if name not in losses:
        return f"loss {name}: nothing to learn or weight 0, it has no effect"
    return f"loss {name}: {losses[name]:.3f} of what it was, for users held out"


def _relevance_unit(model: relevance.RelevanceModel, history: History, users: int) -> float:
    """The spread of a user's relevance among the items that contend for the list, in log-odds.

    Over the whole catalogue relevance is mostly tail, and its deviation there would make the best
    items weigh tens of deviations: no weight of another objective could be seen beside it.
    """
    ranked = _by_relevance(model, history, users, relevance.CONTENDERS)
    spread = float(np.median(ranked.score.std(axis=1)))
    # where relevance tells no item from another, what is left are rounding errors
    return spread if spread > 1e-3 else 1.0


def _exposure(
    model: relevance.RelevanceModel, history: History, users: int
) -> npt.NDArray[np.float64]:
    """The attention that each item gets in lists by relevance, discounted by rank as in nDCG."""
    ranked = _by_relevance(model, history, users, LISTED)
    attention = np.broadcast_to(1 / np.log2(np.arange(ranked.item.shape[1]) + 2), ranked.item.shape)
    out: npt.NDArray[np.float64] = np.bincount(
        ranked.item.ravel(), attention.ravel(), minlength=len(model.decoder)
    ).astype(np.float64)
    return out


def _by_relevance(
    model: relevance.RelevanceModel, history: History, users: int, k: int
) -> scoring.Ranking:
    """The lists of a sample of the users by relevance alone."""
    sample = relevance.some_users(users, SAMPLED_USERS)
    items = len(model.decoder)
    catalogue = scoring.Catalogue(
        model, ["relevance"], np.zeros((items, 1), np.float32), np.zeros((0, 1), np.float32),
        np.full(items, -1),
    )  # fmt: skip
    batch = catalogue.batch(history.of_users(sample, users), len(sample))
    return scoring.rank(catalogue, batch, np.ones((len(sample), 1)), min(k, items))
