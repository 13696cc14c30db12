"""Scores of pairs of a user and an item: where weights meet the vectors."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..history import Doubles, Floats, Ints, Longs, places
from ..relevance.sparse import dot, entries
from .catalogue import Batch, Catalogue


class PairScores:
    """Scores of pairs of a user of a batch and an item, without what is of the list.

    Made once of a batch, it gives the scores of any number of pairs.
    """

    def __init__(self, catalogue: Catalogue, batch: Batch, weights: Doubles) -> None:
        """Weigh users who may have every item; weights have shape (users, objectives)."""
        factor = factor_of(catalogue, weights)
        query = query_of(catalogue, batch, weights, factor)
        self._items, self._query = catalogue.items, query
        self._table = catalogue.table.rows.cpu().numpy()
        self._known = _Scores(
            self._key(batch.known.user, batch.known.item),
            of_known(catalogue, batch, query, factor),
        )
        self._more = None
        if batch.more is not None:
            user, item, score = entries(batch.more, 0, batch.users)
            self._more = _Scores(self._key(user, item), score * factor[user])
        _, _, constant = catalogue.fit(batch.tastes)
        of_fits = weights[:, catalogue.of_kind("fit")] * constant
        self._of_user: Doubles = of_fits.sum(axis=1) - batch.mean * factor

    def __call__(self, user: Longs, item: Longs) -> Doubles:
        """The scores of pairs, each given by the user's place in the batch and the item."""
        out: Doubles = self.raw(user, item) + self._of_user[user]
        return out

    def raw(self, user: Longs, item: Longs) -> Doubles:
        """The scores without constants, as candidates have them."""
        score: Doubles = dot(self._query, user, self._table, item).astype(np.float64)
        key = self._key(user, item)
        if self._more is not None:
            there, mine = self._more.at(key)
            score[there] += mine
        there, mine = self._known.at(key)
        score[there] = mine
        return score

    def _key(self, user: Longs | Ints, item: Longs | Ints) -> Longs:
        return user.astype(np.int64) * self._items + item


@dataclasses.dataclass(frozen=True)
class _Scores:
    """Scores of some pairs, by their sorted keys."""

    key: Longs
    score: Floats | Doubles

    def at(self, wanted: Longs) -> tuple[Longs, Floats | Doubles]:
        """Which of the wanted pairs are among these, and their scores."""
        there, place = places(self.key, wanted)
        return there, self.score[place]


def factor_of(catalogue: Catalogue, weights: Doubles) -> Doubles:
    """What the log-odds of relevance are multiplied by, shape (users,)."""
    out: Doubles = weights[:, catalogue.of_kind("relevance")].sum(axis=1) / catalogue.model.unit
    return out


def query_of(catalogue: Catalogue, batch: Batch, weights: Doubles, factor: Doubles) -> Floats:
    """What the columns of the catalogue's table are multiplied by, shape (users, columns)."""
    slope, curve, _ = catalogue.fit(batch.tastes)
    fits = weights[:, catalogue.of_kind("fit")]
    return np.concatenate(
        [
            batch.queries * factor[:, None],
            catalogue.of_columns(weights),
            slope * fits,
            curve * fits,
        ],
        axis=1,
        dtype=np.float32,
    )


def of_known(catalogue: Catalogue, batch: Batch, query: Floats, factor: Doubles) -> Floats:
    """The weighted sums of the known pairs, of `query` as _query makes it."""
    known = batch.known
    weighed = np.ascontiguousarray(query[:, batch.queries.shape[1] :])
    others = np.einsum(
        "ij,ij->i", weighed.take(known.user, 0), catalogue.pointwise.take(known.item, 0)
    )
    excluded = np.isneginf(known.relevance)
    of_relevance = np.where(excluded, 0, known.relevance) * factor[known.user]
    out: Floats = (of_relevance + others).astype(np.float32)
    out[excluded] = -np.inf
    return out
