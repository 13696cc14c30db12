"""What is a recommender, by which name, and what else may be beside it."""

from __future__ import annotations

import duckdb
import pytest

from tests.conftest import create

Connection = duckdb.DuckDBPyConnection


def test_names_differ_in_more_than_their_case(tables: Connection) -> None:
    create(tables, name="'Shop'")
    with pytest.raises(duckdb.Error, match="name: the recommender 'Shop' exists already"):
        create(tables, name="'SHOP'")
    create(tables, name="'shop'", replace="true", objectives="['relevance', 'popularity']")
    listed = tables.execute("SELECT objective FROM shop.objectives ORDER BY position").fetchall()
    assert listed == [("relevance",), ("popularity",)]
    assert tables.execute("FROM refresh_recommender('sHOP')").fetchall()
    assert tables.execute("FROM refresh_objectives('SHOP')").fetchall()
    assert (
        len(tables.execute("FROM SHOP.recommend(7, weights => {POPULARITY: 1})").fetchall()) == 10
    )
    assert tables.execute("SELECT count(*) FROM shop.evaluate(k => 3)").fetchall()[0][0]
    # letters beyond ASCII have a case for DuckDB, too
    create(tables, name="'É'")
    create(tables, name="'é'")
    tables.execute("FROM drop_recommender('É')").fetchall()
    assert len(tables.execute('FROM "é".recommend(7)').fetchall()) == 10
    tables.execute("FROM drop_recommender('sHoP')").fetchall()
    with pytest.raises(duckdb.Error, match="there is no recommender 'shop'; there is 'é'"):
        tables.execute("FROM drop_recommender('shop')").fetchall()


@pytest.mark.parametrize("name", ["'analytics'", "'ANALYTICS'"])
def test_a_schema_of_the_users_is_never_written_to(tables: Connection, name: str) -> None:
    tables.execute(
        'CREATE SCHEMA "Analytics";'
        "CREATE TABLE analytics.settings AS SELECT 'precious' AS v;"
        "CREATE TABLE analytics.item_vectors AS SELECT 1 AS a;"
        "CREATE TABLE analytics.objectives AS SELECT 1 AS a"
    )
    for replace in ("false", "true"):
        with pytest.raises(duckdb.Error, match="the schema 'Analytics' exists already and is not"):
            create(tables, name=name, replace=replace)
    for call in ("drop_recommender", "refresh_recommender", "refresh_objectives"):
        with pytest.raises(duckdb.Error, match="there is no recommender"):
            tables.execute(f"FROM {call}({name})").fetchall()
    assert tables.execute("FROM analytics.settings").fetchall() == [("precious",)]


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("table", "CREATE TABLE shop.mine AS SELECT 1 AS a"),
        ("view", "CREATE VIEW shop.mine AS SELECT 1 AS a"),
        ("macro", "CREATE MACRO shop.mine(a) AS a + 1"),
        ("macro table", "CREATE MACRO shop.mine(a) AS TABLE SELECT a"),
        ("sequence", "CREATE SEQUENCE shop.mine"),
        ("type", "CREATE TYPE shop.mine AS ENUM ('a')"),
    ],
)
def test_what_users_added_stops_a_drop_and_survives_the_rest(
    tables: Connection, kind: str, made: str
) -> None:
    create(tables)
    tables.execute(made)
    tables.execute("FROM refresh_recommender('shop')").fetchall()
    create(tables, replace="true")
    with pytest.raises(duckdb.Error, match=f"holds the {kind} 'mine', which is not"):
        tables.execute("FROM drop_recommender('shop')").fetchall()
    assert len(tables.execute("FROM shop.recommend(7)").fetchall()) == 10
    tables.execute(f"DROP {kind} shop.mine".replace("macro table", "MACRO TABLE"))
    tables.execute("FROM drop_recommender('shop')").fetchall()
