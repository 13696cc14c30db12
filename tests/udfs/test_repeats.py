"""Features of repeat purchases by hand, and what the network learns."""

from __future__ import annotations

import numpy as np

from morec_sql.udfs.history import History
from morec_sql.udfs.relevance import repeats


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
