"""Between Arrow columns and NumPy arrays."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Turn a column that may come in chunks into one array."""
    if isinstance(column, pa.ChunkedArray):
        if column.num_chunks == 1:
            return column.chunk(0)  # without a copy
        column = column.combine_chunks()
    return pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column


def alike(column: pa.Array) -> bool:
    """Whether all values of a column are the same, of which NULL is one."""
    if not len(column) or column.null_count:
        return bool(column.null_count == len(column))
    differ: int = pc.equal(column, column[0]).false_count
    return not differ


def fingerprint(*tables: pa.Table) -> tuple[Any, ...]:
    """By what tables are known again: it differs where what is in them does."""

    def of(column: pa.ChunkedArray) -> tuple[Any, ...]:
        parts = whole(column).buffers()
        known = (None if part is None else zlib.crc32(part) for part in parts)
        return column.type, len(column), *known

    return tuple(of(column) for table in tables for column in table.columns)


def matrix(column: pa.ChunkedArray) -> npt.NDArray[np.float32]:
    """Turn a column of equally long lists into an array, shape (rows, length)."""
    # chunk by chunk, since joining them would be a copy more; and a copy, since Arrow memory is
    # read-only, which torch does not take
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    width = sum(map(len, parts)) // max(len(column), 1)
    out: npt.NDArray[np.float32] = np.empty((len(column), width), np.float32)
    np.concatenate([np.zeros(0, np.float32), *parts], out=out.reshape(-1))
    return out


def listed(lengths: npt.ArrayLike, values: pa.Array) -> pa.Array:
    """Values as a column of lists of such lengths."""
    offsets = np.append(0, np.cumsum(np.asarray(lengths, np.int64))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)


def rows_of(columns: Mapping[str, Any]) -> pa.Array:
    """Columns by name, arrays of NumPy's or Arrow's, as rows."""
    arrays = [pa.array(column) for column in columns.values()]
    return pa.StructArray.from_arrays(arrays, names=list(columns))


def vectors(values: npt.NDArray[np.float32]) -> pa.Array:
    """Turn an array, shape (rows, length), into a column of lists of fixed length."""
    flat = pa.array(np.ascontiguousarray(values, np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def lists(values: npt.NDArray[np.float32]) -> pa.Array:
    """Turn an array, shape (rows, length), into a column of lists; the length may be 0."""
    offsets = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
    flat = pa.array(np.ascontiguousarray(values, np.float32).ravel())
    return pa.ListArray.from_arrays(pa.array(offsets), flat)
