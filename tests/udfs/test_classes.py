"""The best lists under counts of nested or separate sets, against all lists."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from morec_sql.udfs.ranking.classes import best_lists, classes
from morec_sql.udfs.ranking.constraints import Constraint, fit
from morec_sql.udfs.ranking.program import best_list


def random_sets(generator: np.random.Generator, items: int) -> list[np.ndarray]:
    """Two sets that have no item in common, and one inside the first of them."""
    of = generator.integers(0, 4, items)
    return [of <= 1, of == 2, of == 0]


@given(
    seed=st.integers(0, 2**32 - 1),
    items=st.integers(2, 11),
    k=st.integers(1, 4),
    which=st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True),
)
@settings(max_examples=200, deadline=None)
def test_a_list_is_the_best_of_all_that_meet_the_counts(
    seed: int, items: int, k: int, which: list[int]
) -> None:
    generator = np.random.default_rng(seed)
    k = min(k, items)
    score = generator.normal(size=items).astype(np.float32)
    score[generator.random(items) < 0.1] = -np.inf
    sets = random_sets(generator, items)
    constraints = [
        Constraint(str(place), "cap", sets[place] - 1.0, float(generator.integers(0, 3)))
        if generator.random() < 0.5
        else Constraint(str(place), "slots", sets[place] * 1.0, float(generator.integers(1, 3)))
        for place in which
    ]
    known = np.flatnonzero(np.isfinite(score))
    pin = np.array([known[0]]) if len(known) and generator.random() < 0.3 else known[:0]
    if not fit(pin, constraints):
        pin = known[:0]
    forced = np.full((1, k), -1)
    forced[0, : len(pin)] = pin
    found_classes = classes(constraints)
    assert found_classes is not None
    found, short = best_lists(torch.from_numpy(score)[None], k, constraints, found_classes, forced)
    lists = [
        np.array(chosen)
        for chosen in itertools.combinations(known, k)
        if set(pin) <= set(chosen) and all(one.met(np.array(chosen)) for one in constraints)
    ]
    mine = found[0][found[0] >= 0]
    if len(short):
        # the program takes over, and finds what there is
        mine = best_list(score.astype(np.float64), k, constraints, pin)
    if lists:
        best = max(score[chosen].sum() for chosen in lists)
        assert score[mine].sum() >= best - 1e-5
        assert set(pin) <= set(mine)
        assert all(one.met(mine) for one in constraints)
    caps = [one for one in constraints if one.kind == "cap"]
    assert all(one.met(mine) for one in caps)


def test_sets_that_overlap_are_left_to_the_program() -> None:
    left, right = np.arange(6) < 4, np.arange(6) > 2
    overlapping = [
        Constraint(name, "cap", of - 1.0, 1.0) for name, of in (("a", left), ("b", right))
    ]
    assert classes(overlapping) is None
    assert classes([*overlapping[:1], Constraint("c", "max_per", left * 1.0, 1.0)]) is None
    nested = Constraint("c", "slots", (np.arange(6) < 2) * 1.0, 1.0)
    found = classes([overlapping[0], nested])
    assert found is not None
    assert [part.tolist() for part in found] == [[4, 5], [2, 3], [0, 1]]
