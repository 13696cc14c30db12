"""price_plan and price_front: new prices, and what weights trade for what."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from ..answer.query import new_query
from ..arrays import rows_of
from ..errors import MorecError, shown
from ..registry import Argument, rows_type, sql_function, sql_macro, udf
from ..session import Session
from ..source.checks import number, weights
from ..udfs.decide.estimates import LEVEL
from ..udfs.decide.price_plan import OBJECTIVES, Offer, candidates, plan
from ..udfs.history import Doubles, Longs
from .allocate import of_rows
from .price_response import ASKED, Learnt, learn

A_PERCENT = 0.01
POINTS = 11  # of the front
COST = Argument(
    "cost",
    "SQL over the items: what a unit costs; 0 by default, so that profit is revenue",
    "NULL",
)
LIMITS = (
    Argument(
        "floor", "SQL over the items: the lowest price allowed, such as 'cost * 1.05'", "NULL"
    ),
    Argument("max_change", "the largest change, as a share of the price of now", "0.1"),
    Argument("endings", "what prices end on, such as [0.99, 0.49]; any by default", "NULL"),
)
ARGUMENTS = (
    *ASKED[:-1],
    COST,
    Argument(
        "weights",
        "of profit, units and stability, a list or a struct by name: what a percent more of all"
        " profit, of all units, and a percent less of change is worth",
        "[0.6, 0.3, 0.1]",
    ),
    *LIMITS,
    ASKED[-1],
)
COLUMNS = {
    "item_id": "VARCHAR",
    "segment": "VARCHAR",
    **dict.fromkeys(
        ("price", "new_price", "change", "units", "new_units", "units_low", "units_high",
         "revenue", "new_revenue", "profit", "new_profit", "profit_low", "profit_high",
         "elasticity"),
        "DOUBLE",
    ),
    "evidence": "VARCHAR",
}  # fmt: skip
sql_macro(
    "price_plan",
    "recommender",
    "New prices with what they are expected to sell and bring a week: for each item the best by the"
    " weights, within limits. One price for all users: prices for persons are not made.",
    ARGUMENTS,
    {
        "item_id": "the item, of those sold in the last weeks",
        "segment": "whose price it is, where there are segments; NULL for all",
        "price": "the last one",
        "new_price": "the one to take; that of now where it never moved, since nothing is known",
        "change": "as a share of the price",
        "units": "a week, of late",
        "new_units": "expected at the new price",
        "units_low": "90 % interval, of the response to the change alone",
        "units_high": "the other end",
        "revenue": "a week, at the price of now",
        "new_revenue": "expected",
        "profit": "a week, at the price of now",
        "new_profit": "expected",
        "profit_low": "90 % interval, of the response alone",
        "profit_high": "the other end",
        "elasticity": "as in price_response; what is above 0 counts as 0",
        "evidence": "as in price_response",
    },
    "decide/rows_of_items",
    udf="morec_price_plan",
)


@udf("morec_price_plan", ["VARCHAR"] * 3, rows_type(COLUMNS))
def price_plan(session: Session, *columns: pa.Array) -> pa.Array:
    """The new prices of each row of arguments."""
    return of_rows(session, columns, _plan)


def _plan(session: Session, catalog: str, name: str, given: dict[str, Any]) -> pa.Array:
    """The new prices that the arguments ask for, as rows."""
    learnt, offer, rows, new = _planned(session, catalog, name, given)
    units = offer.sold(new)
    low, high = offer.interval(new, LEVEL)
    margin = new - offer.cost
    ends = low * margin, high * margin
    columns: dict[str, Any] = {
        "item_id": learnt.ids.take(pa.array(rows)),
        "segment": learnt.segment.take(pa.array(rows)),
        "price": offer.price,
        "new_price": new,
        "change": new / offer.price - 1,
        "units": offer.units,
        "new_units": units,
        "units_low": low,
        "units_high": high,
        "revenue": offer.units * offer.price,
        "new_revenue": units * new,
        "profit": offer.units * (offer.price - offer.cost),
        "new_profit": units * margin,
        "profit_low": np.minimum(*ends),
        "profit_high": np.maximum(*ends),
        "elasticity": offer.elasticity,
        "evidence": learnt.evidence.take(pa.array(rows)),
    }
    return rows_of(columns)


@sql_function(
    of="recommender",
    returns={"weights": "DOUBLE[]", "profit": "DOUBLE", "units": "DOUBLE", "revenue": "DOUBLE",
             "change": "DOUBLE", "changed": "BIGINT"},
    arguments=(*ASKED[:-1], COST, *LIMITS, ASKED[-1]),
    result={
        "weights": "of profit and units, from units alone to profit alone",
        "profit": "expected a week, as a share of that of now",
        "units": "the same",
        "revenue": "the same",
        "change": "the mean change of prices, up or down, by units",
        "changed": "how many prices change",
    },
)  # fmt: skip
def price_front(
    session: Session, catalog: str, name: str, given: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """What plans of prices trade for what: profit, units and revenue by their weights."""
    _, offer, prices, _ = _offered(session, catalog, name, given)
    rows = []
    for profit in np.linspace(0, 1, POINTS).round(3).tolist():
        new = plan(offer, prices, np.array([profit, 1 - profit, 0.0]))
        units = offer.sold(new)
        moved = np.abs(new / offer.price - 1)
        rows.append(
            (
                [profit, round(1 - profit, 3)],
                _share(units * (new - offer.cost), offer.units * (offer.price - offer.cost)),
                _share(units, offer.units),
                _share(units * new, offer.units * offer.price),
                float(np.average(moved, weights=np.maximum(offer.units, 1e-12))),
                int((moved > 1e-9).sum()),
            )
        )
    return rows


@sql_function(
    of="recommender",
    returns={"segment": "VARCHAR", "users": "BIGINT", "items": "BIGINT",
             **dict.fromkeys(("units", "price_now", "price_new", "change", "dearest"), "DOUBLE")},
    arguments=ARGUMENTS,
    result={
        "segment": "of users, by the argument segments",
        "users": "who are in it",
        "items": "which it bought of late",
        "units": "a week",
        "price_now": "what it pays, of what it would at the mean prices that all segments pay for"
        " the same items: 1.02 is 2 % more",
        "price_new": "the same at the new prices",
        "change": "what its basket of now costs at the new prices, of what it costs now",
        "dearest": "the share of its units, of items that other segments buy too, of which its new"
        " price is above that of all others by more than a percent",
    },
    template="catalog/rows",
)  # fmt: skip
def price_fairness(
    session: Session, catalog: str, name: str, given: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """What a plan of prices for segments, as of price_plan, does to each of them."""
    if given["segments"] is None:
        raise MorecError("segments: SQL over the users is needed; without it all pay the same")
    learnt, offer, rows, new = _planned(session, catalog, name, given)
    ids = learnt.ids.take(pa.array(rows)).dictionary_encode()
    item = ids.indices.to_numpy().astype(np.int64)
    bought = np.bincount(item, offer.units)
    shared = np.bincount(item)[item] > 1
    of_all = [(np.bincount(item, offer.units * at) / bought)[item] for at in (offer.price, new)]
    # the highest price of an item, and the highest of the others
    order = np.lexsort((-new, item))
    first = np.searchsorted(item[order], np.arange(len(bought)))
    top, second = (np.append(new[order], 0.0)[first + place] for place in (0, 1))
    others = np.where(new >= top[item], second[item], top[item])
    dearest = shared & (new > others * (1 + A_PERCENT))
    mine = learnt.segment.take(pa.array(rows)).to_numpy(zero_copy_only=False)
    found = []
    for segment, users in learnt.segments.items():
        of = mine == segment
        if not of.any():
            continue
        units = offer.units[of]
        now, then = units @ offer.price[of], units @ new[of]
        both = offer.units[of & shared].sum()
        found.append(
            (
                segment,
                users,
                int(of.sum()),
                float(units.sum()),
                float(now / (units @ of_all[0][of])),
                float(then / (units @ of_all[1][of])),
                float(then / now),
                float(offer.units[of & dearest].sum() / both) if both else None,
            )
        )
    return found


def _planned(
    session: Session, catalog: str, name: str, given: dict[str, Any]
) -> tuple[Learnt, Offer, Longs, Doubles]:
    """What was learnt, the items sold of late with their numbers, and the prices of the plan."""
    wanted = np.array(weights(given["weights"], list(OBJECTIVES), negative=False))
    learnt, offer, prices, rows = _offered(session, catalog, name, given)
    return learnt, offer, rows, plan(offer, prices, wanted)


def _share(new: Doubles, now: Doubles) -> float | None:
    """The sum of what is new as a share of what is now."""
    return float(new.sum() / now.sum()) if now.sum() else None


def _offered(
    session: Session, catalog: str, name: str, given: dict[str, Any]
) -> tuple[Learnt, Offer, Doubles, Longs]:
    """What was learnt, the items sold of late, the prices they may get, and their numbers."""
    most = number("max_change", given["max_change"], 0)
    if most >= 1:
        raise MorecError(f"max_change: {most:g} is a share of the price, below 1")
    endings = given["endings"] or []
    if not isinstance(endings, list) or not all(
        isinstance(one, int | float) and not isinstance(one, bool) and 0 <= one < 1
        for one in endings
    ):
        raise MorecError(
            f"endings: a list of numbers from 0 and below 1 is needed, such as [0.99], not"
            f" {shown(endings)}"
        )
    more = {one: given[one] for one in ("cost", "floor") if given[one] is not None}
    learnt = learn(session, catalog, new_query(session, catalog, name), given, more)
    price, units = learnt.price, learnt.units
    zero = np.zeros(len(price))
    cost, floor = (learnt.more.get(one, zero) for one in ("cost", "floor"))
    rows = np.flatnonzero((units > 0) & np.isfinite(cost))
    if not len(rows):
        raise MorecError("cost: no item that was sold of late has one")
    of = learnt.response
    offer = Offer(
        price[rows],
        cost[rows],
        units[rows],
        of.elasticity[rows],
        of.deviation[rows],
        np.nan_to_num(floor[rows]),
        ((learnt.prices > 1) & (learnt.method != "no price"))[rows],
        learnt.category[rows],
        learnt.cross.effect[learnt.category[rows]],
    )
    return learnt, offer, candidates(offer, most, endings), rows
