"""The sparse part of relevance: a ridge regression of each item on its nearest items.

For item j with the N nearest items by the cosine of their users, and the Gram matrix G = X'X of the
users' histories, the weights of these in the histories are

    B_Nj = (G_NN + lambda I)^-1 G_Nj,

which is EASE (Steck 2019) among the neighbours alone: about N weights an item, whatever the size of
the catalogue, where the low rank has to describe all items by the same few columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..history import Floats, Ints, Longs

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NEIGHBOURS = 64
RIDGES = (1.0, 2.5, 6.0, 15.0)  # lambda, in units of the mean of G's diagonal
MOST_PAIRS = 200_000_000  # of items in one history: what counting G may cost
MOST_SCORES = 8000  # that a user's history has on average
BLOCK = 256  # items whose systems are solved at once


def affordable(starts: Longs) -> bool:
    """Whether counting pairs, and lists by them, cost no more than they should."""
    sizes = np.diff(starts).astype(np.float64)
    known = sizes[sizes > 0]
    if not len(known):
        return False
    return bool((sizes**2).sum() <= MOST_PAIRS and known.mean() * NEIGHBOURS <= MOST_SCORES)


def neighbourhoods(
    starts: Longs, item: Ints, weights: Floats, items: int, ridges: tuple[float, ...]
) -> list[csr_array]:
    """The weights for each ridge, shape (items, items): rows of histories, columns of lists.

    Args:
        starts: where each user's pairs start in the others, length users + 1.
        item: the item of each pair.
        weights: x of each pair.
        items: their number.
        ridges: as RIDGES.
    """
    from scipy.sparse import csr_array

    x = csr_array((weights, item, starts), shape=(len(starts) - 1, items))
    gram = (x.T @ x).tocsr()
    gram.sort_indices()
    near = _nearest(gram)
    penalties = [ridge * float(gram.diagonal().mean()) for ridge in ridges]
    values = np.zeros((len(ridges), *near.shape), np.float32)

    def solve(block: slice) -> None:
        values[:, block] = _solved(gram, near[block], block.start, penalties)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(solve, _blocks(items)))
    there = near >= 0
    target = np.nonzero(there)[0]
    return [csr_array((one[there], (near[there], target)), (items, items)) for one in values]


def _blocks(items: int) -> Iterator[slice]:
    for first in range(0, items, BLOCK):
        yield slice(first, min(first + BLOCK, items))


def _nearest(gram: csr_array) -> npt.NDArray[np.int64]:
    """The nearest items of each by cosine, shape (items, NEIGHBOURS); -1 for none."""
    items = gram.shape[0]
    length = np.sqrt(np.maximum(gram.diagonal(), 1e-12))
    row = np.repeat(np.arange(items), np.diff(gram.indptr))
    other = row != gram.indices
    row, column, value = row[other], gram.indices[other], gram.data[other]
    cosine = np.minimum(value / (length[row] * length[column]), 1.0)
    # one number for both: the row before the point, the distance behind it
    order = np.argsort(row + 0.999 * (1 - cosine.astype(np.float64)), kind="stable")
    row, column = row[order], column[order]
    place = np.arange(len(row)) - np.searchsorted(row, np.arange(items))[row]
    kept = place < NEIGHBOURS
    out = np.full((items, NEIGHBOURS), -1, np.int64)
    out[row[kept], place[kept]] = column[kept]
    return out


def _solved(
    gram: csr_array, near: npt.NDArray[np.int64], first: int, penalties: list[float]
) -> Floats:
    """The weights of the neighbours of some items, shape (penalties, items, NEIGHBOURS)."""
    import torch

    count, width = near.shape
    system = np.zeros((count, width, width), np.float32)
    right = np.zeros((count, width), np.float32)
    place = np.full(gram.shape[0], -1)
    for number, mine in enumerate(near):
        mine = mine[mine >= 0]
        place[mine] = np.arange(len(mine))
        start, sizes = gram.indptr[mine], gram.indptr[mine + 1] - gram.indptr[mine]
        shift = np.repeat(start - (np.cumsum(sizes) - sizes), sizes)
        entry = shift + np.arange(len(shift))
        column = place[gram.indices[entry]]
        inside = np.flatnonzero(column >= 0)
        row = np.repeat(np.arange(len(mine)), sizes)[inside]
        system[number, row, column[inside]] = gram.data[entry[inside]]
        own = slice(gram.indptr[first + number], gram.indptr[first + number + 1])
        column = place[gram.indices[own]]
        right[number, column[column >= 0]] = gram.data[own][column >= 0]
        place[mine] = -1
    matrix, side = torch.from_numpy(system), torch.from_numpy(right)[:, :, None]
    one = torch.eye(width)
    found = [torch.linalg.solve(matrix + penalty * one, side) for penalty in penalties]
    return torch.stack(found)[..., 0].numpy()
