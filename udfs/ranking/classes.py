"""The best lists under counts of sets of items that are nested or apart: picked one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..history import Longs
from .constraints import OF_RULES, Constraint, Feasible, unmet
from .greedy import greedy

if TYPE_CHECKING:
    import torch

MOST = 12  # constraints, which make up to 2^MOST classes


def classes(constraints: list[Constraint]) -> list[Longs] | None:
    """The items by the sets that they are in, or None where picking one by one is not exact.

    It is where all constraints count sets of items and any two of these are nested or have no item
    in common: the lists that meet them are then the bases of a matroid (of a laminar family).
    """
    if len(constraints) > MOST or any(one.kind not in OF_RULES for one in constraints):
        return None
    inside = [one.values > 0 if one.rule.least else one.values >= 0 for one in constraints]
    code = sum(mine.astype(np.int64) << place for place, mine in enumerate(inside))
    there = np.flatnonzero(np.bincount(code, minlength=1 << len(constraints)))
    member = (there[:, None] >> np.arange(len(constraints))) & 1
    both = member.T @ member
    sizes = np.minimum.outer(np.diag(both), np.diag(both))
    if ((both > 0) & (both < sizes)).any():
        return None
    return [np.flatnonzero(code == one) for one in there]


def best_lists(
    block: torch.Tensor,
    depth: int,
    constraints: list[Constraint],
    sets: list[Longs],
    forced: Longs,
) -> tuple[Longs, Longs]:
    """The best list of each user, exactly.

    Args:
        block: scores, shape (users, items).
        depth: length of the lists.
        constraints: over the items.
        sets: as `classes` gives them.
        forced: items that are in the list in any case, shape (users, depth), -1 for none.

    Returns:
        the items, shape (users, depth) and -1 behind the end of a list, and the users for whom no
        list was found that meets all: there may be one.
    """
    import torch

    best = []
    for items in sets:
        place = torch.from_numpy(items).to(block.device)
        mine = block if len(sets) == 1 else block.index_select(1, place)
        _, top = mine.topk(min(depth, len(items)), dim=1)
        best.append(place[top])
    column = torch.cat(best, dim=1)
    return picked(block.gather(1, column), column, depth, constraints, forced)


def picked(
    score: torch.Tensor,
    column: torch.Tensor,
    depth: int,
    constraints: list[Constraint],
    forced: Longs,
) -> tuple[Longs, Longs]:
    """The best list of each user of some items, one by one.

    Args:
        score: of the items, -inf for none, shape (users, c).
        column: the items, the same.
        depth, constraints, forced: as of best_lists, which also says what is returned.
    """
    import torch

    pinned = torch.from_numpy(forced).to(score.device)
    column = torch.cat([pinned.clamp_min(0), column], dim=1)
    # what is forced is in the list whatever its score
    score = torch.cat([torch.zeros_like(pinned, dtype=score.dtype), score], dim=1)
    twice = (column[:, :, None] == pinned[:, None, :]).any(dim=2)
    twice[:, :depth] = pinned < 0
    score = score.masked_fill(twice, -torch.inf)
    placed = np.where(forced < 0, -1, np.arange(depth))
    columns, there = column.cpu().numpy(), score.isfinite().cpu().numpy()
    # those that are forced count from the first, wherever they are
    pick, _, found, _ = greedy(
        score, [], depth, placed, Feasible(constraints, columns, there, placed)
    )
    listed = np.take_along_axis(columns, pick.cpu().numpy(), axis=1)
    items = np.where(found.isfinite().cpu().numpy(), listed, -1)
    short = [user for user, mine in enumerate(items) if unmet(mine[mine >= 0], depth, constraints)]
    return items, np.array(short, np.int64)
