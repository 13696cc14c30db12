"""Groups of like items, and what no score of a group exceeds.

What no item of a group can exceed is known from the group alone (Ram and Gray 2012, "Maximum
inner-product search using cone trees"). With the centre c of a group, the inner product of q with
its row t is

    <q, c> + <q, t - c>  <=  <q, c> + |q / s| max |s (t - c)|      over columns of a ball, and
    <q, c> + <q, t - c>  <=  <q, c> + sum |q_i| max |t_i - c_i|    over columns of a box,

for any positive s (Cauchy and Schwarz).
"""

from __future__ import annotations

import dataclasses
import functools
import math
import threading

import torch

LEAST = 32  # items of a group
SAMPLE = 64  # items that say how a group is best split
HEAD = 32  # one item in so many is always tried
SLICE = 1 << 16  # rows held at once


@dataclasses.dataclass(frozen=True)
class Groups:
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
    def of(rows: torch.Tensor, typical: torch.Tensor, ball: int) -> Groups:
        """Halve the items again and again, across the direction in which they differ most."""
        count = len(rows)
        scale = typical.clamp_min(1e-6 * float(typical.max()) + 1e-30)
        middle = rows.mean(dim=0)
        spread = torch.cat(
            [((part - middle) * scale)[:, :ball].norm(dim=1) for part in torch.split(rows, SLICE)]
        )
        order = spread.argsort(descending=True)
        head, tail = order[: count // HEAD], order[count // HEAD :]
        halvings = int(math.log2(len(tail) / max(LEAST, math.sqrt(len(tail)) / 4)))
        for level in range(halvings):
            if not threading.main_thread().is_alive():
                raise RuntimeError("the process ends")  # and waits for this thread
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
        return Groups(member, starts, torch.cat(bounds), scale[:ball], largest)

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

    def take(self, items: torch.Tensor, count: int) -> Groups:
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
    """As Groups.bounds, of groups of so many rows each."""
    ball = len(scale)
    group = torch.repeat_interleave(sizes)
    centre = torch.segment_reduce(rows, "mean", lengths=sizes)
    box = rows[:, ball:].contiguous()
    low, high = (torch.segment_reduce(box, how, lengths=sizes) for how in ("min", "max"))
    centre[:, ball:] = (low + high) / 2
    distance = ((rows - centre[group])[:, :ball] * scale).norm(dim=1)
    radius = torch.segment_reduce(distance, "max", lengths=sizes)
    return torch.cat([centre, radius[:, None], (high - low) / 2], dim=1)
