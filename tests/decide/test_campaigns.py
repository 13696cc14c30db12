"""Campaigns: who takes part, whom to offer what, and what is known of it."""

from __future__ import annotations

import math

import duckdb
import pytest

from tests.decide.campaigns import Connection, create, dicts


def test_users_get_the_campaign_of_what_they_like(shop: Connection) -> None:
    for user, first in ((2, "c10"), (3, "c9"), (100, "c10"), (101, "c9")):
        rows = dicts(shop, f"FROM shop.recommend_campaigns({user})")
        assert rows[0]["campaign_id"] == first
        assert [row["rank"] for row in rows] == [1, 2]
        # six in ten, and one in twenty
        assert rows[0]["participation"] == pytest.approx(0.6, abs=0.12)
        assert rows[1]["participation"] == pytest.approx(0.05, abs=0.05)
        assert {row["uplift"] for row in rows} == {None}
        assert {row["evidence"] for row in rows} == {"observational"}
        # the items that fit best are those of the campaign
        kitchen = rows[0]["campaign_id"] == "c10"
        assert all((item < 6) == kitchen and item % 10 < 6 for item in rows[0]["items"])


def test_chances_are_as_many_as_take_part(shop: Connection) -> None:
    expected = shop.execute(
        "SELECT sum(participation) FROM shop.users_for_campaign('c10')"
    ).fetchone()
    assert expected is not None
    assert expected[0] == pytest.approx(150 * 0.6 + 150 * 0.05, rel=0.15)
    # and ends of intervals, which are those of all together, hold what is true
    rows = dicts(shop, "FROM shop.users_for_campaign('c10')")
    assert all(
        row[f"{one}_low"] < row[one] < row[f"{one}_high"]
        for row in rows
        for one in ("participation", "conversion")
    )
    assert {row["uplift_low"] for row in rows} == {None}
    low, high = (sum(row[f"participation_{end}"] for row in rows) for end in ("low", "high"))
    assert low < 150 * 0.6 + 150 * 0.05 < high
    (quality,) = dicts(
        shop,
        "FROM shop.campaign_quality WHERE measure = 'in_interval' AND outcome = 'participation'",
    )
    assert quality["method"] == "chosen"
    assert 0.5 <= quality["value"] <= 1


def test_the_score_is_the_sum_of_what_weights_make_of_objectives(shop: Connection) -> None:
    of = {row["objective"]: row for row in dicts(shop, "FROM shop.campaign_objectives")}
    assert list(of) == ["participation", "conversion", "satisfaction"]
    weights = {"participation": 0.2, "conversion": 0.0, "satisfaction": -0.5}
    for given in (str(weights), str(list(weights.values()))):
        for row in dicts(shop, f"FROM shop.recommend_campaigns(8, weights => {given})"):
            parts = row["contributions"]
            for name, weight in weights.items():
                standard = (row[name] - of[name]["mean"]) / of[name]["deviation"]
                assert parts[name] == pytest.approx(weight * standard, abs=1e-9)
            assert parts["uplift"] == 0
            assert row["score"] == pytest.approx(sum(parts.values()), abs=1e-9)
    by_default = dicts(shop, "FROM shop.recommend_campaigns(8)")
    assert by_default == dicts(shop, "FROM shop.recommend_campaigns(8, weights => [0.5, 0.3, 0.2])")


def test_explanations_add_up(shop: Connection) -> None:
    (found,) = (
        row
        for row in dicts(shop, "FROM shop.recommend_campaigns(4)")
        if row["campaign_id"] == "c10"
    )
    rows = dicts(shop, "FROM shop.explain_campaign(4, 'c10')")
    for outcome in ("participation", "purchases"):
        mine = [row for row in rows if row["outcome"] == outcome]
        assert mine[0]["feature"] == "base"
        total = mine[-1]
        assert total["feature"] == "total"
        assert sum(row["part"] for row in mine[:-1]) == pytest.approx(total["part"], abs=1e-9)
    chance = next(row for row in rows if row["feature"] == "total")
    assert chance["value"] == pytest.approx(1 / (1 + math.exp(-chance["part"])))
    assert chance["value"] == pytest.approx(found["participation"])
    purchases = [row for row in rows if row["feature"] == "total"][1]["value"]
    # all things cost 2
    assert 2 * purchases == pytest.approx(found["conversion"])


