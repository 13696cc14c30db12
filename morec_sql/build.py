"""create_recommender, refresh_recommender and drop_recommender: from the user's tables to a schema.

A build reads, embeds and trains without writing anything; publishing writes all of it in one
transaction. Between the two nothing of the database has changed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa

from . import objectives as objectives_of
from .expressions import MorecError, Table, expression, find_table, identifier, is_number, literal
from .objectives import Objective
from .progress import Progress
from .templates import arrow, first_row, sql
from .udfs import relevance, scoring
from .udfs.embedding import DEFAULT_MODEL, embed_texts

if TYPE_CHECKING:
    import numpy.typing as npt

DAY = 86400.0
HALF_LIVES = (1 / 24, 1 / 8, 1 / 2)  # of the time that the events span
VALIDATION_WINDOW = 1 / 13  # of the time that the events span
SAMPLED_USERS = 500  # for the unit of relevance
REPEAT_SHARE = 0.05  # of validation pairs; below it recommend leaves out what is known
OWN_OBJECTS = {"settings", "objectives", "stages", "texts", "item_vectors", "events", "items"}

USABLE_TIME = "_c.event_time IS NOT NULL AND isfinite(_c.event_time)"
USABLE_WEIGHT = "isfinite(_c.weight) AND _c.weight > 0"


@dataclasses.dataclass
class Arguments:
    """The arguments of create_recommender, as they are stored."""

    name: str
    events: str
    user_id: str = "user_id"
    item_id: str = "item_id"
    event_time: str | None = None
    event_weight: str | None = None
    items: str | None = None
    items_item_id: str | None = None
    text: list[str] | None = None
    item_time: str | None = None
    objectives: Any = None
    weights: Any = None
    model: str = DEFAULT_MODEL
    dimensions: int = 64
    seed: int = 42
    replace: bool = False
    make_default: bool | None = None

    @staticmethod
    def from_json(text: str) -> Arguments:
        """Read the arguments that the SQL macro passes, checking each one's type."""
        given = {key: value for key, value in json.loads(text).items() if value is not None}
        for required in ("name", "events"):
            if required not in given:
                raise MorecError(f"{required}: a name is needed, not NULL")
        if isinstance(given.get("text"), str):
            given["text"] = [given["text"]]
        for key in ("name", "events", "user_id", "item_id", "event_time", "event_weight", "items",
                    "items_item_id", "item_time", "model"):  # fmt: skip
            if key in given and (not isinstance(given[key], str) or not given[key].strip()):
                raise MorecError(f"{key}: a name is needed, not {given[key]!r}")
        for key, low, high in (("dimensions", 2, 1024), ("seed", 0, 2**31)):
            value = given.get(key, low)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise MorecError(f"{key}: {value!r} is not a whole number from {low} to {high}")
        for key in ("replace", "make_default"):
            if not isinstance(given.get(key, True), bool):
                raise MorecError(f"{key}: true or false is needed, not {given[key]!r}")
        text_columns = given.get("text", [])
        if not isinstance(text_columns, list) or not all(isinstance(t, str) for t in text_columns):
            raise MorecError(f"text: a list of column names is needed, not {text_columns!r}")
        return Arguments(**given)


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
class _Source:
    """The user's tables as SQL."""

    events_raw: str
    usable: str
    time_usable: str
    items: Table | None
    items_key: str
    item_type: str
    user_type: str
    has_time: bool
    text: list[str]
    item_time: str | None


