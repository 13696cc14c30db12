"""Rules applied to the lists of a query: which of them hold for whom, and what they come to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ..errors import MorecError
from ..udfs.history import DAY, Doubles, History, Longs
from ..udfs.numbers import spread
from ..udfs.ranking.catalogue import Batch, Catalogue, Pairs
from ..udfs.ranking.constraints import Constraint, fit
from ..udfs.ranking.lists import rank
from ..udfs.ranking.terms import TERMS
from .book import Book, Rules, moment
from .query import Query
from .rules import Broken, Rule

Flags = npt.NDArray[np.bool_]
RESTING = ("cooldown", "frequency")


class Applied:
    """The rules that hold for a chunk of users.

    Args:
        query: the query.
        users: their ids as text, None for nobody.
        named: the argument rules of each, as JSON.
        contexts: the argument context of each, as JSON.
        when: the moment of each list in seconds, NaN for now.
        of_rules: as in Limits.
    """

    def __init__(
        self,
        query: Query,
        users: Sequence[str | None],
        named: Sequence[str],
        contexts: Sequence[str],
        when: Doubles,
        of_rules: int | None,
    ) -> None:
        self.book: Book = query.kept.get("rules", lambda: Book(query, of_rules))
        self._query, self.users = query, users
        self.when = np.where(np.isnan(when), self.book.now, when)
        bases: dict[tuple[str, str, float], Rules] = {}
        of_row: list[Rules] = []
        for key in zip(named, contexts, self.when.tolist(), strict=True):
            if key not in bases:
                names, context, at = key
                chosen = self.book.chosen(json.loads(names), moment(at))
                self._check_context(chosen, context)
                bases[key] = tuple(
                    one for one in chosen
                    if isinstance(one, Broken) or self.book.in_context(one, context)
                )  # fmt: skip
            of_row.append(bases[key])
        real = {one for base in bases.values() for one in base if isinstance(one, Rule)}
        if any(one.users is not None for one in real):
            members = self.book.users(real, users)
            of_row = [
                tuple(
                    one for one in base
                    if isinstance(one, Broken) or one.users is None or (one.users, user) in members
                )
                for user, base in zip(users, of_row, strict=True)
            ]  # fmt: skip
        self.book.read(real)
        self._seen = {
            one: self.book.seen(one.seen, users, self.when) for one in real if one.seen is not None
        }
        for one in real:
            if one.tires is not None:
                self.book.learn(one.tires)
        why = {one: self.book.why_not(one) for base in bases.values() for one in base}
        sound: dict[Rules, tuple[Rule, ...]] = {}
        broken: dict[Rules, list[str]] = {}
        for rules in dict.fromkeys(of_row):
            sound[rules] = tuple(one for one in rules if isinstance(one, Rule) and why[one] is None)
            broken[rules] = [f"rule: {one.name}: {why[one]}" for one in rules if why[one]]
        self.of_row = [sound[rules] for rules in of_row]
        self.broken = [broken[rules] for rules in of_row]
        by_score = {one for rules in sound.values() for one in rules if _by_score(one)}
        self.by_score = sorted(by_score, key=lambda one: one.name)

    def _check_context(self, rules: Rules, context: str) -> None:
        """A context that nothing knows is a mistake."""
        model = self._query.recommender.catalogue.model
        if json.loads(context) is None or model.chosen.get("of_context"):
            return
        if not any(isinstance(one, Rule) and one.context for one in rules):
            raise MorecError("context: the recommender was made without context")

    def scores(self) -> list[Flags]:
        """Of which items the rules that change scores are: one each of by_score.

        Those that tire are of no item: what they add to pairs is put in their place afterwards.
        """
        none = np.zeros(self._query.recommender.catalogue.items, bool)
        return [self.book.of(one.items) if one.tires is None else none for one in self.by_score]

    def weights(self) -> Doubles:
        """What each of them adds to the scores of its items, shape (users, rules)."""
        signs = {"boost": 1.0, "bury": -1.0, "fatigue": 0.0}
        amounts = np.array([signs[one.kind] * one.amount for one in self.by_score])
        mine = {
            rules: amounts * np.array([one in rules for one in self.by_score], bool)
            for rules in set(self.of_row)
        }
        out = np.array([mine[rules] for rules in self.of_row])
        return out.reshape(len(self.of_row), len(self.by_score))

    def allowed(self, rules: tuple[Rule, ...], replace: bool) -> Flags | None:
        """Which items rules let into lists, shape (items,); None for all.

        Args:
            rules: those that hold.
            replace: whether items that others replace are left out, too.
        """
        out = None
        for one in rules:
            out_of = one.kind == "exclude" or (replace and one.kind == "replace")
            if out_of or one.kind == "include_only":
                mine = self.book.of(one.items)
                mine = ~mine if out_of else mine
                out = mine if out is None else out & mine
        return out

    def pairs(self, rules: tuple[Rule, ...], kind: str) -> list[tuple[Rule, tuple[Flags, Flags]]]:
        """The rules of a kind, with their items and the others that are not among these."""
        found = []
        for one in rules:
            if one.kind == kind:
                mine = self.book.of(one.items)
                found.append((one, (mine, self.book.of(one.others) & ~mine)))
        return found

    def constraints(self, rules: tuple[Rule, ...], k: int) -> list[Constraint]:
        """The constraints that rules put on lists of k items."""
        found = []
        for one in rules:
            if one.kind not in ("slots", "cap") and not one.share:
                continue
            values = self.book.of(one.items).astype(np.float64)
            if one.kind == "slots":
                first = None if one.first is None or one.first >= k else one.first
                found.append(Constraint(one.name, "slots", values, one.amount, first))
            elif one.kind == "boost":
                found.append(Constraint(one.name, "slots", values, np.ceil(one.amount * k - 1e-9)))
            else:
                limit = np.floor(one.amount * k + 1e-9) if one.share else one.amount
                found.append(Constraint(one.name, "cap", values - 1, limit))
        return found

    def left_out(
        self, rows: Longs, rules: tuple[Rule, ...], history: History, last: Doubles
    ) -> tuple[Longs, Longs] | None:
        """Pairs of a user and an item that a cooldown or frequency leaves out, None for none.

        Args:
            rows: the users, who are numbered by their place in it.
            rules: those that hold for them.
            history: of the users.
            last: when the last event of each pair was, in seconds, shape (pairs,).
        """
        users, items = [], []
        for one in rules:
            if one.kind not in RESTING:
                continue
            mine = self.book.of(one.items)
            if one.seen is None:
                recent = self.when[rows][history.user] - last < one.amount * DAY
                user, item = (of[recent].astype(np.int64) for of in (history.user, history.item))
                times = np.full(len(user), one.amount)
            else:
                user, item, times = self._times(one, rows)
            kept = mine[item]
            user, item, times = user[kept], item[kept], times[kept]
            if one.per is None:
                often = times >= one.amount
                user, item = user[often], item[often]
            else:
                category = self.book.categories(one.per)
                user, item = _of_categories(user, item, times, one.amount, category, mine)
            users.append(user)
            items.append(item)
        return (np.concatenate(users), np.concatenate(items)) if users else None

    def tired(self, rows: Longs, rules: tuple[Rule, ...]) -> Iterator[tuple[Rule, Pairs]]:
        """What rules that tire add to the log-odds of relevance, each for pairs that come once.

        Args:
            rows: the users, who are numbered by their place in it.
            rules: those that hold for them.
        """
        for one in rules:
            if one.tires is not None:
                user, item, times = self._times(one, rows)
                kept = self.book.of(one.items)[item]
                score = self.book.fatigue(one.tires, times[kept])
                less = score != 0
                yield one, Pairs(user[kept][less], item[kept][less], score[less])

    def _times(self, rule: Rule, rows: Longs) -> tuple[Longs, Longs, Doubles]:
        """How often users, by their place in `rows`, saw an item, by the table of a rule."""
        place = np.full(len(self.users), -1)
        place[rows] = np.arange(len(rows))
        user, item, times = self._seen[rule]
        mine = place[user]
        return mine[mine >= 0], item[mine >= 0], times[mine >= 0]


def pinned(
    applied: Applied,
    rules: tuple[Rule, ...],
    catalogue: Catalogue,
    batch: Batch,
    weights: Doubles,
    k: int,
    constraints: list[Constraint],
    replaced: Longs | None,
) -> tuple[Longs, list[list[str]]]:
    """The items that have a place in the lists of users who are alike.

    Args:
        applied: the rules.
        rules: those that hold for the users, the most important first.
        catalogue: what is ranked.
        batch: the users.
        weights: shape (users, columns).
        k: length of the lists.
        constraints: on the lists.
        replaced: the lists as they would be with the items that others replace, (users, k).

    Returns:
        the items by place, shape (users, k), -1 where none has it, and by user what rules cannot be
        followed.
    """
    places = np.full((batch.users, k), -1)
    missed: list[list[str]] = [[] for _ in range(batch.users)]
    for one in rules:
        if one.kind == "pin":
            place = int(one.amount) - 1
            wanted = [[place] if place < k else [] for _ in missed]
            items = applied.book.of(one.items)
        elif one.kind == "replace" and replaced is not None:
            gone = (replaced >= 0) & applied.book.of(one.items)[replaced]
            wanted = [np.flatnonzero(mine).tolist() for mine in gone]
            items = applied.book.of(one.others)
        else:
            continue
        best = _best(catalogue, batch, weights, items, k)
        for user, at in enumerate(wanted):
            for place in at:
                mine = places[user]
                free = (
                    item for item in best[user]
                    if item >= 0 and item not in mine
                    and fit(np.append(mine[mine >= 0], item), constraints)
                )  # fmt: skip
                item = next(free, -1) if mine[place] < 0 else -1
                if item < 0:
                    missed[user].append(f"rule: {one.name}")
                    break
                mine[place] = item
    return places, missed


def _best(catalogue: Catalogue, batch: Batch, weights: Doubles, items: Flags, k: int) -> Longs:
    """The best of some items that may be listed, shape (users, up to k)."""
    if batch.allowed is not None:
        items = items & (batch.allowed.number >= 0)
    if not items.any():
        return np.full((batch.users, 1), -1)
    chosen = np.flatnonzero(items)
    some = batch.among(catalogue.only(chosen))
    pointwise = weights.copy()
    pointwise[:, catalogue.of_kind(*TERMS)] = 0
    return rank(catalogue, some, pointwise, min(k, len(chosen))).item


def _by_score(rule: Rule) -> bool:
    return rule.tires is not None or (rule.kind in ("boost", "bury") and not rule.share)


def _of_categories(
    user: Longs, item: Longs, times: Doubles, least: float, category: Longs, mine: Flags
) -> tuple[Longs, Longs]:
    """The pairs of users and all items, of those `mine`, of categories that they have so often.

    Args:
        user: of each pair.
        item: of each pair.
        times: how often the user has it.
        least: how often the pairs of a category have to be there, together.
        category: of each item, -1 without one.
        mine: the items.
    """
    known = category[item] >= 0
    count = int(category.max(initial=0)) + 1
    key, place = np.unique(user[known] * count + category[item[known]], return_inverse=True)
    often = np.bincount(place, times[known], minlength=len(key)) >= least
    of_user, of_category = np.divmod(key[often], count)
    listed = np.zeros(count + 1, bool)  # the last is for items without one
    listed[of_category] = True
    order = np.flatnonzero(mine & listed[category])
    order = order[np.argsort(category[order], kind="stable")]
    wanted = np.asarray(of_category)
    starts = np.searchsorted(category[order], wanted)
    ends = np.searchsorted(category[order], wanted, side="right")
    places, which = spread(starts, ends)
    return of_user[which], order[places]
