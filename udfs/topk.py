"""The k largest scores of each user over a table of items, exactly.

A score is the inner product of a user's query and an item's row; those of some pairs, as of items
that the user knows, are given instead. Where the CPU multiplies bfloat16 much faster than float32,
a first pass in bfloat16 leaves out what a proven bound says cannot be among the k largest, and
float32 decides among the rest: the result is that of float32 everywhere.

The bound. A number x is stored as x(1 + e) with |e| <= u = 2^-9, so a product is off by a factor of
at most 2u + u^2, and a sum of products over columns C by (2u + u^2) sum |q_c t_c|, which is at most
(2u + u^2) |q d|_C |t / d|_C for any positive d (Cauchy and Schwarz). Columns that matter most are
stored as the sum of two bfloat16 numbers, so that u is 2^-17 in them; the mean of each column is
taken off first, which moves all scores of a user alike.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable

import torch

ITEM_BLOCK = 1 << 18
GROUP = 32  # items whose best score stands for them in the first pass
SPARE = 16  # at least so many columns hold rounding errors, two for each column that is split
TILE = 32  # columns that the hardware multiplies at once
WORTH_IT = 1 << 14  # items below which a first pass costs more than it saves
UNIT = 2.0**-9

Scores = Callable[[slice], torch.Tensor]

_local = threading.local()


@dataclasses.dataclass(frozen=True)
class Given:
    """Scores of pairs of a user and an item that take the place of the inner products.

    -inf leaves the item out. Pairs are distinct and sorted by user.
    """

    user: torch.Tensor
    item: torch.Tensor
    score: torch.Tensor


class Table:
    """The rows of the items, shape (items, columns), ready to be multiplied by queries."""

    def __init__(self, rows: torch.Tensor) -> None:
        self.rows = rows
        self._rough: _Rough | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def rounds(self) -> bool:
        """Whether a first pass in bfloat16 is worth while."""
        on_cpu = self.rows.device.type == "cpu"
        return on_cpu and len(self) >= WORTH_IT and bfloat16_is_fast()

    @property
    def users(self) -> int:
        """How many users at once are fastest: as many scores as the cache holds."""
        most, scores = (128, 1 << 23) if self.rounds else (64, 1 << 22)
        return max(16, min(most, scores // max(len(self), 1)))

    def take(self, items: torch.Tensor) -> Table:
        """The table of some of the items."""
        taken = Table(self.rows[items])
        if self._rough is not None and taken.rounds:
            taken._rough = self._rough.take(items)
        return taken

    def top(self, query: torch.Tensor, given: Given, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The k largest scores and their items, best first and equal ones by item.

        Args:
            query: shape (users, columns).
            given: scores of pairs that are known otherwise.
            k: how many, at most as many as there are items.
        """
        if self.rounds:
            if self._rough is None:
                self._rough = _Rough.of(self.rows, query)
            found = self._rough.top(self.rows, query, given, k)
            if found is not None:
                return found
        return top(lambda items: query @ self.rows[items].T, len(self), given, k)


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
        score, item = top_of_block(block, min(k, last - first))
        parts.append(score)
        items.append(item + first)
    return _best(torch.cat(parts, dim=1), torch.cat(items, dim=1), k)


def top_of_block(block: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest of each row and their columns, of equal ones the first, in no order.

    They lie in the k groups of columns whose maxima are largest: those are found first, which
    reads the block once, and only what is in them is sorted out.
    """
    width = block.shape[1]
    groups = width // GROUP
    columns = torch.arange(width, device=block.device).expand(len(block), -1)
    contenders = maxima = block
    if k <= groups // 2:
        whole = groups * GROUP
        maxima = block[:, :whole].view(len(block), GROUP, groups).amax(dim=1)
        best = maxima.topk(k, dim=1, sorted=False).indices
        within = torch.arange(0, whole, groups, device=block.device)
        inside = (best[:, None, :] + within[None, :, None]).flatten(1)
        columns = torch.cat([inside, columns[:, whole:]], dim=1)
        contenders = block.gather(1, columns)
    score, order = contenders.topk(k, dim=1)
    column = columns.gather(1, order)
    least = score[:, -1:]
    tied = ((contenders >= least).sum(dim=1) > k) | ((maxima >= least).sum(dim=1) > k)
    if bool(tied.any()):
        everything = torch.arange(width, device=block.device).expand(int(tied.sum()), -1)
        score[tied], column[tied] = _best(block[tied], everything, k)
    return score, column


def _best(score: torch.Tensor, item: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k best of each row by score, equal ones by item."""
    # one whole number for both: floats in the order of their bits, before items from the last on;
    # 0 is added for the sign of zeros
    bits = (score + 0.0).view(torch.int32)
    ordered = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).long()
    key = (ordered << 32) | (0xFFFFFFFF - item)
    key = key.topk(k, dim=1).values
    item = 0xFFFFFFFF - (key & 0xFFFFFFFF)
    ordered = (key >> 32).int()
    return (ordered ^ ((ordered >> 31) & 0x7FFFFFFF)).view(torch.float32), item


@functools.cache
def bfloat16_is_fast() -> bool:
    """Whether the CPU has matrix units for bfloat16, which make it several times as fast."""
    # older versions of torch do not say
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16", False))


