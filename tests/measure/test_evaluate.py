"""evaluate, and the metrics of ranked lists over any two tables."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

import morec_sql
from tests.conftest import CREATE_SMALL

Connection = duckdb.DuckDBPyConnection
K = 5


def by_metric(con: Connection, call: str, model: str = "morec_sql") -> dict[str, Any]:
    """The values of one model's metrics."""
    rows = con.execute(f"SELECT metric, value FROM {call} WHERE model = ?", [model]).fetchall()
    return dict(rows)


def test_baselines_are_what_sql_says(small: Connection) -> None:
    """Popularity and own frequency, made and measured in SQL, on the same split."""
    small.execute("""
        CREATE OR REPLACE TEMP TABLE past AS
            SELECT customer_id, product_id FROM orders WHERE ordered_at < TIMESTAMP '2024-03-15';
        CREATE OR REPLACE TEMP TABLE truth AS
            SELECT DISTINCT customer_id AS user_id, product_id AS item_id
            FROM orders WHERE ordered_at >= TIMESTAMP '2024-03-15';
        CREATE OR REPLACE TEMP TABLE ranked AS
            SELECT product_id, row_number() OVER (ORDER BY count(DISTINCT customer_id) DESC, product_id) AS place
            FROM past GROUP BY product_id;
        CREATE OR REPLACE TEMP TABLE lists AS
            SELECT 'popularity' AS model, user_id, product_id AS item_id, place AS rank
            FROM (SELECT DISTINCT user_id FROM truth) CROSS JOIN ranked
            UNION ALL
            SELECT
                'own frequency',
                customer_id,
                product_id,
                row_number() OVER (PARTITION BY customer_id ORDER BY times DESC, place)
            FROM (SELECT customer_id, product_id, count(*) AS times FROM past GROUP BY ALL)
            JOIN ranked USING (product_id);
    """)
    expected = small.execute(
        "SELECT model, avg(ndcg), avg(recall) FROM ranking_metrics('lists', 'truth', k => 4) GROUP BY model"
    ).fetchall()
    call = "shop.evaluate(k => 4, test_from => TIMESTAMP '2024-03-15', baselines => ['popularity', 'own frequency'])"
    assert len(expected) == 2
    for model, ndcg, recall in expected:
        found = by_metric(small, call, model)
        assert found["ndcg"] == pytest.approx(ndcg)
        assert found["recall"] == pytest.approx(recall)


def test_ours_is_what_recommend_gives_when_trained_on_the_past(tables: Connection) -> None:
    tables.execute(CREATE_SMALL).fetchall()
    call = "shop.evaluate(weights => {relevance: 0.5, margin: 0.3, diversity: 0.2}, k => 4, test_from => TIMESTAMP '2024-03-15')"
    found = by_metric(tables, call)
    tables.execute("""
        CREATE TABLE truth AS SELECT DISTINCT customer_id AS user_id, product_id AS item_id
            FROM orders WHERE ordered_at >= TIMESTAMP '2024-03-15';
        DELETE FROM orders WHERE ordered_at >= TIMESTAMP '2024-03-15';
    """)
    tables.execute("FROM refresh_recommender('shop')").fetchall()
    tables.execute("""
        CREATE TABLE lists AS SELECT user_id, r.item_id, r.rank
            FROM (SELECT DISTINCT user_id FROM truth) AS u,
                shop.recommend(u.user_id, weights => {relevance: 0.5, margin: 0.3, diversity: 0.2}, k => 4) AS r;
        CREATE TABLE margins AS SELECT product_id AS item_id, price - cost AS margin FROM products;
    """)
    expected = tables.execute("""
        SELECT avg(ndcg), avg(margin), any_value(coverage)
        FROM ranking_metrics('lists', 'truth', k => 4)
        JOIN item_metrics('lists', 'margins') USING (user_id)
        CROSS JOIN catalogue_metrics('lists', 'margins')
    """).fetchall()[0]
    names = ("ndcg", "mean_margin", "coverage")
    assert [found[name] for name in names] == pytest.approx(expected)


def test_it_beats_every_baseline_on_real_orders(journey: Connection) -> None:
    simple = "['popularity', 'recent popularity', 'item knn']"
    for options in ("k => 20", f"k => 20, novel_only => true, baselines => {simple}"):
        rows = journey.execute(
            "SELECT model, value, standard_error, low, high, users, difference, p_value"
            f" FROM shop.evaluate(weights => {{relevance: 1}}, sample => 1000, {options})"
            " WHERE metric = 'ndcg'"
        ).fetchall()
        ours, *others = rows
        assert ours[0] == "morec_sql"
        assert ours[6:] == (None, None)
        assert {"popularity", "recent popularity", "item knn"} <= {row[0] for row in others}
        assert "ease" in {row[0] for row in others} or simple in options
        for model, value, error, low, high, users, difference, p_value in others:
            assert difference == pytest.approx(ours[1] - value), model
            assert difference > 0, model
            assert p_value < 0.05, model
            assert low < value < high, model
            # 95 % are about two standard errors to either side
            assert (high - low) / error == pytest.approx(3.9, abs=0.5)
            assert users == ours[5] <= 1000


