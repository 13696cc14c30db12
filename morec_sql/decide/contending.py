"""Who lists are for, and the items that contend for them at prices."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..answer.query import Query
from ..answer.ranked import Asked
from ..arrays import listed, whole
from ..catalog.users import users_named
from ..catalog.versions import in_use, label_packed
from ..errors import MorecError, reason, shown
from ..source.checks import truth
from ..templates import arrow, first_row, identifier, sql
from ..udfs.history import Doubles, Floats, Longs
from ..udfs.ranking.catalogue import Catalogue, Selection
from ..udfs.ranking.lists import rank
from ..udfs.ranking.terms import TERMS

AT_ONCE = 2048  # users, as many as DuckDB passes


def users_of(query: Query, given: Any) -> pa.Array:
    """The users that the argument users is about, as texts; None for all that are known.

    Raises:
        MorecError: it is neither a table, a view nor a query with a column of users.
    """
    with query.connect() as con:
        try:
            return whole(arrow(con, users_named(con, query.name, given)).column(0))
        except duckdb.InterruptException:
            raise
        except duckdb.Error as error:
            raise MorecError(f"users: {shown(given)} cannot be read: {reason(error)}") from None


def labels_of_context(query: Query, context: Any) -> pa.Array:
    """The labels of the argument context, as histories have them.

    Raises:
        MorecError: it says what the recommender was not made with.
    """
    nothing = pa.array([], pa.decimal128(38, 0))
    if context is None:
        return nothing
    with query.connect() as con:
        number = in_use(con, query.name)
        archive = f"{identifier(query.name)}.archive"
        row = number and first_row(con, f"SELECT context FROM {archive} WHERE id = {number}")
        if not row or row[0] is None:
            return nothing
        labels = sql("decide/labels_of_context", given=row[0], packed=label_packed())
        try:
            table = con.sql(labels, params=[json.dumps(context)]).to_arrow_table()
        except duckdb.InvalidInputException as error:
            raise MorecError(reason(error)) from None
    return whole(table.column(0))


def _with_labels(histories: pa.Array, labels: pa.Array) -> pa.Array:
    """Histories with labels behind their events."""
    if not len(labels):
        return histories
    lengths = pc.list_value_length(histories).fill_null(0).to_numpy()
    values = pa.concat_arrays([histories.flatten(), labels])
    events = len(values) - len(labels)
    own = np.arange(events, len(values))
    places = np.repeat(np.cumsum(lengths), len(labels))
    order = np.insert(np.arange(events), places, np.tile(own, len(lengths)))
    return listed(lengths + len(labels), values.take(pa.array(order)))


@dataclasses.dataclass
class Contending:
    """Finds the items that contend for the lists of users, whatever the prices.

    Args:
        query: the query.
        users: the users, as texts.
        given: the arguments weights, filter, exclude_seen, diversify, context, rules and as_of.
    """

    query: Query
    users: pa.Array
    given: dict[str, Any]

    def __post_init__(self) -> None:
        if self.given["exclude_seen"] is not None:
            truth("exclude_seen", self.given["exclude_seen"])
        self.listwise = False
        self._context = labels_of_context(self.query, self.given.get("context"))
        self._priced: dict[Catalogue, Catalogue] = {}
        self._selections: dict[tuple[Catalogue, Selection], Selection] = {}

    @property
    def items(self) -> int:
        """How many there are."""
        return self.query.recommender.catalogue.items

    def find(
        self, rows: Longs, width: int, price: Doubles | None = None
    ) -> tuple[Longs, Floats, Floats]:
        """The best items of some users by score less price, as of passes.Contends."""
        self._priced, self._selections = {}, {}
        width = min(width, self.items)
        item = np.zeros((len(rows), width), np.int64)
        score = np.full((len(rows), width), -np.inf, np.float32)
        rest = np.full(len(rows), -np.inf, np.float32)
        for first in range(0, len(rows), AT_ONCE):
            place = np.arange(first, min(first + AT_ONCE, len(rows)))
            self._some(rows[place], place, price, item, score, rest)
        return item, score, rest

    def _some(
        self,
        rows: Longs,
        place: Longs,
        price: Doubles | None,
        item: Longs,
        score: Floats,
        rest: Floats,
    ) -> None:
        """Fill in what is found for a chunk of users."""
        users = self.users.take(pa.array(rows))
        given, count = self.given, len(users)
        limited = json.dumps({"rules": given["rules"], "context": given.get("context")})
        weights = None if given["weights"] is None else json.dumps(given["weights"])
        asked = Asked(
            self.query,
            _with_labels(self.query.histories(users), self._context),
            _repeated(given["as_of"], count, pa.float64()),
            _repeated(weights, count, pa.string()),
            _repeated(float(item.shape[1]), count, pa.float64()),
            _repeated(given["filter"], count, pa.string()),
            _repeated(given["exclude_seen"], count, pa.bool_()),
            _repeated(given["diversify"], count, pa.string()),
            pa.array([f"{limited}\n{user}" for user in users.to_pylist()]),
        )
        for mine in asked.alike():
            batch = asked.batch(mine)
            if batch is None:
                continue
            catalogue, weighed = asked.catalogue, asked.weights[mine]
            self.listwise |= bool(weighed[:, catalogue.of_kind(*TERMS)].any())
            there = catalogue.items if batch.allowed is None else len(batch.allowed.items)
            if price is not None:
                catalogue = self._at(catalogue, price)
                weighed = np.column_stack([weighed, np.full(len(mine), -1.0)])
                if batch.allowed is not None:
                    batch = dataclasses.replace(batch, allowed=self._of(catalogue, batch.allowed))
            depth = min(item.shape[1], there)
            found = rank(catalogue, batch, weighed, depth, asked.how(mine).diversify)
            reduced = np.where(found.item < 0, -np.inf, found.score)
            if there > depth:
                rest[place[mine]] = reduced.min(axis=1)
            paid = 0.0 if price is None else price[found.item]
            item[place[mine], :depth] = np.maximum(found.item, 0)
            score[place[mine], :depth] = reduced + paid

    def _at(self, catalogue: Catalogue, price: Doubles) -> Catalogue:
        """A catalogue with the prices as a further objective."""
        if catalogue not in self._priced:
            self._priced[catalogue] = catalogue.beside(price[:, None])
        return self._priced[catalogue]

    def _of(self, catalogue: Catalogue, allowed: Selection) -> Selection:
        """The same items of a catalogue with prices."""
        if (catalogue, allowed) not in self._selections:
            self._selections[catalogue, allowed] = catalogue.only(allowed.items)
        return self._selections[catalogue, allowed]


def _repeated(value: Any, count: int, kind: pa.DataType) -> pa.Array:
    return pa.repeat(pa.scalar(value, kind), count)
