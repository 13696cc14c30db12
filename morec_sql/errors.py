"""What is said of a bad argument."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

MOST_NAMES, MOST_CHARACTERS = 12, 160  # of names that a sentence lists


class MorecError(ValueError):
    """A bad argument; the message is one sentence: the argument, what came, what is allowed."""


def shown(value: object) -> str:
    """What came, as a message shows it: shortened where it is long."""
    return shortened(repr(value), 90)


def shortened(text: str, length: int) -> str:
    """A text without its middle where it is longer than that."""
    return text if len(text) <= length else f"{text[: length - 15]} ... {text[-10:]}"


def reason(error: BaseException) -> str:
    """What is wrong: our own sentence, or DuckDB's first line, without the kind of error, short."""
    first = str(error).split("\n")[0]
    if "MorecError: " in first:
        return first.split("MorecError: ")[-1]
    said = re.sub(r"^(\w+ )*(Error|Exception): ", "", first)
    return said if len(said) <= 160 else said[:157] + "..."


def nearest(name: str, names: Iterable[str]) -> str:
    """Say which of `names` is meant, as the end of a sentence."""
    names = list(names)
    lowered = {candidate.lower(): candidate for candidate in reversed(names)}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    if close:
        return f"did you mean {lowered[close[0]]!r}?"
    listed = names[:MOST_NAMES]
    while len(", ".join(map(repr, listed))) > MOST_CHARACTERS and len(listed) > 1:
        listed.pop()
    rest = ", ..." if len(names) > len(listed) else ""
    return f"there is {', '.join(map(repr, listed))}{rest}" if names else "there is none"
