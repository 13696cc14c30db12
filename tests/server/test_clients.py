"""Real clients of PostgreSQL: what they ask first, and what they show."""

from __future__ import annotations

import asyncio
import datetime
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import morec_sql
from tests.server.conftest import Served

pytestmark = pytest.mark.server
HERE = Path(__file__).parent
JDBC = Path("/usr/share/java/postgresql.jar")
LISTED = "SELECT item_id FROM recommend(3, k => 2) ORDER BY rank"


@pytest.fixture(scope="module")
def listed(shop: Served) -> list[int]:
    """The first items of user 3, from the process itself."""
    with morec_sql.connect(shop.path, read_only=True) as con:
        return [row[0] for row in con.execute(LISTED).fetchall()]


def psql(shop: Served, *commands: str) -> str:
    if shutil.which("psql") is None:
        pytest.skip("psql is not installed")
    given = [part for command in commands for part in ("-c", command)]
    done = subprocess.run(
        ["psql", "-X", "-A", *given], env=shop.environment, capture_output=True, text=True
    )
    assert not done.stderr or done.stderr.startswith("Did not find"), done.stderr
    return done.stdout


def test_psql_shows_what_is_there(shop: Served, listed: list[int]) -> None:
    assert "main|orders|table|morec" in psql(shop, "\\dt")
    assert "shop|versions|view|morec" in psql(shop, "\\dv shop.*")
    assert "permanent" in psql(shop, "\\dt+ main.*")
    assert "shop|morec" in psql(shop, "\\dn")
    assert "small|morec|UTF8" in psql(shop, "\\l")
    described = psql(shop, "\\d products")
    assert "title|text|" in described
    assert "price|numeric" in described
    assert "reason_templates_language_reason_pkey" in psql(shop, "\\d shop.reason_templates")
    assert "The sentences of reasons" in psql(shop, "\\dt+ shop.reason_templates")
    functions = psql(shop, "\\df shop.recommend")
    assert "shop|recommend|TABLE|user_id, weights, k, filter" in functions
    assert "The ranked list for a user" in psql(shop, "\\df+ shop.recommend")
    for command in ("\\d", "\\di", "\\du", "\\dp", "\\dx", "\\db", "\\dT", "\\do", "\\dC", "\\des",
                    "\\dF", "\\dy", "\\dRp", "\\conninfo", "\\z", "\\dD", "\\ddp", "\\dg", "\\dO",
                    "\\dE", "\\ds", "\\dm", "\\da", "\\dc", "\\dL", "\\dX", "\\sf shop.recommend"):  # fmt: skip
        psql(shop, command)
    out = psql(shop, "\\timing on", "\\x on", LISTED)
    assert f"item_id|{listed[0]}" in out
    assert "Time: " in out


def test_sqlalchemy_reflects(shop: Served, listed: list[int]) -> None:
    sa = pytest.importorskip("sqlalchemy")
    pytest.importorskip("psycopg")
    engine = sa.create_engine(shop.url("psycopg"))
    looked = sa.inspect(engine)
    assert looked.default_schema_name == "main"
    assert {"main", "shop"} <= set(looked.get_schema_names())
    assert {"orders", "products"} == set(looked.get_table_names())
    assert "versions" in looked.get_view_names("shop")
    kinds = {one["name"]: str(one["type"]) for one in looked.get_columns("products")}
    assert kinds["title"] == "TEXT"
    assert kinds["price"].startswith("NUMERIC")
    key = looked.get_pk_constraint("reason_templates", "shop")
    assert key["constrained_columns"] == ["language", "reason"]
    assert looked.get_table_comment("reason_templates", "shop")["text"].startswith("The sentences")
    for empty in (looked.get_foreign_keys, looked.get_unique_constraints, looked.get_indexes):
        assert empty("orders") == []
    tables = sa.MetaData()
    tables.reflect(engine)
    products = tables.tables["products"]
    with engine.connect() as con:
        query = sa.select(products.c.title).where(products.c.product_id.in_([3, 4]))
        assert con.execute(query.order_by(products.c.title)).all() == [("tea 3",), ("tea 4",)]
        found = con.execute(sa.text("SELECT item_id FROM recommend(:u, k => :k)"), {"u": 3, "k": 2})
        assert [row[0] for row in found] == listed
    engine.dispose()


