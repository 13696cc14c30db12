"""Estimates with standard errors: their intervals, and what of them is sure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..history import Doubles

LEVEL = 1.645  # standard deviations of a 90 % interval


def sure(estimate: npt.ArrayLike, error: npt.ArrayLike) -> Doubles:
    """Estimates drawn towards 0 as far as they are uncertain (James and Stein 1961).

    The best of several that are 0 looks as if it were not.
    """
    estimate = np.asarray(estimate, np.float64)
    kept = 1 - np.asarray(error) ** 2 / np.maximum(estimate**2, 1e-300)
    out: Doubles = estimate * np.maximum(kept, 0)
    return out
