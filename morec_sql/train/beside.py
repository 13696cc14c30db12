"""What is known beside who took what: the attributes of users, and the context of events."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from ..progress import Stages
from ..source.labels import LEAST_USERS, Feature, WrittenLabels
from ..source.source import Source
from ..templates import arrow, sql
from ..udfs.history import NO_LABELS, Labels
from ..udfs.relevance.labels import Context, context_vectors
from ..udfs.relevance.model import OF_LABELS, RelevanceModel
from .check import say
from .windows import WINDOW_EVENTS

if TYPE_CHECKING:
    import numpy.typing as npt

MOST_LABELS = 2000
LABELS = f"labels of {LEAST_USERS} users or more"


@dataclasses.dataclass(frozen=True)
class KnownLabels:
    """The labels that enough users have, in the order of their keys, and how they are written."""

    written: WrittenLabels
    names: list[str]
    users: npt.NDArray[np.int64]
    keys: npt.NDArray[np.int64]

    def of(self, features: list[Feature]) -> npt.NDArray[np.int64]:
        """The numbers of the labels of some features."""
        starts = tuple(f"{feature.name}=" for feature in features)
        return np.flatnonzero([name.startswith(starts) for name in self.names])


@dataclasses.dataclass(frozen=True)
class Beside:
    """The attributes of users and the context of events, each None where none is declared.

    of_users are the labels of the users who have events, of_events those of events.
    """

    attributes: KnownLabels | None
    of_users: Labels
    contexts: KnownLabels | None
    of_events: Context | None
    features: list[Feature]

    @property
    def view_labels(self) -> str | None:
        """SQL of the labels of a row of the table of users."""
        return None if self.attributes is None else self.attributes.written.sql

    def with_context(self, model: RelevanceModel) -> RelevanceModel:
        """The model with the contexts that it was found to have (context.py)."""
        found = model.chosen.get("of_context", {})
        weights = {name: tuple(one["weights"]) for name, one in found.items() if one["used"]}
        return self.in_context(model, weights, self.of_events) if weights else model

    def in_context(
        self,
        model: RelevanceModel,
        weights: dict[str, tuple[float, float]],
        events: Context | None,
    ) -> RelevanceModel:
        """The model with contexts, whose labels are numbered on from those of the attributes.

        Args:
            model: without them.
            weights: of each context: of its vectors, and of the log-odds of its items.
            events: from which both are learnt.
        """
        from scipy.sparse import csr_array, vstack

        assert self.contexts is not None
        assert events is not None
        columns = self.contexts.of([one for one in self.features if one.name in weights])
        items, split = len(model.encoder), model.encoder.shape[1] - model.content
        of_vectors, of_items = np.zeros((2, len(self.contexts.names)), np.float32)
        for one in self.features:
            if one.name in weights:
                mine = self.contexts.of([one])
                of_vectors[mine], of_items[mine] = weights[one.name]
        vectors = np.zeros((len(of_vectors), split), np.float32)
        vectors[columns] = context_vectors(events, columns, model.encoder[:, :split])
        by_items = events.log_odds.multiply(of_items[:, None]).tocsr()
        by_items.eliminate_zeros()
        nothing = csr_array((0 if model.labels is None else len(model.labels), items))
        before = np.zeros((0, split), np.float32) if model.labels is None else model.labels
        return dataclasses.replace(
            model,
            labels=np.concatenate([before, of_vectors[:, None] * vectors]),
            context=np.arange(len(before) + len(vectors)) >= len(before),
            context_items=vstack([nothing, by_items]).tocsr().astype(np.float32),
        )

    def rows(self, model: RelevanceModel) -> list[dict[str, Any]]:
        """The labels with what they add, for the archive; none of what does not count."""
        if model.labels is None:
            return []
        found = []
        known = []
        if self.attributes is not None and model.uses(OF_LABELS):
            known += [(self.attributes, place) for place in range(len(self.attributes.names))]
        if self.contexts is not None and model.context is not None:
            known += [(self.contexts, place) for place in range(len(self.contexts.names))]
        for number, (labels, place) in enumerate(known):
            row: dict[str, Any] = {
                "label": labels.names[place],
                "users": int(labels.users[place]),
                "key": int(labels.keys[place]),
                "context": labels is self.contexts,
                "vector": model.labels[number],
                "items": [],
                "odds": [],
            }
            if model.context_items is not None:
                items = model.context_items[[number]]
                row |= {"items": items.indices.tolist(), "odds": items.data.tolist()}
            if not row["context"] or row["vector"].any() or row["items"]:
                found.append(row)
        return found

    def report(self, stages: Stages, chosen: dict[str, Any]) -> None:
        """Say what they are worth."""
        if self.attributes is not None:
            stages.rows.append((f"user features: {LABELS}", len(self.attributes.names), None))
            say(stages, "user features", chosen.get("of_labels"))
        if self.contexts is not None:
            found = chosen.get("of_context", {})
            for one in self.features:
                labels = len(self.contexts.of([one]))
                stages.rows.append((f"context {one.name}: {LABELS}", labels, None))
                say(stages, f"context {one.name}", found.get(one.name))


def read_beside(con: duckdb.DuckDBPyConnection, source: Source, events: int, items: int) -> Beside:
    """Read what is known beside the events.

    Args:
        con: with the temporary tables of the users and items.
        source: the user's tables.
        events: how many there are.
        items: likewise.
    """
    attributes, of_users = None, NO_LABELS
    if source.users is not None and source.user_features:
        rows, key = f"{source.users.sql} AS _i", source.users_key
        written = WrittenLabels(con, rows, source.user_features, "attributes", "user_features")
        query = sql(
            "train/labels_of_users",
            labels=written.sql,
            users=source.users.sql,
            user_id=key.sql,
            usable=key.usable(key.sql),
        )
        attributes, row, label = _known(con, query, written, "morec_users")
        of_users = Labels(row, label, len(attributes.names))
    contexts, of_events = None, None
    if source.contexts:
        rows = f"(SELECT * FROM ({source.events_context}) AS _c WHERE {source.usable}) AS _c"
        written = WrittenLabels(con, rows, source.contexts, "context", "context")
        query = sql(
            "train/labels_of_events",
            labels=written.sql,
            events=source.events_context,
            usable=source.usable,
            every=str(max(-(-events // WINDOW_EVENTS), 1)),
        )
        contexts, row, label = _known(con, query, written, "morec_context")
        of_events = _context(con, row, label, len(contexts.names), items)
    return Beside(attributes, of_users, contexts, of_events, source.contexts)


def _known(
    con: duckdb.DuckDBPyConnection, query: str, written: WrittenLabels, rows: str
) -> tuple[KnownLabels, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The labels that a query writes to the table morec_labelled, and those of each of `rows`."""
    con.execute(query)
    con.execute(
        sql(
            "train/labels_counted",
            key=sql("source/label_key", label="_c.label"),
            least=str(LEAST_USERS),
            most=str(MOST_LABELS),
            rows=rows,
        )
    )
    table = arrow(con, "SELECT label, users, key FROM morec_labels ORDER BY number")
    known = KnownLabels(
        written,
        table.column("label").to_pylist(),
        table.column("users").to_numpy(),
        table.column("key").to_numpy(),
    )
    columns = con.execute(sql("train/labels_numbered")).fetchnumpy()
    con.execute("DROP TABLE morec_labelled; DROP TABLE morec_labels")
    row, label = (np.asarray(columns[name], np.int32) for name in ("row", "label"))
    return known, row, label


def _context(
    con: duckdb.DuckDBPyConnection,
    row: npt.NDArray[np.int32],
    label: npt.NDArray[np.int32],
    labels: int,
    items: int,
) -> Context:
    """The events of the table morec_context."""
    from scipy.sparse import csr_array

    columns = con.execute(
        'SELECT user_index, item_index, event_time FROM morec_context ORDER BY "row"'
    ).fetchnumpy()
    con.execute("DROP TABLE morec_context")
    events = len(columns["user_index"])
    starts = np.searchsorted(row, np.arange(events + 1))
    return Context(
        np.asarray(columns["user_index"], np.int32),
        np.asarray(columns["item_index"], np.int32),
        np.asarray(columns["event_time"], np.float64),
        csr_array((np.ones(len(label)), label, starts), shape=(events, labels)),
        items,
    )
