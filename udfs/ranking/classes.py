"""The best lists under counts of sets of items that are nested or apart: picked one by one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from ..history import Longs
from .constraints import Constraint, Feasible, possible, unmet
from .greedy import greedy

if TYPE_CHECKING:
    import torch

# pairs of sets that are counted in an array: at most so many, and so many for each item in both
DENSE, FOR_EACH = 1 << 22, 64
SOME = 2000  # items that mostly show that sets cross


def nested(constraints: list[Constraint], depth: int) -> list[Constraint]:
    """Those of the constraints under which full lists may be picked one by one, as counts.

    They count sets of items, such as those of each category, any two of which are nested or have no
    item in common: the lists that meet them are then the bases of a matroid (of a laminar family).
    Of those that do not go together the first ones are taken. A share of a full list is a number
    of its items.

    Args:
        constraints: over the items.
        depth: length of the lists.
    """
    found: list[Constraint] = []
    for one in constraints:
        if one.kind == "min_share":
            least = float(np.ceil(one.limit * depth - 1e-9))
            one = dataclasses.replace(one, kind="slots", limit=least)
        counts = one.rule.counted or one.rule.least
        if counts and all(_go_together(_sets(one), _sets(other)) for other in found):
            found.append(one)
    return found


def _sets(constraint: Constraint) -> Longs:
    """In which of the sets that a constraint counts each item is, -1 for none."""
    if constraint.rule.least:
        return np.where(constraint.values > 0, 0, -1)
    return constraint.values.astype(np.int64)


def _go_together(sets: Longs, others: Longs) -> bool:
    """Whether each two of sets and other sets are nested or have no item in common.

    Two that cross among some of the items do so among all.
    """
    every = len(sets) // SOME
    if every > 1 and not _go_together(sets[::every], others[::every]):
        return False
    both = (sets >= 0) & (others >= 0)
    count = int(others.max(initial=0)) + 1
    pairs = sets[both] * count + others[both]
    if (int(sets.max(initial=0)) + 1) * count <= min(DENSE, FOR_EACH * len(pairs)):
        sizes = np.bincount(pairs)
        there = np.flatnonzero(sizes)
        sizes = sizes[there]
    else:
        there, sizes = np.unique(pairs, return_counts=True)
    of, of_others = np.divmod(there, count)
    size, size_of_others = (np.bincount(part[part >= 0]) for part in (sets, others))
    return bool((sizes == np.minimum(size[of], size_of_others[of_others])).all())


def classes(constraints: list[Constraint], items: int) -> list[Longs]:
    """The items by the sets of the constraints that they are in."""
    code = np.zeros(items, np.int64)
    for one in constraints:
        mine = _sets(one) + 1
        _, code = np.unique(code * (int(mine.max(initial=0)) + 1) + mine, return_inverse=True)
    order = np.argsort(code, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(code[order])) + 1)


def best_lists(
    block: torch.Tensor,
    depth: int,
    counts: list[Constraint],
    constraints: list[Constraint],
    forced: Longs,
) -> tuple[Longs, Longs]:
    """The best list of each user, exactly.

    Args:
        block: scores, shape (users, items).
        depth: length of the lists.
        counts: what lists are picked by, as `nested` gives them.
        constraints: all that they are to meet.
        forced: items that are in the list in any case, shape (users, depth), -1 for none.

    Returns:
        the items, shape (users, depth) and -1 behind the end of a list, and the users for whom no
        list was found that meets all: there may be one.
    """
    import torch

    best = []
    able = possible(constraints, block.shape[1])
    sets = [items[able[items]] for items in classes(counts, block.shape[1])]
    for items in sets:
        place = torch.from_numpy(items).to(block.device)
        mine = block if len(items) == block.shape[1] else block.index_select(1, place)
        _, top = mine.topk(min(depth, len(items)), dim=1)
        best.append(place[top])
    column = torch.cat(best, dim=1)
    return picked(block.gather(1, column), column, depth, counts, constraints, forced)


def picked(
    score: torch.Tensor,
    column: torch.Tensor,
    depth: int,
    counts: list[Constraint],
    constraints: list[Constraint],
    forced: Longs,
) -> tuple[Longs, Longs]:
    """The best list of each user of some items, one by one.

    One that meets all constraints is the best of those that meet the counts, and so of those that
    meet all.

    Args:
        score: of the items, -inf for none, shape (users, c).
        column: the items, the same.
        depth, counts, constraints, forced: as of best_lists, which also says what is returned.
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
    there &= possible(constraints, len(constraints[0].values))[columns]
    # those that are forced count from the first, wherever they are
    pick, _, found, _ = greedy(score, [], depth, placed, Feasible(counts, columns, there, placed))
    listed = np.take_along_axis(columns, pick.cpu().numpy(), axis=1)
    items = np.where(found.isfinite().cpu().numpy(), listed, -1)
    short = [user for user, mine in enumerate(items) if unmet(mine[mine >= 0], depth, constraints)]
    return items, np.array(short, np.int64)
