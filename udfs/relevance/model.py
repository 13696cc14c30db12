"""The relevance model: a closed-form linear auto-encoder with a content tower and a repeat term.

The relevance of item j for a user with history h is the log-odds of a purchase,

    <A_u q_u, v_j> + <p_u, b_j> + c_u                       for an item the user does not know,
    f(u, j)                                                 for one in the history (repeats.py),

with q_u = sum_h x_h e_h / |x|^(1/2).

- e and v come from a truncated EASE (Steck 2019, "Embarrassingly Shallow Autoencoders"). By the
  Woodbury identity the inverse in EASE's closed form, P = (X'X + lambda)^-1, is
  (1/lambda)(I - M) with M = V diag(s^2 / (s^2 + lambda)) V' for the singular vectors V and values
  s of X. So EASE's item-item weights B_ij = M_ij / (1 - M_jj) have rank d: one encoder and one
  decoder vector per item, and no items x items matrix.
- Item features F join as extra rows of X, sqrt(alpha) F' (collective EASE: Jeunen, Van Balen and
  Goethals 2020), which gives items without a single event a vector from their text, and a user a
  content term from the texts in the history.
- A second block of e and v is the whitened principal components of the item features: likeness of
  content.
- v_j carries the item's trend (those who took it up of late against all its users) and b_j its
  popularity.
- A_u, p_u and c_u weigh the blocks of likeness and popularity, and depend on how much is known of
  the user: A_u and p_u are linear in 1 / (1 + items in the history / 20), c_u in that and in how
  active the user was.

What is chosen and learnt is so on the latest window of time: the history before it against what
the users did in it, over the best unseen items. Repeat purchases learn from earlier windows too.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..history import Doubles, Floats, History, Ints, Longs, bounds
from . import repeats

if TYPE_CHECKING:
    import torch

FEW = 20.0  # a history of so many items is half-way from nothing to much
SLICE = 4096  # rows that are held at once


@dataclasses.dataclass(frozen=True)
class RelevanceModel:
    """What scoring needs, for n items and d dimensions, of which the last `content` are of content.

    encoder and decoder have shape (n, d); statistics (n, s) are the repeats.item_features, whose
    first two are popularity: log users ever and of late. unknown, shape (5, 5), gives the weights
    of behaviour, content, the two popularities and 1 for items that a user does not know, as a
    linear function of the user's features: 1, sparsity of the history, and activity. repeats is for
    the items of the history. unit is the difference in log-odds that counts as 1 beside other
    objectives.
    """

    encoder: Floats
    decoder: Floats
    statistics: Floats
    content: int
    unknown: Floats
    repeats: repeats.RepeatModel
    half_life: int
    chosen: dict[str, Any]
    unit: float = 1.0

    @functools.cached_property
    def own(self) -> Floats:
        """The likeness of each item to itself, by behaviour and by content, shape (n, 2)."""
        products = self.encoder * self.decoder
        split = products.shape[1] - self.content
        return np.stack([products[:, :split].sum(axis=1), products[:, split:].sum(axis=1)], axis=1)

    @functools.cached_property
    def popularity(self) -> Floats:
        """Log users of each item, ever and of late, shape (n, 2)."""
        return np.ascontiguousarray(self.statistics[:, :2])

    def typical_query(self) -> Floats:
        """About how large the entries of OfUsers.queries are, shape (d + 2,)."""
        weights = np.abs(self.unknown[0])
        # the vectors of FEW items, of which some point the same way
        items = np.sqrt((self.encoder**2).mean(axis=0)) * FEW**0.5
        split = self.encoder.shape[1] - self.content
        items[:split] *= weights[0]
        items[split:] *= weights[1]
        return np.concatenate([items, weights[2:4]]).astype(np.float32)

    def of_users(
        self, history: History, users: int, wanted: npt.NDArray[np.bool_] | None = None
    ) -> OfUsers:
        """Relevance of all items for `users` users with sorted `history`.

        Args:
            history: the users' pairs.
            users: how many users.
            wanted: for which pairs the repeat term is needed, shape (pairs,); None for all.
        """
        starts = bounds(history.user, users)
        activity = repeats.activity(history, users)
        weights = user_features(starts, activity) @ self.unknown
        pair = normalised(pair_weights(history, self.half_life), starts)
        queries = user_vectors(self.encoder, history.item, pair, starts)
        blocks = np.repeat(weights[:, :2], [queries.shape[1] - self.content, self.content], axis=1)
        queries *= blocks
        if wanted is not None:
            history, pair = history.take(wanted), pair[wanted]
        likeness = dot(queries, history.user, self.decoder, history.item)
        mine = weights.take(history.user, 0)
        # what an item says about itself is left out, as by EASE's zero diagonal
        own = np.einsum("ij,ij->i", self.own.take(history.item, 0), mine[:, :2]) * pair
        design = repeats.design(history, activity, self.statistics, likeness - own)
        popular = np.einsum("ij,ij->i", self.popularity.take(history.item, 0), mine[:, 2:4])
        queries = np.concatenate([queries, weights[:, 2:4]], axis=1)
        known = self.repeats.log_odds(design) - mine[:, 4]
        more = (known - likeness - popular).astype(np.float64)
        bonus = np.bincount(history.user, more, minlength=users).astype(np.float64)
        return OfUsers(queries, known, bonus, design)


@dataclasses.dataclass(frozen=True)
class OfUsers:
    """Relevance of a batch of users in parts: all that is needed to score any item.

    relevance(u, j) = <queries_u, (decoder_j, popularity_j)> + a constant of the user; for the
    wanted pairs of the history the inner product gives way to known. bonus is by how much more that
    is, summed over each user's pairs, shape (users,); design are the features from which known
    comes.
    """

    queries: Floats
    known: Floats
    bonus: Doubles
    design: Floats


def user_features(starts: npt.NDArray[np.int64], activity: Floats) -> Floats:
    """What the weights depend on, shape (users, 5): 1, sparsity and activity.

    Sparsity is how little is known of the user: 1 without history, towards 0 with a long one.
    """
    sparsity = 1 / (1 + np.diff(starts) / FEW)
    return np.column_stack([np.ones(len(sparsity)), sparsity, activity]).astype(np.float32)


def pair_weights(history: History, half_life: int) -> Floats:
    """The weight x_h of each pair in the user vector, before normalisation over the user."""
    return np.log1p(history.strength[:, half_life])


def normalised(weights: Floats, starts: npt.NDArray[np.int64]) -> Floats:
    """Divide each user's pair weights by |x|^(1/2); `starts` bounds the users, length users + 1."""
    squares = np.concatenate([[0.0], np.cumsum(weights.astype(np.float64) ** 2)])
    norm = squares[starts[1:]] - squares[starts[:-1]]
    root = np.repeat(np.maximum(norm, 1e-12) ** 0.25, np.diff(starts))
    out: Floats = (weights / root).astype(np.float32)
    return out


