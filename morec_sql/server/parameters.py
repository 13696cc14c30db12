"""Values that clients bind to the parameters of a statement."""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from pg_mimic import arrays, types

from .refused import BAD_TEXT, NOT_SUPPORTED, RefusedError

INTEGERS = (types.INT2, types.INT4, types.INT8, types.OID)
# the names of types in casts of parameters: a client that asks what they are is told
TYPES = {
    "bool": types.BOOL, "boolean": types.BOOL, "smallint": types.INT2, "int2": types.INT2,
    "int": types.INT4, "integer": types.INT4, "int4": types.INT4, "bigint": types.INT8,
    "int8": types.INT8, "real": types.FLOAT4, "float4": types.FLOAT4, "float": types.FLOAT8,
    "double": types.FLOAT8, "float8": types.FLOAT8, "numeric": types.NUMERIC,
    "decimal": types.NUMERIC, "text": types.TEXT, "varchar": types.TEXT, "date": types.DATE,
    "time": types.TIME, "timestamp": types.TIMESTAMP, "timestamptz": types.TIMESTAMPTZ,
    "interval": types.INTERVAL, "uuid": types.UUID, "json": types.JSON, "bytea": types.BYTEA,
    "oid": types.OID,
}  # fmt: skip
CAST = re.compile(
    r"\$(\d+)\s*::\s*(\w+)(\[\])?|\bcast\s*\(\s*\$(\d+)\s+as\s+(\w+)(\[\])?", re.IGNORECASE
)
# a value of each type, to learn of which types the columns of a result are
SAMPLES: dict[int, Any] = {
    **dict.fromkeys(INTEGERS, 0),
    types.BOOL: False,
    types.FLOAT4: 0.0,
    types.FLOAT8: 0.0,
    types.NUMERIC: Decimal(0),
    types.DATE: datetime.date(2000, 1, 1),
    types.TIME: datetime.time(),
    types.TIMESTAMP: datetime.datetime(2000, 1, 1),
    types.TIMESTAMPTZ: datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC),
    types.UUID: uuid.UUID(int=0),
    types.BYTEA: b"",
}


def completed(text: str, oids: list[int], count: int) -> list[int]:
    """The types of all parameters: those that the client gave, then those of casts, then 0."""
    found = {place: oid for place, oid in enumerate(oids, 1) if oid not in (0, types.UNKNOWN)}
    for match in CAST.finditer(text):
        place, name, many = match.groups()[:3] if match[1] else match.groups()[3:]
        oid = TYPES.get(name.lower(), types.TEXT)
        found.setdefault(int(place), arrays.ARRAY_OID[oid] if many else oid)
    return [found.get(place, 0) for place in range(1, count + 1)]


def sample(oid: int) -> Any:
    """A value of a type."""
    if arrays.is_array_oid(oid):
        return [sample(arrays.ELEMENT_OID[oid])]
    return SAMPLES.get(oid, "")


def value(given: bytes | None, oid: int, binary: bool, place: int) -> Any:
    """The value of a parameter for DuckDB.

    Args:
        given: what came, None for NULL.
        oid: the number of its type, 0 where the client leaves it to the server.
        binary: whether it is in the binary format.
        place: of the parameter, from 1.

    Raises:
        RefusedError: it is no value of the type.
    """
    if given is None:
        return None
    try:
        if not binary:
            read = types.decode_text_param(oid, given.decode())
        elif oid:
            read = types.decode_binary_param(oid, given)
        else:
            raise RefusedError(NOT_SUPPORTED, f"${place}: a binary value came without a type")
        return _read(read, oid)
    except RefusedError:
        raise
    except (ValueError, InvalidOperation, OverflowError, ArithmeticError):
        raise RefusedError(
            BAD_TEXT, f"${place}: what came is no value of its type, {oid}"
        ) from None
    except Exception as error:  # struct.error and others, of bytes that are too few
        raise RefusedError(
            BAD_TEXT, f"${place}: what came is no value of its type, {oid}"
        ) from error


def _read(read: Any, oid: int) -> Any:
    if read is None:
        return None
    if isinstance(read, list):
        return [_read(one, arrays.ELEMENT_OID.get(oid, oid)) for one in read]
    if oid in INTEGERS:
        return int(read)
    convert = READERS.get(oid)
    return read if convert is None else convert(read)


def _boolean(text: str) -> bool:
    known = {"t": True, "f": False, "y": True, "n": False, "1": True, "0": False, "o": False}
    lowered = text.strip().lower()
    return lowered == "on" or known[lowered[:1]]


def _blob(text: str) -> bytes:
    return bytes.fromhex(text[2:]) if text.startswith("\\x") else text.encode()


def _instant(text: str) -> datetime.datetime:
    """Without a zone it is of UTC, in which sessions are."""
    read = datetime.datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=datetime.UTC)


def _or_text(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """DuckDB reads what Python does not, such as infinity."""

    def read(text: str) -> Any:
        try:
            return convert(text)
        except ValueError:
            return text

    return read


READERS: dict[int, Callable[[str], Any]] = {
    types.BOOL: _boolean,
    types.FLOAT4: float,
    types.FLOAT8: float,
    types.NUMERIC: Decimal,
    types.BYTEA: _blob,
    types.UUID: uuid.UUID,
    types.DATE: _or_text(datetime.date.fromisoformat),
    types.TIME: _or_text(datetime.time.fromisoformat),
    types.TIMESTAMP: _or_text(datetime.datetime.fromisoformat),
    types.TIMESTAMPTZ: _or_text(_instant),
}
