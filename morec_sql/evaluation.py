"""How good a recommender is: trained on the past, measured on what came after, beside baselines."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from threading import Lock
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .arrays import vectors
from .expressions import MorecError, identifier, literal, nearest
from .objectives import (
    SET_METRICS,
    check_diversify,
    metric_names,
    metric_of,
    parse_weights,
    self_information,
    stored_weights,
)
from .schema import stored_arguments
from .serve import filtered
from .source import Arguments
from .templates import arrow, first_row, sql
from .training import WINDOW, Trained, train
from .udfs import baselines, scoring
from .udfs.history import History

OURS = "morec_sql"
RESAMPLES = 999
RESAMPLES_OF_SETS = 199  # for coverage and Gini, which count over all lists at once
ROWS = 2048

Doubles = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Request:
    """The arguments of evaluate, checked."""

    weights: str | None = None
    k: int = 10
    test_from: str | None = None
    novel_only: bool = False
    history: int | None = None
    sample: int | None = None
    filter: str | None = None
    diversify: str = "mmr"
    baselines: tuple[str, ...] = ()

    @staticmethod
    def from_json(text: str) -> Request:
        """Read what the SQL macro passes."""
        given = {key: value for key, value in json.loads(text).items() if value is not None}
        for key, low in (("k", 1), ("history", 0), ("sample", 1)):
            value = given.get(key, low)
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise MorecError(f"{key}: {value!r} is not a whole number from {low} up")
        if not isinstance(given.get("novel_only", False), bool):
            raise MorecError(f"novel_only: true or false is needed, not {given['novel_only']!r}")
        check_diversify(given.get("diversify", "mmr"))
        chosen = given.pop("baselines", False)
        if isinstance(chosen, bool):
            # ALS is left out where its library is not installed, unless it is asked for by name
            every = [name for name in baselines.BASELINES if name != "als" or find_spec("implicit")]
            chosen = every if chosen else []
        if not isinstance(chosen, list):
            raise MorecError(f"baselines: true, false or a list of names is needed, not {chosen!r}")
        for name in chosen:
            if name not in baselines.BASELINES:
                hint = nearest(str(name), baselines.BASELINES)
                raise MorecError(f"baselines: {name!r} is not known; {hint}")
        if "als" in chosen and not find_spec("implicit"):
            raise MorecError("baselines: 'als' needs a library; pip install 'morec_sql[als]'")
        if "weights" in given:
            given["weights"] = json.dumps(given["weights"])
        return Request(**given, baselines=tuple(dict.fromkeys(chosen)))


@dataclasses.dataclass(frozen=True)
class Measured:
    """One metric of one model: its mean over the users, and ours against it.

    difference is ours minus this model's over the same users, p_value that of a paired permutation
    test of it; both are None for our own rows and for metrics of all lists together.
    """

    model: str
    metric: str
    value: float
    standard_error: float
    low: float
    high: float
    users: int
    difference: float | None
    p_value: float | None


class Past:
    """Keeps the recommender that the last evaluation trained, for the next one on the same past."""

    def __init__(self) -> None:
        self.lock = Lock()
        self._key: tuple[Any, ...] | None = None
        self._trained: Trained | None = None

    def get(
        self,
        con: duckdb.DuckDBPyConnection,
        connect: Callable[[], duckdb.DuckDBPyConnection],
        catalog: str,
        name: str,
        test_from: str,
    ) -> Trained:
        """The recommender as trained on the events before `test_from`, on a connection kept."""
        key = first_row(con, sql("past_key", schema=identifier(name), test_from=literal(test_from)))
        assert key is not None
        key = (catalog, name, test_from, *key)
        if self._trained is None or key != self._key:
            if self._trained is not None:
                self._trained.con.close()
                self._trained = None
            arguments, schema = stored_arguments(con, catalog, name)
            cursor = connect()
            try:
                self._trained = train(cursor, catalog, schema, arguments, until=test_from)
            except BaseException:
                cursor.close()
                raise
            self._key = key
        return self._trained


@dataclasses.dataclass(frozen=True)
class Trial:
    """A recommender as of a time, and who did what from then on.

    con holds the temporary tables morec_truth (user_id, item_id) and morec_test_users (name,
    user_index, user_id), where ids are numbers of ours; history is what is known of these users,
    numbered alike; allowed are the items that may be listed, None for all.
    """

    con: duckdb.DuckDBPyConnection
    arguments: Arguments
    trained: Trained
    test_from: str
    k: int
    users: int
    history: History
    exclude_seen: bool
    allowed: scoring.Selection | None

    def batches(self, keep: bool = False) -> Iterator[scoring.Batch]:
        """The users in batches; `keep` their relevance, for many weights to be tried."""
        for first in range(0, self.users, ROWS):
            rows = np.arange(first, min(first + ROWS, self.users))
            mine = self.history.of_users(rows, self.users)
            excluded = np.full(len(rows), self.exclude_seen)
            yield self.trained.catalogue.batch(mine, len(rows), self.allowed, excluded, keep)

    def lists(
        self, batches: Iterable[scoring.Batch], weights: Doubles, diversify: str
    ) -> npt.NDArray[np.int64]:
        """Our lists, shape (users, k); -1 behind the end of a short one."""
        out = np.full((self.users, self.k), -1, np.int64)
        first = 0
        for batch in batches:
            ranked = scoring.rank(
                self.trained.catalogue,
                batch,
                np.tile(weights, (batch.users, 1)),
                self.k,
                diversify,
            )
            out[first : first + batch.users, : ranked.item.shape[1]] = ranked.item
            first += batch.users
        return out


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The outcome; con holds the temporary tables it was measured on.

    These are those of a Trial and morec_lists (model, user_id, rank, item_id).
    """

    con: duckdb.DuckDBPyConnection
    k: int
    test_from: str
    rows: list[Measured]


