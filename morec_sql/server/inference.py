"""Of which types parameters are, for clients that ask before they send values.

DuckDB says it only of values that it has. So it is read off the statement: a parameter that is
compared with a column is of its type, an argument of our functions of what it stands for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import duckdb
from pg_mimic import arrays, types

from ..registry import MACROS
from ..templates import DIALECT, identifier, literal, sql
from .catalog import Catalog

if TYPE_CHECKING:
    from sqlglot import exp

# arguments by what they are; those that a default says more of are not here
ARGUMENTS = {
    "weights": arrays.ARRAY_OID[types.FLOAT8],
    "as_of": types.TIMESTAMP,
    "day": types.DATE,
    "version": types.INT4,
    "exclude_seen": types.BOOL,
}
IDS = {"user_id": "user_id", "item_id": "item_id", "item_ids": "item_id", "items": "item_id"}


def inferred(con: duckdb.DuckDBPyConnection, catalog: Catalog, text: str) -> dict[int, int]:
    """The types of parameters that can be told, by their places from 1.

    Args:
        con: to the warehouse.
        catalog: PostgreSQL's catalogue of it.
        text: the statement.
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        tree = sqlglot.parse_one(text, dialect=DIALECT)
    except (SqlglotError, RecursionError):
        return {}
    found: dict[int, int] = {}
    columns: dict[int, str] = {}
    for node in tree.find_all(exp.Placeholder):
        if not node.name.isdigit():
            continue
        place, parent = int(node.name), node.parent
        if isinstance(parent, exp.Limit | exp.Offset):
            found[place] = int(types.INT8)
            continue
        named = _argument(node)
        if named in IDS:
            columns[place] = IDS[named]
        elif named is not None:
            found[place] = _of_argument(named)
        elif isinstance(parent, exp.Binary | exp.Between | exp.In):
            beside = (one for one in parent.iter_expressions() if isinstance(one, exp.Column))
            column = next(beside, None)
            if column is not None:
                columns[place] = column.name.lower()
    if columns:
        tables = {one.name.lower() for one in tree.find_all(exp.Table)}
        known = _types_of(con, catalog, columns.values(), tables)
        found |= {place: known[name] for place, name in columns.items() if name in known}
    return found


def _argument(node: exp.Expr) -> str | None:
    """The argument of one of our functions for which a parameter stands."""
    from sqlglot import exp

    parent = node.parent
    if isinstance(parent, exp.Kwarg):
        return str(parent.this.name).lower()
    if not isinstance(parent, exp.Anonymous):
        return None
    macro = next((one for (_, name), one in MACROS.items() if name == parent.name.lower()), None)
    place = next(place for place, one in enumerate(parent.expressions) if one is node)
    return macro.arguments[place].name if macro and place < len(macro.arguments) else None


def _of_argument(name: str) -> int:
    """The type of an argument, by its name or by its default."""
    if name in ARGUMENTS:
        return int(ARGUMENTS[name])
    defaults = (one.default for macro in MACROS.values() for one in macro.arguments
                if one.name == name and one.default)  # fmt: skip
    default = next(defaults, "NULL")
    if default in ("true", "false"):
        return int(types.BOOL)
    if default.lstrip("-").isdigit():
        return int(types.INT8)
    return int(types.FLOAT8 if default.replace(".", "").isdigit() else types.TEXT)


def _types_of(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, columns: Iterable[str], tables: set[str]
) -> dict[str, int]:
    """The types of columns that are of one type wherever they are, by their names."""
    query = sql(
        "server/types_of_columns",
        pg=identifier(catalog.attached),
        database=literal(catalog.database),
    )
    # lists of our functions are of users and items of a recommender's events
    rows = con.execute(query, [sorted(set(columns)), sorted(tables | {"events"})]).fetchall()
    return dict(rows)
