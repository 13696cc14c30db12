"""Rules about items in one list: those that are never together, and those that stand behind others."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import morec_sql
from tests.conftest import CREATE_SMALL, SMALL

Connection = duckdb.DuckDBPyConnection
POINTWISE = "k => 6, weights => {relevance: 1, margin: 0.3}, exclude_seen => false"
LISTWISE = "k => 6, weights => {relevance: 0.6, margin: 0.2, diversity: 0.4}, exclude_seen => false"
Row = tuple[int, float, list[str]]


@pytest.fixture(scope="module")
def ruled() -> Iterator[Connection]:
    con = morec_sql.connect()
    con.execute(SMALL)
    con.execute(CREATE_SMALL).fetchall()
    yield con
    con.close()


@pytest.fixture(autouse=True)
def no_rules(ruled: Connection) -> Iterator[None]:
    yield
    ruled.execute("DELETE FROM shop.rules")


def add(con: Connection, name: str, kind: str, items: str, value: str | None = None) -> None:
    con.execute(
        "FROM add_rule('shop', ?, ?, items => ?, value => ?)", [name, kind, items, value]
    ).fetchall()


def lists(con: Connection, how: str, more: str = "") -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {user: [] for user in range(60)}
    for user, *row in con.execute(
        "SELECT u, r.item_id, r.score, r.unmet FROM range(60) AS t(u),"
        f" recommend(u, {how}{more}) AS r ORDER BY u, r.rank"
    ).fetchall():
        found[user].append((row[0], row[1], row[2]))
    return found


def of(found: list[Row], items: range | list[int]) -> set[int]:
    return {row[0] for row in found} & set(items)


@given(
    first=st.sets(st.integers(0, 21), min_size=1, max_size=8),
    second=st.sets(st.integers(0, 21), min_size=1, max_size=8),
)
@settings(max_examples=10, deadline=None)
def test_two_sets_are_never_in_one_list_and_it_is_the_best(
    ruled: Connection, first: set[int], second: set[int]
) -> None:
    ruled.execute("DELETE FROM shop.rules")
    one = f"product_id IN ({', '.join(map(str, first))})"
    other = f"product_id IN ({', '.join(map(str, second))})"
    add(ruled, "rivals", "never_with", one, other)
    ours = lists(ruled, POINTWISE)
    plain = lists(ruled, POINTWISE, ", rules => false")
    without = [
        lists(ruled, POINTWISE, f", rules => false, filter => 'NOT {predicate}'")
        for predicate in (one, f"(({other}) AND NOT {one})")
    ]
    second -= first
    for user, mine in ours.items():
        assert not (of(mine, [*first]) and of(mine, [*second]))
        if of(plain[user], [*first]) and of(plain[user], [*second]):
            best = max(sum(row[1] for row in other[user]) for other in without)
            assert sum(row[1] for row in mine) == pytest.approx(best, abs=1e-4)
        else:
            assert [row[0] for row in mine] == [row[0] for row in plain[user]]
        assert all(row[2] == [] for row in mine)


@pytest.mark.parametrize("how", [POINTWISE, LISTWISE, f"{LISTWISE}, max_per => {{category: 4}}"])
def test_several_pairs_and_other_rules_hold_together(ruled: Connection, how: str) -> None:
    add(ruled, "rivals", "never_with", "product_id IN (1, 3, 11, 13)", "product_id IN (2, 4, 12)")
    add(ruled, "more", "never_with", "product_id IN (5, 6, 15)", "product_id IN (7, 8, 16)")
    add(ruled, "hero", "pin", "product_id = 4", "2")
    for mine in lists(ruled, how).values():
        assert len(mine) == 6
        assert mine[1][0] == 4
        assert not of(mine, [1, 3, 11, 13])
        assert not (of(mine, [5, 6, 15]) and of(mine, [7, 8, 16]))
        assert all(row[2] == [] for row in mine)
    # both are pinned: the first set gives way, which is said
    add(ruled, "too", "pin", "product_id = 3", "1")
    for mine in lists(ruled, how).values():
        assert not (of(mine, [1, 3, 11, 13]) and of(mine, [2, 4, 12]))
        assert all(row[2] in (["rule: too"], ["rule: hero"]) for row in mine)


@pytest.mark.parametrize("how", [POINTWISE, LISTWISE])
def test_items_stand_behind_others(ruled: Connection, how: str) -> None:
    plain = lists(ruled, how)
    add(ruled, "accessories", "after", "product_id % 2 = 0", "product_id % 3 = 0")
    for user, mine in lists(ruled, how).items():
        items, before = [row[0] for row in mine], [row[0] for row in plain[user]]
        assert sorted(items) == sorted(before)
        scores = {row[0]: row[1] for row in plain[user]}
        assert all(row[1] == pytest.approx(scores[row[0]], abs=1e-6) for row in mine)
        last = max((at for at, item in enumerate(items) if item % 3 == 0 and item % 2), default=-1)
        assert all(item % 2 for item in items[: last + 1])
        # others keep their order
        assert [item for item in items if item % 2] == [item for item in before if item % 2]


def test_a_pin_stays_where_it_is(ruled: Connection) -> None:
    add(ruled, "hero", "pin", "product_id = 8", "1")
    add(ruled, "last", "after", "product_id = 8", "product_id < 20")
    for mine in lists(ruled, POINTWISE).values():
        assert mine[0][0] == 8
        assert all(row[2] == ["rule: last"] for row in mine)


def test_a_value_must_be_a_predicate(ruled: Connection) -> None:
    for kind in ("never_with", "after"):
        with pytest.raises(
            duckdb.Error, match=f"value: None came, but {kind} takes a predicate over the items"
        ):
            add(ruled, "bad", kind, "product_id = 1")
        with pytest.raises(duckdb.Error, match="value: 'price' is DECIMAL"):
            add(ruled, "bad", kind, "product_id = 1", "price")
