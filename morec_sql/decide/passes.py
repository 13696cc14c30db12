"""Lists under limits, by passes over the catalogue: the items that contend, prices, and lists."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np
import pyarrow as pa

from ..udfs.decide.candidates import Candidates, Flags, Limit, item_price, merged, scarce
from ..udfs.decide.lists import choose, fitting
from ..udfs.decide.prices import find_prices, value_at
from ..udfs.decide.program import solve
from ..udfs.history import Doubles, Floats, Longs

DEEPER = 50  # candidates beyond the length of a list
PASSES = 6  # for places that are left, or for what is to be reached, at most
BETTER = 3  # passes for what is better at the prices, at most
WIDER = 8  # times as deep for places that are left
APART = 1000  # users, of those with places left, who are offered other items than others are
CLOSE = 5e-3  # share of the bound that may be due to items that are no candidates


@dataclasses.dataclass(frozen=True)
class Found:
    """Lists under limits.

    listed says which candidates they have, prices are those of the limits, short is how much larger
    the sum of scores might be, at most, and empty what an empty place counts as.
    """

    candidates: Candidates
    prices: list[Doubles]
    listed: Flags
    short: float
    empty: float

    @property
    def items(self) -> Longs:
        """The item of each place of the lists."""
        return self.candidates.item[self.listed]


class Contends(Protocol):
    """Finds what contends for the lists of users, whatever the prices: items, or campaigns."""

    users: pa.Array

    @property
    def items(self) -> int:
        """How many there are."""

    def find(
        self, rows: Longs, width: int, price: Doubles | None = None
    ) -> tuple[Longs, Floats, Floats]:
        """The best of some users by score less price, as columns of Candidates have them.

        Args:
            rows: the users.
            width: how many of each.
            price: of each item, shape (items,); None for none.

        Returns:
            items, their scores, -inf for none, and what no other item's is above, less its price.
        """


def find_lists(contending: Contends, k: int, limits: list[Limit], least: float | None) -> Found:
    """The lists with the largest sum of scores under limits, nearly.

    Args:
        contending: finds the items.
        k: places in a list.
        limits: which there are.
        least: what an empty place counts as; None for less than any item.
    """
    search = _Search(contending, k, limits, least)
    search.begin(k + DEEPER if limits else k)
    if search.fill():
        search.solve()
    bound = search.settle()
    # what fills places now may be worth less than they counted as
    empty = search.empty
    search.fill()
    short = max(bound - search.candidates.value(search.listed, empty), 0.0)
    return Found(search.candidates, search.prices, search.listed, short, empty)


class _Search:
    """The state of a search; arguments are those of find_lists."""

    candidates: Candidates
    listed: Flags

    def __init__(
        self, contending: Contends, k: int, limits: list[Limit], least: float | None
    ) -> None:
        self.contending, self.k, self.limits, self.least = contending, k, limits, least
        self.everybody = np.arange(len(contending.users))
        self.items = contending.items
        self.prices = [np.zeros(len(limit.bound)) for limit in limits]

    @property
    def empty(self) -> float:
        """What an empty place counts as."""
        return self.candidates.least if self.least is None else self.least

    def solve(self) -> None:
        """Prices and lists of the candidates."""
        of = self.candidates, self.k, self.limits
        exact = solve(*of, self.empty)
        if exact is not None:
            self.prices, self.listed = exact
            return
        self.prices = find_prices(*of, self.prices, self.empty)
        self.listed = choose(*of, self.prices, self.empty, self.least is None)

    def begin(self, width: int) -> None:
        """Take so many of the best items of each user, and of those that a limit asks for."""
        item, score, rest = self.contending.find(self.everybody, width)
        at = np.zeros((1, self.items))
        self.candidates = Candidates(item, score, rest, at, np.zeros_like(self.everybody))
        for _ in range(PASSES):
            wanted = scarce(self.candidates, self.limits)
            if not wanted.any():
                break
            price = np.where(wanted, -self.candidates.outweighs, 0)
            found = self.contending.find(self.everybody, width, price)
            self.candidates = merged(self.candidates, self.everybody, *found[:2])
        self.solve()

    def _short(self) -> Flags:
        """Whose places are not full though there is more than the candidates, shape (users,)."""
        if self.least is not None:
            return np.zeros(len(self.everybody), bool)
        short: Flags = self.listed.sum(axis=1) < self.k
        return short & np.isfinite(self.candidates.rest)

    def _free(self) -> Flags:
        """The items of which there is still room for one more, shape (items,)."""
        return fitting(self.limits, self.items_listed, self.items)

    @property
    def items_listed(self) -> Longs:
        """The item of each place of the lists."""
        return self.candidates.item[self.listed]

    def settle(self) -> float:
        """Look for what is better at the prices until there is none.

        Returns:
            what no lists are worth more than, above empty places.
        """
        for left in reversed(range(BETTER + 1)):
            of = self.candidates, self.k, self.limits
            inside, more, better = value_at(*of, self.prices, self.empty)
            if not left or more <= CLOSE * abs(inside):
                break
            rows, price = np.flatnonzero(better), item_price(self.limits, self.prices, self.items)
            found = self.contending.find(rows, self.k + DEEPER, price)
            self.candidates = merged(self.candidates, rows, *found, price)
            self.solve()
        return inside + more

    def fill(self) -> bool:
        """Give users who have places left what is left elsewhere; false where there is nothing."""
        generator = np.random.default_rng(0)
        some_got = False
        for _ in range(PASSES):
            rows, free = np.flatnonzero(self._short()), np.flatnonzero(self._free())
            if not len(rows) or not len(free):
                break
            # many users would all be offered the same items: each part of them gets others
            count = min(-(-len(rows) // APART), len(free))
            rows = generator.permutation(rows)
            offered = self._offered(rows, generator.permutation(free), count)
            offered.score[self.candidates.have(rows, offered.item)] = -np.inf
            places = self.k - self.listed[rows].sum(axis=1)
            left = [
                dataclasses.replace(limit, bound=limit.bound - limit.used(self.items_listed))
                for limit in self.limits
                if not limit.least
            ]
            nothing = [np.zeros(len(limit.bound)) for limit in left]
            got = choose(offered, self.k, left, nothing, self.empty, True, places)
            if not got.any():
                break
            some_got = True
            order = np.argsort(~got, axis=1, kind="stable")[:, : self.k]
            item = np.take_along_axis(offered.item, order, 1)
            score = np.take_along_axis(np.where(got, offered.score, -np.inf), order, 1)
            width = self.listed.shape[1]
            self.candidates = merged(self.candidates, rows, item, score)
            listed = np.isfinite(self.candidates.score)
            listed[:, :width] = self.listed
            self.listed = listed
        return some_got

    def _offered(self, rows: Longs, free: Longs, count: int) -> Candidates:
        """Some of the items for each of so many parts of the users."""
        wide = self.k + DEEPER * WIDER
        parts = []
        for some, items in zip(
            np.array_split(rows, count), np.array_split(free, count), strict=True
        ):
            price = np.full(self.items, self.candidates.outweighs)
            price[items] = 0
            item, score, _ = self.contending.find(some, wide, price)
            # what is not of the part is there only where the part has too little
            parts.append((item, np.where(np.isin(item, items), score, -np.inf)))
        item, score = (np.concatenate(of) for of in zip(*parts, strict=True))
        everything = np.full(len(rows), -np.inf, np.float32)
        return Candidates(
            item,
            score.astype(np.float32),
            everything,
            np.zeros((1, self.items)),
            np.zeros_like(rows),
        )
