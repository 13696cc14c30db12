"""user_value, retention and funnel: who is going to order, who comes back, who goes how far."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

import morec_sql
from tests.decide.campaigns import dicts

Connection = duckdb.DuckDBPyConnection
# users order every 4, 8 or 16 days for 10 and are lost after half a year where their number ends on
# 0; what each brings is that of their number
TABLES = """
CREATE TABLE customers AS
SELECT u AS user_id, ['Graz', 'Linz'][1 + u % 2] AS city FROM range(400) AS t(u);
CREATE TABLE visits AS
SELECT
    u AS user_id,
    d % 7 AS item_id,
    TIMESTAMP '2024-01-01 10:00:00' + INTERVAL (d) DAY AS seen_at,
    10.0 + u % 5 AS paid,
    ['view', 'buy'][1 + (u % 2)] AS kind
FROM range(400) AS t(u), range(u % 30, 366) AS s(d)
WHERE
    md5_number_lower(u || ' ' || d) % (4 * (1 << (u % 3))) = 0
    AND (u % 10 > 0 OR d < 150);
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Connection]:
    con = morec_sql.connect()
    con.execute(TABLES)
    con.execute(
        "FROM create_recommender('shop', events => 'visits', event_time => 'seen_at', users =>"
        " 'customers', dimensions => 4, relevance => {half_life: 'none', neighbour_weight: 0})"
    ).fetchall()
    yield con
    con.close()


def test_rates_and_losses_are_recovered(shop: Connection) -> None:
    rows = dicts(shop, "FROM shop.user_value(horizon => 60, value => 'paid')")
    by_id = {row["user_id"]: row for row in rows}
    assert len(by_id) == 400
    # who was lost in May
    lost = [row for row in rows if row["user_id"] % 10 == 0]
    assert sum(row["active"] for row in lost) / len(lost) < 0.1
    assert {row["state"] for row in lost} <= {"lost", "at risk"}
    for every in (4, 8, 16):
        mine = [
            row for row in rows if row["user_id"] % 10 and 4 * 2 ** (row["user_id"] % 3) == every
        ]
        orders = sum(row["expected_orders"] for row in mine) / len(mine)
        assert orders == pytest.approx(60 / every, rel=0.15)
        value = sum(row["expected_value"] for row in mine) / len(mine)
        assert value == pytest.approx(12 * 60 / every, rel=0.2)
        assert sum(row["active"] for row in mine) / len(mine) > 0.9
    for row in rows:
        assert row["low"] <= row["expected_value"] <= row["high"]
        assert 0 <= row["active"] <= 1
        assert row["first_order"] <= row["last_order"]
        assert row["moved_by"][:2] in ("+ ", "- ")


def test_what_is_known_of_users_is_what_the_events_say(shop: Connection) -> None:
    rows = dicts(
        shop,
        "SELECT v.* FROM shop.user_value(horizon => 60, value => 'paid', users => 'SELECT 7 AS"
        " user_id UNION ALL SELECT 12') AS v ORDER BY user_id",
    )
    known = shop.execute(
        "SELECT user_id, count(*), CAST(min(seen_at) AS DATE), CAST(max(seen_at) AS DATE), sum(paid)"
        " FROM visits WHERE user_id IN (7, 12) GROUP BY 1 ORDER BY 1"
    ).fetchall()
    found = [
        (row["user_id"], row["orders"], row["first_order"], row["last_order"], row["value"])
        for row in rows
    ]
    assert found == known


def test_the_interval_holds_nine_in_ten(shop: Connection) -> None:
    rows = dicts(
        shop, "FROM shop.user_value(horizon => 60, value => 'paid', as_of => '2024-11-02')"
    )
    came = dict(
        shop.execute(
            "SELECT user_id, sum(paid) FROM visits WHERE seen_at >= '2024-11-02' AND seen_at < '2025-01-01'"
            " GROUP BY 1"
        ).fetchall()
    )
    inside = [row["low"] <= came.get(row["user_id"], 0) <= row["high"] for row in rows]
    assert 0.82 < sum(inside) / len(inside) <= 1


