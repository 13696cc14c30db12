"""Random histories and catalogues, and the formulas in plain NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from morec_sql.udfs.history import History
from morec_sql.udfs.ranking.catalogue import Catalogue
from morec_sql.udfs.relevance import repeats
from morec_sql.udfs.relevance.model import RelevanceModel

Gain = Callable[[Catalogue, History, int, list[int], int], float]


def random_history(generator: np.random.Generator, users: int, items: int) -> History:
    """Some pairs of some users, sorted by user and item; the last user has none."""
    known = generator.random((users, items)) < 0.2
    known[-1] = False
    user, item = np.nonzero(known)
    pairs = len(user)
    last = generator.random(pairs).astype(np.float32) * 3
    return History(
        user=user.astype(np.int32),
        item=item.astype(np.int32),
        strength=generator.random((pairs, 3)).astype(np.float32) + 0.1,
        count=generator.integers(1, 5, pairs).astype(np.float32),
        last=last,
        first=last + generator.random(pairs).astype(np.float32),
    )


def random_catalogue(
    generator: np.random.Generator, items: int, dimensions: int, kinds: list[str]
) -> Catalogue:
    def normal(*shape: int) -> np.ndarray:
        return generator.normal(size=shape).astype(np.float32)

    model = RelevanceModel(
        encoder=normal(items, dimensions),
        decoder=normal(items, dimensions),
        statistics=normal(items, len(repeats.ITEM_FEATURES)),
        content=1,
        unknown=normal(5, 5),
        repeats=repeats.RepeatModel(
            mean=normal(repeats.FEATURES),
            scale=abs(normal(repeats.FEATURES)) + 0.5,
            linear=normal(repeats.FEATURES),
            intercept=-1.5,
            hidden=normal(3, repeats.FEATURES),
            bias=normal(3),
            output=normal(3),
        ),
        half_life=1,
        chosen={},
        unit=1.7,
    )
    likeness = normal(4, 5)
    likeness /= np.linalg.norm(likeness, axis=1, keepdims=True)
    rows = generator.integers(-1, 4, items)
    values = normal(items, len(kinds))
    for position, kind in enumerate(kinds):
        if kind in ("coverage", "calibration", "diversity by category"):
            values[:, position] = generator.integers(-1, 4, items)
    return Catalogue(model, kinds, values, likeness, rows)


def plain_relevance(
    catalogue: Catalogue, history: History, users: int, wanted: np.ndarray | None = None
) -> np.ndarray:
    """Relevance of every item for every user, pair by pair; of a pair not wanted, as if unknown."""
    model = catalogue.model
    out = np.zeros((users, catalogue.items))
    features = repeats.pair_features(history)
    again = model.repeats
    split = model.decoder.shape[1] - model.content
    blocks = slice(None, split), slice(split, None)
    for user in range(users):
        mine = np.flatnonzero(history.user == user)
        x = np.log1p(history.strength[mine, model.half_life].astype(np.float64))
        x /= max(np.sqrt((x**2).sum()), 1e-6) ** 0.5
        active = np.log(history.strength[mine].sum(axis=0) + 0.1)
        weights = np.concatenate([[1, 1 / (1 + len(mine) / 20)], active]) @ model.unknown
        encoder = model.encoder[history.item[mine]].astype(np.float64)
        query = (x[:, None] * encoder).sum(axis=0)

        def likeness(query: np.ndarray, item: int | slice, weights: np.ndarray = weights) -> Any:
            parts = [model.decoder[item, block] @ query[block] for block in blocks]
            return weights[0] * parts[0] + weights[1] * parts[1]

        out[user] = likeness(query, slice(None)) + model.statistics[:, :2] @ weights[2:4]
        for weight, pair in zip(x, mine, strict=True):
            if wanted is not None and not wanted[pair]:
                continue
            item = history.item[pair]
            rest = likeness(query - weight * model.encoder[item], item)
            interval = model.statistics[item, repeats.ITEM_FEATURES.index("log_interval")]
            due = np.log(history.last[pair] + 0.3) - interval
            row = np.concatenate([[rest, due], features[pair], model.statistics[item], active])
            row = np.clip((row - again.mean) / again.scale, -5, 5)
            unit = np.maximum(again.hidden @ row + again.bias, 0)
            odds = again.linear @ row + again.intercept + again.output @ unit
            out[user, item] = odds - weights[4]
    return (out - out.mean(axis=1, keepdims=True)) / model.unit


def plain_fit(catalogue: Catalogue, history: History, users: int, at: int) -> np.ndarray:
    """Minus the squared distance from what the user is used to, standardised over the catalogue."""
    out = np.zeros((users, catalogue.items))
    values = catalogue.values[:, at].astype(np.float64)
    for user in range(users):
        mine = history.user == user
        strength = history.strength[mine, 2].astype(np.float64)
        taste = (strength * values[history.item[mine]]).sum() / (strength.sum() + 1)
        fit = -((values - taste) ** 2)
        out[user] = (fit - fit.mean()) / fit.std()
    return out
