"""A year of real grocery orders with a recommender on it, and a small shop to check by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

# where several processes share the cores, each has one: they would wait for each other
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import morec_sql
from morec_sql.clients import demo

# what validation chooses for these orders, so that each training of them takes less
SETTLED = """
    dimensions => 64,
    relevance => {half_life: 'none', neighbour_weight: 0},
    objectives =>"""


@pytest.fixture(scope="session")
def journey_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's warehouse, of every other household, with the recommender `shop`; closed."""
    path = tmp_path_factory.mktemp("journey") / "journey.duckdb"
    con = morec_sql.connect(path)
    demo.load_warehouse(con)
    con.execute("DELETE FROM orders WHERE household_id % 2 = 1")
    con.execute(demo.CREATE.replace("\n    objectives =>", SETTLED)).fetchall()
    con.close()
    return path


@pytest.fixture(scope="session")
def journey(journey_file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An open connection to the warehouse; tests must leave it as it was."""
    con = morec_sql.connect(journey_file)
    yield con
    con.close()


SMALL = """
CREATE TABLE products AS
SELECT
    i AS product_id,
    CASE WHEN i < 10 THEN 'tea ' || i WHEN i < 20 THEN 'screwdriver ' || i END AS title,
    CASE WHEN i < 10 THEN 'kitchen' ELSE 'garage' END AS category,
    1.0 + i AS price,
    0.5 * i AS cost,
    'a' AS same
FROM range(22) AS t(i);

-- 60 users: even ones buy from the kitchen, odd ones from the garage, one item a day; what nobody
-- buys are the items 9, 19 and, without a text, 20 and 21
CREATE TABLE orders AS
SELECT
    u AS customer_id,
    (u % 2) * 10 + CAST(md5_number_lower(u || ' ' || d) % 9 AS BIGINT) AS product_id,
    TIMESTAMP '2024-01-01' + INTERVAL (3 * d) DAY AS ordered_at,
    1 + d % 2 AS quantity
FROM range(60) AS t(u), range(30) AS s(d)
WHERE (u + d) % 3 <> 0;
"""

CREATE_SMALL = """
SELECT * FROM create_recommender(
    'shop',
    events => 'orders',
    user_id => 'customer_id',
    item_id => 'product_id',
    event_time => 'ordered_at',
    items => 'products',
    text => ['title'],
    objectives => {'relevance': NULL, 'margin': 'price - cost', 'diversity': NULL, 'novelty': NULL},
    dimensions => 8
)
"""


@pytest.fixture
def tables() -> Iterator[duckdb.DuckDBPyConnection]:
    """The small shop's tables without a recommender."""
    con = morec_sql.connect()
    con.execute(SMALL)
    yield con
    con.close()


@pytest.fixture(scope="session")
def small() -> Iterator[duckdb.DuckDBPyConnection]:
    """The small shop with the recommender `shop`; tests must leave it as it was."""
    con = morec_sql.connect()
    con.execute(SMALL)
    con.execute(CREATE_SMALL).fetchall()
    yield con
    con.close()


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the small shop and the recommender `shop`, closed; who changes it takes a copy."""
    path = tmp_path_factory.mktemp("small") / "small.duckdb"
    with morec_sql.connect(path) as con:
        con.execute(SMALL)
        con.execute(CREATE_SMALL).fetchall()
    return path


def catalogue_of(con: duckdb.DuckDBPyConnection) -> list[Any]:
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


def create(con: duckdb.DuckDBPyConnection, **changes: str | None) -> list[tuple[Any, ...]]:
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
