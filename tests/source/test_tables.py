"""Tables, ids and names as people have them."""

from __future__ import annotations

import duckdb
import pytest

from tests.conftest import create

Connection = duckdb.DuckDBPyConnection


def test_rows_that_do_not_count_are_counted(tables: Connection) -> None:
    tables.execute("""
        CREATE TABLE dirty AS
        SELECT customer_id, product_id, ordered_at, 1::DOUBLE AS weight FROM orders;
        INSERT INTO dirty SELECT * FROM dirty LIMIT 3;
        INSERT INTO dirty VALUES
            (NULL, 1, TIMESTAMP '2024-02-01', 1),
            (NULL, NULL, TIMESTAMP '2024-02-01', 1),
            (1, NULL, TIMESTAMP '2024-02-01', 1),
            (1, 1, NULL, 1),
            (1, 1, TIMESTAMP 'infinity', 1),
            (1, 1, TIMESTAMP '2024-02-01', NULL),
            (1, 1, TIMESTAMP '2024-02-01', 'nan'),
            (1, 1, TIMESTAMP '2024-02-01', 'inf'),
            (1, 1, TIMESTAMP '2024-02-01', -2),
            (1, 1, TIMESTAMP '2024-02-01', 0),
            (1, 1, TIMESTAMP '2024-02-01 01:00:00', 5000);
    """)
    rows = create(tables, events="'dirty'", event_weight="'weight'")
    counts = {
        stage: count
        for stage, count, seconds in rows
        if seconds is None and stage.startswith("events")
    }
    assert counts == {
        "events: read": 1200 + 14,
        "events: left out, no user": 2,
        "events: left out, no item": 1,
        "events: left out, no finite time": 2,
        "events: left out, weight not above 0 and finite": 5,
        "events: duplicates, counted once": 3,
        "events: weight above 10 times the 99th percentile, capped": 1,
    }
    top = tables.execute("SELECT max(weight), count(*) FROM shop.events").fetchone()
    assert top == (10, 1200 + 3 + 1)


def test_event_kinds_can_be_weighted_by_an_expression(tables: Connection) -> None:
    tables.execute(
        "ALTER TABLE orders ADD COLUMN kind VARCHAR;"
        "UPDATE orders SET kind = CASE WHEN quantity = 2 THEN 'cart' ELSE 'view' END"
    )
    create(tables, event_weight="'CASE kind WHEN ''cart'' THEN 3 ELSE 1 END'")
    assert tables.execute("SELECT DISTINCT weight FROM shop.events ORDER BY 1").fetchall() == [
        (1,),
        (3,),
    ]


@pytest.mark.parametrize(
    ("ids", "value"),
    [("BIGINT", "2"), ("VARCHAR", "'2'"), ("UUID", "md5('2')::UUID"), ("INTEGER", "2")],
)
def test_ids_keep_their_type(tables: Connection, ids: str, value: str) -> None:
    convert = "md5({}::VARCHAR)::UUID" if ids == "UUID" else "{}::" + ids
    for table, columns in (("orders", ["customer_id", "product_id"]), ("products", ["product_id"])):
        for column in columns:
            tables.execute(
                f"ALTER TABLE {table} ALTER {column} TYPE {ids} USING {convert.format(column)}"
            )
    create(tables)
    query = f"SELECT item_id, typeof(item_id) FROM recommend({value})"
    rows = tables.execute(query).fetchall()
    assert len(rows) == 10
    assert {kind for _, kind in rows} == {ids}
    known = {row[0] for row in tables.execute("SELECT product_id FROM products").fetchall()}
    assert {item for item, _ in rows} <= known
    one = rows[0][0] if ids == "INTEGER" else str(rows[0][0])
    listed = tables.execute("FROM shop.recommend_for([?::" + ids + "])", [one]).fetchall()
    assert len(listed) == 10


FORGED = (
    'ord"ers',
    "orders; DROP TABLE products; --",
    "a.b.c.d",
    "select",
    "Ünïcode 表 🛒",
    "it's",
    "two  words",
)


@pytest.mark.parametrize("forged", FORGED)
def test_a_forged_name_is_only_ever_a_name(tables: Connection, forged: str) -> None:
    quoted = '"' + forged.replace('"', '""') + '"'
    literal = "'" + forged.replace("'", "''") + "'"
    columns = f'customer_id AS {quoted}, product_id AS "{"x" + quoted[1:]}, ordered_at'
    tables.execute(f"CREATE TABLE {quoted} AS SELECT {columns} FROM orders")
    create(
        tables,
        name=literal,
        events=literal,
        user_id=literal,
        item_id="'x" + literal[1:],
        items=None,
    )
    assert len(tables.execute(f"FROM {quoted}.recommend(1, k => 3)").fetchall()) == 3
    assert tables.execute("SELECT count(*) FROM products").fetchall() == [(22,)]
    tables.execute(f"FROM refresh_recommender({literal})").fetchall()
    tables.execute(f"FROM drop_recommender({literal})").fetchall()


def test_columns_named_like_arguments(tables: Connection) -> None:
    tables.execute(
        "CREATE TABLE odd AS SELECT customer_id AS user_id, product_id AS item_id, ordered_at AS k,"
        " 1 AS weights FROM orders;"
        "CREATE TABLE odd_items AS SELECT product_id AS item_id, price AS weights, 1 AS k,"
        " category AS filter FROM products;"
        "CREATE VIEW odd_view AS SELECT user_id, item_id, k, weights FROM odd"
    )
    create(
        tables,
        events="'odd_view'",
        user_id="'user_id'",
        item_id="'item_id'",
        event_time="'k'",
        event_weight="'weights'",
        items="'odd_items'",
    )
    # each argument is a column of the outer query, not of a table inside the macro
    rows = tables.execute(
        "SELECT user_id, count(*) FROM (SELECT DISTINCT user_id, 3 AS k FROM odd_view),"
        " shop.recommend(user_id, k => k, filter => 'weights > 2') GROUP BY user_id"
    ).fetchall()
    assert len(rows) == 60
    assert {count for _, count in rows} == {3}


def test_tables_in_other_schemas_and_databases(tables: Connection) -> None:
    tables.execute("CREATE SCHEMA raw; CREATE TABLE raw.sales AS FROM orders")
    create(tables, events="'raw.sales'")
    tables.execute("ATTACH ':memory:' AS lake; CREATE TABLE lake.main.sales AS FROM orders")
    create(tables, name="'far'", events="'lake.main.sales'")
    assert (
        tables.execute("SELECT item_id FROM shop.recommend(1)").fetchall()
        == tables.execute("SELECT item_id FROM far.recommend(1)").fetchall()
    )
