"""Searches of weight vectors, by pymoo and others."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .archive import Archive
from .preferences import FAR
from .surrogate import promising
from .trial import Doubles

FRONT = ("surrogate", "nsga2", "nsga3", "pso", "ga", "de", "grid", "random")
SINGLE = ("ga", "pso", "de", "grid", "random")
POPULATION = 20
INSIDE = 2.0  # concentration of the random weights that a search for a front starts from
VELOCITY = 0.2  # of a particle, as a share of the range of a weight
IDLE = 20  # generations without a new weight vector that end a search


def run_search(
    archive: Archive,
    algorithm: str,
    values: Callable[[Doubles], Doubles],
    goals: int,
    seed: int,
) -> None:
    """Measure weight vectors where `algorithm` expects the best values, to the archive's budget.

    Args:
        archive: where they are measured and kept.
        algorithm: one of FRONT, or of SINGLE where there is one goal.
        values: turns metrics, shape (rows, metrics), into what is maximised, (rows, goals).
        goals: how many values are maximised.
        seed: of the search's random numbers.
    """
    from pymoo.core.evaluator import Evaluator
    from pymoo.core.problem import Problem
    from pymoo.core.termination import NoTermination
    from pymoo.problems.static import StaticProblem

    count = len(archive.active)
    generator = np.random.default_rng(seed)
    if algorithm == "grid" or count == 1:
        archive.measure(archive.of(_grid(count, archive.left)))
        return
    if algorithm == "random":
        archive.measure(archive.of(generator.dirichlet(np.ones(count), archive.left)))
        return
    start = _start(archive, values, goals, generator)
    if algorithm == "surrogate":
        archive.measure(archive.of(start))

        def step() -> None:
            before = archive.left
            archive.measure(promising(archive, values, goals, generator))
            if archive.left == before:
                archive.measure(archive.of(generator.dirichlet(np.full(count, INSIDE), POPULATION)))

    else:
        method = _method(algorithm, goals, start)
        problem = Problem(n_var=count, n_obj=goals, xl=0.0, xu=1.0)
        method.setup(problem, termination=NoTermination(), seed=seed)

        def step() -> None:
            asked = method.ask()
            found = values(archive.measure(archive.of(asked.get("X"))))
            Evaluator().eval(StaticProblem(problem, F=-np.clip(found, -(FAR**2), FAR**2)), asked)
            method.tell(infills=asked)

    # there may be fewer weight vectors than the budget
    idle = 0
    while archive.left and idle < IDLE:
        before = archive.left
        step()
        idle = idle + 1 if archive.left == before else 0


def _start(
    archive: Archive,
    values: Callable[[Doubles], Doubles],
    goals: int,
    generator: np.random.Generator,
) -> Doubles:
    """The first generation: the middle, random weights, and for one goal the best that is known.

    One goal is often best at a corner. A front is mostly inside, where every objective counts.
    """
    count = len(archive.active)
    rows = [np.ones((1, count))]
    if goals == 1:
        rows.append(np.eye(count))
        if len(archive.weights):
            best = np.argsort(-values(archive.metrics)[:, 0], kind="stable")[: POPULATION // 2]
            rows.insert(0, archive.weights[best][:, archive.active])
    rows.append(generator.dirichlet(np.full(count, INSIDE), POPULATION))
    x = np.concatenate(rows)[:POPULATION]
    out: Doubles = x / x.max(axis=1, keepdims=True)
    return out


def _grid(count: int, budget: int) -> Doubles:
    """The finest simplex lattice (Das and Dennis 1998) of at most `budget` points."""
    from pymoo.util.ref_dirs import get_reference_directions

    partitions = 1
    while count > 1 and math.comb(partitions + count, count - 1) <= budget:
        partitions += 1
    out: Doubles = get_reference_directions("das-dennis", count, n_partitions=partitions)
    return out[:budget]


def _method(algorithm: str, goals: int, start: Doubles) -> Any:
    """The algorithm of pymoo, for one goal or several."""
    from pymoo.algorithms.moo import gde3, mopso_cd, nsga2, nsga3, sms
    from pymoo.algorithms.soo.nonconvex import de, ga, pso
    from pymoo.core.sampling import Sampling
    from pymoo.util.ref_dirs import get_reference_directions

    class Start(Sampling):  # type: ignore[misc]
        def _do(self, *_: Any, **__: Any) -> Doubles:
            return start

    given: dict[str, Any] = {"pop_size": POPULATION, "sampling": Start()}
    if goals == 1:
        return {"ga": ga.GA, "pso": pso.PSO, "de": de.DE}[algorithm](**given)
    if algorithm == "nsga3":
        directions = get_reference_directions("energy", goals, POPULATION, seed=1)
        return nsga3.NSGA3(directions, **given)
    if algorithm == "pso":
        # with crowding distance (Raquel and Naval 2005)
        return mopso_cd.MOPSO_CD(**given, max_velocity_rate=VELOCITY)
    # GDE3 (Kukkonen and Lampinen 2005); SMS-EMOA (Beume, Naujoks and Emmerich 2007) selects by
    # hypervolume
    return {"nsga2": nsga2.NSGA2, "de": gde3.GDE3, "ga": sms.SMSEMOA}[algorithm](**given)
