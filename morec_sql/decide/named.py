"""Tables that an argument names with their columns, such as 'prices(item_id, price, starts)'."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

import duckdb

from ..errors import MorecError
from ..source.pairs import check_ids, named
from ..source.source import Source
from ..templates import identifier


@dataclasses.dataclass(frozen=True)
class Column:
    """A column that is needed, by what SQL calls it.

    of says whose ids it holds; else fits whether it can be of a type, and wanted that in words.
    """

    name: str
    wanted: str = ""
    fits: Callable[[str], bool] = lambda kind: True
    of: Literal["users", "items"] | None = None


def named_table(
    con: duckdb.DuckDBPyConnection,
    catalog: str,
    source: Source,
    argument: str,
    given: object,
    example: str,
    columns: tuple[Column, ...],
    least: int | None = None,
) -> dict[str, str]:
    """A table of a recommender's warehouse as parts of SQL: `table`, and its columns by name.

    Args:
        con: where it is.
        catalog: the database.
        source: the recommender's tables.
        argument: that names it.
        given: as it came.
        example: of what may come.
        columns: that are read, in their order.
        least: how many of them there have to be; all by default. Others may be missing.

    Raises:
        MorecError: there is no such table, or a column is missing or of another type.
    """
    needed = f"a table with its columns is needed, such as {example!r}"
    count = least or len(columns), len(columns)
    table, names = named(con, argument, given, catalog, source.schema, count, needed)
    for column, name in zip(columns, names, strict=False):
        kind = table.columns[name]
        if column.of is not None:
            own = source.user_type if column.of == "users" else source.item_type
            check_ids(argument, name, kind, own, column.of)
        elif not column.fits(kind):
            raise MorecError(f"{argument}: the column {name!r} is {kind}, but {column.wanted}")
    parts = zip(columns, names, strict=False)
    return {"table": table.sql} | {column.name: identifier(name) for column, name in parts}
