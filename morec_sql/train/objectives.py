"""Values of all objectives over the catalogue, standardised."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from ..catalog.objectives import Objective
from ..catalog.values import Doubles, Items
from ..progress import Stages
from ..udfs.history import History
from ..udfs.ranking.catalogue import Catalogue
from ..udfs.ranking.lists import Ranking, rank
from ..udfs.relevance.model import RelevanceModel
from ..udfs.relevance.training import CONTENDERS, some_users

CLIPPED = 0.001  # share of the catalogue at either end that is clipped before standardising


@dataclasses.dataclass(frozen=True)
class Values:
    """Values of the objectives, shape (items, objectives): for scoring, and raw.

    Of an objective that is over categories they are numbers of categories, -1 where unknown; of
    relevance and diversity they are 0. mean and deviation are None where nothing is standardised.
    """

    columns: npt.NDArray[np.float32]
    raw: Doubles
    mean: list[float | None]
    deviation: list[float | None]
    without_effect: list[str]

    def report(self, stages: Stages, items: int) -> None:
        """Say which objectives have no effect."""
        for objective in self.without_effect:
            stages.count(
                f"objective {objective}: constant or NULL, its weight has no effect", items
            )


def standardised(listed: list[Objective], items: Items) -> Values:
    """Compute the objectives over the catalogue, clip their outliers and standardise them."""
    columns, raw = (np.zeros((items.count, len(listed))) for _ in range(2))
    means: list[float | None] = [None] * len(listed)
    deviations: list[float | None] = [None] * len(listed)
    without_effect = []
    for position, objective in enumerate(listed):
        mine = dataclasses.replace(items, position=position)
        if objective.values is not None:
            raw[:, position] = values = objective.values(mine)
            columns[:, position], means[position], deviations[position] = _standardise(values)
            if deviations[position] == 0:
                without_effect.append(objective.name)
        elif objective.of_categories:
            raw[:, position] = columns[:, position] = codes = mine.categories()
            if len(np.unique(codes[codes >= 0])) < 2:
                without_effect.append(objective.name)
    return Values(columns.astype(np.float32), raw, means, deviations, without_effect)


def _standardise(raw: Doubles) -> tuple[Doubles, float, float]:
    """Clip, subtract the mean and divide by the deviation; unknown values become the mean."""
    known = np.isfinite(raw)
    if not known.any():
        return np.zeros(len(raw)), 0.0, 0.0
    low, high = np.quantile(raw[known], [CLIPPED, 1 - CLIPPED])
    clipped = np.clip(raw, low, high)
    mean, deviation = float(clipped[known].mean()), float(clipped[known].std())
    if deviation <= 1e-12 * max(abs(mean), 1.0):
        return np.zeros(len(raw)), mean, 0.0
    return np.where(known, (clipped - mean) / deviation, 0.0), mean, deviation


SAMPLED_USERS = 500  # for the unit of relevance, and what gets attention
LISTED = 10  # length of the lists in which items get attention


def relevance_unit(model: RelevanceModel, history: History, users: int) -> float:
    """The spread of a user's relevance among the items that contend for the list, in log-odds.

    Over the whole catalogue relevance is mostly tail, and its deviation there would make the best
    items weigh tens of deviations: no weight of another objective could be seen beside it.
    """
    ranked = _by_relevance(model, history, users, CONTENDERS)
    spread = float(np.median(ranked.score.std(axis=1)))
    # where relevance tells no item from another, what is left are rounding errors
    return spread if spread > 1e-3 else 1.0


def exposure_of(model: RelevanceModel, history: History, users: int) -> npt.NDArray[np.float64]:
    """The attention that each item gets in lists by relevance, discounted by rank as in nDCG."""
    ranked = _by_relevance(model, history, users, LISTED)
    attention = np.broadcast_to(1 / np.log2(np.arange(ranked.item.shape[1]) + 2), ranked.item.shape)
    out: npt.NDArray[np.float64] = np.bincount(
        ranked.item.ravel(), attention.ravel(), minlength=len(model.decoder)
    ).astype(np.float64)
    return out


def _by_relevance(model: RelevanceModel, history: History, users: int, k: int) -> Ranking:
    """The lists of a sample of the users by relevance alone."""
    sample = some_users(users, SAMPLED_USERS)
    items = len(model.decoder)
    catalogue = Catalogue(
        model, ["relevance"], np.zeros((items, 1), np.float32), np.zeros((0, 1), np.float32),
        np.full(items, -1),
    )  # fmt: skip
    batch = catalogue.batch(history.of_users(sample, users), len(sample))
    return rank(catalogue, batch, np.ones((len(sample), 1)), min(k, items))
