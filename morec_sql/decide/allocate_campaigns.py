"""allocate_campaigns: campaigns for many users, under limits that bind all of them together."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa

from ..arrays import whole
from ..registry import Argument, arrow_rows, rows_type, sql_macro, udf
from ..session import Session
from ..source.checks import truth
from ..source.expressions import evaluated, expression
from ..templates import arrow, sql
from ..udfs.decide.candidates import Flags
from ..udfs.history import Doubles, Floats, Longs
from .allocate import ABOUT_LIMITED, ABOUT_LISTED, ALLOCATE, LIMITED, LISTED, allocate_over, of_rows
from .campaign_lists import EXCLUDE_OFFERED, FILTER, WEIGHTS
from .campaigns import ABOUT_VALUES, AS_OF, VALUES, Campaign, Campaigns, Rated, campaigns_of
from .contending import users_of

SAID = ("participation", "conversion", "satisfaction", "uplift", "evidence")
_of_lists = {one.name: one for one in ALLOCATE}
ARGUMENTS = (
    _of_lists["users"],
    Argument(
        "limits",
        "what all offers together may take, by a name: {offers: 5000}, {budget: {most: 1000, cost:"
        " 'mail_cost'}} with SQL over the view campaigns, {each: 'most_users'} for at most so many"
        " users of each; with fields as in allocate, and campaigns (a predicate) for items",
        "NULL",
    ),
    Argument(
        "min_per",
        "at least so many users for each value of a column or expression, as {campaign_id: 100}",
        "NULL",
    ),
    Argument("k", "the most campaigns that a user gets", "1"),
    WEIGHTS,
    FILTER,
    EXCLUDE_OFFERED,
    AS_OF,
    Argument(
        "empty",
        "the score that no offer counts as: none with less is made, such as 0 for an average past"
        " one; by default offers are made while the limits allow it",
        "NULL",
    ),
)
OFFERED = {**LISTED, **{one: VALUES[one] for one in SAID}}

sql_macro(
    "allocate_campaigns",
    "recommender",
    "Which campaigns to offer to each of many users, under limits that bind all of them together.",
    ARGUMENTS,
    {
        **{one: about for one, about in ABOUT_LISTED.items() if one != "item_id"},
        "campaign_id": "the campaign",
        **{one: ABOUT_VALUES[one] for one in SAID},
    },
    "decide/allocate_campaigns",
    udf="morec_allocate_campaigns",
)
sql_macro(
    "campaign_limits",
    "recommender",
    "What allocate_campaigns comes to under the same arguments, limit by limit: how much of it is"
    " used, and what one more would bring.",
    ARGUMENTS,
    ABOUT_LIMITED,
    "catalog/rows",
    udf="morec_campaign_limits",
)


@dataclasses.dataclass
class OverCampaigns:
    """The campaigns that go on, for limits over them."""

    campaigns: Campaigns
    known: list[Campaign]
    one: str = "campaign"

    @property
    def ids(self) -> pa.Array:
        """As texts."""
        return pa.array([one.id for one in self.known], pa.string())

    @property
    def there(self) -> Flags:
        """All of them."""
        return np.ones(len(self.known), bool)

    def values(self, argument: str, text: Any, wanted: str, kind: str) -> Any:
        """As of Over."""
        with self.campaigns.query.connect() as con:
            view = self.campaigns.view(con)
            written = expression(con, argument, text, view, wanted=wanted)
            con.register(
                "morec_known", pa.table({"place": np.arange(len(self.known)), "id": self.ids})
            )
            query = sql(
                "decide/values_of_campaigns",
                campaigns=view.sql,
                value=f"CAST(({written}) AS {kind})",
            )
            with evaluated(argument, text):
                found = whole(arrow(con, query).column("value"))
        if pa.types.is_boolean(found.type):
            return found.fill_null(False).to_numpy(zero_copy_only=False)
        return found


@dataclasses.dataclass
class Scored:
    """Users and what each campaign is worth to them, shape (users, campaigns), -inf for none."""

    users: pa.Array
    score: Floats

    @property
    def items(self) -> int:
        """How many campaigns there are."""
        return int(self.score.shape[1])

    def find(
        self, rows: Longs, width: int, price: Doubles | None = None
    ) -> tuple[Longs, Floats, Floats]:
        """The best campaigns of some users by score less price, as of passes.Contends."""
        reduced = self.score[rows] - (0.0 if price is None else price)
        order = np.argsort(-reduced, axis=1, kind="stable")
        item = order[:, :width]
        rest = np.full(len(rows), -np.inf, np.float32)
        if width < self.items:
            left = order[:, width : width + 1]
            rest = np.take_along_axis(reduced, left, 1)[:, 0].astype(np.float32)
        return item, np.take_along_axis(self.score[rows], item, 1), rest


@udf("morec_allocate_campaigns", ["VARCHAR"] * 3, rows_type(OFFERED))
def allocate_campaigns(session: Session, *columns: pa.Array) -> pa.Array:
    """The offers of each row of arguments."""
    return of_rows(session, columns, _offers)


@udf("morec_campaign_limits", ["VARCHAR"] * 3, rows_type(LIMITED))
def campaign_limits(session: Session, *columns: pa.Array) -> pa.Array:
    """The limits of each row of arguments."""

    def limits(*asked: Any) -> pa.Array:
        _, _, over, scored = _scored(*asked)
        return allocate_over(over, scored, asked[-1]).limits()

    return of_rows(session, columns, limits)


def _offers(session: Session, catalog: str, name: str, given: dict[str, Any]) -> pa.Array:
    """The offers that the arguments ask for, as rows."""
    campaigns, rated, over, scored = _scored(session, catalog, name, given)
    if not over.known or not len(scored.users):
        return pa.array([], arrow_rows(OFFERED).value_type)

    def more(user: Longs, campaign: Longs) -> dict[str, pa.Array]:
        columns = campaigns.columns(rated, user * len(over.known) + campaign)
        return {one: columns[one] for one in SAID}

    return allocate_over(over, scored, given).lists(more)


def _scored(
    session: Session, catalog: str, name: str, given: dict[str, Any]
) -> tuple[Campaigns, Rated, OverCampaigns, Scored]:
    """What is allocated to whom, and what it is worth."""
    exclude = truth("exclude_offered", given["exclude_offered"])
    campaigns = campaigns_of(session, catalog, name, given["as_of"], given["weights"])
    over = OverCampaigns(campaigns, campaigns.open(given["filter"]))
    users = users_of(campaigns.query, given["users"])
    rated = campaigns.rate(users, over.known)
    score = rated.score
    if exclude:
        score = np.where(rated.offers.member, -np.inf, score)
    shape = len(users), len(over.known)
    return campaigns, rated, over, Scored(users, score.reshape(shape).astype(np.float32))
