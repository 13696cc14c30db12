"""The losses against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from morec_sql.udfs.history import History, Signal
from morec_sql.udfs.relevance import losses


def test_losses_are_as_their_formulas_say() -> None:
    rng = np.random.default_rng(5)
    users, items = 6, 9
    user, item = np.nonzero(rng.random((users, items)) < 0.5)
    user, item = user.astype(np.int32), item.astype(np.int32)
    weights = rng.random(len(user)).astype(np.float32)
    zeros = np.zeros(len(user), np.float32)
    history = History(user, item, np.ones((len(user), 3), np.float32), zeros, zeros, zeros)
    encoder, decoder = (rng.normal(size=(2, items, 4)) / 2).astype(np.float32)
    pairs = losses._Pairs(history, weights, users, items)
    chosen = np.array([0, 2, 3, 5], np.int32)
    vectors = [torch.from_numpy(encoder), torch.from_numpy(decoder)]
    step = losses._Step(pairs, chosen, vectors, np.random.default_rng(1))

    x = np.zeros((users, items))
    x[user, item] = weights
    signal_user, signal_item = np.nonzero(rng.random((users, items)) < 0.6)
    likeness = np.array(
        [
            (x[u] @ encoder - x[u, j] * encoder[j]) @ decoder[j]
            for u, j in zip(signal_user, signal_item, strict=True)
        ]
    )
    count = np.log1p(np.bincount(item, minlength=items))
    head = 0.3, -0.2, 0.7
    slope = (0.1 + np.exp(head[0])) / 1.7
    popular = head[1] * (count - count.mean())
    odds = slope * likeness + popular[signal_item] + head[2]
    inside = np.isin(signal_user, chosen)
    sampled = step.sampled.numpy()
    others = slope * (x @ encoder) @ decoder[sampled].T + popular[sampled] + head[2]
    drawn = count[sampled] / count.sum() * len(sampled)

    def loss(kind: str, value: np.ndarray) -> float:
        columns = signal_user.astype(np.int32), signal_item.astype(np.int32)
        task = losses._Task(Signal("s", kind, *columns, value.astype(np.float32)), pairs)
        task.head, task.deviation = torch.tensor(head), 1.7
        return float(task.loss(step))

    ratings = rng.integers(1, 6, len(odds)).astype(float)
    mean = np.array([ratings[signal_user == u].mean() for u in range(users)])
    centred = (ratings - mean[signal_user]) / ratings.std()
    expected = np.mean((odds - centred)[inside] ** 2)
    assert loss("squared_error", ratings) == pytest.approx(expected, rel=1e-4)

    label = rng.random(len(odds)) < 0.5
    likelihood = np.where(label, 1 / (1 + np.exp(-odds)), 1 / (1 + np.exp(odds)))
    expected = -np.log(likelihood)[inside].mean()
    assert loss("cross_entropy", label) == pytest.approx(expected, rel=1e-4)

    taken = -np.log(1 / (1 + np.exp(-odds)))[inside].mean()
    left = -np.log(1 / (1 + np.exp(others[chosen]))).mean()
    expected = (taken + left) / 2
    assert loss("cross_entropy", np.ones(len(odds))) == pytest.approx(expected, rel=1e-4)

    everything = np.exp(odds) + (np.exp(others) / drawn).sum(axis=1)[signal_user]
    expected = -np.log(np.exp(odds) / everything)[inside & label].mean()
    assert loss("ranking", label) == pytest.approx(expected, rel=1e-4)
