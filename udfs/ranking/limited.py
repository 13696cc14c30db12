"""The best lists under constraints: of the best items where these suffice, else of all of them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..history import Longs
from .classes import best_lists, nested, picked
from .constraints import Constraint, unmet
from .program import best_list

if TYPE_CHECKING:
    import torch

    from ..table import Table
    from ..topk import Given

ENOUGH = (2, 10, 50)  # times the length of a list are the best items that are tried in turn

Flags = npt.NDArray[np.bool_]


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
    the best of all. Nor do others where places that are left for what a list needs at least are
    given to the best items of that kind. Where some constraints do not allow it, lists are picked
    by the others: one that happens to meet all is the best as well.

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
    counts = nested(constraints, depth)
    floors = _floors(counts)
    hopeless = np.zeros(users, bool)  # whose lists cannot be picked one by one

    def of_the_best(some: Longs, many: int) -> Flags:
        """Fill in the lists of those users for whom the best items suffice; who is done with."""
        rows, mine, plus = _of_some(some, given, more, query)
        tops = table.top(query[rows], mine, many, plus)
        best, column = _with_floors(table, query[rows], mine, plus, floors, tops)
        found, short = picked(best, column, depth, counts, constraints, forced[some])
        enough = _suffice(found, tops, floors, forced[some])
        listed = torch.from_numpy(found).to(query.device)
        at = (listed[:, :, None] == column[:, None, :]) & best.isfinite()[:, None, :]
        # what is forced may not be among them; its score comes from elsewhere
        last = best.gather(1, at.int().argmax(dim=2))
        parts = _behind(tops[0][:, : k - depth], tops[1][:, : k - depth], last, listed)
        sure = enough.copy()
        sure[short] = False
        there = torch.from_numpy(np.flatnonzero(sure)).to(query.device)
        score[rows[there]], item[rows[there]] = (of[there] for of in parts)
        for user in short:
            # more items do not help where it is another constraint that is not met
            enough[user] = enough[user] and not unmet(found[user], depth, counts)
        hopeless[some[enough & ~sure]] = True
        return enough

    rest = np.arange(users)
    for wide in ENOUGH:
        many = max(k - depth, wide * depth)
        if many < count and len(rest):
            done = [of_the_best(some, many) for some in _split(rest, together(many))]
            rest = rest[~np.concatenate(done)]
    for some in _split(np.sort(np.append(rest, np.flatnonzero(hopeless))), together(count)):
        rows, mine, plus = _of_some(some, given, more, query)
        few = query[rows]

        def plain(items: slice, few: torch.Tensor = few) -> torch.Tensor:
            return few @ table.rows[items].T

        block = added(plain, count, plus)(slice(0, count))
        block[mine.user, mine.item] = mine.score
        limits = (k, constraints, depth, forced[some])
        score[rows], item[rows] = limited_block(block, *limits, hopeless[some])
    return score, item


def _split(users: Longs, size: int) -> list[Longs]:
    """Users in parts of about as many, at most so many."""
    return np.array_split(users, -(-len(users) // size)) if len(users) else []


def _of_some(
    users: Longs, given: Given, more: Given | None, query: torch.Tensor
) -> tuple[torch.Tensor, Given, Given | None]:
    """Users as rows of the queries, and the pairs of theirs."""
    import torch

    rows = torch.from_numpy(users).to(query.device)
    count = len(query)
    return rows, given.among(rows, count), None if more is None else more.among(rows, count)


def _floors(constraints: list[Constraint]) -> list[tuple[Flags, int]]:
    """The sets of items of which a list needs some, as flags of all, and how many it needs.

    None are there where two sets have an item in common.
    """
    least = [one for one in constraints if one.rule.least]
    inside = [one.values > 0 for one in least]
    if len(inside) > 1 and np.sum(inside, axis=0).max(initial=0) > 1:
        return []
    return [(mine, int(np.ceil(one.limit - 1e-9))) for one, mine in zip(least, inside, strict=True)]


def _with_floors(
    table: Table,
    query: torch.Tensor,
    given: Given,
    more: Given | None,
    floors: list[tuple[Flags, int]],
    tops: tuple[torch.Tensor, torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor]:
    """The best items of all, and behind them the best of each floor that they lack, once each.

    Args:
        table, query, given, more: as of top_limited.
        floors: as of _floors.
        tops: scores and items of the best of all, shape (users, n).
    """
    import torch

    users, where = len(query), query.device
    scores, columns = [tops[0]], [tops[1]]
    for flags, least in floors:
        inside = torch.from_numpy(np.flatnonzero(flags)).to(where)
        number = torch.full((len(table),), -1, device=where)
        number[inside] = torch.arange(len(inside), device=where)
        there = (number[tops[1]] >= 0) & tops[0].isfinite()
        few = (there.sum(dim=1) < min(least, len(inside))).nonzero()[:, 0]
        if not len(few):
            continue
        mine, plus = (
            None if of is None else of.among(few, users).only(number) for of in (given, more)
        )
        assert mine is not None
        found, at = table.take(inside).top(query[few], mine, min(least, len(inside)), plus)
        at = inside[at]
        twice = ((at[:, :, None] == tops[1][few][:, None, :]) & there[few][:, None, :]).any(dim=2)
        score = torch.full((users, at.shape[1]), -torch.inf, device=where)
        column = torch.zeros(score.shape, dtype=torch.int64, device=where)
        score[few], column[few] = found.masked_fill(twice, -torch.inf), at
        scores.append(score)
        columns.append(column)
    return torch.cat(scores, dim=1), torch.cat(columns, dim=1)


def _suffice(
    found: Longs,
    tops: tuple[torch.Tensor, torch.Tensor],
    floors: list[tuple[Flags, int]],
    forced: Longs,
) -> Flags:
    """For which users no other items matter, shape (users,).

    Their lists are full, and what is not among the best items is of a floor that is just reached:
    all places that were left had to be given to such.

    Args:
        found: the lists, shape (users, depth), -1 for none.
        tops: scores and items of the best of all.
        floors: as of _floors.
        forced: as of top_limited.
    """
    column, finite = tops[1].cpu().numpy(), tops[0].isfinite().cpu().numpy()
    among = ((found[:, :, None] == column[:, None, :]) & finite[:, None, :]).any(axis=2)
    among |= (found[:, :, None] == forced[:, None, :]).any(axis=2)
    for flags, least in floors:
        mine = flags[found] & (found >= 0)
        among |= mine & (mine.sum(axis=1) == least)[:, None]
    out: Flags = ((found >= 0) & among).all(axis=1)
    return out


def limited_block(
    block: torch.Tensor,
    k: int,
    constraints: list[Constraint],
    depth: int,
    forced: Longs,
    hopeless: Flags | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """As top_limited, of the scores of all items, shape (users, items).

    Those are hopeless whose lists are known not to be picked one by one, shape (users,).
    """
    import torch

    from ..topk import contenders, merged

    constraints = _without_first(constraints)
    best, rest = np.full((len(block), depth), -1), np.arange(len(block))
    chance = rest if hopeless is None else rest[~hopeless]
    if len(chance):
        some = block if len(chance) == len(block) else block[torch.from_numpy(chance)]
        counts = nested(constraints, depth)
        best[chance], short = best_lists(some, depth, counts, constraints, forced[chance])
        rest = np.setdiff1d(rest, np.delete(chance, short))
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
