"""Objectives beyond a value per item: over events, for the user, over the list."""

from __future__ import annotations

import math
from collections.abc import Iterator

import duckdb
import pytest

import morec_sql
from tests.conftest import SMALL

Connection = duckdb.DuckDBPyConnection

CREATE = """
SELECT * FROM create_recommender(
    'shop',
    events => 'orders',
    user_id => 'customer_id',
    item_id => 'product_id',
    event_time => 'ordered_at',
    items => 'products',
    text => ['title'],
    objectives => {objectives},
    dimensions => 8
)
"""


def create(con: Connection, objectives: str) -> list[tuple[str, int, float | None]]:
    return con.execute(CREATE.format(objectives=objectives)).fetchall()


@pytest.fixture(scope="module")
def shop() -> Iterator[Connection]:
    """The small shop with one objective of each kind; tests must leave it as it was."""
    con = morec_sql.connect()
    con.execute(SMALL)
    con.execute("ALTER TABLE products ADD COLUMN brand VARCHAR")
    con.execute("UPDATE products SET brand = 'b' || product_id % 4 WHERE product_id <> 21")
    create(
        con,
        """{
            'relevance': NULL,
            'per_order': 'sum(quantity) / count(*)',
            'affordable': 'price_fit(price)',
            'variety': 'coverage(brand)',
            'own_mix': 'calibration(category)',
            'fair': 'fairness(brand)',
            'diversity': 'diversity(category)'
        }""",
    )
    yield con
    con.close()


def items(con: Connection, call: str) -> list[int]:
    rows = con.execute(f"SELECT item_id FROM {call} ORDER BY rank").fetchall()
    return [row[0] for row in rows]


def test_an_aggregate_is_over_the_events_of_each_item(shop: Connection) -> None:
    expected = shop.execute("""
        SELECT product_id FROM orders GROUP BY product_id
        ORDER BY sum(quantity) / count(*) DESC, product_id LIMIT 5
    """).fetchall()
    listed = items(shop, "shop.recommend(1, weights => {per_order: 1}, k => 5)")
    assert listed == [row[0] for row in expected]


def test_an_aggregate_sees_the_past_alone_in_an_evaluation(tables: Connection) -> None:
    create(tables, "{'relevance': NULL, 'late': 'max(epoch(ordered_at))'}")
    start = "TIMESTAMP '2024-03-01'"
    value = tables.execute(
        f"SELECT value FROM shop.evaluate(test_from => {start}, weights => {{late: 1}}, baselines => false)"
        " WHERE metric = 'mean_late'"
    ).fetchall()[0][0]
    first = tables.execute(f"SELECT epoch({start})").fetchall()[0][0]
    assert first - 10 * 86400 < value < first


def test_price_fit_brings_what_costs_as_much_as_the_user_pays(shop: Connection) -> None:
    for user, usual in ((0, "kitchen"), (1, "garage")):
        prices = shop.execute(
            f"SELECT avg(ln(price)) FROM orders JOIN products USING (product_id) WHERE customer_id = {user}"
        ).fetchall()[0][0]
        nearest = shop.execute(
            "SELECT abs(ln(price) - $1) AS far FROM products ORDER BY far LIMIT 3", [prices]
        ).fetchall()
        listed = shop.execute(
            "SELECT abs(ln(price) - $1) FROM products JOIN"
            f" shop.recommend({user}, weights => {{affordable: 1}}, k => 3) ON item_id = product_id",
            [prices],
        ).fetchall()
        # purchases count by how recent they are, so that the usual price is near this mean
        assert max(listed)[0] < max(nearest)[0] + 0.2, usual


def test_coverage_brings_every_category(shop: Connection) -> None:
    brands = shop.execute("""
        SELECT count(DISTINCT brand) FROM shop.recommend(2, weights => {relevance: 0.01, variety: 1}, k => 4)
        JOIN products ON product_id = item_id
    """).fetchall()
    assert brands == [(4,)]
    parts = shop.execute("""
        SELECT contributions.variety
        FROM shop.recommend(2, weights => {relevance: 0.01, variety: 1}, k => 6) ORDER BY rank
    """).fetchall()
    assert [row[0] for row in parts] == [1, 1, 1, 1, 0, 0]


def test_calibration_follows_the_users_own_mix(shop: Connection) -> None:
    for basket, kitchen in (("[1, 2, 3, 11]", 6), ("[1, 11, 12, 13]", 2), ("[1, 2, 11, 12]", 4)):
        found = shop.execute(f"""
            SELECT count(*) FILTER (category = 'kitchen')
            FROM shop.recommend_for({basket}, weights => {{own_mix: 1}}, k => 8)
            JOIN products ON product_id = item_id
        """).fetchall()
        assert found == [(kitchen,)]


