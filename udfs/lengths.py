"""Items by the length of their rows, and what no score of a row can exceed.

The columns of a table come in blocks, within which entries are about as large as one another. With
q_b and t_b the parts of a query and a row in block b,

    <q, t>  <=  sum_b |q_b| |t_b|  <=  (sum_b |q_b|^2 / w_b)^(1/2) (sum_b w_b |t_b|^2)^(1/2)

for any positive w (Cauchy and Schwarz, twice). The second factor is the length of the row: in the
order of lengths, whatever follows a row that is too short for a query is too short as well
(Teflioudi, Gemulla and Mykytiuk 2015, "LEMP: fast retrieval of large entries in a matrix product").
"""

from __future__ import annotations

import dataclasses
import functools
from threading import Lock

import numpy as np
import torch

SLICE = 1 << 16  # rows held at once
FEW = 64  # users whose lists at once are worth an order
FURTHEST = 12  # weights of blocks are 4 to the power of at most so much
KEPT = 8  # orders that are kept


@dataclasses.dataclass(frozen=True)
class Order:
    """Items by falling length.

    item are the items, place where each of them is; length, shape (items,), falls; weight is w of
    the blocks, and slack what rounding in so many columns may add, as a factor.
    """

    item: torch.Tensor
    place: torch.Tensor
    length: torch.Tensor
    weight: torch.Tensor
    slack: float

    @functools.cached_property
    def _falling(self) -> torch.Tensor:
        return -self.length

    def reaching(self, length: torch.Tensor) -> int:
        """How many of the items, the first ones, have at least such a length."""
        return int(torch.searchsorted(self._falling, -length, right=True))

    def of_queries(self, norms: torch.Tensor) -> torch.Tensor:
        """The lengths of queries, shape (users,), whose products with those of rows are bounds.

        Args:
            norms: of the blocks of the queries, as norms_of gives them.
        """
        return (norms.square() / self.weight).sum(dim=1).sqrt() * self.slack


class Lengths:
    """The orders of rows on the CPU by length, made as they are asked for.

    Args:
        rows: shape (items, columns).
        widths: how many columns each block has.
    """

    def __init__(self, rows: torch.Tensor, widths: tuple[int, ...]) -> None:
        self.rows, self.widths = rows, widths
        self._lock = Lock()
        self._calls = 0
        self._orders: dict[tuple[int, ...], Order] = {}

    @functools.cached_property
    def norms(self) -> torch.Tensor:
        """As norms_of gives them."""
        return norms_of(self.rows, self.widths)

    @functools.cached_property
    def _typical(self) -> torch.Tensor:
        return _typical(self.norms)

    def worth_it(self, users: int) -> bool:
        """Whether an order saves more than it costs: for many users or a second call."""
        with self._lock:
            self._calls += 1
            return users >= FEW or self._calls > 1

    def order(self, norms: torch.Tensor) -> Order:
        """The order of the rows for queries whose blocks have these norms.

        Bounds are closest where each block has the weight of what queries have in it against what
        rows have. They hold for any, so that an order serves all queries of about its weights.
        """
        with self._lock:
            share = _typical(norms) / self._typical
            power = (share / share.max()).log2() / 2
            wanted = power.round().clamp_min(-FURTHEST).int().tolist()
            for key, order in self._orders.items():
                if max(abs(a - b) for a, b in zip(key, wanted, strict=True)) <= 1:
                    return order
            while len(self._orders) >= KEPT:
                self._orders.pop(next(iter(self._orders)))
            order = self._orders[tuple(wanted)] = self._made(wanted)
        return order

    def _made(self, powers: list[int]) -> Order:
        weight = torch.tensor([4.0**power for power in powers])
        length = (self.norms.square() @ weight).sqrt()
        # NumPy's sorting is vectorised, that of torch is not
        item = torch.from_numpy(np.argsort(-length.numpy()))
        place = torch.empty_like(item)
        place[item] = torch.arange(len(item))
        # sums of n numbers in float32 are off by at most n 2^-24 of the sum of absolute values
        return Order(item, place, length[item], weight, 1 + 8 * sum(self.widths) * 2.0**-24)


def _typical(norms: torch.Tensor) -> torch.Tensor:
    """The root mean square of each block's norms, shape (blocks,)."""
    return norms.square().mean(dim=0).sqrt().clamp_min(1e-30)


def norms_of(rows: torch.Tensor, widths: tuple[int, ...]) -> torch.Tensor:
    """The Euclidean norm of each block of columns, shape (rows, blocks)."""
    parts = [
        torch.stack([block.norm(dim=1) for block in torch.split(part, list(widths), dim=1)], dim=1)
        for part in torch.split(rows, SLICE)
    ]
    return torch.cat(parts)
