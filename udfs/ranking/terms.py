"""List-wise objectives: the gain of each candidate, given what is picked."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..history import Doubles
from .catalogue import Batch, Catalogue
from .likeness import RIDGE, Likeness

if TYPE_CHECKING:
    import torch

SMOOTHING = 0.01  # share of the user's own mix in that of a list, so that no divergence is infinite
DIVERGENCE_UNIT = 0.1  # divergence, in nats, that counts as 1 beside other objectives


class Term:
    """A list-wise objective: the gain of each candidate, given what is picked."""

    def __init__(self, weight: torch.Tensor) -> None:
        self.weight = weight[:, None]

    def gain(self) -> torch.Tensor:
        """The weighted gain of adding each candidate, shape (users, c)."""
        raise NotImplementedError

    def add(self, pick: torch.Tensor) -> None:
        """Take the picked columns, shape (users,), into the list."""
        raise NotImplementedError


class _Distance(Term):
    """The mean distance to the items of the list, standardised over pairs of the catalogue."""

    def __init__(self, weight: torch.Tensor, likeness: Likeness, item: torch.Tensor) -> None:
        import torch

        super().__init__(weight)
        self.likeness, self.to = likeness, likeness.among(item)
        self.distance = torch.zeros(item.shape, device=item.device)
        self.listed = 0

    def gain(self) -> torch.Tensor:
        if not self.listed:
            return self.distance
        distance = self.distance / self.listed - self.likeness.scale.mean
        return self.weight * distance / self.likeness.scale.deviation

    def add(self, pick: torch.Tensor) -> None:
        self.distance = self.distance + 1 - self.to(pick)
        self.listed += 1


class _Volume(Term):
    """The log determinant of the likenesses in the list, by an incremental Cholesky factor."""

    def __init__(self, weight: torch.Tensor, likeness: Likeness, item: torch.Tensor) -> None:
        import torch

        super().__init__(weight)
        self.likeness, self.to = likeness, likeness.among(item)
        self.rest = torch.ones(item.shape, device=item.device)
        self.factor = torch.zeros((len(item), 0, item.shape[1]), device=item.device)

    def gain(self) -> torch.Tensor:
        return self.weight * self.rest.log() / self.likeness.scale.volume

    def add(self, pick: torch.Tensor) -> None:
        import torch

        at = pick[:, None]
        like = (self.to(pick) / (1 + RIDGE)).scatter(1, at, 1.0)
        at_pick = self.factor.gather(2, at[:, None].expand(-1, self.factor.shape[1], 1))
        row = like - (self.factor * at_pick).sum(dim=1)
        row = row / self.rest.gather(1, at).sqrt()
        self.factor = torch.cat([self.factor, row[:, None]], dim=1)
        self.rest = (self.rest - row**2).clamp_min(1e-6)


class _Coverage(Term):
    """The number of categories in the list."""

    def __init__(self, weight: torch.Tensor, category: torch.Tensor) -> None:
        super().__init__(weight)
        self.category = category
        self.new = (category >= 0).float()

    def gain(self) -> torch.Tensor:
        return self.weight * self.new

    def add(self, pick: torch.Tensor) -> None:
        self.new = self.new * (self.category != self.category.gather(1, pick[:, None]))


class _Calibration(Term):
    """Minus the divergence of the list's categories from the user's mix (Steck 2018).

    KL(p || (1 - a) q + a p), with the share p of each category in the history, q in the list.
    """

    def __init__(self, weight: torch.Tensor, category: torch.Tensor, share: torch.Tensor) -> None:
        import torch

        super().__init__(weight)
        self.category, self.share = category, share
        self.count = torch.zeros_like(share)
        self.divergence = torch.full_like(self.weight, -math.log(SMOOTHING), dtype=share.dtype)
        # of each listed item: its category, share, how often that is listed, whether first of it
        self.listed = [torch.zeros((len(share), 0), device=share.device) for _ in range(4)]

    def gain(self) -> torch.Tensor:
        """Return the fall of the divergence."""
        _, share, count, first = self.listed
        size = share.shape[1] + 1

        def log_mix(share: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
            mix: torch.Tensor = (1 - SMOOTHING) * count / size + SMOOTHING * share
            return mix.clamp_min(1e-12).log()

        unlisted = -math.log(SMOOTHING) * (1 - (first * share).sum(dim=1, keepdim=True))
        of_listed = share * (share.clamp_min(1e-12).log() - log_mix(share, count))
        now = unlisted + (first * of_listed).sum(dim=1, keepdim=True)
        more = log_mix(self.share, self.count + 1) - log_mix(self.share, self.count)
        self.after = now - self.share * more
        return self.weight * (self.divergence - self.after) / DIVERGENCE_UNIT

    def add(self, pick: torch.Tensor) -> None:
        import torch

        at = pick[:, None]
        mine = self.category.gather(1, at)
        category, share, count, first = self.listed
        count = count + (category == mine)
        known = (category == mine).any(dim=1, keepdim=True)
        self.count = self.count + (self.category == mine)
        new = (mine.float(), self.share.gather(1, at), self.count.gather(1, at), (~known).float())
        old = (category, share, count, first)
        self.listed = [torch.cat([a, b], dim=1) for a, b in zip(old, new, strict=True)]
        self.divergence = self.after.gather(1, at)


@dataclasses.dataclass(frozen=True)
class Block:
    """Some of the users of a batch with their candidates, for terms to be made of.

    rows are the users in the batch; item are the candidates, shape (users of rows, c); diversify is
    one of DIVERSIFIERS.
    """

    catalogue: Catalogue
    batch: Batch
    rows: slice
    item: torch.Tensor
    diversify: str

    def categories(self, position: int) -> torch.Tensor:
        """The numbers of the candidates' categories in an objective, as item."""
        import torch

        codes = self.catalogue.values[self.item.cpu().numpy(), position].astype(np.int64)
        return torch.from_numpy(codes).to(self.item.device)

    def shares(self, position: int) -> torch.Tensor:
        """The share of the candidates' categories in each user's mix, as item.

        Users without a history have the mix of the catalogue.
        """
        import torch

        category = self.catalogue.values[self.item.cpu().numpy(), position].astype(np.int64)
        user, known, share = self.catalogue.mix(self.batch.history, position)
        everyone = self.catalogue.values[:, position].astype(np.int64)
        counts = np.bincount(everyone[everyone >= 0], minlength=int(category.max(initial=0)) + 1)
        width = len(counts)
        key = np.append(user * width + known, np.iinfo(np.int64).max)
        users = np.arange(self.rows.start, self.rows.stop)
        wanted = users[:, None] * width + category
        at = np.searchsorted(key, wanted)
        out = np.where(key[at] == wanted, np.append(share, 0.0)[at], 0.0)
        without = ~np.isin(users, user)
        out[without] = counts[category[without]] / max(counts.sum(), 1)
        out = np.where(category >= 0, out, 0.0).astype(np.float32)
        return torch.from_numpy(out).to(self.item.device)

    def terms(self, positions: list[int], weights: Doubles) -> list[Term]:
        """The terms of the objectives at `positions`; weights have shape (users, objectives)."""
        import torch

        found = []
        for position in positions:
            weight = torch.from_numpy(weights[self.rows, position].astype(np.float32))
            make = TERMS[self.catalogue.kinds[position]]
            found.append(make(weight.to(self.item.device), self, position))
        return found


def _diversity(weight: torch.Tensor, block: Block, _: int) -> Term:
    return DIVERSIFIERS[block.diversify](weight, block.catalogue.likeness, block.item)


def _coverage(weight: torch.Tensor, block: Block, position: int) -> Term:
    return _Coverage(weight, block.categories(position))


def _calibration(weight: torch.Tensor, block: Block, position: int) -> Term:
    return _Calibration(weight, block.categories(position), block.shares(position))


# ways to diversify, and the list-wise objectives by their kind
DIVERSIFIERS: dict[str, type[_Distance] | type[_Volume]] = {"mmr": _Distance, "dpp": _Volume}
TERMS: dict[str, Callable[[torch.Tensor, Block, int], Term]] = {
    "diversity": _diversity,
    "diversity by behaviour": _diversity,
    "diversity by content": _diversity,
    "diversity by vectors": _diversity,
    "diversity by category": _diversity,
    "coverage": _coverage,
    "calibration": _calibration,
}
