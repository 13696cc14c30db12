"""What items sold in each week, and at which prices: those that were paid, or of a list."""

from __future__ import annotations

import dataclasses
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..arrays import whole
from ..catalog.recommenders import stored_source
from ..errors import MorecError, shown
from ..registry import Argument
from ..source.expressions import evaluated, expression, is_number, is_time
from ..source.source import Source
from ..templates import arrow, first_row, identifier, literal, sql
from ..udfs.decide.elasticity import Sales, filled
from ..udfs.history import DAY, Doubles, Longs
from .named import Column, named_table
from .segments import FEWEST_USERS, MOST_SEGMENTS, segments_with_prices

BETWEEN = "\x1f"  # stands between an item and a segment
FEWEST_WEEKS = 12  # that sales have to span
MOST_KINDS = 8  # of promotions

REVENUE = Argument(
    "revenue",
    "SQL over the events: what was paid for all units of one, such as 'sales_value'; needed without"
    " prices",
    "NULL",
)
QUANTITY = Argument("quantity", "SQL over the events: units of one; 1 by default", "NULL")
PROMOTED = Argument(
    "promoted",
    "SQL over the events: whether it was on promotion, such as 'discount > 0', told from the price;"
    " or several kinds of it, told from each other, such as {display: 'on_display', mailer:"
    " 'in_mailer'}",
    "NULL",
)
PRICES = Argument(
    "prices",
    "a table of the prices that items had, 'prices(item_id, price, starts)', or with columns more,"
    " whether it was on promotion, each a kind of it: each price holds until the next of its item;"
    " those that were paid by default",
    "NULL",
)
SEGMENTS = Argument(
    "segments",
    "SQL over the users, such as 'city': whose prices are told apart; one price for all by default,"
    f" and none for persons: 2 to {MOST_SEGMENTS} segments of {FEWEST_USERS} users or more"
    " (price_fairness says what that does)",
    "NULL",
    "CAST(segments AS VARCHAR)",
)
STORES = Argument(
    "stores",
    "SQL over the events: where it was sold, such as 'store_id'. While learning, what an item sells"
    " in a store is set against what it, and its category, usually sell there, at its prices there;"
    " answers are of all stores",
    "NULL",
    "CAST(stores AS VARCHAR)",
)
OF_SALES = (REVENUE, QUANTITY, PROMOTED, PRICES, SEGMENTS, STORES)
PRICES_OF = "prices(item_id, price, starts)"
COLUMNS = (
    Column("item", of="items"),
    Column("price", "a price must be a number", is_number),
    Column("starts", "a start must be a time", is_time),
    *(
        Column(f"promoted_{kind}", "whether it was on promotion must be BOOLEAN", "BOOLEAN".__eq__)
        for kind in range(MOST_KINDS)
    ),
)


@dataclasses.dataclass(frozen=True)
class Sold:
    """What was sold of some items: their places, their sales numbered by that, and by store.

    price is the last one of each, and span how many weeks all sales span.
    """

    places: Longs
    sales: Sales
    by_store: Sales
    price: Doubles
    span: int


@dataclasses.dataclass(frozen=True)
class Weeks:
    """What items sold in each week, and their prices in each by a list, None for those paid.

    kinds are the names of the kinds of promotion that are told apart; segments how many users each
    has, by name: what is sold to each is told apart then, and ids are what `keys` gives; stores are
    how many there are, whose numbers the sales have.
    """

    sold: pa.Table
    listed: pa.Table | None
    kinds: tuple[str, ...]
    segments: dict[str, int]
    stores: int

    def keys(self, ids: pa.Array) -> tuple[pa.Array, Longs, Longs]:
        """The ids by which sales are told apart, of items: id, place of the item, of the segment.

        Of each item there is one for each segment, or itself alone where there are none.
        """
        count = max(len(self.segments), 1)
        place, segment = np.divmod(np.arange(len(ids) * count), count)
        found = ids.take(pa.array(place))
        if self.segments:
            names = pa.array(list(self.segments)).take(pa.array(segment))
            found = pc.binary_join_element_wise(found, names, BETWEEN)
        return found, place, segment


