"""Settings of relevance that users fix instead of having them chosen by validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import MorecError, nearest
from ..udfs.history import NO_DECAY
from ..udfs.relevance.choice import OPTIONS, Options
from ..udfs.relevance.trend import NO_TREND
from .checks import number

HALF_LIVES = {"short": 0, "medium": 1, "long": 2, "none": NO_DECAY}


def options_of(given: Any, dimensions: int | None) -> Options:
    """What is tried of each setting: of those that are given, only that.

    Args:
        given: the argument relevance, checked or not: a struct of settings.
        dimensions: the rank, or None where it is to be chosen.

    Raises:
        MorecError: there is no such setting, or its value is not allowed.
    """
    options = dict(OPTIONS)
    if dimensions is not None:
        options["rank"] = (dimensions,)
    if given is None:
        return options
    if not isinstance(given, dict):
        raise MorecError(
            f"relevance: a struct of settings such as {{'ridge': 0.03}} is needed, not {given!r}"
        )
    for name, value in given.items():
        if name not in _READ:
            raise MorecError(f"relevance: unknown setting {name!r}; {nearest(name, _READ)}")
        if value is not None:
            options[name] = _READ[name](f"relevance.{name}", value)
    return options


def _positive(argument: str, value: Any) -> tuple[Any, ...]:
    found = number(argument, value, 0)
    if not found:
        raise MorecError(f"{argument}: 0 came; a number above 0 is needed")
    return (found,)


def _weight(argument: str, value: Any) -> tuple[Any, ...]:
    return (number(argument, value, 0),)


def _damping(argument: str, value: Any) -> tuple[Any, ...]:
    pair = value if isinstance(value, list) else [value, value]
    if len(pair) != 2 or not all(0 <= number(argument, one) <= 1 for one in pair):
        raise MorecError(
            f"{argument}: {value!r} is neither an exponent from 0 to 1 nor a list of two,"
            " of histories and of lists"
        )
    return ((float(pair[0]), float(pair[1])),)


def _half_life(argument: str, value: Any) -> tuple[Any, ...]:
    return (HALF_LIVES[_one_of(argument, value, HALF_LIVES)],)


def _trend(argument: str, value: Any) -> tuple[Any, ...]:
    trends: dict[str, tuple[Any, ...]] = {"none": (NO_TREND,)}
    for one in OPTIONS["trend"]:
        if one != NO_TREND:
            trends[one[0]] = (*trends.get(one[0], ()), one)
    return trends[_one_of(argument, value, trends)]


def _one_of(argument: str, value: Any, names: dict[str, Any]) -> str:
    if value not in list(names):
        raise MorecError(f"{argument}: {value!r} is not one of {', '.join(names)}")
    return str(value)


_READ: dict[str, Callable[[str, Any], tuple[Any, ...]]] = {
    "half_life": _half_life,
    "trend": _trend,
    "ridge": _positive,
    "damping": _damping,
    "neighbour_weight": _weight,
    "neighbour_ridge": _positive,
    "content_weight": _weight,
    "popularity_weight": _weight,
}
