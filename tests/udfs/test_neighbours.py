"""The sparse part of relevance against its formula, in lists and in numbers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.sparse import csr_array

from morec_sql.udfs.history import bounds
from morec_sql.udfs.ranking.lists import rank
from morec_sql.udfs.relevance import neighbours
from morec_sql.udfs.relevance.model import normalised, pair_weights
from morec_sql.udfs.relevance.sparse import added, at
from tests.udfs.kernels import random_catalogue, random_history


@pytest.mark.parametrize("few", [(8, 2), (1, 0.2)])
def test_each_item_is_a_ridge_regression_on_its_nearest(
    monkeypatch: pytest.MonkeyPatch, few: tuple[float, float]
) -> None:
    monkeypatch.setattr(neighbours, "NEIGHBOURS", 4)
    monkeypatch.setattr(neighbours, "WIDTHS", (2, 3))
    monkeypatch.setattr(neighbours, "FEWEST", few[0])
    monkeypatch.setattr(neighbours, "OF_USER", few[1])
    generator = np.random.default_rng(0)
    users, items, ridge = 60, 15, 0.7
    history = random_history(generator, users, items)
    starts = bounds(history.user, users)
    weights = normalised(pair_weights(history, 2), starts)
    [found] = neighbours.neighbourhoods(starts, history.item, weights, items, (ridge,))
    x = np.zeros((users, items))
    x[history.user, history.item] = weights
    gram = x.T @ x
    penalty = ridge * np.diag(gram).mean()
    cosine = gram / np.sqrt(np.outer(np.diag(gram), np.diag(gram)))
    np.fill_diagonal(cosine, -1)
    expected = np.zeros((items, items))
    most = np.minimum(4, few[0] + few[1] * (x > 0).sum(axis=0)).astype(int)
    assert len({*most.tolist()}) == (1 if few[0] > 4 else 3)
    for item in range(items):
        near = np.argsort(-cosine[item])[: most[item]]
        system = gram[np.ix_(near, near)] + penalty * np.eye(len(near))
        expected[near, item] = np.linalg.solve(system, gram[near, item])
    np.testing.assert_allclose(found.toarray(), expected, atol=1e-4)


@pytest.mark.parametrize("filtered", [False, True])
def test_neighbours_add_to_the_likeness_in_lists(filtered: bool) -> None:
    generator = np.random.default_rng(1)
    users, items, k = 7, 50, 5
    catalogue = random_catalogue(generator, items, 4, ["relevance", "item"])
    dense = generator.random((items, items)) * (generator.random((items, items)) < 0.1)
    sparse = csr_array(dense.astype(np.float32))
    catalogue.model = dataclasses.replace(catalogue.model, neighbours=sparse)
    history = random_history(generator, users, items)
    weights = np.tile([1.0, 0.3], (users, 1))
    allowed = np.arange(0, items, 2) if filtered else np.arange(items)
    chosen = catalogue.only(allowed) if filtered else None
    batch = catalogue.batch(history, users, chosen, np.ones(users, bool))
    ranked = rank(catalogue, batch, weights, k)
    starts = bounds(history.user, users)
    pair = normalised(pair_weights(history, catalogue.model.half_life), starts)
    x = np.zeros((users, items))
    x[history.user, history.item] = pair
    of_users = catalogue.model.of_users(history, users)
    more = added(sparse, pair, history.item, starts)
    np.testing.assert_allclose(more.toarray(), x @ dense, rtol=1e-4, atol=1e-6)
    row, column = generator.integers(users, size=40), generator.integers(items, size=40)
    np.testing.assert_allclose(at(more, row, column), (x @ dense)[row, column], atol=1e-5)
    linear = np.concatenate([catalogue.model.decoder, catalogue.model.popularity], axis=1)
    assert of_users.more is not None
    relevance = of_users.queries @ linear.T + of_users.more.toarray()
    score = relevance / catalogue.model.unit + 0.3 * catalogue.values[:, 1]
    score[history.user, history.item] = -np.inf
    score[:, np.setdiff1d(np.arange(items), allowed)] = -np.inf
    best = np.argsort(-score, axis=1)[:, :k]
    expected = np.where(np.isfinite(np.take_along_axis(score, best, axis=1)), best, -1)
    np.testing.assert_array_equal(ranked.item, expected)