@dataclasses.dataclass(frozen=True)
class _Rough:
    """A table in bfloat16, with what bounds the errors of its inner products.

    rows, shape (items padded with zeros to whole groups of groups, columns): the centred table,
    then for the split columns the rest of it, then their first part again. unit and d are the
    factors of the bound; norm is the largest |t / d| over columns that are not split, whole_norm
    over all.
    """

    rows: torch.Tensor
    items: int
    mean: torch.Tensor
    split: torch.Tensor
    others: torch.Tensor
    d: torch.Tensor
    norm: float
    whole_norm: float

    @staticmethod
    def of(table: torch.Tensor, query: torch.Tensor) -> _Rough:
        """Round a table; `query` says which columns matter."""
        mean = table.mean(dim=0, dtype=torch.float64).float()
        centred = table - mean
        d = centred.square().mean(dim=0).sqrt().clamp_min(1e-12)
        columns = table.shape[1]
        spare = -(-(columns + SPARE) // TILE) * TILE - columns
        energy = d * query.square().mean(dim=0).sqrt()
        order = energy.argsort(descending=True)
        split, others = order[: spare // 2], order[spare // 2 :]
        coarse = centred.bfloat16()
        rest = (centred - coarse.float())[:, split].bfloat16()
        scaled = centred / d
        return _Rough(
            _padded(torch.cat([coarse, rest, coarse[:, split]], dim=1)),
            len(table),
            mean,
            split,
            others,
            d,
            float(scaled[:, others].norm(dim=1).max()),
            float(scaled.norm(dim=1).max()),
        )

    def take(self, items: torch.Tensor) -> _Rough:
        """Of some of the items."""
        return dataclasses.replace(self, rows=_padded(self.rows[items]), items=len(items))

    def top(
        self, table: torch.Tensor, query: torch.Tensor, given: Given, k: int
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        """As Table.top; None where the bound leaves out too little."""
        users, width = len(query), len(self.rows)
        groups = width // GROUP
        if 2 * k > groups:
            return None
        coarse = query.bfloat16()
        rest = (query - coarse.float())[:, self.split].bfloat16()
        block = _buffer(users, width)
        torch.mm(torch.cat([coarse, coarse[:, self.split], rest], dim=1), self.rows.T, out=block)
        block[given.user, given.item] = -torch.inf
        # the bits of positive floats are in their order, and those of negative ones below them
        bits = block.view(torch.int16)
        maxima = bits.view(users, GROUP, groups).amax(dim=1)
        coarser = maxima
        if 4 * k <= groups // GROUP:
            coarser = maxima.view(users, GROUP, groups // GROUP).amax(dim=1)
        # k items have at least the k-th largest of these maxima
        best = coarser.view(torch.bfloat16).float().topk(k, dim=1).values
        scaled = query * self.d
        error = 2.02 * UNIT * scaled[:, self.others].norm(dim=1) * self.norm
        error += 2.0**-15 * scaled.norm(dim=1) * self.whole_norm
        # each of the two scores that are compared may be off, and is rounded
        least = best[:, -1] - 2 * error - 2.02 * UNIT * best[:, 0]
        least *= 1 - 2 * UNIT  # what comes next rounds too
        if not bool((least > 0).all()):
            return None
        floor = least.bfloat16().view(torch.int16)
        row, group = (maxima >= floor[:, None]).nonzero(as_tuple=True)
        within = torch.arange(0, width, groups)
        scores = bits.view(-1)[(row * width + group)[:, None] + within]
        entry, place = (scores >= floor[row][:, None]).nonzero(as_tuple=True)
        row, item = row[entry], group[entry] + place * groups
        score = torch.einsum("ij,ij->i", query.index_select(0, row), table.index_select(0, item))
        # pairs that are given and below this are below k others
        moved = least - error + query @ self.mean
        kept = given.score >= moved[given.user]
        return _merged(
            users, k, (row, item, score), (given.user[kept], given.item[kept], given.score[kept])
        )


def _padded(rows: torch.Tensor) -> torch.Tensor:
    """Rows of zeros behind, up to whole groups of groups."""
    count = -(-len(rows) // GROUP**2) * GROUP**2
    return torch.cat([rows, rows.new_zeros((count - len(rows), rows.shape[1]))])


def _buffer(users: int, width: int) -> torch.Tensor:
    """Memory for a block of scores, kept: the first touch of fresh memory costs much."""
    kept = getattr(_local, "memory", None)
    if kept is None or len(kept) < users * width:
        kept = _local.memory = torch.empty(users * width, dtype=torch.bfloat16)
    return kept[: users * width].view(users, width)


def _merged(
    users: int, k: int, *lists: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k best of lists of (user, item, score), each sorted by user."""
    counts = torch.stack([torch.bincount(user, minlength=users) for user, _, _ in lists])
    width = max(k, int(counts.sum(dim=0).max()))
    score = torch.full((users, width), -torch.inf)
    item = torch.zeros((users, width), dtype=torch.int64)
    before = torch.zeros(users, dtype=torch.int64)
    for count, (user, items, scores) in zip(counts, lists, strict=True):
        place = torch.arange(len(user)) - (count.cumsum(0) - count)[user] + before[user]
        score[user, place], item[user, place] = scores, items
        before = before + count
    return _best(score, item, k)
