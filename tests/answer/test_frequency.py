"""Rules of the kind frequency: what a table of what was shown has too often is not listed."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from tests.answer.test_rules import Connection, add, items, rows, with_customers


@pytest.fixture
def ruled() -> Iterator[Connection]:
    with with_customers() as con:
        yield con


def test_a_frequency_counts_what_was_shown(ruled: Connection) -> None:
    ruled.execute("""
        CREATE OR REPLACE TABLE shown AS
        SELECT 4 AS customer_id, 0 AS product_id, TIMESTAMP '2024-03-01' + INTERVAL (d) DAY AS at
        FROM range(3) AS t(d)
        UNION ALL SELECT 4, 3, TIMESTAMP '2024-03-02'
    """)
    how = ", exclude_seen => false, weights => {relevance: 1}, as_of => TIMESTAMP '2024-03-05'"
    plain, other = items(ruled, how, k=22), items(ruled, how, 6, 22)
    add(ruled, "often", "frequency", value="'3 in 7 days of shown'")
    assert items(ruled, how, k=22) == [item for item in plain if item != 0]
    assert items(ruled, how, 6, 22) == other
    # by now it is long ago
    assert 0 in items(ruled, ", exclude_seen => false", k=22)
    # and for many users at once
    lists = dict(
        ruled.execute(
            f"SELECT c.customer_id, list(r.item_id) FROM customers AS c,"
            f" recommend(c.customer_id, k => 22{how}) AS r GROUP BY ALL"
        ).fetchall()
    )
    assert [user for user, mine in lists.items() if 0 not in mine] == [4]
    add(ruled, "often", "frequency", value="'4 in 7 days of shown per category'", replace="true")
    assert set(items(ruled, how, k=22)) == set(range(10, 22))
    with pytest.raises(duckdb.Error, match=r"value: .* needs one column of times"):
        add(ruled, "bad", "frequency", value="'1 in 7 days of customers'")
    ruled.execute("DROP TABLE shown")
    found = rows(ruled, how, k=22)
    assert [row["item_id"] for row in found] == plain
    assert found[0]["unmet"] == ["rule: often: Table with name shown does not exist!"]


def test_what_was_shown_counts_alike_for_one_and_for_all(ruled: Connection) -> None:
    # ids as they come from logs: some are no customer's
    ruled.execute("""
        CREATE OR REPLACE TABLE shown AS
        SELECT
            CASE WHEN n % 50 = 0 THEN 'nobody' ELSE CAST(md5_number_lower('u' || n) % 70 AS VARCHAR) END
                AS customer_id,
            CASE WHEN n % 40 = 0 THEN 'banner' ELSE CAST(md5_number_lower('i' || n) % 25 AS VARCHAR) END
                AS product_id,
            TIMESTAMP '2024-03-01' + INTERVAL (n) MINUTE AS at
        FROM range(4000) AS t(n)
    """)
    add(ruled, "often", "frequency", value="'2 in 1 days of shown'")
    for moment in ("TIMESTAMP '2024-03-03'", "TIMESTAMP '2024-03-01' + to_days(c.customer_id % 3)"):
        how = f"k => 22, exclude_seen => false, as_of => {moment}"
        every = (
            "SELECT c.customer_id, r.item_id FROM customers AS c, recommend(c.customer_id, {}) AS r"
        )
        together = ruled.execute(every.format(how)).fetchall()
        alone = [
            row
            for user in range(60)
            for row in ruled.execute(f"{every.format(how)} WHERE c.customer_id = {user}").fetchall()
        ]
        assert sorted(together) == sorted(alone)
        assert len(together) < 60 * 22
    ruled.execute("DROP TABLE shown")
