"""The table of users: filters over it, and users without events."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

import morec_sql
from tests.answer.test_items import rows
from tests.conftest import SMALL, create

CUSTOMERS = """
CREATE TABLE customers AS
SELECT
    u AS customer_id,
    CASE WHEN u % 4 < 2 THEN 'gold' ELSE 'basic' END AS segment,
    'nobody' AS user_id
FROM range(70) AS t(u);
INSERT INTO customers VALUES (3, 'basic', 'twice'), (NULL, 'gold', 'no id')
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[duckdb.DuckDBPyConnection]:
    con = morec_sql.connect()
    con.execute(SMALL)
    con.execute(CUSTOMERS)
    stages = dict(row[:2] for row in create(con, users="'customers'"))
    assert stages["users: left out, no id"] == 1
    assert stages["users: id seen before, counted once"] == 1
    yield con
    con.close()


def test_a_segment_of_who_wants_an_item(shop: duckdb.DuckDBPyConnection) -> None:
    every = rows(shop, "SELECT user_id, score, personal FROM shop.users_for(12, k => 100)")
    # all customers once, and those without events behind the others, alike
    assert sorted(row[0] for row in every) == list(range(70))
    assert [row[0] for row in every if not row[2]] == list(range(60, 70))
    assert [row[2] for row in every] == [True] * 60 + [False] * 10
    assert len({row[1] for row in every[60:]}) == 1
    gold = rows(
        shop,
        "SELECT user_id, score, personal FROM shop.users_for(12, k => 100, filter => 'segment = ''gold''')",
    )
    assert gold == [row for row in every if row[0] % 4 < 2]
    assert rows(shop, "FROM shop.users_for(12, filter => 'segment = ''none''')") == []
    # the filter counts before k
    best = rows(
        shop, "SELECT user_id FROM shop.users_for(12, k => 3, filter => 'segment = ''basic''')"
    )
    assert best == [(row[0],) for row in every if row[0] % 4 >= 2][:3]
    # over other tables, and live
    shop.execute("CREATE TABLE asked AS SELECT 5 AS customer")
    query = "SELECT user_id FROM shop.users_for(12, filter => 'user_id IN (SELECT customer FROM asked)')"
    assert rows(shop, query) == [(5,)]
    shop.execute("INSERT INTO asked VALUES (69)")
    assert rows(shop, query) == [(5,), (69,)]


def test_several_items_and_segments_at_once(shop: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        shop,
        "SELECT i.item, u.user_id FROM (VALUES (2, 'segment = ''gold'''), (12, NULL)) AS i(item, who),"
        " shop.users_for(i.item, k => 2, filter => i.who) AS u",
    )
    assert sorted(row[0] for row in found) == [2, 2, 12, 12]
    assert all(user % 4 < 2 for item, user in found if item == 2)


def test_without_a_table_they_are_those_of_the_events(small: duckdb.DuckDBPyConnection) -> None:
    assert rows(small, "SELECT count(*), count(DISTINCT user_id) FROM shop.users") == [(60, 60)]
    found = rows(small, "SELECT user_id FROM shop.users_for(12, k => 60, filter => 'user_id < 10')")
    assert sorted(row[0] for row in found) == list(range(10))


@pytest.mark.parametrize(
    ("filter", "said"),
    [("segmnt = 1", "filter: .*segment"), ("segment", "filter: "), ("1 = 1; DROP TABLE orders", "filter: "),
     ("write_blob('x', 'y') > 0", "filter: ")],
)  # fmt: skip
def test_a_filter_that_is_none(shop: duckdb.DuckDBPyConnection, filter: str, said: str) -> None:
    with pytest.raises(duckdb.Error, match=said):
        shop.execute("FROM shop.users_for(12, filter => $f)", {"f": filter}).fetchall()


def test_the_view_has_the_columns_of_the_table(shop: duckdb.DuckDBPyConnection) -> None:
    assert rows(shop, "SELECT user_id, segment FROM shop.users WHERE customer_id = 7") == [
        (7, "basic")
    ]
    shop.execute("FROM refresh_recommender('shop')").fetchall()
    shop.execute("FROM use_version('shop', 1)").fetchall()
    assert rows(shop, "SELECT count(DISTINCT user_id) FROM shop.users") == [(70,)]
    shop.execute("FROM drop_recommender('shop')").fetchall()  # so this test is the last one
    assert rows(shop, "SELECT count(*) FROM customers") == [(72,)]
