"""The largest scores, with bounds and without, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from morec_sql.udfs import lengths, table, topk


def sorted_out(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k largest of each row and where, equal ones by item."""
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
    extra = np.argwhere(generator.random((users, items)) < draw(st.sampled_from([0, 0.01, 0.3])))
    plus = generator.integers(-9, 30, len(extra)).astype(np.float32)

    def pairs(of: np.ndarray, score: np.ndarray) -> topk.Given:
        return topk.Given(*map(torch.from_numpy, (of[:, 0], of[:, 1], score)))

    exact_pairs, more = pairs(known, score), pairs(extra, plus)
    exact = query.astype(np.float64) @ rows.astype(np.float64).T
    exact[tuple(extra.T)] += plus
    exact[tuple(known.T)] = score
    scores, best = sorted_out(exact, k)
    queries, all_rows = torch.from_numpy(query), torch.from_numpy(rows)
    found = [table.Table(all_rows).top(queries, exact_pairs, k, more)]
    # bounds hold however the columns are divided, and in an order made for other queries
    cuts = sorted(draw(st.sets(st.integers(1, columns - 1)))) if columns > 1 else []
    widths = tuple(np.diff([0, *cuts, columns]).tolist())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "WORTH_IT", 512)
        patch.setattr(table, "LEAST", 64)
        patch.setattr(lengths, "FEW", draw(st.sampled_from([1, 10])))
        by_length = table.Table.by_length(all_rows, widths)
        by_length.top(queries.square(), exact_pairs, k)
        found.append(by_length.top(queries, exact_pairs, k, more))
        allowed = np.flatnonzero(
            rows[:, 0] < np.quantile(rows[:, 0], draw(st.sampled_from([0.3, 0.9])))
        )

        def inside(of: np.ndarray, score: np.ndarray) -> topk.Given:
            there = np.isin(of[:, 1], allowed)
            place = np.searchsorted(allowed, of[there, 1])
            return pairs(np.column_stack([of[there, 0], place]), score[there])

        some = min(k, len(allowed))
        part = by_length.take(torch.from_numpy(allowed)).top(
            queries, inside(known, score), some, inside(extra, plus)
        )
    for values, column in found:
        np.testing.assert_allclose(values.numpy(), scores, rtol=1e-4, atol=1e-3)
        if whole:
            real = np.isfinite(scores)
            np.testing.assert_array_equal(column.numpy()[real], best[real])
    expected, _ = sorted_out(exact[:, allowed], some)
    np.testing.assert_allclose(part[0].numpy(), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("k", [10, 100])
def test_the_bounds_leave_out_most_of_a_catalogue(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # few items that everyone buys, many that hardly anyone does, as in a shop
    generator = np.random.default_rng(2)
    items, columns = 40_000, 32
    norm = 1 / np.arange(1, items + 1) ** 0.8
    rows = generator.normal(size=(items, columns)) * norm[:, None]
    query = generator.normal(size=(16, columns)).astype(np.float32)
    none = torch.zeros(0, dtype=torch.int64)
    multiplied = 0
    index_select = torch.Tensor.index_select

    def counted(self: torch.Tensor, dim: int, index: torch.Tensor) -> torch.Tensor:
        nonlocal multiplied
        multiplied += len(index) if len(self) == items else 0
        return index_select(self, dim, index)

    monkeypatch.setattr(torch.Tensor, "index_select", counted)
    by_length = table.Table.by_length(torch.from_numpy(rows.astype(np.float32)), (columns,))
    nothing = topk.Given(none, none, torch.zeros(0))
    by_length.top(torch.from_numpy(query[:1]), nothing, k)
    score, item = by_length.top(torch.from_numpy(query), nothing, k)
    scores, best = sorted_out(query.astype(np.float64) @ rows.T, k)
    np.testing.assert_array_equal(item.numpy(), best)
    np.testing.assert_allclose(score.numpy(), scores, rtol=1e-4)
    assert 0 < multiplied < items / 5
