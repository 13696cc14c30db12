"""pareto and tune: weights found by search, on a time split."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pytest

import morec_sql
from tests.conftest import CREATE_SMALL, SMALL

Connection = duckdb.DuckDBPyConnection
CHOSEN = ("ndcg", "mean_margin", "intra_list_diversity")


@pytest.fixture(scope="module")
def searched() -> Iterator[Connection]:
    """The small shop, trained once for all searches; tests must leave it as it was."""
    con = morec_sql.connect()
    con.execute(SMALL)
    con.execute(CREATE_SMALL).fetchall()
    yield con
    con.close()


def rows_of(con: Connection, call: str) -> list[dict[str, Any]]:
    return con.sql(f"SELECT * FROM {call}").to_arrow_table().to_pylist()


def dominates(one: dict[str, Any], other: dict[str, Any]) -> bool:
    pairs = [(one[name], other[name]) for name in CHOSEN]
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


@pytest.mark.parametrize(
    "algorithm", ["surrogate", "nsga2", "nsga3", "pso", "ga", "de", "grid", "random"]
)
def test_no_point_of_a_front_dominates_another(searched: Connection, algorithm: str) -> None:
    front = rows_of(
        searched,
        f"shop.pareto(['relevance', 'margin', 'diversity'], algorithm => '{algorithm}',"
        " budget => 30, k => 4)",
    )
    kept = [row for row in front if not row["dominated"]]
    assert len(kept) > 1
    assert not any(dominates(a, b) for a in kept for b in kept)
    assert sum(row["knee"] for row in front) == 1
    assert sum(row["today"] for row in front) == 1
    for row in front:
        assert row["dominated"] == any(dominates(other, row) for other in front)
        assert sum(row["weights"].values()) == pytest.approx(1, abs=0.01)
        assert (row["hypervolume_contribution"] > 0) != row["dominated"]
    assert [row["ndcg"] for row in kept] == sorted((row["ndcg"] for row in kept), reverse=True)


def test_a_point_is_worth_what_evaluate_says(searched: Connection) -> None:
    front = rows_of(searched, "shop.pareto(budget => 12, k => 4, algorithm => 'random')")
    for row in front[:3]:
        weights = "[" + ", ".join(map(str, row["weights"].values())) + "]"
        measured = dict(
            searched.execute(
                f"SELECT metric, value FROM shop.evaluate(weights => {weights}, k => 4, baselines => false)"
            ).fetchall()
        )
        metrics = {name: row[name] for name in measured}
        assert metrics == pytest.approx(measured)


def test_a_front_is_that_of_brute_force(searched: Connection) -> None:
    """A grid's front holds exactly the lattice points that no other one of it dominates."""
    lattice = [
        (a / 2, b / 2, c / 2, (2 - a - b - c) / 2)
        for a in range(3) for b in range(3 - a) for c in range(3 - a - b)
    ]  # fmt: skip
    points = []
    for weights in lattice:
        given = "[" + ", ".join(map(str, weights)) + "]"
        rows = searched.execute(
            f"SELECT metric, value FROM shop.evaluate(weights => {given}, k => 4, baselines => false)"
        ).fetchall()
        points.append(dict(rows))
    front = rows_of(
        searched,
        "shop.pareto(['relevance', 'margin', 'diversity'], algorithm => 'grid', budget => 10, k => 4)",
    )
    points.append(next(row for row in front if row["today"]))
    # of weights whose lists are worth the same, one is enough
    best = {
        tuple(round(point[name], 9) for name in CHOSEN)
        for point in points
        if not any(dominates(other, point) for other in points)
    }
    kept = [tuple(round(row[name], 9) for name in CHOSEN) for row in front if not row["dominated"]]
    assert len(set(kept)) == len(kept)
    assert set(kept) == best


def test_a_search_can_be_repeated(searched: Connection) -> None:
    call = "shop.pareto(budget => 25, k => 4, seed => {})"
    assert rows_of(searched, call.format(3)) == rows_of(searched, call.format(3))
    assert rows_of(searched, call.format(3)) != rows_of(searched, call.format(4))


@pytest.mark.parametrize("algorithm", ["ga", "pso", "de"])
def test_tune_is_no_worse_than_a_grid_but_for_a_little(
    searched: Connection, algorithm: str
) -> None:
    prefer = "{precision: 0.6, recall: 0.3, f1: 0.1}"

    def worth(row: dict[str, Any]) -> float:
        return 0.6 * row["precision"] + 0.3 * row["recall"] + 0.1 * row["f1"]

    grid = rows_of(searched, f"shop.tune({prefer}, algorithm => 'grid', budget => 35, k => 4)")
    call = f"shop.tune({prefer}, algorithm => '{algorithm}', budget => 60, k => 4, seed => "
    # one seed says little: what is sought changes in steps of single purchases
    found = [rows_of(searched, f"{call}{seed})") for seed in range(6)]
    assert all(len(rows) == 1 and rows[0]["evaluations"] <= 60 for rows in found)
    # a search promises no optimum
    assert np.mean([worth(rows[0]) for rows in found]) >= 0.95 * worth(grid[0])


def test_tune_keeps_what_it_is_told_to_keep(searched: Connection) -> None:
    call = "shop.tune('keep relevance within 10 % of the best and maximise margin', budget => 60, k => 4)"
    kept = rows_of(searched, call)[0]
    best = rows_of(searched, "shop.tune({ndcg: 1}, budget => 30, k => 4)")[0]
    margin = rows_of(searched, "shop.tune({margin: 1}, budget => 30, k => 4)")[0]
    assert kept["ndcg"] >= 0.9 * best["ndcg"] - 1e-9
    assert kept["mean_margin"] >= best["mean_margin"]
    assert margin["mean_margin"] >= kept["mean_margin"]
    same = rows_of(
        searched,
        "shop.tune({in_order: ['relevance', 'margin'], tolerance: 0.1}, budget => 60, k => 4)",
    )[0]
    assert same["ndcg"] >= 0.9 * best["ndcg"] - 1e-9