def test_quality_is_beside_simple_rules(shop: Connection) -> None:
    rows = dicts(shop, "FROM shop.value_quality(horizon => 60, value => 'paid')")
    of = {(row["outcome"], row["measure"], row["method"]): row for row in rows}
    for outcome in ("active", "orders", "value"):
        (chosen,) = {row["chosen"] for row in rows if row["outcome"] == outcome}
        for row in rows:
            if (row["outcome"], row["method"]) == (outcome, chosen):
                assert (row["gain"], row["gain_low"], row["gain_high"]) == (0, 0, 0)
    assert of["active", "auc", "chosen"]["value"] > 0.9
    assert of["orders", "deviance_explained", "chosen"]["value"] > 0.4
    assert of["value", "root_mean_square_error", "last period"]["gain"] < 0
    assert of["value", "root_mean_square_error", "rfm"]["gain"] <= 0
    assert of["orders", "calibration", "chosen"]["value"] == pytest.approx(1, abs=0.1)


def test_new_events_count_at_once() -> None:
    con = morec_sql.connect()
    con.execute(TABLES)
    con.execute(
        "FROM create_recommender('shop', events => 'visits', event_time => 'seen_at', dimensions => 4,"
        " relevance => {half_life: 'none', neighbour_weight: 0})"
    ).fetchall()
    query = "SELECT active FROM shop.user_value(horizon => 60) WHERE user_id = 10"
    before = con.execute(query).fetchone()
    con.execute(
        "INSERT INTO visits SELECT 10, 1, TIMESTAMP '2024-12-01' + INTERVAL (3 * i) DAY, 5, 'buy'"
        " FROM range(10) AS t(i)"
    )
    after = con.execute(query).fetchone()
    assert before is not None
    assert after is not None
    assert before[0] < 0.2 < 0.6 < after[0]
    con.close()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("user_value(horizon => 0)", "horizon: 0 is not a finite number from 1 up"),
        ("user_value(horizon => 300)", "horizon: 300 days ahead need events over 750 days"),
        ("user_value(value => 'kind')", "value: 'kind' is VARCHAR, but a number is needed"),
        ("user_value(value => 'payed')", "unknown column 'payed'; did you mean 'paid'"),
        ("user_value(horizon => 30, users => 'nobody')", "users: there is no table or view"),
        ("value_quality(horizon => 30, as_of => '2024-01-20')", "horizon: 30 days ahead need"),
        ("retention(cohort => 'moon')", "cohort: 'moon' is no length of a period"),
        ("retention(\"by\" => 'town')", "by: 'town' refers to the unknown column 'town'"),
        ("funnel('view')", "steps: a list of 1 to 20 predicates"),
        ("funnel(['kind'])", "steps: 'kind' is VARCHAR, but a predicate must be BOOLEAN"),
        ("funnel(['true'], within => -1)", "within: -1 is not a finite number from 0"),
    ],
)
def test_a_bad_question_is_answered_in_a_sentence(shop: Connection, query: str, said: str) -> None:
    with pytest.raises(duckdb.Error, match=said):
        shop.execute(f"FROM shop.{query}").fetchall()


@pytest.fixture
def few() -> Iterator[Connection]:
    """Three users to be counted by hand, of whom one has no city."""
    con = morec_sql.connect()
    con.execute(
        """
        CREATE TABLE customers AS FROM (VALUES (1, 'Graz'), (2, 'Linz')) AS t(user_id, city);
        CREATE TABLE visits AS FROM (VALUES
            (1, 1, TIMESTAMP '2024-01-05', 'view'), (1, 1, TIMESTAMP '2024-01-09', 'buy'),
            (1, 2, TIMESTAMP '2024-03-01', 'view'),
            (2, 1, TIMESTAMP '2024-01-20', 'buy'), (2, 2, TIMESTAMP '2024-02-02', 'view'),
            (2, 2, TIMESTAMP '2024-02-20', 'buy'),
            (3, 1, TIMESTAMP '2024-02-29', 'view'), (3, 2, TIMESTAMP '2024-03-02', 'cart')
        ) AS t(user_id, item_id, seen_at, kind)
        """
    )
    con.execute(
        "FROM create_recommender('shop', events => 'visits', event_time => 'seen_at', users =>"
        " 'customers', relevance => {half_life: 'none', neighbour_weight: 0})"
    ).fetchall()
    yield con
    con.close()