def test_all_users_at_once_are_as_each_alone(shop: Connection) -> None:
    query = "SELECT u, r.* FROM range(0, 300, 7) AS t(u), shop.recommend_campaigns(u, k => 1) AS r"
    for row in dicts(shop, f"{query} ORDER BY u"):
        (alone,) = dicts(shop, f"FROM shop.recommend_campaigns({row.pop('u')}, k => 1)")
        assert row["campaign_id"] == alone["campaign_id"]
        assert row["score"] == pytest.approx(alone["score"], abs=1e-6)


def test_someone_unknown_gets_a_list_too(shop: Connection) -> None:
    for user in ("NULL", "123456", "'x'"):
        rows = dicts(shop, f"FROM shop.recommend_campaigns({user})")
        assert [row["rank"] for row in rows] == [1, 2]
        assert 0.05 < rows[0]["participation"] < 0.5


def test_a_past_moment_has_the_campaigns_of_then(shop: Connection) -> None:
    of = "as_of => '2024-01-22', exclude_offered => false, k => 20"
    rows = dicts(shop, f"FROM shop.recommend_campaigns(2, {of})")
    assert {row["campaign_id"] for row in rows} == {f"c{n}" for n in range(11)}
    offered = shop.execute("SELECT campaign_id FROM reached WHERE customer_id = 2").fetchall()
    assert {row["campaign_id"] for row in rows if row["offered"]} == {one for (one,) in offered}
    more = "filter => 'place = ''garage'' AND mailing < 1'"
    rows = dicts(shop, f"FROM shop.recommend_campaigns(2, {of}, {more})")
    assert {row["campaign_id"] for row in rows} == {"c1", "c3", "c5", "c7", "c9"}
    rows = dicts(shop, "FROM shop.recommend_campaigns(2, as_of => '2024-01-22', k => 20)")
    assert not {row["campaign_id"] for row in rows} & {one for (one,) in offered}
    assert not any(row["offered"] for row in rows)
    assert dicts(shop, "FROM shop.recommend_campaigns(2, as_of => '2025-01-22')") == []


def test_the_best_users_for_a_campaign(shop: Connection) -> None:
    rows = dicts(shop, "FROM shop.users_for_campaign('c10', size => 40)")
    assert len(rows) == 40
    assert {row["user_id"] % 2 for row in rows} == {0}
    assert [row["rank"] for row in rows] == list(range(1, 41))
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert {row["cost"] for row in rows} == {None}
    some = dicts(
        shop,
        "FROM shop.users_for_campaign('c10', users => 'SELECT u AS customer_id FROM range(10)"
        " AS t(u)')",
    )
    assert {row["user_id"] for row in some} == set(range(10))
    by_id = {row["user_id"]: row["score"] for row in rows}
    for row in some:
        if row["user_id"] in by_id:
            assert row["score"] == pytest.approx(by_id[row["user_id"]], abs=1e-6)


def test_a_budget_is_kept_and_used(shop: Connection) -> None:
    rows = dicts(shop, "FROM shop.users_for_campaign('c9', budget => 20, cost => 0.5)")
    best = dicts(shop, "FROM shop.users_for_campaign('c9', size => 40)")
    assert [row["user_id"] for row in rows] == [row["user_id"] for row in best]
    cost = "0.1 + 3 * participation"
    rows = dicts(shop, f"FROM shop.users_for_campaign('c9', budget => 30, cost => '{cost}')")
    for row in rows:
        assert row["cost"] == pytest.approx(0.1 + 3 * row["participation"])
    assert 30 - 0.5 < sum(row["cost"] for row in rows) <= 30
    rows = dicts(shop, "FROM shop.users_for_campaign('c9', budget => 30, cost => 1, size => 7)")
    assert [row["user_id"] for row in rows] == [row["user_id"] for row in best[:7]]