def test_fairness_lifts_brands_that_get_less_attention_than_they_sell(shop: Connection) -> None:
    shop.execute("""
        CREATE OR REPLACE TEMP TABLE attention AS
        SELECT p.brand, sum(1 / log2(r.rank + 1)) AS seen
        FROM (SELECT DISTINCT customer_id FROM orders) AS u,
            shop.recommend(u.customer_id, weights => {relevance: 1}, exclude_seen => false) AS r
        JOIN products AS p ON p.product_id = r.item_id GROUP BY p.brand
    """)
    expected = shop.execute("""
        WITH sold AS (
            SELECT brand, count(DISTINCT (customer_id, product_id)) AS pairs
            FROM products LEFT JOIN orders USING (product_id) WHERE brand IS NOT NULL GROUP BY brand
        )
        SELECT brand FROM sold LEFT JOIN attention USING (brand)
        ORDER BY (pairs + 1) / (coalesce(seen, 0) * sum(pairs) OVER () / sum(seen) OVER () + 1) DESC
    """).fetchall()
    listed = shop.execute("""
        SELECT brand, min(rank) AS first FROM shop.recommend(1, weights => {fair: 1}, k => 22)
        JOIN products ON product_id = item_id WHERE brand IS NOT NULL GROUP BY brand ORDER BY first
    """).fetchall()
    assert [row[0] for row in listed] == [row[0] for row in expected]


@pytest.mark.parametrize("how", ["mmr", "dpp"])
def test_diversity_by_category_alternates(shop: Connection, how: str) -> None:
    call = f"shop.recommend(4, weights => {{relevance: 0.01, diversity: 1}}, k => 2, diversify => '{how}')"
    found = shop.execute(
        f"SELECT count(DISTINCT category) FROM {call} JOIN products ON product_id = item_id"
    ).fetchall()
    assert found == [(2,)]


def test_volume_is_the_log_determinant_of_the_likenesses(small: Connection) -> None:
    """Contributions of diversity by DPP add up to log det(S + 0.01 I) - k log 1.01, but for a unit."""
    rows = small.execute("""
        SELECT item_id, contributions.diversity
        FROM shop.recommend(3, weights => {relevance: 3, diversity: 1}, k => 6, diversify => 'dpp')
        ORDER BY rank
    """).fetchall()

    def log_determinant(count: int) -> float:
        import numpy as np

        listed = [row[0] for row in rows[:count]]
        vectors = dict(
            small.execute(
                "SELECT item_id, embedding::FLOAT[] FROM shop.item_vectors JOIN shop.texts USING (text_id)"
            ).fetchall()
        )
        stacked = np.array([vectors.get(item, [0.0] * 384) for item in listed])
        kernel = stacked @ stacked.T
        np.fill_diagonal(kernel, 1)
        return float(np.linalg.slogdet((kernel + 0.01 * np.eye(count)) / 1.01)[1])

    units = [log_determinant(count) / sum(row[1] for row in rows[:count]) for count in range(2, 7)]
    assert units == pytest.approx([units[0]] * 5, rel=2e-3)
    assert units[0] > 0


def test_metrics_of_each_objective_in_an_evaluation(shop: Connection) -> None:
    rows = dict(
        shop.execute(
            "SELECT metric, value FROM shop.evaluate(k => 4, weights => {relevance: 1}, baselines => false)"
        ).fetchall()
    )
    assert 1 <= rows["mean_variety"] <= 4
    assert 0 < rows["mean_own_mix"] <= 1
    assert rows["mean_affordable"] < 0
    assert 0 <= rows["intra_list_diversity"] <= 1
    covered = dict(
        shop.execute(
            "SELECT metric, value FROM shop.evaluate(k => 4, weights => {variety: 1}, baselines => false)"
        ).fetchall()
    )
    assert covered["mean_variety"] == 4


def test_category_metrics_of_a_small_case() -> None:
    con = morec_sql.connect()
    con.execute("""
        CREATE TABLE lists AS FROM (VALUES (1, 'a', 1), (1, 'b', 2), (1, 'c', 3), (1, 'd', 4), (2, 'a', 1))
            AS t(user_id, item_id, rank);
        CREATE TABLE categories AS FROM (VALUES ('a', 'x'), ('b', 'x'), ('c', 'y'), ('d', NULL))
            AS t(item_id, category);
        CREATE TABLE mixes AS FROM (VALUES (1, 'x', 0.5), (1, 'z', 0.5)) AS t(user_id, category, share);
    """)
    rows = con.execute(
        "SELECT user_id, coverage, calibration FROM category_metrics('lists', 'categories', 'mixes')"
        " ORDER BY user_id"
    ).fetchall()
    divergence = 0.5 * math.log(0.5 / (0.99 * 0.5 + 0.005)) + 0.5 * math.log(100)
    assert rows[0][:2] == (1, 2)
    assert rows[0][2] == pytest.approx(1 - divergence / math.log(100))
    assert rows[1] == (2, 1, None)


