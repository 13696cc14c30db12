"""What a query needs beside the users: read once, and given to the functions that macros call."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..arrays import alike, whole
from ..catalog.objectives import stored_weights
from ..catalog.recommenders import check_here
from ..catalog.versions import history_parts
from ..errors import MorecError, shown
from ..registry import udf
from ..session import Connect, Latest, Session
from ..source.expressions import depend_on
from ..templates import first_row, identifier, sql, type_of
from ..udfs.device import share_of_cores
from ..udfs.ranking.catalogue import Catalogue, Selection
from ..udfs.ranking.constraints import Constraint
from ..udfs.ranking.pairs import PairScores
from .constraints import constraints
from .filters import filtered, items_of, values_of_items
from .recommender import Recommender, Recommenders, load_recommender

BATCHES = 256  # of few users each, whose scores are kept for further pairs
MOST_HISTORIES = 200_000  # that a query keeps
LOOKUPS = 12  # of users, after which a query has those of all looked up if they are not too many
MOST_EVENTS = 20_000_000  # of all users, to be looked up together
MOST_TEXTS = 1000  # of constraints, of which is known what they read
QUERIES = 4  # whose filters and constraints are kept, the latest so many of each


@functools.cache
def _ahead() -> ThreadPoolExecutor:
    """The thread that looks ahead: starting one takes as long as what it does."""
    return ThreadPoolExecutor(1)


class Query:
    """What a query needs of a recommender beside the users, read once for all of its chunks.

    So all of them see the same default weights and items, too.

    Args:
        connect: gives a connection to the database of the recommender, to read by.
        recommender: the recommender, loaded.
        name: its name.
    """

    def __init__(
        self,
        connect: Connect,
        recommender: Recommender,
        name: str,
    ) -> None:
        self.connect, self.recommender, self.name = connect, recommender, name
        self.kept: Latest[Any] = Latest(QUERIES)
        self.scores: Latest[PairScores] = Latest(BATCHES)
        self._histories: dict[str | None, pa.Array] = {}
        self._nothing = pa.nulls(1, pa.list_(pa.decimal128(38, 0)))
        self._lookups = 0
        self._lock = Lock()
        self._defaults: Latest[list[float]] = Latest(1)
        self._filters: Latest[npt.NDArray[np.bool_]] = Latest(QUERIES)
        self._constraints: Latest[list[Constraint]] = Latest(QUERIES)
        self._sums: Latest[tuple[Any, ...] | None] = Latest(QUERIES)

    def default_weights(self) -> list[float]:
        """The default weights as they are stored."""

        def read() -> list[float]:
            with self.connect() as con:
                objectives = self.recommender.where.objectives
                return stored_weights(con, objectives, self.recommender.names)

        return self._defaults.get(None, read)

    def histories(self, users: pa.Array) -> pa.Array:
        """The histories of users, by their ids as text, each looked up once; NULL without any."""
        asked = users.to_pylist()
        with self._lock:
            if len(self._histories) > MOST_HISTORIES:
                self._histories = {}
            new = sorted({user for user in asked if user is not None} - self._histories.keys())
            if new:
                self._histories |= self._look_up(new)
            kept = [self._histories.get(user, self._nothing) for user in asked]
        return pa.concat_arrays(kept)

    def _look_up(self, users: list[str]) -> dict[str | None, pa.Array]:
        """The histories of users, and of all where it has been done often already."""
        self._lookups += 1
        with self.connect() as con:
            schema = identifier(self.name)
            if self._lookups == LOOKUPS:
                row = first_row(con, sql("answer/users_and_events", schema=schema))
                assert row is not None
                everybody, events = row
                if events <= MOST_EVENTS and len(everybody) <= MOST_HISTORIES:
                    users = sorted({*users, *everybody})
            user_type = type_of(con, "user_id", f"{schema}.events")
            parts = history_parts(schema, user_type, self.recommender.catalogue.model.chosen)
            history = sql("answer/history_of_user", **parts)
            table = con.sql(
                sql("answer/histories_of_users", history=history), params=[users]
            ).to_arrow_table()
        names, lists = (whole(column) for column in table.columns)
        self._nothing = pa.nulls(1, lists.type)
        return {name: lists.slice(row, 1) for row, name in enumerate(names.to_pylist())}

    def kept_by(self, predicate: str | None) -> npt.NDArray[np.bool_]:
        """Which items a filter keeps, of those that are recommended, shape (items,)."""
        recommender = self.recommender

        def read() -> npt.NDArray[np.bool_]:
            out = np.zeros(recommender.catalogue.items, bool)
            with self.connect() as con:
                items = filtered(con, self.name, predicate or "", recommender.where.item_vectors)
            out[items] = True
            return out & recommender.listed

        return recommender.listed if predicate is None else self._filters.get(predicate, read)

    def only(
        self,
        predicate: str | None,
        catalogue: Catalogue,
        further: npt.NDArray[np.bool_] | None = None,
    ) -> Selection | None:
        """The items that a filter keeps, of those that are recommended; None for all there are.

        Args:
            predicate: the filter.
            catalogue: the recommender's, or that with further columns.
            further: which items are kept besides, shape (items,).
        """
        kept = self.kept_by(predicate)
        if further is not None:
            kept = kept & further
        # the same items are often asked for by query after query
        key = catalogue, np.packbits(kept).tobytes()
        return self.recommender.kept.selections.get(key, lambda: catalogue.listed(kept))

    def values(self, columns: list[str]) -> list[Any]:
        """The values of expressions over the items, written by sqlglot, as of values_of_items.

        They are kept while the columns that they depend on are as they were.

        Raises:
            duckdb.Error: one cannot be evaluated.
        """
        of = self.recommender

        def work() -> list[Any]:
            with self.connect() as con:
                count = of.catalogue.items
                return values_of_items(con, self.name, columns, of.where.item_vectors, count)

        read = depend_on(columns)
        if read is None:
            return work()
        return of.kept.values.get((tuple(columns), self.sum_of(read)), work)

    def sum_of(self, columns: frozenset[str]) -> tuple[Any, ...] | None:
        """What changes where some columns of the items do; it is worked out once for a query.

        Raises:
            duckdb.Error: they cannot be read.
        """

        def work() -> tuple[Any, ...] | None:
            listed = ", ".join(map(identifier, sorted({"item_id", *columns})))
            query = sql("answer/items_checked", schema=identifier(self.name), columns=listed)
            with self.connect() as con:
                return first_row(con, query)

        return self._sums.get(columns, work)

    def look_ahead(self, rules: bool, constraints: Iterable[str]) -> None:
        """Begin with sums over the columns that were read before, in another thread.

        Args:
            rules: whether those that rules read are among these.
            constraints: as JSON, those whose columns are.
        """
        kept = self.recommender.kept
        wanted = {kept.read_by.get(text) for text in constraints}
        if rules and kept.columns:
            wanted.add(kept.columns)

        def look(columns: frozenset[str]) -> None:
            # who needs it meets the same error
            with contextlib.suppress(MorecError, duckdb.Error):
                self.sum_of(columns)

        for columns in wanted:
            if columns is not None:
                _ahead().submit(look, columns)

    def constraints(self, text: str) -> list[Constraint]:
        """The constraints that the JSON `text` states, kept while the items are as they were."""
        of = self.recommender

        def read() -> list[Constraint]:
            with self.connect() as con:
                items = items_of(con, self.name)
                found, written = constraints(con, text, items, of.raw, self.values)
            read_by = of.kept.read_by
            columns = depend_on(written)
            if columns is not None:
                if len(read_by) > MOST_TEXTS:
                    read_by.clear()
                read_by[text] = columns
            return found

        def work() -> list[Constraint]:
            columns = of.kept.read_by.get(text)
            if columns is None:
                return read()
            try:
                key = text, self.sum_of(columns)
            except duckdb.BinderException:  # a column is gone, which is said where it is read
                return read()
            return of.kept.constraints.get(key, read)

        return self._constraints.get(text, work)


class Queries(Latest[Query]):
    """The latest queries, by their number, database and version of the recommender."""

    def __init__(self) -> None:
        super().__init__(QUERIES)


def new_query(session: Session, catalog: str, name: str, version: str | None = None) -> Query:
    """A query of a recommender.

    Args:
        session: of the database instance.
        catalog: the database.
        name: the recommender.
        version: the training of the version in use, and behind / another version that is asked for;
            by default that which is in use now.
    """
    connect = functools.partial(session.reader, catalog)
    if version is None:
        with connect() as con:
            row = first_row(con, f"SELECT version FROM {identifier(catalog, name)}.settings")
        assert row is not None
        version = row[0]

    def load() -> Recommender:
        present, _, number = version.partition("/")
        with connect() as cursor:
            check_here(cursor, catalog, name, present)
            return load_recommender(cursor, name, present, number or None)

    recommenders = session.shared(Recommenders)
    return Query(connect, recommenders.get((catalog, name, version), load), name)


def query_of(session: Session, catalog: str, name: str, version: str, query: int) -> Query:
    """The query that a macro of a recommender is called in; `query` is a number of it."""
    return session.shared(Queries).get(
        (query, catalog, version), lambda: new_query(session, catalog, name, version)
    )


def query_udf(
    name: str, takes: list[str], returns: str
) -> Callable[[Callable[..., pa.Array]], Callable[..., pa.Array]]:
    """Declare function(query, *columns), which the macros of recommenders call.

    They pass database, recommender, version and a number of the query before the columns, as they
    are for query_of; all but the version are the same in all rows.

    Args:
        name: of the function in SQL.
        takes: the SQL types of the columns.
        returns: the SQL type of what it gives.
    """

    def declare(function: Callable[..., pa.Array]) -> Callable[..., pa.Array]:
        @functools.wraps(function)
        def of_query(session: Session, *columns: pa.Array) -> pa.Array:
            catalog, name, _, number = (column[0].as_py() for column in columns[:4])

            def answer(version: str, mine: tuple[pa.Array, ...]) -> pa.Array:
                query = query_of(session, catalog, name, version, number)
                with share_of_cores():
                    return function(query, *mine)

            if alike(columns[2]):
                return answer(columns[2][0].as_py(), columns[4:])
            versions = columns[2].dictionary_encode()
            index = versions.indices.to_numpy()
            rows = [np.flatnonzero(index == place) for place in range(len(versions.dictionary))]
            found = [
                answer(version, tuple(column.take(pa.array(mine)) for column in columns[4:]))
                for version, mine in zip(versions.dictionary.to_pylist(), rows, strict=True)
            ]
            return pa.concat_arrays(found).take(pa.array(np.argsort(np.concatenate(rows))))

        udf(name, ["VARCHAR", "VARCHAR", "VARCHAR", "UBIGINT", *takes], returns)(of_query)
        return function

    return declare


def item_of(recommender: Recommender, name: str | None, index: int | None) -> int:
    """The number of an item that a macro was given, or a MorecError."""
    number = -1 if index is None else int(recommender.known(np.array([index]))[0])
    if number < 0:
        came = "NULL" if name is None else shown(name)
        raise MorecError(f"item_id: {came} is not an item of the catalogue")
    return number
