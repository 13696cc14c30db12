"""Graphs: what friends of users took, and what items are joined to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

import morec_sql
from tests.answer.test_items import rows
from tests.conftest import SMALL, catalogue_of, create

# the friends of each user are five of the same half; 60 and 61 have no events, 62 has no friends
FRIENDS = """
CREATE TABLE friends AS
SELECT u AS customer, (u + 2 * n) % 60 AS friend, CAST(2.0 + n AS DOUBLE) AS closeness
FROM range(62) AS t(u), range(1, 6) AS s(n);
"""
GRAPH = "'friends(customer, friend)'"
KITCHEN, GARAGE = set(range(10)), set(range(10, 20))


def shop_with(
    graph: str = GRAPH, more: str = ""
) -> tuple[duckdb.DuckDBPyConnection, dict[str, int]]:
    con = morec_sql.connect()
    con.execute(SMALL + FRIENDS + more)
    stages = create(con, user_graph=graph)
    return con, {stage: count for stage, count, _ in stages if stage.startswith("user_graph")}


def first(
    con: duckdb.DuckDBPyConnection, user: str | int, more: str = ""
) -> list[tuple[int, float]]:
    """The first five items by relevance, with their scores."""
    return rows(
        con,
        f"SELECT item_id, round(score, 4) FROM shop.recommend({user}, weights => {{relevance: 1}},"
        f" k => 5 {more})",
    )


def items(con: duckdb.DuckDBPyConnection, user: str | int, more: str = "") -> set[int]:
    return {item for item, _ in first(con, user, more)}


@pytest.fixture(scope="module")
def shop() -> Iterator[duckdb.DuckDBPyConnection]:
    con, stages = shop_with()
    assert stages["user_graph: edges between users with events"] == 300
    assert stages["user_graph: other edges, without events, double or beyond 100 of a user"] == 10
    (said,) = (stage for stage in stages if "nDCG" in stage)
    assert said.endswith(", used")
    found = rows(
        con, "SELECT source, lists, used, ndcg - ndcg_without > 2.5 * error FROM shop.sources"
    )
    assert found == [("user_graph", "first lists", True, True)]
    yield con
    con.close()


def test_who_has_no_events_gets_what_friends_took(shop: duckdb.DuckDBPyConnection) -> None:
    assert items(shop, 60) <= KITCHEN
    assert items(shop, 61) <= GARAGE
    assert first(shop, 62) == first(shop, "NULL")
    personal = "SELECT DISTINCT personal FROM shop.recommend({})"
    assert [rows(shop, personal.format(user)) for user in (61, 62)] == [[(True,)], [(False,)]]


def test_friends_and_their_events_count_at_once(shop: duckdb.DuckDBPyConnection) -> None:
    shop.execute("BEGIN")
    shop.execute("INSERT INTO friends VALUES (70, 3, 1), (71, 80, 1)")
    assert items(shop, 70) <= GARAGE
    assert first(shop, 71) == first(shop, "NULL")
    shop.execute(
        "INSERT INTO orders SELECT 80, 11 + i, TIMESTAMP '2024-03-30', 1 FROM range(3) AS t(i)"
    )
    assert items(shop, 71) <= GARAGE
    shop.execute("DELETE FROM friends WHERE customer = 61")
    assert first(shop, 61) == first(shop, "NULL")
    shop.execute("ROLLBACK")
    assert items(shop, 61) <= GARAGE


def test_they_fade_into_the_own_history(shop: duckdb.DuckDBPyConnection) -> None:
    def of_friends(user: int) -> float:
        query = f"SELECT sum(contribution) FROM shop.explain({user}, 17) WHERE kind = 'friends'"
        return float(rows(shop, query)[0][0] or 0)

    shop.execute("BEGIN")
    before = of_friends(61)
    shop.execute("INSERT INTO orders SELECT 61, i, TIMESTAMP '2024-03-30', 1 FROM range(9) AS t(i)")
    after = of_friends(61)
    shop.execute("ROLLBACK")
    assert 0 < after < before


def test_nothing_later_than_as_of_is_seen(shop: duckdb.DuckDBPyConnection) -> None:
    as_of = ", as_of => TIMESTAMP '{}'".format
    assert first(shop, 60, as_of("2023-12-31")) == first(shop, "NULL", as_of("2023-12-31"))
    assert items(shop, 61, as_of("2024-01-05")) <= GARAGE
    shop.execute("BEGIN")
    before = first(shop, 61, as_of("2024-02-01"))
    shop.execute(
        "INSERT INTO orders SELECT u, i, TIMESTAMP '2024-02-02', 9"
        " FROM range(1, 60, 2) AS t(u), range(9) AS s(i)"
    )
    assert first(shop, 61, as_of("2024-02-01")) == before
    shop.execute("ROLLBACK")


def test_of_many_users_as_of_one(shop: duckdb.DuckDBPyConnection) -> None:
    together = rows(
        shop,
        "SELECT u.user_id, r.item_id, round(r.score, 4) FROM"
        " (SELECT range AS user_id FROM range(50, 64)) AS u,"
        " shop.recommend(u.user_id, k => 5, weights => {relevance: 1}) AS r ORDER BY u.user_id, rank",
    )
    alone = [(user, *row) for user in range(50, 64) for row in first(shop, user)]
    assert [row[:2] for row in together] == [row[:2] for row in alone]
    assert [row[2] for row in together] == pytest.approx([row[2] for row in alone], abs=1.5e-4)
    query = "SELECT shop.score(?, ?, weights => {relevance: 1})"
    for user, item, score in together:
        assert rows(shop, query, user, item)[0][0] == pytest.approx(score, abs=1e-3)


def test_reasons_add_up(shop: duckdb.DuckDBPyConnection) -> None:
    for user, item in ((60, 4), (61, 14), (2, 14), (62, 4)):
        total, friends = rows(
            shop,
            "SELECT sum(contribution), count(*) FILTER (kind = 'friends')"
            f" FROM shop.explain({user}, {item}, weights => {{relevance: 1}})",
        )[0]
        score = f"SELECT shop.score({user}, {item}, weights => {{relevance: 1}})"
        assert total == pytest.approx(rows(shop, score)[0][0], abs=1e-5)
        assert friends == (user != 62)
    reasons = (
        "SELECT reason FROM shop.recommend(60, weights => {relevance: 1}, k => 1, reasons => 'en')"
    )
    assert rows(shop, reasons) == [("Popular with your friends.",)]


def test_a_query_can_do_without_them(shop: duckdb.DuckDBPyConnection) -> None:
    without = ", without => {}".format
    assert first(shop, 61, without("'user_graph'")) == first(shop, "NULL")
    assert first(shop, 61, without("['user_features', 'context']")) == first(shop, 61)
    kinds = (
        "SELECT count(*) FROM shop.explain(61, 17, without => 'user_graph') WHERE kind = 'friends'"
    )
    assert rows(shop, kinds) == [(0,)]
    reasons = (
        "SELECT DISTINCT reason FROM shop.recommend(60, weights => {relevance: 1}, k => 1,"
        " reasons => true, without => ['user_graph'])"
    )
    assert rows(shop, reasons) == [("Popular with others.",)]
    # of each user of a query
    query = (
        "SELECT u.without, r.item_id FROM (VALUES (['user_graph']), (NULL)) AS u(without),"
        " shop.recommend(61, weights => {relevance: 1}, k => 5, without => u.without) AS r"
    )
    found = rows(shop, query)
    assert {item for without, item in found if without} == items(shop, "NULL")
    assert {item for without, item in found if not without} == items(shop, 61)
    for wrong in ("'friends'", "['user_grph']", "7", "[NULL]", "{a: 1}"):
        with pytest.raises(
            duckdb.Error,
            match=r"without: .* is none of user_features, user_graph, impressions, context",
        ):
            shop.execute(f"FROM shop.recommend(61, without => {wrong})")


def test_evaluate_says_what_they_are_worth(shop: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        shop,
        "SELECT model, value, difference, p_value FROM shop.evaluate(history => 0,"
        " weights => {relevance: 1}, baselines => false, without => ['user_graph', 'user_features'])"
        " WHERE metric = 'ndcg'",
    )
    models = {model: numbers for model, *numbers in found}
    assert list(models) == ["morec_sql", "without user_graph", "without user_features"]
    ours, theirs = models["morec_sql"][0], models["without user_graph"]
    assert theirs[1] == pytest.approx(ours - theirs[0])
    assert theirs[1] > 0.1
    assert theirs[2] < 0.01
    # there are no attributes
    assert models["without user_features"][:2] == [ours, 0]
    said = "without: 'context' is none of user_features, user_graph"
    with pytest.raises(duckdb.InvalidInputException, match=said):
        shop.execute("FROM shop.evaluate(without => 'context')")


def test_closer_friends_count_more() -> None:
    more = "DELETE FROM friends WHERE customer = 60; INSERT INTO friends VALUES {};"
    lists = []
    for weights in ((9.0, 0.1), (0.1, 9.0)):
        con, _ = shop_with(
            "'friends(customer, friend, closeness)'",
            more.format(f"(60, 2, {weights[0]}), (60, 3, {weights[1]})"),
        )
        lists.append(items(con, 60))
        con.close()
    kitchen, garage = lists
    assert len(kitchen & KITCHEN) > len(kitchen & GARAGE)
    assert len(garage & GARAGE) > len(garage & KITCHEN)


def test_what_is_wrong_with_edges_is_counted() -> None:
    con, stages = shop_with(
        "'friends(customer, friend, closeness)'",
        """INSERT INTO friends VALUES
            (1, 1, 1), (NULL, 3, 1), (5, NULL, 1), (5, 7, NULL), (5, 7, -1), (5, 7, 'inf'),
            (5, 9999, 1), (1, 3, 1);""",
    )
    assert stages["user_graph: left out, from one to itself"] == 1
    left_out = "user_graph: left out, without both ends or a weight that is a number above 0"
    assert stages[left_out] == 5
    assert stages["user_graph: other edges, without events, double or beyond 100 of a user"] == 12
    kept = "SELECT friend_id, weight FROM shop.user_graph WHERE user_id = 1 ORDER BY ALL"
    assert rows(con, kept) == [(3, 1.0), *((1 + 2 * n, 2.0 + n) for n in range(1, 6))]
    con.close()


def test_of_many_friends_the_closest_hundred_count() -> None:
    # users without events, who are closer than those with some
    strangers = "INSERT INTO friends SELECT {}, range, 99 FROM range(100, {});"
    con, _ = shop_with(
        "'friends(customer, friend, closeness)'",
        strangers.format(61, 200)
        + strangers.format(63, 195)
        + "INSERT INTO friends VALUES (63, 3, 1);",
    )
    assert first(con, 61) == first(con, "NULL")
    assert items(con, 63) <= GARAGE
    con.close()


def test_friends_at_random_are_not_used() -> None:
    con, stages = shop_with(
        more="UPDATE friends SET friend = CAST(md5_number_lower(customer || '/' || friend) % 60 AS BIGINT);"
    )
    (said,) = (stage for stage in stages if "nDCG" in stage)
    assert said.endswith("not used")
    assert first(con, 60) == first(con, "NULL")
    con.close()


def test_nothing_of_a_friendship_is_kept_and_it_can_be_exported(tmp_path: Path) -> None:
    con, _ = shop_with()
    before = first(con, 60)
    tables = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'shop'"
    assert not {table for (table,) in rows(con, tables) if "graph" in table or "friend" in table}
    con.execute(f"EXPORT DATABASE '{tmp_path / 'out'}'")
    con.close()
    con = duckdb.connect()
    con.execute(f"IMPORT DATABASE '{tmp_path / 'out'}'")
    morec_sql.load(con)
    assert first(con, 60) == before
    create(con, replace="true")
    assert first(con, 60) == first(con, "NULL")
    con.execute("FROM use_version('shop', 1)")
    assert first(con, 60) == before
    con.execute("FROM drop_recommender('shop')")
    con.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"user_graph": "'friends'"}, "user_graph: a table with two columns is needed, such as"),
        ({"user_graph": "'friends(customer)'"}, "user_graph: a table with two columns"),
        ({"user_graph": "'frends(customer, friend)'"}, "user_graph: .*no table or view 'frends'"),
        ({"user_graph": "'friends(customer, fiend)'"}, "user_graph: .*did you mean 'friend'"),
        ({"user_graph": "'friends(friend, friend)'"}, "user_graph: the column 'friend' comes twice"),
        ({"user_graph": "'products(product_id, title)'"}, "user_graph: 'title' is VARCHAR but"),
        (
            {"user_graph": "'products(product_id, price, title)'"},
            "user_graph: the column 'title' is VARCHAR, but a weight must be a number",
        ),
        ({"user_graph": "1"}, "user_graph: a name is needed, not 1"),
        ({"item_graph": "'products'"}, r"item_graph: .* such as 'taxonomy\(product_id, category\)'"),
        ({"item_graph": "'friends(customer, closenes)'"}, "item_graph: .*did you mean 'closeness'"),
    ],
)  # fmt: skip
def test_bad_graphs(arguments: dict[str, str], said: str) -> None:
    con = morec_sql.connect()
    con.execute(SMALL + FRIENDS)
    before = catalogue_of(con)
    with pytest.raises(duckdb.Error, match=said):
        create(con, **arguments)
    assert catalogue_of(con) == before
    con.close()
