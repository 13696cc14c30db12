"""The metrics over any two tables: against ranx, and by hand."""

from __future__ import annotations

import os

import duckdb
import numpy as np
import pytest

import morec_sql

os.environ["NUMBA_DISABLE_JIT"] = "1"  # compiling what ranx runs takes longer than running it
import ranx

Connection = duckdb.DuckDBPyConnection


K = 5


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
