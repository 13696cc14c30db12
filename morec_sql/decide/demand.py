"""demand, demand_quality and reorder: what is going to be sold, and what to order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..answer.query import Query, new_query
from ..arrays import rows_of, whole
from ..errors import MorecError
from ..registry import Argument, rows_type, sql_function, sql_macro, udf
from ..session import Session
from ..source.checks import number
from ..udfs.decide.demand import quantile_losses
from ..udfs.decide.quality import MEASURED, measured, ratio
from ..udfs.decide.within_budget import within_budget
from ..udfs.history import Doubles
from .ahead import Ahead, expected_with, kept_by, look_ahead
from .allocate import of_rows
from .price_response import FILTER, values_of_items
from .sales import QUANTITY
from .user_value import AS_OF

MOST_QUANTILES = 9
HORIZON = Argument("horizon", "how many days to look ahead", "14")
BY = Argument(
    "by",
    "SQL over the events: what the units of an item are told apart by, such as 'store_id'",
    "NULL",
    'CAST("by" AS VARCHAR)',
)
ASKED = (HORIZON, QUANTITY, BY, FILTER, AS_OF)
EFFECTS = Argument(
    "effects",
    "a table of what is going to change, 'plan(item_id, factor)': by what units are multiplied,"
    " such as new_units / units of price_plan; 1 for items that are not in it",
    "NULL",
)
DEMAND = {
    "item_id": "VARCHAR", "segment": "VARCHAR", "expected": "DOUBLE", "quantile": "DOUBLE",
    "units": "DOUBLE", "method": "VARCHAR",
}  # fmt: skip
ORDER = {
    "item_id": "VARCHAR", "stock": "DOUBLE", "expected": "DOUBLE", "wanted": "DOUBLE",
    "units": "DOUBLE", "cost": "DOUBLE", "stockout_risk": "DOUBLE", "risk_after": "DOUBLE",
    "overstock": "DOUBLE",
}  # fmt: skip
sql_macro(
    "demand",
    "recommender",
    "How many units of each item are going to be sold within a horizon, with quantiles; by parts,"
    " such as stores, those add up to what is expected of the item.",
    (*ASKED, EFFECTS, Argument("quantiles", "which ones", "[0.1, 0.5, 0.9]")),
    {
        "item_id": "the item, of those that were ever sold",
        "segment": "the value of `by`; NULL without one",
        "expected": "units",
        "quantile": "of the next column: 0.9 is not exceeded in nine of ten horizons",
        "units": "that quantile",
        "method": "that answers: see demand_quality",
    },
    "decide/rows_of_items",
    udf="morec_demand",
)
sql_macro(
    "reorder",
    "recommender",
    "What to order of each item so that it lasts, how much, and at what risk. What could not be"
    " sold since there was none is not known: demand is what was sold.",
    (
        Argument("stock", "SQL over the items: units that there are, or are on their way"),
        Argument("lead_time", "days until an order is there", "7"),
        Argument("review", "days until the next order may be made", "7"),
        Argument("service_level", "the chance that what there is suffices", "0.95"),
        Argument(
            "pack", "SQL over the items: units that are ordered together; 1 by default", "NULL"
        ),
        Argument("cost", "SQL over the items: what a unit costs; needed for a budget", "NULL"),
        Argument("budget", "what all orders together may cost", "NULL"),
        QUANTITY,
        EFFECTS,
        FILTER,
        AS_OF,
    ),
    {
        "item_id": "the item",
        "stock": "as given; below 0 is owed to customers",
        "expected": "units sold until the next order is there: lead_time and review",
        "wanted": "units that suffice until then with the chance service_level",
        "units": "to order, in whole packs; 0 where the budget does not reach",
        "cost": "of the order",
        "stockout_risk": "the chance that the stock does not suffice until then, without an order",
        "risk_after": "the same with it",
        "overstock": "units beyond what is wanted",
    },
    "decide/rows_of_items",
    udf="morec_reorder",
)


@udf("morec_demand", ["VARCHAR"] * 3, rows_type(DEMAND))
def demand(session: Session, *columns: pa.Array) -> pa.Array:
    """The forecasts of each row of arguments."""

    def rows(session: Session, catalog: str, name: str, given: dict[str, Any]) -> pa.Array:
        levels = given["quantiles"]
        if not isinstance(levels, list) or not 1 <= len(levels) <= MOST_QUANTILES:
            raise MorecError(
                f"quantiles: a list of 1 to {MOST_QUANTILES} is needed, not {levels!r}"
            )
        for level in levels:
            if not 0 < number("quantiles", level) < 1:
                raise MorecError(f"quantiles: {level!r} is not between 0 and 1")
        query = new_query(session, catalog, name)
        horizon = number("horizon", given["horizon"], 1)
        ahead = look_ahead(session, catalog, query, given, horizon)
        kept = kept_by(query, ahead, given["filter"])
        expected = expected_with(session, catalog, query, ahead, given["effects"])[kept]
        units = [ahead.found.spread.quantile(expected, level) for level in levels]
        each = np.repeat(kept, len(levels))
        found: dict[str, Any] = {
            "item_id": ahead.items.take(pa.array(each)),
            "segment": ahead.segments.take(pa.array(ahead.found.item[each])).cast(pa.string()),
            "expected": np.repeat(expected, len(levels)),
            "quantile": np.tile(np.array(levels, np.float64), len(kept)),
            "units": np.column_stack(units).ravel(),
            "method": pa.repeat(ahead.found.chosen, len(each)),
        }
        return rows_of(found)

    return of_rows(session, columns, rows)


@sql_function(
    of="recommender",
    returns={"outcome": "VARCHAR", "method": "VARCHAR", "measure": "VARCHAR",
             **dict.fromkeys(MEASURED, "DOUBLE"), "chosen": "BOOLEAN"},
    arguments=ASKED,
    result={
        "outcome": "units",
        "method": "regression: smoothed rates, a year ago, and what customers are expected to buy;"
        " its geometric mean with the moving average; moving average (four horizons), last period,"
        " seasonal naive (where there is more than a year)",
        "measure": "weighted_quantile_loss of the last horizon, by the horizons before: less is"
        " better; below_90: the share of the items that sold no more than the 0.9 quantile",
        "value": "of the measure",
        "low": "90 % interval, by drawing items anew",
        "high": "the other end",
        "gain": "how much larger the value of what was chosen is",
        "gain_low": "its 90 % interval",
        "gain_high": "the other end",
        "chosen": "whether it answers; by the horizon before the last one",
    },
    template="catalog/rows",
)  # fmt: skip
def demand_quality(
    session: Session, catalog: str, name: str, given: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """How well demand would have foretold the last horizon, beside simple methods."""
    query = new_query(session, catalog, name)
    horizon = number("horizon", given["horizon"], 1)
    ahead = look_ahead(session, catalog, query, given, horizon)
    found = ahead.found
    then = np.isin(found.items_then, found.item[kept_by(query, ahead, given["filter"])])
    came, items = found.came[then], found.items_then[then]
    below = {
        method: (found.came <= spread.quantile(mean, 0.9)).astype(np.float64)
        for method, (mean, spread) in found.held_out.items()
    }
    lost = quantile_losses(found.held_out, found.came)
    rows = []
    for measure, of, scores in (
        ("weighted_quantile_loss", came, lost), ("below_90", np.ones(len(came)), below)
    ):  # fmt: skip
        first = {found.chosen: scores[found.chosen], **scores}
        ordered = {method: one[then] for method, one in first.items()}
        for method, one in measured(ratio, of, ordered, items, 0).items():
            rows.append(("units", method, measure, *one.numbers, method == found.chosen))
    return rows


@udf("morec_reorder", ["VARCHAR"] * 3, rows_type(ORDER))
def reorder(session: Session, *columns: pa.Array) -> pa.Array:
    """The orders of each row of arguments."""
    return of_rows(session, columns, _orders)


def _orders(session: Session, catalog: str, name: str, given: dict[str, Any]) -> pa.Array:
    """The orders that the arguments ask for, as rows."""
    query = new_query(session, catalog, name)
    days = number("lead_time", given["lead_time"], 0) + number("review", given["review"], 0)
    level = number("service_level", given["service_level"], 0)
    if not 0 < level < 1:
        raise MorecError(f"service_level: {level:g} is not between 0 and 1")
    if days < 1:
        raise MorecError("lead_time: with review it is less than a day")
    ahead = look_ahead(session, catalog, query, given, days)
    kept = kept_by(query, ahead, given["filter"])
    values = _of_items(query, ahead, given)
    stock = values["stock"]
    kept = kept[np.isfinite(stock[kept])]
    expected = expected_with(session, catalog, query, ahead, given["effects"])[kept]
    stock = stock[kept]
    pack, cost = (values[one][kept] if one in values else None for one in ("pack", "cost"))
    if pack is None:
        pack = np.ones(len(kept))
    if not (np.nan_to_num(pack, nan=1) > 0).all():
        raise MorecError("pack: it is 0 or less for an item, where units above 0 are needed")
    pack = np.nan_to_num(pack, nan=1)
    spread = ahead.found.spread
    wanted = spread.quantile(expected, level)
    # 0.0, since what is rounded up to 0 from below has a sign
    units = np.ceil(np.maximum(wanted - stock, 0) / pack - 1e-9) * pack + 0.0
    risk = spread.above(expected, stock)
    if given["budget"] is not None:
        if cost is None or not np.isfinite(cost[units > 0]).all() or (cost[units > 0] < 0).any():
            raise MorecError("budget: it needs cost, which is a number from 0 on for every item")
        budget = number("budget", given["budget"], 0)
        ordered = np.flatnonzero(units > 0)
        # what is likely to be missed, in units
        missed = np.maximum(expected - np.maximum(stock, 0), 0) + risk
        chosen = within_budget(
            missed[ordered], (units * np.nan_to_num(cost))[ordered], budget, len(ordered)
        )
        left = np.ones(len(units), bool)
        left[ordered[chosen]] = False
        units = np.where(left, 0.0, units)
    found: dict[str, Any] = {
        "item_id": ahead.items.take(pa.array(kept)),
        "stock": stock,
        "expected": expected,
        "wanted": wanted,
        "units": units,
        "cost": pa.nulls(len(kept), pa.float64()) if cost is None else units * cost,
        "stockout_risk": risk,
        "risk_after": spread.above(expected, stock + units),
        "overstock": np.maximum(stock - wanted, 0),
    }
    return rows_of(found)


def _of_items(query: Query, ahead: Ahead, given: dict[str, Any]) -> dict[str, Doubles]:
    """The values of stock, pack and cost for the items sold before, NaN where there is none."""
    if given["stock"] is None:
        raise MorecError("stock: SQL over the items is needed, such as 'stock'")
    asked = {one: given[one] for one in ("stock", "pack", "cost") if given[one] is not None}
    with query.connect() as con:
        table = values_of_items(con, query.name, asked)
    place = pc.index_in(ahead.items, value_set=whole(table.column("item_id")))
    return {
        one: whole(table.column(f"_{one}")).take(place).to_numpy(zero_copy_only=False)
        for one in asked
    }
