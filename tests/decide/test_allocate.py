"""allocate: a list for each of many users, under limits that bind all of them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

import morec_sql
from tests.conftest import CREATE_SMALL, SMALL, catalogue_of

Connection = duckdb.DuckDBPyConnection
POINTWISE = "weights => {relevance: 1, margin: 0.3}"


@pytest.fixture(scope="module")
def stocked() -> Iterator[Connection]:
    """The small shop with stock and customers; tests leave it without rules."""
    con = morec_sql.connect()
    con.execute(SMALL)
    con.execute("ALTER TABLE products ADD COLUMN stock INTEGER")
    con.execute("UPDATE products SET stock = CASE WHEN product_id % 5 > 0 THEN product_id % 5 END")
    con.execute(
        "CREATE TABLE customers AS SELECT u AS customer_id, u % 3 AS city FROM range(70) AS t(u)"
    )
    con.execute("CREATE VIEW in_town AS SELECT customer_id, city FROM customers WHERE city = 1")
    con.execute(CREATE_SMALL.replace("text =>", "users => 'customers', text =>")).fetchall()
    yield con
    con.close()


def dicts(con: Connection, query: str) -> list[dict[str, Any]]:
    of = con.execute(query)
    names = [column[0] for column in of.description]
    return [dict(zip(names, row, strict=True)) for row in of.fetchall()]


def allocate(con: Connection, more: str) -> list[dict[str, Any]]:
    return dicts(con, f"FROM shop.allocate({more}) ORDER BY user_id, rank")


def limits(con: Connection, more: str) -> list[dict[str, Any]]:
    return dicts(con, f"FROM shop.allocation_limits({more})")


@pytest.mark.parametrize(
    "more", [POINTWISE, "weights => {relevance: 0.6, diversity: 0.4}", "k => 5"]
)
def test_without_limits_lists_are_those_of_recommend(stocked: Connection, more: str) -> None:
    plain = dicts(
        stocked,
        "SELECT u.customer_id AS user_id, r.rank, r.item_id, r.score FROM customers AS u,"
        f" shop.recommend(u.customer_id, {more}) AS r ORDER BY ALL",
    )
    ours = allocate(stocked, more)
    assert [(row["user_id"], row["rank"], row["item_id"]) for row in ours] == [
        (row["user_id"], row["rank"], row["item_id"]) for row in plain
    ]
    assert [row["score"] for row in ours] == pytest.approx(
        [row["score"] for row in plain], abs=1e-5
    )
    assert {row["price"] for row in ours} == {0}
    types = stocked.execute(f"DESCRIBE FROM shop.allocate({more})").fetchall()
    assert [row[1] for row in types[:3]] == ["BIGINT", "INTEGER", "BIGINT"]


def test_lists_are_within_a_percent_of_the_best_and_keep_the_limits(stocked: Connection) -> None:
    of = f"k => 3, {POINTWISE}, exclude_seen => false, limits => {{stock: '2 * stock', total: 60}}"
    ours = allocate(stocked, of)
    pairs = stocked.execute(
        "SELECT u.customer_id, r.item_id, r.score FROM customers AS u,"
        f" shop.recommend(u.customer_id, k => 22, {POINTWISE}, exclude_seen => false) AS r"
    ).fetchall()
    users, items = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
    score = np.array([pair[2] for pair in pairs])
    most = np.array([2 * (item % 5) or 1e9 for item in range(22)])
    rows = np.vstack(
        [users == np.arange(70)[:, None], items == np.arange(22)[:, None], np.ones(len(score))]
    )
    program = LinearConstraint(rows.astype(float), ub=np.concatenate([np.full(70, 3), most, [60]]))
    best = -milp(
        -score, constraints=program, bounds=Bounds(0, 1), integrality=np.ones(len(score))
    ).fun
    assert sum(row["score"] for row in ours) == pytest.approx(best, rel=0.01)
    assert len(ours) == 60
    count = Counter(row["item_id"] for row in ours)
    assert all(times <= most[item] for item, times in count.items())
    scores = {pair[:2]: pair[2] for pair in pairs}
    for row in ours:
        assert row["score"] == pytest.approx(scores[row["user_id"], row["item_id"]], abs=1e-4)
    found = limits(stocked, of)
    assert {row["name"] for row in found} == {"stock", "total"}
    for row in found:
        used = count[int(row["of"])] if row["of"] else 60
        assert (row["used"], row["at_least"]) == (used, None)
        assert row["used"] <= row["at_most"]
        assert row["price"] >= 0
        assert row["value"] == pytest.approx(sum(row["score"] for row in ours), rel=1e-5)
        assert row["bound"] >= best - 1e-3 * best
        assert 0 <= row["gap"] < 0.01
    assert next(row["at_most"] for row in found if row["of"] == "3") == 6
    # what has a price is used up
    assert all(row["used"] == row["at_most"] for row in found if row["price"] > 1e-3)
    prices = {row["of"]: row["price"] for row in found}
    for row in ours:
        price = prices.get(str(row["item_id"]), 0) + prices[None]
        assert row["price"] == pytest.approx(price, abs=1e-6)


@given(
    stock=st.integers(0, 30),
    total=st.integers(0, 250),
    per=st.integers(0, 120),
    money=st.floats(0, 2000),
    k=st.integers(1, 6),
    least=st.integers(0, 10),
)
@settings(max_examples=25, deadline=None)
def test_no_limit_is_ever_passed(
    stocked: Connection, stock: int, total: int, per: int, money: float, k: int, least: int
) -> None:
    of = (
        f"k => {k}, exclude_seen => false, limits => {{each: '{stock}', total: {total},"
        f" place: {{per: 'category', most: {per}}}, money: {{cost: 'price', most: {money}}}}},"
        f" min_per => {{category: {least}}}"
    )
    rows = allocate(stocked, of)
    assert max(Counter(row["item_id"] for row in rows).values(), default=0) <= stock
    assert len(rows) <= total
    where = {item: "kitchen" if item < 10 else "garage" for item in range(22)}
    of_each = Counter(where[row["item_id"]] for row in rows)
    assert max(of_each.values(), default=0) <= per
    assert sum(1 + row["item_id"] for row in rows) <= money + 1e-6
    by_user: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        by_user.setdefault(row["user_id"], []).append(row)
    for mine in by_user.values():
        assert [row["rank"] for row in mine] == list(range(1, len(mine) + 1))
        assert len({row["item_id"] for row in mine}) == len(mine) <= k
    missed = {place for place in ("garage", "kitchen") if of_each[place] < least}
    for row in rows:
        assert set(row["unmet"]) == {f"min_per: category {place}" for place in missed}


def test_what_is_asked_for_is_reached(stocked: Connection) -> None:
    plain = Counter(row["item_id"] < 10 for row in allocate(stocked, f"k => 2, {POINTWISE}"))
    assert plain[True] < 100
    rows = allocate(stocked, f"k => 2, {POINTWISE}, min_per => {{category: {{kitchen: 100}}}}")
    assert sum(row["item_id"] < 10 for row in rows) == 100
    assert {tuple(row["unmet"]) for row in rows} == {()}
    (found,) = [
        row
        for row in limits(
            stocked, f"k => 2, {POINTWISE}, min_per => {{category: {{kitchen: 100}}}}"
        )
        if row["of"] == "kitchen"
    ]
    assert (found["at_most"], found["at_least"], found["used"]) == (None, 100, 100)
    assert found["price"] < 0
    # a filter that leaves too little
    more = f"k => 2, {POINTWISE}, filter => 'product_id >= 10', min_per => {{category: {{kitchen: 5}}}}"
    rows = allocate(stocked, more)
    assert {tuple(row["unmet"]) for row in rows} == {("min_per: category kitchen",)}
    assert {row["bound"] for row in limits(stocked, more)} == {None}


@pytest.mark.parametrize(
    "more", ["", ", limits => {stock: 'stock', all_of_them: 5}", ", min_per => {category: 1}"]
)
def test_without_items_there_are_no_lists(stocked: Connection, more: str) -> None:
    of = f"filter => 'price < 0'{more}"
    assert allocate(stocked, of) == []
    for row in limits(stocked, of):
        assert (row["used"], row["value"], row["price"]) == (0, 0, 0)
    assert allocate(stocked, f"users => 'SELECT 1 WHERE false'{more.replace('1}', '0}')}") == []


def test_places_stay_empty_rather_than_worth_too_little(stocked: Connection) -> None:
    of = f"k => 4, {POINTWISE}, exclude_seen => false, limits => {{stock: 'stock'}}"
    full = allocate(stocked, of)
    some = allocate(stocked, f"{of}, empty => 0.5")
    assert 0 < len(some) < len(full)
    assert min(row["score"] for row in some) > 0.5
    assert {row["empty"] for row in limits(stocked, f"{of}, empty => 0.5")} == {0.5}


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        ("NULL", range(70)),
        ("'in_town'", range(1, 70, 3)),
        ("'SELECT customer_id FROM customers WHERE city = 0'", range(0, 70, 3)),
        ("'FROM customers WHERE city = 0'", range(0, 70, 3)),
        ("'SELECT ''7'' AS anybody'", [7]),
        ("'SELECT unnest([3, 3, NULL, 1000])'", [3, 1000]),
        ("'SELECT customer_id FROM customers WHERE false'", []),
    ],
)
def test_users_are_those_of_a_table_or_query(
    stocked: Connection, users: str, expected: Any
) -> None:
    rows = allocate(stocked, f"users => {users}, k => 1")
    assert sorted(row["user_id"] for row in rows) == list(expected)


def test_limits_are_of_some_items_and_of_values(stocked: Connection) -> None:
    of = f"k => 3, {POINTWISE}, exclude_seen => false, limits => "
    rows = allocate(stocked, of + "{few: {items: 'product_id > 17', most: 4}}")
    assert sum(row["item_id"] > 17 for row in rows) == 4
    assert len(rows) == 210
    # of each category at most what is the least of its items' values
    rows = allocate(stocked, of + "{place: {per: 'category', most: '20 + product_id'}}")
    assert Counter(row["item_id"] < 10 for row in rows) == {True: 20, False: 30}
    # where there is no number there is no limit
    rows = allocate(stocked, of + "{nothing: 'NULL::INTEGER'}")
    assert len(rows) == 210


def test_rules_and_filters_hold(stocked: Connection) -> None:
    stocked.execute(
        "FROM add_rule('shop', 'out', 'exclude', items => 'product_id % 2 = 0')"
    ).fetchall()
    stocked.execute(
        "FROM add_rule('shop', 'up', 'boost', items => 'product_id = 13', value => 6)"
    ).fetchall()
    try:
        rows = allocate(
            stocked, f"k => 2, {POINTWISE}, filter => 'product_id > 4', limits => {{each: '50'}}"
        )
        assert {row["item_id"] % 2 for row in rows} == {1}
        assert min(row["item_id"] for row in rows) > 4
        assert sum(row["item_id"] == 13 for row in rows) == 50
        rows = allocate(stocked, f"k => 2, {POINTWISE}, rules => false, limits => {{each: '50'}}")
        assert {row["item_id"] % 2 for row in rows} == {0, 1}
    finally:
        stocked.execute("DELETE FROM shop.rules")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            "limits => {stock: '1 - product_id'}",
            "limits: stock: '1 - product_id' is -1 for the item 2, where a number from 0 on is needed, such as greatest",
        ),
        ("limits => {stock: -3}", "limits: stock: -3 is not a finite number from 0 up"),
        (
            "limits => {stock: 'stok'}",
            "limits: stock: 'stok' refers to the unknown column 'stok'; did you mean 'stock'?",
        ),
        ("limits => {b: {cost: 'stock', most: 10}}", "limits: b: 'stock' is NULL for the item 0"),
        (
            "limits => {b: {cost: 'price'}}",
            "limits: b: the field most, a number or an expression, is missing",
        ),
        ("limits => {b: {most: 3, of: 'price'}}", "limits: b: unknown field 'of'"),
        ("limits => {b: {most: 3, items: 'price'}}", "limits: b: 'price' is DECIMAL"),
        ("limits => 7", "limits: a struct by name is needed"),
        ("limits => {b: 'read_csv(''x'')'}", "limits: b: "),
        (
            "min_per => {category: {kitchn: 3}}",
            "min_per: category: no item has the value 'kitchn'; did you mean 'kitchen'?",
        ),
        (
            "min_per => {category: 100}, k => 1",
            "min_per: category asks for 200 places, but 70 users have 1 each",
        ),
        ("min_per => {category: 'many'}", "min_per: category: 'many' is not a finite number"),
        ("users => 'nobody'", "users: there is no table or view 'nobody'"),
        (
            "users => 'SELECT 1 AS a, 2 AS b'",
            "has several columns, and none is called customer_id or user_id",
        ),
        ("users => 'DELETE FROM orders RETURNING customer_id'", "users: there is no table or view"),
        ("users => 'SELECT * FROM read_csv(''x.csv'')'", "users: "),
        ("users => 'SELECT customer_id FROM (DELETE FROM orders)'", "users: "),
        ("k => 0", "k: 0 is not a whole number from 1 to 10000"),
        ("empty => 'a'", "empty: 'a' is not a finite number"),
        ("weights => {nothing: 1}", "weights: unknown objective 'nothing'"),
        ("exclude_seen => 3", "exclude_seen: true or false is needed, not 3"),
        ("filter => 'price +'", "filter: "),
        ("rules => ['none']", "rules: "),
    ],
)
def test_a_bad_argument_is_a_sentence(stocked: Connection, arguments: str, said: str) -> None:
    before = catalogue_of(stocked)
    with pytest.raises(duckdb.Error) as error:
        allocate(stocked, arguments)
    assert said in str(error.value)
    assert catalogue_of(stocked) == before


def test_coupons_of_real_campaigns(journey: Connection) -> None:
    # one coupon each for the products of a department, at most so many of each and in all
    of = (
        "k => 1, weights => {relevance: 1}, filter => 'department = ''PASTRY''',"
        " limits => {each: '40', coupons: 500}"
    )
    rows = allocate(journey, of)
    assert len(rows) == 500
    assert max(Counter(row["item_id"] for row in rows).values()) <= 40
    (best,) = {row["gap"] for row in limits(journey, of)}
    assert 0 <= best < 0.01
    # first come, first served
    came = journey.execute(
        "SELECT u.household_id, r.item_id, r.score"
        " FROM (SELECT DISTINCT household_id FROM orders ORDER BY household_id) AS u,"
        " shop.recommend(u.household_id, k => 30, weights => {relevance: 1},"
        " filter => 'department = ''PASTRY''') AS r ORDER BY u.household_id, r.rank"
    ).fetchall()
    left: Counter[int] = Counter()
    served: dict[int, float] = {}
    for user, item, score in came:
        if user not in served and left[item] < 40 and len(served) < 500:
            served[user] = score
            left[item] += 1
    assert sum(row["score"] for row in rows) > sum(served.values())


def test_rules_of_a_context_are_followed_in_it(stocked: Connection) -> None:
    add = "FROM add_rule('shop', 'mail', 'exclude', items => 'stock > 1', context => '{}')"
    stocked.execute(add.format("channel = ''mail''")).fetchall()
    try:
        little = {row["item_id"] for row in allocate(stocked, "context => {channel: 'mail'}")}
        anything = {row["item_id"] for row in allocate(stocked, "context => {channel: 'web'}")}
        assert allocate(stocked, "") == allocate(stocked, "context => {channel: 'web'}")
    finally:
        stocked.execute("DELETE FROM shop.rules")
    stocks = "SELECT list(product_id) FROM products WHERE stock > 1"
    plenty = set(stocked.execute(stocks).fetchall()[0][0])
    assert not little & plenty
    assert anything & plenty
    with pytest.raises(duckdb.Error, match="context: the recommender was made without context"):
        allocate(stocked, "context => {channel: 'mail'}")
