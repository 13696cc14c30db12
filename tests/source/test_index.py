"""An index of the users' own table stays in use."""

from __future__ import annotations

import duckdb
import pytest

from tests.conftest import create

Connection = duckdb.DuckDBPyConnection


@pytest.mark.parametrize(
    ("user", "item"), [("BIGINT", "BIGINT"), ("VARCHAR", "BIGINT"), ("VARCHAR", "VARCHAR")]
)
def test_the_events_of_a_user_are_found_by_an_index(
    tables: Connection, user: str, item: str
) -> None:
    tables.execute(
        f"ALTER TABLE orders ALTER customer_id TYPE {user};"
        f"ALTER TABLE orders ALTER product_id TYPE {item};"
        f"ALTER TABLE products ALTER product_id TYPE {item};"
        "CREATE TABLE many AS SELECT o.* FROM orders AS o, range(20)"
    )
    shown = "'shown(customer_id, product_id, ordered_at, quantity)'"
    tables.execute("CREATE TABLE shown AS FROM many")
    create(tables, events="'many'", impressions=shown)
    tables.execute(
        "CREATE INDEX of_users ON many (customer_id);CREATE INDEX of_viewers ON shown (customer_id)"
    )
    for columns, view in (("max(event_time)", "events"), ("max(place)", "impressions")):
        plan = tables.execute(
            f"EXPLAIN ANALYZE SELECT count(*), max(item_id), {columns} FROM shop.{view}"
            f" WHERE user_id = greatest('7'::{user})"
        ).fetchall()[0][1]
        assert "Index Scan" in plan
