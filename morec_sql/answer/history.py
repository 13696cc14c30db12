"""Histories of users, from the events that SQL packs into lists."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa

from ..udfs.evidence import Evidence, passed_over
from ..udfs.history import (
    Doubles,
    Events,
    Floats,
    History,
    Ints,
    Labels,
    Longs,
    places,
)
from ..udfs.relevance.model import OF_FRIENDS, OF_SHOWN
from .recommender import Recommender

NO_TIME = -(1 << 62)  # stands for the microsecond of an event without a time
LABEL = NO_TIME - 1  # stands there for a label of the user
# are added to the microseconds of what friends took and of what was shown; the last is between both
FRIENDS_FROM, SHOWN_FROM, BETWEEN = -(3 << 61), -(7 << 60), -(13 << 59)


def history_of(histories: pa.Array, as_of: pa.Array, recommender: Recommender) -> History:
    """Turn the users' lists of events into one History of what a recommender knows.

    The clock of a user stands at `as_of`, and later events are left out; or at the end of the
    training or of the user's events.
    """
    user, low, high = _entries(histories)
    events, now = _events_of(user, low, high, as_of, recommender)
    history = events.history(recommender.clock, now[events.user])
    if len(high) and high.min() <= LABEL:
        mine = high == LABEL
        labels = _labels_of(user[mine], low[mine], recommender)
        history = dataclasses.replace(history, labels=labels)
        model = recommender.catalogue.model
        if model.uses(OF_FRIENDS):
            mine = (high < LABEL) & (high > BETWEEN)
            friends = _friends_of(user[mine], low[mine], high[mine], as_of, now, recommender)
            history = dataclasses.replace(history, friends=friends)
        if model.uses(OF_SHOWN):
            mine = high < BETWEEN
            shown = _shown_to(user[mine], low[mine], high[mine], as_of, now, recommender, history)
            history = dataclasses.replace(history, shown=shown)
    return history


def last_of(
    histories: pa.Array, as_of: pa.Array, recommender: Recommender, history: History
) -> Doubles:
    """When the last event of each pair of a history was, in seconds of the epoch.

    Arguments are those of history_of, and what it gave.
    """
    _, now = _events_of(*_entries(histories), as_of, recommender)
    ages = history.last.astype(np.float64) * recommender.clock.half_lives[1]
    out: Doubles = now[history.user] - ages
    return out


def _entries(histories: pa.Array) -> tuple[Ints, Longs, Longs]:
    """The user of each entry of packed histories, and both halves of it."""
    lengths = histories.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    user = np.repeat(np.arange(len(histories), dtype=np.int32), lengths)
    return user, *halves(histories.flatten())


def _events_of(
    user: Ints, low: Longs, high: Longs, as_of: pa.Array, recommender: Recommender
) -> tuple[Events, Doubles]:
    """The events of users, and the second at which the clock of each stands."""
    is_event = high > LABEL
    if not is_event.all():
        user, low, high = user[is_event], low[is_event], high[is_event]
    item, time, weight = unpacked(low, high)
    clock, item = recommender.clock, recommender.known(item)
    if len(item) and item.min() < 0:
        kept = item >= 0
        user, item, time, weight = user[kept], item[kept], time[kept], weight[kept]
    now = as_of.to_numpy(zero_copy_only=False).astype(np.float64)
    if not np.isnan(now).all():
        kept = ~(time >= now[user])
        user, item, time, weight = user[kept], item[kept], time[kept], weight[kept]
    now = np.where(np.isnan(now), clock.now, now)
    np.fmax.at(now, user, time)
    # items of a basket have no time and weight: they are taken now
    time = np.where(np.isnan(time), now[user], time)
    weight = np.where(np.isnan(weight), np.float32(clock.mean_weight), weight)
    events = Events.sorted(user, item.astype(np.int32), time, weight, clock.timeless)
    return events, now


def _labels_of(user: Ints, key: Longs, recommender: Recommender) -> Labels:
    """The labels of users, by their keys, of those that the recommender knows."""
    there, label = places(recommender.label_keys, key)
    order = np.argsort(user[there], kind="stable")
    mine, number = user[there][order], label[order].astype(np.int32)
    return Labels(mine, number, len(recommender.labels))


def _friends_of(
    user: Ints, low: Longs, high: Longs, as_of: pa.Array, now: Doubles, recommender: Recommender
) -> Evidence:
    """What friends of users took, of what the recommender knows, until as_of."""
    user, item, time, weight = _before(user, low, high - FRIENDS_FROM, as_of, recommender)
    clock, mean = recommender.clock, recommender.catalogue.model.chosen[OF_FRIENDS]["mean"]
    age = np.zeros(len(time)) if clock.timeless else now[user] - time
    lives = np.array(clock.half_lives, np.float32)
    return Evidence.of_ages(user, item.astype(np.int32), weight / np.float32(mean), age, lives)


def _shown_to(
    user: Ints,
    low: Longs,
    high: Longs,
    as_of: pa.Array,
    now: Doubles,
    recommender: Recommender,
    history: History,
) -> Evidence:
    """What users were shown until as_of and passed over, of what the recommender knows."""
    user, item, time, place = _before(user, low, high - SHOWN_FROM, as_of, recommender)
    kept = passed_over(user, item, history)
    user, item, time, place = user[kept], item[kept], time[kept], place[kept]
    weights = np.array(recommender.catalogue.model.chosen[OF_SHOWN]["places"], np.float32)
    weight = weights[np.minimum(np.rint(place).astype(np.int64), len(weights)) - 1]
    lives = np.array(recommender.clock.half_lives, np.float32)
    return Evidence.of_ages(user, item.astype(np.int32), weight, now[user] - time, lives)


def _before(
    user: Ints, low: Longs, high: Longs, as_of: pa.Array, recommender: Recommender
) -> tuple[Ints, Longs, Doubles, Floats]:
    """User, item, second and weight of the entries until as_of, of what the recommender knows."""
    item, time, weight = unpacked(low, high)
    item = recommender.known(item)
    until = as_of.to_numpy(zero_copy_only=False).astype(np.float64)
    kept = (item >= 0) & ~(time >= until[user])
    return user[kept], item[kept], time[kept], weight[kept]


def halves(numbers: pa.Array) -> tuple[Longs, Longs]:
    """The lower and the higher half of numbers as sql/answer/ packs them."""
    words = np.frombuffer(numbers.buffers()[1], np.int64).reshape(-1, 2)
    low, high = words[numbers.offset : numbers.offset + len(numbers)].T
    return low, high


def unpacked(low: Longs, high: Longs) -> tuple[Longs, Doubles, Floats]:
    """Item, second and weight of events, from both halves; NaN for nothing."""
    weight = low & 0xFFFFFFFF
    return (
        low >> 32,
        np.where(high == NO_TIME, np.nan, high / 1e6),
        np.where(weight == 0, np.nan, np.exp2((weight - (1 << 31)) / (1 << 20))).astype(np.float32),
    )
