"""retention and funnel: who comes back, and who goes how far, as plain tables."""

from __future__ import annotations

from typing import Any

from ..catalog.recommenders import stored_source
from ..errors import MorecError, nearest, shown
from ..registry import Argument, sql_function
from ..session import Session
from ..source.checks import number
from ..source.expressions import evaluated, expression
from ..templates import identifier, literal, sql
from ..udfs.history import DAY
from .segments import segments_of
from .user_value import AS_OF

STEPS = {
    "day": "INTERVAL 1 DAY",
    "week": "INTERVAL 7 DAY",
    "month": "INTERVAL 1 MONTH",
    "quarter": "INTERVAL 3 MONTH",
    "year": "INTERVAL 1 YEAR",
}
MOST_STEPS = 20
FOR_EVER = 1e15  # seconds


@sql_function(
    of="recommender",
    returns={"cohort": "VARCHAR", "segment": "VARCHAR", "period": "INTEGER", "users": "BIGINT",
             "active": "BIGINT", "share": "DOUBLE", "complete": "BOOLEAN"},
    arguments=(
        Argument("cohort", f"how long a period is: {', '.join(STEPS)}", "'month'"),
        Argument(
            "by",
            "SQL over the view users, for a table of each of its values",
            "NULL",
            'CAST("by" AS VARCHAR)',
        ),
        AS_OF,
    ),
    result={
        "cohort": "the start of the period of the first order",
        "segment": "the value of `by`; NULL without one",
        "period": "which one after the first, which is 0",
        "users": "of the cohort",
        "active": "how many of them order in the period",
        "share": "of the cohort",
        "complete": "whether the period was over at the last event for all of the cohort",
    },
)  # fmt: skip
def retention(
    session: Session, catalog: str, name: str, given: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """Of those who ordered first in the same period, how many order in each period from then on."""
    cohort = given["cohort"]
    if cohort not in STEPS:
        hint = nearest(str(cohort), STEPS)
        raise MorecError(f"cohort: {shown(cohort)} is no length of a period; {hint}")
    with session.cursor(catalog) as con:
        segments = segments_of(con, name, "by", given["by"])
        query = sql(
            "decide/retention_table",
            schema=identifier(name),
            cohort=literal(cohort),
            step=STEPS[cohort],
            segments=segments,
            until=literal(FOR_EVER if given["as_of"] is None else given["as_of"]),
        )
        with evaluated("by", given["by"]):
            return con.execute(query).fetchall()


@sql_function(
    of="recommender",
    returns={"step": "INTEGER", "condition": "VARCHAR", "users": "BIGINT", "share": "DOUBLE",
             "of_previous": "DOUBLE", "days": "DOUBLE"},
    arguments=(
        Argument(
            "steps",
            "predicates over the events, one after another, such as ['kind = ''view''', 'kind ="
            " ''purchase''']",
        ),
        Argument("within", "days from the first step to the last; any number by default", "NULL"),
    ),
    result={
        "step": "its number, from 1",
        "condition": "its predicate",
        "users": "how many took it, after the steps before",
        "share": "of those who took the first",
        "of_previous": "of those who took the one before",
        "days": "the median of the days since the step before",
    },
    template="catalog/rows",
)  # fmt: skip
def funnel(
    session: Session, catalog: str, name: str, given: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """How many users take steps one after another, such as a view, a cart, a purchase."""
    steps = given["steps"]
    if (
        not isinstance(steps, list)
        or not 1 <= len(steps) <= MOST_STEPS
        or not all(isinstance(one, str) for one in steps)
    ):
        raise MorecError(
            f"steps: a list of 1 to {MOST_STEPS} predicates over the events is needed, not"
            f" {shown(steps)}"
        )
    within = FOR_EVER
    if given["within"] is not None:
        within = number("within", given["within"], 0) * DAY
    with session.cursor(catalog) as con:
        source = stored_source(con, catalog, name)
        if not source.has_time:
            raise MorecError(f"steps: {name!r} has no event_time, so nothing comes after anything")
        columns = {
            f"step_{place}": expression(con, "steps", one, source.events, wanted="predicate")
            for place, one in enumerate(steps)
        }
        parts = [
            sql(
                "decide/funnel_step",
                step=str(place),
                previous=str(place - 1),
                column=f"step_{place}",
                within=literal(within),
            )
            for place in range(1, len(steps))
        ]
        counts = [sql("decide/funnel_count", step=str(place)) for place in range(len(steps))]
        query = sql(
            "decide/funnel_table",
            events=source.events_with(columns),
            usable=f"{source.user_usable} AND {source.time_usable}",
            steps=",\n\n".join([*parts, "_nothing AS (SELECT 0)"]),
            counts="\nUNION ALL\n".join(counts),
        )
        with evaluated("steps", steps):
            found = con.execute(query).fetchall()
    first, rows = found[0][1], []
    for (place, users, days), before in zip(found, [None, *found], strict=False):
        share = users / first if first else None
        of_previous = users / before[1] if before and before[1] else None
        rows.append((place + 1, steps[place], users, share, of_previous, days if before else None))
    return rows
