"""Weights that are negative."""

from __future__ import annotations

import duckdb
import pytest

from tests.answer.test_recommend import items


def test_a_negative_weight_turns_an_objective_around(small: duckdb.DuckDBPyConnection) -> None:
    every = "weights => {{margin: {}}}, k => 22, exclude_seen => false"
    up, down = (items(small, f"recommend(3, {every.format(weight)})") for weight in (1, -1))
    margin = dict(small.execute("SELECT product_id, price - cost FROM products").fetchall())
    assert [margin[item] for item in up] == sorted(margin.values(), reverse=True)
    assert [margin[item] for item in down] == sorted(margin.values())
    weights = "weights => {relevance: 1, novelty: -0.5}"
    best = small.execute(
        f"SELECT item_id FROM shop.item_vectors ORDER BY shop.score(3, item_id, {weights}) DESC"
    ).fetchall()
    listed = items(small, f"recommend(3, {weights}, k => 6, exclude_seen => false)")
    assert listed == [row[0] for row in best[:6]]
    # it is explained as any other, and what would take an item out keeps its sign
    parts = small.execute(
        f"SELECT name, contribution FROM shop.explain(3, {listed[0]}, {weights}, k => 6,"
        " exclude_seen => false) WHERE kind = 'objective'"
    ).fetchall()
    score = small.execute(f"SELECT shop.score(3, {listed[0]}, {weights})").fetchall()[0][0]
    total = small.execute(
        f"SELECT sum(contribution) FROM shop.explain(3, {listed[0]}, {weights}, k => 6,"
        " exclude_seen => false)"
    ).fetchall()[0][0]
    assert total == pytest.approx(score, abs=1e-5)
    assert "novelty" in dict(parts)
    changes = small.execute(
        f"SELECT was, becomes FROM shop.what_if(3, {listed[5]}, {weights}, k => 6,"
        " exclude_seen => false) WHERE change = 'weight' AND name = 'novelty'"
    ).fetchall()
    assert all(was == -0.5 and becomes <= 0 for was, becomes in changes)