def evaluate(
    connect: Callable[[], duckdb.DuckDBPyConnection],
    catalog: str,
    name: str,
    request: Request,
    past: Past,
) -> Evaluation:
    """Train on the events before a time and measure the lists against the events from it on.

    Args:
        connect: opens a connection to the database of the recommender.
        catalog: the name of the database.
        name: the recommender.
        request: what to measure.
        past: where the training may be found, or is kept.

    Raises:
        MorecError: an argument is wrong, or there is nothing to measure.
    """
    with connect() as con:
        trial = prepare(con, connect, catalog, name, request, past)
        given = _weights(con, name, request, trial.trained)
    trained = trial.trained
    lists = {OURS: trial.lists(trial.batches(), given, request.diversify)}
    allowed = None if trial.allowed is None else trial.allowed.items
    for baseline in request.baselines:
        if baseline == "own frequency" and trial.exclude_seen:
            continue
        lists[baseline] = baselines.rank(
            baseline, trained.history, trained.users, trained.items, trial.history, trial.users,
            trial.k, trial.exclude_seen, allowed, trial.arguments.seed,
        )  # fmt: skip
    query = write(trial, lists)
    return Evaluation(trial.con, trial.k, trial.test_from, _measured(trial, lists, query))


def prepare(
    con: duckdb.DuckDBPyConnection,
    connect: Callable[[], duckdb.DuckDBPyConnection],
    catalog: str,
    name: str,
    request: Request,
    past: Past,
) -> Trial:
    """Train on the past, and find out who is measured against what; arguments as of evaluate.

    Raises:
        MorecError: an argument is wrong, or there is nothing to measure.
    """
    arguments, _ = stored_arguments(con, catalog, name)
    if arguments.event_time is None:
        raise MorecError(f"test_from: {name!r} has no event_time, so nothing comes after anything")
    test_from = _test_from(con, name, request.test_from)
    trained = past.get(con, connect, catalog, name, test_from)
    if request.k > trained.items:
        raise MorecError(
            f"k: {request.k} is above the {trained.items} items of the catalogue of {name!r}"
        )
    con = trained.con
    allowed = None
    kept = "true"
    if request.filter is not None:
        found = filtered(con, name, request.filter, catalogue="morec_items")
        if not len(found):
            raise MorecError(f"filter: {request.filter!r} keeps no item")
        allowed = trained.catalogue.only(found)
        con.register("morec_allowed", pa.table({"item_index": found}))
        kept = "_i.item_index IN (SELECT item_index FROM morec_allowed)"
    con.execute(
        sql(
            "evaluation_truth",
            schema=identifier(name),
            test_from=literal(test_from),
            kept=kept,
            novel_only=literal(request.novel_only),
            sample=literal(request.sample) if request.sample is not None else "NULL",
        )
    )
    numbers = arrow(con, "SELECT user_index FROM morec_test_users ORDER BY user_id").column(0)
    if not len(numbers):
        what = "an item that is new to them" if request.novel_only else "any item"
        chosen = " of the filter" if request.filter else ""
        raise MorecError(f"test_from: nobody has an event with {what}{chosen} from {test_from} on")
    known = numbers.drop_null().to_numpy().astype(np.int64)
    history = trained.history.of_users(known, trained.users)
    if request.history is not None:
        history = history.latest(request.history)
    exclude_seen = request.novel_only or trained.exclude_seen
    return Trial(
        con, arguments, trained, test_from, request.k, len(numbers), history, exclude_seen, allowed
    )


