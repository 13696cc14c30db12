"""Which contexts count, and how much: by the lists of visits that were held out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from ..udfs.history import NO_LABELS, Doubles, Labels
from ..udfs.ranking.contending import by_relevance
from ..udfs.relevance.labels import Context
from ..udfs.relevance.model import OF_LABELS, RelevanceModel
from ..udfs.relevance.sample import LISTED, Sample, compared, mean, ndcg_of
from .beside import Beside
from .windows import REPEAT_SHARE

if TYPE_CHECKING:
    import numpy.typing as npt

VISITS = 2000  # by which weights are chosen
FEWEST = 50  # of them, below which they say too little
VECTOR_SHARES = (0.0, 1.0, 3.0, 10.0, 30.0)  # of the weight of likeness by behaviour, for vectors
ITEM_SHARES = (0.3, 1.0, 2.0, 4.0)  # of the log-odds of items, that are tried beside


def weighed_context(beside: Beside, sample: Sample, model: RelevanceModel) -> dict[str, Any]:
    """What each context is worth, with its weight, 0 where it does not make lists better.

    Contexts are tried one after the other, beside those that count already.

    Args:
        beside: the labels of users and events.
        sample: users of the window that is held out.
        model: as of before it.
    """
    events = beside.of_events
    if events is None:
        return {}
    pair = events.user.astype(np.int64) * sample.items + events.item
    window = sample.window
    held_out = np.isin(pair, window.user.astype(np.int64) * sample.items + window.item)
    late = events.time >= window.since if sample.timed else held_out
    past = events.take(~late)
    visits = _Visits(sample, events.take(late & held_out))
    if visits.count < FEWEST:
        return {}
    weights: dict[str, tuple[float, float]] = {}
    unit = max(float(model.unknown[0, 0]), 1.0)
    best = visits.ndcg(model)
    told = {}
    for feature in beside.features:

        def measured(option: tuple[float, float], name: str = feature.name) -> Doubles:
            return visits.ndcg(beside.in_context(model, {**weights, name: option}, past))

        found, with_it = (0.0, 0.0), best
        # vectors once more at the end, since items may make up for them
        for place in (0, 1, 0):
            start = found
            for share in ITEM_SHARES if place else VECTOR_SHARES:
                option = (start[0], share) if place else (share * unit, start[1])
                after = measured(option) if any(option) else best
                if mean(after) > mean(with_it):
                    found, with_it = option, after
                elif mean(after) < mean(with_it) and share:
                    break
        told[feature.name] = compared("visits", with_it, best) | {"weights": list(found)}
        if told[feature.name]["used"]:
            weights[feature.name], best = found, with_it
    return {"of_context": told}


class _Visits:
    """What users of a sample took in one context, in rounds of at most one visit a user."""

    def __init__(self, sample: Sample, events: Context) -> None:
        """Visits by the events in the window that is held out."""
        generator = np.random.default_rng(sample.seed)
        place = np.minimum(np.searchsorted(sample.numbers, events.user), sample.users - 1)
        known = sample.numbers[place] == events.user
        events, place = events.take(known), place[known]
        # events of a user with the same labels are one visit
        kind = events.labels @ generator.integers(1, 1 << 40, events.labels.shape[1])
        visit = np.unique(np.column_stack([place, kind]), axis=0, return_inverse=True)[1].ravel()
        first = np.unique(visit, return_index=True)[1]
        self._sample, self._labels = sample, events.labels[first]
        self._fresh = sample.repeat_share() < REPEAT_SHARE
        self._user, self._item, self._visit = place[first], events.item, visit
        order = generator.permutation(len(first))
        order = order[np.argsort(self._user[order], kind="stable")]
        mine = self._user[order]
        turn = np.arange(len(order)) - np.searchsorted(mine, mine)
        self._rounds = []
        left = VISITS
        for one in range(int(turn.max(initial=-1)) + 1):
            if left <= 0:
                break
            self._rounds.append(order[turn == one])
            left -= len(self._rounds[-1])
        self.count = sum(map(len, self._rounds))

    def ndcg(self, model: RelevanceModel) -> npt.NDArray[np.float64]:
        """How good the list of each visit is, shape (visits,)."""
        return np.concatenate([self._of_round(model, visits) for visits in self._rounds])

    def _of_round(
        self, model: RelevanceModel, visits: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        sample = self._sample
        users = len(visits)
        history = sample.whole.of_users(self._user[visits], sample.users)
        labels = history.labels if model.uses(OF_LABELS) else NO_LABELS
        if model.context is not None:
            labels = self._in_context(labels, model, visits)
        history = dataclasses.replace(history, labels=labels)
        unseen = np.full(users, self._fresh)
        lists = by_relevance(model, history, users, LISTED, unseen).item
        number = np.full(len(self._user), -1)
        number[visits] = np.arange(users)
        row = number[self._visit]
        truth = np.unique(row[row >= 0].astype(np.int64) * sample.items + self._item[row >= 0])
        return ndcg_of(lists, truth, sample.items)

    def _in_context(
        self, labels: Labels, model: RelevanceModel, visits: npt.NDArray[np.int64]
    ) -> Labels:
        """The labels of the users of visits, with those of the context."""
        mine = self._labels[visits].tocoo()
        assert model.labels is not None
        first = len(model.labels) - mine.shape[1]
        user = np.concatenate([labels.user, mine.coords[0]]).astype(np.int32)
        label = np.concatenate([labels.label, mine.coords[1] + first]).astype(np.int32)
        order = np.argsort(user, kind="stable")
        return dataclasses.replace(labels, user=user[order], label=label[order])
