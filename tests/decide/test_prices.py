"""price_response, price_plan and price_front: how demand answers to prices, and which to take."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

import morec_sql
from tests.conftest import catalogue_of
from tests.decide.campaigns import dicts, recommender

Connection = duckdb.DuckDBPyConnection
OF = "revenue => 'paid', quantity => 'units', category => 'shelf'"
# elasticities are -3 on the first shelf and -1 on the second; the item 39 has one price; of item 38
# little is sold; rows of returns and of gifts are in the way
TABLES = """
CREATE TABLE products AS
SELECT
    i AS item_id,
    CASE WHEN i < 20 THEN 'first' ELSE 'second' END AS shelf,
    CASE WHEN i = 7 THEN NULL ELSE 2.0 END AS cost
FROM range(40) AS t(i);

CREATE TABLE weeks AS
SELECT
    i,
    w,
    5.0 * CASE WHEN i = 39 THEN 1 ELSE 0.8 + (md5_number_lower(i || '/' || w) % 9) / 20 END
        AS price
FROM range(40) AS t(i), range(40) AS s(w);

CREATE TABLE sold AS
SELECT
    w.i AS item_id,
    CAST(md5_number_upper(w.i || ' ' || w.w) % 50 AS BIGINT) AS user_id,
    TIMESTAMP '2024-01-01' + INTERVAL (7 * w.w) DAY AS sold_at,
    round(
        CASE WHEN w.i = 38 THEN CASE WHEN w.w % 4 = 0 THEN 1 ELSE 0 END ELSE 40 END
        * pow(w.price / 5, CASE WHEN w.i < 20 THEN -3 ELSE -1 END)
        * (1 + 0.3 * sin(w.w))
    ) AS units,
    w.price * units AS paid
FROM weeks AS w
WHERE units > 0;

INSERT INTO sold SELECT 1, 1, TIMESTAMP '2024-03-01', -2, -10.0;
INSERT INTO sold SELECT 1, 1, TIMESTAMP '2024-03-01', 1, 0.0;
INSERT INTO sold SELECT 1, 1, TIMESTAMP '2024-03-01', NULL, NULL;
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Connection]:
    con = morec_sql.connect()
    con.execute(TABLES)
    recommender(con, "sold", "products")
    yield con
    con.close()


def test_elasticities_are_recovered(shop: Connection) -> None:
    rows = {row["item_id"]: row for row in dicts(shop, f"FROM shop.price_response({OF})")}
    assert len(rows) == 40
    for item, row in rows.items():
        truth = -3 if item < 20 else -1
        assert row["category"] == ("first" if item < 20 else "second")
        assert row["low"] < truth < row["high"], item
        if item < 38:
            assert row["elasticity"] == pytest.approx(truth, abs=0.25)
            assert row["prices"] > 5
            assert row["weeks"] == 40
            assert row["evidence"] in ("own", "category")
    assert rows[39]["evidence"] == "never moved"
    assert rows[38]["evidence"] == "category"
    assert rows[39]["price"] == 5
    # the last prices, and units of the last eight weeks
    known = dict(shop.execute("SELECT i, price FROM weeks WHERE w = 39").fetchall())
    assert all(
        rows[item]["price"] == pytest.approx(price) for item, price in known.items() if item != 38
    )
    units = dict(
        shop.execute(
            "SELECT item_id, sum(units) / 8 FROM sold WHERE sold_at > '2024-08-11' GROUP BY 1"
        ).fetchall()
    )
    assert rows[3]["units"] == pytest.approx(units[3])


# what sells once in a while, at prices of a list that change in the middle of a week; on promotion
# three times as much is sold. The items 0 to 29 have an elasticity of -3, the others of -1
SELDOM = """
CREATE TABLE goods AS
SELECT i AS item_id, CASE WHEN i < 30 THEN 'a' ELSE 'b' END AS shelf FROM range(60) AS t(i);
CREATE TABLE prices AS
SELECT
    i AS item_id,
    CASE WHEN w % 3 = 0 THEN 4.0 + (md5_number_lower(i || '/' || w) % 9) / 4 ELSE 5.0 END AS price,
    DATE '2024-01-01' + CAST(7 * w AS INTEGER) AS starts,
    (i + w) % 7 = 3 AS promoted
FROM range(60) AS t(i), range(52) AS s(w);
CREATE TABLE bought AS
SELECT
    p.item_id,
    CAST(md5_number_upper(p.item_id || ' ' || p.starts || n) % 80 AS BIGINT) AS user_id,
    CAST(p.starts AS TIMESTAMP) + INTERVAL (1 + n % 6) DAY AS at
FROM prices AS p, range(60) AS t(n)
WHERE
    (md5_number_lower(p.item_id || '+' || p.starts || '+' || n) % 100000) / 100000
    < pow(p.price / 5, CASE WHEN p.item_id < 30 THEN -3 ELSE -1 END)
    * CASE WHEN p.promoted THEN 3 ELSE 1 END * 0.5 / 60;
"""
BY_LIST = "prices => 'prices(item_id, price, starts, promoted)', category => 'shelf'"


