"""The likeness of content: of texts, and of vectors that items have."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..history import Floats, Longs

CONTENT_DIMENSIONS = 32
TEXTS_PER_DIMENSION = 10  # from so many on deviations are taken out by more than half


@dataclasses.dataclass(frozen=True)
class Content:
    """What items are like by one source, such as texts or images.

    vectors, shape (m, width), are of length 1; row, shape (items,), is that of each item among
    them, -1 without one; mean, shape (width,), is what they are counted from.
    """

    name: str
    vectors: Floats
    row: Longs
    mean: Floats

    def features(self, weight: float) -> Floats:
        """The centred vector of each item times a weight, 0 without one, shape (items, width)."""
        if not len(self.vectors):
            return np.zeros((len(self.row), len(self.mean)), np.float32)
        there = (self.row >= 0)[:, None]
        centred = np.float32(weight) * (self.vectors[self.row] - self.mean)
        out: Floats = np.where(there, centred, np.float32(0))
        return out


def features_of(sources: list[Content], weights: list[float]) -> Floats | None:
    """The sources side by side, centred and weighed, shape (items, features); None without any."""
    parts = [one.features(weight) for one, weight in zip(sources, weights, strict=True)]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def content_axes(features: Floats | None) -> Floats:
    """The axes by which features become content, shape (features, c).

    They are whitened (Su et al. 2021, "Whitening sentence representations for better semantics and
    faster retrieval"): else the few along which departments differ would drown the many that tell
    products of one apart. The fewer texts say how large a deviation is, the less is it taken out:
    whitened in full, the texts of a small catalogue would all be equally unlike.
    """
    if features is None or not features.any():
        return np.zeros((0 if features is None else features.shape[1], 0), np.float32)
    wide = features.astype(np.float64)
    values, vectors = np.linalg.eigh(wide.T @ wide)
    kept = values > 1e-9 * values[-1]
    axes = vectors[:, kept][:, ::-1][:, :CONTENT_DIMENSIONS]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    texts = len(np.unique((wide @ axes[:, 0]).round(6)))
    share = texts / (texts + TEXTS_PER_DIMENSION * axes.shape[1])
    out: Floats = (axes / values[kept][::-1][: axes.shape[1]] ** (share / 2)).astype(np.float32)
    return out


def projected(features: Floats, axes: Floats) -> Floats:
    """Principal components of the features, rows of unit length or zero, shape (items, c)."""
    found = features.astype(np.float64) @ axes
    length = np.linalg.norm(found, axis=1, keepdims=True)
    # by the size of the axes, since whitened components are small in large catalogues
    least = 1e-9 * float(np.abs(axes).max(initial=1e-12))
    out: Floats = (found / np.where(length > least, length, 1.0)).astype(np.float32)
    return out
