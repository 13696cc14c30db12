"""Finds weights: the non-dominated ones, and the best one for a stated preference."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import duckdb
import numpy as np

from .evaluation import Doubles, Past, Request, Trial, prepare, write
from .expressions import MorecError, identifier, nearest
from .objectives import Objective, declared, metric_names, metric_of, stored_weights
from .progress import Progress
from .schema import stored_arguments
from .source import resolve
from .templates import arrow, sql

FRONT = ("surrogate", "nsga2", "nsga3", "pso", "ga", "de", "grid", "random")
SINGLE = ("ga", "pso", "de", "grid", "random")
LOWER_IS_BETTER = ("gini",)
MAX_BUDGET = 100_000
POPULATION = 20
KEPT = 1 << 28  # relevances of users and items that are kept: 1 GiB
CHUNK = 20  # weight vectors whose lists are measured by one query
GENERATION = 10  # weight vectors measured before a surrogate learns anew
SIMULATED, SIMULATIONS = 100, 40  # population and generations of the search of a surrogate
INSIDE = 2.0  # concentration of the random weights that a search for a front starts from
VELOCITY = 0.2  # of a particle, as a share of the range of a weight
IDLE = 20  # generations without a new weight vector that end a search
FAR = 1e6  # what counts as hopeless
MARGIN = 0.1  # of the range of the front: how far behind its worst values hypervolume begins
KEEP = re.compile(
    r"\s*(?:keep\s+)?(?P<name>\S+)\s+within\s+(?P<share>[\d.]+)\s*%(?:\s+of\s+the\s+best)?\s*", re.I
)
MAXIMISE = re.compile(r"\s*(?P<keep>keep\s.*?)\s+and\s+maximi[sz]e\s+(?P<name>\S+?)\s*\.?\s*", re.I)


@dataclasses.dataclass(frozen=True)
class Point:
    """A weight vector and what its lists are worth; metrics are in the order of metric_names."""

    weights: list[float]
    metrics: list[float]
    hypervolume_contribution: float | None = None
    knee: bool = False
    today: bool = False
    dominated: bool = False


@dataclasses.dataclass(frozen=True)
class SearchRequest:
    """The arguments of pareto and tune, checked."""

    trial: Request
    algorithm: str
    budget: int
    seed: int
    objectives: tuple[str, ...] | None = None
    prefer: Any = None
    store: bool = False

    @staticmethod
    def from_json(text: str) -> SearchRequest:
        """Read what the SQL macros pass."""
        given = json.loads(text)
        prefer, store = given.pop("prefer", None), given.pop("store", None)
        tuned = store is not None
        allowed = SINGLE if tuned else FRONT
        algorithm = given.pop("algorithm")
        if algorithm not in allowed:
            raise MorecError(
                f"algorithm: {algorithm!r} is not known; {nearest(str(algorithm), allowed)}"
            )
        numbers = {"budget": (given.pop("budget"), 1), "users": (given.pop("users"), 1)}
        numbers["seed"] = (given.pop("seed"), 0)
        for key, (value, low) in numbers.items():
            high = MAX_BUDGET if key == "budget" else 2**31
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise MorecError(f"{key}: {value!r} is not a whole number from {low} to {high}")
        chosen = given.pop("objectives", None)
        if chosen is not None and (
            not isinstance(chosen, list) or not all(isinstance(name, str) for name in chosen)
        ):
            raise MorecError(f"objectives: a list of names is needed, not {chosen!r}")
        if tuned and prefer is None:
            raise MorecError(
                "prefer: a struct of metrics and their weights, a list of metrics in order, or"
                " text such as 'keep relevance within 2 % of the best and maximise margin' is"
                " needed, not NULL"
            )
        if tuned and not isinstance(store, bool):
            raise MorecError(f"store: true or false is needed, not {store!r}")
        given["sample"] = numbers["users"][0]
        trial = Request.from_json(json.dumps({**given, "baselines": False}))
        return SearchRequest(
            trial=trial,
            algorithm=algorithm,
            budget=numbers["budget"][0],
            seed=numbers["seed"][0],
            objectives=None if chosen is None else tuple(chosen),
            prefer=prefer,
            store=bool(store),
        )


class Archive:
    """Every weight vector that was measured, in order, at most `budget` of them."""

    def __init__(self, trial: Trial, diversify: str, budget: int, progress: Progress) -> None:
        self.trial = trial
        self.progress = progress
        self.diversify = diversify
        self.budget = budget
        self.batches = list(trial.batches(keep=trial.users * trial.trained.items <= KEPT))
        objectives = trial.trained.objectives
        self.names = metric_names(objectives)
        without = trial.trained.values.without_effect
        self.active = [i for i, o in enumerate(objectives) if o.name not in without]
        self._known: dict[tuple[float, ...], Doubles] = {}

    @property
    def left(self) -> int:
        """How many more weight vectors may be measured."""
        return self.budget - len(self._known)

    @property
    def weights(self) -> Doubles:
        """Shape (measured, objectives)."""
        return np.array(list(self._known))

    @property
    def metrics(self) -> Doubles:
        """Shape (measured, metrics)."""
        return np.array(list(self._known.values()))

    def columns(self, metrics: Doubles, chosen: Sequence[str]) -> Doubles:
        """Some of the metrics, turned so that more is better; all -inf where one is unknown."""
        signs = [-1 if name in LOWER_IS_BETTER else 1 for name in chosen]
        values = metrics[:, [self.names.index(name) for name in chosen]] * signs
        known = np.isfinite(values).all(axis=1, keepdims=True)
        out: Doubles = np.where(known, values, -np.inf)
        return out

    def of(self, x: Doubles) -> list[tuple[float, ...]]:
        """The weights that the search's variables in [0, 1] stand for, in steps of a thousandth."""
        full = np.zeros((len(x), len(self.trial.trained.objectives)))
        full[:, self.active] = np.maximum(x, 0)
        full[full.sum(axis=1) == 0, self.active[0]] = 1
        return [tuple(row) for row in np.round(full / full.sum(axis=1, keepdims=True), 3).tolist()]

    def measure(self, rows: Sequence[tuple[float, ...]]) -> Doubles:
        """Metrics of weight vectors, shape (rows, metrics); NaN behind the end of the budget."""
        fresh = [row for row in dict.fromkeys(rows) if row not in self._known][: self.left]
        for first in range(0, len(fresh), CHUNK):
            chunk = fresh[first : first + CHUNK]
            lists = {
                str(number): self.trial.lists(self.batches, np.array(row), self.diversify)
                for number, row in enumerate(chunk)
            }
            query = sql("search_metrics", metrics=write(self.trial, lists), k=str(self.trial.k))
            # threads add, and give rows, in any order: in ours and without the last digits a search
            # can be repeated
            measured = sorted(
                arrow(self.trial.con, query).to_pylist(), key=lambda r: int(r["model"])
            )
            for weights, row in zip(chunk, measured, strict=True):
                values = [np.nan if row[name] is None else row[name] for name in self.names]
                self._known[weights] = np.round(values, 12)
            self.progress.advance(len(self._known), self.budget)
        unknown = np.full(len(self.names), np.nan)
        return np.array([self._known.get(row, unknown) for row in rows])


