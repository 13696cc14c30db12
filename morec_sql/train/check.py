"""What a recommender is worth on what was held out of its training, beside baselines."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..progress import Stages
from ..udfs import baselines
from ..udfs.ranking.contending import by_relevance
from ..udfs.relevance.model import RelevanceModel
from ..udfs.relevance.sample import LISTED, VALIDATION_USERS, Sample, mean
from .windows import REPEAT_SHARE

BESIDE = ("popularity", "own frequency", "item knn")
FEWEST = 50  # users with something held out, below which nDCG says little
MOST_SCORES = 60_000_000  # of users and items: fewer users where there are more


def checked(sample: Sample, model: RelevanceModel, seed: int) -> dict[str, Any]:
    """nDCG@20 of lists by relevance alone and by each baseline, of the same users.

    They are others than those by whom settings were chosen, where there are enough. Known items are
    ranked where people take the same things again, and left out otherwise.

    Args:
        sample: users of the window that is held out.
        model: as of before it.
        seed: of what is random.
    """
    most = max(MOST_SCORES // sample.items, 10 * FEWEST)
    fresh = sample.repeat_share() < REPEAT_SHARE
    sample = sample.others(min(most, VALIDATION_USERS))
    past, users, items = sample.past, sample.users, sample.items
    k = min(LISTED, items)
    unseen = np.full(users, fresh)
    found = {"relevance": by_relevance(model, sample.whole, users, k, unseen).item}
    for name in BESIDE:
        found[name] = baselines.rank(
            name, past, sample.all_users, items, sample.whole, users, k, fresh, None, seed
        )
    values = {name: sample.ndcg_of(lists, fresh) for name, lists in found.items()}
    ours = values["relevance"]
    if len(ours) < FEWEST:
        return {"users": len(ours)}
    return {
        "users": len(ours),
        "ndcg": {name: mean(of_users) for name, of_users in values.items()},
        "error": float(ours.std(ddof=1) / len(ours) ** 0.5),
    }


def report(stages: Stages, found: dict[str, Any] | None) -> None:
    """Say what was found; None where there was nothing to be held out."""
    users = 0 if found is None else found["users"]
    if found is None or "ndcg" not in found:
        said = f"check: too little is held out to tell, {FEWEST} users are needed"
        stages.rows.append((said, users, None))
        return
    for name, ndcg in found["ndcg"].items():
        stages.rows.append((f"check: nDCG@{LISTED} {ndcg:.4f}, {name}", users, None))


def say(stages: Stages, what: str, found: dict[str, Any] | None) -> None:
    """Say what a source beside the events is worth; None where too little was held out to tell."""
    if found is None:
        stages.rows.append((f"{what}: too little is held out to tell, not used", 0, None))
        return
    gain = f"{found['with'] - found['without']:+.4f} +- {found['error']:.4f}"
    stages.rows.append(
        (
            f"{what}: nDCG@{LISTED} of {found['lists']} {found['with']:.4f}, without"
            f" {found['without']:.4f} ({gain}), {'used' if found['used'] else 'not used'}",
            found["users"],
            None,
        )
    )
