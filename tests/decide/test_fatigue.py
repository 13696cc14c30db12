"""fatigue: what being shown before, and the place, do to the chance that an item is taken."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np
import pytest

import morec_sql
from morec_sql.udfs.decide.fatigue import before, levels
from tests.conftest import catalogue_of
from tests.decide.campaigns import dicts

Connection = duckdb.DuckDBPyConnection
# the odds that something is taken fall by .5 in logarithms for each time that it was shown in the
# seven days before, and by .25 for each place further down; some users and items are taken more
TABLES = """
CREATE TABLE shown AS
SELECT
    u AS user_id,
    CAST(md5_number_lower(u || '/' || n // 4) % 50 AS BIGINT) AS item_id,
    TIMESTAMP '2024-01-01' + INTERVAL 1 DAY * n + INTERVAL 1 MINUTE * (u % 600) AS shown_at,
    1 + CAST(md5_number_lower(n || '-' || u) % 6 AS INTEGER) AS place
FROM range(1500) AS t(u), range(40) AS s(n);
CREATE TABLE taken AS
SELECT user_id, item_id, t.shown_at + INTERVAL 2 HOUR AS at
FROM (
    SELECT
        *,
        count(*) OVER (
            PARTITION BY user_id, item_id
            ORDER BY shown_at RANGE BETWEEN INTERVAL 7 DAY PRECEDING AND CURRENT ROW
        ) - 1 AS times
    FROM shown
) AS t
WHERE
    (md5_number_upper(user_id || ' ' || item_id || ' ' || shown_at) % 100000) / 100000
    < 1 / (1 + exp(
        2 - 0.4 * (item_id % 5 - 2) - 0.4 * (user_id % 3 - 1) + 0.5 * times + 0.25 * (place - 1)
    ));
-- what is no impression of anybody, of anything or at any time
INSERT INTO shown VALUES (NULL, 1, TIMESTAMP '2024-01-05', 1), (1, NULL, TIMESTAMP '2024-01-05', 1),
    (1, 1, NULL, 1), (1, 999, TIMESTAMP 'infinity', 1);
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Connection]:
    con = morec_sql.connect()
    con.execute(TABLES)
    con.execute(
        "FROM create_recommender('shop', events => 'taken', event_time => 'at', dimensions => 4,"
        " relevance => {half_life: 'none', neighbour_weight: 0})"
    ).fetchall()
    yield con
    con.close()


def test_it_is_recovered_with_the_place_taken_out(shop: Connection) -> None:
    rows = dicts(shop, "FROM shop.fatigue('shown(user_id, item_id, shown_at, place)')")
    found = {(row["factor"], row["value"]): row for row in rows}
    assert [value for factor, value in found if factor == "place"] == [1, 2, 3, 4, 5, 6]
    for times in (1, 2, 3):
        row = found["times", times]
        assert row["log_odds"] == pytest.approx(-0.5 * times, abs=0.25)
        assert row["low"] < row["log_odds"] < row["high"]
        assert row["share"] == row["taken"] / row["shown"]
    for place in range(2, 7):
        assert found["place", place]["log_odds"] == pytest.approx(-0.25 * (place - 1), abs=0.25)
    first = found["times", 0]
    assert first["log_odds"] == first["low"] == first["high"] == first["used"] == 0
    for row in rows:
        assert abs(row["used"]) <= abs(row["log_odds"])
    # what a user had taken is no impression any more
    assert sum(row["shown"] for row in rows if row["factor"] == "times") < 60_000
    # without a place it is not told of, and fatigue is as it was, since places were drawn
    plain = dicts(shop, "FROM shop.fatigue('shown(user_id, item_id, shown_at)')")
    assert {row["factor"] for row in plain} == {"times"}
    assert plain[1]["log_odds"] == pytest.approx(found["times", 1]["log_odds"], abs=0.1)


def test_earlier_impressions_fade_after_the_days(shop: Connection) -> None:
    rows = dicts(shop, "FROM shop.fatigue('shown(user_id, item_id, shown_at)', days => 1)")
    # four days in a row: of one day only the day before
    assert {row["value"] for row in rows} <= {0, 1, 2}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("'shown'", "impressions: a table with its columns is needed, such as 'shown"),
        ("NULL", "impressions: a table with its columns is needed"),
        ("'shown(user_id, item_id)'", "impressions: a table with its columns is needed"),
        ("'seen(user_id, item_id, at)'", "impressions: there is no table or view 'seen'"),
        (
            "'shown(user_id, item_id, place)'",
            "impressions: the column 'place' is INTEGER, no time",
        ),
        ("'shown(shown_at, item_id, shown_at)'", "impressions: the column 'shown_at' comes twice"),
        ("'shown(shown_at, item_id, place)'", "impressions: 'shown_at' is TIMESTAMP but the ids"),
        ("'shown(user_id, item_id, shown_at)', days => 0", "days: 0 is not a whole number from 1"),
        ("'few(user_id, item_id, shown_at)'", "impressions: of 4 that count 0 were taken"),
    ],
)
def test_bad_input_is_said_in_a_sentence_and_changes_nothing(
    shop: Connection, arguments: str, said: str
) -> None:
    shop.execute(
        "CREATE OR REPLACE VIEW few AS FROM shown WHERE user_id = 1 AND item_id = 24 LIMIT 4"
    )
    before_it = catalogue_of(shop)
    said = said.replace("of 4 that count 0", "of [0-9]+ that count [0-9]+")
    with pytest.raises(duckdb.Error, match=said):
        shop.execute(f"FROM shop.fatigue({arguments})").fetchall()
    assert catalogue_of(shop) == before_it


