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


def lists(con: Connection) -> dict[int, list[int]]:
    rows = con.execute(
        "SELECT u.customer_id, list(r.item_id ORDER BY r.rank) FROM (SELECT DISTINCT customer_id"
        " FROM orders) AS u, shop.recommend(u.customer_id, weights => {relevance: 1}) AS r GROUP BY 1"
    ).fetchall()
    return dict(rows)


@pytest.mark.parametrize(
    ("time", "stage"),
    [
        ("2099-01-01", "events: time far in the future"),
        ("9999-12-31", "events: time far in the future"),
        ("1970-01-01", "events: time long before the others or a filler"),
        ("0001-01-01", "events: time long before the others or a filler"),
    ],
)
def test_a_time_that_cannot_be_moves_nothing(tables: Connection, time: str, stage: str) -> None:
    create(tables)
    clean = lists(tables)
    tables.execute(f"UPDATE orders SET ordered_at = TIMESTAMP '{time}' WHERE rowid = 100")
    rows = create(tables, replace="true")
    assert [count for what, count, _ in rows if what.startswith(stage)] == [1]
    odd = lists(tables)
    same = sum(len(set(odd[user]) & set(items)) for user, items in clean.items())
    assert same >= 0.95 * sum(map(len, clean.values()))
    span = "SELECT max(event_time) - min(event_time) < INTERVAL 200 DAY FROM shop.events"
    assert tables.execute(span).fetchall() == [(True,)]
    # and one that comes later does not either
    before = tables.execute("FROM shop.recommend(7)").fetchall()
    tables.execute("INSERT INTO orders SELECT 8, 1, TIMESTAMP '2150-01-01', 1")
    assert tables.execute("FROM shop.recommend(7)").fetchall() == before


@pytest.mark.parametrize("years", [-200, 30])
def test_a_shop_of_another_age_is_like_any_other(tables: Connection, years: int) -> None:
    create(tables)
    today = lists(tables)
    tables.execute(
        f"UPDATE orders SET ordered_at = ordered_at + INTERVAL ({146097 * years // 400}) DAY"
    )
    rows = create(tables, replace="true")
    assert not [what for what, _, _ in rows if "time" in what]
    assert lists(tables) == today


def test_events_go_on_after_the_training(tables: Connection) -> None:
    create(tables)
    tables.execute("INSERT INTO orders SELECT 7, 3, now()::TIMESTAMP, 1")
    newest = "SELECT max(event_time) > now()::TIMESTAMP - INTERVAL 1 HOUR FROM shop.events"
    assert tables.execute(newest).fetchall() == [(True,)]


def test_ids_that_are_none_are_nobody(tables: Connection) -> None:
    tables.execute("""
        CREATE TABLE odd AS
        SELECT
            CASE WHEN customer_id < 5 THEN 'nan'::DOUBLE ELSE customer_id END AS u,
            CASE product_id WHEN 1 THEN '' WHEN 2 THEN '  ' ELSE 'p' || product_id END AS p,
            ordered_at
        FROM orders;
        CREATE TABLE odd_items AS
        SELECT p, count(*) AS n FROM odd GROUP BY p UNION ALL SELECT '', 1;
    """)
    rows = create(
        tables, events="'odd'", user_id="'u'", item_id="'p'", items="'odd_items'", text=None
    )
    counts = {what: count for what, count, _ in rows}
    expected = tables.execute(
        "SELECT count(*) FILTER (isnan(u)), count(*) FILTER (NOT isnan(u) AND trim(p) = '') FROM odd"
    ).fetchall()[0]
    assert (counts["events: left out, no user"], counts["events: left out, no item"]) == expected
    assert counts["items: left out, no id"] == 3
    assert tables.execute(
        "SELECT count(*) FROM shop.events WHERE isnan(user_id) OR trim(item_id) = ''"
    ).fetchall() == [(0,)]
    assert tables.execute(
        "SELECT count(*) FROM shop.items WHERE trim(item_id) = ''"
    ).fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("ids", "convert"),
    [
        ("DECIMAL(12,2)", "{}::DECIMAL(12,2)"),
        ("HUGEINT", "{}::HUGEINT * 100000000000000000000"),
        ("DATE", "DATE '2020-01-01' + {}::INTEGER"),
        ("BLOB", "encode('x' || {})"),
        ("DOUBLE", "{} + 0.5"),
    ],
)
def test_ids_of_rarer_types_work(tables: Connection, ids: str, convert: str) -> None:
    for table, column in (
        ("orders", "customer_id"), ("orders", "product_id"), ("products", "product_id"),
    ):  # fmt: skip
        tables.execute(
            f"ALTER TABLE {table} ALTER {column} TYPE {ids} USING {convert.format(column)}"
        )
    create(tables)
    rows = tables.execute(
        "SELECT typeof(r.item_id), count(*), count(p.product_id) FROM (SELECT DISTINCT customer_id"
        " FROM orders) AS u, shop.recommend(u.customer_id) AS r"
        " LEFT JOIN products AS p ON p.product_id = r.item_id GROUP BY 1"
    ).fetchall()
    assert rows == [(ids, 600, 600)]


