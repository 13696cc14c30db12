"""The kernels against plain NumPy statements of their formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from morec_sql import serve
from morec_sql.templates import arrow, sql
from morec_sql.udfs import relevance, repeats, scoring, topk
from morec_sql.udfs.history import DAY, Clock, Events, History, bounds
from morec_sql.udfs.relevance import RelevanceModel

Gain = Callable[[scoring.Catalogue, History, int, list[int], int], float]


def random_history(generator: np.random.Generator, users: int, items: int) -> History:
    """Some pairs of some users, sorted by user and item; the last user has none."""
    known = generator.random((users, items)) < 0.2
    known[-1] = False
    user, item = np.nonzero(known)
    pairs = len(user)
    last = generator.random(pairs).astype(np.float32) * 3
    return History(
        user=user.astype(np.int32),
        item=item.astype(np.int32),
        strength=generator.random((pairs, 3)).astype(np.float32) + 0.1,
        count=generator.integers(1, 5, pairs).astype(np.float32),
        last=last,
        first=last + generator.random(pairs).astype(np.float32),
    )


@pytest.mark.parametrize("timeless", [False, True])
@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_histories_of_events_are_as_their_formula_says(timeless: bool, seed: int) -> None:
    generator = np.random.default_rng(seed)
    events = int(generator.integers(0, 60))
    user = np.sort(generator.integers(0, 4, events)).astype(np.int32)
    item = generator.integers(0, 5, events).astype(np.int32)
    time = 1.7e9 + generator.integers(0, 12, events) * DAY / 4
    weight = generator.integers(1, 3, events).astype(np.float32)
    clock = Clock(0.0 if timeless else 1.8e9, (2 * DAY, 5 * DAY, 9 * DAY), 1.5, DAY)
    now = time.max(initial=0) + generator.random(4) * DAY
    ordered = Events.sorted(user, item, time, weight, timeless)
    history = ordered.history(clock, now[ordered.user])

    rows = list(zip(user.tolist(), item.tolist(), time.tolist(), weight.tolist(), strict=True))
    distinct = rows if timeless else sorted(set(rows))
    pairs = sorted({row[:2] for row in rows})
    assert list(zip(history.user.tolist(), history.item.tolist(), strict=True)) == pairs
    for place, pair in enumerate(pairs):
        times, weights = np.array([row[2:] for row in distinct if row[:2] == pair]).T
        ages = np.zeros(len(times)) if timeless else now[pair[0]] - times
        strength = [(weights * 0.5 ** (ages / life)).sum() / 1.5 for life in clock.half_lives]
        days = len(times) if timeless else len(set(times // DAY))
        np.testing.assert_allclose(history.strength[place], strength, rtol=1e-5)
        assert history.count[place] == days
        assert history.last[place] == pytest.approx(ages.min() / (5 * DAY), abs=1e-5)
        assert history.first[place] == pytest.approx(ages.max() / (5 * DAY), abs=1e-5)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**31 - 1),
            st.none() | st.integers(-(10**17), 10**17),
            st.floats(1e-9, 1e9),
        ),
        max_size=20,
        unique_by=lambda event: event[0],
    )
)
@settings(max_examples=40, deadline=None)
def test_events_pass_through_sql_as_they_are(
    events: list[tuple[int, int | None, float]],
) -> None:
    """Whatever their item, microsecond and weight."""
    with duckdb.connect() as con:
        con.execute(
            """
            CREATE TABLE events (user_id INTEGER, item_id INTEGER, event_time TIMESTAMP, weight DOUBLE);
            CREATE TABLE item_vectors (item_id INTEGER, item_index INTEGER)
            """
        )
        for item, time, weight in events:
            con.execute(
                "INSERT INTO events VALUES (1, ?, make_timestamp(?), ?)", [item, time, weight]
            )
        con.execute("INSERT INTO item_vectors SELECT DISTINCT item_id, item_id FROM events")
        history = sql("history_of_user", schema="main", key_type="INTEGER")
        lists = arrow(con, f"SELECT coalesce(({history}), []) FROM (SELECT 1 AS user_id)").column(0)
    item, time, weight = serve._unpacked(pc.list_flatten(lists.combine_chunks()))
    order = np.argsort(item)
    rows = sorted(events)
    assert item[order].tolist() == [row[0] for row in rows]
    wanted = [np.nan if row[1] is None else row[1] / 1e6 for row in rows]
    np.testing.assert_array_equal(time[order], wanted)
    np.testing.assert_allclose(weight[order], [row[2] for row in rows], rtol=1e-6)


def random_catalogue(
    generator: np.random.Generator, items: int, dimensions: int, kinds: list[str]
) -> scoring.Catalogue:
    def normal(*shape: int) -> np.ndarray:
        return generator.normal(size=shape).astype(np.float32)

    model = RelevanceModel(
        encoder=normal(items, dimensions),
        decoder=normal(items, dimensions),
        statistics=normal(items, len(repeats.ITEM_FEATURES)),
        content=1,
        unknown=normal(5, 5),
        repeats=repeats.RepeatModel(
            mean=normal(repeats.FEATURES),
            scale=abs(normal(repeats.FEATURES)) + 0.5,
            linear=normal(repeats.FEATURES),
            intercept=-1.5,
            hidden=normal(3, repeats.FEATURES),
            bias=normal(3),
            output=normal(3),
        ),
        half_life=1,
        chosen={},
        unit=1.7,
    )
    likeness = normal(4, 5)
    likeness /= np.linalg.norm(likeness, axis=1, keepdims=True)
    rows = generator.integers(-1, 4, items)
    values = normal(items, len(kinds))
    for position, kind in enumerate(kinds):
        if kind in ("coverage", "calibration", "diversity by category"):
            values[:, position] = generator.integers(-1, 4, items)
    return scoring.Catalogue(model, kinds, values, likeness, rows)


def plain_relevance(
    catalogue: scoring.Catalogue, history: History, users: int, wanted: np.ndarray | None = None
) -> np.ndarray:
    """Relevance of every item for every user, pair by pair; of a pair not wanted, as if unknown."""
    model = catalogue.model
    out = np.zeros((users, catalogue.items))
    features = repeats.pair_features(history)
    again = model.repeats
    split = model.decoder.shape[1] - model.content
    blocks = slice(None, split), slice(split, None)
    for user in range(users):
        mine = np.flatnonzero(history.user == user)
        x = np.log1p(history.strength[mine, model.half_life].astype(np.float64))
        x /= max(np.sqrt((x**2).sum()), 1e-6) ** 0.5
        active = np.log(history.strength[mine].sum(axis=0) + 0.1)
        weights = np.concatenate([[1, 1 / (1 + len(mine) / 20)], active]) @ model.unknown
        encoder = model.encoder[history.item[mine]].astype(np.float64)
        query = (x[:, None] * encoder).sum(axis=0)

        def likeness(query: np.ndarray, item: int | slice, weights: np.ndarray = weights) -> Any:
            parts = [model.decoder[item, block] @ query[block] for block in blocks]
            return weights[0] * parts[0] + weights[1] * parts[1]

        out[user] = likeness(query, slice(None)) + model.statistics[:, :2] @ weights[2:4]
        for weight, pair in zip(x, mine, strict=True):
            if wanted is not None and not wanted[pair]:
                continue
            item = history.item[pair]
            rest = likeness(query - weight * model.encoder[item], item)
            interval = model.statistics[item, repeats.ITEM_FEATURES.index("log_interval")]
            due = np.log(history.last[pair] + 0.3) - interval
            row = np.concatenate([[rest, due], features[pair], model.statistics[item], active])
            row = np.clip((row - again.mean) / again.scale, -5, 5)
            unit = np.maximum(again.hidden @ row + again.bias, 0)
            odds = again.linear @ row + again.intercept + again.output @ unit
            out[user, item] = odds - weights[4]
    return (out - out.mean(axis=1, keepdims=True)) / model.unit


def plain_fit(catalogue: scoring.Catalogue, history: History, users: int, at: int) -> np.ndarray:
    """Minus the squared distance from what the user is used to, standardised over the catalogue."""
    out = np.zeros((users, catalogue.items))
    values = catalogue.values[:, at].astype(np.float64)
    for user in range(users):
        mine = history.user == user
        strength = history.strength[mine, 2].astype(np.float64)
        taste = (strength * values[history.item[mine]]).sum() / (strength.sum() + 1)
        fit = -((values - taste) ** 2)
        out[user] = (fit - fit.mean()) / fit.std()
    return out


@given(
    seed=st.integers(0, 2**32 - 1),
    items=st.integers(3, 400),
    k=st.integers(1, 12),
    filtered=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_list_is_the_brute_force_top_k(seed: int, items: int, k: int, filtered: bool) -> None:
    generator = np.random.default_rng(seed)
    users = 7
    catalogue = random_catalogue(generator, items, 4, ["item", "relevance", "fit", "item"])
    history = random_history(generator, users, items)
    weights = generator.random((users, 4)) + 0.1
    exclude = generator.random(users) < 0.5
    allowed = np.flatnonzero(generator.random(items) < 0.5) if filtered else np.arange(items)
    if not len(allowed):
        allowed = np.array([0])
    ranked = scoring.rank(
        catalogue,
        catalogue.batch(history, users, catalogue.only(allowed) if filtered else None, exclude),
        weights,
        k,
    )
    wanted = np.isin(history.item, allowed) & ~exclude[history.user]
    parts = (
        np.stack(
            [
                np.tile(catalogue.values[:, 0], (users, 1)),
                plain_relevance(catalogue, history, users, wanted),
                plain_fit(catalogue, history, users, 2),
                np.tile(catalogue.values[:, 3], (users, 1)),
            ],
            axis=2,
        )
        * weights[:, None]
    )
    total = parts.sum(axis=2)
    for user in range(users):
        possible = allowed
        if exclude[user]:
            possible = np.setdiff1d(allowed, history.item[history.user == user])
        best = possible[np.argsort(-total[user, possible], kind="stable")][:k]
        listed = ranked.item[user][ranked.item[user] >= 0]
        np.testing.assert_allclose(total[user, listed], total[user, best], atol=2e-3)
        assert len(set(listed)) == len(best)
        assert set(listed) <= set(possible)
        depth = len(listed)
        np.testing.assert_allclose(ranked.score[user, :depth], total[user, listed], atol=2e-3)
        np.testing.assert_allclose(
            ranked.contributions[user, :depth], parts[user, listed], atol=2e-3
        )


def check_greedy(
    seed: int, kinds: list[str], weight: float, gain: Gain, diversify: str = "mmr"
) -> None:
    """Each next item of a list has the largest score plus gain, and the gain is as stated."""
    generator = np.random.default_rng(seed)
    items, k, users = 15, 6, 3
    catalogue = random_catalogue(generator, items, 3, ["relevance", *kinds, "item"])
    history = random_history(generator, users, items)
    weights = np.tile([1.0, weight, 1.0], (users, 1))
    batch = catalogue.batch(history, users)
    ranked = scoring.rank(catalogue, batch, weights, k, diversify=diversify)
    score = plain_relevance(catalogue, history, users) + catalogue.values[:, 2]
    for user in range(users):
        chosen = list(ranked.item[user])
        for place, item in enumerate(chosen):
            rest = np.setdiff1d(np.arange(items), chosen[:place])
            gains = np.full(items, -np.inf)
            for one in rest:
                gains[one] = weight * gain(catalogue, history, user, chosen[:place], one)
            marginal = score[user] + gains
            assert marginal[item] >= marginal[rest].max() - 2e-3
            assert ranked.contributions[user, place, 1] == pytest.approx(gains[item], abs=2e-3)
        assert ranked.score[user] == pytest.approx(ranked.contributions[user].sum(axis=1))


def likenesses(catalogue: scoring.Catalogue) -> np.ndarray:
    """The likeness of every two items; an item is like itself, whatever it lacks."""
    rows = catalogue.likeness.rows.cpu().numpy()
    if catalogue.likeness.vectors is None:
        like = (rows[:, None] == rows) & (rows >= 0)
    else:
        vectors = catalogue.likeness.vectors.cpu().numpy().astype(np.float64)[rows]
        like = vectors @ vectors.T
    like = like.astype(np.float64)
    np.fill_diagonal(like, 1.0)
    return like


def distance_gain(
    catalogue: scoring.Catalogue, history: History, user: int, chosen: list[int], item: int
) -> float:
    if not chosen:
        return 0.0
    mean = (1 - likenesses(catalogue)[item, chosen]).mean()
    measure = catalogue.likeness
    return float((mean - measure.distance_mean) / measure.distance_deviation)


def volume_gain(
    catalogue: scoring.Catalogue, history: History, user: int, chosen: list[int], item: int
) -> float:
    def log_determinant(listed: list[int]) -> float:
        kernel = likenesses(catalogue)[np.ix_(listed, listed)] + 0.01 * np.eye(len(listed))
        return float(np.linalg.slogdet(kernel / 1.01)[1])

    gain = log_determinant([*chosen, item]) - log_determinant(chosen)
    return max(gain, np.log(1e-6)) / catalogue.likeness.volume_unit


def coverage_gain(
    catalogue: scoring.Catalogue, history: History, user: int, chosen: list[int], item: int
) -> float:
    category = catalogue.values[:, 1]
    return float(category[item] >= 0 and category[item] not in category[chosen])


def calibration_gain(
    catalogue: scoring.Catalogue, history: History, user: int, chosen: list[int], item: int
) -> float:
    category = catalogue.values[:, 1].astype(int)
    known = np.flatnonzero((history.user == user) & (category[history.item] >= 0))
    mix = np.bincount(category[history.item[known]], history.strength[known, 2], minlength=4)
    if not len(known):
        mix = np.bincount(category[category >= 0], minlength=4).astype(float)
    mix /= mix.sum()

    def divergence(listed: list[int]) -> float:
        counts = np.bincount(category[listed][category[listed] >= 0], minlength=4)
        share = 0.99 * counts / max(len(listed), 1) + 0.01 * mix
        there = mix > 0
        return float((mix[there] * np.log(mix[there] / share[there])).sum())

    return (divergence(chosen) - divergence([*chosen, item])) / 0.1


@pytest.mark.parametrize(
    ("kind", "gain", "diversify"),
    [
        ("diversity", distance_gain, "mmr"),
        ("diversity by behaviour", distance_gain, "mmr"),
        ("diversity by category", distance_gain, "mmr"),
        ("diversity", volume_gain, "dpp"),
        ("diversity by behaviour", volume_gain, "dpp"),
        ("diversity by category", volume_gain, "dpp"),
        ("coverage", coverage_gain, "mmr"),
        ("calibration", calibration_gain, "mmr"),
    ],
)
@given(seed=st.integers(0, 2**32 - 1), weight=st.floats(0.01, 5))
@settings(max_examples=15, deadline=None)
def test_listwise_objectives_are_maximised_greedily(
    kind: str, gain: Gain, diversify: str, seed: int, weight: float
) -> None:
    check_greedy(seed, [kind], weight, gain, diversify)


def test_many_vectors_are_compared_without_their_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "GRAM_ROWS", 0)
    check_greedy(3, ["diversity"], 0.7, distance_gain)
    check_greedy(3, ["diversity"], 0.7, volume_gain, "dpp")


def test_the_factors_are_ease() -> None:
    """At full rank and without item features, they give EASE's closed form."""
    generator = np.random.default_rng(0)
    users, items, ridge = 30, 12, 0.05
    history = random_history(generator, users, items)
    starts = bounds(history.user, users)
    weights = relevance.normalised(relevance.pair_weights(history, 2), starts)
    vectors, values = relevance._truncated_svd(
        starts, history.item, weights, None, items, items, seed=1
    )
    encoder, decoder = relevance._encoder_decoder(vectors, values, ridge)
    x = np.zeros((users, items))
    x[history.user, history.item] = weights
    gram = x.T @ x
    penalty = ridge * np.linalg.eigvalsh(gram).max()
    inverse = np.linalg.inv(gram + penalty * np.eye(items))
    ease = -inverse / np.diag(inverse)
    np.fill_diagonal(ease, 0)
    ours = encoder @ decoder.T
    np.fill_diagonal(ours, 0)
    np.testing.assert_allclose(ours, ease, atol=1e-3)


