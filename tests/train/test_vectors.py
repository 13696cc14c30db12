"""Vectors that items have, such as of their images, beside their texts or without."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest

import morec_sql
from tests.answer.test_items import rows
from tests.conftest import SMALL, catalogue_of, create

# the axes of an image are the category and noise; 9, 19, 20 and 21 have no events
LOOKS = """
ALTER TABLE products ADD COLUMN look FLOAT[6];
UPDATE products
SET look = [
    CASE category WHEN 'kitchen' THEN 1 ELSE -1 END,
    sin(product_id), cos(product_id), sin(3 * product_id), cos(5 * product_id), sin(7 * product_id)
];
ALTER TABLE products ADD COLUMN other DOUBLE[];
UPDATE products SET other = list_transform(range(4), lambda x: sin(1 + product_id * (x + 2)));
"""
LIST = (
    "SELECT item_id FROM shop.recommend({}, weights => {{relevance: 1}}, k => {},"
    " exclude_seen => true, filter => 'product_id IN (9, 20)')"
)


@pytest.fixture
def shop() -> duckdb.DuckDBPyConnection:
    con = morec_sql.connect()
    con.execute(SMALL)
    con.execute(LOOKS)
    return con


def test_items_without_events_and_texts_are_found_by_them(shop: duckdb.DuckDBPyConnection) -> None:
    stages = dict(row[:2] for row in create(shop, text=None, vectors="{look: 'look'}"))
    assert stages["vectors look: items that have one"] == 22
    # 9 looks like the kitchen, where even users buy, 20 like the garage
    assert rows(shop, LIST.format(2, 2)) == [(9,), (20,)]
    assert rows(shop, LIST.format(3, 2)) == [(20,), (9,)]
    kinds = "SELECT DISTINCT kind FROM shop.explain(2, 9) WHERE contribution <> 0 ORDER BY 1"
    assert ("content",) in rows(shop, kinds)


@pytest.mark.parametrize("by", ["content", "look", "[CAST(category = 'kitchen' AS INT), 0.5]"])
def test_lists_are_diverse_by_them(shop: duckdb.DuckDBPyConnection, by: str) -> None:
    diversity = f"diversity({by})".replace("'", "''")
    create(
        shop,
        vectors="{look: 'look'}",
        objectives=f"{{'relevance': NULL, 'diversity': '{diversity}'}}",
    )
    query = (
        "SELECT count_if(p.category = 'kitchen') / 6 FROM shop.recommend(2, weights => [0.5, {}], k => 6)"
        " AS r JOIN products AS p ON p.product_id = r.item_id"
    )
    alike, diverse = (rows(shop, query.format(weight))[0][0] for weight in (-2, 2))
    assert alike == 1
    assert 0.2 < diverse < 0.8


def test_the_distance_to_a_list_is_that_of_the_vectors(shop: duckdb.DuckDBPyConnection) -> None:
    create(
        shop,
        text="['title']",
        vectors="{look: 'look', Other: 'other'}",
        objectives="{'relevance': NULL, 'variety': 'diversity(other)', 'price': 'price'}",
    )
    listed = "SELECT rank, item_id, contributions.variety FROM shop.recommend(2, k => 8, weights => {variety: 1})"
    found = rows(shop, listed)
    vectors = dict(rows(shop, "SELECT product_id, other::FLOAT[4] FROM products"))
    unit = {item: np.array(vector) / np.linalg.norm(vector) for item, vector in vectors.items()}

    # what each adds goes up with the mean distance to those before it, in one line
    means = [
        np.mean([1 - unit[item] @ unit[before] for _, before, _ in found[:place]])
        for place, (_, item, _) in enumerate(found)
        if place
    ]
    told = [amount for _, _, amount in found[1:]]
    slope, constant = np.polyfit(means, told, 1)
    assert slope > 0
    assert np.polyval([slope, constant], means) == pytest.approx(told, abs=1e-4)
    # as by any weights, and of objectives of the moment
    query = "SELECT item_id FROM shop.recommend(2, k => 8, weights => {})"
    before = rows(shop, query.format("{variety: 1}"))
    assert rows(shop, query.format("{variety: 1, 'same = ''b''': 0.5}")) == before


def test_they_keep_lists_apart_as_they_change(shop: duckdb.DuckDBPyConnection) -> None:
    create(shop, vectors="{look: 'look'}")
    shop.execute("FROM drop_objective('shop', 'diversity')")
    shop.execute("FROM add_objective('shop', 'variety', 'diversity(look)', weight => 0.5)")
    width = "SELECT DISTINCT len(objectives) FROM shop.item_vectors"
    assert rows(shop, width) == [(3 + 6,)]
    behind = (
        "SELECT item_id, objectives[4:] FROM shop.item_vectors WHERE item_id IN (9, 20, 109, 120)"
    )
    shop.execute(
        "INSERT INTO products (product_id, title, category, look)"
        " SELECT product_id + 100, NULL, category, look FROM products WHERE product_id = 9;"
        "INSERT INTO products (product_id, title) VALUES (120, 'no picture')"
    )
    shop.execute("FROM refresh_items('shop')")
    known = dict(rows(shop, behind))
    assert known[109] == pytest.approx(known[9])
    assert known[120] == [0.0] * 6
    shop.execute("UPDATE products SET look = [1, 0, 0, 0, 0, 0] WHERE product_id = 9")
    shop.execute("FROM refresh_objectives('shop')")
    assert dict(rows(shop, behind))[9] == [1.0, 0, 0, 0, 0, 0]
    assert len(rows(shop, "FROM shop.recommend(2, k => 24)")) == 24
    shop.execute("FROM refresh_recommender('shop')")
    assert len(rows(shop, "FROM shop.recommend(2, k => 24, weights => {variety: 1})")) == 24
    assert rows(shop, "FROM shop.evaluate(k => 3)")


def test_beside_texts_and_each_other(shop: duckdb.DuckDBPyConnection) -> None:
    vectors = "{look: 'look', item_graph: 'other::FLOAT[]'}"
    stages = create(shop, vectors=vectors, text="['title']")
    said = [stage for stage, *_ in stages if stage.startswith("vectors") and "nDCG" in stage]
    assert [one.split(":")[0] for one in said] == ["vectors look", "vectors item_graph"]
    found = rows(shop, "SELECT source, lists, error >= 0 FROM shop.sources ORDER BY source")
    assert found == [
        ("vectors item_graph", "lists by content", True),
        ("vectors look", "lists by content", True),
    ]


def test_missing_broken_and_short_ones_are_counted(shop: duckdb.DuckDBPyConnection) -> None:
    shop.execute("UPDATE products SET other = NULL WHERE product_id = 1")
    shop.execute("UPDATE products SET other = [1, 2] WHERE product_id = 2")
    shop.execute("UPDATE products SET other = [1, 'nan'::DOUBLE, 2, 3] WHERE product_id = 3")
    shop.execute("UPDATE products SET other = [0, 0, 0, 0] WHERE product_id = 4")
    shop.execute("UPDATE products SET other = [1, NULL, 2, 3] WHERE product_id = 5")
    shop.execute("UPDATE products SET other = [] WHERE product_id = 6")
    stages = dict(row[:2] for row in create(shop, vectors="{other: 'other'}"))
    assert stages["vectors other: items that have one"] == 16
    assert stages["vectors other: left out, not 4 finite numbers or all 0"] == 4
    assert len(rows(shop, "FROM shop.recommend(2, k => 22)")) == 22


def test_new_items_have_them(shop: duckdb.DuckDBPyConnection) -> None:
    create(shop, vectors="{look: 'look'}", text="['title']", weights="{relevance: 1}")
    shop.execute(
        "INSERT INTO products (product_id, title, category, look)"
        " SELECT product_id + 100, NULL, category, look FROM products WHERE product_id IN (9, 20)"
    )
    shop.execute("FROM refresh_items('shop')")
    vectors = dict(rows(shop, "SELECT item_id, encoder[9:] FROM shop.item_vectors"))
    assert any(vectors[120])
    # 20 and its copy have no text: the same picture says the same
    assert vectors[120] == pytest.approx(vectors[20], abs=1e-5)
    query = LIST.format(2, 2).replace("(9, 20)", "(109, 120)")
    assert rows(shop, query) == [(109,), (120,)]
    shop.execute("FROM refresh_recommender('shop')")
    assert rows(shop, query) == [(109,), (120,)]


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        ("{look: 'lok'}", "vectors.look: 'lok' refers to the unknown column 'lok'; did you mean"),
        ("{look: 'price'}", "vectors.look: 'price' is .*, but a list of numbers such as FLOAT"),
        ("{look: '[title]'}", "vectors.look: '.title.' is .*, but a list of numbers"),
        ("'look'", "vectors: a struct {name: 'column or SQL'} is needed, not 'look'"),
        ("{look: 3}", "vectors: a struct {name: 'column or SQL'} is needed, not {'look': 3}"),
    ],
)
def test_what_is_no_vector(shop: duckdb.DuckDBPyConnection, vectors: str, said: str) -> None:
    before = catalogue_of(shop)
    with pytest.raises(duckdb.Error, match=said):
        create(shop, vectors=vectors)
    assert catalogue_of(shop) == before
    with pytest.raises(duckdb.Error, match="vectors: it names columns of items, but items is not"):
        create(shop, items=None, vectors="{look: 'look'}")
