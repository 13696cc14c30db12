"""Relevance on Complete Journey: weeks 1 to 49 train, weeks 50 to 53 test, 68,260 products.

Run: python benchmarks/relevance.py
"""

from __future__ import annotations

import time
from pathlib import Path

import morec_sql
from morec_sql import demo

CUT = "TIMESTAMP '2017-12-04 05:00:00'"
CREATE = """
SELECT * FROM create_recommender(
    'bench',
    events => 'training_orders',
    user_id => 'household_id',
    item_id => 'product_id',
    event_time => 'transaction_timestamp',
    items => 'sold_products',
    text => ['department', 'product_category', 'product_type', 'brand']
)
"""


def main() -> None:
    con = morec_sql.connect()
    demo.load_warehouse(con)
    con.execute(f"""
        SET VARIABLE cut = {CUT};
        CREATE TABLE training_orders AS
            FROM orders WHERE transaction_timestamp < getvariable('cut') AND quantity > 0;
        CREATE TABLE sold_products AS
            SELECT o.product_id, p.* EXCLUDE (product_id)
            FROM (SELECT DISTINCT product_id FROM orders WHERE quantity > 0) AS o
            LEFT JOIN products AS p USING (product_id);
    """)
    began = time.perf_counter()
    con.execute(CREATE).fetchall()
    print(f"create_recommender: {time.perf_counter() - began:.1f} s")
    began = time.perf_counter()
    result = con.sql((Path(__file__).parent / "relevance.sql").read_text())
    result.show()
    print(f"ranking and metrics: {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
