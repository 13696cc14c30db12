"""Kernels of decisions against plain statements of their formulas, and data of known truth."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from morec_sql.udfs.decide.candidates import Candidates, Limit
from morec_sql.udfs.decide.program import solve
from morec_sql.udfs.decide.quality import auc, calibration, explained, log_loss, measured, ndcg
from morec_sql.udfs.decide.response import RIDGES, Kind, Response, deviance, fit
from morec_sql.udfs.decide.uplift import SHARES, balance, effects, gains, qini
from morec_sql.udfs.decide.within_budget import within_budget

rng = np.random.default_rng(5)
N = 4000
X = np.column_stack([rng.normal(2, 3, N), rng.exponential(1, N), rng.normal(0, 1, N)])
GROUPS = np.arange(N) % 8
ALL = {"all": range(3)}


def test_a_chance_is_recovered() -> None:
    truth = 1 / (1 + np.exp(-(-1.5 + 0.4 * X[:, 0] - 0.7 * X[:, 1])))
    y = (rng.random(N) < truth).astype(float)
    _, found = fit("chance", X, y, GROUPS, ALL)
    slope = found.coefficient / found.deviation
    assert slope == pytest.approx([0.4, -0.7, 0], abs=0.1)
    assert np.abs(found.expected(X) - truth).mean() < 0.02
    # the parts and the intercept are the log-odds
    odds = found.intercept + found.parts(X).sum(axis=1)
    assert found.expected(X) == pytest.approx(1 / (1 + np.exp(-odds)))


def test_counts_are_recovered_whatever_they_are_counted_over() -> None:
    exposure = rng.choice([1.0, 5.0, 30.0], N)
    truth = np.exp(-1 + 0.2 * X[:, 0]) * exposure
    y = rng.poisson(truth).astype(float)
    _, found = fit("count", X, y, GROUPS, ALL, exposure)
    assert found.coefficient / found.deviation == pytest.approx([0.2, 0, 0], abs=0.02)
    assert found.expected(X, exposure) == pytest.approx(truth, rel=0.15)


@pytest.mark.parametrize("kind", ["chance", "count", "amount"])
@pytest.mark.parametrize("apart", [0.0, 0.5])
def test_intervals_hold_what_groups_are_as_a_whole(kind: Kind, apart: float) -> None:
    drawn = np.random.default_rng(3)
    groups, found, inside = np.arange(N) % 40, [], []
    for _ in range(6):
        shift = drawn.normal(0, apart, 80)
        link = np.clip(-1 + 0.2 * X[:, 0] - 0.4 * X[:, 1], -5, 3)

        def came(of: np.ndarray, link: np.ndarray = link) -> np.ndarray:
            total = link + of
            if kind == "chance":
                return (drawn.random(N) < 1 / (1 + np.exp(-total))).astype(float)
            if kind == "count":
                return drawn.poisson(np.exp(total)).astype(float)
            return total + drawn.normal(0, 1, N)

        _, response = fit(kind, X, came(shift[groups]), groups, ALL)
        found.append(response.spread)
        # groups that come later, and what is to be expected of each
        later = link + shift[40 + groups]
        mean = later if kind == "amount" else np.exp(later)
        if kind == "chance":
            mean = 1 / (1 + np.exp(-later))
        low, high = (response.off(response.expected(X), end) for end in (-1.645, 1.645))
        total, least, most = (np.bincount(groups, of) for of in (mean, low, high))
        inside.append((least <= total) & (total <= most))
    assert np.mean(found) == pytest.approx(apart, abs=0.2)
    assert np.mean(inside) > 0.8
    if apart:
        assert np.mean(inside) < 0.99
    # of two groups nothing is known of how far they are apart
    _, response = fit(kind, X, came(shift[groups]), np.arange(N) % 2, ALL)
    assert np.isnan(response.spread)


def test_the_ridge_is_the_one_of_the_formula() -> None:
    y = (rng.random(60) < 0.4).astype(float)
    x = X[:60]
    _, found = fit("chance", x, y, np.zeros(60, int), ALL)
    z = (x - x.mean(axis=0)) / x.std(axis=0)

    def loss(w: np.ndarray, ridge: float) -> float:
        total = w[0] + z @ w[1:]
        return float(np.log1p(np.exp(-(2 * y - 1) * total)).sum() + ridge * (w[1:] ** 2).sum() / 2)

    best = [minimize(loss, np.zeros(4), (ridge,), tol=1e-10).x for ridge in RIDGES]
    assert min(np.abs(one[1:] - found.coefficient).max() for one in best) < 1e-3


def test_the_features_are_those_that_foretell_other_groups() -> None:
    drawn = np.random.default_rng(2)
    y = (drawn.random(N) < 1 / (1 + np.exp(-X[:, 2]))).astype(float)
    subsets = {"all": range(3), "the third": [2], "none": []}
    name, found = fit("chance", X, y, GROUPS, subsets)
    assert name == "the third"
    assert (found.coefficient[:2] == 0).all()
    nothing = drawn.integers(0, 2, 300).astype(float)
    name, found = fit("chance", X[:300], nothing, GROUPS[:300], {"none": [], "all": range(3)})
    assert found.expected(X[:300]).std() < 0.1


@pytest.mark.parametrize("kind", ["chance", "count", "amount"])
def test_without_anything_to_learn_it_is_the_mean(kind: str) -> None:
    for y in (np.zeros(20), np.ones(20)):
        _, found = fit(kind, X[:20], y, np.arange(20) % 3, ALL)  # type: ignore[arg-type]
        assert np.isfinite(found.expected(X[:20])).all()
        assert found.expected(X[:20]) == pytest.approx(np.full(20, y[0]), abs=0.05)


def test_what_is_unknown_counts_as_typical_and_is_told() -> None:
    x = X[:500].copy()
    x[::7, 1] = np.nan
    y = (x[:, 0] > 2).astype(float)
    _, found = fit("chance", x, y, GROUPS[:500], ALL)
    typical = x[:1].copy()
    typical[0, 1] = found.mean[1]
    unknown = typical.copy()
    unknown[0, 1] = np.nan
    assert found.expected(unknown) == pytest.approx(found.expected(typical))
    assert found.beyond(unknown).tolist() == [True]
    assert found.beyond(np.array([[1e6, 1, 0]])).tolist() == [True]
    assert not found.beyond(x[1:2]).any()


def test_deviances_are_those_of_the_formulas() -> None:
    y, p = np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.9, 0.5])
    likelihood = np.log([0.8, 0.9, 0.5])
    assert deviance("chance", y, p) == pytest.approx(-2 * likelihood.mean())
    assert log_loss(y, p, np.array([2.0, 1, 1])) == pytest.approx(
        -np.average(likelihood, weights=[2, 1, 1])
    )
    count, mean = np.array([0.0, 3.0]), np.array([1.0, 2.0])
    by_hand = 2 * np.mean([1.0, 3 * np.log(1.5) - 1])
    assert deviance("count", count, mean) == pytest.approx(by_hand)
    assert deviance("amount", count, mean) == 1
    assert explained(count, np.full(2, 1.5), np.ones(2)) == pytest.approx(0)
    assert calibration(y, p, np.ones(3)) == pytest.approx(0.8)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 3)), max_size=12))
@settings(max_examples=60, deadline=None)
def test_measures_of_weighted_rows_are_those_of_repeated_ones(
    rows: list[tuple[bool, int, int]],
) -> None:
    y, score, weight = (np.array(column, float) for column in zip(*rows, strict=True)) if rows else (
        np.zeros(0), np.zeros(0), np.zeros(0))  # fmt: skip
    again = np.repeat(np.arange(len(y)), weight.astype(int))
    one, zero = score[again][y[again] == 1], score[again][y[again] == 0]
    pairs = [(a > b) + (a == b) / 2 for a in one for b in zero]
    expected = float(np.mean(pairs)) if pairs else np.nan
    assert auc(y, score, weight) == pytest.approx(expected, nan_ok=True)
    ordered = y[again][np.argsort(-score[again], kind="stable")]
    discount = 1 / np.log2(np.arange(len(ordered)) + 2)
    best = (np.sort(ordered)[::-1] * discount).sum()
    expected = (ordered * discount).sum() / best if best else np.nan
    assert ndcg(y, score, weight) == pytest.approx(expected, nan_ok=True)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    inside = 0
    for seed in range(60):
        draw = np.random.default_rng(seed)
        y = (draw.random(400) < 0.5).astype(float)
        score = y + draw.normal(0, 1, 400)
        # of normal scores that are one deviation apart
        found = measured(auc, y, {"ours": score, "same": score}, np.arange(400), seed)["ours"]
        inside += found.low < 0.7602 < found.high
        assert (found.gain, found.gain_low, found.gain_high) == (0, 0, 0)
    assert 46 <= inside <= 60


def drawn(chance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Who gets an offer, what comes of it, and what it changes on average."""
    offered = rng.random(N) < chance
    effect = 1.5 + X[:, 2]
    return offered, X[:, 0] + offered * effect + rng.normal(0, 2, N), effect


