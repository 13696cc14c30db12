"""The k largest scores of each user over a table of items, exactly.

A score is the inner product of a user's query and an item's row; those of some pairs, as of items
that the user knows, are given instead.

Most of a large catalogue is never multiplied: items are kept in groups of like ones (groups.py).
The best few groups say how large a user's k-th score is at least; what is not in a group that may
hold more is left out. The rest is float32 brute force.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock

import numpy as np
import torch

from .device import in_background
from .groups import Groups

ITEM_BLOCK = 1 << 16
GROUP = 32  # at most so many columns have one best score that stands for them in a block's search
CROWD = 8  # times k of a row's scores are too many to be sorted out
WORTH_IT = 1 << 13  # items below which groups cost more than they save
MANY = 64  # numbers that NumPy selects faster than torch on a CPU
FEW = 64  # users below which groups are not waited for
PROBES = 4  # groups of each user that are tried first

Scores = Callable[[slice], torch.Tensor]


@dataclasses.dataclass(frozen=True)
class Given:
    """Scores of pairs of a user and an item that take the place of the inner products.

    -inf leaves the item out. Pairs are distinct and sorted by user.
    """

    user: torch.Tensor
    item: torch.Tensor
    score: torch.Tensor


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


@dataclasses.dataclass(frozen=True)
class Table:
    """The rows of the items, shape (items, columns), to be multiplied by queries."""

    rows: torch.Tensor
    groups: Groups | None = None

    @staticmethod
    def grouped(rows: torch.Tensor, typical: torch.Tensor, ball: int) -> Table:
        """A table in groups, where these are worth it.

        Args:
            rows: the rows.
            typical: how large the entries of a query are, shape (columns,).
            ball: how many columns, the first ones, groups bound by a ball; the others by a box.
        """
        worth_it = rows.device.type == "cpu" and len(rows) >= WORTH_IT
        return Table(rows, Groups.of(rows, typical, ball) if worth_it else None)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def users(self) -> int:
        """How many users at once are fastest: as many scores as the cache holds."""
        if self.groups is not None:
            return 256
        return max(64, min(2048, (1 << 20) // max(len(self), 1)))

    def take(self, items: torch.Tensor) -> Table:
        """The table of some of the items, sorted."""
        groups = None
        if self.groups is not None and len(items) >= WORTH_IT:
            groups = self.groups.take(items, len(self))
        return Table(self.rows[items], groups)

    def top(self, query: torch.Tensor, given: Given, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The k largest scores and their items, best first and equal ones by item.

        Args:
            query: shape (users, columns).
            given: scores of pairs that are known otherwise.
            k: how many, at most as many as there are items.
        """
        if self.groups is not None:
            found = self._bounded(self.groups, query, given, k)
            if found is not None:
                return found
        return top(lambda items: query @ self.rows[items].T, len(self), given, k)

    def _bounded(
        self, groups: Groups, query: torch.Tensor, given: Given, k: int
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        """As top; None where the bounds leave out too little."""
        most = groups.most(query)
        some = min(PROBES + k // groups.size, len(groups))
        first = _reaching(most, _reached(most, some))
        first[0] = True
        found = self._among(groups, first, query, given, k)
        if found[0].shape[1] < k:
            return None
        lists = [found, _apart(given, _reached(found[0], k))]
        score = torch.cat([part[0] for part in lists], dim=1)
        floor = _reached(score, k)
        rest = _reaching(most, floor) & ~first
        count = int(groups.sizes[rest].sum())
        if 2 * count > len(self):
            return None
        if count:
            lists.append(self._among(groups, rest, query, given, k, floor))
        return merged(lists, k)

    def _among(
        self,
        groups: Groups,
        chosen: torch.Tensor,
        query: torch.Tensor,
        given: Given,
        k: int,
        floor: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As contenders, of the items of some groups but for the given pairs."""
        items = groups.members(chosen)
        block = query @ self.rows.index_select(0, items).T
        inside = chosen.index_select(0, groups.group_of.index_select(0, given.item)).nonzero()[:, 0]
        place = torch.searchsorted(items, given.item.index_select(0, inside))
        block[given.user.index_select(0, inside), place] = -torch.inf
        score, column = contenders(block, min(k, len(items)), floor)
        return score, items[column]


class Tables:
    """The table of a catalogue, in groups and without.

    Groups take longer to make than the lists of a few users: they get theirs without, and a second
    such call has a thread make groups for those that follow. Lists are the same either way.

    Args:
        rows: as of Table.grouped.
        typical: gives what Table.grouped takes under that name.
        ball: as of Table.grouped.
    """

    def __init__(self, rows: torch.Tensor, typical: Callable[[], torch.Tensor], ball: int) -> None:
        self.plain = Table(rows)
        self._typical, self._ball = typical, ball
        self._lock = Lock()
        self._calls = 0
        self._grouped: Future[Table] | None = None

    def serving(self, users: int) -> Table:
        """The table that so many users are best served by."""
        with self._lock:
            self._calls += 1
            if self._grouped is None and (users >= FEW or self._calls > 1):
                self._grouped = Future()
                in_background(self._run)
            grouped = self._grouped
        if grouped is not None and (users >= FEW or grouped.done()):
            return grouped.result()
        return self.plain

    def _run(self) -> None:
        assert self._grouped is not None
        try:
            self._grouped.set_result(Table.grouped(self.plain.rows, self._typical(), self._ball))
        except BaseException as error:
            self._grouped.set_exception(error)


def top(scores: Scores, count: int, given: Given, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest of `count` items' scores in each row, and where; as of Table.top.

    Args:
        scores: gives the scores of some of the items, shape (users, items).
        count: how many items there are.
        given: scores of pairs that are known otherwise.
        k: how many, at most `count`.
    """
    parts, items = [], []
    for first in range(0, count, ITEM_BLOCK):
        last = min(first + ITEM_BLOCK, count)
        block = scores(slice(first, last))
        here = (given.item >= first) & (given.item < last)
        block[given.user[here], given.item[here] - first] = given.score[here]
        score, item = contenders(block, min(k, last - first))
        parts.append(score)
        items.append(item + first)
    return merged(list(zip(parts, items, strict=True)), k)


def contenders(
    block: torch.Tensor, k: int, floor: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest of each row and what equals them, and few others.

    Args:
        block: scores, shape (users, columns).
        k: how many.
        floor: scores below which nothing is wanted, shape (users, 1).

    Returns:
        scores and columns as of _padded, in no order.
    """
    width = block.shape[1]
    least = _reached(block, k)
    place = _where(block, least if floor is None else torch.maximum(least, floor))
    row = place // width
    count = torch.bincount(row, minlength=len(block))
    if int(count.max()) > CROWD * k:
        everything = torch.arange(width, device=block.device)
        return _best(block, everything.expand(len(block), -1), k)
    return _padded(row, place - row * width, block.view(-1)[place], count)


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


def _reaching(values: torch.Tensor, least: torch.Tensor) -> torch.Tensor:
    """Which columns are in some row at least so much; of values on the CPU, as _where."""
    return torch.from_numpy((values.numpy() >= least.numpy()).any(axis=0))


def _padded(
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


def _apart(given: Given, least: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Given pairs of at least so much, as of _padded."""
    kept = _where(given.score, least[:, 0].index_select(0, given.user))
    user, item, score = (
        part.index_select(0, kept) for part in (given.user, given.item, given.score)
    )
    return _padded(user, item, score, torch.bincount(user, minlength=len(least)))


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
