"""price_response and price_quality: how demand answers to prices, and how much of it is known."""

from __future__ import annotations

import dataclasses
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ..answer.filters import items_of
from ..answer.query import Query, new_query
from ..arrays import fingerprint, rows_of, whole
from ..errors import MorecError
from ..registry import Argument, rows_type, sql_function, sql_macro, udf
from ..session import Session
from ..source.expressions import evaluated, expression
from ..templates import arrow, identifier, sql
from ..udfs.decide.crossing import Cross, crossing, foretold, weeks_of
from ..udfs.decide.crossing import Weeks as CategoryWeeks
from ..udfs.decide.elasticity import (
    Response,
    Sales,
    effects_of,
    elasticities,
    expected,
    teaches,
    week_effects,
)
from ..udfs.decide.estimates import LEVEL
from ..udfs.decide.quality import MEASURED, Measured, mean_square, measured, poisson_deviance
from ..udfs.history import Doubles, Longs
from .allocate import of_rows
from .sales import OF_SALES, Weeks, read_weeks, sales_of

HELD_OUT = 8  # weeks
MOVED = 0.01  # logarithm of a price beyond which it moved
OWN = 0.5  # share of an elasticity that is of the item's own weeks, from which on it is its own
METHODS = ("own", "category", "no price")
CROSSING = ("cross effects", "no cross effects")

CATEGORY = Argument(
    "category",
    "SQL over the items: what elasticities are drawn together in; all by default",
    "NULL",
)
FILTER = Argument(
    "filter",
    "a SQL predicate over the view items: which ones; all by default",
    "NULL",
    "CAST(filter AS VARCHAR)",
)
ASKED = (*OF_SALES, CATEGORY, FILTER)
COLUMNS = {
    "item_id": "VARCHAR",
    "segment": "VARCHAR",
    "category": "VARCHAR",
    "elasticity": "DOUBLE",
    "low": "DOUBLE",
    "high": "DOUBLE",
    "promotion": "DOUBLE",
    "promotions": "MAP(VARCHAR, STRUCT(factor DOUBLE, low DOUBLE, high DOUBLE))",
    **dict.fromkeys(("substitution", "substitution_low", "substitution_high"), "DOUBLE"),
    "price": "DOUBLE",
    "units": "DOUBLE",
    "weeks": "BIGINT",
    "prices": "BIGINT",
    "evidence": "VARCHAR",
}
sql_macro(
    "price_response",
    "recommender",
    "By how many percent the units of each item change where its price changes by one.",
    ASKED,
    {
        "item_id": "the item",
        "segment": "of users, whose purchases it is about; NULL for all",
        "category": "what it is drawn together with",
        "elasticity": "-2 is 2 % less for a price that is 1 % higher",
        "low": "90 % interval",
        "high": "the other end",
        "promotion": "what a promotion multiplies units by, beside the price; of the category; of"
        " several kinds, what all of them do together",
        "promotions": "by kind of promotion, what it multiplies units by (factor) with its 90 %"
        " interval (low and high): promotions['display'].factor",
        "substitution": "by how many percent the units of an item change where all prices of its"
        " category change by one, beside what its own does: above 0 where items stand for each"
        " other, 0 where that does not foretell the last weeks (price_quality)",
        "substitution_low": "90 % interval",
        "substitution_high": "the other end",
        "price": "the last one",
        "units": f"a week, over the last {HELD_OUT} weeks",
        "weeks": "in which it was sold",
        "prices": "how many different ones it had, of more than a percent",
        "evidence": "own (mostly its own weeks), category (mostly others' of its category),"
        " never moved (its price did not change: the category's), or none (prices did not foretell"
        " the last weeks, so 0); all of them observational: prices were not drawn",
    },
    "decide/rows_of_items",
    udf="morec_price_response",
)