def test_asyncpg_and_sqlalchemy_on_it(shop: Served, listed: list[int]) -> None:
    asyncpg = pytest.importorskip("asyncpg")
    sa = pytest.importorskip("sqlalchemy")
    pytest.importorskip("greenlet")
    from sqlalchemy.ext.asyncio import create_async_engine

    async def alone() -> None:
        con = await asyncpg.connect(f"postgresql://ana:correct%20horse@127.0.0.1:{shop.port}/small")
        # it asks of which types parameters are, and sends them as such
        found = await con.fetch("SELECT item_id FROM recommend($1, k => $2) ORDER BY rank", 3, 2)
        assert [row[0] for row in found] == listed
        assert await con.fetchval("SELECT count(*) FROM products WHERE price > $1", Decimal(10)) > 0
        assert await con.fetchval(
            "SELECT count(*) FROM orders WHERE ordered_at < $1", datetime.datetime(2025, 1, 1)
        )
        row = await con.fetchrow("SELECT [1, NULL] AS l, ['a'] AS s, {'a': 1} AS j, 1.5 AS d")
        assert dict(row) == {"l": [1, None], "s": ["a"], "j": '{"a": 1}', "d": Decimal("1.5")}
        async with con.transaction():
            numbers = [row[0] async for row in con.cursor("SELECT * FROM range(200)", prefetch=50)]
        assert numbers == list(range(200))
        with pytest.raises(asyncpg.exceptions.UndefinedColumnError):
            await con.fetch("SELECT nope")
        await con.close()

    async def by_engine() -> None:
        engine = create_async_engine(shop.url("asyncpg"))
        async with engine.connect() as con:
            query = sa.text("SELECT item_id FROM recommend(:u, k => :k) ORDER BY rank")
            assert [row[0] for row in await con.execute(query, {"u": 3, "k": 2})] == listed
            names = await con.run_sync(lambda one: sa.inspect(one).get_table_names())
            assert "orders" in names
        await engine.dispose()

    asyncio.run(alone())
    asyncio.run(by_engine())


