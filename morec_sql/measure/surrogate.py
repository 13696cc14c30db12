"""What weights are worth, learnt by Gaussian processes as a search goes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .archive import Archive
from .front import MARGIN
from .trial import Doubles

GENERATION = 10  # weight vectors measured before a surrogate learns anew
SIMULATED, SIMULATIONS = 100, 40  # population and generations of the search of a surrogate


def promising(
    archive: Archive,
    values: Callable[[Doubles], Doubles],
    goals: int,
    generator: np.random.Generator,
) -> list[tuple[float, ...]]:
    """Weights by which the front is expected to grow most.

    Gaussian processes learn the values of weights from what was measured; NSGA-II searches these,
    where a step costs nothing, and of what it finds those are taken, one by one, that add most to
    the hypervolume of the front (as in SMS-EGO: Ponweiser, Wagner, Biermann and Vincze 2008).
    """
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.problem import Problem
    from pymoo.optimize import minimize

    found = values(archive.metrics)
    known = np.isfinite(found).all(axis=1)
    if known.sum() < 2:
        return []
    found = found[known]
    expected = _learnt(archive.weights[known][:, archive.active], found)

    class Expected(Problem):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(n_var=len(archive.active), n_obj=goals, xl=1e-3, xu=1.0)

        def _evaluate(self, x: Doubles, out: dict[str, Doubles], *_: Any, **__: Any) -> None:
            out["F"] = -expected(x)

    best = minimize(
        Expected(),
        NSGA2(pop_size=SIMULATED),
        ("n_gen", SIMULATIONS),
        seed=int(generator.integers(1 << 31)),
    )
    x = best.pop.get("X")
    rows = archive.of(x)
    return [rows[at] for at in _adding_most(found, expected(x), min(GENERATION, archive.left))]


def _learnt(weights: Doubles, found: Doubles) -> Callable[[Doubles], Doubles]:
    """What weights are expected to be worth, learnt from what measured ones were.

    Args:
        weights: shape (measured, weights).
        found: their values, shape (measured, goals).

    Returns:
        a function of weights, shape (rows, weights), that gives their values, (rows, goals).
    """
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    def features(x: Doubles) -> Doubles:
        x = np.maximum(x, 1e-9)  # today's may be negative
        return np.asarray(np.log(x / x.sum(axis=1, keepdims=True) + 0.01))

    models = []
    with warnings.catch_warnings():
        # a length scale at its bound is no reason to worry the user
        warnings.simplefilter("ignore")
        for values in found.T:
            scales = RBF(np.ones(weights.shape[1]), (0.1, 50))
            kernel = ConstantKernel() * scales + WhiteKernel(1e-4)
            model = GaussianProcessRegressor(kernel, normalize_y=True)
            models.append(model.fit(features(weights), values))
    return lambda x: np.column_stack([model.predict(features(x)) for model in models])


def _adding_most(found: Doubles, predicted: Doubles, count: int) -> list[int]:
    """Which up to `count` of the predicted values add most to the hypervolume of the front."""
    import moocore

    low, high = found.min(axis=0), found.max(axis=0)
    spread = np.where(high > low, high - low, 1.0)
    front = (found - low) / spread
    front = front[moocore.is_nondominated(front, maximise=True)]
    candidates = (predicted - low) / spread
    reference = np.full(found.shape[1], -MARGIN)

    def volume(points: Doubles) -> float:
        return float(moocore.hypervolume(points, ref=reference, maximise=True))

    # gains only fall as the front grows: what was worth less than the best now stays behind
    gain = np.full(len(candidates), np.inf)
    chosen: list[int] = []
    while len(chosen) < count and (gain > 0).any():
        base, fresh = volume(front), set()
        while True:
            at = int(np.argmax(gain))
            if at in fresh:
                break
            gain[at] = volume(np.vstack([front, candidates[at]])) - base
            fresh.add(at)
        front = np.vstack([front, candidates[at]])
        chosen.append(at)
        gain[at] = 0.0
    return chosen