@pytest.fixture(scope="module")
def slow() -> Iterator[Connection]:
    con = morec_sql.connect()
    con.execute(SELDOM)
    recommender(con, "bought", "goods", "slow", "at")
    yield con
    con.close()


def test_what_sells_seldom_is_known_by_a_list_of_prices(slow: Connection) -> None:
    rows = {row["item_id"]: row for row in dicts(slow, f"FROM slow.price_response({BY_LIST})")}
    assert len(rows) == 60
    found = {
        shelf: sum(row["elasticity"] for row in rows.values() if row["category"] == shelf) / 30
        for shelf in ("a", "b")
    }
    assert found["a"] == pytest.approx(-3, abs=0.8)
    assert found["b"] == pytest.approx(-1, abs=0.8)
    truth = {item: -3 if item < 30 else -1 for item in rows}
    assert sum(row["low"] < truth[item] < row["high"] for item, row in rows.items()) >= 54
    assert all(row["promotion"] == pytest.approx(3, rel=0.35) for row in rows.values())
    # the price of now is that of the list, whether anything was sold at it or not
    now = dict(
        slow.execute(
            "SELECT item_id, max_by(price, starts) FROM prices"
            " WHERE starts <= (SELECT max(b.at) FROM bought AS b) GROUP BY ALL"
        ).fetchall()
    )
    assert {item: row["price"] for item, row in rows.items()} == now
    # of prices that were paid nothing is known, since nothing sold in nearly all weeks
    with pytest.raises(duckdb.Error, match="revenue: no item is sold both before and in the last"):
        slow.execute("FROM slow.price_response(revenue => '5.0')").fetchall()
    assert dicts(slow, f"FROM slow.price_plan({BY_LIST}, weights => {{units: 1}})")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("prices => 'prices'", "prices: a table with its columns is needed, such as 'prices"),
        ("prices => 'prices(item_id, price)'", "prices: a table with its columns is needed"),
        ("prices => 'pices(item_id, price, starts)'", "prices: there is no table or view 'pices'"),
        ("prices => 'prices(item_id, prize, starts)'", "prices: .* has no column 'prize'"),
        ("prices => 'prices(item_id, starts, price)'", "'starts' is DATE, but a price must be"),
        ("prices => 'prices(item_id, price, promoted)'", "'promoted' is BOOLEAN, but a start"),
        ("prices => 'prices(item_id, price, starts, price)'", "the column 'price' comes twice"),
        ("prices => 'prices(starts, price, starts)'", "prices: "),
        ("prices => 7", "prices: a table with its columns is needed, .*, not 7"),
        (f"{BY_LIST}, promoted => 'true'", "promoted: with prices it is a column of their table"),
        ("prices => 'none(item_id, price, starts)'", "prices: no item that was sold has a price"),
        ("quantity => '1'", "revenue: SQL over the events is needed, such as .*, or prices"),
    ],
)
def test_bad_lists_of_prices_are_said(slow: Connection, arguments: str, said: str) -> None:
    slow.execute("CREATE OR REPLACE VIEW none AS FROM prices WHERE item_id = -1")
    with pytest.raises(duckdb.Error, match=said):
        slow.execute(f"FROM slow.price_response({arguments})").fetchall()


