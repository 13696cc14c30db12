"""The rules of a query: read once, and what they say of items and users."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..arrays import whole
from ..errors import MorecError, nearest, reason, shown
from ..session import Latest
from ..source.expressions import depend_on
from ..templates import first_row, identifier, sql, type_of
from ..udfs.history import Doubles, Longs, bounds
from ..udfs.numbers import spread
from .impressions import ENOUGH, impressions
from .query import MOST_EVENTS, Query
from .rules import Broken, Rule, Seen, in_context, rules_of

Flags = npt.NDArray[np.bool_]
TIMED = ("cooldown", "fatigue")  # kinds that go by when events were
FEW = 32  # users of whom a table is asked for their rows alone
TABLES = 16  # of what was shown, that are kept for a query
EPOCH = datetime.datetime(1970, 1, 1)
Rules = tuple[Rule | Broken, ...]


@dataclasses.dataclass(frozen=True)
class _Everybody:
    """How often a table of what was shown has each item for each user.

    users are texts, sorted, whose items start at starts, shape (users + 1,).
    """

    users: pa.Array
    starts: Longs
    item: Longs
    times: Doubles

    @staticmethod
    def read(con: duckdb.DuckDBPyConnection, parts: dict[str, str], at: float) -> _Everybody | None:
        """Read it as of a moment, in seconds; None where it would be too much to keep."""
        row = first_row(con, f"SELECT count(*) FROM {parts['table']}")
        if row is None or row[0] > MOST_EVENTS:
            return None
        query = con.sql(sql("answer/seen_by_all", **parts), params={"moment": moment(at)})
        table = query.to_arrow_table()
        user = whole(table.column("user")).dictionary_encode()
        # sorted, so that the numbers of users ascend
        starts = bounds(user.indices.to_numpy(), len(user.dictionary))
        item, times = (table.column(one).to_numpy() for one in ("item", "times"))
        return _Everybody(user.dictionary, starts, item, times)

    def of(self, users: Sequence[str | None]) -> dict[str, npt.NDArray[Any]]:
        """The rows of some users: place among them, item, and how often."""
        place = pc.index_in(pa.array(users, pa.string()), self.users).fill_null(-1).to_numpy()
        known = np.flatnonzero(place >= 0)
        at, which = spread(self.starts[place[known]], self.starts[place[known] + 1])
        return {"row": known[which], "item": self.item[at], "times": self.times[at]}


def moment(seconds: float) -> datetime.datetime:
    """A moment that is given in seconds."""
    return EPOCH + datetime.timedelta(seconds=seconds)


class Book:
    """The rules of a query: all that there are, read once, and what they say of the items.

    Args:
        query: the query.
        of_rules: by which rules that were read before are known, as in Limits.
    """

    def __init__(self, query: Query, of_rules: int | None) -> None:
        self._query, self._of_rules = query, of_rules
        self.now = (datetime.datetime.now() - EPOCH).total_seconds()
        self._seen: Latest[_Everybody | None] = Latest(TABLES)
        self._values: dict[str, npt.NDArray[Any]] = {}
        self._broken: dict[str, str] = {}
        self._contexts: dict[tuple[str, str], bool] = {}
        self._fatigue: dict[Seen, Doubles] = {}
        self._untaught: dict[Seen, str] = {}

    @functools.cached_property
    def rules(self) -> list[Rule | Broken]:
        """All that there are, those of the highest priority first."""
        kept = self._query.recommender.kept
        of_rules, found = kept.book
        if self._of_rules == 0:
            found = []
        elif self._of_rules is None or self._of_rules != of_rules:
            with self._query.connect() as con:
                kept.book = _, found = rules_of(con, self._query.name, kept.rules)
        if not found:
            kept.columns = frozenset()
        return found

    def chosen(self, named: Any, when: datetime.datetime) -> Rules:
        """The rules in force at a time; or those that a query names, whatever the time.

        Args:
            named: None or true for those in force, false for none, or a list of names.
            when: the moment of the list.
        """
        if named is False:
            return ()
        if named is None or named is True:
            return tuple(
                one for one in self.rules
                if (one.holds(when) if isinstance(one, Rule) else one.enabled)
            )  # fmt: skip
        if not isinstance(named, list):
            raise MorecError(
                f"rules: {shown(named)} is neither true nor false nor a list of names of rules"
            )
        known = {one.name: one for one in self.rules}
        for name in named:
            if name not in known:
                raise MorecError(f"rules: {shown(name)} is no rule; {nearest(str(name), known)}")
        return tuple(one for one in self.rules if one.name in named)

    def users(self, rules: Iterable[Rule], users: Sequence[str | None]) -> set[tuple[str, str]]:
        """The predicates of rules over the users, and the users of whom they are true."""
        asked = sorted({user for user in users if user is not None})
        found: set[tuple[str, str]] = set()
        schema = identifier(self._query.name)

        def run(predicates: list[str]) -> None:
            with self._query.connect() as con:
                columns = ", ".join(f"({one}) AS _value_{n}" for n, one in enumerate(predicates))
                kind = type_of(con, "user_id", f"{schema}.users")
                parts = {"schema": schema, "columns": columns, "user_type": kind}
                rows = con.execute(sql("answer/users_matched", **parts), [asked]).fetchall()
            for user, *values in rows:
                mine = zip(predicates, values, strict=True)
                found.update((predicate, user) for predicate, holds in mine if holds)

        predicates = sorted({one.users for one in rules if one.users is not None})
        if asked and predicates:
            self._each(predicates, run)
        return found

    def in_context(self, rule: Rule, context: str) -> bool:
        """Whether the context of a query, as JSON, is that of a rule."""
        if rule.context is None:
            return True
        key = rule.context, context
        if key not in self._contexts:
            try:
                with self._query.connect() as con:
                    given = json.loads(context) or {}
                    self._contexts[key] = in_context(con, rule.context, given)
            except MorecError as error:
                self._contexts[key], self._broken[rule.context] = False, str(error)
        return self._contexts[key]

    def read(self, rules: Iterable[Rule]) -> None:
        """Evaluate what rules say of the items, where that was not done yet."""
        kinds = {text: "BOOLEAN" for one in rules for text in (one.items, one.others) if text}
        kinds |= {one.per: "VARCHAR" for one in rules if one.per}

        def run(texts: list[str]) -> None:
            columns = [f"CAST(({one}) AS {kinds[one]})" for one in texts]
            found = self._query.values(columns)
            for text, column in zip(texts, found, strict=True):
                if kinds[text] == "VARCHAR":
                    codes = column.indices.fill_null(-1)
                    column = codes.to_numpy(zero_copy_only=False)
                self._values[text] = column

        new = sorted(kinds.keys() - self._values.keys() - self._broken.keys())
        if new:
            self._query.recommender.kept.columns = depend_on(new) or frozenset()
            self._each(new, run)

    def _each(self, texts: list[str], run: Callable[[list[str]], None]) -> None:
        """Evaluate all at once, and one by one where that fails, so that one spoils no other."""
        try:
            run(texts)
        except duckdb.InterruptException:
            raise
        except duckdb.Error as error:
            if len(texts) == 1:
                self._broken[texts[0]] = reason(error)
                return
            for text in texts:
                self._each([text], run)

    def seen(
        self, seen: Seen, users: Sequence[str | None], when: Doubles
    ) -> tuple[Longs, Longs, Doubles]:
        """What users saw of late: place among the users, item, and how often.

        Args:
            seen: where that is.
            users: their ids as text.
            when: the moment of each in seconds.
        """
        found: dict[str, Any] = {"row": [], "item": [], "times": []}

        def everybody() -> _Everybody | None:
            with self._query.connect() as con:
                return _Everybody.read(con, self._parts(con, seen), float(when[0]))

        def run(_: list[str]) -> None:
            # so many users are read by going through the table, as all of them are
            if len(users) > FEW and len({*when.tolist()}) == 1:
                of_all = self._seen.get((seen, float(when[0])), everybody)
                if of_all is not None:
                    found.update(of_all.of(users))
                    return
            with self._query.connect() as con:
                query = sql("answer/seen_often", **self._parts(con, seen))
                given = {"users": list(users), "moments": list(map(moment, when.tolist()))}
                found.update(con.execute(query, given).fetchnumpy())

        self._each([seen.table], run)
        row, item, times = (np.asarray(found[one]) for one in ("row", "item", "times"))
        return row.astype(np.int64), item.astype(np.int64), times.astype(np.float64)

    def _parts(self, con: duckdb.DuckDBPyConnection, seen: Seen) -> dict[str, str]:
        """What the SQL that reads a table of what was shown has to know."""
        catalogue = self._query.recommender.where.item_vectors
        return {
            "table": seen.table,
            "user_id": seen.user_id,
            "item_id": seen.item_id,
            "at": seen.at,
            "days": str(seen.days),
            "catalogue": catalogue,
            "user_type": type_of(con, "user_id", f"{identifier(self._query.name)}.events"),
            "item_type": type_of(con, "item_id", catalogue),
        }

    def learn(self, seen: Seen) -> None:
        """Learn what being shown before does, of a table of what was shown: once for a query.

        It is learnt anew when the table is twice as long, and what is in the way is kept as well.
        """
        if seen in self._fatigue or seen in self._untaught:
            return

        def work() -> Doubles | str:
            with self._query.connect() as con:
                parts, days = seen.parts, seen.days
                events = f"{identifier(self._query.name)}.events"
                try:
                    return impressions(con, events, parts, days, most=ENOUGH).fatigue
                except MorecError as error:
                    return str(error)

        def run(_: list[str]) -> None:
            with self._query.connect() as con:
                row = first_row(con, f"SELECT count(*) FROM {seen.table}")
            key = "fatigue", *dataclasses.astuple(seen), int(row[0]).bit_length() if row else 0
            found = self._query.recommender.kept.foretold.get(key, work)
            if isinstance(found, str):
                self._untaught[seen] = found
            else:
                self._fatigue[seen] = found

        self._each([seen.table], run)

    def fatigue(self, seen: Seen, times: Doubles) -> Doubles:
        """What is added to the log-odds of pairs that were shown so often."""
        learnt = self._fatigue[seen]
        return learnt[np.minimum(times, len(learnt) - 1).astype(np.int64)]

    def why_not(self, rule: Rule | Broken) -> str | None:
        """Why a rule, whose texts were evaluated, cannot be applied; None where it can."""
        if isinstance(rule, Broken):
            return rule.why
        texts = [rule.items, rule.others, rule.per, rule.users, rule.context]
        texts += [rule.seen.table] if rule.seen is not None else []
        if rule.kind in TIMED and self._query.recommender.clock.timeless:
            return "the recommender was made without event_time"
        found = next((self._broken[text] for text in texts if text in self._broken), None)
        if found is None and rule.tires is not None:
            found = self._untaught.get(rule.tires)
        if found is None and rule.kind == "include_only" and not self.of(rule.items).any():
            found = "no item is included"
        return found

    def of(self, text: str | None) -> Flags:
        """Of which items a predicate is true, shape (items,)."""
        if text is None:
            return np.ones(self._query.recommender.catalogue.items, bool)
        return self._values[text]

    def categories(self, text: str) -> Longs:
        """The number of each item's category, -1 without one."""
        return self._values[text].astype(np.int64)
