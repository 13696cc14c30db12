"""Constraints on lists: against brute force, and as promises of recommend."""

from __future__ import annotations

from collections import Counter
from typing import Any

import duckdb
import numpy as np
import pytest

from tests.conftest import create

Connection = duckdb.DuckDBPyConnection


def limited(call: str, arguments: str) -> str:
    return f"{call} {arguments})"


def rows(con: Connection, call: str) -> list[tuple[Any, ...]]:
    return con.execute(f"""
        SELECT r.item_id, r.score, p.category, p.price, p.price - p.cost, r.unmet
        FROM {call} AS r JOIN products AS p ON p.product_id = r.item_id ORDER BY r.rank
    """).fetchall()


WEIGHTS = {
    "point-wise": "{relevance: 0.7, margin: 0.3}",
    "list-wise": "{relevance: 0.6, margin: 0.2, diversity: 0.2}",
}


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("user", [0, 1, 999])
def test_lists_keep_what_constraints_promise(small: Connection, weights: str, user: int) -> None:
    call = f"shop.recommend({user}, weights => {WEIGHTS[weights]}, k => 6, "
    free = rows(small, limited(call, "exclude_seen => false"))
    assert all(row[5] == [] for row in free)
    capped = rows(small, limited(call, "max_per => {category: 3}"))
    assert sorted(row[2] for row in capped) == ["garage"] * 3 + ["kitchen"] * 3
    shared = rows(small, limited(call, "min_share => {'category = ''kitchen''': 0.5}"))
    assert sum(row[2] == "kitchen" for row in shared) >= 3
    floor = rows(small, limited(call, "floor => {'price - cost': 9.0}"))
    assert np.mean([row[4] for row in floor]) >= 9.0
    named = rows(small, limited(call, "floor => {margin: 9.0}"))
    assert np.mean([row[4] for row in named]) >= 9.0 - 1e-3
    cheap = rows(small, limited(call, "budget => {price: 40}"))
    assert sum(row[3] for row in cheap) <= 40
    every = rows(
        small,
        limited(
            call,
            "max_per => {category: 4}, min_share => {'price < 8': 0.3}, floor => {price: 7},"
            " budget => {price: 60}",
        ),
    )
    assert max(Counter(row[2] for row in every).values()) <= 4
    assert sum(row[3] < 8 for row in every) >= 2
    assert 7 * 6 <= sum(row[3] for row in every) <= 60
    for listed in (capped, shared, floor, cheap, every):
        assert len(listed) == 6
        assert all(row[5] == [] for row in listed)
        if weights == "point-wise":
            assert sum(row[1] for row in listed) <= sum(row[1] for row in free) + 1e-6
            assert [row[1] for row in listed] == sorted((row[1] for row in listed), reverse=True)


def test_a_constraint_that_all_lists_meet_changes_none(small: Connection) -> None:
    """With a list-wise objective, and where most of few items are left out."""
    for category in ("kitchen", "garage"):
        query = f"""
            SELECT u, r.rank, r.item_id
            FROM range(60) AS t(u), shop.recommend(
                u, weights => [0.5, 0, 0.5, 0], exclude_seen => true, k => 8,
                filter => 'category = ''{category}''' LIMITS
            ) AS r
            ORDER BY u, r.rank
        """
        free = small.execute(query.replace("LIMITS", "")).fetchall()
        assert len(free) > 60
        limited = query.replace("LIMITS", ", max_per => {category: 10}")
        assert small.execute(limited).fetchall() == free


@pytest.mark.parametrize("weights", WEIGHTS)
def test_what_cannot_be_met_is_said(small: Connection, weights: str) -> None:
    call = f"shop.recommend(1, weights => {WEIGHTS[weights]}, k => 6, "
    short = rows(small, limited(call, "max_per => {category: 2}"))
    assert len(short) == 4
    assert all(row[5] == ["k: 4 of 6"] for row in short)
    poor = rows(small, limited(call, "budget => {price: 12}"))
    assert sum(row[3] for row in poor) <= 12
    assert all(row[5] == [f"k: {len(poor)} of 6"] for row in poor)
    few = rows(small, limited(call, "min_share => {'price < 3': 0.5}"))
    assert sum(row[3] < 3 for row in few) == 2
    assert all(row[5] == ["min_share: price < 3"] for row in few)
    high = rows(small, limited(call, "floor => {price: 21}, filter => 'price < 22'"))
    assert sorted(row[3] for row in high) == [16, 17, 18, 19, 20, 21]
    assert all(row[5] == ["floor: price"] for row in high)


