"""Versions of a recommender: kept, asked for, gone back to, compared, and put to use or not."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from tests.conftest import create

Connection = duckdb.DuckDBPyConnection


def rows(con: Connection, query: str) -> list[tuple[Any, ...]]:
    return con.execute(query).fetchall()


def listed(con: Connection, call: str = "recommend(3)") -> list[tuple[Any, ...]]:
    """The lists of a call in their order."""
    return rows(con, f"SELECT rank, item_id, score FROM {call} ORDER BY rank")


def grow(con: Connection) -> None:
    """More items and events of other users than those that tests ask for."""
    con.execute(
        "INSERT INTO products SELECT 30 + i, 'coffee ' || i, 'kitchen', 5, 1, 'a' FROM range(3) AS t(i)"
    )
    con.execute(
        "INSERT INTO orders SELECT 100 + u, 30 + u % 3, TIMESTAMP '2024-03-29' + INTERVAL (u) HOUR, 1"
        " FROM range(40) AS t(u)"
        " UNION ALL SELECT 100 + u, 10 + u % 9, TIMESTAMP '2024-03-29' + INTERVAL (u) HOUR, 1"
        " FROM range(40) AS t(u)"
    )


def test_a_version_answers_as_it_did(tables: Connection) -> None:
    create(tables)
    before = listed(tables)
    grow(tables)
    rows(tables, "FROM refresh_recommender('shop')")
    after = listed(tables)
    assert after != before
    assert listed(tables, "recommend(3, version => 1)") == before
    assert listed(tables, "recommend(3, version => 2)") == after
    # items that came since are in no list of the first, and are nothing to it in a history
    assert not {30, 31, 32} & {
        row[1] for row in listed(tables, "recommend(3, version => 1, k => 99)")
    }
    assert {30, 31, 32} < {row[1] for row in listed(tables, "recommend(3, version => 2, k => 99)")}
    assert listed(tables, "shop.recommend_for([30, 2], version => 1)") == listed(
        tables, "shop.recommend_for([2], version => 1)"
    )
    # filters and constraints number the items as the version does
    for more in ("filter => 'price > 12'", "max_per => {category: 2}", "reasons => true"):
        rows(tables, "FROM use_version('shop', 1)")
        wanted = rows(tables, f"FROM recommend(3, {more}) ORDER BY rank")
        rows(tables, "FROM use_version('shop', 2)")
        assert rows(tables, f"FROM recommend(3, {more}, version => 1) ORDER BY rank") == wanted
    # side by side, for several users
    side_by_side = rows(
        tables,
        "SELECT v.id, u, list(r.item_id ORDER BY r.rank) FROM shop.versions AS v,"
        " range(20) AS t(u), shop.recommend(u, version => v.id, k => 5) AS r GROUP BY ALL",
    )
    assert len(side_by_side) == 40
    for version, user, items in side_by_side:
        alone = listed(tables, f"recommend({user}, version => {version}, k => 5)")
        assert items == [item for _, item, _ in alone]


def test_an_explanation_of_a_version_adds_up(tables: Connection) -> None:
    create(tables)
    grow(tables)
    rows(tables, "FROM refresh_recommender('shop')")
    for version in (1, 2):
        of_list = rows(tables, f"SELECT item_id, score FROM recommend(3, version => {version})")
        for item, score in of_list[:3]:
            parts = f"shop.explain(3, {item}, version => {version})"
            assert rows(tables, f"SELECT sum(contribution) FROM {parts}")[0][0] == pytest.approx(
                score, abs=1e-5
            )
    with pytest.raises(duckdb.Error, match="item_id: '31' is not an item of the catalogue"):
        rows(tables, "FROM shop.explain(3, 31, version => 1)")


def test_going_back(tables: Connection) -> None:
    create(tables)
    before = listed(tables)
    grow(tables)
    rows(tables, "FROM refresh_recommender('shop')")
    tables.execute("UPDATE shop.objectives SET default_weight = 0.5 WHERE objective = 'novelty'")
    after = listed(tables)
    assert rows(tables, "FROM use_version('SHOP', 1)") == [("version 1 is in use", 22, None)]
    assert listed(tables) == before
    assert rows(tables, "SELECT id FROM shop.versions WHERE in_use") == [(1,)]
    assert rows(tables, "SELECT count(*) FROM shop.item_vectors") == [(22,)]
    rows(tables, "FROM use_version('shop', 2)")
    # with the weights that it had then
    assert listed(tables) == after
    assert rows(tables, "SELECT id, made_by, events, users, items FROM shop.versions") == [
        (1, "create_recommender", 1200, 60, 22),
        (2, "refresh_recommender", 1280, 100, 25),
    ]


def test_versions_of_other_objectives(tables: Connection) -> None:
    create(tables, objectives="['relevance', 'popularity']")
    before = listed(tables)
    create(tables, objectives="['relevance', 'diversity']", replace="true")
    with pytest.raises(
        duckdb.Error, match=r"version: 1 has objectives or ids unlike .*use_version"
    ):
        listed(tables, "recommend(3, version => 1)")
    rows(tables, "FROM use_version('shop', 1)")
    assert listed(tables) == before
    assert rows(tables, "SELECT contributions.popularity IS NULL FROM recommend(3, k => 1)") == [
        (False,)
    ]


def test_the_last_few_are_kept(tables: Connection) -> None:
    create(tables, versions="2")
    for _ in range(2):
        rows(tables, "FROM refresh_recommender('shop')")
    assert rows(tables, "SELECT id, in_use FROM shop.versions") == [(2, False), (3, True)]
    rows(tables, "FROM use_version('shop', 2)")
    rows(tables, "FROM refresh_recommender('shop')")
    assert rows(tables, "SELECT id, in_use FROM shop.versions") == [(3, False), (4, True)]
    names = rows(tables, "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'texts%'")
    assert sorted(names) == [("texts_3",), ("texts_4",)]
    for call in (
        "recommend(1, version => 1)",
        "use_version('shop', 1.5)",
        "use_version('shop', 'x')",
    ):
        with pytest.raises(duckdb.Error, match="is not a version of 'shop' that is kept: 3, 4"):
            rows(tables, f"FROM {call}")
    rows(tables, "FROM drop_recommender('shop')")
    assert rows(tables, "SELECT count(*) FROM duckdb_schemas() WHERE schema_name = 'shop'") == [
        (0,)
    ]


def test_a_refresh_that_is_worse_is_said_and_is_not_put_to_use_unless_wanted(
    tables: Connection,
) -> None:
    create(tables)
    before = listed(tables)
    # an import that went wrong: what anyone buys is any item
    tables.execute(
        "UPDATE orders SET product_id = CAST(md5_number_lower(customer_id || 'x' || ordered_at) % 20"
        " AS BIGINT)"
    )
    stages = rows(tables, "SELECT stage FROM refresh_recommender('shop', keep_if_worse => true)")
    said = [stage for (stage,) in stages if "worse" in stage or "not put to use" in stage]
    assert len(said) == 2
    assert "of version 1" in said[0]
    assert said[1] == "version 2 is kept and not put to use"
    assert rows(tables, "SELECT id, in_use FROM shop.versions") == [(1, True), (2, False)]
    assert [item for _, item, _ in listed(tables, "recommend(NULL)")]
    stages = rows(tables, "SELECT stage FROM refresh_recommender('shop')")
    assert any("is worse than" in stage for (stage,) in stages)
    assert rows(tables, "SELECT id FROM shop.versions WHERE in_use") == [(3,)]
    assert listed(tables) != before
    with pytest.raises(duckdb.Error, match="keep_if_worse: true or false is needed, not 'x'"):
        rows(tables, "FROM refresh_recommender('shop', keep_if_worse => 'x')")


def test_a_refresh_is_invisible_to_an_open_transaction(tables: Connection) -> None:
    create(tables)
    grow(tables)
    reader = tables.cursor()
    reader.execute("BEGIN")
    versions = rows(reader, "FROM shop.versions")
    rows(tables, "FROM refresh_recommender('shop')")
    after = listed(tables)
    # asked for the first time by the reader, whose tables are those of the first version
    old = listed(reader)
    assert rows(reader, "FROM shop.versions") == versions
    reader.execute("COMMIT")
    assert listed(reader) == after != old
    assert listed(tables, "recommend(3, version => 1)") == old


def test_compared(tables: Connection) -> None:
    create(tables)
    grow(tables)
    rows(tables, "FROM refresh_recommender('shop')")
    found = {
        (kind, name): (before, after)
        for kind, name, before, after in rows(tables, "FROM compare_versions('shop', 1, 2, k => 5)")
    }
    assert found["lists", "users"] == (100, 100)
    # checked by hand
    both = rows(
        tables,
        "SELECT avg(len(list_intersect(a.items, b.items)) / 5), avg(CAST(a.items = b.items AS INT))"
        " FROM (SELECT u.id, list(r.item_id ORDER BY r.rank) AS items FROM"
        " (SELECT DISTINCT customer_id AS id FROM orders) AS u,"
        " shop.recommend(u.id, k => 5, version => 1) AS r GROUP BY ALL) AS a"
        " JOIN (SELECT u.id, list(r.item_id ORDER BY r.rank) AS items FROM"
        " (SELECT DISTINCT customer_id AS id FROM orders) AS u,"
        " shop.recommend(u.id, k => 5) AS r GROUP BY ALL) AS b USING (id)",
    )[0]
    assert found["lists", "share of items in common"][1] == pytest.approx(both[0])
    assert found["lists", "share that is the same"][1] == pytest.approx(both[1])
    gained = {name for kind, name in found if kind == "item gained"}
    assert gained & {"30", "31", "32"}
    assert not any("since" in name for _, name in found)
    # nothing comes after the second one yet; then its own lists are what people take
    tables.execute(
        "INSERT INTO orders SELECT u.id, r.item_id, TIMESTAMP '2024-04-20', 1"
        " FROM (SELECT DISTINCT customer_id AS id FROM orders) AS u,"
        " shop.recommend(u.id, k => 5) AS r"
    )
    metrics = {
        name: (before, after)
        for kind, name, before, after in rows(tables, "FROM compare_versions('shop', 1, 2, k => 5)")
        if kind == "metric"
    }
    before, after = metrics["ndcg@5 of events since"]
    assert before < after
    assert after > 0.9
    with pytest.raises(duckdb.Error, match="after: 1 is the same version as before"):
        rows(tables, "FROM compare_versions('shop', 1, 1)")
    with pytest.raises(duckdb.Error, match="before: 7 is not a version of 'shop' that is kept"):
        rows(tables, "FROM compare_versions('shop', 7, 1)")
