"""Histories as arrays: who knows which item, how strongly and since when."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


@dataclasses.dataclass(frozen=True, eq=False)
class History:
    """User-item pairs as of a moment, sorted by user; every array has one entry per pair.

    strength has three columns: the sums of event weights that decay with the short, medium and
    long half-life, in units of the mean event weight. count is the number of distinct days (events
    where there is no time). last and first are the ages of the last and first event in units of the
    medium half-life.
    """

    user: Ints
    item: Ints
    strength: Floats
    count: Floats
    last: Floats
    first: Floats

    def __len__(self) -> int:
        return len(self.user)

    def take(self, keep: npt.NDArray[np.bool_]) -> History:
        """Return the pairs where `keep` is true."""
        return History(*(getattr(self, field.name)[keep] for field in dataclasses.fields(self)))

    def of_users(self, chosen: npt.NDArray[np.int64], users: int) -> History:
        """Return the pairs of some of `users` users, numbered by their place in sorted `chosen`."""
        if len(chosen) == users:
            return self
        number = np.full(users, -1, np.int32)
        number[chosen] = np.arange(len(chosen), dtype=np.int32)
        kept = self.take(number[self.user] >= 0)
        return dataclasses.replace(kept, user=number[kept.user])

    def latest(self, count: int) -> History:
        """Return the `count` pairs of each user whose last event is the latest."""
        return self.smallest(self.last, count)

    def smallest(
        self, key: npt.NDArray[np.floating], count: int | npt.NDArray[np.int64]
    ) -> History:
        """Return the `count` pairs of each user with the smallest keys.

        Args:
            key: of each pair.
            count: how many, for all or for each pair's user.
        """
        nth = np.empty(len(self), np.int64)
        nth[np.lexsort((key, self.user))] = np.arange(len(self))
        return self.take(nth - np.searchsorted(self.user, self.user) < count)

    def followed_by(self, other: History, users: int) -> History:
        """Return both, with the users of `other` numbered on from `users`."""
        columns = {
            field.name: np.concatenate([getattr(self, field.name), getattr(other, field.name)])
            for field in dataclasses.fields(self)
        }
        columns["user"] = np.concatenate([self.user, other.user + np.int32(users)])
        return History(**columns)


@dataclasses.dataclass(frozen=True)
class Signal:
    """What was observed of pairs, sorted by user: a rating, or 1 for true and 0 for false.

    loss is the one of losses.LOSSES that it is for; user, item and value have one entry per pair.
    """

    name: str
    loss: str
    user: Ints
    item: Ints
    value: Floats

    @property
    def has_effect(self) -> bool:
        """Whether there is anything to learn: ratings that differ, or something true."""
        if self.loss == "squared_error":
            return len(self.value) > 1 and float(np.ptp(self.value)) > 0
        return bool(self.value.any())


@dataclasses.dataclass(frozen=True)
class Window:
    """What users did in a window of time.

    past is the history before it, signals gives what was observed before it, and user and item are
    the distinct wanted pairs in it.
    """

    past: History
    user: Ints
    item: Ints
    signals: Callable[[], list[Signal]]


def bounds(user: Ints, users: int) -> npt.NDArray[np.int64]:
    """Where each user's pairs start in sorted `user`, length users + 1."""
    return np.searchsorted(user, np.arange(users + 1)).astype(np.int64)
