"""Arithmetic on whole numbers: draws that are the same at any time, and ranges side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from .history import Longs

GOLDEN = 0x9E3779B97F4A7C15  # steps of it visit all numbers of 64 bits evenly


def mixed(number: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Numbers as if drawn at random, the same for the same (the finaliser of SplitMix64)."""
    out = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    out = (out ^ (out >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return out ^ (out >> np.uint64(31))


def spread(first: Longs, last: Longs) -> tuple[Longs, Longs]:
    """All numbers from each `first` to before its `last`, and which of these each belongs to."""
    sizes = last - first
    which = np.repeat(np.arange(len(first)), sizes)
    inside = np.arange(len(which)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return first[which] + inside, which