@dataclasses.dataclass(frozen=True)
class Learnt:
    """Items by number with their sales, and how these answer to prices.

    Where segments are told apart, each of an item is one of them: ids are those of the items,
    segment their segments, else NULL, and segments how many users each has, by name; kinds are the
    names of the kinds of promotion.

    category is the number of each item's, categories are their names; method is the one that
    answers, quality how well each of the methods did in the weeks held out; cross are the effects
    that answer, crossed how well they did beside none; by item there are price, the last one, and
    units a week of late, weeks with sales, and how many prices; more are the values of further
    expressions.
    """

    ids: pa.Array
    segment: pa.Array
    segments: dict[str, int]
    kinds: tuple[str, ...]
    category: Longs
    categories: list[str | None]
    response: Response
    method: str
    quality: dict[str, Measured]
    cross: Cross
    crossed: dict[str, Measured]
    price: Doubles
    units: Doubles
    weeks: Longs
    prices: Longs
    more: dict[str, Doubles]

    @property
    def evidence(self) -> pa.Array:
        """What stands behind the elasticity of each item."""
        if self.method == "no price":
            return pa.repeat("none", len(self.prices))
        found = np.where(self.response.own >= OWN, "own", "category")
        return pa.array(np.where(self.prices < 2, "never moved", found), pa.string())


@udf("morec_price_response", ["VARCHAR"] * 3, rows_type(COLUMNS))
def price_response(session: Session, *columns: pa.Array) -> pa.Array:
    """The items of each row of arguments."""

    def rows(session: Session, catalog: str, name: str, given: dict[str, Any]) -> pa.Array:
        learnt = learn(session, catalog, new_query(session, catalog, name), given)
        category, of, cross = learnt.category, learnt.response, learnt.cross
        columns: dict[str, Any] = {
            "item_id": learnt.ids,
            "segment": learnt.segment,
            "category": pa.array(learnt.categories, pa.string()).take(pa.array(category)),
            "elasticity": of.elasticity,
            "low": of.elasticity - LEVEL * of.deviation,
            "high": of.elasticity + LEVEL * of.deviation,
            "promotion": np.exp(of.promotion.sum(axis=1))[category],
            "promotions": _promotions(learnt),
            "substitution": cross.effect[category],
            "substitution_low": (cross.effect - LEVEL * cross.deviation)[category],
            "substitution_high": (cross.effect + LEVEL * cross.deviation)[category],
            "price": learnt.price,
            "units": learnt.units,
            "weeks": learnt.weeks,
            "prices": learnt.prices,
            "evidence": learnt.evidence,
        }
        return rows_of(columns)

    return of_rows(session, columns, rows)


def _promotions(learnt: Learnt) -> pa.Array:
    """What each kind of promotion multiplies the units of each item by, by its name."""
    of, kinds = learnt.response, len(learnt.kinds)
    spread = LEVEL * of.promotion_deviation
    ends = (of.promotion, of.promotion - spread, of.promotion + spread)
    factor, low, high = (np.exp(end)[learnt.category].ravel() for end in ends)
    items = len(learnt.category)
    offsets = np.arange(items + 1, dtype=np.int32) * kinds
    names = pa.array(list(learnt.kinds) * items, pa.string())
    return pa.MapArray.from_arrays(
        offsets, names, rows_of({"factor": factor, "low": low, "high": high})
    )


