"""A shop with campaigns of which it is known what makes users take part."""

from __future__ import annotations

from typing import Any

import duckdb

Connection = duckdb.DuckDBPyConnection

USERS = 300
# even users buy from the kitchen, odd ones from the garage; of three users two are active
TABLES = f"""
CREATE TABLE products AS
SELECT
    i AS product_id,
    CASE WHEN i < 10 THEN 'tea ' || i ELSE 'screwdriver ' || i END AS title,
    CASE WHEN i < 10 THEN 'kitchen' ELSE 'garage' END AS category
FROM range(20) AS t(i);

CREATE TABLE orders AS
SELECT
    u AS customer_id,
    (u % 2) * 10 + CAST(md5_number_lower(u || ' ' || d) % 9 AS BIGINT) AS product_id,
    TIMESTAMP '2024-01-01' + INTERVAL (2 * d) DAY AS ordered_at,
    2.0 AS price
FROM range({USERS}) AS t(u), range(60) AS s(d)
WHERE md5_number_upper(u || '/' || d) % 4 < 1 + (u % 3 > 0)::INT;

-- nine campaigns of eight days that ended, and two that go on, for kitchen and garage in turns
CREATE TABLE offers AS
SELECT
    'c' || n AS campaign_id,
    CASE WHEN n % 2 = 0 THEN 'kitchen' ELSE 'garage' END AS place,
    TIMESTAMP '2024-01-21' + INTERVAL (10 * n) DAY AS starts,
    TIMESTAMP '2024-01-29' + INTERVAL (10 * n) DAY + CASE WHEN n > 8 THEN INTERVAL 60 DAY
        ELSE INTERVAL 0 DAY END AS ends,
    0.5 AS mailing
FROM range(11) AS t(n);

-- by chance half of the users of each
CREATE TABLE mailed AS
SELECT
    o.campaign_id, u AS customer_id,
    md5_number_lower(u || o.campaign_id) % 2 = 0 AS held_back
FROM offers AS o, range({USERS}) AS t(u)
WHERE o.ends < TIMESTAMP '2024-05-01';

CREATE VIEW reached AS SELECT campaign_id, customer_id FROM mailed WHERE NOT held_back;

CREATE TABLE vouchers AS
SELECT o.campaign_id, p.product_id
FROM offers AS o JOIN products AS p ON p.category = o.place WHERE p.product_id % 10 < 6;

-- of those who like the place six in ten take part, of the others one in twenty
CREATE TABLE taken AS
SELECT
    m.campaign_id,
    m.customer_id,
    o.starts + INTERVAL 1 DAY AS redeemed_at
FROM mailed AS m JOIN offers AS o ON o.campaign_id = m.campaign_id
WHERE
    NOT m.held_back
    AND md5_number_upper(m.customer_id || m.campaign_id) % 100
    < CASE WHEN (m.customer_id % 2 = 0) = (o.place = 'kitchen') THEN 60 ELSE 5 END;

-- who takes part buys two things more
INSERT INTO orders
SELECT
    t.customer_id,
    CASE WHEN o.place = 'kitchen' THEN 0 ELSE 10 END + i,
    t.redeemed_at + INTERVAL (i) HOUR,
    2.0
FROM taken AS t JOIN offers AS o ON o.campaign_id = t.campaign_id, range(2) AS s(i);
"""

CREATE = """
SELECT * FROM create_recommender(
    'shop',
    events => 'orders',
    user_id => 'customer_id',
    item_id => 'product_id',
    event_time => 'ordered_at',
    items => 'products',
    dimensions => 4,
    relevance => {half_life: 'none', neighbour_weight: 0}
)
"""


def create(con: Connection, **changes: str | None) -> list[tuple[Any, ...]]:
    """Create the campaigns with some arguments changed; values are SQL."""
    arguments: dict[str, str | None] = {
        "campaigns": "'offers'",
        "members": "'reached'",
        "coupons": "'vouchers'",
        "redemptions": "'taken'",
        "value": "'price'",
        **changes,
    }
    listed = ", ".join(f"{key} => {value}" for key, value in arguments.items() if value is not None)
    return con.execute(f"SELECT * FROM create_campaigns('shop', {listed})").fetchall()


def recommender(
    con: Connection,
    events: str,
    items: str,
    name: str = "shop",
    event_time: str = "sold_at",
    more: str = "",
) -> None:
    """Make a recommender where its training is beside the point: the fastest there is."""
    con.execute(
        f"FROM create_recommender('{name}', events => '{events}', event_time => '{event_time}',"
        f" items => '{items}', dimensions => 4,"
        f" relevance => {{half_life: 'none', neighbour_weight: 0}}{more})"
    ).fetchall()


def dicts(con: Connection, query: str) -> list[dict[str, Any]]:
    """The rows of a query by the names of its columns."""
    of = con.execute(query)
    names = [column[0] for column in of.description]
    return [dict(zip(names, row, strict=True)) for row in of.fetchall()]
