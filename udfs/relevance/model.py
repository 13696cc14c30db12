"""The relevance model: item-item weights in closed form, low rank and sparse, content and repeats.

The relevance of item j for a user with history h is the log-odds of a purchase,

    <A_u q_u, v_j> + a_u s_uj + <p_u, b_j> + c_u            for an item the user does not know,
    f(u, j)                                                 for one in the history (repeats.py),

with q_u = sum_h x_h e_h / |x|^(1/2) and s_uj = sum_h x_h S_hj / |x|^(1/2). Labels of the user, such
as attributes, add l_u <sum_l z_l, v_j> to what a user does not know, and those of the query, its
context, sum_l <z_l, v_j> + S'_lj to everything (labels.py). What friends of the user took, as if it
were one history with q'_u and s'_uj, adds g_u (<q'_u, v_j> + s'_uj), by behaviour alone; what the
user was shown and passed over takes such a part off.

- e and v come from a truncated EASE (Steck 2019, "Embarrassingly Shallow Autoencoders"). By the
  Woodbury identity the inverse in EASE's closed form, P = (X'X + lambda)^-1, is
  (1/lambda)(I - M) with M = V diag(s^2 / (s^2 + lambda)) V' for the singular vectors V and values
  s of X. So EASE's item-item weights B_ij = M_ij / (1 - M_jj) have rank d: one encoder and one
  decoder vector per item, and no items x items matrix. The columns of X may be divided by a power
  of the items' users before, so that popular items do not take up the whole rank.
- S is sparse: a ridge regression of each item on its nearest ones (neighbours.py), in units of the
  low rank. Its weight a_u is that of behaviour in A_u.
- Item features F join as extra rows of X, sqrt(alpha) F' (collective EASE: Jeunen, Van Balen and
  Goethals 2020), which gives items without a single event a vector from their text, and a user a
  content term from the texts in the history.
- A second block of e and v is the whitened principal components of the item features: likeness of
  content.
- v_j carries the item's trend (those who took it up of late against all its users) and b_j its
  popularity.
- A_u, p_u and c_u weigh the blocks of likeness and popularity, and depend on how much is known of
  the user: A_u and p_u are linear in 1 / (1 + items in the history / 20), c_u in that and in how
  active the user was. l_u and g_u are weight / (1 + items in the history / fade).

What is chosen and learnt is so on the latest window of time: the history before it against what
the users did in it, over the best unseen items; or on events held out, where time does not say what
comes next. Repeat purchases learn from earlier windows too.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..evidence import Evidence
from ..history import NO_DECAY, Doubles, Floats, History, Ints, Longs, bounds
from . import repeats
from .fold_in import FoldIn
from .sparse import added, at, dot, times

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# sources of relevance beside the events, by what is told of them in what was chosen
OF_LABELS, OF_FRIENDS, OF_SHOWN = "of_labels", "of_friends", "of_shown"
FEW = 20.0  # a history of so many items is half-way from nothing to much


@dataclasses.dataclass(frozen=True)
class RelevanceModel:
    """What scoring needs, for n items and d dimensions, of which the last `content` are of content.

    encoder and decoder have shape (n, d); statistics (n, s) are the repeats.item_features, whose
    first two are popularity: log users ever and of late. unknown, shape (5, 5), gives the weights
    of behaviour, content, the two popularities and 1 for items that a user does not know, as a
    linear function of the user's features: 1, sparsity of the history, and activity. labels, shape
    (labels, d - content), are added to the vectors of users who have them; None for none. context,
    shape (labels,), says which are of contexts; None for none. Their weight is in their vectors,
    that of attributes among what was chosen. context_items, shape (labels, n), are added to the
    relevance of items, too. repeats is for the items of the history. unit is the difference in log-
    odds that counts as 1 beside other objectives. cold, of the same shape, takes the place of
    unknown for users without a history, and has a share in theirs whose history has fewer than
    `few` items, the larger the fewer; None for the same. neighbours, shape (n, n), are the weights
    of an item of a history for one of a list, which add to the likeness by behaviour; None for
    none. fold_in is what a training leaves for items that come later; None for a model that was
    read.
    """

    encoder: Floats
    decoder: Floats
    statistics: Floats
    content: int
    unknown: Floats
    repeats: repeats.RepeatModel
    half_life: int
    chosen: dict[str, Any]
    unit: float = 1.0
    cold: Floats | None = None
    few: int = 1
    neighbours: csr_array | None = None
    fold_in: FoldIn | None = None
    labels: Floats | None = None
    context: npt.NDArray[np.bool_] | None = None
    context_items: csr_array | None = None

    @functools.cached_property
    def own(self) -> Floats:
        """The likeness of each item to itself, by behaviour and by content, shape (n, 2)."""
        products = self.encoder * self.decoder
        split = products.shape[1] - self.content
        return np.stack([products[:, :split].sum(axis=1), products[:, split:].sum(axis=1)], axis=1)

    @functools.cached_property
    def popularity(self) -> Floats:
        """Log users of each item, ever and of late, shape (n, 2)."""
        return np.ascontiguousarray(self.statistics[:, :2])

    def of_users(
        self, history: History, users: int, wanted: npt.NDArray[np.bool_] | None = None
    ) -> OfUsers:
        """Relevance of all items for `users` users with sorted `history`.

        Args:
            history: the users' pairs.
            users: how many users.
            wanted: for which pairs the repeat term is needed, shape (pairs,); None for all.
        """
        starts = bounds(history.user, users)
        activity = repeats.activity(history, users)
        weights = self.weights(starts, activity)
        pair = normalised(pair_weights(history, self.half_life), starts)
        queries = user_vectors(self.encoder, history.item, pair, starts)
        blocks = np.repeat(weights[:, :2], [queries.shape[1] - self.content, self.content], axis=1)
        queries *= blocks
        in_context = None
        if self.labels is not None and len(history.labels):
            by_attributes, in_context = self.of_labels(history, users)
            mine = self.attribute_weights(np.diff(starts))[:, None]
            queries[:, : by_attributes.shape[1]] += mine * by_attributes
        more, of_known = self._neighbours(history, pair, starts, weights[:, 0])
        for source, evidence in self.evidence(history):
            theirs, more_of_theirs = self.of_evidence(source, evidence, history, users)
            queries[:, : theirs.shape[1]] += theirs
            if more_of_theirs is not None:
                of_known = of_known + at(more_of_theirs, history.user, history.item)
                more = more_of_theirs if more is None else (more + more_of_theirs).tocsr()
                more.sort_indices()
        if wanted is not None:
            history, pair = history.take(wanted), pair[wanted]
            of_known = of_known[wanted]
        likeness = dot(queries, history.user, self.decoder, history.item) + of_known
        mine = weights.take(history.user, 0)
        # what an item says about itself is left out, as by EASE's zero diagonal
        own = np.einsum("ij,ij->i", self.own.take(history.item, 0), mine[:, :2]) * pair
        design = repeats.design(history, activity, self.statistics, likeness - own)
        popular = np.einsum("ij,ij->i", self.popularity.take(history.item, 0), mine[:, 2:4])
        queries = np.concatenate([queries, weights[:, 2:4]], axis=1)
        known = self.repeats.log_odds(design) - mine[:, 4]
        bonus = np.bincount(
            history.user, (known - likeness - popular).astype(np.float64), minlength=users
        ).astype(np.float64)
        if more is not None:
            bonus += more.sum(axis=1)
        if in_context is not None:
            columns = in_context.shape[1]
            queries[:, :columns] += in_context
            known = known + dot(in_context, history.user, self.decoder[:, :columns], history.item)
            assert self.context_items is not None
            labels, of_users = history.labels, bounds(history.labels.user, users)
            ones = np.ones(len(labels), np.float32)
            by_items = added(self.context_items, ones, labels.label, of_users)
            known += at(by_items, history.user, history.item)
            bonus += by_items.sum(axis=1)
            more = by_items if more is None else (more + by_items).tocsr()
            more.sort_indices()
        return OfUsers(queries, known, bonus, design, more)

    def of_labels(self, history: History, users: int) -> tuple[Floats, Floats | None]:
        """What attributes, before their weight, and contexts add to the vectors of users."""
        assert self.labels is not None
        label, starts = history.labels.label, bounds(history.labels.user, users)
        mine = self.in_context(label)
        attributes, contexts = (which.astype(np.float32) for which in (~mine, mine))
        return (
            user_vectors(self.labels, label, attributes, starts),
            user_vectors(self.labels, label, contexts, starts) if mine.any() else None,
        )

    def beside(self, source: str, weight: float, fade: float = 1.0) -> RelevanceModel:
        """The model in which a source, such as OF_LABELS, has such a weight.

        fade is the number of items of a history with which it has half of it.
        """
        told = {"weight": weight, "fade": fade, "used": True}
        return dataclasses.replace(self, chosen={**self.chosen, source: told})

    def evidence(self, history: History) -> list[tuple[str, Evidence]]:
        """What speaks of users beside their events, and counts, by its source."""
        found = {OF_FRIENDS: history.friends, OF_SHOWN: history.shown}
        return [(source, one) for source, one in found.items() if len(one) and self.uses(source)]

    def of_evidence(
        self, source: str, evidence: Evidence, history: History, users: int
    ) -> tuple[Floats, csr_array | None]:
        """What it adds to the vectors of users, and by neighbours, shape (users, n)."""
        user, item, pair = evidence.pooled(self.half_life)
        starts = bounds(user, users)
        pair = normalised(pair, starts)
        mine = self._fading(source, np.diff(bounds(history.user, users)))
        encoder = np.ascontiguousarray(self.encoder[:, : self.encoder.shape[1] - self.content])
        vectors = mine[:, None] * user_vectors(encoder, item, pair, starts)
        if self.neighbours is None:
            return vectors, None
        more = added(self.neighbours, pair, item, starts)
        more.data *= np.repeat(mine, np.diff(more.indptr))
        return vectors, more

    def uses(self, source: str) -> bool:
        """Whether a source, one of OF_LABELS, OF_FRIENDS and OF_SHOWN, counts."""
        return bool(self.chosen.get(source, {}).get("used"))

    def attribute_weights(self, items: Longs) -> Floats:
        """The weight of attributes for users with so many items in the history, shape (users,)."""
        return self._fading(OF_LABELS, items)

    def _fading(self, source: str, items: Longs) -> Floats:
        """The weight of a source for users with so many items in the history, shape (users,)."""
        if not self.uses(source):
            return np.zeros(len(items), np.float32)
        chosen = self.chosen[source]
        out: Floats = (chosen["weight"] / (1 + items / chosen["fade"])).astype(np.float32)
        return out

    def in_context(self, labels: Ints) -> npt.NDArray[np.bool_]:
        """Which labels are of contexts; the others are of attributes."""
        return np.zeros(len(labels), bool) if self.context is None else self.context[labels]

    def weights(self, starts: Longs, activity: Floats) -> Floats:
        """What the parts of relevance are multiplied by, shape (users, 5), as in `unknown`."""
        about = user_features(starts, activity)
        weights = about @ self.unknown
        if self.cold is not None:
            share = np.maximum(1 - np.diff(starts) / np.float32(self.few), 0)[:, None]
            weights += share * (about @ self.cold - weights)
        return weights

    def again(self, history: History, users: int) -> Floats:
        """The log-odds that users take the pairs of their histories again, shape (pairs,)."""
        starts = bounds(history.user, users)
        constant = self.weights(starts, repeats.activity(history, users))[:, 4]
        return self.of_users(history, users).known + constant[history.user]

    def in_parts(self, history: History, item: int) -> Parts:
        """The relevance of an item that one user does not know, without its constant, in parts.

        Args:
            history: of the user.
            item: the item.
        """
        starts = bounds(history.user, 1)
        weights = self.weights(starts, repeats.activity(history, 1))[0].astype(np.float64)
        pair = normalised(pair_weights(history, self.half_life), starts).astype(np.float64)
        products = self.encoder[history.item].astype(np.float64) * self.decoder[item]
        split = products.shape[1] - self.content
        behaviour = products[:, :split].sum(axis=1)
        if self.neighbours is not None:
            behaviour += self.neighbours[:, [item]].toarray()[history.item, 0]
        content = products[:, split:].sum(axis=1)
        popularity = float(self.popularity[item] @ weights[2:4])
        labels = np.zeros(len(history.labels))
        if self.labels is not None and len(labels):
            label = history.labels.label
            of_attributes = float(self.attribute_weights(np.diff(starts))[0])
            of_labels = np.where(self.in_context(label), 1.0, of_attributes)
            vectors = self.labels[label].astype(np.float64)
            labels = of_labels * (vectors @ self.decoder[item, :split])
            if self.context_items is not None:
                labels += self.context_items[label][:, [item]].toarray()[:, 0]
        beside = dict.fromkeys((OF_FRIENDS, OF_SHOWN), 0.0)
        for source, evidence in self.evidence(history):
            theirs, more = self.of_evidence(source, evidence, history, 1)
            beside[source] = float(theirs[0].astype(np.float64) @ self.decoder[item, :split])
            if more is not None:
                beside[source] += float(more[:, [item]].toarray()[0, 0])
        of_pairs = weights[0] * pair * behaviour, weights[1] * pair * content
        return Parts(*of_pairs, popularity, labels, beside[OF_FRIENDS], beside[OF_SHOWN])

    def _neighbours(
        self, history: History, pair: Floats, starts: Longs, weights: Floats
    ) -> tuple[csr_array | None, Floats]:
        """What neighbours of a history add to all items, shape (users, n), and to its pairs."""
        if self.neighbours is None:
            return None, np.zeros(len(history), np.float32)
        more = added(self.neighbours, pair, history.item, starts)
        more.data *= np.repeat(weights, np.diff(more.indptr))
        return more, at(more, history.user, history.item)


@dataclasses.dataclass(frozen=True)
class Parts:
    """What each pair of a history adds to the relevance of an item by behaviour and by content.

    These have shape (pairs,); popularity is what that adds, labels what each label does, friends
    what all friends do, and shown what all that was passed over takes.
    """

    behaviour: Doubles
    content: Doubles
    popularity: float
    labels: Doubles
    friends: float
    shown: float


@dataclasses.dataclass(frozen=True)
class OfUsers:
    """Relevance of a batch of users in parts: all that is needed to score any item.

    relevance(u, j) = <queries_u, (decoder_j, popularity_j)> + a constant of the user; for the
    wanted pairs of the history the inner product gives way to known. bonus is by how much more that
    is, summed over each user's pairs, shape (users,); more, shape (users, n), is added to the inner
    product; design are the features from which known comes.
    """

    queries: Floats
    known: Floats
    bonus: Doubles
    design: Floats
    more: csr_array | None = None


def user_features(starts: npt.NDArray[np.int64], activity: Floats) -> Floats:
    """What the weights depend on, shape (users, 5): 1, sparsity and activity.

    Sparsity is how little is known of the user: 1 without history, towards 0 with a long one.
    """
    sparsity = 1 / (1 + np.diff(starts) / FEW)
    return np.column_stack([np.ones(len(sparsity)), sparsity, activity]).astype(np.float32)


def pair_weights(history: History, half_life: int) -> Floats:
    """The weight x_h of each pair in the user vector, before normalisation over the user."""
    return np.log1p(history.count if half_life == NO_DECAY else history.strength[:, half_life])


def normalised(weights: Floats, starts: npt.NDArray[np.int64]) -> Floats:
    """Divide each user's pair weights by |x|^(1/2); `starts` bounds the users, length users + 1."""
    squares = np.concatenate([[0.0], np.cumsum(weights.astype(np.float64) ** 2)])
    norm = squares[starts[1:]] - squares[starts[:-1]]
    root = np.repeat(np.maximum(norm, 1e-12) ** 0.25, np.diff(starts))
    out: Floats = (weights / root).astype(np.float32)
    return out


def user_vectors(
    encoder: Floats, item: Ints, weights: Floats, starts: npt.NDArray[np.int64]
) -> Floats:
    """Sum the encoder vectors of each user's items, shape (users, d); no history gives zeros."""
    import torch

    out: Floats = times(starts, item, weights, "cpu")(torch.from_numpy(encoder)).numpy()
    return out
