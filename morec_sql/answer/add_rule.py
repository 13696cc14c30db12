"""add_rule: a rule checked, and then written."""

from __future__ import annotations

import datetime
from typing import Any

import duckdb

from ..catalog.recommenders import check_writable, recommender_of
from ..catalog.versions import relations
from ..errors import MorecError, shown
from ..registry import Argument, sql_function
from ..session import Session
from ..source.checks import truth, whole_number
from ..templates import first_row, identifier, sql
from .filters import filtered, items_of, users_filtered, users_of
from .rules import KINDS, rule_of

WHAT = "; ".join(f"{name}: {kind.about}" for name, kind in KINDS.items())
VALUES = ", ".join(f"{kind.said} ({name})" for name, kind in KINDS.items() if kind.value)


@sql_function(
    of="database",
    returns={"name": "VARCHAR", "kind": "VARCHAR", "items": "BIGINT", "users": "BIGINT"},
    arguments=(
        Argument("recommender", "the recommender"),
        Argument("name", "of the rule"),
        Argument("kind", f"what it does: {WHAT}"),
        Argument("items", "a predicate over the view items", "NULL"),
        Argument("value", VALUES, "NULL"),
        Argument(
            "users", "a predicate over the view users, for whom it holds; all by default", "NULL"
        ),
        Argument(
            "context", "a predicate over what queries say in context; any by default", "NULL"
        ),
        Argument("starts", "since when it holds", "NULL"),
        Argument("ends", "until when it holds", "NULL"),
        Argument("priority", "of two rules that contradict each other the higher one counts", "0"),
        Argument("enabled", "false for one that only queries use that name it", "true"),
        Argument("note", "what it is for", "NULL"),
        Argument("replace", "whether it may take the place of one of the same name", "false"),
    ),
    result={
        "name": "of the rule",
        "kind": "what it does",
        "items": "how many items it is about now; NULL for all",
        "users": "how many users it is about now; NULL for all",
    },
    template="catalog/rows",
)  # fmt: skip
def add_rule(
    session: Session, catalog: str, _: str, given: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """Checks a rule and writes it into the table rules of a recommender."""
    rule_name = given["name"]
    if not isinstance(rule_name, str) or not rule_name.strip():
        raise MorecError(f"name: {shown(rule_name)} came, but a rule needs a name")
    value = None if given["value"] is None else str(given["value"])
    priority = whole_number("priority", given["priority"], -(1 << 31))
    enabled = truth("enabled", given["enabled"])
    with session.cursor(catalog) as con:
        name = recommender_of(con, catalog, given["recommender"])
        check_writable(con, catalog, name)
        table = f"{identifier(name)}.rules"
        try:
            there = first_row(con, f"SELECT 1 FROM {table} WHERE name = ?", [rule_name])
        except duckdb.CatalogException:
            raise MorecError(
                f"recommender: {name!r} was made before there were rules; refresh_recommender or"
                " use_version brings them"
            ) from None
        if there and not truth("replace", given["replace"]):
            raise MorecError(
                f"name: there is a rule {rule_name!r} already; replace => true puts this one in its"
                " place"
            )
        starts, ends = (_time(con, argument, given[argument]) for argument in ("starts", "ends"))
        said = {one: given[one] for one in ("items", "users", "context")}
        rule_of(
            con, name, items_of(con, name), users_of(con, name), name=rule_name, kind=given["kind"],
            value=value, starts=starts, ends=ends, enabled=enabled, **said,
        )  # fmt: skip
        row = [
            rule_name, given["kind"], said["items"], value, said["users"], said["context"],
            starts, ends, priority, enabled, given["note"],
        ]  # fmt: skip
        of = relations(name).item_vectors
        items = said["items"] and len(filtered(con, name, said["items"], of, "items"))
        users = said["users"] and len(users_filtered(con, name, said["users"], "users"))
        con.execute(sql("answer/add_rule", schema=identifier(name)), row)
    return [(rule_name, given["kind"], items, users)]


def _time(con: duckdb.DuckDBPyConnection, argument: str, given: Any) -> datetime.datetime | None:
    """A moment as SQL passes it."""
    row = first_row(con, "SELECT TRY_CAST(CAST(? AS VARCHAR) AS TIMESTAMP)", [given])
    found: datetime.datetime | None = row[0] if row else None
    if given is not None and found is None:
        raise MorecError(f"{argument}: {shown(given)} is no time")
    return found
