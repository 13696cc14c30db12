"""A recommender removed."""

from __future__ import annotations

from typing import Any

import duckdb

from ..errors import MorecError
from ..progress import STAGE_COLUMNS, STAGE_TYPES, Stage
from ..registry import Argument, sql_function
from ..session import Session
from ..templates import first_row, identifier
from .recommenders import OWN_OBJECTS, default_of, stored_arguments


@sql_function(
    of="database",
    returns=STAGE_TYPES,
    arguments=(Argument("name", "the recommender"),),
    result=STAGE_COLUMNS,
)
def drop_recommender(session: Session, catalog: str, _: str, given: dict[str, Any]) -> list[Stage]:
    """Removes a recommender."""
    with session.cursor(catalog) as cursor:
        return [("drop", drop(cursor, catalog, given["name"]), None)]


def drop(con: duckdb.DuckDBPyConnection, catalog: str, name: str | None) -> int:
    """Remove a recommender and return the number of its items."""
    stored_arguments(con, catalog, name)
    name = str(name)
    con.execute(f"USE {identifier(catalog)}")
    foreign = con.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_catalog = ?"
        " AND table_schema = ?",
        [catalog, name],
    ).fetchall()
    others = sorted({row[0] for row in foreign} - OWN_OBJECTS)
    if others:
        raise MorecError(
            f"name: the schema {name!r} holds {others[0]!r}, which is not the recommender's;"
            " move it first"
        )
    row = first_row(con, f"SELECT count(*) FROM {identifier(name)}.item_vectors")
    is_default = default_of(con, catalog) == name
    con.execute("BEGIN")
    try:
        con.execute(f"DROP SCHEMA {identifier(name)} CASCADE")
        if is_default:
            con.execute("DROP MACRO TABLE main.recommend")
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise
    return int(row[0]) if row else 0
