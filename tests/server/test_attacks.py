"""Ways to read a file, reach the network, write, or see what is not to be seen: each is refused."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import Served, served

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
pytestmark = pytest.mark.server
SECRET = "the secret of the machine"

READING = """
SELECT * FROM read_text('{file}')
SELECT * FROM read_blob('{file}')
SELECT * FROM read_csv('{file}')
SELECT * FROM read_csv_auto('{file}')
SELECT * FROM read_json('{file}')
SELECT * FROM read_json_objects('{file}')
SELECT * FROM read_ndjson('{file}')
SELECT * FROM read_parquet('{file}')
SELECT * FROM parquet_scan('{file}')
SELECT * FROM parquet_metadata('{file}')
SELECT * FROM parquet_schema('{file}')
SELECT * FROM read_duckdb('{file}')
SELECT * FROM sniff_csv('{file}')
SELECT * FROM glob('{folder}/*')
SELECT * FROM '{file}'
SELECT * FROM "{file}"
FROM '{file}' SELECT *
SELECT * FROM "read_text"('{file}')
SELECT * FROM system.main.read_text('{file}')
SELECT * FROM READ_TEXT('{file}')
SELECT * FROM read_text/* */('{file}')
SELECT * FROM read_text(['{file}'])
WITH x AS (SELECT * FROM read_text('{file}')) SELECT * FROM x
SELECT (SELECT content FROM read_text('{file}'))
SELECT 1 WHERE EXISTS (SELECT 1 FROM read_text('{file}') WHERE content LIKE 'the%')
SELECT * FROM products JOIN read_text('{file}') ON true
SELECT 1 UNION ALL SELECT content FROM read_text('{file}')
SELECT * FROM (VALUES ('{file}')) AS t(f), LATERAL (SELECT * FROM read_text(t.f))
SELECT title FROM products ORDER BY (SELECT content FROM read_text('{file}'))
SELECT title FROM products LIMIT (SELECT length(content) FROM read_text('{file}'))
SELECT list_transform([1], lambda x: (SELECT max(content) FROM read_text('{file}')))
SELECT * FROM query('SELECT * FROM read_text(''{file}'')')
SELECT * FROM query_table('{file}')
SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))
PIVOT read_text('{file}') ON content
DESCRIBE SELECT * FROM read_text('{file}')
SUMMARIZE '{file}'
EXPLAIN ANALYZE SELECT * FROM read_text('{file}')
EXPLAIN SELECT * FROM read_text('{file}')
COPY (SELECT * FROM read_text('{file}')) TO STDOUT
COPY products FROM '{file}'
DECLARE c CURSOR FOR SELECT * FROM read_text('{file}')
PREPARE p AS SELECT * FROM read_text('{file}')
CALL read_text('{file}')
SELECT * FROM recommend(3, filter => 'EXISTS (SELECT 1 FROM read_text(''{file}''))')
SELECT * FROM recommend(3, filter => 'EXISTS (FROM ''{file}'')')
SELECT * FROM recommend(3, max_per => {{'(SELECT content FROM read_text(''{file}''))': 1}})
SELECT * FROM recommend(3, floor => {{'(SELECT 1 FROM read_blob(''{file}''))': 1}})
SELECT * FROM shop.evaluate(filter => '(SELECT true FROM read_text(''{file}''))')
SELECT * FROM shop.rank_items((SELECT list(content) FROM read_text('{file}')), 3)
SELECT * FROM embedding_of('{file}')
LOAD '{file}'
IMPORT DATABASE '{folder}'
ATTACH '{file}' AS other
ATTACH '{file}' (TYPE sqlite)
"""
NETWORK = """
SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')
SELECT * FROM 'https://127.0.0.1:9/x.parquet'
SELECT * FROM read_text('s3://bucket/key')
ATTACH 'http://127.0.0.1:9/x.db'
ATTACH 'host=127.0.0.1' AS p (TYPE postgres)
INSTALL httpfs
INSTALL httpfs FROM 'http://127.0.0.1:9'
LOAD httpfs
FORCE INSTALL json
CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')
SELECT * FROM postgres_scan('host=127.0.0.1', 'public', 't')
SELECT http_get('http://127.0.0.1:9')
"""
WRITING = """
CREATE TABLE t (i INTEGER)
CREATE TEMP TABLE t (i INTEGER)
CREATE VIEW v AS SELECT 1
CREATE MACRO m() AS 1
CREATE SCHEMA s
INSERT INTO products (title) VALUES ('x')
WITH x AS (SELECT 1) INSERT INTO products (product_id) SELECT * FROM x
UPDATE products SET price = 0
DELETE FROM products
TRUNCATE products
DROP TABLE products
DROP SCHEMA shop CASCADE
ALTER TABLE products ADD COLUMN x INTEGER
MERGE INTO products USING orders ON false WHEN NOT MATCHED THEN INSERT (title) VALUES ('x')
SELECT * FROM drop_recommender('shop')
SELECT * FROM refresh_recommender('shop')
SELECT * FROM refresh_items('shop')
SELECT * FROM use_version('shop', 1)
SELECT * FROM create_recommender('x', events => 'orders', user_id => 'customer_id', item_id => 'product_id')
SELECT * FROM shop.tune(store => true)
COPY products TO '{folder}/x.csv'
COPY (SELECT 1) TO '{folder}/x.parquet' (FORMAT parquet)
COPY products TO PROGRAM 'cat'
EXPORT DATABASE '{folder}'
CHECKPOINT
FORCE CHECKPOINT
VACUUM
EXPLAIN ANALYZE INSERT INTO products (title) VALUES ('x')
SELECT nextval('s')
SELECT setval('s', 1)
SELECT write_log('x')
SELECT 1; DROP TABLE products
BEGIN; DELETE FROM products; COMMIT
"""
ESCALATING = """
SET enable_external_access = true
SET lock_configuration = false
SET GLOBAL memory_limit = '1TB'
SET threads = 64
SET allow_unsigned_extensions = true
SET VARIABLE x = 1
SELECT set_config('enable_external_access', 'true', false)
RESET lock_configuration; SELECT * FROM duckdb_settings()
PRAGMA enable_profiling
PRAGMA database_list
PRAGMA version
CALL pragma_version()
USE system
DETACH small
SELECT getenv('HOME')
SELECT getvariable('x')
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_secrets()
SELECT * FROM duckdb_databases()
SELECT * FROM duckdb_extensions()
SELECT * FROM duckdb_logs
SELECT * FROM duckdb_variables()
SELECT * FROM duckdb_memory()
SELECT * FROM duckdb_temporary_files()
SELECT * FROM pragma_database_list
SELECT * FROM pragma_storage_info('products')
SELECT * FROM pragma_database_size()
SELECT * FROM arrow_scan(1::POINTER, 2::POINTER, 3::POINTER)
SELECT * FROM pandas_scan(1)
SELECT * FROM python_map_function(1, 2, 3)
SELECT * FROM seq_scan('products')
SELECT * FROM which_secret('x', 's3')
SELECT * FROM enable_logging()
SELECT morec_recommend('small', 'shop', '{{}}')
SELECT morec_instance()
SELECT * FROM sessions
SELECT * FROM process
SET ROLE postgres
SET SESSION AUTHORIZATION postgres
LISTEN everything
SELECT finalize(NULL)
SELECT pg_read_file('{file}')
SELECT lo_import('{file}')
DO $$ BEGIN END $$
"""


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("machine") / "secret.txt"
    path.write_text(SECRET)
    return path


@pytest.fixture(scope="module")
def con(shop: Served) -> Iterator[Any]:
    with psycopg.connect(shop.dsn, autocommit=True) as connected:
        yield connected


def tried(con: Any, statement: str) -> str | None:
    """What a statement is refused with; None where it is not."""
    try:
        found = con.pgconn.exec_(statement.encode())
        with contextlib.suppress(Exception):
            con.pgconn.exec_(b"ROLLBACK")
        return found.error_message.decode() or None
    finally:
        assert con.info.transaction_status.name == "IDLE"


@pytest.mark.parametrize("kind", ["READING", "NETWORK", "WRITING", "ESCALATING"])
def test_each_is_refused(con: Any, secret: Path, kind: str) -> None:
    ways = globals()[kind].strip().splitlines()
    for way in ways:
        statement = way.format(file=secret, folder=secret.parent)
        said = tried(con, statement)
        assert said is not None, statement
        assert SECRET not in said, statement
        assert "in the server" not in said, statement
    assert con.execute("SELECT count(*) FROM products").fetchone() == (22,)
    assert [one.name for one in secret.parent.iterdir()] == ["secret.txt"]


def test_there_are_a_hundred_ways() -> None:
    ways = "".join((READING, NETWORK, WRITING, ESCALATING))
    assert len(re.findall(r"^\S", ways, re.MULTILINE)) >= 100


def test_the_same_with_parameters(con: Any, secret: Path) -> None:
    for query in (
        "SELECT * FROM read_text(%s)",
        "SELECT * FROM query(%s)",
        "SELECT * FROM glob(%s)",
    ):
        with pytest.raises(psycopg.Error):
            con.execute(query, [str(secret)])


def test_ways_out_are_closed_where_writing_is_allowed_too(own: Path, secret: Path) -> None:
    places = {"file": secret, "folder": secret.parent}
    more = """
