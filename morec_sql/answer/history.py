"""Histories of users, from the events that SQL packs into lists."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ..udfs.history import Doubles, Events, Floats, History, Longs
from .recommender import Recommender

NO_TIME = -(1 << 62)  # stands for the microsecond of an event without a time


def history_of(histories: pa.Array, as_of: pa.Array, recommender: Recommender) -> History:
    """Turn the users' lists of events into one History of what a recommender knows.

    The clock of a user stands at `as_of`, and later events are left out; or at the end of the
    training or of the user's events.
    """
    lengths = histories.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    item, time, weight = unpacked(histories.flatten())
    user = np.repeat(np.arange(len(histories), dtype=np.int32), lengths)
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
    return events.history(clock, now[events.user])


def unpacked(events: pa.Array) -> tuple[Longs, Doubles, Floats]:
    """Item, second and weight of events as sql/answer/ packs them; NaN for nothing."""
    words = np.frombuffer(events.buffers()[1], np.int64).reshape(-1, 2)
    low, high = words[events.offset : events.offset + len(events)].T
    weight = low & 0xFFFFFFFF
    return (
        low >> 32,
        np.where(high == NO_TIME, np.nan, high / 1e6),
        np.where(weight == 0, np.nan, np.exp2((weight - (1 << 31)) / (1 << 20))).astype(np.float32),
    )