@pytest.mark.parametrize("at_random", [True, False])
def test_effects_are_recovered(at_random: bool) -> None:
    chance = np.full(N, 0.4) if at_random else 1 / (1 + np.exp(0.5 * (X[:, 0] - 2)))
    offered, y, truth = drawn(chance)
    groups = balance(X, offered, GROUPS)
    assert groups.random is at_random
    if not at_random:
        # who has more of the first feature, and so of the outcome, is kept from it
        assert groups.difference[0] < -0.5
        assert y[offered].mean() - y[~offered].mean() < 0.7
    found = effects(X, offered, y, GROUPS, np.arange(N), groups.random)
    error = found.std() / N**0.5
    assert found.mean() == pytest.approx(1.5, abs=4 * error)
    _, model = fit("amount", X, found, GROUPS, ALL)
    assert model.coefficient / model.deviation == pytest.approx([0, 0, 1], abs=0.15)
    assert np.corrcoef(model.expected(X), truth)[0, 1] > 0.95


def test_gains_and_their_area() -> None:
    effect = np.array([3.0, 1.0, 0.0, -1.0])
    ones = np.ones(4)
    best = gains(effect, np.array([4.0, 3, 2, 1]), ones)
    assert len(best) == SHARES + 1
    assert best[0] == 0
    assert best[5] == pytest.approx(1)  # half of the users: 4 of 4 users
    assert best[-1] == pytest.approx(effect.mean())
    assert qini(effect, np.array([4.0, 3, 2, 1]), ones) > 0
    assert qini(effect, np.array([1.0, 2, 3, 4]), ones) < 0
    # all alike: one row that counts four times
    assert qini(np.ones(2), np.array([1.0, 2]), np.array([4.0, 1])) == pytest.approx(0)


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(0, 2)), min_size=1, max_size=9),
    st.floats(0, 6),
    st.integers(1, 9),
)
@settings(max_examples=150, deadline=None)
def test_a_budget_is_kept_and_little_is_lost(
    rows: list[tuple[float, float]], budget: float, size: int
) -> None:
    score, cost = np.array(rows).T
    chosen = within_budget(score, cost, budget, size)
    assert len(set(chosen.tolist())) == len(chosen) <= size
    assert cost[chosen].sum() <= budget + 1e-9
    assert (np.diff(score[chosen]) <= 0).all()
    # nothing that fits is left out
    if len(chosen) < size:
        others = np.setdiff1d(np.arange(len(score)), chosen)
        assert (cost[others] > budget - cost[chosen].sum() - 1e-9).all()
    worth = np.maximum(score, 0)
    best = max(
        worth[list(some)].sum()
        for count in range(min(size, len(score)) + 1)
        for some in combinations(range(len(score)), count)
        if cost[list(some)].sum() <= budget
    )
    assert worth[chosen].sum() >= best - worth.max() - 1e-9