CREATE TABLE t AS SELECT * FROM read_text('{file}')
CREATE TABLE t AS SELECT * FROM '{file}'
CREATE VIEW v AS SELECT * FROM read_text('{file}')
CREATE MACRO m() AS TABLE SELECT * FROM read_text('{file}')
CREATE MACRO m() AS getenv('HOME')
CREATE OR REPLACE MACRO m(f) AS TABLE SELECT * FROM query(f)
INSERT INTO products (title) SELECT content FROM read_text('{file}')
INSERT INTO products (title) FROM '{file}'
UPDATE products SET title = (SELECT content FROM read_text('{file}'))
CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')
CREATE PERSISTENT SECRET s (TYPE s3)
CREATE OR REPLACE TEMPORARY SECRET s (TYPE http)
ALTER DATABASE small SET ALIAS TO other
DROP SECRET s
COPY products TO '{folder}/x.csv'
COPY products FROM '{file}'
EXPORT DATABASE '{folder}'
ATTACH '{folder}/x.db' AS x
SELECT * FROM create_recommender('x', events => '{file}', user_id => 'a', item_id => 'b')
SELECT * FROM create_recommender('x', events => 'orders', user_id => 'customer_id', item_id => 'product_id', items => '(SELECT * FROM read_text(''{file}''))')
SELECT * FROM create_recommender('x', events => 'orders', user_id => 'customer_id', item_id => 'product_id', objectives => {{'relevance': NULL, 'x': '(SELECT length(content) FROM read_text(''{file}''))'}})
"""  # fmt: skip
    ways = [way for way in (READING + NETWORK + ESCALATING + more).splitlines() if way]
    with (
        served(own, "--allow-write") as running,
        psycopg.connect(running.dsn, autocommit=True) as con,
    ):
        for way in ways:
            statement = way.format(**places)
            said = tried(con, statement)
            assert said is not None, statement
            assert SECRET not in said, statement
        names = con.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'main'")
        assert {row[0] for row in names} == {"orders", "products"}
    assert [one.name for one in secret.parent.iterdir()] == ["secret.txt"]
