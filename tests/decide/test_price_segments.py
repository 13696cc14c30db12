"""Prices of segments of users: only where they are asked for, never of persons, with what they do."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

import morec_sql
from tests.decide.campaigns import dicts, recommender

Connection = duckdb.DuckDBPyConnection
OF = "revenue => 'paid', quantity => 'units', category => 'shelf'"
# who lives in town buys a third as much of what costs a tenth more, who does not buys it anyway
TABLES = """
CREATE TABLE people AS
SELECT i AS user_id, CASE WHEN i % 2 = 0 THEN 'town' ELSE 'country' END AS place
FROM range(120) AS t(i);
INSERT INTO people VALUES (999, NULL);
CREATE TABLE goods AS SELECT i AS item_id, 'all' AS shelf, 2.0 AS cost FROM range(24) AS t(i);
CREATE TABLE sold AS
SELECT
    i AS item_id,
    2 * CAST(md5_number_upper(i || ' ' || w || s) % 60 AS BIGINT) + s AS user_id,
    TIMESTAMP '2024-01-01' + INTERVAL (7 * w) DAY AS sold_at,
    5.0 * (0.8 + (md5_number_lower(i || '/' || w) % 9) / 20) AS price,
    round(60 * pow(price / 5, CASE WHEN s = 0 THEN -4 ELSE -0.5 END) * (1 + 0.2 * sin(w))) AS units,
    price * units AS paid
FROM range(24) AS t(i), range(40) AS v(w), range(2) AS x(s)
WHERE units > 0;
INSERT INTO sold SELECT 3, 999, TIMESTAMP '2024-05-01', 5.0, 4, 20.0;
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Connection]:
    with morec_sql.connect() as con:
        con.execute(TABLES)
        recommender(con, "sold", "goods", more=", users => 'people'")
        yield con


def test_segments_answer_to_prices_in_their_own_way(shop: Connection) -> None:
    rows = dicts(shop, f"FROM shop.price_response({OF}, segments => 'place')")
    assert len(rows) == 48
    for row in rows:
        truth = {"town": -4, "country": -0.5}[row["segment"]]
        assert row["elasticity"] == pytest.approx(truth, abs=0.3)
        assert row["category"] == "all"
    # one price for all, unless it is asked for
    together = dicts(shop, f"FROM shop.price_response({OF})")
    assert {row["segment"] for row in together} == {None}
    assert len(together) == 24
    # units of both are those of all, but for whom no segment is known
    apart, whole = (sum(row["units"] for row in one) for one in (rows, together))
    assert apart == pytest.approx(whole, abs=4)


def test_what_prices_of_segments_do_is_told(shop: Connection) -> None:
    asked = f"{OF}, cost => 'cost', segments => 'place', weights => {{profit: 1}}"
    plan = dicts(shop, f"FROM shop.price_plan({asked})")
    by = {(row["item_id"], row["segment"]): row for row in plan}
    assert len(by) == 48
    assert all(
        by[item, "town"]["new_price"] < by[item, "country"]["new_price"] for item in range(24)
    )
    found = {row["segment"]: row for row in dicts(shop, f"FROM shop.price_fairness({asked})")}
    assert {segment: row["users"] for segment, row in found.items()} == {"town": 60, "country": 60}
    for segment, row in found.items():
        mine = [one for (_, of), one in by.items() if of == segment]
        now = sum(one["units"] * one["price"] for one in mine)
        then = sum(one["units"] * one["new_price"] for one in mine)
        assert row["items"] == 24
        assert row["units"] == pytest.approx(sum(one["units"] for one in mine))
        assert row["change"] == pytest.approx(then / now)
        mean = {
            item: sum(by[item, of]["units"] * by[item, of]["new_price"] for of in found)
            / sum(by[item, of]["units"] for of in found)
            for item in range(24)
        }
        of_all = sum(one["units"] * mean[one["item_id"]] for one in mine)
        assert row["price_new"] == pytest.approx(then / of_all)
        # both pay the same now
        assert row["price_now"] == pytest.approx(1, abs=0.01)
    assert found["country"]["price_new"] > 1.03 > 0.99 > found["town"]["price_new"]
    assert found["country"]["dearest"] == 1
    assert found["town"]["dearest"] == 0
    front = dicts(shop, f"FROM shop.price_front({OF}, cost => 'cost', segments => 'place')")
    alone = dicts(shop, f"FROM shop.price_front({OF}, cost => 'cost')")
    assert max(row["profit"] for row in front) > max(row["profit"] for row in alone)


def test_lists_of_prices_are_for_all_segments(shop: Connection) -> None:
    shop.execute(
        "CREATE OR REPLACE TABLE listed AS SELECT item_id, price,"
        " (sold_at - INTERVAL 6 DAY)::DATE AS starts FROM sold"
        " WHERE user_id <> 999 GROUP BY ALL"
    )
    by_list = "prices => 'listed(item_id, price, starts)', quantity => 'units', segments => 'place'"
    rows = dicts(shop, f"FROM shop.price_response({by_list})")
    assert len(rows) == 48
    for row in rows:
        truth = {"town": -4, "country": -0.5}[row["segment"]]
        assert row["elasticity"] == pytest.approx(truth, abs=0.8)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            "price_plan({of}, segments => 'user_id')",
            "segments: 'user_id' tells 121 apart, of 1 user",
        ),
        ("price_plan({of}, segments => 'place IS NULL')", "tells 2 apart, of 1 users the smallest"),
        ("price_plan({of}, segments => '''one''')", "segments: .* tells 1 apart"),
        ("price_plan({of}, segments => 'plce')", "segments: .*plce"),
        ("price_response({of}, segments => 7)", "segments: "),
        ("price_fairness({of})", "segments: SQL over the users is needed; without it all pay the"),
    ],
)
def test_prices_are_not_made_for_persons(shop: Connection, call: str, said: str) -> None:
    with pytest.raises(duckdb.Error, match=said):
        shop.execute(f"FROM shop.{call.format(of=OF)}").fetchall()
