"""What past offers teach: the regressions, and how well they foretell later campaigns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from ..udfs.decide.candidates import Flags
from ..udfs.decide.estimates import LEVEL
from ..udfs.decide.quality import (
    CHOSEN,
    MEASURED,
    Measure,
    auc,
    calibration,
    explained,
    log_loss,
    measured,
    ndcg,
    within,
)
from ..udfs.decide.response import Kind, Response, fit
from ..udfs.decide.uplift import SHARES, Balance, balance, effects, gains, qini
from ..udfs.history import Doubles, Longs
from .campaign_model import DEFAULT_WEIGHTS, CampaignModel
from .offers import FEATURES, Offers

ALL = "all features"
BASELINES = {
    "participation": {
        "earlier redeemers": "redeemed",
        "heaviest buyers": "activity",
        "relevance alone": "relevance",
    },
    "purchases": {"bought before": "bought", "heaviest buyers": "activity"},
}
SAME = "the same for all"
FEWEST_KEPT = 30  # users kept from offers, below which nothing is said of uplift
Rows = list[tuple[object, ...]]


@dataclasses.dataclass(frozen=True)
class Examples:
    """Past offers with what came of them; columns have one entry per offer.

    control says who was kept from the offer, later which offers are of the latest campaigns;
    half_life is that of what was before an offer, in seconds.
    """

    offers: Offers
    campaign: Longs
    user: Longs
    days: Doubles
    worth: Doubles
    control: Flags
    later: Flags
    half_life: float


@dataclasses.dataclass(frozen=True)
class Learnt:
    """The model, which features each outcome goes by, and tables of what is known of it."""

    model: CampaignModel
    chosen: dict[str, str]
    quality: pa.Table
    balance: pa.Table
    uplift: pa.Table
    random: bool | None


def learn(examples: Examples, seed: int) -> Learnt:
    """Fit chances to take part, purchases and, where users were kept from offers, uplift."""
    offers, offered = examples.offers, ~examples.control
    outcomes: dict[str, tuple[Kind, Doubles]] = {
        "participation": ("chance", offers.took),
        "purchases": ("count", offers.purchases),
    }
    responses: dict[str, Response] = {}
    chosen: dict[str, str] = {}
    quality: Rows = []
    curves: Rows = []
    for outcome, (kind, y) in outcomes.items():
        subsets = _subsets(outcome)
        some = _Some(examples, offered, kind, y)
        chosen[outcome], responses[outcome] = some.fit(subsets, np.ones(len(y), bool))
        quality += _quality(some, outcome, subsets, seed)
    found = None
    if examples.control.sum() >= FEWEST_KEPT and offered.sum() >= FEWEST_KEPT:
        found = balance(offers.x, offered, examples.campaign)
        effect = effects(
            offers.x, offered, offers.value, examples.campaign, examples.user, found.random
        )
        some = _Some(examples, np.ones(len(effect), bool), "amount", effect)
        of_effects: dict[str, Sequence[int]] = {SAME: [], ALL: range(len(FEATURES))}
        chosen["uplift"], responses["uplift"] = some.fit(of_effects, np.ones(len(effect), bool))
        rows, curves = _uplift(some, of_effects, responses["participation"], seed)
        quality += rows
    return Learnt(
        _scaled(responses, examples, found),
        chosen,
        _table(quality, ("outcome", "method", "measure"), MEASURED),
        _balance_rows(found),
        _table(curves, ("method",), ("share", "gain", "low", "high")),
        None if found is None else found.random,
    )


@dataclasses.dataclass(frozen=True)
class _Some:
    """An outcome of the offers for which `there` is true."""

    examples: Examples
    there: Flags
    kind: Kind
    y: Doubles

    def fit(self, subsets: Mapping[str, Sequence[int]], rows: Flags) -> tuple[str, Response]:
        """Fit it on some rows of the examples."""
        mine, of = rows & self.there, self.examples
        return fit(
            self.kind, of.offers.x[mine], self.y[mine], of.campaign[mine], subsets, of.days[mine]
        )

    @property
    def held_out(self) -> Flags:
        """The rows to measure on: the latest campaigns, or the users of an only one by halves."""
        later = self.examples.later
        if later.all():
            later = self.examples.user % 2 == 1
        return later

    def expected(self, subsets: Mapping[str, Sequence[int]]) -> Doubles:
        """What is expected of the rows held out, by a fit on the others."""
        return self.with_ends(subsets)[1]

    def with_ends(self, subsets: Mapping[str, Sequence[int]]) -> tuple[Doubles, Doubles, Doubles]:
        """The same between the ends of its 90 % interval."""
        _, response = self.fit(subsets, ~self.held_out)
        mine = self.held_out & self.there
        expected = response.expected(self.examples.offers.x[mine], self.examples.days[mine])
        return response.off(expected, -LEVEL), expected, response.off(expected, LEVEL)


def _subsets(outcome: str) -> dict[str, Sequence[int]]:
    """The features that are tried, by the name of the method."""
    place = list(FEATURES).index
    alone = {method: [place(one)] for method, one in BASELINES[outcome].items()}
    return {ALL: range(len(FEATURES)), **alone, SAME: []}


def _quality(
    some: _Some, outcome: str, subsets: Mapping[str, Sequence[int]], seed: int
) -> Iterator[tuple[object, ...]]:
    """The rows of the table campaign_quality about an outcome."""
    mine = some.held_out & some.there
    if not mine.any() or not (some.there & ~some.held_out).any():
        return
    y, campaign = some.y[mine], some.examples.campaign[mine]
    low, expected, high = some.with_ends(subsets)
    scores = {CHOSEN: expected}
    scores |= {one: some.expected({one: subsets[one]}) for one in BASELINES[outcome]}
    any_of_it = (y > 0).astype(np.float64)
    measures: dict[str, tuple[Measure, Doubles]] = {
        "auc": (within(auc, campaign), any_of_it),
        "ndcg": (within(ndcg, campaign), any_of_it),
        "calibration": (calibration, y),
    }
    if some.kind == "chance":
        measures["log_loss"] = log_loss, y
    else:
        measures["deviance_explained"] = explained, y
    for measure, (function, of) in measures.items():
        found = measured(function, of, scores, some.examples.user[mine], seed)
        for method, one in found.items():
            yield outcome, method, measure, *one.numbers
    # of how many campaigns the sum lies within the sums of the ends
    came, least, most = (np.bincount(campaign, of) for of in (y, low, high))
    offered = np.bincount(campaign) > 0
    if np.isfinite(low).all():
        inside = float(((least <= came) & (came <= most))[offered].mean())
        yield outcome, CHOSEN, "in_interval", inside, *[None] * (len(MEASURED) - 1)


def _uplift(
    some: _Some, subsets: Mapping[str, Sequence[int]], participation: Response, seed: int
) -> tuple[Rows, Rows]:
    """Quality of uplift, and the curves of gains, on the rows held out."""
    mine = some.held_out
    x, user = some.examples.offers.x[mine], some.examples.user[mine]
    effect = some.y[mine]
    scores = {
        CHOSEN: some.expected(subsets),
        "likely to take part": participation.expected(x),
        "heaviest buyers": x[:, list(FEATURES).index("activity")],
    }
    rows: Rows = []
    for method, one in measured(qini, effect, scores, user, seed).items():
        rows.append(("uplift", method, "qini", *one.numbers))
    curves: Rows = [
        (method, place / SHARES, one.value[place], one.low[place], one.high[place])
        for method, one in measured(gains, effect, scores, user, seed).items()
        for place in range(1, SHARES + 1)
    ]
    return rows, curves


def _scaled(
    responses: dict[str, Response], examples: Examples, found: Balance | None
) -> CampaignModel:
    """The model, with what past offers have of each objective."""
    evidence = "randomised" if found is not None and found.random else "observational"
    model = CampaignModel(
        responses, np.zeros(0), np.zeros(0), np.zeros(0), evidence, examples.half_life
    )
    values = model.values(examples.offers.x, examples.days, examples.worth)
    deviation = values.std(axis=0)
    return dataclasses.replace(
        model,
        mean=values.mean(axis=0),
        deviation=np.where(deviation > 0, deviation, 1.0),
        weights=np.array([DEFAULT_WEIGHTS[one] for one in model.objectives]),
    )


def _balance_rows(found: Balance | None) -> pa.Table:
    """The rows of the table campaign_balance."""
    rows: Rows = []
    if found is not None:
        columns = (found.offered, found.kept, found.difference)
        for feature, *numbers in zip(FEATURES, *map(np.ndarray.tolist, columns), strict=True):
            rows.append((feature, *numbers, None))
        rows.append(("all together", None, None, None, found.p))
    return _table(rows, ("feature",), ("offered", "kept", "difference", "p"))


def _table(
    rows: Sequence[tuple[object, ...]], texts: tuple[str, ...], numbers: tuple[str, ...]
) -> pa.Table:
    """Rows of texts and then numbers as a table."""
    kinds = dict.fromkeys(texts, pa.string()) | dict.fromkeys(numbers, pa.float64())
    columns: Sequence[Sequence[object]] = list(zip(*rows, strict=True)) or [()] * len(kinds)
    return pa.table(
        {
            name: pa.array(column, kind, from_pandas=True)
            for (name, kind), column in zip(kinds.items(), columns, strict=True)
        }
    )
