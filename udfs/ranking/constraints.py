"""Constraints on lists: what each kind of them is, and which ones a list does not meet."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..history import Doubles, Longs

TOLERANCE = 1e-7


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of constraint, whole.

    - about says what a list has under it;
    - of is what it is about: SQL that gives a category, a predicate or a number; of_objectives says
      whether the name of a point-wise objective may stand in for that;
    - limits says which limits are allowed, and allowed tells;
    - counted: at most `limit` items of a category; total: the values sum up to at most `limit`;
      least: they sum up to at least `limit`; otherwise their mean is at least `limit`. Caps
      (counted, total) are always met, by a shorter list where needed.
    """

    about: str
    of: Literal["category", "predicate", "number"]
    limits: str
    allowed: Callable[[float], bool]
    counted: bool = False
    total: bool = False
    least: bool = False
    of_objectives: bool = False


KINDS = {
    "max_per": Kind(
        "at most so many items of each value of a column or expression, as {category: 2}",
        "category",
        "a whole number from 1 up",
        lambda limit: limit >= 1 and limit == int(limit),
        counted=True,
    ),
    "min_share": Kind(
        "at least that share of items of which a predicate is true",
        "predicate",
        "a share above 0 and up to 1",
        lambda limit: 0 < limit <= 1,
    ),
    "floor": Kind(
        "a mean of an objective (outliers clipped) or expression of at least that",
        "number",
        "a finite number",
        lambda limit: True,
        of_objectives=True,
    ),
    "budget": Kind(
        "a sum of a column or expression of at most that",
        "number",
        "a finite number from 0 up",
        lambda limit: limit >= 0,
        total=True,
    ),
}
# of the rules of a recommender, by the kind of rule; items of which it is true have the value 0 of
# a cap, and 1 of slots
OF_RULES = {
    "cap": Kind("at most so many of some items", "predicate", "", lambda limit: True, counted=True),
    "slots": Kind("so many of some items", "predicate", "", lambda limit: True, least=True),
}


@dataclasses.dataclass(frozen=True)
class Constraint:
    """One constraint over n items.

    kind is one of KINDS or OF_RULES; values, shape (n,), are numbers of categories (-1: none), 1
    and 0 for a predicate, or numbers, NaN where unknown: such an item is not listed. Slots count
    among the `first` places of the list, all of them by default.
    """

    key: str
    kind: str
    values: Doubles
    limit: float
    first: int | None = None

    @property
    def rule(self) -> Kind:
        """What its kind is."""
        return KINDS.get(self.kind) or OF_RULES[self.kind]

    @property
    def name(self) -> str:
        """What it is called in a list that does not meet it."""
        return f"{self.kind if self.kind in KINDS else 'rule'}: {self.key}"

    @property
    def start(self) -> float:
        """The sum of `signed` that an empty list has; a list meets it where the sum is not < 0."""
        return self.limit if self.rule.total else -self.limit if self.rule.least else 0.0

    def signed(self, values: Doubles) -> Doubles:
        """What items of these values add to the sum; not of what is counted."""
        if self.rule.least:
            return values
        return -values if self.rule.total else values - self.limit

    def met(self, items: Longs) -> bool:
        """Whether a list meets it."""
        values = self.values[items[: self.first]]
        if self.rule.counted:
            known = values[values >= 0].astype(np.int64)
            return not len(known) or int(np.bincount(known).max()) <= self.limit
        slack = self.start + float(self.signed(values).sum())
        return slack >= -TOLERANCE * max(1.0, abs(self.limit)) * max(len(items), 1)


def possible(constraints: Iterable[Constraint], items: int) -> npt.NDArray[np.bool_]:
    """Which items have a value in every constraint, and may be in a list at all."""
    out = np.ones(items, bool)
    for constraint in constraints:
        out &= np.isfinite(constraint.values)
        if constraint.rule.total:
            out &= constraint.values <= constraint.limit
    return out


def fit(items: Longs, constraints: list[Constraint]) -> bool:
    """Whether items meet the caps, and may so be in one list."""
    caps = [one for one in constraints if one.rule.counted or one.rule.total]
    return all(one.met(items) for one in caps)