@pytest.mark.parametrize("kind", ["STRUCT(a BIGINT)", "BIGINT[]", "MAP(BIGINT, BIGINT)"])
def test_ids_of_nested_types_are_refused(tables: Connection, kind: str) -> None:
    value = {"S": "{'a': 1}", "B": "[1]", "M": "MAP {1: 1}"}[kind[0]]
    tables.execute(f"CREATE TABLE odd AS SELECT {value}::{kind} AS u, * FROM orders")
    with pytest.raises(duckdb.Error, match=r"user_id: the column 'u' is .*, but ids are numbers"):
        create(tables, events="'odd'", user_id="'u'")


def test_ids_of_an_enum_are_texts_and_others_are_unknown(tables: Connection) -> None:
    frame = tables.execute(
        "SELECT 'u' || customer_id AS u, 'p' || product_id AS p, ordered_at FROM orders"
    ).df()
    frame = frame.astype({"u": "category", "p": "category"})
    tables.register("frame", frame)
    tables.execute("CREATE TABLE odd AS FROM frame")
    tables.execute("CREATE TABLE odd_items AS SELECT 'p' || product_id AS p, title FROM products")
    create(tables, events="'odd'", user_id="'u'", item_id="'p'", items="'odd_items'")
    query = "SELECT item_id FROM shop.recommend({}, k => 3) ORDER BY rank"
    unknown = tables.execute(query.format("NULL")).fetchall()
    assert tables.execute(query.format("'never seen'")).fetchall() == unknown
    assert tables.execute(query.format("'u1'")).fetchall() != unknown


def test_a_key_of_another_type_is_cast_or_unknown(tables: Connection) -> None:
    create(tables)
    rows = tables.execute(
        "SELECT t.u, list(r.item_id ORDER BY rank) FROM (VALUES ('7'), ('guest'), (NULL)) AS t(u),"
        " shop.recommend(t.u, k => 3) AS r GROUP BY 1"
    ).fetchall()
    found = dict(rows)
    known = tables.execute("SELECT item_id FROM shop.recommend(7, k => 3) ORDER BY rank").fetchall()
    assert found["7"] == [item for (item,) in known]
    assert found["guest"] == found[None]


def test_items_and_events_that_do_not_meet_are_counted_and_not_listed(tables: Connection) -> None:
    create(tables)
    gone = [row[0] for row in tables.execute("SELECT item_id FROM recommend(7, k => 3)").fetchall()]
    events = tables.execute(
        "SELECT count(*) FROM orders WHERE product_id IN (SELECT unnest(?))", [gone]
    ).fetchall()[0][0]
    tables.execute("DELETE FROM products WHERE product_id IN (SELECT unnest(?))", [gone])

    def listed() -> set[int]:
        rows = tables.execute(
            "SELECT DISTINCT r.item_id FROM (SELECT DISTINCT customer_id FROM orders) AS u,"
            " shop.recommend(u.customer_id, k => 22) AS r"
        ).fetchall()
        return {item for (item,) in rows}

    assert set(gone) <= listed()
    for kind in ("objectives", "recommender"):
        rows = tables.execute(f"FROM refresh_{kind}('shop')").fetchall()
        counts = {what.split(",")[0]: count for what, count, _ in rows}
        assert counts["events: of items that are not in the items table"] == events
        assert counts["items: without an event"] == 4
        assert not set(gone) & listed()
        assert len(listed()) == 19
    create(tables, replace="true", unlisted_items="true")
    assert set(gone) <= listed()
    # a filter is over the items table, which lacks them
    assert tables.execute("FROM recommend(7, filter => 'true', k => 22)").fetchall()


