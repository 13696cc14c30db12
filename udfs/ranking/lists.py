"""The best lists by the weighted sum of objectives, over the whole catalogue."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

import numpy as np

from ..device import device
from ..history import Doubles, Longs
from .catalogue import Batch, Catalogue
from .constraints import Constraint, unmet
from .greedy import Explore, greedy, greedy_limited
from .limited import limited_block, top_limited
from .pairs import PairScores, factor_of, of_known, query_of
from .terms import TERMS, Block

if TYPE_CHECKING:
    import torch


CANDIDATES = 200  # at least so many contenders enter the greedy choice for list-wise objectives
GREEDY_BLOCK = 256  # users


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Ranked lists of a batch, shape (users, k); `item` is -1 behind the end of a short list.

    contributions, shape (users, k, objectives), add up to the score; unmet says by user which
    constraints the list does not meet; propensity, shape (users, k), is the chance of each place's
    item, given those before it.
    """

    item: Longs
    score: Doubles
    contributions: Doubles
    unmet: list[list[str]]
    propensity: Doubles

    @staticmethod
    def empty(users: int, k: int, objectives: int) -> Ranking:
        """Lists without an item, to `put` others into."""
        nothing: list[list[str]] = [[]]
        return Ranking(
            np.full((users, k), -1),
            np.zeros((users, k)),
            np.zeros((users, k, objectives)),
            nothing * users,
            np.ones((users, k)),
        )

    def copy(self, row: int, lists: Ranking, place: int) -> None:
        """Take one list, at `place` among others of at most the same length."""
        self.item[row], self.score[row], self.contributions[row] = -1, 0, 0
        self.propensity[row] = 1
        depth = lists.item.shape[1]
        self.item[row, :depth] = lists.item[place]
        self.score[row, :depth] = lists.score[place]
        self.contributions[row, :depth] = lists.contributions[place]
        self.propensity[row, :depth] = lists.propensity[place]
        self.unmet[row] = lists.unmet[place]

    def reorder(self, row: int, order: Longs) -> None:
        """Put a list in another order, shape (k,)."""
        for part in (self.item, self.score, self.contributions, self.propensity):
            part[row] = part[row][order]

    def put(self, rows: Longs, lists: Ranking) -> None:
        """Take the lists of some of the users, of at most the same length."""
        depth = lists.item.shape[1]
        self.item[rows, :depth] = lists.item
        self.score[rows, :depth] = lists.score
        self.contributions[rows, :depth] = lists.contributions
        self.propensity[rows, :depth] = lists.propensity
        for row, names in zip(rows, lists.unmet, strict=True):
            self.unmet[row] = names


