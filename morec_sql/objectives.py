"""Objectives: what a recommender declares, their standardised values, and weights over them."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from .expressions import MorecError, Table, expression, identifier, nearest
from .templates import arrow
from .udfs.history import History

BUILT_IN = {
    "relevance": "how likely this user wants the item",
    "popularity": "log of the number of users",
    "novelty": "self-information -log2 p of the item among all user-item pairs",
    "freshness": "how recently the item appeared",
    "trend": "users of late against the long run",
    "diversity": "distance to the other items of the list",
}
DEFAULT_OBJECTIVES = ("relevance", "diversity", "novelty")
DEFAULT_WEIGHTS = [0.6, 0.3, 0.1]
Doubles = npt.NDArray[np.float64]

CLIPPED = 0.001  # share of the catalogue at either end that is clipped before standardising


@dataclasses.dataclass(frozen=True)
class Objective:
    """One objective: kind is relevance, diversity or item; built-in ones have no expression."""

    name: str
    kind: str
    built_in: str | None = None
    expression: str | None = None
    sql: str | None = None


def declared(con: duckdb.DuckDBPyConnection, given: Any, items: Table | None) -> list[Objective]:
    """Read `objectives`: a list of built-in names, or a struct of names and SQL expressions.

    In a struct a built-in objective has the value NULL or its own name.
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
    found = []
    for name, text in given.items():
        built_in = name if text is None else text if text in BUILT_IN else None
        if built_in is not None and not (
            built_in != name and items is not None and built_in in items.columns
        ):
            if built_in not in BUILT_IN:
                raise MorecError(
                    f"objectives: {name!r} has no SQL expression; {nearest(name, BUILT_IN)}"
                )
            kind = built_in if built_in in ("relevance", "diversity") else "item"
            found.append(Objective(name, kind, built_in))
            continue
        if name in ("relevance", "diversity"):
            raise MorecError(f"objectives: {name!r} is built in and takes no expression")
        if items is None:
            raise MorecError(f"objectives: {name!r} is SQL over items, but items is not given")
        written = expression(con, f"objectives.{name}", text, items)
        found.append(Objective(name, "item", None, text, written))
    if not any(objective.kind == "relevance" for objective in found):
        found.insert(0, Objective("relevance", "relevance", "relevance"))
    for kind in ("relevance", "diversity"):
        if sum(objective.kind == kind for objective in found) > 1:
            raise MorecError(f"objectives: {kind} is declared twice, where once is allowed")
    return found


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


def weights(given: Any, names: list[str]) -> list[float]:
    """Check weights given by position (a list) or by name (a dict), and return them by position."""
    expected = ", ".join(names)
    if isinstance(given, dict):
        lowered = {name.lower(): name for name in names}
        for name in given:
            if name.lower() not in lowered:
                raise MorecError(f"weights: unknown objective {name!r}; {nearest(name, names)}")
        by_name = {lowered[name.lower()]: value for name, value in given.items()}
        values = [by_name.get(name, 0.0) for name in names]
    elif isinstance(given, list):
        if len(given) != len(names):
            raise MorecError(
                f"weights: {len(given)} values came, but {len(names)} are needed ({expected})"
            )
        values = given
    else:
        raise MorecError(
            f"weights: {given!r} is neither a list nor a struct of numbers for {expected}"
        )
    for name, value in zip(names, values, strict=True):
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise MorecError(f"weights: {value!r} for {name} is not a finite number from 0 up")
        if value < 0:
            raise MorecError(f"weights: {value!r} for {name} is negative; 0 or more is allowed")
    if not any(values):
        raise MorecError(f"weights: all are 0, but at least one of {expected} must count")
    return [float(value) for value in values]


def parse_weights(text: str, names: list[str]) -> list[float]:
    """Read weights from the JSON that SQL passes."""
    try:
        given = json.loads(text)
    except ValueError:  # to_json writes NaN and infinity bare
        given = text
    return weights(given, names)


def stored_weights(con: duckdb.DuckDBPyConnection, schema: str, names: list[str]) -> list[float]:
    """The default weights of a recommender as they are now, since users may UPDATE them."""
    rows = con.execute(
        f"SELECT default_weight FROM {identifier(schema)}.objectives ORDER BY position"
    ).fetchall()
    return weights([row[0] for row in rows], names)


@dataclasses.dataclass(frozen=True)
class Values:
    """Values of the item objectives, standardised and raw, shape (items, objectives of kind item).

    mean and deviation are per declared objective, None where it is not of kind item.
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
) -> Values:
    """Compute the item objectives over the catalogue, clip their outliers and standardise them.

    Args:
        con: holds the temporary table morec_items.
        listed: the declared objectives.
        history: all user-item pairs as of now.
        items: number of items.
        now: epoch seconds from which ages count.
        unit: the unit of the ages in `history`, in seconds.
    """
    columns, raws, means, deviations, without_effect = [], [], [], [], []
    for position, objective in enumerate(listed):
        mean: float | None = None
        deviation: float | None = None
        if objective.kind == "item":
            if objective.sql:
                column = identifier(f"_objective_{position}")
                raw = _column(con, column)
            else:
                raw = _built_in(con, str(objective.built_in), history, items, now, unit)
            values, mean, deviation = _standardise(raw)
            if deviation == 0:
                without_effect.append(objective.name)
            columns.append(values)
            raws.append(raw)
        means.append(mean)
        deviations.append(deviation)
    stacked, raw = (np.column_stack(x) if x else np.zeros((items, 0)) for x in (columns, raws))
    return Values(stacked.astype(np.float32), raw, means, deviations, without_effect)


def _column(con: duckdb.DuckDBPyConnection, column: str) -> Doubles:
    table = arrow(con, f"SELECT {column} FROM morec_items ORDER BY item_index")
    values: Doubles = table.column(0).to_numpy().astype(np.float64)
    return values


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
