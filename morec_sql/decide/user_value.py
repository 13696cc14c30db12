"""user_value and value_quality: who is going to order, how often, for how much."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..answer.query import Query, new_query
from ..arrays import rows_of, whole
from ..catalog.recommenders import events_known, stored_source
from ..errors import MorecError
from ..registry import Argument, rows_type, sql_function, sql_macro, udf
from ..session import Session
from ..source.checks import number
from ..source.expressions import evaluated, expression
from ..templates import arrow, literal, sql
from ..udfs.decide.orders import FEATURES, Orders, known_at
from ..udfs.decide.quality import MEASURED
from ..udfs.history import DAY, Doubles, Longs
from .allocate import of_rows
from .contending import users_of
from .value_fit import Foretold, foretell

HORIZONS = 2.5  # that the events have to span
FEWEST = 20  # customers, below which nothing is said
NEW, LOST, AT_RISK, GROWING, STEADY = "new", "lost", "at risk", "growing", "steady"
RARELY = 0.1  # chance to be active below which one is lost
HALF = 0.5  # the same, and share of the earlier rate, below which one is at risk
MORE = 1.25  # times the earlier rate from which on one is growing
COLUMNS = {
    "user_id": "VARCHAR",
    "state": "VARCHAR",
    "orders": "BIGINT",
    "first_day": "DOUBLE",
    "last_day": "DOUBLE",
    "value": "DOUBLE",
    "active": "DOUBLE",
    "expected_orders": "DOUBLE",
    "expected_value": "DOUBLE",
    "low": "DOUBLE",
    "high": "DOUBLE",
    "moved_by": "VARCHAR",
}
HORIZON = Argument("horizon", "how many days to look ahead", "90")
VALUE = Argument(
    "value",
    "SQL over the events: what a purchase brings, such as 'sales_value - cost'; 1 by default",
    "NULL",
)
AS_OF = Argument(
    "as_of",
    "the day to look ahead from; behind the last event by default",
    "NULL",
    "epoch(CAST(as_of AS TIMESTAMP))",
)
sql_macro(
    "user_value",
    "recommender",
    "Who is going to order within a horizon, how often and for how much, by the method that"
    " foretells best. An order is what a user does in a day.",
    (
        HORIZON,
        VALUE,
        Argument(
            "users",
            "whom: a table, a view or a SELECT statement with a column of users; all who ever"
            " ordered by default",
            "NULL",
        ),
        AS_OF,
    ),
    {
        "user_id": "the user",
        "state": f"{NEW} (the first order was within the last horizon), {GROWING} (expected to"
        f" order {MORE:g} times as often as so far), {STEADY}, {AT_RISK} (a chance below {HALF:g}"
        f" to order, and half as often as so far) or {LOST} (a chance below {RARELY:g})",
        "orders": "so far",
        "first_order": "its day",
        "last_order": "its day",
        "value": "of all orders so far",
        "active": "the chance of an order within the horizon",
        "expected_orders": "how many are expected",
        "expected_value": "what they are expected to bring",
        "low": "of nine users in ten no less than this comes, and no more than the next",
        "high": "the other end",
        "moved_by": "what sets the chance apart most from that of the others: one of "
        + ", ".join(FEATURES) + "; + or - says which way",
    },
    "decide/user_value",
    udf="morec_user_value",
)  # fmt: skip


@udf("morec_user_value", ["VARCHAR"] * 3, rows_type(COLUMNS))
def user_value(session: Session, *columns: pa.Array) -> pa.Array:
    """The users of each row of arguments."""
    return of_rows(session, columns, _users)


def _users(session: Session, catalog: str, name: str, given: dict[str, Any]) -> pa.Array:
    """The users that the arguments ask for, as rows."""
    query = new_query(session, catalog, name)
    whom = None if given["users"] is None else users_of(query, given["users"])
    users, horizon, found = foretold(session, catalog, query, given)
    known, expected = found.known, found.expected
    ids = users.take(pa.array(known.customer))
    rows = np.arange(len(ids))
    if whom is not None:
        rows = np.flatnonzero(pc.is_in(ids, whom).to_numpy(zero_copy_only=False))
    first = found.now - known.age
    columns: dict[str, Any] = {
        "user_id": ids,
        "state": _states(found, horizon),
        "orders": known.count.astype(np.int64),
        "first_day": first,
        "last_day": first + known.t_x,
        "value": known.total,
        "active": expected["active"],
        "expected_orders": expected["orders"],
        "expected_value": expected["value"],
        "low": found.low,
        "high": found.high,
        "moved_by": _moved_by(found.parts),
    }
    return rows_of(columns).take(pa.array(rows))


def day_ahead(
    query: Query, as_of: float | None, horizon: float, horizons: float
) -> tuple[float, tuple[Any, ...]]:
    """The day that is looked ahead from, and what events there are: results are kept by them.

    Args:
        query: of the recommender.
        as_of: a second of the epoch; the day behind the last event by default.
        horizon: in days.
        horizons: that the events have to span before that day.

    Raises:
        MorecError: they span less.
    """
    with query.connect() as con:
        count, first, last = events_known(con, query.name)
    if first is None or last is None:
        raise MorecError(f"horizon: {query.name!r} has no event with a time")
    now = float(np.floor((last + DAY if as_of is None else as_of) / DAY))
    span = now - np.floor(first / DAY)
    if span < horizons * horizon:
        raise MorecError(
            f"horizon: {horizon:g} days ahead need events over {horizons * horizon:g} days before,"
            f" but there are {max(span, 0):g}; up to {max(int(span / horizons), 0)} are possible"
        )
    return now, (count, last)


def foretold(
    session: Session, catalog: str, query: Query, given: dict[str, Any]
) -> tuple[pa.Array, float, Foretold]:
    """What the users of a recommender are expected to order, by the arguments of user_value.

    It is kept while the events are as they were.

    Returns:
        the users by their numbers, the horizon in days, and what is foretold.

    Raises:
        MorecError: an argument is wrong, or there are too few events.
    """
    horizon = number("horizon", given["horizon"], 1)
    now, events = day_ahead(query, given["as_of"], horizon, HORIZONS)
    key = "value", horizon, given["value"], now, events

    def work() -> tuple[pa.Array, Foretold]:
        users, orders = orders_of(session, catalog, query, given["value"], now * DAY)
        early = len(known_at(orders, now - 2 * horizon, horizon).customer)
        if early < FEWEST:
            raise MorecError(
                f"horizon: {early} users ordered more than {2 * horizon:g} days ago, of whom"
                f" nothing can be learnt; at least {FEWEST} are needed"
            )
        return users, foretell(orders, now, horizon, seed=0)

    users, found = query.recommender.kept.foretold.get(key, work)
    return users, horizon, found


def orders_of(
    session: Session, catalog: str, query: Query, value: Any, until: float
) -> tuple[pa.Array, Orders]:
    """The users who ordered before a second, and their orders."""
    with session.cursor(catalog) as con:
        source = stored_source(con, catalog, query.name)
        written = "1" if value is None else expression(con, "value", value, source.events)
        statement = sql(
            "decide/orders_of_users",
            purchases=source.events_with({"value": written}),
            usable=source.identified,
            counts=source.usable,
            until=literal(until),
        )
        with evaluated("value", value):
            table = arrow(con, statement)
    days, values = whole(table.column("days")), whole(table.column("value"))
    lengths = days.value_lengths().to_numpy()
    customer = np.repeat(np.arange(len(table)), lengths)
    return whole(table.column("user_id")), Orders(
        customer,
        days.flatten().to_numpy().astype(np.float64),
        values.flatten().to_numpy().astype(np.float64),
    )


def _states(found: Foretold, horizon: float) -> Longs:
    """The state of each customer, from what is expected and what was so far."""
    known, active = found.known, found.expected["active"]
    so_far = known.count / np.maximum(known.age / horizon, 1.0)
    expected = found.expected["orders"]
    return np.select(
        [
            active < RARELY,
            known.age <= horizon,
            (active < HALF) & (expected < HALF * so_far),
            expected > MORE * so_far,
        ],
        [LOST, NEW, AT_RISK, GROWING],
        STEADY,
    )


def _moved_by(parts: Doubles) -> npt.NDArray[np.str_]:
    """The feature that adds most to each customer's log-odds, or takes most from them."""
    place = np.abs(parts).argmax(axis=1)
    less = np.take_along_axis(parts, place[:, None], 1)[:, 0] < 0
    return np.char.add(np.where(less, "- ", "+ "), np.array(list(FEATURES))[place])