def pareto(
    connect: Callable[[], duckdb.DuckDBPyConnection],
    catalog: str,
    name: str,
    request: SearchRequest,
    past: Past,
) -> list[Point]:
    """Search the weight vectors that no other one beats in all of the chosen metrics.

    Args:
        connect: opens a connection to the database of the recommender.
        catalog: the name of the database.
        name: the recommender.
        request: what to search, and how.
        past: where the training may be found, or is kept.

    Returns:
        the non-dominated points by the first metric, best first, and the present default weights.

    Raises:
        MorecError: an argument is wrong, or there is nothing to measure.
    """
    with connect() as con:
        # a wrong name is said before any training
        objectives = _objectives(con, catalog, name)
        chosen = request.objectives or tuple(objective.name for objective in objectives)
        metrics = list(dict.fromkeys(_metric("objectives", n, objectives) for n in chosen))
        if len(metrics) < 2:
            raise MorecError(
                f"objectives: two or more are needed for a front, not {list(chosen)!r}"
            )
        today = tuple(stored_weights(con, name, [o.name for o in objectives]))
        trial = prepare(con, connect, catalog, name, request.trial, past)
    with Progress() as progress:
        progress.start("pareto")
        archive = Archive(trial, request.trial.diversify, request.budget, progress)
        _search(
            archive,
            request.algorithm,
            lambda found: archive.columns(found, metrics),
            len(metrics),
            request.seed,
        )
        archive.budget += 1
        archive.measure([today])
    return _front(archive, archive.columns(archive.metrics, metrics), today)


