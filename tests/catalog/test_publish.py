"""A recommender as a schema: written whole or not at all, documented, removed."""

from __future__ import annotations

import threading

import duckdb
import pytest

from tests.conftest import catalogue_of, create

Connection = duckdb.DuckDBPyConnection


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


def test_drop_removes_all_of_it(tables: Connection) -> None:
    before = catalogue_of(tables)
    create(tables)
    assert tables.execute("FROM drop_recommender('shop')").fetchall() == [("drop", 22, None)]
    assert catalogue_of(tables) == before


def test_drop_keeps_a_schema_that_holds_something_else(tables: Connection) -> None:
    create(tables)
    tables.execute("CREATE TABLE shop.mine AS SELECT 1 AS a")
    with pytest.raises(duckdb.Error, match="name: the schema 'shop' holds the table 'mine'"):
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