def test_prices_foretell_the_last_weeks(shop: Connection) -> None:
    found = dicts(shop, f"FROM shop.price_quality({OF})")
    rows = {row["method"]: row for row in found if row["outcome"] == "units"}
    assert list(rows) == ["own", "category", "no price"]
    # nobody takes another item of the shelf instead here
    weeks = {row["method"]: row["chosen"] for row in found if row["outcome"] == "weeks"}
    assert weeks == {"cross effects": False, "no cross effects": True}
    (none,) = dicts(shop, f"SELECT DISTINCT substitution FROM shop.price_response({OF})")
    assert none == {"substitution": 0}
    assert rows["no price"]["gain_high"] < 0
    assert not rows["no price"]["chosen"]
    assert sum(row["chosen"] for row in rows.values()) == 1


def test_plans_raise_profit_within_limits(shop: Connection) -> None:
    rows = dicts(
        shop,
        f"FROM shop.price_plan({OF}, cost => 'cost', floor => 'cost * 1.2', max_change => 0.2,"
        " weights => {profit: 1})",
    )
    by_id = {row["item_id"]: row for row in rows}
    assert 7 not in by_id  # without a cost
    for row in rows:
        assert abs(row["change"]) <= 0.2 + 1e-9
        assert row["new_price"] >= 2.4
        assert row["new_profit"] >= row["profit"] - 1e-9
        assert row["units_low"] <= row["new_units"] + 1e-9
        assert row["new_units"] <= row["units_high"] + 1e-9
        assert row["profit_low"] <= row["new_profit"] + 1e-9 <= row["profit_high"] + 2e-9
        assert row["new_revenue"] == pytest.approx(row["new_price"] * row["new_units"])
    assert by_id[39]["new_price"] == by_id[39]["price"]
    # of an elasticity of -3 the best price is 1.5 times the cost, of -1 the highest
    for item, row in by_id.items():
        if item < 20:
            assert row["change"] < 0
        elif item < 38:
            assert row["change"] == pytest.approx(0.2)


def test_endings_and_stability(shop: Connection) -> None:
    rows = dicts(
        shop,
        f"FROM shop.price_plan({OF}, cost => 'cost', max_change => 0.3, endings => [0.99, 0.49])",
    )
    changed = [row for row in rows if row["change"]]
    assert changed
    assert {round(row["new_price"] % 0.5, 2) for row in changed} == {0.49}
    still = dicts(shop, f"FROM shop.price_plan({OF}, cost => 'cost', weights => [0.1, 0.1, 9])")
    assert {row["change"] for row in still} == {0}
    few = dicts(shop, f"FROM shop.price_plan({OF}, filter => 'item_id < 3')")
    assert {row["item_id"] for row in few} == {0, 1, 2}


def test_the_front_goes_from_units_to_profit(shop: Connection) -> None:
    rows = dicts(shop, f"FROM shop.price_front({OF}, cost => 'cost')")
    assert rows[0]["weights"] == {"profit": 0, "units": 1}
    assert rows[-1]["weights"] == {"profit": 1, "units": 0}
    profit, units = ([row[one] for row in rows] for one in ("profit", "units"))
    assert profit == sorted(profit)
    assert units == sorted(units, reverse=True)
    assert profit[-1] > 1
    assert units[0] > 1
    pytest.importorskip("matplotlib")
    for query in (f"price_front({OF}, cost => 'cost')", f"price_quality({OF})"):
        figure = morec_sql.plot_decision(shop.sql(f"FROM shop.{query}"))
        assert figure._repr_png_()[:4] == b"\x89PNG"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("price_response(revenue => NULL)", "revenue: SQL over the events is needed"),
        (
            "price_response(revenue => '''5 EUR''')",
            "revenue: .* is VARCHAR, but a number is needed",
        ),
        ("price_response(revenue => 'pay')", "unknown column 'pay'"),
        (
            "price_response(revenue => 'paid', quantity => '-1')",
            "revenue: no event of these items has units",
        ),
        (
            f"price_response({OF}, promoted => 'units')",
            "promoted: 'units' is DOUBLE, but a predicate",
        ),
        (f"price_response({OF}, filter => 'cost > 100')", "filter: 'cost > 100' keeps no item"),
        ("price_response(revenue => 'paid', category => 'shelves')", "unknown column 'shelves'"),
        (f"price_plan({OF}, max_change => 2)", "max_change: 2 is a share of the price"),
        (f"price_plan({OF}, endings => [99])", "endings: a list of numbers from 0 and below 1"),
        (f"price_plan({OF}, weights => {{margin: 1}})", "weights: unknown objective 'margin'"),
        (f"price_plan({OF}, weights => [1, -1, 0])", "weights: -1 for units is negative"),
        (f"price_plan({OF}, cost => 'NULL')", "cost: "),
    ],
)
def test_bad_input_is_said_in_a_sentence_and_changes_nothing(
    shop: Connection, query: str, said: str
) -> None:
    before = catalogue_of(shop)
    with pytest.raises(duckdb.Error, match=said):
        shop.execute(f"FROM shop.{query}").fetchall()
    assert catalogue_of(shop) == before


