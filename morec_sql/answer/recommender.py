"""A recommender in memory, as it is read from the database."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..arrays import matrix, whole
from ..catalog.installed import VERSION, is_newer
from ..catalog.versions import Relations, in_use, kept, relations, version_of
from ..errors import MorecError
from ..session import Latest
from ..templates import arrow, first_row, identifier, literal, sql, transaction, type_of
from ..udfs.device import prefetch
from ..udfs.history import Clock, Longs
from ..udfs.ranking.catalogue import Catalogue, Selection
from ..udfs.ranking.constraints import Constraint
from ..udfs.ranking.likeness import Scale
from ..udfs.relevance.model import RelevanceModel
from ..udfs.relevance.repeats import RepeatModel

if TYPE_CHECKING:
    from scipy.sparse import csr_array

CACHED = 8  # recommenders kept in memory
MOST_ITEMS = 1_000_000  # of copies of the catalogue that are kept, together
KEPT = 8  # results of each kind that queries made of a recommender


class Kept:
    """What queries made of a recommender, for those after them.

    - some is what some of them need only;
    - catalogues have further values of items, by digests of these, which are by their arrays' ids;
    - selections are of items, by the catalogue that they are of and which they are;
    - values are those of expressions over the items, by these and a sum over what they depend on;
    - constraints are by their JSON and a sum over what they depend on;
    - columns of the items are those that the rules of the latest query read, and read_by those that
      constraints do;
    - rules are those that were checked, by their rows; the book are all that were read last, and
      the sum over them;
    - foretold is what is learnt of users and items beside the model: it takes a while, for which no
      other query has to wait.

    Args:
        items: of the catalogue.
    """

    def __init__(self, items: int) -> None:
        size = max(1, min(KEPT, MOST_ITEMS // max(items, 1)))
        self.some: Latest[Any] = Latest(KEPT)
        self.catalogues: Latest[Catalogue] = Latest(size)
        self.digests: Latest[tuple[Any, bytes]] = Latest(size)
        self.selections: Latest[Selection | None] = Latest(size)
        self.values: Latest[list[Any]] = Latest(KEPT)
        self.constraints: Latest[list[Constraint]] = Latest(size)
        self.columns: frozenset[str] = frozenset()
        self.read_by: dict[str, frozenset[str]] = {}
        self.rules: dict[Any, Any] = {}
        self.book: tuple[int, list[Any]] = (0, [])
        self.foretold: Latest[Any] = Latest(KEPT)


@dataclasses.dataclass(frozen=True)
class Recommender:
    """A version of a recommender in memory.

    where is where it is kept; numbers are its numbers of the items of the version in use, from
    which SQL takes what it passes, -1 for those that it lacks, None for the same; labels are those
    that it knows, in the order of their label_keys; kept is what queries made of it.
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
    labels: list[str]
    label_keys: Longs
    kept: Kept

    def known(self, items: Longs) -> Longs:
        """The numbers of items that SQL passes as those of the version in use, -1 for unknown ones.

        Some may have come since the recommender was read.
        """
        if self.numbers is not None:
            items = np.append(self.numbers, -1)[np.minimum(items, len(self.numbers))]
        if len(items) and items.max() >= self.catalogue.items:
            items = np.where(items < self.catalogue.items, items, -1)
        return items


class Recommenders(Latest[Recommender]):
    """The recommenders in memory, by database, name and version."""

    def __init__(self) -> None:
        super().__init__(CACHED)

    @contextlib.contextmanager
    def rewritten(self, con: duckdb.DuckDBPyConnection, catalog: str, name: str) -> Iterator[None]:
        """A transaction that writes a recommender.

        Queries go on by what is in memory until it is committed. Where there is something, what
        takes its place is read before that, so that no query has to wait.
        """

        def mine(key: Hashable) -> bool:
            return isinstance(key, tuple) and key[:2] == (catalog, name)

        anew: dict[Hashable, Recommender] = {}
        with transaction(con):
            yield
            if self.known(mine):
                row = first_row(con, f"SELECT version FROM {identifier(name)}.settings")
                assert row is not None
                anew[catalog, name, row[0]] = _read_recommender(con, name)
        self.replace(mine, anew)


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
    said = [chosen.get("of_labels", {}), *chosen.get("of_context", {}).values()]
    labels = _labels(con, name, where) if any(one.get("used") for one in said) else None
    model = RelevanceModel(
        encoder=matrix(vectors.column("encoder")),
        decoder=matrix(vectors.column("decoder")),
        statistics=matrix(vectors.column("statistics")),
        content=chosen["content"],
        unknown=np.array(chosen["unknown"], np.float32),
        # recommenders made before have none
        cold=None if chosen.get("cold") is None else np.array(chosen["cold"], np.float32),
        few=chosen.get("few", 1),
        neighbours=_by_item(vectors, "neighbours", "neighbour_weights", len(vectors))
        if chosen.get("neighbour_weight")
        else None,
        repeats=RepeatModel.from_json(chosen["repeats"]),
        half_life=int(chosen["half_life"]),
        chosen=chosen,
        unit=chosen["unit"],
        labels=None if labels is None else matrix(labels.column("vector")),
        context=None if labels is None else labels.column("context").to_numpy(),
        context_items=None if labels is None else _by_item(labels, "items", "odds", len(vectors)),
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
        labels=[] if labels is None else labels.column("label").to_pylist(),
        label_keys=np.zeros(0, np.int64) if labels is None else labels.column("key").to_numpy(),
        kept=Kept(len(vectors)),
    )


def _labels(con: duckdb.DuckDBPyConnection, name: str, where: Relations) -> pa.Table:
    """The labels of users and contexts with their vectors, sorted by their keys."""
    return arrow(con, sql("answer/labels_kept", schema=identifier(name), settings=where.settings))


def _by_item(table: pa.Table, numbers: str, values: str, items: int) -> csr_array:
    """The values of items that rows have as lists beside the numbers of these, (rows, items)."""
    from scipy.sparse import csr_array

    index, value = (whole(table.column(name)) for name in (numbers, values))
    entries = value.flatten().to_numpy(), index.flatten().to_numpy()
    return csr_array((*entries, index.offsets.to_numpy()), shape=(len(table), items))
