"""Sparse beside dense: scores of few items, sums over histories, products of pairs of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..history import Floats, Ints, Longs, places

if TYPE_CHECKING:
    import torch
    from scipy.sparse import csr_array

SLICE = 4096  # rows that are held at once


def added(matrix: csr_array, weights: Floats, row: Ints, starts: Longs) -> csr_array:
    """What rows of a matrix, such as neighbours, add to all items, shape (users, n), sorted.

    Args:
        matrix: shape (rows, n).
        weights: of each entry, such as a pair of the histories.
        row: of each entry, such as its item.
        starts: where each user's entries start, length users + 1.
    """
    from scipy.sparse import csr_array

    x = csr_array((weights, row, starts), shape=(len(starts) - 1, matrix.shape[0]))
    more = (x @ matrix).tocsr()
    more.sort_indices()
    return more


def at(matrix: csr_array, row: npt.NDArray[Any], column: npt.NDArray[Any]) -> Floats:
    """The values of a sparse matrix, whose entries are sorted, at some places."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    keys = rows * matrix.shape[1] + matrix.indices
    wanted = row.astype(np.int64) * matrix.shape[1] + column
    out = np.zeros(len(wanted), np.float32)
    found, place = places(keys, wanted)
    out[found] = matrix.data[place]
    return out


def entries(
    matrix: csr_array, first: int, last: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
    """User (counted from `first`), item and value of the entries of some of the users."""
    part = slice(int(matrix.indptr[first]), int(matrix.indptr[last]))
    user = np.repeat(np.arange(last - first), np.diff(matrix.indptr[first : last + 1]))
    return user, matrix.indices[part].astype(np.int64), matrix.data[part].astype(np.float32)


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