@sql_function(
    of="recommender",
    returns={"outcome": "VARCHAR", "method": "VARCHAR", "measure": "VARCHAR",
             **dict.fromkeys(MEASURED, "DOUBLE"), "chosen": "VARCHAR"},
    arguments=(HORIZON, VALUE, AS_OF),
    result={
        "outcome": "active, orders or value",
        "method": "chosen: what answers; regression on how often and how lately; bg/nbd; rfm: the"
        " mean of those alike in recency, frequency and spending; last period: the same as in the"
        " last horizon",
        "measure": "auc, log_loss, deviance_explained, errors; calibration: what was expected for"
        " one that came",
        "value": "of the measure, on the last horizon, by what was known before it",
        "low": "90 % interval, by drawing users anew",
        "high": "the other end",
        "gain": "by how much the value of what was chosen is larger",
        "gain_low": "its 90 % interval",
        "gain_high": "the other end",
        "chosen": "the method that was chosen, on the horizon before",
    },
    template="catalog/rows",
)  # fmt: skip
def value_quality(
    session: Session, catalog: str, name: str, given: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """How well user_value would have foretold the last horizon, beside simple rules."""
    _, _, found = foretold(session, catalog, new_query(session, catalog, name), given)
    return [
        (outcome, method, measure, *one.numbers, found.chosen[outcome])
        for (outcome, measure), methods in found.quality.items()
        for method, one in methods.items()
    ]
