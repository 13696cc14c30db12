"""The closed-form step for items that come after the training."""

from __future__ import annotations

import numpy as np
import pytest

from morec_sql.udfs.history import Events, History, bounds
from morec_sql.udfs.relevance.low_rank import CONTENT_SHARE
from morec_sql.udfs.relevance.model import normalised, pair_weights, user_vectors
from morec_sql.udfs.relevance.trainer import Trainer

USERS, ITEMS, FEATURES, RANK = 300, 40, 12, 40  # of full rank the decomposition is exact
SETTINGS = {
    "half_life": 1,
    "rank": RANK,
    "ridge": 0.03,
    "damping": (0.25, 0.5),
    "trend": ("users", 1.2, 0.5),
}


def some_history(generator: np.random.Generator) -> History:
    from morec_sql.udfs.history import DAY, Clock

    user = np.repeat(np.arange(USERS, dtype=np.int32), 6)
    item = ((user % 4) * 10 + generator.integers(0, 12, len(user))).astype(np.int32) % ITEMS
    time = generator.uniform(0, 100 * DAY, len(user))
    weight = np.ones(len(user), np.float32)
    clock = Clock(100 * DAY, (4 * DAY, 12 * DAY, 50 * DAY), 1.0, 8 * DAY)
    return Events.sorted(user, item, time, weight, False).history(clock, clock.now)


@pytest.mark.parametrize("texts", [True, False])
def test_an_item_of_the_training_gets_its_own_vectors(texts: bool) -> None:
    generator = np.random.default_rng(0)
    history = some_history(generator)
    features = None
    if texts:
        features = generator.normal(size=(ITEMS, FEATURES)).astype(np.float32)
        features -= features.mean(axis=0)
    trainer = Trainer(USERS, ITEMS, features, "mean", 0)
    encoder, decoder = trainer.factors(history, SETTINGS)
    decoder = decoder * trainer.trend(history, SETTINGS)[:, None]
    starts = bounds(history.user, USERS)
    pair = normalised(pair_weights(history, SETTINGS["half_life"]), starts)  # type: ignore[arg-type]
    queries = user_vectors(encoder, history.item, pair, starts)
    taken = np.zeros((ITEMS, RANK), np.float32)
    np.add.at(taken, history.item, pair[:, None] * queries[history.user])
    fold_in = trainer.fold_in(history, SETTINGS)
    mine = np.zeros((ITEMS, 0), np.float32) if features is None else features
    found = fold_in.behaviour(SETTINGS, mine, taken, history)
    np.testing.assert_allclose(found[0], encoder, atol=2e-4)
    np.testing.assert_allclose(found[1], decoder, atol=2e-3)
    if features is not None:
        np.testing.assert_allclose(fold_in.content(features), trainer.content, atol=1e-5)


@pytest.mark.parametrize("texts", [True, False])
def test_items_that_are_alike_and_that_nobody_took_come_to_the_same_as_one_row(texts: bool) -> None:
    generator = np.random.default_rng(1)
    history, more = some_history(generator), 30
    features = None
    if texts:
        # ten of each of two kinds, and ten without a text
        features = generator.normal(size=(ITEMS + more, FEATURES)).astype(np.float32)
        features[ITEMS:] = np.repeat([features[ITEMS], features[-1], 0 * features[0]], 10, axis=0)
    trainer = Trainer(USERS, ITEMS + more, features, "mean", 0)
    settings = {**SETTINGS, "rank": ITEMS + more, "damping": (0.0, 0.0)}
    encoder, decoder = trainer.factors(history, settings)
    # all items as rows of one matrix, as in low_rank.py
    _, weights = trainer.pairs(history, settings)
    x = np.zeros((USERS, ITEMS + more))
    x[history.user, history.item] = weights
    gram = x.T @ x
    if features is not None:
        share = CONTENT_SHARE * float((weights.astype(np.float64) ** 2).sum())
        gram += share / float((features.astype(np.float64) ** 2).sum()) * features @ features.T
    ridge = SETTINGS["ridge"] * np.linalg.eigvalsh(gram).max()  # type: ignore[operator]
    m = np.linalg.solve(gram + ridge * np.eye(len(gram)), gram)
    expected = m / np.maximum(1 - np.diag(m), 0.05)
    np.testing.assert_allclose(encoder @ decoder.T, expected, atol=2e-3)
    found, wanted = trainer.fold_in(history, settings), encoder[ITEMS:]
    nothing = history.take(np.zeros(len(history), bool))
    mine = np.zeros((more, 0), np.float32) if features is None else features[ITEMS:]
    taken = np.zeros((more, encoder.shape[1]), np.float32)
    later = found.behaviour(settings, mine, taken, nothing)[0]
    np.testing.assert_allclose(later, wanted, atol=2e-4)
