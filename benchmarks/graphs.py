"""What graphs are worth: friends on Last.fm, and categories of items on Complete Journey.

- user_graph: a quarter of the users of Last.fm (HetRec 2011, as LightGCN's authors ship it)
  is left out of the training. Of what they listened to 0, 1, 3 or 10 artists, drawn at random, are
  put back as events, without training anew; their lists of 20 are measured by the rest, with the
  friendships and by a recommender without.
- item_graph: a tenth of the products of Complete Journey with ten buyers or more in weeks 1 to 49
  is cut down to their first 0, 1 or 3 events. Lists of 20 of these products alone, for households
  who bought one of them in weeks 50 to 53, by behaviour alone, with the tree product > type >
  category > department, with the texts of the same, and with both.

Run: python benchmarks/graphs.py [FOLDER of lastfm.parquet and lastfm_friends.parquet]
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
from sources import CUT, FOUND

import morec_sql
from morec_sql.clients import demo

LASTFM = """
CREATE TABLE listened AS SELECT user_id, item_id FROM read_parquet('{folder}/lastfm.parquet');
CREATE TABLE friends AS FROM read_parquet('{folder}/lastfm_friends.parquet');
CREATE TABLE held_out AS
SELECT DISTINCT user_id FROM listened
WHERE hash(user_id) % 4 = 0 AND user_id IN (SELECT user_id FROM friends);
CREATE TABLE listens AS FROM listened ANTI JOIN held_out USING (user_id);
CREATE TABLE lists (model VARCHAR, user_id BIGINT, rank BIGINT, item_id BIGINT);
"""
PUT_BACK = """
DELETE FROM listens WHERE user_id IN (FROM held_out);
INSERT INTO listens
SELECT l.user_id, l.item_id
FROM listened AS l SEMI JOIN held_out AS h ON h.user_id = l.user_id
QUALIFY row_number() OVER (PARTITION BY l.user_id ORDER BY hash(l.user_id, l.item_id)) <= {cut};
CREATE OR REPLACE TABLE truth AS
SELECT l.user_id, l.item_id
FROM listened AS l SEMI JOIN held_out AS h ON h.user_id = l.user_id
ANTI JOIN listens AS k ON k.user_id = l.user_id AND k.item_id = l.item_id;
"""
ASKED = """
INSERT INTO lists
SELECT '{model}', h.user_id, r.rank, r.item_id
FROM held_out AS h,
    {name}.recommend(
        h.user_id, weights => {{relevance: 1}}, k => 20, exclude_seen => true
    ) AS r
"""
JOURNEY = """
CREATE TABLE sold AS FROM orders WHERE quantity > 0;
CREATE TABLE few AS
SELECT product_id FROM sold
WHERE transaction_timestamp < {cut}
GROUP BY product_id
HAVING count(DISTINCT household_id) >= 10 AND hash(product_id) % 10 = 0;
CREATE TABLE truth AS
SELECT DISTINCT s.household_id AS user_id, s.product_id AS item_id
FROM sold AS s SEMI JOIN few AS f ON f.product_id = s.product_id
WHERE s.transaction_timestamp >= {cut};
CREATE TABLE asked AS SELECT DISTINCT user_id FROM truth;
CREATE TABLE kinds AS
SELECT DISTINCT
    department,
    concat(department, ' > ', product_category) AS category,
    concat(department, ' > ', product_category, ' > ', product_type) AS kind
FROM products;
CREATE TABLE tree AS
SELECT
    CAST(product_id AS VARCHAR) AS node,
    concat(department, ' > ', product_category, ' > ', product_type) AS above
FROM products
UNION
SELECT kind, category FROM kinds
UNION
SELECT category, department FROM kinds;
CREATE TABLE lists (model VARCHAR, user_id BIGINT, rank BIGINT, item_id BIGINT);
"""
PAST = """
CREATE OR REPLACE VIEW past AS
SELECT s.* FROM sold AS s
WHERE s.transaction_timestamp < {cut}
QUALIFY
    s.product_id NOT IN (FROM few)
    OR row_number() OVER (PARTITION BY s.product_id ORDER BY s.transaction_timestamp) <= {events}
"""
OF_FEW = """
INSERT INTO lists
SELECT '{model}', a.user_id, r.rank, r.item_id
FROM asked AS a,
    bench.recommend(
        a.user_id, weights => {{relevance: 1}}, k => 20,
        filter => 'product_id IN (SELECT product_id FROM few)'
    ) AS r
"""
SOURCES = {
    "without": "",
    "tree": "item_graph => 'tree(node, above)',",
    "texts": "text => ['department', 'product_category', 'product_type'],",
    "tree and texts": "text => ['department', 'product_category', 'product_type'],"
    " item_graph => 'tree(node, above)',",
}


def show(con: duckdb.DuckDBPyConnection, title: str) -> None:
    print(f"{title}\n{con.sql(FOUND.format(truth='truth'))}", flush=True)
    con.execute("DELETE FROM lists")


def friends(folder: Path) -> None:
    con = morec_sql.connect()
    con.execute(LASTFM.format(folder=folder))
    for name, more in (
        ("without", ""),
        ("friends", ", user_graph => 'friends(user_id, friend_id)'"),
    ):
        stages = con.execute(
            f"FROM create_recommender('of_{name}', events => 'listens'{more})"
        ).fetchall()
        for stage, rows, _ in stages:
            if stage.startswith("user_graph"):
                print(f"  {stage} ({rows})", flush=True)
    for cut in (0, 1, 3, 10):
        con.execute(PUT_BACK.format(cut=cut))
        for name in ("without", "friends"):
            con.execute(ASKED.format(model=name, name=f"of_{name}"))
        show(con, f"Last.fm, users with {cut} artists")


def categories() -> None:
    con = morec_sql.connect()
    demo.load_warehouse(con)
    con.execute(JOURNEY.format(cut=CUT))
    for events in (0, 1, 3):
        con.execute(PAST.format(cut=CUT, events=events))
        for model, source in SOURCES.items():
            stages = con.execute(
                "FROM create_recommender('bench', events => 'past', user_id => 'household_id',"
                " item_id => 'product_id', event_time => 'transaction_timestamp', items =>"
                f" 'products', {source} replace => true)"
            ).fetchall()
            for stage, rows, seconds in stages:
                if stage.startswith("item_graph") or stage == "train":
                    print(f"  {model}: {stage} ({rows}) {seconds or ''}", flush=True)
            con.execute(OF_FEW.format(model=model))
        show(con, f"Complete Journey, products with {events} events")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        friends(Path(sys.argv[1]))
    categories()
