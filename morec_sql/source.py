"""What a recommender is made from: the arguments, checked and turned into SQL over the tables."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import duckdb

from .expressions import (
    MorecError,
    Table,
    expression,
    find_table,
    identifier,
    is_number,
    literal,
)
from .signals import Loss, declared, wanted
from .templates import sql
from .udfs.embedding import DEFAULT_MODEL

# comparisons, since a function like isfinite would keep DuckDB from using an index on the users
USABLE_TIME = (
    "_c.event_time IS NOT NULL AND _c.event_time > CAST('-infinity' AS TIMESTAMP)"
    " AND _c.event_time < CAST('infinity' AS TIMESTAMP)"
)
USABLE_WEIGHT = "_c.weight > 0 AND _c.weight < CAST('infinity' AS DOUBLE)"


@dataclasses.dataclass
class Arguments:
    """The arguments of create_recommender, as they are stored."""

    name: str
    events: str
    user_id: str = "user_id"
    item_id: str = "item_id"
    event_time: str | None = None
    event_weight: str | None = None
    items: str | None = None
    items_item_id: str | None = None
    text: list[str] | None = None
    item_time: str | None = None
    objectives: Any = None
    weights: Any = None
    losses: Any = None
    combine: Any = None
    model: str = DEFAULT_MODEL
    dimensions: int = 64
    seed: int = 42
    replace: bool = False
    make_default: bool | None = None

    @staticmethod
    def from_json(text: str) -> Arguments:
        """Read the arguments that the SQL macro passes, checking each one's type."""
        given = {key: value for key, value in json.loads(text).items() if value is not None}
        for required in ("name", "events"):
            if required not in given:
                raise MorecError(f"{required}: a name is needed, not NULL")
        if isinstance(given.get("text"), str):
            given["text"] = [given["text"]]
        for key in ("name", "events", "user_id", "item_id", "event_time", "event_weight", "items",
                    "items_item_id", "item_time", "model"):  # fmt: skip
            if key in given and (not isinstance(given[key], str) or not given[key].strip()):
                raise MorecError(f"{key}: a name is needed, not {given[key]!r}")
        for key, low, high in (("dimensions", 2, 1024), ("seed", 0, 2**31)):
            value = given.get(key, low)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise MorecError(f"{key}: {value!r} is not a whole number from {low} to {high}")
        for key in ("replace", "make_default"):
            if not isinstance(given.get(key, True), bool):
                raise MorecError(f"{key}: true or false is needed, not {given[key]!r}")
        text_columns = given.get("text", [])
        if not isinstance(text_columns, list) or not all(isinstance(t, str) for t in text_columns):
            raise MorecError(f"text: a list of column names is needed, not {text_columns!r}")
        return Arguments(**given)


@dataclasses.dataclass
class Source:
    """The user's tables as SQL; in item_sql and time_sql the events are called _e.

    Each loss comes with the events as in events_raw, but what it reads as their weight.
    """

    events: Table
    losses: list[tuple[Loss, str]]
    item_sql: str
    time_sql: str
    events_raw: str
    usable: str
    time_usable: str
    items: Table | None
    items_key: str
    item_type: str
    user_type: str
    has_time: bool
    text: list[str]
    item_time: str | None
    until: str | None = None

    def before(self, until: str) -> Source:
        """The same without the events from the timestamp `until` on."""
        before = f" AND _c.event_time < CAST({literal(until)} AS TIMESTAMP)"
        return dataclasses.replace(
            self,
            usable=self.usable + before,
            time_usable=self.time_usable + before,
            until=until,
        )


def resolve(
    con: duckdb.DuckDBPyConnection, catalog: str, schema: str, arguments: Arguments
) -> Source:
    """Turn the arguments into SQL over the user's tables, checking every name and type."""
    events = find_table(con, "events", arguments.events, catalog, schema)
    user = events.column("user_id", arguments.user_id)
    item = events.column("item_id", arguments.item_id)
    item_sql, item_type = f"_e.{identifier(item)}", events.columns[item]
    items, items_key, text, item_time = None, item, [], None
    if arguments.items is not None:
        items = find_table(con, "items", arguments.items, catalog, schema)
        argument = "items_item_id" if arguments.items_item_id else "item_id"
        items_key = items.column(argument, arguments.items_item_id or arguments.item_id)
        key_type = items.columns[items_key]
        if key_type != item_type:
            if not (is_number(key_type) and is_number(item_type)):
                raise MorecError(
                    f"item_id: {item!r} is {item_type} in the events but {items_key!r} is"
                    f" {key_type} in the items; both must have one type"
                )
            item_sql, item_type = f"TRY_CAST({item_sql} AS {key_type})", key_type
        for column in arguments.text or []:
            name = items.column("text", column)
            kind = items.columns[name]
            if kind != "VARCHAR" and not kind.startswith("ENUM"):
                raise MorecError(f"text: the column {name!r} is {kind}, but text must be VARCHAR")
            text.append(name)
        if arguments.item_time is not None:
            item_time = items.column("item_time", arguments.item_time)
            _check_time("item_time", item_time, items.columns[item_time])
    else:
        for argument in ("text", "item_time", "items_item_id"):
            if getattr(arguments, argument):
                raise MorecError(f"{argument}: it names columns of items, but items is not given")
    time_sql = "CAST(NULL AS TIMESTAMP)"
    if arguments.event_time is not None:
        column = events.column("event_time", arguments.event_time)
        _check_time("event_time", column, events.columns[column])
        time_sql = f"CAST(_e.{identifier(column)} AS TIMESTAMP)"
    weight = "1.0"
    if arguments.event_weight is not None:
        if arguments.event_weight in events.columns:
            weight = identifier(arguments.event_weight)
            kind = events.columns[arguments.event_weight]
            if not is_number(kind) and kind != "BOOLEAN":
                raise MorecError(
                    f"event_weight: the column {arguments.event_weight!r} is {kind},"
                    " but a weight must be a number"
                )
        else:
            weight = expression(con, "event_weight", arguments.event_weight, events)
    losses = declared(con, arguments.losses, events)

    def read(weight: str) -> str:
        return sql(
            "events_raw",
            user_id=identifier(user),
            item_id=item_sql,
            event_time=time_sql,
            event_weight=weight,
            wanted=wanted(losses),
            events=events.sql,
        )

    time_usable = USABLE_TIME if arguments.event_time else "true"
    return Source(
        events=events,
        losses=[(loss, read(loss.sql)) for loss in losses],
        item_sql=item_sql,
        time_sql=time_sql,
        events_raw=read(weight),
        usable=f"_c.user_id IS NOT NULL AND _c.item_id IS NOT NULL AND {time_usable}"
        f" AND {USABLE_WEIGHT}",
        time_usable=time_usable,
        items=items,
        items_key=items_key,
        item_type=item_type,
        user_type=events.columns[user],
        has_time=arguments.event_time is not None,
        text=text,
        item_time=item_time,
    )


def _check_time(argument: str, column: str, kind: str) -> None:
    if not kind.startswith(("TIMESTAMP", "DATE")):
        raise MorecError(f"{argument}: the column {column!r} is {kind}, not a TIMESTAMP or DATE")
