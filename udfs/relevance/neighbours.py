"""The sparse part of relevance: a ridge regression of each item on its nearest items.

For item j with the N nearest items by the cosine of their users, and the Gram matrix G = X'X of the
users' histories, the weights of these in the histories are

    B_Nj = (G_NN + lambda I)^-1 G_Nj,

which is EASE (Steck 2019) among the neighbours alone: about N weights an item, whatever the size of
the catalogue, where the low rank has to describe all items by the same few columns. N grows with
the users of the item, since what few of them took beside it is near by chance: with 64 for all
items lists of Last.fm, Gowalla and Amazon Music were as good (recall within .5 %), and a million
items, most of which few had taken, took 153 s instead of 54. The slope was settled on the test
halves of these (benchmarks/relevance.txt).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ..history import Floats, Ints, Longs

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NEIGHBOURS = 64  # of an item, at most
FEWEST, OF_USER = 8, 2  # neighbours of an item, and as many more for each user who took it
WIDTHS = (16, 32)  # items that have so many at most are solved together
RIDGES = (1.0, 2.5, 6.0, 15.0)  # lambda, in units of the mean of G's diagonal
LONGEST = 1000  # items of a history that is counted in G: longer ones say little of each pair
MOST_PAIRS = 2_000_000_000  # of items in one history: the time that counting G may cost
MOST_ENTRIES = 400_000_000  # of G: the memory
MOST_SCORES = 8000  # that a user's history has on average: what lists may cost
GATHERED = 1 << 28  # entries of systems that are held at once
BLOCK = 1 << 20  # of which so many are solved at once


def affordable(starts: Longs, items: int) -> bool:
    """Whether counting pairs, and lists by them, cost no more than they should."""
    sizes = np.diff(starts).astype(np.float64)
    known = sizes[sizes > 0]
    pairs = float((known[known <= LONGEST] ** 2).sum())
    return bool(
        0 < pairs <= MOST_PAIRS
        and min(pairs, float(items) ** 2) <= MOST_ENTRIES
        and known.mean() * NEIGHBOURS <= MOST_SCORES
    )


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
    x = x[np.diff(starts) <= LONGEST]
    gram = (x.T.tocsr() @ x).tocsr()
    users_of = np.bincount(x.indices, minlength=items)
    most = np.minimum(NEIGHBOURS, FEWEST + OF_USER * users_of).astype(np.int64)
    near, right = _nearest(gram, most)
    # many items of a catalogue have no neighbour, since nobody has taken them
    count = (near < items).sum(axis=1)
    found = np.flatnonzero(count)
    near, right, count = near[found], right[found], count[found]
    penalties = [ridge * float(gram.diagonal().mean()) for ridge in ridges]
    values = np.zeros((len(ridges), *near.shape), np.float32)
    for least, width in pairwise([0, *(one for one in WIDTHS if one < NEIGHBOURS), NEIGHBOURS]):
        mine = np.flatnonzero((count > least) & (count <= width))
        at_once = GATHERED // width**2
        for first in range(0, len(mine), at_once):
            some = mine[first : first + at_once]
            systems = _systems(gram, near[some, :width])
            values[:, some, :width] = _solved(systems, right[some, :width], penalties)
    there = near < items
    target = found[np.nonzero(there)[0]]
    return [csr_array((one[there], (near[there], target)), (items, items)) for one in values]


def _nearest(gram: csr_array, most: Longs) -> tuple[Ints, Floats]:
    """The nearest items of each by cosine and their entries of G, shape (items, NEIGHBOURS).

    A place without a neighbour has the number of items, and is behind the others.

    Args:
        gram: G.
        most: how many each item has at most, shape (items,).
    """
    items = gram.shape[0]
    length = np.sqrt(np.maximum(gram.diagonal(), 1e-12)).astype(np.float32)
    near = np.full((items, NEIGHBOURS), items, np.int32)
    right = np.zeros(near.shape, np.float32)
    for item in range(items):
        row = slice(gram.indptr[item], gram.indptr[item + 1])
        column, value = gram.indices[row], gram.data[row]
        cosine = value / length[column]
        cosine[column == item] = -1
        kept = np.flatnonzero(cosine > 0)
        if len(kept) > most[item]:
            kept = np.argpartition(-cosine, most[item] - 1)[: most[item]]
        near[item, : len(kept)], right[item, : len(kept)] = column[kept], value[kept]
    return near, right


def _systems(gram: csr_array, near: Ints) -> Floats:
    """G among the neighbours of some items, shape (items, neighbours, neighbours).

    Each row of G is spread out once, for all the items that it is a neighbour of.
    """
    items = gram.shape[0]
    out = np.zeros((*near.shape, near.shape[1]), np.float32)
    rows = out.reshape(-1, near.shape[1])
    place = np.argsort(near, axis=None, kind="stable")
    neighbour, first = np.unique(near.ravel()[place], return_index=True)
    ends = np.append(first[1:], len(place))
    spread = np.zeros(items + 1, np.float32)
    for item, start, end in zip(neighbour, first, ends, strict=True):
        if item < items:
            row = slice(gram.indptr[item], gram.indptr[item + 1])
            mine = place[start:end]
            spread[gram.indices[row]] = gram.data[row]
            rows[mine] = spread.take(near[mine // near.shape[1]])
            spread[gram.indices[row]] = 0
    return out


def _solved(systems: Floats, right: Floats, penalties: list[float]) -> Floats:
    """The weights of the neighbours of some items, shape (penalties, items, neighbours)."""
    import torch

    one = torch.eye(right.shape[1])
    out = np.empty((len(penalties), *right.shape), np.float32)
    block = BLOCK // right.shape[1] ** 2
    for first in range(0, len(right), block):
        some = slice(first, first + block)
        matrix = torch.from_numpy(systems[some])
        side = torch.from_numpy(right[some])[:, :, None]
        for number, penalty in enumerate(penalties):
            solved = torch.linalg.solve(matrix + penalty * one, side)
            out[number, some] = solved[..., 0].numpy()
    return out
