"""The graph of items: categories, brands and each other."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest

import morec_sql
from morec_sql.udfs.relevance.graph import graph_vectors
from tests.answer.test_items import rows
from tests.conftest import SMALL, create
from tests.train.test_vectors import LIST

# nobody has taken 9, 19, 20 and 21
TAXONOMY = """
CREATE TABLE taxonomy AS
SELECT product_id AS item, category AS belongs_to, 1.0 AS weight FROM products WHERE product_id <> 21;
CREATE TABLE goes_with AS
SELECT a.product_id AS one, b.product_id AS other
FROM products AS a, products AS b
WHERE a.category = b.category AND b.product_id - a.product_id BETWEEN 1 AND 4;
"""
GRAPH = "'taxonomy(item, belongs_to)'"


@pytest.fixture
def shop() -> duckdb.DuckDBPyConnection:
    con = morec_sql.connect()
    con.execute(SMALL + TAXONOMY)
    return con


@pytest.mark.parametrize(
    "graph", [GRAPH, "'taxonomy(belongs_to, item, weight)'", "'goes_with(one, other)'"]
)
def test_items_without_events_and_texts_are_found_by_it(
    shop: duckdb.DuckDBPyConnection, graph: str
) -> None:
    stages = dict(row[:2] for row in create(shop, item_graph=graph))
    if "taxonomy" in graph:
        assert stages["item_graph: edges"] == 21
        assert stages["item_graph: nodes that are no items"] == 2
        assert stages["item_graph: items that it knows"] == 21
    assert rows(shop, LIST.format(2, 2)) == [(9,), (20,)]
    assert rows(shop, LIST.format(3, 2)) == [(20,), (9,)]
    kinds = "SELECT kind FROM shop.explain(2, 9) WHERE contribution <> 0"
    assert ("content",) in rows(shop, kinds)


def test_what_is_above_counts_too(shop: duckdb.DuckDBPyConnection) -> None:
    # each item has a shelf of its own, and the shelves a category
    shop.execute(
        "UPDATE taxonomy SET belongs_to = 'shelf ' || item;"
        "CREATE TABLE tree AS SELECT item::VARCHAR AS node, belongs_to AS above FROM taxonomy;"
        "INSERT INTO tree SELECT 'shelf ' || product_id, category FROM products"
    )
    create(shop, item_graph="'tree(node, above)'")
    assert rows(shop, LIST.format(2, 2)) == [(9,), (20,)]
    assert rows(shop, LIST.format(3, 2)) == [(20,), (9,)]


def test_beside_texts_it_is_weighed(shop: duckdb.DuckDBPyConnection) -> None:
    stages = create(shop, item_graph=GRAPH, text="['title']")
    assert sum(stage.startswith("item_graph: nDCG") for stage, *_ in stages) == 1
    assert rows(shop, "SELECT source, lists FROM shop.sources") == [
        ("item_graph", "lists by content")
    ]


def test_new_items_have_it_without_training(shop: duckdb.DuckDBPyConnection) -> None:
    create(shop, item_graph=GRAPH)
    shop.execute(
        "INSERT INTO products VALUES (30, NULL, 'kitchen', 1, 1, 'a'), (31, NULL, '', 1, 1, 'a')"
    )
    shop.execute("INSERT INTO taxonomy VALUES (30, 'kitchen', 1), (31, 'garage', 1)")
    shop.execute("FROM refresh_items('shop')")
    query = LIST.replace("9, 20", "30, 31")
    assert rows(shop, query.format(2, 2)) == [(30,), (31,)]
    assert rows(shop, query.format(3, 2)) == [(31,), (30,)]


def test_ids_of_other_things_may_be_those_of_items(shop: duckdb.DuckDBPyConnection) -> None:
    # where the types say that an end is no item, its ids are its own
    shop.execute(
        "CREATE TABLE branded AS SELECT product_id, CASE category WHEN 'kitchen' THEN '12' ELSE '3' END"
        " AS brand FROM products"
    )
    stages = dict(row[:2] for row in create(shop, item_graph="'branded(product_id, brand)'"))
    assert stages["item_graph: nodes that are no items"] == 2
    assert rows(shop, LIST.format(2, 2)) == [(9,), (20,)]


def test_what_is_wrong_with_edges_is_counted(shop: duckdb.DuckDBPyConnection) -> None:
    shop.execute(
        "INSERT INTO taxonomy VALUES (1, NULL, 1), (NULL, 'kitchen', 1), (2, 'kitchen', 3), (2, ' ', 1)"
    )
    shop.execute("INSERT INTO goes_with VALUES (1, 1)")
    stages = dict(row[:2] for row in create(shop, item_graph=GRAPH))
    wrong = "item_graph: left out, without both ends or a weight that is a number above 0"
    assert stages[wrong] == 3
    assert stages["item_graph: edges that come twice, counted once"] == 1
    stages = dict(
        row[:2] for row in create(shop, item_graph="'goes_with(one, other)'", replace="true")
    )
    assert stages["item_graph: left out, from one to itself"] == 1


def test_vectors_say_what_items_share() -> None:
    # items 0, 1 and 2, 3 have the types 5 and 6, which are of one department, 7; item 4 is apart
    source = np.array([0, 1, 2, 3, 5, 6])
    target = np.array([5, 5, 6, 6, 7, 7])
    names = np.arange(8) * 7919
    found, there = graph_vectors(source, target, np.ones(6), names, 5)
    assert there.tolist() == [0, 1, 2, 3]
    cosine = found @ found.T
    assert cosine[0, 1] == pytest.approx(1, abs=1e-5)
    assert cosine[2, 3] == pytest.approx(1, abs=1e-5)
    assert 0.05 < cosine[0, 2] < 0.5
    # whichever way the edges are written, and whatever they are called in
    back, _ = graph_vectors(target, source, np.ones(6), names, 5)
    np.testing.assert_allclose(back, found, atol=1e-6)


def test_a_hub_of_many_is_one_pass() -> None:
    items = 200_000
    source = np.arange(items)
    names = np.arange(items + 1)
    found, there = graph_vectors(source, np.full(items, items), np.ones(items), names, items)
    assert len(there) == items
    assert np.abs(found - found[0]).max() < 1e-5