def tune(
    connect: Callable[[], duckdb.DuckDBPyConnection],
    catalog: str,
    name: str,
    request: SearchRequest,
    past: Past,
) -> tuple[Point, int]:
    """Search the weight vector that a preference likes best, and store it where that is asked for.

    The arguments are those of pareto.

    Returns:
        the point, and how many weight vectors were measured.

    Raises:
        MorecError: an argument is wrong, or there is nothing to measure.
    """
    with connect() as con:
        goals = preference(request.prefer, _objectives(con, catalog, name))
        trial = prepare(con, connect, catalog, name, request.trial, past)
        with Progress() as progress:
            progress.start("tune")
            archive = Archive(trial, request.trial.diversify, 0, progress)
            for count in range(1, len(goals) + 1):
                archive.budget = request.budget * count // len(goals)
                _search(
                    archive,
                    request.algorithm,
                    functools.partial(judged, archive, goals[:count]),
                    1,
                    request.seed,
                )
        best = int(np.argmax(judged(archive, goals, archive.metrics)))
        chosen = archive.weights[best].tolist()
        if request.store:
            con.executemany(
                f"UPDATE {identifier(name)}.objectives SET default_weight = ? WHERE position = ?",
                [[weight, position] for position, weight in enumerate(chosen, 1)],
            )
    return Point(chosen, archive.metrics[best].tolist()), len(archive.weights)


def _objectives(con: duckdb.DuckDBPyConnection, catalog: str, name: str) -> list[Objective]:
    arguments, schema = stored_arguments(con, catalog, name)
    return declared(con, arguments.objectives, resolve(con, catalog, schema, arguments))


@dataclasses.dataclass(frozen=True)
class Goal:
    """What is maximised: a weighted sum of metrics, or how far all of them exceed a reference.

    tolerance is the share of the best value that later goals may give up.
    """

    weights: dict[str, float]
    reference: dict[str, float] | None = None
    tolerance: float = 0.0

    def value(self, archive: Archive, metrics: Doubles) -> Doubles:
        """How good each row of metrics is, shape (rows,)."""
        if self.reference is not None:
            # achievement scalarising function (Wierzbicki 1980)
            names = list(self.reference)
            aim = archive.columns(_row(archive, self.reference), names)[0]
            over = (archive.columns(metrics, names) - aim) / np.maximum(np.abs(aim), 1e-9)
            return np.asarray(over.min(axis=1) + 1e-3 * over.mean(axis=1))
        columns = archive.columns(metrics, list(self.weights))
        return np.asarray(columns @ np.array(list(self.weights.values())))


def _row(archive: Archive, values: dict[str, float]) -> Doubles:
    """Values of some metrics as one row of all."""
    return np.array([[values.get(name, np.nan) for name in archive.names]])


def judged(archive: Archive, goals: list[Goal], metrics: Doubles) -> Doubles:
    """The value of the last goal, far below it where an earlier one is given up too much.

    Args:
        archive: what was measured so far, which says what the best of each goal is.
        goals: in the order of their importance.
        metrics: what is judged, shape (rows, metrics).

    Returns:
        shape (rows, 1).
    """
    given_up = np.zeros(len(metrics))
    kept = np.ones(len(archive.weights), bool)
    for goal in goals[:-1]:
        known = goal.value(archive, archive.metrics)
        best = known[kept].max()
        floor = best - goal.tolerance * abs(best)
        kept &= known >= floor
        short = np.maximum(floor - goal.value(archive, metrics), 0)
        given_up += short / max(abs(best), 1e-9)
    value = goals[-1].value(archive, metrics)
    out: Doubles = np.where(given_up > 0, -FAR * (1 + given_up), value)
    return out[:, None]


