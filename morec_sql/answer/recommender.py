"""A recommender in memory, and what a query needs of it beside the users."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..arrays import alike, matrix, whole
from ..catalog.installed import VERSION, is_newer
from ..catalog.objectives import stored_weights
from ..catalog.recommenders import check_here
from ..catalog.versions import Relations, in_use, kept, relations, version_of
from ..errors import MorecError, shown
from ..registry import udf
from ..session import Latest, Session
from ..templates import arrow, first_row, identifier, literal, sql, transaction, type_of
from ..udfs.device import prefetch, share_of_cores
from ..udfs.history import Clock, Longs
from ..udfs.ranking.catalogue import Catalogue, Selection
from ..udfs.ranking.constraints import Constraint
from ..udfs.ranking.likeness import Scale
from ..udfs.ranking.lists import PairScores
from ..udfs.relevance.model import RelevanceModel
from ..udfs.relevance.repeats import RepeatModel
from .constraints import constraints
from .filters import filtered, items_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

CACHED = 8  # recommenders kept in memory
BATCHES = 256  # of few users each, whose scores are kept for further pairs
MOST_HISTORIES = 200_000  # that a query keeps
LOOKUPS = 12  # of users, after which a query has those of all looked up if they are not too many
MOST_EVENTS = 20_000_000  # of all users, to be looked up together
QUERIES = 4  # whose filters and constraints are kept, the latest so many of each


@dataclasses.dataclass(frozen=True)
class Recommender:
    """A version of a recommender in memory.

    where is where it is kept; numbers are its numbers of the items of the version in use, from
    which SQL takes what it passes, -1 for those that it lacks, None for the same; kept is what some
    queries need of it only.
    """

    where: Relations
    numbers: Longs | None
    catalogue: Catalogue
    item_ids: pa.Array
    names: list[str]
    raw: dict[str, npt.NDArray[np.float64]]
    listed: npt.NDArray[np.bool_]
    exclude_seen: bool
    clock: Clock
    kept: Latest[Any] = dataclasses.field(default_factory=lambda: Latest(1))

    def known(self, items: Longs) -> Longs:
        """The numbers of items that SQL passes as those of the version in use, -1 for unknown ones.

        Some may have come since the recommender was read.
        """
        if self.numbers is not None:
            items = np.append(self.numbers, -1)[np.minimum(items, len(self.numbers))]
        if len(items) and items.max() >= self.catalogue.items:
            items = np.where(items < self.catalogue.items, items, -1)
        return items


class Query:
    """What a query needs of a recommender beside the users, read once for all of its chunks.

    So all of them see the same default weights and items, too.

    Args:
        connect: opens a connection to the database of the recommender.
        recommender: the recommender, loaded.
        name: its name.
    """

    def __init__(
        self,
        connect: Callable[[], duckdb.DuckDBPyConnection],
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
        self._selections: Latest[Selection | None] = Latest(QUERIES)
        self._constraints: Latest[list[Constraint]] = Latest(QUERIES)

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
            history = sql("answer/history_of_user", schema=schema, user_type=user_type)
            table = con.sql(
                sql("answer/histories_of_users", history=history), params=[users]
            ).to_arrow_table()
        names, lists = (whole(column) for column in table.columns)
        self._nothing = pa.nulls(1, lists.type)
        return {name: lists.slice(row, 1) for row, name in enumerate(names.to_pylist())}

    def only(self, predicate: str | None) -> Selection | None:
        """The items that a filter keeps, of those that are recommended; None for all there are."""
        recommender = self.recommender

        def read() -> Selection | None:
            if predicate is None:
                return recommender.catalogue.listed(recommender.listed)
            with self.connect() as con:
                items = filtered(con, self.name, predicate, recommender.where.item_vectors)
                items = items[recommender.listed[items]]
                return recommender.catalogue.only(items)

        return self._selections.get(predicate, read)

    def constraints(self, text: str) -> list[Constraint]:
        """The constraints that the JSON `text` states."""

        def read() -> list[Constraint]:
            with self.connect() as con:
                items = items_of(con, self.name)
                catalogue, raw = self.recommender.where.item_vectors, self.recommender.raw
                return constraints(con, self.name, text, items, catalogue, raw)

        return self._constraints.get(text, read)


class Recommenders(Latest[Recommender]):
    """The recommenders in memory, by database, name and version."""

    def __init__(self) -> None:
        super().__init__(CACHED)

    def forget_all(self, catalog: str, name: str) -> None:
        """Read a recommender anew, by whatever version it is asked for."""
        self.forget(lambda key: isinstance(key, tuple) and key[:2] == (catalog, name))


class Queries(Latest[Query]):
    """The latest queries, by their number, database and version of the recommender."""

    def __init__(self) -> None:
        super().__init__(QUERIES)


def query_of(session: Session, catalog: str, name: str, version: str, query: int) -> Query:
    """The query that a macro of a recommender is called in.

    Args:
        session: of the database instance.
        catalog: the database.
        name: the recommender.
        version: the training of the version in use, and behind / another version that is asked for.
        query: a number of the query.
    """
    connect = functools.partial(session.cursor, catalog)

    def load() -> Recommender:
        present, _, number = version.partition("/")
        with connect() as cursor:
            check_here(cursor, catalog, name, present)
            return load_recommender(cursor, name, present, number or None)

    recommenders = session.shared(Recommenders)
    return session.shared(Queries).get(
        (query, catalog, version),
        lambda: Query(connect, recommenders.get((catalog, name, version), load), name),
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


def load_recommender(
    con: duckdb.DuckDBPyConnection, name: str, present: str = "", version: str | None = None
) -> Recommender:
    """Read a version of the recommender `name` of the current database of `con`.

    Args:
        con: the connection.
        name: the recommender.
        present: the training that the query sees in use, which another may have taken the
            place of since; by default, and where it is not kept, that which is.
        version: the number of one that is asked for instead, None for the same.

    Raises:
        MorecError: it is not kept, or its lists would not fit the columns of `present`.
    """
    prefetch()
    # one transaction, so that a refresh meanwhile is seen whole or not at all
    with transaction(con):
        now = in_use(con, name)
        numbers = {training: number for number, training in kept(con, name).items()}
        seen = numbers.get(present, now)
        wanted = seen if version is None else version_of(con, name, version)
        recommender = _read_recommender(con, name, None if wanted == now else wanted)
        if wanted == seen:
            return recommender
        before = relations(name, seen)
        if _columns(con, before) != _columns(con, recommender.where):
            raise MorecError(
                f"version: {wanted} has objectives or ids unlike the version in use, whose columns"
                f" there are; use_version({literal(name)}, {wanted}) puts it to use"
            )
        query = sql(
            "answer/numbers_of_version",
            of=recommender.where.item_vectors,
            present=before.item_vectors,
        )
        found = arrow(con, query).column(0).to_numpy().astype(np.int64)
        return dataclasses.replace(recommender, numbers=found)


def _columns(con: duckdb.DuckDBPyConnection, where: Relations) -> tuple[list[str], str]:
    """What the columns of lists depend on: the objectives and the type of items."""
    objectives = con.execute(f"SELECT objective FROM {where.objectives} ORDER BY position")
    names = [row[0] for row in objectives.fetchall()]
    return names, type_of(con, "item_id", where.item_vectors)


def _read_recommender(
    con: duckdb.DuckDBPyConnection, name: str, number: int | None = None
) -> Recommender:
    where = relations(name, number)
    row = first_row(con, f"SELECT model FROM {where.settings}")
    assert row is not None
    chosen = json.loads(row[0])
    if is_newer(chosen.get("made_with", VERSION)):
        raise MorecError(
            f"recommender: {name!r} was made by morec_sql {chosen['made_with']}, and this is"
            f" {VERSION}; pip install --upgrade morec_sql"
        )
    vectors = arrow(
        con,
        "SELECT * REPLACE (coalesce(text_id, -1) AS text_id, CAST(item_id AS VARCHAR) AS item_id)"
        f" FROM {where.item_vectors} ORDER BY item_index",
    )
    texts = arrow(con, f"SELECT embedding FROM {where.texts} ORDER BY text_id")
    listed = con.execute(
        f"SELECT objective, kind, mean, deviation FROM {where.objectives} ORDER BY position"
    ).fetchall()
    values = matrix(vectors.column("objectives"))
    model = RelevanceModel(
        encoder=matrix(vectors.column("encoder")),
        decoder=matrix(vectors.column("decoder")),
        statistics=matrix(vectors.column("statistics")),
        content=chosen["content"],
        unknown=np.array(chosen["unknown"], np.float32),
        # recommenders made before have none
        cold=None if chosen.get("cold") is None else np.array(chosen["cold"], np.float32),
        few=chosen.get("few", 1),
        neighbours=_neighbours(vectors) if chosen.get("neighbour_weight") else None,
        repeats=RepeatModel.from_json(chosen["repeats"]),
        half_life=int(chosen["half_life"]),
        chosen=chosen,
        unit=chosen["unit"],
    )
    return Recommender(
        where=where,
        numbers=None,
        catalogue=Catalogue(
            model,
            [row[1] for row in listed],
            values,
            matrix(texts.column("embedding")),
            vectors.column("text_id").to_numpy().astype(np.int64),
            # recommenders made before have none
            Scale(**chosen["distance"]) if "distance" in chosen else None,
        ),
        item_ids=whole(vectors.column("item_id")),
        names=[row[0] for row in listed],
        raw={
            name: values[:, position].astype(np.float64) * deviation + mean
            for position, (name, kind, mean, deviation) in enumerate(listed)
            if kind == "item"
        },
        # recommenders made before list all
        listed=vectors.column("listed").to_numpy()
        if "listed" in vectors.column_names
        else np.ones(len(vectors), bool),
        exclude_seen=chosen["exclude_seen"],
        clock=Clock(**chosen["clock"]),
    )


def _neighbours(vectors: pa.Table) -> csr_array:
    """The weights of neighbours, shape (items, items)."""
    from scipy.sparse import csr_array

    index, weight = (whole(vectors.column(name)) for name in ("neighbours", "neighbour_weights"))
    entries = weight.flatten().to_numpy(), index.flatten().to_numpy()
    return csr_array((*entries, index.offsets.to_numpy()), shape=(len(vectors), len(vectors)))
