"""Columns of results as clients of PostgreSQL read them: their types, their values, their rows.

Values are made by whole columns, and a row message by joining them, so that no row passes through
Python. What columns of rare types hold (lists, structs, intervals, blobs) is written one by one.
Formats: the chapter "Frontend/Backend Protocol" of PostgreSQL's manual, and its data types' send
functions.
"""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pg_mimic import arrays, types

BIT, TIMETZ = 1560, 1266
# the names that DuckDB has for types, and what they are to PostgreSQL: number, bytes (-1 varies)
SCALARS: dict[str, tuple[int, int]] = {
    "boolean": (types.BOOL, 1),
    "tinyint": (types.INT2, 2),
    "utinyint": (types.INT2, 2),
    "smallint": (types.INT2, 2),
    "usmallint": (types.INT4, 4),
    "integer": (types.INT4, 4),
    "uinteger": (types.INT8, 8),
    "bigint": (types.INT8, 8),
    "ubigint": (types.NUMERIC, -1),
    "hugeint": (types.NUMERIC, -1),
    "uhugeint": (types.NUMERIC, -1),
    "float": (types.FLOAT4, 4),
    "double": (types.FLOAT8, 8),
    "decimal": (types.NUMERIC, -1),
    "varchar": (types.TEXT, -1),
    "enum": (types.TEXT, -1),
    "blob": (types.BYTEA, -1),
    "date": (types.DATE, 4),
    "time": (types.TIME, 8),
    "time with time zone": (TIMETZ, 12),
    "timestamp": (types.TIMESTAMP, 8),
    "timestamp_s": (types.TIMESTAMP, 8),
    "timestamp_ms": (types.TIMESTAMP, 8),
    "timestamp_ns": (types.TIMESTAMP, 8),
    "timestamp with time zone": (types.TIMESTAMPTZ, 8),
    "interval": (types.INTERVAL, 16),
    "uuid": (types.UUID, 16),
    "bit": (BIT, -1),
}
# columns of PostgreSQL's catalogue that are vectors: counted from 0, written with blanks between
VECTORS = {"indkey": 22, "indoption": 22, "indclass": 30, "indcollation": 30}
NESTED = {"struct", "map", "union", "list", "array"}
# those whose values Arrow has not, or not all of: DuckDB writes them as text
AS_TEXT = {"hugeint", "uhugeint", "bit", "time with time zone", "union", "variant", "time_ns"}
EPOCH_DAYS = 10_957  # of 2000-01-01, from which PostgreSQL counts, since 1970-01-01
EPOCH_MICROS = EPOCH_DAYS * 86_400_000_000


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a result: its name, the number of its type, its bytes, and its precision."""

    name: str
    oid: int
    size: int = -1
    modifier: int = -1


def column(name: str, kind: Any, catalogue: bool = False) -> Column:
    """The column of a name and a type of DuckDB's.

    Args:
        name: its name.
        kind: its type.
        catalogue: whether it is of PostgreSQL's catalogue, where UINTEGER is of type oid.
    """
    if catalogue and name.lower() in VECTORS and kind.id == "varchar":
        return Column(name, VECTORS[name.lower()])
    if catalogue and str(kind) in ("UINTEGER", "UINTEGER[]"):
        return Column(name, types.OID if kind.id == "uinteger" else arrays.ARRAY_OID[types.OID], 4)
    if str(kind) == "JSON":
        return Column(name, types.JSON)
    if kind.id in ("list", "array"):
        [element] = [one for key, one in kind.children if key == "child"]
        scalar = element.id not in NESTED | AS_TEXT and str(element) != "JSON"
        oid = SCALARS.get(element.id, (0, 0))[0]
        return Column(name, arrays.ARRAY_OID[oid] if scalar and oid else types.JSON)
    if kind.id in NESTED:
        return Column(name, types.JSON)
    oid, size = SCALARS.get(kind.id, (types.TEXT, -1))
    modifier = -1
    if kind.id == "decimal":
        facts = dict(kind.children)
        modifier = (facts["precision"] << 16 | facts["scale"]) + 4
    return Column(name, oid, size, modifier)


def readable(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """A relation without columns of types that Arrow has not: they become text."""
    kinds = [kind.id for kind in relation.types]
    if not AS_TEXT & set(kinds):
        return relation
    return relation.project(
        ", ".join(
            f"CAST(#{place} AS VARCHAR)" if kind in AS_TEXT else f"#{place}"
            for place, kind in enumerate(kinds, 1)
        )
    )


def values(column: Column, array: pa.Array, binary: bool) -> pa.Array:
    """A column's values as their bytes, null where there is none.

    Args:
        column: whose they are.
        array: the values.
        binary: whether in the binary format, else as text.

    Raises:
        NotImplementedError: a type has no binary format here.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), pa.binary())
    if not binary:
        return _text(column.oid, array).cast(pa.binary())
    if column.oid in (types.TEXT, types.JSON) and pa.types.is_string(array.type):
        return array.cast(pa.binary())
    write = BINARY.get(column.oid)
    if write is not None:
        return write(array)
    if arrays.is_array_oid(column.oid):
        return _each(lambda one: types.encode_value_binary(column.oid, one), array)
    if column.oid == types.JSON:
        return _each(lambda one: _json(one).encode(), array)
    raise NotImplementedError(f"the column {column.name!r} has no binary format, only text")


