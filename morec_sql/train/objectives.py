"""Values of all objectives over the catalogue, standardised."""

from __future__ import annotations

import bisect
import dataclasses

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..catalog.objectives import DEFAULT_WEIGHTS, Objective
from ..catalog.values import Items, self_information
from ..progress import Stages
from ..udfs.history import Doubles
from ..udfs.ranking.catalogue import Catalogue, likeness_of
from ..udfs.ranking.contending import contenders, standardise
from ..udfs.ranking.lists import Ranking, rank
from ..udfs.relevance.model import RelevanceModel
from ..udfs.relevance.sample import Sample, better
from .windows import REPEAT_SHARE


@dataclasses.dataclass(frozen=True)
class Values:
    """Values of the objectives, shape (items, objectives): for scoring, and raw.

    Behind those for scoring are the vectors that lists are kept apart by, where there are some. Of
    an objective that is over categories they are numbers of categories, -1 where unknown; of
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


def objectives_table(listed: list[Objective], weights: list[float], values: Values) -> pa.Table:
    """The objectives in the order of the weights, which are the default ones."""
    return pa.table(
        {
            "position": pa.array(range(1, len(listed) + 1), pa.int32()),
            "objective": [objective.name for objective in listed],
            "kind": [objective.kind for objective in listed],
            "expression": pa.array([o.expression for o in listed], pa.string()),
            "default_weight": pa.array(weights, pa.float64()),
            "mean": pa.array(values.mean, pa.float64()),
            "deviation": pa.array(values.deviation, pa.float64()),
        }
    )


def standardised(
    listed: list[Objective], items: Items, contending: npt.NDArray[np.int64]
) -> Values:
    """Compute the objectives over the catalogue, clip their outliers and standardise them.

    Objectives of items are divided by their deviation among the items that contend for a list, as
    relevance is: so a weight means the same trade whatever the catalogue holds beside these.

    Args:
        listed: the objectives.
        items: what their values come from.
        contending: by user the items that contend for the list, shape (users, c).
    """
    vectors = np.zeros((items.count, 0), np.float32)
    columns, raw = (np.zeros((items.count, len(listed))) for _ in range(2))
    means: list[float | None] = [None] * len(listed)
    deviations: list[float | None] = [None] * len(listed)
    without_effect = []
    for position, objective in enumerate(listed):
        mine = dataclasses.replace(items, position=position)
        if objective.values is not None:
            raw[:, position] = values = objective.values(mine)
            among = contending if objective.kind == "item" else None
            columns[:, position], means[position], deviations[position] = standardise(values, among)
            if deviations[position] == 0:
                without_effect.append(objective.name)
        elif objective.of_categories:
            raw[:, position] = columns[:, position] = codes = mine.categories()
            if len(np.unique(codes[codes >= 0])) < 2:
                without_effect.append(objective.name)
        elif objective.of_vectors:
            vectors = mine.vectors()
            if not vectors.any():
                without_effect.append(objective.name)
    scored = np.concatenate([columns.astype(np.float32), vectors], axis=1)
    return Values(scored, raw, means, deviations, without_effect)


NEARLY = 1.01  # times as good is more than default lists are to give up of relevance
SHARES = (1.0, 0.75, 0.55, 0.4, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05)
LONG = 20  # length of the lists that are to stay relevant
LISTED = 10  # length of the lists in which items get attention


def relevance_unit(contending: Ranking) -> float:
    """The spread of a user's relevance among the items that contend for the list, in log-odds.

    Over the whole catalogue relevance is mostly tail, and its deviation there would make the best
    items weigh tens of deviations: no weight of another objective could be seen beside it.
    """
    spread = float(np.median(contending.score.std(axis=1)))
    # where relevance tells no item from another, what is left are rounding errors
    return spread if spread > 1e-3 else 1.0


def unit_share(
    sample: Sample,
    model: RelevanceModel,
    embeddings: npt.NDArray[np.float32],
    text_id: npt.NDArray[np.int64],
) -> float:
    """The share of the spread of relevance that is its unit, so that default lists stay relevant.

    Where the best items stand out less from the others that contend, the same weights give up more:
    the largest share is taken with which the nDCG of relevance alone is not clearly better than
    that of relevance, diversity and novelty by their default weights.

    Args:
        sample: users and what they did after their histories.
        model: as of then.
        embeddings: of the texts.
        text_id: the text of each item, -1 without one.
    """
    users = sample.users
    history = sample.whole.of_users(np.arange(users), users)
    fresh = sample.repeat_share() < REPEAT_SHARE
    kinds, k = ["relevance", "diversity", "item"], min(LONG, sample.items)
    contending = contenders(model, sample.whole, users)
    novelty, _, _ = standardise(self_information(sample.past, sample.items), contending.item)
    values = np.zeros((sample.items, 3), np.float32)
    values[:, 2] = novelty
    likeness = likeness_of(model, kinds, values, embeddings, text_id)
    scale = likeness.among_contenders(contending.item)
    model = dataclasses.replace(model, unit=relevance_unit(contending))
    catalogue = Catalogue(model, kinds, values, embeddings, text_id, scale)
    batch = catalogue.batch(history, users, None, np.full(users, fresh))

    def ndcg(weights: list[float]) -> Doubles:
        lists = rank(catalogue, batch, np.tile(weights, (users, 1)), k).item
        return sample.ndcg_of(lists, fresh)

    alone = ndcg([1.0, 0.0, 0.0])
    relevance, diversity, novel = DEFAULT_WEIGHTS

    def kept(share: float) -> bool:
        return not better(alone, ndcg([relevance / share, diversity, novel]), NEARLY)

    # the less of a share, the more is kept
    place = bisect.bisect_left(SHARES[:-1], True, key=kept)
    return SHARES[place]


def exposure_of(contending: Ranking, items: int) -> npt.NDArray[np.float64]:
    """The attention that each item gets in lists by relevance, discounted by rank as in nDCG."""
    listed = contending.item[:, :LISTED]
    attention = np.broadcast_to(1 / np.log2(np.arange(listed.shape[1]) + 2), listed.shape)
    out: npt.NDArray[np.float64] = np.bincount(
        listed.ravel(), attention.ravel(), minlength=items
    ).astype(np.float64)
    return out
