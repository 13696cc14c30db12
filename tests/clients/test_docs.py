"""The statements of the README and of the pages in docs/, run as they stand there."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import morec_sql
from morec_sql.clients import overview
from morec_sql.clients.cli import app

HOUSE = Path(__file__).parents[2]
PAGES = [HOUSE / "README.md", *sorted((HOUSE / "docs").glob("*.md"))]
SHOP = """
CREATE TABLE customers AS
SELECT
    1 + i AS customer_id,
    ['Graz', 'Linz', 'Wien'][1 + i % 3] AS city,
    DATE '1950-01-01' + CAST(200 * i AS INTEGER) AS born,
    [['tea', 'tools', 'home'][1 + i % 3]] AS interests
FROM range(161) AS t(i);
CREATE TABLE products AS
SELECT
    1001 + (i + 13) % 60 AS product_id,
    ['green tea', 'black tea', 'hand drill', 'hammer', 'candle'][1 + i % 5] || ' ' || i AS title,
    ['a warm drink', 'a strong warm drink', 'bores holes', 'hits nails', 'gives light'][1 + i % 5]
        AS description,
    ['tea', 'tea', 'tools', 'tools', 'home'][1 + i % 5] AS category,
    ['Own', 'Other', 'Third'][1 + i % 3] AS brand,
    2.0 + i % 17 AS price,
    1.0 + i % 7 AS cost,
    i % 4 AS stock
FROM range(60) AS t(i);
CREATE TABLE taxonomy AS
SELECT product_id::VARCHAR AS node, category AS parent FROM products;
CREATE TABLE friends AS
SELECT customer_id, 1 + (customer_id + 15 * n) % 75 AS friend_id
FROM customers, range(1, 4) AS t(n);
CREATE TABLE orders AS
SELECT
    1 + u AS customer_id,
    1001 + (CAST(md5_number_lower(u || ' ' || d) % 12 AS BIGINT) * 5 + (u + d % 3) % 5 + 13) % 60
        AS product_id,
    TIMESTAMP '2025-01-01' + INTERVAL (4 * d) DAY AS ordered_at,
    ['view', 'cart', 'purchase'][1 + d % 3] AS kind,
    ['Graz', 'Linz', 'Wien'][1 + (u + d) % 3] AS store,
    1 + u % 2 AS quantity,
    d % 9 = 0 AS promoted,
    (u + d) % 7 = 0 AS displayed,
    (1 + u % 2) * (3 + (u + d) % 5 - CASE WHEN d % 9 = 0 THEN 1 ELSE 0 END) AS paid
FROM range(80) AS t(u), range(60) AS s(d)
WHERE (u + d) % 4 <> 0;
CREATE TABLE interactions AS
SELECT
    customer_id AS user_id,
    product_id AS item_id,
    ordered_at AS at,
    kind,
    kind <> 'view' AS clicked,
    1 + product_id % 5 AS stars
FROM orders;
CREATE TABLE contacts AS
SELECT
    customer_id,
    ['mail', 'reminder'][1 + n % 2] AS action,
    TIMESTAMP '2025-03-01' + INTERVAL (15 * n) DAY AS sent_at,
    md5_number_lower(customer_id || '/' || n) % 2 = 0 AS held_back
FROM customers, range(4) AS t(n);
CREATE TABLE shown AS
SELECT customer_id, product_id, min(ordered_at) - INTERVAL 1 HOUR AS shown_at, 1 AS place
FROM orders GROUP BY ALL
UNION ALL
SELECT customer_id, product_id, TIMESTAMP '2025-02-01' + INTERVAL (n) DAY, 1 + n
FROM customers, products, range(3) AS t(n)
WHERE (customer_id + product_id) % 9 = 0;
CREATE TABLE leaflet AS
SELECT customer_id, 1001 + customer_id % 60 AS product_id FROM customers;
CREATE TABLE campaigns AS
SELECT
    ['spring', 'easter', 'summer', 'holidays', 'school', 'autumn', 'winter'][1 + i] AS campaign_id,
    TIMESTAMP '2025-02-01' + INTERVAL (30 * i) DAY AS starts,
    TIMESTAMP '2025-02-20' + INTERVAL (30 * i) DAY + INTERVAL (60 * (i > 4)::INT) DAY AS ends,
    0.5 AS mail_cost
FROM range(7) AS t(i);
CREATE TABLE mailed AS
SELECT
    campaign_id,
    customer_id,
    md5_number_lower(campaign_id || customer_id) % 3 = 0 AS held_back
