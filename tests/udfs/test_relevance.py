"""The low-rank model against EASE in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from morec_sql.udfs.history import bounds
from morec_sql.udfs.ranking import catalogue, lists
from morec_sql.udfs.ranking import likeness as likeness_of
from morec_sql.udfs.relevance import low_rank, sample
from morec_sql.udfs.relevance.choice import OPTIONS
from morec_sql.udfs.relevance.content import Content
from morec_sql.udfs.relevance.model import normalised, pair_weights
from morec_sql.udfs.relevance.training import fit
from tests.udfs.kernels import random_history


def test_the_factors_are_ease() -> None:
    """At full rank and without item features, they give EASE's closed form."""
    generator = np.random.default_rng(0)
    users, items, ridge = 30, 12, 0.05
    history = random_history(generator, users, items)
    starts = bounds(history.user, users)
    weights = normalised(pair_weights(history, 2), starts)
    vectors, values = low_rank.truncated_svd(
        starts, history.item, weights, None, items, items, seed=1
    )
    encoder, decoder = low_rank.encoder_decoder(vectors, values, ridge)
    x = np.zeros((users, items))
    x[history.user, history.item] = weights
    gram = x.T @ x
    penalty = ridge * np.linalg.eigvalsh(gram).max()
    inverse = np.linalg.inv(gram + penalty * np.eye(items))
    ease = -inverse / np.diag(inverse)
    np.fill_diagonal(ease, 0)
    ours = encoder @ decoder.T
    np.fill_diagonal(ours, 0)
    np.testing.assert_allclose(ours, ease, atol=1e-3)


def test_an_item_without_events_is_near_items_with_like_features() -> None:
    generator = np.random.default_rng(1)
    users, items = 40, 10
    history = random_history(generator, users, items)
    bought = history.take(history.item < 9)
    features = np.eye(5, dtype=np.float32)[np.arange(items) // 2]
    sources = [Content("text", features, np.arange(items), np.zeros(5, np.float32))]
    model = fit(bought, users, items, sources, [], [], "sum", {**OPTIONS, "rank": (8,)}, seed=1)
    likeness = model.encoder[:9] @ model.decoder[9]
    assert likeness.argmax() == 8


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    history = random_history(generator, 50, 60)
    options = {**OPTIONS, "rank": (16,)}
    fitted = []
    for where in ("cuda", "cpu"):
        for module in (low_rank, sample, catalogue, likeness_of, lists):
            monkeypatch.setattr(module, "device", lambda where=where: torch.device(where))
        model = fit(history, 50, 60, [], [], [], "sum", options, seed=3)
        fitted.append(model.encoder @ model.decoder.T)
        assert all(np.isfinite(value).all() for value in (model.encoder, model.decoder))
    np.testing.assert_allclose(fitted[0], fitted[1], atol=1e-3)


@given(seed=st.integers(0, 2**32 - 1), columns=st.integers(1, 12), least=st.floats(-9, 0))
@settings(max_examples=30, deadline=None)
def test_a_basis_is_orthonormal_and_spans_the_columns(
    seed: int, columns: int, least: float
) -> None:
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(300, columns)) * np.logspace(0, least, columns)
    plain = matrix.astype(np.float32).astype(np.float64)
    basis = low_rank.orthonormal(torch.from_numpy(matrix.astype(np.float32)), 2).numpy()
    basis = basis.astype(np.float64)
    np.testing.assert_allclose(basis.T @ basis, np.eye(columns), atol=1e-5)
    np.testing.assert_allclose(basis @ (basis.T @ plain), plain, atol=1e-5)