def test_objectives_without_effect_are_reported(tables: Connection) -> None:
    rows = create(
        tables,
        "{'relevance': NULL, 'same': 'count(*) * 0', 'one': 'coverage(same)', 'no': 'avg(NULL::DOUBLE)'}",
    )
    without = {stage.split(":")[0] for stage, _, _ in rows if "no effect" in stage}
    assert without == {"objective same", "objective one", "objective no"}


WRONG = {
    "{'a': 'sum(quantity) +'}": "objectives.a: .*is not a SQL expression",
    "{'a': 'sum(quantity) + price'}": "objectives.a: .*unknown column 'price'",
    "{'a': 'sum(quantity) + quantity'}": "objectives.a: .*cannot be evaluated",
    "{'a': 'sum(sum(quantity))'}": "objectives.a: .*cannot be evaluated",
    "{'a': 'string_agg(quantity)'}": "objectives.a: .*is VARCHAR, but a number is needed",
    "{'a': 'coverage(categry)'}": "objectives.a: .*unknown column 'categry'; did you mean 'category'",
    "{'a': 'coverage(category, price)'}": "objectives.a: .*has 2 arguments, where coverage takes one",
    "{'a': 'coverage(max(category))'}": "objectives.a: .*aggregates rows",
    "{'a': 'price_fit(title)'}": "objectives.a: 'title' is VARCHAR, but a number is needed",
    "{'diversity': 'price'}": "objectives: 'diversity' is built in and takes no expression",
    "{'diversity': NULL, 'more': 'diversity(category)'}": "objectives: diversity is declared twice",
}


@pytest.mark.parametrize("objectives", WRONG)
def test_a_wrong_objective_is_one_sentence(tables: Connection, objectives: str) -> None:
    with pytest.raises(duckdb.InvalidInputException, match=WRONG[objectives]):
        create(tables, objectives)
    assert tables.execute(
        "SELECT count(*) FROM duckdb_schemas() WHERE schema_name = 'shop'"
    ).fetchall() == [(0,)]


def test_an_unknown_way_to_diversify_is_refused(small: Connection) -> None:
    with pytest.raises(
        duckdb.InvalidInputException, match="diversify: 'max' is not 'mmr' or 'dpp'"
    ):
        small.execute("SELECT * FROM shop.recommend(1, diversify => 'max')")


def test_objectives_are_refreshed_without_training(tables: Connection) -> None:
    create(
        tables,
        "{'relevance': NULL, 'margin': 'price - cost', 'sold': 'sum(quantity)', 'freshness': NULL}",
    )
    query = (
        "SELECT item_index, encoder, decoder, statistics FROM shop.item_vectors ORDER BY item_index"
    )
    vectors = tables.execute(query).fetchall()
    before = items(tables, "shop.recommend(1, weights => {margin: 1}, k => 3)")
    assert before == [21, 20, 19]
    tables.execute("UPDATE products SET cost = price - product_id % 7")
    tables.execute("INSERT INTO orders SELECT 1, 9, TIMESTAMP '2024-04-02', 500")
    tables.execute("INSERT INTO orders SELECT 1, 777, TIMESTAMP '2024-04-02', 900")
    tables.execute("DELETE FROM products WHERE product_id = 13")
    assert items(tables, "shop.recommend(1, weights => {margin: 1}, k => 3)") == before
    stages = tables.execute("SELECT stage FROM refresh_objectives('shop')").fetchall()
    assert ("objectives",) in stages
    assert ("train",) not in stages
    assert items(tables, "shop.recommend(1, weights => {margin: 1}, k => 2)") == [6, 20]
    assert items(tables, "shop.recommend(1, weights => {sold: 1}, k => 1)") == [9]
    assert items(tables, "shop.recommend(1, weights => {freshness: 1}, k => 1)") == [9]
    assert tables.execute(query).fetchall() == vectors
    with pytest.raises(duckdb.InvalidInputException, match="there is no recommender 'shopp'"):
        tables.execute("SELECT * FROM refresh_objectives('shopp')")