FROM campaigns, customers
WHERE ends < TIMESTAMP '2025-09-01';
CREATE TABLE vouchers AS
SELECT campaign_id, product_id
FROM campaigns, products
WHERE md5_number_lower(campaign_id || product_id) % 4 = 0;
CREATE TABLE redeemed AS
SELECT campaign_id, customer_id, TIMESTAMP '2025-03-01' AS redeemed_at
FROM mailed
WHERE NOT held_back AND md5_number_upper(campaign_id || customer_id) % 3 = 0;
CREATE TABLE my_truth AS
SELECT DISTINCT customer_id AS user_id, product_id AS item_id FROM orders WHERE kind = 'purchase';
CREATE TABLE my_lists AS
SELECT 'mine' AS model, user_id, item_id, row_number() OVER (PARTITION BY user_id) AS rank
FROM my_truth;
"""


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a language on a page; those with Jinja are of dbt's tests."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [block for block in found if "{{" not in block]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with the recommender of the pages."""
    path = tmp_path_factory.mktemp("docs") / "warehouse.duckdb"
    [create] = [block for block in blocks(HOUSE / "docs" / "index.md", "sql") if "create_" in block]
    campaigns = next(
        block for block in blocks(HOUSE / "docs" / "campaigns.md", "sql") if "create_" in block
    )
    with morec_sql.connect(path) as con:
        con.execute(SHOP)
        con.execute(create).fetchall()
        # versions to compare
        con.execute("FROM refresh_recommender('shop')").fetchall()
        con.execute(campaigns).fetchall()
    return path


@pytest.fixture
def warehouse(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(made, tmp_path))


SQL = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page, "sql"))
]


@pytest.mark.docs
@pytest.mark.parametrize("block", SQL)
def test_the_sql_of_the_pages_runs(warehouse: Path, block: str) -> None:
    with morec_sql.connect(warehouse) as con:
        if "create_campaigns(" in block:
            con.execute("DROP TABLE shop.campaign_settings")
        if "create_recommender(" in block:
            con.execute("FROM drop_recommender('shop')").fetchall()
        for statement in con.extract_statements(block):
            found = con.execute(statement).fetchall()
            assert found or "FROM shop.due(" in statement.query or "UPDATE" in statement.query


@pytest.mark.docs
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_python_of_the_pages_runs(warehouse: Path, page: Path) -> None:
    found = blocks(page, "python")
    for library in ("ibis", "pandas", "polars", "sqlalchemy"):
        if any(f"import {library}" in block for block in found):
            pytest.importorskip(library)
    known: dict[str, object] = {}
    if page.stem == "README":
        import pandas
        import sqlalchemy

        known = {"pandas": pandas, "sqlalchemy": sqlalchemy}
    for block in found:
        if "create_engine(" in block and "con" in known:
            known.pop("con").close()  # type: ignore[attr-defined]
        exec(compile(block, str(page), "exec"), known)
    if "con" in known:
        known["con"].close()  # type: ignore[attr-defined]


@pytest.mark.docs
def test_the_report_has_every_decision(warehouse: Path) -> None:
    page = warehouse.with_name("report.html")
    options = {
        "revenue": "paid", "quantity": "quantity", "category": "category", "cost": "cost",
        "stock": "stock",
    }  # fmt: skip
    given = [part for name, value in options.items() for part in (f"--{name}", value)]
    done = CliRunner().invoke(app, ["report", str(warehouse), str(page), *given])
    assert done.exit_code == 0, done.output
    text = page.read_text()
    titles = re.findall("<h3>(.*?)</h3>", text)
    assert titles == [part.title for parts in overview.PAGES.values() for part in parts]
    # each has its rows, and none an error in their place
    pieces = dict(zip(titles, text.split("<h3>")[1:], strict=True))
    assert {title: piece for title, piece in pieces.items() if "<table>" not in piece} == {}
    assert text.count("data:image/png;base64,") == 7
    # the statements say what is shown
    with morec_sql.connect(warehouse, read_only=True) as con:
        for code in re.findall("<pre>(.*?)</pre>", text, re.DOTALL):
            assert con.execute(html.unescape(code)).fetchall()
        states = con.execute("SELECT DISTINCT state FROM shop.user_value()").fetchall()
    assert all(f"<th>{state}</th>" in text for (state,) in states)


@pytest.mark.docs
def test_a_report_says_what_is_in_the_way(warehouse: Path) -> None:
    with morec_sql.connect(warehouse) as con:
        con.execute("DROP TABLE shop.campaign_quality")
    page = warehouse.with_name("report.html")
    arguments = ["report", str(warehouse), str(page), "--quantity", "quantty"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    text = html.unescape(page.read_text())
    assert text.count("--revenue brings it") == 3
    assert "create_campaigns reads them" in text
    assert "<p>quantity: " in text
    done = CliRunner().invoke(app, [*arguments[:2], "report.doc"])
    assert done.exit_code == 2
    assert "report: 'report.doc' ends in none of .html" in done.output
