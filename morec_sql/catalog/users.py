"""The users that an argument names."""

from __future__ import annotations

from typing import Any

import duckdb

from ..errors import MorecError, shown
from ..source.expressions import query as query_written
from ..source.tables import Table, find_table
from ..templates import database_of, identifier, sql, type_of
from .recommenders import stored_arguments


def users_named(con: duckdb.DuckDBPyConnection, name: str, given: Any) -> str:
    """The query, as SQL, of the users that the argument users is about, as texts.

    Args:
        con: a connection that uses the recommender's database.
        name: the recommender.
        given: a table, a view or a SELECT statement; None for all users that are known.

    Raises:
        MorecError: it is none of these, or no column of it is known to hold users.
    """
    schema = identifier(name)
    if given is None:
        return sql("catalog/users_known", schema=schema)
    if not isinstance(given, str):
        raise MorecError(f"users: {shown(given)} is neither a table, a view nor a query")
    arguments, where = stored_arguments(con, database_of(con), name)
    table = query_written(con, "users", given)
    if table is None:
        table = find_table(con, "users", given, database_of(con), where)
    column = _column_of_users(table, arguments.user_id, arguments.users_user_id)
    return sql(
        "catalog/users_given",
        relation=table.sql,
        column=identifier(column),
        user_type=type_of(con, "user_id", f"{schema}.events"),
    )


def _column_of_users(table: Table, *known: str | None) -> str:
    """The column of a table that holds users."""
    if len(table.columns) == 1:
        return next(iter(table.columns))
    names = list(dict.fromkeys(one for one in (*known, "user_id") if one is not None))
    column = table.one_of(names)
    if column is None:
        raise MorecError(
            f"users: {shown(table.sql)} has several columns, and none is called"
            f" {' or '.join(names)}"
        )
    return column
