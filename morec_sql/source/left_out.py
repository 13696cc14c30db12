"""What of the user's tables does not count, and why."""

from __future__ import annotations

import duckdb

from ..progress import Stages
from ..templates import first_row, literal, sql
from .source import USABLE_WEIGHT, Source

LARGEST_WEIGHT = 1e30  # that is a number in single precision, as are sums of it


def left_out(con: duckdb.DuckDBPyConnection, source: Source, stages: Stages) -> float:
    """Count what is left out, and return the cap of event weights."""
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
    parts = {
        "events_raw": source.events_raw,
        "usable": source.usable,
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
    return cap
