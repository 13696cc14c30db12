"""A warehouse whose macros an earlier version wrote still answers."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Any

import duckdb

from tests.conftest import CREATE_SMALL

QUERIES = (
    "FROM recommend(3)",
    "FROM shop.recommend(4, weights => {relevance: 1}, k => 5, filter => 'price < 15',"
    " max_per => {category: 2})",
    "FROM shop.recommend_for([1, 2, 11])",
    "FROM shop.evaluate(k => 5, baselines => ['popularity'])",
    "FROM shop.pareto(budget => 6, algorithm => 'grid')",
    "FROM shop.tune('keep relevance within 5 % of the best and maximise margin', budget => 10)",
)


def test_macros_of_an_earlier_version_give_the_same(tables: duckdb.DuckDBPyConnection) -> None:
    tables.execute(CREATE_SMALL).fetchall()

    def answers() -> list[Any]:
        return [tables.execute(query).fetchall() for query in QUERIES]

    now = answers()
    version = tables.execute("SELECT version FROM shop.settings").fetchall()[0][0]
    text = (Path(__file__).parent / "made_before.sql").read_text(encoding="utf-8")
    tables.execute(Template(text).substitute(version=version))
    before = answers()
    # columns that came since are behind those of then
    assert before == [
        [row[: len(then)] for row, then in zip(rows, old, strict=True)]
        for rows, old in zip(now, before, strict=True)
    ]
