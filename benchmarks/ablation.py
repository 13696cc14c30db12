"""What each part of relevance brings: Complete Journey without it, nDCG at 20 as in relevance.py.

Run: python benchmarks/ablation.py
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import relevance as benchmark

import morec_sql
from morec_sql.clients import demo
from morec_sql.measure.evaluate import evaluation_of
from morec_sql.measure.requests import Request
from morec_sql.session import Session
from morec_sql.train import windows
from morec_sql.udfs.relevance import repeats, training
from morec_sql.udfs.relevance.trend import TRENDS

TEST_FROM = "2017-12-04 05:00:00"
BY_USERS = tuple(trend for trend in TRENDS if trend[0] == "users")


def regression_alone(rows: Any, label: Any, regression: Any, seed: int) -> list[Any]:
    """Stands in for repeats._networks: the start, without a network."""
    none = np.zeros(1, np.float32)
    hidden = np.zeros((1, rows.shape[1]), np.float32)
    weights = regression.coef_.astype(np.float32), regression.intercept_.astype(np.float32)
    return [*weights, hidden, none, none[None]]


SETTINGS = ({}, {"novel_only": True}, {"history": 0}, {"history": 1}, {"history": 3})
VARIANTS: list[tuple[str, str, list[tuple[Any, str, Any]]]] = [
    ("all parts", "bench", []),
    ("no trend", "bench", [(training, "TRENDS", (("users", 1.2, 0.0),))]),
    ("trend by users, not adopters", "bench", [(training, "TRENDS", BY_USERS)]),
    ("no texts", "plain", []),
    (
        "repeat purchases by the regression alone",
        "bench",
        [(repeats, "_networks", regression_alone)],
    ),
    ("one window of time, not seven", "bench", [(windows, "WINDOWS", 1)]),
    ("one length of history", "bench", [(training, "SHORT_HISTORIES", (10**9,))]),
]


@contextlib.contextmanager
def patched(changes: list[tuple[Any, str, Any]]) -> Iterator[None]:
    before = [getattr(module, name) for module, name, _ in changes]
    for module, name, value in changes:
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name, _), value in zip(changes, before, strict=True):
            setattr(module, name, value)


def main() -> None:
    con = morec_sql.connect()
    demo.load_warehouse(con)
    con.execute(benchmark.TABLES)
    for name, text in (("bench", benchmark.TEXT), ("plain", "NULL")):
        con.execute(benchmark.CREATE.format(name=name, text=text)).fetchall()
    print(f"{'':42}  all    new    0 items  1 item  3 items")
    for title, name, changes in VARIANTS:
        session = Session()  # keeps no training of another variant
        session.add(con)
        with patched(changes):
            quality = []
            for options in (
                {},
                {"novel_only": True},
                {"history": 0},
                {"history": 1},
                {"history": 3},
            ):
                request = Request({"relevance": 1}, 20, TEST_FROM, **options)
                found = evaluation_of(session, "memory", name, request)
                quality += [row.value for row in found.rows if row.metric == "ndcg"]
        print(f"{title:42}" + "".join(f"  {value:.4f}" for value in quality), flush=True)


if __name__ == "__main__":
    main()
