"""What training chooses, on data whose answer is known."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import numpy as np
import pytest

import morec_sql
from tests.conftest import create

Connection = duckdb.DuckDBPyConnection

# 400 users of eight tastes with ten items each, who take six of their own and one of any; when,
# says nothing
TASTES = """
CREATE TABLE visits AS
SELECT
    u AS user_id,
    item AS item_id,
    TIMESTAMP '2024-01-01' + INTERVAL (CAST(md5_number_lower(u || item || 'x') % 90 AS INT)) DAY
        AS at,
    TIMESTAMP '2024-01-01' AS same_day
FROM (
    SELECT u, (u % 8) * 10 + CAST(md5_number_lower(u || ' ' || n) % 10 AS BIGINT) AS item
    FROM range(400) AS t(u), range(6) AS s(n)
    UNION SELECT u, CAST(md5_number_lower(u || 'x') % 80 AS BIGINT) FROM range(400) AS t(u)
)
"""
OWN = """
SELECT avg(CAST(r.item_id // 10 = u % 8 AS INTEGER))
FROM range(400) AS t(u), shop.recommend(u, weights => {weights}, k => 3) AS r
"""


def made(tables: str, **arguments: Any) -> tuple[Connection, list[str], dict[str, Any]]:
    """A recommender on the table made by a statement, its stages and what was chosen."""
    con = morec_sql.connect()
    con.execute(tables)
    given = "".join(f", {name} => {value}" for name, value in arguments.items())
    stages = con.execute(f"FROM create_recommender('shop', 'visits'{given})").fetchall()
    [(model,)] = con.execute("SELECT model FROM shop.settings").fetchall()
    return con, [stage for stage, _, _ in stages], json.loads(model)


@pytest.mark.parametrize("event_time", [None, "at", "same_day"])
def test_tastes_are_found_whatever_the_times_say(event_time: str | None) -> None:
    con, _, model = made(TASTES, **({"event_time": f"'{event_time}'"} if event_time else {}))
    for weights, least in (("{relevance: 1}", 0.95), ("NULL", 0.85)):
        [(own,)] = con.execute(OWN.format(weights=weights)).fetchall()
        assert own > least
    # no part counts against an item, and times that order nothing have no trend
    with_much = np.array(model["unknown"][0][:4])
    assert (with_much >= 0).all()
    assert (with_much + model["unknown"][1][:4] >= 0).all()
    assert model["trend"][2] == 0.0
    assert model["half_life"] == 3


def test_what_comes_next_decays_and_trends_where_times_say_so() -> None:
    # ten items come every week and are taken up for three
    con, _, _ = made(
        "CREATE TABLE visits AS"
        " SELECT DISTINCT u AS user_id,"
        " w * 10 - CAST(md5_number_lower(u || ' ' || w || ' ' || n) % 30 AS BIGINT) AS item_id,"
        " TIMESTAMP '2024-01-01' + INTERVAL (7 * w + n) DAY AS at"
        " FROM range(300) AS t(u), range(13) AS s(w), range(5) AS r(n)",
        event_time="'at'",
    )
    [(late,)] = con.execute(
        "SELECT avg(CAST(r.item_id > 90 AS INTEGER)) FROM range(300) AS t(u),"
        " shop.recommend(u, weights => {relevance: 1}, k => 3, exclude_seen => true) AS r"
    ).fetchall()
    assert late > 0.95


def test_pairs_among_many_rare_items_need_the_neighbours() -> None:
    # 3,000 items in pairs, which are always taken together but for one user in ten
    con, _, model = made(
        "CREATE TABLE visits AS SELECT DISTINCT u AS user_id, 2 * pair + side AS item_id FROM ("
        " SELECT u, n, CAST(md5_number_lower(u || ' ' || n) % 1500 AS BIGINT) AS pair,"
        " md5_number_lower(n || ' ' || u) % 10 AS gap"
        " FROM range(2000) AS t(u), range(5) AS s(n)), range(2) AS r(side)"
        " WHERE gap > 0 OR side = 0"
    )
    assert model["neighbour_weight"] > 0
    [(found, users)] = con.execute(
        "WITH lone AS (SELECT user_id, any_value(item_id) AS item_id FROM visits AS v"
        " WHERE item_id % 2 = 0 AND NOT EXISTS (FROM visits AS o WHERE o.user_id = v.user_id"
        " AND o.item_id = v.item_id + 1) GROUP BY user_id HAVING count(*) = 1)"
        " SELECT count(*) FILTER (r.item_id = lone.item_id + 1), count(DISTINCT user_id) FROM lone,"
        " shop.recommend(user_id, weights => {relevance: 1}, k => 1) AS r"
    ).fetchall()
    assert users > 500
    assert found > 0.9 * users


def test_repeats_without_times_are_listed_by_how_often() -> None:
    # three favourites that a user has six times over, and five items once
    con, stages, _ = made(
        "CREATE TABLE visits AS"
        " SELECT u AS user_id, CASE WHEN n < 3 THEN (u + 20 * n) % 60"
        " ELSE CAST(md5_number_lower(u || ' ' || n) % 60 AS BIGINT) END AS item_id"
        " FROM range(300) AS t(u), range(8) AS s(n), range(CASE WHEN n < 3 THEN 6 ELSE 1 END)"
    )
    assert any(stage.startswith("known items") and stage.endswith(" listed") for stage in stages)
    [(own,)] = con.execute(
        "SELECT avg(CAST(EXISTS (FROM visits AS v WHERE v.user_id = u AND v.item_id = r.item_id"
        " GROUP BY ALL HAVING count(*) >= 6) AS INTEGER))"
        " FROM range(300) AS t(u), shop.recommend(u, weights => {relevance: 1}, k => 3) AS r"
    ).fetchall()
    assert own > 0.95


def test_where_users_have_no_tastes_nothing_ranks_better_than_popularity() -> None:
    # all draw from the same few popular and many rare items
    _, stages, model = made(
        "CREATE TABLE visits AS SELECT DISTINCT u AS user_id, CAST(floor(100 * power("
        " md5_number_lower(u || ' ' || n) % 10007 / 10007, 3)) AS INTEGER) AS item_id"
        " FROM range(1500) AS t(u), range(12) AS s(n)"
    )
    ndcg = model["check"]["ndcg"]
    assert ndcg["relevance"] > 0.93 * ndcg["popularity"]
    assert f"check: nDCG@20 {ndcg['item knn']:.4f}, item knn" in stages


def test_the_check_is_of_the_users_held_out_and_says_when_they_are_few() -> None:
    _, stages, model = made(TASTES)
    assert set(model["check"]["ndcg"]) == {"relevance", "popularity", "own frequency", "item knn"}
    ndcg = model["check"]["ndcg"]
    assert ndcg["relevance"] > max(ndcg["popularity"], 0.9 * ndcg["item knn"])
    _, stages, _ = made(
        "CREATE TABLE visits AS SELECT n % 7 AS user_id, n AS item_id FROM range(9) AS t(n)"
    )
    assert "check: too little is held out to tell, 50 users are needed" in stages


def test_relevance_is_a_sum_over_the_history_as_trained() -> None:
    """Scores of unseen items against the formula in dense NumPy, from what is stored."""
    con, _, model = made(TASTES)
    vectors = con.execute(
        "SELECT i.item_id, v.encoder, v.decoder, v.statistics, v.neighbours, v.neighbour_weights"
        " FROM shop.item_vectors AS v JOIN shop.item_vectors AS i USING (item_index)"
        " ORDER BY v.item_index"
    ).fetchall()
    ids = [row[0] for row in vectors]
    encoder, decoder, popular = (np.array([row[n] for row in vectors]) for n in (1, 2, 3))
    between = np.zeros((len(ids), len(ids)))
    for index, (*_, near, weights) in enumerate(vectors):
        between[index, near] = weights
    visits = con.execute("SELECT user_id, item_id FROM visits").fetchall()
    # all of a user's items have come once: x is 1 over the fourth root of their squares
    for user in (0, 17, 399):
        known = [ids.index(item) for of, item in visits if of == user]
        x = np.zeros(len(ids))
        x[known] = np.log(2) / (len(known) * np.log(2) ** 2) ** 0.25
        sparsity = 1 / (1 + len(known) / 20)
        a = np.array(model["unknown"][0]) + sparsity * np.array(model["unknown"][1])
        expected = a[0] * (x @ encoder @ decoder.T + x @ between) + popular[:, :2] @ a[2:4]
        rows = con.execute(
            f"SELECT item_id, score FROM shop.recommend({user}, weights => {{relevance: 1}}, k => 70)"
        ).fetchall()
        scores = np.array([score for _, score in rows])
        ours = expected[[ids.index(item) for item, _ in rows]] / model["unit"]
        np.testing.assert_allclose(scores - scores[0], ours - ours[0], atol=1e-4)


FIXED = {
    "half_life": "long",
    "ridge": 0.05,
    "damping": 0.25,
    "neighbour_weight": 0.7,
    "neighbour_ridge": 3.0,
    "content_weight": 0.0,
    "popularity_weight": 0.5,
}


def test_each_setting_can_be_fixed(tables: Connection) -> None:
    create(tables, relevance=str({**FIXED, "trend": "none"}))
    [(model,)] = tables.execute("SELECT model FROM shop.settings").fetchall()
    model = json.loads(model)
    expected = {**FIXED, "half_life": 2, "damping": [0.25, 0.25], "trend": ["users", 1.2, 0.0]}
    assert {name: model[name] for name in expected} == expected
    unknown = np.array(model["unknown"])
    np.testing.assert_allclose(unknown[:, 1], 0)
    np.testing.assert_allclose(unknown[:2, 2], 0.5 * unknown[:2, 0], rtol=1e-5)
    assert len(tables.execute("FROM recommend(1)").fetchall()) == 10
    # and stays so when it is trained anew
    tables.execute("FROM refresh_recommender('shop')").fetchall()
    [(again,)] = tables.execute("SELECT model FROM shop.settings").fetchall()
    assert json.loads(again)["neighbour_weight"] == 0.7


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{'rigde': 1}", "unknown setting 'rigde'"),
        ("{'ridge': 0}", "relevance.ridge: 0 came"),
        ("{'ridge': 'much'}", "relevance.ridge: 'much'"),
        ("{'damping': 2}", "relevance.damping: 2"),
        ("{'damping': [0.5]}", "relevance.damping"),
        ("{'half_life': 'week'}", "not one of short, medium, long, none"),
        ("{'trend': 'up'}", "not one of none, adopters, users"),
        ("{'neighbour_weight': -1}", "relevance.neighbour_weight: -1"),
        ("'none'", "relevance: a struct"),
    ],
)
def test_a_wrong_setting_is_named(tables: Connection, given: str, said: str) -> None:
    with pytest.raises(duckdb.Error, match=said):
        create(tables, relevance=given)
    assert not tables.execute("FROM duckdb_schemas() WHERE schema_name = 'shop'").fetchall()


# everyone takes four things of their taste often, and glances at ten of any once
GLANCES = """
CREATE TABLE visits AS
SELECT user_id, item_id, any_value(often) AS often
FROM (
    SELECT u AS user_id, (u % 8) * 10 + CAST(md5_number_lower(u || ' ' || n) % 10 AS BIGINT)
        AS item_id, 20 AS often
    FROM range(400) AS t(u), range(4) AS s(n)
    UNION ALL
    SELECT u, CAST(md5_number_lower(u || 'x' || n) % 80 AS BIGINT), 1
    FROM range(400) AS t(u), range(10) AS s(n)
)
GROUP BY ALL
"""


def test_weights_count_without_a_time_where_they_say_more() -> None:
    found = {}
    for weight in ("'often'", "NULL"):
        con, _, model = made(GLANCES, event_weight=weight)
        [(own,)] = con.execute(OWN.format(weights="{relevance: 1}")).fetchall()
        found[model["half_life"]] = own
    assert found.keys() == {1, 3}
    assert found[1] > found[3] + 0.1
