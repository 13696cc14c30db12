"""Lists picked item by item."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..history import Doubles, Longs
from .constraints import Constraint, Feasible, unmet
from .terms import Term

if TYPE_CHECKING:
    import torch


POOL = 5  # times the length of a list are the items that exploration draws from
LEAST_POOL = 20  # or so many


@dataclasses.dataclass(frozen=True)
class Explore:
    """How lists try what they would not list: at each place by chance, an item of those at hand.

    share is the chance with which a place is given to an item drawn from the best ones that are
    left, all with the same chance; draws, shape (users, k, 2), are random numbers from 0 up to 1:
    whether it is, and to which.
    """

    share: float
    draws: Doubles

    def of(self, users: slice) -> Explore:
        """For some of the users."""
        return Explore(self.share, self.draws[users])

    def picked(
        self, total: torch.Tensor, pick: torch.Tensor, step: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What is listed next, and the chance that it is, given what is listed before.

        Args:
            total: what each candidate is worth, -inf for none, shape (users, c).
            pick: the best one, shape (users,).
            step: the place.
        """
        import torch

        size = min(max(POOL * self.draws.shape[1], LEAST_POOL), total.shape[1])
        value, pool = total.topk(size, dim=1)
        count = value.isfinite().sum(dim=1)
        draws = torch.from_numpy(self.draws[:, step]).to(total.device)
        drawn = (draws[:, 1] * count).long().clamp(max=size - 1)
        other = pool.gather(1, drawn[:, None])[:, 0]
        chosen = torch.where((draws[:, 0] < self.share) & (count > 0), other, pick)
        chance = self.share / count.clamp(min=1) + (1 - self.share) * (chosen == pick)
        return chosen, chance


def greedy(
    score: torch.Tensor,
    terms: list[Term],
    k: int,
    placed: Longs,
    feasible: Feasible | None = None,
    explore: Explore | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pick up to k of the candidates one by one, each with the largest score plus gains.

    Those that have a place in the list, `placed` of shape (users, k) and -1 elsewhere, are picked
    there.

    Returns:
        the columns picked, shape (users, k), the gain of each term, (users, k, terms), the score
        without them, -inf where nothing may be picked any more, and the chance of each pick, given
        those before it.
    """
    import torch

    left = score.clone()
    user, place = np.nonzero(placed >= 0)
    left[user, placed[user, place]] = -torch.inf
    pinned = torch.from_numpy(placed).to(score.device) if len(user) else None
    certain = torch.ones(len(score), dtype=torch.float64, device=score.device)
    picks, gained, scores, chances = [], [], [], []
    for step in range(min(k, score.shape[1])):
        gains = [term.gain() for term in terms]
        total = left + sum(gains[1:], gains[0]) if gains else left
        if feasible is not None:
            allowed = torch.from_numpy(feasible.allowed()).to(score.device)
            total = total.masked_fill(~allowed, -torch.inf)
        value, pick = total.max(dim=1)
        chance, real = certain, value.isfinite()
        if explore is not None:
            pick, chance = explore.picked(total, pick, step)
        if pinned is not None:
            here = pinned[:, step]
            there = here >= 0
            pick, real = torch.where(there, here, pick), real | there
            chance = chance.masked_fill(there, 1.0)
        at = pick[:, None]
        picks.append(pick)
        chances.append(chance)
        gained += [gain.gather(1, at)[:, 0] * real for gain in gains]
        scores.append(score.gather(1, at)[:, 0].masked_fill(~real, -torch.inf))
        left.scatter_(1, at, -torch.inf)
        for term in terms:
            term.add(pick)
        if feasible is not None:
            feasible.add(pick.cpu().numpy(), real.cpu().numpy())
    listed = torch.stack(picks, dim=1)
    of_terms = score.new_zeros((*listed.shape, 0))
    if gained:
        of_terms = torch.stack(gained, dim=1).view(*listed.shape, len(terms))
    return listed, of_terms, torch.stack(scores, dim=1), torch.stack(chances, dim=1)


def greedy_limited(
    score: torch.Tensor,
    column: torch.Tensor,
    terms: Callable[[], list[Term]],
    k: int,
    constraints: list[Constraint],
    wanted: npt.NDArray[np.bool_],
    placed: Longs,
    explore: Explore | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """As greedy, under constraints.

    The last k candidates are the best list by score, which the users get who do not want another.
    """
    import torch

    columns = column.cpu().numpy()

    def picked(
        score: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        there = score.isfinite().cpu().numpy()
        feasible = Feasible(constraints, columns, there, placed)
        return greedy(score, terms(), k, placed, feasible, explore)

    def missed(found: tuple[torch.Tensor, ...], user: int) -> int:
        mine = found[0][user][found[2][user].isfinite()].cpu().numpy()
        return len(unmet(columns[user, mine], k, constraints))

    found = picked(score)
    if explore is not None:
        # another list in the place of this one would not have its chances
        return found
    ours = np.array([missed(found, user) for user in range(len(score))])
    if wanted.all() and not ours.any():
        return found
    best = columns[:, -k:]
    inside = torch.from_numpy((columns[:, :, None] == best[:, None, :]).any(axis=2))
    others = picked(score.masked_fill(~inside.to(score.device), -torch.inf))
    for user in np.flatnonzero(~wanted | (ours > 0)).tolist():
        if not wanted[user] or missed(others, user) <= ours[user]:
            for mine, safe in zip(found, others, strict=True):
                mine[user] = safe[user]
    return found