def test_cold_start_on_real_orders(journey: Connection) -> None:
    call = "shop.evaluate(weights => {{relevance: 1}}, k => 20, sample => 500, baselines => ['popularity'], {})"
    quality = [
        by_metric(journey, call.format(f"history => {n}"))["ndcg"] for n in (0, 1, 3, 10, 9999)
    ]
    assert quality == sorted(quality)
    assert quality[0] > by_metric(journey, call.format("history => 0"), "popularity")["ndcg"]
    first, last = journey.execute(
        "SELECT min(transaction_timestamp), max(transaction_timestamp) FROM orders WHERE quantity > 0"
    ).fetchall()[0]
    cut = last - (last - first) / 13
    unknown = (
        "filter => 'product_id NOT IN (SELECT o.product_id FROM orders AS o WHERE"
        f" o.quantity > 0 AND o.transaction_timestamp < TIMESTAMP ''{cut}'')'"
    )
    call = call.replace("sample => 500, ", "")
    ours = by_metric(journey, call.format(unknown))["hit_rate"]
    assert ours > 2 * by_metric(journey, call.format(unknown), "popularity")["hit_rate"]


def test_nothing_of_the_recommender_is_touched(small: Connection) -> None:
    def state() -> list[Any]:
        return [
            small.execute(query).fetchall()
            for query in (
                "SELECT version FROM shop.settings",
                "SELECT table_schema, table_name FROM information_schema.tables WHERE NOT table_schema LIKE 'pg%' AND table_catalog <> 'temp' ORDER BY ALL",
                "SELECT sum(hash(t)) FROM shop.item_vectors AS t",
                "FROM recommend(3)",
            )
        ]

    before = state()
    small.execute("FROM shop.evaluate(k => 3)").fetchall()
    assert state() == before


def test_new_events_of_the_past_are_trained_on(tables: Connection) -> None:
    tables.execute(CREATE_SMALL).fetchall()
    call = "shop.evaluate(k => 3, test_from => TIMESTAMP '2024-03-15', baselines => ['popularity'])"
    before = by_metric(tables, call, "popularity")
    tables.execute(
        "INSERT INTO orders SELECT 1000 + u, 21, TIMESTAMP '2024-03-01', 1 FROM range(100) AS t(u)"
    )
    assert by_metric(tables, call, "popularity") != before


def test_an_item_that_the_past_did_not_know_is_a_miss() -> None:
    con = morec_sql.connect()
    con.execute("""
        CREATE TABLE orders AS SELECT 'u' || u AS user_id, 'i' || (u + d) % 3 AS item_id, TIMESTAMP '2024-01-01' + INTERVAL (d) DAY AS at
            FROM range(5) AS t(u), range(20) AS s(d);
        INSERT INTO orders SELECT 'u1', 'new', TIMESTAMP '2024-02-01';
        INSERT INTO orders SELECT 'stranger', 'i1', TIMESTAMP '2024-02-01';
        FROM create_recommender('shop', events => 'orders', event_time => 'at');
    """)
    rows = con.execute(
        "SELECT value, users FROM shop.evaluate(k => 3, test_from => TIMESTAMP '2024-01-30', baselines => false) WHERE metric = 'recall'"
    ).fetchall()
    assert rows == [(0.5, 2)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("test_from => TIMESTAMP '2030-01-01'", "test_from: 2030-01-01 00:00:00 leaves no event"),
        ("test_from => TIMESTAMP '2020-01-01'", "the events of 'shop' run from 2024-01-01"),
        ("novel_only => true, filter => 'product_id = 1'", "test_from: nobody has an event with"),
        ("filter => 'price > 1000'", "filter: 'price > 1000' keeps no item"),
        ("filter => 'prise > 1000'", "filter: 'prise > 1000' refers to the unknown column"),
        ("k => 23", "k: 23 is above the 22 items of the catalogue of 'shop'"),
        ("k => 0", "k: 0 is not a whole number from 1 up"),
        ("sample => 0", "sample: 0 is not a whole number from 1 up"),
        ("history => -1", "history: -1 is not a whole number from 0 up"),
        ("novel_only => 3", "novel_only: true or false is needed, not 3"),
        ("weights => [1]", "weights: 1 values came, but 4 are needed"),
        ("baselines => ['eas']", "baselines: 'eas' is not known; did you mean 'ease'?"),
        ("baselines => 'ease'", "baselines: true, false or a list of names is needed"),
    ],
)
def test_errors(small: Connection, arguments: str, message: str) -> None:
    with pytest.raises(duckdb.Error) as error:
        small.execute(f"FROM shop.evaluate({arguments})").fetchall()
    assert message in str(error.value)


def test_a_macro_of_the_users_is_left_alone() -> None:
    con = duckdb.connect()
    con.execute("CREATE MACRO ranking_metrics(a) AS a + 1")
    with pytest.raises(morec_sql.MorecError, match=r"main\.ranking_metrics exists"):
        morec_sql.load(con)
    assert con.execute("SELECT ranking_metrics(1)").fetchall() == [(2,)]


def test_without_times_there_is_no_test() -> None:
    con = morec_sql.connect()
    con.execute(
        "CREATE TABLE events AS SELECT u AS user_id, i AS item_id FROM range(9) AS t(u), range(4) AS s(i)"
    )
    con.execute("FROM create_recommender('shop', events => 'events')").fetchall()
    with pytest.raises(duckdb.Error, match="test_from: 'shop' has no event_time"):
        con.execute("FROM shop.evaluate()").fetchall()
