"""The k largest scores of each user over a table of items, exactly.

A score is the inner product of a user's query and an item's row; those of some pairs, as of items
that the user knows, are given instead.

Most of a large catalogue is never multiplied: items are kept in groups of like ones, and what no
item of a group can exceed is known from the group alone (Ram and Gray 2012, "Maximum inner-product
search using cone trees"). With the centre c of a group, the inner product of q with its row t is

    <q, c> + <q, t - c>  <=  <q, c> + |q / s| max |s (t - c)|      over columns of a ball, and
    <q, c> + <q, t - c>  <=  <q, c> + sum |q_i| max |t_i - c_i|    over columns of a box,

for any positive s (Cauchy and Schwarz). The best few groups say how large a user's k-th score is at
least; what is not in a group that may hold more is left out. The rest is float32 brute force.
"""

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
SAMPLE = 64  # items that say how a group is best split
WORTH_IT = 1 << 13  # items below which groups cost more than they save
MANY = 64  # numbers that NumPy selects faster than torch on a CPU
PROBES = 4  # groups of each user that are tried first
HEAD = 32  # one item in so many is always tried
SLICE = 1 << 16  # rows held at once

Scores = Callable[[slice], torch.Tensor]


@dataclasses.dataclass(frozen=True)
class Given:
    """Scores of pairs of a user and an item that take the place of the inner products.

    -inf leaves the item out. Pairs are distinct and sorted by user.
    """

    user: torch.Tensor
    item: torch.Tensor
    score: torch.Tensor


@dataclasses.dataclass(frozen=True)
class Table:
    """The rows of the items, shape (items, columns), to be multiplied by queries."""

    rows: torch.Tensor
    groups: _Groups | None = None

    @staticmethod
    def grouped(rows: torch.Tensor, typical: torch.Tensor, ball: int) -> Table:
        """A table in groups, where these are worth it.

        Args:
            rows: the rows.
            typical: how large the entries of a query are, shape (columns,).
            ball: how many columns, the first ones, groups bound by a ball; the others by a box.
        """
        worth_it = rows.device.type == "cpu" and len(rows) >= WORTH_IT
        return Table(rows, _Groups.of(rows, typical, ball) if worth_it else None)

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
        self, groups: _Groups, query: torch.Tensor, given: Given, k: int
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
        groups: _Groups,
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


