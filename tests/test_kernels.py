"""The kernels against plain NumPy statements of their formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from morec_sql.udfs import relevance, repeats, scoring
from morec_sql.udfs.history import History, bounds
from morec_sql.udfs.relevance import RelevanceModel


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
    generator: np.random.Generator, items: int, dimensions: int, objectives: int
) -> scoring.Catalogue:
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
    return scoring.Catalogue(model, normal(items, objectives), likeness, rows)


def plain_relevance(catalogue: scoring.Catalogue, history: History, users: int) -> np.ndarray:
    """Relevance of every item for every user, pair by pair."""
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


@given(
    seed=st.integers(0, 2**32 - 1),
    items=st.integers(3, 40),
    k=st.integers(1, 12),
    filtered=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_list_is_the_brute_force_top_k(seed: int, items: int, k: int, filtered: bool) -> None:
    generator = np.random.default_rng(seed)
    users = 7
    catalogue = random_catalogue(generator, items, 4, 2)
    history = random_history(generator, users, items)
    weight, weights = generator.random(users) + 0.1, generator.random((users, 2))
    exclude = generator.random(users) < 0.5
    allowed = np.flatnonzero(generator.random(items) < 0.5) if filtered else np.arange(items)
    if not len(allowed):
        allowed = np.array([0])
    ranked = scoring.rank(
        catalogue,
        history,
        weight,
        weights,
        np.zeros(users),
        k,
        allowed if filtered else None,
        exclude,
    )
    parts = plain_relevance(catalogue, history, users) * weight[:, None]
    total = parts + weights @ catalogue.objectives.T
    for user in range(users):
        possible = allowed
        if exclude[user]:
            possible = np.setdiff1d(allowed, history.item[history.user == user])
        best = possible[np.argsort(-total[user, possible], kind="stable")][:k]
        listed = ranked.item[user][ranked.item[user] >= 0]
        np.testing.assert_allclose(total[user, listed], total[user, best], atol=2e-4)
        assert len(set(listed)) == len(best)
        assert set(listed) <= set(possible)
        depth = len(listed)
        np.testing.assert_allclose(ranked.score[user, :depth], total[user, listed], atol=2e-4)
        np.testing.assert_allclose(ranked.relevance[user, :depth], parts[user, listed], atol=2e-4)


@given(seed=st.integers(0, 2**32 - 1), weight=st.floats(0.01, 5))
@settings(max_examples=30, deadline=None)
def test_diversity_is_greedy_maximal_marginal_relevance(seed: int, weight: float) -> None:
    generator = np.random.default_rng(seed)
    items, k = 15, 6
    catalogue = random_catalogue(generator, items, 3, 1)
    history = random_history(generator, 2, items)
    ranked = scoring.rank(
        catalogue,
        history,
        np.ones(2),
        np.ones((2, 1)),
        np.full(2, weight),
        k,
        None,
        np.zeros(2, bool),
    )
    score = plain_relevance(catalogue, history, 2) + catalogue.objectives[:, 0]
    vectors = catalogue.likeness.cpu().numpy()[catalogue.likeness_row.cpu().numpy()]
    distance = 1 - vectors @ vectors.T
    for user in range(2):
        chosen = list(ranked.item[user])
        for place, item in enumerate(chosen):
            gain = np.zeros(items)
            if place:
                mean = distance[:, chosen[:place]].mean(axis=1)
                gain = weight * (mean - catalogue.distance_mean) / catalogue.distance_deviation
            marginal = score[user] + gain
            rest = np.setdiff1d(np.arange(items), chosen[:place])
            assert marginal[item] >= marginal[rest].max() - 1e-3
            assert ranked.diversity[user, place] == pytest.approx(gain[item], abs=1e-3)


def test_the_factors_are_ease() -> None:
    """At full rank and without item features, they give EASE's closed form."""
    generator = np.random.default_rng(0)
    users, items, ridge = 30, 12, 0.05
    history = random_history(generator, users, items)
    starts = bounds(history.user, users)
    weights = relevance.normalised(relevance.pair_weights(history, 2), starts)
    vectors, values = relevance._truncated_svd(
        starts, history.item, weights, None, items, items, seed=1
    )
    encoder, decoder = relevance._encoder_decoder(vectors, values, ridge)
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
    model = relevance.fit(bought, users, items, features, [], 8, seed=1)
    likeness = model.encoder[:9] @ model.decoder[9]
    assert likeness.argmax() == 8


