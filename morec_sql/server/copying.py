"""COPY ... TO STDOUT: its options, and rows as text, CSV or in PostgreSQL's binary format."""

from __future__ import annotations

import dataclasses
import re
import struct
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from . import wire
from .refused import NOT_SUPPORTED, SYNTAX, RefusedError

SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
END = b"\xff\xff"
COPY_OUT, COPY_DATA, COPY_DONE = b"H", b"d", b"c"


@dataclasses.dataclass(frozen=True)
class Form:
    """How rows are written.

    Args:
        name: text, csv or binary.
        header: whether the names of columns come first.
        delimiter: between values.
        null: what stands for no value.
    """

    name: str = "text"
    header: bool = False
    delimiter: str = "\t"
    null: str = "\\N"

    @property
    def binary(self) -> bool:
        """Whether values are in the binary format."""
        return self.name == "binary"

    def messages(
        self, columns: list[wire.Column], batches: Iterable[pa.RecordBatch]
    ) -> Iterator[Any]:
        """The messages of rows: as bytes that hold any number of them."""
        begin = SIGNATURE if self.binary else b""
        if self.header and not self.binary:
            names = self._plain(pa.array([column.name for column in columns])).to_pylist()
            yield _message((self.delimiter.join(names) + "\n").encode())
        for batch in batches:
            if begin and batch.num_rows:
                # what comes before the first row is in one message with it
                first = bytes(self._rows(columns, batch.slice(0, 1)))
                yield _message(begin + first[5:])
                begin, batch = b"", batch.slice(1)
            if batch.num_rows:
                yield self._rows(columns, batch)
        if self.binary:
            yield _message(begin + END)

    def _rows(self, columns: list[wire.Column], batch: pa.RecordBatch) -> memoryview:
        pairs = zip(columns, batch.columns, strict=True)
        found = [wire.values(column, array, self.binary) for column, array in pairs]
        if self.binary:
            return wire.rows(found, COPY_DATA)
        parts: list[pa.Array | bytes] = []
        for array in found:
            plain = self._plain(array.cast(pa.string())).fill_null(self.null)
            parts += [plain.cast(pa.binary()), self.delimiter.encode()]
        return wire.lines([*parts[:-1], b"\n"], COPY_DATA)

    def _plain(self, text: pa.Array) -> pa.Array:
        """Values such that nothing in them is taken for what is around them."""
        if self.name == "csv":
            special = f'["\r\n{re.escape(self.delimiter)}]'
            # an empty text is quoted, since without quotes it stands for no value
            quoted = pc.or_(pc.match_substring_regex(text, special), pc.equal(text, self.null))
            doubled = pc.replace_substring(text, '"', '""')
            return pc.if_else(quoted, pc.binary_join_element_wise('"', doubled, '"', ""), text)
        for character, written in (
            ("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), (self.delimiter, f"\\{self.delimiter}"),
        ):  # fmt: skip
            written = "\\t" if character == "\t" else written
            text = pc.replace_substring(text, character, written)
        return text


def begin(form: Form, columns: int) -> bytes:
    """The message before all others: how values of so many columns are written."""
    code = int(form.binary)
    return COPY_OUT + struct.pack(
        f"!ibh{columns}h", 7 + 2 * columns, code, columns, *[code] * columns
    )


def done() -> bytes:
    """The message after all others."""
    return COPY_DONE + struct.pack("!i", 4)


def _message(payload: bytes) -> bytes:
    return COPY_DATA + struct.pack("!i", len(payload) + 4) + payload


def read(text: str) -> tuple[str, Form]:
    """The query of a COPY, and how its rows are written.

    Args:
        text: the statement, without comments before it.

    Raises:
        RefusedError: it does not write to the client.
    """
    found = re.match(r"copy\s+(.*)\s+to\s+stdout\b(.*)$", text, re.I | re.S)
    if found is None:
        raise RefusedError(
            NOT_SUPPORTED, "COPY is served to STDOUT only: no files, and nothing to write"
        )
    source, options = found[1].strip(), found[2].strip()
    if source.startswith("(") and source.endswith(")"):
        query = source[1:-1]
    else:
        table = re.fullmatch(r"([\w.\"]+)\s*(?:\((.*)\))?", source, re.S)
        if table is None:
            raise RefusedError(
                SYNTAX, "COPY is written COPY (SELECT ...) TO STDOUT or COPY table TO STDOUT"
            )
        query = f"SELECT {table[2] or '*'} FROM {table[1]}"
    return query, _form(options)


def _form(options: str) -> Form:
    given: dict[str, str] = {}
    plain = re.sub(r"^with\b", "", options, flags=re.I).strip()
    if plain.startswith("("):
        for part in re.findall(r"(\w+)\s*('(?:[^']|'')*'|E'(?:[^']|'')*'|\w+)?", plain[1:-1]):
            given[part[0].lower()] = part[1]
    else:  # as it was written before PostgreSQL 9
        for part in re.findall(
            r"(binary|csv|header|delimiter|null)\s*(?:as\s+)?(E?'(?:[^']|'')*')?", plain, re.I
        ):
            word = part[0].lower()
            given["format" if word in ("binary", "csv") else word] = (
                word if word in ("binary", "csv") else part[1]
            )
    unknown = given.keys() - {
        "format",
        "header",
        "delimiter",
        "null",
        "encoding",
        "quote",
        "escape",
    }
    if unknown:
        raise RefusedError(NOT_SUPPORTED, f"COPY has no option {min(unknown)!r} here")
    name = _constant(given.get("format", "text")).lower()
    if name not in ("text", "csv", "binary"):
        raise RefusedError(NOT_SUPPORTED, f"COPY writes text, csv or binary, not {name!r}")
    delimiter = _constant(given.get("delimiter", "," if name == "csv" else "\t"))
    if len(delimiter) != 1:
        raise RefusedError(SYNTAX, "the delimiter of COPY is one character")
    header = "header" in given and given["header"].lower() not in ("false", "off", "0")
    null = _constant(given["null"]) if "null" in given else ("" if name == "csv" else "\\N")
    return Form(name, header, delimiter, null)


def _constant(written: str) -> str:
    if written[:2] in ("E'", "e'"):
        return written[2:-1].replace("\\t", "\t").replace("''", "'")
    return written[1:-1].replace("''", "'") if written.startswith("'") else written
