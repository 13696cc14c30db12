"""Constraints on lists: the best list that meets them, and which ones a list does not meet."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]

PENALTY = 1e4  # of falling short of a constraint, in units of the range of a list's score
ROUNDS = 50
TOLERANCE = 1e-7


@dataclasses.dataclass(frozen=True)
class Constraint:
    """One constraint over n items.

    kind is max_per (at most `limit` items of each category in `values`, -1: none), min_share (at
    least the share `limit` of the list's items has the value 1), floor (the mean value is at least
    `limit`) or budget (the values sum up to at most `limit`); values has shape (n,), NaN where
    unknown: such an item is not listed.
    """

    key: str
    kind: str
    values: Doubles
    limit: float

    @property
    def name(self) -> str:
        """What it is called in a list that does not meet it."""
        return f"{self.kind}: {self.key}"

    @property
    def start(self) -> float:
        """The sum of `signed` that an empty list has; a list meets it where the sum is not < 0."""
        return self.limit if self.kind == "budget" else 0.0

    def signed(self, values: Doubles) -> Doubles:
        """What items of these values add to the sum; not of max_per."""
        return -values if self.kind == "budget" else values - self.limit

    def met(self, items: Longs) -> bool:
        """Whether a list meets it."""
        values = self.values[items]
        if self.kind == "max_per":
            known = values[values >= 0].astype(np.int64)
            return not len(known) or int(np.bincount(known).max()) <= self.limit
        slack = self.start + float(self.signed(values).sum())
        return slack >= -TOLERANCE * max(1.0, abs(self.limit)) * max(len(items), 1)


def possible(constraints: Iterable[Constraint], items: int) -> npt.NDArray[np.bool_]:
    """Which items have a value in every constraint, and may be in a list at all."""
    out = np.ones(items, bool)
    for constraint in constraints:
        out &= np.isfinite(constraint.values)
        if constraint.kind == "budget":
            out &= constraint.values <= constraint.limit
    return out


def best_list(score: Doubles, k: int, constraints: list[Constraint]) -> Longs:
    """The list of up to k items with the largest sum of scores that meets the constraints.

    Caps (max_per, budget) are always met, by a shorter list where needed. Where no list meets the
    rest, the longest list that falls short by least is taken, and of these the one with the largest
    score.

    The integer program is solved over few items: they are found by column generation in its linear
    relaxation, and every item whose reduced cost leaves it a chance joins, so that the result is
    that over all items (Dantzig and Wolfe 1960; reduced cost fixing).

    Args:
        score: shape (n,); -inf for an item that may not be listed.
        k: length of the list.
        constraints: over the n items.

    Returns:
        the items, largest score first.
    """
    open_ = np.flatnonzero(np.isfinite(score) & possible(constraints, len(score)))
    if not len(open_):
        return open_
    program = _Program(score[open_], k, constraints, open_)
    order = np.argsort(-program.score, kind="stable")
    columns = order[: 2 * k]
    for _ in range(ROUNDS):
        bound, profit = program.relaxed(columns)
        profit[columns] = -np.inf
        better = np.flatnonzero(profit > TOLERANCE * program.unit)
        if not len(better):
            break
        more = better[np.argsort(-profit[better], kind="stable")[: 5 * k]]
        columns = np.concatenate([columns, more])
    chosen, value = program.whole(columns)
    chance = np.flatnonzero(profit >= value - bound - TOLERANCE * program.unit)
    if len(chance):
        chosen, _ = program.whole(np.concatenate([columns, chance]))
    return open_[chosen[np.argsort(-program.score[chosen], kind="stable")]]


class _Program:
    """The integer program over the items that may be listed: x, a shorter list, and shortfalls."""

    def __init__(self, score: Doubles, k: int, constraints: list[Constraint], items: Longs) -> None:
        self.score, self.k = score, k
        self.unit = max(float(np.ptp(score)), float(np.abs(score).max()), 1e-9)
        self.caps = [c for c in constraints if c.kind == "max_per"]
        self.codes = [c.values[items].astype(np.int64) for c in self.caps]
        # rows of at most `limit`, and whether they may be violated at a price
        self.rows: list[tuple[Doubles, float, bool]] = []
        for constraint in constraints:
            values = constraint.values[items]
            if constraint.kind == "budget":
                self.rows.append((values, constraint.limit, False))
            elif constraint.kind != "max_per":
                short = -constraint.signed(values)
                scale = max(float(np.abs(short).max()), 1e-12)
                self.rows.append((short / scale, 0.0, True))
        self.price = PENALTY * self.unit * k

    def _matrix(self, columns: Longs) -> tuple[Doubles, Doubles, list[Longs]]:
        """The rows of at most, their limits, and which category each row of a cap is of."""
        rows = [values[columns] for values, _, _ in self.rows]
        limits = [limit for _, limit, _ in self.rows]
        categories = []
        for cap, codes in zip(self.caps, self.codes, strict=True):
            mine = codes[columns]
            present, counts = np.unique(mine[mine >= 0], return_counts=True)
            # a category with no more items than allowed binds nothing
            present = present[counts > cap.limit]
            categories.append(present)
            rows.extend((mine == category).astype(np.float64) for category in present)
            limits.extend([cap.limit] * len(present))
        matrix = np.array(rows).reshape(len(rows), len(columns))
        extra = np.zeros((len(rows), 1 + len(self.rows)))
        for row, (_, _, soft) in enumerate(self.rows):
            extra[row, 1 + row] = -1.0 if soft else 0.0
        return np.hstack([matrix, extra]), np.array(limits), categories

    def _costs(self, columns: Longs) -> tuple[Doubles, Doubles]:
        """What is minimised, and the row of the length of the list."""
        shortfalls = np.full(len(self.rows), self.price)
        # an item less costs more than all shortfalls that there can be
        missing = self.price * (1 + self.k * len(self.rows))
        costs = np.concatenate([-self.score[columns], [missing], shortfalls])
        length = np.concatenate([np.ones(len(columns) + 1), np.zeros(len(self.rows))])
        return costs, length

    def relaxed(self, columns: Longs) -> tuple[float, Doubles]:
        """The value of the linear relaxation, and the reduced profit of every item."""
        from scipy.optimize import linprog

        matrix, limits, categories = self._matrix(columns)
        costs, length = self._costs(columns)
        upper = np.concatenate([np.ones(len(columns)), np.full(1 + len(self.rows), np.inf)])
        found = linprog(
            costs,
            A_ub=matrix if len(matrix) else None,
            b_ub=limits if len(matrix) else None,
            A_eq=length[None],
            b_eq=[self.k],
            bounds=np.column_stack([np.zeros(len(upper)), upper]),
            method="highs",
        )
        profit = self.score + found.eqlin.marginals[0]
        at = 0
        if len(matrix):
            duals = found.ineqlin.marginals
            for values, _, _ in self.rows:
                profit = profit + duals[at] * values
                at += 1
            for present, codes in zip(categories, self.codes, strict=True):
                prices = np.zeros(int(codes.max(initial=0)) + 2)
                prices[present] = duals[at : at + len(present)]
                profit = profit + prices[codes]
                at += len(present)
        return -float(found.fun), profit

    def whole(self, columns: Longs) -> tuple[Longs, float]:
        """The best list of some of the items, and its value."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        matrix, limits, _ = self._matrix(columns)
        costs, length = self._costs(columns)
        rows = [LinearConstraint(length[None], self.k, self.k)]
        if len(matrix):
            rows.append(LinearConstraint(matrix, -np.inf, limits))
        whole = np.concatenate([np.ones(len(columns) + 1), np.zeros(len(self.rows))])
        # what can be met is met exactly; only where nothing meets it are shortfalls paid for
        for most in (0.0, np.inf):
            upper = np.concatenate([np.ones(len(columns)), np.full(1 + len(self.rows), most)])
            found = milp(
                costs,
                integrality=whole,
                bounds=Bounds(np.zeros(len(upper)), upper),
                constraints=rows,
                options={"mip_rel_gap": 0.0},
            )
            if found.x is not None:
                break
        taken = columns[np.round(found.x[: len(columns)]).astype(bool)]
        return taken, -float(found.fun)


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
        k: length of the lists.
    """

    def __init__(
        self, constraints: list[Constraint], items: Longs, there: npt.NDArray[np.bool_], k: int
    ) -> None:
        self.constraints = constraints
        # budgets and floors alike: the sum of these must end at 0 or above
        self.values = [
            one.values[items]
            if one.kind == "max_per"
            else np.nan_to_num(one.signed(one.values[items]))
            for one in constraints
        ]
        self.sums = [np.full(len(items), constraint.start) for constraint in constraints]
        self.counts = np.zeros((len(constraints), *items.shape))
        self.free = there & possible(constraints, len(constraints[0].values))[items]
        self.left = k

    def allowed(self) -> npt.NDArray[np.bool_]:
        """Shape (users, c)."""
        caps, all_ = self.free.copy(), self.free.copy()
        for number, constraint in enumerate(self.constraints):
            if constraint.kind == "max_per":
                room = (self.counts[number] < constraint.limit) | (self.values[number] < 0)
                caps &= room
                all_ &= room
                continue
            after = self.sums[number][:, None] + self.values[number]
            best = -np.sort(-np.where(self.free, self.values[number], -np.inf), axis=1)
            best = best[:, : self.left - 1]
            rest = np.where(np.isfinite(best), best, 0.0).sum(axis=1, keepdims=True)
            all_ &= after + rest >= -TOLERANCE * max(1.0, abs(constraint.limit)) * self.left
            if constraint.kind == "budget":
                caps &= after >= -TOLERANCE
        return np.where(all_.any(axis=1, keepdims=True), all_, caps)

    def add(self, pick: Longs, taken: npt.NDArray[np.bool_]) -> None:
        """Take the picked columns, shape (users,), into the lists of some of the users."""
        users = np.flatnonzero(taken)
        at = pick[users]
        self.free[users, at] = False
        self.left -= 1
        for number, values in enumerate(self.values):
            mine = values[users, at]
            self.sums[number][users] += mine
            self.counts[number][users] += values[users] == mine[:, None]
