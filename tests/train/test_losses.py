"""Relevance trained by several losses: what the lists then hold, and what relevance is about."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

import morec_sql
from morec_sql.train import windows

# 240 users of four tastes with 40 items each, some of which everyone views and nobody buys (bait),
# and some that are rated low (poor); who views an item is as likely to view any other one of the
# taste. An impression is what was shown and not taken up.
SHOP = """
CREATE TABLE clicks AS
SELECT
    user_id,
    item_id,
    seen_at,
    CASE
        WHEN NOT bait AND md5_number_lower('buys' || user_id || ' ' || day) % 2 = 0 THEN 'purchase'
        ELSE 'view'
    END AS kind,
    CASE WHEN poor THEN 1.5 ELSE 4.5 END AS stars,
    true AS taken
FROM (
    SELECT
        u AS user_id,
        d AS day,
        CAST(md5_number_lower(u || ' ' || d) % 40 AS BIGINT) AS nth,
        (u % 4) * 40 + nth AS item_id,
        nth < 16 AS bait,
        nth >= 28 AS poor,
        TIMESTAMP '2024-01-01' + INTERVAL (7 * d + u % 7) DAY AS seen_at
    FROM range(160) AS t(u), range(20) AS s(d)
);

CREATE TABLE shown AS
SELECT * FROM clicks
UNION ALL
SELECT
    u,
    CAST(40 * (u % 4) + md5_number_lower('shown' || u || ' ' || d) % 16 AS BIGINT),
    TIMESTAMP '2024-01-01' + INTERVAL (7 * d + u % 7) DAY,
    'impression',
    NULL,
    false
