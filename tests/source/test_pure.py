"""Expressions of users compute from rows, and do nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

import morec_sql
from tests.conftest import CREATE_SMALL, SMALL, catalogue_of, create

Connection = duckdb.DuckDBPyConnection

IMPURE = {
    "drops": "morec_drop_recommender('memory', 'main', '{\"name\": \"shop\"}') IS NOT NULL",
    "reads a file": "EXISTS (SELECT 1 FROM read_csv('/etc/hostname'))",
    "reads a file by its name": "EXISTS (SELECT 1 FROM '/etc/hostname.csv')",
    "reads a file in quotes": 'price IN (SELECT 1 FROM "/etc/hostname.csv")',
    "lists files": "EXISTS (SELECT 1 FROM glob('*'))",
    "runs text": "EXISTS (FROM query('SELECT 1'))",
    "counts on": "nextval('numbers') > 0",
    "counts on, quoted": "\"nextval\"('numbers') > 0",
    "counts on, as a method": "'numbers'.nextval() > 0",
    "reads settings": "current_setting('threads') > 0",
    "reads settings as a table": "EXISTS (SELECT 1 FROM duckdb_settings())",
    "reads secrets": "EXISTS (SELECT 1 FROM duckdb_secrets())",
    "hides it in a macro": "hidden('numbers')",
    "hides it in a macro that is called as syntax": "\"interval\"('numbers')",
    "hides it in two macros": "hides_hidden('numbers')",
    "reads a frame": "EXISTS (SELECT 1 FROM frame)",
    "sleeps": "sleep_ms(1) IS NULL",
}


@pytest.fixture(scope="module")
def shop() -> Iterator[Connection]:
    con = morec_sql.connect()
    con.execute(SMALL)
    con.execute(CREATE_SMALL).fetchall()
    con.execute(
        "CREATE SEQUENCE numbers;"
        "CREATE MACRO hidden(a) AS nextval(a) > 0;"
        'CREATE MACRO "interval"(a) AS nextval(a) > 0;'
        "CREATE MACRO hides_hidden(a) AS (SELECT hidden(a));"
        "CREATE MACRO twice(a) AS 2 * a;"
        "CREATE TABLE wanted AS SELECT 3 AS product_id"
    )
    con.register("frame", con.sql("SELECT 1 AS a").to_arrow_table())
    yield con
    con.close()


@pytest.mark.parametrize("name", IMPURE)
def test_what_does_more_than_compute_is_refused(shop: Connection, name: str) -> None:
    before = catalogue_of(shop)
    with pytest.raises(duckdb.Error, match="filter: "):
        shop.execute("FROM shop.recommend(7, filter => ?)", [IMPURE[name]]).fetchall()
    inside = f"CASE WHEN {IMPURE[name]} THEN 1 ELSE 2 END".replace("'", "''")
    for argument, value in (
        ("objectives", f"{{'odd': '{inside}'}}"),
        ("event_weight", f"'{inside.replace('price', 'quantity')}'"),
    ):
        with pytest.raises(duckdb.Error, match=argument):
            create(shop, name="'other'", **{argument: value})
    assert catalogue_of(shop) == before
    assert shop.execute("SELECT nextval('numbers')").fetchall()[0][0] < len(IMPURE) + 1


@pytest.mark.parametrize(
    ("predicate", "items"),
    [
        ("product_id IN (SELECT product_id FROM wanted)", {3}),
        ("product_id IN (WITH w AS (SELECT product_id FROM wanted) SELECT * FROM w)", {3}),
        ("product_id IN (SELECT unnest([3, 4]))", {3, 4}),
        ("product_id IN (SELECT * FROM range(3, 5))", {3, 4}),
        ("twice(product_id) = 6", {3}),
        ("lower(category) = 'kitchen' AND round(price) = 4", {3}),
        ("coalesce(price, 0) = 4 AND extract('year' FROM DATE '2024-05-01') = 2024", {3}),
        ("random() >= 0 AND product_id = 3", {3}),
        ("title LIKE 'tea 3'", {3}),
    ],
)
def test_what_computes_is_not(shop: Connection, predicate: str, items: set[int]) -> None:
    rows = shop.execute(
        "SELECT item_id FROM shop.recommend(7, filter => ?)", [predicate]
    ).fetchall()
    assert {item for (item,) in rows} == items


def test_a_macro_is_looked_at_each_time(shop: Connection) -> None:
    query = "SELECT item_id FROM shop.recommend(7, filter => 'changes(product_id) = 3')"
    shop.execute("CREATE MACRO changes(a) AS lower(a::VARCHAR)::INTEGER")
    assert shop.execute(query).fetchall() == [(3,)]
    for worse in ("nextval('numbers') + a", "\"coalesce\"('numbers') + a"):
        shop.execute('CREATE OR REPLACE MACRO "coalesce"(a) AS nextval(a)')
        shop.execute(f"CREATE OR REPLACE MACRO changes(a) AS {worse}")
        with pytest.raises(duckdb.Error, match=r"filter: .* calls nextval"):
            shop.execute(query)
    shop.execute('DROP MACRO changes; DROP MACRO "coalesce"')


def test_other_tables_can_be_forbidden(tables: Connection) -> None:
    tables.execute(CREATE_SMALL).fetchall()
    tables.execute("CREATE TABLE wanted AS SELECT 3 AS product_id")
    query = "FROM recommend(7, filter => 'product_id IN (SELECT product_id FROM wanted)')"
    assert len(tables.execute(query).fetchall()) == 1
    morec_sql.load(tables, other_tables=False)
    with pytest.raises(duckdb.Error, match=r"filter: .*'wanted'.*other_tables=False"):
        tables.execute(query).fetchall()
    assert len(tables.execute("FROM recommend(7, filter => 'price > 0')").fetchall()) == 10


@pytest.mark.parametrize(
    ("predicate", "said"),
    [
        ("(" * 3000 + "price > 0" + ")" * 3000, "nested"),
        ("price > " + "1 + " * 5000 + "1", "filter: "),
        ('category = "kitchen"', "single quotes"),
        ("title::INTEGER > 0", "cannot be evaluated"),
    ],
)
def test_a_predicate_that_cannot_be_is_refused_in_a_sentence(
    shop: Connection, predicate: str, said: str
) -> None:
    try:
        rows = shop.execute("FROM shop.recommend(7, filter => ?)", [predicate]).fetchall()
        assert "1 + 1" in predicate
        assert rows == []
    except duckdb.Error as error:
        text = str(error).split("\n")[0]
        assert "filter: " in text
        assert said in text
        assert len(text) < 500
        assert "Recursion" not in text


def test_an_expression_is_computed_on_every_row_before_the_training(tables: Connection) -> None:
    tables.execute("UPDATE products SET title = '7' WHERE product_id <> 5")
    for argument, value in (
        ("objectives", "{'odd': 'title::INTEGER'}"),
        ("event_weight", "'CAST(''x'' || quantity AS INTEGER)'"),
        ("losses", "{'odd': 'squared_error(CAST(''x'' || quantity AS INTEGER))'}"),
    ):
        with pytest.raises(duckdb.Error, match=f"{argument}.* cannot be computed .*'(tea 5|x1)'"):
            create(tables, **{argument: value})
