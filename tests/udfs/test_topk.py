"""The largest scores, with bounds and without, against brute force."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from morec_sql.udfs import topk
from morec_sql.udfs.groups import Groups


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
    members = Groups.members
    monkeypatch.setattr(
        Groups,
        "members",
        lambda self, chosen: multiplied.append(members(self, chosen)) or multiplied[-1],
    )
    score, item = table.top(torch.from_numpy(query), topk.Given(none, none, torch.zeros(0)), k)
    scores, best = brute_force(rows.astype(np.float32), query, {}, k)
    np.testing.assert_array_equal(item.numpy(), best)
    np.testing.assert_allclose(score.numpy(), scores, rtol=1e-4)
    assert sum(map(len, multiplied)) < items / 5


def test_groups_are_made_in_a_thread_that_the_process_waits_for() -> None:
    made_in: list[threading.Thread] = []

    def typical() -> torch.Tensor:
        made_in.append(threading.current_thread())
        return torch.ones(4)

    tables = topk.Tables(torch.rand((topk.WORTH_IT, 4)), typical, 4)
    # as those of the database are
    caller = threading.Thread(target=lambda: tables.serving(topk.FEW), daemon=True)
    caller.start()
    caller.join()
    assert made_in[0] is not caller
    assert not made_in[0].daemon
    assert tables.serving(1).groups is not None
