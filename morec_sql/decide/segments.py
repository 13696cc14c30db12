"""Segments of users, by SQL over the view users."""

from __future__ import annotations

import duckdb

from ..answer.filters import users_of
from ..errors import MorecError
from ..source.expressions import evaluated, expression
from ..templates import identifier, sql

MOST_SEGMENTS, FEWEST_USERS = 12, 50  # of which prices are made


def segments_of(con: duckdb.DuckDBPyConnection, name: str, argument: str, text: str | None) -> str:
    """The query, as SQL, of the segment of each user; of nobody where there is no text.

    Args:
        con: a connection to the database.
        name: the recommender.
        argument: that the text came as.
        text: SQL over the users, None for none.

    Raises:
        MorecError: there is no table of users, or it is no SQL over that.
    """
    if text is None:
        return sql("decide/no_segments")
    users = users_of(con, name)
    if users is None:
        raise MorecError(
            f"{argument}: it is SQL over the users, but the recommender has no table of them"
        )
    written = expression(con, argument, text, users, wanted="category")
    return sql("decide/segments", schema=identifier(name), segment=written)


def segments_with_prices(
    con: duckdb.DuckDBPyConnection, name: str, text: str | None
) -> tuple[str, dict[str, int]]:
    """As segments_of, and how many users each has, by name: those that may have their own prices.

    Raises:
        MorecError: there are too many, or one is of too few users: prices for persons are not made.
    """
    segments = segments_of(con, name, "segments", text)
    if text is None:
        return segments, {}
    with evaluated("segments", text):
        rows = con.execute(
            f"SELECT segment, count(*) FROM ({segments}) WHERE segment IS NOT NULL GROUP BY ALL"
            " ORDER BY ALL"
        ).fetchall()
    least = min((row[1] for row in rows), default=0)
    if not 2 <= len(rows) <= MOST_SEGMENTS or least < FEWEST_USERS:
        raise MorecError(
            f"segments: {text!r} tells {len(rows)} apart, of {least} users the smallest; prices are"
            f" made for 2 to {MOST_SEGMENTS} segments of {FEWEST_USERS} users or more each, and not"
            " for persons"
        )
    return segments, dict(rows)
