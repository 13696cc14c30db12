"""What a role does not see, it sees nowhere: not in lists, filters, explanations, errors, plans."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import morec_sql
from tests.server.conftest import MOREC, Served, add_user, served

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
pytestmark = pytest.mark.server
CONFIG = """
key = "a key of hashes that nobody knows"

[roles.analyst]
users = ["bob"]
schemas = ["main", "shop"]
most_rows = 1000
timeout = "5s"
sessions = 2

[roles.analyst.mask]
"customers.email" = "hash"
"main.customers.phone" = "null"
"customers.age" = { value = 0 }
"products.title" = "null"

[roles.analyst.rows]
customers = "country = 'AT'"

[roles.caller]
users = ["cid"]
schemas = ["shop"]
functions = ["recommend", "explain"]
"""
CUSTOMERS = """
CREATE TABLE customers AS
SELECT
    u AS customer_id,
    'user' || u || '@secret.example' AS email,
    '+43 555 ' || u AS phone,
    CAST(20 + u AS INTEGER) AS age,
    CASE WHEN u % 2 = 0 THEN 'AT' ELSE 'hidden' END AS country,
    'note of ' || CASE WHEN u % 2 = 0 THEN 'AT' ELSE 'somebody hidden' END AS note
FROM range(60) AS t(u);
CREATE VIEW adults AS SELECT customer_id, email, phone, age FROM customers WHERE age >= 18;
CREATE VIEW past AS SELECT * FROM small.main.customers;
CREATE VIEW past_too AS SELECT * FROM small.customers;
CREATE VIEW goods AS SELECT product_id, title AS name FROM products;
CREATE VIEW likeness AS SELECT embedding FROM shop.texts;
CREATE SCHEMA private;
CREATE TABLE private.salaries AS SELECT 'hidden salary' AS name, 1000 AS amount;
"""
HIDDEN = ("secret.example", "+43 555", "hidden", "a key of hashes", "tea ", "screwdriver")


@pytest.fixture(scope="module")
def warehouse(small_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("roles") / "small.duckdb"
    shutil.copy(small_file, path)
    with morec_sql.connect(path) as con:
        con.execute(CUSTOMERS)
        con.execute("FROM keep_lists('shop', k => 2)")
    for name in ("ana", "bob", "cid"):
        add_user(path, name)
    path.with_name("roles.toml").write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def running(warehouse: Path) -> Iterator[Served]:
    with served(warehouse, "--config", str(warehouse.with_name("roles.toml"))) as found:
        yield found


@contextlib.contextmanager
def of(running: Served, user: str) -> Iterator[Any]:
    with psycopg.connect(running.dsn, user=user, autocommit=True) as con:
        yield con


def test_columns_are_masked_and_rows_left_out(running: Served) -> None:
    with of(running, "bob") as con:
        rows = con.execute("SELECT * FROM customers ORDER BY customer_id").fetchall()
        assert len(rows) == 30
        first = rows[0]
        assert first[0] == 0
        assert len(first[1]) == 16
        assert first[2:5] == (None, 0, "AT")
        # the same value has the same hash, so that it can be joined and counted
        assert len({row[1] for row in rows}) == 30
        assert con.execute("SELECT count(DISTINCT age) FROM adults").fetchone() == (0,)
        assert con.execute("SELECT DISTINCT title FROM shop.items").fetchall() == [(None,)]
        kinds = {row[0]: row[1] for row in con.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_name = 'customers'")}  # fmt: skip
        assert kinds["age"] == "integer"
    with of(running, "ana") as con:
        assert con.execute("SELECT count(*) FROM customers").fetchone() == (60,)
        assert con.execute("SELECT email FROM customers WHERE customer_id = 1").fetchone() == (
            "user1@secret.example",
        )


def test_lists_are_the_same(running: Served) -> None:
    query = "SELECT item_id, score FROM recommend(3, k => 5) ORDER BY rank"
    with of(running, "ana") as con:
        expected = con.execute(query).fetchall()
    for user in ("bob", "cid"):
        with of(running, user) as con:
            assert con.execute(query).fetchall() == expected
            item = expected[0][0]
            assert con.execute("SELECT * FROM shop.explain(3, %s)", [item]).fetchall()


LEAKS = """
SELECT * FROM customers
SELECT * FROM adults
SELECT * FROM main.customers
SELECT * FROM past
SELECT * FROM past_too
SELECT * FROM goods
SELECT * FROM small.main.customers
SELECT * FROM small.customers
SELECT * FROM "small"."main"."customers"
SELECT * FROM small.private.salaries
SELECT small.main.customers.email FROM small.main.customers
WITH x AS (FROM small.main.customers) SELECT * FROM x
SELECT email FROM customers WHERE email LIKE '%secret%'
SELECT CAST(email AS INTEGER) FROM customers
SELECT CAST(phone AS INTEGER) FROM customers
SELECT CAST(note AS INTEGER) FROM customers WHERE country <> 'AT'
SELECT count(*) FROM customers WHERE CAST(note AS INTEGER) > 0
SELECT error(note) FROM customers WHERE country <> 'AT'
SELECT * FROM customers ORDER BY CASE WHEN country <> 'AT' THEN error(note) END
SELECT DISTINCT country FROM customers
EXPLAIN SELECT * FROM customers
EXPLAIN ANALYZE SELECT * FROM customers
SELECT sql FROM duckdb_views()
SELECT * FROM duckdb_views
SELECT * FROM duckdb_tables()
SELECT * FROM duckdb_columns()
SELECT * FROM duckdb_functions()
SELECT sql FROM sqlite_master
SELECT * FROM information_schema.views
SELECT view_definition FROM information_schema.views
SELECT * FROM pg_views
SELECT pg_get_viewdef('customers'::regclass)
SELECT * FROM pg_catalog.pg_class, small.main.customers
SHOW ALL TABLES
DESCRIBE small.main.customers
SUMMARIZE small.main.customers
SUMMARIZE customers
COPY customers TO STDOUT
COPY small.main.customers TO STDOUT
DECLARE c CURSOR FOR SELECT * FROM small.main.customers
SELECT * FROM small.shop.recommend(3)
SELECT * FROM recommend(3, filter => 'EXISTS (FROM small.main.customers WHERE email LIKE ''user1%'')')
SELECT * FROM recommend(3, filter => '(SELECT error(note) FROM small.main.customers LIMIT 1) IS NULL')
SELECT * FROM recommend(3, filter => '(SELECT error(min(note)) FROM customers WHERE country <> ''AT'') IS NULL')
SELECT * FROM recommend(3, filter => 'title = (SELECT ''x'' FROM private.salaries)')
SELECT * FROM recommend(3, filter => 'CAST(title AS INTEGER) > 0')
SELECT * FROM recommend(3, filter => 'title LIKE ''tea%''')
SELECT * FROM recommend(3, filter => 'price > 0 AND error(title) IS NULL')
SELECT * FROM recommend(3, max_per => {title: 1})
SELECT * FROM recommend(3, budget => {'(SELECT max(age) FROM small.main.customers)': 1})
SELECT * FROM recommend(3, reasons => true)
SELECT * FROM shop.explain(3, 5)
SELECT * FROM shop.similar_items(5)
SELECT * FROM shop.search('tea')
SELECT * FROM shop.texts_1
SELECT * FROM shop.items
SELECT * FROM shop.users_for(5, filter => 'true')
SELECT * FROM ranking_metrics('small.main.customers', 'small.main.customers')
SELECT * FROM catalogue_metrics('small.main.customers', 'small.main.customers')
SELECT * FROM query_table('small.main.customers')
SELECT * FROM create_recommender('x', events => 'small.main.customers', user_id => 'a', item_id => 'b')
SELECT * FROM refresh_recommender('shop')
SET search_path = private; SELECT * FROM salaries
SET search_path = 'small.private'; SELECT * FROM salaries
SELECT * FROM nope.customers
SELECT * FROM customer
SELECT nope FROM customers
"""


@pytest.mark.parametrize("user", ["bob", "cid"])
def test_what_is_hidden_comes_out_nowhere(running: Served, user: str) -> None:
    with of(running, user) as con:
        for statement in LEAKS.strip().splitlines():
            # cid may read titles
            hidden = [word for word in HIDDEN if user == "bob" or word[:3] not in ("tea", "scr")]
            # what the statement has in it itself is no secret
            hidden = [word for word in hidden if word not in statement]
            con.pgconn.send_query(statement.encode())
            said = []
            while (found := con.pgconn.get_result()) is not None:
                if found.status == psycopg.pq.ExecStatus.COPY_OUT:
                    while True:
                        size, data = con.pgconn.get_copy_data(0)
                        if size <= 0:
                            break
                        said.append(bytes(data).decode())
                said.append(found.error_message.decode())
                said += [
                    (found.get_value(row, column) or b"").decode()
                    for row in range(found.ntuples)
                    for column in range(found.nfields)
                ]
            text = "\n".join(said)
            assert not [word for word in hidden if word in text], (statement, text[:500])
            assert "in the server" not in text, (statement, text)


GUESSES = """
SELECT embedding FROM shop.texts
FROM shop.texts_1
TABLE shop.texts
SELECT encoder FROM shop.item_vectors
SELECT encoder FROM shop.item_vectors_1
SELECT encoder FROM "SHOP"."Item_Vectors"
SELECT * FROM shop.archive
SELECT (SELECT max(embedding[1]) FROM shop.texts)
WITH x AS (FROM shop.texts) SELECT * FROM x
SELECT * FROM likeness
SELECT * FROM shop.search('tea')
SUMMARIZE shop.texts
COPY shop.texts TO STDOUT
DECLARE c CURSOR FOR SELECT * FROM shop.texts
SET search_path = shop; SELECT embedding FROM texts
SELECT * FROM recommend(3, filter => '(SELECT max(embedding[1]) FROM shop.texts) > 0')
SELECT * FROM recommend(3, weights => {relevance: 1, '(SELECT max(encoder[1]) FROM shop.item_vectors)': 1})
"""


def test_who_only_reads_is_told_so(running: Served) -> None:
    with of(running, "bob") as con, pytest.raises(psycopg.Error) as raised:
        con.execute("DELETE FROM customers")
    assert "which this role only reads" in str(raised.value)
    assert "allow-write" not in str(raised.value)


def test_masked_texts_cannot_be_guessed(running: Served) -> None:
    for statement in GUESSES.strip().splitlines():
        before, _, last = statement.rpartition("; ")
        with of(running, "bob") as con:
            if before:
                con.execute(before)
            with pytest.raises(psycopg.Error) as raised:
                con.execute(last)
        assert raised.value.sqlstate != "XX000", statement
    with of(running, "bob") as con:
        assert con.execute("SELECT * FROM recommend(3, k => 5)").fetchall()
        assert con.execute("SELECT * FROM shop.similar_items(5)").fetchall()
        assert con.execute("SELECT count(*) FROM shop.versions").fetchone() == (1,)
    # who has no mask is kept from nothing
    for user in ("ana", "cid"):
        with of(running, user) as con:
            assert con.execute("SELECT count(embedding) FROM shop.texts").fetchone() != (0,)


def test_kept_lists_are_of_all_users(running: Served) -> None:
    with of(running, "bob") as con, pytest.raises(psycopg.Error, match="lists"):
        con.execute("FROM shop.lists")
    for user in ("ana", "cid"):
        with of(running, user) as con:
            assert con.execute("SELECT count(*) FROM shop.lists").fetchone() == (120,)


def test_schemas_and_functions_that_are_not_the_roles(running: Served) -> None:
    with of(running, "cid") as con:
        for query in (
            "SELECT * FROM customers", "SELECT * FROM main.customers", "SELECT * FROM orders",
            "SELECT * FROM private.salaries", "SELECT * FROM shop.similar_items(5)",
            "SELECT * FROM shop.evaluate()",
            "SELECT * FROM recommend(3, filter => 'EXISTS (FROM orders)')",
            "SELECT * FROM recommend(3, filter => 'EXISTS (FROM main.customers)')",
        ):  # fmt: skip
            with pytest.raises(psycopg.Error):
                con.execute(query)
        # what it may is there
        assert con.execute("SELECT count(*) FROM shop.items").fetchone() == (22,)
        names = {
            row[0] for row in con.execute("SELECT proname FROM pg_proc WHERE proname = 'recommend'")
        }
        assert names == {"recommend"}
        filtered = (
            "SELECT * FROM recommend(3, filter => 'item_id IN (SELECT item_id FROM shop.items)')"
        )
        assert con.execute(filtered).fetchall()


def test_limits_of_a_role(running: Served) -> None:
    with of(running, "bob") as con:
        with pytest.raises(psycopg.Error, match="more than the 1000 rows"):
            con.execute("SELECT * FROM orders")
        assert len(con.execute("SELECT * FROM orders LIMIT 1000").fetchall()) == 1000
        with pytest.raises(psycopg.errors.QueryCanceled, match="more than 5 seconds"):
            con.execute(
                "SELECT sum(a.range * b.range) FROM range(1000000) AS a, range(1000000) AS b"
            )
        with (
            of(running, "bob"),
            pytest.raises(psycopg.OperationalError, match="of the role already"),
        ):
            psycopg.connect(running.dsn, user="bob")


def test_roles_that_cannot_be_are_refused_at_the_start(warehouse: Path, tmp_path: Path) -> None:
    for text, words in [
        ("[roles.a]\nuser = ['x']", "there is no 'user'; did you mean 'users'"),
        ("[roles.a]\nusers = 'x'", "no list of names"),
        ("[roles.a]\nschemas = ['nope']", "there is no 'nope'"),
        ("[roles.a.mask]\n'customers.emial' = 'null'", "did you mean 'customers.email'"),
        ("[roles.a.mask]\n'customers.email' = 'hide'", "is not 'null', 'hash'"),
        ("[roles.a.mask]\n'customers.email' = 'hash'", "key: "),
        ("[roles.a.rows]\n'custmers' = 'true'", "did you mean 'customers'"),
        ("[roles.a.rows]\n'customers' = 'nope = 1'", "no predicate"),
        ("[roles.a.rows]\n'customers' = 'true) OR (1 ='", "no predicate"),
        ("[roles.a]\ntimeout = 'soon'", "no time"),
        ("[roles.a]\nmost_rows = 0", "no number above 0"),
        ("[roles.a]\nusers = ['x']\n[roles.b]\nusers = ['x']", "is of a, too"),
        ("[roles.a\n", "cannot be read"),
    ]:  # fmt: skip
        config = tmp_path / "roles.toml"
        config.write_text(text)
        done = subprocess.run(
            [MOREC, "serve", str(warehouse), "--port", "0", "--config", str(config)],
            capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        assert done.returncode == 2, text
        assert words in done.stderr, (text, done.stderr)


def test_a_file_of_a_schemas_name_is_refused(warehouse: Path, tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    shutil.copy(warehouse, path)
    add_user(path)
    config = tmp_path / "roles.toml"
    config.write_text("[roles.a]\nusers = ['ana']\nschemas = ['shop']")
    done = subprocess.run(
        [MOREC, "serve", str(path), "--port", "0", "--config", str(config)],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert "name of the schema 'shop'" in done.stderr