def unmet(items: Longs, k: int, constraints: list[Constraint]) -> list[str]:
    """Names of what a list does not meet, its length first."""
    short = [f"k: {len(items)} of {k}"] if len(items) < k else []
    return short + [constraint.name for constraint in constraints if not constraint.met(items)]


class Feasible:
    """Which candidates may come next in lists that are built one by one.

    A candidate may come next where no cap is exceeded and, constraint by constraint, what is left
    of the candidates can still meet the rest; where none may, the caps alone count.

    Args:
        constraints: over the n items.
        items: candidates of each user, shape (users, c).
        there: which candidates there are, shape (users, c).
        placed: candidates that have a place, shape (users, length of the lists), -1 where none has
            it; they count from the first.
    """

    def __init__(
        self,
        constraints: list[Constraint],
        items: Longs,
        there: npt.NDArray[np.bool_],
        placed: Longs,
    ) -> None:
        self.constraints = constraints
        # budgets and floors alike: the sum of these must end at 0 or above
        self.values = [
            one.values[items] if one.rule.counted else np.nan_to_num(one.signed(one.values[items]))
            for one in constraints
        ]
        self.sums = [np.full(len(items), constraint.start) for constraint in constraints]
        self.counts = np.zeros((len(constraints), *items.shape))
        self.free = there.copy()
        for one in constraints:
            self.free &= possible([one], len(one.values))[items]
        self.open = placed < 0  # places that are not taken
        self.step = 0
        # what is listed among the first places, or has one of them, by constraint that counts there
        self.early = [np.zeros(len(items)) for _ in constraints]
        for place in np.flatnonzero(~self.open.all(axis=0)).tolist():
            self._take(placed[:, place], ~self.open[:, place], place)

    def allowed(self) -> npt.NDArray[np.bool_]:
        """Shape (users, c)."""
        caps, all_ = self.free.copy(), self.free.copy()
        left = self.open[:, self.step :].sum(axis=1)
        for number, constraint in enumerate(self.constraints):
            if constraint.rule.counted:
                room = (self.counts[number] < constraint.limit) | (self.values[number] < 0)
                caps &= room
                all_ &= room
                continue
            after = self.sums[number][:, None] + self.values[number]
            if constraint.rule.least:
                # as many as there are, or as there is room for
                there = (self.free & (self.values[number] > 0)).sum(axis=1)
                rest = np.minimum(there[:, None], left[:, None] - 1)
            else:
                best = -np.sort(-np.where(self.free, self.values[number], -np.inf), axis=1)
                best = np.where(np.isfinite(best), best, 0.0)
                best[np.arange(best.shape[1]) >= left[:, None] - 1] = 0.0
                rest = best.sum(axis=1, keepdims=True)
            all_ &= after + rest >= -TOLERANCE * max(1.0, abs(constraint.limit)) * left[:, None]
            if constraint.rule.total:
                caps &= after >= -TOLERANCE
            if constraint.first is not None and self.step < constraint.first:
                missing = constraint.limit - self.early[number]
                places = self.open[:, self.step : constraint.first].sum(axis=1)
                now = (missing > 0) & (missing >= places)
                all_ &= ~now[:, None] | (self.values[number] > 0)
        return np.where(all_.any(axis=1, keepdims=True), all_, caps)

    def add(self, pick: Longs, taken: npt.NDArray[np.bool_]) -> None:
        """Take the picked columns, shape (users,), into the lists of some of the users."""
        # what has this place counts already
        self._take(pick, taken & self.open[:, self.step], self.step)
        self.step += 1

    def _take(self, pick: Longs, taken: npt.NDArray[np.bool_], place: int) -> None:
        users = np.flatnonzero(taken)
        at = pick[users]
        self.free[users, at] = False
        for number, (constraint, values) in enumerate(
            zip(self.constraints, self.values, strict=True)
        ):
            mine = values[users, at]
            self.sums[number][users] += mine
            self.counts[number][users] += values[users] == mine[:, None]
            if constraint.first is not None and place < constraint.first:
                self.early[number][users] += mine
