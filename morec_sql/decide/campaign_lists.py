"""recommend_campaigns and users_for_campaign: which campaign for whom."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from ..arrays import rows_of
from ..errors import MorecError, shown
from ..registry import Argument, arrow_rows, rows_type, sql_macro, udf
from ..session import Session
from ..source.checks import number, truth, whole_number
from ..source.expressions import expression
from ..source.tables import Table
from ..udfs.decide.within_budget import within_budget
from ..udfs.history import Doubles, Longs
from .allocate import of_rows, of_users
from .campaigns import ABOUT_VALUES, AS_OF, VALUES, Campaigns, Rated, campaigns_of
from .contending import users_of

MOST = 1_000_000  # users, or campaigns

WEIGHTS = Argument(
    "weights",
    "a list in the order of the table campaign_objectives, or a struct by name; the default weights"
    " of that table by default",
    "NULL",
)
EXCLUDE_OFFERED = Argument(
    "exclude_offered", "whether to leave out what was offered already", "true"
)
FILTER = Argument(
    "filter", "a SQL predicate over the view campaigns", "NULL", "CAST(filter AS VARCHAR)"
)
OF_USER = {"rank": "INTEGER", "campaign_id": "VARCHAR", **VALUES}
OF_CAMPAIGN = {"rank": "INTEGER", "user_id": "VARCHAR", "cost": "DOUBLE", **VALUES}

sql_macro(
    "recommend_campaigns",
    "recommender",
    "The campaigns that go on, or are to come, ranked for a user.",
    (
        Argument("user_id", "the user", passed="CAST(user_id AS VARCHAR)"),
        WEIGHTS,
        Argument("k", "length of the list", "10"),
        FILTER,
        EXCLUDE_OFFERED,
        AS_OF,
    ),
    {"rank": "place in the list, from 1", "campaign_id": "the campaign", **ABOUT_VALUES},
    "decide/recommend_campaigns",
    {"rated": "decide/rated"},
    udf="morec_recommend_campaigns",
)
sql_macro(
    "users_for_campaign",
    "recommender",
    "Whom to offer a campaign: the best users, as many as are wanted or the budget allows, those"
    " first who are worth more than an average past offer.",
    (
        Argument("campaign_id", "the campaign", passed="CAST(campaign_id AS VARCHAR)"),
        Argument("size", "how many users at most; all by default", "NULL"),
        Argument("budget", "what all offers together may cost; needs cost", "NULL"),
        Argument(
            "cost",
            "what an offer costs: a number, or SQL over the objectives, such as '0.1 + 2 *"
            " participation' where taking part costs 2",
            "NULL",
        ),
        Argument(
            "users",
            "among whom: a table, a view or a SELECT statement with a column of users; all by"
            " default",
            "NULL",
        ),
        WEIGHTS,
        EXCLUDE_OFFERED,
        AS_OF,
    ),
    {
        "rank": "place by score, from 1",
        "user_id": "the user",
        "cost": "of the offer",
        **ABOUT_VALUES,
    },
    "decide/users_for_campaign",
    {"rated": "decide/rated"},
    udf="morec_users_for_campaign",
)


@udf("morec_recommend_campaigns", ["VARCHAR"] * 3, rows_type(OF_USER))
def recommend_campaigns(session: Session, *columns: pa.Array) -> pa.Array:
    """The campaigns of the user of each row, of those that ask alike together."""
    return of_users(session, columns, _recommended)


def _recommended(
    session: Session, catalog: str, name: str, given: dict[str, Any], users: pa.Array
) -> tuple[pa.Array, Longs]:
    """The campaigns of users who ask alike, as rows, and the place of the user of each."""
    k = whole_number("k", given["k"], 1, MOST)
    exclude = truth("exclude_offered", given["exclude_offered"])
    campaigns = campaigns_of(session, catalog, name, given["as_of"], given["weights"])
    there = campaigns.open(given["filter"])
    if not there:
        return pa.array([], arrow_rows(OF_USER).value_type), np.zeros(0, np.int64)
    rated = campaigns.rate(users, there)
    score = rated.score
    if exclude:
        score = np.where(rated.offers.member, -np.inf, score)
    score = score.reshape(len(users), len(there))
    order = np.argsort(-score, axis=1, kind="stable")[:, :k]
    user, place = np.nonzero(np.isfinite(np.take_along_axis(score, order, 1)))
    column = order[user, place]
    columns = {
        "rank": pa.array((place + 1).astype(np.int32)),
        "campaign_id": pa.array([there[one].id for one in column.tolist()], pa.string()),
        **campaigns.columns(rated, user * len(there) + column),
    }
    return rows_of(columns), user


@udf("morec_users_for_campaign", ["VARCHAR"] * 3, rows_type(OF_CAMPAIGN))
def users_for_campaign(session: Session, *columns: pa.Array) -> pa.Array:
    """The users for the campaign of each row."""
    return of_rows(session, columns, _users)


def _users(session: Session, catalog: str, name: str, given: dict[str, Any]) -> pa.Array:
    """The users for a campaign, as rows."""
    size, budget = given["size"], given["budget"]
    size = MOST if size is None else whole_number("size", size, 1, MOST)
    exclude = truth("exclude_offered", given["exclude_offered"])
    if budget is not None:
        budget = number("budget", budget, 0)
        if given["cost"] is None:
            raise MorecError("budget: it needs cost, what an offer costs, such as cost => 0.5")
    campaigns = campaigns_of(session, catalog, name, given["as_of"], given["weights"])
    campaign = campaigns.one(given["campaign_id"])
    users = users_of(campaigns.query, given["users"])
    rated = campaigns.rate(users, [campaign])
    cost = _cost(campaigns, rated, given["cost"])
    rows = np.arange(len(users))
    if exclude:
        rows = rows[~rated.offers.member]
    score = rated.score[rows]
    if budget is None:
        rows = rows[np.argsort(-score, kind="stable")[:size]]
    else:
        rows = rows[within_budget(score, cost[rows], budget, size)]
    columns = {
        "rank": pa.array(np.arange(1, len(rows) + 1, dtype=np.int32)),
        "user_id": users.take(pa.array(rows)),
        "cost": pa.array(cost[rows], pa.float64(), mask=np.isnan(cost[rows])),
        **campaigns.columns(rated, rows),
    }
    return rows_of(columns)


def _cost(campaigns: Campaigns, rated: Rated, given: Any) -> Doubles:
    """What each offer costs; NaN where nothing is said."""
    count = len(rated.values)
    if given is None:
        return np.full(count, np.nan)
    if not isinstance(given, str):
        return np.full(count, number("cost", given, 0))
    values = dict(zip(campaigns.model.objectives, rated.values.T, strict=True))
    with campaigns.query.connect() as con:
        con.register("morec_rated", pa.table({"place": np.arange(count), **values}))
        table = Table("morec_rated", dict.fromkeys(values, "DOUBLE"))
        written = expression(con, "cost", given, table)
        query = f"SELECT CAST(({written}) AS DOUBLE) AS cost FROM morec_rated ORDER BY place"
        found: Doubles = np.ma.filled(con.execute(query).fetchnumpy()["cost"], np.nan)
    if not (found >= 0).all():
        bad = found[~(found >= 0)][0]
        raise MorecError(f"cost: {shown(given)} is {bad:g} for a user, where 0 or more is needed")
    return found