def test_offers_keep_limits_over_all_users(shop: Connection) -> None:
    each = dicts(shop, "FROM shop.allocate_campaigns() ORDER BY user_id")
    alone = dicts(
        shop,
        "SELECT u AS user_id, r.campaign_id, r.participation"
        " FROM range(300) AS t(u), shop.recommend_campaigns(u, k => 1) AS r ORDER BY u",
    )
    assert [(row["user_id"], row["campaign_id"]) for row in each] == [
        (row["user_id"], row["campaign_id"]) for row in alone
    ]
    assert [row["participation"] for row in each] == pytest.approx(
        [row["participation"] for row in alone], abs=1e-6
    )
    of = "limits => {budget: {most: 50, cost: 'mailing'}, each: '70'}, min_per => {place: 40}"
    rows = dicts(shop, f"FROM shop.allocate_campaigns({of})")
    count = [sum(row["campaign_id"] == one for row in rows) for one in ("c9", "c10")]
    assert sum(count) == 100
    assert all(40 <= one <= 70 for one in count)
    limits = dicts(shop, f"FROM shop.campaign_limits({of})")
    assert {row["name"]: row["used"] for row in limits if row["of"] is None} == {"budget": 50}
    for row in limits:
        assert row["gap"] == pytest.approx(0, abs=1e-4)
        assert row["value"] == pytest.approx(sum(one["score"] for one in rows), rel=1e-5)
    garage = dicts(
        shop,
        "FROM shop.allocate_campaigns(k => 2, limits => {few: {most: 9, campaigns:"
        " 'place = ''garage'''}})",
    )
    assert sum(row["campaign_id"] == "c9" for row in garage) == 9
    assert sum(row["campaign_id"] == "c10" for row in garage) == 300


def test_what_is_written_counts_at_once(plain: Connection) -> None:
    create(plain)
    plain.execute(
        "INSERT INTO offers VALUES ('new', 'garage', '2024-05-01', '2024-06-01', 0.1);"
        "INSERT INTO vouchers VALUES ('new', 12), ('new', 13)"
    )
    rows = dicts(plain, "FROM shop.recommend_campaigns(5)")
    assert {row["campaign_id"] for row in rows} == {"c9", "c10", "new"}
    (new,) = (row for row in rows if row["campaign_id"] == "new")
    assert set(new["items"]) == {12, 13}
    before = next(
        row["value"]
        for row in dicts(plain, "FROM shop.explain_campaign(5, 'new')")
        if row["feature"] == "redeemed"
    )
    plain.execute("INSERT INTO mailed VALUES ('new', 5, false)")
    plain.execute("INSERT INTO taken SELECT 'c10', 5, TIMESTAMP '2024-04-26'")
    after = next(
        row["value"]
        for row in dicts(plain, "FROM shop.explain_campaign(5, 'new')")
        if row["feature"] == "redeemed"
    )
    assert math.exp(after) == pytest.approx(math.exp(before) + 1)
    rows = dicts(plain, "FROM shop.recommend_campaigns(5)")
    assert {row["campaign_id"] for row in rows} == {"c9", "c10"}
    rows = dicts(plain, "FROM shop.recommend_campaigns(5, exclude_offered => false)")
    assert {row["campaign_id"]: row["offered"] for row in rows}["new"] is True


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("users_for_campaign('c3')", "campaign_id: 'c3' is not a campaign that goes on"),
        ("users_for_campaign(NULL)", "campaign_id: None is not a campaign"),
        ("users_for_campaign('c9', size => 0)", "size: 0 is not a whole number from 1"),
        ("users_for_campaign('c9', budget => 3)", "budget: it needs cost"),
        ("users_for_campaign('c9', budget => -3, cost => 1)", "budget: -3 is not a finite"),
        ("users_for_campaign('c9', cost => '-1')", "cost: '-1' is -1 for a user"),
        ("users_for_campaign('c9', cost => 'price')", "unknown column 'price'"),
        ("users_for_campaign('c9', users => 'vouchers')", "none is called customer_id or user_id"),
        ("recommend_campaigns(1, weights => {uplift: 1})", "unknown objective 'uplift'"),
        ("recommend_campaigns(1, weights => [1])", "1 values came, but 3 are needed"),
        ("recommend_campaigns(1, filter => 'budget > 1')", "unknown column 'budget'"),
        ("recommend_campaigns(1, k => 0)", "k: 0 is not a whole number"),
        ("recommend_campaigns(1, exclude_offered => 'x')", "exclude_offered: true or false"),
        ("explain_campaign(1, 'x')", "campaign_id: 'x' is not a campaign"),
        ("allocate_campaigns(limits => {a: {most: 1, items: 'true'}})", "unknown field 'items'"),
        ("allocate_campaigns(limits => {a: {most: 1, cost: '-mailing'}})", "for the campaign c9"),
    ],
)
def test_a_bad_question_is_answered_in_a_sentence(shop: Connection, query: str, said: str) -> None:
    with pytest.raises(duckdb.Error, match=said):
        shop.execute(f"FROM shop.{query}").fetchall()
