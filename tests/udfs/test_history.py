"""Histories of events against their formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morec_sql.udfs.history import DAY, Clock, Events


@pytest.mark.parametrize("timeless", [False, True])
@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_histories_of_events_are_as_their_formula_says(timeless: bool, seed: int) -> None:
    generator = np.random.default_rng(seed)
    events = int(generator.integers(0, 60))
    user = np.sort(generator.integers(0, 4, events)).astype(np.int32)
    item = generator.integers(0, 5, events).astype(np.int32)
    time = 1.7e9 + generator.integers(0, 12, events) * DAY / 4
    weight = generator.integers(1, 3, events).astype(np.float32)
    clock = Clock(0.0 if timeless else 1.8e9, (2 * DAY, 5 * DAY, 9 * DAY), 1.5, DAY)
    now = time.max(initial=0) + generator.random(4) * DAY
    ordered = Events.sorted(user, item, time, weight, timeless)
    history = ordered.history(clock, now[ordered.user])

    rows = list(zip(user.tolist(), item.tolist(), time.tolist(), weight.tolist(), strict=True))
    distinct = rows if timeless else sorted(set(rows))
    pairs = sorted({row[:2] for row in rows})
    assert list(zip(history.user.tolist(), history.item.tolist(), strict=True)) == pairs
    for place, pair in enumerate(pairs):
        times, weights = np.array([row[2:] for row in distinct if row[:2] == pair]).T
        ages = np.zeros(len(times)) if timeless else now[pair[0]] - times
        strength = [(weights * 0.5 ** (ages / life)).sum() / 1.5 for life in clock.half_lives]
        days = len(times) if timeless else len(set(times // DAY))
        np.testing.assert_allclose(history.strength[place], strength, rtol=1e-5)
        assert history.count[place] == days
        assert history.last[place] == pytest.approx(ages.min() / (5 * DAY), abs=1e-5)
        assert history.first[place] == pytest.approx(ages.max() / (5 * DAY), abs=1e-5)


def test_many_users_of_a_large_catalogue_stay_apart() -> None:
    """Pairs are numbered beyond 32 bits."""
    user = np.array([0, 1, 2047, 2047], np.int32)
    item = np.array([3_000_000, 5, 2_999_999, 1], np.int32)
    none, one = np.zeros(4), np.ones(4, np.float32)
    events = Events.sorted(user, item, none, one, timeless=True)
    assert events.user.tolist() == [0, 1, 2047, 2047]
    assert events.item.tolist() == [3_000_000, 5, 1, 2_999_999]
