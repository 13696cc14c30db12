"""explain_campaign: why a campaign suits a user, or does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from ..registry import Argument, sql_function
from ..session import Session
from ..udfs.decide.response import Response
from ..udfs.history import DAY, Doubles
from .campaign_model import BASE, NAMES
from .campaigns import AS_OF, campaigns_of
from .offers import FEATURES


@sql_function(
    of="recommender",
    returns={"outcome": "VARCHAR", "feature": "VARCHAR", "value": "DOUBLE", "typical": "DOUBLE",
             "part": "DOUBLE", "about": "VARCHAR"},
    arguments=(
        Argument("user_id", "the user", passed="CAST(user_id AS VARCHAR)"),
        Argument("campaign_id", "the campaign", passed="CAST(campaign_id AS VARCHAR)"),
        AS_OF,
    ),
    result={
        "outcome": "participation, purchases or uplift",
        "feature": "what it goes by; base for what all have, total for all parts together",
        "value": "of the feature; of the total what is expected: the chance, the number of"
        " purchases until the campaign ends, or the value",
        "typical": "the mean of the feature over past offers",
        "part": "what it adds: to the log-odds of participation, to the logarithm of purchases a"
        " day, to the value of uplift",
        "about": "what the feature is",
    },
    template="catalog/rows",
)  # fmt: skip
def explain_campaign(
    session: Session, catalog: str, name: str, given: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """Why a campaign suits a user, or does not: the parts that add up to what is expected."""
    campaigns = campaigns_of(session, catalog, name, given["as_of"])
    campaign = campaigns.one(given["campaign_id"])
    x = campaigns.rate(pa.array([given["user_id"]], pa.string()), [campaign]).offers.x
    days = np.array([(campaign.ends - max(campaign.starts, campaigns.at)) / DAY])
    rows: list[tuple[Any, ...]] = []
    for outcome, of in campaigns.model.responses.items():
        rows += _explained(outcome, of, x, days)
    return rows


def _explained(outcome: str, of: Response, x: Doubles, days: Doubles) -> Iterator[tuple[Any, ...]]:
    """The rows of explain_campaign about one outcome."""
    parts = of.parts(x)[0]
    yield outcome, BASE, None, None, of.intercept, "what a typical offer has"
    for place in np.argsort(-np.abs(parts), kind="stable").tolist():
        feature = NAMES[place]
        value = float(x[0, place]) if np.isfinite(x[0, place]) else None
        yield outcome, feature, value, float(of.mean[place]), float(parts[place]), FEATURES[feature]
    total = float(of.intercept + parts.sum())
    yield outcome, "total", float(of.expected(x, days)[0]), None, total, "what is expected"
