"""A recommender ready to score, and a batch of users before weights."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..device import device
from ..history import Doubles, Floats, History, Ints, Longs, bounds, places
from ..relevance.sparse import entries
from .likeness import Likeness, Scale
from .similar import Likes

if TYPE_CHECKING:
    import torch
    from scipy.sparse import csr_array

    from ..relevance.model import RelevanceModel
    from ..table import Table
    from ..topk import Given

PRIOR_PAIRS = 1.0  # weight of the average price beside the pairs of a history


class Catalogue:
    """A trained recommender in memory, ready to score.

    Args:
        model: the relevance model of n items.
        kinds: of each objective, in the order of the weights: relevance, item (a value per item),
            fit (minus the squared distance of the item's value from the user's), or list-wise:
            diversity by text, content, vectors, behaviour or category, coverage or calibration of
            categories.
        values: shape (n, objectives): standardised values for item and fit, numbers of categories
            (-1: unknown) for what is of categories; of no meaning for the others. Behind them are
            the vectors for diversity by vectors, 0 for an item without one.
        embeddings: unit-length vectors of the texts, shape (m, t); diversity goes by behaviour
            where there is none.
        text_id: the row of `embeddings` for each item, shape (n,); -1 for an item without one.
        scale: of the likenesses; by default of all items.
        fixed: the weights of the last objectives, which are of the kind item, where they are the
            same whoever is ranked: what these add is one column of the table then.
    """

    def __init__(
        self,
        model: RelevanceModel,
        kinds: Sequence[str],
        values: Floats,
        embeddings: Floats,
        text_id: Longs,
        scale: Scale | None = None,
        fixed: Doubles | None = None,
    ) -> None:
        import torch

        from ..table import Table

        self.model = model
        self.kinds = tuple(kinds)
        self.items = len(model.decoder)
        self.values = values
        self.texts = embeddings, text_id
        self.likeness = likeness_of(model, kinds, values, embeddings, text_id, scale)
        # one block of columns per term of the inner product: likeness, popularity, objectives
        of_items = values[:, self.of_kind("item")]
        self.apart = of_items.shape[1]
        if fixed is not None:
            self.apart -= len(fixed)
            added = of_items[:, self.apart :].astype(np.float64) @ fixed
            of_items = np.column_stack([of_items[:, : self.apart], added])
        blocks = [model.decoder, model.popularity, of_items]
        fits = values[:, self.of_kind("fit")]
        table = np.concatenate([*blocks, fits, fits**2], axis=1, dtype=np.float32)
        linear = blocks[0].shape[1] + blocks[1].shape[1]
        self.pointwise = np.ascontiguousarray(table[:, linear:])
        vectors = (model.decoder.shape[1] - model.content, model.content)
        widths = tuple(filter(None, vectors)) + (1,) * (table.shape[1] - sum(vectors))
        self.table = Table.by_length(torch.from_numpy(table).to(device()), widths)
        self.mean = table[:, :linear].mean(axis=0, dtype=np.float64)
        self.moments = [(fits.astype(np.float64) ** power).mean(axis=0) for power in range(5)]

    def beside(self, values: Doubles, fixed: Doubles | None = None) -> Catalogue:
        """With values by item of further objectives behind its own, shape (n, e).

        fixed are the weights of the last of these where they are the same in all lists.
        """
        own, vectors = np.split(self.values, [len(self.kinds)], axis=1)
        return Catalogue(
            self.model,
            [*self.kinds, *["item"] * values.shape[1]],
            np.concatenate([own, values, vectors], axis=1, dtype=np.float32),
            *self.texts,
            self.likeness.scale,
            fixed,
        )

    def of_columns(self, weights: Doubles) -> Doubles:
        """The weights of the table's columns of values by item, by those of objectives."""
        of_items = weights[:, self.of_kind("item")]
        if self.apart == of_items.shape[1]:
            return of_items
        return np.column_stack([of_items[:, : self.apart], np.ones(len(weights))])

    @functools.cached_property
    def likes(self) -> Likes:
        """Which items are most like one."""
        split = self.model.encoder.shape[1] - self.model.content
        return Likes(self.model.encoder[:, :split], *self.texts)

    def of_kind(self, *kinds: str) -> list[int]:
        """The positions of the objectives of these kinds."""
        return [position for position, kind in enumerate(self.kinds) if kind in kinds]

    def only(self, items: Longs) -> Selection:
        """The items of these sorted indices, to be ranked among themselves."""
        import torch

        number = np.full(self.items, -1)
        number[items] = np.arange(len(items))
        return Selection(items, number, self.table.take(torch.from_numpy(items).to(device())))

    def listed(self, listed: npt.NDArray[np.bool_]) -> Selection | None:
        """The items of which `listed` is true, shape (items,); None for all."""
        return None if listed.all() else self.only(np.flatnonzero(listed))

    def batch(
        self,
        history: History,
        users: int,
        allowed: Selection | None = None,
        exclude_seen: npt.NDArray[np.bool_] | None = None,
        keep: bool = False,
        left_out: tuple[Longs, Longs] | None = None,
    ) -> Batch:
        """Work out what does not depend on weights for `users` users with sorted `history`.

        Args:
            history: the users' pairs.
            users: how many users.
            allowed: the items that may be listed, or None for all.
            exclude_seen: whether to leave the history out, shape (users,); never by default.
            keep: whether to keep the relevance of every item, for many weights to be tried.
            left_out: further pairs of a user and an item that are not to be listed.
        """
        import torch

        place = history.item.astype(np.int64)
        inside = np.ones(len(history), bool)
        if allowed is not None:
            place = allowed.number[history.item]
            inside = place >= 0
        seen = np.zeros(len(history), bool)
        if exclude_seen is not None:
            seen = exclude_seen[history.user]
        # the repeat term is the dearest part: only for what may be listed
        wanted = inside & ~seen
        parts = self.model.of_users(history, users, None if wanted.all() else wanted)
        user = history.user[inside]
        known = np.full(len(user), -np.inf, np.float32)
        known[~seen[inside]] = parts.known
        pairs = Known(user, place[inside], history.item[inside], known, bounds(user, users))
        if left_out is not None:
            pairs = pairs.without(*left_out, allowed, users, self.items)
        tastes = [self.taste(history, users, position) for position in self.of_kind("fit")]
        relevance = None
        if keep and allowed is None:
            queries = torch.from_numpy(parts.queries).to(device())
            relevance = queries @ self.table.rows[:, : queries.shape[1]].T
            if parts.more is not None:
                of, item, score = entries(parts.more, 0, users)
                relevance[of, item] += torch.from_numpy(score).to(device())
        return Batch(
            history=history,
            users=users,
            allowed=allowed,
            known=pairs,
            queries=parts.queries,
            # not by BLAS, whose last digits depend on where the arrays lie in memory
            mean=(parts.queries * self.mean).sum(axis=1) + parts.bonus / self.items,
            tastes=np.stack(tastes, axis=1) if tastes else np.zeros((users, 0)),
            relevance=relevance,
            more=parts.more,
        )

    def taste(self, history: History, users: int, position: int) -> Doubles:
        """The mean value of each user's pairs by strength, and of one pair of average value."""
        strength = history.strength[:, -1].astype(np.float64)
        values = strength * self.values[history.item, position]
        total = np.bincount(history.user, strength, minlength=users)
        out: Doubles = np.bincount(history.user, values, minlength=users) / (total + PRIOR_PAIRS)
        return out

    def mix(self, history: History, position: int) -> tuple[Longs, Longs, Doubles]:
        """The share of each category in each user's history, by strength.

        Args:
            history: the users' pairs, sorted by user.
            position: the objective whose categories they are.

        Returns:
            user, category and share of what is not 0, sorted by user and category.
        """
        category = self.values[history.item, position].astype(np.int64)
        known = category >= 0
        category, user = category[known], history.user[known].astype(np.int64)
        strength = history.strength[known, -1].astype(np.float64)
        count = int(category.max(initial=0)) + 1
        key, place = np.unique(user * count + category, return_inverse=True)
        of_user, of_category = np.divmod(key, count)
        total = np.bincount(user, strength)
        share = np.bincount(place, strength, minlength=len(key)) / total[of_user]
        return of_user, of_category, share

    def fit(self, tastes: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        """A fit as a function of value x: slope * x + curve * x^2 + constant, each (users, fits).

        It is -(x - taste)^2, standardised over the catalogue in closed form.
        """
        _, first, second, third, fourth = self.moments
        mean = -second + 2 * tastes * first
        square = fourth - 4 * tastes * third + 4 * tastes**2 * second
        deviation = np.sqrt(np.maximum(square - mean**2, 1e-12))
        return 2 * tastes / deviation, -1 / deviation, -mean / deviation


def likeness_of(
    model: RelevanceModel,
    kinds: Sequence[str],
    values: Floats,
    embeddings: Floats,
    text_id: Longs,
    scale: Scale | None = None,
) -> Likeness:
    """How alike items are for diversity: by category, vectors, text, content or behaviour.

    By behaviour also where there is no text or other content. Arguments are those of Catalogue.
    """
    if "diversity by category" in kinds:
        position = list(kinds).index("diversity by category")
        return Likeness(values[:, position].astype(np.int64), None, scale)
    vectors = None
    if "diversity by vectors" in kinds:
        vectors = values[:, len(kinds) :]
    elif "diversity by content" in kinds and model.content:
        vectors = model.encoder[:, -model.content :]
    if vectors is not None:
        number = np.where(vectors.any(axis=1), np.arange(len(vectors)), -1)
        return Likeness(number, vectors, scale)
    if len(embeddings) and "diversity by behaviour" not in kinds:
        return Likeness(text_id, embeddings, scale)
    length = np.linalg.norm(model.encoder, axis=1, keepdims=True)
    behaviour = model.encoder / np.maximum(length, 1e-9)
    return Likeness(np.arange(len(behaviour)), behaviour, scale)


@dataclasses.dataclass(frozen=True, eq=False)
class Selection:
    """Some items of a catalogue.

    items are their sorted indices; number, shape (n,), gives the place of each item of the
    catalogue among them, -1 for others; table is that of these items.
    """

    items: Longs
    number: Longs
    table: Table

    def places(self, items: Longs) -> Longs:
        """The places of items among these, -1 for none."""
        return np.where(items < 0, -1, self.number[items])


@dataclasses.dataclass(frozen=True)
class Known:
    """Pairs of the history that a filter lets through, sorted by user, one entry per pair.

    place is the item's among those allowed, relevance in log-odds and -inf for what is excluded;
    starts bounds the users, shape (users + 1,).
    """

    user: Ints
    place: Longs
    item: Ints
    relevance: Floats
    starts: Longs

    def without(
        self, user: Longs, item: Longs, allowed: Selection | None, users: int, items: int
    ) -> Known:
        """With further pairs that are left out."""
        if allowed is not None:
            inside = allowed.number[item] >= 0
            user, item = user[inside], item[inside]
        key = np.unique(user.astype(np.int64) * items + item)
        mine = self.user.astype(np.int64) * items + self.item
        relevance = np.where(np.isin(mine, key), np.float32(-np.inf), self.relevance)
        new = np.setdiff1d(key, mine, assume_unique=True)
        both = np.concatenate([mine, new])
        order = np.argsort(both, kind="stable")
        of_user, of_item = np.divmod(both[order], items)
        return Known(
            user=of_user.astype(np.int32),
            place=of_item if allowed is None else allowed.number[of_item],
            item=of_item.astype(np.int32),
            relevance=np.append(relevance, np.full(len(new), -np.inf, np.float32))[order],
            starts=bounds(of_user.astype(np.int32), users),
        )


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Something of users and items, each pair once: arrays of shape (pairs,)."""

    user: Longs
    item: Longs
    score: Doubles


@dataclasses.dataclass(frozen=True)
class Batch:
    """A batch of users before weights: their pairs, and relevance in parts.

    allowed are the items that may be listed, None for all. queries, shape (users, d + 2), give the
    relevance of what the user does not know, in log-odds; mean is the mean relevance over the
    catalogue, with that of the known pairs, shape (users,); tastes are the values that the user's
    fits are about, shape (users, fits); more, shape (users, n), is added to the relevance of the
    queries; relevance, where it is kept, is that of both, shape (users, items).
    """

    history: History
    users: int
    allowed: Selection | None
    known: Known
    queries: Floats
    mean: Doubles
    tastes: Doubles
    relevance: torch.Tensor | None
    more: csr_array | None = None

    def among(self, allowed: Selection) -> Batch:
        """The same users, where fewer items may be listed."""
        known = self.known
        place = allowed.number[known.item]
        inside = place >= 0
        user, item = known.user[inside], known.item[inside]
        starts = bounds(user, self.users)
        fewer = Known(user, place[inside], item, known.relevance[inside], starts)
        return dataclasses.replace(self, allowed=allowed, known=fewer, relevance=None)

    def adjusted(self, pairs: Pairs, items: int) -> Batch:
        """The same users, with something added to the relevance of some pairs.

        Args:
            pairs: what is added, in log-odds.
            items: of the catalogue.
        """
        from scipy.sparse import csr_array

        user, item = pairs.user.astype(np.int64), pairs.item
        shape = (self.users, items)
        more = csr_array((pairs.score.astype(np.float32), (user, item)), shape=shape)
        more.sort_indices()
        known = self.known
        there, place = places(np.unique(user * items + item), known.user * items + known.item)
        relevance = known.relevance.copy()
        # in the order of their keys, as a csr_array is
        relevance[there] += more.data[place]
        both = more if self.more is None else (self.more + more).tocsr()
        both.sort_indices()
        known = dataclasses.replace(known, relevance=relevance)
        return dataclasses.replace(self, known=known, more=both, relevance=None)

    def more_of(self, first: int, last: int, factor: Doubles) -> Given | None:
        """What is added to the scores of some users, `factor` being the weights of relevance."""
        import torch

        from ..topk import Given

        if self.more is None:
            return None
        user, item, score = entries(self.more, first, last)
        if self.allowed is not None:
            item = self.allowed.number[item]
            inside = item >= 0
            user, item, score = user[inside], item[inside], score[inside]
        score = (score * factor[first:last][user]).astype(np.float32)
        return Given(*(torch.from_numpy(part).to(device()) for part in (user, item, score)))
