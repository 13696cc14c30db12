"""The ranked lists of a chunk of users, from the columns that SQL passes."""

from __future__ import annotations

import dataclasses
import functools
import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..catalog.objectives import check_diversify
from ..errors import MorecError
from ..udfs.history import Doubles, History, Longs, places
from ..udfs.ranking.catalogue import Batch, Catalogue, Selection
from ..udfs.ranking.greedy import Explore
from ..udfs.ranking.lists import Ranking, rank
from ..udfs.ranking.pairs import factor_of
from .applied import RESTING, Applied, Flags, pinned
from .history import history_of, last_of
from .limits import limits_of, switched_off
from .query import Query
from .recommender import Recommender
from .rules import Rule
from .together import have_both, keep_apart, put_behind
from .weights import weighed

MAX_K = 10000
NO_RULES = "false"  # the argument rules, as JSON


class Asked:
    """What is asked for a chunk of users: their histories, and how each list is to be.

    Args:
        query: the query that they are a chunk of.
        histories: per user the list of events as sql/answer/history_of_user.sql packs them, NULL
            without any.
        as_of: per user the moment of the list in seconds, NULL for now.
        weight_texts: per user the weights as JSON, NULL for the defaults.
        ks: per user the length of the list.
        filters: per user a predicate over the items, NULL for none.
        exclude_seen: per user whether to leave the history out, NULL for the default.
        diversify: per user how to diversify.
        limited: per user what limits_of reads.
        items: per user the numbers of the only items that may be listed, None for all.
    """

    def __init__(
        self,
        query: Query,
        histories: pa.Array,
        as_of: pa.Array,
        weight_texts: pa.Array,
        ks: pa.Array,
        filters: pa.Array,
        exclude_seen: pa.Array,
        diversify: pa.Array,
        limited: pa.Array,
        *,
        items: pa.Array | None = None,
    ) -> None:
        self.query, self.recommender = query, query.recommender
        limits = [limits_of(text) for text in limited.to_pylist()]
        query.look_ahead(
            any(one.rules != NO_RULES for one in limits),
            {one.constraints for one in limits if one.constraints is not None},
        )
        self.users = len(histories)
        self.k = lengths_of(ks)
        by_default = exclude_seen.fill_null(self.recommender.exclude_seen)
        self._excluded = by_default.to_numpy(zero_copy_only=False)
        self._unasked = exclude_seen.is_null().to_numpy(zero_copy_only=False)
        moments = as_of.to_numpy(zero_copy_only=False).astype(np.float64)
        history = history_of(histories, as_of, self.recommender)
        self.history = switched_off(history, limits, self.recommender)
        self.rules = Applied(
            query,
            [one.user for one in limits],
            [one.rules for one in limits],
            [one.context for one in limits],
            moments,
            limits[0].of_rules if limits else None,
        )
        self._seeds = [one.seed for one in limits]
        self._weighed = weighed(query, weight_texts)
        self.declared = len(self._weighed.names)  # columns of weights that are not of rules
        by_score = self.rules.by_score
        self._weighed = self._weighed.with_rules(
            [one.name for one in by_score], self.rules.weights(), self.rules.scores()
        )
        self._last: Doubles | None = None
        if any(one.kind in RESTING for rules in self.rules.of_row for one in rules):
            self._last = last_of(histories, as_of, self.recommender, self.history)
        self._hows = [
            How(predicate, how, limit.constraints, rules, limit.explore)
            for predicate, how, limit, rules in zip(
                filters.to_pylist(), diversify.to_pylist(), limits, self.rules.of_row, strict=True
            )
        ]
        for how in {one.diversify for one in self._hows}:
            check_diversify(how)
        self._items: list[tuple[int, ...] | None] = [None] * self.users
        if items is not None:
            known = self.recommender.known
            self._items = [
                tuple(sorted({*known(np.array(mine or [], np.int64)).tolist()} - {-1}))
                for mine in items.to_pylist()
            ]

    @property
    def catalogue(self) -> Catalogue:
        """The recommender's, with what weights and rules have beside its objectives."""
        return self._weighed.catalogue

    @property
    def names(self) -> list[str]:
        """What the weights are of: objectives, expressions and rules."""
        return self._weighed.names

    @property
    def beside(self) -> list[str]:
        """What lists call those that are not objectives."""
        said = self.names[len(self.recommender.names) : self.declared]
        return said + [f"rule: {name}" for name in self.names[self.declared :]]

    @property
    def weights(self) -> Doubles:
        """Shape (users, names)."""
        return self._weighed.weights

    def alike(self) -> list[Longs]:
        """The users who are ranked together, since they have the same filter, constraints, ..."""
        keys = [
            # a list under constraints or rules is not the start of a longer one
            (how, items, length if how.constraints or how.rules or how.explore else None)
            for how, items, length in zip(self._hows, self._items, self.k, strict=True)
        ]
        groups = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        group_of = np.array([groups[key] for key in keys])
        return [np.flatnonzero(group_of == group) for group in groups.values()]

    def how(self, rows: Longs) -> How:
        """How the lists of users who are alike are to be."""
        return self._hows[int(rows[0])]

    def batch(
        self,
        rows: Longs,
        mine: History | None = None,
        replacing: bool = True,
        out: Flags | None = None,
    ) -> Batch | None:
        """Users who are alike, before weights; None where no item may be listed.

        Args:
            rows: the users.
            mine: other histories than theirs.
            replacing: whether items that others replace are left out.
            out: further items that are left out, shape (items,).
        """
        how = self.how(rows)
        further = self.rules.allowed(how.rules, replacing)
        if out is not None:
            further = ~out if further is None else further & ~out
        items = self._items[int(rows[0])]
        if items is None:
            allowed = self.query.only(how.predicate, self.catalogue, further)
        else:
            chosen = np.array(items, np.int64)
            # a list of one's own may hold what is not recommended
            if how.predicate is not None:
                chosen = chosen[self.query.kept_by(how.predicate)[chosen]]
            allowed = self.catalogue.only(chosen if further is None else chosen[further[chosen]])
        if allowed is not None and not len(allowed.items):
            return None
        if mine is None:
            mine = self.history.of_users(rows, self.users)
        left_out = self.resting(rows, how.rules)
        # nobody asked for an empty list
        some = self._unasked[rows] & _exhausted(mine, len(rows), allowed, self.recommender)
        excluded = self._excluded[rows] & ~some
        found = self.catalogue.batch(mine, len(rows), allowed, excluded, left_out=left_out)
        for _, pairs in self.rules.tired(rows, how.rules):
            found = found.adjusted(pairs, self.catalogue.items)
        return found

    def excludes_seen(self, row: int) -> bool:
        """Whether what the history holds is to be left out of the list of a user."""
        return bool(self._excluded[row])

    def resting(self, rows: Longs, rules: tuple[Rule, ...]) -> tuple[Longs, Longs] | None:
        """Pairs of users, by their place in `rows`, and items that rules let rest."""
        if self._last is None:
            return None
        mine = self.history.of_users(rows, self.users)
        return self.rules.left_out(rows, rules, mine, self._last[np.isin(self.history.user, rows)])

    def _exploring(self, rows: Longs, share: float, k: int) -> Explore:
        """The draws of users: the same ones for the same seed, whoever else is in the query."""
        draws = np.empty((len(rows), k, 2))
        for place, row in enumerate(rows.tolist()):
            seed, user = self._seeds[row], self.rules.users[row]
            mine = None if seed is None else [seed, zlib.crc32((user or "").encode())]
            draws[place] = np.random.default_rng(mine).random((k, 2))
        return Explore(share, draws)

    def ranked(self, rows: Longs, batch: Batch, weights: Doubles | None = None) -> Ranking:
        """The lists of users who are alike.

        Args:
            rows: the users.
            batch: the users, as of `batch`.
            weights: other weights than theirs, shape (users, names).
        """
        weights = self.weights[rows] if weights is None else weights
        found, pins = self._ranked(rows, batch, weights)
        rules = self.how(rows).rules
        apart = self.rules.pairs(rules, "never_with")
        if apart:

            def again(users: Longs, out: Flags) -> Ranking | None:
                some = rows[users]
                mine = batch.history.of_users(users, batch.users)
                others = self.batch(some, mine, out=out)
                return None if others is None else self._ranked(some, others, weights[users])[0]

            keep_apart(found, [pair for _, pair in apart], again)
        missed = [(one, have_both(found, pair)) for one, pair in apart]
        for one, pair in self.rules.pairs(rules, "after"):
            missed.append((one, put_behind(found, pair, pins)))
        for one, users in missed:
            for user in np.flatnonzero(users).tolist():
                found.unmet[user] = [*found.unmet[user], f"rule: {one.name}"]
        self._tell_by_pair(found, rows, weights)
        return found

    def _tell_by_pair(self, lists: Ranking, rows: Longs, weights: Doubles) -> None:
        """Tell what rules that tire add to scores apart from relevance, to which it was added."""
        for position, place, parts in self.by_pair(rows, weights, lists.item):
            for relevance in self.catalogue.of_kind("relevance"):
                lists.contributions[*place, position] += parts
                lists.contributions[*place, relevance] -= parts

    def by_pair(
        self, rows: Longs, weights: Doubles, items: Longs
    ) -> Iterator[tuple[int, tuple[Longs, Longs], Doubles]]:
        """What rules that tire add to the scores of items.

        Args:
            rows: users who are alike.
            weights: shape (users, names).
            items: shape (users, n), -1 for none.

        Returns:
            by rule: its place among the names, where in `items`, and what is added there.
        """
        factor = factor_of(self.catalogue, weights)
        count = self.catalogue.items
        wanted = (np.arange(len(rows))[:, None] * count + items).ravel()
        wanted[items.ravel() < 0] = -1
        for one, pairs in self.rules.tired(rows, self.how(rows).rules):
            key = pairs.user * count + pairs.item
            order = np.argsort(key)
            there, place = places(key[order], wanted)
            row, column = np.divmod(there, items.shape[1])
            parts = pairs.score[order][place] * factor[row]
            yield self.declared + self.rules.by_score.index(one), (row, column), parts

    def _ranked(self, rows: Longs, batch: Batch, weights: Doubles) -> tuple[Ranking, Flags]:
        """The lists before rules about items that are in one list, and which places are taken."""
        how, k = self.how(rows), int(self.k[rows].max())
        constraints = self.rules.constraints(how.rules, k)
        if how.constraints is not None:
            constraints = constraints + self.query.constraints(how.constraints)
        list_of = functools.partial(
            rank, self.catalogue, weights=weights, diversify=how.diversify, constraints=constraints
        )
        pins: Longs | None = None
        missed: list[list[str]] = [[] for _ in rows]
        if any(one.kind in ("pin", "replace") for one in how.rules):
            replaced = None
            if any(one.kind == "replace" for one in how.rules):
                before = self.batch(rows, batch.history, replacing=False)
                assert before is not None  # more items may be listed than in `batch`
                replaced = list_of(before, k=k).item
            pins, missed = pinned(
                self.rules, how.rules, self.catalogue, batch, weights, k, constraints, replaced
            )
        explore = self._exploring(rows, how.explore, k) if how.explore else None
        found = list_of(batch, k=k, pins=pins, explore=explore)
        broken = (self.rules.broken[row] for row in rows)
        unmet = [[*a, *b, *c] for a, b, c in zip(found.unmet, missed, broken, strict=True)]
        taken: Flags = np.full(found.item.shape, how.explore > 0)
        if pins is not None:
            taken |= pins[:, : int(taken.shape[1])] >= 0
        return dataclasses.replace(found, unmet=unmet), taken


