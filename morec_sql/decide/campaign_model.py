"""What was learnt from the campaigns of a recommender: kept in its tables, applied to offers."""

from __future__ import annotations

import dataclasses

import duckdb
import numpy as np
import pyarrow as pa

from ..errors import MorecError
from ..templates import identifier, sql
from ..udfs.decide.candidates import Flags
from ..udfs.decide.estimates import LEVEL
from ..udfs.decide.response import Kind, Response
from ..udfs.history import Doubles
from .offers import FEATURES

OBJECTIVES = {
    "participation": "chance to take part",
    "conversion": "expected value of purchases of the campaign's items until it ends",
    "satisfaction": "relevance, less what was offered before, in standard deviations of each",
    "uplift": "expected value beyond what comes without the offer",
}
DEFAULT_WEIGHTS = {"participation": 0.5, "conversion": 0.3, "satisfaction": 0.2, "uplift": 0.0}
# the regression that an objective comes from
OUTCOMES = {"participation": "participation", "conversion": "purchases", "uplift": "uplift"}
KINDS: dict[str, Kind] = {"participation": "chance", "purchases": "count", "uplift": "amount"}
FURTHEST = 3.0  # standard deviations of a feature that satisfaction takes account of
BASE = "base"  # the intercept, among the features
NAMES = tuple(FEATURES)


@dataclasses.dataclass(frozen=True)
class CampaignModel:
    """Regressions by outcome, of those of KINDS that were learnt; what objectives are scaled by.

    mean, deviation and weights are of the objectives, in their order; evidence is what stands
    behind them, and half_life that of what was before an offer, in seconds.
    """

    responses: dict[str, Response]
    mean: Doubles
    deviation: Doubles
    weights: Doubles
    evidence: str
    half_life: float

    @property
    def objectives(self) -> list[str]:
        """Their names, in the order of weights."""
        return [one for one in OBJECTIVES if one != "uplift" or one in self.responses]

    def values(self, x: Doubles, days: Doubles, worth: Doubles) -> Doubles:
        """The objectives of offers, shape (n, objectives).

        Args:
            x: features, shape (n, f).
            days: how long each campaign goes on, shape (n,).
            worth: what a purchase of the items of each brings, shape (n,).
        """
        standard = self.standard(x)
        liked, tired = (standard[:, NAMES.index(one)] for one in ("relevance", "offered"))
        columns = {
            "participation": self.responses["participation"].expected(x),
            "conversion": self.responses["purchases"].expected(x, days) * worth,
            "satisfaction": liked - tired,
        }
        if "uplift" in self.responses:
            columns["uplift"] = self.responses["uplift"].expected(x)
        return np.column_stack([columns[one] for one in self.objectives])

    def ends(self, values: Doubles) -> dict[str, tuple[Doubles, Doubles]]:
        """Both ends of the 90 % intervals of values, as `values` gives them, by objective.

        They are those of a campaign as a whole, so that sums over users are ends of the sum; NaN
        where there were too few campaigns. What is not expected of a campaign has none.
        """
        found = {}
        for objective, column in zip(self.objectives, values.T, strict=True):
            outcome = OUTCOMES.get(objective)
            if outcome is not None:
                of = self.responses[outcome]
                found[objective] = of.off(column, -LEVEL), of.off(column, LEVEL)
        return found

    def standard(self, x: Doubles) -> Doubles:
        """Features in standard deviations from the mean of past offers; 0 where one is unknown."""
        of = self.responses["participation"]
        return np.clip(np.nan_to_num((x - of.mean) / of.deviation), -FURTHEST, FURTHEST)

    def scaled(self, values: Doubles) -> Doubles:
        """Objectives in standard deviations from the mean of past offers."""
        out: Doubles = (values - self.mean) / self.deviation
        return out

    def beyond(self, x: Doubles) -> Flags:
        """Which offers are unlike all past ones."""
        found = np.column_stack([one.beyond(x) for one in self.responses.values()])
        return np.asarray(found.any(axis=1), bool)

    def rows(self) -> pa.Table:
        """The regressions as rows of the table campaign_model."""
        rows = []
        for outcome, of in self.responses.items():
            spread = of.spread if np.isfinite(of.spread) else None
            rows.append((outcome, BASE, None, spread, of.intercept, None, None))
            columns = (of.mean, of.deviation, of.coefficient, of.low, of.high)
            for feature, *numbers in zip(NAMES, *map(np.ndarray.tolist, columns), strict=True):
                rows.append((outcome, feature, *numbers))
        names = ("outcome", "feature", "mean", "deviation", "coefficient", "low", "high")
        kinds = [pa.string()] * 2 + [pa.float64()] * 5
        columns_of = zip(*rows, strict=True)
        return pa.table(
            {
                name: pa.array(column, kind)
                for name, column, kind in zip(names, columns_of, kinds, strict=True)
            }
        )

    def objective_rows(self) -> pa.Table:
        """The rows of the table campaign_objectives."""
        return pa.table(
            {
                "position": pa.array(range(1, len(self.objectives) + 1), pa.int32()),
                "objective": self.objectives,
                "about": [OBJECTIVES[one] for one in self.objectives],
                "mean": self.mean,
                "deviation": self.deviation,
                "default_weight": self.weights,
            }
        )


def load_model(con: duckdb.DuckDBPyConnection, name: str) -> CampaignModel:
    """Read what was learnt.

    Raises:
        MorecError: the recommender has no campaigns.
    """
    schema = identifier(name)
    try:
        rows = con.execute(sql("decide/campaign_model", schema=schema)).fetchall()
    except duckdb.CatalogException:
        raise MorecError(
            f"campaigns: {name!r} has none yet; create_campaigns('{name}', campaigns => ...,"
            " members => ..., redemptions => ...) reads them"
        ) from None
    responses = {}
    for outcome in dict.fromkeys(row[0] for row in rows):
        of = {feature: numbers for one, feature, *numbers in rows if one == outcome}
        columns = np.array([of[feature] for feature in NAMES], np.float64).T
        mean, deviation, coefficient, low, high = columns
        _, spread, intercept, *_ = of[BASE]
        responses[outcome] = Response(
            KINDS[outcome], mean, deviation, coefficient, float(intercept), low, high,
            np.nan if spread is None else spread,
        )  # fmt: skip
    found = con.execute(sql("decide/campaign_objectives", schema=schema)).fetchall()
    evidence, half_life = found[0][3:]
    mean, deviation, weights = np.array([row[:3] for row in found], np.float64).T
    return CampaignModel(responses, mean, deviation, weights, evidence, half_life)
