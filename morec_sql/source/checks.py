"""Values that users gave: whole numbers, truth values and weights."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from ..errors import MorecError, nearest, shown


def whole_number(argument: str, value: Any, low: int, high: int | None = None) -> int:
    """Return a whole number from `low` to `high`, or raise a MorecError."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or value < low
        or (high is not None and value > high)
    ):
        most = "up" if high is None else f"to {high}"
        raise MorecError(f"{argument}: {value!r} is not a whole number from {low} {most}")
    return value


def number(argument: str, value: Any, low: float = -math.inf) -> float:
    """Return a finite number of at least `low`, or raise a MorecError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value < math.inf:
        least = "" if low == -math.inf else f" from {low:g} up"
        raise MorecError(f"{argument}: {value!r} is not a finite number{least}")
    return float(value)


def truth(argument: str, value: Any) -> bool:
    """Return true or false, or raise a MorecError."""
    if not isinstance(value, bool):
        raise MorecError(f"{argument}: true or false is needed, not {value!r}")
    return value


def sources(argument: str, given: Any, known: Collection[str]) -> tuple[str, ...]:
    """Return names of sources beside the events: one, a list of them or None for none."""
    named = given if isinstance(given, list) else [] if given is None else [given]
    for one in named:
        if one not in known:
            raise MorecError(f"{argument}: {shown(one)} is none of {', '.join(known)}")
    return tuple(dict.fromkeys(named))


def names(argument: str, value: Any, of: str = "names") -> list[str]:
    """Return a list of texts, or raise a MorecError."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise MorecError(f"{argument}: a list of {of} is needed, not {value!r}")
    return value


def weights(
    given: Any,
    names: list[str],
    argument: str = "weights",
    of: str = "objective",
    negative: bool = True,
) -> list[float]:
    """Check weights given by position (a list) or by name (a dict), and return them by position.

    Args:
        given: the weights.
        names: what they are of, by position.
        argument: what they came as.
        of: what has the names.
        negative: whether one may be below 0.
    """
    expected = ", ".join(names)
    if isinstance(given, dict):
        lowered = {name.lower(): name for name in names}
        for name in given:
            if name.lower() not in lowered:
                raise MorecError(f"{argument}: unknown {of} {name!r}; {nearest(name, names)}")
        by_name = {lowered[name.lower()]: value for name, value in given.items()}
        values = [by_name.get(name, 0.0) for name in names]
    elif isinstance(given, list):
        if len(given) != len(names):
            raise MorecError(
                f"{argument}: {len(given)} values came, but {len(names)} are needed ({expected})"
            )
        values = given
    else:
        raise MorecError(
            f"{argument}: {given!r} is neither a list nor a struct of numbers for {expected}"
        )
    for name, value in zip(names, values, strict=True):
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise MorecError(f"{argument}: {value!r} for {name} is not a finite number")
        if value < 0 and not negative:
            raise MorecError(f"{argument}: {value!r} for {name} is negative; 0 or more is allowed")
    if not any(values):
        raise MorecError(f"{argument}: all are 0, but at least one of {expected} must count")
    return [float(value) for value in values]