def build(con: duckdb.DuckDBPyConnection, catalog: str, schema: str, arguments: Arguments) -> Build:
    """Read, embed and train; nothing is written to the database.

    Args:
        con: a connection of its own, whose temporary tables the build may use.
        catalog: the database that gets the recommender.
        schema: where unqualified table names are looked up first.
        arguments: as given in SQL.

    Raises:
        MorecError: an argument is wrong.
    """
    con.execute(f"USE {identifier(catalog)}")
    _check_free(con, catalog, arguments)
    source = _resolve(con, catalog, schema, arguments)
    listed = objectives_of.declared(con, arguments.objectives, source.items)
    default_weights = objectives_of.default_weights(arguments.weights, listed)
    with Progress() as progress:
        stages = _Stages(progress)
        with stages.stage("read") as done:
            cap = _report(con, source, stages)
            _load_catalogue(con, source, listed, cap)
            users, items, events = _index(con, source)
            done(events)
        if not events:
            raise MorecError(
                f"events: {arguments.events!r} has no usable event (ids present,"
                " a finite time, a positive weight)"
            )
        with stages.stage("embed") as done:
            texts, embeddings, text_id, fresh = _embed(con, arguments, progress)
            done(fresh)
        with stages.stage("train") as done:
            clock = _clock(con, source)
            history = _history(con, source, clock, None)
            features = None
            if len(texts):
                features = np.where(
                    (text_id >= 0)[:, None], embeddings[text_id] - embeddings.mean(axis=0), 0
                ).astype(np.float32)
            validation, repeats = _validation(con, source, clock, history)
            model = relevance.fit(
                history, users, items, features, validation, arguments.dimensions, arguments.seed
            )
            model = dataclasses.replace(model, unit=_relevance_unit(model, history, users))
            done(len(history))
        with stages.stage("objectives") as done:
            values = objectives_of.standardised(
                con, listed, history, items, clock.now, clock.half_lives[1]
            )
            for objective in values.without_effect:
                stages.count(
                    f"objective {objective}: constant or NULL, its weight has no effect", items
                )
            done(len(listed))
    version = uuid.uuid4().hex
    schema_sql = identifier(arguments.name)
    dimensions = model.encoder.shape[1]
    tables_and_macros, views = _statements(
        source, arguments, listed, clock, version, schema_sql, cap, dimensions,
        embeddings.shape[1] if len(embeddings) else 1,
    )  # fmt: skip
    chosen = {
        **model.chosen,
        "content": model.content,
        "unknown": model.unknown.tolist(),
        "known": model.known.tolist(),
        "unit": model.unit,
        "half_lives": list(clock.half_lives),
        "exclude_seen": repeats < REPEAT_SHARE,
        "repeat_share": repeats,
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
                "default_weight": pa.array(default_weights, pa.float64()),
                "mean": pa.array(values.mean, pa.float64()),
                "deviation": pa.array(values.deviation, pa.float64()),
            }
        ),
        "morec_new_texts": pa.table(
            {
                "text_id": pa.array(range(len(texts)), pa.int32()),
                "text": pa.array(texts, pa.string()),
                "embedding": _vectors(embeddings),
            }
        ),
        "morec_new_vectors": pa.table(
            {
                "item_index": pa.array(np.arange(items, dtype=np.int32)),
                "text_id": pa.array(text_id.astype(np.int32), mask=text_id < 0),
                "encoder": _vectors(model.encoder),
                "decoder": _vectors(model.decoder),
                "popularity": _vectors(model.popularity),
                "objectives": _lists(values.columns),
            }
        ),
    }
    return Build(con, catalog, arguments, version, tables_and_macros, views, tables, stages.rows)


def publish(built: Build) -> list[tuple[str, int, float | None]]:
    """Write the recommender in one transaction and return its stages."""
    con, arguments = built.con, built.arguments
    began = time.perf_counter()
    con.execute("BEGIN")
    try:
        _check_free(con, built.catalog, arguments)
        stages = [*built.stages]
        built.tables["morec_new_stages"] = _stage_table(stages)
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
        stages.append(("write", items[0] if items else 0, round(time.perf_counter() - began, 3)))
        con.register("morec_new_stages", _stage_table(stages))
        con.execute(
            f"CREATE OR REPLACE TABLE {identifier(arguments.name)}.stages AS"
            " SELECT * FROM morec_new_stages"
        )
        con.execute(sql("comments", schema=identifier(arguments.name)))
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise
    finally:
        con.close()
    return stages


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
    return dataclasses.replace(Arguments(**stored), replace=True), schema


def _recommender_hint(known: list[str]) -> str:
    return "there is " + ", ".join(map(repr, known)) if known else "create_recommender makes one"


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


