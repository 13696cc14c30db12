"""What rules and constraints cost, on Complete Journey (68,260 products, 2,469 households).

One user and all of them at once, by point-wise objectives and with diversity, under rules of each
kind, under 200 of which 20 are in force, and under constraints as arguments, against the same lists
without them, in turn.

Run: python benchmarks/rules.py [demo.duckdb], the warehouse that `morec demo` makes
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from rich.console import Console

import morec_sql
from morec_sql.clients import demo

WEIGHTS = {
    "point-wise": "{relevance: 0.7, private_label: 0.3}",
    "with diversity": "{relevance: 0.6, private_label: 0.1, diversity: 0.3}",
}
ONE = "FROM recommend(42, k => 20, weights => {weights}, {how})"
ALL = (
    "SELECT count(*) FROM (SELECT DISTINCT household_id FROM orders) AS u,"
    " recommend(u.household_id, k => 20, weights => {weights}, {how})"
)
WITHOUT, WITH = "rules => false", "rules => true"
RULES = {
    "a boost": [("boost", "brand = 'Private'", "0.3")],
    "an exclusion": [("exclude", "department = 'DELI'", None)],
    "a pin": [("pin", "product_id = 819063", "2")],
    "slots, 2 of 6": [("slots", "department = 'DELI'", "2 of 6")],
    "a cap and a share": [
        ("cap", "department = 'GROCERY'", "8"),
        ("boost", "department = 'PRODUCE'", "30 %"),
    ],
    "a cooldown by category": [("cooldown", None, "30 days per product_category")],
}
CONSTRAINTS = [
    "max_per => {department: 3}",
    "max_per => {product_category: 1}",
    "max_per => {product_category: 2, manufacturer_id: 3}",
    "min_share => {'brand = ''Private''': 0.3}",
    "max_per => {product_category: 2}, min_share => {'brand = ''Private''': 0.3}",
    "floor => {private_label: 0.3}",
]


def seconds(works: Sequence[Callable[[], object]], times: int) -> tuple[float, float, float]:
    """The median times of two works, and of their differences: done in turn, after some of each."""
    taken: list[list[float]] = []
    for turn in range(times + 2):
        pair = []
        for work in works:
            began = time.perf_counter()
            work()
            pair.append(time.perf_counter() - began)
        if turn > 1:
            taken.append([*pair, pair[1] - pair[0]])
    one, other, more = (statistics.median(column) for column in zip(*taken, strict=True))
    return one, other, more


def put(con: duckdb.DuckDBPyConnection, rules: list[tuple[str, str | None, str | None]]) -> None:
    """Have these rules and no others, the first 20 of them in force."""
    con.execute("DELETE FROM shop.rules")
    if rules:
        con.executemany(
            "INSERT INTO shop.rules (name, kind, items, value, enabled) VALUES (?, ?, ?, ?, ?)",
            [[f"rule {n}", *rule, n < 20] for n, rule in enumerate(rules)],
        )


def many(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str | None, str | None]]:
    """200 rules, each about a category."""
    rows = con.execute(
        "SELECT DISTINCT product_category FROM products WHERE product_category IS NOT NULL"
        " ORDER BY product_category LIMIT 200"
    ).fetchall()
    kinds = [("boost", "0.2"), ("bury", "0.2"), ("exclude", None), ("boost", "0.1")]
    return [
        (kinds[n % 4][0], "product_category = '" + name.replace("'", "''") + "'", kinds[n % 4][1])
        for n, (name,) in enumerate(rows)
    ]


def compare(con: duckdb.DuckDBPyConnection, case: str, how: str) -> None:
    """Print what lists take that are made so, beside those without rules and constraints."""
    for name, weights in WEIGHTS.items():
        one, every = (
            seconds(
                [
                    lambda q=query, w=weights, h=this: con.execute(
                        q.format(weights=w, how=h)
                    ).fetchall()
                    for this in (WITHOUT, how)
                ],
                times,
            )
            for query, times in ((ONE, 101), (ALL, 3))
        )
        print(
            f"| {case} | {name} | {1000 * one[1]:.0f} | {1000 * one[2]:+.1f}"
            f" | {every[1]:.1f} | {every[1] / every[0]:.2f} |",
            flush=True,
        )


def main(path: Path) -> None:
    if not path.exists():
        demo.run(path, Console(quiet=True))
    with morec_sql.connect(path) as con:
        print("| rules or constraints | weights | one user, ms | more | all users, s | times |")
        print("|---|---|---|---|---|---|")
        for case, rules in {**RULES, "200, of which 20 in force": many(con)}.items():
            put(con, rules)
            compare(con, case, WITH)
        put(con, [])
        for one in CONSTRAINTS:
            compare(con, f"`{one}`", f"{WITHOUT}, {one}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with TemporaryDirectory() as folder:
            main(Path(folder) / "demo.duckdb")
