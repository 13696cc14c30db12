"""Answers of a trained recommender: from the lists that SQL gathers to ranked lists."""

from __future__ import annotations

import dataclasses
import json
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .arrays import matrix, whole
from .expressions import MorecError, Table, expression, identifier
from .limits import constraints
from .objectives import check_diversify, parse_weights, stored_weights
from .templates import arrow, first_row, sql
from .udfs import scoring
from .udfs.constraints import Constraint
from .udfs.history import Clock, Doubles, Events, Floats, History, Ints
from .udfs.relevance import RelevanceModel
from .udfs.repeats import RepeatModel

CACHED = 8  # recommenders kept in memory
QUERIES = 4  # whose filters and constraints are kept, the latest so many of each
MAX_K = 10000
NO_TIME = -(1 << 62)  # stands for the microsecond of an event without a time

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Recommender:
    """A recommender in memory."""

    catalogue: scoring.Catalogue
    item_ids: pa.Array
    names: list[str]
    raw: dict[str, npt.NDArray[np.float64]]
    exclude_seen: bool
    clock: Clock


class Latest(Generic[T]):
    """Keeps the latest results of work that is asked for again, from any thread."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._results: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, work: Callable[[], T]) -> T:
        """Return what `work` gives, or gave when `key` came before."""
        with self._lock:
            if key not in self._results:
                self._results[key] = work()
                while len(self._results) > self._size:
                    self._results.popitem(last=False)
            self._results.move_to_end(key)
            return self._results[key]

    def forget(self, key: Hashable) -> None:
        """Do the work anew when it is asked for again."""
        with self._lock:
            self._results.pop(key, None)


class Query:
    """What a query needs of a recommender beside the users, read once for all of its chunks.

    So all of them see the same default weights and items, too.

    Args:
        connect: opens a connection to the database of the recommender.
        recommender: the recommender, loaded.
        schema: its name.
    """

    def __init__(
        self,
        connect: Callable[[], duckdb.DuckDBPyConnection],
        recommender: Recommender,
        schema: str,
    ) -> None:
        self.recommender = recommender
        self._connect = connect
        self._schema = schema
        self._defaults: Latest[list[float]] = Latest(1)
        self._selections: Latest[scoring.Selection] = Latest(QUERIES)
        self._constraints: Latest[list[Constraint]] = Latest(QUERIES)

    def default_weights(self) -> list[float]:
        """The default weights as they are stored."""

        def read() -> list[float]:
            with self._connect() as con:
                return stored_weights(con, self._schema, self.recommender.names)

        return self._defaults.get(None, read)

    def only(self, predicate: str) -> scoring.Selection:
        """The items that a filter keeps."""

        def read() -> scoring.Selection:
            with self._connect() as con:
                return self.recommender.catalogue.only(filtered(con, self._schema, predicate))

        return self._selections.get(predicate, read)

    def constraints(self, text: str) -> list[Constraint]:
        """The constraints that the JSON `text` states."""

        def read() -> list[Constraint]:
            with self._connect() as con:
                items = items_of(con, self._schema)
                return constraints(con, self._schema, text, items, self.recommender.raw)

        return self._constraints.get(text, read)


def load_recommender(con: duckdb.DuckDBPyConnection, name: str) -> Recommender:
    """Read the recommender `name` of the current database of `con` from its schema."""
    # one transaction, so that a refresh meanwhile is seen whole or not at all
    con.execute("BEGIN")
    try:
        return _read_recommender(con, identifier(name))
    finally:
        con.execute("ROLLBACK")


def _read_recommender(con: duckdb.DuckDBPyConnection, schema: str) -> Recommender:
    row = first_row(con, f"SELECT model FROM {schema}.settings")
    assert row is not None
    chosen = json.loads(row[0])
    vectors = arrow(
        con,
        "SELECT text_id, encoder, decoder, statistics, objectives,"
        f" CAST(item_id AS VARCHAR) AS item_id FROM {schema}.item_vectors ORDER BY item_index",
    )
    texts = arrow(con, f"SELECT embedding FROM {schema}.texts ORDER BY text_id")
    listed = con.execute(
        f"SELECT objective, kind, mean, deviation FROM {schema}.objectives ORDER BY position"
    ).fetchall()
    values = matrix(vectors.column("objectives"))
    model = RelevanceModel(
        encoder=matrix(vectors.column("encoder")),
        decoder=matrix(vectors.column("decoder")),
        statistics=matrix(vectors.column("statistics")),
        content=chosen["content"],
        unknown=np.array(chosen["unknown"], np.float32),
        repeats=RepeatModel.from_json(chosen["repeats"]),
        half_life=int(chosen["half_life"]),
        chosen=chosen,
        unit=chosen["unit"],
    )
    return Recommender(
        catalogue=scoring.Catalogue(
            model,
            [row[1] for row in listed],
            values,
            matrix(texts.column("embedding")),
            pc.fill_null(vectors.column("text_id"), -1).to_numpy().astype(np.int64),
        ),
        item_ids=whole(vectors.column("item_id")),
        names=[row[0] for row in listed],
        raw={
            name: values[:, position].astype(np.float64) * deviation + mean
            for position, (name, kind, mean, deviation) in enumerate(listed)
            if kind == "item"
        },
        exclude_seen=chosen["exclude_seen"],
        clock=Clock(**chosen["clock"]),
    )


def recommend(
    query: Query,
    histories: pa.Array,
    as_of: pa.Array,
    weight_texts: pa.Array,
    ks: pa.Array,
    filters: pa.Array,
    exclude_seen: pa.Array,
    diversify: pa.Array,
    limited: pa.Array,
) -> pa.Array:
    """Rank the catalogue for a chunk of users.

    Args:
        query: the query that they are a chunk of.
        histories: per user the list of events as sql/history_of_user.sql packs them, NULL without
            any.
        as_of: per user the moment of the list in seconds, NULL for now.
        weight_texts: per user the weights as JSON, NULL for the defaults.
        ks: per user the length of the list.
        filters: per user a predicate over the items, NULL for none.
        exclude_seen: per user whether to leave the history out, NULL for the default.
        diversify: per user how to diversify.
        limited: per user the constraints as JSON, NULL for none.

    Returns:
        per user the ranked list.
    """
    recommender = query.recommender
    users = len(histories)
    k = _lengths(ks)
    row_weights = _weights(query, weight_texts)
    excluded = pc.fill_null(exclude_seen, recommender.exclude_seen).to_numpy(zero_copy_only=False)
    history = _history(histories, as_of, recommender.clock)
    # users are ranked together who have the same filter and constraints and are diversified alike
    keys = [
        # a list under constraints is not the start of a longer one
        (predicate, how, limits, None if limits is None else length)
        for predicate, how, limits, length in zip(
            filters.to_pylist(), diversify.to_pylist(), limited.to_pylist(), k, strict=True
        )
    ]
    groups = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    group_of = np.array([groups[key] for key in keys])
    for _, how, _, _ in groups:
        check_diversify(how)
    width = int(k.max())
    objectives = len(recommender.names)
    item = np.full((users, width), -1, np.int64)
    score = np.zeros((users, width))
    contributions = np.zeros((users, width, objectives))
    missed: list[list[str]] = [[]] * users
    for (predicate, how, limits, _), group in groups.items():
        rows = np.flatnonzero(group_of == group)
        allowed = None
        if predicate is not None:
            allowed = query.only(predicate)
            if not len(allowed.items):
                continue
        ranked = scoring.rank(
            recommender.catalogue,
            recommender.catalogue.batch(
                history.of_users(rows, users), len(rows), allowed, excluded[rows]
            ),
            row_weights[rows],
            int(k[rows].max()),
            how,
            None if limits is None else query.constraints(limits),
        )
        for row, names in zip(rows, ranked.unmet, strict=True):
            missed[row] = names
        depth = ranked.item.shape[1]
        item[rows, :depth] = ranked.item
        score[rows, :depth] = ranked.score
        contributions[rows, :depth] = ranked.contributions
    listed = (item >= 0) & (np.arange(width) < k[:, None])
    offsets = np.concatenate([[0], np.cumsum(listed.sum(axis=1))]).astype(np.int32)
    rank = np.broadcast_to(np.arange(1, width + 1, dtype=np.int32), item.shape)[listed]
    parts = contributions[listed]
    lists = pa.ListArray.from_arrays(
        pa.array(np.arange(len(parts) + 1, dtype=np.int32) * objectives), pa.array(parts.ravel())
    )
    entries = pa.StructArray.from_arrays(
        [
            pa.array(rank),
            recommender.item_ids.take(pa.array(item[listed])),
            pa.array(score[listed]),
            lists,
            pa.array(missed, pa.list_(pa.string())).take(pa.array(np.nonzero(listed)[0])),
        ],
        names=["rank", "item_id", "score", "contributions", "unmet"],
    )
    return pa.ListArray.from_arrays(pa.array(offsets), entries)


def _lengths(ks: pa.Array) -> npt.NDArray[np.int64]:
    if ks.null_count:
        raise MorecError(f"k: NULL is not a whole number from 1 to {MAX_K}")
    k: npt.NDArray[np.int64] = ks.to_numpy(zero_copy_only=False)
    for bad in k[(k < 1) | (k > MAX_K)]:
        raise MorecError(f"k: {bad} is not a whole number from 1 to {MAX_K}")
    return k


def _weights(query: Query, texts: pa.Array) -> npt.NDArray[np.float64]:
    """Weights by user and objective; each distinct text is read once."""
    names = query.recommender.names
    encoded = texts.dictionary_encode()
    distinct = encoded.dictionary.to_pylist()
    given = [None if text == "null" else parse_weights(text, names) for text in distinct]
    if texts.null_count:
        given.append(None)
    filled = [query.default_weights() if row is None else row for row in given]
    index = encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)
    out: npt.NDArray[np.float64] = np.array(filled, np.float64)[index]
    return out


def _history(histories: pa.Array, as_of: pa.Array, clock: Clock) -> History:
    """Turn the users' lists of events into one History.

    The clock of a user stands at `as_of`, and later events are left out; or at the end of the
    training or of the user's events.
    """
    lengths = pc.fill_null(pc.list_value_length(histories), 0).to_numpy(zero_copy_only=False)
    item, time, weight = _unpacked(pc.list_flatten(histories))
    user = np.repeat(np.arange(len(histories), dtype=np.int32), lengths)
    now = as_of.to_numpy(zero_copy_only=False).astype(np.float64)
    if not np.isnan(now).all():
        kept = ~(time >= now[user])
        user, item, time, weight = (column[kept] for column in (user, item, time, weight))
    now = np.where(np.isnan(now), clock.now, now)
    np.fmax.at(now, user, time)
    # items of a basket have no time and weight: they are taken now
    time = np.where(np.isnan(time), now[user], time)
    weight = np.where(np.isnan(weight), np.float32(clock.mean_weight), weight)
    events = Events.sorted(user, item, time, weight, clock.timeless)
    return events.history(clock, now[events.user])


def _unpacked(events: pa.Array) -> tuple[Ints, Doubles, Floats]:
    """Item, second and weight of events as sql/history_of_user.sql packs them; NaN for nothing."""
    words = np.frombuffer(events.buffers()[1], np.int64).reshape(-1, 2)
    low, high = words[events.offset : events.offset + len(events)].T
    weight = low & 0xFFFFFFFF
    return (
        (low >> 32).astype(np.int32),
        np.where(high == NO_TIME, np.nan, high / 1e6),
        np.where(weight == 0, np.nan, np.exp2((weight - (1 << 31)) / (1 << 20))).astype(np.float32),
    )


def items_of(con: duckdb.DuckDBPyConnection, schema: str) -> Table:
    """The recommender's view of the items."""
    view = f"{identifier(schema)}.items"
    columns = con.execute(f"DESCRIBE SELECT * FROM {view}").fetchall()
    return Table(view, {row[0]: row[1] for row in columns})


def filtered(
    con: duckdb.DuckDBPyConnection, schema: str, predicate: str, catalogue: str | None = None
) -> npt.NDArray[np.int64]:
    """Indices of the items of which `predicate` is true, sorted.

    Args:
        con: where it is evaluated.
        schema: the recommender, whose view items it is about.
        predicate: as the user wrote it.
        catalogue: the table, as SQL, that numbers the items; that of the recommender by default.

    Raises:
        MorecError: it is not one predicate over the columns of the items.
    """
    checked = expression(con, "filter", predicate, items_of(con, schema), wanted="predicate")
    try:
        found = con.execute(
            sql(
                "filtered_items",
                schema=identifier(schema),
                catalogue=catalogue or f"{identifier(schema)}.item_vectors",
                predicate=checked,
            )
        ).fetchnumpy()
    except duckdb.Error as error:
        reason = str(error).split("\n")[0]
        raise MorecError(f"filter: {predicate!r} cannot be evaluated: {reason}") from None
    return np.asarray(found["item_index"], np.int64)
