"""next_action and action_effects: whom to contact how, by who was held back."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

import morec_sql
from tests.conftest import catalogue_of
from tests.decide.campaigns import create, dicts

Connection = duckdb.DuckDBPyConnection
# even users order every eighth day, odd ones ceased to after a hundred days; a voucher brings back
# every other one of these, a letter changes nothing, and a call was held back from ten users alone
TABLES = """
CREATE TABLE sends AS
SELECT
    u AS user_id,
    CASE WHEN u % 3 = 2 THEN 'letter' ELSE 'voucher' END AS action,
    DATE '2024-01-01' + CAST(120 + 14 * n AS INTEGER) AS sent_at,
    md5_number_lower(u || ' held ' || n) % 3 = 0 AS held_back
FROM range(1200) AS t(u), range(5) AS s(n);
INSERT INTO sends SELECT u, 'call', DATE '2024-05-02', u < 10 FROM range(1200) AS t(u);
INSERT INTO sends VALUES (NULL, 'call', DATE '2024-05-02', true), (3, NULL, DATE '2024-05-02', true);
CREATE TABLE orders AS
SELECT
    u AS user_id,
    CAST(md5_number_lower(u || '/' || d) % 40 AS BIGINT) AS item_id,
    TIMESTAMP '2024-01-01 10:00:00' + INTERVAL (d) DAY AS at,
    10.0 AS paid
FROM range(1200) AS t(u), range(200) AS s(d)
WHERE md5_number_upper(u || ' ' || d) % 8 = 0 AND (u % 2 = 0 OR d < 100);
INSERT INTO orders
SELECT user_id, 1, CAST(sent_at AS TIMESTAMP) + INTERVAL 50 HOUR, 10.0
FROM sends
WHERE
    action = 'voucher' AND NOT held_back AND user_id % 2 = 1
    AND md5_number_lower(user_id || 'x' || sent_at) % 2 = 0;
