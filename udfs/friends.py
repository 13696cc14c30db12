"""What friends of users took, as arrays: of a graph between users, and their histories."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from .numbers import GOLDEN, spread

if TYPE_CHECKING:
    import numpy.typing as npt

    from .history import Floats, History, Ints, Longs

MOST_FRIENDS = 100  # of a user: those with the largest weights
MOST_TAKEN = 1000  # of what the friends of a user took: the latest
CHUNK = 1 << 22  # entries that are held at once


@dataclasses.dataclass(frozen=True, eq=False)
class Friends:
    """What friends of users took, sorted by user: an entry for each friend and item.

    weight, shape (entries, 4), is that of the friendship, 1 on average, decayed with each of the
    half-lives since the friend took the item up, and as it is (history.NO_DECAY).
    """

    user: Ints
    item: Ints
    weight: Floats

    def __len__(self) -> int:
        return len(self.user)

    @staticmethod
    def taken(
        user: Ints, item: Ints, weight: Floats, age: npt.NDArray[np.floating], lives: Floats
    ) -> Friends:
        """Of entries sorted by user.

        Args:
            user: of each.
            item: likewise.
            weight: of the friendships.
            age: since the friends took the items up.
            lives: the three half-lives, in units of the ages.
        """
        decay = np.exp2(-np.maximum(age, 0)[:, None] / lives)
        columns = weight[:, None] * np.concatenate([decay, np.ones((len(decay), 1))], axis=1)
        return Friends(user, item, columns.astype(np.float32))

    def of_users(self, number: Ints) -> Friends:
        """Those of some users, by the new number of each user; -1 leaves one out."""
        user = number[self.user]
        kept = user >= 0
        return Friends(user[kept], self.item[kept], self.weight[kept])

    def followed_by(self, other: Friends, users: int) -> Friends:
        """Both, with the users of `other` numbered on from `users`."""
        return Friends(
            np.concatenate([self.user, other.user + np.int32(users)]),
            np.concatenate([self.item, other.item]),
            np.concatenate([self.weight, other.weight]),
        )

    def pooled(self, half_life: int) -> tuple[Ints, Ints, Floats]:
        """What friends took as if it were one history of each user, by a half-life.

        Returns:
            users and items of the pairs, sorted by user, and log(1 + the sum of the weights of
            friends who took the item).
        """
        width = int(self.item.max(initial=0)) + 1
        pair, place = np.unique(self.user.astype(np.int64) * width + self.item, return_inverse=True)
        sums = np.bincount(place, self.weight[:, half_life], len(pair))
        user, item = np.divmod(pair, width)
        return user.astype(np.int32), item.astype(np.int32), np.log1p(sums).astype(np.float32)


NO_FRIENDS = Friends(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros((0, 4), np.float32))


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

    def of(self, history: History, chosen: Longs) -> Friends:
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
            return NO_FRIENDS
        user, item, weight, age = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Friends.taken(user, item, weight, age, self.lives)

    def _of_chunk(
        self, history: History, bounds: Longs, sizes: Longs, chosen: Longs, first: int
    ) -> tuple[Ints, Ints, Floats, Floats]:
        """User, item, weight and age of the latest entries of some users, numbered from `first`."""
        edge, of_edge = spread(self.starts[chosen], self.starts[chosen + 1])
        pair, of_pair = spread(bounds[self.friend[edge]], bounds[self.friend[edge]] + sizes[edge])
        user, weight = of_edge[of_pair], self.weight[edge][of_pair]
        item, age = history.item[pair], history.first[pair]
        # of one age, as where there is no time, some as if drawn at random
        drawn = (pair.astype(np.uint64) * np.uint64(GOLDEN)) >> np.uint64(32)
        order = np.lexsort((drawn, age, user))
        starts = np.searchsorted(user, np.arange(len(chosen)))
        nth = np.arange(len(order)) - starts[user[order]]
        kept = order[nth < MOST_TAKEN]
        return (user[kept] + first).astype(np.int32), item[kept], weight[kept], age[kept]