def read_weeks(
    con: duckdb.DuckDBPyConnection, catalog: str, name: str, given: dict[str, Any]
) -> Weeks:
    """What each item of a recommender sold in each week, by the arguments OF_SALES.

    Raises:
        MorecError: an argument is wrong, or there is no event with a time.
    """
    source = stored_source(con, catalog, name)
    prices = given["prices"]
    if not source.has_time:
        raise MorecError(f"revenue: {name!r} has no event_time, so there are no weeks")
    if given["revenue"] is None and prices is None:
        raise MorecError("revenue: SQL over the events is needed, such as 'sales_value', or prices")
    if given["promoted"] is not None and prices is not None:
        raise MorecError(
            "promoted: with prices it is a column of their table, such as"
            " 'prices(item_id, price, starts, promoted)'"
        )
    columns = {}
    promotions = _kinds(given["promoted"])
    for argument, column, text, wanted in (
        ("revenue", "revenue", given["revenue"], "number"),
        ("quantity", "quantity", given["quantity"], "number"),
        *(
            ("promoted", f"promoted_{place}", text, "predicate")
            for place, text in enumerate(promotions.values())
        ),
    ):
        columns[column] = (
            "1"
            if text is None
            else expression(con, argument, text, source.events, wanted, every_row=True)
        )
    # macros that were made before there were segments, and stores, do not pass any
    stores = given.get("stores")
    columns["store"] = (
        "NULL"
        if stores is None
        else expression(con, "stores", stores, source.events, wanted="category", every_row=True)
    )
    segments, users = segments_with_prices(con, name, given.get("segments"))
    parts = {"schema": identifier(name), "day": literal(DAY)}
    span = first_row(con, sql("decide/span_of_sales", **parts))
    if span is None:
        raise MorecError(f"revenue: {name!r} has no event")
    first, until = map(literal, span)
    query = sql(
        "decide/item_weeks",
        events=source.events_with(columns),
        usable=source.identified,
        until=until,
        segments=segments,
        everybody=literal(not users),
        promoted=_shares(len(promotions), "_c.quantity"),
    )
    sold, listed, kinds = arrow(con, query), None, tuple(promotions)
    store = whole(sold.column("store")).dictionary_encode(null_encoding="encode")
    place = sold.column_names.index("store")
    sold = sold.set_column(place, "store", store.indices)
    if prices is not None:
        listed, kinds = _listed(con, catalog, source, prices, first, until)
        if users:  # a list is for all of them
            listed = _for_each(listed, list(users))
    return Weeks(sold, listed, kinds, users, len(store.dictionary))


def _kinds(promoted: Any) -> dict[str, str]:
    """The predicates of the kinds of promotion, by name, as `promoted` came."""
    if promoted is None:
        return {}
    kinds = promoted if isinstance(promoted, dict) else {"promoted": promoted}
    if not kinds or len(kinds) > MOST_KINDS:
        raise MorecError(
            f"promoted: 1 to {MOST_KINDS} kinds of promotion are told apart, not {len(kinds)}"
        )
    for kind, text in kinds.items():
        if not isinstance(text, str):
            raise MorecError(
                f"promoted: SQL over the events is needed, such as 'discount > 0', not"
                f" {shown(text)} for {kind}"
            )
    return kinds


def _shares(kinds: int, by: str) -> str:
    """SQL of the share of each kind of promotion, by what counts; a comma before each."""
    return "".join(sql("decide/promoted_share", kind=str(kind), by=by) for kind in range(kinds))


def _listed(
    con: duckdb.DuckDBPyConnection,
    catalog: str,
    source: Source,
    prices: Any,
    first: str,
    until: str,
) -> tuple[pa.Table, tuple[str, ...]]:
    """The prices of each item in each week, by a table of prices, and kinds of promotion."""
    from sqlglot import exp

    parts = named_table(con, catalog, source, "prices", prices, PRICES_OF, COLUMNS, least=3)
    kinds = [parts[column.name] for column in COLUMNS[3:] if column.name in parts]
    query = sql(
        "decide/weeks_of_prices",
        **parts,
        kinds="".join(
            f", coalesce(_t.{kind}, false) AS promoted_{place}" for place, kind in enumerate(kinds)
        ),
        promoted=_shares(len(kinds), "_w.seconds"),
        item_type=source.item_type,
        first=first,
        until=until,
    )
    with evaluated("prices", str(prices)):
        return arrow(con, query), tuple(exp.parse_identifier(kind).name for kind in kinds)


def _for_each(listed: pa.Table, segments: list[str]) -> pa.Table:
    """The same prices for each segment."""
    items = whole(listed.column("item_id"))
    return pa.concat_tables(
        listed.set_column(0, "item_id", pc.binary_join_element_wise(items, one, BETWEEN))
        for one in segments
    )


