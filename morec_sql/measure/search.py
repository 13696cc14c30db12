"""pareto and tune."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import duckdb
import numpy as np

from ..catalog.objectives import Objective, declared, stored_weights
from ..catalog.recommenders import stored_arguments
from ..catalog.versions import relations
from ..errors import MorecError
from ..progress import Progress
from ..registry import Argument, sql_function
from ..session import Session
from ..source.checks import truth
from ..source.source import resolve
from ..templates import identifier
from .algorithms import FRONT, SINGLE, run_search
from .archive import Archive
from .front import Point, front_of
from .preferences import Goal, judged, metric_named, preference
from .requests import SEARCH, SearchRequest, chosen_objectives
from .trial import Past, Trial, prepare

POINT = {
    "weights": "DOUBLE[]",
    "metrics": "DOUBLE[]",
    "hypervolume_contribution": "DOUBLE",
    "knee": "BOOLEAN",
    "today": "BOOLEAN",
    "dominated": "BOOLEAN",
}
METRICS = {
    "weights": "the weight of each objective",
    "precision, recall, ...": "every metric of evaluate, in a column of its own",
}


@sql_function(
    of="recommender",
    returns=POINT,
    arguments=(
        Argument("objectives", "what the front is of; all declared ones by default", "NULL"),
        Argument("algorithm", ", ".join(FRONT), "'surrogate'"),
        *SEARCH,
    ),
    result={
        **METRICS,
        "hypervolume_contribution": "share of the front's volume that is lost without the point",
        "knee": "whether it is the compromise furthest from the plane through the extremes",
        "today": "whether it is the present default weights",
        "dominated": "whether another point beats it, as may be with the present weights",
    },
)
def pareto(
    session: Session, catalog: str, name: str, given: dict[str, Any]
) -> list[dict[str, Any]]:
    """Weight vectors that no other one beats in all of the objectives, on a time split."""
    chosen = chosen_objectives(given.pop("objectives"))
    request = SearchRequest.read(given, FRONT)
    with session.shared(Past).lock:
        points = front(session, catalog, name, request, chosen)
    return [dataclasses.asdict(point) for point in points]


def front(
    session: Session, catalog: str, name: str, request: SearchRequest, chosen: list[str] | None
) -> list[Point]:
    """Search the weight vectors that no other one beats in all of the chosen metrics.

    Args:
        session: of the database instance.
        catalog: the name of the database.
        name: the recommender.
        request: what to search, and how.
        chosen: objectives or metrics, None for all objectives.

    Returns:
        the non-dominated points by the first metric, best first, and the present default weights.

    Raises:
        MorecError: an argument is wrong, or there is nothing to measure.
    """
    with session.cursor(catalog) as con:
        # a wrong name is said before any training
        objectives = _objectives(con, catalog, name)
        chosen = chosen or [objective.name for objective in objectives]
        metrics = list(dict.fromkeys(metric_named("objectives", n, objectives) for n in chosen))
        if len(metrics) < 2:
            raise MorecError(f"objectives: two or more are needed for a front, not {chosen!r}")
        today = tuple(stored_weights(con, relations(name).objectives, [o.name for o in objectives]))
        trial = prepare(con, session, catalog, name, request.trial)
    with Progress() as progress:
        progress.start("pareto")
        archive = Archive(trial, request.trial.diversify, request.budget, progress)
        run_search(
            archive,
            request.algorithm,
            lambda found: archive.columns(found, metrics),
            len(metrics),
            request.seed,
        )
        archive.budget += 1
        archive.measure([today])
    return front_of(archive, archive.columns(archive.metrics, metrics), today)


@sql_function(
    of="recommender",
    returns={"weights": "DOUBLE[]", "metrics": "DOUBLE[]", "evaluations": "BIGINT"},
    arguments=(
        Argument(
            "prefer",
            "metrics and weights, a reference, an order of metrics, or text such as keep relevance"
            " within 2 % of the best and maximise margin",
            "NULL",
        ),
        Argument("algorithm", ", ".join(SINGLE), "'ga'"),
        *SEARCH,
        Argument("store", "whether to make it the default weights", "false"),
    ),
    result={**METRICS, "evaluations": "how many weight vectors were measured"},
)
def tune(session: Session, catalog: str, name: str, given: dict[str, Any]) -> list[dict[str, Any]]:
    """The weight vector that a preference likes best, on a time split."""
    prefer, store = given.pop("prefer"), given.pop("store")
    request = SearchRequest.read(given, SINGLE)
    if prefer is None:
        raise MorecError(
            "prefer: a struct of metrics and their weights, a list of metrics in order, or text"
            " such as 'keep relevance within 2 % of the best and maximise margin' is needed, not"
            " NULL"
        )
    truth("store", store)
    with session.shared(Past).lock, session.cursor(catalog) as con:
        goals = preference(prefer, _objectives(con, catalog, name))
        trial = prepare(con, session, catalog, name, request.trial)
        archive = best_of(trial, request, goals)
        best = int(np.argmax(judged(archive, goals, archive.metrics)))
        weights, metrics = archive.weights[best].tolist(), archive.metrics[best].tolist()
        if store:
            con.executemany(
                f"UPDATE {identifier(name)}.objectives SET default_weight = ? WHERE position = ?",
                [[weight, position] for position, weight in enumerate(weights, 1)],
            )
    return [{"weights": weights, "metrics": metrics, "evaluations": len(archive.weights)}]


def best_of(trial: Trial, request: SearchRequest, goals: list[Goal]) -> Archive:
    """Measure weight vectors where the last goal is best, and the ones before are kept."""
    with Progress() as progress:
        progress.start("tune")
        archive = Archive(trial, request.trial.diversify, 0, progress)
        for count in range(1, len(goals) + 1):
            archive.budget = request.budget * count // len(goals)
            run_search(
                archive,
                request.algorithm,
                functools.partial(judged, archive, goals[:count]),
                1,
                request.seed,
            )
    return archive


def _objectives(con: duckdb.DuckDBPyConnection, catalog: str, name: str) -> list[Objective]:
    arguments, schema = stored_arguments(con, catalog, name)
    return declared(con, arguments.objectives, resolve(con, catalog, schema, arguments))
