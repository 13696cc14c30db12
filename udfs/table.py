"""The items as rows to be multiplied by queries, of which the largest products are wanted."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import torch

from .history import Floats, Longs
from .lengths import Lengths, norms_of
from .topk import AT_ONCE, Given, added, contenders, merged, padded, together, top

Flags = npt.NDArray[np.bool_]

WORTH_IT = 1 << 14  # items below which an order costs more than it saves
GROWTH = 2  # how many times as many items each next slice ends at
LEAST = 4096  # items that are tried for all users
HEAD = 32  # of so many items the longest one is tried for all users
PAIRS = 4096  # pairs whose rows the cache holds
SURE = 1e-6  # how far a sum of two numbers may be off, relatively


@dataclasses.dataclass(frozen=True)
class Table:
    """The rows of the items, shape (items, columns), and their lengths where they are used."""

    rows: torch.Tensor
    lengths: Lengths | None = None

    @staticmethod
    def by_length(rows: torch.Tensor, widths: tuple[int, ...]) -> Table:
        """A table whose rows are tried from the longest on, where this is worth it.

        Args:
            rows: the rows.
            widths: how many columns each block of lengths.py has.
        """
        worth_it = rows.device.type == "cpu" and len(rows) >= WORTH_IT
        return Table(rows, Lengths(rows, widths) if worth_it else None)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def users(self) -> int:
        """How many users at once are fastest."""
        return AT_ONCE if self.lengths is not None else together(len(self))

    def take(self, items: torch.Tensor) -> Table:
        """The table of some of the items, sorted."""
        rows = self.rows[items]
        return Table(rows) if self.lengths is None else Table.by_length(rows, self.lengths.widths)

    def top(
        self, query: torch.Tensor, given: Given, k: int, more: Given | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The k largest scores and their items, best first and equal ones by item.

        Args:
            query: shape (users, columns).
            given: scores of pairs that are known otherwise.
            k: how many, at most as many as there are items.
            more: what is added to the inner products of some pairs.
        """
        if self.lengths is not None and self.lengths.worth_it(len(query)):
            return self._by_length(self.lengths, query, given, k, more)
        scores = added(lambda items: query @ self.rows[items].T, len(self), more)
        return top(scores, len(self), given, k)

    def _by_length(
        self, lengths: Lengths, query: torch.Tensor, given: Given, k: int, more: Given | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As top: slices of the items from the longest rows on, for the users that need them."""
        norms = norms_of(query, lengths.widths)
        order = lengths.order(norms)
        reach = order.of_queries(norms)
        known, extra = _Pairs.of(given, order.place), None
        if more is not None:
            extra = _Pairs.of(more, order.place)
        score, item = merged([known.finite().lists(len(query))], k)
        tried = np.zeros(len(query), np.int64)

        def hopeful(pairs: _Pairs) -> Flags:
            """Which pairs that were not tried may have a score that is large enough."""
            bound = reach.numpy()[pairs.user] * order.length.numpy()[pairs.place] + pairs.score
            large = bound + SURE * np.abs(bound) >= score[:, -1].numpy()[pairs.user]
            out: Flags = large & (pairs.place >= tried[pairs.user])
            return out

        first, last = 0, max(len(self) // HEAD, LEAST, 4 * k)
        while first < len(self):
            users = (reach * order.length[first] >= score[:, -1]).nonzero()[:, 0]
            if not len(users):
                break
            enough = (score[users, -1] / reach[users].clamp_min(1e-30)).min()
            last = min(last, max(order.reaching(enough), first + 1))
            items = order.item[first:last]
            rows = self.rows.index_select(0, items)
            left_out = known.within(first, last)
            plus = None if extra is None else extra.within(first, last)
            for some in torch.split(users, together(len(items))):
                block = query.index_select(0, some) @ rows.T
                if plus is not None:
                    mine = plus.among(some.numpy())
                    block.numpy()[mine.user, mine.place] += mine.score
                mine = left_out.among(some.numpy())
                block.numpy()[mine.user, mine.place] = -np.inf
                floor = score[some, -1:] if first else None
                best = contenders(block, items, min(k, len(items)), floor)
                score[some], item[some] = merged([(score[some], item[some]), best], k)
            tried[users.numpy()] = last
            first, last = last, GROWTH * last
            if extra is not None:
                extra = extra.take(hopeful(extra) | (extra.score < 0))
        if extra is not None:
            rest = extra.take(hopeful(extra)).but(known, len(self)).plus(query, self.rows)
            score, item = merged([(score, item), rest.lists(len(query))], k)
        return score, item


@dataclasses.dataclass(frozen=True)
class _Pairs:
    """Pairs of a user and an item, sorted by user, with the item's place in an order."""

    user: Longs
    item: Longs
    place: Longs
    score: Floats

    @staticmethod
    def of(given: Given, place: torch.Tensor) -> _Pairs:
        item = given.item.numpy()
        return _Pairs(given.user.numpy(), item, place.numpy()[item], given.score.numpy())

    def take(self, which: Flags) -> _Pairs:
        at = np.flatnonzero(which)
        return _Pairs(self.user[at], self.item[at], self.place[at], self.score[at])

    def finite(self) -> _Pairs:
        return self.take(self.score > -np.inf)

    def but(self, others: _Pairs, items: int) -> _Pairs:
        """Those that are not among others."""
        key, others_key = (pairs.user * items + pairs.item for pairs in (self, others))
        return self.take(~np.isin(key, others_key))

    def within(self, first: int, last: int) -> _Pairs:
        """Those of the places from `first` to `last`, counted from the first."""
        part = self.take((self.place >= first) & (self.place < last))
        return dataclasses.replace(part, place=part.place - first)

    def among(self, users: Longs) -> _Pairs:
        """Those of sorted users, by their number among these."""
        mine = slice(*np.searchsorted(self.user, [users[0], users[-1] + 1]))
        part = _Pairs(self.user[mine], self.item[mine], self.place[mine], self.score[mine])
        number = np.full(users[-1] + 1 - users[0], -1)
        number[users - users[0]] = np.arange(len(users))
        user = number[part.user - users[0]]
        return dataclasses.replace(part, user=user).take(user >= 0)

    def plus(self, query: torch.Tensor, rows: torch.Tensor) -> _Pairs:
        """With the inner products added."""
        score = self.score.copy()
        for first in range(0, len(score), PAIRS):
            part = slice(first, first + PAIRS)
            user, item = (torch.from_numpy(of[part]) for of in (self.user, self.item))
            products = query.index_select(0, user) * rows.index_select(0, item)
            score[part] += products.sum(dim=1).numpy()
        return dataclasses.replace(self, score=score)

    def lists(self, users: int) -> tuple[torch.Tensor, torch.Tensor]:
        """As padded."""
        user, item, score = map(torch.from_numpy, (self.user, self.item, self.score))
        return padded(user, item, score, torch.bincount(user, minlength=users))
