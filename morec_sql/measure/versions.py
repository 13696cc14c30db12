"""compare_versions: what changed from one version of a recommender to another."""

from __future__ import annotations

from typing import Any

from ..catalog.recommenders import recommender_of
from ..catalog.versions import version_of
from ..errors import MorecError
from ..registry import Argument, sql_function
from ..session import Session
from ..source.checks import whole_number
from ..templates import first_row, identifier, literal, sql
from .requests import K

MOST = 10  # items gained, and lost, that are named


@sql_function(
    of="database",
    returns={"kind": "VARCHAR", "name": "VARCHAR", "before": "DOUBLE", "after": "DOUBLE"},
    arguments=(
        Argument("name", "the recommender"),
        Argument("before", "a number of its table versions"),
        Argument("after", "another one"),
        K,
        Argument("users", "so many users' lists are compared", "1000"),
    ),
    result={
        "kind": "lists, contribution (the mean one of an objective to a score of a list), metric,"
        " item gained, or item lost",
        "name": "what was measured, or the item, whose share of the lists is given",
        "before": "its value in the first version",
        "after": "its value in the second one; of what they share there is only one",
    },
    template="catalog/rows",
)
def compare_versions(
    session: Session, catalog: str, _: str, given: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """Compares the lists of two versions of a recommender, for the same users at the same time.

    Metrics of events since are of what came after both were made, and count where something did.
    """
    k = whole_number("k", given["k"], 1, 1000)
    users = whole_number("users", given["users"], 1)
    with session.cursor(catalog) as con:
        name = recommender_of(con, catalog, given["name"])
        before, after = (version_of(con, name, given[one], one) for one in ("before", "after"))
        if before == after:
            raise MorecError(f"after: {after} is the same version as before; another one is needed")
        parts = {
            "schema": identifier(name),
            "main": identifier(catalog, "main"),
            "before": literal(before),
            "after": literal(after),
            "k": literal(k),
            "users": literal(users),
            "most": literal(MOST),
        }
        con.execute(sql("measure/version_lists", **parts))
        row = first_row(con, "SELECT count(*) FROM morec_lists")
        if row == (0,):
            raise MorecError(f"name: {name!r} has no user whose lists could be compared")
        return con.execute(sql("measure/versions_compared", **parts)).fetchall()
