"""Every weight vector that a search measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..catalog.metrics import lower_is_better
from ..catalog.objectives import metric_names
from ..progress import Progress
from ..templates import arrow, sql
from .lists import write
from .trial import Doubles, Trial

KEPT = 1 << 28  # relevances of users and items that are kept: 1 GiB
CHUNK = 20  # weight vectors whose lists are measured by one query


class Archive:
    """Every weight vector that was measured, in order, at most `budget` of them."""

    def __init__(self, trial: Trial, diversify: str, budget: int, progress: Progress) -> None:
        self.trial = trial
        self.progress = progress
        self.diversify = diversify
        self.budget = budget
        self.batches = list(trial.batches(keep=trial.users * trial.trained.items <= KEPT))
        objectives = trial.trained.objectives
        self.names = metric_names(objectives)
        without = trial.trained.values.without_effect
        self.active = [i for i, o in enumerate(objectives) if o.name not in without]
        self._known: dict[tuple[float, ...], Doubles] = {}

    @property
    def left(self) -> int:
        """How many more weight vectors may be measured."""
        return self.budget - len(self._known)

    @property
    def weights(self) -> Doubles:
        """Shape (measured, objectives)."""
        return np.array(list(self._known))

    @property
    def metrics(self) -> Doubles:
        """Shape (measured, metrics)."""
        return np.array(list(self._known.values()))

    def columns(self, metrics: Doubles, chosen: Sequence[str]) -> Doubles:
        """Some of the metrics, turned so that more is better; all -inf where one is unknown."""
        signs = [-1 if lower_is_better(name) else 1 for name in chosen]
        values = metrics[:, [self.names.index(name) for name in chosen]] * signs
        known = np.isfinite(values).all(axis=1, keepdims=True)
        out: Doubles = np.where(known, values, -np.inf)
        return out

    def of(self, x: Doubles) -> list[tuple[float, ...]]:
        """The weights that the search's variables in [0, 1] stand for, in steps of a thousandth."""
        full = np.zeros((len(x), len(self.trial.trained.objectives)))
        full[:, self.active] = np.maximum(x, 0)
        full[full.sum(axis=1) == 0, self.active[0]] = 1
        return [tuple(row) for row in np.round(full / full.sum(axis=1, keepdims=True), 3).tolist()]

    def measure(self, rows: Sequence[tuple[float, ...]]) -> Doubles:
        """Metrics of weight vectors, shape (rows, metrics); NaN behind the end of the budget."""
        fresh = [row for row in dict.fromkeys(rows) if row not in self._known][: self.left]
        for first in range(0, len(fresh), CHUNK):
            chunk = fresh[first : first + CHUNK]
            lists = {
                str(number): self.trial.lists(self.batches, np.array(row), self.diversify)
                for number, row in enumerate(chunk)
            }
            query = sql(
                "measure/search_metrics", metrics=write(self.trial, lists), k=str(self.trial.k)
            )
            # threads add, and give rows, in any order: in ours and without the last digits a search
            # can be repeated
            measured = sorted(
                arrow(self.trial.con, query).to_pylist(), key=lambda r: int(r["model"])
            )
            for weights, row in zip(chunk, measured, strict=True):
                values = [np.nan if row[name] is None else row[name] for name in self.names]
                self._known[weights] = np.round(values, 12)
            self.progress.advance(len(self._known), self.budget)
        unknown = np.full(len(self.names), np.nan)
        return np.array([self._known.get(row, unknown) for row in rows])
