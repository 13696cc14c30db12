"""Baselines: what a recommender must beat, each ranking the catalogue from the same histories."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .history import Floats, History
from .relevance.repeats import LATE

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST_BOUGHT = 8000  # items of the item-item models: their matrix is dense
NEIGHBOURS = 100
RIDGE = 6.0  # of EASE, in units of the mean number of users of an item
FACTORS = 64
ROWS = 256

Scores = Callable[[slice], Floats]


@dataclasses.dataclass(frozen=True)
class _Data:
    """What a baseline learns from (history, and as a matrix known) and ranks for (test, seen)."""

    history: History
    known: csr_array
    test: History
    seen: csr_array
    seed: int


def rank(
    name: str,
    history: History,
    users: int,
    items: int,
    test: History,
    test_users: int,
    k: int,
    exclude_seen: bool,
    allowed: npt.NDArray[np.int64] | None,
    seed: int,
) -> npt.NDArray[np.int64]:
    """The k best items of each test user, best first, shape (test_users, k); -1 where none is left.

    Args:
        name: one of BASELINES.
        history: the pairs of all `users` users, to learn from.
        users: their number.
        items: number of items in the catalogue.
        test: the pairs of the test users, to rank from.
        test_users: their number.
        k: length of the lists.
        exclude_seen: whether to leave out what the test user knows.
        allowed: sorted indices of the items that may be listed, or None for all.
        seed: of what is random.
    """
    import torch

    seen = _matrix(test, test_users, items)
    scores = BASELINES[name](_Data(history, _matrix(history, users, items), test, seen, seed))
    # what a model says nothing about, and what it calls equal, comes in order of popularity
    users_of = np.bincount(history.item, minlength=items)
    tie = np.empty(items)
    tie[np.lexsort((np.arange(items), -users_of))] = -np.arange(items) / items
    forbidden = np.zeros(items)
    if allowed is not None:
        forbidden[:] = -np.inf
        forbidden[allowed] = 0
    out = np.full((test_users, k), -1, np.int64)
    for first in range(0, test_users, ROWS):
        rows = slice(first, min(first + ROWS, test_users))
        # in double precision, where the tie is far below any difference of two scores
        block = scores(rows).astype(np.float64)
        spread = np.abs(block).max(axis=1, keepdims=True)
        block = block + tie * 1e-6 * np.maximum(spread, 1e-30) + forbidden
        if exclude_seen:
            known = seen[rows].tocoo()
            block[known.row, known.col] = -np.inf
        best = torch.from_numpy(block).topk(min(k, items), dim=1)
        found = np.where(np.isfinite(best.values.numpy()), best.indices.numpy(), -1)
        out[rows, : found.shape[1]] = found
    return out


def _matrix(history: History, users: int, items: int) -> csr_array:
    """Who knows which item, shape (users, items)."""
    from scipy.sparse import csr_array

    ones = np.ones(len(history), np.float32)
    return csr_array((ones, (history.user, history.item)), shape=(users, items))


def _constant(values: npt.NDArray[Any]) -> Scores:
    """The same scores for every user."""
    row = values.astype(np.float32)
    return lambda rows: np.tile(row, (rows.stop - rows.start, 1))


def _popularity(data: _Data) -> Scores:
    """The number of users."""
    return _constant(np.bincount(data.history.item, minlength=data.known.shape[1]))


def _recent_popularity(data: _Data) -> Scores:
    """The number of users of late (1.2 medium half-lives)."""
    late = data.history.last <= LATE
    return _constant(np.bincount(data.history.item, late, data.known.shape[1]))


def _own_frequency(data: _Data) -> Scores:
    """On how many days the user bought the item."""
    from scipy.sparse import csr_array

    pairs = data.test.user, data.test.item
    counts = csr_array((data.test.count, pairs), shape=data.seen.shape)
    return lambda rows: counts[rows].toarray()


def _item_item(seen: csr_array, most: npt.NDArray[np.int64], weights: Floats) -> Scores:
    """Sums over the history of item-item weights between the items `most`."""

    def scores(rows: slice) -> Floats:
        part = seen[rows]
        out = np.zeros(part.shape, np.float32)
        out[:, most] = part[:, most].toarray() @ weights
        return out

    return scores


def _most_bought(known: csr_array) -> tuple[npt.NDArray[np.int64], Floats]:
    """The most bought items and how many users each two of them share."""
    most = np.sort(np.argsort(-known.sum(axis=0), kind="stable")[:MOST_BOUGHT])
    part = known[:, most]
    shared: Floats = (part.T @ part).toarray().astype(np.float32)
    return most, shared


def _item_knn(data: _Data) -> Scores:
    """Cosine of the items' users, the NEIGHBOURS nearest of each item (Sarwar et al. 2001)."""
    import torch

    most, cosine = _most_bought(data.known)
    length = np.sqrt(np.maximum(np.diag(cosine), 1e-9))
    cosine /= length[:, None]
    cosine /= length
    np.fill_diagonal(cosine, 0)
    kept = min(NEIGHBOURS, len(most))
    least = torch.from_numpy(cosine).topk(kept, dim=0).values[-1].numpy()
    cosine[cosine < least] = 0
    return _item_item(data.seen, most, cosine)


def _ease(data: _Data) -> Scores:
    """The linear auto-encoder in closed form (Steck 2019)."""
    import torch

    most, gram = _most_bought(data.known)
    gram[np.diag_indices_from(gram)] += RIDGE * float(np.diag(gram).mean())
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(torch.from_numpy(gram))).numpy()
    weights = (inverse / -np.diag(inverse)).astype(np.float32)
    np.fill_diagonal(weights, 0)
    return _item_item(data.seen, most, weights)


def _als(data: _Data) -> Scores:
    """Implicit alternating least squares (Hu, Koren and Volinsky 2008), by the library implicit."""
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

    # the library takes matrices of the older kind, and has threads of its own
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(factors=FACTORS, random_state=data.seed)
        model.fit(csr_matrix(data.known), show_progress=False)
        users = np.arange(data.seen.shape[0])
        factors = model.recalculate_user(users, csr_matrix(data.seen))
    return lambda rows: factors[rows] @ model.item_factors.T


BASELINES: dict[str, Callable[[_Data], Scores]] = {
    "popularity": _popularity,
    "recent popularity": _recent_popularity,
    "own frequency": _own_frequency,
    "item knn": _item_knn,
    "ease": _ease,
    "als": _als,
}
