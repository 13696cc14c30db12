"""What speaks of users beside their own events, as arrays.

What friends of theirs took, of a graph between users and the histories of these; and what they were
shown and passed over.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from .numbers import GOLDEN, spread

if TYPE_CHECKING:
    import numpy.typing as npt

    from .history import Doubles, Floats, History, Ints, Longs

MOST_FRIENDS = 100  # of a user: those with the largest weights
MOST_TAKEN = 1000  # of what the friends of a user took, or of what one was shown: the latest
CHUNK = 1 << 22  # entries that are held at once


@dataclasses.dataclass(frozen=True, eq=False)
class Evidence:
    """Items that speak of users, sorted by user: an entry for each friend, or time, and item.

    weight, shape (entries, 4), is that of the friendship, or of the place in a list, 1 on average
    or at the top, decayed with each of the half-lives, and as it is (history.NO_DECAY).
    """

    user: Ints
    item: Ints
    weight: Floats

    def __len__(self) -> int:
        return len(self.user)

    @staticmethod
    def of_ages(
        user: npt.NDArray[np.integer],
        item: Ints,
        weight: Floats,
        age: npt.NDArray[np.floating],
        lives: Floats,
    ) -> Evidence:
        """Of entries sorted by user.

        Args:
            user: of each.
            item: likewise.
            weight: before it decays.
            age: since the friends took the items up, or these were shown.
            lives: the three half-lives, in units of the ages.
        """
        decay = np.exp2(-np.maximum(age, 0)[:, None] / lives)
        columns = weight[:, None] * np.concatenate([decay, np.ones((len(decay), 1))], axis=1)
        return Evidence(user.astype(np.int32), item, columns.astype(np.float32))

    def of_users(self, number: Ints) -> Evidence:
        """Those of some users, by the new number of each user; -1 leaves one out."""
        user = number[self.user]
        kept = user >= 0
        return Evidence(user[kept], self.item[kept], self.weight[kept])

    def followed_by(self, other: Evidence, users: int) -> Evidence:
        """Both, with the users of `other` numbered on from `users`."""
        return Evidence(
            np.concatenate([self.user, other.user + np.int32(users)]),
            np.concatenate([self.item, other.item]),
            np.concatenate([self.weight, other.weight]),
        )

    def pooled(self, half_life: int) -> tuple[Ints, Ints, Floats]:
        """All of it as if it were one history of each user, by a half-life.

        Returns:
            users and items of the pairs, sorted by user, and log(1 + the sum of the weights of the
            entries of the item).
        """
        width = int(self.item.max(initial=0)) + 1
        pair, place = np.unique(self.user.astype(np.int64) * width + self.item, return_inverse=True)
        sums = np.bincount(place, self.weight[:, half_life], len(pair))
        user, item = np.divmod(pair, width)
        return user.astype(np.int32), item.astype(np.int32), np.log1p(sums).astype(np.float32)


NO_EVIDENCE = Evidence(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros((0, 4), np.float32))


@dataclasses.dataclass(frozen=True, eq=False)
class Graph:
    """Who the friends of users are: those of a user from starts on, whose length is users + 1.

    weight is that of each friendship, 1 on average; lives are the half-lives in units of the medium
    one, in which histories have their ages; mean is that of the weights as they came.
    """

    starts: Longs
    friend: Ints
    weight: Floats
    lives: Floats
    mean: float = 1.0

    def of(self, history: History, chosen: Longs) -> Evidence:
        """What the friends of some users took, who are numbered by their place in `chosen`.

        Args:
            history: of all users.
            chosen: sorted.
        """
        bounds = np.searchsorted(history.user, np.arange(len(self.starts)))
        sizes = np.diff(bounds)[self.friend]
        entries = np.concatenate([[0], np.cumsum(sizes)])[self.starts]
        entries = np.concatenate([[0], np.cumsum(np.diff(entries)[chosen])])
        parts = []
        first = 0
        while first < len(chosen):
            last = int(np.searchsorted(entries, entries[first] + CHUNK, side="right")) - 1
            last = max(last, first + 1)
            parts.append(self._of_chunk(history, bounds, sizes, chosen[first:last], first))
            first = last
        if not parts:
            return NO_EVIDENCE
        user, item, weight, age = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Evidence.of_ages(user, item, weight, age, self.lives)

    def _of_chunk(
        self, history: History, bounds: Longs, sizes: Longs, chosen: Longs, first: int
    ) -> tuple[Ints, Ints, Floats, Floats]:
        """User, item, weight and age of the latest entries of some users, numbered from `first`."""
        edge, of_edge = spread(self.starts[chosen], self.starts[chosen + 1])
        pair, of_pair = spread(bounds[self.friend[edge]], bounds[self.friend[edge]] + sizes[edge])
        user, weight = of_edge[of_pair], self.weight[edge][of_pair]
        item, age = history.item[pair], history.first[pair]
        kept = _latest(user, age, pair)
        return (user[kept] + first).astype(np.int32), item[kept], weight[kept], age[kept]


@dataclasses.dataclass(frozen=True, eq=False)
class Impressions:
    """What users were shown before a moment, sorted by user: an entry for each impression.

    time and until, the moment, are in seconds, as the three half-lives; weight is how much an
    impression counts by its place in the list.
    """

    user: Ints
    item: Ints
    time: Doubles
    weight: Floats
    lives: Floats
    until: float

    def before(self, until: float) -> Impressions:
        """Those before a moment."""
        return dataclasses.replace(self, until=until)

    def of(self, history: History, chosen: Longs) -> Evidence:
        """What some users passed over, who are numbered by their place in `chosen`.

        Args:
            history: of all users, as of the moment.
            chosen: sorted.
        """
        first, last = (np.searchsorted(self.user, chosen, side) for side in ("left", "right"))
        entry, user = spread(first, last)
        before = self.time[entry] < self.until
        entry, user = entry[before], user[before]
        latest = _latest(user, self.until - self.time[entry], entry)
        entry, user = entry[latest], user[latest]
        kept = passed_over(self.user[entry], self.item[entry], history)
        entry, user = entry[kept], user[kept]
        age = self.until - self.time[entry]
        return Evidence.of_ages(user, self.item[entry], self.weight[entry], age, self.lives)


def passed_over(
    user: npt.NDArray[np.integer], item: npt.NDArray[np.integer], history: History
) -> npt.NDArray[np.bool_]:
    """Which pairs of users and items that were shown are not in the histories."""
    width = max(int(item.max(initial=0)), int(history.item.max(initial=0))) + 1
    shown, taken = (of.astype(np.int64) * width for of in (user, history.user))
    return np.isin(shown + item, taken + history.item, invert=True)


def _latest(user: npt.NDArray[np.integer], age: npt.NDArray[np.floating], number: Longs) -> Longs:
    """The places of the latest MOST_TAKEN entries of each user, sorted by user.

    Of one age, as where there is no time, some as if drawn at random, by their numbers.
    """
    drawn = (number.astype(np.uint64) * np.uint64(GOLDEN)) >> np.uint64(32)
    order = np.lexsort((drawn, age, user))
    nth = np.arange(len(order)) - np.searchsorted(user, user)[order]
    return order[nth < MOST_TAKEN]
