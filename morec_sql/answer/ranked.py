"""The ranked lists of a chunk of users, from the columns that SQL passes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..catalog.objectives import check_diversify, parse_weights
from ..errors import MorecError
from ..udfs.history import Doubles, History
from ..udfs.ranking.catalogue import Batch, Selection
from ..udfs.ranking.lists import Ranking, rank
from .history import history_of
from .query import Query
from .recommender import Recommender

MAX_K = 10000


class Asked:
    """What is asked for a chunk of users: their histories, and how each list is to be.

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
        items: per user the numbers of the only items that may be listed, None for all.
    """

    def __init__(
        self,
        query: Query,
        histories: pa.Array,
        as_of: pa.Array,
        weight_texts: pa.Array,
        ks: pa.Array,
        filters: pa.Array,
        exclude_seen: pa.Array,
        diversify: pa.Array,
        limited: pa.Array,
        *,
        items: pa.Array | None = None,
    ) -> None:
        self.query, self.recommender = query, query.recommender
        self.users = len(histories)
        self.k = lengths_of(ks)
        self.weights = weights_of(query, weight_texts)
        by_default = exclude_seen.fill_null(self.recommender.exclude_seen)
        self._excluded = by_default.to_numpy(zero_copy_only=False)
        self._unasked = exclude_seen.is_null().to_numpy(zero_copy_only=False)
        self.history = history_of(histories, as_of, self.recommender)
        hows = zip(filters.to_pylist(), diversify.to_pylist(), limited.to_pylist(), strict=True)
        self._hows: list[tuple[str | None, str, str | None]] = list(hows)
        for how in {how for _, how, _ in self._hows}:
            check_diversify(how)
        self._items: list[tuple[int, ...] | None] = [None] * self.users
        if items is not None:
            known = self.recommender.known
            self._items = [
                tuple(sorted({*known(np.array(mine or [], np.int64)).tolist()} - {-1}))
                for mine in items.to_pylist()
            ]

    def alike(self) -> list[npt.NDArray[np.int64]]:
        """The users who are ranked together, since they have the same filter, constraints, ..."""
        keys = [
            # a list under constraints is not the start of a longer one
            (how, items, None if how[2] is None else length)
            for how, items, length in zip(self._hows, self._items, self.k, strict=True)
        ]
        groups = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        group_of = np.array([groups[key] for key in keys])
        return [np.flatnonzero(group_of == group) for group in groups.values()]

    def how(self, rows: npt.NDArray[np.int64]) -> tuple[str | None, str, str | None]:
        """Filter, way to diversify and constraints of users who are alike."""
        return self._hows[int(rows[0])]

    def batch(self, rows: npt.NDArray[np.int64], mine: History | None = None) -> Batch | None:
        """Users who are alike, before weights; None where no item may be listed.

        Args:
            rows: the users.
            mine: other histories than theirs.
        """
        allowed = self.query.only(self.how(rows)[0])
        items = self._items[int(rows[0])]
        if items is not None:
            chosen = np.array(items, np.int64)
            if self.how(rows)[0] is not None and allowed is not None:
                chosen = chosen[allowed.number[chosen] >= 0]
            allowed = self.recommender.catalogue.only(chosen)
        if allowed is not None and not len(allowed.items):
            return None
        if mine is None:
            mine = self.history.of_users(rows, self.users)
        # nobody asked for an empty list
        some = self._unasked[rows] & _exhausted(mine, len(rows), allowed, self.recommender)
        excluded = self._excluded[rows] & ~some
        return self.recommender.catalogue.batch(mine, len(rows), allowed, excluded)

    def ranked(
        self, rows: npt.NDArray[np.int64], batch: Batch, weights: Doubles | None = None
    ) -> Ranking:
        """The lists of users who are alike.

        Args:
            rows: the users.
            batch: the users, as of `batch`.
            weights: other weights than theirs, shape (users, objectives).
        """
        _, how, limits = self.how(rows)
        constraints = None if limits is None else self.query.constraints(limits)
        longest = int(self.k[rows].max())
        catalogue = self.recommender.catalogue
        weights = self.weights[rows] if weights is None else weights
        return rank(catalogue, batch, weights, longest, how, constraints)


def ranked_lists(asked: Asked) -> pa.Array:
    """The ranked list of each user of a chunk."""
    query = asked.query
    lists = Ranking.empty(asked.users, int(asked.k.max()), len(query.recommender.names))
    for rows in asked.alike():
        batch = asked.batch(rows)
        if batch is not None:
            lists.put(rows, asked.ranked(rows, batch))
    labels = asked.history.labels
    in_context = query.recommender.catalogue.model.in_context(labels.label)
    known = np.concatenate([asked.history.user, labels.user[~in_context]])
    personal = np.bincount(known, minlength=asked.users) > 0
    return _entries(lists, asked.k, personal, query.recommender.item_ids)


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


def lengths_of(ks: pa.Array) -> npt.NDArray[np.int64]:
    """Lengths of lists, or a MorecError."""
    return whole_numbers("k", ks, MAX_K)


def whole_numbers(
    argument: str, column: pa.Array, most: int | None = None
) -> npt.NDArray[np.int64]:
    """An argument that is a whole number from 1 on, up to some, or a MorecError."""
    allowed = f"is not a whole number from 1 {'on' if most is None else f'to {most}'}"
    if column.null_count:
        raise MorecError(f"{argument}: NULL {allowed}")
    values: npt.NDArray[np.float64] = column.to_numpy(zero_copy_only=False)
    good = (values >= 1) & (values <= (most or np.inf)) & (values == np.floor(values))
    for bad in values[~good]:
        raise MorecError(f"{argument}: {bad:g} {allowed}")
    return values.astype(np.int64)


def weights_of(query: Query, texts: pa.Array) -> npt.NDArray[np.float64]:
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
