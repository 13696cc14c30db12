"""Answers of a trained recommender: from the lists that SQL gathers to ranked lists."""

from __future__ import annotations

import dataclasses
import json
from collections import OrderedDict
from threading import Lock

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
from .udfs.history import Clock, Events, History
from .udfs.relevance import RelevanceModel
from .udfs.repeats import RepeatModel

CACHED = 8  # recommenders kept in memory
MAX_K = 10000


@dataclasses.dataclass(frozen=True)
class Recommender:
    """A recommender in memory."""

    catalogue: scoring.Catalogue
    item_ids: pa.Array
    names: list[str]
    raw: dict[str, npt.NDArray[np.float64]]
    exclude_seen: bool
    clock: Clock


class Recommenders:
    """Loads recommenders when they are asked for, and keeps the latest few."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[str, Recommender] = OrderedDict()
        self._lock = Lock()

    def get(self, con: duckdb.DuckDBPyConnection, name: str, version: str) -> Recommender:
        """Return the recommender `name` of the current database of `con`."""
        with self._lock:
            if version not in self._loaded:
                # one transaction, so that a refresh meanwhile is seen whole or not at all
                con.execute("BEGIN")
                try:
                    self._loaded[version] = load_recommender(con, name)
                finally:
                    con.execute("ROLLBACK")
                while len(self._loaded) > CACHED:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(version)
            return self._loaded[version]

    def forget(self, version: str) -> None:
        """Load it anew when it is asked for again, since it was changed."""
        with self._lock:
            self._loaded.pop(version, None)


def load_recommender(con: duckdb.DuckDBPyConnection, name: str) -> Recommender:
    """Read a recommender from its schema."""
    schema = identifier(name)
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
    con: duckdb.DuckDBPyConnection,
    recommender: Recommender,
    schema: str,
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
        con: where the filters are evaluated.
        recommender: the recommender, loaded.
        schema: its name.
        histories: per user the list of events, NULL without any: item, time and weight.
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
    users = len(histories)
    k = _lengths(ks)
    row_weights = _weights(con, recommender, schema, weight_texts)
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
            allowed = filtered(con, schema, predicate)
            if not len(allowed):
                continue
        ranked = scoring.rank(
            recommender.catalogue,
            recommender.catalogue.batch(
                history.of_users(rows, users), len(rows), allowed, excluded[rows]
            ),
            row_weights[rows],
            int(k[rows].max()),
            how,
            None
            if limits is None
            else constraints(con, schema, limits, items_of(con, schema), recommender.raw),
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


def _weights(
    con: duckdb.DuckDBPyConnection, recommender: Recommender, schema: str, texts: pa.Array
) -> npt.NDArray[np.float64]:
    """Weights by user and objective; each distinct text is read once."""
    encoded = texts.dictionary_encode()
    distinct = encoded.dictionary.to_pylist()
    table = [
        None if text == "null" else parse_weights(text, recommender.names) for text in distinct
    ]
    if texts.null_count or None in table:
        default = stored_weights(con, schema, recommender.names)
    else:
        default = []
    filled = [default if row is None else row for row in table]
    if default:
        filled.append(default)
    index = encoded.indices.fill_null(len(table)).to_numpy(zero_copy_only=False)
    out: npt.NDArray[np.float64] = np.array(filled, np.float64)[index]
    return out


def _history(histories: pa.Array, as_of: pa.Array, clock: Clock) -> History:
    """Turn the users' lists of events into one History.

    The clock of a user stands at `as_of`, and later events are left out; or at the end of the
    training or of the user's events.
    """
    lengths = pc.fill_null(pc.list_value_length(histories), 0).to_numpy(zero_copy_only=False)
    flat = pc.list_flatten(histories)
    item, time, weight = (
        flat.field(name).to_numpy(zero_copy_only=False) for name in ("item", "time", "weight")
    )
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
