"""What statements give: columns, rows that are read when they are wanted, and what is told."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from typing import Any

import duckdb
import pyarrow as pa
from pg_mimic import types

from . import copying, wire
from .refused import PRIVILEGE, RefusedError

ROWS = {"delete", "insert", "merge", "update"}  # what writes rows


@dataclasses.dataclass
class Answer:
    """What a statement gives.

    Args:
        tag: what the client is told of it in the end.
        columns: of its rows, None where it has none.
        batches: its rows, which are read as they are wanted.
        counted: whether the number of rows follows the tag.
        copied: how rows are written for COPY, None for rows as usual.
        notice: what the client is told besides, "" for nothing.
    """

    tag: str
    columns: list[wire.Column] | None = None
    batches: Iterator[pa.RecordBatch] = dataclasses.field(default_factory=lambda: iter(()))
    counted: bool = False
    copied: copying.Form | None = None
    notice: str = ""


@dataclasses.dataclass
class Prepared:
    """A statement that was read but not run.

    Args:
        text: as it came.
        words: with which it begins.
        query: for DuckDB; None where the session answers it.
        oids: the types of its parameters.
        names: those that DuckDB knows of them.
        reads: whether it only reads.
        catalogue: whether it was written anew, for it reads PostgreSQL's catalogue.
    """

    text: str
    words: list[str]
    query: str | None = None
    oids: list[int] = dataclasses.field(default_factory=list)
    names: frozenset[str] = frozenset()
    reads: bool = True
    catalogue: bool = False

    @property
    def first(self) -> str:
        """The word with which it begins, in lower case."""
        return self.words[0] if self.words else ""


class Rows:
    """The rows of a query that is under way, which its connection can do nothing besides."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self._reader: pa.RecordBatchReader | None = reader
        self._kept: list[pa.RecordBatch] = []

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while True:
            if self._kept:
                yield self._kept.pop(0)
            elif self._reader is None:
                return
            else:
                try:
                    batch = self._reader.read_next_batch()
                except StopIteration:
                    self.close()
                    return
                except pa.ArrowException as error:
                    # Arrow hands on what DuckDB says as text alone
                    raise _of_arrow(error) from None
                yield batch

    def keep(self) -> None:
        """Read what is left, so that the connection is free."""
        self._kept = list(self)

    def close(self) -> None:
        """Let go of what is left."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def _of_arrow(error: Exception) -> Exception:
    said = str(error)
    if "INTERRUPT" in said.upper():
        return duckdb.InterruptException(said)
    found = re.match(r"(\w+)(?: \w+)* Error: ", said)
    names = (name for name in dir(duckdb) if name.endswith("Exception"))
    kinds = {name.removesuffix("Exception").lower(): getattr(duckdb, name) for name in names}
    kind = kinds.get(found[1].lower(), duckdb.Error) if found else duckdb.Error
    return kind(said)


def at_most(count: int, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Rows as they come.

    Raises:
        RefusedError: there are more than so many.
    """
    seen = 0
    for batch in batches:
        seen += batch.num_rows
        if seen > count:
            raise RefusedError(
                PRIVILEGE,
                f"the result has more than the {count} rows that are served",
                "Add a LIMIT.",
            )
        yield batch


def text_column(name: str) -> wire.Column:
    """A column of texts."""
    return wire.Column(name, types.TEXT)


PLAN = [text_column("QUERY PLAN")]


def told(tag: str, columns: list[wire.Column], rows: list[tuple[Any, ...]]) -> Answer:
    """An answer of texts that are known already."""
    arrays = [pa.array([row[place] for row in rows], pa.string()) for place in range(len(columns))]
    batch = pa.RecordBatch.from_arrays(arrays, [column.name for column in columns])
    return Answer(tag, columns, iter([batch]))


def bare(text: str) -> str:
    """A statement without comments before it, and without what ends it."""
    found = re.match(r"(?:\s+|--[^\n]*\n|/\*.*?\*/)*", text, re.S)
    return text[found.end() if found else 0 :].strip().rstrip(";").strip()


def written(prepared: Prepared, count: int | None) -> str:
    """What is told of a statement that wrote so many rows; None where it gives them."""
    words = [word for word in prepared.words if word not in ("or", "replace", "temp", "temporary")]
    kind = next((word for word in words if word in ROWS), None)
    if kind is None:
        return " ".join(words[:2]).upper()
    start = "INSERT 0" if kind == "insert" else kind.upper()
    return start if count is None else f"{start} {count}"


def columns_of(relation: duckdb.DuckDBPyRelation, catalogue: bool) -> list[wire.Column]:
    """The columns of a relation; `catalogue` as of `wire.column`."""
    kinds = zip(relation.columns, relation.types, strict=True)
    return [wire.column(name, kind, catalogue) for name, kind in kinds]
