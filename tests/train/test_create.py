"""create_recommender and refresh_recommender: what training does."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

import morec_sql
from tests.conftest import CREATE_SMALL, create

Connection = duckdb.DuckDBPyConnection


def test_it_returns_a_row_per_stage_and_stores_them(journey: Connection) -> None:
    rows = journey.execute("SELECT stage, rows, seconds FROM shop.stages").fetchall()
    stages = {stage: (count, seconds) for stage, count, seconds in rows}
    timed = [stage for stage, _, seconds in rows if seconds is not None]
    assert timed == ["read", "embed", "train", "objectives", "write"]
    assert stages["events: read"][0] == 742567
    # transactions with a quantity of 0 have no weight
    assert stages["events: left out, weight not above 0 and finite"][0] == 4366
    assert stages["write"][0] == 92334


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
    # customers buy the same again and again, and so do lists
    seen = tables.execute("SELECT DISTINCT product_id FROM orders WHERE customer_id = 2").fetchall()
    assert set(rows) <= set(seen)


def test_without_times_what_nobody_does_twice_is_left_out(tables: Connection) -> None:
    tables.execute("CREATE TABLE once AS SELECT DISTINCT customer_id, product_id FROM orders")
    stages = create(tables, events="'once'", event_time=None, items=None)
    assert any(stage.endswith("left out of lists") for stage, _, _ in stages)
    rows = tables.execute("SELECT item_id FROM recommend(2, k => 5)").fetchall()
    seen = tables.execute("SELECT product_id FROM once WHERE customer_id = 2").fetchall()
    assert len(rows) == 5
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


def test_before_the_first_event_lists_go_by_content_and_objectives(tables: Connection) -> None:
    tables.execute("CREATE TABLE later AS FROM orders WHERE customer_id = 3; DELETE FROM orders")
    with pytest.raises(duckdb.Error, match=r"has no usable event.*it has no row"):
        create(tables, items=None)
    stages = tables.execute(CREATE_SMALL).fetchall()
    assert ("events: none yet, lists go by content and objectives", 0, None) in stages
    dear = tables.execute("SELECT item_id FROM recommend(3, weights => {margin: 1}, k => 3)")
    assert dear.fetchall() == [(21,), (20,), (19,)]
    assert len(tables.execute("FROM recommend(3, k => 22)").fetchall()) == 22
    # the first events count at once, by what the texts of their items say
    tables.execute("INSERT INTO orders FROM later WHERE product_id % 2 = 0")
    first = tables.execute(
        "SELECT title LIKE 'screwdriver %', personal"
        " FROM recommend(3, weights => {relevance: 1}, exclude_seen => true, k => 4)"
        " JOIN products ON product_id = item_id"
    )
    assert first.fetchall() == [(True, True)] * 4
    tables.execute("FROM refresh_recommender('shop')").fetchall()
    assert len(tables.execute("FROM recommend(3)").fetchall()) == 10
