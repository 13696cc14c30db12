"""The clock of a training, and the windows of time that it learns from."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import duckdb
import numpy as np

from ..source.source import Source
from ..templates import literal, sql
from ..udfs.history import DAY, Clock, Events, Signal, Window
from ..udfs.numbers import GOLDEN, mixed

if TYPE_CHECKING:
    import numpy.typing as npt

HALF_LIVES = (1 / 24, 1 / 8, 1 / 2)  # of the time that the events span
YEAR = 365 * DAY
WINDOW = 1 / 13  # of the time that the events span: the length of what is learnt from
WINDOWS = 7  # each begins half a window before the next
RETURNING = 0.2  # share of the users that come back in the last window, from which on time counts
REPEAT_SHARE = 0.05  # of what users do; below it lists leave out what is known
ENOUGH_EVENTS = 150_000  # of which one fold tells settings apart; of fewer, so many times the folds
MOST_FOLDS = 4
WINDOW_EVENTS = 10_000_000  # of more, some of the users stand for all in the windows


def clock_of(events: Events, source: Source) -> Clock:
    """The clock of a training: just behind its last event, with half-lives of their span.

    Where there is no event yet it is now, and a year stands for their span.
    """
    weight = float(events.weight.mean(dtype=np.float64)) if len(events) else 1.0
    if not source.has_time:
        return Clock(0.0, (DAY, DAY, DAY), weight, DAY)
    first, last = time.time() - YEAR, time.time()
    if len(events):
        first, last = float(events.time.min()), float(events.time.max())
    span = max(last - first, DAY)
    # the clock stands just behind the last event, so that every age is positive
    return Clock(
        last + 1.0,
        (span * HALF_LIVES[0], span * HALF_LIVES[1], span * HALF_LIVES[2]),
        weight,
        span * WINDOW,
    )


def held_out(
    user: npt.NDArray[np.int32], item: npt.NDArray[np.int32], fold: int = 0
) -> npt.NDArray[np.bool_]:
    """A tenth of all pairs: stands in for a window where time does not say what comes next."""
    return _tenth(user.astype(np.uint64) * np.uint64(GOLDEN) + item.astype(np.uint64), fold)


def _tenth(number: npt.NDArray[np.uint64], fold: int) -> npt.NDArray[np.bool_]:
    """True for one of ten folds of numbers, made as if at random."""
    out: npt.NDArray[np.bool_] = mixed(number) % np.uint64(10) == fold
    return out


def repeated(events: Events) -> float:
    """The share of the events whose user had one with the same item before."""
    new = (np.diff(events.user) != 0) | (np.diff(events.item) != 0)
    return 1 - (1 + float(new.sum())) / max(len(events), 1)


def ordered(events: Events, clock: Clock) -> bool:
    """Whether time says what comes next: enough of the users come back in the last window.

    Where few do, as in reviews over many years or where all of a user's events are of one day, what
    is chosen for those few would be chosen for everyone.
    """
    if clock.timeless:
        return False
    late = events.time >= clock.now - clock.window
    back = np.intersect1d(events.user[late], events.user[~late])
    return len(back) >= RETURNING * len(np.unique(events.user))


def windows_of(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    clock: Clock,
    events: Events,
    wanted: npt.NDArray[np.bool_],
) -> Iterator[Window]:
    """The windows to learn from, the latest first: what came before, and what in them.

    Where time does not say what comes next a tenth of the pairs stands in for one window; of the
    events, where the same ones come again; and some such folds where there are few.
    """
    timed = ordered(events, clock)
    every = -(-len(events) // WINDOW_EVENTS)
    if every > 1:
        some = events.user % every == 0
        events, wanted = events.take(some), wanted[some]
    if not timed:
        again = repeated(events) >= REPEAT_SHARE and not source.losses
        number = np.arange(1, len(events) + 1, dtype=np.uint64) * np.uint64(GOLDEN)
        signals = functools.partial(signals_of, con, source, clock, clock.now, every, timed)
        for fold in range(min(-(-ENOUGH_EVENTS // len(events)), MOST_FOLDS)):
            inside = _tenth(number, fold) if again else held_out(events.user, events.item, fold)
            yield _window(clock, clock.now, events, ~inside, inside & wanted, signals, timed)
        return
    for window in range(WINDOWS):
        first = clock.now - (1 + window / 2) * clock.window
        past = events.time < first
        inside = ~past & (events.time < first + clock.window)
        signals = functools.partial(signals_of, con, source, clock, first, every, timed)
        yield _window(clock, first, events, past, inside & wanted, signals, timed)


def _window(
    clock: Clock,
    until: float,
    events: Events,
    past: npt.NDArray[np.bool_],
    target: npt.NDArray[np.bool_],
    signals: Callable[[], list[Signal]],
    timed: bool,
) -> Window:
    """One window: of the events, what came before it and what in it is to be found."""
    after = events.take(target).history(clock, until)
    before = events.take(past).history(clock, until)
    return Window(before, after.user, after.item, signals, timed, clock.timeless, until)


def signals_of(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    clock: Clock,
    until: float | None = None,
    every: int = 1,
    timed: bool = True,
) -> list[Signal]:
    """Read what the losses are about, whatever the weight of the events.

    Args:
        con: with the tables of the training.
        source: where the losses read from.
        clock: as of which all events have happened.
        until: only what was before, in seconds; None for all.
        every: only users whose number this divides.
        timed: whether `until` is what leaves pairs out; otherwise those held out are.
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
        if not timed:
            kept &= ~held_out(user, item)
        value = np.asarray(columns["value"])
        found.append(Signal(loss.name, loss.kind, user[kept], item[kept], value[kept]))
    return found
