"""The tables of a recommender as SQL, from its arguments."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import duckdb

from ..errors import MorecError, shortened, shown
from ..templates import identifier, literal, sql, type_of
from .arguments import Arguments
from .channels import Channels, events_of
from .expressions import as_vector, expression, go_together, is_number, is_time, is_vector
from .graphs import Edges, edges_of_items, edges_of_users
from .impressions import Shown, shown_to_users
from .labels import Feature, features_of_events, features_of_users
from .losses import Loss, declared, wanted
from .tables import Id, Table, find_table, usable_time

USABLE_WEIGHT = "_c.weight > 0 AND _c.weight < CAST('infinity' AS DOUBLE)"


@dataclasses.dataclass
class Source:
    """The user's tables as SQL; in item_sql and time_sql the events are called _e.

    Each loss comes with the events as in events_raw, but what it reads as their weight;
    events_context are they with a column for each of the contexts, and events_with with further
    ones, given by name as SQL over a row _e; events_weighed are they where channels have such
    weights. some is the condition on item_sql that keeps only some of the items, None for all;
    schema is where unqualified names of tables are looked up first.
    """

    events: Table
    losses: list[tuple[Loss, str]]
    item_sql: str
    time_sql: str
    events_raw: str
    usable: str
    user_usable: str
    item_usable: str
    time_usable: str
    items: Table | None
    items_key: Id
    users: Table | None
    users_key: Id
    user_features: list[Feature]
    contexts: list[Feature]
    events_context: str
    events_with: Callable[[Mapping[str, str]], str]
    item_type: str
    user_type: str
    has_time: bool
    channels: Channels
    channel_weights: Mapping[str, float] | None
    events_weighed: Callable[[Mapping[str, float]], str]
    text: list[str]
    vectors: dict[str, str]
    item_graph: Edges | None
    user_graph: Edges | None
    impressions: Shown | None
    item_time: str | None
    unlisted_items: bool
    schema: str
    until: str | None = None
    some: str | None = None

    def before(self, until: str) -> Source:
        """The same without the events from the timestamp `until` on."""
        before = f" AND _c.event_time < CAST({literal(until)} AS TIMESTAMP)"
        return dataclasses.replace(
            self,
            usable=self.usable + before,
            time_usable=self.time_usable + before,
            until=until,
        )

    def weighing(self, channels: Mapping[str, float]) -> Source:
        """The same where the weights of the events of channels are multiplied by these."""
        events_raw = self.events_weighed(channels)
        return dataclasses.replace(self, events_raw=events_raw, channel_weights=channels)

    def among(self, table: str) -> Source:
        """The same with the items alone whose item_id a table has, and their events."""
        ids = f"IN (SELECT item_id FROM {table})"
        items = self.items
        if items is not None:
            some = f"(SELECT * FROM {items.sql} AS _i WHERE {self.items_key.sql} {ids})"
            items = dataclasses.replace(items, sql=some)
        return dataclasses.replace(self, items=items, some=f"{self.item_sql} {ids}")

    @property
    def identified(self) -> str:
        """The condition that a row has a user, an item and a time, whatever its weight."""
        return f"{self.user_usable} AND {self.item_usable} AND {self.time_usable}"

    @property
    def text_sql(self) -> str:
        """The text of an item, NULL without one."""
        parts = ", ".join(
            f"nullif(trim(CAST({identifier(column)} AS VARCHAR)), '')" for column in self.text
        )
        return f"nullif(concat_ws(' | ', {parts}), '')" if parts else "CAST(NULL AS VARCHAR)"


def resolve(
    con: duckdb.DuckDBPyConnection, catalog: str, schema: str, arguments: Arguments
) -> Source:
    """Turn the arguments into SQL over the user's tables, checking every name and type."""
    events, named, channels = events_of(con, catalog, schema, arguments)
    user = Id.of("user_id", events.column("user_id", named.user_id), events, "_e")
    item = Id.of("item_id", events.column("item_id", named.item_id), events, "_e")
    item_sql, item_type = item.sql, item.kind
    items, items_key = None, item
    if arguments.items is not None:
        items = find_table(con, "items", arguments.items, catalog, schema)
        items_key = _key(items, "items", "item_id", arguments, item)
        if items_key.kind != item_type:
            item_sql, item_type = f"TRY_CAST({item_sql} AS {items_key.kind})", items_key.kind
    users, users_key = None, user
    if arguments.users is not None:
        users = find_table(con, "users", arguments.users, catalog, schema)
        users_key = _key(users, "users", "user_id", arguments, user)
        if users_key.kind != user.kind:
            cast = f"TRY_CAST({users_key.sql} AS {user.kind})"
            users_key = Id(users_key.column, cast, user.kind)
    elif arguments.users_user_id:
        raise MorecError("users_user_id: it names a column of users, but users is not given")
    text, item_time = _columns_of_items(items, arguments)
    time_sql = "CAST(NULL AS TIMESTAMP)"
    if named.event_time is not None:
        column = events.column("event_time", named.event_time)
        _check_time("event_time", column, events.columns[column])
        time_sql = f"CAST(_e.{identifier(column)} AS TIMESTAMP)"
    losses = declared(con, arguments.losses, events)

    contexts = features_of_events(con, events, named.context)
    columns = {f"context_{place}": one.value for place, one in enumerate(contexts)}
    own = _weight(con, events, named.event_weight)

    def read(weight: str, beside: Mapping[str, str] | None = None) -> str:
        return sql(
            "source/events_raw",
            user_id=user.sql,
            item_id=item_sql,
            event_time=time_sql,
            event_weight=weight,
            wanted=wanted(losses) or channels.wanted,
            beside="".join(f", ({one}) AS {name}" for name, one in (beside or {}).items()),
            events=events.sql,
        )

    def weighed(weights: Mapping[str, float] | None) -> str:
        return f"({own}) * {channels.weighing(weights)}" if weights else own

    impressions = None
    if arguments.impressions is not None:
        if named.event_time is None:
            raise MorecError("impressions: the events have no event_time, so nothing comes after")
        of_items = dataclasses.replace(item, kind=item_type)
        impressions = shown_to_users(con, catalog, schema, arguments.impressions, user, of_items)
    weight = weighed(arguments.channel_weights)
    time_usable = usable_time("_c.event_time") if named.event_time else "true"
    return Source(
        events=events,
        losses=[(loss, read(loss.sql)) for loss in losses],
        item_sql=item_sql,
        time_sql=time_sql,
        events_raw=read(weight),
        channel_weights=arguments.channel_weights,
        events_weighed=lambda weights: read(weighed(weights)),
        usable=f"{user.usable('_c.user_id', '_c.item_id')}"
        f" AND {items_key.usable('_c.item_id', '_c.user_id')}"
        f" AND {time_usable} AND {USABLE_WEIGHT}",
        user_usable=user.usable("_c.user_id"),
        item_usable=items_key.usable("_c.item_id"),
        time_usable=time_usable,
        items=items,
        items_key=items_key,
        users=users,
        users_key=users_key,
        user_features=features_of_users(users, arguments.user_features, users_key.column),
        contexts=[
            dataclasses.replace(one, value=f"_c.{name}")
            for one, name in zip(contexts, columns, strict=True)
        ],
        events_context=read(weight, columns),
        events_with=lambda beside: read(weight, beside),
        item_type=item_type,
        user_type=user.kind,
        has_time=named.event_time is not None,
        channels=channels,
        text=text,
        vectors=_vectors(con, items, arguments.vectors),
        item_graph=edges_of_items(con, catalog, schema, arguments.item_graph, item_type),
        user_graph=edges_of_users(con, catalog, schema, arguments.user_graph, user),
        impressions=impressions,
        item_time=item_time,
        unlisted_items=arguments.unlisted_items,
        schema=schema,
    )