def rank(
    catalogue: Catalogue,
    batch: Batch,
    weights: Doubles,
    k: int,
    diversify: str = "mmr",
    constraints: list[Constraint] | None = None,
    pins: Longs | None = None,
    explore: Explore | None = None,
) -> Ranking:
    """Rank the catalogue for each user by the weighted sum of the objectives.

    The sum of point-wise objectives is maximised over the whole catalogue. Where a list-wise one
    has weight the list is built greedily from the best candidates: each next item has the largest
    score plus gain in the list-wise objectives.

    Args:
        catalogue: the recommender.
        batch: the users.
        weights: shape (users, objectives).
        k: length of the lists.
        diversify: mmr, maximal marginal relevance (Carbonell and Goldstein 1998), where the gain of
            an item in diversity is its mean distance to the items before it; or dpp, where it is
            what it adds to the log determinant of the likenesses in the list, the greedy mode of a
            determinantal point process (Chen, Zhang and Zhou 2018).
        constraints: over all items; the list is the best one that meets them, or nearest to it.
            With list-wise objectives it is greedy, and where it ends up missing a constraint that
            can be met, the best list by the point-wise ones takes its place.
        pins: items that have a place in the list, shape (users, k), -1 where none has it: they may
            be listed, no item has two places, and those of a user meet the caps.
        explore: how lists try what they would not list, by chance.
    """
    import torch

    count = catalogue.items if batch.allowed is None else len(batch.allowed.items)
    listwise = [p for p in catalogue.of_kind(*TERMS) if weights[:, p].any()]
    many = bool(listwise) or explore is not None
    wanted, depth = min(max(10 * k, CANDIDATES) if many else k, count), min(k, count)
    placed = np.full((batch.users, depth), -1)
    if pins is not None:
        placed = pins[:, :depth]
    ordered = pins is not None or explore is not None or any(one.first for one in constraints or [])
    if constraints:
        if batch.allowed is not None:
            constraints = [
                dataclasses.replace(one, values=one.values[batch.allowed.items])
                for one in constraints
            ]
        wanted = wanted + depth if many else depth
    factor = factor_of(catalogue, weights)
    forced = placed if batch.allowed is None else batch.allowed.places(placed)
    score, column = _candidates(
        catalogue, batch, weights, factor, wanted, constraints, depth, forced
    )
    if pins is not None:
        score, column = _with_pins(catalogue, batch, weights, placed, forced, score, column)
    item = column
    if batch.allowed is not None:
        item = torch.from_numpy(batch.allowed.items).to(column.device)[column]
    contributions = np.zeros((batch.users, depth, len(catalogue.kinds)))
    propensity = np.ones((batch.users, depth))
    if listwise or ordered:
        # pins come first among the candidates, in the order of the list
        places = np.where(placed < 0, -1, np.arange(depth))
        parts = []
        for first in range(0, batch.users, GREEDY_BLOCK):
            rows = slice(first, min(first + GREEDY_BLOCK, batch.users))
            block = Block(catalogue, batch, rows, item[rows], diversify)
            terms = functools.partial(block.terms, listwise, weights)
            mine = None if explore is None else explore.of(rows)
            if constraints:
                # without list-wise objectives the best list is only put in order
                pulled = weights[rows][:, listwise].sum(axis=1) > 0
                parts.append(
                    greedy_limited(
                        score[rows],
                        column[rows],
                        terms,
                        depth,
                        constraints,
                        pulled,
                        places[rows],
                        mine,
                    )
                )
            else:
                parts.append(greedy(score[rows], terms(), depth, places[rows], None, mine))
        order, gains, score, chance = (torch.cat(part) for part in zip(*parts, strict=True))
        column, item = column.gather(1, order), item.gather(1, order)
        propensity = chance.cpu().numpy()
        contributions[:, :, listwise] = gains.double().cpu().numpy()
    raw, found = score.double().cpu().numpy(), item.cpu().numpy()
    if pins is not None:
        # a list that is too short has no empty places before a pin
        close = np.argsort(np.isneginf(raw), axis=1, kind="stable")
        raw, found, propensity = (
            np.take_along_axis(part, close, axis=1) for part in (raw, found, propensity)
        )
        column = column.gather(1, torch.from_numpy(close).to(column.device))
        contributions = np.take_along_axis(contributions, close[:, :, None], axis=1)
    contributions += _pointwise(catalogue, batch, weights, factor, found, raw)
    listed = np.isfinite(raw)
    missed: list[list[str]] = [[]] * batch.users
    if constraints:
        missed = [
            unmet(mine[real], k, constraints)
            for mine, real in zip(column.cpu().numpy(), listed, strict=True)
        ]
    return Ranking(
        item=np.where(listed, found, -1),
        score=contributions.sum(axis=2),
        contributions=contributions,
        unmet=missed,
        propensity=propensity,
    )


