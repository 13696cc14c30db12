"""Rules of merchandisers: each does what it says, and a broken one breaks no list."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import morec_sql
from tests.conftest import CREATE_SMALL, SMALL

Connection = duckdb.DuckDBPyConnection

CUSTOMERS = """
CREATE TABLE customers AS
SELECT u AS customer_id, u % 2 = 0 AS even, 'city ' || u % 3 AS city FROM range(60) AS t(u)
"""


@contextlib.contextmanager
def with_customers() -> Iterator[Connection]:
    """The small shop with a table of customers."""
    with morec_sql.connect() as con:
        con.execute(SMALL)
        con.execute(CUSTOMERS)
        con.execute(CREATE_SMALL.replace("text =>", "users => 'customers', text =>")).fetchall()
        yield con


@pytest.fixture(scope="module")
def ruled() -> Iterator[Connection]:
    """Tests leave it without rules."""
    with with_customers() as con:
        yield con


@pytest.fixture(autouse=True)
def no_rules(ruled: Connection) -> Iterator[None]:
    yield
    ruled.execute("DELETE FROM shop.rules")


def add(con: Connection, name: str, kind: str, **more: Any) -> None:
    listed = "".join(f", {key} => {value}" for key, value in more.items())
    con.execute(f"FROM add_rule('shop', '{name}', '{kind}'{listed})").fetchall()


def rows(con: Connection, more: str = "", user: int = 4, k: int = 6) -> list[dict[str, Any]]:
    of = con.execute(f"FROM recommend({user}, k => {k}{more}) ORDER BY rank")
    names = [column[0] for column in of.description]
    return [dict(zip(names, row, strict=True)) for row in of.fetchall()]


def items(con: Connection, more: str = "", user: int = 4, k: int = 6) -> list[int]:
    return [row["item_id"] for row in rows(con, more, user, k)]


POINTWISE = ", weights => {relevance: 1, margin: 0.3}, exclude_seen => false"
LISTWISE = ", weights => {relevance: 0.6, margin: 0.2, diversity: 0.4}, exclude_seen => false"


@pytest.mark.parametrize("how", [POINTWISE, LISTWISE, f"{LISTWISE}, max_per => {{category: 4}}"])
def test_each_kind_does_what_it_says(ruled: Connection, how: str) -> None:
    plain = items(ruled, how)
    first, last = plain[0], plain[-1]
    add(ruled, "gone", "exclude", items=f"'product_id = {first}'")
    assert first not in items(ruled, how)
    assert items(ruled, f"{how}, rules => false") == plain
    ruled.execute("DELETE FROM shop.rules")

    add(ruled, "only", "include_only", items="'product_id IN (1, 2, 3, 11)'")
    assert set(items(ruled, how)) <= {1, 2, 3, 11}
    ruled.execute("DELETE FROM shop.rules")

    add(ruled, "hero", "pin", items="'product_id = 9'", value="3")
    found = rows(ruled, how)
    assert found[2]["item_id"] == 9
    assert found[0]["unmet"] == []
    ruled.execute("DELETE FROM shop.rules")

    add(ruled, "up", "boost", items=f"'product_id = {last}'", value="100")
    found = rows(ruled, how)
    assert found[0]["item_id"] == last
    assert found[0]["adjustments"] == {"rule: up": 100.0}
    ruled.execute("DELETE FROM shop.rules")

    add(ruled, "down", "bury", items=f"'product_id = {first}'", value="100")
    assert first not in items(ruled, how)
    ruled.execute("DELETE FROM shop.rules")

    add(ruled, "campaign", "slots", items="'product_id IN (9, 20, 21)'", value="'2 of 3'")
    assert len({9, 20, 21} & set(items(ruled, how)[:3])) == 2
    ruled.execute("DELETE FROM shop.rules")

    add(ruled, "third", "boost", items="'category = ''garage'''", value="'33.4 %'")
    assert sum(item >= 10 for item in items(ruled, how)) >= 3
    ruled.execute("DELETE FROM shop.rules")

    add(ruled, "few", "cap", items="'category = ''kitchen'''", value="1")
    assert sum(item < 10 for item in items(ruled, how)) <= 1
    ruled.execute("DELETE FROM shop.rules")

    add(ruled, "less", "bury", items="'category = ''kitchen'''", value="'20 %'")
    assert sum(item < 10 for item in items(ruled, how)) <= 1
    ruled.execute("DELETE FROM shop.rules")

    other = next(item for item in range(22) if item not in plain)
    add(
        ruled, "out", "replace", items=f"'product_id = {plain[1]}'", value=f"'product_id = {other}'"
    )
    found = items(ruled, how)
    assert found[1] == other
    assert plain[1] not in found


def test_no_rules_change_nothing(ruled: Connection) -> None:
    every = "SELECT c.customer_id, r.* FROM customers AS c, recommend(c.customer_id{}) AS r ORDER BY ALL"
    plain = ruled.execute(every.format(", rules => false")).fetchall()
    assert ruled.execute(every.format("")).fetchall() == plain
    add(ruled, "off", "exclude", items="'true'", enabled="false")
    add(ruled, "over", "exclude", items="'true'", ends="TIMESTAMP '2020-01-01'")
    assert ruled.execute(every.format("")).fetchall() == plain
    # what a query names holds in any case, so that it can be tried
    assert items(ruled, ", rules => ['over']") == []
    assert items(ruled, ", as_of => TIMESTAMP '2019-05-05'") == []


KINDS = st.sampled_from(
    [
        ("pin", "1"), ("pin", "2"), ("pin", "5"), ("slots", "1 of 2"), ("slots", "2"), ("cap", "0"),
        ("cap", "2"), ("exclude", None), ("boost", "0.5"), ("bury", "0.7"), ("bury", "50 %"),
        ("include_only", None),
    ]
)  # fmt: skip
SETS = st.sampled_from(
    ["product_id = 3", "category = 'kitchen'", "price > 12", "product_id % 3 = 0", "title IS NULL"]
)


@given(
    rules=st.lists(st.tuples(KINDS, SETS), min_size=1, max_size=4),
    how=st.sampled_from([POINTWISE, LISTWISE]),
    user=st.sampled_from([3, 4, 999]),
)
@settings(max_examples=40, deadline=None)
def test_rules_keep_what_they_promise(
    ruled: Connection, rules: list[tuple[tuple[str, str | None], str]], how: str, user: int
) -> None:
    ruled.execute("DELETE FROM shop.rules")
    for number, ((kind, value), of) in enumerate(rules):
        ruled.execute(
            "INSERT INTO shop.rules (name, kind, items, value, priority) VALUES (?, ?, ?, ?, ?)",
            [f"r{number}", kind, of, value, -number],
        )
    found = rows(ruled, how, user, 6)
    listed = [row["item_id"] for row in found]
    assert len(set(listed)) == len(listed)
    assert [row["rank"] for row in found] == list(range(1, len(found) + 1))
    for row in found:
        parts = [*row["contributions"].values(), *row["adjustments"].values()]
        assert row["score"] == pytest.approx(sum(parts), abs=1e-5)
    unmet = found[0]["unmet"] if found else []

    def inside(of: str) -> set[int]:
        return {
            row[0]
            for row in ruled.execute(f"SELECT product_id FROM products WHERE {of}").fetchall()
        }

    for number, ((kind, value), of) in enumerate(rules):
        mine = inside(of)
        count = sum(item in mine for item in listed)
        if kind == "exclude":
            assert not count
        if kind == "include_only":
            assert count == len(listed)
        if kind == "cap":
            assert count <= int(value or 0)
        if kind == "bury" and value == "50 %":
            assert count <= 3
        if not found or f"rule: r{number}" in unmet:
            continue
        if kind == "pin" and len(listed) == 6:
            assert listed[int(value or 0) - 1] in mine
        if kind == "slots":
            first, _, places = (value or "").partition(" of ")
            assert sum(item in mine for item in listed[: int(places or 6)]) >= int(first)


def test_rules_hold_for_some_users_in_some_contexts_for_some_time(ruled: Connection) -> None:
    add(ruled, "even", "pin", items="'product_id = 20'", users="'even'")
    add(ruled, "mail", "pin", items="'product_id = 21'", value="2", context="'channel = ''mail'''")
    first = {
        user: item
        for user, item in ruled.execute(
            "SELECT c.customer_id, r.item_id FROM customers AS c, shop.recommend(c.customer_id, k => 3)"
            " AS r WHERE r.rank = 1"
        ).fetchall()
    }
    assert {user for user, item in first.items() if item == 20} == set(range(0, 60, 2))
    assert items(ruled, ", context => {channel: 'mail'}", 4)[:2] == [20, 21]
    assert items(ruled, ", context => {channel: 'web'}", 4)[1] != 21
    assert items(ruled, "", 3)[0] != 20
    # nobody of the users is even
    assert (
        ruled.execute("SELECT item_id FROM shop.recommend_for([1]) WHERE rank = 1").fetchall()[0][0]
        != 20
    )
    ruled.execute(
        "UPDATE shop.rules SET context = NULL, users = NULL, starts = TIMESTAMP '2024-03-01'"
    )
    assert items(ruled, ", as_of => TIMESTAMP '2024-02-01'")[0] != 20
    assert items(ruled, ", as_of => TIMESTAMP '2024-03-01'")[:2] == [20, 21]


def test_a_context_that_nothing_knows_is_a_mistake(ruled: Connection) -> None:
    with pytest.raises(duckdb.Error, match="context: the recommender was made without context"):
        rows(ruled, ", context => {channel: 'mail'}")


def test_a_cooldown_keeps_out_what_was_taken_of_late(ruled: Connection) -> None:
    at = "TIMESTAMP '2024-03-10'"
    taken = ruled.execute(
        f"SELECT product_id, max(ordered_at) FROM orders WHERE customer_id = 4 AND ordered_at < {at}"
        " GROUP BY ALL"
    ).fetchall()
    how = f", weights => {{relevance: 1}}, exclude_seen => false, as_of => {at}"
    add(ruled, "again", "cooldown", value="'20 days'")
    late = {
        item for item, last in taken
        if last > ruled.execute(f"SELECT {at} - INTERVAL 20 DAY").fetchall()[0][0]
    }  # fmt: skip
    early = {item for item, _ in taken} - late
    assert late
    assert early
    listed = set(items(ruled, how, k=22))
    assert not listed & late
    assert early <= listed
    add(ruled, "again", "cooldown", value="'20 days per category'", replace="true")
    assert not [item for item in items(ruled, how, k=22) if item < 10]
    assert any("again" in name for (name,) in ruled.execute(
        f"SELECT name FROM shop.explain(4, {min(late)}{how}) WHERE kind = 'rule'"
    ).fetchall())  # fmt: skip


def test_what_a_rule_did_is_explained(ruled: Connection) -> None:
    add(ruled, "spring", "boost", items="'product_id IN (12, 13)'", value="0.4")
    add(ruled, "gone", "exclude", items="'product_id = 1'")
    how = ", weights => {relevance: 1, 'sqrt(price)': 0.2}, exclude_seen => false"
    (row,) = (row for row in rows(ruled, how, k=22) if row["item_id"] == 12)
    assert row["adjustments"]["rule: spring"] == pytest.approx(0.4)
    parts = ruled.execute(
        f"SELECT kind, name, contribution FROM shop.explain(4, 12{how}, k => 22)"
    ).fetchall()
    assert sum(part for _, _, part in parts) == pytest.approx(row["score"], abs=1e-5)
    named = {(kind, name): part for kind, name, part in parts}
    assert named["rule", "spring"] == pytest.approx(0.4)
    assert named["objective", "sqrt(price)"] == pytest.approx(row["adjustments"]["sqrt(price)"])
    out = ruled.execute(f"SELECT name FROM shop.explain(4, 1{how}) WHERE kind = 'rule'").fetchall()
    assert out == [("gone: exclude",)]


BROKEN = [
    ("pinn", "'true'", "1", "no kind of rule"),
    ("exclude", "'colour = 3'", None, "unknown column 'colour'"),
    ("exclude", "'title = 3'", None, "cannot be evaluated|Could not convert"),
    ("boost", "'true'", "much", "an amount above 0"),
    ("include_only", "'false'", None, "no item is included"),
    ("exclude", "'true; DROP TABLE products'", None, "more than one|not a SQL expression"),
    ("exclude", "'product_id IN (SELECT 1 FROM read_csv(''x''))'", None, "read_csv"),
]


@pytest.mark.parametrize(("kind", "of", "value", "why"), BROKEN)
def test_a_broken_rule_breaks_no_list(
    ruled: Connection, kind: str, of: str, value: str | None, why: str
) -> None:
    plain = items(ruled)
    ruled.execute(
        f"INSERT INTO shop.rules (name, kind, items, value) VALUES ('bad', ?, {of}, ?)",
        [kind, value],
    )
    ruled.execute(
        "INSERT INTO shop.rules (name, kind, items) VALUES ('good', 'exclude', 'product_id = 15')"
    )
    found = rows(ruled)
    assert [row["item_id"] for row in found] == [item for item in items(ruled, k=7) if item != 15][
        :6
    ]
    assert plain[:3] == [row["item_id"] for row in found][:3] or 15 in plain
    assert re.search(why, found[0]["unmet"][0])
    # what may match something tomorrow may be added
    if kind != "include_only":
        with pytest.raises(duckdb.Error, match=f"({why})"):
            add(ruled, "worse", kind, items=of, value="NULL" if value is None else f"'{value}'")
    assert ruled.execute("SELECT count(*) FROM shop.rules").fetchall() == [(2,)]


def test_what_rules_read_counts_at_once(ruled: Connection) -> None:
    """Lists see what was just written of items and rules, and what was rolled back does not count."""
    garage = "category = 'garage'"
    add(ruled, "garage", "exclude", items=f"$${garage}$$")
    first, second, *_ = top = items(ruled)
    for _ in range(3):
        ruled.execute(f"UPDATE products SET category = 'garage' WHERE product_id = {first}")
        assert first not in items(ruled)
        ruled.execute(f"UPDATE products SET category = 'kitchen' WHERE product_id = {first}")
        assert items(ruled) == top
        ruled.execute(f"UPDATE shop.rules SET items = 'product_id = {second}'")
        assert second not in items(ruled)
        changed = f"UPDATE shop.rules SET enabled = NULL, items = $${garage}$$"
        ruled.execute(f"BEGIN; {changed}; ROLLBACK")
        assert second not in items(ruled)
        ruled.execute(changed)
        assert items(ruled) == top


def test_check_rules_says_what_is_wrong_and_what_changes(ruled: Connection) -> None:
    add(ruled, "first", "pin", items="'product_id = 20'", priority="1")
    add(ruled, "second", "pin", items="'product_id = 21'")
    add(ruled, "gone", "exclude", items="'product_id BETWEEN 10 AND 19'")
    add(ruled, "impossible", "slots", items="'product_id = 12'", value="1", users="'even'")
    add(ruled, "nothing", "exclude", items="'product_id > 1000'", ends="TIMESTAMP '2020-01-01'")
    ruled.execute("INSERT INTO shop.rules (name, kind, items) VALUES ('bad', 'exclude', 'colour')")
    found = {
        row[0]: row[1:]
        for row in ruled.execute(
            "SELECT name, status, problem, items, users, lists_changed, ndcg_without, ndcg"
            " FROM check_rules('shop', users => 20)"
        ).fetchall()
    }
    assert found["first"][:4] == ("in force", None, 1, None)
    assert found["second"][1] == "the same rank is that of 'first'"
    assert found["impossible"][1] == "its items are left out by 'gone'"
    assert found["impossible"][3] == 30
    assert found["nothing"][:4] == ("over", "it matches no item", 0, None)
    assert found["nothing"][4] == 0.0
    assert found["bad"][0] == "broken"
    assert "colour" in found["bad"][1]
    assert found["first"][4] == 1.0
    # what nobody takes is in the place of what they take
    assert found["first"][6] < found["first"][5]


def test_check_rules_knows_what_cannot_be_listed_together(ruled: Connection) -> None:
    add(ruled, "one", "pin", items="'product_id = 20'", priority="1")
    add(ruled, "other", "slots", items="'product_id IN (12, 13)'", value="1")
    query = "SELECT name, problem FROM check_rules('shop', users => 0)"
    assert dict(ruled.execute(query).fetchall()) == {"one": None, "other": None}
    # as long as the slot has an item that may stand beside what is pinned
    add(ruled, "apart", "never_with", items="'product_id = 12'", value="'product_id = 20'")
    assert set(dict(ruled.execute(query).fetchall()).values()) == {None}
    ruled.execute("UPDATE shop.rules SET items = 'product_id IN (12, 13)' WHERE name = 'apart'")
    found = dict(ruled.execute(query).fetchall())
    said = "it is not listed with what 'one' asks for, by 'apart'"
    assert found == {"one": None, "other": said, "apart": None}
    ruled.execute("UPDATE shop.rules SET enabled = false WHERE name = 'one'")
    assert set(dict(ruled.execute(query).fetchall()).values()) == {None}


def test_rules_survive_a_refresh_and_go_with_the_recommender(tables: Connection) -> None:
    tables.execute(CREATE_SMALL).fetchall()
    add(tables, "gone", "exclude", items="'product_id = 3'")
    tables.execute("FROM refresh_recommender('shop')").fetchall()
    assert tables.execute("SELECT name FROM shop.rules").fetchall() == [("gone",)]
    # a column that goes away breaks no list
    tables.execute("UPDATE shop.rules SET items = 'cost > 1000'")
    assert rows(tables)[0]["unmet"] == []
    tables.execute("FROM drop_recommender('shop')").fetchall()
