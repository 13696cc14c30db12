"""The likeness of texts."""

from __future__ import annotations

import numpy as np

from ..history import Floats

CONTENT_DIMENSIONS = 32
TEXTS_PER_DIMENSION = 10  # from so many on deviations are taken out by more than half


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
