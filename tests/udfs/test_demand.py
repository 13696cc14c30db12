"""Kernels of demand: steady rates, spreads of known truth, and what horizons teach."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import nbinom

from morec_sql.udfs.decide.demand import (
    AVERAGE,
    FEATURES,
    LAST,
    LEVELS,
    Sold,
    Spread,
    forecast,
    known_at,
    losses,
    quantile_losses,
)

rng = np.random.default_rng(8)


def steady(items: int = 400, days: int = 200, customers: int = 60) -> tuple[Sold, np.ndarray]:
    """Units at steady rates a day, by any customer."""
    rate = np.exp(rng.normal(-1, 1.2, items))
    units = rng.poisson(rate[:, None], (items, days))
    item, day = np.nonzero(units)
    who = rng.integers(0, customers, len(item))
    return Sold(who, item, day * 1.0, units[item, day] * 1.0, customers, items), rate


def test_steady_rates_are_foretold_with_their_spread() -> None:
    sold, rate = steady()
    found = forecast(sold, 200.0, 14.0)
    assert found.expected == pytest.approx(14 * rate[found.item], rel=0.5, abs=1.5)
    error = np.abs(found.expected - 14 * rate[found.item]).sum()
    last = np.bincount(sold.item[sold.day >= 186], sold.units[sold.day >= 186], minlength=400)
    assert error < np.abs(last[found.item] - 14 * rate[found.item]).sum() / 2
    came = rng.poisson(14 * rate[found.item])
    for level in (0.5, 0.9, 0.95):
        below = (came <= found.spread.quantile(found.expected, level)).mean()
        assert level - 0.03 < below < level + 0.12, level
    short = found.spread.above(found.expected, found.spread.quantile(found.expected, 0.95))
    assert short.max() <= 0.05 + 1e-9
    lost = quantile_losses(found.held_out, found.came)
    assert lost[found.chosen].sum() < lost[LAST].sum()


def test_what_is_known_by_hand() -> None:
    sold = Sold(
        np.array([0, 1, 0]), np.array([0, 0, 2]), np.array([0.0, 20, 30]), np.array([3.0, 4, 5]),
        2, 3,
    )  # fmt: skip
    known = known_at(sold, 28.0, 7.0, False)
    assert known.item.tolist() == [0]
    assert known.simple[LAST].tolist() == [0]
    assert known.simple[AVERAGE] == pytest.approx([7 / 4])
    features = dict(zip(FEATURES, known.features[0], strict=True))
    assert features["recency"] == pytest.approx(np.log1p(8 / 7))
    assert features["age"] == pytest.approx(np.log1p(28 / 7))
    assert features["a year ago"] == 0
    # a steady rate is the same by all half-lives
    day = np.arange(100.0)
    even = Sold(np.zeros(100, int), np.zeros(100, int), day, np.full(100, 2.0), 1, 1)
    known = known_at(even, 100.0, 10.0, False)
    assert known.base == pytest.approx([20], rel=0.1)
    assert known.features[0, [0, 2]] == pytest.approx([0, 0], abs=0.1)


def test_a_year_ago_is_seen_where_there_is_one() -> None:
    items, days = 200, 460
    season = np.where((np.arange(days) % 364) < 14, 6.0, 1.0)
    units = rng.poisson(season * np.exp(rng.normal(0, 0.3, items))[:, None], (items, days))
    item, day = np.nonzero(units)
    sold = Sold(np.zeros(len(item), int), item, day * 1.0, units[item, day] * 1.0, 1, items)
    known = known_at(sold, 364.0, 14.0, True)
    assert known.features[:, list(FEATURES).index("a year ago")].mean() > 1


def test_spreads_are_recovered() -> None:
    expected = np.exp(rng.uniform(-2, 4, 20_000))
    came = nbinom.rvs(1 / 0.4, 1 / (1 + 0.4 * expected), random_state=1)
    spread = Spread.fit(expected, came.astype(float))
    assert spread.more[spread.edges > 0] == pytest.approx(0.4, abs=0.3)
    for level in LEVELS:
        mine = expected > 3
        below = (came <= spread.quantile(expected, level))[mine].mean()
        assert below == pytest.approx(level, abs=0.08)
    assert spread.above(np.array([5.0]), np.array([-1.0])).tolist() == [1]


def test_losses_by_hand() -> None:
    came = np.array([3.0])
    quantiles = tuple(np.array([value]) for value in (1.0, 2, 3, 4, 5))
    by_hand = [0.1 * 2, 0.25 * 1, 0, 0.25 * 1, 0.1 * 2]
    assert losses(came, quantiles) == pytest.approx([2 * np.mean(by_hand)])
