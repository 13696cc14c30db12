"""The context of a query: where, when or how."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

import morec_sql
from tests.answer.test_items import rows
from tests.conftest import SMALL, create

# everyone buys from the kitchen in one store and from the garage in the other
ORDERS = """
CREATE OR REPLACE TABLE orders AS
SELECT
    u AS customer_id,
    store * 10 + CAST(md5_number_lower(u || ' ' || d) % 9 AS BIGINT) AS product_id,
    TIMESTAMP '2024-01-01' + INTERVAL (3 * d) DAY + INTERVAL (CASE store WHEN 0 THEN 9 ELSE 17 END) HOUR
        AS ordered_at,
    'Store ' || store AS store,
    'paper' AS bag
FROM (SELECT u, d, md5_number_lower('s' || u || ' ' || d) % 2 AS store FROM range(60) AS t(u), range(30) AS s(d))
"""
KITCHEN, GARAGE = set(range(10)), set(range(10, 20))


@pytest.fixture(scope="module")
def shop() -> Iterator[duckdb.DuckDBPyConnection]:
    con = morec_sql.connect()
    con.execute(SMALL)
    con.execute(ORDERS)
    stages = create(con, context="['store', 'bag', 'hour(ordered_at)']")
    said = [stage for stage, *_ in stages if stage.startswith("context") and "nDCG" in stage]
    assert [one.split(":")[0] for one in said] == ["context store", "context bag", "context hour"]
    used = [not one.endswith("not used") for one in said]
    assert used == [True, False, False]  # the hour says no more than the store
    found = rows(
        con, "SELECT source, lists, used, error >= 0 FROM shop.sources ORDER BY source DESC"
    )
    assert found == [
        (f"context {name}", "visits", name == "store", True) for name in ("store", "hour", "bag")
    ]
    yield con
    con.close()


def listed(con: duckdb.DuckDBPyConnection, call: str) -> list[int]:
    return [row[0] for row in rows(con, f"SELECT item_id FROM shop.{call}")]


def test_lists_are_of_the_context(shop: duckdb.DuckDBPyConnection) -> None:
    query = "recommend({}, weights => {{relevance: 1}}, k => 4, context => {})"
    for user in (3, 4, "NULL"):
        plain = listed(shop, query.format(user, "NULL"))
        kitchen = listed(shop, query.format(user, "{store: 'store 0'}"))
        garage = listed(shop, query.format(user, "{store: 'STORE 1 ', bag: 'paper'}"))
        assert len(KITCHEN & {*kitchen}) > len(KITCHEN & {*plain}) or {*plain} <= KITCHEN
        assert len(GARAGE & {*garage}) > len(GARAGE & {*plain}) or {*plain} <= GARAGE
        # what no event had says nothing
        assert listed(shop, query.format(user, "{store: 'nowhere', hour: 3}")) == plain
        assert listed(shop, query.format(user, "{}")) == plain


def test_it_is_no_knowledge_of_the_user(shop: duckdb.DuckDBPyConnection) -> None:
    query = "SELECT DISTINCT personal FROM shop.recommend(NULL, context => {store: 'store 0'})"
    assert rows(shop, query) == [(False,)]


def test_of_many_users_each_in_a_context(shop: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        shop,
        "SELECT v.u, v.s, list(r.item_id ORDER BY r.rank) FROM"
        " (VALUES (1, 'store 0'), (1, 'store 1'), (2, NULL)) AS v(u, s),"
        " shop.recommend(v.u, context => {store: v.s}, k => 5) AS r GROUP BY ALL",
    )
    assert len(found) == 3
    for user, store, items in found:
        context = "NULL" if store is None else f"{{store: '{store}'}}"
        assert listed(shop, f"recommend({user}, context => {context}, k => 5)") == items


@pytest.mark.parametrize("item", [1, 9, 19])
def test_reasons_name_it_and_add_up(shop: duckdb.DuckDBPyConnection, item: int) -> None:
    query = "3, {}weights => {{relevance: 1}}, context => {{store: 'store 1'}}"
    total, named = rows(
        shop,
        "SELECT sum(contribution), list(name) FILTER (kind = 'context') FROM"
        f" shop.explain({query.format(f'{item}, ')})",
    )[0]
    scores = dict(
        rows(shop, f"SELECT item_id, score FROM shop.recommend({query.format('k => 22, ')})")
    )
    assert total == pytest.approx(scores[item], abs=1e-5)
    # nobody bought 9 and 19 anywhere
    assert named == (["store=store 1"] if item == 1 else None)


def test_baskets_rank_items_and_what_if_have_it(shop: duckdb.DuckDBPyConnection) -> None:
    context = "context => {store: 'store 1'}"
    basket = listed(shop, f"recommend_for([1, 11], {context}, weights => {{relevance: 1}}, k => 3)")
    assert {*basket} <= GARAGE
    ranked = listed(shop, f"rank_items(3, [1, 2, 11, 12], {context}, weights => {{relevance: 1}})")
    assert {*ranked[:2]} == {11, 12}
    top = listed(shop, f"recommend(3, {context}, k => 3)")[0]
    assert rows(shop, f"FROM shop.what_if(3, {top}, {context}, k => 3)")


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ("{shop: 'store 0'}", "context: .*is not a struct by names of context: store, bag, hour"),
        ("'store 0'", "context: .*is not a struct by names of context"),
    ],
)
def test_contexts_that_there_are_not(
    shop: duckdb.DuckDBPyConnection, context: str, said: str
) -> None:
    with pytest.raises(duckdb.Error, match=said):
        shop.execute(f"FROM shop.recommend(3, context => {context})")
    with pytest.raises(duckdb.Error, match=said):
        shop.execute(f"FROM shop.allocate(context => {context})")


def test_of_lists_that_are_made_together(shop: duckdb.DuckDBPyConnection) -> None:
    for context in ("{store: 'store 0'}", "{store: 'STORE 1'}", "NULL"):
        alone = rows(
            shop,
            "SELECT u.user_id, r.rank, r.item_id, r.score FROM (SELECT DISTINCT user_id FROM"
            f" shop.events) AS u, shop.recommend(u.user_id, k => 4, context => {context}) AS r"
            " ORDER BY ALL",
        )
        together = rows(
            shop,
            "SELECT user_id, rank, item_id, score FROM"
            f" shop.allocate(k => 4, context => {context}) ORDER BY ALL",
        )
        assert [row[:3] for row in together] == [row[:3] for row in alone]
        assert [row[3] for row in together] == pytest.approx([row[3] for row in alone], abs=1e-4)


def test_without_context_it_is_refused(small: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.Error, match="context: the recommender was made without context"):
        small.execute("FROM shop.recommend(3, context => {store: 1})")


def test_without_times_it_is_learnt_from_what_is_held_out() -> None:
    con = morec_sql.connect()
    con.execute(SMALL)
    con.execute(ORDERS.replace("range(60)", "range(300)"))
    stages = create(con, context="{shop: 'upper(store)'}", event_time=None)
    (said,) = (stage for stage, *_ in stages if stage.startswith("context") and "nDCG" in stage)
    assert not said.endswith("not used")
    query = "recommend(3, weights => {{relevance: 1}}, k => 3, context => {{shop: '{}'}})"
    assert {*listed(con, query.format("store 0"))} <= KITCHEN
    assert {*listed(con, query.format("store 1"))} <= GARAGE
    con.close()


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ("['stoer']", "context.stoer: 'stoer' refers to the unknown column 'stoer'; did you mean"),
        ("{a: 'sum(product_id)'}", "context.a: 'sum.product_id.' aggregates rows"),
        ("['lower(store)', 'lower(bag)']", "context: two of what it names have one name"),
        ("{a: 'getenv(''HOME'')'}", "context.a: .*getenv"),
        ("5", "context: a list of columns or SQL expressions, or a struct of them"),
    ],
)
def test_contexts_that_are_none(tables: duckdb.DuckDBPyConnection, context: str, said: str) -> None:
    tables.execute(ORDERS)
    with pytest.raises(duckdb.Error, match=said):
        create(tables, context=context)
    assert rows(tables, "SELECT count(*) FROM duckdb_schemas() WHERE schema_name = 'shop'") == [
        (0,)
    ]