def user_vectors(
    encoder: Floats, item: Ints, weights: Floats, starts: npt.NDArray[np.int64]
) -> Floats:
    """Sum the encoder vectors of each user's items, shape (users, d); no history gives zeros."""
    import torch

    out: Floats = times(starts, item, weights, "cpu")(torch.from_numpy(encoder)).numpy()
    return out


def dot(
    left: Floats, row: npt.NDArray[np.integer], right: Floats, item: npt.NDArray[np.integer]
) -> Floats:
    """Inner products of pairs of rows, in slices that fit in the cache."""
    if not left.shape[1]:
        return np.zeros(len(row), np.float32)
    out = np.empty(len(row), np.float32)
    for first in range(0, len(row), SLICE):
        part = slice(first, first + SLICE)
        np.einsum("ij,ij->i", left.take(row[part], 0), right.take(item[part], 0), out=out[part])
    return out


def times(
    starts: Longs, index: Ints, weights: Floats, where: torch.device | str
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The function that multiplies a sparse matrix by dense columns.

    Sums of embeddings are several times as fast as the products of sparse matrices.

    Args:
        starts: where each row starts in the others, length rows + 1.
        index: columns of the entries.
        weights: the entries.
        where: the device of the result.
    """
    import torch

    # both are to have one type
    wide = np.int32 if len(index) < 1 << 31 else np.int64
    columns_of, offsets, entries = (
        torch.from_numpy(array).to(where)
        for array in (index.astype(wide, copy=False), starts.astype(wide, copy=False), weights)
    )

    def product(columns: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.embedding_bag(
            columns_of, columns, offsets, mode="sum", per_sample_weights=entries,
            include_last_offset=True,
        )  # fmt: skip

    return product
