"""The best list under constraints, by an integer program."""

from __future__ import annotations

import numpy as np

from ..history import Doubles, Longs
from .constraints import TOLERANCE, Constraint, possible

PENALTY = 1e4  # of falling short of a constraint, in units of the range of a list's score
ROUNDS = 50
FIRST = 10  # times the length of a list are the best items that a program begins with


def best_list(
    score: Doubles, k: int, constraints: list[Constraint], forced: Longs | None = None
) -> Longs:
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
        forced: items that are in the list in any case, which meet the caps together.

    Returns:
        the items, largest score first.
    """
    open_ = np.flatnonzero(np.isfinite(score) & possible(constraints, len(score)))
    if not len(open_):
        return open_
    program = _Program(score[open_], k, constraints, open_)
    if forced is not None:
        program.forced = np.isin(open_, forced)
    most = min(FIRST * k, len(open_))
    first = np.where(program.forced, np.inf, program.score)
    columns = np.argpartition(-first, most - 1)[:most]
    columns = columns[np.argsort(-first[columns], kind="stable")]
    plain = open_[columns[:k]]
    if len(plain) == k and all(one.met(plain) for one in constraints):
        # the best list without constraints happens to meet them
        return plain[np.argsort(-score[plain], kind="stable")]
    chosen: Longs | None = None
    for _ in range(ROUNDS):
        bound, profit, taken = program.relaxed(columns)
        profit[columns] = -np.inf
        better = np.flatnonzero(profit > TOLERANCE * program.unit)
        if not len(better):
            chosen = taken
            break
        more = better[np.argsort(-profit[better], kind="stable")[: 5 * k]]
        columns = np.concatenate([columns, more])
    if chosen is None:
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
        self.caps = [c for c in constraints if c.rule.counted]
        self.codes = [c.values[items].astype(np.int64) for c in self.caps]
        # rows of at most `limit`, and whether they may be violated at a price
        self.rows: list[tuple[Doubles, float, bool]] = []
        for constraint in constraints:
            values = constraint.values[items]
            if constraint.rule.total:
                self.rows.append((values, constraint.limit, False))
            elif not constraint.rule.counted:
                short = -constraint.signed(values)
                scale = max(float(np.abs(short).max()), 1e-12)
                self.rows.append((short / scale, constraint.start / scale, True))
        self.price = PENALTY * self.unit * k
        self.forced = np.zeros(len(items), bool)

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

    def _lower(self, columns: Longs) -> Doubles:
        """The least value of each variable."""
        others = np.zeros(1 + len(self.rows))
        return np.concatenate([self.forced[columns].astype(np.float64), others])

    def relaxed(self, columns: Longs) -> tuple[float, Doubles, Longs | None]:
        """The value of the linear relaxation, the reduced profit of every item, and its list.

        It is None where items are taken in part, or something is fallen short of.
        """
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
            bounds=np.column_stack([self._lower(columns), upper]),
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
        parts = found.x[: len(columns)]
        whole = np.abs(parts - np.round(parts)).max(initial=0) < TOLERANCE
        taken = None
        if whole and found.x[len(columns) :].max(initial=0) < TOLERANCE:
            taken = columns[parts > 0.5]
        return -float(found.fun), profit, taken

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
                bounds=Bounds(self._lower(columns), upper),
                constraints=rows,
                options={"mip_rel_gap": 0.0},
            )
            if found.x is not None:
                break
        taken = columns[np.round(found.x[: len(columns)]).astype(bool)]
        return taken, -float(found.fun)