def test_no_column_of_the_users_meets_one_of_ours(tables: Connection) -> None:
    tables.execute("""
        CREATE TABLE odd AS
        SELECT *, 'x' AS _weight, 'y' AS _wanted, 'z' AS strength, 1 AS weight, 2 AS wanted
        FROM orders;
        CREATE TABLE odd_items AS
        SELECT *, 1 AS _weight, 2 AS _wanted, 3 AS score, 4 AS rank, 5 AS item, 6 AS user_id,
            7 AS _item, 8 AS _i, 9 AS _text, 10 AS item_index, 11 AS _declared, 12 AS _objective_0
        FROM products;
    """)
    create(
        tables,
        events="'odd'",
        event_weight="'quantity + weight + wanted'",
        items="'odd_items'",
        text="['title']",
        objectives="{'relevance': NULL, 'a': '_weight + score + _text', 'b': '_objective_0 + price'}",
    )
    rows = tables.execute(
        "FROM shop.recommend(7, filter => '_weight = 1 AND rank = 4 AND _declared = 11')"
    ).fetchall()
    assert len(rows) == 10


def test_what_is_no_table_says_how_to_make_one(tables: Connection) -> None:
    tables.execute("CREATE TEMP TABLE short_lived AS FROM orders")
    for events, said in (
        ("short_lived", "temporary .*CREATE TABLE my_events AS FROM short_lived"),
        ("orders.parquet", r"file .*CREATE VIEW my_events AS FROM 'orders.parquet'"),
        ("read_csv('orders.csv')", r"CREATE VIEW my_events AS FROM read_csv\('orders.csv'\)"),
    ):
        quoted = "'" + events.replace("'", "''") + "'"
        with pytest.raises(duckdb.Error, match=f"events: there is no table or view .*{said}"):
            create(tables, events=quoted)
    with pytest.raises(duckdb.Error, match=r"user_id: .*CREATE VIEW .* lower\(customer_id\) AS"):
        create(tables, user_id="'lower(customer_id)'")
    tables.execute("CREATE TABLE odd AS SELECT *, epoch(ordered_at)::BIGINT AS at FROM orders")
    with pytest.raises(duckdb.Error, match=r"event_time: .*to_timestamp\(at\)"):
        create(tables, events="'odd'", event_time="'at'")
    tables.execute(
        "CREATE TABLE nobody AS SELECT * REPLACE (NULL::BIGINT AS customer_id) FROM orders"
    )
    with pytest.raises(duckdb.Error, match=r"no usable event.*1,200 left out, no user"):
        create(tables, events="'nobody'")


def test_extreme_numbers_are_numbers(tables: Connection) -> None:
    tables.execute("""
        CREATE TABLE odd AS
        SELECT *, CASE WHEN rowid % 2 = 0 THEN 1e-300 ELSE 1e300 END AS w FROM orders;
        CREATE TABLE odd_items AS
        SELECT *, CASE product_id WHEN 3 THEN 1e308 WHEN 4 THEN 'inf'::DOUBLE ELSE price END AS x
        FROM products;
    """)
    create(
        tables, events="'odd'", event_weight="'w'", items="'odd_items'",
        objectives="{'relevance': NULL, 'x': 'x'}",
    )  # fmt: skip
    rows = tables.execute("SELECT score, contributions.x FROM shop.recommend(7)").fetchall()
    assert len(rows) == 10
    assert all(abs(score) < 1e6 and abs(x) < 1e6 for score, x in rows)