def sales_of(weeks: Weeks, ids: pa.Array, category: Longs) -> Sold:
    """The sales of items.

    Args:
        weeks: of these and others.
        ids: the items, as texts, or what Weeks.keys gives for them.
        category: the number of each item's.

    Raises:
        MorecError: none was sold at a price that is known, or in too few weeks.
    """
    item, week, store, units, price, *shares = _columns(weeks.sold, ids)
    if not len(item):
        raise MorecError("revenue: no event of these items has units and a price above 0")
    start = int(week.min())
    span = int(week.max()) - start + 1
    if span < FEWEST_WEEKS:
        raise MorecError(
            f"revenue: sales span {span} weeks, of which nothing can be learnt; at least"
            f" {FEWEST_WEEKS} are needed"
        )
    # items that were never sold say nothing: those that were are numbered
    places, item = np.unique(item, return_inverse=True)
    category = category[places]
    rows = week - start, units, price, _side_by_side(shares, len(item))
    sales = by_store = _filled(item, *rows, category)
    if weeks.stores > 1:
        pairs, pair = np.unique(item * weeks.stores + store, return_inverse=True)
        kind, of_store = np.divmod(pairs, weeks.stores)
        by_store = dataclasses.replace(
            _filled(pair, *rows, kind), category=category, kind=kind, store=of_store
        )
    if weeks.listed is not None:
        return _by_list(places, sales, by_store, _columns(weeks.listed, ids), start, span)
    last = np.searchsorted(sales.item, np.arange(len(places)), side="right") - 1
    return Sold(places, sales, by_store, sales.price[last], span)


def _filled(
    item: Longs, week: Longs, units: Doubles, price: Doubles, promoted: Doubles, category: Longs
) -> Sales:
    """As filled, of rows in any order: several of an item and week are together one."""
    weeks = int(week.max()) + 1
    key, row = np.unique(item * weeks + week, return_inverse=True)
    total: Doubles = np.bincount(row, units).astype(np.float64)
    means = [np.bincount(row, units * one) / total for one in (price, *promoted.T)]
    item, week = np.divmod(key, weeks)
    shares = _side_by_side(means[1:], len(key))
    return filled(item, week, total, means[0], shares, category)


def _by_list(
    places: Longs, sales: Sales, by_store: Sales, listed: tuple[Any, ...], start: int, span: int
) -> Sold:
    """Sales at the prices of a list, whether anything was sold in a week or not."""
    item, week, price, latest, *shares = (column[listed[1] >= start] for column in listed)
    promoted = _side_by_side(shares, len(item))
    weeks = int(max(sales.week.max(), (week - start).max(initial=0))) + 1
    key = item * weeks + week - start
    order = np.argsort(key)
    key, price, promoted = key[order], price[order], promoted[order]

    def known(of: Sales) -> tuple[Longs, Longs]:
        """The rows whose price is known, and where it is."""
        wanted = places[of.kinds[of.item]] * weeks + of.week
        place = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
        rows = np.flatnonzero(key[place] == wanted) if len(key) else np.zeros(0, np.int64)
        return rows, place[rows]

    present = np.unique(sales.item[known(sales)[0]])
    if not len(present):
        raise MorecError("prices: no item that was sold has a price then")

    def at_prices(of: Sales) -> Sales:
        rows, place = known(of)
        # of an item that is not present there is no row
        kinds = np.minimum(np.searchsorted(present, of.kinds), len(present) - 1)
        return dataclasses.replace(
            of,
            item=of.item[rows] if of.kind is not None else kinds[of.item[rows]],
            week=of.week[rows],
            units=of.units[rows],
            price=price[place],
            promoted=promoted[place],
            category=of.category[present],
            listed=True,
            kind=None if of.kind is None else kinds,
        )

    # the price of now is the list's, after the last sale as well
    last = np.searchsorted(key, (places[present] + 1) * weeks) - 1
    sales, by_store = at_prices(sales), at_prices(by_store)
    return Sold(places[present], sales, by_store, latest[order][last], span)


def _side_by_side(columns: list[Doubles], rows: int) -> Doubles:
    """Columns as one array, of none too, shape (rows, columns)."""
    return np.column_stack([np.zeros((rows, 0)), *columns])


def _columns(table: pa.Table, ids: pa.Array) -> tuple[Any, ...]:
    """The columns of the rows that are of these items, the numbers of which come first."""
    place = pc.index_in(whole(table.column("item_id")), value_set=ids)
    kept = table.filter(place.is_valid())
    numbers = place.drop_null().to_numpy().astype(np.int64)
    rest = [kept.column(name).to_numpy() for name in table.column_names[1:]]
    return numbers, rest[0].astype(np.int64), *rest[1:]