def test_an_item_without_events_is_near_items_with_like_features() -> None:
    generator = np.random.default_rng(1)
    users, items = 40, 10
    history = random_history(generator, users, items)
    bought = history.take(history.item < 9)
    features = np.eye(5, dtype=np.float32)[np.arange(items) // 2]
    model = relevance.fit(bought, users, items, features, [], [], [], 8, seed=1)
    likeness = model.encoder[:9] @ model.decoder[9]
    assert likeness.argmax() == 8


def test_repeat_features_of_a_pair_checked_by_hand() -> None:
    pair = History(
        user=np.zeros(2, np.int32),
        item=np.arange(2, dtype=np.int32),
        strength=np.array([[0.49, 0.99, 1.99], [0.99, 0.99, 0.99]], np.float32),
        count=np.array([3, 1], np.float32),
        last=np.array([1, 0], np.float32),
        first=np.array([3, 0], np.float32),
    )
    expected = {
        "log_count": [np.log(3), 0],
        "log_strength_short": [np.log(0.5), 0],
        "log_strength_medium": [0, 0],
        "log_strength_long": [np.log(2), 0],
        "log_last": [np.log(2), 0],
        "log_first": [np.log(4), 0],
        "repeated": [1, 0],
        # bought every 1.0 and last bought 1.0 ago: neither early nor overdue
        "rhythm": [0, 0],
        "overdue": [0, 0],
    }
    features = repeats.pair_features(pair)
    np.testing.assert_allclose(
        features.T, [expected[name] for name in repeats.PAIR_FEATURES], atol=1e-6
    )


def test_item_features_checked_by_hand() -> None:
    history = History(
        user=np.array([0, 1, 2], np.int32),
        item=np.array([1, 1, 1], np.int32),
        strength=np.array([[0.4, 0.5, 0.6]] * 3, np.float32),
        count=np.array([3, 1, 1], np.float32),
        last=np.array([0.1, 0.2, 5.0], np.float32),
        first=np.array([4.0, 0.2, 6.0], np.float32),
    )
    expected = {
        "log_users": np.log(4),
        "log_late_users": np.log(3),
        "log_latest_users": np.log(3),
        "log_late_adopters": np.log(2),
        "log_latest_adopters": np.log(2),
        "repeat_share": 2 / 7,
        "log_mean_count": np.log(6 / 4),
        "log_strength_short": np.log(1.3),
        "log_strength_medium": np.log(1.6),
        "log_strength_long": np.log(1.9),
        # one repeated every 1.95 and is loyal; 3 users and 2 loyal ones are added to smooth
        "log_interval": np.log(1.95 + 0.3),
        "loyal_share": 2 / 3,
    }
    features = repeats.item_features(history, 2)
    np.testing.assert_allclose(
        features[1], [expected[name] for name in repeats.ITEM_FEATURES], rtol=1e-5
    )
    assert features[0, 0] == 0


def test_the_network_learns_what_a_regression_cannot() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(100_000, repeats.FEATURES)).astype(np.float32)
    label = features[:, 0] * features[:, 1] > 0.5
    model = repeats.fit([features], [label], features, seed=1)
    odds = model.log_odds(features)
    assert ((odds > 0) == label).mean() > 0.93
    again = repeats.RepeatModel.from_json(model.as_json())
    np.testing.assert_array_equal(again.log_odds(features), odds)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    history = random_history(generator, 50, 60)
    fitted = []
    for where in ("cuda", "cpu"):
        for module in (relevance, scoring):
            monkeypatch.setattr(module, "device", lambda where=where: torch.device(where))
        model = relevance.fit(history, 50, 60, None, [], [], [], 16, seed=3)
        fitted.append(model.encoder @ model.decoder.T)
        assert all(np.isfinite(value).all() for value in (model.encoder, model.decoder))
    np.testing.assert_allclose(fitted[0], fitted[1], atol=1e-3)