@dataclasses.dataclass(frozen=True)
class _Groups:
    """Items in g groups of like ones, and what bounds their scores.

    member holds all items, those of group i at starts[i] : starts[i + 1]. bounds, shape (g, columns
    + 1 + columns of the box), holds the centre of each group, the radius of its ball and half the
    sides of its box. scale is s of the ball's columns; largest is the largest absolute value of
    each column.
    """

    member: torch.Tensor
    starts: torch.Tensor
    bounds: torch.Tensor
    scale: torch.Tensor
    largest: torch.Tensor

    @staticmethod
    def of(rows: torch.Tensor, typical: torch.Tensor, ball: int) -> _Groups:
        """Halve the items again and again, across the direction in which they differ most."""
        count = len(rows)
        scale = typical.clamp_min(1e-6 * float(typical.max()) + 1e-30)
        middle = rows.mean(dim=0)
        spread = torch.cat(
            [((part - middle) * scale)[:, :ball].norm(dim=1) for part in torch.split(rows, SLICE)]
        )
        order = spread.argsort(descending=True)
        head, tail = order[: count // HEAD], order[count // HEAD :]
        halvings = int(math.log2(len(tail) / max(GROUP, math.sqrt(len(tail)) / 4)))
        for level in range(halvings):
            tail = _halved(rows, tail, _starts(len(tail), 1 << level), scale)
        member = torch.cat([head, tail])
        starts = _starts(len(tail), 1 << halvings) + len(head)
        starts = torch.cat([torch.zeros(1, dtype=torch.int64), starts])
        step = max(1, SLICE * len(starts) // count)
        bounds = []
        for first in range(0, len(starts) - 1, step):
            edges = starts[first : first + step + 1]
            items = member[edges[0] : edges[-1]]
            bounds.append(_bounds(rows[items], edges.diff(), scale[:ball]))
        largest = torch.maximum(rows.amax(dim=0), -rows.amin(dim=0))
        return _Groups(member, starts, torch.cat(bounds), scale[:ball], largest)

    def __len__(self) -> int:
        return len(self.bounds)

    @functools.cached_property
    def sizes(self) -> torch.Tensor:
        """How many items each group has."""
        return self.starts.diff()

    @functools.cached_property
    def group_of(self) -> torch.Tensor:
        """The group of each item."""
        out = torch.empty_like(self.member)
        out[self.member] = torch.repeat_interleave(self.sizes)
        return out

    @property
    def size(self) -> int:
        """How many items a group has, about."""
        return max(1, len(self.member) // len(self))

    def take(self, items: torch.Tensor, count: int) -> _Groups:
        """Of some of `count` items, numbered anew; bounds of all hold for some."""
        number = torch.full((count,), -1)
        number[items] = torch.arange(len(items))
        member = number[self.member]
        kept = member >= 0
        starts = torch.cat([torch.zeros(1, dtype=torch.int64), kept.cumsum(dim=0)])[self.starts]
        there = starts.diff() > 0
        return dataclasses.replace(
            self,
            member=member[kept],
            starts=torch.cat([starts[:-1][there], starts[-1:]]),
            bounds=self.bounds[there],
        )

    def most(self, query: torch.Tensor) -> torch.Tensor:
        """What no score of a group exceeds, shape (users, groups)."""
        ball = len(self.scale)
        columns = query.shape[1]
        length = (query[:, :ball] / self.scale).norm(dim=1, keepdim=True)
        sides = query.abs()
        factors = torch.cat([query, length, sides[:, ball:]], dim=1)
        most = factors @ self.bounds.T
        # sums of n numbers in float32 are off by at most n 2^-24 of the sum of absolute values
        off = sides @ self.largest + length[:, 0] * self.bounds[:, columns].max()
        return most.add_((8 * columns * 2.0**-24 * off)[:, None])

    def members(self, chosen: torch.Tensor) -> torch.Tensor:
        """The items of the groups where `chosen` is true, sorted."""
        group = chosen.nonzero()[:, 0]
        first, sizes = self.starts[group], self.starts[group + 1] - self.starts[group]
        shift = torch.repeat_interleave(first - (sizes.cumsum(dim=0) - sizes), sizes)
        return self.member[torch.arange(len(shift)) + shift].sort().values


def _starts(count: int, groups: int) -> torch.Tensor:
    """Where groups that are as large as one another start, and the last one ends."""
    return torch.arange(groups + 1) * count // groups


def _halved(
    rows: torch.Tensor, member: torch.Tensor, starts: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """Order the members of each group by where they lie along the direction of most variance.

    That is about the first principal axis of a sample, by the power method.
    """
    sizes = starts.diff()
    sample = starts[:-1, None] + torch.arange(SAMPLE) * sizes[:, None] // SAMPLE
    parts = []
    for some in torch.split(sample, max(1, SLICE // SAMPLE)):
        drawn = rows[member[some]] * scale
        drawn -= drawn.mean(dim=1, keepdim=True)
        far = drawn.square().sum(dim=2).argmax(dim=1)
        axis = drawn[torch.arange(len(drawn)), far][:, :, None]
        for _ in range(3):
            axis = axis / axis.norm(dim=1, keepdim=True).clamp_min(1e-30)
            axis = drawn.transpose(1, 2) @ (drawn @ axis)
        parts.append(axis[:, :, 0] * scale)
    axis = torch.cat(parts)
    group = torch.repeat_interleave(sizes)
    place = torch.cat(
        [
            (rows[items] * axis[mine]).sum(dim=1)
            for items, mine in zip(
                torch.split(member, SLICE), torch.split(group, SLICE), strict=True
            )
        ]
    )
    order = place.argsort()
    return member[order[group[order].argsort(stable=True)]]


def _bounds(rows: torch.Tensor, sizes: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """As _Groups.bounds, of groups of so many rows each."""
    ball = len(scale)
    group = torch.repeat_interleave(sizes)
    centre = torch.segment_reduce(rows, "mean", lengths=sizes)
    box = rows[:, ball:].contiguous()
    low, high = (torch.segment_reduce(box, how, lengths=sizes) for how in ("min", "max"))
    centre[:, ball:] = (low + high) / 2
    distance = ((rows - centre[group])[:, :ball] * scale).norm(dim=1)
    radius = torch.segment_reduce(distance, "max", lengths=sizes)
    return torch.cat([centre, radius[:, None], (high - low) / 2], dim=1)


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
