"""How alike two items are, for diversity."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..device import device
from ..history import Floats, Longs

if TYPE_CHECKING:
    import torch

FEW = 64  # users
PAIRS = 20_000  # of items, whose distances say how large distances are
GRAM_ROWS = 6000  # up to so many distinct vectors their likenesses are kept as one matrix
RIDGE = 0.01  # added to the diagonal of the likenesses, so that twins do not make them singular


@dataclasses.dataclass(frozen=True)
class Scale:
    """What distances are measured in: mean and deviation of pairs, and that of their volumes."""

    mean: float
    deviation: float
    volume: float


class Likeness:
    """How alike two items are: the inner product of their vectors, or 1 within a category.

    Args:
        rows: the row of `vectors` for each item, or the number of its category, shape (n,);
            -1 for an item without one, which is like no other.
        vectors: unit-length vectors, shape (m, t), or None for categories.
        scale: of the distances; that of random pairs of items by default.
    """

    def __init__(self, rows: Longs, vectors: Floats | None, scale: Scale | None = None) -> None:
        import torch

        self.vectors: torch.Tensor | None = None
        if vectors is not None:
            rows = np.where(rows < 0, len(vectors), rows)
            # the last vector is 0
            vectors = np.concatenate([vectors, np.zeros((1, vectors.shape[1]), np.float32)])
            self.vectors = torch.from_numpy(vectors).to(device())
        self.rows = torch.from_numpy(np.ascontiguousarray(rows, np.int64)).to(device())
        if scale is None:
            generator = torch.Generator().manual_seed(0)
            scale = self.scale_of(torch.randint(len(rows), (2, PAIRS), generator=generator))
        self.scale = scale

    def among_contenders(self, item: Longs) -> Scale:
        """The scale of pairs of items that contend for one list, shape (users, c)."""
        import torch

        generator = np.random.default_rng(0)
        user = generator.integers(len(item), size=PAIRS)
        one = generator.integers(item.shape[1], size=PAIRS)
        other = (one + generator.integers(1, max(item.shape[1], 2), size=PAIRS)) % item.shape[1]
        return self.scale_of(torch.from_numpy(item[user, np.stack([one, other])]))

    def scale_of(self, pairs: torch.Tensor) -> Scale:
        """The scale of pairs of items, shape (2, pairs)."""
        left, right = self.rows[pairs.to(self.rows.device)]
        if self.vectors is None:
            like = ((left == right) & (left >= 0)).float()
        else:
            like = (self.vectors[left] * self.vectors[right]).sum(dim=1)
        volume = (1 - (like / (1 + RIDGE)) ** 2).log()
        return Scale(float(1 - like.mean()), _spread(like), _spread(volume))

    @functools.cached_property
    def _gram(self) -> torch.Tensor | None:
        if self.vectors is None or len(self.vectors) > GRAM_ROWS:
            return None
        return (self.vectors @ self.vectors.T).ravel()

    def among(self, item: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return a function of picked columns (users,) that gives the likeness of all (users, c).

        Args:
            item: candidates, shape (users, c).
        """
        import torch

        rows = self.rows[item]
        if self.vectors is None:

            def of_categories(pick: torch.Tensor) -> torch.Tensor:
                mine = rows.gather(1, pick[:, None])
                return ((rows == mine) & (mine >= 0)).float()

            return of_categories
        width = len(self.vectors)
        # the matrix takes longer to make than the lists of a few users
        gram = self._gram if len(item) >= FEW or "_gram" in vars(self) else None
        if gram is not None:
            return lambda pick: gram.take(rows.gather(1, pick[:, None]) * width + rows)
        vectors = self.vectors[rows]
        users = torch.arange(len(item), device=item.device)
        return lambda pick: torch.einsum("uct,ut->uc", vectors, vectors[users, pick])


def _spread(values: torch.Tensor) -> float:
    """The deviation, or 1 where all values are the same."""
    deviation = float(values.std())
    return deviation if deviation > 1e-6 else 1.0