def _candidates(
    catalogue: Catalogue,
    batch: Batch,
    weights: Doubles,
    factor: Doubles,
    wanted: int,
    constraints: list[Constraint] | None,
    depth: int,
    forced: Longs,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The best items by the point-wise objectives: where weights meet the item vectors.

    Arguments are those of rank, and what the log-odds of relevance are multiplied by, shape
    (users,). Under constraints the last `depth` of the `wanted` items are the best list, in which
    the columns `forced` are, shape (users, depth), -1 for none.

    Returns:
        scores without list-wise objectives and constants, and columns of the table that is ranked,
        shape (users, wanted).
    """
    import torch

    from ..topk import Given, together, top

    where, known = device(), batch.known
    table = catalogue.table
    if batch.allowed is not None:
        table = batch.allowed.table
    query = query_of(catalogue, batch, weights, factor)
    known_score = of_known(catalogue, batch, query, factor)
    score = torch.empty((batch.users, wanted), device=where)
    column = torch.empty((batch.users, wanted), dtype=torch.int64, device=where)
    kept = None if np.ptp(factor) else batch.relevance
    linear = batch.queries.shape[1]
    step = table.users if kept is None else together(len(table))
    for first in range(0, batch.users, step):
        last = min(first + step, batch.users)
        mine = slice(known.starts[first], known.starts[last])
        given = Given(
            torch.from_numpy(known.user[mine].astype(np.int64) - first).to(where),
            torch.from_numpy(known.place[mine]).to(where),
            torch.from_numpy(known_score[mine]).to(where),
        )
        mine_query = torch.from_numpy(query[first:last]).to(where)
        more = batch.more_of(first, last, factor) if kept is None else None
        limits = (wanted, constraints or [], depth, forced[first:last])
        if kept is not None:
            scores = functools.partial(
                _sum, mine_query[:, linear:], table.rows[:, linear:], float(factor[0]),
                kept[first:last],
            )  # fmt: skip
            if constraints:
                block = scores(slice(0, len(table)))
                block[given.user, given.item] = given.score
                best = limited_block(block, *limits)
            else:
                best = top(scores, len(table), given, wanted)
        elif constraints:
            best = top_limited(table, mine_query, given, more, *limits)
        else:
            best = table.top(mine_query, given, wanted, more)
        score[first:last], column[first:last] = best
    return score, column


def _pointwise(
    catalogue: Catalogue,
    batch: Batch,
    weights: Doubles,
    factor: Doubles,
    item: Longs,
    raw: Doubles,
) -> Doubles:
    """What the point-wise objectives contribute to lists, shape (users, k, objectives).

    Args:
        catalogue: the recommender.
        batch: the users.
        weights: shape (users, objectives).
        factor: what the log-odds of relevance are multiplied by, shape (users,).
        item: the lists, shape (users, k).
        raw: their scores without list-wise objectives and constants, shape (users, k).
    """
    of_items, of_fits = catalogue.of_kind("item"), catalogue.of_kind("fit")
    slope, curve, constant = catalogue.fit(batch.tastes)
    out = np.zeros((*item.shape, len(catalogue.kinds)))
    values = catalogue.values[item].astype(np.float64)
    out[:, :, of_items] = values[:, :, of_items] * weights[:, None, of_items]
    x, fit_weights = values[:, :, of_fits], weights[:, of_fits]
    fits = fit_weights[:, None] * (slope[:, None] * x + curve[:, None] * x**2)
    out[:, :, of_fits] = fits + (fit_weights * constant)[:, None]
    # the inner product holds no constant: relevance is centred here
    others = out[:, :, of_items].sum(axis=2) + fits.sum(axis=2)
    relevance = raw - others - (batch.mean * factor)[:, None]
    out[:, :, catalogue.of_kind("relevance")] = relevance[:, :, None]
    return out


def _with_pins(
    catalogue: Catalogue,
    batch: Batch,
    weights: Doubles,
    placed: Longs,
    forced: Longs,
    score: torch.Tensor,
    column: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Candidates behind the items that have a place: `placed`, whose columns are `forced`."""
    import torch

    there = np.nonzero(placed >= 0)
    scores = np.full(placed.shape, -np.inf, np.float32)
    scores[there] = PairScores(catalogue, batch, weights).raw(there[0], placed[there])
    pinned = torch.from_numpy(forced).to(column.device)
    twice = (column[:, :, None] == pinned[:, None, :]).any(dim=2)
    return (
        torch.cat(
            [torch.from_numpy(scores).to(score.device), score.masked_fill(twice, -torch.inf)], 1
        ),
        torch.cat([pinned.clamp_min(0), column], dim=1),
    )


def _sum(
    query: torch.Tensor,
    table: torch.Tensor,
    factor: float,
    relevance: torch.Tensor,
    items: slice,
) -> torch.Tensor:
    """The inner products with some of the items, and `factor` of the relevance that is kept."""
    import torch

    return torch.addmm(relevance[:, items], query, table[items].T, beta=factor)