-- of the last seven days
INSERT INTO sends
SELECT u, 'letter', DATE '2024-07-16', u > 1 FROM range(4) AS t(u);
"""
SENDS = "contacts => 'sends(user_id, action, sent_at, held_back)', value => 'paid'"


@pytest.fixture(scope="module")
def shop() -> Iterator[Connection]:
    con = morec_sql.connect()
    con.execute(TABLES)
    con.execute(
        "FROM create_recommender('shop', events => 'orders', event_time => 'at', dimensions => 4,"
        " relevance => {half_life: 'none', neighbour_weight: 0})"
    ).fetchall()
    yield con
    con.close()


def test_effects_are_recovered(shop: Connection) -> None:
    rows = {row["action"]: row for row in dicts(shop, f"FROM shop.action_effects({SENDS})")}
    assert set(rows) == {"call", "letter", "voucher"}
    assert rows["call"]["evidence"] == "too few"
    assert rows["call"]["effect"] is None
    assert (rows["call"]["contacted"], rows["call"]["held_back"]) == (1190, 10)
    voucher, letter = rows["voucher"], rows["letter"]
    assert voucher["contacted"] + voucher["held_back"] == 4000
    # half of the users come back with 10 in every other case
    assert voucher["low"] < 2.5 < voucher["high"]
    assert voucher["low"] > 0.5
    assert voucher["by_user"]
    assert letter["low"] < 0.3 < letter["high"]
    for row in (voucher, letter):
        assert row["evidence"] == "randomised"
        assert 0 <= row["used"] <= max(row["effect"], 0)


def test_who_can_be_brought_back_gets_the_voucher(shop: Connection) -> None:
    asked = f"{SENDS}, costs => {{voucher: 3, letter: 0.5}}"
    rows = dicts(
        shop, f"SELECT u, a.* FROM range(4, 1200) AS t(u), shop.next_action(u, {asked}) AS a"
    )
    assert [row["u"] for row in rows] == list(range(4, 1200))
    gone = [row for row in rows if row["u"] % 2]
    there = [row for row in rows if row["u"] % 2 == 0]
    assert sum(row["action"] == "voucher" for row in gone) > 0.9 * len(gone)
    assert sum(row["action"] == "nothing" for row in there) > 0.6 * len(there)
    assert sum(row["gain"] for row in gone) / len(gone) == pytest.approx(5, abs=1.5)
    for row in rows:
        assert row["net"] == pytest.approx(row["gain"] - row["cost"])
        assert row["action"] != "call"
        if row["action"] == "nothing":
            assert (row["gain"], row["cost"], row["net"]) == (0, 0, 0)
            assert row["evidence"] == "no action brings more than it costs"
        else:
            assert row["net"] > 0
    # one alone is told as among all
    alone = dicts(shop, f"FROM shop.next_action(701, {asked})")
    (among,) = ({k: v for k, v in row.items() if k != "u"} for row in rows if row["u"] == 701)
    assert alone == [among]


def test_nobody_is_contacted_too_often_or_who_may_not(shop: Connection) -> None:
    one = dicts(shop, f"FROM shop.next_action(1, {SENDS})")[0]
    assert (one["action"], one["contacts"]) == ("nothing", 1)
    assert one["evidence"] == "contacted as often as allowed"
    (more,) = dicts(shop, f"FROM shop.next_action(1, {SENDS}, most_per_week => 2)")
    assert more["action"] == "voucher"
    # who was held back was not contacted
    assert dicts(shop, f"FROM shop.next_action(3, {SENDS})")[0]["contacts"] == 0
    eligible = "eligible => {voucher: 'SELECT 5 AS user_id', letter: 'SELECT 5 AS user_id'}"
    found = [
        dicts(shop, f"FROM shop.next_action({user}, {SENDS}, {eligible})")[0]["action"]
        for user in (5, 7)
    ]
    assert found == ["voucher", "nothing"]
    (nobody,) = dicts(shop, f"FROM shop.next_action(99999, {SENDS})")
    assert nobody["contacts"] == 0


def test_what_changes_in_the_contacts_is_seen(shop: Connection) -> None:
    shop.execute(
        "CREATE OR REPLACE TABLE later AS SELECT * REPLACE (false AS held_back) FROM sends"
    )
    asked = SENDS.replace("sends(", "later(")
    before = dicts(shop, f"FROM shop.action_effects({asked})")
    assert {row["evidence"] for row in before} == {"too few"}
    # who was held back is told afterwards
    shop.execute("CREATE OR REPLACE TABLE later AS FROM sends")
    after = dicts(shop, f"FROM shop.action_effects({asked})")
    assert {row["evidence"] for row in after} == {"too few", "randomised"}


def test_an_offer_of_a_campaign_is_an_action(plain: Connection) -> None:
    create(plain, control="'held_back'", members="'mailed'")
    plain.execute(
        "CREATE TABLE none AS SELECT customer_id, 'letter' AS action, DATE '2024-02-01' AS day,"
        " false AS held FROM mailed"
    )
    contacts = "contacts => 'none(customer_id, action, day, held)', campaigns => true"
    rows = dicts(
        plain,
        f"SELECT u, a.* FROM range(300) AS t(u), shop.next_action(u, {contacts}) AS a",
    )
    offers = [row for row in rows if row["action"] == "campaign"]
    assert len(offers) > 100
    lists = {
        user: {campaign: uplift for _, campaign, uplift in of}
        for user, of in plain.execute(
            "SELECT u, list((u, r.campaign_id, r.uplift)) FROM range(300) AS t(u),"
            " shop.recommend_campaigns(u) AS r GROUP BY u"
        ).fetchall()
    }
    for row in offers:
        mine = lists[row["u"]]
        assert row["gain"] == pytest.approx(max(mine.values()))
        assert mine[row["campaign_id"]] == pytest.approx(row["gain"])
    assert {row["campaign_id"] for row in rows if row["action"] != "campaign"} <= {None}
    # offers need no contacts, and without either there is nothing to do
    alone = "SELECT u, a.* FROM range(300) AS t(u), shop.next_action(u, campaigns => true) AS a"
    assert dicts(plain, alone) == rows
    (bare,) = dicts(plain, "FROM shop.next_action(7)")
    assert (bare["action"], bare["net"], bare["evidence"]) == (
        "nothing",
        0,
        "no contacts are given",
    )
    some = "eligible => {campaign: 'SELECT 4 AS customer_id'}"
    rows = dicts(
        plain,
        f"SELECT u, a.* FROM range(300) AS t(u), shop.next_action(u, {contacts}, {some}) AS a",
    )
    assert {row["u"] for row in rows if row["action"] == "campaign"} <= {4}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("next_action(1, 'sends')", "contacts: a table with its columns is needed, such as"),
        ("next_action(1, 'sends(user_id, action, sent_at)')", "contacts: a table with its columns"),
        ("action_effects(NULL)", "contacts: a table with its columns is needed, .*, not None"),
        ("next_action(1, 'sent(user_id, a, b, c)')", "contacts: there is no table or view 'sent'"),
        (
            "next_action(1, 'sends(user_id, action, held_back, sent_at)')",
            "contacts: the column 'held_back' is BOOLEAN, but a time is needed",
        ),
        (
            "action_effects('sends(user_id, held_back, sent_at, action)')",
            "contacts: the column 'action' is VARCHAR, but whether a user was held back",
        ),
        (
            "action_effects('sends(action, user_id, sent_at, held_back)')",
            "contacts: 'action' is VARCHAR but the ids of users are BIGINT",
        ),
        (f"next_action(1, {SENDS}, costs => {{leter: 1}})", "costs: unknown action 'leter'; did"),
        (f"next_action(1, {SENDS}, costs => {{letter: -1}})", "costs.letter: -1 is not a finite"),
        (f"next_action(1, {SENDS}, costs => 1)", "costs: a struct by action is needed, not 1"),
        (f"next_action(1, {SENDS}, eligible => {{letter: 'lost'}})", "users: .*'lost'"),
        (f"next_action(1, {SENDS}, most_per_week => -1)", "most_per_week: -1 is not a whole"),
        (f"next_action(1, {SENDS}, campaigns => true)", "campaigns: 'shop' has none yet"),
        (f"action_effects({SENDS}, horizon => 150)", "horizon: 150 days ahead need events over"),
        ("action_effects('nobody(user_id, action, sent_at, held_back)')", "contacts: .* no row"),
        (
            "action_effects('named(user_id, action, sent_at, held_back)')",
            "contacts: an action is called 'campaign', which has a meaning of its own",
        ),
    ],
)
def test_bad_input_is_said_in_a_sentence_and_changes_nothing(
    shop: Connection, query: str, said: str
) -> None:
    shop.execute(
        "CREATE OR REPLACE VIEW nobody AS FROM sends WHERE user_id < 0;"
        "CREATE OR REPLACE VIEW named AS SELECT * REPLACE ('campaign' AS action) FROM sends"
    )
    before = catalogue_of(shop)
    with pytest.raises(duckdb.Error, match=said):
        shop.execute(f"FROM shop.{query}").fetchall()
    assert catalogue_of(shop) == before
