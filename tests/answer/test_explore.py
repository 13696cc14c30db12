"""Lists that try something: seeded, and with the chances of what they hold."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest

Connection = duckdb.DuckDBPyConnection

HOW = {
    "point-wise": "weights => {relevance: 1, margin: 0.2}",
    "list-wise": "weights => {relevance: 1, diversity: 0.5}",
    "constrained": "weights => {relevance: 1}, max_per => {category: 2}",
}
DRAWS = 600


@pytest.mark.parametrize("how", HOW)
def test_propensities_are_the_shares_of_many_draws(small: Connection, how: str) -> None:
    rows = small.execute(f"""
        SELECT s.seed, r.rank, r.item_id, r.propensity
        FROM (SELECT unnest(range({DRAWS})) AS seed) AS s,
            recommend(3, k => 3, explore => 0.3, seed => s.seed, exclude_seen => false, {HOW[how]}) AS r
        ORDER BY ALL
    """).fetchall()
    lists: dict[int, list[tuple[int, float]]] = {}
    for seed, rank, item, propensity in rows:
        lists.setdefault(seed, []).append((item, propensity))
        assert rank == len(lists[seed])
    assert len(lists) == DRAWS
    chance: dict[tuple[int, ...], float] = {}
    seen: dict[tuple[int, ...], int] = {}
    for mine in lists.values():
        for place in range(2):
            prefix = tuple(item for item, _ in mine[: place + 1])
            seen[prefix] = seen.get(prefix, 0) + 1
            chance[prefix] = float(np.prod([propensity for _, propensity in mine[: place + 1]]))
    for prefix, p in chance.items():
        error = np.sqrt(p * (1 - p) / DRAWS)
        assert seen[prefix] / DRAWS == pytest.approx(p, abs=5 * error + 1e-3), prefix
    # all that can be listed first is, and its chances add up
    firsts = {prefix: p for prefix, p in chance.items() if len(prefix) == 1}
    assert sum(firsts.values()) == pytest.approx(1, abs=0.01)


def test_a_seed_gives_the_same_list_again_whoever_else_is_asked_for(small: Connection) -> None:
    def lists(users: str) -> dict[int, list[int]]:
        return dict(
            small.execute(
                "SELECT u.customer_id, list(r.item_id ORDER BY r.rank) FROM"
                f" (SELECT DISTINCT customer_id FROM orders WHERE {users}) AS u,"
                " recommend(u.customer_id, explore => 0.5, seed => 7, k => 5) AS r GROUP BY ALL"
            ).fetchall()
        )

    all_, one = lists("true"), lists("customer_id = 4")
    assert one[4] == all_[4]
    # users of one kind do not have the same draws
    assert len({tuple(mine) for mine in all_.values()}) > 20
    plain = small.execute("FROM recommend(4, explore => 0)").fetchall()
    assert plain == small.execute("FROM recommend(4)").fetchall()
    assert {row[-1] for row in plain} == {1.0}


def test_what_has_a_place_keeps_it(small: Connection) -> None:
    capped = small.execute(
        "SELECT p.category, count(*) FROM recommend(3, explore => 1, k => 6, max_per => {category: 3})"
        " AS r JOIN products AS p ON p.product_id = r.item_id GROUP BY ALL"
    ).fetchall()
    assert all(count <= 3 for _, count in capped)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("explore => 1.5", "explore: 1.5 is not a share from 0 to 1"),
        ("explore => 'much'", "explore: 'much' is not a share"),
        ("explore => 0.1, seed => -1", "seed: -1 is not a whole number from 0 up"),
    ],
)
def test_bad_arguments_are_named(small: Connection, argument: str, said: str) -> None:
    with pytest.raises(duckdb.Error, match=said):
        small.execute(f"FROM recommend(3, {argument})").fetchall()
