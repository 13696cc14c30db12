"""Top-k of the weighted sum of objectives over the whole catalogue, for a batch of users."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .device import device
from .history import Floats, History, bounds

if TYPE_CHECKING:
    import torch

    from .relevance import RelevanceModel

USER_BLOCK = 256
ITEM_BLOCK = 16384
CANDIDATES = 200  # at least so many contenders enter the greedy re-ranking for diversity


def likeness(
    model: RelevanceModel, embeddings: Floats, text_id: npt.NDArray[np.int64]
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """The vectors that say how alike two items are, and the row of each item among them.

    The last vector is 0, for items without a text; arguments as for Catalogue.
    """
    if not len(embeddings):
        length = np.linalg.norm(model.encoder, axis=1, keepdims=True)
        embeddings = model.encoder / np.maximum(length, 1e-9)
        text_id = np.arange(len(embeddings))
    padded = np.concatenate([embeddings, np.zeros((1, embeddings.shape[1]), np.float32)])
    return padded, np.where(text_id < 0, len(embeddings), text_id)


class Catalogue:
    """A trained recommender in memory, ready to score.

    Args:
        model: the relevance model of n items.
        objectives: standardised values of the objectives of kind item, shape (n, p).
        embeddings: unit-length vectors of the texts, whose inner product is the likeness of two
            items in intra-list diversity, shape (m, t); without any, behaviour says what is alike.
        text_id: the row of `embeddings` for each item, shape (n,); -1 for an item without one.
    """

    def __init__(
        self,
        model: RelevanceModel,
        objectives: Floats,
        embeddings: Floats,
        text_id: npt.NDArray[np.int64],
    ) -> None:
        import torch

        self.model = model
        self.items = len(model.decoder)
        self.objectives = objectives
        # one block of columns per term of the inner product: likeness, popularity, objectives
        linear = np.concatenate([model.decoder, model.popularity], axis=1)
        table = np.concatenate([linear, objectives], axis=1).astype(np.float32)
        self.table = torch.from_numpy(table).to(device())
        self.mean = linear.mean(axis=0, dtype=np.float64)
        vectors, rows = likeness(model, embeddings, text_id)
        self.likeness = torch.from_numpy(vectors).to(device())
        self.likeness_row = torch.from_numpy(rows).to(device())
        self.distance_mean, self.distance_deviation = self._distances()

    def _distances(self) -> tuple[float, float]:
        """Mean and deviation of 1 - likeness over random pairs of items."""
        import torch

        generator = torch.Generator().manual_seed(0)
        pairs = torch.randint(self.items, (2, 20000), generator=generator).to(self.table.device)
        left, right = (self.likeness[self.likeness_row[side]] for side in pairs)
        distance = 1 - (left * right).sum(dim=1)
        return float(distance.mean()), max(float(distance.std()), 1e-6)


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Ranked lists of a batch, shape (users, k); `item` is -1 behind the end of a short list."""

    item: npt.NDArray[np.int64]
    score: npt.NDArray[np.float64]
    relevance: npt.NDArray[np.float64]
    objectives: npt.NDArray[np.float64]
    diversity: npt.NDArray[np.float64]


