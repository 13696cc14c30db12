"""What is going to be sold of items, or of parts of them: kept while events are as they were."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..answer.filters import filtered
from ..answer.query import Query
from ..arrays import whole
from ..catalog.recommenders import stored_source
from ..errors import MorecError
from ..session import Session
from ..source.expressions import evaluated, expression, is_number
from ..templates import arrow, literal, sql
from ..udfs.decide.demand import Forecast, Sold, forecast
from ..udfs.history import DAY, Doubles
from .named import Column, named_table
from .user_value import day_ahead

HORIZONS = 4.5  # that the events have to span
EFFECTS_OF = "plan(item_id, factor)"
COLUMNS = (Column("item"), Column("factor", "a factor is a number", is_number))


@dataclasses.dataclass(frozen=True)
class Ahead:
    """Items by number, or parts of them, with what is foretold of them."""

    ids: pa.Array
    segments: pa.Array
    found: Forecast

    @property
    def items(self) -> pa.Array:
        """Those that were sold before, as texts."""
        return self.ids.take(pa.array(self.found.item))


def look_ahead(
    session: Session, catalog: str, query: Query, given: dict[str, Any], horizon: float
) -> Ahead:
    """What is going to be sold within a horizon, kept while the events are as they were.

    Of parts of items it is as much more or less as adds up to what is expected of the items, which
    is surer: they are known by more sales.

    Raises:
        MorecError: an argument is wrong, or the events span too little.
    """
    now, events = day_ahead(query, given["as_of"], horizon, HORIZONS)
    by = given.get("by")
    whole = None
    if by is not None:
        whole = look_ahead(session, catalog, query, {**given, "by": None}, horizon)

    def work() -> Ahead:
        ids, parts, sold = _sold(session, catalog, query, given["quantity"], by, now * DAY)
        if not len(sold.item):
            raise MorecError("quantity: no event has units above 0")
        found = Ahead(ids, parts, forecast(sold, now, horizon))
        return found if whole is None else _adding_up(found, whole)

    key = "demand", horizon, given["quantity"], by, now, events
    found: Ahead = query.recommender.kept.foretold.get(key, work)
    return found


def _adding_up(parts: Ahead, whole: Ahead) -> Ahead:
    """Parts of items with as much more or less expected of each as of the item in all."""
    place = pc.index_in(parts.items, value_set=whole.items).to_numpy()
    expected = parts.found.expected
    total = np.bincount(place, expected, minlength=len(whole.found.item))
    # where nothing is expected of any part, each has as much
    share = 1 / np.bincount(place, minlength=len(total))[place]
    np.divide(expected, total[place], out=share, where=total[place] > 0)
    scaled = dataclasses.replace(parts.found, expected=whole.found.expected[place] * share)
    return dataclasses.replace(parts, found=scaled)


def _sold(
    session: Session, catalog: str, query: Query, quantity: Any, by: Any, until: float
) -> tuple[pa.Array, pa.Array, Sold]:
    """The units of items, or of parts of them, that users took on each day before a second.

    Returns:
        the item and the part of each number, and the units.
    """
    with session.cursor(catalog) as con:
        source = stored_source(con, catalog, query.name)
        written, part = "1", "NULL"
        if quantity is not None:
            written = expression(con, "quantity", quantity, source.events, every_row=True)
        if by is not None:
            part = expression(con, "by", by, source.events, wanted="category", every_row=True)
        table = arrow(
            con,
            sql(
                "decide/item_days",
                events=source.events_with({"quantity": written, "segment": part}),
                usable=source.identified,
                until=literal(until),
            ),
        )
    users, items, parts = (
        whole(table.column(one)).dictionary_encode(null_encoding="encode")
        for one in ("user_id", "item_id", "segment")
    )
    item, part = (one.indices.to_numpy().astype(np.int64) for one in (items, parts))
    count = max(len(parts.dictionary), 1)
    pairs, number = np.unique(item * count + part, return_inverse=True)
    sold = Sold(
        users.indices.to_numpy().astype(np.int64),
        number,
        table.column("day").to_numpy(),
        table.column("units").to_numpy(),
        len(users.dictionary),
        len(pairs),
    )
    item, part = (pa.array(one) for one in divmod(pairs, count))
    return items.dictionary.take(item), parts.dictionary.take(part), sold


def expected_with(
    session: Session, catalog: str, query: Query, ahead: Ahead, effects: Any
) -> Doubles:
    """The units expected of the items sold before, with what is going to change."""
    expected = ahead.found.expected
    if effects is None:
        return expected
    with session.cursor(catalog) as con:
        source = stored_source(con, catalog, query.name)
        parts = named_table(con, catalog, source, "effects", effects, EFFECTS_OF, COLUMNS)
        with evaluated("effects", str(effects)):
            found = arrow(con, sql("decide/effects", item_type=source.item_type, **parts))
    factors = whole(found.column("factor")).to_numpy(zero_copy_only=False)
    if not ((factors >= 0) & np.isfinite(factors)).all():
        wrong = factors[~((factors >= 0) & np.isfinite(factors))][0]
        raise MorecError(f"effects: a factor is {wrong:g}, where numbers from 0 on are needed")
    place = pc.index_in(ahead.items, value_set=whole(found.column("item_id")))
    mine = pa.array(factors).take(place).fill_null(1.0)
    out: Doubles = expected * mine.to_numpy(zero_copy_only=False)
    return out


def kept_by(query: Query, ahead: Ahead, predicate: str | None) -> Any:
    """The places of the items, among those sold before, that a filter keeps."""
    if predicate is None:
        return np.arange(len(ahead.found.item))
    of = query.recommender
    with query.connect() as con:
        found = filtered(con, query.name, predicate, of.where.item_vectors)
    kept = pc.is_in(ahead.items, of.item_ids.take(pa.array(found)))
    return np.flatnonzero(kept.to_numpy(zero_copy_only=False))
