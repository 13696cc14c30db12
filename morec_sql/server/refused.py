"""What a client is told when a statement fails: a code of PostgreSQL's, and a sentence."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Any

import duckdb

from ..errors import MorecError

# https://www.postgresql.org/docs/current/errcodes-appendix.html
PROTOCOL = "08P01"
NOT_SUPPORTED = "0A000"
PARAMETER = "22023"
BAD_TEXT = "22P02"
ABORTED = "25P02"
UNKNOWN_STATEMENT = "26000"
UNKNOWN_CURSOR = "34000"
LOGIN = "28P01"
SYNTAX = "42601"
PRIVILEGE = "42501"
UNKNOWN_FUNCTION = "42883"
UNKNOWN_SCHEMA = "3F000"
TOO_LONG = "54000"
TOO_MANY = "53300"
CANCELLED = "57014"
STOPPING = "57P01"
INTERNAL = "XX000"

# by the class of DuckDB's error, and words that are in it
CODES: list[tuple[type[Exception], str, str]] = [
    (duckdb.InterruptException, "", CANCELLED),
    (duckdb.ParserException, "", SYNTAX),
    (duckdb.CatalogException, "already exists", "42P07"),
    (duckdb.CatalogException, "Table with name", "42P01"),
    (duckdb.CatalogException, "Schema with name", UNKNOWN_SCHEMA),
    (duckdb.CatalogException, "Function with name", UNKNOWN_FUNCTION),
    (duckdb.CatalogException, "", "42704"),
    (duckdb.BinderException, "Referenced column", "42703"),
    (duckdb.BinderException, "does not have a column named", "42703"),
    (duckdb.BinderException, "Ambiguous", "42702"),
    (duckdb.BinderException, "No function matches", UNKNOWN_FUNCTION),
    (duckdb.BinderException, "Cannot compare", "42804"),
    (duckdb.BinderException, "must appear in the GROUP BY", "42803"),
    (duckdb.BinderException, "", "42P10"),
    (duckdb.ConversionException, "", BAD_TEXT),
    (duckdb.TypeMismatchException, "", "42804"),
    (duckdb.OutOfRangeException, "", "22003"),
    (duckdb.ConstraintException, "NOT NULL", "23502"),
    (duckdb.ConstraintException, "foreign key", "23503"),
    (duckdb.ConstraintException, "CHECK", "23514"),
    (duckdb.ConstraintException, "", "23505"),
    (duckdb.PermissionException, "", PRIVILEGE),
    (duckdb.InvalidInputException, "read-only mode", "25006"),
    (duckdb.InvalidInputException, "MorecError", PARAMETER),
    (duckdb.InvalidInputException, "", "22000"),
    (duckdb.DependencyException, "", "2BP01"),
    (duckdb.TransactionException, "onflict", "40001"),
    (duckdb.TransactionException, "", "25000"),
    (duckdb.SerializationException, "", "40001"),
    (duckdb.OutOfMemoryException, "", "53200"),
    (duckdb.NotImplementedException, "", NOT_SUPPORTED),
    (duckdb.IOException, "", "58030"),
    (duckdb.Error, "", INTERNAL),
]


class RefusedError(Exception):
    """A statement or a message that is not carried out.

    Args:
        code: the SQLSTATE.
        message: one sentence.
        hint: what helps, "" for nothing.
        place: of what is wrong in the statement, in characters from 1; 0 where it is not known.
    """

    def __init__(self, code: str, message: str, hint: str = "", place: int = 0) -> None:
        super().__init__(message)
        self.code, self.message, self.hint, self.place = code, message, hint, place

    def fields(self, severity: str = "ERROR") -> dict[str, str]:
        """The fields of the message that tells the client."""
        found = {"S": severity, "V": severity, "C": self.code, "M": self.message}
        if self.hint:
            found["H"] = self.hint
        if self.place:
            found["P"] = str(self.place)
        return found


def refused(error: BaseException, text: str = "") -> RefusedError:
    """What a client is told of an error.

    Args:
        error: what was raised.
        text: the statement as the client wrote it, "" where DuckDB got another one.
    """
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, MorecError):
        return RefusedError(PARAMETER, str(error))
    if isinstance(error, NotImplementedError):
        return RefusedError(NOT_SUPPORTED, str(error))
    if isinstance(error, MemoryError):
        return RefusedError("53200", "there is not enough memory for this")
    if not isinstance(error, duckdb.Error):
        return RefusedError(INTERNAL, f"this failed in the server: {type(error).__name__}")
    said = str(error)
    code = next(code for kind, word, code in CODES if isinstance(error, kind) and word in said)
    if code == CANCELLED:
        return RefusedError(code, "the statement was cancelled")
    if "MorecError: " in said:
        return RefusedError(PARAMETER, said.split("MorecError: ")[-1].split("\n")[0])
    message, *rest = said.split("\n")
    message = re.sub(r"^(?:[A-Z]\w*[ -]?)+ Error: ", "", message)
    hint = " ".join(line.strip() for line in rest if line.startswith(("Did you mean", "Candidate")))
    return RefusedError(code, message, hint, _place(said, text))


def _place(said: str, text: str) -> int:
    """Where the arrow under the line that DuckDB shows points to, in the statement."""
    shown = re.search(r"\nLINE (\d+): (.*)\n( *)\^", said)
    if shown is None or not text:
        return 0
    lines = text.split("\n")
    number, line = int(shown[1]), shown[2]
    if number > len(lines):
        return 0
    # a long line is shown in part, with dots on either side
    column = len(shown[3]) - len(f"LINE {number}: ")
    cut = line.startswith("...")
    start = lines[number - 1].find(line.strip(".").strip()) if cut else 0
    if start < 0 or column < 0:
        return 0
    return sum(len(one) + 1 for one in lines[: number - 1]) + start + column - 3 * cut + 1


def read_as(parse: Callable[[bytes], Any], payload: bytes) -> Any:
    """What is in a message.

    Raises:
        RefusedError: it is not one of the protocol.
    """
    try:
        return parse(payload)
    except (ValueError, IndexError, struct.error) as error:
        raise RefusedError(PROTOCOL, "the message is not one of the protocol") from error
