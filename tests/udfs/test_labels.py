"""What labels of users and of contexts add, against the formulas in plain NumPy."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.sparse import csr_array

from morec_sql.udfs.history import Labels
from morec_sql.udfs.relevance.labels import (
    CONTEXT_RIDGE,
    FOLDS,
    RIDGES,
    Context,
    context_vectors,
    folded_vectors,
    label_vectors,
)
from tests.udfs.kernels import plain_relevance, random_catalogue, random_history

USERS, COUNT, WIDTH = 40, 6, 5
FOLD = np.arange(USERS) % FOLDS


def plain_ridge(a: np.ndarray, y: np.ndarray, ridge: float) -> np.ndarray:
    """(A'A + lambda)^-1 A'(Y - mean)."""
    return np.linalg.inv(a.T @ a + ridge * np.eye(a.shape[1])) @ a.T @ (y - y.mean(axis=0))


def some_labels(generator: np.random.Generator) -> tuple[Labels, np.ndarray]:
    """Labels of some users, and as a matrix; every fifth has none."""
    has = generator.random((USERS, COUNT)) < 0.4
    has[::5] = False
    user, label = np.nonzero(has)
    return Labels(user.astype(np.int32), label.astype(np.int32), COUNT), has.astype(float)


def test_labels_are_a_ridge_regression_of_who_has_any() -> None:
    generator = np.random.default_rng(0)
    labels, has = some_labels(generator)
    vectors = generator.normal(size=(USERS, WIDTH)).astype(np.float32)
    some = has.any(axis=1)
    expected = plain_ridge(has[some], vectors[some].astype(float), 10.0)
    np.testing.assert_allclose(label_vectors(labels, vectors, 10.0), expected, atol=1e-5)


def test_labels_of_a_fold_come_from_the_others() -> None:
    generator = np.random.default_rng(1)
    labels, has = some_labels(generator)
    vectors = generator.normal(size=(USERS, WIDTH)).astype(np.float32)
    found, ridge = folded_vectors(labels.in_folds(FOLDS), vectors, FOLD)
    assert ridge in RIDGES
    for one in range(FOLDS):
        others = has.any(axis=1) & (one != FOLD)
        expected = plain_ridge(has[others], vectors[others].astype(float), ridge)
        np.testing.assert_allclose(found[one * COUNT : (one + 1) * COUNT], expected, atol=1e-5)


def test_the_ridge_is_large_where_labels_say_nothing_and_small_where_they_say_all() -> None:
    generator = np.random.default_rng(2)
    labels, has = some_labels(generator)
    noise = generator.normal(size=(USERS, WIDTH)).astype(np.float32)
    assert folded_vectors(labels.in_folds(FOLDS), noise, FOLD)[1] == RIDGES[-1]
    of_labels = (has @ generator.normal(size=(COUNT, WIDTH))).astype(np.float32)
    assert folded_vectors(labels.in_folds(FOLDS), of_labels, FOLD)[1] == RIDGES[0]


def test_contexts_are_a_ridge_regression_over_events() -> None:
    generator = np.random.default_rng(3)
    events, items = 200, 9
    has = (generator.random((events, 4)) < 0.3).astype(float)
    item = generator.integers(0, items, events).astype(np.int32)
    encoder = generator.normal(size=(items, WIDTH)).astype(np.float32)
    context = Context(item, item, np.zeros(events), csr_array(has), items)
    expected = plain_ridge(has, encoder[item].astype(float), CONTEXT_RIDGE)
    np.testing.assert_allclose(context_vectors(context, np.arange(4), encoder), expected, atol=1e-6)


def test_items_that_stand_out_in_a_context_have_log_odds() -> None:
    # of 300 events in two contexts the item 0 is taken in one alone, 1 in the other, 2 in both
    item = np.repeat(np.array([0, 1, 2], np.int32), 100)
    has = np.zeros((300, 2))
    has[:100, 0] = has[100:200, 1] = 1
    has[200:250, 0] = has[250:, 1] = 1
    found = Context(item, item, np.zeros(300), csr_array(has), 4).log_odds.toarray()
    high, low = np.log((100 + 10) / (50 + 10)), np.log((0 + 10) / (50 + 10))
    np.testing.assert_allclose(found, [[high, low, 0, 0], [low, high, 0, 0]], atol=1e-6)


@pytest.mark.parametrize("of_context", [False, True])
def test_what_they_add_to_relevance(of_context: bool) -> None:
    generator = np.random.default_rng(4)
    users, items, dimensions = 7, 30, 4
    catalogue = random_catalogue(generator, items, dimensions, ["relevance"])
    history = random_history(generator, users, items)
    plain = plain_relevance(catalogue, history, users)
    model, split = catalogue.model, dimensions - catalogue.model.content
    vectors = generator.normal(size=(3, split)).astype(np.float32)
    has = generator.random((users, 3)) < 0.5
    user, label = np.nonzero(has)
    labels = Labels(user.astype(np.int32), label.astype(np.int32), 3)
    history = dataclasses.replace(history, labels=labels)
    adds = has.astype(float) @ (vectors @ model.decoder[:, :split].T)
    if of_context:
        by_items = generator.normal(size=(3, items)) * (generator.random((3, items)) < 0.3)
        by_items = by_items.astype(np.float32)
        model = dataclasses.replace(
            model, labels=vectors, context=np.ones(3, bool), context_items=csr_array(by_items)
        )
        adds += has.astype(float) @ by_items
        expected = plain * model.unit + adds
    else:
        model = dataclasses.replace(model, labels=vectors).beside("of_labels", 2.5, fade=3)
        adds *= 2.5 / (1 + np.bincount(history.user, minlength=users)[:, None] / 3)
        # an item that the user knows goes by the own events; their likeness to it takes no part here
        unknown = np.ones((users, items), bool)
        unknown[history.user, history.item] = False
        expected = plain * model.unit + adds
    of_users = model.of_users(history, users)
    table = np.concatenate([model.decoder, model.popularity], axis=1)
    found = of_users.queries @ table.T
    if of_users.more is not None:
        found += of_users.more.toarray()
    known = found.copy()
    known[history.user, history.item] = of_users.known
    for row in range(users):
        apart = np.ones(items, bool)
        if not of_context:
            apart[history.item[history.user == row]] = False
        difference = (known[row] - expected[row])[apart]
        np.testing.assert_allclose(difference, difference[0], atol=2e-3)
    mean = of_users.queries @ table.mean(axis=0) + of_users.bonus / items
    np.testing.assert_allclose(mean, known.mean(axis=1), atol=2e-3)
    # the parts of one user and item add up to it
    one = history.of_users(np.array([2]), users)
    item = int(np.setdiff1d(np.arange(items), one.item)[0])
    parts = model.in_parts(one, item)
    total = parts.behaviour.sum() + parts.content.sum() + parts.popularity + parts.labels.sum()
    assert total == pytest.approx(float(found[2, item]), abs=2e-3)