def test_a_few_weeks_are_too_few() -> None:
    con = morec_sql.connect()
    con.execute(TABLES)
    con.execute("DELETE FROM sold WHERE sold_at > '2024-02-20'")
    recommender(con, "sold", "products")
    with pytest.raises(duckdb.Error, match="sales span 8 weeks"):
        con.execute(f"FROM shop.price_response({OF})").fetchall()
    con.close()


# who buys of a shelf buys so much, whatever all of it costs: the cheaper item is taken instead
INSTEAD = """
CREATE TABLE jars AS SELECT i AS item_id, i % 8 AS shelf FROM range(48) AS t(i);
CREATE TABLE stickers AS
SELECT
    i AS item_id,
    w,
    5.0 * (0.8 + (md5_number_lower(i || '/' || w) % 9) / 20)
    * (0.85 + (md5_number_lower((i % 8) || ':' || w) % 7) / 20) AS price
FROM range(48) AS t(i), range(60) AS s(w);
CREATE TABLE jars_sold AS
SELECT
    p.item_id,
    CAST(md5_number_upper(p.item_id || ' ' || p.w) % 50 AS BIGINT) AS user_id,
    TIMESTAMP '2024-01-01' + INTERVAL (7 * p.w) DAY AS sold_at,
    round(
        240 * pow(p.price, -3) / sum(pow(p.price, -3)) OVER (PARTITION BY p.item_id % 8, p.w)
        * (0.9 + (md5_number_lower((p.item_id % 8) || '-' || p.w) % 9) / 40)
    ) AS units,
    p.price * units AS paid
FROM stickers AS p
WHERE units > 0;
"""


def test_items_that_stand_for_each_other_gain_less_by_lower_prices() -> None:
    of = OF.replace("'shelf'", "'CAST(shelf AS VARCHAR)'")
    with morec_sql.connect() as con:
        con.execute(INSTEAD.replace("WHERE units > 0", "QUALIFY units > 0"))
        recommender(con, "jars_sold", "jars")
        quality = dicts(con, f"FROM shop.price_quality({of}) WHERE outcome = 'weeks'")
        assert [row["chosen"] for row in quality] == [True, False]
        assert quality[1]["gain_high"] < 0
        for row in dicts(con, f"FROM shop.price_response({of})"):
            assert row["elasticity"] == pytest.approx(-3, abs=0.4)
            assert row["substitution"] == pytest.approx(3, abs=0.5)
            assert row["substitution_low"] < row["substitution"] < row["substitution_high"]
        # no more is sold where all become cheaper, so that for profit they become dearer
        rows = dicts(con, f"FROM shop.price_plan({of}, weights => {{profit: 1}})")
        assert sum(row["change"] for row in rows) / len(rows) > 0.05
        units, new = (sum(row[one] for row in rows) for one in ("units", "new_units"))
        assert new == pytest.approx(units, rel=0.1)
        assert all(row["units_low"] <= row["new_units"] <= row["units_high"] for row in rows)
        front = dicts(con, f"FROM shop.price_front({of})")
        assert max(row["units"] for row in front) < 1.1


def test_a_macro_of_before_asks_for_no_segments(shop: Connection) -> None:
    # what it passed on: all arguments but the one that came since
    passed = (
        '{"revenue": "paid", "quantity": "units", "promoted": null, "prices": null,'
        ' "category": "shelf", "filter": null}'
    )
    call = "unnest(morec_price_response(current_database(), 'shop', ?)) AS r"
    before = shop.execute(
        f"SELECT r.item_id::BIGINT, r.elasticity FROM (SELECT {call}) ORDER BY ALL", [passed]
    ).fetchall()
    now = f"SELECT item_id, elasticity FROM shop.price_response({OF}) ORDER BY ALL"
    assert before == shop.execute(now).fetchall()