def _check_free(con: duckdb.DuckDBPyConnection, catalog: str, arguments: Arguments) -> None:
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


def _resolve(
    con: duckdb.DuckDBPyConnection, catalog: str, schema: str, arguments: Arguments
) -> _Source:
    """Turn the arguments into SQL over the user's tables, checking every name and type."""
    events = find_table(con, "events", arguments.events, catalog, schema)
    user = events.column("user_id", arguments.user_id)
    item = events.column("item_id", arguments.item_id)
    item_sql, item_type = f"_e.{identifier(item)}", events.columns[item]
    items, items_key, text, item_time = None, item, [], None
    if arguments.items is not None:
        items = find_table(con, "items", arguments.items, catalog, schema)
        argument = "items_item_id" if arguments.items_item_id else "item_id"
        items_key = items.column(argument, arguments.items_item_id or arguments.item_id)
        key_type = items.columns[items_key]
        if key_type != item_type:
            if not (is_number(key_type) and is_number(item_type)):
                raise MorecError(
                    f"item_id: {item!r} is {item_type} in the events but {items_key!r} is"
                    f" {key_type} in the items; both must have one type"
                )
            item_sql, item_type = f"TRY_CAST({item_sql} AS {key_type})", key_type
        for column in arguments.text or []:
            name = items.column("text", column)
            kind = items.columns[name]
            if kind != "VARCHAR" and not kind.startswith("ENUM"):
                raise MorecError(f"text: the column {name!r} is {kind}, but text must be VARCHAR")
            text.append(name)
        if arguments.item_time is not None:
            item_time = items.column("item_time", arguments.item_time)
            _check_time("item_time", item_time, items.columns[item_time])
    else:
        for argument in ("text", "item_time", "items_item_id"):
            if getattr(arguments, argument):
                raise MorecError(f"{argument}: it names columns of items, but items is not given")
    time_sql = "CAST(NULL AS TIMESTAMP)"
    if arguments.event_time is not None:
        column = events.column("event_time", arguments.event_time)
        _check_time("event_time", column, events.columns[column])
        time_sql = f"CAST(_e.{identifier(column)} AS TIMESTAMP)"
    weight = "1.0"
    if arguments.event_weight is not None:
        if arguments.event_weight in events.columns:
            weight = identifier(arguments.event_weight)
            kind = events.columns[arguments.event_weight]
            if not is_number(kind) and kind != "BOOLEAN":
                raise MorecError(
                    f"event_weight: the column {arguments.event_weight!r} is {kind},"
                    " but a weight must be a number"
                )
        else:
            weight = expression(con, "event_weight", arguments.event_weight, events)
    time_usable = USABLE_TIME if arguments.event_time else "true"
    return _Source(
        events_raw=sql(
            "events_raw",
            user_id=identifier(user),
            item_id=item_sql,
            event_time=time_sql,
            event_weight=weight,
            events=events.sql,
        ),
        usable=f"_c.user_id IS NOT NULL AND _c.item_id IS NOT NULL AND {time_usable}"
        f" AND {USABLE_WEIGHT}",
        time_usable=time_usable,
        items=items,
        items_key=items_key,
        item_type=item_type,
        user_type=events.columns[user],
        has_time=arguments.event_time is not None,
        text=text,
        item_time=item_time,
    )


def _check_time(argument: str, column: str, kind: str) -> None:
    if not kind.startswith(("TIMESTAMP", "DATE")):
        raise MorecError(f"{argument}: the column {column!r} is {kind}, not a TIMESTAMP or DATE")