@sql_function(
    of="recommender",
    returns={"outcome": "VARCHAR", "method": "VARCHAR", "measure": "VARCHAR",
             **dict.fromkeys(MEASURED, "DOUBLE"), "chosen": "BOOLEAN"},
    arguments=ASKED,
    result={
        "outcome": "units, or weeks: what all of a category sold beyond what was to be expected of"
        " its items' own prices",
        "method": "of units own (an elasticity for each item), category (that of the category), no"
        " price; of weeks cross effects, no cross effects",
        "measure": "deviance, or squared error",
        "value": f"mean deviance of units (quasi-Poisson) in the last {HELD_OUT} weeks, by the"
        " weeks before, at the prices of then and given what the category sold in the week, of"
        " items that sold in nearly all weeks; or the mean squared error of the logarithms of these"
        " weeks, in variances of the weeks before; less is better",
        "low": "90 % interval, by drawing items, or weeks, anew",
        "high": "the other end",
        "gain": "how much larger the value of own, or of cross effects, is",
        "gain_low": "its 90 % interval",
        "gain_high": "the other end",
        "chosen": "whether it answers",
    },
    template="catalog/rows",
)  # fmt: skip
def price_quality(
    session: Session, catalog: str, name: str, given: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """How well prices foretell the units of the last weeks."""
    learnt = learn(session, catalog, new_query(session, catalog, name), given)
    chosen = CROSSING[not learnt.cross.effect.any()]
    return [
        ("units", method, "deviance", *one.numbers, method == learnt.method)
        for method, one in learnt.quality.items()
    ] + [
        ("weeks", method, "squared error", *one.numbers, method == chosen)
        for method, one in learnt.crossed.items()
    ]


def learn(
    session: Session,
    catalog: str,
    query: Query,
    given: dict[str, Any],
    more: dict[str, str] | None = None,
) -> Learnt:
    """How the items of a recommender answer to prices, by the arguments ASKED.

    What was learnt is kept while the sales, the prices and the categories are as they were.

    Args:
        session: of the database instance.
        catalog: the database.
        query: of the recommender.
        given: the arguments.
        more: SQL over the items of further values, numbers, by the names of arguments.

    Raises:
        MorecError: an argument is wrong, or there are too few sales.
    """
    with session.cursor(catalog) as con:
        weeks = read_weeks(con, catalog, query.name, given)
        items = values_of_items(con, query.name, more or {}, given["filter"], given["category"])
    if not len(items):
        raise MorecError(f"filter: {given['filter']!r} keeps no item")
    listed = () if weeks.listed is None else (weeks.listed,)
    of = items.select(["item_id", "category"])
    parts = fingerprint(weeks.sold, of, *listed), weeks.kinds, tuple(weeks.segments.items())
    row, learnt = query.recommender.kept.foretold.get(
        ("prices", len(listed), parts), lambda: _learnt(weeks, of)
    )
    values = {
        one: whole(items.column(f"_{one}")).to_numpy(zero_copy_only=False)[row]
        for one in more or {}
    }
    found: Learnt = dataclasses.replace(learnt, more=values)
    return found


def _learnt(weeks: Weeks, items: pa.Table) -> tuple[Longs, Learnt]:
    """What is learnt of the sales of items, and which rows of `items` these are."""
    ids = whole(items.column("item_id"))
    keys, place, segment = weeks.keys(ids)
    names = whole(items.column("category")).dictionary_encode()
    null = len(names.dictionary)
    category = names.indices.fill_null(null).to_numpy(zero_copy_only=False).astype(np.int64)
    # a segment answers to prices in its own way, as a category does
    segments = pa.array(list(weeks.segments), pa.string()) if weeks.segments else pa.nulls(1)
    category = category[place] * len(segments) + segment
    found = sales_of(weeks, keys, category)
    sold, sales, span = found.places, found.sales, found.span
    quality = _quality(found.by_store, span)
    method = min(quality, key=lambda one: float(quality[one].value))
    response = elasticities(found.by_store)
    weeks_sold = weeks_of(sales, response)
    crossed = _crossed(weeks_sold, span)
    cross = Cross.none(len(weeks_sold.doubt))
    # the interval tells whether it is better for sure
    if method != "no price" and crossed and crossed[CROSSING[1]].gain_high < 0:
        cross = crossing(weeks_sold)
    return place[sold], Learnt(
        ids.take(pa.array(place[sold])),
        segments.take(pa.array(segment[sold])).cast(pa.string()),
        weeks.segments,
        weeks.kinds,
        sales.category,
        [one for one in (*names.dictionary.to_pylist(), None) for _ in segments],
        _by(method, response, sales),
        method,
        quality,
        cross,
        crossed,
        found.price,
        *_figures(sales),
        {},
    )


def _figures(sales: Sales) -> tuple[Doubles, Longs, Longs]:
    """By item: units a week of late, weeks with sales, different prices."""
    items = len(sales.category)
    late = sales.week >= int(sales.week.max(initial=0)) + 1 - HELD_OUT
    units = np.bincount(sales.item[late], sales.units[late], minlength=items) / HELD_OUT
    weeks = np.bincount(sales.item, sales.units > 0, minlength=items)
    step = np.round(np.log(sales.price) / MOVED).astype(np.int64)
    pairs = np.unique(np.column_stack([sales.item, step]), axis=0)
    prices = np.bincount(pairs[:, 0], minlength=items)
    return units, weeks.astype(np.int64), prices


def values_of_items(
    con: duckdb.DuckDBPyConnection,
    name: str,
    more: dict[str, str],
    predicate: str | None = None,
    category: str | None = None,
) -> pa.Table:
    """Items with their category and what SQL over them says.

    Args:
        con: a connection to the database.
        name: the recommender.
        more: SQL of numbers, by the arguments that they came as, which are columns behind a _.
        predicate: which items; None for all.
        category: SQL of their category; None for none.
    """
    view, kept, of = items_of(con, name), "true", "NULL"
    if predicate is not None:
        kept = expression(con, "filter", predicate, view, wanted="predicate")
    if category is not None:
        of = expression(con, "category", category, view, wanted="category")
    columns = [f"CAST(({of}) AS VARCHAR) AS category"]
    for argument, text in more.items():
        written = expression(con, argument, text, view)
        columns.append(f"CAST(({written}) AS DOUBLE) AS {identifier(f'_{argument}')}")
    parts = {"schema": identifier(name), "predicate": kept, "columns": ", ".join(columns)}
    with evaluated("items", ", ".join(filter(None, [predicate, category, *more.values()]))):
        return arrow(con, sql("decide/items_of_plan", **parts))


def _by(method: str, response: Response, sales: Sales) -> Response:
    """The response by one of METHODS."""
    if method == "own":
        return response
    elasticity, promotion = response.of_category[sales.category], response.promotion
    if method == "no price":
        elasticity, promotion = np.zeros(len(elasticity)), np.zeros(promotion.shape)
    nothing = np.zeros(len(elasticity))
    return dataclasses.replace(response, elasticity=elasticity, promotion=promotion, own=nothing)


def _crossed(weeks: CategoryWeeks, span: int) -> dict[str, Measured]:
    """The errors of the last weeks with cross effects of those before, and without; {} of none."""
    beyond, by_prices = foretold(weeks, span - HELD_OUT)
    if not len(beyond):
        return {}
    scores = dict(zip(CROSSING, (by_prices, np.zeros(len(beyond))), strict=True))
    return measured(mean_square, beyond, scores, np.arange(len(beyond)), 0)


def _quality(sales: Sales, span: int) -> dict[str, Measured]:
    """The deviance of each method in the last weeks, given what categories sold in them."""
    before = sales.week < span - HELD_OUT
    past, future = sales.take(np.flatnonzero(before)), sales.take(np.flatnonzero(~before))
    known = teaches(sales) & (np.bincount(past.item, minlength=len(sales.kinds)) > 0)
    future = future.take(np.flatnonzero(known[future.item]))
    if not len(future.item) or not len(past.item):
        if sales.kind is not None:
            raise MorecError(
                "stores: no item is sold in a store in nearly all weeks, by which prices that were"
                " paid are known; without stores, or with a table of prices, there may be some"
            )
        raise MorecError(f"revenue: no item is sold both before and in the last {HELD_OUT} weeks")
    response = elasticities(past)
    effects = effects_of(past, response)
    scores = {}
    for method in METHODS:
        of = _by(method, response, past)
        nothing = np.zeros(len(future.item))
        flat = expected(past, of, effects, future, nothing)
        scores[method] = flat * np.exp(week_effects(future, flat))
    # items count by what is known of them, and not by how much of them is sold
    spread = response.dispersion[future.item]
    scores = {method: one / spread for method, one in scores.items()}
    items = future.kinds[future.item]
    return measured(poisson_deviance, future.units / spread, scores, items, 0)
