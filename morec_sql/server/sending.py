"""What a client gets of an answer: the description of its columns, its rows, and what it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa
from pg_mimic import messages

from . import copying, wire
from .answers import Answer
from .refused import RefusedError
from .stream import Stream


class Sender:
    """Sends answers to one client.

    Args:
        stream: of its messages.
        check: raises where the statement is to be given up.
        seen: hands on rows, and takes note of them.
    """

    def __init__(
        self,
        stream: Stream,
        check: Callable[[], None],
        seen: Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]],
    ) -> None:
        self._stream, self._check, self._seen = stream, check, seen

    def whole(self, answer: Answer) -> int:
        """Send all of an answer, as the simple protocol has it, and return how many rows."""
        self.notice(answer)
        sent = 0
        if answer.columns is not None and answer.copied is None:
            self.description(answer.columns, [])
            sent = self.rows(answer.columns, answer.batches, [])
        elif answer.columns is not None:
            sent = self.copied(answer)
        self.complete(answer, sent)
        return sent

    def description(self, columns: Sequence[wire.Column] | None, formats: Sequence[int]) -> None:
        """Send what the columns are, or that there are none."""
        if columns is None:
            self._stream.write(messages.make_no_data())
            return
        fields = [
            messages.FieldSpec(
                column.name,
                column.oid,
                type_size=column.size,
                type_modifier=column.modifier,
                format_code=format_of(formats, place),
            )
            for place, column in enumerate(columns)
        ]
        self._stream.write(messages.make_row_description(fields))

    def rows(
        self,
        columns: Sequence[wire.Column],
        batches: Iterable[pa.RecordBatch],
        formats: Sequence[int],
    ) -> int:
        """Send rows, and return how many."""
        sent = 0
        for batch in self._seen(batches):
            self._check()
            if batch.num_rows:
                found = [
                    wire.values(column, array, bool(format_of(formats, place)))
                    for place, (column, array) in enumerate(
                        zip(columns, batch.columns, strict=True)
                    )
                ]
                self._stream.write(wire.rows(found))
                sent += batch.num_rows
        return sent

    def copied(self, answer: Answer) -> int:
        """Send the rows of a COPY, and return how many."""
        form, columns = answer.copied, answer.columns
        assert form is not None
        assert columns is not None
        sent = 0

        def counted() -> Iterator[pa.RecordBatch]:
            nonlocal sent
            for batch in answer.batches:
                self._check()
                sent += batch.num_rows
                yield batch

        self._stream.write(copying.begin(form, len(columns)))
        for message in form.messages(columns, counted()):
            self._stream.write(message)
        self._stream.write(copying.done())
        return sent

    def complete(self, answer: Answer, sent: int) -> None:
        """Send what the statement was, and how many rows it gave."""
        tag = f"{answer.tag} {sent}" if answer.counted else answer.tag
        self._stream.write(messages.make_command_complete(tag))

    def notice(self, answer: Answer) -> None:
        """Send what is to be told besides."""
        if answer.notice:
            told = RefusedError("01000", answer.notice).fields("WARNING")
            self._stream.write(messages.make_notice_response(told))


def format_of(codes: Sequence[int], place: int) -> int:
    """The format of a column or parameter: all may have one, or each its own."""
    if len(codes) <= 1:
        return codes[0] if codes else 0
    return codes[place]
