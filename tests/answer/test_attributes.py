"""Attributes of users: first lists, by what is known of someone beside the events."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

import morec_sql
from tests.answer.test_items import rows
from tests.conftest import SMALL, catalogue_of, create

# even users buy from the kitchen (items below 10), odd ones from the garage
CUSTOMERS = """
CREATE TABLE customers AS
SELECT
    u AS customer_id,
    CASE WHEN u % 2 = 0 THEN 'Cook' ELSE ' builder' END AS trade,
    CASE WHEN u % 2 = 0 THEN 20 + u % 30 ELSE 60 + u % 30 END + u / 1000 AS age,
    DATE '2000-01-01' - CAST(CASE WHEN u % 2 = 0 THEN u * 7 % 60 ELSE 20000 + u * 7 % 60 END AS INTEGER) AS born,
    [CASE WHEN u % 2 = 0 THEN 'pans' ELSE 'nails' END, 'all'] AS likes,
    CASE WHEN u % 2 = 0 THEN 'I cook for ' || u ELSE 'we hammer at ' || u END AS about,
    u % 2 = 0 AS eats,
    CAST(5000000000 + u % 2 AS BIGINT) AS branch,
    'secret ' || u AS secret,
    u // 2 % 3 AS noise,
    {a: 1} AS odd
