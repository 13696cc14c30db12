"""keep_lists: the lists of all users as a table, which every refresh makes anew."""

from __future__ import annotations

import json
import time
from typing import Any

import duckdb

from ..errors import MorecError, reason, shown
from ..progress import STAGE_COLUMNS, STAGE_TYPES, Stage
from ..registry import Argument, sql_function
from ..session import Session
from ..templates import first_row, identifier, literal, sql, transaction, type_of
from .recommenders import check_writable, recommender_of, tables_of
from .users import users_named

LISTS, MADE = "lists", "lists_made"  # the tables
# of recommend, as they are there
PASSED = {
    "weights": ("the weights, as in recommend", "NULL"),
    "k": ("length of each list", "10"),
    "filter": ("a SQL predicate over the view items, as in recommend", "NULL"),
    "exclude_seen": ("as in recommend", "NULL"),
}


@sql_function(
    of="database",
    returns=STAGE_TYPES,
    arguments=(
        Argument("name", "the recommender"),
        *(Argument(name, about, default) for name, (about, default) in PASSED.items()),
        Argument(
            "users",
            "who lists are for: a table, a view or a SELECT statement with a column of users; by"
            " default all who have an event or are in the table of users",
            "NULL",
        ),
    ),
    result=STAGE_COLUMNS,
    template="catalog/rows",
)
def keep_lists(session: Session, catalog: str, _: str, given: dict[str, Any]) -> list[Stage]:
    """Makes the table lists of a recommender, for tools that show tables only; every refresh makes
    it anew until it is dropped."""
    with session.cursor(catalog) as con:
        name = recommender_of(con, catalog, given["name"])
        check_writable(con, catalog, name)
        if not is_kept(con, name) and _is_taken(con, name):
            raise MorecError(
                f"name: the schema {name!r} holds a table or view {LISTS!r}, which keep_lists did"
                " not make; move it first"
            )
        return [_make(con, name, {one: given[one] for one in (*PASSED, "users")})]


def is_kept(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether the table lists of a recommender is there, and is ours."""
    return {LISTS, MADE} <= tables_of(con, name)


def _is_taken(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether a table or view has its name, in any spelling."""
    row = first_row(
        con,
        "SELECT 1 FROM information_schema.tables WHERE table_catalog = current_database()"
        " AND table_schema = ? AND lower(table_name) = ?",
        [name, LISTS],
    )
    return row is not None


def lists_anew(session: Session, catalog: str, name: str) -> list[Stage]:
    """Make the table lists anew, where one is kept, since the recommender has changed.

    A change is not undone by what is wrong with it, such as a filter over a column that there is
    not any more: then a stage says so, and the table is as it was.
    """
    with session.cursor(catalog) as con:
        if not is_kept(con, name):
            return []
        try:
            row = first_row(con, f"SELECT arguments FROM {identifier(name, MADE)}")
            return [_make(con, name, json.loads(row[0]) if row else {})]
        except (MorecError, duckdb.Error, ValueError) as error:
            if isinstance(error, duckdb.InterruptException):
                raise
            return [(f"{LISTS} stay as they were: {reason(error)}", 0, None)]


def _make(con: duckdb.DuckDBPyConnection, name: str, given: dict[str, Any]) -> Stage:
    """Write the table in one transaction."""
    began = time.perf_counter()
    schema = identifier(name)
    users = users_named(con, name, given.get("users"))
    statements = sql(
        "catalog/lists",
        schema=schema,
        user_type=type_of(con, "user_id", f"{schema}.events"),
        users=users,
        arguments=literal(json.dumps(given)),
        **{one: _passed(given.get(one)) for one in PASSED},
    )
    try:
        if given.get("users") is not None and first_row(con, f"{users} LIMIT 1") is None:
            raise MorecError(f"users: {shown(given['users'])} names no user")
        with transaction(con):
            con.execute(statements)
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        raise MorecError(reason(error)) from None
    row = first_row(con, f"SELECT count(*) FROM {identifier(name, LISTS)}")
    return (LISTS, row[0] if row else 0, round(time.perf_counter() - began, 3))


def _passed(value: Any) -> str:
    """An argument as recommend takes it."""
    if isinstance(value, list | dict):
        return f"CAST({literal(json.dumps(value))} AS JSON)"
    return literal(value)
