"""The rules of a recommender: what each kind of them is, and how their rows are read."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import re
from typing import Any

import duckdb

from ..catalog.recommenders import stored_arguments
from ..errors import MorecError, nearest, shown
from ..source.expressions import evaluated, expression, is_number, is_time
from ..source.tables import Table, find_table
from ..templates import DIALECT, database_of, first_row, identifier, sql
from .filters import items_of, users_of
from .impressions import DAYS

MOST = 10_000  # rules that are kept
PLACES = ("place", "position", "rank")  # columns of what was shown that say where in a list
AMOUNT = r"(?P<amount>\d+(?:\.\d+)?)"
COUNT = r"(?P<amount>\d+)"
OTHERS, A_PREDICATE = "(?P<others>.+)", "a predicate over the items"
AN_AMOUNT = "an amount above 0 such as 0.5, or a share such as 30 %"


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of rule, whole.

    about says what it does. value is a pattern of what may stand there, whose groups are fields of
    Rule, None where nothing may; said is that in words, and default stands for NULL. items says
    whether items must be named, zero whether the amount may be 0.
    """

    about: str
    value: str | None = None
    said: str = "nothing"
    default: str | None = None
    items: bool = True
    zero: bool = False


KINDS = {
    "exclude": Kind("the items are not listed"),
    "include_only": Kind("no other items are listed"),
    "pin": Kind("the best of the items has that rank", COUNT, "a rank from 1 up", default="1"),
    "boost": Kind(
        "the items score higher by that amount, or are at least that share of the list",
        AMOUNT + "(?P<share> ?%)?", AN_AMOUNT,
    ),
    "bury": Kind(
        "the items score lower by that amount, or are at most that share of the list",
        AMOUNT + "(?P<share> ?%)?", AN_AMOUNT,
    ),
    "slots": Kind(
        "at least so many of the list, or of its first places, are of the items",
        COUNT + r"(?: of (?P<first>\d+))?",
        "a number such as 2, or 2 of 6 for the first six places",
    ),
    "cap": Kind(
        "at most so many of the list are of the items", COUNT, "a number from 0 up", zero=True
    ),
    "cooldown": Kind(
        "the items are not listed for so many days after the user took them, or any that has the"
        " same value of a column",
        COUNT + " days?(?: per (?P<per>.+))?", "30 days, or 30 days per category", items=False,
    ),
    "frequency": Kind(
        "the items are not listed where a table, such as of what was shown, has the user with them"
        " so often in so many days, or with any that have the same value of a column",
        COUNT + r" in (?P<days>\d+) days? of (?P<of>.+?)(?: per (?P<per>.+))?",
        "3 in 7 days of shown, where shown is a table with the columns of users, items and a time,"
        " or 3 in 7 days of shown per category",
        items=False,
    ),
    "fatigue": Kind(
        "the relevance of the items falls as far as being shown before was found to lower the"
        " chance that they are taken, by how often a table has the user with them in so many days",
        r"(?P<of>.+?)(?: in (?P<days>\d+) days?)?",
        f"shown, a table as of frequency, or shown in 14 days; {DAYS} days by default",
        items=False,
    ),
    "replace": Kind(
        "where one of the items would be listed the best of others has its place, of which the"
        " value is true",
        OTHERS, A_PREDICATE,
    ),
    "never_with": Kind(
        "the items are in no list together with others, of which the value is true",
        OTHERS, A_PREDICATE,
    ),
    "after": Kind(
        "in a list the items stand behind others, of which the value is true", OTHERS, A_PREDICATE
    ),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Seen:
    """A table of what users saw: its columns as SQL, and how many days of it count.

    place is the column of the place in the list, None where it has none.
    """

    table: str
    user_id: str
    item_id: str
    at: str
    place: str | None
    days: int

    @property
    def parts(self) -> dict[str, str]:
        """The table and its columns, as `impressions` reads them."""
        found = {"table": self.table, "user": self.user_id, "item": self.item_id, "at": self.at}
        return found if self.place is None else {**found, "place": self.place}


@dataclasses.dataclass(frozen=True, eq=False)
class Rule:
    """A rule that can be applied; all SQL is checked.

    items, users and others are predicates, None for all; per is SQL that gives a category; context
    is a predicate as it was written. amount is that of the kind: what is added to a score, a share,
    a rank, a number of items, days or times; share, first and seen say more of it.
    """

    name: str
    kind: str
    items: str | None
    users: str | None
    context: str | None
    starts: datetime.datetime | None
    ends: datetime.datetime | None
    enabled: bool
    amount: float = 0.0
    share: bool = False
    first: int | None = None
    per: str | None = None
    others: str | None = None
    seen: Seen | None = None

    @property
    def tires(self) -> Seen | None:
        """The table of what was shown, of which the items tire users; None for other kinds."""
        return self.seen if self.kind == "fatigue" else None

    def holds(self, when: datetime.datetime) -> bool:
        """Whether it is in force at a time."""
        begun = self.starts is None or self.starts <= when
        return self.enabled and begun and (self.ends is None or when < self.ends)


@dataclasses.dataclass(frozen=True, eq=False)
class Broken:
    """A rule that cannot be applied, and why."""

    name: str
    why: str
    enabled: bool


def rules_of(
    con: duckdb.DuckDBPyConnection, schema: str, checked: dict[tuple[Any, ...], Rule | Broken]
) -> tuple[int, list[Rule | Broken]]:
    """The sum over the rules of a recommender, and these, those of the highest priority first.

    Args:
        con: where they are.
        schema: the recommender.
        checked: those that were read before, by their rows; others are added. What has changed in
            the tables since shows when they are evaluated.
    """
    try:
        rows = con.execute(sql("answer/rules", schema=identifier(schema))).fetchall()
    except duckdb.CatalogException:  # made before there were rules
        return 0, []
    rows.sort(key=lambda row: (-(row[-2] or 0), row[0]))
    if not checked.keys() >= set(rows):
        if len(checked) > MOST:
            checked.clear()
        tables = items_of(con, schema), users_of(con, schema)
        new = (row for row in rows if row not in checked)
        checked |= {row: _checked(con, schema, row, *tables) for row in new}
    return sum(row[-1] for row in rows), [checked[row] for row in rows]


def _checked(
    con: duckdb.DuckDBPyConnection,
    schema: str,
    row: tuple[Any, ...],
    items: Table,
    users: Table | None,
) -> Rule | Broken:
    name, kind, of_items, value, of_users, context, starts, ends, enabled, *_ = row
    enabled = enabled is not False
    try:
        return rule_of(
            con, schema, items, users, name=name, kind=kind, items=of_items, value=value,
            users=of_users, context=context, starts=starts, ends=ends, enabled=enabled,
        )  # fmt: skip
    except MorecError as error:
        return Broken(name, str(error), enabled)


def rule_of(
    con: duckdb.DuckDBPyConnection,
    schema: str,
    table: Table,
    of_users: Table | None,
    *,
    name: str,
    kind: str,
    items: str | None = None,
    value: str | None = None,
    users: str | None = None,
    context: str | None = None,
    starts: datetime.datetime | None = None,
    ends: datetime.datetime | None = None,
    enabled: bool = True,
) -> Rule:
    """Check a row of the table of rules.

    Args:
        con: where predicates are bound.
        schema: the recommender.
        table: the recommender's view of the items.
        of_users: that of the users, None without any.
        others: the columns of the row.

    Raises:
        MorecError: it cannot be applied.
    """
    if kind not in KINDS:
        raise MorecError(f"kind: {shown(kind)} is no kind of rule; {nearest(str(kind), KINDS)}")
    said = KINDS[kind]
    if items is None and said.items:
        raise MorecError(f"items: {kind} needs a predicate over the items")
    if starts is not None and ends is not None and ends <= starts:
        raise MorecError(f"ends: {ends} is not after {starts}, where the rule starts")

    def predicate(argument: str, text: str | None, over: Table) -> str | None:
        return text and expression(con, argument, text, over, wanted="predicate")

    if users is not None and of_users is None:
        raise MorecError("users: the recommender was made without a table of users")
    if context is not None:
        in_context(con, context, {})
    value = said.default if value is None else value
    found = re.fullmatch(said.value or "", (value or "").strip(), re.DOTALL)
    wrong = MorecError(f"value: {shown(value)} came, but {kind} takes {said.said}")
    if found is None:
        raise wrong
    of: dict[str, str | None] = dict.fromkeys(
        ("amount", "share", "first", "per", "others", "days", "of")
    )
    of |= found.groupdict()
    amount, first = float(of["amount"] or 0), int(of["first"] or 0)
    days = DAYS if of["days"] is None else int(of["days"])
    if of["share"] is not None:
        amount /= 100
    too_much = (of["share"] is not None and amount > 1) or (first and amount > first)
    if too_much or not days or (of["amount"] is not None and not amount and not said.zero):
        raise wrong
    per = of["per"] and expression(con, "value", of["per"], table, wanted="category")
    return Rule(
        name=name,
        kind=kind,
        items=predicate("items", items, table),
        users=None if of_users is None else predicate("users", users, of_users),
        context=context,
        starts=starts,
        ends=ends,
        enabled=enabled,
        amount=amount,
        share=of["share"] is not None,
        first=first or None,
        per=per,
        others=predicate("value", of["others"], table),
        seen=None if of["of"] is None else _seen(con, schema, of["of"], days),
    )


def _seen(con: duckdb.DuckDBPyConnection, schema: str, name: str, days: int) -> Seen:
    """Look up a table of what users saw, by its name."""
    catalog = database_of(con)
    arguments, where = stored_arguments(con, catalog, schema)
    table = find_table(con, "value", name.strip(), catalog, where)

    def column(*names: str) -> str:
        there = table.one_of(names)
        if there is None:
            needed = " or ".join(dict.fromkeys(names))
            raise MorecError(f"value: {table.sql} has no column {needed}")
        return identifier(there)

    times = [name for name, kind in table.columns.items() if is_time(kind)]
    at = next((one for one in times if one == arguments.event_time), None)
    if at is None and len(times) == 1:
        at = times[0]
    if at is None:
        raise MorecError(
            f"value: {table.sql} needs one column of times, or {arguments.event_time}, and has"
            f" {', '.join(times) or 'none'}"
        )
    place = table.one_of(PLACES)
    if place is not None and not is_number(table.columns[place]):
        place = None
    return Seen(
        table.sql, column(arguments.user_id, "user_id"), column(arguments.item_id, "item_id"),
        identifier(at), None if place is None else identifier(place), days,
    )  # fmt: skip


def in_context(con: duckdb.DuckDBPyConnection, predicate: str, context: dict[str, Any]) -> bool:
    """Whether a predicate is true of the context of a query; what that lacks is NULL.

    Raises:
        MorecError: it is no predicate.
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    lowered = {name.lower(): value for name, value in context.items()}
    names: set[str] = set()
    with contextlib.suppress(SqlglotError, RecursionError):
        parsed = sqlglot.parse_one(predicate, dialect=DIALECT)
        names = {column.name.lower() for column in parsed.find_all(exp.Column)}
    row = exp.Select(
        expressions=[
            exp.alias_(exp.convert(lowered.get(name)), name, quoted=True) for name in sorted(names)
        ]
        or [exp.Literal.number(1)]
    )
    table = Table(f"({row.sql(DIALECT)})", dict.fromkeys(names, ""))
    checked = expression(con, "context", predicate, table, wanted="category")
    with evaluated("context", predicate):
        found = first_row(con, f"SELECT CAST(({checked}) AS BOOLEAN) FROM {table.sql} AS _c")
    return bool(found and found[0])
