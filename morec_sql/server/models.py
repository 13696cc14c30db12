"""What is told of the recommenders that a server serves: versions, ages, and drift."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator

import duckdb
import pyarrow as pa
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ..arrays import whole
from ..catalog.recommenders import default_of, recommenders
from ..templates import arrow, identifier, literal, sql
from .drift import Drift
from .warehouse import Warehouse

LATE = 60.0  # seconds for which figures are kept: they read events
USERS = 500  # whose lists say what is to be expected
FIGURES = {
    "version": "Number of the version in use.",
    "age_seconds": "Since the version in use was made.",
    "ndcg": "nDCG of relevance in validation.",
    "events_since_training": "Events after the last that was trained on.",
}
# a call of recommend, by the name of the recommender in front of it or by none
CALLED = re.compile(r'(?:(\w+|"[^"]+")\s*\.\s*)?\brecommend\s*\(', re.IGNORECASE)


class Models(Collector):
    """Figures of the recommenders, read from the warehouse when they are asked for.

    Args:
        warehouse: where they are.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._kept: tuple[float, dict[str, dict[str, float]]] = (-LATE, {})
        self._default: str | None = None
        # by recommender: the version, and its drift, None where it has no lists
        self._drift: dict[str, tuple[float, Drift | None]] = {}
        self._lock = threading.Lock()

    def figures(self) -> dict[str, dict[str, float]]:
        """The figures of each recommender, by their names."""
        with self._lock:
            if time.monotonic() - self._kept[0] > LATE:
                self._kept = time.monotonic(), self._read()
            return self._kept[1]

    def _read(self) -> dict[str, dict[str, float]]:
        found = {}
        with self._warehouse.using() as opened, opened.con.cursor() as con:
            database = opened.catalog.database
            con.execute(f"USE {identifier(database)}")
            self._default = default_of(con, database)
            for name in recommenders(con, database):
                query = sql("server/figures", schema=identifier(name), name=literal(name))
                # one that was made before has no versions
                with contextlib.suppress(duckdb.Error):
                    row = con.execute(query).fetchone()
                    if row is not None:
                        figures = zip(FIGURES, row, strict=True)
                        found[name] = {
                            one: float(value) for one, value in figures if value is not None
                        }
        return found

    def expect(self) -> None:
        """Find out what the lists of versions that came into use are to be like."""
        for name, figures in self.figures().items():
            version = figures["version"]
            if self._drift.get(name, (None,))[0] != version:
                drift = None
                with (
                    contextlib.suppress(duckdb.Error),
                    self._warehouse.using() as opened,
                    opened.con.cursor() as con,
                ):
                    parts = {"schema": identifier(name), "users": literal(USERS)}
                    lists = arrow(con, sql("server/lists_expected", **parts))
                    if len(lists):
                        items = whole(lists.column("item_id"))
                        drift = Drift(items, lists.column("score").to_numpy())
                self._drift[name] = version, drift

    def served(self, text: str, batch: pa.RecordBatch) -> None:
        """Count rows of lists, where the statement says of which recommender they are."""
        if not self._drift:
            return
        called = {one.strip('"').lower() or self._default for one in CALLED.findall(text)}
        drift = {name.lower(): one for name, (_, one) in list(self._drift.items())}
        of = drift.get((called.pop() or "").lower()) if len(called) == 1 else None
        if of is not None:
            score = batch.column("score").cast(pa.float64(), safe=False)
            of.count(batch.column("item_id").cast(pa.string()), score.to_numpy())

    def drift(self) -> dict[str, dict[str, float]]:
        """The drift of the items and of the scores of each recommender, where enough was served."""
        return {
            name: one.index() for name, (_, one) in list(self._drift.items()) if one is not None
        }

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The figures as Prometheus has them."""
        found = self.figures()
        for figure, about in FIGURES.items():
            family = GaugeMetricFamily(f"morec_recommender_{figure}", about, labels=["recommender"])
            for name, values in found.items():
                if figure in values:
                    family.add_metric([name], values[figure])
            yield family
        family = GaugeMetricFamily(
            "morec_recommender_drift",
            "Population stability index of what is served against lists at the training.",
            labels=["recommender", "of"],
        )
        for name, indices in self.drift().items():
            for of, value in indices.items():
                family.add_metric([name, of], value)
        yield family