def rank(
    catalogue: Catalogue,
    history: History,
    relevance_weight: npt.NDArray[np.float64],
    objective_weights: npt.NDArray[np.float64],
    diversity_weight: npt.NDArray[np.float64],
    k: int,
    allowed: npt.NDArray[np.int64] | None,
    exclude_seen: npt.NDArray[np.bool_],
) -> Ranking:
    """Rank the catalogue for each user by the weighted sum of the objectives.

    Args:
        catalogue: the recommender.
        history: the users' pairs, sorted by user; users are numbered from 0.
        relevance_weight: shape (users,).
        objective_weights: shape (users, p), in the order of the catalogue's objectives.
        diversity_weight: shape (users,); above 0 the list is built greedily: each next item
            maximises its score plus the weighted mean distance to the items before it (maximal
            marginal relevance, Carbonell and Goldstein 1998).
        k: length of the lists.
        allowed: sorted indices of the items that may be listed, or None for all.
        exclude_seen: whether to leave the history out, shape (users,).
    """
    import torch

    users = len(relevance_weight)
    where = catalogue.table.device
    parts = catalogue.model.of_users(history, users)
    starts = bounds(history.user, users)
    from_bonus = np.bincount(history.user, parts.bonus.astype(np.float64), minlength=users)
    mean = parts.queries.astype(np.float64) @ catalogue.mean + from_bonus / catalogue.items
    factor = relevance_weight / catalogue.model.unit
    query = np.concatenate([parts.queries * factor[:, None], objective_weights], axis=1).astype(
        np.float32
    )
    bonus = (parts.bonus * factor[history.user]).astype(np.float32)
    bonus[exclude_seen[history.user]] = -np.inf
    table, position = catalogue.table, history.item.astype(np.int64)
    inside = np.ones(len(history), bool)
    if allowed is not None:
        table = table[torch.from_numpy(allowed).to(where)]
        place = np.searchsorted(allowed, position)
        inside = (place < len(allowed)) & (allowed[np.minimum(place, len(allowed) - 1)] == position)
        position = place
    count = len(table)
    wanted = k if not diversity_weight.any() else max(10 * k, CANDIDATES)
    wanted = min(wanted, count)

    results: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    for first in range(0, users, USER_BLOCK):
        last = min(first + USER_BLOCK, users)
        mine = slice(starts[first], starts[last])
        keep = inside[mine]
        row = torch.from_numpy(history.user[mine][keep].astype(np.int64) - first).to(where)
        column = torch.from_numpy(position[mine][keep]).to(where)
        extra = torch.from_numpy(bonus[mine][keep]).to(where)
        block_query = torch.from_numpy(query[first:last]).to(where)
        score, item = _top(block_query, table, row, column, extra, wanted)
        diverse = torch.from_numpy(diversity_weight[first:last]).to(where)
        if diversity_weight.any():
            original = item if allowed is None else torch.from_numpy(allowed).to(where)[item]
            score, item, gain = _diversify(catalogue, score, item, original, diverse, k)
        else:
            gain = torch.zeros_like(score)
        results.append((score, item, gain))
    raw = torch.cat([part[0] for part in results]).double().cpu().numpy()
    found = torch.cat([part[1] for part in results]).cpu().numpy()
    diversity = torch.cat([part[2] for part in results]).double().cpu().numpy()
    if allowed is not None:
        found = allowed[found]
    objectives = catalogue.objectives[found].astype(np.float64) * objective_weights[:, None, :]
    # the inner product holds no constant: relevance is centred here
    from_relevance = raw - objectives.sum(axis=2) - (mean * factor)[:, None]
    return Ranking(
        item=np.where(np.isfinite(raw), found, -1),
        score=from_relevance + objectives.sum(axis=2) + diversity,
        relevance=from_relevance,
        objectives=objectives,
        diversity=diversity,
    )


def _top(
    query: torch.Tensor,
    table: torch.Tensor,
    row: torch.Tensor,
    column: torch.Tensor,
    extra: torch.Tensor,
    k: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores and columns of the k largest of query @ table' + sparse(row, column, extra)."""
    import torch

    best_score: torch.Tensor | None = None
    best_item: torch.Tensor | None = None
    for first in range(0, len(table), ITEM_BLOCK):
        last = min(first + ITEM_BLOCK, len(table))
        block = query @ table[first:last].T
        here = (column >= first) & (column < last)
        block.index_put_((row[here], column[here] - first), extra[here], accumulate=True)
        score, item = block.topk(min(k, last - first), dim=1)
        item += first
        if best_score is not None and best_item is not None:
            score = torch.cat([best_score, score], dim=1)
            item = torch.cat([best_item, item], dim=1)
            score, order = score.topk(min(k, score.shape[1]), dim=1)
            item = item.gather(1, order)
        best_score, best_item = score, item
    assert best_score is not None
    assert best_item is not None
    # equal scores come in the order of the items
    order = best_item.argsort(dim=1)
    best_score, best_item = best_score.gather(1, order), best_item.gather(1, order)
    order = best_score.argsort(dim=1, descending=True, stable=True)
    return best_score.gather(1, order), best_item.gather(1, order)


def _diversify(
    catalogue: Catalogue,
    score: torch.Tensor,
    column: torch.Tensor,
    item: torch.Tensor,
    weight: torch.Tensor,
    k: int,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Greedy choice of k of the candidates: (score without diversity, column, diversity gain)."""
    import torch

    vectors = catalogue.likeness[catalogue.likeness_row[item]]
    users = torch.arange(len(score), device=score.device)
    distance = torch.zeros_like(score)
    left = score.clone()
    chosen, gains = [], []
    for step in range(min(k, score.shape[1])):
        gain = torch.zeros_like(score)
        if step:
            gain = (distance / step - catalogue.distance_mean) / catalogue.distance_deviation
            gain *= weight[:, None].float()
        pick = (left + gain).argmax(dim=1)
        chosen.append(pick)
        gains.append(gain[users, pick])
        left[users, pick] = -torch.inf
        distance += 1 - torch.einsum("uct,ut->uc", vectors, vectors[users, pick])
    order = torch.stack(chosen, dim=1)
    return score.gather(1, order), column.gather(1, order), torch.stack(gains, dim=1)
