"""evaluate, and the metrics of ranked lists over any two tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import ranx
from typer.testing import CliRunner

import morec_sql
from morec_sql.cli import app
from tests.conftest import CREATE_SMALL, SMALL

Connection = duckdb.DuckDBPyConnection
K = 5


def by_metric(con: Connection, call: str, model: str = "morec_sql") -> dict[str, Any]:
    """The values of one model's metrics."""
    rows = con.execute(f"SELECT metric, value FROM {call} WHERE model = ?", [model]).fetchall()
    return dict(rows)


def check_against_ranx(con: Connection, recommendations: str, truth: str) -> None:
    """Compare all metrics, by user, with those of the library ranx."""
    lists: dict[str, dict[str, float]] = {}
    for user, item, rank in con.execute(
        f"SELECT user_id::VARCHAR, item_id::VARCHAR, rank FROM {recommendations}"
    ).fetchall():
        lists.setdefault(user, {})[item] = -float(rank)
    relevant: dict[str, dict[str, int]] = {}
    for user, item in con.execute(
        f"SELECT user_id::VARCHAR, item_id::VARCHAR FROM {truth}"
    ).fetchall():
        relevant.setdefault(user, {})[item] = 1
    run = ranx.Run({user: lists.get(user, {"nothing": 0.0}) for user in relevant})
    names = {"precision", "recall", "hit_rate", "ndcg", "map", "mrr"}
    # ranx gives the values in the order of its own sorted users
    theirs = ranx.evaluate(
        ranx.Qrels(relevant), run, [f"{name}@{K}" for name in names], return_mean=False
    )
    users = list(ranx.Qrels(relevant).keys())
    assert set(users) == set(relevant)
    expected = {name: dict(zip(users, theirs[f"{name}@{K}"], strict=True)) for name in names}
    rows = con.execute(
        f"SELECT user_id::VARCHAR, precision, recall, hit_rate, ndcg, map, mrr, f1"
        f" FROM ranking_metrics('{recommendations}', '{truth}', k => {K})"
    ).fetchall()
    assert {row[0] for row in rows} == set(relevant)
    for user, precision, recall, hit_rate, ndcg, average, mrr, f1 in rows:
        # ours divide by what k places can hold, theirs by all of the truth
        size = len(relevant[user])
        more = size / min(size, K)
        assert precision == pytest.approx(expected["precision"][user])
        assert recall == pytest.approx(expected["recall"][user] * more)
        assert hit_rate == expected["hit_rate"][user]
        assert ndcg == pytest.approx(expected["ndcg"][user])
        assert average == pytest.approx(expected["map"][user] * more)
        assert mrr == pytest.approx(expected["mrr"][user])
        both = precision + recall
        assert f1 == pytest.approx(2 * precision * recall / both if both else 0)


def test_ranking_metrics_of_random_lists_are_those_of_ranx() -> None:
    con = morec_sql.connect()
    con.execute("""
        CREATE TABLE lists AS
            SELECT u AS user_id, i AS item_id, row_number() OVER (PARTITION BY u ORDER BY hash(u, i)) AS rank
            FROM range(60) AS t(u), range(15) AS s(i) WHERE u % 10 <> 3;
        DELETE FROM lists WHERE user_id % 7 = 0 AND rank > 2;
        CREATE TABLE truth AS
            SELECT u AS user_id, i AS item_id
            FROM range(60) AS t(u), range(20) AS s(i) WHERE hash(i, u) % 100 < 2 + u;
    """)
    check_against_ranx(con, "lists", "truth")


def test_ranking_metrics_of_real_lists_are_those_of_ranx(journey: Connection) -> None:
    journey.execute("""
        CREATE TEMP TABLE real_lists AS
            SELECT h.household_id AS user_id, r.item_id, r.rank
            FROM (SELECT DISTINCT household_id FROM orders ORDER BY ALL LIMIT 100) AS h,
                shop.recommend(h.household_id, k => 5, as_of => TIMESTAMP '2017-12-01') AS r;
        CREATE TEMP TABLE real_truth AS
            SELECT DISTINCT household_id AS user_id, product_id AS item_id FROM orders
            WHERE transaction_timestamp >= TIMESTAMP '2017-12-01'
                AND household_id IN (SELECT user_id FROM real_lists);
    """)
    check_against_ranx(journey, "real_lists", "real_truth")


