"""Events in several tables: a channel each."""

from __future__ import annotations

import duckdb
import pytest

from tests.answer.test_items import rows
from tests.conftest import catalogue_of, create

# half of the orders are clicks of the web, under other names and behind a view
CLICKS = """
CREATE TABLE raw_clicks AS
SELECT customer_id AS visitor, product_id AS sku, ordered_at AS clicked_at, 'page ' || product_id AS page
FROM orders WHERE quantity = 1;
CREATE VIEW clicks AS FROM raw_clicks;
CREATE TABLE sales AS FROM orders WHERE quantity = 2;
CREATE TABLE texts AS SELECT customer_id::VARCHAR AS customer_id, product_id, ordered_at FROM orders;
CREATE TABLE customers AS SELECT range AS customer_id FROM range(60);
"""
WEB = "{events: 'clicks', user_id: 'visitor', item_id: 'sku', event_time: 'clicked_at'%s}"
LISTS = (
    "SELECT u.customer_id, r.rank, r.item_id, round(r.score, 4) FROM customers AS u,"
    " shop.recommend(u.customer_id, weights => {relevance: 1}, k => 5) AS r ORDER BY ALL"
)


@pytest.fixture
def shop(tables: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    tables.execute(CLICKS)
    return tables


def test_they_are_one_history(shop: duckdb.DuckDBPyConnection) -> None:
    create(shop)
    whole = rows(shop, LISTS)
    events = f"{{web: {WEB % ''}, till: 'sales'}}"
    stages = dict(
        row[:2] for row in create(shop, events=events, users="'customers'", replace="true")
    )
    assert stages["events: read"] == 1200
    assert stages["events: read from web"] == stages["events: read from till"] == 600
    assert rows(shop, LISTS) == whole
    # a list names channels by their tables
    shop.execute("CREATE TABLE more AS FROM orders WHERE false")
    create(shop, events="['orders', 'more']", replace="true")
    assert rows(shop, LISTS) == whole


def test_each_counts_at_once_and_with_its_weight(shop: duckdb.DuckDBPyConnection) -> None:
    weighed = WEB % ", event_weight: '0.25'"
    create(shop, events=f"{{web: {weighed}, till: 'sales'}}", event_weight="'quantity'")
    counted = rows(shop, "SELECT weight, count(*) FROM shop.events GROUP BY ALL ORDER BY ALL")
    assert counted == [(0.25, 600), (2.0, 600)]
    for insert in (
        "INSERT INTO raw_clicks VALUES (900, 12, TIMESTAMP '2024-03-30', 'page 12')",
        "INSERT INTO sales VALUES (901, 12, TIMESTAMP '2024-03-30', 1)",
    ):
        shop.execute(insert)
    query = "SELECT DISTINCT personal FROM shop.recommend({})"
    assert [rows(shop, query.format(user)) for user in (900, 901, 902)] == [
        [(True,)], [(True,)], [(False,)],
    ]  # fmt: skip
    shop.execute("FROM refresh_recommender('shop')")
    assert rows(shop, "SELECT count(*) FROM shop.events") == [(1202,)]


def test_the_channel_is_a_context_and_a_column(shop: duckdb.DuckDBPyConnection) -> None:
    # everyone clicks on what is in the garage, and buys what is in the kitchen
    shop.execute("UPDATE raw_clicks SET sku = 10 + sku % 10")
    shop.execute("UPDATE sales SET product_id = product_id % 10")
    create(
        shop,
        events=f"{{web: {WEB % ''}, till: 'sales'}}",
        context="['dayname(event_time)']",
        objectives="{'relevance': NULL, 'clicked': 'avg(CASE channel WHEN ''web'' THEN 1 ELSE 0 END)'}",
    )
    sources = dict(rows(shop, "SELECT source, used FROM shop.sources"))
    assert sources == {"context channel": True, "context dayname": False}
    listed = (
        "SELECT item_id FROM shop.recommend(3, weights => {{relevance: 1}}, k => 3,"
        " context => {{channel: '{}'}})"
    )
    assert all(item >= 10 for (item,) in rows(shop, listed.format("web")))
    assert all(item < 10 for (item,) in rows(shop, listed.format("till")))
    clicked = "SELECT round(mean, 1) FROM shop.objectives WHERE objective = 'clicked'"
    assert rows(shop, clicked) == [(0.5,)]


def test_ids_of_a_channel_may_be_joined_by_a_table(shop: duckdb.DuckDBPyConnection) -> None:
    create(shop)
    whole = rows(shop, LISTS)
    # the web knows cookies, of which some are nobody's and some of two customers
    shop.execute(
        "UPDATE raw_clicks SET page = 'c' || visitor;"
        "CREATE VIEW visits AS SELECT page AS cookie, sku, clicked_at FROM raw_clicks;"
        "CREATE TABLE logins AS SELECT DISTINCT page AS cookie, visitor AS customer FROM raw_clicks;"
        "INSERT INTO raw_clicks VALUES (0, 1, TIMESTAMP '2024-03-30', 'c-nobody');"
        "INSERT INTO raw_clicks VALUES (0, 1, TIMESTAMP '2024-03-30', 'c-two');"
        "INSERT INTO logins VALUES ('c-two', 1), ('c-two', 2), ('c1', 1), (NULL, 1), ('c3', NULL);"
    )
    web = (
        "{events: 'visits', user_id: 'cookie', item_id: 'sku', event_time: 'clicked_at',"
        " identities: 'logins(cookie, customer)'}"
    )
    create(shop, events=f"{{web: {web}, till: 'sales'}}", users="'customers'", replace="true")
    assert rows(shop, "SELECT count(*) FROM shop.events") == [(1200,)]
    assert rows(shop, LISTS) == whole
    # whoever logs in has all that was done before
    shop.execute("INSERT INTO logins VALUES ('c-nobody', 950)")
    assert rows(shop, "SELECT DISTINCT personal FROM shop.recommend(950)") == [(True,)]


def test_ids_that_are_nobodys_stand_for_themselves(shop: duckdb.DuckDBPyConnection) -> None:
    shop.execute("CREATE TABLE logins AS SELECT 5 AS visitor, 950 AS customer")
    web = WEB % ", identities: 'logins(visitor, customer)'"
    create(shop, events=f"{{web: {web}, till: 'sales'}}")
    found = dict(rows(shop, "SELECT user_id, count(*) FROM shop.events GROUP BY ALL"))
    assert len(found) == 61
    assert found[950] == rows(shop, "SELECT count(*) FROM clicks WHERE visitor = 5")[0][0]


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ("[]", "events: the name of a table is needed, a list of several, or a struct"),
        ("7", "events: the name of a table is needed, a list of several, or a struct"),
        ("[7, 8]", "events: a list of names of tables is needed"),
        ("['orders', 'odrers']", "events.odrers: there is no table or view 'odrers'"),
        ("['orders', 'texts']", "events: the user_id of 'texts' is VARCHAR, but that of 'orders'"),
        ("['orders', 'clicks']", "events.clicks.user_id: .*clicks.* has no column 'customer_id'"),
        ("{web: {user_id: 'visitor'}}", "events.web: the name of a table is needed, or a struct"),
        (
            "{web: {events: 'sales', usr: 'a'}}",
            "events.web: unknown field 'usr'; did you mean 'user_id'",
        ),
        (
            "{web: {events: 'sales', identities: 'customers'}}",
            "events.web.identities: a table with two columns is needed, such as 'logins",
        ),
        (
            "{web: {events: 'sales', identities: 'texts(customer_id, product_id)'}}",
            "events.web.identities: 'customer_id' is VARCHAR, but the user_id 'customer_id' is BIGINT",
        ),
        (
            "{web: {events: 'sales', identities: 7}}",
            "events.web.identities: a name is needed, not 7",
        ),
        (
            "{web: {events: 'sales', event_weight: 'getenv(''HOME'')'}}",
            "events.web.event_weight: .*getenv",
        ),
    ],
)
def test_channels_that_are_none(shop: duckdb.DuckDBPyConnection, events: str, said: str) -> None:
    before = catalogue_of(shop)
    with pytest.raises(duckdb.Error, match=said):
        create(shop, events=events)
    assert catalogue_of(shop) == before
