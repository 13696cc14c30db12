"""what_if: the changes that it names take the item out, and smaller ones do not."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from tests.conftest import CREATE_SMALL

Connection = duckdb.DuckDBPyConnection


def rows(con: Connection, query: str) -> list[tuple[Any, ...]]:
    return con.execute(query).fetchall()


def listed(con: Connection, asked: str) -> list[Any]:
    return [row[0] for row in rows(con, f"SELECT item_id FROM shop.recommend({asked})")]


def test_a_weight_that_is_changed_so_takes_the_item_out(small: Connection) -> None:
    weights = dict(rows(small, "SELECT objective, default_weight FROM shop.objectives"))
    named = set()
    for item in listed(small, "3")[::3]:
        found = rows(small, f"FROM shop.what_if(3, {item}) WHERE change = 'weight'")
        named |= {row[1] for row in found}
        for _, name, was, becomes, instead in found:
            assert was == pytest.approx(weights[name])
            changed = ", ".join(
                f"{one}: {becomes if one == name else weight}" for one, weight in weights.items()
            )
            after = listed(small, f"3, weights => {{{changed}}}")
            assert item not in after
            assert int(instead) in after
            nearer = was + 0.9 * (becomes - was)
            changed = ", ".join(
                f"{one}: {nearer if one == name else weight}" for one, weight in weights.items()
            )
            assert item in listed(small, f"3, weights => {{{changed}}}")
    assert len(named) > 2


def test_without_some_events_the_item_is_gone(tables: Connection) -> None:
    tables.execute(CREATE_SMALL).fetchall()
    asked = "weights => {relevance: 1}, exclude_seen => true, k => 1"
    tables.execute("DELETE FROM orders WHERE customer_id = 3 AND product_id > 13")
    tables.execute(
        "INSERT INTO orders VALUES (3, 2, TIMESTAMP '2024-03-01', 1),"
        " (3, 5, TIMESTAMP '2024-03-02', 1)"
    )
    (item,) = listed(tables, f"3, {asked}")
    found = rows(tables, f"FROM shop.what_if(3, {item}, {asked}) WHERE change = 'without'")
    names = [int(row[1]) for row in found]
    assert names
    assert all(row[2] > 0 for row in found)
    own = "SELECT DISTINCT product_id FROM orders WHERE customer_id = 3"
    assert set(names) <= {row[0] for row in rows(tables, own)}
    # not even fewer of them do
    for kept in [*names, None]:
        gone = ", ".join(str(name) for name in names if name != kept) or "-1"
        tables.execute("BEGIN")
        tables.execute(f"DELETE FROM orders WHERE customer_id = 3 AND product_id IN ({gone})")
        # what is left out of the history may be listed itself
        after = listed(tables, f"3, {asked}")
        tables.execute("ROLLBACK")
        assert (item in after) == (kept is not None)
    assert str(after[0]) == found[0][4]


def test_on_real_orders(journey: Connection) -> None:
    item = rows(journey, "SELECT item_id FROM shop.recommend(42) WHERE rank = 10")[0][0]
    found = rows(journey, f"FROM shop.what_if(42, {item})")
    assert {row[0] for row in found} <= {"without", "weight"}
    assert any(row[0] == "without" for row in found)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("what_if(3, 4, k => 3)", "item_id: 4 is not in the list, so nothing takes it out"),
        ("what_if(3, 99)", "item_id: '99' is not an item of the catalogue"),
        ("what_if(3, 18, most => 'x')", "most: nan is not a whole number from 1 on"),
    ],
)
def test_bad_input_gets_a_sentence(small: Connection, call: str, message: str) -> None:
    with pytest.raises(duckdb.Error, match=message):
        rows(small, f"FROM shop.{call}")
