"""What of the user's tables does not count, and why."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable

import duckdb

from ..progress import Stages
from ..templates import first_row, literal, sql
from .source import USABLE_WEIGHT, Source

LARGEST_WEIGHT = 1e30  # that is a number in single precision, as are sums of it
# stand for a time that is not known
FILLERS = ("0001-01-01", "1900-01-01", "1970-01-01", "9999-01-01", "9999-12-31")
TAKEN = "taken as the first"
EARLIER, LATER = 20, 3  # times the span of nearly all events, beyond which nothing lies


@dataclasses.dataclass(frozen=True)
class Counted:
    """How the events that count are read: what their weight is capped at, and SQL of their time.

    live is the SQL of the time in the view of the events, which goes on after the training.
    """

    weight_cap: float
    event_time: str = "_c.event_time"
    live: str = "_c.event_time"


def left_out(con: duckdb.DuckDBPyConnection, source: Source, stages: Stages) -> Counted:
    """Count what is left out, and write the temporary table of the events that count."""
    row = first_row(
        con,
        sql(
            "source/events_report",
            events_raw=source.events_raw,
            usable=source.usable,
            user_usable=source.user_usable,
            item_usable=source.item_usable,
            time_usable=source.time_usable,
            weight_usable=USABLE_WEIGHT,
            fillers=", ".join(map(_timestamp, FILLERS)),
        ),
    )
    assert row is not None
    read, user, item, when, weight, cap, early, late = row
    cap = min(float(cap), LARGEST_WEIGHT) if cap is not None else 1.0
    stages.count("events: read", read)
    if source.channels.names:
        by_channel = con.execute(sql("source/events_by_channel", events=source.events.sql))
        for channel, events in by_channel.fetchall():
            stages.count(f"events: read from {channel}", events)
    stages.count("events: left out, no user", user)
    stages.count("events: left out, no item", item)
    stages.count("events: left out, no finite time", when)
    stages.count("events: left out, weight not above 0 and finite", weight)
    high, plausible = _plausible(early, late)
    last = "CAST(NULL AS TIMESTAMP)" if high is None else _timestamp(str(high))
    parts = {
        "events_raw": source.events_raw,
        "usable": source.usable,
        "weight_cap": literal(cap),
    }
    row = first_row(
        con, sql("source/events_changed", **parts, high=last, plausible=plausible(last))
    )
    assert row is not None
    capped, future, others, first = row
    stages.count(f"events: time far in the future, after {str(high)[:10]}, {TAKEN}", future)
    stages.count(f"events: time long before the others or a filler, {TAKEN}", others)
    stages.count("events: weight above 10 times the 99th percentile, capped", capped)
    counted = Counted(cap)
    if high is not None:

        def read_time(last: str) -> str:
            either = f"WHEN {plausible(last)} THEN _c.event_time ELSE {_timestamp(str(first))}"
            return f"CASE {either} END"

        # after the training events may go on until today
        today = f"greatest({last}, CAST(now() AS TIMESTAMP) + INTERVAL 1 DAY)"
        counted = Counted(cap, read_time(last), read_time(today))
    if source.channels.numbered:
        parts["events_raw"] = source.events_with({"channel": "_e.channel"})
    con.execute(sql("source/events_usable", **parts, event_time=counted.event_time))
    for what, table, key, said in (
        ("items", source.items, source.items_key, "one row used"),
        ("users", source.users, source.users_key, "counted once"),
    ):
        if table is not None:
            usable = key.usable(key.sql)
            report = sql("source/ids_report", id=key.sql, usable=usable, own=table.sql)
            row = first_row(con, report)
            assert row is not None
            stages.count(f"{what}: left out, no id", row[0])
            stages.count(f"{what}: id seen before, {said}", row[1])
    return counted


def _plausible(
    early: datetime.datetime | None, late: datetime.datetime | None
) -> tuple[datetime.datetime | None, Callable[[str], str]]:
    """The last time that events can have, and SQL of whether theirs can be, up to a last one.

    One that cannot be is far from nearly all others: a single wrong one would move the end of the
    events, and all ages with it.

    Args:
        early: before which hardly an event lies; None where events have no time.
        late: after which hardly an event lies.
    """
    if early is None or late is None:
        return None, lambda last: "true"
    span = max(late - early, datetime.timedelta(days=1))
    low, high = _moved(early, -EARLIER * span), _moved(late, LATER * span)
    unlikely = [
        _timestamp(filler)
        for filler in FILLERS
        if not _moved(early, -span) <= datetime.datetime.fromisoformat(filler) <= _moved(late, span)
    ]

    def plausible(last: str) -> str:
        known = f" AND _c.event_time NOT IN ({', '.join(unlikely)})" if unlikely else ""
        return f"_c.event_time >= {_timestamp(str(low))} AND _c.event_time <= {last}{known}"

    return high, plausible


def _timestamp(text: str) -> str:
    return f"CAST({literal(text)} AS TIMESTAMP)"


def _moved(time: datetime.datetime, by: datetime.timedelta) -> datetime.datetime:
    """A time moved by a span, as far as there are times."""
    try:
        return time + by
    except OverflowError:
        return datetime.datetime.min if by < datetime.timedelta() else datetime.datetime.max