def rows(columns: Sequence[pa.Array], kind: bytes = b"D") -> memoryview:
    """The messages of rows, one after the other.

    Args:
        columns: their values, as of `values`.
        kind: of the messages; those of a binary COPY have the same in them.
    """
    lengths = [pc.fill_null(pc.binary_length(one), -1).to_numpy() for one in columns]
    front = np.zeros(len(columns[0]), [("kind", "S1"), ("length", ">i4"), ("columns", ">i2")])
    front["kind"] = kind
    front["length"] = 6 + sum(4 + np.maximum(one, 0) for one in lengths)
    front["columns"] = len(columns)
    parts = [_fixed(front)]
    for one, length in zip(columns, lengths, strict=True):
        parts += [_fixed(length.astype(">i4")), one.fill_null(b"") if one.null_count else one]
    return _bytes(pc.binary_join_element_wise(*parts, b""))


def lines(parts: Sequence[pa.Array | bytes], kind: bytes) -> memoryview:
    """The messages of rows that are lines of text.

    Args:
        parts: what stands side by side in a line; a part may be the same in all of them.
        kind: of the messages.
    """
    whole = pc.binary_join_element_wise(*parts, b"")
    front = np.zeros(len(whole), [("kind", "S1"), ("length", ">i4")])
    front["kind"] = kind
    front["length"] = 4 + pc.binary_length(whole).to_numpy()
    return _bytes(pc.binary_join_element_wise(_fixed(front), whole, b""))


def _bytes(whole: pa.Array) -> memoryview:
    """All values one after the other."""
    offsets = np.frombuffer(whole.buffers()[1], np.int32)
    return memoryview(whole.buffers()[2])[offsets[0] : offsets[len(whole)]]


def _fixed(numbers: np.ndarray[Any, Any], valid: pa.Array | None = None) -> pa.Array:
    """Numbers of a fixed width, as their bytes; null where `valid` is false."""
    width = pa.binary(numbers.dtype.itemsize)
    array = pa.Array.from_buffers(width, len(numbers), [None, pa.py_buffer(numbers)])
    array = array.cast(pa.binary())
    return array if valid is None else pc.if_else(valid, array, None)


def _each(write: Callable[[Any], bytes | str], array: pa.Array) -> pa.Array:
    """Values one by one."""
    given = array.to_pylist(maps_as_pydicts="lossy")
    written = [None if one is None else write(one) for one in given]
    return pa.array(written, pa.binary())


# as text


def _text(oid: int, array: pa.Array) -> pa.Array:
    """Values as text, as PostgreSQL writes them."""
    if pa.types.is_string(array.type):
        return array
    if oid == types.BOOL:
        return pc.if_else(array, "t", "f")
    if pa.types.is_floating(array.type):
        text = array.cast(pa.string())
        if pc.any(pc.invert(pc.is_finite(array))).as_py():
            text = pc.replace_substring_regex(text, "inf$", "Infinity")
            text = pc.replace_substring(text, "nan", "NaN")
        return text
    if pa.types.is_integer(array.type):
        return array.cast(pa.string())
    if pa.types.is_date32(array.type):
        return _dates(array)
    if pa.types.is_timestamp(array.type):
        return _moments(array, "+00" if oid == types.TIMESTAMPTZ else "")
    if pa.types.is_time64(array.type):
        return _trimmed(array.cast(pa.string()))
    if pa.types.is_decimal(array.type) and array.type.scale < 7:
        return array.cast(pa.string())
    return _each(TEXT.get(oid, _other), array)


def _trimmed(text: pa.Array) -> pa.Array:
    """Times without the zeros after their last fraction of a second."""
    return pc.replace_substring_regex(
        pc.replace_substring_regex(text, r"(\.\d*?)0*$", r"\1"), r"\.$", ""
    )


def _dates(array: pa.Array) -> pa.Array:
    days = array.cast(pa.int32()).fill_null(0).to_numpy()
    if np.all(np.abs(days + EPOCH_DAYS) < 700_000):
        return array.cast(pa.string())
    return _each(_day, array.cast(pa.int32()))


def _day(days: int) -> str:
    if abs(days) >= 2**31 - 1:
        return "infinity" if days > 0 else "-infinity"
    return _with_era(str(np.datetime64(days, "D")))


def _with_era(text: str) -> str:
    """A day of a year that counts through 0, in the years before Christ."""
    negative = text.startswith("-")
    year, rest = text[negative:].split("-", 1)
    number = -int(year) if negative else int(year)
    return f"{number:04}-{rest}" if number > 0 else f"{1 - number:04}-{rest} BC"


