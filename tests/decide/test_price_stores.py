"""price_response with stores told apart: customers who move between cheap and dear ones."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

import morec_sql
from tests.conftest import catalogue_of
from tests.decide.campaigns import dicts, recommender

Connection = duckdb.DuckDBPyConnection
# elasticities are -2; the store East is 15 % cheaper, in every other month it has most of the
# customers, and every other item is mostly sold there: by the mean price that was paid more of these is
# sold because they are cheaper
TABLES = """
CREATE TABLE goods AS SELECT i AS item_id, i % 2 AS shelf FROM range(24) AS t(i);
CREATE TABLE cells AS
SELECT
    i AS item_id,
    ['North', 'East'][1 + s] AS store,
    w,
    CASE WHEN s = 1 THEN 0.85 ELSE 1 END
    * 5.0 * (0.85 + (md5_number_lower(i || '/' || w || '/' || s) % 9) / 30) AS price,
    CASE WHEN (w // 4) % 2 = s THEN 90 ELSE 15 END AS customers
FROM range(24) AS t(i), range(2) AS r(s), range(52) AS q(w);
CREATE TABLE sold AS
SELECT
    item_id,
    CAST(md5_number_upper(item_id || ' ' || w) % 50 AS BIGINT) AS user_id,
    TIMESTAMP '2024-01-01 10:00' + INTERVAL (7 * w) DAY + INTERVAL (item_id % 5) DAY AS sold_at,
    store,
    round(
        customers
        * CASE WHEN item_id % 2 = CASE store WHEN 'East' THEN 0 ELSE 1 END THEN 2 ELSE 0.3 END
        * pow(price / 5, -2)
        * (0.8 + (md5_number_lower(w || '+' || item_id || '+' || store) % 9) / 20)
    ) AS units,
    price * units AS paid
FROM cells;
CREATE TABLE prices AS
SELECT item_id, 5.0 AS price, DATE '2023-12-01' AS starts FROM goods
UNION ALL SELECT item_id, 4.0, DATE '2024-01-01' + CAST(7 * w AS INTEGER) FROM cells WHERE w % 3 = 0
UNION ALL SELECT item_id, 5.0, DATE '2024-01-01' + CAST(7 * w AS INTEGER) FROM cells WHERE w % 3 = 1;
"""
PAID = "revenue => 'paid', quantity => 'units'"


@pytest.fixture(scope="module")
def shop() -> Iterator[Connection]:
    con = morec_sql.connect()
    con.execute(TABLES)
    recommender(con, "sold", "goods")
    yield con
    con.close()


def test_prices_of_each_store_are_set_against_what_it_sells(shop: Connection) -> None:
    of_all, by_store = (
        dicts(shop, f"FROM shop.price_response({arguments}) ORDER BY item_id")
        for arguments in (PAID, f"{PAID}, stores => 'store'")
    )
    assert [row["item_id"] for row in by_store] == list(range(24))
    error = [
        sum(abs(row["elasticity"] + 2) for row in rows) / len(rows) for rows in (of_all, by_store)
    ]
    assert error[0] > 1
    assert error[1] < 0.15
    assert sum(row["low"] < -2 < row["high"] for row in by_store) >= 18
    assert all(row["evidence"] in ("own", "category") for row in by_store)
    # what is not about how prices act is of all stores, as it was
    same = ("price", "units", "weeks", "prices", "item_id", "category")
    for one, other in zip(of_all, by_store, strict=True):
        assert all(one[column] == other[column] for column in same)


def test_plans_and_quality_take_stores_and_so_do_lists_and_segments(shop: Connection) -> None:
    quality = dicts(shop, f"FROM shop.price_quality({PAID}, stores => 'store')")
    assert [row["method"] for row in quality if row["chosen"] and row["outcome"] == "units"] in (
        ["own"],
        ["category"],
    )
    rows = dicts(shop, f"FROM shop.price_plan({PAID}, stores => 'store', weights => {{profit: 1}})")
    assert len(rows) == 24
    assert all(row["change"] > -1 for row in rows)
    listed = dicts(
        shop,
        "FROM shop.price_response(prices => 'prices(item_id, price, starts)', quantity => 'units',"
        " stores => 'store', category => 'shelf') ORDER BY item_id",
    )
    assert len(listed) == 24
    # a store alone, and none that is known, are as all together
    alone = f"SELECT elasticity FROM shop.price_response({PAID}, stores => %s) ORDER BY item_id"
    for store in ("'''here'''", "'NULL'"):
        found = shop.execute(alone % store).fetchall()
        assert found == shop.execute(alone % "NULL").fetchall()


@pytest.mark.parametrize(
    ("stores", "said"),
    [
        ("'shop_id'", "stores: .*unknown column 'shop_id'"),
        ("'max(store)'", "stores: .*aggregates"),
        ("'sold_at'", "stores: no item is sold in a store in nearly all weeks"),
    ],
)
def test_bad_stores_are_said(shop: Connection, stores: str, said: str) -> None:
    before = catalogue_of(shop)
    with pytest.raises(duckdb.Error, match=said):
        shop.execute(f"FROM shop.price_response({PAID}, stores => {stores})").fetchall()
    assert catalogue_of(shop) == before