def test_tune_follows_an_order(searched: Connection) -> None:
    first = rows_of(searched, "shop.tune(['margin', 'ndcg'], budget => 60, k => 4)")[0]
    alone = rows_of(searched, "shop.tune({margin: 1}, budget => 60, k => 4)")[0]
    assert first["mean_margin"] == pytest.approx(alone["mean_margin"])


def test_tune_reaches_a_reference(searched: Connection) -> None:
    front = rows_of(searched, "shop.pareto(['relevance', 'margin'], budget => 60, k => 4)")
    aim = next(row for row in front if row["knee"])
    prefer = f"{{reference: {{ndcg: {aim['ndcg']}, margin: {aim['mean_margin']}}}}}"
    found = rows_of(searched, f"shop.tune({prefer}, k => 4)")[0]
    assert found["ndcg"] >= 0.95 * aim["ndcg"]
    assert found["mean_margin"] >= 0.95 * aim["mean_margin"]


def test_what_is_tuned_can_be_stored(tables: Connection) -> None:
    tables.execute(CREATE_SMALL).fetchall()
    query = "SELECT objective, default_weight FROM shop.objectives ORDER BY position"
    before = tables.execute(query).fetchall()
    tables.execute("SELECT * FROM shop.tune({margin: 1}, budget => 10, k => 4)").fetchall()
    assert tables.execute(query).fetchall() == before
    found = rows_of(tables, "shop.tune({margin: 1}, budget => 10, k => 4, store => true)")[0]
    assert dict(tables.execute(query).fetchall()) == found["weights"] != dict(before)
    given = "[" + ", ".join(map(str, found["weights"].values())) + "]"
    by_default, by_weights = (
        tables.execute(f"SELECT item_id, score FROM recommend(1 {more}) ORDER BY rank").fetchall()
        for more in ("", f", weights => {given}")
    )
    assert by_default == by_weights
    tables.execute("SELECT * FROM refresh_recommender('shop')").fetchall()
    assert dict(tables.execute(query).fetchall()) == found["weights"]


WRONG = {
    "pareto(['relevance', 'marge'])": "objectives: 'marge' is not measured; did you mean 'margin'",
    "pareto(['relevance', 'ndcg'])": "objectives: two or more are needed for a front",
    "pareto('relevance')": "objectives: a list of names is needed, not 'relevance'",
    "pareto(algorithm => 'nsga')": "algorithm: 'nsga' is not known; did you mean 'nsga",
    "pareto(budget => 0)": "budget: 0 is not a whole number from 1",
    "pareto(users => -1)": "users: -1 is not a whole number from 1",
    "pareto(k => 23)": "k: 23 is above the 22 items",
    "tune()": "prefer: .*is needed, not NULL",
    "tune('more margin')": "prefer: 'more margin' is not of the form",
    "tune('keep relevance within 2 % of the best and maximise marge')": "prefer: 'marge' is not measured",
    "tune({marge: 1})": "prefer: 'marge' is not measured; did you mean 'margin'",
    "tune({margin: -1})": "prefer.margin: -1 is not a finite number from 0 up",
    "tune({margin: 0})": "prefer: .* is neither",
    "tune({reference: {margin: 'high'}})": "prefer.margin: 'high' is not a finite number",
    "tune({margin: 1}, algorithm => 'nsga2')": "algorithm: 'nsga2' is not known",
    "tune({margin: 1}, store => 1)": "store: true or false is needed, not 1",
    "tune(['margin'], diversify => 'no')": "diversify: 'no' is not 'mmr' or 'dpp'",
}


@pytest.mark.parametrize("call", WRONG)
def test_a_wrong_argument_is_one_sentence(searched: Connection, call: str) -> None:
    with pytest.raises(duckdb.InvalidInputException, match=WRONG[call]):
        searched.execute(f"SELECT * FROM shop.{call}").fetchall()


def test_a_front_is_drawn(searched: Connection) -> None:
    both = morec_sql.plot_front(
        searched.sql("SELECT * FROM shop.pareto(['relevance', 'margin'], budget => 20, k => 4)"),
        ["ndcg", "mean_margin"],
    )
    labels = {text.get_text() for text in both.axes[0].get_legend().get_texts()}
    drawn = both.axes[0].collections
    rows = rows_of(searched, "shop.pareto(['relevance', 'margin'], budget => 20, k => 4)")
    # a point is drawn once, and today's weights may be the knee
    expected = ("today's weights" if r["today"] else "knee" if r["knee"] else "front" for r in rows)
    assert labels == set(expected)
    points = {tuple(point) for part in drawn for point in part.get_offsets().tolist()}
    assert points == {(row["ndcg"], row["mean_margin"]) for row in rows}
    every = morec_sql.plot_front(searched.sql("SELECT * FROM shop.pareto(budget => 20, k => 4)"))
    assert len(every.axes) == 6 + 1
    assert len(every.axes[-1].lines) == len(rows_of(searched, "shop.pareto(budget => 20, k => 4)"))
    with pytest.raises(morec_sql.MorecError, match="metrics: 'ndgc' is not a column; did you mean"):
        morec_sql.plot_front(
            searched.sql("SELECT * FROM shop.pareto(budget => 9, k => 4)"), ["ndgc", "map"]
        )