def preference(given: Any, objectives: list[Objective]) -> list[Goal]:
    """Read `prefer`: goals in the order of their importance.

    Args:
        given: {metric: weight}, {'reference': {metric: value}}, a list of metrics in order,
            {'in_order': [...], 'tolerance': share}, or text that says what to keep within how much
            of its best and what to maximise.
        objectives: the recommender's.

    Raises:
        MorecError: it is none of these, or names what is not measured.
    """
    if isinstance(given, str):
        found = MAXIMISE.fullmatch(given)
        parts = re.split(r"\s+and\s+|\s*,\s*", found["keep"]) if found else []
        kept = [KEEP.fullmatch(part) for part in parts]
        if found is None or None in kept:
            raise MorecError(
                f"prefer: {given!r} is not of the form 'keep relevance within 2 % of the best and"
                " maximise margin'"
            )
        goals = [
            Goal(
                {_metric("prefer", part["name"], objectives): 1.0}, None, float(part["share"]) / 100
            )
            for part in kept
            if part is not None
        ]
        return [*goals, Goal({_metric("prefer", found["name"], objectives): 1.0})]
    tolerance = 0.0
    if isinstance(given, dict) and "in_order" in given:
        given = dict(given)
        tolerance = _number("prefer.tolerance", given.pop("tolerance", 0.0), 0.0)
        if len(given) > 1:
            raise MorecError(
                f"prefer: in_order and tolerance are allowed together, not {list(given)}"
            )
        given = given["in_order"]
    if isinstance(given, list) and given:
        names = [_metric("prefer", name, objectives) for name in given]
        return [Goal({name: 1.0}, None, tolerance) for name in names]
    if isinstance(given, dict) and isinstance(given.get("reference"), dict):
        reference = given["reference"]
        if len(given) > 1 or not reference:
            raise MorecError(f"prefer: one reference of some metrics is needed, not {given!r}")
        return [Goal({}, {_metric("prefer", n, objectives): _number(f"prefer.{n}", v)
                          for n, v in reference.items()})]  # fmt: skip
    if isinstance(given, dict) and given:
        weights = {
            _metric("prefer", n, objectives): _number(f"prefer.{n}", v, 0.0)
            for n, v in given.items()
        }
        if any(weights.values()):
            return [Goal(weights)]
    raise MorecError(
        f"prefer: {given!r} is neither a struct of metrics and weights above 0, a reference, an"
        " order of metrics nor text"
    )