def test_repeat_features_of_a_pair_checked_by_hand() -> None:
    pair = History(
        user=np.zeros(2, np.int32),
        item=np.arange(2, dtype=np.int32),
        strength=np.array([[0.49, 0.99, 1.99], [0.99, 0.99, 0.99]], np.float32),
        count=np.array([3, 1], np.float32),
        last=np.array([1, 0], np.float32),
        first=np.array([3, 0], np.float32),
    )
    expected = {
        "log_count": [np.log(3), 0],
        "log_strength_short": [np.log(0.5), 0],
        "log_strength_medium": [0, 0],
        "log_strength_long": [np.log(2), 0],
        "log_last": [np.log(2), 0],
        "log_first": [np.log(4), 0],
        "repeated": [1, 0],
        # bought every 1.0 and last bought 1.0 ago: neither early nor overdue
        "rhythm": [0, 0],
        "overdue": [0, 0],
    }
    features = repeats.pair_features(pair)
    np.testing.assert_allclose(
        features.T, [expected[name] for name in repeats.PAIR_FEATURES], atol=1e-6
    )


def test_item_features_checked_by_hand() -> None:
    history = History(
        user=np.array([0, 1, 2], np.int32),
        item=np.array([1, 1, 1], np.int32),
        strength=np.array([[0.4, 0.5, 0.6]] * 3, np.float32),
        count=np.array([3, 1, 1], np.float32),
        last=np.array([0.1, 0.2, 5.0], np.float32),
        first=np.array([4.0, 0.2, 6.0], np.float32),
    )
    expected = {
        "log_users": np.log(4),
        "log_late_users": np.log(3),
        "log_latest_users": np.log(3),
        "log_late_adopters": np.log(2),
        "log_latest_adopters": np.log(2),
        "repeat_share": 2 / 7,
        "log_mean_count": np.log(6 / 4),
        "log_strength_short": np.log(1.3),
        "log_strength_medium": np.log(1.6),
        "log_strength_long": np.log(1.9),
        # one repeated every 1.95 and is loyal; 3 users and 2 loyal ones are added to smooth
        "log_interval": np.log(1.95 + 0.3),
        "loyal_share": 2 / 3,
    }
    features = repeats.item_features(history, 2)
    np.testing.assert_allclose(
        features[1], [expected[name] for name in repeats.ITEM_FEATURES], rtol=1e-5
    )
    assert features[0, 0] == 0


def test_the_network_learns_what_a_regression_cannot() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(100_000, repeats.FEATURES)).astype(np.float32)
    label = features[:, 0] * features[:, 1] > 0.5
    model = repeats.fit([features], [label], features, seed=1)
    odds = model.log_odds(features)
    assert ((odds > 0) == label).mean() > 0.93
    again = repeats.RepeatModel.from_json(model.as_json())
    np.testing.assert_array_equal(again.log_odds(features), odds)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    history = random_history(generator, 50, 60)
    fitted = []
    for where in ("cuda", "cpu"):
        for module in (relevance, scoring):
            monkeypatch.setattr(module, "device", lambda where=where: torch.device(where))
        model = relevance.fit(history, 50, 60, None, [], 16, seed=3)
        fitted.append(model.encoder @ model.decoder.T)
        assert all(np.isfinite(value).all() for value in (model.encoder, model.decoder))
    np.testing.assert_allclose(fitted[0], fitted[1], atol=1e-3)
