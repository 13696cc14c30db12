"""Objectives that are added, changed and dropped after the training."""

from __future__ import annotations

import duckdb
import pytest

from tests.answer.test_recommend import items
from tests.conftest import CREATE_SMALL, catalogue_of

Connection = duckdb.DuckDBPyConnection


def objectives(con: Connection) -> list[tuple[str, str | None, float]]:
    return con.execute(
        "SELECT objective, expression, round(default_weight, 2) FROM shop.objectives ORDER BY position"
    ).fetchall()


def test_objectives_come_and_go_without_training(tables: Connection) -> None:
    tables.execute(CREATE_SMALL).fetchall()
    trained = tables.execute("SELECT version FROM shop.settings").fetchall()
    tables.execute("UPDATE shop.objectives SET default_weight = 0.2 WHERE objective = 'margin'")
    tables.execute("UPDATE shop.objectives SET default_weight = 0.13 WHERE position > 2")
    before = tables.execute("SELECT item_id, score FROM recommend(3)").fetchall()
    tables.execute("FROM add_objective('shop', 'cheap', '-price')").fetchall()
    assert objectives(tables) == [
        ("relevance", None, 0.6), ("margin", "price - cost", 0.2), ("diversity", None, 0.13),
        ("novelty", None, 0.13), ("cheap", "-price", 0.0),
    ]  # fmt: skip
    after = tables.execute("SELECT item_id, score FROM recommend(3)").fetchall()
    assert [item for item, _ in after] == [item for item, _ in before]
    # but for the order in which products are summed
    assert [score for _, score in after] == pytest.approx([score for _, score in before], abs=1e-5)
    cheapest = "recommend(3, weights => {cheap: 1}, k => 3, exclude_seen => false)"
    assert items(tables, cheapest) == [0, 1, 2]
    found = tables.execute(
        "SELECT contributions.cheap, score FROM recommend(3, weights => {cheap: 1})"
    )
    assert all(part == pytest.approx(score) for part, score in found.fetchall())

    tables.execute("FROM add_objective('shop', 'CHEAP', 'price', replace => true)").fetchall()
    assert items(tables, cheapest) == [21, 20, 19]
    tables.execute("FROM add_objective('shop', 'popularity', weight => 0.1)").fetchall()
    tables.execute("FROM drop_objective('shop', 'diversity')").fetchall()
    names = [name for name, _, _ in objectives(tables)]
    assert names == ["relevance", "margin", "novelty", "cheap", "popularity"]
    assert tables.execute("SELECT version FROM shop.settings").fetchall() == trained
    metrics = {
        metric
        for (metric,) in tables.execute(
            "SELECT metric FROM shop.evaluate(k => 5, baselines => false)"
        ).fetchall()
    }
    assert {"mean_cheap", "mean_popularity"} <= metrics
    # trainings and refreshes to come have them, too
    tables.execute("UPDATE products SET price = 50 WHERE product_id = 4")
    tables.execute("FROM refresh_objectives('shop')").fetchall()
    assert items(tables, cheapest)[0] == 4
    tables.execute("FROM refresh_recommender('shop')").fetchall()
    assert [name for name, _, _ in objectives(tables)] == names
    assert items(tables, cheapest)[0] == 4


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("add_objective('shop', 'margin', 'price')", "there is 'margin' already; replace => true"),
        (
            "add_objective('shop', 'x', 'prize')",
            "objectives.x: 'prize' refers to the unknown column",
        ),
        ("add_objective('shop', 'x')", "'x' has no SQL expression"),
        ("add_objective('shop', ' ', 'price')", "objective: ' ' came, but a name is needed"),
        ("add_objective('shop', 'x', 'price', weight => 'much')", "weight: 'much' is not a finite"),
        ("add_objective('nix', 'x', 'price')", "there is no recommender 'nix'"),
        ("drop_objective('shop', 'relevance')", "'relevance' cannot be dropped"),
        ("drop_objective('shop', 'nix')", "objective: there is no 'nix'"),
    ],
)
def test_what_cannot_be_changed_is_left_as_it_is(small: Connection, call: str, said: str) -> None:
    before = catalogue_of(small), objectives(small)
    with pytest.raises(duckdb.Error, match=said):
        small.execute(f"FROM {call}").fetchall()
    assert (catalogue_of(small), objectives(small)) == before
