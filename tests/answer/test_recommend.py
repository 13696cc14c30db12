"""recommend and recommend_for."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from tests.conftest import CREATE_SMALL

Connection = duckdb.DuckDBPyConnection


def items(con: Connection, call: str) -> list[Any]:
    """The ids of a ranked list in order."""
    return [row[0] for row in con.execute(f"SELECT item_id FROM {call} ORDER BY rank").fetchall()]


def test_the_list(journey: Connection) -> None:
    rows = journey.execute(
        "SELECT r.*, typeof(item_id) FROM recommend(42, weights => [0.6, 0.2, 0.1, 0.1], k => 20) AS r"
    ).fetchall()
    assert [row[0] for row in rows] == list(range(1, 21))
    assert len({row[1] for row in rows}) == 20
    assert {row[-1] for row in rows} == {"BIGINT"}
    assert [row[4] for row in rows] == [[]] * 20
    for row in rows:
        assert list(row[3]) == ["relevance", "private_label", "diversity", "novelty"]
        assert sum(row[3].values()) == pytest.approx(row[2], abs=1e-9)


def test_a_list_says_whether_it_is_personal(small: Connection) -> None:
    for call, personal in (
        ("recommend(3)", True),
        ("recommend(-1)", False),
        ("recommend(NULL)", False),
        ("recommend(3, as_of => TIMESTAMP '2020-01-01')", False),
        ("shop.recommend_for([3, 4])", True),
        ("shop.recommend_for([-3])", False),
        ("shop.recommend_for([]::BIGINT[])", False),
    ):
        rows = small.execute(f"SELECT DISTINCT personal FROM {call}").fetchall()
        assert rows == [(personal,)], call


def test_who_knows_everything_gets_what_is_known(tables: Connection) -> None:
    # nothing is bought twice, and one customer has bought everything
    tables.execute("DELETE FROM products WHERE product_id >= 12")
    tables.execute(
        "CREATE OR REPLACE TABLE orders AS"
        " SELECT c AS customer_id, p AS product_id, TIMESTAMP '2024-01-01' + to_days(d::INT)"
        " AS ordered_at FROM (SELECT c, p, row_number() OVER (PARTITION BY c ORDER BY hash(c, p)) AS d"
        " FROM range(400) AS t(c), range(12) AS s(p)) WHERE d < 6 OR c = 7"
    )
    tables.execute(CREATE_SMALL).fetchall()
    assert len(items(tables, "recommend(2, k => 12)")) < 12
    assert len(items(tables, "recommend(7, k => 12)")) == 12
    assert items(tables, "recommend(7, k => 12, exclude_seen => true)") == []
    assert items(tables, "recommend(2, k => 12, filter => 'product_id < 2')") != []


def test_weights_by_position_by_name_and_by_default(journey: Connection) -> None:
    by_position = journey.execute("FROM recommend(42, weights => [0.6, 0, 0.3, 0.1])").fetchall()
    for weights in (
        "{relevance: 0.6, diversity: 0.3, novelty: 0.1}",
        "{'NOVELTY': 0.1, 'relevance': 0.6, 'diversity': 0.3}",
        "MAP {'relevance': 0.6, 'diversity': 0.3, 'novelty': 0.1}",
        "NULL",
    ):
        assert (
            journey.execute(f"FROM recommend(42, weights => {weights})").fetchall() == by_position
        )


def test_a_weight_pulls_the_list_its_way(journey: Connection) -> None:
    def share_of_private_label(weight: float) -> float:
        row = journey.execute(
            "SELECT avg((p.brand = 'Private')::INT) FROM"
            " (SELECT DISTINCT household_id FROM orders LIMIT 200) AS h,"
            " shop.recommend(h.household_id, weights => [1, ?, 0, 0]) AS r"
            " JOIN products AS p ON p.product_id = r.item_id",
            [weight],
        ).fetchall()
        return float(row[0][0])

    shares = [share_of_private_label(weight) for weight in (0, 0.3, 1, 30)]
    assert shares == sorted(shares)
    assert shares[0] < shares[1] < shares[2]
    assert shares[3] == 1.0


def test_one_objective_alone_ranks_by_its_expression(small: Connection) -> None:
    listed = items(small, "recommend(1, weights => {margin: 1}, k => 22)")
    expected = small.execute(
        "SELECT product_id FROM products ORDER BY price - cost DESC, product_id"
    ).fetchall()
    assert listed == [row[0] for row in expected]


def test_relevance_tells_the_two_groups_apart(small: Connection) -> None:
    # even users buy items 0 to 8, odd ones 10 to 18; the unseen item 9 is a tea like 0 to 8
    assert set(items(small, "recommend(4, weights => {relevance: 1}, k => 9)")) == set(range(9))
    assert set(items(small, "recommend(5, weights => {relevance: 1}, k => 9)")) == set(
        range(10, 19)
    )
    unsold = (
        "recommend_for([0, 1, 2], weights => {relevance: 1}, filter => 'product_id IN (9, 19)')"
    )
    assert items(small, f"shop.{unsold}") == [9, 19]


def test_relevance_ranks_what_is_bought_next_far_above_popularity(journey: Connection) -> None:
    """On the four weeks before the end, with the history before them."""
    hits = journey.execute("""
        WITH households AS (
            SELECT DISTINCT household_id FROM orders WHERE transaction_timestamp < '2017-12-04' LIMIT 300
        ),
        bought AS (
            SELECT DISTINCT household_id, product_id FROM orders
            WHERE transaction_timestamp >= '2017-12-04' AND quantity > 0
        ),
        popular AS (
            SELECT product_id AS item_id FROM orders WHERE transaction_timestamp < '2017-12-04'
            GROUP BY product_id ORDER BY count(DISTINCT household_id) DESC LIMIT 20
        ),
        ours AS (
            SELECT h.household_id, r.item_id FROM households AS h, shop.recommend(
                h.household_id, weights => {relevance: 1}, k => 20, as_of => TIMESTAMP '2017-12-04'
            ) AS r
        )
        SELECT
            (SELECT count(*) FROM ours JOIN bought AS b
                ON b.household_id = ours.household_id AND b.product_id = ours.item_id),
            (SELECT count(*) FROM households AS h, popular AS p JOIN bought AS b
                ON b.household_id = h.household_id AND b.product_id = p.item_id)
    """).fetchall()
    ours, popularity = hits[0]
    assert ours > 1.8 * popularity


def test_k(small: Connection) -> None:
    everything = items(small, "recommend(1, k => 1000)")
    assert sorted(everything) == list(range(22))
    ranked = items(small, "recommend(1, k => 22, weights => {relevance: 1, margin: 0.2})")
    assert (
        items(small, "recommend(1, k => 4, weights => {relevance: 1, margin: 0.2})") == ranked[:4]
    )


def test_a_filter_is_applied_before_ranking(journey: Connection) -> None:
    for predicate, there in (
        ("department = 'FLORAL' AND brand = 'Private'", None),
        ("product_id IN (SELECT product_id FROM coupons WHERE campaign_id = 13)", None),
        ("item_id % 1000 = 7", None),
        ("product_type ILIKE '%BANANA%'", None),
        ("len(list_filter([product_id], lambda x: x % 500 = 3)) = 1", None),
        ("department = 'no such'", 0),
    ):
        if there is None:
            count = journey.execute(f"SELECT count(*) FROM shop.items WHERE {predicate}").fetchall()
            there = count[0][0]
        quoted = predicate.replace("'", "''")
        listed = items(journey, f"recommend(42, k => 50, filter => '{quoted}')")
        assert len(listed) == min(50, there)
        passed = journey.execute(
            f"SELECT count(*) FROM shop.items WHERE ({predicate}) AND list_contains(?, item_id)",
            [listed],
        ).fetchall()
        assert passed == [(len(listed),)]


def test_a_filtered_list_is_the_full_list_without_the_others(small: Connection) -> None:
    weights = "weights => {relevance: 1, margin: 0.2}, k => 22"
    full = items(small, f"recommend(3, {weights})")
    kept = items(small, f"recommend(3, {weights}, filter => 'product_id % 3 = 0')")
    assert kept == [item for item in full if item % 3 == 0]


def test_exclude_seen(journey: Connection) -> None:
    seen = journey.execute(
        "SELECT DISTINCT product_id FROM orders WHERE household_id = 42"
    ).fetchall()
    assert set(items(journey, "recommend(42)")) & {row[0] for row in seen}
    listed = items(journey, "recommend(42, k => 100, exclude_seen => true)")
    assert len(listed) == 100
    assert not set(listed) & {row[0] for row in seen}


def test_a_lateral_join_gives_each_user_its_own_list(journey: Connection) -> None:
    journey.execute(
        "CREATE OR REPLACE TEMP TABLE some_users AS"
        " SELECT DISTINCT household_id FROM orders ORDER BY household_id"
    )
    together = journey.execute(
        "SELECT u.household_id, r.rank, r.item_id, r.score FROM some_users AS u,"
        " shop.recommend(u.household_id, k => 5) AS r ORDER BY ALL"
    ).fetchall()
    assert len(together) == 5 * 1238
    for user in (2, 42, 2500):
        alone = journey.execute("FROM recommend(?, k => 5)", [user]).fetchall()
        mine = [row[1:] for row in together if row[0] == user]
        assert [row[:2] for row in mine] == [row[:2] for row in alone]
        assert [row[2] for row in mine] == pytest.approx([row[2] for row in alone], abs=1e-4)


def test_arguments_can_differ_from_row_to_row(small: Connection) -> None:
    rows = small.execute("""
        SELECT u.id, list(r.item_id ORDER BY r.rank)
        FROM (VALUES
            (1, 2, 1.0, 'product_id < 5', false), (2, 3, 0.0, NULL, true), (3, 1, 0.5, 'cost > 4', NULL)
        ) AS u(id, k, w, f, x),
        shop.recommend(
            u.id, weights => [u.w, 0.5, 0, 0], k => u.k, filter => u.f, exclude_seen => u.x
        ) AS r
        GROUP BY u.id ORDER BY u.id
    """).fetchall()
    assert rows == [
        (
            1,
            items(
                small, "recommend(1, weights => [1, 0.5, 0, 0], k => 2, filter => 'item_id < 5')"
            ),
        ),
        (2, items(small, "recommend(2, weights => [0, 1, 0, 0], k => 3, exclude_seen => true)")),
        (3, items(small, "recommend(3, weights => [1, 1, 0, 0], k => 1, filter => 'cost > 4')")),
    ]


def test_unknown_users_get_what_everyone_likes(journey: Connection) -> None:
    unknown = journey.execute("FROM recommend(999999999, weights => {relevance: 1})").fetchall()
    assert len(unknown) == 10
    assert journey.execute("FROM recommend(NULL, weights => {relevance: 1})").fetchall() == unknown
    users = journey.execute(
        "SELECT quantile_disc(n, 0.999) FROM"
        " (SELECT count(DISTINCT household_id) AS n FROM orders GROUP BY product_id)"
    ).fetchall()
    for row in unknown:
        buyers = journey.execute(
            "SELECT count(DISTINCT household_id) FROM orders WHERE product_id = ?", [row[1]]
        ).fetchall()
        assert buyers[0][0] >= users[0][0]
    filtered = items(journey, "recommend(NULL, filter => 'department = ''FLORAL''')")
    assert len(filtered) == 10


def test_items_without_events_and_without_text_can_be_listed(journey: Connection) -> None:
    listed = items(
        journey,
        "recommend(42, k => 10, filter => 'product_id NOT IN (SELECT product_id FROM orders)')",
    )
    assert len(listed) == 10
    without_text = journey.execute(
        "SELECT count(*) FROM shop.item_vectors WHERE text_id IS NULL"
    ).fetchall()
    assert without_text[0][0] > 0
    assert len(items(journey, "recommend(42, k => 9, filter => 'department IS NULL')")) <= 9


def test_a_new_event_counts_at_once(tables: Connection) -> None:
    tables.execute(CREATE_SMALL).fetchall()
    tables.execute(
        "INSERT INTO orders SELECT 777, d % 3, TIMESTAMP '2024-04-01', 1 FROM range(3) t(d)"
    )
    kitchen = items(tables, "recommend(777, weights => {relevance: 1}, k => 6)")
    assert set(kitchen) <= set(range(10))
    assert kitchen != items(tables, "recommend(NULL, weights => {relevance: 1}, k => 6)")
    # within a transaction too, and for an item that is not like the others
    lists = "recommend(777, weights => {relevance: 1}, k => 22)"
    before = items(tables, lists).index(14)
    tables.execute("BEGIN")
    tables.execute("INSERT INTO orders SELECT 777, 14, TIMESTAMP '2024-04-02', 1 FROM range(4)")
    assert items(tables, lists).index(14) < before
    tables.execute("ROLLBACK")
    assert items(tables, "recommend(777, weights => {relevance: 1}, k => 6)") == kitchen


def test_as_of_leaves_out_what_came_later(tables: Connection) -> None:
    tables.execute(CREATE_SMALL).fetchall()
    query = "recommend(6, weights => {relevance: 1}, as_of => TIMESTAMP '2024-02-01')"
    before = tables.execute(f"FROM {query}").fetchall()
    tables.execute("DELETE FROM orders WHERE customer_id = 6 AND ordered_at >= '2024-02-01'")
    assert tables.execute(f"FROM {query}").fetchall() == before
    assert tables.execute(
        "FROM recommend(6, weights => {relevance: 1}, as_of => TIMESTAMP '2000-01-01')"
    ).fetchall() == [
        row for row in tables.execute("FROM recommend(NULL, weights => {relevance: 1})").fetchall()
    ]


@pytest.mark.parametrize(
    ("basket", "other"), [("CAT FOOD", "DOG FOODS"), ("DOG FOODS", "CAT FOOD")]
)
def test_a_basket_counts_as_a_history(journey: Connection, basket: str, other: str) -> None:
    bought = journey.execute(
        "SELECT product_id FROM orders JOIN products USING (product_id)"
        " WHERE product_category = ? GROUP BY product_id ORDER BY count(*) DESC LIMIT 5",
        [basket],
    ).fetchall()
    rows = journey.execute(
        "SELECT p.product_category FROM shop.recommend_for(?::BIGINT[], weights => {relevance: 1},"
        " exclude_seen => true, filter => 'product_category IN (''CAT FOOD'', ''DOG FOODS'')') AS r"
        " JOIN products AS p ON p.product_id = r.item_id",
        [[row[0] for row in bought]],
    ).fetchall()
    categories = [category for (category,) in rows]
    assert categories.count(basket) > categories.count(other)
    assert len(items(journey, "shop.recommend_for([])")) == 10
    assert items(journey, "shop.recommend_for([-1])") == items(journey, "recommend(NULL)")


def test_diversity_spreads_the_list(journey: Connection) -> None:
    def likeness(weight: float) -> float:
        rows = journey.execute(
            "WITH list AS (SELECT h.household_id, r.item_id, t.embedding FROM"
            " (SELECT DISTINCT household_id FROM orders ORDER BY ALL LIMIT 50) AS h,"
            " shop.recommend(h.household_id, weights => [1, 0, ?, 0]) AS r"
            " JOIN shop.item_vectors AS v USING (item_id) JOIN shop.texts AS t USING (text_id))"
            "SELECT avg(list_inner_product(a.embedding, b.embedding)) FROM list AS a JOIN list AS b"
            " ON a.household_id = b.household_id AND a.item_id < b.item_id",
            [weight],
        ).fetchall()
        return float(rows[0][0])

    values = [likeness(weight) for weight in (-0.5, 0, 0.5, 2)]
    assert values[0] > values[1] > values[2] > values[3]


def test_default_weights_can_be_updated(tables: Connection) -> None:
    tables.execute(CREATE_SMALL).fetchall()
    wanted = items(tables, "recommend(1, weights => {margin: 1})")
    tables.execute("UPDATE shop.objectives SET default_weight = (objective = 'margin')::INT")
    assert items(tables, "recommend(1)") == wanted


BAD = {
    "weights => [1, 2]": "weights: 2 values came, but 4 are needed",
    "weights => [0, 0, 0, 0]": "weights: all are 0",
    "weights => ['nan'::DOUBLE, 1, 1, 1]": "weights: .*not a finite number|weights: .*neither",
    "weights => ['inf'::DOUBLE, 1, 1, 1]": "weights: .*not a finite number|weights: .*neither",
    "weights => [1, NULL, 1, 1]": "weights: None for .* is not a finite number",
    "weights => {relevanse: 1}": "weights: unknown objective 'relevanse'; did you mean 'relevance'",
    "weights => 'relevance'": "weights: 'relevance' is neither in the table weight_presets .* nor a list or a struct",
    "weights => {relevance: 'much'}": "weights: 'much' for relevance is not a finite number",
    "k => 0": "k: 0 is not a whole number from 1",
    "k => -5": "k: -5 is not a whole number from 1",
    "k => NULL": "k: NULL is not a whole number from 1",
    "filter => 'price'": "filter: 'price' is .*, but a predicate must be BOOLEAN",
    "filter => ''": "filter: a SQL expression is needed, not ''",
    "filter => 'prise > 1'": "filter: .*unknown column 'prise'; did you mean 'price'",
    "filter => 'price > 1; DROP TABLE products'": "filter: .*more than one",
    "filter => '1 = 1) OR (1 = 1'": "filter: .*is not a SQL expression",
    "filter => 'price > '": "filter: .*is not a SQL expression",
    "filter => 'true FROM products'": "filter: .*more than one",
    "filter => 'sum(price) > 1'": "filter: .*aggregates",
    "filter => 'price > ''many'''": "filter: .*cannot be evaluated",
    "filter => 'no_such(price) > 1'": "filter: .*cannot be evaluated",
}


@pytest.mark.parametrize("argument", BAD)
def test_bad_arguments_get_one_sentence(small: Connection, argument: str) -> None:
    with pytest.raises(duckdb.Error, match=BAD[argument]) as error:
        small.execute(f"FROM recommend(1, {argument})").fetchall()
    assert "\n" not in str(error.value).split("MorecError: ")[1].strip()
    assert small.execute("SELECT count(*) FROM products").fetchall() == [(22,)]


def test_a_recommender_that_does_not_exist(small: Connection) -> None:
    with pytest.raises(duckdb.Error, match="does not exist"):
        small.execute("FROM shopp.recommend(1)").fetchall()


def test_a_user_id_that_cannot_be_cast_is_unknown(small: Connection) -> None:
    unknown = small.execute("FROM recommend(NULL)").fetchall()
    assert small.execute("FROM recommend('me')").fetchall() == unknown


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("k => 5.7", "k: 5.7 is not a whole number"),
        ("k => 'many'", "k: nan is not a whole number"),
        ("as_of => 'once'", "as_of: once is no time"),
        ("exclude_seen => 'perhaps'", "exclude_seen: perhaps is neither true nor false"),
        ("weights => ['1', '2', '3', '4']", "weights: '1' for relevance is not a finite number"),
    ],
)
def test_arguments_of_another_type_are_named(small: Connection, argument: str, said: str) -> None:
    with pytest.raises(duckdb.Error, match=said):
        small.execute(f"FROM recommend(1, {argument})").fetchall()
    assert small.execute("FROM recommend(1, k => '5', exclude_seen => 1)").fetchall()
