"""Objectives: what each kind of them is, and which ones a recommender declares."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import duckdb

from ..errors import MorecError, nearest
from ..source.checks import weights
from ..source.expressions import aggregates, as_vector, call, expression, is_vector
from ..source.source import Source
from ..templates import folded, type_of
from ..udfs.history import Doubles
from ..udfs.ranking.terms import DIVERSIFIERS
from . import values
from .metrics import METRICS


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of objective, whole: what it is, how it is declared, scored and measured.

    - about says what it is;
    - scored says as what the kernel takes it: relevance, item (a value by item), fit (how near an
      item's value is to the user's), or a list-wise term of udfs.ranking.terms.TERMS;
    - takes is what it is called with: SQL over the items that gives a number or a category, None
      where it is declared by its name alone; by_name says whether it may be so declared;
    - values gives its values over the catalogue, None where it has none;
    - metric is what lists are measured by, with {} for the objective's name;
    - measured is the file that computes it where it is not a mean over the list's items.
    """

    about: str
    scored: str
    takes: Literal["number", "category"] | None = None
    by_name: bool = False
    values: Callable[[values.Items], Doubles] | None = None
    metric: str = "mean_{}"
    measured: str | None = None


SQL = "SQL"  # any expression over the items, or an aggregate over the events of each
KINDS = {
    "relevance": Kind(
        "how likely this user wants the item", "relevance", by_name=True, metric="ndcg"
    ),
    "popularity": Kind(
        "log of the number of users", "item", by_name=True, values=values.popularity
    ),
    "novelty": Kind(
        "self-information -log2 p of the item among all user-item pairs",
        "item",
        by_name=True,
        values=values.novelty,
        metric="novelty",
    ),
    "freshness": Kind(
        "how recently the item appeared", "item", by_name=True, values=values.freshness
    ),
    "trend": Kind("users of late against the long run", "item", by_name=True, values=values.trend),
    "diversity": Kind(
        "distance to the items before it in the list: by text, by who buys it"
        " (`diversity(behaviour)`), by texts, vectors and graph together (`diversity(content)`), by"
        " vectors, of a name in `vectors` or an expression, or by category",
        "diversity",
        takes="category",
        by_name=True,
        metric="intra_list_diversity",
    ),
    "price_fit": Kind(
        "how near an item's price is to what this user pays, in logs",
        "fit",
        takes="number",
        values=values.log_expression,
        measured="measure/fit",
    ),
    "coverage": Kind(
        "a category that the list does not have yet",
        "coverage",
        takes="category",
        measured="measure/categories",
    ),
    "calibration": Kind(
        "the categories of the list follow the user's own mix (Steck 2018)",
        "calibration",
        takes="category",
        measured="measure/categories",
    ),
    "fairness": Kind(
        "brands get attention in proportion to what they sell",
        "item",
        takes="category",
        values=values.fairness,
    ),
    SQL: Kind(
        "any SQL expression over the items, or an aggregate over the events of each item",
        "item",
        takes="number",
        values=values.expression,
    ),
}
BUILT_IN = tuple(name for name, kind in KINDS.items() if kind.by_name)
CALLED = tuple(name for name, kind in KINDS.items() if kind.takes and name != SQL)
LIKENESS = {
    "text": "diversity",
    "behaviour": "diversity by behaviour",
    "content": "diversity by content",
}
BY_VECTORS = "diversity by vectors"
DEFAULT_OBJECTIVES = ("relevance", "diversity", "novelty")
DEFAULT_WEIGHTS = [0.6, 0.3, 0.1]


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
    def _kind(self) -> Kind:
        return KINDS[self.built_in or SQL]

    @property
    def of_vectors(self) -> bool:
        """Whether its SQL gives vectors instead of numbers."""
        return self.kind == BY_VECTORS

    @property
    def of_categories(self) -> bool:
        """Whether its SQL gives categories instead of numbers."""
        return self.sql is not None and self._kind.takes == "category" and not self.of_vectors

    @property
    def values(self) -> Callable[[values.Items], Doubles] | None:
        """The function that gives its values over the catalogue."""
        return self._kind.values

    @property
    def metric(self) -> str:
        """The metric of lists that says how well they do in it."""
        return self._kind.metric.format(self.name)

    @property
    def measured(self) -> str | None:
        """The file that computes its metric, None where that is a mean over the list's items."""
        return self._kind.measured


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
        return Objective(name, KINDS[built_in].scored, built_in)
    assert text is not None
    called = call(argument, text, CALLED)
    function = called[0] if called else None
    if name == "relevance" or (name == "diversity" and function != "diversity"):
        raise MorecError(f"objectives: {name!r} is built in and takes no expression")
    if called and function == "diversity" and called[1].lower() in LIKENESS:
        kind = LIKENESS[called[1].lower()]
        return Objective(name, kind, "diversity", text)
    if called is None and aggregates(con, text):
        written = expression(
            con, argument, text, source.events, per=source.item_sql, every_row=True
        )
        return Objective(name, "item", None, text, written, over_events=True)
    if items is None:
        raise MorecError(f"objectives: {name!r} is SQL over items, but items is not given")
    if called is None:
        return Objective(
            name, "item", None, text, expression(con, argument, text, items, every_row=True)
        )
    assert function is not None
    if function == "diversity":
        vectors = next((one for one in source.vectors if folded(one) == folded(called[1])), None)
        if vectors is not None:
            return Objective(name, BY_VECTORS, function, text, source.vectors[vectors])
    wanted = KINDS[function].takes or "number"
    written = expression(con, argument, called[1], items, wanted=wanted, every_row=True)
    if function != "diversity":
        return Objective(name, KINDS[function].scored, function, text, written)
    if is_vector(type_of(con, f"({written})", items.sql)):
        return Objective(name, BY_VECTORS, function, text, as_vector(written))
    return Objective(name, "diversity by category", function, text, written)


def metric_names(listed: list[Objective]) -> list[str]:
    """All metrics that are measured, in their order."""
    of_items = [one.metric for one in listed if one.kind == "item"]
    others = [one.metric for one in listed if one.measured]
    return list(dict.fromkeys([*METRICS, *of_items, *others]))


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
    if given not in DIVERSIFIERS:
        allowed = " or ".join(map(repr, DIVERSIFIERS))
        raise MorecError(f"diversify: {given!r} is not {allowed}")


def stored_weights(
    con: duckdb.DuckDBPyConnection, objectives: str, names: list[str]
) -> list[float]:
    """The default weights in a table of objectives as they are now, since users may UPDATE them."""
    # sorted here, since planning an ORDER BY takes as long as all the rest
    rows = con.execute(f"SELECT position, default_weight FROM {objectives}").fetchall()
    return weights([weight for _, weight in sorted(rows)], names)
