"""What friends took and what was passed over, beside plain statements of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from morec_sql.udfs import evidence as module
from morec_sql.udfs.evidence import Evidence, Graph, Impressions
from morec_sql.udfs.history import NO_DECAY, History, bounds
from tests.udfs.kernels import random_catalogue, random_history

USERS, ITEMS = 30, 25
LIVES = np.array([0.4, 1.0, 4.0], np.float32)


def some_graph(generator: np.random.Generator) -> Graph:
    user, friend = np.nonzero(generator.random((USERS, USERS)) < 0.2)
    weight = generator.uniform(0.1, 2, len(user)).astype(np.float32)
    return Graph(bounds(user.astype(np.int32), USERS), friend.astype(np.int32), weight, LIVES)


def entries(found: Evidence) -> list[tuple[int, int, list[float]]]:
    rows = zip(
        found.user.tolist(), found.item.tolist(), found.weight.round(5).tolist(), strict=True
    )
    return sorted(rows)


def plainly(
    history: History, graph: Graph, chosen: list[int]
) -> list[tuple[int, int, list[float]]]:
    rows = []
    for place, user in enumerate(chosen):
        for edge in range(graph.starts[user], graph.starts[user + 1]):
            for pair in np.flatnonzero(history.user == graph.friend[edge]):
                decay = np.append(0.5 ** (history.first[pair] / LIVES), 1)
                weight = (graph.weight[edge] * decay).astype(np.float32).round(5).tolist()
                rows.append((place, int(history.item[pair]), weight))
    return sorted(rows)


@pytest.mark.parametrize("chunk", [1, 50, 1 << 22])
def test_it_is_what_each_friend_took(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    generator = np.random.default_rng(0)
    history, graph = random_history(generator, USERS, ITEMS), some_graph(generator)
    whole = dataclasses.replace(history, graph=graph)
    for chosen in ([0, 3, 4, 17, 29], list(range(USERS))):
        found = whole.of_users(np.array(chosen), USERS)
        expected = plainly(history, graph, chosen)
        assert [row[:2] for row in entries(found.friends)] == [row[:2] for row in expected]
        np.testing.assert_allclose(
            [row[2] for row in entries(found.friends)], [row[2] for row in expected], atol=2e-5
        )
        assert (np.diff(found.friends.user) >= 0).all()
        assert found.graph is None
    # some of those, and others behind them
    some = whole.of_users(np.array([3, 4, 17]), USERS)
    fewer = some.of_users(np.array([0, 2]), 3)
    assert entries(fewer.friends) == entries(whole.of_users(np.array([3, 17]), USERS).friends)
    both = fewer.followed_by(some, 2)
    assert len(both.friends) == len(fewer.friends) + len(some.friends)
    assert both.friends.user.max() == 4


def test_of_many_the_latest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TAKEN", 5)
    generator = np.random.default_rng(1)
    history, graph = random_history(generator, USERS, ITEMS), some_graph(generator)
    found = graph.of(history, np.arange(USERS))
    everything = plainly(history, graph, list(range(USERS)))
    for user in range(USERS):
        # the younger, the larger what is left of the weight
        mine = np.flatnonzero(found.user == user)
        assert len(mine) == min(5, sum(row[0] == user for row in everything))
        left = found.weight[mine, 0] / found.weight[mine, 3]
        rest = [w[0] / w[3] for u, _, w in everything if u == user]
        np.testing.assert_allclose(sorted(left), sorted(rest)[-5:], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("most", [4, 1000])
def test_it_is_what_each_was_shown_and_did_not_take(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(module, "MOST_TAKEN", most)
    generator = np.random.default_rng(3)
    history = random_history(generator, USERS, ITEMS)
    user = np.sort(generator.integers(0, USERS, 400)).astype(np.int32)
    item = generator.integers(0, ITEMS, 400).astype(np.int32)
    time, weight = generator.uniform(0, 10, 400), generator.uniform(0, 1, 400).astype(np.float32)
    shown = Impressions(user, item, time, weight, LIVES, 10.0).before(8.0)
    whole = dataclasses.replace(history, impressions=shown)
    taken = set(zip(history.user.tolist(), history.item.tolist(), strict=True))
    for chosen in ([0, 3, 4, 17, 29], list(range(USERS))):
        rows = []
        for place, one in enumerate(chosen):
            mine = [n for n in np.flatnonzero(user == one) if time[n] < 8]
            for n in sorted(mine, key=lambda n: -time[n])[:most]:
                if (one, item[n]) not in taken:
                    decay = np.append(0.5 ** ((8 - time[n]) / LIVES), 1)
                    rows.append((place, int(item[n]), (weight[n] * decay).astype(np.float32)))
        found = whole.of_users(np.array(chosen), USERS)
        assert found.impressions is None
        assert (np.diff(found.shown.user) >= 0).all()
        expected = sorted((u, i, w.round(5).tolist()) for u, i, w in rows)
        assert [row[:2] for row in entries(found.shown)] == [row[:2] for row in expected]
        np.testing.assert_allclose(
            [row[2] for row in entries(found.shown)], [row[2] for row in expected], atol=2e-5
        )
    fewer = whole.of_users(np.arange(USERS), USERS).of_users(np.array([3, 17]), USERS)
    assert entries(fewer.shown) == entries(whole.of_users(np.array([3, 17]), USERS).shown)


@pytest.mark.parametrize("half_life", [0, 1, NO_DECAY])
def test_relevance_has_it_as_one_more_history(half_life: int) -> None:
    generator = np.random.default_rng(2)
    catalogue = random_catalogue(generator, ITEMS, 6, ["relevance"])
    model = dataclasses.replace(catalogue.model, half_life=half_life)
    history, graph = random_history(generator, USERS, ITEMS), some_graph(generator)
    friends = graph.of(history, np.arange(USERS))
    befriended = model.beside("of_friends", 2.5, 3.0)
    both = dataclasses.replace(history, friends=friends)
    table = np.concatenate([model.decoder, model.popularity], axis=1)
    before, after = (
        of.queries @ table.T + (0 if of.more is None else of.more.toarray())
        for of in (model.of_users(history, USERS), befriended.of_users(both, USERS))
    )
    taken = np.zeros((USERS, ITEMS))
    np.add.at(taken, (friends.user, friends.item), friends.weight[:, half_life])
    x = np.log1p(taken)
    x /= np.maximum((x**2).sum(axis=1, keepdims=True), 1e-12) ** 0.25
    split = model.encoder.shape[1] - model.content
    likeness = model.encoder[:, :split].astype(np.float64) @ model.decoder[:, :split].T
    if model.neighbours is not None:
        likeness = likeness + model.neighbours.toarray()
    sizes = np.bincount(history.user, minlength=USERS)[:, None]
    np.testing.assert_allclose(after - before, 2.5 / (1 + sizes / 3) * (x @ likeness), atol=2e-4)
    # and says so of one item, in parts
    of_one = both.of_users(np.array([4]), USERS)
    item = int(np.setdiff1d(np.arange(ITEMS), of_one.item)[0])
    said = befriended.in_parts(of_one, item).friends
    assert said == pytest.approx(float((after - before)[4, item]), abs=2e-4)
