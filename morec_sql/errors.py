"""What is said of a bad argument."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MorecError(ValueError):
    """A bad argument; the message is one sentence: the argument, what came, what is allowed."""


def nearest(name: str, names: Iterable[str]) -> str:
    """Say which of `names` is meant, as the end of a sentence."""
    names = list(names)
    lowered = {candidate.lower(): candidate for candidate in reversed(names)}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    if close:
        return f"did you mean {lowered[close[0]]!r}?"
    listed = ", ".join(repr(candidate) for candidate in names[:12])
    return f"there is {listed}{', ...' if len(names) > 12 else ''}" if names else "there is none"
