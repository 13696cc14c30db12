"""The same connection from other libraries, and from several threads."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

import morec_sql
from tests.conftest import CREATE_SMALL, SMALL

QUERY = (
    "SELECT item_id, score FROM shop.recommend(3, weights => {relevance: 1}, k => 4) ORDER BY rank"
)


@pytest.fixture(scope="module")
def wanted(small: duckdb.DuckDBPyConnection) -> list[tuple[int, float]]:
    found: list[tuple[int, float]] = small.execute(QUERY).fetchall()
    assert len(found) == 4
    return found


def test_relations_arrow_and_pandas(
    small: duckdb.DuckDBPyConnection, wanted: list[tuple[int, float]]
) -> None:
    relation = small.sql(QUERY)
    assert relation.filter("item_id > 0").order("score DESC").limit(2).fetchall() == wanted[:2]
    assert [tuple(row.values()) for row in relation.to_arrow_table().to_pylist()] == wanted
    assert list(relation.df().itertuples(index=False, name=None)) == wanted


def test_polars(small: duckdb.DuckDBPyConnection, wanted: list[tuple[int, float]]) -> None:
    polars = pytest.importorskip("polars")
    assert small.sql(QUERY).pl().rows() == wanted
    users = polars.DataFrame({"user": [3, 4]})
    small.register("some_users", users.to_arrow())
    try:
        listed = small.sql(
            "SELECT u.user, r.item_id FROM some_users AS u, shop.recommend(u.user, k => 2) AS r"
        ).pl()
    finally:
        small.unregister("some_users")
    assert sorted(listed["user"].to_list()) == [3, 3, 4, 4]


def test_ibis(
    small: duckdb.DuckDBPyConnection,
    wanted: list[tuple[int, float]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ibis = pytest.importorskip("ibis")
    # Ibis 12.0 calls it as DuckDB 1 did
    of = duckdb.DuckDBPyConnection
    monkeypatch.setattr(of, "fetch_arrow_table", of.to_arrow_table, raising=False)
    backend = ibis.duckdb.from_connection(small)
    lists = backend.sql(QUERY)
    found = lists.filter(lists.item_id > 0).order_by(ibis.desc("score")).limit(2).to_pyarrow()
    assert [tuple(row.values()) for row in found.to_pylist()] == wanted[:2]
    products = backend.table("products")
    named = lists.join(products, lists.item_id == products.product_id).to_pyarrow()
    assert len(named) == len(wanted)


def test_asyncio_and_threads_by_cursors(
    small: duckdb.DuckDBPyConnection, wanted: list[tuple[int, float]]
) -> None:
    def ask(_: int) -> list[tuple[int, float]]:
        with small.cursor() as cursor:
            found: list[tuple[int, float]] = cursor.execute(QUERY).fetchall()
            return found

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(24))) == [wanted] * 24

    async def together() -> list[list[tuple[int, float]]]:
        return await asyncio.gather(*(asyncio.to_thread(ask, number) for number in range(16)))

    assert asyncio.run(together()) == [wanted] * 16


def test_a_cursor_can_make_the_first_recommender_in_memory() -> None:
    con = morec_sql.connect()
    con.execute(SMALL)
    with con.cursor() as cursor:
        cursor.execute(CREATE_SMALL).fetchall()
        assert len(cursor.execute(QUERY).fetchall()) == 4
        cursor.execute("FROM drop_recommender('shop')").fetchall()
        # as it was before
        assert "create_recommender" in {
            row[0]
            for row in cursor.execute("SELECT function_name FROM duckdb_functions()").fetchall()
        }
    con.close()


def test_a_file_is_left_as_it_was(tmp_path: Path) -> None:
    with morec_sql.connect(tmp_path / "w.duckdb") as con:
        con.execute("CREATE TABLE t AS SELECT 1 AS a")
    with duckdb.connect(tmp_path / "w.duckdb") as con:
        made = con.execute(
            "SELECT function_name FROM duckdb_functions() WHERE NOT internal"
        ).fetchall()
    assert made == []