def cohorts(con: Connection, query: str) -> list[tuple[Any, ...]]:
    return con.execute(f"SELECT * EXCLUDE (segment) FROM shop.retention({query})").fetchall()


def test_cohorts_by_hand(few: Connection) -> None:
    january, february = datetime.date(2024, 1, 1), datetime.date(2024, 2, 1)
    assert cohorts(few, "") == [
        (january, 0, 2, 2, 1.0, True),
        (january, 1, 2, 1, 0.5, True),
        (january, 2, 2, 1, 0.5, False),
        (february, 0, 1, 1, 1.0, True),
        (february, 1, 1, 1, 1.0, False),
    ]
    assert cohorts(few, "cohort => 'quarter'") == [(january, 0, 3, 3, 1.0, False)]
    assert cohorts(few, "as_of => '2024-02-01'") == [(january, 0, 2, 2, 1.0, False)]
    weeks = cohorts(few, "cohort => 'week'")
    assert [row[:5] for row in weeks if row[0] == datetime.date(2024, 1, 1)] == [
        (january, period, 1, period in (0, 1, 8), period in (0, 1, 8)) for period in range(9)
    ]
    by_city = few.execute(
        "SELECT segment, sum(active) FROM shop.retention(\"by\" => 'city') GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert by_city == [("Graz", 2), ("Linz", 2), (None, 2)]


def test_funnels_by_hand(few: Connection) -> None:
    steps = "['kind = ''view''', 'kind = ''buy''']"
    assert few.execute(f"FROM shop.funnel({steps})").fetchall() == [
        (1, "kind = 'view'", 3, 1.0, None, None),
        (2, "kind = 'buy'", 2, 2 / 3, 2 / 3, 11.0),
    ]
    soon = few.execute(f"SELECT users, days FROM shop.funnel({steps}, within => 5)").fetchall()
    assert soon == [(3, None), (1, 4.0)]
    assert few.execute("SELECT users FROM shop.funnel(['kind = ''x''', 'true'])").fetchall() == [
        (0,),
        (0,),
    ]


def test_of_few_users_nothing_is_said(few: Connection) -> None:
    said = "horizon: 2 users ordered more than 20 days ago, of whom nothing can be learnt"
    with pytest.raises(duckdb.Error, match=said):
        few.execute("FROM shop.user_value(horizon => 10)").fetchall()


def test_pictures_are_drawn_of_each(shop: Connection, few: Connection) -> None:
    pytest.importorskip("matplotlib")
    for con, query, panels in (
        (few, "FROM shop.retention()", 1),
        (few, "FROM shop.funnel(['kind = ''view''', 'kind = ''buy'''])", 1),
        (shop, "FROM shop.value_quality(horizon => 60)", 8),
    ):
        figure = morec_sql.plot_decision(con.sql(query))
        drawn = [axis for axis in figure.axes if axis.axison]
        assert len(drawn) == panels
        assert figure._repr_png_()[:4] == b"\x89PNG"  # type: ignore[attr-defined]
    for query, said in (
        ("FROM visits", "rows of retention, funnel"),
        ("FROM shop.retention() WHERE false", "not 0 with the columns"),
        ("FROM shop.retention(\"by\" => 'city')", "there are several segments"),
    ):
        with pytest.raises(morec_sql.MorecError, match=said):
            morec_sql.plot_decision(few.sql(query))