def everything(score: np.ndarray) -> Candidates:
    """Users who may have every item."""
    users, items = score.shape
    return Candidates(
        np.tile(np.arange(items), (users, 1)),
        score.astype(np.float32),
        np.full(users, -np.inf, np.float32),
        np.zeros((1, items)),
        np.zeros(users, np.int64),
    )


def test_the_program_of_small_allocations_is_exact() -> None:
    score = np.array([[3.0, 2], [2.5, 1], [2, 1.9]])
    of = everything(score)
    one_each = Limit("each", np.arange(2), np.ones(2), np.array([1.0, 1]))
    found = solve(of, 1, [one_each], 0.0)
    assert found is not None
    prices, listed = found
    assert score[listed].sum() == pytest.approx(3 + 1.9)
    # what the prices leave to each user, and the prices themselves, come to the same
    left = np.maximum((score - prices[0]).max(axis=1), 0).sum()
    assert left + prices[0].sum() == pytest.approx(3 + 1.9, abs=1e-4)
    least = Limit("least", np.array([-1, 0]), np.ones(2), np.array([2.0]), least=True)
    found = solve(of, 1, [least], 0.0)
    assert found is not None
    assert found[1][:, 1].sum() == 2
    assert found[0][0][0] == pytest.approx(-1, abs=1e-3)
    # what cannot be reached is left to others, and so is what is too much
    assert (
        solve(of, 1, [Limit("l", np.array([0, 0]), np.ones(2), np.array([9.0]), True)], 0.0) is None
    )
    assert solve(of, 1, [], 0.0) is None


def test_a_response_keeps_what_it_was_fitted_on() -> None:
    _, found = fit("amount", X, X[:, 0] * 2, GROUPS, ALL)
    assert isinstance(found, Response)
    assert found.low == pytest.approx(X.min(axis=0))
    assert found.high == pytest.approx(X.max(axis=0))
    assert found.expected(X) == pytest.approx(X[:, 0] * 2, abs=0.1)
