"""What users were shown: tables whose rows are impressions."""

from __future__ import annotations

import dataclasses
from typing import Any

import duckdb

from ..errors import MorecError
from ..templates import identifier, sql
from .expressions import is_number, is_time
from .pairs import id_as, named
from .tables import Id, usable_time

MOST_PLACES = 20  # of a list; those behind are as the last
NEEDED = "a table with its columns is needed, such as 'shown(user_id, item_id, shown_at)'"


@dataclasses.dataclass(frozen=True)
class Shown:
    """Impressions as SQL, with the columns user_id, item_id, shown_at and place, from 1 on.

    usable is of a row _s; placed says whether the place is known.
    """

    sql: str
    usable: str
    placed: bool

    @property
    def parts(self) -> dict[str, str]:
        """The table and its columns, as answer/impressions.py reads them."""
        found = {"table": f"({self.sql})", "user": "user_id", "item": "item_id", "at": "shown_at"}
        return {**found, "place": "place"} if self.placed else found


def shown_to_users(
    con: duckdb.DuckDBPyConnection, catalog: str, schema: str, given: Any, user: Id, item: Id
) -> Shown:
    """Read what was shown: 'table(user, item, time)', or with the place behind, or several.

    Args:
        con: where the tables are.
        catalog: the database where they are looked up first.
        schema: the schema, likewise.
        given: as it came.
        user: the ids of users.
        item: the ids of items.

    Raises:
        MorecError: there is no such table, or a column is missing or of another type.
    """
    written, placed = [], False
    for one in given if isinstance(given, list) and given else [given]:
        table, columns = named(con, "impressions", one, catalog, schema, (3, 4), NEEDED)
        user_id = id_as("impressions", columns[0], table, "_s", user, "users")
        item_id = id_as("impressions", columns[1], table, "_s", item, "items")
        kind = table.columns[columns[2]]
        if not is_time(kind):
            raise MorecError(f"impressions: the column {columns[2]!r} is {kind}, no time")
        place = "1"
        if len(columns) > 3:
            kind, placed = table.columns[columns[3]], True
            if not is_number(kind):
                raise MorecError(
                    f"impressions: the column {columns[3]!r} is {kind}, but a place is a number"
                )
            number = f"least(coalesce(_s.{identifier(columns[3])}, 1), {MOST_PLACES})"
            place = f"CAST(greatest({number}, 1) AS INTEGER)"
        written.append(
            sql(
                "source/impressions",
                user_id=user_id,
                item_id=item_id,
                shown_at=identifier(columns[2]),
                place=place,
                table=table.sql,
            )
        )
    usable = (
        f"{user.usable('_s.user_id', '_s.item_id')} AND {item.usable('_s.item_id', '_s.user_id')}"
        f" AND {usable_time('_s.shown_at')}"
    )
    return Shown(" UNION ALL ".join(written), usable, placed)
