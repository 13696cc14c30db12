"""demand and reorder: what is going to be sold, and what to order."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

import morec_sql
from tests.conftest import catalogue_of
from tests.decide.campaigns import dicts

Connection = duckdb.DuckDBPyConnection
OF = "quantity => 'units'"
# the item i sells i units a day or so, but 15, which sold for the first ten days alone
TABLES = """
CREATE TABLE products AS
SELECT
    i AS item_id,
    CASE WHEN i = 3 THEN NULL WHEN i = 4 THEN -5 ELSE 20 * (i % 5) END AS stock,
    1.0 + i AS cost,
    CASE WHEN i < 10 THEN 6 ELSE 1 END AS pack
FROM range(17) AS t(i);
CREATE TABLE sold AS
SELECT
    i AS item_id,
    CAST(md5_number_lower(i || ' ' || d) % 30 AS BIGINT) AS user_id,
    TIMESTAMP '2024-01-01 08:00:00' + INTERVAL (d) DAY AS sold_at,
    CAST(md5_number_upper(i || '/' || d) % (2 * i + 1) AS BIGINT) AS units
FROM range(1, 16) AS t(i), range(150) AS s(d)
WHERE i <> 15 OR d < 10;
INSERT INTO sold SELECT 1, 1, TIMESTAMP '2024-03-01', -50;
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Connection]:
    con = morec_sql.connect()
    con.execute(TABLES)
    con.execute(
        "FROM create_recommender('shop', events => 'sold', event_time => 'sold_at', event_weight =>"
        " 'CASE WHEN units > 0 THEN 1 END', items => 'products', dimensions => 4, relevance =>"
        " {half_life: 'none', neighbour_weight: 0})"
    ).fetchall()
    yield con
    con.close()


def test_demand_is_what_sells(shop: Connection) -> None:
    rows = dicts(shop, f"FROM shop.demand(horizon => 10, {OF})")
    by_id: dict[int, dict[float, dict[str, float]]] = {}
    for row in rows:
        by_id.setdefault(row["item_id"], {})[row["quantile"]] = row
    assert set(by_id) == set(range(1, 16))
    for item, of in by_id.items():
        assert set(of) == {0.1, 0.5, 0.9}
        assert of[0.1]["units"] <= of[0.5]["units"] <= of[0.9]["units"]
        if item < 15:
            assert of[0.5]["expected"] == pytest.approx(10 * item, rel=0.35)
            assert of[0.1]["units"] < 10 * item * 1.3
            assert of[0.9]["units"] > 10 * item * 0.7
    assert by_id[15][0.5]["expected"] < 15
    few = dicts(shop, f"FROM shop.demand(quantiles => [0.8], filter => 'item_id < 3', {OF})")
    assert [(row["item_id"], row["quantile"]) for row in few] == [(1, 0.8), (2, 0.8)]


def test_parts_add_up_to_items(shop: Connection) -> None:
    # two parts in three buy from the third on, of which one is unknown
    by = "CASE user_id % 3 WHEN 0 THEN NULL ELSE 'store ' || (user_id % 3) END"
    asked = f"horizon => 10, quantiles => [0.5], {OF}"
    whole = {row["item_id"]: row for row in dicts(shop, f"FROM shop.demand({asked})")}
    by = by.replace("'", "''")
    rows = dicts(shop, f"FROM shop.demand({asked}, \"by\" => '{by}')")
    assert {row["segment"] for row in rows} == {None, "store 1", "store 2"}
    assert {row["segment"] for row in dicts(shop, f"FROM shop.demand({asked})")} == {None}
    for item, row in whole.items():
        parts = [one["expected"] for one in rows if one["item_id"] == item]
        assert sum(parts) == pytest.approx(row["expected"])
        assert len(parts) == (3 if item < 15 else len(parts))
        if 3 < item < 15:
            assert max(parts) < 0.55 * row["expected"]
    quality = dicts(shop, f"FROM shop.demand_quality(horizon => 10, {OF}, \"by\" => '{by}')")
    assert {row["measure"] for row in quality} == {"weighted_quantile_loss", "below_90"}


def test_what_is_going_to_change_is_an_argument(shop: Connection) -> None:
    shop.execute(
        "CREATE OR REPLACE TABLE plan AS SELECT * FROM (VALUES ('5', 2.0), ('5', 1.5), ('6', 0.0),"
        " ('7', 0.5), ('99', 3.0), ('8', NULL)) AS t(item_id, factor)"
    )
    asked = f"horizon => 10, quantiles => [0.9], {OF}"
    usual = {row["item_id"]: row for row in dicts(shop, f"FROM shop.demand({asked})")}
    effects = "effects => 'plan(item_id, factor)'"
    planned = {row["item_id"]: row for row in dicts(shop, f"FROM shop.demand({asked}, {effects})")}
    assert set(planned) == set(usual)
    for item, row in planned.items():
        factor = {5: 3.0, 6: 0.0, 7: 0.5}.get(item, 1.0)
        assert row["expected"] == pytest.approx(factor * usual[item]["expected"])
        if factor == 1:
            assert row == usual[item]
    assert planned[5]["units"] > 2 * usual[5]["units"]
    assert planned[6]["units"] == 0
    orders = {
        more: {
            row["item_id"]: row for row in dicts(shop, f"FROM shop.reorder('stock', {OF}{more})")
        }
        for more in ("", f", {effects}")
    }
    before, after = orders.values()
    assert after[5]["wanted"] > 2 * before[5]["wanted"]
    assert str(after[6]["units"]) == "0.0"
    assert after[6]["stockout_risk"] < 1e-9
    assert after[9] == before[9]


