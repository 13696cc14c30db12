"""The trend of items."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..history import Floats, History

# how the trend of an item is counted: by whom, in what window (medium half-lives), and its exponent
TRENDS = (
    ("adopters", 1 / 3, 0.5),
    ("adopters", 1.2, 0.5),
    ("adopters", 1 / 3, 1.0),
    ("users", 1 / 3, 0.5),
    ("users", 1.2, 0.5),
    ("users", 1.2, 1.0),
    ("users", 1.2, 0.0),
)
NO_TREND = TRENDS[-1]


def trend(history: History, items: int, of: str, window: float, exponent: float) -> Floats:
    """Users or adopters of each item in the window against those expected from all its users.

    An adopter is a user whose first event with the item lies in the window: what many go on buying
    and nobody takes up has users, but no adopters.
    """
    return factor(history, items, of, window, exponent, late_share(history, of, window))


def late_share(history: History, of: str, window: float) -> float:
    """The share of all pairs that counts as of late."""
    return float(_late(history, of, window).sum()) / max(len(history), 1)


def factor(
    history: History, items: int, of: str, window: float, exponent: float, share: float
) -> Floats:
    """The trend of items of which `share` is expected to be of late."""
    users = np.bincount(history.item, minlength=items)
    late = np.bincount(history.item, _late(history, of, window), minlength=items)
    out: Floats = (((late + 1) / (users * share + 1)) ** exponent).astype(np.float32)
    return out


def _late(history: History, of: str, window: float) -> npt.NDArray[np.bool_]:
    age = history.first if of == "adopters" else history.last
    out: npt.NDArray[np.bool_] = age <= window
    return out
