"""The best lists by the weighted sum of objectives, over the whole catalogue."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..device import device
from ..history import Doubles, Floats, Ints, Longs, places
from ..relevance.sparse import dot, entries
from .catalogue import Batch, Catalogue
from .constraints import Constraint, unmet
from .greedy import greedy, greedy_limited
from .program import best_list
from .terms import TERMS, Block

if TYPE_CHECKING:
    import torch

    from ..topk import Given

CANDIDATES = 200  # at least so many contenders enter the greedy choice for list-wise objectives
GREEDY_BLOCK = 256  # users


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Ranked lists of a batch, shape (users, k); `item` is -1 behind the end of a short list.

    contributions, shape (users, k, objectives), add up to the score; unmet says by user which
    constraints the list does not meet.
    """

    item: Longs
    score: Doubles
    contributions: Doubles
    unmet: list[list[str]]

    @staticmethod
    def empty(users: int, k: int, objectives: int) -> Ranking:
        """Lists without an item, to `put` others into."""
        nothing: list[list[str]] = [[]]
        return Ranking(
            np.full((users, k), -1),
            np.zeros((users, k)),
            np.zeros((users, k, objectives)),
            nothing * users,
        )

    def put(self, rows: Longs, lists: Ranking) -> None:
        """Take the lists of some of the users, of at most the same length."""
        depth = lists.item.shape[1]
        self.item[rows, :depth] = lists.item
        self.score[rows, :depth] = lists.score
        self.contributions[rows, :depth] = lists.contributions
        for row, names in zip(rows, lists.unmet, strict=True):
            self.unmet[row] = names


