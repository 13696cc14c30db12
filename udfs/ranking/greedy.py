"""Lists picked item by item."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .constraints import Constraint, Feasible, unmet
from .terms import Term

if TYPE_CHECKING:
    import torch


def greedy(
    score: torch.Tensor, terms: list[Term], k: int, feasible: Feasible | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pick up to k of the candidates one by one, each with the largest score plus gains.

    Returns:
        the columns picked, shape (users, k), the gain of each term, (users, k, terms), and the
        score without them, -inf where nothing may be picked any more.
    """
    import torch

    left = score.clone()
    picks, gained, scores = [], [], []
    for _ in range(min(k, score.shape[1])):
        gains = torch.stack([term.gain() for term in terms], dim=2)
        total = left + gains.sum(dim=2)
        if feasible is not None:
            allowed = torch.from_numpy(feasible.allowed()).to(score.device)
            total = total.masked_fill(~allowed, -torch.inf)
        value, pick = total.max(dim=1)
        picks.append(pick)
        real = value.isfinite()
        mine = gains[torch.arange(len(pick), device=pick.device), pick]
        gained.append(mine * real[:, None])
        scores.append(left.gather(1, pick[:, None])[:, 0].masked_fill(~real, -torch.inf))
        left.scatter_(1, pick[:, None], -torch.inf)
        for term in terms:
            term.add(pick)
        if feasible is not None:
            feasible.add(pick.cpu().numpy(), real.cpu().numpy())
    return torch.stack(picks, dim=1), torch.stack(gained, dim=1), torch.stack(scores, dim=1)


def greedy_limited(
    score: torch.Tensor,
    column: torch.Tensor,
    terms: Callable[[], list[Term]],
    k: int,
    constraints: list[Constraint],
    wanted: npt.NDArray[np.bool_],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """As greedy, under constraints.

    The last k candidates are the best list by score, which the users get who do not want another.
    """
    import torch

    columns = column.cpu().numpy()

    def picked(score: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        there = score.isfinite().cpu().numpy()
        return greedy(score, terms(), k, Feasible(constraints, columns, there, k))

    picks, gains, scores = picked(score)
    best = columns[:, -k:]
    inside = torch.from_numpy((columns[:, :, None] == best[:, None, :]).any(axis=2))
    others = picked(score.masked_fill(~inside.to(score.device), -torch.inf))
    for user in range(len(score)):
        lists = [
            columns[user, part[0][user][part[2][user].isfinite()].cpu().numpy()]
            for part in ((picks, gains, scores), others)
        ]
        ours, safe = (unmet(mine, k, constraints) for mine in lists)
        if not wanted[user] or (ours and len(safe) <= len(ours)):
            picks[user], gains[user], scores[user] = (part[user] for part in others)
    return picks, gains, scores
