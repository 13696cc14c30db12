"""The items that contend for a list, and values in units of how these differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..history import Doubles, History
from ..relevance.parts import CONTENDERS
from ..relevance.training import some_users
from .catalogue import Catalogue
from .lists import Ranking, rank

if TYPE_CHECKING:
    from ..relevance.model import RelevanceModel

ALIKE = 0.01  # of the deviation of all items: below it contenders are as good as alike
CLIPPED = 0.001  # share of the catalogue at either end that is clipped before standardising
LARGEST = 1e100  # of values, whose squares are still numbers
SAMPLED_USERS = 500  # whose contenders stand for those of all


def contenders(model: RelevanceModel, history: History, users: int) -> Ranking:
    """The items that contend for lists by relevance alone, of a sample of the users."""
    sample = some_users(users, SAMPLED_USERS)
    return by_relevance(model, history.of_users(sample, users), len(sample), CONTENDERS)


def by_relevance(
    model: RelevanceModel,
    history: History,
    users: int,
    k: int,
    unseen: npt.NDArray[np.bool_] | None = None,
) -> Ranking:
    """The lists of `users` users by relevance alone; `unseen`: whose known items are left out."""
    items = len(model.decoder)
    catalogue = Catalogue(
        model, ["relevance"], np.zeros((items, 1), np.float32), np.zeros((0, 1), np.float32),
        np.full(items, -1),
    )  # fmt: skip
    batch = catalogue.batch(history, users, None, unseen)
    return rank(catalogue, batch, np.ones((users, 1)), min(k, items))


def standardise(
    raw: Doubles, contending: npt.NDArray[np.int64] | None
) -> tuple[Doubles, float, float]:
    """Clip, subtract the mean and divide by the deviation; unknown values become the mean.

    The deviation is that among the contenders, or of all items, where these are not given or alike.
    """
    known = np.isfinite(raw)
    raw = np.clip(raw, -LARGEST, LARGEST)
    if not known.any():
        return np.zeros(len(raw)), 0.0, 0.0
    low, high = np.quantile(raw[known], [CLIPPED, 1 - CLIPPED])
    clipped = np.clip(raw, low, high)
    mean, deviation = float(clipped[known].mean()), float(clipped[known].std())
    if deviation <= 1e-12 * max(abs(mean), 1.0):
        return np.zeros(len(raw)), mean, 0.0
    centred = np.where(known, clipped - mean, 0.0)
    if contending is not None:
        among = float(np.median(centred[contending].std(axis=1)))
        deviation = among if among > ALIKE * deviation else deviation
    return centred / deviation, mean, deviation
