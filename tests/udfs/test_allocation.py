"""Lists under limits that bind all users together, against the exact optimum of an integer program."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, vstack

from morec_sql.udfs.decide.candidates import Candidates, Limit, item_price, merged
from morec_sql.udfs.decide.lists import choose
from morec_sql.udfs.decide.prices import find_prices, value_at

KINDS = ("stock", "total", "money", "group", "least")


def candidates_of(score: np.ndarray) -> Candidates:
    """All items for every user."""
    users, items = score.shape
    return Candidates(
        np.tile(np.arange(items), (users, 1)),
        score.astype(np.float32),
        np.full(users, -np.inf, np.float32),
        np.zeros((1, items)),
        np.zeros(users, np.int64),
    )


def limit_of(kind: str, users: int, items: int, k: int, generator: np.random.Generator) -> Limit:
    ones, places = np.ones(items), users * k
    if kind == "stock":
        most = max(2, int(1.5 * places / items))
        return Limit(kind, np.arange(items), ones, generator.integers(1, most, items).astype(float))
    if kind == "group":
        return Limit(kind, generator.integers(0, 5, items), ones, np.full(5, places * 0.15 // 1))
    if kind == "least":
        group = np.arange(items) % 8
        return Limit(kind, group, ones, np.full(8, places * 0.04 // 1), least=True)
    if kind == "money":
        cost = generator.uniform(0.5, 5, items)
        return Limit(kind, np.zeros(items, int), cost, np.array([places * 0.8]))
    return Limit(kind, np.zeros(items, int), ones, np.array([places * 0.4 // 1]))


def exact(of: Candidates, k: int, limits: list[Limit], empty: float) -> float:
    """The largest sum of scores above empty places, by an integer program."""
    user, column = np.nonzero(np.isfinite(of.score))
    item, score = of.item[user, column], of.score[user, column].astype(float) - empty
    count, pairs = len(of.item), np.arange(len(user))
    rows = [coo_array((np.ones(len(user)), (user, pairs)), shape=(count, len(user)))]
    low, high = [np.full(count, -np.inf)], [np.full(count, float(k))]
    for limit in limits:
        mine = limit.group[item] >= 0
        at = (limit.group[item][mine], pairs[mine])
        rows.append(coo_array((limit.cost[item][mine], at), shape=(len(limit.bound), len(user))))
        low.append(limit.bound if limit.least else np.full(len(limit.bound), -np.inf))
        high.append(np.full(len(limit.bound), np.inf) if limit.least else limit.bound)
    program = LinearConstraint(vstack(rows).tocsr(), np.concatenate(low), np.concatenate(high))
    options = {"mip_rel_gap": 1e-4}
    found = milp(
        -score,
        constraints=program,
        bounds=Bounds(0, 1),
        integrality=np.ones(len(user)),
        options=options,
    )
    assert found.success
    return -float(found.fun)


def solved(of: Candidates, k: int, limits: list[Limit]) -> tuple[np.ndarray, float, float]:
    """The lists, their value and its bound."""
    nothing = [np.zeros(len(limit.bound)) for limit in limits]
    prices = find_prices(of, k, limits, nothing, of.least)
    listed = choose(of, k, limits, prices, of.least, True)
    bound, more, _ = value_at(of, k, limits, prices, of.least)
    return listed, of.value(listed, of.least), bound + more


def check_kept(of: Candidates, k: int, limits: list[Limit], listed: np.ndarray) -> None:
    assert listed.sum(axis=1).max(initial=0) <= k
    assert np.isfinite(of.score[listed]).all()
    for limit in limits:
        used = limit.used(of.item[listed])
        if not limit.least:
            assert (used <= limit.bound + 1e-6).all()


@pytest.mark.parametrize(
    "kinds",
    [
        *((kind,) for kind in KINDS),
        ("stock", "total"),
        ("stock", "least"),
        ("stock", "group"),
        ("group", "money"),
    ],
    ids="+".join,
)
def test_lists_are_within_a_percent_of_the_best(kinds: tuple[str, ...]) -> None:
    generator = np.random.default_rng(4)
    users, items, k = 200, 40, 3
    tastes, kinds_of = generator.normal(size=(users, 6)), generator.normal(size=(items, 6))
    of = candidates_of(0.5 * tastes @ kinds_of.T + generator.exponential(1, items))
    limits = [limit_of(kind, users, items, k, generator) for kind in kinds]
    listed, value, bound = solved(of, k, limits)
    check_kept(of, k, limits, listed)
    for limit in limits:
        if limit.least:
            assert (limit.used(of.item[listed]) >= limit.bound).all()
    best = exact(of, k, limits, of.least)
    assert value >= 0.99 * best
    assert bound >= best * (1 - 1e-4)  # as near as the program comes
    # prices found limit by limit are not the best ones where limits overlap
    assert bound <= (1.01 if len(limits) == 1 else 1.03) * best


@given(
    seed=st.integers(0, 2**32 - 1),
    users=st.integers(1, 30),
    items=st.integers(1, 12),
    k=st.integers(1, 5),
    kinds=st.lists(st.sampled_from(KINDS), max_size=3, unique=True),
)
@settings(max_examples=200, deadline=None)
def test_no_limit_is_passed_and_no_value_is_above_the_bound(
    seed: int, users: int, items: int, k: int, kinds: list[str]
) -> None:
    generator = np.random.default_rng(seed)
    score = generator.normal(size=(users, items)).round(1)
    score[generator.random(score.shape) < 0.2] = -np.inf
    score[:, 0] = 0
    of = candidates_of(score)
    limits = [limit_of(kind, users, items, k, generator) for kind in kinds]
    listed, value, bound = solved(of, k, limits)
    check_kept(of, k, limits, listed)
    met = all((one.used(of.item[listed]) >= one.bound).all() for one in limits if one.least)
    if met:
        assert value <= bound + 1e-4 * max(1, abs(bound))
    if not limits:
        # the k best of each user
        best = -np.sort(-of.score, axis=1)[:, :k]
        assert of.score[listed].sum() == pytest.approx(best[np.isfinite(best)].sum(), abs=1e-4)


def test_an_empty_place_is_better_than_what_is_worth_less() -> None:
    of = candidates_of(np.array([[1.0, -1.0], [0.5, 2.0]]))
    limits = [Limit("stock", np.arange(2), np.ones(2), np.ones(2))]
    prices = find_prices(of, 1, limits, [np.zeros(2)], 0.0)
    assert choose(of, 1, limits, prices, 0.0, False).tolist() == [[True, False], [False, True]]
    of = candidates_of(np.array([[1.0, -1.0], [1.5, -2.0]]))
    prices = find_prices(of, 1, limits, [np.zeros(2)], 0.0)
    assert choose(of, 1, limits, prices, 0.0, False).tolist() == [[False, False], [True, False]]
    # by default it is filled
    prices = find_prices(of, 1, limits, [np.zeros(2)], of.least)
    assert choose(of, 1, limits, prices, of.least, True).tolist() == [[False, True], [True, False]]


def test_a_price_is_what_one_more_would_bring_at_most() -> None:
    generator = np.random.default_rng(0)
    of = candidates_of(generator.normal(size=(40, 6)))
    bound = np.array([3.0, 5, 8, 2, 30, 10])
    limit = Limit("stock", np.arange(6), np.ones(6), bound)
    (price,) = find_prices(of, 2, [limit], [np.zeros(6)], of.least)
    before = sum(value_at(of, 2, [limit], [price], of.least)[:2])
    assert (price >= 0).all()
    assert price.max() > 0
    for item in range(6):
        more = Limit("stock", limit.group, limit.cost, bound + (np.arange(6) == item))
        assert exact(of, 2, [more], of.least) <= before + price[item] + 1e-3


def test_what_other_items_could_be_worth_is_in_the_bound() -> None:
    # two of five items are candidates: the third best is known to be no better than theirs
    score = np.array([[3.0, 2.0, 1.5, 1.0, 0.0]])
    few = Candidates(
        np.array([[0, 1]]), score[:, :2].astype(np.float32), np.array([2.0], np.float32),
        np.zeros((1, 5)), np.zeros(1, np.int64),
    )  # fmt: skip
    limit = Limit("stock", np.arange(5), np.ones(5), np.array([0.0, 1, 1, 1, 1]))
    prices = [np.array([3.0, 0, 0, 0, 0])]
    inside, more, open_to = value_at(few, 2, [limit], prices, 0.0)
    assert (inside, more, open_to.tolist()) == (2.0, 2.0, [True])
    price = item_price([limit], prices, 5)
    both = merged(
        few, np.array([0]), np.array([[1, 2]]), np.array([[2.0, 1.5]], np.float32),
        np.array([1.0], np.float32), price,
    )  # fmt: skip
    assert np.sort(both.item[np.isfinite(both.score)]).tolist() == [0, 1, 2]
    inside, more, open_to = value_at(both, 2, [limit], prices, 0.0)
    assert (inside, more, open_to.tolist()) == (3.5, 0.0, [False])
