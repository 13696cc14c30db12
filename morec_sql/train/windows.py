"""The clock of a training, and the windows of time that it learns from."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import duckdb
import numpy as np

from ..source.source import Source
from ..templates import literal, sql
from ..udfs.history import DAY, Clock, Events, Signal, Window

if TYPE_CHECKING:
    import numpy.typing as npt

HALF_LIVES = (1 / 24, 1 / 8, 1 / 2)  # of the time that the events span
WINDOW = 1 / 13  # of the time that the events span: the length of what is learnt from
WINDOWS = 7  # each begins half a window before the next
WINDOW_EVENTS = 10_000_000  # of more, some of the users stand for all in the windows


def clock_of(events: Events, source: Source) -> Clock:
    """The clock of a training: just behind its last event, with half-lives of their span."""
    weight = float(events.weight.mean(dtype=np.float64))
    if not source.has_time:
        return Clock(0.0, (DAY, DAY, DAY), weight, DAY)
    first, last = float(events.time.min()), float(events.time.max())
    span = max(last - first, DAY)
    # the clock stands just behind the last event, so that every age is positive
    return Clock(
        last + 1.0,
        (span * HALF_LIVES[0], span * HALF_LIVES[1], span * HALF_LIVES[2]),
        weight,
        span * WINDOW,
    )


def held_out(user: npt.NDArray[np.int32], item: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """A fifth of all pairs, which stands in for a window where events have no time."""
    mixed = user.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + item.astype(np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    out: npt.NDArray[np.bool_] = (mixed >> np.uint64(32)) % np.uint64(5) == 0
    return out


def windows_of(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    clock: Clock,
    events: Events,
    wanted: npt.NDArray[np.bool_],
) -> Iterator[Window]:
    """The windows of time to learn from, the latest first: what came before, and what in them.

    Without times a fifth of the pairs stands in for one window.
    """
    every = -(-len(events) // WINDOW_EVENTS)
    if every > 1:
        some = events.user % every == 0
        events, wanted = events.take(some), wanted[some]
    for number in range(1 if clock.timeless else WINDOWS):
        first = clock.now - (1 + number / 2) * clock.window
        if clock.timeless:
            inside = held_out(events.user, events.item)
            past = ~inside
        else:
            past = events.time < first
            inside = ~past & (events.time < first + clock.window)
        target = events.take(inside & wanted).history(clock, first)
        signals = functools.partial(signals_of, con, source, clock, first, every)
        yield Window(events.take(past).history(clock, first), target.user, target.item, signals)


def signals_of(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    clock: Clock,
    until: float | None = None,
    every: int = 1,
) -> list[Signal]:
    """Read what the losses are about, whatever the weight of the events.

    Args:
        con: with the tables of the training.
        source: where the losses read from.
        clock: as of which all events have happened.
        until: only what was before, in seconds; None for all.
        every: only users whose number this divides.
    """
    before = source.time_usable
    if not clock.timeless:
        before += f" AND epoch(_c.event_time) < {literal(clock.now if until is None else until)}"
    found = []
    for loss, events_raw in source.losses:
        columns = con.execute(
            sql(
                "train/signals",
                aggregate="avg" if loss.kind == "squared_error" else "max",
                events_raw=events_raw,
                before=before,
            )
        ).fetchnumpy()
        user, item = (np.asarray(columns[key], np.int32) for key in ("user", "item"))
        kept = user % every == 0
        if clock.timeless and until is not None:
            kept &= ~held_out(user, item)
        value = np.asarray(columns["value"])
        found.append(Signal(loss.name, loss.kind, user[kept], item[kept], value[kept]))
    return found
