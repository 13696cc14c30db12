"""What was shown and passed over, as evidence against what is like it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

import morec_sql
from tests.answer.test_items import rows
from tests.conftest import catalogue_of

Connection = duckdb.DuckDBPyConnection
# a thousand users like four of eight shelves, of ten items each: item % 8 is the shelf. They order from
# these, and pass over what they are shown of the others; of what they like they take the more of it the
# further up it was in the list
SHOP = """
CREATE TABLE tastes AS
SELECT u AS user_id, s AS shelf, row_number() OVER (PARTITION BY u ORDER BY md5(u || ' ' || s)) AS nth
FROM range(1000) AS t(u), range(8) AS v(s);
CREATE TABLE shown AS
SELECT
    t.user_id,
    CAST(t.shelf + 8 * (md5_number_lower(n || '*' || t.user_id) % 10) AS INTEGER) AS item_id,
    TIMESTAMP '2024-01-01'
        + INTERVAL 1 HOUR * (md5_number_lower(t.user_id || '^' || n) % 8000) AS shown_at,
    1 + (n // 3) % 3 AS place,
    t.nth <= 4 AS liked,
    md5_number_lower(n || '$' || t.user_id) % 10 AS chance
FROM range(18) AS s(n), tastes AS t
WHERE t.nth = CASE WHEN n % 3 < 2 THEN 5 + n % 4 ELSE 1 + n % 4 END;
CREATE TABLE orders AS
SELECT
    t.user_id,
    CAST(t.shelf + 8 * (md5_number_lower(n || '-' || t.user_id) % 10) AS INTEGER) AS item_id,
    TIMESTAMP '2024-01-01'
        + INTERVAL 1 HOUR * (md5_number_lower(t.user_id || '+' || n) % 8000) AS ordered_at
FROM range(8) AS s(n), tastes AS t
WHERE t.nth = 1 + n % 4
UNION ALL
SELECT user_id, item_id, shown_at + INTERVAL 1 HOUR
FROM shown
WHERE liked AND chance < CASE place WHEN 1 THEN 9 WHEN 2 THEN 5 ELSE 2 END;
"""
SHOWN = "'shown(user_id, item_id, shown_at, place)'"
LATER = "TIMESTAMP '2024-11-29'"


def made(con: Connection, impressions: str = SHOWN) -> list[tuple[object, ...]]:
    return rows(
        con,
        "FROM create_recommender('shop', events => 'orders', event_time => 'ordered_at',"
        f" impressions => {impressions}, replace => true)",
    )


def shelves(con: Connection, user: str | int, more: str = "") -> list[int]:
    """The shelves of the first ten items by relevance."""
    query = f"FROM shop.recommend({user}, weights => {{relevance: 1}}, k => 10 {more})"
    return [int(item) % 8 for (item,) in rows(con, f"SELECT item_id {query}")]


@pytest.fixture(scope="module")
def shop() -> Iterator[Connection]:
    con = morec_sql.connect()
    con.execute(SHOP)
    stages = {str(stage): count for stage, count, _ in made(con)}
    assert stages["impressions: of users and items with events"] == 18000
    (said,) = (stage for stage in stages if stage.startswith("impressions: nDCG"))
    assert said.endswith(", used")
    found = rows(con, "SELECT source, used, ndcg - ndcg_without > 2.5 * error FROM shop.sources")
    assert found == [("impressions", True, True)]
    yield con
    con.close()


@pytest.fixture
def undone(shop: Connection) -> Iterator[Connection]:
    shop.execute("BEGIN")
    yield shop
    shop.execute("ROLLBACK")


def test_lists_hold_less_of_what_was_passed_over(shop: Connection) -> None:
    measured = """
    SELECT avg(CAST(t.nth <= 4 AS INTEGER))
    FROM
        (SELECT range AS user_id FROM range(300)) AS u,
        shop.recommend(u.user_id, weights => {{relevance: 1}}, k => 25, exclude_seen => true {}) AS r
    JOIN tastes AS t ON t.user_id = u.user_id AND t.shelf = r.item_id % 8
    """
    ((with_it,),) = rows(shop, measured.format(""))
    ((without,),) = rows(shop, measured.format(", without => ['impressions']"))
    assert with_it > without + 0.015


def test_what_is_shown_counts_at_once(undone: Connection) -> None:
    everyone = shelves(undone, "NULL")
    assert shelves(undone, 5000) == everyone
    disliked = max(everyone, key=everyone.count)
    undone.execute(
        f"INSERT INTO shown BY NAME SELECT 5000 AS user_id, {disliked} + 8 * range AS item_id,"
        f" {LATER} AS shown_at, 1 AS place FROM range(5)"
    )
    assert disliked not in shelves(undone, 5000)
    assert rows(undone, "SELECT DISTINCT personal FROM shop.recommend(5000)") == [(True,)]
    # nothing later than as_of is seen, and a query can do without
    assert shelves(undone, 5000, ", as_of => TIMESTAMP '2024-11-01'") == everyone
    assert shelves(undone, 5000, ", without => 'impressions'") == everyone
    # what is taken then is not passed over
    undone.execute(f"INSERT INTO orders SELECT 5000, {disliked} + 8 * range, {LATER} FROM range(5)")
    assert disliked in shelves(undone, 5000, ", exclude_seen => false")
    kinds = "SELECT count(*) FROM shop.explain(5000, 3) WHERE kind = 'shown'"
    assert rows(undone, kinds) == [(0,)]


def of_shown(con: Connection, user: int, item: int) -> float:
    query = f"SELECT sum(contribution) FROM shop.explain({user}, {item}) WHERE kind = 'shown'"
    return float(rows(con, query)[0][0] or 0)


def test_it_says_the_less_the_further_down_it_was(undone: Connection) -> None:
    taken = "INSERT INTO shown BY NAME SELECT {}, 16 AS item_id, {} AS shown_at, {} AS place"
    for user, place in ((5001, "1"), (5002, "2"), (5003, "3"), (5004, "300"), (5005, "NULL")):
        undone.execute(taken.format(f"{user} AS user_id", LATER, place))
    first, second, third, last, unknown = (of_shown(undone, user, 24) for user in range(5001, 5006))
    assert first < second < third < 0
    assert last == pytest.approx(third)
    assert unknown == pytest.approx(first)


def test_reasons_add_up(shop: Connection) -> None:
    for user, item in ((1, 3), (2, 14), (7, 7)):
        total, least = rows(
            shop,
            "SELECT sum(contribution), min(contribution) FILTER (kind = 'shown')"
            f" FROM shop.explain({user}, {item}, weights => {{relevance: 1}})",
        )[0]
        score = f"SELECT shop.score({user}, {item}, weights => {{relevance: 1}})"
        assert total == pytest.approx(rows(shop, score)[0][0], abs=1e-4)
        if least is not None:
            assert rows(
                shop, f"SELECT count(*) FROM orders WHERE (user_id, item_id) = ({user}, {item})"
            ) == [(0,)]


def test_of_many_users_as_of_one(shop: Connection) -> None:
    query = (
        "SELECT r.item_id, round(r.score, 3) FROM {} AS u(user_id),"
        " shop.recommend(u.user_id, weights => {{relevance: 1}}) AS r ORDER BY u.user_id, r.rank"
    )
    together = rows(shop, query.format("(SELECT range FROM range(20, 40))"))
    alone = [row for user in range(20, 40) for row in rows(shop, query.format(f"(SELECT {user})"))]
    assert [item for item, _ in together] == [item for item, _ in alone]
    assert [score for _, score in together] == pytest.approx([s for _, s in alone], abs=2e-3)


def test_evaluate_says_what_it_is_worth(shop: Connection) -> None:
    found = rows(
        shop,
        "SELECT model, value, difference FROM shop.evaluate(weights => {relevance: 1},"
        " novel_only => true, baselines => false, without => ['impressions'])"
        " WHERE metric = 'ndcg'",
    )
    assert [model for model, *_ in found] == ["morec_sql", "without impressions"]
    assert found[1][2] > 0.005


def test_of_several_tables_and_of_what_is_not_usable() -> None:
    con = morec_sql.connect()
    con.execute(SHOP)
    con.execute(
        "CREATE TABLE mailed AS SELECT user_id::VARCHAR AS who, item_id AS what, shown_at::DATE AS day"
        " FROM shown WHERE user_id % 2 = 0; DELETE FROM shown WHERE user_id % 2 = 0;"
        "INSERT INTO shown BY NAME FROM (VALUES (NULL, 3, now(), 1), (3, NULL, now(), 1), (3, 3, NULL, 1),"
        " (3, 3, 'infinity', 1)) AS t(user_id, item_id, shown_at, place);"
        "INSERT INTO shown BY NAME FROM (VALUES (9999, 3, now(), 1), (3, 9999, now(), 1))"
        " AS t(user_id, item_id, shown_at, place);"
        "CREATE VIEW mails AS SELECT who::BIGINT AS who, what, day FROM mailed;"
    )
    stages = {stage: count for stage, count, _ in made(con, f"[{SHOWN}, 'mails(who, what, day)']")}
    assert stages["impressions: of users and items with events"] == 18000
    assert stages["impressions: left out, without a user, an item or a finite time"] == 4
    assert stages["impressions: of others"] == 2
    assert rows(con, "SELECT count(*), count(DISTINCT place) FROM shop.impressions") == [(18002, 3)]
    con.close()


def test_what_is_shown_to_anyone_is_not_used() -> None:
    con = morec_sql.connect()
    con.execute(SHOP)
    con.execute("UPDATE shown SET item_id = md5_number_lower(user_id || shown_at) % 80")
    listed = (
        "SELECT u.user_id, r.rank, r.item_id, round(r.score, 4) FROM (SELECT range AS user_id FROM range(50))"
        " AS u, shop.recommend(u.user_id) AS r ORDER BY ALL"
    )
    (said,) = (str(stage) for stage, *_ in made(con) if "impressions: nDCG" in str(stage))
    assert said.endswith("not used")
    with_them = rows(con, listed)
    made(con, "NULL")
    assert rows(con, listed) == with_them
    assert rows(con, "SELECT count(*) FROM shop.impressions") == [(0,)]
    con.close()


def test_it_can_be_exported_gone_back_to_and_dropped(tmp_path: Path) -> None:
    con = morec_sql.connect()
    con.execute(SHOP)
    before = catalogue_of(con)
    made(con)
    listed = shelves(con, 8)
    con.execute(f"EXPORT DATABASE '{tmp_path / 'out'}'")
    con.close()
    con = duckdb.connect()
    con.execute(f"IMPORT DATABASE '{tmp_path / 'out'}'")
    morec_sql.load(con)
    assert shelves(con, 8) == listed
    made(con, "NULL")
    assert shelves(con, 8) != listed
    con.execute("FROM use_version('shop', 1)")
    assert shelves(con, 8) == listed
    con.execute("FROM drop_recommender('shop')")
    assert catalogue_of(con) == before
    con.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("impressions => 'shown'", "impressions: a table with its columns is needed, such as"),
        ("impressions => 7", "impressions: a table with its columns is needed, .*, not 7"),
        ("impressions => []", "impressions: a table with its columns is needed"),
        ("impressions => 'shwn(user_id, item_id, shown_at)'", "no table or view 'shwn'"),
        ("impressions => 'shown(user_id, item_id)'", "impressions: a table with its columns"),
        ("impressions => 'shown(user_id, item_id, shwn_at)'", "did you mean 'shown_at'"),
        ("impressions => 'shown(user_id, item_id, place)'", "'place' is BIGINT, no time"),
        (
            "impressions => 'shown(user_id, item_id, shown_at, liked)'",
            "impressions: the column 'liked' is BOOLEAN, but a place is a number",
        ),
        ("impressions => 'shown(shown_at, item_id, shown_at)'", "'shown_at' comes twice"),
        ("impressions => 'names(name, item_id, at)'", "impressions: 'name' is VARCHAR but the ids"),
        (
            f"impressions => {SHOWN}, event_time => NULL",
            "impressions: the events have no event_time, so nothing comes after",
        ),
    ],
)
def test_what_is_no_table_of_impressions(arguments: str, said: str) -> None:
    con = morec_sql.connect()
    con.execute(SHOP + "CREATE TABLE names AS SELECT 'a' AS name, 1 AS item_id, now() AS at")
    before = catalogue_of(con)
    if "event_time" not in arguments:
        arguments += ", event_time => 'ordered_at'"
    with pytest.raises(duckdb.Error, match=said):
        con.execute(f"FROM create_recommender('shop', events => 'orders', {arguments})")
    assert catalogue_of(con) == before
    con.close()