FROM range(70) AS t(u)
"""
KITCHEN, GARAGE = set(range(10)), set(range(10, 20))


def shop_with(features: str) -> tuple[duckdb.DuckDBPyConnection, dict[str, int]]:
    con = morec_sql.connect()
    con.execute(SMALL)
    con.execute(CUSTOMERS)
    stages = create(con, users="'customers'", user_features=features)
    return con, {stage: count for stage, count, _ in stages if stage.startswith("user features")}


def first(con: duckdb.DuckDBPyConnection, user: str | int) -> set[int]:
    """The first five items by relevance."""
    query = f"SELECT item_id FROM shop.recommend({user}, weights => {{relevance: 1}}, k => 5)"
    return {row[0] for row in rows(con, query)}


@pytest.fixture(scope="module")
def shop() -> Iterator[duckdb.DuckDBPyConnection]:
    con, stages = shop_with("['trade', 'secret', 'noise']")
    # two trades and three kinds of noise; what one user alone has is no label
    assert stages["user features: labels of 5 users or more"] == 5
    (said,) = (stage for stage in stages if "nDCG" in stage)
    assert said.endswith(", used")
    query = "SELECT source, lists, count, used, ndcg - ndcg_without > 2.5 * error FROM shop.sources"
    assert rows(con, query) == [("user_features", "first lists", 60, True, True)]
    yield con
    con.close()


def test_someone_without_events_gets_the_list_of_their_like(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    assert first(shop, 60) <= KITCHEN
    assert first(shop, 61) <= GARAGE
    everyone = first(shop, "NULL")
    assert everyone & KITCHEN
    assert everyone & GARAGE
    personal = "SELECT DISTINCT personal FROM shop.recommend({})"
    assert rows(shop, personal.format(60)) == [(True,)]
    assert rows(shop, personal.format("NULL")) == [(False,)]


def test_it_is_the_table_of_now(shop: duckdb.DuckDBPyConnection) -> None:
    shop.execute("BEGIN")
    shop.execute("UPDATE customers SET trade = 'COOK ' WHERE customer_id = 61")
    assert first(shop, 61) <= KITCHEN
    shop.execute("INSERT INTO customers (customer_id, trade) VALUES (99, 'builder')")
    assert first(shop, 99) <= GARAGE
    # several rows say it all; a trade that nobody had says nothing
    shop.execute("INSERT INTO customers (customer_id, trade) VALUES (99, 'pilot'), (98, 'pilot')")
    assert first(shop, 99) <= GARAGE
    assert first(shop, 98) == first(shop, "NULL")
    shop.execute("ROLLBACK")
    assert first(shop, 61) <= GARAGE


def test_it_fades_into_what_they_do(shop: duckdb.DuckDBPyConnection) -> None:
    def attribute(user: int) -> float:
        query = f"SELECT sum(contribution) FROM shop.explain({user}, 17) WHERE kind = 'attribute'"
        return float(rows(shop, query)[0][0] or 0)

    shop.execute("BEGIN")
    before = attribute(61)
    shop.execute("INSERT INTO orders SELECT 61, i, TIMESTAMP '2024-03-30', 1 FROM range(9) AS t(i)")
    after = attribute(61)
    assert first(shop, 61) <= KITCHEN
    shop.execute("ROLLBACK")
    assert 0 < after < before


def test_a_query_can_do_without_them(shop: duckdb.DuckDBPyConnection) -> None:
    query = (
        "SELECT item_id FROM shop.recommend(61, weights => {{relevance: 1}}, k => 5, without => {})"
    )
    assert {item for (item,) in rows(shop, query.format("['user_features']"))} == first(
        shop, "NULL"
    )
    assert {item for (item,) in rows(shop, query.format("'context'"))} == first(shop, 61)


def test_of_many_users_as_of_one(shop: duckdb.DuckDBPyConnection) -> None:
    together = rows(
        shop,
        "SELECT u.user_id, r.rank, r.item_id, r.score FROM"
        " (SELECT range AS user_id FROM range(50, 75)) AS u,"
        " shop.recommend(u.user_id, k => 4) AS r ORDER BY ALL",
    )
    alone = [
        (user, *row)
        for user in range(50, 75)
        for row in rows(shop, f"SELECT rank, item_id, score FROM shop.recommend({user}, k => 4)")
    ]
    alone.sort()
    assert [row[:3] for row in together] == [row[:3] for row in alone]
    assert [row[3] for row in together] == pytest.approx([row[3] for row in alone], abs=1e-5)
    scores = rows(
        shop,
        "SELECT u.user_id, round(shop.score(u.user_id, 3), 5) FROM"
        " (SELECT range AS user_id FROM range(50, 75)) AS u",
    )
    by_item = {user: score for user, _, item, score in together if item == 3}
    assert by_item
    for user, _score in by_item.items():
        listed = "SELECT contributions.relevance + contributions.novelty FROM shop.recommend({})"
        found = [row[0] for row in rows(shop, listed.format(f"{user}, k => 22"))]
        assert any(abs(dict(scores)[user] - one) < 1e-4 for one in found)


def test_reasons_name_them_and_add_up(shop: duckdb.DuckDBPyConnection) -> None:
    for user, item in ((60, 4), (61, 4), (60, 17)):
        total, named = rows(
            shop,
            "SELECT sum(contribution), list(name) FILTER (kind = 'attribute' AND name LIKE 'trade%')"
            f" FROM shop.explain({user}, {item}, weights => {{relevance: 1}})",
        )[0]
        score = f"SELECT shop.score({user}, {item}, weights => {{relevance: 1}})"
        assert total == pytest.approx(rows(shop, score)[0][0], abs=1e-5)
        assert named == ["trade=cook" if user % 2 == 0 else "trade=builder"]


def test_someone_who_is_nowhere(shop: duckdb.DuckDBPyConnection) -> None:
    def given(attributes: str, basket: str = "[]") -> set[int]:
        query = (
            f"SELECT item_id FROM shop.recommend_for({basket}, attributes => {attributes},"
            " weights => {relevance: 1}, k => 5)"
        )
        return {row[0] for row in rows(shop, query)}

    for user in (60, 61):
        trade, noise = rows(shop, f"SELECT trade, noise FROM customers WHERE customer_id = {user}")[
            0
        ]
        same = f"{{noise: {noise}, trade: ' {trade.upper()}'}}"
        assert given(same) == first(shop, user)
    assert given("{'trade': NULL, noise: 77}") == given("NULL") == first(shop, "NULL")
    # a basket says something, too
    rank = (
        "SELECT rank FROM shop.recommend_for({}, attributes => {{trade: 'cook'}}, k => 22)"
        " WHERE item_id = 14"
    )
    alone, with_basket = (rows(shop, rank.format(one))[0][0] for one in ("[]", "[11, 12, 13]"))
    assert with_basket < alone
    query = (
        "SELECT t.trade, r.item_id FROM (VALUES ('cook'), ('builder')) AS t(trade),"
        " shop.recommend_for([], attributes => {trade: t.trade}, k => 3) AS r"
    )
    assert all((item in KITCHEN) == (trade == "cook") for trade, item in rows(shop, query))
    query = "SELECT DISTINCT personal FROM shop.recommend_for([], attributes => {})"
    assert rows(shop, query.format("{trade: 'cook'}")) == [(True,)]
    assert rows(shop, query.format("{trade: 'pilot'}")) == [(False,)]
    names = "SELECT name FROM shop.explain_basket([], 4, attributes => {trade: 'cook'}) WHERE kind = 'attribute'"
    assert rows(shop, names) == [("trade=cook",)]


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        (
            "{tarde: 'cook'}",
            'attributes: {"tarde":"cook"} is not a struct by names of user_features',
        ),
        (
            "'cook'",
            "attributes: .* is not a struct by names of user_features: trade, secret, noise",
        ),
        ("['cook']", "attributes: .* is not a struct by names of user_features"),
    ],
)
def test_attributes_that_there_are_not(
    shop: duckdb.DuckDBPyConnection, attributes: str, said: str
) -> None:
    with pytest.raises(duckdb.Error, match=said):
        shop.execute(f"FROM shop.recommend_for([], attributes => {attributes})")


@pytest.mark.parametrize("feature", ["age", "born", "likes", "about", "eats", "branch"])
def test_numbers_dates_lists_texts_truth_values_and_codes(feature: str) -> None:
    con, _ = shop_with(f"['{feature}']")
    assert first(con, 60) <= KITCHEN
    assert first(con, 61) <= GARAGE
    row = rows(con, f"SELECT {feature} FROM customers WHERE customer_id = 60")[0]
    found = con.execute(
        f"SELECT item_id FROM shop.recommend_for([], attributes => {{'{feature}': ?}}, k => 5,"
        " weights => {relevance: 1})",
        row,
    ).fetchall()
    assert {item for (item,) in found} == first(con, 60)
    con.close()


def test_nothing_of_a_person_is_kept(shop: duckdb.DuckDBPyConnection) -> None:
    kept = rows(shop, "SELECT unnest(labels, recursive := true) FROM shop.archive")
    assert {row[0] for row in kept} == {
        "trade=cook", "trade=builder", "noise=0", "noise=1", "noise=2",
    }  # fmt: skip
    assert min(row[1] for row in kept) >= 5
    tables = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'shop'"
    for (table,) in rows(shop, tables):
        found = rows(
            shop,
            f"SELECT count(*) FROM shop.{table} AS t WHERE CAST(t AS VARCHAR) LIKE '%secret 7%'",
        )
        assert found == [(0,)], table


def test_what_says_nothing_is_not_used() -> None:
    con, stages = shop_with("['noise']")
    (said,) = (stage for stage in stages if "nDCG" in stage)
    assert said.endswith("not used")
    assert rows(con, "SELECT len(labels) FROM shop.archive") == [(0,)]
    assert first(con, 60) == first(con, 61) == first(con, "NULL")
    # it may be given all the same
    con.execute("FROM shop.recommend_for([], attributes => {noise: 1})")
    con.close()


def test_versions_have_their_own() -> None:
    con, _ = shop_with("['trade']")
    with_trade = first(con, 61)
    create(con, users="'customers'", replace="true")
    assert first(con, 61) == first(con, "NULL") != with_trade
    with pytest.raises(duckdb.Error, match="attributes: the recommender has no user_features"):
        con.execute("FROM shop.recommend_for([], attributes => {trade: 'cook'})")
    con.execute("FROM use_version('shop', 1)")
    assert first(con, 61) == with_trade
    con.execute("FROM refresh_items('shop')")
    con.execute("FROM refresh_objectives('shop')")
    assert first(con, 61) == with_trade
    con.execute("FROM drop_recommender('shop')")
    con.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"user_features": "['trade']"}, "user_features: it names columns of users, but users"),
        (
            {"user_features": "['tarde']"},
            "user_features: .* no column 'tarde'; did you mean 'trade'",
        ),
        (
            {"user_features": "['customer_id']"},
            "user_features: 'customer_id' is the id of the users",
        ),
        ({"user_features": "['odd']"}, "user_features: 'odd' is 'STRUCT.* but labels are made of"),
        ({"user_features": "3"}, "user_features: a list of column names is needed, not 3"),
    ],
)
def test_features_that_are_none(
    tables: duckdb.DuckDBPyConnection, arguments: dict[str, str], said: str
) -> None:
    tables.execute(CUSTOMERS)
    before = catalogue_of(tables)
    if "it names" not in said:
        arguments = {"users": "'customers'", **arguments}
    with pytest.raises(duckdb.Error, match=said):
        create(tables, **arguments)
    assert catalogue_of(tables) == before
