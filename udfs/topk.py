"""The k largest scores of each user, exactly, with those of some pairs given otherwise."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np
import torch

ITEM_BLOCK = 1 << 16
GROUP = 32  # at most so many columns have one best score that stands for them in a block's search
CROWD = 8  # times k of a row's scores are too many to be sorted out
MANY = 64  # numbers that NumPy selects faster than torch on a CPU

AT_ONCE = 2048  # users
CACHED = 1 << 20  # scores that the cache holds

Scores = Callable[[slice], torch.Tensor]


def together(items: int) -> int:
    """How many users' scores of so many items are fastest at once: as many as the cache holds."""
    return max(64, min(AT_ONCE, CACHED // max(items, 1)))


@dataclasses.dataclass(frozen=True)
class Given:
    """Scores of pairs of a user and an item that take the place of the inner products.

    -inf leaves the item out. Pairs are distinct and sorted by user.
    """

    user: torch.Tensor
    item: torch.Tensor
    score: torch.Tensor

    def among(self, rows: torch.Tensor, users: int) -> Given:
        """The pairs of some of the users, sorted, who are numbered by their place among these."""
        number = torch.full((users,), -1, device=rows.device)
        number[rows] = torch.arange(len(rows), device=rows.device)
        user = number[self.user]
        mine = user >= 0
        return Given(user[mine], self.item[mine], self.score[mine])

    def only(self, number: torch.Tensor) -> Given:
        """The pairs of items that have a number, shape (items,), by these; -1 is for others."""
        item = number[self.item]
        mine = item >= 0
        return Given(self.user[mine], item[mine], self.score[mine])


def added(scores: Scores, count: int, more: Given | None) -> Scores:
    """Scores of `count` items to which those of some pairs are added; pairs are distinct."""
    if more is None or not len(more.user):
        return scores

    @functools.cache
    def by_item() -> Given:
        order = more.item.argsort(stable=True)
        return Given(more.user[order], more.item[order], more.score[order])

    def both(items: slice) -> torch.Tensor:
        block, here = scores(items), more
        if block.shape[1] < count:
            here = by_item()
            ends = torch.tensor([items.start, items.stop], device=here.item.device)
            some = slice(*torch.searchsorted(here.item, ends).tolist())
            here = Given(here.user[some], here.item[some], here.score[some])
        place = here.user * block.shape[1] + (here.item - items.start)
        block.view(-1).index_add_(0, place, here.score)
        return block

    return both


def top(scores: Scores, count: int, given: Given, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest of `count` items' scores in each row, and where; equal ones by item.

    Args:
        scores: gives the scores of some of the items, shape (users, items).
        count: how many items there are.
        given: scores of pairs that are known otherwise.
        k: how many, at most `count`.
    """
    parts = []
    for first in range(0, count, ITEM_BLOCK):
        last = min(first + ITEM_BLOCK, count)
        block = scores(slice(first, last))
        here = (given.item >= first) & (given.item < last)
        block[given.user[here], given.item[here] - first] = given.score[here]
        items = torch.arange(first, last, device=block.device)
        parts.append(contenders(block, items, min(k, last - first)))
    return merged(parts, k)


def contenders(
    block: torch.Tensor, items: torch.Tensor, k: int, floor: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest of each row and what equals them, and few others.

    Args:
        block: scores, shape (users, columns).
        items: what the columns stand for, shape (columns,).
        k: how many.
        floor: scores below which nothing is wanted, shape (users, 1).

    Returns:
        scores and items as of padded, in no order.
    """
    width = block.shape[1]

    def above(least: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
        place = _where(block, least)
        row = place // width
        count = torch.bincount(row, minlength=len(block))
        if int(count.max()) > CROWD * k:
            return None
        return padded(row, items[place - row * width], block.view(-1)[place], count)

    found = None
    if floor is not None and bool(torch.isfinite(floor).all()):
        found = above(floor)
    if found is None:
        least = _reached(block, k)
        found = above(least if floor is None else torch.maximum(least, floor))
    if found is None:
        found = _best(block, items.expand(len(block), -1), k)
    return found


def _reached(values: torch.Tensor, k: int) -> torch.Tensor:
    """What at least k of each row reach, and few others, shape (rows, 1).

    The k-th largest of maxima is no more than the k-th largest of all. Where fewer than k are
    finite, it is what these reach.
    """
    width = values.shape[1]
    size = min(math.isqrt(width // k), GROUP)
    if size > 1:
        width //= size
        values = values[:, : size * width].view(len(values), size, width).amax(dim=1)
    if values.device.type == "cpu":
        # NumPy's selection is vectorised, that of torch is not
        parts = np.partition(values.numpy(), width - k, axis=1)
        least = torch.from_numpy(parts[:, width - k])
    else:
        least = values.topk(k, dim=1).values[:, -1]
    return least.clamp_min(torch.finfo(values.dtype).min)[:, None]


def _where(values: torch.Tensor, least: torch.Tensor) -> torch.Tensor:
    """Where in the flattened values they are at least so much."""
    if values.device.type == "cpu":
        # NumPy's comparison is vectorised, that of torch is not
        return torch.from_numpy(np.flatnonzero(values.numpy() >= least.numpy()))
    return (values >= least).view(-1).nonzero()[:, 0]


def padded(
    user: torch.Tensor, item: torch.Tensor, score: torch.Tensor, count: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs sorted by user as lists of scores and items, shape (users, n); -inf fills the rest.

    count says how many pairs each user has.
    """
    shape = (len(count), int(count.max()))
    scores = torch.full(shape, -torch.inf, device=score.device)
    items = torch.zeros(shape, dtype=torch.int64, device=score.device)
    place = torch.arange(len(user), device=score.device) - (count.cumsum(dim=0) - count)[user]
    scores[user, place], items[user, place] = score, item
    return scores, items


def _largest(values: torch.Tensor, k: int) -> torch.Tensor:
    """The k largest of each row, the largest first."""
    width = values.shape[1]
    if values.device.type != "cpu" or k < MANY:
        return values.topk(k, dim=1).values
    largest = np.partition(values.numpy(), width - k, axis=1)[:, width - k :]
    return torch.from_numpy(np.sort(largest, axis=1)[:, ::-1].copy())


def _best(score: torch.Tensor, item: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k best of each row by score, equal ones by item."""
    # one whole number for both: floats in the order of their bits, before items from the last on;
    # 0 is added for the sign of zeros
    bits = (score + 0.0).view(torch.int32)
    ordered = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).long()
    key = _largest((ordered << 32) | (0xFFFFFFFF - item), k)
    item = 0xFFFFFFFF - (key & 0xFFFFFFFF)
    ordered = (key >> 32).int()
    return (ordered ^ ((ordered >> 31) & 0x7FFFFFFF)).view(torch.float32), item


def merged(
    lists: list[tuple[torch.Tensor, torch.Tensor]], k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k best of lists of scores and items, each of shape (users, n); -inf fills the rest."""
    score, item = (torch.cat(parts, dim=1) for parts in zip(*lists, strict=True))
    missing = k - score.shape[1]
    if missing > 0:
        score = torch.nn.functional.pad(score, (0, missing), value=-torch.inf)
        item = torch.nn.functional.pad(item, (0, missing))
    return _best(score, item, k)