@dataclasses.dataclass(frozen=True)
class How:
    """How a list is to be: filter, way to diversify, constraints as JSON, rules, exploration."""

    predicate: str | None
    diversify: str
    constraints: str | None
    rules: tuple[Rule, ...]
    explore: float


def ranked_lists(asked: Asked) -> pa.Array:
    """The ranked list of each user of a chunk."""
    query = asked.query
    lists = Ranking.empty(asked.users, int(asked.k.max()), len(asked.names))
    for rows in asked.alike():
        batch = asked.batch(rows)
        if batch is not None:
            lists.put(rows, asked.ranked(rows, batch))
    history, labels = asked.history, asked.history.labels
    in_context = query.recommender.catalogue.model.in_context(labels.label)
    of_labels = labels.user[~in_context]
    known = np.concatenate([history.user, of_labels, history.friends.user, history.shown.user])
    personal = np.bincount(known, minlength=asked.users) > 0
    return _entries(lists, asked, personal)


def _exhausted(
    history: History, users: int, allowed: Selection | None, recommender: Recommender
) -> npt.NDArray[np.bool_]:
    """Which users know all items that may be listed, shape (users,)."""
    user, items = history.user, recommender.catalogue.items
    if allowed is not None:
        user, items = user[allowed.number[history.item] >= 0], len(allowed.items)
    out: npt.NDArray[np.bool_] = np.bincount(user, minlength=users) >= items
    return out


