"""The trend of items."""

from __future__ import annotations

import numpy as np

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
    users = np.bincount(history.item, minlength=items)
    age = history.first if of == "adopters" else history.last
    late = np.bincount(history.item, age <= window, minlength=items)
    share = late.sum() / max(users.sum(), 1)
    out: Floats = (((late + 1) / (users * share + 1)) ** exponent).astype(np.float32)
    return out
