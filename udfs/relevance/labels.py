"""What is known of users beside their events, such as attributes: the vector that each label adds.

The vectors Z are those of the ridge regression of the vectors of users on their labels,

    Z = (A'A + lambda)^-1 A'(Q - mean),

with A_ul = 1 where user u has the label l: what a user with these labels has in the history more,
or less, than others (Koren, Bell and Volinsky 2009 add attributes to the factors of users). Who has
no history gets the lists of people of these labels, in so far as they differ from everyone's.

The context of an event, such as the store, has labels, too. Their vectors are the same regression
over events instead of users, of the vector of the event's item. Beside it the items that stand out
most have the log-odds of being taken in the context, shrunk,

    S'_lj = log((n_lj + k) / (n_l p_j + k)),

for what sets contexts apart need not be what sets users apart, along which the vectors go.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..history import Doubles, Floats, Ints, Labels, Longs, bounds

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FOLDS = 5
RIDGES = (1.0, 10.0, 100.0, 1000.0)  # users of whom the label says nothing, added to each label's
CONTEXT_RIDGE = 300.0  # events likewise
PRIOR_EVENTS = 10.0  # k: as many as expected, added to those of each item in a context
OUTSTANDING = 512  # items of a context with log-odds of their own
DEVIATES = 2.0  # standard deviations by which an item stands out


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


def context_vectors(context: Context, columns: Longs, encoder: Floats) -> Floats:
    """The vectors of some of the labels of contexts, shape (columns, d).

    Args:
        context: of the events that are learnt from.
        columns: the labels.
        encoder: shape (items, d).
    """
    wide = encoder.astype(np.float64)
    sums = _Sums(
        len(context.item),
        context.gram[np.ix_(columns, columns)],
        context.counts[columns] @ wide,
        context.totals[columns],
        context.of_items @ wide,
    )
    out: Floats = sums.vectors(CONTEXT_RIDGE).astype(np.float32)
    return out


@dataclasses.dataclass(frozen=True, eq=False)
class Context:
    """Events with the labels of their context.

    user, item and time (seconds) have one entry per event; labels, shape (events, count), is 1
    where an event has a label; items is how many there are.
    """

    user: Ints
    item: Ints
    time: Doubles
    labels: csr_array
    items: int

    def take(self, keep: npt.NDArray[np.bool_]) -> Context:
        """The events where `keep` is true."""
        kept = np.flatnonzero(keep)
        return Context(
            self.user[kept], self.item[kept], self.time[kept], self.labels[kept], self.items
        )

    @functools.cached_property
    def gram(self) -> Doubles:
        """How many events have two labels, shape (count, count)."""
        out: Doubles = (self.labels.T @ self.labels).toarray()
        return out

    @functools.cached_property
    def totals(self) -> Doubles:
        """How many events have a label, shape (count,)."""
        return self.gram.diagonal()

    @functools.cached_property
    def of_items(self) -> Doubles:
        """How many events items have, shape (items,)."""
        return np.bincount(self.item, minlength=self.items).astype(np.float64)

    @functools.cached_property
    def counts(self) -> csr_array:
        """How many events with a label items have, shape (count, items)."""
        from scipy.sparse import csr_array

        events = len(self.item)
        taken = csr_array(
            (np.ones(events), self.item, np.arange(events + 1)), shape=(events, self.items)
        )
        return (self.labels.T @ taken).tocsr()

    @functools.cached_property
    def log_odds(self) -> csr_array:
        """Of the items that stand out in a context, shape (count, items)."""
        from scipy.sparse import csr_array

        share = self.of_items / max(len(self.item), 1)
        rows, columns, values = [], [], []
        for label, total in enumerate(self.totals):
            expected = total * share
            found = self.counts[[label]].toarray()[0]
            deviates = np.abs(found - expected) / np.sqrt(expected + PRIOR_EVENTS)
            most = np.argsort(-deviates, kind="stable")[:OUTSTANDING]
            most = most[deviates[most] > DEVIATES]
            rows.append(np.full(len(most), label))
            columns.append(most)
            values.append(np.log((found[most] + PRIOR_EVENTS) / (expected[most] + PRIOR_EVENTS)))
        nothing = np.zeros(0, np.int64)
        place = np.concatenate([nothing, *rows]), np.concatenate([nothing, *columns])
        entries = np.concatenate([nothing, *values]).astype(np.float32)
        return csr_array((entries, place), shape=(self.labels.shape[1], self.items))


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
