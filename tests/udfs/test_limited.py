"""Lists under constraints, of the best items where these suffice: the same as of all items."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from morec_sql.udfs.ranking.constraints import Constraint
from morec_sql.udfs.ranking.limited import limited_block, top_limited
from morec_sql.udfs.table import Table
from morec_sql.udfs.topk import Given


@given(
    seed=st.integers(0, 2**32 - 1),
    rare=st.sampled_from([0.5, 0.05, 0.005]),
    least=st.integers(1, 3),
    most=st.integers(0, 3),
    wanted=st.sampled_from([4, 30]),
    nested=st.booleans(),
    more=st.sampled_from(["", "max_per", "budget", "floor"]),
)
@settings(max_examples=60, deadline=None)
def test_lists_are_those_of_all_items(
    seed: int, rare: float, least: int, most: int, wanted: int, nested: bool, more: str
) -> None:
    generator = np.random.default_rng(seed)
    users, items, depth = 12, 400, 4
    rows = torch.from_numpy(generator.normal(size=(items, 5)).astype(np.float32))
    query = torch.from_numpy(generator.normal(size=(users, 5)).astype(np.float32))
    inside = generator.random(items) < rare
    others = generator.random(items) < 0.5
    constraints = [
        Constraint("some", "slots", inside * 1.0, float(least), 2),
        Constraint("few", "cap", (others & (inside if nested else ~inside)) - 1.0, float(most)),
    ]
    if more:
        values = {
            "max_per": generator.integers(0, 5, items) + 5 * inside,
            "budget": generator.random(items),
            "floor": generator.normal(size=items),
        }[more]
        constraints.insert(0, Constraint("more", more, values * 1.0, 1.0))
    known = np.unique(generator.integers(0, users * items, 40))
    known_score = generator.normal(3, 1, len(known)).astype(np.float32)
    known_score[generator.random(len(known)) < 0.5] = -np.inf
    given_ = Given(
        *(torch.from_numpy(of) for of in np.divmod(known, items)), torch.from_numpy(known_score)
    )
    forced = np.full((users, depth), -1)
    if seed % 3 == 0:
        free = np.flatnonzero(~inside & ~others & ~np.isin(np.arange(items), known % items))
        forced[: users // 2, 1] = generator.choice(free, users // 2)
    limits = (wanted, constraints, depth, forced)
    ours, column = top_limited(Table(rows), query, given_, None, *limits)
    block = query @ rows.T
    block[given_.user, given_.item] = given_.score
    expected, best = limited_block(block, *limits)
    assert (column[:, -depth:].sort(dim=1).values == best[:, -depth:].sort(dim=1).values).all()
    # the scores of what is forced come from elsewhere
    free_ones = ~np.isin(column.numpy(), forced[forced >= 0])
    assert ours.numpy()[free_ones & np.isfinite(ours.numpy())].sum() == pytest.approx(
        expected.numpy()[
            ~np.isin(best.numpy(), forced[forced >= 0]) & np.isfinite(expected.numpy())
        ].sum(),
        abs=1e-3,
    )
