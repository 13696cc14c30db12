"""Events of several tables as one: a channel each, such as web, app and stores."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import duckdb

from ..errors import MorecError, nearest, shown
from ..templates import folded, identifier, literal, sql
from .arguments import Arguments
from .checks import truth
from .expressions import expression, go_together
from .pairs import columns_of
from .tables import Table, find_table

COLUMNS = ("user_id", "item_id", "event_time", "event_weight")  # that a channel may call otherwise
CHANNEL = "channel"  # the column that says where an event is from


@dataclasses.dataclass(frozen=True)
class Channels:
    """The names of the channels, whose weight is to be learnt, and of what relevance is not about.

    None of them where the events are one table.
    """

    names: tuple[str, ...] = ()
    unweighed: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()

    @property
    def numbered(self) -> tuple[str, ...]:
        """Those whose events are told apart in training: all, where the weight of one is learnt."""
        return self.names if self.unweighed else ()

    @property
    def wanted(self) -> str:
        """The predicate over the events that says what relevance is about."""
        if not self.unwanted:
            return "true"
        return f"_e.{CHANNEL} NOT IN ({', '.join(map(literal, self.unwanted))})"

    def weighing(self, weights: Mapping[str, float]) -> str:
        """SQL of what the weight of an event is multiplied by."""
        cases = (f"WHEN {literal(name)} THEN {weight!r}" for name, weight in weights.items())
        return f"CASE _e.{CHANNEL} {' '.join(cases)} ELSE 1.0 END"


def events_of(
    con: duckdb.DuckDBPyConnection, catalog: str, schema: str, arguments: Arguments
) -> tuple[Table, Arguments, Channels]:
    """The events, the arguments as they are for them, and the channels that they are of.

    Those of several tables are one under the standard names of columns, with a column `channel`.

    Raises:
        MorecError: there is no such table or column, or ids are of different types.
    """
    if isinstance(arguments.events, str):
        return find_table(con, "events", arguments.events, catalog, schema), arguments, Channels()
    given = arguments.events
    if isinstance(given, list):
        given = dict(zip(given, given, strict=True))
    parts = []
    types: dict[str, dict[str, str]] = {column: {} for column in COLUMNS}
    unweighed, unwanted = [], []
    for channel, said in given.items():
        own = _own(channel, said, arguments)
        argument = f"events.{channel}"
        table = find_table(con, argument, own["events"], catalog, schema)
        found = {}
        for column in COLUMNS[:3]:
            name = own[column]
            if name is None:
                found[column] = "CAST(NULL AS TIMESTAMP)"
                continue
            spelt = table.column(f"{argument}.{column}", name)
            found[column] = f"_e.{identifier(spelt)}"
            types[column][channel] = table.columns[spelt]
        identities = own["identities"]
        joined = ""
        if identities is not None:
            argument_of = f"{argument}.identities"
            known, (theirs, user), _ = columns_of(con, argument_of, identities, catalog, schema, 2)
            column = table.column(f"{argument}.user_id", own["user_id"])
            parts_of = {"id": identifier(theirs), "user": identifier(user), "table": known.sql}
            joined = sql("source/identities", **parts_of, own=found["user_id"])
            if not go_together(known.columns[theirs], table.columns[column]):
                raise MorecError(
                    f"{argument_of}: {theirs!r} is {known.columns[theirs]}, but the user_id"
                    f" {column!r} is {table.columns[column]}"
                )
            # an id that is nobody's stands for itself where it can be one of a user
            alike = go_together(known.columns[user], table.columns[column])
            found["user_id"] = f"coalesce(_k._user_id, {found['user_id'] if alike else 'NULL'})"
            types["user_id"][channel] = known.columns[user]
        weight = own["event_weight"]
        found["event_weight"] = "1.0"
        if weight is None:
            unweighed.append(channel)
        else:
            written = expression(con, f"{argument}.event_weight", weight, table, every_row=True)
            found["event_weight"] = f"CAST(({written}) AS DOUBLE)"
        if not own["wanted"]:
            unwanted.append(channel)
        standard = {*COLUMNS, CHANNEL}
        excluded = [identifier(name) for name in table.columns if folded(name) in standard]
        parts.append(
            sql(
                "source/channel",
                **found,
                channel=literal(channel),
                excluded=f" EXCLUDE ({', '.join(excluded)})" if excluded else "",
                events=table.sql,
                identities=joined,
            )
        )
    for column in COLUMNS[:2]:
        _check_alike(column, types[column])
    if len(unwanted) == len(parts):
        raise MorecError("events: no channel is wanted; lists are for what one of them holds")
    union = f"({' UNION ALL BY NAME '.join(parts)})"
    columns = con.execute(f"DESCRIBE SELECT * FROM {union}").fetchall()
    timed = bool(types["event_time"])
    context = arguments.context or []
    if len(parts) > 1:
        more = {CHANNEL: CHANNEL}
        context = {**more, **context} if isinstance(context, dict) else [*context, *more]
    named = dataclasses.replace(
        arguments,
        user_id="user_id",
        item_id="item_id",
        event_time="event_time" if timed else None,
        event_weight="event_weight",
        context=context,
    )
    channels = Channels(tuple(given), tuple(unweighed) if len(parts) > 1 else (), tuple(unwanted))
    return Table(union, {row[0]: row[1] for row in columns}), named, channels


def _own(channel: str, said: Any, arguments: Arguments) -> dict[str, Any]:
    """The table of a channel and what its columns are called."""
    default = {column: getattr(arguments, column) for column in COLUMNS}
    default |= {"identities": None, "wanted": True}
    if isinstance(said, str):
        return {**default, "events": said}
    argument, allowed = f"events.{channel}", ("events", *COLUMNS, "identities", "wanted")
    if not isinstance(said, dict) or not isinstance(said.get("events"), str):
        raise MorecError(
            f"{argument}: the name of a table is needed, or a struct such as"
            f" {{events: 'web_events', user_id: 'visitor'}}, not {said!r}"
        )
    for name, value in said.items():
        if name not in allowed:
            raise MorecError(f"{argument}: unknown field {name!r}; {nearest(name, allowed)}")
        if name == "wanted":
            truth(f"{argument}.wanted", value)
        elif not isinstance(value, str | None):
            raise MorecError(f"{argument}.{name}: a name is needed, not {value!r}")
    return {**default, **said}


def _check_alike(column: str, types: dict[str, str]) -> None:
    """Raise a MorecError where channels have ids of types that do not go together."""
    (first, kind), *others = types.items()
    for channel, other in others:
        if not go_together(kind, other):
            raise MorecError(
                f"events: the {column} of {shown(channel)} is {other}, but that of {shown(first)}"
                f" is {kind}; a view with CAST makes them one type"
            )