def _number(argument: str, value: Any, low: float = -np.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value < np.inf:
        least = "" if low == -np.inf else f" from {low:g} up"
        raise MorecError(f"{argument}: {value!r} is not a finite number{least}")
    return float(value)


def _metric(argument: str, name: Any, objectives: list[Objective]) -> str:
    """The metric that is called `name`, or that an objective of that name is measured by."""
    known = {metric: metric for metric in metric_names(objectives)}
    # an objective may have the name of a metric, such as novelty: both mean the same then
    known.update({objective.name: metric_of(objective) for objective in objectives})
    lowered = {key.lower(): value for key, value in known.items()}
    if not isinstance(name, str) or name.lower() not in lowered:
        raise MorecError(f"{argument}: {name!r} is not measured; {nearest(str(name), known)}")
    return lowered[name.lower()]


def _search(
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
            archive.measure(_promising(archive, values, goals, generator))
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


def _promising(
    archive: Archive,
    values: Callable[[Doubles], Doubles],
    goals: int,
    generator: np.random.Generator,
) -> list[tuple[float, ...]]:
    """Weights by which the front is expected to grow most.

    Gaussian processes learn the values of weights from what was measured; NSGA-II searches these,
    where a step costs nothing, and of what it finds those are taken, one by one, that add most to
    the hypervolume of the front (as in SMS-EGO: Ponweiser, Wagner, Biermann and Vincze 2008).
    """
    import moocore
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.problem import Problem
    from pymoo.optimize import minimize
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    found = values(archive.metrics)
    known = np.isfinite(found).all(axis=1)
    if known.sum() < 2:
        return []
    found, count = found[known], len(archive.active)

    def features(x: Doubles) -> Doubles:
        return np.asarray(np.log(x / x.sum(axis=1, keepdims=True) + 0.01))

    x = features(archive.weights[known][:, archive.active])
    models = []
    with warnings.catch_warnings():
        # a length scale at its bound is no reason to worry the user
        warnings.simplefilter("ignore")
        for goal in range(goals):
            kernel = ConstantKernel() * RBF(np.ones(count), (0.1, 50)) + WhiteKernel(1e-4)
            model = GaussianProcessRegressor(kernel, normalize_y=True)
            models.append(model.fit(x, found[:, goal]))

    def expected(x: Doubles) -> Doubles:
        return np.column_stack([model.predict(features(x)) for model in models])

    class Expected(Problem):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(n_var=count, n_obj=goals, xl=1e-3, xu=1.0)

        def _evaluate(self, x: Doubles, out: dict[str, Doubles], *_: Any, **__: Any) -> None:
            out["F"] = -expected(x)

    best = minimize(
        Expected(),
        NSGA2(pop_size=SIMULATED),
        ("n_gen", SIMULATIONS),
        seed=int(generator.integers(1 << 31)),
    )
    rows = archive.of(best.pop.get("X"))
    predicted = expected(best.pop.get("X"))
    low, high = found.min(axis=0), found.max(axis=0)
    spread = np.where(high > low, high - low, 1.0)
    front = (found - low) / spread
    front = front[moocore.is_nondominated(front, maximise=True)]
    candidates = (predicted - low) / spread
    reference = np.full(goals, -MARGIN)

    def volume(points: Doubles) -> float:
        return float(moocore.hypervolume(points, ref=reference, maximise=True))

    # gains only fall as the front grows: what was worth less than the best now stays behind
    gain = np.full(len(rows), np.inf)
    chosen: list[tuple[float, ...]] = []
    while len(chosen) < min(GENERATION, archive.left) and (gain > 0).any():
        base, fresh = volume(front), set()
        while True:
            at = int(np.argmax(gain))
            if at in fresh:
                break
            gain[at] = volume(np.vstack([front, candidates[at]])) - base
            fresh.add(at)
        front = np.vstack([front, candidates[at]])
        chosen.append(rows[at])
        gain[at] = 0.0
    return chosen


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


def _front(archive: Archive, values: Doubles, today: tuple[float, ...]) -> list[Point]:
    """The points that no other one dominates, by the first value, and today's weights."""
    import moocore

    known = np.isfinite(values).all(axis=1)
    if not known.any():
        raise MorecError("objectives: none of the lists has a value in all of them")
    front = np.zeros(len(values), bool)
    front[known] = moocore.is_nondominated(values[known], maximise=True)
    place = [tuple(row) for row in archive.weights.tolist()].index(today)
    best = values[front]
    low, high = best.min(axis=0), best.max(axis=0)
    spread = np.where(high > low, high - low, 1.0)
    scaled = (best - low) / spread
    reference = np.full(values.shape[1], -MARGIN)
    parts = moocore.hv_contributions(scaled, ref=reference, maximise=True)
    parts = parts / moocore.hypervolume(scaled, ref=reference, maximise=True)
    # the largest distance from the plane through the best point of each metric (Das 1999)
    knee = int(np.argmax(scaled.sum(axis=1)))
    numbers = np.flatnonzero(front)
    points = [
        Point(
            weights=archive.weights[number].tolist(),
            metrics=archive.metrics[number].tolist(),
            hypervolume_contribution=float(parts[at]),
            knee=at == knee,
            today=number == place,
        )
        for at, number in sorted(enumerate(numbers), key=lambda pair: -values[pair[1], 0])
    ]
    if not front[place]:
        points.append(
            Point(list(today), archive.metrics[place].tolist(), 0.0, today=True, dominated=True)
        )
    return points
