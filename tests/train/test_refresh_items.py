"""refresh_items: items that come, change and go without training."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import duckdb
import numpy as np
import pytest

from tests.conftest import create

Connection = duckdb.DuckDBPyConnection


def rows(con: Connection, query: str) -> list[tuple[Any, ...]]:
    return con.execute(query).fetchall()


def refreshed(con: Connection) -> dict[str, int]:
    """What refresh_items counts."""
    found = rows(con, "SELECT stage, rows FROM refresh_items('shop') WHERE stage LIKE '%: %'")
    return {str(stage): int(count) for stage, count in found}


def scores(con: Connection, user: int) -> dict[int, float]:
    """The relevance of all items for a user."""
    call = f"recommend({user}, weights => {{relevance: 1}}, k => 99, exclude_seen => false)"
    return dict(rows(con, f"SELECT item_id, score FROM {call}"))


def add_teas(con: Connection) -> None:
    con.execute(
        "INSERT INTO products SELECT 30 + i, 'tea ' || (30 + i), 'kitchen', 5, 1, 'a'"
        " FROM range(3) AS t(i)"
    )


def test_where_nothing_changed_nothing_does(tables: Connection) -> None:
    create(tables, text="['title']", items="'products'")
    before = rows(tables, "FROM shop.item_vectors ORDER BY item_index")
    assert refreshed(tables) == {}
    assert rows(tables, "FROM shop.item_vectors ORDER BY item_index") == before


def test_items_come_change_and_go(tables: Connection) -> None:
    create(tables, text="['title']", items="'products'")
    cold = scores(tables, 4)
    add_teas(tables)
    tables.execute(
        "UPDATE products SET title = 'tea with milk' WHERE product_id = 3;"
        "UPDATE products SET title = 'screwdriver 20' WHERE product_id = 20;"
        "DELETE FROM products WHERE product_id = 5"
    )
    # bought by those who buy from the kitchen
    tables.execute(
        "INSERT INTO orders SELECT 2 * u, 31, TIMESTAMP '2024-03-29', 1 FROM range(20) AS t(u)"
    )
    assert refreshed(tables) == {
        "items: new": 3,
        "items: with another text": 2,
        "items: gone, not recommended any more": 1,
    }
    assert refreshed(tables) == {}
    kitchen, garage = scores(tables, 58), scores(tables, 59)
    assert set(kitchen) == set(cold) - {5} | {30, 31, 32}
    # what their texts say, and who bought one of them
    for item in (30, 31, 32):
        assert kitchen[item] > max(kitchen[19], kitchen[20])
        assert kitchen[item] > garage[item]
    assert kitchen[31] > kitchen[30]
    assert garage[20] > kitchen[20]
    assert rows(
        tables,
        "SELECT v.item_id, t.text FROM shop.item_vectors AS v JOIN shop.texts AS t USING (text_id)"
        " WHERE item_id IN (3, 20, 30) ORDER BY item_id",
    ) == [(3, "tea with milk"), (20, "screwdriver 20"), (30, "tea 30")]
    assert rows(tables, "SELECT items FROM shop.versions") == [(25,)]
    # they are everywhere at once
    assert rows(tables, "SELECT item_id FROM shop.similar_items(30, k => 3, by => 'text')")
    assert rows(tables, "SELECT count(*) FROM shop.explain(58, 31)")[0][0] > 1
    assert 30 in {row[0] for row in rows(tables, "SELECT item_id FROM shop.search('tea 30')")}
    tables.execute("INSERT INTO products VALUES (5, 'tea 5', 'kitchen', 6, 2.5, 'a')")
    assert refreshed(tables) == {"items: back, recommended again": 1}
    assert 5 in scores(tables, 4)


def test_objectives_of_new_items_are_on_the_scale_of_the_others(tables: Connection) -> None:
    create(
        tables,
        text="['title']",
        items="'products'",
        objectives="{'relevance': NULL, 'margin': 'price - cost', 'bought': 'sum(quantity)',"
        " 'novelty': NULL, 'popularity': NULL, 'freshness': NULL, 'trend': NULL,"
        " 'cover': 'coverage(category)', 'fair': 'fairness(category)'}",
    )
    add_teas(tables)
    tables.execute("UPDATE products SET price = 1e9 WHERE product_id = 32")
    tables.execute("UPDATE products SET category = 'cellar' WHERE product_id = 31")
    tables.execute(
        "INSERT INTO orders SELECT 2 * u, 30, TIMESTAMP '2024-03-29', 3 FROM range(5) AS t(u)"
    )
    assert refreshed(tables) == {"items: new": 3}
    found = {
        item: dict(zip(names, values, strict=True))
        for item, names, values in rows(
            tables,
            "SELECT v.item_id, (SELECT list(objective ORDER BY position) FROM shop.objectives),"
            " v.objectives FROM shop.item_vectors AS v",
        )
    }
    scale = {
        name: (mean, deviation)
        for name, mean, deviation in rows(
            tables, "SELECT objective, mean, deviation FROM shop.objectives"
        )
    }

    def raw(item: int, name: str) -> float:
        mean, deviation = scale[name]
        return float(found[item][name]) * deviation + mean

    assert raw(30, "margin") == pytest.approx(4, abs=1e-4)
    # 15 are fewer than of any other item that is bought, to whose range it is clipped
    assert found[30]["bought"] == min(values["bought"] for values in found.values())
    assert raw(30, "popularity") == pytest.approx(np.log(6), abs=1e-4)
    pairs = rows(tables, "SELECT count(DISTINCT (customer_id, product_id)) FROM orders")[0][0] - 5
    assert raw(30, "novelty") == pytest.approx(-np.log2(6 / (pairs + 22)), abs=1e-3)
    # what has no event is as new to everyone as can be
    most = max(values["novelty"] for values in found.values())
    assert found[31]["novelty"] == pytest.approx(most)
    # an outlier is clipped as in training
    assert found[32]["margin"] == max(values["margin"] for values in found.values())
    assert found[30]["cover"] == found[0]["cover"] != found[15]["cover"]
    assert found[31]["cover"] not in (found[0]["cover"], found[15]["cover"])
    assert found[30]["trend"] == found[30]["fair"] == 0
    tables.execute("FROM refresh_objectives('shop')").fetchall()
    later = rows(tables, "SELECT objectives FROM shop.item_vectors WHERE item_id = 30")
    assert np.isfinite(later[0][0]).all()


@pytest.mark.parametrize(
    "arguments",
    [
        {"items": None},
        {"items": "'products'"},
        {"items": "'products'", "text": "['title']", "relevance": "{neighbour_weight: 1}"},
        {"items": "'products'", "text": "['title']", "event_time": "NULL"},
        {"items": "'products'", "unlisted_items": "true"},
    ],
)
def test_however_it_was_made(tables: Connection, arguments: dict[str, str | None]) -> None:
    create(tables, **arguments)
    if arguments["items"] and "unlisted_items" not in arguments:
        add_teas(tables)
    tables.execute(
        "INSERT INTO orders SELECT 2 * u, 30, TIMESTAMP '2024-03-29', 1 FROM range(20) AS t(u)"
    )
    assert refreshed(tables)["items: new"] in (1, 3)
    kitchen, garage = scores(tables, 58), scores(tables, 59)
    assert kitchen[30] > garage[30]
    assert np.isfinite(list(kitchen.values())).all()


def test_an_open_transaction_goes_on_as_it_was(tables: Connection) -> None:
    create(tables, text="['title']", items="'products'")
    reader = tables.cursor()
    reader.execute("BEGIN")
    before = rows(reader, "FROM recommend(3)")
    add_teas(tables)
    refreshed(tables)
    assert rows(reader, "SELECT count(*) FROM shop.item_vectors") == [(22,)]
    reader.execute("COMMIT")
    assert rows(reader, "SELECT count(*) FROM shop.item_vectors") == [(25,)]
    assert len(before) == 10


def test_lists_go_on_while_a_recommender_is_refreshed(tables: Connection) -> None:
    create(tables, text="['title']", items="'products'")
    over, broken = Event(), []

    def read() -> int:
        lists = 0
        with tables.cursor() as reader:
            while not over.is_set():
                found = rows(reader, "SELECT score, contributions.relevance FROM recommend(3)")
                if len(found) != 10 or any(None in row for row in found):
                    broken.append(found)
                lists += 1
        return lists

    with ThreadPoolExecutor() as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            add_teas(tables)
            for refresh in ("refresh_items", "refresh_recommender", "refresh_objectives"):
                rows(tables, f"FROM {refresh}('shop')")
                # whoever refreshed it has what is new at once
                assert len(scores(tables, 4)) == 25
        finally:
            over.set()
        assert all(one.result() > 0 for one in readers)
    assert not broken


def test_a_version_that_was_asked_for_by_its_number_has_them_too(tables: Connection) -> None:
    create(tables, text="['title']", items="'products'")
    tables.execute("FROM refresh_recommender('shop')").fetchall()
    call = "SELECT item_id FROM recommend(4, version => 2, k => 99)"
    assert len(rows(tables, call)) == 22
    add_teas(tables)
    refreshed(tables)
    assert {30, 31, 32} < {item for (item,) in rows(tables, call)}


def test_one_that_kept_nothing_says_so(tables: Connection) -> None:
    create(tables)
    tables.execute("DROP VIEW shop.versions; DROP VIEW shop.stages; DROP TABLE shop.archive")
    with pytest.raises(duckdb.Error, match="name: 'shop' was made by an earlier version"):
        rows(tables, "FROM refresh_items('shop')")
    with pytest.raises(duckdb.Error, match="name: there is no recommender 'nope'"):
        rows(tables, "FROM refresh_items('nope')")
