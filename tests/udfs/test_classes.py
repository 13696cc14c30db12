"""The best lists under counts of nested or separate sets, against all lists."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from morec_sql.udfs.ranking import classes as module
from morec_sql.udfs.ranking.classes import best_lists, classes, nested
from morec_sql.udfs.ranking.constraints import Constraint, fit
from morec_sql.udfs.ranking.program import best_list


def random_constraint(generator: np.random.Generator, of: np.ndarray, place: int) -> Constraint:
    """A count of one of two sets apart, of one inside the first, or of each of several."""
    if place == 3:
        # categories within the sets, and none
        return Constraint("3", "max_per", of - 1.0, float(generator.integers(1, 3)))
    mine = [of <= 1, of == 2, of == 0][place]
    kind = generator.choice(["cap", "slots", "min_share"])
    if kind == "cap":
        return Constraint(str(place), "cap", mine - 1.0, float(generator.integers(0, 3)))
    limit = float(generator.integers(1, 3))
    return Constraint(str(place), kind, mine * 1.0, limit if kind == "slots" else 0.3 * limit)


@given(
    seed=st.integers(0, 2**32 - 1),
    items=st.integers(2, 11),
    k=st.integers(1, 4),
    which=st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True),
    more=st.sampled_from(["", "budget", "floor", "max_per"]),
)
@example(seed=8, items=8, k=1, which=[0], more="budget")  # the best items are never listed
@settings(max_examples=200, deadline=None)
def test_a_list_is_the_best_of_all_that_meet_the_constraints(
    seed: int, items: int, k: int, which: list[int], more: str
) -> None:
    generator = np.random.default_rng(seed)
    k = min(k, items)
    score = generator.normal(size=items).astype(np.float32)
    score[generator.random(items) < 0.1] = -np.inf
    of = generator.integers(0, 4, items)
    constraints = [random_constraint(generator, of, place) for place in which]
    counts = nested(constraints, k)
    assert len(counts) == len(constraints)
    if more == "max_per":
        constraints.append(Constraint("more", more, generator.integers(-1, 2, items) * 1.0, 1.0))
    elif more:
        worth = generator.random(items)
        worth[generator.random(items) < 0.1] = np.nan
        limit = 0.5 * k if more == "budget" else 0.5
        constraints.append(Constraint("more", more, worth, limit))
    known = np.flatnonzero(np.isfinite(score))
    pin = np.array([known[0]]) if len(known) and generator.random() < 0.3 else known[:0]
    if not fit(pin, constraints):
        pin = known[:0]
    forced = np.full((1, k), -1)
    forced[0, : len(pin)] = pin
    block = torch.from_numpy(score)[None]
    found, short = best_lists(block, k, counts, constraints, forced)
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
    assert fit(mine, constraints)


def test_only_sets_that_are_nested_or_apart_are_counted_together() -> None:
    left, right = np.arange(6) < 4, np.arange(6) > 2
    some, others = (
        Constraint(name, "cap", of - 1.0, 1.0) for name, of in (("a", left), ("b", right))
    )
    assert nested([some, others], 4) == [some]
    assert nested([others, some], 4) == [others]
    of_each = Constraint("c", "max_per", np.array([0, 0, 1, 1, 2, -1.0]), 1.0)
    assert nested([some, of_each], 4) == [some, of_each]
    assert nested([others, of_each], 4) == [others]
    share = Constraint("d", "min_share", (np.arange(6) < 2) * 1.0, 0.3)
    counts = nested([of_each, share, Constraint("e", "budget", left * 1.0, 1.0)], 4)
    assert [(one.kind, one.limit) for one in counts] == [("max_per", 1.0), ("slots", 2.0)]
    found = sorted(part.tolist() for part in classes(counts, 6))
    assert found == [[0, 1], [2, 3], [4], [5]]
    # sets are compared in the same way where there are many of them
    many = Constraint("f", "max_per", np.arange(6) * 1e6, 1.0)
    assert nested([many, of_each], 4) == [many, of_each]
    crossing = Constraint("g", "max_per", np.array([0, 1, 0, 1, 0, 1.0]) * 3e6, 1.0)
    assert nested([of_each, crossing], 4) == [of_each]


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 10_000), some=st.sampled_from([1, 3, 2000]), sizes=st.sampled_from([2, 5])
)
def test_sets_go_together_where_no_two_cross(seed: int, some: int, sizes: int) -> None:
    generator = np.random.default_rng(seed)
    sets, others = generator.integers(-1, sizes, (2, 12))
    if generator.random() < 0.5:  # nested, but for what is changed
        others = np.where(sets < 0, -1, sets // 2)
        others[generator.integers(0, 12, generator.integers(0, 2))] = 0
    crossing = any(
        (a & b).any() and (a & ~b).any() and (b & ~a).any()
        for a in (sets == one for one in range(sizes))
        for b in (others == one for one in range(sizes))
    )
    both = [Constraint(name, "max_per", of * 1.0, 1.0) for name, of in (("a", sets), ("b", others))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SOME", some)
        assert nested(both, 4) == both[: 1 if crossing else 2]
