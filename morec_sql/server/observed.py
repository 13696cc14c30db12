"""What a server tells of itself: a line for each statement, and figures for Prometheus.

No values of a statement are told: what stands in their place is a ?.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ..udfs.history import DAY
from .alerts import FEWEST, Late, quantile, took
from .models import Models
from .warehouse import Warehouse
from .words import tokens

statements = logging.getLogger("morec_sql.server.statements")
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
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
        warehouse: for figures of its recommenders.
        thresholds: of alerts, as of alerts.THRESHOLDS.
    """

    def __init__(self, warehouse: Warehouse, thresholds: dict[str, float]) -> None:
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
        self._alerts = Gauge(
            "morec_alert", "Whether a threshold of the configuration is passed.", ["alert"],
            registry=made,
        )  # fmt: skip
        self._thresholds, self._passed = thresholds, dict.fromkeys(thresholds, False)
        for name in thresholds:
            self._alerts.labels(name).set(0)
        # whether anybody looks at figures: those of drift read events
        self.asked = bool(thresholds)
        self._late = Late()
        self.models = Models(warehouse)
        self.registry.register(self.models)

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
        self._late.add(statements=1, errors=outcome != "ok", **took(1000 * seconds))
        _tell(
            event="statement", user=user, session=session, statement=fingerprint(text),
            ms=round(1000 * seconds, 1), rows=rows, code=code,
        )  # fmt: skip

    def lists(self, text: str, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows of a statement as they come, counted where they are of lists."""
        for batch in batches:
            if set(batch.schema.names) >= OF_LISTS:
                self._count(batch)
                self.models.served(text, batch)
            yield batch

    def _count(self, batch: pa.RecordBatch) -> None:
        first = pc.equal(batch.column("rank"), 1)
        personal = batch.filter(first).column("personal")
        for value in (True, False):
            count = pc.sum(pc.equal(personal, value)).as_py() or 0
            self._lists.labels(str(value).lower()).inc(count)
            self._late.add(lists=count, not_personal=0 if value else count)
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

    def look(self) -> None:
        """See which thresholds are passed, and tell of those that were not, or are no more."""
        self.models.expect()
        values = self._values()
        for name, threshold in self._thresholds.items():
            value = values.get(name)
            passed = value is not None and value > threshold
            if passed is not self._passed[name]:
                self._passed[name] = passed
                self._alerts.labels(name).set(passed)
                state = "raised" if passed else "over"
                _tell(event="alert", alert=name, state=state, value=value, threshold=threshold)

    def _values(self) -> dict[str, float]:
        """What thresholds are compared with, as far as it is known."""
        sums = self._late.sums()
        values = {}
        if sums["statements"] >= FEWEST:
            values["errors"] = sums["errors"] / sums["statements"]
            values["slow_ms"] = quantile(sums, 0.95)
        if sums["lists"] >= FEWEST:
            values["not_personal"] = sums["not_personal"] / sums["lists"]
        of = self.models.figures().values()
        ages = [one["age_seconds"] / DAY for one in of if "age_seconds" in one]
        events = [one["events_since_training"] for one in of if "events_since_training" in one]
        drift = [value for one in self.models.drift().values() for value in one.values()]
        most = {"age_days": ages, "events_since_training": events, "drift": drift}
        return values | {name: max(found) for name, found in most.items() if found}

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


def _tell(**facts: Any) -> None:
    statements.info(json.dumps(facts, ensure_ascii=False))
