"""What starts from items: score, rank_items, users_for, similar_items, bought_together."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pytest

import morec_sql
from tests.conftest import create

Connection = duckdb.DuckDBPyConnection
POINTWISE = "weights => [0.6, 0.3, 0, 0.1]"


def rows(con: Connection, query: str, *values: Any) -> list[tuple[Any, ...]]:
    return con.execute(query, values).fetchall()


def test_a_score_is_that_of_the_list(journey: Connection) -> None:
    for user in ("42", "NULL", "-5"):
        found = rows(
            journey,
            f"SELECT r.score, shop.score({user}, r.item_id, {POINTWISE})"
            f" FROM shop.recommend({user}, {POINTWISE}, k => 300) AS r",
        )
        scores = np.array(found)
        np.testing.assert_allclose(scores[:, 0], scores[:, 1], atol=1e-5)
    past = "TIMESTAMP '2017-06-01'"
    found = rows(
        journey,
        f"SELECT r.score, shop.score(42, r.item_id, {POINTWISE}, as_of => {past})"
        f" FROM shop.recommend(42, {POINTWISE}, as_of => {past}) AS r",
    )
    scores = np.array(found)
    np.testing.assert_allclose(scores[:, 0], scores[:, 1], atol=1e-5)


def test_a_score_in_a_join(small: Connection) -> None:
    found = rows(
        small,
        "SELECT u.i, p.product_id, shop.score(u.i, p.product_id, weights => {relevance: 1})"
        " FROM range(60) AS u(i), products AS p",
    )
    listed = rows(
        small,
        "SELECT u.i, r.item_id, r.score FROM range(60) AS u(i),"
        " shop.recommend(u.i, weights => {relevance: 1}, k => 22) AS r",
    )
    assert {row[:2] for row in found} == {row[:2] for row in listed}
    scores = {row[:2]: row[2] for row in listed}
    for user, item, score in found:
        assert score == pytest.approx(scores[user, item], abs=1e-5)
    assert rows(small, "SELECT shop.score(3, 999), shop.score(3, NULL)") == [(None, None)]
    with pytest.raises(duckdb.Error, match="weights"):
        small.execute("SELECT shop.score(3, 4, weights => {nothing: 1})").fetchall()


def test_a_list_of_ones_own_is_ranked(small: Connection) -> None:
    # all items among themselves are the whole list
    everything = "(SELECT list(product_id) FROM products)"
    assert rows(small, f"FROM shop.rank_items(3, {everything}, k => 10)") == rows(
        small, "FROM shop.recommend(3, exclude_seen => false)"
    )
    some = rows(small, "SELECT rank, item_id FROM shop.rank_items(3, [4, 777, 12, 4, 18])")
    assert [row[0] for row in some] == [1, 2, 3]
    assert {row[1] for row in some} == {4, 12, 18}
    assert some[-1][1] == 4
    filtered = "shop.rank_items(3, [4, 12, 18], filter => 'product_id < 15', k => 1)"
    assert rows(small, f"SELECT item_id FROM {filtered}") == [(12,)]
    for nothing in ("[]", "NULL", "[777]"):
        assert rows(small, f"FROM shop.rank_items(3, {nothing})") == []
    each = rows(
        small,
        "SELECT u.i, list(r.item_id) FROM range(4) AS u(i),"
        " shop.rank_items(u.i, [u.i, u.i + 10]) AS r GROUP BY u.i ORDER BY u.i",
    )
    assert [sorted(found) for _, found in each] == [[i, i + 10] for i in range(4)]


def test_who_wants_an_item(small: Connection) -> None:
    found = rows(small, "SELECT rank, user_id, score, known FROM shop.users_for(12, k => 60)")
    assert [row[0] for row in found] == list(range(1, 61))
    scores = [row[2] for row in found]
    assert scores == sorted(scores, reverse=True)
    buyers = {row[0] for row in rows(small, "SELECT customer_id FROM orders WHERE product_id = 12")}
    assert {row[1] for row in found if row[3]} == buyers
    # screwdrivers are for the odd ones
    assert all(row[1] % 2 == 1 for row in found[:20])
    for _, user, score, _ in found[::10]:
        assert rows(small, "SELECT shop.score(?, 12)", user)[0][0] == pytest.approx(score, abs=1e-6)
    new = rows(small, "SELECT user_id FROM shop.users_for(12, k => 60, exclude_seen => true)")
    assert not {row[0] for row in new} & buyers
    with pytest.raises(duckdb.Error, match="item_id: 99 is not an item of the catalogue"):
        rows(small, "FROM shop.users_for(99)")


def test_what_is_like_an_item(journey: Connection) -> None:
    encoder = np.stack(
        [
            row[0]
            for row in rows(journey, "SELECT encoder FROM shop.item_vectors ORDER BY item_index")
        ]
    )
    content = rows(journey, "SELECT CAST(model ->> 'content' AS INTEGER) FROM shop.settings")[0][0]
    behaviour = encoder[:, : encoder.shape[1] - content]
    behaviour = behaviour / np.maximum(np.linalg.norm(behaviour, axis=1, keepdims=True), 1e-12)
    index, item = rows(
        journey,
        "SELECT item_index, item_id FROM shop.item_vectors WHERE text_id IS NOT NULL"
        " ORDER BY statistics[1] DESC LIMIT 1",
    )[0]
    cosine = behaviour @ behaviour[index]
    cosine[index] = -np.inf
    found = rows(
        journey, "SELECT similarity FROM shop.similar_items(?, k => 50, by => 'behaviour')", item
    )
    np.testing.assert_allclose(np.ravel(found), -np.sort(-cosine)[:50], atol=1e-5)
    by_text = rows(
        journey,
        "WITH texts AS (SELECT v.item_id, t.text, t.embedding FROM shop.item_vectors AS v"
        " JOIN shop.texts AS t USING (text_id))"
        " SELECT s.similarity, similarity(a.text, b.text) FROM"
        " shop.similar_items($1, by => 'text', k => 5) AS s, texts AS a, texts AS b"
        " WHERE a.item_id = $1 AND b.item_id = s.item_id",
        item,
    )
    assert len(by_text) == 5
    np.testing.assert_allclose(*np.array(by_text).T, atol=0.01)


def test_likeness_is_symmetric_and_filtered(small: Connection) -> None:
    found = {
        (item, row[0]): row[1]
        for item in (3, 12)
        for row in rows(
            small, f"SELECT item_id, similarity FROM shop.similar_items({item}, k => 99)"
        )
    }
    assert len(found) == 2 * 21
    assert found[3, 12] == pytest.approx(found[12, 3], abs=1e-6)
    assert found[12, 13] > found[12, 3]
    few = "shop.similar_items(12, filter => 'product_id < 12', k => 3)"
    assert {row[0] < 12 for row in rows(small, f"SELECT item_id FROM {few}")} == {True}
    for call, message in (
        ("similar_items(12, by => 'price')", "by: 'price' is none of behaviour, text, both"),
        ("similar_items(99)", "item_id: '99' is not an item of the catalogue"),
        ("similar_items(12, k => 0)", "k: 0 is not a whole number"),
    ):
        with pytest.raises(duckdb.Error, match=message):
            rows(small, f"FROM shop.{call}")


def test_without_texts_likeness_is_of_behaviour(tables: Connection) -> None:
    create(tables, text=None)
    both, behaviour = (
        rows(tables, f"FROM shop.similar_items(12, by => '{by}')") for by in ("both", "behaviour")
    )
    assert both == behaviour
    with pytest.raises(duckdb.Error, match="by: the recommender was made without text"):
        rows(tables, "FROM shop.similar_items(12, by => 'text')")


def test_what_is_bought_together() -> None:
    con = morec_sql.connect()
    con.execute(
        "CREATE TABLE e AS SELECT * FROM (VALUES"
        " (1, 'bread', DATE '2024-01-01'), (1, 'butter', DATE '2024-01-01'),"
        " (1, 'bread', DATE '2024-01-02'), (1, 'butter', DATE '2024-01-02'),"
        " (1, 'jam', DATE '2024-01-02'), (2, 'bread', DATE '2024-01-01'),"
        " (2, 'tea', DATE '2024-01-05'), (3, 'butter', DATE '2024-01-01'))"
        " AS t(user_id, item_id, day)"
    )
    con.execute("FROM create_recommender('shop', 'e', event_time => 'day')").fetchall()
    # 5 baskets, 3 with bread, 3 with butter, 2 with both
    columns = "item_id, baskets, support, confidence, lift"
    found = rows(con, f"SELECT {columns} FROM shop.bought_together('bread')")
    assert found[0] == ("butter", 2, 0.4, pytest.approx(2 / 3), pytest.approx((2 / 3) / (3 / 5)))
    assert found[1] == ("jam", 1, 0.2, pytest.approx(1 / 3), pytest.approx((1 / 3) / (1 / 5)))
    assert len(found) == 2
    pair = rows(con, f"SELECT {columns} FROM shop.bought_together(['bread', 'butter'])")
    assert pair == [("jam", 1, 0.2, 0.5, pytest.approx(2.5))]
    week = "shop.bought_together('bread', within => INTERVAL 7 DAY)"
    assert ("tea", 1) in rows(con, f"SELECT item_id, baskets FROM {week}")
    scored = rows(con, "SELECT score FROM shop.bought_together('bread')")
    assert all(row[0] is not None for row in scored)
    assert rows(con, "FROM shop.bought_together('coffee')") == []
    con.close()


def test_a_basket_is_completed_by_what_is_not_in_it(small: Connection) -> None:
    found = rows(small, "SELECT item_id FROM shop.complete_basket([3, 4], k => 20)")
    assert not {3, 4} & {row[0] for row in found}
    best = rows(
        small, "SELECT item_id FROM shop.complete_basket([3, 4], weights => {relevance: 1}, k => 5)"
    )
    assert all(row[0] < 10 for row in best)


def test_scores_of_many_users_one_after_the_other(journey: Connection) -> None:
    # more chunks than histories are looked up for one by one
    query = (
        "SELECT u.user_id, v.item_id, shop.score(u.user_id, v.item_id, as_of => {0}) AS score FROM"
        " (SELECT DISTINCT household_id AS user_id FROM orders WHERE {1} ORDER BY ALL LIMIT 16) AS u,"
        " (SELECT item_id FROM shop.item_vectors ORDER BY item_index LIMIT 2100) AS v"
    )
    for as_of in ("NULL", "TIMESTAMP '2017-06-01'"):
        every = rows(journey, query.format(as_of, "true"))
        assert len(every) == 16 * 2100
        for user in {row[0] for row in every[:: 5 * 2100]}:
            alone = rows(journey, query.format(as_of, f"household_id = {user}"))
            mine = {item: score for one, item, score in every if one == user}
            assert mine == pytest.approx({item: score for _, item, score in alone}, abs=1e-5)