def _test_from(con: duckdb.DuckDBPyConnection, name: str, given: str | None) -> str:
    """The start of the test as a timestamp: as given, or with the last window of the events."""
    row = first_row(con, sql("events_span", schema=identifier(name), share=literal(WINDOW)))
    assert row is not None
    first, last, start = row
    if first is None:
        raise MorecError(f"events: {name!r} has no event")
    if given is None:
        return str(start)
    if not str(first) < given <= str(last):
        raise MorecError(
            f"test_from: {given} leaves no event on one side; the events of {name!r} run from"
            f" {first} to {last}"
        )
    return given


def _weights(
    con: duckdb.DuckDBPyConnection, name: str, request: Request, trained: Trained
) -> Doubles:
    """The weights by objective: as given, or the recommender's present defaults."""
    names = [objective.name for objective in trained.objectives]
    if request.weights is not None:
        return np.array(parse_weights(request.weights, names))
    return np.array(stored_weights(con, name, names))


def write(trial: Trial, lists: dict[str, npt.NDArray[np.int64]]) -> str:
    """Write lists by model, and what is known of their items, as temporary tables.

    Returns:
        a query of the metrics that each user has, one row per model and user.
    """
    con, trained = trial.con, trial.trained
    models = list(lists)
    stacked = np.stack([lists[model] for model in models])
    model, user, place = np.nonzero(stacked >= 0)
    item = stacked[model, user, place]
    shown = np.unique(item)
    tables: dict[str, dict[str, Any]] = {
        "morec_lists": {
            "model": pa.DictionaryArray.from_arrays(pa.array(model, pa.int32()), models),
            "user_id": user,
            "rank": place + 1,
            "item_id": item,
        },
        "morec_values": {
            "item_id": np.arange(trained.items),
            "novelty": self_information(trained.history, trained.items),
        },
    }
    likeness = trained.catalogue.likeness
    rows = likeness.rows.cpu().numpy()[shown]
    if likeness.vectors is None:
        tables["morec_list_vectors"] = {
            "item_id": shown,
            "category": pa.array(rows, mask=rows < 0),
        }
    else:
        vector = likeness.vectors.cpu().numpy()[rows]
        tables["morec_list_vectors"] = {"item_id": shown, "vector": vectors(vector)}
    joins = []
    for position, objective in enumerate(trained.objectives):
        raw, column = trained.values.raw[:, position], metric_of(objective)
        parts = {"position": str(position), "column": identifier(column), "k": literal(trial.k)}
        of_items = {"item_id": shown, "value": pa.array(raw[shown], from_pandas=True)}
        if objective.kind == "item" and objective.built_in != "novelty":
            finite = np.where(np.isfinite(raw), raw, np.nan)
            tables["morec_values"][column] = pa.array(finite, from_pandas=True)
        elif objective.kind == "fit":
            tables[f"morec_values_{position}"] = of_items
            tables[f"morec_tastes_{position}"] = _tastes(trial, position)
            joins.append(sql("evaluation_fit", **parts))
        elif objective.kind in ("coverage", "calibration"):
            category = pa.array(raw[shown], mask=raw[shown] < 0)
            tables[f"morec_values_{position}"] = {"item_id": shown, "category": category}
            tables[f"morec_tastes_{position}"] = _tastes(trial, position)
            joins.append(sql("evaluation_categories", metric=objective.kind, **parts))
    for name, columns in tables.items():
        con.register("morec_new", pa.table(columns))
        con.execute(sql("evaluation_table", table=identifier(name)))
        con.unregister("morec_new")
    return sql("evaluation_metrics", k=literal(trial.k), joins=" ".join(joins))


