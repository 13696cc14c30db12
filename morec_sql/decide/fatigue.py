"""fatigue: what being shown before, and the place, do to the chance that an item is taken."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..catalog.recommenders import stored_source
from ..errors import MorecError
from ..registry import Argument, sql_function
from ..session import Session
from ..source.checks import whole_number
from ..source.expressions import evaluated, is_number, is_time
from ..templates import arrow, identifier, literal, sql
from ..udfs.decide.estimates import LEVEL
from ..udfs.decide.fatigue import FEWEST, before, levels
from .named import Column, named_table

MOST_TIMES, MOST_PLACES = 6, 20  # from which on levels are one
MOST_DAYS = 3650
SHOWN_OF = "shown(user_id, item_id, shown_at)"
COLUMNS = (
    Column("user", of="users"),
    Column("item", of="items"),
    Column("at", "a time is needed", is_time),
    Column("place", "a place is a number", is_number),
)


@sql_function(
    of="recommender",
    returns={"factor": "VARCHAR", "value": "INTEGER", "shown": "BIGINT", "taken": "BIGINT",
             **dict.fromkeys(("share", "log_odds", "low", "high", "used"), "DOUBLE")},
    arguments=(
        Argument(
            "impressions",
            "a table of what was shown, 'shown(user_id, item_id, shown_at)', or with a column more,"
            " the place in the list from 1 on",
        ),
        Argument("days", "of how many days before an impression earlier ones count", "7"),
        Argument("within", "days within which an item is taken after it was shown", "1"),
    ),
    result={
        "factor": "times: how often the user had been shown the item before; place: in the list",
        "value": f"of it; {MOST_TIMES} times, and place {MOST_PLACES}, stand for more as well",
        "shown": "impressions",
        "taken": "of these",
        "share": "taken of shown",
        "log_odds": "of being taken, beside the first value of the factor, all else alike: the"
        " other factor, and what the user and the item had been taken before",
        "low": "90 % interval",
        "high": "the other end",
        "used": "log_odds drawn towards 0 as far as they are uncertain",
    },
    template="catalog/rows",
)  # fmt: skip
def fatigue(
    session: Session, catalog: str, name: str, given: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """What being shown before, and the place in a list, do to the chance that an item is taken.

    Observational: who is shown an item again may differ from who is not.
    """
    days = whole_number("days", given["days"], 1, MOST_DAYS)
    within = whole_number("within", given["within"], 1, MOST_DAYS)
    impressions = given["impressions"]
    with session.cursor(catalog) as con:
        source = stored_source(con, catalog, name)
        parts = named_table(
            con, catalog, source, "impressions", impressions, SHOWN_OF, COLUMNS, least=3
        )
        if not source.has_time:
            raise MorecError(
                f"impressions: {name!r} has no event_time, so nothing comes after them"
            )
        place = f"CAST(_s.{parts['place']} AS INTEGER)" if "place" in parts else "1"
        query = sql(
            "decide/impressions",
            **{**parts, "place": place},
            schema=identifier(name),
            user_type=source.user_type,
            item_type=source.item_type,
            days=literal(days),
            within=literal(within),
        )
        with evaluated("impressions", str(impressions)):
            found = arrow(con, query)
    columns = {one: found.column(one).to_numpy() for one in found.column_names if one != "user_id"}
    taken = columns["taken"].astype(np.float64)
    if taken.sum() < FEWEST or taken.sum() > len(taken) - FEWEST:
        raise MorecError(
            f"impressions: of {len(taken)} that count {int(taken.sum())} were taken within {within}"
            f" days; at least {FEWEST} have to be, and as many not"
        )
    factors = {"times": np.minimum(columns["times"], MOST_TIMES).astype(np.int64)}
    if "place" in parts:
        where = np.nan_to_num(columns["place"].astype(np.float64), nan=1)
        factors["place"] = np.clip(where, 1, MOST_PLACES).astype(np.int64) - 1
    share = float(taken.mean())
    beside = [
        before(columns[f"taken_{of}"], columns[f"shown_{to}"], share)
        for of, to in (("by_user", "to_user"), ("of_item", "of_item"))
    ]
    rows: list[tuple[Any, ...]] = []
    of_factors = levels(taken, list(factors.values()), beside)
    for (factor, level), of in zip(factors.items(), of_factors, strict=True):
        shown = np.bincount(level, minlength=len(of.odds))
        came = np.bincount(level, taken, minlength=len(of.odds))
        for value in np.flatnonzero(shown).tolist():
            odds, spread = float(of.odds[value]), LEVEL * float(of.error[value])
            rows.append(
                (
                    factor,
                    value + (factor == "place"),
                    int(shown[value]),
                    int(came[value]),
                    float(came[value] / shown[value]),
                    odds,
                    odds - spread,
                    odds + spread,
                    float(of.sure[value]),
                )
            )
    return rows
