"""Vectors of items by a graph: of what they are joined to, such as categories, or each other.

Each node has signs drawn by its name, r_n, and the vector of item i is that of what it leads to in
up to three steps, the nearer and the rarer the more (a random projection, as in Chen et al. 2019,
"Fast and accurate network embeddings via very sparse random projection"),

    f_i = sum_k 2^-k (P^k D r)_i,   D_nn = log(1 + items / ways to n),

with P_mn the share of the weights of the edges of m that is of the edge to n, and the ways to n
those from items in so many steps; where there is one only, nothing is shared by it, and D_nn is 0.
Edges lead from items to what is none, and among these the same way; those between items lead both
ways, and such an item leads to itself, too. In a tree this is what the ancestors of an item are:
random walks that may go down again would end among its siblings nearly always.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..history import Doubles, Floats, Longs
from ..numbers import GOLDEN, mixed

if TYPE_CHECKING:
    from scipy.sparse import csr_array

WIDTH = 128  # numbers of a vector
STEPS = 3


def graph_vectors(
    source: Longs, target: Longs, weight: Doubles, names: Longs, items: int
) -> tuple[Floats, Longs]:
    """The vectors of items that have an edge, of length 1, and which items these are.

    Args:
        source: the node at one end of each edge, of which the first `items` are items.
        target: that at the other end.
        weight: of each edge.
        names: a number drawn by the name of each node, shape (nodes,).
        items: how many there are.
    """
    from scipy.sparse import csr_array

    nodes = len(names)
    of_item, to_item = source < items, target < items
    # all edges lead away from items
    if (to_item & ~of_item).sum() > (of_item & ~to_item).sum():
        source, target, of_item, to_item = target, source, to_item, of_item
    wrong = to_item & ~of_item
    source, target = np.where(wrong, target, source), np.where(wrong, source, target)
    among = of_item & to_item
    own = np.unique(np.concatenate([source[among], target[among]]))
    rows = np.concatenate([source, target[among]])
    columns = np.concatenate([target, source[among]])
    values = np.concatenate([weight, weight[among]])
    # an item counts for itself as much as the nearest of its others
    largest = np.zeros(nodes)
    np.maximum.at(largest, rows, values)
    place = np.concatenate([rows, own]), np.concatenate([columns, own])
    entries = np.concatenate([values, largest[own]])
    edges = csr_array((entries, place), shape=(nodes, nodes))
    total = edges.sum(axis=1)
    shares = edges.multiply(1 / np.maximum(total, 1e-300)[:, None]).tocsr().astype(np.float32)
    found = _signs(names) * _rarity(edges, items)[:, None]
    vectors = np.zeros((items, WIDTH), np.float32)
    for step in range(STEPS):
        found = shares @ found
        vectors += np.float32(0.5**step) * found[:items]
    length = np.linalg.norm(vectors, axis=1)
    there = np.flatnonzero(length > 0)
    return vectors[there] / length[there, None], there


def _rarity(edges: csr_array, items: int) -> Floats:
    """log(1 + items / ways from items to a node), 0 where there is one only, shape (nodes,)."""
    back = (edges > 0).T.tocsr().astype(np.float64)
    reached = np.zeros(edges.shape[0])
    reached[:items] = 1
    ways = np.zeros(len(reached))
    for _ in range(STEPS):
        reached = back @ reached
        ways += reached
    rarity = np.where(ways > 1, np.log1p(items / np.maximum(ways, 1.0)), 0)
    out: Floats = rarity.astype(np.float32)
    return out


def _signs(names: Longs) -> Floats:
    """Signs drawn by the name of each node, shape (nodes, WIDTH), divided by its root."""
    bits = np.empty((len(names), WIDTH // 64), np.uint64)
    for word in range(bits.shape[1]):
        step = np.uint64(GOLDEN * (word + 1) % (1 << 64))
        bits[:, word] = mixed(names.astype(np.uint64) + step)
    signs = np.unpackbits(bits.view(np.uint8), axis=1).astype(np.float32)
    out: Floats = (2 * signs - 1) / np.float32(WIDTH**0.5)
    return out
