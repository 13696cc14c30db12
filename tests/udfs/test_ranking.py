"""Lists and their list-wise terms against brute force and their formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morec_sql.udfs.history import History
from morec_sql.udfs.ranking import likeness as likeness_of
from morec_sql.udfs.ranking.catalogue import Catalogue
from morec_sql.udfs.ranking.lists import rank
from morec_sql.udfs.ranking.pairs import PairScores
from tests.udfs.kernels import Gain, plain_fit, plain_relevance, random_catalogue, random_history


@given(
    seed=st.integers(0, 2**32 - 1),
    items=st.integers(3, 400),
    k=st.integers(1, 12),
    filtered=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_list_is_the_brute_force_top_k(seed: int, items: int, k: int, filtered: bool) -> None:
    generator = np.random.default_rng(seed)
    users = 7
    catalogue = random_catalogue(generator, items, 4, ["item", "relevance", "fit", "item"])
    history = random_history(generator, users, items)
    weights = generator.uniform(-1, 1, (users, 4))
    exclude = generator.random(users) < 0.5
    allowed = np.flatnonzero(generator.random(items) < 0.5) if filtered else np.arange(items)
    if not len(allowed):
        allowed = np.array([0])
    ranked = rank(
        catalogue,
        catalogue.batch(history, users, catalogue.only(allowed) if filtered else None, exclude),
        weights,
        k,
    )
    wanted = np.isin(history.item, allowed) & ~exclude[history.user]
    parts = (
        np.stack(
            [
                np.tile(catalogue.values[:, 0], (users, 1)),
                plain_relevance(catalogue, history, users, wanted),
                plain_fit(catalogue, history, users, 2),
                np.tile(catalogue.values[:, 3], (users, 1)),
            ],
            axis=2,
        )
        * weights[:, None]
    )
    total = parts.sum(axis=2)
    for user in range(users):
        possible = allowed
        if exclude[user]:
            possible = np.setdiff1d(allowed, history.item[history.user == user])
        best = possible[np.argsort(-total[user, possible], kind="stable")][:k]
        listed = ranked.item[user][ranked.item[user] >= 0]
        np.testing.assert_allclose(total[user, listed], total[user, best], atol=2e-3)
        assert len(set(listed)) == len(best)
        assert set(listed) <= set(possible)
        depth = len(listed)
        np.testing.assert_allclose(ranked.score[user, :depth], total[user, listed], atol=2e-3)
        np.testing.assert_allclose(
            ranked.contributions[user, :depth], parts[user, listed], atol=2e-3
        )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 999), further=st.integers(1, 4), fixed=st.integers(1, 4), seen=st.booleans()
)
def test_values_by_item_that_weigh_the_same_for_all_are_one_column(
    seed: int, further: int, fixed: int, seen: bool
) -> None:
    generator = np.random.default_rng(seed)
    items, users, k = 40, 4, 6
    catalogue = random_catalogue(generator, items, 3, ["relevance", "item", "fit"])
    history = random_history(generator, users, items)
    values = generator.normal(size=(items, further + fixed))
    weights = generator.normal(size=(users, 3 + further + fixed))
    weights[:, 3 + further :] = weights[0, 3 + further :]
    lists = []
    for of in (catalogue.beside(values), catalogue.beside(values, weights[0, 3 + further :])):
        batch = of.batch(history, users, None, np.full(users, seen))
        found = rank(of, batch, weights, k)
        user, place = np.nonzero(found.item >= 0)
        pairs = PairScores(of, batch, weights)(user, found.item[user, place])
        np.testing.assert_allclose(pairs, found.score[user, place], atol=1e-4)
        lists.append(found)
    apart, together = lists
    np.testing.assert_array_equal(apart.item, together.item)
    np.testing.assert_allclose(apart.contributions, together.contributions, atol=1e-4)


def check_greedy(
    seed: int, kinds: list[str], weight: float, gain: Gain, diversify: str = "mmr"
) -> None:
    """Each next item of a list has the largest score plus gain, and the gain is as stated."""
    generator = np.random.default_rng(seed)
    items, k, users = 15, 6, 3
    catalogue = random_catalogue(generator, items, 3, ["relevance", *kinds, "item"])
    history = random_history(generator, users, items)
    weights = np.tile([1.0, weight, 1.0], (users, 1))
    batch = catalogue.batch(history, users)
    ranked = rank(catalogue, batch, weights, k, diversify=diversify)
    score = plain_relevance(catalogue, history, users) + catalogue.values[:, 2]
    for user in range(users):
        chosen = list(ranked.item[user])
        for place, item in enumerate(chosen):
            rest = np.setdiff1d(np.arange(items), chosen[:place])
            gains = np.full(items, -np.inf)
            for one in rest:
                gains[one] = weight * gain(catalogue, history, user, chosen[:place], one)
            marginal = score[user] + gains
            assert marginal[item] >= marginal[rest].max() - 2e-3
            assert ranked.contributions[user, place, 1] == pytest.approx(gains[item], abs=2e-3)
        assert ranked.score[user] == pytest.approx(ranked.contributions[user].sum(axis=1))


def likenesses(catalogue: Catalogue) -> np.ndarray:
    """The likeness of every two items; an item is like itself, whatever it lacks."""
    rows = catalogue.likeness.rows.cpu().numpy()
    if catalogue.likeness.vectors is None:
        like = (rows[:, None] == rows) & (rows >= 0)
    else:
        vectors = catalogue.likeness.vectors.cpu().numpy().astype(np.float64)[rows]
        like = vectors @ vectors.T
    like = like.astype(np.float64)
    np.fill_diagonal(like, 1.0)
    return like


def distance_gain(
    catalogue: Catalogue, history: History, user: int, chosen: list[int], item: int
) -> float:
    if not chosen:
        return 0.0
    mean = (1 - likenesses(catalogue)[item, chosen]).mean()
    measure = catalogue.likeness
    return float((mean - measure.scale.mean) / measure.scale.deviation)


def volume_gain(
    catalogue: Catalogue, history: History, user: int, chosen: list[int], item: int
) -> float:
    def log_determinant(listed: list[int]) -> float:
        kernel = likenesses(catalogue)[np.ix_(listed, listed)] + 0.01 * np.eye(len(listed))
        return float(np.linalg.slogdet(kernel / 1.01)[1])

    gain = log_determinant([*chosen, item]) - log_determinant(chosen)
    return max(gain, np.log(1e-6)) / catalogue.likeness.scale.volume


def coverage_gain(
    catalogue: Catalogue, history: History, user: int, chosen: list[int], item: int
) -> float:
    category = catalogue.values[:, 1]
    return float(category[item] >= 0 and category[item] not in category[chosen])


def calibration_gain(
    catalogue: Catalogue, history: History, user: int, chosen: list[int], item: int
) -> float:
    category = catalogue.values[:, 1].astype(int)
    known = np.flatnonzero((history.user == user) & (category[history.item] >= 0))
    mix = np.bincount(category[history.item[known]], history.strength[known, 2], minlength=4)
    if not len(known):
        mix = np.bincount(category[category >= 0], minlength=4).astype(float)
    mix /= mix.sum()

    def divergence(listed: list[int]) -> float:
        counts = np.bincount(category[listed][category[listed] >= 0], minlength=4)
        share = 0.99 * counts / max(len(listed), 1) + 0.01 * mix
        there = mix > 0
        return float((mix[there] * np.log(mix[there] / share[there])).sum())

    return (divergence(chosen) - divergence([*chosen, item])) / 0.1


@pytest.mark.parametrize(
    ("kind", "gain", "diversify"),
    [
        ("diversity", distance_gain, "mmr"),
        ("diversity by behaviour", distance_gain, "mmr"),
        ("diversity by category", distance_gain, "mmr"),
        ("diversity", volume_gain, "dpp"),
        ("diversity by behaviour", volume_gain, "dpp"),
        ("diversity by category", volume_gain, "dpp"),
        ("coverage", coverage_gain, "mmr"),
        ("calibration", calibration_gain, "mmr"),
    ],
)
@given(seed=st.integers(0, 2**32 - 1), weight=st.floats(0.01, 5) | st.floats(-5, -0.01))
@settings(max_examples=15, deadline=None)
def test_listwise_objectives_are_maximised_greedily(
    kind: str, gain: Gain, diversify: str, seed: int, weight: float
) -> None:
    check_greedy(seed, [kind], weight, gain, diversify)


def test_many_vectors_are_compared_without_their_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness_of, "GRAM_ROWS", 0)
    check_greedy(3, ["diversity"], 0.7, distance_gain)
    check_greedy(3, ["diversity"], 0.7, volume_gain, "dpp")
