"""price_response of several kinds of promotion, told from each other and from the price."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

import morec_sql
from tests.conftest import catalogue_of
from tests.decide.campaigns import dicts, recommender

Connection = duckdb.DuckDBPyConnection
# a display doubles units, a mailer adds a half; the mailer comes with most displays, and with a price
# that is a fifth lower: with an elasticity of -2 that alone is 1.56 times as much
TABLES = """
CREATE TABLE products AS SELECT i AS item_id FROM range(30) AS t(i);
CREATE TABLE weeks AS
SELECT
    i AS item_id,
    DATE '2024-01-01' + CAST(7 * w AS INTEGER) AS starts,
    md5_number_lower(i || '/' || w) % 5 = 0 AS displayed,
    md5_number_upper(i || '/' || w) % 10 < CASE WHEN displayed THEN 6 ELSE 1 END AS mailed,
    CASE WHEN mailed THEN 4.0 ELSE 5.0 END
    * (0.9 + (md5_number_lower(i || '-' || w) % 9) / 40) AS price
FROM range(30) AS t(i), range(52) AS s(w);
CREATE TABLE sold AS
SELECT
    item_id,
    CAST(md5_number_upper(item_id || ' ' || starts) % 50 AS BIGINT) AS user_id,
    starts + CAST(md5_number_upper(starts || item_id) % 7 AS INTEGER) AS sold_at,
    displayed,
    mailed,
    round(
        40 * pow(price / 5, -2) * CASE WHEN displayed THEN 2 ELSE 1 END
        * CASE WHEN mailed THEN 1.5 ELSE 1 END
        * (0.8 + (md5_number_lower(starts || '+' || item_id) % 9) / 20)
    ) AS units,
    price * units AS paid
