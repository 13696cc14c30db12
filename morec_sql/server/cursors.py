"""Results that are fetched a few rows at a time: portals, and what DECLARE names."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from .answers import Answer, Prepared, bare
from .refused import NOT_SUPPORTED, SYNTAX, UNKNOWN_CURSOR, RefusedError

DECLARE = re.compile(
    r"declare\s+(\"[^\"]+\"|\w+)\s+([\w\s]*?)cursor\s+(?:with(?:out)?\s+hold\s+)?for\s+(.*)$",
    re.IGNORECASE | re.DOTALL,
)
FETCH = re.compile(
    r"(?:fetch|move)\s+(?:forward\s+)?(?:(next|all|\d+)\s+)?(?:from\s+|in\s+)?(\"[^\"]+\"|\w+)$",
    re.IGNORECASE,
)

# what is run when its columns are asked for, so that DuckDB reads it once
READS = {"select", "with", "from", "values", "table", "show", "describe", "summarize", "fetch"}


class Cursor:
    """The rows of a query that are fetched a few at a time."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.columns = answer.columns
        self._batches = answer.batches
        self._left: pa.RecordBatch | None = None

    def take(self, wanted: int | None) -> Iterator[pa.RecordBatch]:
        """The next rows: so many, or all for None."""
        while wanted is None or wanted > 0:
            batch = self._left if self._left is not None else next(self._batches, None)
            self._left = None
            if batch is None:
                return
            if wanted is not None:
                if batch.num_rows > wanted:
                    self._left = batch.slice(wanted)
                    batch = batch.slice(0, wanted)
                wanted -= batch.num_rows
            yield batch

    @property
    def more(self) -> bool:
        """Whether there are rows left; the next ones are read for it."""
        while self._left is None or not self._left.num_rows:
            self._left = next(self._batches, None)
            if self._left is None:
                return False
        return True


class Cursors(dict[str, Cursor]):
    """The cursors of a session by their names."""

    def named(self, text: str) -> tuple[Cursor, int | None]:
        """The cursor that a FETCH or MOVE names, and how many rows it wants, None for all."""
        found = FETCH.match(bare(text))
        if found is None:
            raise RefusedError(
                NOT_SUPPORTED, "cursors go forward only: FETCH FORWARD 100 FROM name"
            )
        name, word = found[2].strip('"'), (found[1] or "next").lower()
        if name not in self:
            raise RefusedError(UNKNOWN_CURSOR, f"there is no cursor {name!r}")
        return self[name], None if word == "all" else 1 if word == "next" else int(word)

    def fetch(self, text: str) -> Answer:
        """Answer a FETCH."""
        cursor, wanted = self.named(text)
        return Answer("FETCH", cursor.columns, iter(list(cursor.take(wanted))), counted=True)

    def move(self, text: str) -> Answer:
        """Answer a MOVE."""
        cursor, wanted = self.named(text)
        return Answer(f"MOVE {sum(batch.num_rows for batch in cursor.take(wanted))}")

    def close(self, text: str) -> Answer:
        """Answer a CLOSE."""
        name = re.sub(r"^close\s+", "", bare(text), flags=re.IGNORECASE).strip('"')
        if name.lower() == "all":
            self.clear()
        elif self.pop(name, None) is None:
            raise RefusedError(UNKNOWN_CURSOR, f"there is no cursor {name!r}")
        return Answer("CLOSE CURSOR")


def declared(text: str) -> tuple[str, str]:
    """The name and the query of a DECLARE."""
    found = DECLARE.match(bare(text))
    if found is None:
        raise RefusedError(SYNTAX, "a cursor is declared by DECLARE name CURSOR FOR SELECT ...")
    return found[1].strip('"'), found[3]


@dataclasses.dataclass
class Portal:
    """A statement with its values: run when it is first executed, and read as far as is asked."""

    prepared: Prepared
    values: list[Any]
    formats: list[int]
    answer: Answer | None = None
    cursor: Cursor | None = None
    sent: int = 0
    seconds: float = 0.0  # until its first row was there