def test_levels_are_those_of_the_likelihood() -> None:
    generator = np.random.default_rng(0)
    group, other = generator.integers(0, 3, 30_000), generator.normal(size=30_000)
    truth = np.array([0.0, -0.7, 0.9])
    taken = generator.random(30_000) < 1 / (1 + np.exp(1 - truth[group] - 0.5 * other))
    (found,) = levels(taken.astype(np.float64), [group], [other])
    assert found.odds == pytest.approx(truth, abs=4 * found.error.max())
    assert found.error[1:] == pytest.approx([0.035, 0.032], abs=0.01)
    assert before(np.array([5.0]), np.array([30.0]), 0.1) == pytest.approx(
        np.log((5 + 2) / (50 - 7))
    )


@pytest.fixture
def tired(shop: Connection) -> Iterator[Connection]:
    """The shop with a rule by which lists are tired of what was shown, and what was shown now."""
    shop.execute(
        "CREATE TABLE lately AS SELECT * FROM shown;"
        " INSERT INTO lately SELECT user_id, item_id, t.moment, 1 FROM ("
        "   SELECT u AS user_id, (u + i) % 50 AS item_id,"
        "     (SELECT max(taken.at) FROM taken) + INTERVAL 1 MINUTE AS moment"
        "   FROM range(40) AS t(u), range(6) AS s(i), range(3) AS r(n) WHERE n <= i % 3) AS t"
    )
    shop.execute("FROM add_rule('shop', 'tired', 'fatigue', value => 'lately')").fetchall()
    yield shop
    shop.execute("DELETE FROM shop.rules; DROP TABLE lately")


NOW = "as_of => (SELECT max(taken.at) + INTERVAL 1 HOUR FROM taken)"


