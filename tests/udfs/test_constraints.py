"""The best list under constraints, against all lists."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from morec_sql.udfs.ranking.constraints import Constraint, unmet
from morec_sql.udfs.ranking.program import best_list


def random_constraints(generator: np.random.Generator, items: int) -> list[Constraint]:
    numbers = generator.integers(1, 10, items).astype(float)
    numbers[generator.random(items) < 0.1] = np.nan
    return [
        Constraint("category", "max_per", generator.integers(-1, 3, items).astype(float), 1.0 + generator.integers(2)),
        Constraint("brand", "max_per", generator.integers(0, 5, items).astype(float), 1.0),
        Constraint("own", "min_share", (generator.random(items) < 0.4).astype(float), 0.5),
        Constraint("margin", "floor", generator.normal(size=items), float(generator.normal())),
        Constraint("price", "budget", numbers, float(generator.integers(3, 25))),
    ]  # fmt: skip


@given(
    seed=st.integers(0, 2**32 - 1),
    items=st.integers(2, 11),
    k=st.integers(1, 4),
    which=st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True),
)
@settings(max_examples=150, deadline=None)
def test_the_list_is_the_best_of_all_lists(seed: int, items: int, k: int, which: list[int]) -> None:
    generator = np.random.default_rng(seed)
    score = generator.normal(size=items)
    score[generator.random(items) < 0.1] = -np.inf
    everything = random_constraints(generator, items)
    constraints = [everything[number] for number in which]
    found = best_list(score, k, constraints)
    assert len(set(found)) == len(found) <= k
    assert (np.diff(score[found]) <= 0).all()
    caps = [c for c in constraints if c.kind in ("max_per", "budget")]
    known = [
        i for i in range(items)
        if np.isfinite(score[i]) and all(np.isfinite(c.values[i]) for c in constraints)
    ]  # fmt: skip
    assert set(found) <= set(known)
    assert all(cap.met(found) for cap in caps)
    lists = [
        np.array(chosen, dtype=np.int64)
        for size in range(k + 1)
        for chosen in itertools.combinations(known, size)
    ]
    lists = [chosen for chosen in lists if all(cap.met(chosen) for cap in caps)]
    longest = max(map(len, lists))
    assert len(found) == longest
    meeting = [chosen for chosen in lists if len(chosen) == longest]
    perfect = [chosen for chosen in meeting if all(c.met(chosen) for c in constraints)]
    if perfect:
        assert unmet(found, longest, constraints) == []
        assert score[found].sum() >= max(score[chosen].sum() for chosen in perfect) - 1e-6
    elif longest == k:
        assert unmet(found, k, constraints) != []
