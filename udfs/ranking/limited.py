"""The best lists under constraints: of the best items where these suffice, else of all of them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from ..history import Longs
from .classes import best_lists, classes, picked
from .constraints import Constraint
from .program import best_list

if TYPE_CHECKING:
    import torch

    from ..table import Table
    from ..topk import Given

ENOUGH = 5  # times the length of a list are the best items that mostly suffice


def top_limited(
    table: Table,
    query: torch.Tensor,
    given: Given,
    more: Given | None,
    k: int,
    constraints: list[Constraint],
    depth: int,
    forced: Longs,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The best lists of `depth` items under constraints, behind the top k - depth items.

    Where items may be picked one by one, in the order of their scores, those behind the last one
    that is picked do not matter: a list of the best items that is full and meets all constraints is
    the best of all.

    Args:
        table: the items.
        query: what they are multiplied by, as the next two as of Table.top.
        given: scores of pairs that are known otherwise.
        more: what is added to those of some pairs.
        k: how many items are wanted.
        constraints: over the items of the table.
        depth: length of the lists.
        forced: items that are in the list in any case, shape (users, depth), -1 for none.

    Returns:
        scores and items, shape (users, k); what is not there, or there twice, has the score -inf.
    """
    import torch

    from ..topk import added, together

    constraints = _without_first(constraints)
    users, count = len(query), len(table)
    score = torch.full((users, k), -torch.inf, device=query.device)
    item = torch.zeros((users, k), dtype=torch.int64, device=query.device)
    rest = np.arange(users)
    many = max(k - depth, ENOUGH * depth)
    if many < count and classes(constraints) is not None:
        best, column = table.top(query, given, many, more)
        found, short = picked(best, column, depth, constraints, forced)
        full = (found >= 0).sum(axis=1) == depth
        full[short] = False
        sure = torch.from_numpy(np.flatnonzero(full)).to(query.device)
        listed = torch.from_numpy(found).to(query.device)
        at = (listed[:, :, None] == column[:, None, :]).int().argmax(dim=2)
        # what is forced may not be among them; its score comes from elsewhere
        last = best.gather(1, at)
        parts = _behind(best[:, : k - depth], column[:, : k - depth], last, listed)
        score[sure], item[sure] = (of[sure] for of in parts)
        rest = np.flatnonzero(~full)
    for some in np.array_split(rest, max(1, -(-len(rest) // together(count)))):
        if len(some):
            rows = torch.from_numpy(some).to(query.device)
            mine, plus = (None if of is None else of.among(rows, users) for of in (given, more))
            assert mine is not None
            few = query[rows]

            def plain(items: slice, few: torch.Tensor = few) -> torch.Tensor:
                return few @ table.rows[items].T

            block = added(plain, count, plus)(slice(0, count))
            block[mine.user, mine.item] = mine.score
            score[rows], item[rows] = limited_block(block, k, constraints, depth, forced[some])
    return score, item


def limited_block(
    block: torch.Tensor, k: int, constraints: list[Constraint], depth: int, forced: Longs
) -> tuple[torch.Tensor, torch.Tensor]:
    """As top_limited, of the scores of all items, shape (users, items)."""
    import torch

    from ..topk import contenders, merged

    constraints = _without_first(constraints)
    sets = classes(constraints)
    if sets is None:
        best, rest = np.full((len(block), depth), -1), np.arange(len(block))
    else:
        best, rest = best_lists(block, depth, constraints, sets, forced)
    for user in rest:
        mine = block[user].double().cpu().numpy()
        chosen = best_list(mine, depth, constraints, forced[user][forced[user] >= 0])
        best[user] = -1
        best[user, : len(chosen)] = chosen
    listed = torch.from_numpy(best).to(block.device)
    score = block.gather(1, listed.clamp_min(0)).masked_fill(listed < 0, -torch.inf)
    if k == depth:
        return score, listed.clamp_min(0)
    listed = torch.where(listed < 0, listed[:, :1], listed)
    items = torch.arange(block.shape[1], device=block.device)
    tops = merged([contenders(block, items, k - depth)], k - depth)
    return _behind(*tops, score, listed)


def _behind(
    score: torch.Tensor, item: torch.Tensor, of_lists: torch.Tensor, listed: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Lists and their scores behind other items, among which theirs may be."""
    import torch

    twice = (listed[:, :, None] == item[:, None, :]).any(dim=2)
    of_lists = of_lists.masked_fill(twice, -torch.inf)
    return torch.cat([score, of_lists], dim=1), torch.cat([item, listed.clamp_min(0)], dim=1)


def _without_first(constraints: list[Constraint]) -> list[Constraint]:
    """Constraints on whole lists.

    One that has enough at all has enough among its first places, too: it is put in order later.
    """
    return [dataclasses.replace(one, first=None) for one in constraints]