def _moments(array: pa.Array, zone: str) -> pa.Array:
    micros = _micros(array)
    if np.all(np.abs(micros.fill_null(0).to_numpy() / 8.64e10 + EPOCH_DAYS) < 700_000):
        naive = micros.cast(pa.timestamp("us")).cast(pa.string())
        text = _trimmed(naive)
        return pc.binary_join_element_wise(text, zone, "") if zone else text
    return _each(lambda one: _moment(one, zone), micros)


def _moment(micros: int, zone: str) -> str:
    if abs(micros) >= 2**63 - 1:
        return "infinity" if micros > 0 else "-infinity"
    days, rest = divmod(micros, 86_400_000_000)
    day, *era = _day(days).split(" ")
    return " ".join([f"{day} {_clock(rest)}{zone}", *era])


def _micros(array: pa.Array) -> pa.Array:
    """Moments as microseconds since 1970; the two infinities stay the largest numbers."""
    unit = array.type.unit
    numbers = array.cast(pa.int64())
    if unit == "us":
        return numbers
    whole = numbers.fill_null(0).to_numpy()
    ends = np.abs(whole) >= 2**63 - 1
    scaled = whole // 1000 if unit == "ns" else whole * {"s": 1_000_000, "ms": 1000}[unit]
    return pa.array(np.where(ends, whole, scaled), mask=array.is_null().to_numpy(False))


def _clock(micros: int) -> str:
    seconds, fraction = divmod(micros, 1_000_000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{fraction:06}".rstrip("0") if fraction else text


def _interval(given: pa.MonthDayNano) -> str:
    """As PostgreSQL's style "postgres" has it."""
    years, months = int(given.months / 12), int(np.fmod(given.months, 12))
    parts = [
        f"{number} {word}{'' if number == 1 else 's'}"
        for number, word in ((years, "year"), (months, "mon"), (given.days, "day"))
        if number
    ]
    micros = given.nanoseconds // 1000
    if micros or not parts:
        parts.append(("-" if micros < 0 else "") + _clock(abs(micros)))
    return " ".join(parts)


def _json(value: Any) -> str:
    return json.dumps(value, default=_in_json, ensure_ascii=False)


def _in_json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.hex() if isinstance(value, bytes) else str(value)


def _other(value: Any) -> str:
    if isinstance(value, list | dict | tuple):
        return _json(value)
    return str(types.encode_value(types.TEXT, value))


def _array(oid: int) -> Callable[[Any], str]:
    return lambda value: types.encode_value(oid, value)


TEXT: dict[int, Callable[[Any], str]] = {
    types.INTERVAL: _interval,
    types.JSON: _json,
    **{oid: _array(oid) for oid in arrays.ELEMENT_OID},
}


# binary


def _numbers(code: str) -> Callable[[pa.Array], pa.Array]:
    def write(array: pa.Array) -> pa.Array:
        numbers = array.fill_null(0).to_numpy(zero_copy_only=False)
        return _fixed(numbers.astype(code), array.is_valid())

    return write


def _boolean(array: pa.Array) -> pa.Array:
    return _fixed(array.fill_null(False).to_numpy(zero_copy_only=False), array.is_valid())


def _date(array: pa.Array) -> pa.Array:
    days = array.cast(pa.int32()).fill_null(0).to_numpy().astype(np.int64)
    end = np.iinfo(np.int32)
    moved = np.clip(days - EPOCH_DAYS, end.min, end.max)
    moved = np.where(days >= end.max, end.max, np.where(days <= -end.max, end.min, moved))
    return _fixed(moved.astype(">i4"), array.is_valid())


def _timestamp(array: pa.Array) -> pa.Array:
    micros = _micros(array).fill_null(0).to_numpy()
    end = np.iinfo(np.int64)
    with np.errstate(over="ignore"):
        moved = micros - EPOCH_MICROS
    moved = np.where(micros == end.max, end.max, np.where(micros == -end.max, end.min, moved))
    return _fixed(moved.astype(">i8"), array.is_valid())


def _numeric(value: Any) -> bytes:
    return bytes(types.encode_value_binary(types.NUMERIC, Decimal(value)))


def _interval_binary(given: pa.MonthDayNano) -> bytes:
    return struct.pack("!qii", given.nanoseconds // 1000, given.days, given.months)


def _by(write: Callable[[Any], bytes]) -> Callable[[pa.Array], pa.Array]:
    return lambda array: _each(write, array)


BINARY: dict[int, Callable[[pa.Array], pa.Array]] = {
    types.BOOL: _boolean,
    types.INT2: _numbers(">i2"),
    types.INT4: _numbers(">i4"),
    types.OID: _numbers(">u4"),
    types.INT8: _numbers(">i8"),
    types.FLOAT4: _numbers(">f4"),
    types.FLOAT8: _numbers(">f8"),
    types.DATE: _date,
    types.TIMESTAMP: _timestamp,
    types.TIMESTAMPTZ: _timestamp,
    types.TIME: lambda array: _numbers(">i8")(array.cast(pa.int64())),
    types.BYTEA: lambda array: array,
    types.NUMERIC: _by(_numeric),
    types.INTERVAL: _by(_interval_binary),
    types.UUID: _by(lambda value: types.encode_value_binary(types.UUID, value)),
}