FROM weeks;
"""
PAID = "revenue => 'paid', quantity => 'units'"
TWO = "promoted => {'on display': 'displayed', 'mailer': 'mailed'}"
BY_LIST = "prices => 'weeks(item_id, price, starts, displayed, mailed)', quantity => 'units'"


@pytest.fixture(scope="module")
def shop() -> Iterator[Connection]:
    con = morec_sql.connect()
    con.execute(TABLES)
    recommender(con, "sold", "products")
    yield con
    con.close()


@pytest.mark.parametrize(
    ("arguments", "names"),
    [(f"{PAID}, {TWO}", ("on display", "mailer")), (BY_LIST, ("displayed", "mailed"))],
)
def test_kinds_of_promotion_are_told_apart(
    shop: Connection, arguments: str, names: tuple[str, str]
) -> None:
    rows = dicts(shop, f"FROM shop.price_response({arguments})")
    assert len(rows) == 30
    for row in rows:
        display, mailer = (row["promotions"][name] for name in names)
        assert display["factor"] == pytest.approx(2, rel=0.1)
        assert mailer["factor"] == pytest.approx(1.5, rel=0.15)
        assert display["low"] < display["factor"] < display["high"]
        assert row["promotion"] == pytest.approx(display["factor"] * mailer["factor"])
    assert sum(row["low"] < -2 < row["high"] for row in rows) >= 22
    (mean,) = dicts(shop, f"SELECT avg(elasticity) AS e FROM shop.price_response({arguments})")
    assert mean["e"] == pytest.approx(-2, abs=0.2)
    shop.execute(
        f"SELECT promotions['{names[0]}'].factor FROM shop.price_response({arguments})"
    ).fetchall()


def test_sales_by_week_meet_the_prices_of_their_week(shop: Connection) -> None:
    # one row a week and item, at the day on which the week begins; what was paid says the same
    shop.execute(
        "CREATE TABLE by_week AS SELECT item_id, user_id, time_bucket(INTERVAL 7 DAY, sold_at,"
        " DATE '2024-01-01') AS week, displayed, mailed, units, paid FROM sold"
    )
    recommender(shop, "by_week", "products", "weekly", "week")
    rows = dicts(shop, f"FROM weekly.price_response({BY_LIST}) ORDER BY item_id")
    assert rows[0]["promotions"]["displayed"]["factor"] == pytest.approx(2, rel=0.1)
    assert rows[0]["promotions"]["mailed"]["factor"] == pytest.approx(1.5, rel=0.15)
    paid = dicts(shop, f"FROM weekly.price_response({PAID}, {TWO}) ORDER BY item_id")
    for by_list, one in zip(rows, paid, strict=True):
        assert by_list["elasticity"] == pytest.approx(one["elasticity"])
        assert by_list["weeks"] == one["weeks"] == 52


def test_without_promotions_there_is_no_kind(shop: Connection) -> None:
    (row,) = dicts(shop, f"SELECT DISTINCT promotion, promotions FROM shop.price_response({PAID})")
    assert row == {"promotion": 1, "promotions": {}}
    rows = dicts(shop, f"FROM shop.price_response({PAID}, promoted => 'displayed')")
    assert all(list(row["promotions"]) == ["promoted"] for row in rows)
    # quality and plans take them as well
    assert dicts(shop, f"FROM shop.price_quality({PAID}, {TWO})")
    assert dicts(shop, f"FROM shop.price_plan({PAID}, {TWO}, weights => {{units: 1}})")


@pytest.mark.parametrize(
    ("promoted", "said"),
    [
        ("{display: 'shown'}", "promoted: .*unknown column 'shown'"),
        ("{display: 'units'}", "promoted: 'units' is DOUBLE, but a predicate"),
        ("{display: true}", "promoted: SQL over the events is needed, .*, not True for display"),
        ("7", "promoted: SQL over the events is needed, such as 'discount > 0', not 7"),
        ("['displayed', 'mailed']", "promoted: SQL over the events is needed"),
        (
            "{" + ", ".join(f"k{i}: 'mailed'" for i in range(9)) + "}",
            "promoted: 1 to 8 kinds of promotion are told apart, not 9",
        ),
    ],
)
def test_bad_kinds_are_said_in_a_sentence(shop: Connection, promoted: str, said: str) -> None:
    before = catalogue_of(shop)
    with pytest.raises(duckdb.Error, match=said):
        shop.execute(f"FROM shop.price_response({PAID}, promoted => {promoted})").fetchall()
    assert catalogue_of(shop) == before


def test_a_table_with_too_many_kinds_is_said(shop: Connection) -> None:
    columns = ", ".join(f"mailed AS k{i}" for i in range(9))
    shop.execute(
        f"CREATE OR REPLACE VIEW many AS SELECT item_id, price, starts, {columns} FROM weeks"
    )
    kinds = ", ".join(f"k{i}" for i in range(9))
    with pytest.raises(duckdb.Error, match="prices: a table with its columns is needed"):
        shop.execute(
            f"FROM shop.price_response(prices => 'many(item_id, price, starts, {kinds})')"
        ).fetchall()


def test_what_is_kept_is_learnt_anew_where_sales_prices_or_categories_change(
    shop: Connection,
) -> None:
    def asked(arguments: str = f"{PAID}, {TWO}") -> list[dict[str, object]]:
        return dicts(shop, f"FROM shop.price_response({arguments}) ORDER BY item_id")

    first = asked()
    assert asked() == first
    shop.execute("BEGIN")
    shop.execute("UPDATE sold SET units = 4 * units, paid = 4 * paid WHERE item_id = 4 AND mailed")
    shop.execute("COMMIT")
    assert asked()[4]["elasticity"] < first[4]["elasticity"]  # type: ignore[operator]
    shop.execute("UPDATE sold SET units = units / 4, paid = paid / 4 WHERE item_id = 4 AND mailed")
    assert asked() == first
    by_list = asked(BY_LIST)
    shop.execute("UPDATE weeks SET price = price * 1.1 WHERE item_id = 4 AND displayed")
    assert asked(BY_LIST)[4] != by_list[4]
    assert asked() == first
    halves = asked(f"{PAID}, {TWO}, category => 'item_id % 2'")
    assert [row["category"] for row in halves[:2]] == ["0", "1"]
    assert asked() == first
