"""Kernels of prices: elasticities of known truth, and plans that are checked by trying all."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morec_sql.udfs.decide.elasticity import (
    Sales,
    effects_of,
    elasticities,
    expected,
    filled,
    teaches,
)
from morec_sql.udfs.decide.price_plan import Offer, candidates, plan

CATEGORIES, WEEKS = 6, 52
PROMOTIONS = np.array([0.4, 0.2])


def made(
    seed: int,
    items: int = 300,
    level: float = 10.0,
    shape: float | None = None,
    listed: bool = False,
    kinds: int = 1,
) -> tuple[Sales, np.ndarray, np.ndarray]:
    """Sales at prices that move by themselves and in promotions, elasticities, and categories'.

    Of two kinds of promotion the second often comes with the first.
    """
    rng = np.random.default_rng(seed)
    category = rng.integers(0, CATEGORIES, items)
    category[:CATEGORIES] = range(CATEGORIES)
    of_category = rng.normal(-2, 0.5, CATEGORIES)
    truth = of_category[category] + rng.normal(0, 0.6, items)
    first = rng.random((items, WEEKS)) < 0.15
    again = np.random.default_rng(seed).random((items, WEEKS))
    second = again < np.where(first, 0.5, 0.05)
    promoted = np.stack([first, second][:kinds], axis=2) * 1.0
    step = np.where(rng.random((items, WEEKS)) < 0.5, 0, rng.normal(0, 0.12, (items, WEEKS)))
    step = step - 0.2 * first
    usual = np.exp(rng.normal(1, 0.5, items))
    week = rng.normal(0, 0.3, (CATEGORIES, WEEKS))
    levels = np.log(level) + rng.normal(0, 0.7, items)
    of_promotions = promoted @ PROMOTIONS[:kinds]
    mean = np.exp(levels[:, None] + truth[:, None] * step + of_promotions + week[category])
    if shape is not None:
        mean = mean * rng.gamma(shape, 1 / shape, mean.shape)
    units = rng.poisson(mean)
    if listed:
        # from the first week with a sale to the last, at the prices of a list
        sold = np.cumsum(units, axis=1) > 0
        sold &= np.cumsum(units[:, ::-1], axis=1)[:, ::-1] > 0
        item, at = np.nonzero(sold)
        price = (usual[:, None] * np.exp(step))[item, at]
        columns = units[item, at] * 1.0, price, promoted[item, at]
        return Sales(item, at, *columns, category, listed=True), truth, of_category
    item, at = np.nonzero(units)
    price = (usual[:, None] * np.exp(step))[item, at]
    sales = filled(item, at, units[item, at] * 1.0, price, promoted[item, at], category)
    return sales, truth, of_category


@pytest.mark.parametrize("shape", [None, 5.0])
def test_intervals_hold_the_truth_as_often_as_they_say(shape: float | None) -> None:
    inside, error, plain = [], [], []
    for seed in range(5):
        sales, truth, _ = made(seed, shape=shape)
        found = elasticities(sales)
        inside.append(np.abs(found.elasticity - truth) < 1.645 * found.deviation)
        error.append(found.elasticity - truth)
        plain.append(found.of_category[sales.category] - truth)
    assert 0.85 <= np.mean(inside) <= 0.95
    # better than the category alone
    assert np.square(error).mean() < 0.8 * np.square(plain).mean()


@pytest.mark.parametrize("level", [1.0, 0.3])
def test_with_prices_of_a_list_items_that_sell_seldom_teach_too(level: float) -> None:
    found: dict[bool, list[np.ndarray]] = {True: [], False: []}
    inside = []
    for seed in range(4):
        for listed, errors in found.items():
            sales, truth, _ = made(seed, items=500, level=level, listed=listed)
            response = elasticities(sales)
            there = np.bincount(sales.item, sales.units, minlength=500) > 0
            errors.append((response.elasticity - truth)[there])
            if listed:
                assert teaches(sales)[there].mean() > 0.9
                inside.append(
                    (np.abs(response.elasticity - truth) < 1.645 * response.deviation)[there]
                )
    listed, paid = (np.concatenate(found[one]) for one in (True, False))
    assert 0.85 <= np.concatenate(inside).mean() <= 0.97
    assert abs(listed.mean()) < 0.15
    assert np.square(listed).mean() < 0.75 * np.square(paid).mean()


def test_categories_and_promotions_are_recovered() -> None:
    sales, _, of_category = made(11, items=600, kinds=2)
    found = elasticities(sales)
    assert found.of_category == pytest.approx(of_category, abs=0.25)
    assert found.promotion == pytest.approx(np.tile(PROMOTIONS, (CATEGORIES, 1)), abs=0.1)
    assert np.median(found.dispersion) < 1.3


@pytest.mark.parametrize("shape", [None, 5.0])
def test_intervals_of_promotions_hold_what_they_do(shape: float | None) -> None:
    inside = []
    for seed in range(8):
        found = elasticities(made(seed, shape=shape, kinds=2)[0])
        off = np.abs(found.promotion - PROMOTIONS)
        inside.append(off < 1.645 * found.promotion_deviation)
    assert 0.8 <= np.mean(inside) <= 0.97


def test_items_that_teach_nothing_have_the_elasticity_of_their_category() -> None:
    sales, _, _ = made(3)
    # of the first ten items every other week alone is sold
    rare = (sales.item < 10) & (sales.week % 2 == 1)
    sales.units[rare] = 0
    assert not teaches(sales)[:10].any()
    assert teaches(sales)[10:].mean() > 0.9
    found = elasticities(sales)
    mine = found.of_category[sales.category[:10]]
    assert found.elasticity[:10] == pytest.approx(mine)
    assert found.own[:10] == pytest.approx(np.zeros(10))
    assert found.deviation[:10].min() > np.median(found.deviation[10:])
    # and so has one whose price never moves
    still = sales.item == 20
    sales.price[still] = 2.0
    found = elasticities(sales)
    assert found.elasticity[20] == pytest.approx(found.of_category[sales.category[20]], abs=1e-6)


def test_later_weeks_are_foretold_by_their_prices() -> None:
    sales, _, _ = made(5, level=30.0)
    before = sales.week < 44
    past, future = sales.take(np.flatnonzero(before)), sales.take(np.flatnonzero(~before))
    found = elasticities(past)
    effects = effects_of(past, found)
    of_all = effects_of(sales, elasticities(sales))
    at_prices = expected(past, found, effects, future, of_all[~before])
    level = np.bincount(past.item, past.units) / np.bincount(past.item)
    assert np.corrcoef(at_prices, future.units)[0, 1] > 0.9
    assert ((at_prices - future.units) ** 2).mean() < (
        (level[future.item] - future.units) ** 2
    ).mean() / 2


def test_weeks_without_sales_are_filled_by_hand() -> None:
    sales = filled(
        np.array([0, 0, 2]),
        np.array([1, 4, 2]),
        np.array([5.0, 7, 1]),
        np.array([2.0, 3, 9]),
        np.array([[0.0], [1], [0]]),
        np.array([0, 0, 1]),
    )
    assert sales.item.tolist() == [0, 0, 0, 0, 2]
    assert sales.week.tolist() == [1, 2, 3, 4, 2]
    assert sales.units.tolist() == [5, 0, 0, 7, 1]
    assert sales.price.tolist() == [2, 2, 2, 3, 9]
    assert sales.promoted.tolist() == [[0], [0], [0], [1], [0]]


numbers = st.floats(0.5, 20)


def alone(items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The category of items, and the cross effects, of items that do not stand for each other."""
    return np.zeros(len(items), np.int64), np.zeros(len(items))


