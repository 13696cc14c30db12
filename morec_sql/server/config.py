"""The file of TOML that says what roles may do, and which figures are alarming."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import MorecError, nearest

TABLES = ("alerts", "key", "roles")


def read(path: Path | None) -> dict[str, Any]:
    """What is in a file, by TABLES; nothing without one.

    Raises:
        MorecError: it cannot be read, or has what is unknown in it.
    """
    if path is None:
        return {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MorecError(f"config: {path.name} cannot be read: {error}") from None
    check_names("config", found, TABLES)
    return found


def check_names(where: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise a MorecError where something is named that there is not."""
    for name in given:
        if name not in known:
            raise MorecError(f"{where}: there is no {name!r}; {nearest(name, sorted(known))}")