def test_quality_is_beside_simple_methods(shop: Connection) -> None:
    rows = dicts(shop, f"FROM shop.demand_quality(horizon => 10, {OF})")
    loss = {row["method"]: row for row in rows if row["measure"] == "weighted_quantile_loss"}
    assert {"regression", "regression and moving average", "moving average", "last period"} == set(
        loss
    )
    (chosen,) = (row for row in loss.values() if row["chosen"])
    assert chosen["gain"] == 0
    assert chosen["value"] < 0.35
    for row in rows:
        assert row["low"] <= row["high"]
        assert row["measure"] != "below_90" or 0 <= row["value"] <= 1


def test_orders_fill_up_to_what_suffices(shop: Connection) -> None:
    rows = dicts(shop, f"FROM shop.reorder('stock', pack => 'pack', cost => 'cost', {OF})")
    by_id = {row["item_id"]: row for row in rows}
    assert 3 not in by_id  # nobody knows what there is
    for item, row in by_id.items():
        pack = 6 if item < 10 else 1
        assert row["units"] % pack == 0
        missing = max(row["wanted"] - row["stock"], 0)
        assert missing <= row["units"] < missing + pack
        assert row["cost"] == pytest.approx(row["units"] * (1 + item))
        assert row["risk_after"] <= 0.05 + 1e-9
        assert row["risk_after"] <= row["stockout_risk"] <= 1
        assert row["overstock"] == max(row["stock"] - row["wanted"], 0)
        if item < 15:
            assert row["expected"] == pytest.approx(14 * item, rel=0.35)
    assert by_id[4]["stock"] == -5
    assert by_id[4]["stockout_risk"] == 1
    surer = dicts(shop, f"FROM shop.reorder('stock', service_level => 0.999, {OF})")
    assert all(row["wanted"] >= by_id[row["item_id"]]["wanted"] for row in surer)
    sooner = dicts(shop, f"FROM shop.reorder('stock', lead_time => 3, review => 4, {OF})")
    assert sum(row["wanted"] for row in sooner) < sum(row["wanted"] for row in rows)
    assert {row["cost"] for row in sooner} == {None}


def test_a_budget_is_kept(shop: Connection) -> None:
    full = dicts(shop, f"FROM shop.reorder('stock', cost => 'cost', {OF})")
    total = sum(row["cost"] for row in full)
    rows = dicts(shop, f"FROM shop.reorder('stock', cost => 'cost', budget => {total / 3}, {OF})")
    spent = sum(row["cost"] for row in rows)
    assert 0 < spent <= total / 3
    by_id = {row["item_id"]: row for row in full}
    assert all(row["units"] in (0, by_id[row["item_id"]]["units"]) for row in rows)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("demand(horizon => 0)", "horizon: 0 is not a finite number from 1"),
        ("demand(horizon => 60)", "horizon: 60 days ahead need events over 270 days before"),
        ("demand(quantiles => [1.5])", "quantiles: 1.5 is not between 0 and 1"),
        ("demand(quantiles => [])", "quantiles: a list of 1 to 9 is needed"),
        ("demand(quantity => '''two''')", "quantity: .* is VARCHAR, but a number is needed"),
        ("demand(\"by\" => 'shop')", "by: .* unknown column 'shop'"),
        ("demand(\"by\" => 'max(user_id)')", "by: .* aggregates rows"),
        ("demand(quantity => '-1')", "quantity: no event has units above 0"),
        ("demand(filter => 'size > 1')", "filter: .* unknown column 'size'"),
        ("reorder(NULL)", "stock: SQL over the items is needed"),
        ("reorder('stocks')", "unknown column 'stocks'; did you mean 'stock'"),
        ("reorder('stock', service_level => 1)", "service_level: 1 is not between 0 and 1"),
        ("reorder('stock', lead_time => -1)", "lead_time: -1 is not a finite number from 0"),
        ("reorder('stock', pack => '0')", "pack: it is 0 or less for an item"),
        ("reorder('stock', budget => 5)", "budget: it needs cost"),
        ("demand(effects => 'products')", "effects: a table with its columns is needed, such as"),
        ("demand(effects => 'products(item_id, cots)')", "effects: .* has no column 'cots'"),
        ("demand(effects => 'products(item_id, stock)')", "effects: a factor is -5, where numbers"),
    ],
)
def test_bad_input_is_said_in_a_sentence_and_changes_nothing(
    shop: Connection, query: str, said: str
) -> None:
    before = catalogue_of(shop)
    with pytest.raises(duckdb.Error, match=said):
        shop.execute(f"FROM shop.{query}").fetchall()
    assert catalogue_of(shop) == before
