"""What is known of users beside their events, such as attributes: the vector that each label adds.

The vectors Z are those of the ridge regression of the vectors of users on their labels,

    Z = (A'A + lambda)^-1 A'(Q - mean),

with A_ul = 1 where user u has the label l: what a user with these labels has in the history more,
or less, than others (Koren, Bell and Volinsky 2009 add attributes to the factors of users). Who has
no history gets the lists of people of these labels, in so far as they differ from everyone's.

The context of an event, such as the store, has labels, too. Their vectors are the same regression
over events instead of users, of the vector of the event's item.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..history import Doubles, Floats, Ints, Labels, bounds

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FOLDS = 5
RIDGES = (1.0, 10.0, 100.0, 1000.0)  # users of whom the label says nothing, added to each label's
CONTEXT_RIDGE = 300.0  # events likewise


def label_vectors(labels: Labels, vectors: Floats, ridge: float) -> Floats:
    """The vectors of labels that are not in folds, shape (count, d).

    Args:
        labels: of the users.
        vectors: of the users, shape (users, d).
        ridge: lambda.
    """
    whole, y = _labelled(labels, vectors)
    out: Floats = _Sums.of(whole, y).vectors(ridge).astype(np.float32)
    return out


def folded_vectors(
    labels: Labels, vectors: Floats, fold: npt.NDArray[np.integer]
) -> tuple[Floats, float]:
    """The vectors of labels in folds, shape (folds * count, d), and the ridge.

    Those of a fold come from the users of the others, and the ridge is the one by which they
    foretell the vectors of users best.

    Args:
        labels: of the users, in folds.
        vectors: of the users, shape (users, d).
        fold: of the users, shape (users,).
    """
    plain = dataclasses.replace(labels, label=labels.label % labels.count, folds=1)
    parts = []
    for one in range(labels.folds):
        mine = np.flatnonzero(fold == one)
        parts.append(_labelled(plain.of_users(mine, len(vectors)), vectors[mine]))
    sums = [_Sums.of(*part) for part in parts]
    found = {}
    for ridge in RIDGES:
        error, stacked = 0.0, []
        for place, (whole, y) in enumerate(parts):
            others = _Sums.together(sums[:place] + sums[place + 1 :])
            stacked.append(others.vectors(ridge))
            error += float(((y - others.mean - whole @ stacked[-1]) ** 2).sum())
        found[ridge] = error, np.concatenate(stacked)
    best = min(found, key=lambda ridge: found[ridge][0])
    return found[best][1].astype(np.float32), best


def context_vectors(context: Context, encoder: Floats) -> Floats:
    """The vectors of the labels of contexts, shape (count, d).

    Args:
        context: of the events that are learnt from.
        encoder: shape (items, d).
    """
    from scipy.sparse import csr_array

    whole, items = context.labels, len(encoder)
    rows = len(context.item)
    taken = csr_array((np.ones(rows), context.item, np.arange(rows + 1)), shape=(rows, items))
    wide = encoder.astype(np.float64)
    sums = _Sums(
        rows,
        (whole.T @ whole).toarray(),
        (whole.T @ taken) @ wide,
        whole.sum(axis=0),
        np.bincount(context.item, minlength=items) @ wide,
    )
    out: Floats = sums.vectors(CONTEXT_RIDGE).astype(np.float32)
    return out


@dataclasses.dataclass(frozen=True, eq=False)
class Context:
    """Events with the labels of their context.

    user, item and time (seconds) have one entry per event; labels, shape (events, count), is 1
    where an event has a label.
    """

    user: Ints
    item: Ints
    time: Doubles
    labels: csr_array

    def take(self, keep: npt.NDArray[np.bool_]) -> Context:
        """The events where `keep` is true."""
        kept = np.flatnonzero(keep)
        return Context(self.user[kept], self.item[kept], self.time[kept], self.labels[kept])


def _labelled(labels: Labels, vectors: Floats) -> tuple[csr_array, Doubles]:
    """Which labels users have, of those who have any, and the vectors of these."""
    from scipy.sparse import csr_array

    starts = bounds(labels.user, len(vectors))
    ones = np.ones(len(labels))
    whole = csr_array((ones, labels.label, starts), shape=(len(vectors), labels.count))
    some = np.flatnonzero(np.diff(starts))
    return whole[some], vectors[some].astype(np.float64)


@dataclasses.dataclass(frozen=True)
class _Sums:
    """The normal equations: users, A'A, A'Q, A'1 and the sum of Q."""

    users: int
    gram: Doubles
    products: Doubles
    of_labels: Doubles
    total: Doubles

    @staticmethod
    def of(labels: csr_array, y: Doubles) -> _Sums:
        return _Sums(
            len(y), (labels.T @ labels).toarray(), labels.T @ y, labels.sum(axis=0), y.sum(axis=0)
        )

    @staticmethod
    def together(parts: list[_Sums]) -> _Sums:
        fields = [field.name for field in dataclasses.fields(_Sums)]
        return _Sums(*(sum(getattr(part, field) for part in parts) for field in fields))

    @property
    def mean(self) -> Doubles:
        """The mean vector of those who have labels."""
        return self.total / max(self.users, 1)

    def vectors(self, ridge: float) -> Doubles:
        """The vectors of the labels."""
        right = self.products - np.outer(self.of_labels, self.mean)
        found = np.linalg.solve(self.gram + ridge * np.eye(len(self.gram)), right)
        return found.astype(np.float64)
