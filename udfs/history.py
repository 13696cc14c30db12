"""Events and histories as arrays: who knows which item, how strongly and since when."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .evidence import NO_EVIDENCE, Evidence, Graph, Impressions

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

DAY = 86400.0
NO_DECAY = 3  # stands beside the numbers of the half-lives: all days count alike
OF_USERS = ("labels", "friends", "shown", "graph", "impressions")  # of a history, beside its pairs
CHUNK = 1 << 22  # events whose decays are held at once


@dataclasses.dataclass(frozen=True)
class Clock:
    """Seconds: the end of the events (of the epoch), the half-lives, the length of a window.

    mean_weight is the event weight that counts as 1. Where events have no time now is 0.
    """

    now: float
    half_lives: tuple[float, float, float]
    mean_weight: float
    window: float

    @property
    def timeless(self) -> bool:
        """Whether events have no time, so that nothing decays."""
        return self.now == 0


@dataclasses.dataclass(frozen=True, eq=False)
class Labels:
    """What is known of users beside their events, such as attributes, sorted by user.

    user and label, a number below `count`, have one entry per label of a user. In several folds
    the labels of a user of fold f are numbered on from f * count: what they add then comes from the
    users of the other folds.
    """

    user: Ints
    label: Ints
    count: int = 0
    folds: int = 1

    def __len__(self) -> int:
        return len(self.user)

    def of_users(self, chosen: npt.NDArray[np.int64], users: int) -> Labels:
        """The labels of some of `users` users, numbered by their place in sorted `chosen`."""
        number = _numbers(chosen, users)[self.user]
        kept = number >= 0
        return dataclasses.replace(self, user=number[kept], label=self.label[kept])

    def followed_by(self, other: Labels, users: int) -> Labels:
        """Both, with the users of `other` numbered on from `users`."""
        return dataclasses.replace(
            self,
            user=np.concatenate([self.user, other.user + np.int32(users)]),
            label=np.concatenate([self.label, other.label]),
        )

    def in_folds(self, folds: int) -> Labels:
        """The labels of all users, in so many folds."""
        label = self.label + (self.user % folds) * np.int32(self.count)
        return dataclasses.replace(self, label=label, folds=folds)


NO_LABELS = Labels(np.zeros(0, np.int32), np.zeros(0, np.int32))


@dataclasses.dataclass(frozen=True, eq=False)
class History:
    """User-item pairs as of a moment, sorted by user; every array has one entry per pair.

    strength has three columns: the sums of event weights that decay with the short, medium and
    long half-life, in units of the mean event weight. count is the number of distinct days (events
    where there is no time). last and first are the ages of the last and first event in units of the
    medium half-life. labels are what is known of the users beside, friends what friends of theirs
    took, and shown what they passed over; graph and impressions, in the history of all users, are
    what both come from.
    """

    user: Ints
    item: Ints
    strength: Floats
    count: Floats
    last: Floats
    first: Floats
    labels: Labels = NO_LABELS
    friends: Evidence = NO_EVIDENCE
    shown: Evidence = NO_EVIDENCE
    graph: Graph | None = None
    impressions: Impressions | None = None

    def __len__(self) -> int:
        return len(self.user)

    def take(self, keep: npt.NDArray[np.bool_]) -> History:
        """Return the pairs where `keep` is true."""
        return dataclasses.replace(
            self, **{name: column[keep] for name, column in self._columns().items()}
        )

    def _columns(self) -> dict[str, Any]:
        """What there is of each pair."""
        return {name: column for name, column in vars(self).items() if name not in OF_USERS}

    def of_users(self, chosen: npt.NDArray[np.int64], users: int) -> History:
        """Return the pairs of some of `users` users, numbered by their place in sorted `chosen`."""
        number = None if len(chosen) == users else _numbers(chosen, users)

        def evidence(source: Graph | Impressions | None, known: Evidence) -> Evidence:
            if source is not None:
                return source.of(self, chosen)
            return known if number is None else known.of_users(number)

        mine = dataclasses.replace(
            self,
            friends=evidence(self.graph, self.friends),
            shown=evidence(self.impressions, self.shown),
            graph=None,
            impressions=None,
        )
        if number is None:
            return mine
        kept = mine.take(number[self.user] >= 0)
        return dataclasses.replace(
            kept,
            user=number[kept.user],
            labels=self.labels.of_users(chosen, users) if len(self.labels) else self.labels,
        )

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
        theirs = {**other._columns(), "user": other.user + np.int32(users)}
        columns: dict[str, Any] = {
            name: np.concatenate([column, theirs[name]]) for name, column in self._columns().items()
        }
        return dataclasses.replace(
            self,
            **columns,
            labels=self.labels.followed_by(other.labels, users),
            friends=self.friends.followed_by(other.friends, users),
            shown=self.shown.followed_by(other.shown, users),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Events:
    """Events sorted by user, item and, at least, day; every array has one entry per event.

    time is in seconds of the epoch, and of no meaning where events have none.
    """

    user: Ints
    item: Ints
    time: Doubles
    weight: Floats

    def __len__(self) -> int:
        return len(self.user)

    @staticmethod
    def sorted(user: Ints, item: Ints, time: Doubles, weight: Floats, timeless: bool) -> Events:
        """Sort events, and leave out those that are the same as another one if they have a time."""
        pair = user.astype(np.int64) * (int(item.max(initial=0)) + 1) + item
        if timeless:
            key = pair
        else:
            day = np.floor(time / DAY).astype(np.int64)
            day -= day.min(initial=0)
            key = pair * (int(day.max(initial=0)) + 1) + day
        order = np.argsort(key)
        key = key[order]
        twin = np.zeros(len(key), bool)
        if len(key) and not timeless:
            same = key[1:] == key[:-1]
            twin[1:] |= same
            twin[:-1] |= same
        kept = np.ones(len(key), bool)
        place = np.flatnonzero(twin)
        if len(place):
            mine = order[place]
            inner = np.lexsort((weight[mine], time[mine], key[place]))
            order[place] = mine = mine[inner]
            kept[place[1:]] = (
                (np.diff(key[place]) != 0)
                | (np.diff(time[mine]) != 0)
                | (np.diff(weight[mine]) != 0)
            )
        order = order[kept]
        return Events(user[order], item[order], time[order], weight[order])

    def take(self, keep: npt.NDArray[np.bool_]) -> Events:
        """Return the events where `keep` is true."""
        return Events(*(getattr(self, field.name)[keep] for field in dataclasses.fields(self)))

    def history(self, clock: Clock, now: Doubles | float) -> History:
        """The user-item pairs as of `now`, in seconds: of all users, or of each event's."""
        changes = (self.user[1:] != self.user[:-1]) | (self.item[1:] != self.item[:-1])
        starts = np.append(np.flatnonzero(np.append(True, changes)), len(self))
        if not len(self):
            starts = np.zeros(1, np.int64)
        pairs = len(starts) - 1
        columns = np.zeros((6, pairs), np.float32)
        first = 0
        while first < pairs:
            last = int(np.searchsorted(starts, starts[first] + CHUNK, side="right")) - 1
            last = max(last, first + 1)
            chunk = slice(starts[first], starts[last])
            ages = np.zeros(chunk.stop - chunk.start)
            if not clock.timeless:
                ages = (now[chunk] if isinstance(now, np.ndarray) else now) - self.time[chunk]
            columns[:, first:last] = self._features(
                chunk, starts[first:last] - starts[first], ages, clock
            )
            first = last
        short, medium, long, count, latest, earliest = columns
        return History(
            self.user[starts[:-1]],
            self.item[starts[:-1]],
            np.column_stack([short, medium, long]),
            count,
            latest,
            earliest,
        )

    def _features(
        self, chunk: slice, starts: npt.NDArray[np.int64], ages: Doubles, clock: Clock
    ) -> list[Doubles]:
        """Decayed weights, days and ages of the pairs that start at `starts` within a chunk."""
        weight = self.weight[chunk] / clock.mean_weight
        new = np.ones(len(ages), bool)
        if not clock.timeless:
            day = np.floor(self.time[chunk] / DAY)
            new[1:] = day[1:] != day[:-1]
            new[starts] = True
        return [
            *(np.add.reduceat(weight * np.exp2(-ages / life), starts) for life in clock.half_lives),
            np.add.reduceat(new, starts, dtype=np.float64),
            np.minimum.reduceat(ages, starts) / clock.half_lives[1],
            np.maximum.reduceat(ages, starts) / clock.half_lives[1],
        ]


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
    the distinct wanted pairs in it, since a second of the epoch. Where it is not timed a part of
    all events, drawn at random, stands for what came after; timeless says that events have no time.
    """

    past: History
    user: Ints
    item: Ints
    signals: Callable[[], list[Signal]]
    timed: bool = True
    timeless: bool = False
    since: float = 0.0


def _numbers(chosen: npt.NDArray[np.int64], users: int) -> Ints:
    """The place of each of `users` users in sorted `chosen`, -1 for others."""
    number = np.full(users, -1, np.int32)
    number[chosen] = np.arange(len(chosen), dtype=np.int32)
    return number


def bounds(user: Ints, users: int) -> npt.NDArray[np.int64]:
    """Where each user's pairs start in sorted `user`, length users + 1."""
    return np.searchsorted(user, np.arange(users + 1)).astype(np.int64)


def places(keys: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64]) -> tuple[Longs, Longs]:
    """Which of the wanted keys are among sorted ones, and where these stand."""
    if not len(keys):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    place = np.searchsorted(keys, wanted)
    place[place == len(keys)] = 0
    there = np.flatnonzero(keys[place] == wanted)
    return there, place[there]
