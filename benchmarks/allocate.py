"""What limits that bind all users together cost, and how near the best lists come.

On Complete Journey (2,469 households): against the exact optimum of an integer program (HiGHS) for
some of the households, and against first come, first served for all; then time and gap on
generated orders of 100,000 users and 68,260 items.

Run: python benchmarks/allocate.py [demo.duckdb], the warehouse that `morec demo` makes
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
from rich.console import Console
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, vstack
from speed import CREATE, EVENTS, ITEMS, NARROW, USERS, generate

import morec_sql
from morec_sql.clients import demo

WEIGHTS = "weights => {relevance: 0.8, private_label: 0.2}"
SOME = "SELECT DISTINCT household_id FROM orders WHERE household_id % 10 = 0"
# by what is allowed: SQL of the limits, what each item may have, and what all may
EXACT = {
    "each product 8 times": ("{each: '8'}", 8, None),
    "200 in all": ("{total: 200}", None, 200),
    "each 8 times, 400 in all": ("{each: '8', total: 400}", 8, 400),
}
LARGE = {
    "no limits": "k => 10",
    "stock of a year's orders and 25": "k => 10, limits => {stock: 'stock'}",
    "each item 200 times": "k => 10, limits => {each: '200'}",
    "5,000 coupons, one each": "k => 1, limits => {coupons: 5000}",
    "2,000 places for every category": "k => 10, min_per => {category: 2000}",
}


def rows(con: duckdb.DuckDBPyConnection, query: str) -> list[Any]:
    return con.execute(query).fetchall()


def exactly(con: duckdb.DuckDBPyConnection) -> None:
    """Against an integer program over the 300 best products of a department."""
    only = f"k => 300, {WEIGHTS}, filter => 'department = ''PRODUCE'''"
    pairs = rows(
        con,
        f"SELECT u.household_id, r.item_id, r.score FROM ({SOME}) AS u,"
        f" shop.recommend(u.household_id, {only}) AS r",
    )
    user, item = (np.unique([pair[at] for pair in pairs], return_inverse=True)[1] for at in (0, 1))
    score, places = np.array([pair[2] for pair in pairs]), np.arange(len(pairs))
    print("| PRODUCE for 247 households, 5 each | exact | ours | short, % | gap, % |")
    print("|---|---|---|---|---|")
    for said, (limits, each, every) in EXACT.items():
        ones = np.ones(len(pairs))
        parts, most = [coo_array((ones, (user, places)))], [np.full(user.max() + 1, 5.0)]
        if each is not None:
            parts.append(coo_array((ones, (item, places))))
            most.append(np.full(item.max() + 1, float(each)))
        if every is not None:
            parts.append(coo_array(ones[None]))
            most.append(np.array([float(every)]))
        program = LinearConstraint(vstack(parts).tocsr(), ub=np.concatenate(most))
        best = milp(
            -(score - score.min()), constraints=program, bounds=Bounds(0, 1), integrality=ones
        )
        chosen = best.x > 0.5
        exact = score[chosen].sum()
        arguments = (
            f"users => '{SOME}', k => 5, {WEIGHTS}, limits => {limits},"
            " filter => 'department = ''PRODUCE'''"
        )
        ours, gap = rows(
            con, f"SELECT value, gap FROM shop.allocation_limits({arguments}) LIMIT 1"
        )[0]
        print(
            f"| {said} | {exact:.1f} | {ours:.1f} | {100 * (1 - ours / exact):.3f} |"
            f" {100 * gap:.3f} |",
            flush=True,
        )


def served(con: duckdb.DuckDBPyConnection) -> None:
    """Against first come, first served, in the order of the households."""
    lists = rows(
        con,
        "SELECT u.household_id, r.item_id, r.score"
        " FROM (SELECT DISTINCT household_id FROM orders) AS u,"
        f" shop.recommend(u.household_id, k => 400, {WEIGHTS}) AS r"
        " ORDER BY u.household_id, r.rank",
    )
    print("\n| 20 products for 2,469 households | first come | ours | more, % | gap, % | s |")
    print("|---|---|---|---|---|---|")
    for each in (50, 20, 5):
        left: Counter[int] = Counter()
        has: Counter[int] = Counter()
        total = 0.0
        for user, item, score in lists:
            if has[user] < 20 and left[item] < each:
                has[user] += 1
                left[item] += 1
                total += score
        began = time.perf_counter()
        arguments = f"k => 20, {WEIGHTS}, limits => {{each: '{each}'}}"
        ours, gap = rows(
            con, f"SELECT value, gap FROM shop.allocation_limits({arguments}) LIMIT 1"
        )[0]
        seconds = time.perf_counter() - began
        print(
            f"| each at most {each} times | {total:.0f} | {ours:.0f} |"
            f" {100 * (ours / total - 1):.2f} | {100 * gap:.3f} | {seconds:.0f} |",
            flush=True,
        )


def large() -> None:
    """Time on generated orders."""
    con = morec_sql.connect()
    con.execute("SET enable_progress_bar = false")
    generate(con, USERS, ITEMS, EVENTS)
    con.execute("ALTER TABLE products ADD COLUMN stock BIGINT")
    con.execute(
        "UPDATE products SET stock = 25 +"
        " (SELECT count(*) FROM events AS e WHERE e.item_id = products.item_id)"
    )
    rows(con, CREATE.format(more=NARROW))
    print(f"\n| {USERS:,} users, {ITEMS:,} items | s | times the lists | places | gap, % |")
    print("|---|---|---|---|---|")
    plain = 0.0
    for said, arguments in LARGE.items():
        began = time.perf_counter()
        (places,) = rows(con, f"SELECT count(*) FROM shop.allocate({arguments})")[0]
        seconds = time.perf_counter() - began
        plain = plain or seconds
        gaps = rows(con, f"SELECT gap FROM shop.allocation_limits({arguments}) LIMIT 1")
        gap = f"{100 * gaps[0][0]:.2f}" if gaps and gaps[0][0] is not None else ""
        print(
            f"| {said} | {seconds:.0f} | {seconds / plain:.1f} | {places:,} | {gap} |", flush=True
        )


def main(path: Path) -> None:
    if not path.exists():
        demo.run(path, Console(quiet=True))
    with morec_sql.connect(path) as con:
        exactly(con)
        served(con)
    large()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with TemporaryDirectory() as folder:
            main(Path(folder) / "demo.duckdb")
