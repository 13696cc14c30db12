"""What attributes of users and the context of events are worth, on Complete Journey.

- Attributes: the 801 households with demographics in five folds. For each the recommender is made
  of weeks 1 to 49 without any event of the fold's households, as if they came new in week 50. Their
  lists (20 of all products) are measured against what they bought in weeks 50 to 53, with
  attributes and without (the list of an unknown user).
- Context: the recommender is made of weeks 1 to 49. 6,000 visits of weeks 50 to 53 get a list of 20
  for their household with the context of the visit, and one without; the truth is what was bought.

Run: python benchmarks/sources.py
"""

from __future__ import annotations

import duckdb

import morec_sql
from morec_sql.clients import demo

CUT = "TIMESTAMP '2017-12-04 05:00:00'"
FEATURES = (
    "['age', 'income', 'home_ownership', 'marital_status', 'household_size', 'household_comp',"
    " 'kids_count']"
)
TABLES = """
CREATE TABLE sold AS FROM orders WHERE quantity > 0;
CREATE TABLE folds AS
SELECT household_id, CAST(hash(household_id) % 5 AS INTEGER) AS fold FROM households;
CREATE TABLE first_weeks AS
SELECT DISTINCT s.household_id AS user_id, s.product_id AS item_id
FROM sold AS s
SEMI JOIN folds AS f ON f.household_id = s.household_id
WHERE s.transaction_timestamp >= {cut};
CREATE TABLE lists (model VARCHAR, user_id BIGINT, rank BIGINT, item_id BIGINT);
CREATE TABLE visits AS
SELECT
    basket_id AS user_id,
    any_value(household_id) AS household_id,
    any_value(store_id) AS store_id,
    CAST(hour(any_value(transaction_timestamp)) AS INTEGER) AS hour,
    CAST(isodow(any_value(transaction_timestamp)) AS INTEGER) AS weekday
FROM sold
WHERE transaction_timestamp >= {cut}
GROUP BY basket_id
ORDER BY hash(basket_id)
LIMIT 6000;
CREATE TABLE bought AS
SELECT DISTINCT s.basket_id AS user_id, s.product_id AS item_id
FROM sold AS s SEMI JOIN visits AS v ON v.user_id = s.basket_id;
CREATE TABLE past AS FROM sold WHERE transaction_timestamp < {cut};
"""
CREATE = """
FROM create_recommender(
    'bench', events => '{events}', user_id => 'household_id', item_id => 'product_id',
    event_time => 'transaction_timestamp', {more}, replace => true
)
"""
FIRST = """
INSERT INTO lists
SELECT '{model}', f.household_id, r.rank, r.item_id
FROM folds AS f, bench.recommend({user}, weights => {{relevance: 1}}, k => 20) AS r
WHERE f.fold = {fold}
"""
VISITS = """
INSERT INTO lists
SELECT '{model}', v.user_id, r.rank, r.item_id
FROM visits AS v,
    bench.recommend(v.household_id, weights => {{relevance: 1}}, k => 20, context => {context}) AS r
"""
# means, and each model beside the first one, of the same users
FOUND = """
WITH measured AS (
    SELECT model, user_id, ndcg FROM ranking_metrics('lists', '{truth}', k => 20)
)
SELECT
    m.model,
    count(*) AS lists,
    round(avg(m.ndcg), 4) AS ndcg,
    round(avg(m.ndcg - b.ndcg), 4) AS gain,
    round(stddev_samp(m.ndcg - b.ndcg) / sqrt(count(*)), 4) AS error
FROM measured AS m
JOIN measured AS b ON b.user_id = m.user_id AND b.model = 'without'
GROUP BY m.model
ORDER BY min(m.model <> 'without'), m.model
"""


def create(con: duckdb.DuckDBPyConnection, events: str, more: str) -> None:
    for stage, rows, _ in con.execute(CREATE.format(events=events, more=more)).fetchall():
        if stage.startswith(("user features", "context")):
            print(f"  {stage} ({rows})", flush=True)


def show(con: duckdb.DuckDBPyConnection, title: str, truth: str) -> None:
    print(f"{title}\n{con.sql(FOUND.format(truth=truth))}", flush=True)
    con.execute("DELETE FROM lists")


def visits(con: duckdb.DuckDBPyConnection) -> None:
    contexts = "['store_id', 'hour(transaction_timestamp)', 'isodow(transaction_timestamp)']"
    create(con, "past", f"context => {contexts}")
    for model, context in (
        ("without", "NULL"),
        ("store", "{store_id: v.store_id}"),
        ("store, hour, weekday", "{store_id: v.store_id, hour: v.hour, isodow: v.weekday}"),
    ):
        con.execute(VISITS.format(model=model, context=context))
    show(con, "Lists for visits of weeks 50 to 53", "bought")


def first_lists(con: duckdb.DuckDBPyConnection) -> None:
    for fold in range(5):
        con.execute(
            "CREATE OR REPLACE VIEW others AS SELECT s.* FROM past AS s ANTI JOIN"
            f" (FROM folds WHERE fold = {fold}) AS f ON f.household_id = s.household_id"
        )
        create(con, "others", f"users => 'households', user_features => {FEATURES}")
        for model, user in (("without", "NULL"), ("with attributes", "f.household_id")):
            con.execute(FIRST.format(model=model, user=user, fold=fold))
    show(con, "First lists of households of whom nothing but demographics is known", "first_weeks")


if __name__ == "__main__":
    warehouse = morec_sql.connect()
    demo.load_warehouse(warehouse)
    warehouse.execute(TABLES.format(cut=CUT))
    visits(warehouse)
    first_lists(warehouse)
