"""create_campaigns: what is learnt from past offers, and what is said of bad ones."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

import morec_sql
from tests.conftest import catalogue_of
from tests.decide.campaigns import Connection, create, dicts


def test_a_drawn_control_group_shows_what_offers_change(plain: Connection) -> None:
    stages = [row[0] for row in create(plain, members="'mailed'", control="'held_back'")]
    assert "control group: may have been drawn (campaign_balance)" in stages
    rows = dicts(plain, "FROM shop.users_for_campaign('c10')")
    assert "randomised" in {row["evidence"] for row in rows} <= {"randomised", "extrapolated"}
    # six in ten, or one in twenty, buy two things more at 2 each
    for side, truth in ((0, 0.6 * 4), (1, 0.05 * 4)):
        mine = [row["uplift"] for row in rows if row["user_id"] % 2 == side]
        assert sum(mine) / len(mine) == pytest.approx(truth, abs=0.5)
    curve = {
        (row["method"], row["share"]): row for row in dicts(plain, "FROM shop.campaign_uplift")
    }
    half, whole = curve["chosen", 0.5], curve["chosen", 1.0]
    assert whole["low"] < 0.325 * 4 < whole["high"]
    assert half["gain"] == pytest.approx(0.3 * 4, abs=0.3)
    qini = {
        row["method"]: row
        for row in dicts(plain, "FROM shop.campaign_quality WHERE outcome = 'uplift'")
    }
    assert qini["chosen"]["low"] > 0
    assert qini["heaviest buyers"]["gain_low"] > 0
    rows = dicts(plain, "FROM shop.recommend_campaigns(2, weights => {uplift: 1})")
    assert rows[0]["campaign_id"] == "c10"
    assert rows[0]["score"] == rows[0]["contributions"]["uplift"]


def test_a_control_group_that_was_chosen_is_told_from_a_drawn_one(plain: Connection) -> None:
    # those who buy much are kept from offers
    stages = [
        row[0]
        for row in create(plain, members="'mailed'", control="'customer_id % 3 > 0 AND held_back'")
    ]
    assert "control group: is not random, adjusted for (campaign_balance)" in stages
    balance = {row["feature"]: row for row in dicts(plain, "FROM shop.campaign_balance")}
    assert balance["all together"]["p"] < 1e-3
    assert balance["activity"]["difference"] < -0.2
    rows = dicts(plain, "FROM shop.users_for_campaign('c10')")
    assert "observational" in {row["evidence"] for row in rows} <= {"observational", "extrapolated"}
    assert all(row["uplift"] is not None for row in rows)


def test_without_coupons_campaigns_are_about_everything(plain: Connection) -> None:
    create(plain, coupons=None, value=None)
    rows = dicts(plain, "FROM shop.recommend_campaigns(2)")
    assert len(rows[0]["items"]) == 5
    assert all(item < 10 for item in rows[0]["items"])


def test_they_are_learnt_anew_and_go_with_the_recommender(plain: Connection) -> None:
    create(plain)
    before = dicts(plain, "FROM shop.campaign_model")
    plain.execute("FROM refresh_recommender('shop')").fetchall()
    assert dicts(plain, "FROM shop.campaign_model") == before
    assert len(dicts(plain, "FROM shop.recommend_campaigns(2)")) == 2
    plain.execute("UPDATE offers SET ends = '2024-04-20' WHERE campaign_id = 'c8'")
    stages = plain.execute("FROM refresh_campaigns('shop')").fetchall()
    assert ("campaigns: not ended by the last event", 2, None) in stages
    assert dicts(plain, "FROM shop.campaign_model") != before
    kinds = plain.execute("DESCRIBE FROM shop.recommend_campaigns(2)").fetchall()
    assert [row[1] for row in kinds[:2]] == ["INTEGER", "VARCHAR"]
    plain.execute("FROM drop_recommender('shop')").fetchall()
    tables = plain.execute("SELECT count(*) FROM duckdb_tables()").fetchone()
    assert tables == (6,)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"campaigns": "NULL"}, "campaigns: a name is needed"),
        ({"campaigns": "'nothing'"}, "campaigns: there is no table or view 'nothing'"),
        ({"campaigns": "'products'"}, "has no column 'campaign_id'"),
        ({"campaigns": "'(SELECT 1)'"}, "campaigns: there is no table"),
        ({"starts": "'place'"}, "starts: the column 'place' is VARCHAR"),
        ({"ends": "'stop'"}, "ends: .* has no column 'stop'"),
        ({"members": "'vouchers'"}, "members: .* has no column 'customer_id' or 'user_id'"),
        ({"coupons": "'mailed'"}, "coupons: .* has no column 'product_id' or 'item_id'"),
        (
            {"members": "'mailed'", "control": "'customer_id'"},
            "control: 'customer_id' is BIGINT, but a predicate",
        ),
        ({"value": "'''2 EUR'''"}, "value: .* is VARCHAR, but a number is needed"),
        ({"value": "'prise'"}, "value: .* unknown column 'prise'; did you mean 'price'"),
        ({"redemptions": "'nobody'"}, "redemptions: nobody took part in any of the 9 campaigns"),
        ({"members": "'no_members'"}, "campaigns: there is none to learn from"),
        ({"campaigns": "'backwards'"}, "campaigns: there is none with an id, a start, and an end"),
        ({"campaigns": "'later'"}, "campaigns: there is none to learn from: 11 not ended by"),
    ],
)
def test_bad_input_is_said_in_a_sentence_and_changes_nothing(
    plain: Connection, changes: dict[str, str], said: str
) -> None:
    plain.execute(
        "CREATE TABLE nobody AS FROM taken WHERE false;"
        "CREATE TABLE no_members AS FROM mailed WHERE false;"
        "CREATE TABLE backwards AS SELECT * REPLACE (starts - INTERVAL 1 DAY AS ends) FROM offers;"
        "CREATE TABLE later AS SELECT * REPLACE (DATE '2030-01-01' AS ends) FROM offers"
    )
    before = catalogue_of(plain)
    with pytest.raises(duckdb.Error, match=said) as caught:
        create(plain, **changes)
    assert str(caught.value).count("\n") < 3
    assert catalogue_of(plain) == before


def test_rows_that_come_twice_count_once(plain: Connection) -> None:
    create(plain)
    before = dicts(plain, "FROM shop.campaign_model")
    for table in ("offers", "vouchers", "taken"):
        plain.execute(f"INSERT INTO {table} FROM {table}")
    plain.execute("INSERT INTO offers VALUES (NULL, 'garage', '2024-05-01', '2024-06-01', 1)")
    create(plain, replace="true")
    for one, other in zip(before, dicts(plain, "FROM shop.campaign_model"), strict=True):
        assert one["coefficient"] == pytest.approx(other["coefficient"], abs=1e-6)
    assert len(dicts(plain, "FROM shop.recommend_campaigns(2)")) == 2


def test_they_are_exported_and_imported(plain: Connection, tmp_path: Path) -> None:
    create(plain, members="'mailed'", control="'held_back'")
    # a training after them makes views anew
    plain.execute("FROM refresh_recommender('shop')").fetchall()
    query = "FROM shop.recommend_campaigns(4)"
    before = dicts(plain, query)
    plain.execute(f"EXPORT DATABASE '{tmp_path / 'out'}' (FORMAT parquet)")
    with duckdb.connect() as other:
        other.execute(f"IMPORT DATABASE '{tmp_path / 'out'}'")
        morec_sql.load(other)
        after = dicts(other, query)
        assert [row["campaign_id"] for row in after] == [row["campaign_id"] for row in before]
        assert [row["score"] for row in after] == pytest.approx([row["score"] for row in before])
        assert dicts(other, "FROM shop.campaign_quality")


def test_without_campaigns_it_says_how_to_read_them(plain: Connection) -> None:
    for query in ("recommend_campaigns(1)", "users_for_campaign('c9')", "allocate_campaigns()"):
        with pytest.raises(duckdb.Error, match=r"create_campaigns\('shop'"):
            plain.execute(f"FROM shop.{query}").fetchall()
    with pytest.raises(duckdb.Error, match="has no campaigns yet"):
        plain.execute("FROM refresh_campaigns('shop')").fetchall()
    create(plain)
    with pytest.raises(duckdb.Error, match="has some already; pass replace => true"):
        create(plain)
    create(plain, replace="true")


def test_on_real_orders_it_beats_every_baseline(journey_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "journey.duckdb"
    path.write_bytes(journey_file.read_bytes())
    with morec_sql.connect(path) as con:
        con.execute("DELETE FROM campaigns WHERE household_id % 2 = 1")
        con.execute("DELETE FROM coupon_redemptions WHERE household_id % 2 = 1")
        stages = con.execute(
            "FROM create_campaigns('shop', campaigns => 'campaign_descriptions', members =>"
            " 'campaigns', coupons => 'coupons', redemptions => 'coupon_redemptions', value =>"
            " 'sales_value', discount => 'coupon_disc')"
        ).fetchall()
        assert ("campaigns: not ended by the last event", 5, None) in stages
        assert any(row[0] == "participation: by all features" for row in stages)
        quality = {
            (row["method"], row["measure"]): row
            for row in dicts(con, "FROM shop.campaign_quality WHERE outcome = 'participation'")
        }
        assert quality["chosen", "auc"]["value"] > 0.75
        for method in ("earlier redeemers", "heaviest buyers", "relevance alone"):
            assert quality[method, "auc"]["gain_low"] > 0, method
            assert quality[method, "log_loss"]["gain_high"] < 0, method
        assert 0.7 < quality["chosen", "calibration"]["value"] < 1.4
        rows = dicts(con, "FROM shop.recommend_campaigns(1000)")
        assert rows
        types = con.execute("DESCRIBE FROM shop.recommend_campaigns(1000)").fetchall()
        assert types[1][:2] == ("campaign_id", "BIGINT")