def _tastes(trial: Trial, position: int) -> dict[str, Any]:
    """What users with a history are used to: a value, or the shares of categories."""
    values, catalogue, history = trial.trained.values, trial.trained.catalogue, trial.history
    if catalogue.kinds[position] == "fit":
        users = int(history.user.max(initial=-1)) + 1
        mean, deviation = values.mean[position], values.deviation[position]
        assert mean is not None
        assert deviation is not None
        taste = catalogue.taste(history, users, position) * deviation + mean
        return {"user_id": np.arange(users), "value": taste}
    user, category, share = catalogue.mix(history, position)
    return {"user_id": user, "category": category.astype(np.float64), "share": share}


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
    for name in set(names) - set(SET_METRICS):
        values = np.full((len(models), users), np.nan)
        values[model_of, user_of] = table.column(name).to_numpy(zero_copy_only=False)
        by_metric[name] = values
    of_sets = {
        (model, metric): value
        for model, *both in con.execute(sql("evaluation_sets", k=literal(trial.k))).fetchall()
        for metric, value in zip(SET_METRICS, both, strict=True)
    }
    rows = []
    for number, model in enumerate(models):
        errors = _errors_of_sets(lists[model], trial.trained.items)
        for name in names:
            if name in by_metric:
                ours, theirs = by_metric[name][0], by_metric[name][number]
                rows.append(_of_users(model, name, ours, theirs))
                continue
            value, error = float(of_sets[model, name]), errors[name]
            low, high = value - 1.96 * error, value + 1.96 * error
            rows.append(Measured(model, name, value, error, low, high, users, None, None))
    return rows


def _of_users(model: str, metric: str, ours: Doubles, theirs: Doubles) -> Measured:
    """The mean of a metric that each user has, with its bootstrap interval over the users."""
    from scipy import stats

    values = theirs[np.isfinite(theirs)]
    value = float(values.mean()) if len(values) else float("nan")
    error, low, high = 0.0, value, value
    if len(values) > 1 and np.ptp(values) > 0:
        drawn = stats.bootstrap(
            (values,), np.mean, n_resamples=RESAMPLES, method="percentile", vectorized=True, rng=0
        )
        error = float(drawn.standard_error)
        low, high = map(float, drawn.confidence_interval)
    difference = p_value = None
    if model != OURS:
        both = np.isfinite(ours) & np.isfinite(theirs)
        change = ours[both] - theirs[both]
        difference, p_value = float(change.mean()) if len(change) else 0.0, 1.0
        if change.any():
            p_value = float(
                stats.permutation_test(
                    (ours[both], theirs[both]),
                    lambda a, b, axis: np.mean(a - b, axis=axis),
                    permutation_type="samples",
                    n_resamples=RESAMPLES,
                    vectorized=True,
                    rng=0,
                ).pvalue
            )
    return Measured(model, metric, value, error, low, high, len(values), difference, p_value)


def _errors_of_sets(lists: npt.NDArray[np.int64], items: int) -> dict[str, float]:
    """Standard errors of coverage and Gini: their spread over resamples of the users."""
    from scipy.sparse import csr_array

    user, place = np.nonzero(lists >= 0)
    shown, item = np.unique(lists[user, place], return_inverse=True)
    matrix = csr_array((np.ones(len(item)), (user, item)), shape=(len(lists), len(shown)))
    users = len(lists)
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(users, np.full(users, 1 / users), RESAMPLES_OF_SETS)
    times = np.sort((matrix.T @ drawn.T).T, axis=1)
    place = np.arange(items - len(shown) + 1, items + 1)
    gini = ((2 * place - items - 1) * times).sum(axis=1) / (items * times.sum(axis=1))
    coverage = (times > 0).sum(axis=1) / items
    return {"coverage": float(coverage.std(ddof=1)), "gini": float(gini.std(ddof=1))}