def _entries(lists: Ranking, asked: Asked, personal: npt.NDArray[np.bool_]) -> pa.Array:
    """Lists of up to k entries each, as DuckDB takes them."""
    width = lists.item.shape[1]
    objectives = len(asked.recommender.names)
    listed = (lists.item >= 0) & (np.arange(width) < asked.k[:, None])
    offsets = np.concatenate([[0], np.cumsum(listed.sum(axis=1))]).astype(np.int32)
    place = np.broadcast_to(np.arange(1, width + 1, dtype=np.int32), listed.shape)[listed]
    parts = lists.contributions[listed]
    contributions = pa.ListArray.from_arrays(
        pa.array(np.arange(len(parts) + 1, dtype=np.int32) * objectives),
        pa.array(parts[:, :objectives].ravel()),
    )
    row, column = np.nonzero(parts[:, objectives:])
    adjustments = pa.MapArray.from_arrays(
        pa.array(np.searchsorted(row, np.arange(len(parts) + 1)).astype(np.int32)),
        pa.array(asked.beside, pa.string()).take(pa.array(column)),
        pa.array(parts[row, objectives + column]),
    )
    unmet = pa.array(lists.unmet, pa.list_(pa.string()))
    user = np.nonzero(listed)[0]
    entries = pa.StructArray.from_arrays(
        [
            pa.array(place),
            asked.recommender.item_ids.take(pa.array(lists.item[listed])),
            pa.array(lists.score[listed]),
            contributions,
            unmet.take(pa.array(user)),
            pa.array(personal[user]),
            adjustments,
            pa.array(lists.propensity[listed]),
        ],
        names=[
            "rank", "item_id", "score", "contributions", "unmet", "personal", "adjustments",
            "propensity",
        ],
    )  # fmt: skip
    return pa.ListArray.from_arrays(pa.array(offsets), entries)


def lengths_of(ks: pa.Array) -> npt.NDArray[np.int64]:
    """Lengths of lists, or a MorecError."""
    return whole_numbers("k", ks, MAX_K)


def whole_numbers(
    argument: str, column: pa.Array, most: int | None = None
) -> npt.NDArray[np.int64]:
    """An argument that is a whole number from 1 on, up to some, or a MorecError."""
    allowed = f"is not a whole number from 1 {'on' if most is None else f'to {most}'}"
    if column.null_count:
        raise MorecError(f"{argument}: NULL {allowed}")
    values: npt.NDArray[np.float64] = column.to_numpy(zero_copy_only=False)
    good = (values >= 1) & (values <= (most or np.inf)) & (values == np.floor(values))
    for bad in values[~good]:
        raise MorecError(f"{argument}: {bad:g} {allowed}")
    return values.astype(np.int64)