@given(
    st.lists(st.tuples(numbers, numbers, numbers, st.floats(-4, 1)), min_size=1, max_size=3),
    st.floats(0, 0.4),
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_plans_are_the_best_of_all_and_keep_the_limits(
    rows: list[tuple[float, float, float, float]],
    most: float,
    weights: tuple[float, float, float],
    endings: bool,
) -> None:
    price, cost, units, slope = np.array(rows).T
    floor = np.where(price > 5, cost * 0.5, 0)
    ones = np.ones(len(price))
    offer = Offer(price, cost, units, slope, 0.3 * ones, floor, ones > 0, *alone(price))
    prices = candidates(offer, most, [0.99, 0.49] if endings else [])
    new = plan(offer, prices, np.array(weights))
    assert (np.abs(new / price - 1) <= most + 1e-6).all()
    changed = np.abs(new - price) > 1e-12
    assert (new[changed] >= floor[changed] - 1e-6).all()
    if endings:
        assert np.isclose((new[changed] * 100) % 50, 49).all()

    def score(at: np.ndarray) -> float:
        sold = offer.expected(at[:, None])[:, 0]
        now = np.abs(units * (price - cost)).sum()
        moved = (np.abs(np.log(at / price)) * units).sum() / units.sum()
        profit = (sold * (at - cost)).sum() - (units * (price - cost)).sum()
        more = (sold.sum() - units.sum()) / units.sum()
        return float(weights[0] * profit / max(now, 1e-12) + weights[1] * more - weights[2] * moved)

    if (price >= floor).all() and len(price) < 3:
        allowed = [row[np.isfinite(row)] for row in prices]
        best = max(score(np.array(one)) for one in product(*allowed))
        assert score(new) == pytest.approx(best, abs=1e-9)


def test_what_is_elastic_becomes_cheaper_and_what_is_not_dearer() -> None:
    ones = np.ones(3)
    offer = Offer(
        10 * ones, 4 * ones, 5 * ones, np.array([-4.0, -0.5, -0.5]), 0 * ones, 0 * ones,
        np.array([True, True, False]), *alone(ones),
    )  # fmt: skip
    new = plan(offer, candidates(offer, 0.1, []), np.array([1.0, 0, 0]))
    assert new == pytest.approx([9, 11, 10])
    new = plan(offer, candidates(offer, 0.1, []), np.array([0.0, 1, 0]))
    assert new == pytest.approx([9, 9, 10])
    new = plan(offer, candidates(offer, 0.1, []), np.array([0.01, 0.01, 5]))
    assert new == pytest.approx([10, 10, 10])
    low, high = offer.interval(np.array([9.0, 11, 10]), 1.645)
    assert low == pytest.approx(high)