def _key(table: Table, name: str, standard: str, arguments: Arguments, of_events: Id) -> Id:
    """The ids of the table of items or users, of a type that those of the events can be cast to.

    Args:
        table: the table.
        name: what the argument is called that names it.
        standard: the argument that names the column, unless there is one for this table.
        arguments: of create_recommender.
        of_events: the ids in the events.
    """
    own = f"{name}_{standard}"
    argument = own if getattr(arguments, own) else standard
    key = Id.of(argument, table.column(argument, getattr(arguments, argument)), table, "_i")
    if not go_together(key.kind, of_events.kind):
        raise MorecError(
            f"{standard}: {of_events.column!r} is {of_events.kind} in the events but"
            f" {key.column!r} is {key.kind} in the {name}; both must have one type"
        )
    return key


def _columns_of_items(items: Table | None, arguments: Arguments) -> tuple[list[str], str | None]:
    """The columns of the texts and of the time of the items."""
    if items is None:
        for argument in ("text", "item_time", "items_item_id"):
            if getattr(arguments, argument):
                raise MorecError(f"{argument}: it names columns of items, but items is not given")
        return [], None
    text = [items.column("text", column) for column in arguments.text or []]
    for name in text:
        kind = items.columns[name]
        if kind != "VARCHAR" and not kind.startswith("ENUM"):
            raise MorecError(f"text: the column {name!r} is {kind}, but text must be VARCHAR")
    if arguments.item_time is None:
        return text, None
    item_time = items.column("item_time", arguments.item_time)
    _check_time("item_time", item_time, items.columns[item_time])
    return text, item_time


def _vectors(
    con: duckdb.DuckDBPyConnection, items: Table | None, given: dict[str, str] | None
) -> dict[str, str]:
    """The vectors that items have, by their names, as SQL of lists of numbers."""
    if not given:
        return {}
    if items is None:
        raise MorecError("vectors: it names columns of items, but items is not given")
    found = {}
    for name, text in given.items():
        argument = f"vectors.{name}"
        written = expression(con, argument, text, items, wanted="category", every_row=True)
        kind = type_of(con, f"({written})", items.sql)
        if not is_vector(kind):
            raise MorecError(
                f"{argument}: {shown(text)} is {shown(kind)}, but a list of numbers such as"
                " FLOAT[512] is needed"
            )
        found[name] = as_vector(written)
    return found


def _weight(con: duckdb.DuckDBPyConnection, events: Table, given: str | None) -> str:
    """The weight of an event as SQL: 1, a column or an expression."""
    if given is None:
        return "1.0"
    if given not in events.columns:
        return expression(con, "event_weight", given, events, every_row=True)
    kind = events.columns[given]
    if not is_number(kind) and kind != "BOOLEAN":
        raise MorecError(
            f"event_weight: the column {given!r} is {kind}, but a weight must be a number"
        )
    return identifier(given)


def _check_time(argument: str, column: str, kind: str) -> None:
    if not is_time(kind):
        way = f"CAST({column} AS TIMESTAMP)"
        if is_number(kind):
            way = f"to_timestamp({column}) (of seconds; epoch_ms({column}) of milliseconds)"
        raise MorecError(
            f"{argument}: the column {column!r} is {shortened(kind, 90)}, not a TIMESTAMP or DATE;"
            f" a view with {way} makes one of it"
        )
