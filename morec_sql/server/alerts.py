"""Thresholds of figures, which a configuration names, and sums that they are compared with."""

from __future__ import annotations

import collections
import math
import threading
import time
from collections.abc import Mapping
from typing import Any

from ..errors import MorecError
from .config import check_names

THRESHOLDS = {
    "errors": "share of statements that failed, over ten minutes",
    "slow_ms": "95th percentile of the time of statements, over ten minutes",
    "not_personal": "share of lists of users without a history, over ten minutes",
    "age_days": "since the version in use of a recommender was made",
    "events_since_training": "events after the last that a recommender was trained on",
    "drift": "population stability index of items or scores that are served",
}
MS = "ms "  # begins the name of a time, in Late
STEP, STEPS = 10, 60  # seconds, and how many of them are ten minutes
FEWEST = 20  # statements, or lists, of fewer of which nothing is said


def read(found: dict[str, Any]) -> dict[str, float]:
    """The thresholds of a configuration, by name.

    Raises:
        MorecError: one is not of the form that is expected, or of what there is not.
    """
    given = found.get("alerts", {})
    if not isinstance(given, dict):
        raise MorecError(f"alerts: it is a table, [alerts], not {given!r}")
    check_names("alerts", given, THRESHOLDS)
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise MorecError(f"alerts.{name}: {value!r} is no number from 0 on")
    return {name: float(value) for name, value in given.items()}


def took(ms: float) -> dict[str, float]:
    """A time as what Late adds: one of so many, a tenth of a magnitude apart."""
    return {f"{MS}{math.ceil(10 * math.log10(max(ms, 0.1)))}": 1}


def quantile(sums: Mapping[str, float], level: float) -> float:
    """A quantile of times, in milliseconds, from sums that `took` went into."""
    counts = sorted((int(key[len(MS) :]), n) for key, n in sums.items() if key.startswith(MS))
    left = level * sum(count for _, count in counts)
    for place, count in counts:
        left -= count
        if left <= 0:
            return float(10 ** (place / 10))
    return 0.0


class Late:
    """Sums over the last ten minutes."""

    def __init__(self) -> None:
        self._steps: collections.deque[tuple[int, collections.Counter[str]]] = collections.deque()
        self._lock = threading.Lock()

    def add(self, **amounts: float) -> None:
        """Add to sums by their names."""
        now = int(time.monotonic() // STEP)
        with self._lock:
            if not self._steps or self._steps[-1][0] != now:
                self._steps.append((now, collections.Counter()))
            self._steps[-1][1].update(amounts)

    def sums(self) -> collections.Counter[str]:
        """What was added in the last ten minutes."""
        first = int(time.monotonic() // STEP) - STEPS
        out: collections.Counter[str] = collections.Counter()
        with self._lock:
            while self._steps and self._steps[0][0] <= first:
                self._steps.popleft()
            for _, amounts in self._steps:
                out.update(amounts)
        return out
