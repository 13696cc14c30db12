"""The weight vectors that no other one beats."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..errors import MorecError
from .archive import Archive
from .trial import Doubles

MARGIN = 0.1  # of the range of the front: how far behind its worst values hypervolume begins


@dataclasses.dataclass(frozen=True)
class Point:
    """A weight vector and what its lists are worth; metrics are in the order of metric_names."""

    weights: list[float]
    metrics: list[float]
    hypervolume_contribution: float | None = None
    knee: bool = False
    today: bool = False
    dominated: bool = False


def front_of(archive: Archive, values: Doubles, today: tuple[float, ...]) -> list[Point]:
    """The points that no other one dominates, by the first value, and today's weights."""
    import moocore

    known = np.isfinite(values).all(axis=1)
    if not known.any():
        raise MorecError("objectives: none of the lists has a value in all of them")
    front = np.zeros(len(values), bool)
    front[known] = moocore.is_nondominated(values[known], maximise=True)
    place = [tuple(row) for row in archive.weights.tolist()].index(today)
    best = values[front]
    low, high = best.min(axis=0), best.max(axis=0)
    spread = np.where(high > low, high - low, 1.0)
    scaled = (best - low) / spread
    reference = np.full(values.shape[1], -MARGIN)
    parts = moocore.hv_contributions(scaled, ref=reference, maximise=True)
    parts = parts / moocore.hypervolume(scaled, ref=reference, maximise=True)
    # the largest distance from the plane through the best point of each metric (Das 1999)
    knee = int(np.argmax(scaled.sum(axis=1)))
    numbers = np.flatnonzero(front)
    points = [
        Point(
            weights=archive.weights[number].tolist(),
            metrics=archive.metrics[number].tolist(),
            hypervolume_contribution=float(parts[at]),
            knee=at == knee,
            today=number == place,
        )
        for at, number in sorted(enumerate(numbers), key=lambda pair: -values[pair[1], 0])
    ]
    if not front[place]:
        points.append(
            Point(list(today), archive.metrics[place].tolist(), 0.0, today=True, dominated=True)
        )
    return points