def test_the_other_metrics_checked_by_hand() -> None:
    con = morec_sql.connect()
    con.execute("""
        CREATE TABLE lists AS FROM (VALUES
            ('a', 1, 10, 1), ('a', 1, 11, 2), ('a', 1, 12, 3), ('a', 2, 10, 1), ('b', 1, 13, 1)
        ) AS t(model, user_id, item_id, rank);
        CREATE TABLE items AS FROM (VALUES (10, 4.0), (11, 2.0), (12, NULL), (13, 1.0)) AS t(item_id, margin);
        CREATE TABLE vectors AS FROM (VALUES
            (10, [2.0, 0.0]), (11, [0.0, 1.0]), (12, [3.0, 4.0]), (13, [0.0, 0.0])
        ) AS t(item_id, vector);
    """)
    margins = con.execute("FROM item_metrics('lists', 'items') ORDER BY ALL").fetchall()
    assert margins == [("a", 1, 3.0), ("a", 2, 4.0), ("b", 1, 1.0)]
    diversity = con.execute("FROM diversity_metrics('lists', 'vectors')").fetchall()
    # cosines 0, 0.6 and 0.8; a list of one item has no pair
    assert diversity == [("a", 1, pytest.approx(1 - 1.4 / 3))]
    of_all = con.execute("FROM catalogue_metrics('lists', 'items') ORDER BY ALL").fetchall()
    times = np.sort([2, 1, 1, 0])
    gini = np.abs(times[:, None] - times).sum() / (2 * 4 * times.sum())
    assert of_all == [("a", 0.75, pytest.approx(gini)), ("b", 0.25, pytest.approx(0.75))]


def test_lists_beyond_k_do_not_count() -> None:
    con = morec_sql.connect()
    con.execute("""
        CREATE TABLE lists AS SELECT 1 AS user_id, i AS item_id, i AS rank FROM range(1, 10) AS t(i);
        CREATE TABLE truth AS SELECT 1 AS user_id, 4 AS item_id;
    """)
    for k, hit_rate in ((3, 0), (4, 1)):
        row = con.execute(
            f"SELECT hit_rate FROM ranking_metrics('lists', 'truth', k => {k})"
        ).fetchall()
        assert row == [(hit_rate,)]


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
    for options in ("k => 20", "k => 20, novel_only => true"):
        rows = journey.execute(
            "SELECT model, value, standard_error, low, high, users, difference, p_value"
            f" FROM shop.evaluate(weights => {{relevance: 1}}, sample => 1000, {options})"
            " WHERE metric = 'ndcg'"
        ).fetchall()
        ours, *others = rows
        assert ours[0] == "morec_sql"
        assert ours[6:] == (None, None)
        assert {"popularity", "recent popularity", "item knn", "ease"} <= {row[0] for row in others}
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


@pytest.fixture(scope="module")
def shop_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shop") / "small.duckdb"
    con = morec_sql.connect(path)
    con.execute(SMALL)
    con.execute(CREATE_SMALL).fetchall()
    con.close()
    return path


def test_the_command_prints_a_table_and_writes_reports(shop_file: Path, tmp_path: Path) -> None:
    page, picture = tmp_path / "report.html", tmp_path / "report.png"
    options = ["--k", "4", "--weights", '{"relevance": 1}', "--test-from", "2024-03-15"]
    for report in (page, picture):
        done = CliRunner().invoke(
            app, ["evaluate", str(shop_file), *options, "--report", str(report)]
        )
        assert done.exit_code == 0, done.output
        assert "ndcg" in done.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    con = morec_sql.connect(shop_file, read_only=True)
    call = "shop.evaluate(k => 4, weights => {relevance: 1}, test_from => TIMESTAMP '2024-03-15')"
    ours = by_metric(con, call)
    con.close()
    assert f"{ours['ndcg']:.4g}" in page.read_text()
    assert "data:image/png;base64," in page.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["nowhere.duckdb"], "path: there is no file 'nowhere.duckdb'"),
        (["SHOP", "shopp"], "name: there is no recommender 'shopp'; did you mean 'shop'?"),
        (["SHOP", "--weights", "much"], "weights: 'much' is not JSON"),
        (["SHOP", "--report", "report.doc"], "report: 'report.doc' ends in none of .html, .png"),
    ],
)
def test_errors_of_the_command(shop_file: Path, options: list[str], message: str) -> None:
    arguments = [str(shop_file) if option == "SHOP" else option for option in options]
    done = CliRunner().invoke(app, ["evaluate", *arguments])
    assert done.exit_code == 2
    assert message in done.output
