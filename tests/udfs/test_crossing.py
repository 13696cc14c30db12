"""Cross effects: of known truth, and in plans of prices that are checked by trying all."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from morec_sql.udfs.decide.crossing import crossing, foretold, weeks_of
from morec_sql.udfs.decide.elasticity import Sales, elasticities, filled
from morec_sql.udfs.decide.price_plan import Offer, candidates, plan

WEEKS = 60


def made(seed: int, cross: float, categories: int, items: int) -> tuple[Sales, np.ndarray]:
    """Sales at prices that move by themselves and with their category, and its cross effects."""
    rng = np.random.default_rng(seed)
    category = np.arange(items) % categories
    truth = rng.normal(-2, 0.5, categories)[category] + rng.normal(0, 0.4, items)
    own = np.where(rng.random((items, WEEKS)) < 0.5, 0, rng.normal(0, 0.12, (items, WEEKS)))
    common = np.where(
        rng.random((categories, WEEKS)) < 0.6, 0, rng.normal(0, 0.08, (categories, WEEKS))
    )
    step = own + common[category]
    level = np.exp(np.log(10) + rng.normal(0, 0.7, items))
    mean = np.array(
        [np.average(step[category == one], axis=0, weights=level[category == one])
         for one in range(categories)]
    )  # fmt: skip
    effect = rng.normal(cross, 0.2, categories)
    # what all sell in a week, and what is the season
    week = rng.normal(0, 0.1, (categories, WEEKS)) + 0.3 * np.sin(np.arange(WEEKS) / 8)
    units = rng.poisson(
        level[:, None] * np.exp(truth[:, None] * step + (week + effect[:, None] * mean)[category])
    )
    item, at = np.nonzero(units)
    price, nothing = 3 * np.exp(step)[item, at], np.zeros((len(item), 0))
    return filled(item, at, units[item, at] * 1.0, price, nothing, category), effect


@pytest.mark.parametrize("cross", [0.0, 1.5])
@pytest.mark.parametrize("categories", [1, 8, 30])
def test_it_is_recovered(cross: float, categories: int) -> None:
    error, inside, better = [], [], []
    for seed in range(max(2, 10 // categories)):
        sales, truth = made(seed, cross, categories, 30 * categories)
        weeks = weeks_of(sales, elasticities(sales))
        found = crossing(weeks)
        error.append(found.effect - truth)
        inside.append(np.abs(found.effect - truth) < 1.645 * found.deviation)
        beyond, by_prices = foretold(weeks, WEEKS - 8)
        assert len(beyond) == 8 * categories
        better.append(((beyond - by_prices) ** 2).mean() / (beyond**2).mean())
    assert abs(np.concatenate(error).mean()) < 0.25
    # those of a single category are known worse than they say
    assert np.concatenate(inside).mean() >= (0.85 if categories > 1 else 0.6)
    assert np.mean(better) < 0.95 if cross else np.mean(better) == pytest.approx(1, abs=0.1)


def test_categories_that_were_there_for_a_few_weeks_say_nothing() -> None:
    rng = np.random.default_rng(0)
    week = np.concatenate([np.arange(10) + 6 * (item > 1) for item in range(4)])
    sales = filled(
        np.repeat(np.arange(4), 10),
        week,
        rng.poisson(9, 40) + 1.0,
        np.exp(rng.normal(0, 0.1, 40)),
        np.zeros((40, 0)),
        np.array([0, 0, 1, 1]),
    )
    weeks = weeks_of(sales, elasticities(sales))
    assert not len(weeks.week)
    assert not len(foretold(weeks, 8)[0])
    assert crossing(weeks).effect.tolist() == [0, 0]


def offer_of(cross: float, seed: int = 0, items: int = 3) -> Offer:
    rng = np.random.default_rng(seed)
    return Offer(
        price=np.exp(rng.normal(1, 0.3, items)),
        cost=np.exp(rng.normal(0.4, 0.2, items)),
        units=rng.uniform(5, 20, items),
        elasticity=rng.uniform(-4, -1, items),
        deviation=np.full(items, 0.2),
        floor=np.zeros(items),
        movable=np.ones(items, bool),
        category=np.array([0, 0, 1])[:items],
        cross=np.full(items, cross),
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cross", [0.0, 1.0, 9.0])
def test_plans_are_nearly_the_best_of_all(seed: int, cross: float) -> None:
    offer, weights = offer_of(cross, seed), np.array([0.7, 0.2, 0.1])
    prices = candidates(offer, 0.2, [])

    def score(new: np.ndarray) -> float:
        # the formula itself: each item by its own price and by the mean of its category
        effect = np.minimum(cross, -offer.elasticity)
        step = np.log(new / offer.price)
        sold = offer.units * np.exp(offer.elasticity * step)
        for one in (0, 1):
            mine = offer.category == one
            mean = np.average(step[mine], weights=offer.units[mine])
            sold[mine] *= np.exp(effect[mine] * mean)
        assert offer.sold(new) == pytest.approx(sold)
        now = np.abs(offer.units * (offer.price - offer.cost)).sum()
        profit = (sold * (new - offer.cost)).sum() / now
        return float(
            weights[0] * profit
            + weights[1] * sold.sum() / offer.units.sum()
            - weights[2] * (np.abs(step) * offer.units).sum() / offer.units.sum()
        )

    allowed = [row[np.isfinite(row)] for row in prices]
    best = max(score(np.array(one)) for one in product(*allowed))
    found = score(plan(offer, prices, weights))
    assert found <= best + 1e-9
    assert found >= best - (1e-9 if not cross else 0.02 * (best - score(offer.price)))


def test_who_stands_for_each_other_gains_little_by_lower_prices() -> None:
    alone, instead = offer_of(0.0), offer_of(9.0)
    lower = 0.9 * alone.price
    assert alone.sold(lower).sum() > 1.1 * alone.units.sum()
    # where all prices of a category fall alike nobody has a reason to take another item
    assert instead.sold(lower) == pytest.approx(instead.units, rel=0.2)
    dearer = instead.price * np.array([1.1, 1, 1])
    assert instead.sold(dearer)[0] < instead.units[0]
    assert instead.sold(dearer)[1] > instead.units[1]
    assert instead.sold(dearer)[2] == pytest.approx(instead.units[2])
    low, high = instead.interval(dearer, 1.645)
    assert (low <= instead.sold(dearer) + 1e-9).all()
    assert (high >= instead.sold(dearer) - 1e-9).all()
