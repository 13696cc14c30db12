"""explain and explain_basket: reasons that add up to the score."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from tests.conftest import create

Connection = duckdb.DuckDBPyConnection


def explained(con: Connection, call: str) -> dict[tuple[str, str | None], float | None]:
    """The contribution of each reason."""
    rows = con.execute(f"SELECT kind, name, contribution FROM shop.{call}").fetchall()
    return {(row[0], row[1]): row[2] for row in rows}


def total(reasons: dict[Any, float | None]) -> float:
    return sum(part for part in reasons.values() if part is not None)


@pytest.mark.parametrize(
    "asked",
    [
        "",
        ", weights => [0.6, 0.2, 0, 0.1]",
        ", weights => [0.6, 0, 0.5, 0], k => 30",
        ", weights => [0.6, 0.3, 0.5, 0], diversify => 'dpp'",
        ", filter => 'brand = ''National'''",
        ", exclude_seen => true",
        ", max_per => {'department': 2}",
        ", as_of => TIMESTAMP '2017-06-01'",
    ],
)
def test_reasons_add_up_to_the_score(journey: Connection, asked: str) -> None:
    for user in ("42", "-1"):
        listed = journey.execute(
            f"SELECT item_id, score FROM shop.recommend({user}{asked})"
        ).fetchall()
        for item, score in listed[::4]:
            reasons = explained(journey, f"explain({user}, {item}{asked})")
            assert total(reasons) == pytest.approx(score, abs=1e-5)
            assert not any(kind == "rule" for kind, _ in reasons)


def test_of_an_item_behind_the_list(journey: Connection) -> None:
    # without list-wise objectives a longer list has it, with the same score
    asked = "weights => [0.6, 0.3, 0, 0.2]"
    rows = journey.execute(
        f"SELECT item_id, score FROM shop.recommend(42, {asked}, k => 400) WHERE rank % 80 = 0"
    ).fetchall()
    for item, score in rows:
        assert total(explained(journey, f"explain(42, {item}, {asked})")) == pytest.approx(
            score, abs=1e-5
        )


def test_diversity_is_what_the_list_before_takes(journey: Connection) -> None:
    asked = "weights => [0.6, 0, 0.5, 0]"
    rows = journey.execute(
        f"SELECT item_id, contributions.diversity FROM shop.recommend(42, {asked})"
    ).fetchall()
    before: set[str] = set()
    for item, diversity in rows:
        reasons = explained(journey, f"explain(42, {item}, {asked}, most => 50)")
        parts = {name: part for (kind, name), part in reasons.items() if kind == "list item"}
        assert set(parts) == before
        assert total(parts) == pytest.approx(diversity, abs=1e-5)
        before.add(str(item))


def test_an_event_makes_its_like_more_likely(tables: Connection) -> None:
    create(tables, dimensions="8", relevance="{neighbour_weight: 1}", text="['title']")
    item = 9  # a tea that nobody has bought
    before = explained(tables, f"explain(900, {item}, weights => {{relevance: 1}})")
    tables.execute("INSERT INTO orders VALUES (900, 4, TIMESTAMP '2024-03-20', 1)")
    after = explained(tables, f"explain(900, {item}, weights => {{relevance: 1}})")
    assert total(after) > total(before)
    assert {kind for kind, _ in before} <= {"popularity", "average", "objective"}
    assert ("content", "4") in after
    # of what the user knows the repeat term takes the place of the likeness
    known = explained(tables, "explain(900, 4, weights => {relevance: 1})")
    assert ("repeat", "4") in known
    assert "history item" not in {kind for kind, _ in known}


def test_neighbours_are_reasons_too(tables: Connection) -> None:
    create(tables, relevance="{neighbour_weight: 1}")
    for user in (1, 2):
        rows = tables.execute(
            f"SELECT item_id, score FROM shop.recommend({user}, k => 20, weights => [1, 0, 0])"
        ).fetchall()
        for item, score in rows:
            reasons = explained(tables, f"explain({user}, {item}, weights => [1, 0, 0], k => 20)")
            assert total(reasons) == pytest.approx(score, abs=1e-5)


def test_few_reasons_are_named_and_the_others_are_one(small: Connection) -> None:
    item = small.execute("SELECT item_id FROM shop.recommend(3, exclude_seen => true)").fetchall()
    call = f"explain(3, {item[0][0]}, exclude_seen => true"
    everything, few = explained(small, f"{call})"), explained(small, f"{call}, most => 2)")
    assert total(few) == pytest.approx(total(everything), abs=1e-9)
    named = [name for kind, name in few if kind == "content"]
    assert len(named) == 3
    assert [name for name in named if name and name.endswith(" others")]
    shares = small.execute(f"SELECT sum(abs(share)) FROM shop.{call})").fetchall()
    assert shares[0][0] == pytest.approx(1)


def test_what_keeps_an_item_out(small: Connection) -> None:
    known = small.execute("SELECT product_id FROM orders WHERE customer_id = 3").fetchall()[0][0]
    for call, rule in (
        (f"explain(3, {known}, exclude_seen => true)", "exclude_seen: the user knows it"),
        ("explain(3, 4, filter => 'product_id > 7')", "filter: product_id > 7"),
        ("explain_basket([3], 4, filter => 'product_id > 99')", "filter: product_id > 99"),
    ):
        reasons = explained(small, call)
        assert reasons[("rule", rule)] is None
        assert ("average", None) in reasons


def test_a_basket(small: Connection) -> None:
    rows = small.execute("SELECT item_id, score FROM shop.recommend_for([3, 4])").fetchall()
    for item, score in rows:
        reasons = explained(small, f"explain_basket([3, 4], {item})")
        assert total(reasons) == pytest.approx(score, abs=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("explain(3, 12345)", "item_id: '12345' is not an item of the catalogue"),
        ("explain(3, 'tea')", "item_id: 'tea' is not an item of the catalogue"),
        ("explain(3, NULL)", "item_id: NULL is not an item of the catalogue"),
        ("explain(3, 4, most => 0)", "most: 0 is not a whole number from 1 on"),
        ("explain(3, 4, k => 0)", "k: 0 is not a whole number from 1 to 10000"),
    ],
)
def test_bad_input_gets_a_sentence(small: Connection, call: str, message: str) -> None:
    with pytest.raises(duckdb.Error, match=message):
        small.execute(f"FROM shop.{call}").fetchall()


def test_many_at_once(small: Connection) -> None:
    rows = small.execute(
        "SELECT u.i, r.item_id, any_value(r.score), sum(e.contribution)"
        " FROM range(5) AS u(i), shop.recommend(u.i) AS r, shop.explain(u.i, r.item_id) AS e"
        " GROUP BY ALL"
    ).fetchall()
    assert len(rows) == 50
    for _, _, score, parts in rows:
        assert parts == pytest.approx(score, abs=1e-5)
