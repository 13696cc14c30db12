"""Vectors of items that came after the training, from their texts and their first events.

An item is a column a of A = [X D; s F'], the damped histories and the features of the items (see
low_rank.py), whose singular vectors V and squared values S are known: A'A V = V S. So a row of V is

    v = (a' A V) / S = (s^2 f F'V + sum_u a_u (X D V)_u) / S,

in which F'V is kept from the training and (X D V)_u are the vectors of the users who took the item.
For an item that was in the training this gives its own vector; of a new one only its part of A'A is
missing, so that its vector is a little short.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ..history import Doubles, Floats, History
from .content import projected
from .trend import factor

SMALLEST = 1e-6  # of the largest squared singular value; below it a direction is noise


@dataclasses.dataclass(frozen=True)
class FoldIn:
    """What of a training new items need, for f features, c components of content and rank r.

    axes, shape (f, c), give their content; texts, (f, r), is s^2 F'V / S; values, (r,), are S;
    damping are the means by which the powers of low_rank are divided, of histories and of lists;
    late_share is that of the trend.
    """

    axes: Floats
    texts: Floats
    values: Floats
    damping: tuple[float, float]
    late_share: float

    def content(self, features: Floats) -> Floats:
        """The content block of items with these centred features, shape (items, c)."""
        return projected(features, self.axes)

    def behaviour(
        self, settings: dict[str, Any], features: Floats, taken: Floats, history: History
    ) -> tuple[Floats, Floats]:
        """Encoder and decoder of new items, shape (items, r).

        Args:
            settings: what the training chose.
            features: centred, shape (items, f); zeros for an item without a text.
            taken: the vectors of the users of each item, times its weight in their histories,
                summed, shape (items, r).
            history: the pairs of these items.
        """
        items = len(features)
        values = self.values.astype(np.float64)
        gain = values / (values + settings["ridge"] * max(float(values.max(initial=0)), 1e-12))
        root = np.sqrt(gain)
        users = np.maximum(np.bincount(history.item, minlength=items), 1.0)
        of_histories, of_lists = (
            users**-exponent / mean
            for exponent, mean in zip(settings["damping"], self.damping, strict=True)
        )
        sound = values > SMALLEST * values.max(initial=0)
        scale = np.where(sound, 1 / np.where(sound, values * root, 1), 0)
        vectors: Doubles = features.astype(np.float64) @ self.texts
        vectors += of_histories[:, None] * taken * scale
        encoder = vectors * root
        own = (encoder**2).sum(axis=1, keepdims=True)
        decoder = encoder / np.maximum(1 - own, 0.05) / of_lists[:, None]
        of, window, exponent = settings["trend"]
        trend = factor(history, items, of, window, exponent, self.late_share)
        return (
            (encoder * of_histories[:, None]).astype(np.float32),
            (decoder * trend[:, None]).astype(np.float32),
        )
