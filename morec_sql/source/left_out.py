"""What of the user's tables does not count, and why."""

from __future__ import annotations

import dataclasses
import datetime

import duckdb

from ..progress import Stages
from ..templates import first_row, literal, sql
from .source import USABLE_WEIGHT, Source

LARGEST_WEIGHT = 1e30  # that is a number in single precision, as are sums of it


# stand for a time that is not known
FILLERS = ("0001-01-01", "1900-01-01", "1970-01-01", "9999-01-01", "9999-12-31")
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
        ),
    )
    assert row is not None
    read, user, item, when, weight, cap = row
    cap = min(float(cap), LARGEST_WEIGHT) if cap is not None else 1.0
    stages.count("events: read", read)
    stages.count("events: left out, no user", user)
    stages.count("events: left out, no item", item)
    stages.count("events: left out, no finite time", when)
    stages.count("events: left out, weight not above 0 and finite", weight)
    counted = _times(con, source, Counted(cap), stages)
    parts = {
        "events_raw": source.events_raw,
        "usable": source.usable,
        "event_time": counted.event_time,
        "weight_cap": literal(cap),
    }
    con.execute(sql("source/events_usable", **parts))
    row = first_row(con, sql("source/events_capped", **parts))
    assert row is not None
    stages.count("events: weight above 10 times the 99th percentile, capped", row[0])
    if source.items is not None:
        row = first_row(
            con,
            sql(
                "source/items_report",
                item_id=source.items_key.sql,
                usable=source.items_key.usable(source.items_key.sql),
                items=source.items.sql,
            ),
        )
        assert row is not None
        stages.count("items: left out, no id", row[0])
        stages.count("items: id seen before, one row used", row[1])
    return counted


def _times(
    con: duckdb.DuckDBPyConnection, source: Source, counted: Counted, stages: Stages
) -> Counted:
    """The same with SQL of the time that takes one that cannot be for the first that can.

    That is one far from nearly all others: a single wrong one would move the end of the events, and
    all ages with it. After the training events may go on until today.
    """
    if not source.has_time:
        return counted
    parts = {"events_raw": source.events_raw, "usable": source.usable}
    fillers = ", ".join(_timestamp(filler) for filler in FILLERS)
    row = first_row(con, sql("source/times_report", **parts, fillers=fillers))
    if row is None or row[0] is None:
        return counted
    early, late = row
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

    last = _timestamp(str(high))
    row = first_row(con, sql("source/times_counted", **parts, high=last, plausible=plausible(last)))
    assert row is not None
    future, others, first = row
    taken = "taken as the first"
    stages.count(f"events: time far in the future, after {high:%Y-%m-%d}, {taken}", future)
    stages.count(f"events: time long before the others or a filler, {taken}", others)

    def read(last: str) -> str:
        return f"CASE WHEN {plausible(last)} THEN _c.event_time ELSE {_timestamp(str(first))} END"

    today = f"greatest({last}, CAST(now() AS TIMESTAMP) + INTERVAL 1 DAY)"
    return dataclasses.replace(counted, event_time=read(last), live=read(today))


def _timestamp(text: str) -> str:
    return f"CAST({literal(text)} AS TIMESTAMP)"


def _moved(time: datetime.datetime, by: datetime.timedelta) -> datetime.datetime:
    """A time moved by a span, as far as there are times."""
    try:
        return time + by
    except OverflowError:
        return datetime.datetime.min if by < datetime.timedelta() else datetime.datetime.max
