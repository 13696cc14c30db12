"""What a recommender tends to do, by rules; and an item's score by the columns around it."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pytest
from scipy.stats import spearmanr

import morec_sql
from tests.conftest import create

Connection = duckdb.DuckDBPyConnection


def rows(con: Connection, query: str) -> list[tuple[Any, ...]]:
    return con.execute(query).fetchall()


def test_rules_say_what_lists_hold(small: Connection) -> None:
    found = rows(small, "FROM shop.surrogate(depth => 3, k => 5)")
    # people of this shop buy from the kitchen or from the garage
    assert "share of the history in its category" in found[0][0]
    assert found[0][1] > 0.6
    assert sum(row[2] for row in found) == pytest.approx(1)
    [(fidelity, auc)] = {(row[3], row[4]) for row in found}
    assert fidelity > 0.75
    assert auc > 0.75
    assert rows(small, "FROM shop.surrogate(depth => 3, k => 5)") == found
    assert len(rows(small, "FROM shop.surrogate(depth => 1, k => 5)")) == 2


def test_rules_on_real_orders(journey: Connection) -> None:
    found = rows(journey, "FROM shop.surrogate(users => 200)")
    assert any("times taken before >= " in row[0] for row in found[:3])
    assert found[0][4] > 0.8


def test_columns_around_an_item_agree_with_the_exact_explanation(tables: Connection) -> None:
    # objectives that are columns, so that both speak of the same
    tables.execute(
        "ALTER TABLE products ADD COLUMN weight DOUBLE;"
        "UPDATE products SET weight = CAST(md5_number_lower(title || 'w') % 100 AS DOUBLE);"
        "UPDATE products SET weight = product_id WHERE title IS NULL;"
        "ALTER TABLE products ADD COLUMN stars DOUBLE;"
        "UPDATE products SET stars = (product_id * 7) % 5"
    )
    create(
        tables,
        objectives="{'relevance': NULL, 'price': 'price', 'heavy': 'weight', 'stars': 'stars'}",
    )
    weights = "weights => {price: 3, heavy: 2, stars: 1}"
    of_column = {"price": "price", "heavy": "weight", "stars": "stars"}
    correlations = []
    for item in range(20):
        exact = dict(
            rows(
                tables,
                f"SELECT name, contribution FROM shop.explain(3, {item}, {weights})"
                " WHERE kind = 'objective'",
            )
        )
        told = rows(tables, f"FROM shop.explain_locally(3, {item}, {weights})")
        local = {feature.split(" ")[0]: contribution for feature, contribution, _, _ in told}
        shared = [name for name in of_column if name in exact]
        correlations.append(
            spearmanr([exact[one] for one in shared], [local[of_column[one]] for one in shared])[0]
        )
        assert told[0][3] > 0.5
    assert np.mean(correlations) > 0.8


def test_columns_with_names_of_ours(tables: Connection) -> None:
    for column in ("score", "users", "times", "number", "listed", "asked", "size", "share"):
        tables.execute(f"ALTER TABLE products ADD COLUMN {column} DOUBLE")
        tables.execute(f"UPDATE products SET {column} = product_id % 4")
    create(tables)
    for call in ("surrogate(k => 5)", "explain_locally(3, 4)"):
        assert rows(tables, f"FROM shop.{call}")


def test_what_cannot_be_asked(small: Connection) -> None:
    for call, said in (
        ("surrogate(depth => 0)", "depth: 0 is not a whole number from 1 to 10"),
        ("surrogate(k => 22)", "surrogate: 'shop' has too few users with lists"),
        ("explain_locally(3, 99)", "item_id: '99' is not an item of the catalogue"),
        ("explain_locally(3, 4, weights => {nope: 1})", "weights: unknown objective 'nope'"),
        ("explain_locally(3, 4, samples => 1)", "samples: 1 is not a whole number from 50"),
    ):
        with pytest.raises(duckdb.Error, match=said):
            rows(small, f"FROM shop.{call}")


def test_pictures(small: Connection) -> None:
    for call in (
        "explain(3, 4)",
        "explain_basket([1, 2], 4)",
        "explain_locally(3, 4)",
        "surrogate(k => 5)",
    ):
        relation = small.sql(f"FROM shop.{call}")
        drawn = [row for row in relation.fetchall() if row[0] != "rule"]
        figure = morec_sql.plot_explanation(small.sql(f"FROM shop.{call}"))
        assert len(figure.axes[0].patches) == len(drawn)
    with pytest.raises(morec_sql.MorecError, match="reasons: the columns rank, item_id"):
        morec_sql.plot_explanation(small.sql("SELECT rank, item_id FROM shop.recommend(3)"))
