"""Top-k of the weighted sum of objectives over the whole catalogue, for a batch of users."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .constraints import Constraint, Feasible, best_list, unmet
from .device import device
from .history import Floats, History, Ints, bounds

if TYPE_CHECKING:
    import torch

    from .relevance import RelevanceModel
    from .topk import Given, Table

DIVERSITIES = ("diversity", "diversity by behaviour", "diversity by category")
LISTWISE = (*DIVERSITIES, "coverage", "calibration")
DIVERSIFIERS = ("mmr", "dpp")

GREEDY_BLOCK = 256  # users
CANDIDATES = 200  # at least so many contenders enter the greedy choice for list-wise objectives
GRAM_ROWS = 6000  # up to so many distinct vectors their likenesses are kept as one matrix
RIDGE = 0.01  # added to the diagonal of the likenesses, so that twins do not make them singular
SMOOTHING = 0.01  # share of the user's own mix in that of a list, so that no divergence is infinite
DIVERGENCE_UNIT = 0.1  # divergence, in nats, that counts as 1 beside other objectives
PRIOR_PAIRS = 1.0  # weight of the average price beside the pairs of a history

Doubles = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]


class Likeness:
    """How alike two items are: the inner product of their vectors, or 1 within a category.

    Args:
        rows: the row of `vectors` for each item, or the number of its category, shape (n,);
            -1 for an item without one, which is like no other.
        vectors: unit-length vectors, shape (m, t), or None for categories.
    """

    def __init__(self, rows: Longs, vectors: Floats | None) -> None:
        import torch

        self.vectors: torch.Tensor | None = None
        if vectors is not None:
            rows = np.where(rows < 0, len(vectors), rows)
            # the last vector is 0
            vectors = np.concatenate([vectors, np.zeros((1, vectors.shape[1]), np.float32)])
            self.vectors = torch.from_numpy(vectors).to(device())
        self.rows = torch.from_numpy(np.ascontiguousarray(rows, np.int64)).to(device())
        like, volume = self._pairs()
        self.distance_mean = float(1 - like.mean())
        self.distance_deviation = _spread(like)
        self.volume_unit = _spread(volume)

    def _pairs(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Of random pairs of items: likeness, and the log determinant of their likenesses."""
        import torch

        generator = torch.Generator().manual_seed(0)
        pairs = torch.randint(len(self.rows), (2, 20000), generator=generator).to(self.rows.device)
        left, right = self.rows[pairs]
        if self.vectors is None:
            like = ((left == right) & (left >= 0)).float()
        else:
            like = (self.vectors[left] * self.vectors[right]).sum(dim=1)
        return like, (1 - (like / (1 + RIDGE)) ** 2).log()

    @functools.cached_property
    def _gram(self) -> torch.Tensor | None:
        if self.vectors is None or len(self.vectors) > GRAM_ROWS:
            return None
        return (self.vectors @ self.vectors.T).ravel()

    def among(self, item: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return a function of picked columns (users,) that gives the likeness of all (users, c).

        Args:
            item: candidates, shape (users, c).
        """
        import torch

        rows = self.rows[item]
        if self.vectors is None:

            def of_categories(pick: torch.Tensor) -> torch.Tensor:
                mine = rows.gather(1, pick[:, None])
                return ((rows == mine) & (mine >= 0)).float()

            return of_categories
        gram, width = self._gram, len(self.vectors)
        if gram is not None:
            return lambda pick: gram.take(rows.gather(1, pick[:, None]) * width + rows)
        vectors = self.vectors[rows]
        users = torch.arange(len(item), device=item.device)
        return lambda pick: torch.einsum("uct,ut->uc", vectors, vectors[users, pick])


def _spread(values: torch.Tensor) -> float:
    """The deviation, or 1 where all values are the same."""
    deviation = float(values.std())
    return deviation if deviation > 1e-6 else 1.0


class Catalogue:
    """A trained recommender in memory, ready to score.

    Args:
        model: the relevance model of n items.
        kinds: of each objective, in the order of the weights: relevance, item (a value per item),
            fit (minus the squared distance of the item's value from the user's), or list-wise:
            diversity by text, behaviour or category, coverage or calibration of categories.
        values: shape (n, objectives): standardised values for item and fit, numbers of categories
            (-1: unknown) for what is of categories; of no meaning for the others.
        embeddings: unit-length vectors of the texts, shape (m, t); diversity goes by behaviour
            where there is none.
        text_id: the row of `embeddings` for each item, shape (n,); -1 for an item without one.
    """

    def __init__(
        self,
        model: RelevanceModel,
        kinds: Sequence[str],
        values: Floats,
        embeddings: Floats,
        text_id: Longs,
    ) -> None:
        import torch

        from .topk import Table

        self.model = model
        self.kinds = tuple(kinds)
        self.items = len(model.decoder)
        self.values = values
        by_category = self.of_kind("diversity by category")
        if by_category:
            self.likeness = Likeness(values[:, by_category[0]].astype(np.int64), None)
        elif len(embeddings) and not self.of_kind("diversity by behaviour"):
            self.likeness = Likeness(text_id, embeddings)
        else:
            length = np.linalg.norm(model.encoder, axis=1, keepdims=True)
            behaviour = model.encoder / np.maximum(length, 1e-9)
            self.likeness = Likeness(np.arange(self.items), behaviour)
        # one block of columns per term of the inner product: likeness, popularity, objectives
        linear = np.concatenate([model.decoder, model.popularity], axis=1)
        fits = values[:, self.of_kind("fit")]
        table = np.concatenate(
            [linear, values[:, self.of_kind("item")], fits, fits**2], axis=1, dtype=np.float32
        )
        self.pointwise = np.ascontiguousarray(table[:, linear.shape[1] :])
        typical = np.ones(table.shape[1], np.float32)
        typical[: linear.shape[1]] = model.typical_query() / model.unit
        ball = model.decoder.shape[1]
        rows = torch.from_numpy(table).to(device())
        self.table = Table.grouped(rows, torch.from_numpy(typical), ball)
        self.mean = linear.mean(axis=0, dtype=np.float64)
        self.moments = [(fits.astype(np.float64) ** power).mean(axis=0) for power in range(5)]

    def of_kind(self, *kinds: str) -> list[int]:
        """The positions of the objectives of these kinds."""
        return [position for position, kind in enumerate(self.kinds) if kind in kinds]

    def only(self, items: Longs) -> Selection:
        """The items of these sorted indices, to be ranked among themselves."""
        import torch

        number = np.full(self.items, -1)
        number[items] = np.arange(len(items))
        return Selection(items, number, self.table.take(torch.from_numpy(items).to(device())))

    def batch(
        self,
        history: History,
        users: int,
        allowed: Selection | None = None,
        exclude_seen: npt.NDArray[np.bool_] | None = None,
        keep: bool = False,
    ) -> Batch:
        """Work out what does not depend on weights for `users` users with sorted `history`.

        Args:
            history: the users' pairs.
            users: how many users.
            allowed: the items that may be listed, or None for all.
            exclude_seen: whether to leave the history out, shape (users,); never by default.
            keep: whether to keep the relevance of every item, for many weights to be tried.
        """
        import torch

        place = history.item.astype(np.int64)
        inside = np.ones(len(history), bool)
        if allowed is not None:
            place = allowed.number[history.item]
            inside = place >= 0
        seen = np.zeros(len(history), bool)
        if exclude_seen is not None:
            seen = exclude_seen[history.user]
        # the repeat term is the dearest part: only for what may be listed
        wanted = inside & ~seen
        parts = self.model.of_users(history, users, None if wanted.all() else wanted)
        user = history.user[inside]
        known = np.full(len(user), -np.inf, np.float32)
        known[~seen[inside]] = parts.known
        tastes = [self.taste(history, users, position) for position in self.of_kind("fit")]
        relevance = None
        if keep and allowed is None:
            queries = torch.from_numpy(parts.queries).to(device())
            relevance = queries @ self.table.rows[:, : queries.shape[1]].T
        return Batch(
            history=history,
            users=users,
            allowed=allowed,
            known=Known(user, place[inside], history.item[inside], known, bounds(user, users)),
            queries=parts.queries,
            mean=parts.queries.astype(np.float64) @ self.mean + parts.bonus / self.items,
            tastes=np.stack(tastes, axis=1) if tastes else np.zeros((users, 0)),
            relevance=relevance,
        )

    def taste(self, history: History, users: int, position: int) -> Doubles:
        """The mean value of each user's pairs by strength, and of one pair of average value."""
        strength = history.strength[:, -1].astype(np.float64)
        values = strength * self.values[history.item, position]
        total = np.bincount(history.user, strength, minlength=users)
        out: Doubles = np.bincount(history.user, values, minlength=users) / (total + PRIOR_PAIRS)
        return out

    def mix(self, history: History, position: int) -> tuple[Longs, Longs, Doubles]:
        """The share of each category in each user's history, by strength.

        Args:
            history: the users' pairs, sorted by user.
            position: the objective whose categories they are.

        Returns:
            user, category and share of what is not 0, sorted by user and category.
        """
        category = self.values[history.item, position].astype(np.int64)
        known = category >= 0
        category, user = category[known], history.user[known].astype(np.int64)
        strength = history.strength[known, -1].astype(np.float64)
        count = int(category.max(initial=0)) + 1
        key, place = np.unique(user * count + category, return_inverse=True)
        of_user, of_category = np.divmod(key, count)
        total = np.bincount(user, strength)
        share = np.bincount(place, strength, minlength=len(key)) / total[of_user]
        return of_user, of_category, share

    def fit(self, tastes: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        """A fit as a function of value x: slope * x + curve * x^2 + constant, each (users, fits).

        It is -(x - taste)^2, standardised over the catalogue in closed form.
        """
        _, first, second, third, fourth = self.moments
        mean = -second + 2 * tastes * first
        square = fourth - 4 * tastes * third + 4 * tastes**2 * second
        deviation = np.sqrt(np.maximum(square - mean**2, 1e-12))
        return 2 * tastes / deviation, -1 / deviation, -mean / deviation


@dataclasses.dataclass(frozen=True, eq=False)
class Selection:
    """Some items of a catalogue.

    items are their sorted indices; number, shape (n,), gives the place of each item of the
    catalogue among them, -1 for others; table is that of these items.
    """

    items: Longs
    number: Longs
    table: Table


@dataclasses.dataclass(frozen=True)
class Known:
    """Pairs of the history that a filter lets through, sorted by user, one entry per pair.

    place is the item's among those allowed, relevance in log-odds and -inf for what is excluded;
    starts bounds the users, shape (users + 1,).
    """

    user: Ints
    place: Longs
    item: Ints
    relevance: Floats
    starts: Longs


@dataclasses.dataclass(frozen=True)
class Batch:
    """A batch of users before weights: their pairs, and relevance in parts.

    allowed are the items that may be listed, None for all. queries, shape (users, d + 2), give the
    relevance of what the user does not know, in log-odds; mean is the mean relevance over the
    catalogue, with that of the known pairs, shape (users,); tastes are the values that the user's
    fits are about, shape (users, fits); relevance, where it is kept, is that of the queries, shape
    (users, items).
    """

    history: History
    users: int
    allowed: Selection | None
    known: Known
    queries: Floats
    mean: Doubles
    tastes: Doubles
    relevance: torch.Tensor | None


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

    from .topk import Given, top

    users, allowed, known = batch.users, batch.allowed, batch.known
    where = device()
    table = catalogue.table if allowed is None else allowed.table
    factor = weights[:, catalogue.of_kind("relevance")].sum(axis=1) / catalogue.model.unit
    query = _query(catalogue, batch, weights, factor)
    known_score = _of_known(catalogue, batch, query, factor)
    count = len(table)
    listwise = [p for p in catalogue.of_kind(*LISTWISE) if weights[:, p].any()]
    wanted = min(max(10 * k, CANDIDATES) if listwise else k, count)

    depth = min(k, count)
    if constraints:
        if allowed is not None:
            constraints = [
                dataclasses.replace(one, values=one.values[allowed.items]) for one in constraints
            ]
        wanted = wanted + depth if listwise else depth
    score = torch.empty((users, wanted), device=where)
    column = torch.empty((users, wanted), dtype=torch.int64, device=where)
    kept = None if np.ptp(factor) else batch.relevance
    linear = batch.queries.shape[1]
    step = table.users
    for first in range(0, users, step):
        last = min(first + step, users)
        mine = slice(known.starts[first], known.starts[last])
        given = Given(
            torch.from_numpy(known.user[mine].astype(np.int64) - first).to(where),
            torch.from_numpy(known.place[mine]).to(where),
            torch.from_numpy(known_score[mine]).to(where),
        )
        mine_query = torch.from_numpy(query[first:last]).to(where)
        if kept is None and not constraints:
            best = table.top(mine_query, given, wanted)
        else:
            scores = functools.partial(_sum, mine_query, table.rows, 0.0, None)
            if kept is not None:
                scores = functools.partial(
                    _sum, mine_query[:, linear:], table.rows[:, linear:], float(factor[0]),
                    kept[first:last],
                )  # fmt: skip
            if constraints:
                best = _limited(scores, count, given, wanted, constraints, depth)
            else:
                best = top(scores, count, given, wanted)
        score[first:last], column[first:last] = best
    item = column if allowed is None else torch.from_numpy(allowed.items).to(where)[column]
    contributions = np.zeros((users, depth, len(catalogue.kinds)))
    if listwise:
        parts = []
        for first in range(0, users, GREEDY_BLOCK):
            rows = slice(first, min(first + GREEDY_BLOCK, users))

            def terms(rows: slice = rows) -> list[_Term]:
                return _terms(catalogue, batch, rows, item[rows], weights, listwise, diversify)

            if constraints:
                greedy = weights[rows][:, listwise].sum(axis=1) > 0
                parts.append(
                    _greedy_limited(score[rows], column[rows], terms, depth, constraints, greedy)
                )
            else:
                parts.append(_greedy(score[rows], terms(), depth))
        order = torch.cat([part[0] for part in parts])
        gains = torch.cat([part[1] for part in parts])
        column, item = column.gather(1, order), item.gather(1, order)
        score = torch.cat([part[2] for part in parts])
        contributions[:, :, listwise] = gains.double().cpu().numpy()
    raw, found = score.double().cpu().numpy(), item.cpu().numpy()
    contributions += _pointwise(catalogue, batch, weights, factor, found, raw)
    listed = np.isfinite(raw)
    missed: list[list[str]] = [[]] * users
    if constraints:
        columns = column.cpu().numpy()
        missed = [
            unmet(mine[real], k, constraints) for mine, real in zip(columns, listed, strict=True)
        ]
    return Ranking(
        item=np.where(listed, found, -1),
        score=contributions.sum(axis=2),
        contributions=contributions,
        unmet=missed,
    )


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

    from .topk import contenders, merged

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
    top_score, best_items = merged([contenders(block, k - depth)], k - depth)
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


def _greedy(
    score: torch.Tensor, terms: list[_Term], k: int, feasible: Feasible | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pick up to k of the candidates one by one, each with the largest score plus gains.

    Returns:
        the columns picked, shape (users, k), the gain of each term, (users, k, terms), and the
        score without them, -inf where nothing may be picked any more.
    """
    import torch

    left = score.clone()
    picks, gained, scores = [], [], []
    for _ in range(min(k, score.shape[1])):
        gains = torch.stack([term.gain() for term in terms], dim=2)
        total = left + gains.sum(dim=2)
        if feasible is not None:
            allowed = torch.from_numpy(feasible.allowed()).to(score.device)
            total = total.masked_fill(~allowed, -torch.inf)
        value, pick = total.max(dim=1)
        picks.append(pick)
        real = value.isfinite()
        mine = gains[torch.arange(len(pick), device=pick.device), pick]
        gained.append(mine * real[:, None])
        scores.append(left.gather(1, pick[:, None])[:, 0].masked_fill(~real, -torch.inf))
        left.scatter_(1, pick[:, None], -torch.inf)
        for term in terms:
            term.add(pick)
        if feasible is not None:
            feasible.add(pick.cpu().numpy(), real.cpu().numpy())
    return torch.stack(picks, dim=1), torch.stack(gained, dim=1), torch.stack(scores, dim=1)


def _greedy_limited(
    score: torch.Tensor,
    column: torch.Tensor,
    terms: Callable[[], list[_Term]],
    k: int,
    constraints: list[Constraint],
    wanted: npt.NDArray[np.bool_],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """As _greedy, under constraints.

    The last k candidates are the best list by score, which the users get who do not want another.
    """
    import torch

    columns = column.cpu().numpy()

    def greedy(score: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        there = score.isfinite().cpu().numpy()
        return _greedy(score, terms(), k, Feasible(constraints, columns, there, k))

    picks, gains, scores = greedy(score)
    best = columns[:, -k:]
    inside = torch.from_numpy((columns[:, :, None] == best[:, None, :]).any(axis=2))
    others = greedy(score.masked_fill(~inside.to(score.device), -torch.inf))
    for user in range(len(score)):
        lists = [
            columns[user, part[0][user][part[2][user].isfinite()].cpu().numpy()]
            for part in ((picks, gains, scores), others)
        ]
        ours, safe = (unmet(mine, k, constraints) for mine in lists)
        if not wanted[user] or (ours and len(safe) <= len(ours)):
            picks[user], gains[user], scores[user] = (part[user] for part in others)
    return picks, gains, scores


class _Term:
    """A list-wise objective: the gain of each candidate, given what is picked."""

    def __init__(self, weight: torch.Tensor) -> None:
        self.weight = weight[:, None]

    def gain(self) -> torch.Tensor:
        """The weighted gain of adding each candidate, shape (users, c)."""
        raise NotImplementedError

    def add(self, pick: torch.Tensor) -> None:
        """Take the picked columns, shape (users,), into the list."""
        raise NotImplementedError


class _Distance(_Term):
    """The mean distance to the items of the list, standardised over pairs of the catalogue."""

    def __init__(self, weight: torch.Tensor, likeness: Likeness, item: torch.Tensor) -> None:
        import torch

        super().__init__(weight)
        self.likeness, self.to = likeness, likeness.among(item)
        self.distance = torch.zeros(item.shape, device=item.device)
        self.listed = 0

    def gain(self) -> torch.Tensor:
        if not self.listed:
            return self.distance
        distance = self.distance / self.listed - self.likeness.distance_mean
        return self.weight * distance / self.likeness.distance_deviation

    def add(self, pick: torch.Tensor) -> None:
        self.distance = self.distance + 1 - self.to(pick)
        self.listed += 1


class _Volume(_Term):
    """The log determinant of the likenesses in the list, by an incremental Cholesky factor."""

    def __init__(self, weight: torch.Tensor, likeness: Likeness, item: torch.Tensor) -> None:
        import torch

        super().__init__(weight)
        self.likeness, self.to = likeness, likeness.among(item)
        self.rest = torch.ones(item.shape, device=item.device)
        self.factor = torch.zeros((len(item), 0, item.shape[1]), device=item.device)

    def gain(self) -> torch.Tensor:
        return self.weight * self.rest.log() / self.likeness.volume_unit

    def add(self, pick: torch.Tensor) -> None:
        import torch

        at = pick[:, None]
        like = (self.to(pick) / (1 + RIDGE)).scatter(1, at, 1.0)
        at_pick = self.factor.gather(2, at[:, None].expand(-1, self.factor.shape[1], 1))
        row = like - (self.factor * at_pick).sum(dim=1)
        row = row / self.rest.gather(1, at).sqrt()
        self.factor = torch.cat([self.factor, row[:, None]], dim=1)
        self.rest = (self.rest - row**2).clamp_min(1e-6)


class _Coverage(_Term):
    """The number of categories in the list."""

    def __init__(self, weight: torch.Tensor, category: torch.Tensor) -> None:
        super().__init__(weight)
        self.category = category
        self.new = (category >= 0).float()

    def gain(self) -> torch.Tensor:
        return self.weight * self.new

    def add(self, pick: torch.Tensor) -> None:
        self.new = self.new * (self.category != self.category.gather(1, pick[:, None]))


class _Calibration(_Term):
    """Minus the divergence of the list's categories from the user's mix (Steck 2018).

    KL(p || (1 - a) q + a p), with the share p of each category in the history, q in the list.
    """

    def __init__(self, weight: torch.Tensor, category: torch.Tensor, share: torch.Tensor) -> None:
        import torch

        super().__init__(weight)
        self.category, self.share = category, share
        self.count = torch.zeros_like(share)
        self.divergence = torch.full_like(self.weight, -math.log(SMOOTHING), dtype=share.dtype)
        # of each listed item: its category, share, how often that is listed, whether first of it
        self.listed = [torch.zeros((len(share), 0), device=share.device) for _ in range(4)]

    def gain(self) -> torch.Tensor:
        """Return the fall of the divergence."""
        _, share, count, first = self.listed
        size = share.shape[1] + 1

        def log_mix(share: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
            mix: torch.Tensor = (1 - SMOOTHING) * count / size + SMOOTHING * share
            return mix.clamp_min(1e-12).log()

        unlisted = -math.log(SMOOTHING) * (1 - (first * share).sum(dim=1, keepdim=True))
        of_listed = share * (share.clamp_min(1e-12).log() - log_mix(share, count))
        now = unlisted + (first * of_listed).sum(dim=1, keepdim=True)
        more = log_mix(self.share, self.count + 1) - log_mix(self.share, self.count)
        self.after = now - self.share * more
        return self.weight * (self.divergence - self.after) / DIVERGENCE_UNIT

    def add(self, pick: torch.Tensor) -> None:
        import torch

        at = pick[:, None]
        mine = self.category.gather(1, at)
        category, share, count, first = self.listed
        count = count + (category == mine)
        known = (category == mine).any(dim=1, keepdim=True)
        self.count = self.count + (self.category == mine)
        new = (mine.float(), self.share.gather(1, at), self.count.gather(1, at), (~known).float())
        old = (category, share, count, first)
        self.listed = [torch.cat([a, b], dim=1) for a, b in zip(old, new, strict=True)]
        self.divergence = self.after.gather(1, at)


def _terms(
    catalogue: Catalogue,
    batch: Batch,
    rows: slice,
    item: torch.Tensor,
    weights: Doubles,
    listwise: list[int],
    diversify: str,
) -> list[_Term]:
    """The list-wise objectives of a block of users over their candidates."""
    import torch

    terms: list[_Term] = []
    for position in listwise:
        weight = torch.from_numpy(weights[rows, position].astype(np.float32)).to(item.device)
        kind = catalogue.kinds[position]
        if kind in DIVERSITIES:
            term = _Volume if diversify == "dpp" else _Distance
            terms.append(term(weight, catalogue.likeness, item))
            continue
        category = catalogue.values[item.cpu().numpy(), position].astype(np.int64)
        codes = torch.from_numpy(category).to(item.device)
        if kind == "coverage":
            terms.append(_Coverage(weight, codes))
            continue
        share = torch.from_numpy(_shares(catalogue, batch, rows, position, category))
        terms.append(_Calibration(weight, codes, share.to(item.device)))
    return terms


def _shares(
    catalogue: Catalogue, batch: Batch, rows: slice, position: int, category: Longs
) -> Floats:
    """The share of given categories in each user's mix; without history, in the catalogue.

    Args:
        catalogue: the recommender.
        batch: the users.
        rows: which of them.
        position: the objective whose categories they are.
        category: shape (users of `rows`, c).
    """
    user, known, share = catalogue.mix(batch.history, position)
    everyone = catalogue.values[:, position].astype(np.int64)
    counts = np.bincount(everyone[everyone >= 0], minlength=int(category.max(initial=0)) + 1)
    width = len(counts)
    key = np.append(user * width + known, np.iinfo(np.int64).max)
    wanted = np.arange(rows.start, rows.stop)[:, None] * width + category
    at = np.searchsorted(key, wanted)
    out = np.where(key[at] == wanted, np.append(share, 0.0)[at], 0.0)
    without = ~np.isin(np.arange(rows.start, rows.stop), user)
    out[without] = counts[category[without]] / max(counts.sum(), 1)
    return np.where(category >= 0, out, 0.0).astype(np.float32)
