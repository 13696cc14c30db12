"""What `prefer` says: goals over metrics, in the order of their importance."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np

from ..catalog.objectives import Objective, metric_names
from ..errors import MorecError, nearest
from ..source.checks import number
from .archive import Archive
from .trial import Doubles

FAR = 1e6  # what counts as hopeless
KEEP = re.compile(
    r"\s*(?:keep\s+)?(?P<name>\S+)\s+within\s+(?P<share>[\d.]+)\s*%(?:\s+of\s+the\s+best)?\s*", re.I
)
MAXIMISE = re.compile(r"\s*(?P<keep>keep\s.*?)\s+and\s+maximi[sz]e\s+(?P<name>\S+?)\s*\.?\s*", re.I)


@dataclasses.dataclass(frozen=True)
class Goal:
    """What is maximised: a weighted sum of metrics, or how far all of them exceed a reference.

    tolerance is the share of the best value that later goals may give up.
    """

    weights: dict[str, float]
    reference: dict[str, float] | None = None
    tolerance: float = 0.0

    def value(self, archive: Archive, metrics: Doubles) -> Doubles:
        """How good each row of metrics is, shape (rows,)."""
        if self.reference is not None:
            # achievement scalarising function (Wierzbicki 1980)
            names = list(self.reference)
            aim = archive.columns(_row(archive, self.reference), names)[0]
            over = (archive.columns(metrics, names) - aim) / np.maximum(np.abs(aim), 1e-9)
            return np.asarray(over.min(axis=1) + 1e-3 * over.mean(axis=1))
        columns = archive.columns(metrics, list(self.weights))
        return np.asarray(columns @ np.array(list(self.weights.values())))


def _row(archive: Archive, values: dict[str, float]) -> Doubles:
    """Values of some metrics as one row of all."""
    return np.array([[values.get(name, np.nan) for name in archive.names]])


def judged(archive: Archive, goals: list[Goal], metrics: Doubles) -> Doubles:
    """The value of the last goal, far below it where an earlier one is given up too much.

    Args:
        archive: what was measured so far, which says what the best of each goal is.
        goals: in the order of their importance.
        metrics: what is judged, shape (rows, metrics).

    Returns:
        shape (rows, 1).
    """
    given_up = np.zeros(len(metrics))
    kept = np.ones(len(archive.weights), bool)
    for goal in goals[:-1]:
        known = goal.value(archive, archive.metrics)
        best = known[kept].max()
        floor = best - goal.tolerance * abs(best)
        kept &= known >= floor
        short = np.maximum(floor - goal.value(archive, metrics), 0)
        given_up += short / max(abs(best), 1e-9)
    value = goals[-1].value(archive, metrics)
    out: Doubles = np.where(given_up > 0, -FAR * (1 + given_up), value)
    return out[:, None]


def preference(given: Any, objectives: list[Objective]) -> list[Goal]:
    """Read `prefer`: goals in the order of their importance.

    Args:
        given: {metric: weight}, {'reference': {metric: value}}, a list of metrics in order,
            {'in_order': [...], 'tolerance': share}, or text that says what to keep within how much
            of its best and what to maximise.
        objectives: the recommender's.

    Raises:
        MorecError: it is none of these, or names what is not measured.
    """
    if isinstance(given, str):
        found = MAXIMISE.fullmatch(given)
        parts = re.split(r"\s+and\s+|\s*,\s*", found["keep"]) if found else []
        kept = [KEEP.fullmatch(part) for part in parts]
        if found is None or None in kept:
            raise MorecError(
                f"prefer: {given!r} is not of the form 'keep relevance within 2 % of the best and"
                " maximise margin'"
            )
        goals = [
            Goal(
                {metric_named("prefer", part["name"], objectives): 1.0},
                None,
                float(part["share"]) / 100,
            )
            for part in kept
            if part is not None
        ]
        return [*goals, Goal({metric_named("prefer", found["name"], objectives): 1.0})]
    tolerance = 0.0
    if isinstance(given, dict) and "in_order" in given:
        given = dict(given)
        tolerance = number("prefer.tolerance", given.pop("tolerance", 0.0), 0.0)
        if len(given) > 1:
            raise MorecError(
                f"prefer: in_order and tolerance are allowed together, not {list(given)}"
            )
        given = given["in_order"]
    if isinstance(given, list) and given:
        names = [metric_named("prefer", name, objectives) for name in given]
        return [Goal({name: 1.0}, None, tolerance) for name in names]
    if isinstance(given, dict) and isinstance(given.get("reference"), dict):
        reference = given["reference"]
        if len(given) > 1 or not reference:
            raise MorecError(f"prefer: one reference of some metrics is needed, not {given!r}")
        return [Goal({}, {metric_named("prefer", n, objectives): number(f"prefer.{n}", v)
                          for n, v in reference.items()})]  # fmt: skip
    if isinstance(given, dict) and given:
        weights = {
            metric_named("prefer", n, objectives): number(f"prefer.{n}", v, 0.0)
            for n, v in given.items()
        }
        if any(weights.values()):
            return [Goal(weights)]
    raise MorecError(
        f"prefer: {given!r} is neither a struct of metrics and weights above 0, a reference, an"
        " order of metrics nor text"
    )


def metric_named(argument: str, name: Any, objectives: list[Objective]) -> str:
    """The metric that is called `name`, or that an objective of that name is measured by."""
    known = {metric: metric for metric in metric_names(objectives)}
    # an objective may have the name of a metric, such as novelty: both mean the same then
    known.update({objective.name: objective.metric for objective in objectives})
    lowered = {key.lower(): value for key, value in known.items()}
    if not isinstance(name, str) or name.lower() not in lowered:
        raise MorecError(f"{argument}: {name!r} is not measured; {nearest(str(name), known)}")
    return lowered[name.lower()]
