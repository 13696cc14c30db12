"""Weights that are negative, of expressions, or have a name."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

import morec_sql
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


def test_an_expression_is_weighed_as_if_it_were_declared(small: duckdb.DuckDBPyConnection) -> None:
    by_name, by_text = (
        small.execute(
            f"SELECT item_id, score FROM recommend(3, weights => {{relevance: 1, {key}: 0.4}}, k => 22,"
            " exclude_seen => false) ORDER BY rank"
        ).fetchall()
        for key in ("margin", "'price - cost'")
    )
    assert [item for item, _ in by_text] == [item for item, _ in by_name]
    assert [score for _, score in by_text] == pytest.approx(
        [score for _, score in by_name], rel=1e-4
    )
    row = small.execute(
        "SELECT score, contributions.relevance, adjustments FROM recommend(3, weights =>"
        " {relevance: 1, 'price - cost': -0.4}, k => 1)"
    ).fetchall()[0]
    assert row[0] == pytest.approx(row[1] + row[2]["price - cost"], abs=1e-5)


def test_expressions_read_what_is_in_the_table_now(small_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy.duckdb"
    shutil.copy(small_file, path)
    with morec_sql.connect(path) as con:
        dearest = "weights => {'price': 1}, k => 1, exclude_seen => false"
        assert items(con, f"recommend(3, {dearest})") == [21]
        con.execute("UPDATE products SET price = 100 WHERE product_id = 5")
        assert items(con, f"recommend(3, {dearest})") == [5]
        con.execute("UPDATE products SET price = 1 WHERE product_id = 5")
        assert items(con, f"recommend(3, {dearest})") == [21]


def test_weights_have_a_name_or_come_with_each_user(small_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy.duckdb"
    shutil.copy(small_file, path)
    with morec_sql.connect(path) as con:
        con.execute("INSERT INTO shop.weight_presets VALUES ('dear', {relevance: 0.1, 'price': 2})")
        con.execute("INSERT INTO shop.weight_presets VALUES ('plain', {relevance: 1})")
        by_name = items(con, "recommend(3, weights => 'dear')")
        assert by_name == items(con, "recommend(3, weights => {relevance: 0.1, price: 2})")
        rows = con.execute("""
            SELECT u.user, list(r.item_id ORDER BY r.rank)
            FROM (VALUES (3, 'dear'), (4, 'plain')) AS u (user, preset),
                recommend(u.user, weights => u.preset) AS r
            GROUP BY u.user ORDER BY u.user
        """).fetchall()
        assert rows == [(3, by_name), (4, items(con, "recommend(4, weights => 'plain')"))]
        scores = con.execute(
            "SELECT shop.score(3, 21, {'price': 1}), shop.score(3, 0, {'price': 1})"
        )
        dear, cheap = scores.fetchall()[0]
        assert dear > cheap
        with pytest.raises(duckdb.Error, match=r"weights: 'deer' is neither .*did you mean 'dear'"):
            con.execute("FROM recommend(3, weights => 'deer')")
        con.execute("FROM refresh_recommender('shop')").fetchall()
        assert con.execute("SELECT count(*) FROM shop.weight_presets").fetchall() == [(2,)]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("'sum(price)'", "aggregates rows"),
        ("'title'", "title.*but a number is needed"),
        ("'prize * 2'", "unknown column 'prize'; did you mean 'price'"),
        ("'CAST(title AS INTEGER)'", "cannot be evaluated"),
        ("'price; DROP TABLE products'", "more than one|not a SQL expression"),
        ("'(SELECT max(a) FROM read_csv(''x''))'", "read_csv"),
        ("prise", "unknown objective 'prise'"),
    ],
)
def test_a_bad_expression_is_named(small: duckdb.DuckDBPyConnection, key: str, said: str) -> None:
    with pytest.raises(duckdb.Error, match=f"weights: .*({said})"):
        small.execute(f"FROM recommend(3, weights => {{relevance: 1, {key}: 0.5}})").fetchall()
