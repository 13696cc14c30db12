"""create_recommender, refresh_recommender and drop_recommender."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest

import morec_sql
from tests.conftest import CREATE_SMALL, SMALL

Connection = duckdb.DuckDBPyConnection


def catalogue_of(con: Connection) -> list[Any]:
    """Everything that a failed statement must leave as it was."""
    return [
        con.execute(query).fetchall()
        for query in (
            "SELECT schema_name FROM duckdb_schemas() ORDER BY ALL",
            "SELECT schema_name, table_name, estimated_size FROM duckdb_tables() ORDER BY ALL",
            "SELECT schema_name, view_name, sql FROM duckdb_views() WHERE NOT internal"
            " ORDER BY ALL",
            "SELECT schema_name, function_name FROM duckdb_functions()"
            " WHERE function_type LIKE '%macro' ORDER BY ALL",
        )
    ]


def create(con: Connection, **changes: str | None) -> list[tuple[Any, ...]]:
    """Create the small recommender with some arguments changed; values are SQL."""
    arguments: dict[str, str | None] = {
        "events": "'orders'",
        "user_id": "'customer_id'",
        "item_id": "'product_id'",
        "event_time": "'ordered_at'",
        "items": "'products'",
        "dimensions": "8",
        **changes,
    }
    name = arguments.pop("name", "'shop'")
    listed = ", ".join(f"{key} => {value}" for key, value in arguments.items() if value is not None)
    return con.execute(f"SELECT * FROM create_recommender({name}, {listed})").fetchall()


def test_it_returns_a_row_per_stage_and_stores_them(journey: Connection) -> None:
    rows = journey.execute("SELECT stage, rows, seconds FROM shop.stages").fetchall()
    stages = {stage: (count, seconds) for stage, count, seconds in rows}
    timed = [stage for stage, _, seconds in rows if seconds is not None]
    assert timed == ["read", "embed", "train", "objectives", "write"]
    assert stages["events: read"][0] == 1469307
    # transactions with a quantity of 0 have no weight
    assert stages["events: left out, weight not above 0 and finite"][0] == 8869
    assert stages["write"][0] == 92334


def test_everything_it_makes_has_a_comment(journey: Connection) -> None:
    for query in (
        "SELECT table_name, comment FROM duckdb_tables() WHERE schema_name = 'shop'",
        "SELECT view_name, comment FROM duckdb_views() WHERE schema_name = 'shop'",
        "SELECT function_name, comment FROM duckdb_functions() WHERE schema_name = 'shop'",
        "SELECT table_name || '.' || column_name, comment FROM duckdb_columns()"
        " WHERE schema_name = 'shop' AND table_name <> 'items'",
        "SELECT function_name, comment FROM duckdb_functions()"
        " WHERE function_name IN ('create_recommender', 'recommend', 'drop_recommender')",
    ):
        rows = journey.execute(query).fetchall()
        assert rows
        assert [name for name, comment in rows if not comment] == []


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
    counts = {stage: count for stage, count, seconds in rows if seconds is None}
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


def test_the_same_seed_gives_the_same_model(tables: Connection) -> None:
    vectors = []
    for name in ("one", "two"):
        create(tables, name=f"'{name}'", text="['title']")
        vectors.append(
            tables.execute(
                f"SELECT encoder, decoder, statistics FROM {name}.item_vectors"
            ).fetchall()
        )
    assert vectors[0] == vectors[1]


def test_texts_are_embedded_once(tables: Connection) -> None:
    def embedded(rows: list[tuple[Any, ...]]) -> int:
        return next(int(count) for stage, count, _ in rows if stage == "embed")

    assert embedded(create(tables, text="['title']")) == 20
    tables.execute("UPDATE products SET title = 'kettle' WHERE product_id = 20")
    assert embedded(tables.execute("FROM refresh_recommender('shop')").fetchall()) == 1


def test_refresh_trains_on_what_the_tables_hold_now(tables: Connection) -> None:
    create(tables)
    before = tables.execute("SELECT version FROM shop.settings").fetchone()
    tables.execute("INSERT INTO products SELECT 30, 'teapot', 'kitchen', 9, 3, 'a'")
    tables.execute("INSERT INTO orders SELECT 1, 31, TIMESTAMP '2024-05-01', 1")
    tables.execute("FROM refresh_recommender('shop')").fetchall()
    assert tables.execute("SELECT version FROM shop.settings").fetchone() != before
    ids = tables.execute("SELECT item_id FROM shop.item_vectors WHERE item_id >= 30").fetchall()
    assert ids == [(30,), (31,)]
    assert len(tables.execute("FROM recommend(1)").fetchall()) == 10


def test_drop_removes_all_of_it(tables: Connection) -> None:
    before = catalogue_of(tables)
    create(tables)
    assert tables.execute("FROM drop_recommender('shop')").fetchall() == [("drop", 22, None)]
    assert catalogue_of(tables) == before


def test_drop_keeps_a_schema_that_holds_something_else(tables: Connection) -> None:
    create(tables)
    tables.execute("CREATE TABLE shop.mine AS SELECT 1 AS a")
    with pytest.raises(duckdb.Error, match="name: the schema 'shop' holds 'mine'"):
        tables.execute("FROM drop_recommender('shop')").fetchall()
    assert len(tables.execute("FROM recommend(1)").fetchall()) == 10


def test_the_first_recommender_is_the_default_until_another_is_asked_for(
    tables: Connection,
) -> None:
    create(tables)
    create(tables, name="'other'", objectives="['relevance', 'popularity']")

    def objectives() -> set[str]:
        row = tables.execute("SELECT contributions FROM recommend(1)").fetchone()
        assert row is not None
        return set(row[0])

    assert objectives() == {"relevance", "diversity", "novelty"}
    create(
        tables,
        name="'other'",
        objectives="['relevance', 'popularity']",
        make_default="true",
        replace="true",
    )
    assert objectives() == {"relevance", "popularity"}


def test_the_default_objectives_and_weights(tables: Connection) -> None:
    create(tables)
    assert tables.execute(
        "SELECT objective, default_weight FROM shop.objectives ORDER BY position"
    ).fetchall() == [("relevance", 0.6), ("diversity", 0.3), ("novelty", 0.1)]
    create(tables, name="'own'", objectives="{'margin': 'price - cost'}")
    assert tables.execute(
        "SELECT objective, default_weight FROM own.objectives ORDER BY position"
    ).fetchall() == [("relevance", 0.6), ("margin", 0.4)]


def test_a_constant_objective_is_reported(tables: Connection) -> None:
    rows = create(tables, objectives="{'flat': 'cost - cost', 'none': 'NULL::DOUBLE'}")
    noted = [stage for stage, _, seconds in rows if seconds is None and "objective" in stage]
    assert noted == [
        "objective flat: constant or NULL, its weight has no effect",
        "objective none: constant or NULL, its weight has no effect",
    ]


def test_without_times_and_without_items(tables: Connection) -> None:
    create(tables, event_time=None, items=None)
    rows = tables.execute("SELECT item_id FROM recommend(2, k => 5)").fetchall()
    assert len(rows) == 5
    # even users buy from the kitchen; without times nothing tells that purchases repeat
    seen = tables.execute("SELECT DISTINCT product_id FROM orders WHERE customer_id = 2").fetchall()
    assert not set(rows) & set(seen)


@pytest.mark.parametrize(
    ("users", "items", "events"), [(1, 1, 1), (1, 5, 5), (50, 1, 50), (3, 2, 2), (9, 200, 400)]
)
def test_however_little_there_is(users: int, items: int, events: int) -> None:
    con = morec_sql.connect()
    con.execute(
        "CREATE TABLE e AS SELECT n % ? AS user_id, n % ? AS item_id,"
        " TIMESTAMP '2024-01-01' + INTERVAL (n) DAY AS at FROM range(?) AS t(n)",
        [users, items, events],
    )
    con.execute("FROM create_recommender('shop', 'e', event_time => 'at')").fetchall()
    there = min(items, events)
    for user in ("0", "NULL", "12345"):
        rows = con.execute(f"FROM recommend({user}, k => {items})").fetchall()
        assert len(rows) == there
        assert all(abs(row[2]) < 20 for row in rows)
    con.close()


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


BAD = {
    "missing table": (
        {"events": "'order'"},
        "events: there is no table 'order'; did you mean 'orders'",
    ),
    "missing user column": (
        {"user_id": "'custmer_id'"},
        "user_id: .* has no column 'custmer_id'; did you mean 'customer_id'",
    ),
    "missing item column": ({"item_id": "'sku'"}, "item_id: .* has no column 'sku'; there is"),
    "missing items table": ({"items": "'product'"}, "items: .* did you mean 'products'"),
    "missing time": ({"event_time": "'when'"}, "event_time: .* has no column 'when'"),
    "time that is none": (
        {"event_time": "'quantity'"},
        "event_time: the column 'quantity' is BIGINT",
    ),
    "missing text": ({"text": "['titel']"}, "text: .* did you mean 'title'"),
    "text that is none": ({"text": "['price']"}, "text: the column 'price' is .* must be VARCHAR"),
    "weight that is none": (
        {"event_weight": "'CAST(quantity AS VARCHAR)'"},
        "event_weight: .*a number is needed",
    ),
    "weight that does not parse": ({"event_weight": "'quantity +'"}, "event_weight: .*not a SQL"),
    "weight that aggregates": ({"event_weight": "'sum(quantity)'"}, "event_weight: .*aggregates"),
    "unknown column in an objective": (
        {"objectives": "{'margin': 'pric - cost'}"},
        "objectives.margin: .*unknown column 'pric'; did you mean 'price'",
    ),
    "second statement in an objective": (
        {"objectives": "{'margin': 'price; DROP TABLE products'}"},
        "objectives.margin: .*more than one",
    ),
    "text objective": (
        {"objectives": "{'margin': 'title'}"},
        "objectives.margin: .*a number is needed",
    ),
    "objective not built in": (
        {"objectives": "['noveltie']"},
        "objectives: .*did you mean 'novelty'",
    ),
    "relevance redefined": (
        {"objectives": "{'relevance': 'price'}"},
        "objectives: 'relevance' is built in",
    ),
    "no weights": ({"weights": "[0, 0, 0]"}, "weights: all are 0"),
    "too many weights": ({"weights": "[1, 2, 3, 4]"}, "weights: 4 values came, but 3 are needed"),
    "dimensions": ({"dimensions": "0"}, "dimensions: 0 is not a whole number from 2 to 1024"),
    "model": (
        {"model": "'/nowhere'", "text": "['title']"},
        "model: '/nowhere' could not be loaded",
    ),
    "no name": ({"name": "NULL"}, "name: a name is needed, not NULL"),
    "schema taken": ({"name": "'main'"}, "name: the schema 'main' exists already"),
    "name of the database": ({"name": "'memory'"}, "name: the database is called 'memory' too"),
    "no usable event": (
        {"event_weight": "'0 * quantity'"},
        "events: 'orders' has no usable event",
    ),
    "ids of two types": ({"items_item_id": "'title'"}, "item_id: .*both must have one type"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_get_one_sentence_and_change_nothing(tables: Connection, case: str) -> None:
    changes, message = BAD[case]
    before = catalogue_of(tables)
    with pytest.raises(duckdb.Error, match=message) as error:
        create(tables, **changes)  # type: ignore[arg-type]
    text = str(error.value).split("Error: ", 2)[2].strip()
    assert "\n" not in text
    assert catalogue_of(tables) == before


def test_a_name_that_is_taken(tables: Connection) -> None:
    create(tables)
    before = catalogue_of(tables)
    with pytest.raises(duckdb.Error, match="name: the recommender 'shop' exists already"):
        create(tables)
    tables.execute("CREATE SCHEMA raw; CREATE TABLE raw.mine AS SELECT 1 AS a")
    with pytest.raises(duckdb.Error, match="name: the schema 'raw' exists already and is not"):
        create(tables, name="'raw'", replace="true")
    for call in ("refresh_recommender('sho')", "drop_recommender(NULL)"):
        with pytest.raises(duckdb.Error, match=r"name: there is no recommender .*there is 'shop'"):
            tables.execute(f"FROM {call}").fetchall()
    tables.execute("DROP SCHEMA raw CASCADE")
    assert catalogue_of(tables) == before


def test_a_failure_while_writing_leaves_the_database_as_it_was(tables: Connection) -> None:
    create(tables)
    # the tables come first, and then a view cannot take the place of this table
    tables.execute("DROP VIEW shop.events; CREATE TABLE shop.events AS SELECT 1 AS a")
    before = catalogue_of(tables)
    settings = tables.execute("FROM shop.settings").fetchall()
    with pytest.raises(duckdb.Error):
        create(tables, replace="true", objectives="['relevance']")
    assert catalogue_of(tables) == before
    assert tables.execute("FROM shop.settings").fetchall() == settings


def test_an_interrupt_leaves_the_database_as_it_was(tables: Connection) -> None:
    create(tables)  # loads what the first training loads, so that the interrupt comes in training
    tables.execute(
        "CREATE TABLE many AS SELECT o.* REPLACE (customer_id + 100 * r AS customer_id)"
        " FROM orders AS o, range(400) AS t(r)"
    )
    before = catalogue_of(tables)
    timer = threading.Timer(0.4, tables.interrupt)
    timer.start()
    with pytest.raises(duckdb.InterruptException):
        create(tables, name="'other'", events="'many'")
    timer.join()
    assert catalogue_of(tables) == before


def test_a_read_only_file_and_a_second_process(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    con = morec_sql.connect(path)
    con.execute(SMALL)
    con.execute(CREATE_SMALL).fetchall()
    here = con.execute("SELECT item_id FROM recommend(3)").fetchall()
    con.close()

    program = (
        "import sys, morec_sql; con = morec_sql.connect(sys.argv[1]);"
        "con.execute('SET enable_progress_bar = false');"
        "print(con.execute('SELECT item_id FROM recommend(3)').fetchall())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(here)

    con = morec_sql.connect(path, read_only=True)
    assert con.execute("SELECT item_id FROM recommend(3)").fetchall() == here
    with pytest.raises(duckdb.Error, match="read-only"):
        create(con, replace="true")
    con.close()

    # under another name, beside another database
    con = morec_sql.connect()
    con.execute(f"ATTACH '{path}' AS other (READ_ONLY); USE other")
    assert con.execute("SELECT item_id FROM recommend(3)").fetchall() == here
    con.close()


def test_loading_again_and_from_a_cursor() -> None:
    con = morec_sql.connect()
    con.execute(SMALL)
    morec_sql.load(con)
    cursor = con.cursor()
    morec_sql.load(cursor)
    cursor.execute(CREATE_SMALL).fetchall()
    assert len(con.execute("FROM recommend(1)").fetchall()) == 10
    cursor.close()
    assert len(con.cursor().execute("FROM recommend(1)").fetchall()) == 10
    con.close()


def test_a_macro_of_the_users_is_not_overwritten() -> None:
    con = duckdb.connect()
    con.execute("CREATE MACRO create_recommender(a) AS TABLE SELECT a AS mine")
    with pytest.raises(morec_sql.MorecError, match=r"main.create_recommender exists and is not"):
        morec_sql.load(con)
    assert con.execute("FROM create_recommender(1)").fetchall() == [(1,)]
