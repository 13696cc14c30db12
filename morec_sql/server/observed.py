"""What a server tells of itself: a line for each statement, and figures for Prometheus.

No values of a statement are told: what stands in their place is a ?.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ..catalog.recommenders import recommenders
from ..templates import identifier, literal, sql
from .words import tokens

statements = logging.getLogger("morec_sql.server.statements")
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
LATE = 60.0  # seconds for which figures of recommenders are kept: they read events
# of what recommend gives, by which its lists are known
OF_LISTS = {"rank", "item_id", "score", "contributions", "personal"}
MEMORY = 0.99  # of a mean over lists, for each further one


def fingerprint(text: str) -> str:
    """A statement without its values, in one line, shortened."""
    try:
        found = tokens(text)
    except duckdb.Error:
        return "?"
    said = [
        "?" + " " * word[-1:].isspace() if kind in ("string_const", "numeric_const") else word
        for word, kind in found
        if kind != "comment"
    ]
    plain = re.sub(r"\s+", " ", "".join(said)).strip()
    # lists of values are of one kind, however long they are
    return re.sub(r"\?(?:\s*,\s*-?\s*\?)+", "?, ...", plain)[:500]


class Observed:
    """Counts what one server does.

    Args:
        con: a connection to the warehouse, for figures of its recommenders.
        database: its name.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, database: str) -> None:
        self.registry = CollectorRegistry()
        made = self.registry
        self._statements = Counter(
            "morec_statements", "Statements by what they were and how they ended.",
            ["kind", "outcome"], registry=made,
        )  # fmt: skip
        self._seconds = Histogram(
            "morec_statement_seconds",
            "How long statements took.",
            ["kind"],
            buckets=BUCKETS,
            registry=made,
        )
        self._rows = Counter("morec_rows", "Rows that were sent.", registry=made)
        self.sessions = Gauge("morec_sessions", "Sessions that are open.", registry=made)
        self._logins = Counter(
            "morec_logins", "Logins by how they ended.", ["outcome"], registry=made
        )
        self._lists = Counter(
            "morec_lists", "Lists that were served, by whether they are personal.", ["personal"],
            registry=made,
        )  # fmt: skip
        self._objectives = Gauge(
            "morec_served_objective", "Mean of what an objective contributes, over late lists.",
            ["objective"], registry=made,
        )  # fmt: skip
        self._means: dict[str, float] = {}
        self._lock = threading.Lock()
        self.registry.register(_Recommenders(con, database))

    def login(self, user: str, place: str, outcome: str) -> None:
        """Take note of a login: in, refused or full."""
        self._logins.labels(outcome).inc()
        _tell(event="login", user=user, place=place, outcome=outcome)

    def statement(
        self, user: str, session: int, text: str, kind: str, seconds: float, rows: int, code: str
    ) -> None:
        """Take note of a statement that ended.

        Args:
            user: whose it was.
            session: the number of the session.
            text: of the statement.
            kind: the word with which it begins.
            seconds: that it took.
            rows: that were sent.
            code: of the error, 00000 for none.
        """
        kind = kind if kind in KINDS else "other"
        outcome = "ok" if code == "00000" else f"error {code[:2]}"
        self._statements.labels(kind, outcome).inc()
        self._seconds.labels(kind).observe(seconds)
        self._rows.inc(rows)
        _tell(
            event="statement", user=user, session=session, statement=fingerprint(text),
            ms=round(1000 * seconds, 1), rows=rows, code=code,
        )  # fmt: skip

    def lists(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows as they come, counted where they are of lists."""
        for batch in batches:
            if set(batch.schema.names) >= OF_LISTS:
                self._count(batch)
            yield batch

    def _count(self, batch: pa.RecordBatch) -> None:
        first = pc.equal(batch.column("rank"), 1)
        personal = batch.filter(first).column("personal")
        for value in (True, False):
            count = pc.sum(pc.equal(personal, value)).as_py() or 0
            self._lists.labels(str(value).lower()).inc(count)
        contributions = batch.column("contributions")
        if not pa.types.is_struct(contributions.type) or not batch.num_rows:
            return
        kept = MEMORY ** max(len(personal), 1)
        with self._lock:
            for field in contributions.type:
                mean = pc.mean(contributions.field(field.name)).as_py()
                if mean is not None:
                    before = self._means.get(field.name, mean)
                    self._means[field.name] = kept * before + (1 - kept) * mean
                    self._objectives.labels(field.name).set(self._means[field.name])

    def summary(self) -> list[tuple[str, str]]:
        """The figures that people look at first, and what they are."""
        totals: dict[str, float] = {}
        for family in self.registry.collect():
            for sample in family.samples:
                labels = ", ".join(sample.labels.values())
                if not sample.name.endswith(("_bucket", "_created", "_sum", "_count")):
                    name = sample.name.removeprefix("morec_").removesuffix("_total")
                    totals[f"{name} {labels}".strip().replace("_", " ")] = sample.value
        return [(name, f"{value:.6g}") for name, value in totals.items()]

    def text(self) -> bytes:
        """All figures, as Prometheus reads them."""
        return generate_latest(self.registry)


KINDS = {
    "alter", "begin", "commit", "copy", "create", "declare", "delete", "drop", "explain", "fetch",
    "from", "insert", "rollback", "select", "set", "show", "update", "values", "with",
}  # fmt: skip


class _Recommenders(Collector):
    """Figures of the recommenders, read from the warehouse when they are asked for."""

    def __init__(self, con: duckdb.DuckDBPyConnection, database: str) -> None:
        self._con, self._database = con, database
        self._kept: tuple[float, list[GaugeMetricFamily]] = (-LATE, [])
        self._lock = threading.Lock()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        with self._lock:
            if time.monotonic() - self._kept[0] > LATE:
                self._kept = time.monotonic(), self._read()
            yield from self._kept[1]

    def _read(self) -> list[GaugeMetricFamily]:
        figures = {
            "version": "Number of the version in use.",
            "age_seconds": "Since the version in use was made.",
            "ndcg": "nDCG of relevance in validation.",
            "events_since_training": "Events after the last that was trained on.",
        }
        families = {
            name: GaugeMetricFamily(f"morec_recommender_{name}", about, labels=["recommender"])
            for name, about in figures.items()
        }
        with self._con.cursor() as con:
            con.execute(f"USE {identifier(self._database)}")
            for name in recommenders(con, self._database):
                query = sql("server/figures", schema=identifier(name), name=literal(name))
                try:
                    row = con.execute(query).fetchone()
                except duckdb.Error:
                    continue  # one that was made before there were versions
                if row is not None:
                    for family, value in zip(families.values(), row, strict=True):
                        if value is not None:
                            family.add_metric([name], float(value))
        return list(families.values())


def _tell(**facts: Any) -> None:
    statements.info(json.dumps(facts, ensure_ascii=False))