def brute_force(
    rows: np.ndarray, query: np.ndarray, given: dict[tuple[int, int], float], k: int
) -> tuple[np.ndarray, np.ndarray]:
    """All scores by float64, sorted, equal ones by item."""
    scores = query.astype(np.float64) @ rows.astype(np.float64).T
    for (user, item), score in given.items():
        scores[user, item] = score
    items = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, items, axis=1), items


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_the_largest_scores_are_those_of_brute_force(data: st.DataObject) -> None:
    draw = data.draw
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    items = draw(st.sampled_from([40, 700, 2100, 5000]))
    columns, users = draw(st.integers(1, 70)), draw(st.integers(1, 9))
    k = min(draw(st.sampled_from([1, 7, 30])), items)
    whole = draw(st.booleans())  # whole numbers: many scores are equal, and all are exact
    if whole:
        rows = generator.integers(-3, 4, (items, columns)).astype(np.float32)
        query = generator.integers(-2, 3, (users, columns)).astype(np.float32)
    else:
        spread = generator.lognormal(0, 2, columns)
        rows = (generator.normal(1, 2, (items, columns)) * spread).astype(np.float32)
        query = generator.normal(size=(users, columns)).astype(np.float32)
    known = np.argwhere(generator.random((users, items)) < 0.02)
    score = generator.integers(-5, 40, len(known)).astype(np.float32)
    score[generator.random(len(known)) < 0.3] = -np.inf
    pairs = topk.Given(
        torch.from_numpy(known[:, 0]), torch.from_numpy(known[:, 1]), torch.from_numpy(score)
    )
    scores, best = brute_force(
        rows, query, dict(zip(map(tuple, known.tolist()), score.tolist(), strict=True)), k
    )
    table, queries = torch.from_numpy(rows), torch.from_numpy(query)
    found = [topk.top(lambda part: queries @ table[part].T, items, pairs, k)]
    # the bounds are proven for any scale and ball; they may give up
    typical = torch.from_numpy(generator.lognormal(0, 2, columns).astype(np.float32))
    ball = draw(st.integers(0, columns))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(topk, "WORTH_IT", 512)
        bounded = topk.Table.grouped(table, typical, ball)
        found.append(bounded.top(queries, pairs, k))
        allowed = np.flatnonzero(
            rows[:, 0] < np.quantile(rows[:, 0], draw(st.sampled_from([0.3, 0.9])))
        )
        inside = np.isin(known[:, 1], allowed)
        renumbered = topk.Given(
            torch.from_numpy(known[inside, 0]),
            torch.from_numpy(np.searchsorted(allowed, known[inside, 1])),
            torch.from_numpy(score[inside]),
        )
        some = min(k, len(allowed))
        part = bounded.take(torch.from_numpy(allowed)).top(queries, renumbered, some)
    for values, column in found:
        np.testing.assert_allclose(values.numpy(), scores, rtol=1e-4, atol=1e-3)
        if whole:
            real = np.isfinite(scores)
            np.testing.assert_array_equal(column.numpy()[real], best[real])
    of_part = dict(
        zip(
            zip(known[inside, 0], np.searchsorted(allowed, known[inside, 1]), strict=True),
            score[inside].tolist(),
            strict=True,
        )
    )
    expected, _ = brute_force(rows[allowed], query, of_part, some)
    np.testing.assert_allclose(part[0].numpy(), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("k", [10, 100])
def test_the_bounds_leave_out_most_of_a_catalogue(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # few items that everyone buys, many that hardly anyone does, as in a shop
    generator = np.random.default_rng(2)
    items, columns = 20_000, 32
    norm = 1 / np.arange(1, items + 1) ** 0.8
    rows = generator.normal(size=(items, columns)) * norm[:, None]
    query = generator.normal(size=(16, columns)).astype(np.float32)
    none = torch.zeros(0, dtype=torch.int64)
    table = topk.Table.grouped(
        torch.from_numpy(rows.astype(np.float32)), torch.ones(columns), columns
    )
    assert table.groups is not None
    multiplied = []
    members = topk._Groups.members
    monkeypatch.setattr(
        topk._Groups,
        "members",
        lambda self, chosen: multiplied.append(members(self, chosen)) or multiplied[-1],
    )
    score, item = table.top(torch.from_numpy(query), topk.Given(none, none, torch.zeros(0)), k)
    scores, best = brute_force(rows.astype(np.float32), query, {}, k)
    np.testing.assert_array_equal(item.numpy(), best)
    np.testing.assert_allclose(score.numpy(), scores, rtol=1e-4)
    assert sum(map(len, multiplied)) < items / 5


@given(seed=st.integers(0, 2**32 - 1), columns=st.integers(1, 12), least=st.floats(-9, 0))
@settings(max_examples=30, deadline=None)
def test_a_basis_is_orthonormal_and_spans_the_columns(
    seed: int, columns: int, least: float
) -> None:
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(300, columns)) * np.logspace(0, least, columns)
    plain = matrix.astype(np.float32).astype(np.float64)
    basis = relevance._orthonormal(torch.from_numpy(matrix.astype(np.float32)), 2).numpy()
    basis = basis.astype(np.float64)
    np.testing.assert_allclose(basis.T @ basis, np.eye(columns), atol=1e-5)
    np.testing.assert_allclose(basis @ (basis.T @ plain), plain, atol=1e-5)