def test_lists_are_tired_of_what_was_shown(tired: Connection) -> None:
    learnt = {
        row["value"]: min(row["used"], 0)
        for row in dicts(tired, "FROM shop.fatigue('lately(user_id, item_id, shown_at, place)')")
        if row["factor"] == "times"
    }
    assert learnt[1] < -0.2
    assert learnt[3] < learnt[1]
    times = {
        (row["user_id"], row["item_id"]): row["n"]
        for row in dicts(
            tired,
            "SELECT user_id, item_id, count(*) AS n FROM lately, (SELECT max(taken.at) + INTERVAL 1 HOUR"
            " AS now FROM taken) AS m WHERE shown_at <= m.now AND shown_at > m.now - INTERVAL 7 DAY"
            " GROUP BY ALL",
        )
    }
    asked = (
        "SELECT u.user_id, r.* FROM (SELECT range AS user_id FROM range(40)) AS u,"
        f" shop.recommend(u.user_id, k => 50, exclude_seen => false, rules => {{}}, {NOW}) AS r"
    )
    for weights in ("NULL", "{relevance: 0.5, novelty: 0.5}"):
        both = asked.replace("k => 50", f"k => 50, weights => {weights}")
        plain = {
            (row["user_id"], row["item_id"]): row
            for row in dicts(tired, both.replace("{}", "false"))
        }
        found = dicts(tired, both.replace("{}", "true"))
        assert {(row["user_id"], row["item_id"]) for row in found} == plain.keys()
        unit = None
        for row in found:
            pair = row["user_id"], row["item_id"]
            of_rule = row["adjustments"].get("rule: tired", 0.0)
            parts = sum(row["contributions"].values()) + of_rule
            assert row["score"] == pytest.approx(parts, abs=1e-6)
            effect = learnt.get(min(times.get(pair, 0), 6), 0.0)
            if effect:
                # in log-odds of relevance, as the weight of relevance counts them
                unit = unit or of_rule / effect
                assert unit > 0
                assert of_rule == pytest.approx(unit * effect, rel=1e-5)
            else:
                assert of_rule == 0
            if weights != "NULL":
                before = plain[pair]["contributions"]["relevance"]
                assert row["contributions"]["relevance"] == pytest.approx(before, abs=1e-5)
                assert row["score"] == pytest.approx(plain[pair]["score"] + of_rule, abs=1e-5)
        assert unit is not None
        if weights != "NULL":
            for user in range(40):
                scores = [row["score"] for row in found if row["user_id"] == user]
                ranks = [row["rank"] for row in found if row["user_id"] == user]
                ordered = [score for _, score in sorted(zip(ranks, scores, strict=True))]
                assert ordered == sorted(ordered, reverse=True)


def test_what_makes_tired_is_explained(tired: Connection) -> None:
    pairs = tired.execute(
        f"SELECT r.item_id, r.score, r.adjustments['rule: tired'] FROM shop.recommend(7, k => 50,"
        f" exclude_seen => false, weights => {{relevance: 1}}, {NOW}) AS r"
    ).fetchall()
    assert any(part for _, _, part in pairs)
    for item, score, part in pairs[::7]:
        rows = dicts(
            tired,
            f"FROM shop.explain(7, {item}, exclude_seen => false, weights => {{relevance: 1}}, {NOW})",
        )
        assert sum(row["contribution"] for row in rows) == pytest.approx(score, abs=1e-5)
        of_rule = [row["contribution"] for row in rows if row["kind"] == "rule"]
        assert of_rule == ([pytest.approx(part, rel=1e-5)] if part else [])


def test_who_was_shown_nothing_gets_the_list_as_it_was(tired: Connection) -> None:
    # nobody of that id was ever shown anything
    with_rule, without = (
        tired.execute(f"FROM shop.recommend(99999, k => 20, rules => {rules}, {NOW})").fetchall()
        for rules in ("true", "false")
    )
    assert with_rule == without


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("seldom", "of 40 that count 0 were taken"),
        ("lately in 0 days", "value: 'lately in 0 days' came, but fatigue takes"),
        ("nothing", "there is no table"),
    ],
)
def test_what_teaches_nothing_is_told(tired: Connection, value: str, said: str) -> None:
    tired.execute(
        "CREATE OR REPLACE TABLE seldom AS"
        " SELECT i AS user_id, i AS item_id, TIMESTAMP '2023-01-01' AS shown_at FROM range(40) AS t(i)"
    )
    tired.execute(
        "INSERT INTO shop.rules (name, kind, value) VALUES ('odd', 'fatigue', ?)", [value]
    )
    # another rule over the same table is followed
    tired.execute(
        "INSERT INTO shop.rules (name, kind, value) VALUES ('sound', 'frequency', '1 in 7 days of seldom')"
    )
    for _ in range(2):
        (unmet,) = tired.execute("SELECT unmet FROM shop.recommend(7, k => 1)").fetchone() or ([],)
        assert any(one.startswith("rule: odd: ") and said in one for one in unmet), unmet
        assert not any("sound" in one for one in unmet)
    checked = dicts(tired, "FROM check_rules('shop', users => 0) WHERE name = 'odd'")
    assert said in str(checked[0]["problem"])
