"""How good a recommender is, beside baselines."""

from __future__ import annotations

import dataclasses
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from ..catalog.metrics import OF_LISTS
from ..catalog.objectives import metric_names, stored_weights
from ..catalog.versions import relations
from ..registry import sql_function
from ..session import Session
from ..source.checks import weights
from ..templates import arrow, literal, sql
from ..train.training import Trained
from ..udfs import baselines
from .lists import write
from .requests import EVALUATE, Request
from .significance import OURS, Measured, errors_of_sets, of_users
from .trial import Doubles, Past, Trial, prepare


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The outcome; con holds the temporary tables it was measured on.

    These are those of a Trial and morec_lists (model, user_id, rank, item_id).
    """

    con: duckdb.DuckDBPyConnection
    k: int
    test_from: str
    rows: list[Measured]


@sql_function(
    of="recommender",
    returns=dict.fromkeys(("model", "metric"), "VARCHAR")
    | dict.fromkeys(("value", "standard_error", "low", "high"), "DOUBLE")
    | {"users": "BIGINT", "difference": "DOUBLE", "p_value": "DOUBLE"},
    arguments=EVALUATE,
    template="catalog/rows",
    result={
        "model": "morec_sql, or a baseline",
        "metric": "what is measured",
        "value": "its mean over the users",
        "standard_error": "of the mean, by bootstrap over the users",
        "low": "end of its 95 % interval",
        "high": "end of its 95 % interval",
        "users": "how many users there are",
        "difference": "of a baseline: ours minus its own, over the same users",
        "p_value": "of a paired permutation test of the difference",
    },
)
def evaluate(
    session: Session, catalog: str, name: str, given: dict[str, Any]
) -> list[dict[str, Any]]:
    """Trains on the events before test_from and measures the lists against those from then on."""
    request = Request.read(given)
    # the two halves of a UNION may run at once, and train the same past
    with session.shared(Past).lock:
        found = evaluation_of(session, catalog, name, request)
    return [dataclasses.asdict(row) for row in found.rows]


def evaluation_of(session: Session, catalog: str, name: str, request: Request) -> Evaluation:
    """Train on the events before a time and measure the lists against the events from it on.

    Args:
        session: of the database instance.
        catalog: the name of the database.
        name: the recommender.
        request: what to measure.

    Raises:
        MorecError: an argument is wrong, or there is nothing to measure.
    """
    with session.cursor(catalog) as con:
        trial = prepare(con, session, catalog, name, request)
        given = _weights(con, name, request, trial.trained)
    trained = trial.trained
    lists = {OURS: trial.lists(trial.batches(), given, request.diversify)}
    allowed = None if trial.allowed is None else trial.allowed.items
    for source in request.without:
        batches = trial.batches(without=source)
        lists[f"without {source}"] = trial.lists(batches, given, request.diversify)
    for baseline in request.baselines:
        if baseline == "own frequency" and trial.exclude_seen:
            continue
        lists[baseline] = baselines.rank(
            baseline, trained.history, trained.users, trained.items, trial.history, trial.users,
            trial.k, trial.exclude_seen, allowed, trial.arguments.seed,
        )  # fmt: skip
    query = write(trial, lists)
    return Evaluation(trial.con, trial.k, trial.test_from, _measured(trial, lists, query))


def _weights(
    con: duckdb.DuckDBPyConnection, name: str, request: Request, trained: Trained
) -> Doubles:
    """The weights by objective: as given, or the recommender's present defaults."""
    names = [objective.name for objective in trained.objectives]
    if request.weights is not None:
        return np.array(weights(request.weights, names))
    return np.array(stored_weights(con, relations(name).objectives, names))


def _measured(trial: Trial, lists: dict[str, npt.NDArray[np.int64]], query: str) -> list[Measured]:
    """Every metric of every model."""
    con = trial.con
    table = arrow(con, query)
    models = list(lists)
    users = trial.users
    model_of = np.array([models.index(model) for model in table.column("model").to_pylist()])
    user_of = table.column("user_id").to_numpy()
    names = metric_names(trial.trained.objectives)
    by_metric: dict[str, Doubles] = {}
    for name in set(names) - set(OF_LISTS):
        values = np.full((len(models), users), np.nan)
        values[model_of, user_of] = table.column(name).to_numpy(zero_copy_only=False)
        by_metric[name] = values
    of_sets = {
        (model, metric): value
        for model, *both in con.execute(
            sql("measure/metrics_of_lists", k=literal(trial.k))
        ).fetchall()
        for metric, value in zip(OF_LISTS, both, strict=True)
    }
    rows = []
    for number, model in enumerate(models):
        errors = errors_of_sets(lists[model], trial.trained.items)
        for name in names:
            if name in by_metric:
                ours, theirs = by_metric[name][0], by_metric[name][number]
                rows.append(of_users(model, name, ours, theirs))
                continue
            value, error = float(of_sets[model, name]), errors[name]
            low, high = value - 1.96 * error, value + 1.96 * error
            rows.append(Measured(model, name, value, error, low, high, users, None, None))
    return rows
