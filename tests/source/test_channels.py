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
    sources = dict(rows(shop, "SELECT source, used FROM shop.sources WHERE source LIKE 'context%'"))
    assert sources == {"context channel": True, "context dayname": False}
    listed = (
        "SELECT item_id FROM shop.recommend(3, weights => {{relevance: 1}}, k => 3,"
        " context => {{channel: '{}'}})"
    )
    assert all(item >= 10 for (item,) in rows(shop, listed.format("web")))
    assert all(item < 10 for (item,) in rows(shop, listed.format("till")))
    clicked = "SELECT round(mean, 1) FROM shop.objectives WHERE objective = 'clicked'"
    assert rows(shop, clicked) == [(0.5,)]


# 400 people, 20 clicks and 8 orders each: who buys what is in one of ten shelves, and clicks or not
TASTES = """
DROP TABLE orders;
CREATE TABLE orders AS
SELECT
    _u.range AS user_id,
    _u.range % 10 + 10 * (md5_number_lower(_u.range || ' ' || _n.range) % 20) AS item_id,
    TIMESTAMP '2024-01-01' + INTERVAL 1 HOUR * (md5_number_lower(_n.range || '-' || _u.range) % 8000) AS at
FROM range(400) AS _u, range(8) AS _n;
CREATE TABLE clicks AS
SELECT
    _u.range AS user_id,
    {item} AS item_id,
    TIMESTAMP '2024-01-01' + INTERVAL 1 HOUR * (md5_number_lower(_n.range || '+' || _u.range) % 8000) AS at
FROM range(400) AS _u, range(20) AS _n;
"""
ANYTHING = "md5_number_lower(_u.range || '*' || _n.range) % 200"
OWN_SHELF = "_u.range % 10 + 10 * (md5_number_lower(_u.range || '*' || _n.range) % 20)"


@pytest.mark.parametrize("wanted", ["", ", wanted: false"])
def test_a_channel_that_says_little_counts_little(
    tables: duckdb.DuckDBPyConnection, wanted: str
) -> None:
    tables.execute(TASTES.format(item=ANYTHING))
    events = f"{{web: {{events: 'clicks'{wanted}}}, till: 'orders'}}"
    made = "FROM create_recommender('shop', events => %s, event_time => 'at', replace => true)"
    stages = [stage for (stage, *_) in rows(tables, made % events)]
    assert any(stage.startswith("channel web, weight 0.") for stage in stages)
    (known,) = rows(tables, "SELECT weight, used FROM shop.sources WHERE source = 'channel web'")
    assert known[0] < 1
    assert known[1]
    assert rows(tables, "SELECT weight, used FROM shop.sources WHERE source = 'channel till'") == [
        (1.0, False)
    ]
    counted = "SELECT weight, wanted, count(*) FROM shop.events GROUP BY ALL ORDER BY weight"
    assert rows(tables, counted) == [(known[0], not wanted, 8000), (1.0, True, 3200)]
    # more of what a list holds is of the own shelf than where both count alike
    own = (
        "SELECT avg((r.item_id % 10 = u.range % 10)::INT) FROM range(400) AS u,"
        " shop.recommend(u.range, weights => {relevance: 1}, k => 5) AS r"
    )
    learnt = rows(tables, own)[0][0]
    # it is kept by what does not train, and found again by what does
    tables.execute("FROM refresh_objectives('shop')")
    tables.execute("FROM refresh_recommender('shop')")
    assert rows(tables, counted) == [(known[0], not wanted, 8000), (1.0, True, 3200)]
    alike = events.replace("'clicks'", "'clicks', event_weight: '1'").replace(
        "till: 'orders'", "till: {events: 'orders', event_weight: '1'}"
    )
    tables.execute(made % alike)
    assert rows(tables, "SELECT DISTINCT weight FROM shop.events") == [(1.0,)]
    assert learnt > rows(tables, own)[0][0] + 0.1


@pytest.mark.parametrize("event_time", ["NULL", "'at'"])
def test_of_a_few_events_nothing_is_learnt(
    tables: duckdb.DuckDBPyConnection, event_time: str
) -> None:
    tables.execute(
        "CREATE TABLE a AS SELECT 1 AS user_id, 7 AS item_id, DATE '2024-01-01' AS at;"
        "CREATE TABLE b AS SELECT 2 AS user_id, 8 AS item_id, DATE '2024-03-01' AS at"
    )
    made = f"FROM create_recommender('shop', events => ['a', 'b'], event_time => {event_time})"
    stages = rows(tables, made)
    said = "channel a, weight 1: too little is held out to tell, not used"
    assert said in [stage for stage, *_ in stages]
    assert rows(tables, "SELECT DISTINCT weight FROM shop.events") == [(1.0,)]
    assert rows(tables, "FROM shop.sources") == []
    assert (8,) in rows(tables, "SELECT item_id FROM shop.recommend(1)")


def test_a_channel_that_says_as_much_counts_as_much(tables: duckdb.DuckDBPyConnection) -> None:
    tables.execute(TASTES.format(item=OWN_SHELF))
    tables.execute(
        "FROM create_recommender('shop', event_time => 'at',"
        " events => {web: {events: 'clicks', wanted: false}, till: 'orders'})"
    )
    assert rows(tables, "SELECT DISTINCT weight FROM shop.events") == [(1.0,)]
    # lists are for orders alone
    assert rows(tables, "SELECT count(*) FROM shop.events WHERE wanted") == [(3200,)]


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
            "{web: {events: 'sales', wanted: 'no'}}",
            "events.web.wanted: ",
        ),
        (
            "{web: {events: 'sales', wanted: false}}",
            "events: no channel is wanted",
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
