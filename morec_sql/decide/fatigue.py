"""fatigue: what being shown before, and the place, do to the chance that an item is taken."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..answer.impressions import DAYS, MOST_TIMES, WITHIN, impressions
from ..catalog.recommenders import stored_source
from ..errors import MorecError
from ..registry import Argument, sql_function
from ..session import Session
from ..source.checks import whole_number
from ..source.expressions import evaluated
from ..source.impressions import MOST_PLACES, NEEDED, shown_to_users
from ..templates import identifier
from ..udfs.decide.estimates import LEVEL

MOST_DAYS = 3650


@sql_function(
    of="recommender",
    returns={"factor": "VARCHAR", "value": "INTEGER", "shown": "BIGINT", "taken": "BIGINT",
             **dict.fromkeys(("share", "log_odds", "low", "high", "used"), "DOUBLE")},
    arguments=(
        Argument(
            "impressions",
            "a table of what was shown, 'shown(user_id, item_id, shown_at)', or with a column more,"
            " the place in the list from 1 on; by default what the recommender was made with",
            "NULL",
        ),
        Argument("days", "of how many days before an impression earlier ones count", str(DAYS)),
        Argument("within", "days within which an item is taken after it was shown", str(WITHIN)),
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
    with session.cursor(catalog) as con:
        source = stored_source(con, catalog, name)
        if not source.has_time:
            raise MorecError(
                f"impressions: {name!r} has no event_time, so nothing comes after them"
            )
        found = source.impressions
        if given["impressions"] is not None:
            ids = source.users_key, source.items_key
            found = shown_to_users(con, catalog, source.schema, given["impressions"], *ids)
        if found is None:
            raise MorecError(f"impressions: {NEEDED}, not NULL, where none are declared")
        with evaluated("impressions", str(given["impressions"] or f"{name}.impressions")):
            events = f"{identifier(name)}.events"
            learnt = impressions(con, events, found.parts, days, within)
    rows: list[tuple[Any, ...]] = []
    for factor, level in learnt.factors.items():
        of = learnt.of[factor]
        shown = np.bincount(level, minlength=len(of.odds))
        came = np.bincount(level, learnt.taken, minlength=len(of.odds))
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