def _report(con: duckdb.DuckDBPyConnection, source: _Source, stages: _Stages) -> float:
    """Count what is left out, and return the cap of event weights."""
    row = first_row(
        con,
        sql(
            "events_report",
            events_raw=source.events_raw,
            usable=source.usable,
            time_usable=source.time_usable,
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
    above = first_row(
        con,
        f"SELECT count(*) FROM ({source.events_raw}) AS _c WHERE {source.usable} AND weight > ?",
        [cap],
    )
    stages.count(
        "events: weight above 10 times the 99th percentile, capped", above[0] if above else 0
    )
    con.execute(
        f"CREATE TEMP TABLE morec_raw_events AS SELECT * REPLACE (least(weight, {literal(cap)}) AS"
        f" weight) FROM ({source.events_raw}) AS _c WHERE {source.usable}"
    )
    if source.has_time:
        same = first_row(
            con,
            "SELECT count(*) - (SELECT count(*) FROM (SELECT DISTINCT * FROM morec_raw_events))"
            " FROM morec_raw_events",
        )
        stages.count("events: duplicates, counted once", same[0] if same else 0)
    if source.items is not None:
        key = identifier(source.items_key)
        row = first_row(
            con,
            f"SELECT count(*) FILTER ({key} IS NULL), count({key}) - count(DISTINCT {key})"
            f" FROM {source.items.sql}",
        )
        assert row is not None
        stages.count("items: left out, no id", row[0])
        stages.count("items: id seen before, first row used", row[1])
    return cap


def _load_catalogue(
    con: duckdb.DuckDBPyConnection, source: _Source, listed: list[Objective], cap: float
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
    columns += [
        f"TRY_CAST(({objective.sql}) AS DOUBLE) AS {identifier(f'_objective_{position}')}"
        for position, objective in enumerate(listed)
        if objective.sql
    ]
    if source.items is not None:
        key = identifier(source.items_key)
        origin = (
            f"{key} AS item_id, {', '.join(columns)} FROM {source.items.sql}"
            f" WHERE {key} IS NOT NULL"
        )
    else:
        origin = f"item_id, {', '.join(columns)} FROM morec_raw_events"
    con.execute(f"CREATE TEMP TABLE morec_raw_items AS SELECT {origin}")
    con.execute(sql("catalogue"))
    con.execute("DROP TABLE morec_raw_items")


def _index(con: duckdb.DuckDBPyConnection, source: _Source) -> tuple[int, int, int]:
    """Number users, items and distinct events; return how many there are of each."""
    con.execute(
        "CREATE TEMP TABLE morec_users AS SELECT user_id,"
        " CAST(row_number() OVER (ORDER BY user_id) - 1 AS INTEGER) AS user_index"
        " FROM (SELECT DISTINCT user_id FROM morec_raw_events)"
    )
    con.execute(sql("events_indexed", distinct="DISTINCT" if source.has_time else ""))
    con.execute("DROP TABLE morec_raw_events")
    counts = []
    for table in ("morec_users", "morec_items", "morec_events"):
        row = first_row(con, f"SELECT count(*) FROM {table}")
        counts.append(int(row[0]) if row else 0)
    return counts[0], counts[1], counts[2]


def _embed(
    con: duckdb.DuckDBPyConnection, arguments: Arguments, progress: Progress
) -> tuple[list[str], npt.NDArray[np.float32], npt.NDArray[np.int64], int]:
    """Embed each distinct text that no recommender of the database has embedded by this model.

    Returns:
        the distinct texts, their vectors, the text of each item (-1 without one), and how many
        texts were embedded anew.
    """
    table = arrow(con, "SELECT _text FROM morec_items ORDER BY item_index")
    encoded = table.column(0).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    texts: list[str] = encoded.dictionary.to_pylist()
    text_id = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    if not texts:
        return texts, np.zeros((0, 1), np.float32), text_id, 0
    cached: dict[str, npt.NDArray[np.float32]] = {}
    for name in recommenders(con, _current(con)):
        stored, _ = stored_arguments(con, _current(con), name)
        if stored.model == arguments.model:
            rows = arrow(con, f"SELECT text, embedding FROM {identifier(name)}.texts")
            vectors = matrix(rows.column("embedding"))
            cached.update(zip(rows.column("text").to_pylist(), vectors, strict=True))
    missing = [text for text in texts if text not in cached]
    if missing:
        cached.update(
            zip(missing, embed_texts(missing, arguments.model, progress.advance), strict=True)
        )
    return texts, np.stack([cached[text] for text in texts]), text_id, len(missing)


def _current(con: duckdb.DuckDBPyConnection) -> str:
    row = first_row(con, "SELECT current_database()")
    return str(row[0]) if row else ""


@dataclasses.dataclass(frozen=True)
class _Clock:
    """Times in epoch seconds: of the last event, the half-lives, and the validation window."""

    now: float
    half_lives: tuple[float, float, float]
    mean_weight: float
    cut: float | None

    @property
    def age_unit(self) -> float:
        """The unit of History.last and History.first, in days."""
        return self.half_lives[1] / DAY


def _clock(con: duckdb.DuckDBPyConnection, source: _Source) -> _Clock:
    row = first_row(con, "SELECT min(event_time), max(event_time), avg(weight) FROM morec_events")
    assert row is not None
    first, last, weight = row
    if not source.has_time:
        return _Clock(0.0, (DAY, DAY, DAY), weight, None)
    span = max(last - first, DAY)
    # the clock stands just behind the last event, so that every age is positive
    return _Clock(
        last + 1.0,
        (span * HALF_LIVES[0], span * HALF_LIVES[1], span * HALF_LIVES[2]),
        weight,
        last + 1.0 - span * VALIDATION_WINDOW,
    )


def _pair_features(source: _Source, clock: _Clock, anchor: str) -> str:
    short, medium, long = (literal(value) for value in clock.half_lives)
    return sql(
        "pair_features",
        age=f"{anchor} - _e.event_time" if source.has_time else "0",
        count=f"count(DISTINCT floor(_e.event_time / {DAY:.0f}))"
        if source.has_time
        else "count(*)",
        short=short,
        medium=medium,
        long=long,
        mean_weight=literal(clock.mean_weight),
    )


def _history(
    con: duckdb.DuckDBPyConnection, source: _Source, clock: _Clock, until: float | None
) -> relevance.History:
    """Read the user-item pairs as of `until`, or of all events."""
    anchor = clock.now if until is None else until
    before = "true" if until is None else f"_e.event_time < {literal(until)}"
    if until is not None and not source.has_time:
        before = "hash(_e.user_index, _e.item_index) % 5 <> 0"
    columns = con.execute(
        sql(
            "training_history",
            pair_features=_pair_features(source, clock, literal(anchor)),
            before=before,
        )
    ).fetchnumpy()
    return history_of(columns)


def history_of(columns: dict[str, Any]) -> relevance.History:
    """Make a History of columns named user, item and as in pair_features.sql, sorted by user."""
    return relevance.History(
        user=np.asarray(columns["user"], np.int32),
        item=np.asarray(columns["item"], np.int32),
        strength=np.column_stack(
            [np.asarray(columns[name], np.float32) for name in ("short", "medium", "long")]
        ),
        count=np.asarray(columns["count"], np.float32),
        last=np.asarray(columns["last"], np.float32),
        first=np.asarray(columns["first"], np.float32),
    )


def _validation(
    con: duckdb.DuckDBPyConnection, source: _Source, clock: _Clock, history: relevance.History
) -> tuple[tuple[relevance.History, Any, Any] | None, float]:
    """The history before the validation window, the pairs inside it, and its share of repeats.

    Without times a fifth of the pairs stands in for the window.
    """
    cut = clock.cut if clock.cut is not None else 0.0
    inside = f"event_time >= {literal(cut)}"
    if not source.has_time:
        inside = "hash(user_index, item_index) % 5 = 0"
    past = _history(con, source, clock, cut)
    target = con.execute(
        f"SELECT DISTINCT user_index, item_index FROM morec_events WHERE {inside} ORDER BY ALL"
    ).fetchnumpy()
    if not len(past) or not len(target["user_index"]):
        return None, 1.0 if source.has_time else 0.0
    user, item = (np.asarray(target[name], np.int64) for name in ("user_index", "item_index"))
    if source.has_time:
        known = np.isin(user, past.user)
        width = int(max(history.item.max(), item.max())) + 1
        repeated = np.isin(
            user[known] * width + item[known], past.user.astype(np.int64) * width + past.item
        )
        repeats = float(repeated.mean()) if known.any() else 1.0
    else:
        repeats = 0.0
    return (past, user.astype(np.int32), item.astype(np.int32)), repeats


def _relevance_unit(
    model: relevance.RelevanceModel, history: relevance.History, users: int
) -> float:
    """The spread of a user's relevance among the items that contend for the list, in log-odds.

    Over the whole catalogue relevance is mostly tail, and its deviation there would make the best
    items weigh tens of deviations: no weight of another objective could be seen beside it.
    """
    sample = np.arange(min(users, SAMPLED_USERS)) * users // min(users, SAMPLED_USERS)
    position = np.searchsorted(sample, history.user)
    inside = sample[np.minimum(position, len(sample) - 1)] == history.user
    mine = history.take(inside)
    mine = dataclasses.replace(mine, user=position[inside].astype(np.int32))
    items = len(model.decoder)
    empty = np.zeros((items, 0), np.float32)
    catalogue = scoring.Catalogue(model, empty, empty, np.full(items, -1))
    ranked = scoring.rank(
        catalogue,
        mine,
        np.ones(len(sample)),
        np.zeros((len(sample), 0)),
        np.zeros(len(sample)),
        min(relevance.CONTENDERS, items),
        None,
        np.zeros(len(sample), bool),
    )
    # a unit of nothing means that relevance tells no item from another
    return max(float(np.median(ranked.relevance.std(axis=1))), 1e-6)


def _statements(
    source: _Source,
    arguments: Arguments,
    listed: list[Objective],
    clock: _Clock,
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
    distinct = "DISTINCT" if source.has_time else ""
    of_user = sql(
        "history_of_user",
        schema=schema,
        distinct=distinct,
        pair_features=_pair_features(source, clock, "_e._anchor"),
        before="_x.event_time < _a._as_of" if source.has_time else "true",
    )
    common = {
        "schema": schema,
        "schema_name": literal(arguments.name),
        "version": literal(version),
        "item_type": source.item_type,
        "trained_until": literal(clock.now),
        "contributions": ", ".join(
            f"{literal(objective.name)}: _r.contributions[{position}]"
            for position, objective in enumerate(listed, 1)
        ),
    }
    placeholder = (
        f"CREATE OR REPLACE VIEW {schema}.events AS SELECT CAST(NULL AS {source.user_type}) AS"
        f" user_id, CAST(NULL AS {source.item_type}) AS item_id, CAST(NULL AS TIMESTAMP) AS"
        " event_time, CAST(NULL AS DOUBLE) AS weight"
    )
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
        items_view = (
            f"CREATE OR REPLACE VIEW {schema}.items AS SELECT _v.item_id FROM"
            f" {schema}.item_vectors AS _v"
        )
    return [
        sql(
            "tables",
            schema=schema,
            dimensions=str(dimensions),
            text_dimensions=str(text_dimensions),
        ),
        placeholder,
        sql(
            "recommend",
            macro="recommend",
            key="user_id",
            key_type=source.user_type,
            history=of_user,
            **common,
        ),
        sql(
            "recommend",
            macro="recommend_for",
            key="items",
            key_type=f"{source.item_type}[]",
            history=sql("history_of_items", schema=schema),
            **common,
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


def _stage_table(stages: list[tuple[str, int, float | None]]) -> pa.Table:
    return pa.table(
        {
            "stage": pa.array([row[0] for row in stages], pa.string()),
            "rows": pa.array([row[1] for row in stages], pa.int64()),
            "seconds": pa.array([row[2] for row in stages], pa.float64()),
        }
    )


def _vectors(values: npt.NDArray[np.float32]) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(values, np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def _lists(values: npt.NDArray[np.float32]) -> pa.Array:
    offsets = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
    flat = pa.array(np.ascontiguousarray(values, np.float32).ravel())
    return pa.ListArray.from_arrays(pa.array(offsets), flat)


def matrix(column: pa.ChunkedArray) -> npt.NDArray[np.float32]:
    """Turn a column of equally long lists into an array, shape (rows, length)."""
    values = column.combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks)
    rows = len(values)
    flat = values.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    width = len(flat) // rows if rows else 0
    # Arrow memory is read-only, which torch does not take
    out: npt.NDArray[np.float32] = flat.reshape(rows, width).copy()
    return out
