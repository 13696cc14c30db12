"""Objectives: what a recommender declares, their standardised values, and weights over them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from .arrays import whole
from .expressions import (
    MorecError,
    aggregates,
    call,
    expression,
    identifier,
    nearest,
    weights,
)
from .source import Source
from .templates import arrow
from .udfs import scoring
from .udfs.history import History

BUILT_IN = {
    "relevance": "how likely this user wants the item",
    "popularity": "log of the number of users",
    "novelty": "self-information -log2 p of the item among all user-item pairs",
    "freshness": "how recently the item appeared",
    "trend": "users of late against the long run",
    "diversity": "distance to the other items of the list",
}
# objectives that are called with a SQL expression over the items, and their kinds
CALLED = {
    "price_fit": "fit",
    "coverage": "coverage",
    "calibration": "calibration",
    "fairness": "item",
    "diversity": "diversity by category",
}
OVER_CATEGORIES = ("coverage", "calibration", "diversity by category")
DEFAULT_OBJECTIVES = ("relevance", "diversity", "novelty")
DEFAULT_WEIGHTS = [0.6, 0.3, 0.1]
Doubles = npt.NDArray[np.float64]

CLIPPED = 0.001  # share of the catalogue at either end that is clipped before standardising


@dataclasses.dataclass(frozen=True)
class Objective:
    """One objective, of one of the kinds that scoring knows.

    built_in is the name of what computes it where it is not the expression alone; expression is as
    the user wrote it; sql is evaluated over the items, or over the events where it aggregates.
    """

    name: str
    kind: str
    built_in: str | None = None
    expression: str | None = None
    sql: str | None = None
    over_events: bool = False

    @property
    def of_categories(self) -> bool:
        """Whether its SQL gives categories instead of numbers."""
        return self.kind in OVER_CATEGORIES or self.built_in == "fairness"


def declared(con: duckdb.DuckDBPyConnection, given: Any, source: Source) -> list[Objective]:
    """Read `objectives`: a list of built-in names, or a struct of names and SQL expressions.

    In a struct a built-in objective has the value NULL or its own name; an expression is over the
    items, an aggregate over the events of each item, or a call of one of CALLED.
    """
    if given is None:
        given = list(DEFAULT_OBJECTIVES)
    if isinstance(given, list):
        if not all(isinstance(name, str) for name in given):
            raise MorecError(
                f"objectives: a list holds names of built-in objectives, not {given!r}"
            )
        for name in given:
            if name not in BUILT_IN:
                raise MorecError(
                    f"objectives: {name!r} is not built in; {nearest(name, BUILT_IN)}"
                    " (an own one is {name: 'SQL expression'})"
                )
        given = dict.fromkeys(given)
    if not isinstance(given, dict) or not given:
        raise MorecError(
            f"objectives: a list of names or a struct {{name: 'SQL'}} is needed, not {given!r}"
        )
    if len({name.lower() for name in given}) < len(given):
        raise MorecError("objectives: a name occurs twice; names differ in more than their case")
    found = [_declared(con, name, text, source) for name, text in given.items()]
    if not any(objective.kind == "relevance" for objective in found):
        found.insert(0, Objective("relevance", "relevance", "relevance"))
    for kind in ("relevance", "diversity"):
        if sum(objective.kind.startswith(kind) for objective in found) > 1:
            raise MorecError(f"objectives: {kind} is declared twice, where once is allowed")
    return found


def _declared(
    con: duckdb.DuckDBPyConnection, name: str, text: str | None, source: Source
) -> Objective:
    argument, items = f"objectives.{name}", source.items
    built_in = name if text is None else text if text in BUILT_IN else None
    if built_in is not None and not (
        built_in != name and items is not None and built_in in items.columns
    ):
        if built_in not in BUILT_IN:
            raise MorecError(
                f"objectives: {name!r} has no SQL expression; {nearest(name, BUILT_IN)}"
            )
        kind = built_in if built_in in ("relevance", "diversity") else "item"
        return Objective(name, kind, built_in)
    assert text is not None
    called = call(argument, text, CALLED)
    function = called[0] if called else None
    if name == "relevance" or (name == "diversity" and function != "diversity"):
        raise MorecError(f"objectives: {name!r} is built in and takes no expression")
    if called and function == "diversity" and called[1].lower() in ("text", "behaviour"):
        kind = "diversity" if called[1].lower() == "text" else "diversity by behaviour"
        return Objective(name, kind, "diversity", text)
    if called is None and aggregates(con, text):
        written = expression(con, argument, text, source.events, per=source.item_sql)
        return Objective(name, "item", None, text, written, over_events=True)
    if items is None:
        raise MorecError(f"objectives: {name!r} is SQL over items, but items is not given")
    if called is None:
        return Objective(name, "item", None, text, expression(con, argument, text, items))
    objective = Objective(name, CALLED[called[0]], function, text)
    wanted = "category" if objective.of_categories else "number"
    written = expression(con, argument, called[1], items, wanted=wanted)
    return dataclasses.replace(objective, sql=written)


RANKING_METRICS = ("precision", "recall", "f1", "hit_rate", "ndcg", "map", "mrr")
SET_METRICS = ("coverage", "gini")


def metric_of(objective: Objective) -> str:
    """The metric of lists that says how well they do in an objective."""
    if objective.kind == "relevance":
        return "ndcg"
    if objective.kind in scoring.DIVERSITIES:
        return "intra_list_diversity"
    return "novelty" if objective.built_in == "novelty" else f"mean_{objective.name}"


def metric_names(listed: list[Objective]) -> list[str]:
    """All metrics that are measured, in their order."""
    of_objectives = [
        metric_of(o) for kinds in (("item",), ("fit", "coverage", "calibration"))
        for o in listed if o.kind in kinds
    ]  # fmt: skip
    names = (*RANKING_METRICS, *SET_METRICS, "intra_list_diversity", "novelty", *of_objectives)
    return list(dict.fromkeys(names))


def default_weights(given: Any, listed: list[Objective]) -> list[float]:
    """Weights where a query gives none: as declared, or 0.6 for relevance, 0.4 for the rest."""
    names = [objective.name for objective in listed]
    if given is not None:
        return weights(given, names)
    if tuple(names) == DEFAULT_OBJECTIVES:
        return DEFAULT_WEIGHTS
    if len(names) == 1:
        return [1.0]
    share = 0.4 / (len(names) - 1)
    return [0.6 if objective.kind == "relevance" else share for objective in listed]


def check_diversify(given: Any) -> None:
    """Raise a MorecError unless it names a way to diversify."""
    if given not in scoring.DIVERSIFIERS:
        allowed = " or ".join(map(repr, scoring.DIVERSIFIERS))
        raise MorecError(f"diversify: {given!r} is not {allowed}")


def parse_weights(text: str, names: list[str]) -> list[float]:
    """Read weights from the JSON that SQL passes."""
    try:
        given = json.loads(text)
    except ValueError:  # to_json writes NaN and infinity bare
        given = text
    return weights(given, names)


def stored_weights(con: duckdb.DuckDBPyConnection, schema: str, names: list[str]) -> list[float]:
    """The default weights of a recommender as they are now, since users may UPDATE them."""
    # sorted here, since planning an ORDER BY takes as long as all the rest
    rows = con.execute(
        f"SELECT position, default_weight FROM {identifier(schema)}.objectives"
    ).fetchall()
    return weights([weight for _, weight in sorted(rows)], names)


@dataclasses.dataclass(frozen=True)
class Values:
    """Values of the objectives, shape (items, objectives): for scoring, and raw.

    Of an objective that is over categories they are numbers of categories, -1 where unknown; of
    relevance and diversity they are 0. mean and deviation are None where nothing is standardised.
    """

    columns: npt.NDArray[np.float32]
    raw: Doubles
    mean: list[float | None]
    deviation: list[float | None]
    without_effect: list[str]


def standardised(
    con: duckdb.DuckDBPyConnection,
    listed: list[Objective],
    history: History,
    items: int,
    now: float,
    unit: float,
    exposure: Callable[[], Doubles],
) -> Values:
    """Compute the objectives over the catalogue, clip their outliers and standardise them.

    Args:
        con: holds the temporary table morec_items.
        listed: the declared objectives.
        history: all user-item pairs as of now.
        items: number of items.
        now: epoch seconds from which ages count.
        unit: the unit of the ages in `history`, in seconds.
        exposure: gives how much attention each item gets in lists by relevance, shape (items,).
    """
    columns, raw = (np.zeros((items, len(listed))) for _ in range(2))
    means: list[float | None] = [None] * len(listed)
    deviations: list[float | None] = [None] * len(listed)
    without_effect = []
    for position, objective in enumerate(listed):
        column = identifier(f"_objective_{position}")
        if objective.kind in OVER_CATEGORIES:
            raw[:, position] = columns[:, position] = codes = _categories(con, column)
            if len(np.unique(codes[codes >= 0])) < 2:
                without_effect.append(objective.name)
        elif objective.kind in ("item", "fit"):
            if objective.built_in == "fairness":
                values = _fairness(_categories(con, column), history, exposure())
            elif objective.built_in in BUILT_IN:
                values = _built_in(con, str(objective.built_in), history, items, now, unit)
            else:
                values = _column(con, column)
                if objective.kind == "fit":
                    values = np.log(np.where(values > 0, values, np.nan))
            raw[:, position] = values
            columns[:, position], means[position], deviations[position] = _standardise(values)
            if deviations[position] == 0:
                without_effect.append(objective.name)
    return Values(columns.astype(np.float32), raw, means, deviations, without_effect)


def _column(con: duckdb.DuckDBPyConnection, column: str) -> Doubles:
    table = arrow(con, f"SELECT {column} FROM morec_items ORDER BY item_index")
    values: Doubles = table.column(0).to_numpy().astype(np.float64)
    return values


def _categories(con: duckdb.DuckDBPyConnection, column: str) -> npt.NDArray[np.int64]:
    """Numbers of the categories in a column, in their order; -1 for NULL."""
    table = arrow(
        con,
        f"SELECT CASE WHEN {column} IS NOT NULL THEN dense_rank() OVER (ORDER BY {column})"
        " - 1 END AS code FROM morec_items ORDER BY item_index",
    )
    codes: npt.NDArray[np.int64] = whole(table.column(0)).fill_null(-1).to_numpy()
    return codes.astype(np.int64)


def _fairness(provider: npt.NDArray[np.int64], history: History, exposure: Doubles) -> Doubles:
    """Log of the share of the pairs that a provider has against the share of attention it gets.

    Attention in proportion to merit (Singh and Joachims 2018): what lists by relevance alone give
    too little of goes up, in all lists together and not within each one, where few providers fit.
    Shares are smoothed by one pair per provider.
    """
    known = provider >= 0
    providers = int(provider.max()) + 1
    if not providers:
        return np.full(len(provider), np.nan)
    pairs = np.bincount(history.item, minlength=len(provider))
    merit = np.bincount(provider[known], pairs[known], minlength=providers)
    seen = np.bincount(provider[known], exposure[known], minlength=providers)
    seen *= merit.sum() / max(seen.sum(), 1e-12)
    return np.where(known, np.log((merit + 1) / (seen + 1))[provider], np.nan)


def _standardise(
    raw: Doubles,
) -> tuple[Doubles, float, float]:
    """Clip, subtract the mean and divide by the deviation; unknown values become the mean."""
    known = np.isfinite(raw)
    if not known.any():
        return np.zeros(len(raw)), 0.0, 0.0
    low, high = np.quantile(raw[known], [CLIPPED, 1 - CLIPPED])
    clipped = np.clip(raw, low, high)
    mean, deviation = float(clipped[known].mean()), float(clipped[known].std())
    if deviation <= 1e-12 * max(abs(mean), 1.0):
        return np.zeros(len(raw)), mean, 0.0
    return np.where(known, (clipped - mean) / deviation, 0.0), mean, deviation


def self_information(history: History, items: int) -> Doubles:
    """-log2 of the share of each item among all user-item pairs, in bits, smoothed by one user."""
    users = np.bincount(history.item, minlength=items)
    out: Doubles = -np.log2((users + 1) / (users.sum() + items))
    return out


def _built_in(
    con: duckdb.DuckDBPyConnection, name: str, history: History, items: int, now: float, unit: float
) -> Doubles:
    users = np.bincount(history.item, minlength=items).astype(np.float64)
    values: Doubles
    if name == "popularity":
        values = np.log1p(users)
    elif name == "novelty":
        values = self_information(history, items)
    elif name == "trend":
        late = np.bincount(history.item, history.last <= 1.0, minlength=items)
        values = np.log((late + 1) / (users * (late.sum() / max(users.sum(), 1)) + 1))
    else:
        declared_age = (now - _column(con, "epoch(_item_time)")) / unit
        age = np.full(items, -np.inf)
        np.maximum.at(age, history.item, history.first.astype(np.float64))
        age = np.where(np.isfinite(declared_age), declared_age, np.where(users > 0, age, np.nan))
        values = np.exp2(-np.maximum(age, 0.0))
    return values