FROM range(160) AS t(u), range(20) AS s(d);
"""
PURCHASES = "'purchases': 'ranking(kind = ''purchase'')'"
RATINGS = "'ratings': 'squared_error(stars)'"


@pytest.fixture(scope="module")
def shop() -> Iterator[duckdb.DuckDBPyConnection]:
    con = morec_sql.connect()
    con.execute(SHOP)
    yield con
    con.close()


def create(
    con: duckdb.DuckDBPyConnection,
    more: str = "",
    events: str = "clicks",
    event_time: str = "event_time => 'seen_at',",
) -> dict[str, int]:
    """Create the recommender, and return its stages."""
    rows = con.execute(f"""
        SELECT * FROM create_recommender(
            'shop', events => '{events}', {event_time} objectives => ['relevance'],
            dimensions => 8, replace => true {more}
        )
    """).fetchall()
    return {row[0]: row[1] for row in rows}


def shares(con: duckdb.DuckDBPyConnection) -> tuple[float, float, float]:
    """How much of what is new to users in their lists is bait, poor, and to their taste."""
    row = con.execute("""
        SELECT
            avg(CAST(r.item_id % 40 < 16 AS INTEGER)),
            avg(CAST(r.item_id % 40 >= 28 AS INTEGER)),
            avg(CAST(r.item_id // 40 = u.user_id % 4 AS INTEGER))
        FROM (SELECT DISTINCT user_id FROM clicks) AS u,
            shop.recommend(u.user_id, k => 8, exclude_seen => true) AS r
    """).fetchall()[0]
    return row


def held_out(stages: dict[str, int]) -> dict[str, float]:
    """The reported losses on users that were held out, against what they were."""
    return {
        stage.split(":")[0].removeprefix("loss "): float(stage.split(": ")[1].split()[0])
        for stage in stages
        if stage.startswith("loss ") and "no effect" not in stage
    }


def test_without_losses_what_is_viewed_is_recommended(shop: duckdb.DuckDBPyConnection) -> None:
    stages = create(shop)
    assert not any(stage.startswith("loss") for stage in stages)
    bait, poor, taste = shares(shop)
    assert bait > 0.3
    assert poor > 0.15
    assert taste > 0.95


def test_ranking_of_purchases_leaves_out_what_is_never_bought(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    stages = create(shop, f", losses => {{{PURCHASES}}}")
    assert held_out(stages)["purchases"] < 0.9
    bait, _, taste = shares(shop)
    assert bait < 0.05
    assert taste > 0.95


def test_cross_entropy_learns_from_what_was_shown_and_not_taken(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    clicks = ", event_weight => 'CASE WHEN taken THEN 1 END'"
    create(shop, clicks, events="shown")
    before = shares(shop)[0]
    stages = create(shop, clicks + ", losses => {'clicks': 'cross_entropy(taken)'}", events="shown")
    pairs = shop.execute("SELECT count(DISTINCT (user_id, item_id)) FROM shown").fetchall()[0][0]
    assert [rows for stage, rows in stages.items() if stage.startswith("loss clicks")] == [pairs]
    assert held_out(stages)["clicks"] < 1
    assert shares(shop)[0] < before - 0.1


def test_squared_error_of_ratings_leaves_out_what_is_rated_low(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    create(shop, f", losses => {{{RATINGS}}}")
    _, poor, taste = shares(shop)
    assert poor < 0.1
    assert taste > 0.9


@pytest.mark.parametrize("combine", ["NULL", "'uncertainty'", "'mgda'", "'pcgrad'"])
def test_losses_are_combined(shop: duckdb.DuckDBPyConnection, combine: str) -> None:
    stages = create(shop, f", losses => {{{PURCHASES}, {RATINGS}}}, combine => {combine}")
    measured = held_out(stages)
    assert measured.keys() == {"purchases", "ratings"}
    assert measured["ratings"] < 0.9
    assert sum(measured.values()) < 1.8
    if combine == "'mgda'":
        assert max(measured.values()) < 1  # what helps one and harms the other is not done
    else:
        assert shares(shop)[1] < 0.1  # poor


def test_fixed_weights_say_which_loss_counts(shop: duckdb.DuckDBPyConnection) -> None:
    both = f", losses => {{{PURCHASES}, {RATINGS}}}"
    alone = held_out(create(shop, f", losses => {{{PURCHASES}}}, combine => [1]"))
    stages = create(shop, both + ", combine => {purchases: 1}")
    assert held_out(stages) == alone
    assert "loss ratings: nothing to learn or weight 0, it has no effect" in stages
    ratings = held_out(create(shop, both + ", combine => [0.02, 1]"))["ratings"]
    assert ratings < held_out(create(shop, both + ", combine => [1, 0.02]"))["ratings"]


def test_a_refresh_trains_by_the_same_losses(shop: duckdb.DuckDBPyConnection) -> None:
    stages = create(shop, f", losses => {{{PURCHASES}}}")
    rows = shop.execute("SELECT stage, rows FROM refresh_recommender('shop')").fetchall()
    assert {stage: count for stage, count in rows if stage.startswith("loss")} == {
        stage: count for stage, count in stages.items() if stage.startswith("loss")
    }


def test_a_loss_without_anything_to_learn_has_no_effect(shop: duckdb.DuckDBPyConnection) -> None:
    create(shop)
    vectors = "SELECT item_id, encoder, decoder FROM shop.item_vectors ORDER BY item_id"
    before = shop.execute(vectors).fetchall()
    stages = create(
        shop,
        ", losses => {'same': 'squared_error(1)', 'missing': 'squared_error(NULL::DOUBLE)'}",
    )
    assert shop.execute(vectors).fetchall() == before
    for name in ("same", "missing"):
        assert f"loss {name}: nothing to learn or weight 0, it has no effect" in stages


def test_without_times_a_part_of_the_pairs_is_what_it_learns_from(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    stages = create(shop, f", losses => {{{PURCHASES}}}", event_time="")
    assert held_out(stages)["purchases"] < 0.95
    bait, _, taste = shares(shop)
    assert bait < 0.05
    assert taste > 0.95


def test_evaluate_measures_what_the_ranking_is_about(shop: duckdb.DuckDBPyConnection) -> None:
    query = """
        PIVOT (
            SELECT metric, value FROM shop.evaluate(
                k => 160, test_from => TIMESTAMP '2024-05-06', baselines => false
            )
        ) ON metric IN ('precision', 'recall') USING any_value(value)
    """
    truth = """
        SELECT count(DISTINCT (user_id, item_id)) / count(DISTINCT user_id) / 160
        FROM clicks WHERE seen_at >= TIMESTAMP '2024-05-06' AND {}
    """
    for losses_of, kept in (
        ("", "true"),
        (f", losses => {{{PURCHASES}}}", "kind = 'purchase'"),
        (", losses => {'a': 'cross_entropy(kind = ''view'')'}", "kind = 'view'"),
    ):
        create(shop, losses_of)
        precision, recall = shop.execute(query).fetchall()[0]
        expected = shop.execute(truth.format(kept)).fetchall()[0][0]
        assert recall == 1  # lists of the whole catalogue
        assert precision == pytest.approx(expected)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("losses => 'ranking(true)'", "losses: a struct"),
        ("losses => {'a': 'kind = ''purchase'''}", "losses.a: .* is not a call of a loss"),
        ("losses => {'a': 'rankings(kind = ''x'')'}", "did you mean 'ranking'"),
        ("losses => {'a': 'ranking(kind)'}", "losses.a: 'kind' is VARCHAR, but a predicate"),
        ("losses => {'a': 'squared_error(kind)'}", "losses.a: 'kind' is VARCHAR, but a number"),
        ("losses => {'a': 'squared_error(star)'}", "losses.a: .*unknown column 'star'.*'stars'"),
        ("losses => {'a': 'squared_error(sum(stars))'}", "losses.a: .* aggregates rows"),
        ("losses => {'a': 'ranking(true, false)'}", "losses.a: .* has 2 arguments"),
        (
            "losses => MAP {'a': 'ranking(true)', 'A': 'ranking(true)'}",
            "losses: a name occurs twice",
        ),
        ("losses => {'a': 'ranking(true)'}, combine => 'mgd'", "combine: 'mgd'.*'mgda'"),
        ("losses => {'a': 'ranking(true)'}, combine => [1, 2]", "combine: 2 values came, but 1"),
        ("losses => {'a': 'ranking(true)'}, combine => {b: 1}", "combine: unknown loss 'b'.*'a'"),
        ("losses => {'a': 'ranking(true)'}, combine => [-1]", "combine: .* negative"),
        ("combine => 'mgda'", "combine: 'mgda' combines losses, but losses is not given"),
    ],
)
def test_bad_losses_get_one_sentence(
    shop: duckdb.DuckDBPyConnection, given: str, sentence: str
) -> None:
    with pytest.raises(duckdb.Error, match=sentence):
        shop.execute(
            f"SELECT * FROM create_recommender('other', events => 'clicks', {given})"
        ).fetchall()
    assert not shop.execute(
        "SELECT 1 FROM information_schema.schemata WHERE schema_name = 'other'"
    ).fetchall()


def test_of_many_events_some_users_stand_for_all(
    shop: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses_of_purchases = f", losses => {{{PURCHASES}}}"
    learnt = []
    for events in (windows.WINDOW_EVENTS, 2000):
        monkeypatch.setattr(windows, "WINDOW_EVENTS", events)
        create(shop, losses_of_purchases)
        bait, _, taste = shares(shop)
        assert bait < 0.05
        assert taste > 0.95
        learnt.append(shop.execute("SELECT model FROM shop.settings").fetchall())
    assert learnt[0] != learnt[1]