def test_constraints_are_of_each_user_alone(small: Connection) -> None:
    together = small.execute("""
        SELECT u, r.item_id FROM range(4) AS t(u),
            shop.recommend(u, k => u + 2, budget => {price: 10 + 5 * u}) AS r
        ORDER BY u, r.rank
    """).fetchall()
    alone = [
        (user, row[0])
        for user in range(4)
        for row in rows(small, f"shop.recommend({user}, k => {user + 2}, budget => {{price: {10 + 5 * user}}})")
    ]  # fmt: skip
    assert together == alone


def test_weights_of_others_change_nothing_under_constraints(small: Connection) -> None:
    """A user without list-wise weights has the exact list beside one who has them."""
    together = small.execute("""
        SELECT u, r.item_id FROM range(2) AS t(u), shop.recommend(
            5, weights => [0.7, 0.3, CASE u WHEN 1 THEN 0.5 ELSE 0.0 END, 0.0],
            floor => {price: 14}, max_per => {category: 5}, k => 6
        ) AS r ORDER BY u, r.rank
    """).fetchall()
    exact = rows(
        small,
        "shop.recommend(5, weights => [0.7, 0.3, 0, 0], floor => {price: 14}, max_per => {category: 5}, k => 6)",
    )
    assert [item for user, item in together if user == 0] == [row[0] for row in exact]


WRONG = {
    "max_per => {categry: 1}": "max_per: 'categry' refers to the unknown column 'categry'; did you mean",
    "max_per => {category: 0}": "max_per: 0 for 'category' is not a whole number from 1 up",
    "max_per => {category: 1.5}": "max_per: 1.5 for 'category' is not a whole number from 1 up",
    "max_per => 3": "max_per: a struct .* is needed, not 3",
    "min_share => {'price < 3': 1.2}": "min_share: 1.2 for 'price < 3' is not a share above 0",
    "min_share => {price: 0.5}": "min_share: 'price' is .*, but a predicate must be BOOLEAN",
    "min_share => {'price < 3': 0.6, 'price > 9': 0.5}": "no item in common, but their shares add up to 1.1",
    "floor => {title: 1}": "floor: 'title' is VARCHAR, but a number is needed",
    "floor => {margin: 'high'}": "floor: 'high' for 'margin' is not a finite number",
    "budget => {price: -1}": "budget: -1 for 'price' is not a finite number from 0 up",
    "budget => {'sum(price)': 9}": "budget: 'sum.price.' aggregates rows",
}


@pytest.mark.parametrize("arguments", WRONG)
def test_a_wrong_constraint_is_one_sentence(small: Connection, arguments: str) -> None:
    with pytest.raises(duckdb.InvalidInputException, match=WRONG[arguments]):
        small.execute(f"SELECT * FROM shop.recommend(1, {arguments})").fetchall()


def test_they_follow_the_items(tables: duckdb.DuckDBPyConnection) -> None:
    create(tables)
    query = "SELECT item_id FROM shop.recommend(4, weights => {{relevance: 1}}, k => 6 {})"

    def listed(limits: str) -> list[int]:
        return [item for (item,) in tables.execute(query.format(limits)).fetchall()]

    plain = listed("")
    assert all(item < 10 for item in plain)
    limits = ", max_per => {'category || same': 3}, min_share => {'price > 15': 0.5}"
    for _ in range(3):
        items = listed(limits)
        assert [sum(item < 10 for item in items), sum(item >= 15 for item in items)] == [3, 3]
    # what is of another category, or has another price, is so at once
    tables.execute("UPDATE products SET category = 'shed' WHERE product_id >= 18")
    items = listed(limits)
    assert sum(10 <= item < 18 for item in items) <= 3
    tables.execute("UPDATE products SET price = 20, category = product_id")
    for _ in range(3):
        assert listed(limits) == plain
    tables.execute("ALTER TABLE products RENAME COLUMN same TO other")
    for _ in range(2):
        with pytest.raises(duckdb.Error, match="same"):
            listed(limits)