def rank(
    catalogue: Catalogue,
    batch: Batch,
    weights: Doubles,
    k: int,
    diversify: str = "mmr",
    constraints: list[Constraint] | None = None,
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
    """
    import torch

    count = catalogue.items if batch.allowed is None else len(batch.allowed.items)
    listwise = [p for p in catalogue.of_kind(*TERMS) if weights[:, p].any()]
    wanted, depth = min(max(10 * k, CANDIDATES) if listwise else k, count), min(k, count)
    if constraints:
        if batch.allowed is not None:
            constraints = [
                dataclasses.replace(one, values=one.values[batch.allowed.items])
                for one in constraints
            ]
        wanted = wanted + depth if listwise else depth
    factor = _factor(catalogue, weights)
    score, column = _candidates(catalogue, batch, weights, factor, wanted, constraints, depth)
    item = column
    if batch.allowed is not None:
        item = torch.from_numpy(batch.allowed.items).to(column.device)[column]
    contributions = np.zeros((batch.users, depth, len(catalogue.kinds)))
    if listwise:
        parts = []
        for first in range(0, batch.users, GREEDY_BLOCK):
            rows = slice(first, min(first + GREEDY_BLOCK, batch.users))
            block = Block(catalogue, batch, rows, item[rows], diversify)
            terms = functools.partial(block.terms, listwise, weights)
            if constraints:
                pulled = weights[rows][:, listwise].sum(axis=1) > 0
                parts.append(
                    greedy_limited(score[rows], column[rows], terms, depth, constraints, pulled)
                )
            else:
                parts.append(greedy(score[rows], terms(), depth))
        order, gains, score = (torch.cat(part) for part in zip(*parts, strict=True))
        column, item = column.gather(1, order), item.gather(1, order)
        contributions[:, :, listwise] = gains.double().cpu().numpy()
    raw, found = score.double().cpu().numpy(), item.cpu().numpy()
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
    )


class PairScores:
    """Scores of pairs of a user of a batch and an item, without what is of the list.

    Made once of a batch, it gives the scores of any number of pairs.
    """

    def __init__(self, catalogue: Catalogue, batch: Batch, weights: Doubles) -> None:
        """Weigh users who may have every item; weights have shape (users, objectives)."""
        factor = _factor(catalogue, weights)
        query = _query(catalogue, batch, weights, factor)
        self._items, self._query = catalogue.items, query
        self._table = catalogue.table.rows.cpu().numpy()
        self._known = _Scores(
            self._key(batch.known.user, batch.known.item),
            _of_known(catalogue, batch, query, factor),
        )
        self._more = None
        if batch.more is not None:
            user, item, score = entries(batch.more, 0, batch.users)
            self._more = _Scores(self._key(user, item), score * factor[user])
        _, _, constant = catalogue.fit(batch.tastes)
        of_fits = weights[:, catalogue.of_kind("fit")] * constant
        self._of_user: Doubles = of_fits.sum(axis=1) - batch.mean * factor

    def __call__(self, user: Longs, item: Longs) -> Doubles:
        """The scores of pairs, each given by the user's place in the batch and the item."""
        score = dot(self._query, user, self._table, item).astype(np.float64)
        key = self._key(user, item)
        if self._more is not None:
            there, mine = self._more.at(key)
            score[there] += mine
        there, mine = self._known.at(key)
        score[there] = mine
        out: Doubles = score + self._of_user[user]
        return out

    def _key(self, user: Longs | Ints, item: Longs | Ints) -> Longs:
        return user.astype(np.int64) * self._items + item


@dataclasses.dataclass(frozen=True)
class _Scores:
    """Scores of some pairs, by their sorted keys."""

    key: Longs
    score: Floats | Doubles

    def at(self, wanted: Longs) -> tuple[Longs, Floats | Doubles]:
        """Which of the wanted pairs are among these, and their scores."""
        there, place = places(self.key, wanted)
        return there, self.score[place]


def _factor(catalogue: Catalogue, weights: Doubles) -> Doubles:
    """What the log-odds of relevance are multiplied by, shape (users,)."""
    out: Doubles = weights[:, catalogue.of_kind("relevance")].sum(axis=1) / catalogue.model.unit
    return out


def _candidates(
    catalogue: Catalogue,
    batch: Batch,
    weights: Doubles,
    factor: Doubles,
    wanted: int,
    constraints: list[Constraint] | None,
    depth: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The best items by the point-wise objectives: where weights meet the item vectors.

    Arguments are those of rank, and what the log-odds of relevance are multiplied by, shape
    (users,). Under constraints the last `depth` of the `wanted` items are the best list.

    Returns:
        scores without list-wise objectives and constants, and columns of the table that is ranked,
        shape (users, wanted).
    """
    import torch

    from ..topk import Given, added, together, top

    where, known = device(), batch.known
    table = catalogue.table
    if batch.allowed is not None:
        table = batch.allowed.table
    query = _query(catalogue, batch, weights, factor)
    known_score = _of_known(catalogue, batch, query, factor)
    score = torch.empty((batch.users, wanted), device=where)
    column = torch.empty((batch.users, wanted), dtype=torch.int64, device=where)
    kept = None if np.ptp(factor) else batch.relevance
    linear = batch.queries.shape[1]
    step = table.users if kept is None and not constraints else together(len(table))
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
        if kept is None and not constraints:
            best = table.top(mine_query, given, wanted, more)
        else:
            plain = functools.partial(_sum, mine_query, table.rows, 0.0, None)
            scores = added(plain, len(table), more)
            if kept is not None:
                scores = functools.partial(
                    _sum, mine_query[:, linear:], table.rows[:, linear:], float(factor[0]),
                    kept[first:last],
                )  # fmt: skip
            if constraints:
                best = _limited(scores, len(table), given, wanted, constraints, depth)
            else:
                best = top(scores, len(table), given, wanted)
        score[first:last], column[first:last] = best
    return score, column


def _query(catalogue: Catalogue, batch: Batch, weights: Doubles, factor: Doubles) -> Floats:
    """What the columns of the catalogue's table are multiplied by, shape (users, columns)."""
    slope, curve, _ = catalogue.fit(batch.tastes)
    fits = weights[:, catalogue.of_kind("fit")]
    return np.concatenate(
        [
            batch.queries * factor[:, None],
            weights[:, catalogue.of_kind("item")],
            slope * fits,
            curve * fits,
        ],
        axis=1,
        dtype=np.float32,
    )


def _of_known(catalogue: Catalogue, batch: Batch, query: Floats, factor: Doubles) -> Floats:
    """The weighted sums of the known pairs, of `query` as _query makes it."""
    known = batch.known
    weighed = np.ascontiguousarray(query[:, batch.queries.shape[1] :])
    others = np.einsum(
        "ij,ij->i", weighed.take(known.user, 0), catalogue.pointwise.take(known.item, 0)
    )
    excluded = np.isneginf(known.relevance)
    of_relevance = np.where(excluded, 0, known.relevance) * factor[known.user]
    out: Floats = (of_relevance + others).astype(np.float32)
    out[excluded] = -np.inf
    return out


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


def _limited(
    scores: Callable[[slice], torch.Tensor],
    count: int,
    given: Given,
    k: int,
    constraints: list[Constraint],
    depth: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The best lists of `depth` items under constraints, behind the top k - depth items.

    Other arguments as of topk.top. What is not there, or there twice, has the score -inf.
    """
    import torch

    from ..topk import contenders, merged

    block = scores(slice(0, count))
    block[given.user, given.item] = given.score
    best = np.full((len(block), depth), -1, np.int64)
    for user, mine in enumerate(block.double().cpu().numpy()):
        chosen = best_list(mine, depth, constraints)
        best[user, : len(chosen)] = chosen
    listed = torch.from_numpy(best).to(block.device)
    score = block.gather(1, listed.clamp_min(0)).masked_fill(listed < 0, -torch.inf)
    if k == depth:
        return score, listed.clamp_min(0)
    listed = torch.where(listed < 0, listed[:, :1], listed)
    top_score, best_items = merged(
        [contenders(block, torch.arange(count, device=block.device), k - depth)], k - depth
    )
    twice = (listed[:, :, None] == best_items[:, None, :]).any(dim=2)
    score = score.masked_fill(twice, -torch.inf)
    return torch.cat([top_score, score], dim=1), torch.cat([best_items, listed.clamp_min(0)], dim=1)


def _sum(
    query: torch.Tensor,
    table: torch.Tensor,
    factor: float,
    relevance: torch.Tensor | None,
    items: slice,
) -> torch.Tensor:
    """The inner products with some of the items, and `factor` of the relevance that is kept."""
    import torch

    if relevance is None:
        return query @ table[items].T
    return torch.addmm(relevance[:, items], query, table[items].T, beta=factor)
