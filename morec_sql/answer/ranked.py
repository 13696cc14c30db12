"""The ranked lists of a chunk of users, from the columns that SQL passes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..catalog.objectives import check_diversify, parse_weights
from ..errors import MorecError
from ..udfs.history import History
from ..udfs.ranking.catalogue import Selection
from ..udfs.ranking.lists import Ranking, rank
from .history import history_of
from .recommender import Query, Recommender

MAX_K = 10000


def ranked_lists(
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
        histories: per user the list of events as sql/answer/history_of_user.sql packs them, NULL
            without any.
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
    weights = _weights(query, weight_texts)
    excluded = exclude_seen.fill_null(recommender.exclude_seen).to_numpy(zero_copy_only=False)
    unasked = exclude_seen.is_null().to_numpy(zero_copy_only=False)
    history = history_of(histories, as_of, recommender.clock)
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
    lists = Ranking.empty(users, int(k.max()), len(recommender.names))
    for (predicate, how, limits, _), group in groups.items():
        rows = np.flatnonzero(group_of == group)
        allowed = query.only(predicate)
        if allowed is not None and not len(allowed.items):
            continue
        mine = history.of_users(rows, users)
        # nobody asked for an empty list
        some = unasked[rows] & _exhausted(mine, len(rows), allowed, recommender)
        batch = recommender.catalogue.batch(mine, len(rows), allowed, excluded[rows] & ~some)
        constraints = None if limits is None else query.constraints(limits)
        longest = int(k[rows].max())
        lists.put(
            rows, rank(recommender.catalogue, batch, weights[rows], longest, how, constraints)
        )
    personal = np.bincount(history.user, minlength=users) > 0
    return _entries(lists, k, personal, recommender.item_ids)


def _exhausted(
    history: History, users: int, allowed: Selection | None, recommender: Recommender
) -> npt.NDArray[np.bool_]:
    """Which users know all items that may be listed, shape (users,)."""
    user, items = history.user, recommender.catalogue.items
    if allowed is not None:
        user, items = user[allowed.number[history.item] >= 0], len(allowed.items)
    out: npt.NDArray[np.bool_] = np.bincount(user, minlength=users) >= items
    return out


def _entries(
    lists: Ranking, k: npt.NDArray[np.int64], personal: npt.NDArray[np.bool_], item_ids: pa.Array
) -> pa.Array:
    """Lists of up to k entries each, as DuckDB takes them."""
    _, width, objectives = lists.contributions.shape
    listed = (lists.item >= 0) & (np.arange(width) < k[:, None])
    offsets = np.concatenate([[0], np.cumsum(listed.sum(axis=1))]).astype(np.int32)
    place = np.broadcast_to(np.arange(1, width + 1, dtype=np.int32), listed.shape)[listed]
    parts = lists.contributions[listed]
    contributions = pa.ListArray.from_arrays(
        pa.array(np.arange(len(parts) + 1, dtype=np.int32) * objectives), pa.array(parts.ravel())
    )
    unmet = pa.array(lists.unmet, pa.list_(pa.string()))
    user = np.nonzero(listed)[0]
    entries = pa.StructArray.from_arrays(
        [
            pa.array(place),
            item_ids.take(pa.array(lists.item[listed])),
            pa.array(lists.score[listed]),
            contributions,
            unmet.take(pa.array(user)),
            pa.array(personal[user]),
        ],
        names=["rank", "item_id", "score", "contributions", "unmet", "personal"],
    )
    return pa.ListArray.from_arrays(pa.array(offsets), entries)


def _lengths(ks: pa.Array) -> npt.NDArray[np.int64]:
    if ks.null_count:
        raise MorecError(f"k: NULL is not a whole number from 1 to {MAX_K}")
    k: npt.NDArray[np.float64] = ks.to_numpy(zero_copy_only=False)
    for bad in k[~((k >= 1) & (k <= MAX_K) & (k == np.floor(k)))]:
        raise MorecError(f"k: {bad:g} is not a whole number from 1 to {MAX_K}")
    return k.astype(np.int64)


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
