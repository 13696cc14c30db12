"""A recommender removed."""

from __future__ import annotations

from typing import Any

import duckdb

from ..errors import MorecError
from ..progress import STAGE_COLUMNS, STAGE_TYPES, Stage
from ..registry import Argument, macros, sql_function
from ..session import Session
from ..templates import first_row, identifier, literal, sql, transaction
from .installed import remove_macros
from .kept_lists import LISTS, MADE, is_kept
from .recommenders import check_writable, default_of, recommender_of, recommenders
from .versions import TABLES, kept

OF_CAMPAIGNS = {
    "TABLE": ("settings", "model", "objectives", "quality", "balance", "uplift"),
    "VIEW": ("members", "items", "redemptions", "purchases"),
}
OBJECTS = {
    "TABLE": ("settings", "objectives", "archive", "reason_templates", "weight_presets", "rules",
              *(f"campaign_{table}" for table in OF_CAMPAIGNS["TABLE"])),
    "VIEW": ("events", "items", "users", "user_labels", "user_graph", "impressions", "sources",
             "stages", "versions", *TABLES, "campaigns",
             *(f"campaign_{view}" for view in OF_CAMPAIGNS["VIEW"])),
}  # fmt: skip


@sql_function(
    of="database",
    returns=STAGE_TYPES,
    arguments=(Argument("name", "the recommender"),),
    result=STAGE_COLUMNS,
    template="catalog/rows",
)
def drop_recommender(session: Session, catalog: str, _: str, given: dict[str, Any]) -> list[Stage]:
    """Removes a recommender."""
    with session.cursor(catalog) as cursor:
        return [("drop", drop(cursor, catalog, given["name"]), None)]


def drop(con: duckdb.DuckDBPyConnection, catalog: str, name: str | None) -> int:
    """Remove a recommender and return the number of its items; what is not ours stops it."""
    name = recommender_of(con, catalog, name)
    check_writable(con, catalog, name)
    schema = identifier(name)
    con.execute(f"USE {identifier(catalog)}")
    there = con.execute(
        sql("catalog/objects", catalog=literal(catalog), schema_name=literal(name))
    ).fetchall()
    ours = {(kind, one) for kind, names in OBJECTS.items() for one in names}
    ours |= {("TABLE", f"{table}_{number}") for table in TABLES for number in kept(con, name)}
    # of one that was made before there were versions
    ours |= {("TABLE", table) for table in ("stages", *TABLES)}
    ours |= {(macro.kind, macro.name) for macro in macros("recommender")}
    if is_kept(con, name):
        ours |= {("TABLE", LISTS), ("TABLE", MADE)}
    others = sorted(set(there) - ours)
    if others:
        kind, other = others[0]
        raise MorecError(
            f"name: the schema {name!r} holds the {kind.lower()} {other!r}, which is not the"
            " recommender's; move it first"
        )
    row = first_row(con, f"SELECT count(*) FROM {schema}.item_vectors")
    is_default = default_of(con, catalog) == name
    with transaction(con):
        con.execute(f"DROP SCHEMA {schema} CASCADE")
        if is_default:
            con.execute("DROP MACRO TABLE main.recommend")
        if not recommenders(con, catalog):
            remove_macros(con)
    return int(row[0]) if row else 0