def test_jdbc(shop: Served, listed: list[int]) -> None:
    if shutil.which("java") is None or not JDBC.exists():
        pytest.skip("java or PostgreSQL's JDBC driver is not installed")
    url = f"jdbc:postgresql://127.0.0.1:{shop.port}/small?user=ana&password=correct%20horse"
    done = subprocess.run(
        ["java", "-cp", str(JDBC), str(HERE / "Metadata.java"), url], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert {
        "product|PostgreSQL", "schema|shop", "catalog|small", "table|orders|TABLE",
        "view|versions|VIEW", "column|title|text|1", "key|language|1", "key|reason|2",
        "index|language", "function|recommend", "argument|weights", "type|numeric",
        "values|1.50|2024-02-29|2024-01-01 10:00:00.5|{\"1\",\"2\"}|{\"a\": 1}|ü",
        "sum|49995000", "cancelled|57014", "valid|true|main",
    } <= set(lines)  # fmt: skip
    assert [line for line in lines if line.startswith("item|")] == [f"item|{one}" for one in listed]


@pytest.mark.parametrize("option", ["", "UseDeclareFetch=1;Fetch=10;", "UseServerSidePrepare=0;"])
def test_odbc(shop: Served, listed: list[int], option: str) -> None:
    pyodbc = pytest.importorskip("pyodbc", exc_type=ImportError)
    if "PostgreSQL Unicode" not in pyodbc.drivers():
        pytest.skip("psqlODBC is not installed")
    con: Any = pyodbc.connect(
        "Driver={PostgreSQL Unicode};Server=127.0.0.1;Database=small;Uid=ana;"
        f"Pwd=correct horse;Port={shop.port};{option}",
        autocommit=not option.startswith("UseDeclare"),
    )
    cursor = con.cursor()
    assert ("small", "main", "orders", "TABLE") in [tuple(row)[:4] for row in cursor.tables()]
    columns = {row.column_name: row.type_name for row in cursor.columns("products", schema="main")}
    assert columns["title"] == "text"
    keys = cursor.primaryKeys("reason_templates", schema="shop")
    assert [row.column_name for row in keys] == ["language", "reason"]
    assert cursor.statistics("reason_templates", schema="shop").fetchall()
    assert "recommend" in [row.procedure_name for row in cursor.procedures(schema="shop")]
    query = "SELECT item_id FROM recommend(?, k => ?) ORDER BY rank"
    assert [row[0] for row in cursor.execute(query, 3, 2)] == listed
    row = cursor.execute("SELECT 1.50::DECIMAL(10, 2), DATE '2024-02-29', 'ü', NULL").fetchone()
    assert tuple(row) == (Decimal("1.50"), datetime.date(2024, 2, 29), "ü", None)
    assert len(cursor.execute("SELECT * FROM range(1000)").fetchall()) == 1000
    with pytest.raises(pyodbc.Error, match="nope"):
        cursor.execute("SELECT nope FROM products")
    con.close()


def test_adbc(shop: Served, listed: list[int]) -> None:
    dbapi = pytest.importorskip("adbc_driver_postgresql.dbapi")
    url = f"postgresql://ana:correct%20horse@127.0.0.1:{shop.port}/small"
    with dbapi.connect(url) as con, con.cursor() as cursor:
        cursor.execute(LISTED)
        table = cursor.fetch_arrow_table()
    assert table["item_id"].to_pylist() == listed


def test_what_grafanas_macros_come_to(shop: Served) -> None:
    psycopg = pytest.importorskip("psycopg")
    between = "ordered_at BETWEEN '2024-01-01T00:00:00Z' AND '2024-02-01T00:00:00.5Z'"
    with psycopg.connect(shop.dsn) as con:
        # $__timeGroup(ordered_at, 1d) and $__timeFilter(ordered_at)
        grouped = con.execute(
            'SELECT floor(extract(epoch from ordered_at)/86400)*86400 AS "time", count(*) AS n'
            f" FROM orders WHERE {between} GROUP BY 1 ORDER BY 1"
        ).fetchall()
        assert grouped[0][0] == 1704067200
        # $__time(ordered_at), $__unixEpochFilter, and what fills the list of columns
        assert con.execute(f'SELECT ordered_at AS "time" FROM orders WHERE {between}').fetchone()
        named = con.execute(
            'SELECT quote_ident(column_name) AS "column", data_type AS "type"'
            " FROM information_schema.columns WHERE CASE WHEN array_length("
            "string_to_array('main.orders', '.'), 1) = 2 THEN table_schema = 'main'"
            " AND table_name = 'orders' ELSE false END"
        ).fetchall()
        assert ("ordered_at", "timestamp without time zone") in named


def test_pgbench(shop: Served, tmp_path: Path) -> None:
    found = shutil.which("pgbench") or next(
        iter(map(str, Path("/usr/lib/postgresql").glob("*/bin/pgbench"))), None
    )
    if found is None:
        pytest.skip("pgbench is not installed")
    script = tmp_path / "lists.sql"
    script.write_text("\\set u random(0, 59)\nSELECT * FROM recommend(:u, k => 5);\n")
    for protocol in ("simple", "extended", "prepared"):
        done = subprocess.run(
            [found, "-n", "-f", str(script), "-M", protocol, "-c", "4", "-t", "5"],
            env=shop.environment, capture_output=True, text=True,
        )  # fmt: skip
        assert "actually processed: 20/20" in done.stdout, done.stdout + done.stderr
