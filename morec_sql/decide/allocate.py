"""allocate: a list for each of many users, under limits that bind all of them together."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ..answer.query import new_query
from ..answer.ranked import MAX_K
from ..answer.recommend import ARGUMENTS, FILTER, WEIGHTS
from ..arrays import listed, rows_of
from ..errors import MorecError
from ..registry import Argument, arrow_rows, rows_type, sql_macro, udf
from ..session import Session
from ..source.checks import number, whole_number
from ..udfs.decide.candidates import item_price
from ..udfs.device import share_of_cores
from ..udfs.history import Longs
from .contending import Contending, users_of
from .limits import ABOUT_LIMITS, ABOUT_MIN_PER, Named, Over, OverItems, limits_of
from .passes import Contends, Found, find_lists

_of_lists = {one.name: one for one in ARGUMENTS}
ALLOCATE = (
    Argument(
        "users",
        "who lists are for: a table, a view or a SELECT statement with a column of users, which is"
        " called as in the events, or user_id, or is the only one; by default all who have an event"
        " or are in the table of users",
        "NULL",
    ),
    Argument("limits", ABOUT_LIMITS, "NULL"),
    Argument("min_per", ABOUT_MIN_PER, "NULL"),
    Argument("k", "the most items that a user gets", "10"),
    WEIGHTS,
    dataclasses.replace(FILTER, passed="CAST(filter AS VARCHAR)"),
    _of_lists["exclude_seen"],
    dataclasses.replace(_of_lists["diversify"], passed="CAST(diversify AS VARCHAR)"),
    _of_lists["context"],
    dataclasses.replace(_of_lists["as_of"], passed="epoch(CAST(as_of AS TIMESTAMP))"),
    Argument(
        "rules",
        "as in recommend; those on single lists (pin, slots, cap, replace, never_with, after, and"
        " shares) are not followed",
        "NULL",
    ),
    Argument(
        "empty",
        "the score that an empty place counts as: no item with less is listed; by default places"
        " are filled while the limits allow it",
        "NULL",
    ),
)
LISTED = {
    "user_id": "VARCHAR",
    "rank": "INTEGER",
    "item_id": "VARCHAR",
    "score": "DOUBLE",
    "price": "DOUBLE",
    "unmet": "VARCHAR[]",
}
LIMITED = {
    "name": "VARCHAR",
    "of": "VARCHAR",
    "at_most": "DOUBLE",
    "at_least": "DOUBLE",
    "used": "DOUBLE",
    "price": "DOUBLE",
    "value": "DOUBLE",
    "bound": "DOUBLE",
    "gap": "DOUBLE",
    "empty": "DOUBLE",
}
ABOUT_LISTED = {
    "user_id": "the user",
    "rank": "place in the list, from 1",
    "item_id": "the item",
    "score": "the weighted sum, as in recommend",
    "price": "what the place takes of the limits, at their prices: an item is listed where its"
    " score less that is among the user's best",
    "unmet": "what min_per asks for and is not reached",
}
ABOUT_LIMITED = {
    "name": "of the limit, or what min_per is about",
    "of": "the item, or the value of `per`; NULL for all items together",
    "at_most": "what is allowed; NULL for min_per",
    "at_least": "what is to be reached; NULL for limits",
    "used": "what the lists take of it",
    "price": "its shadow price: by how much the sum of scores would grow if the limit were one"
    " more, nearly; where that fills a place that is empty, by the score of what is listed in"
    " it less `empty`; below 0 for min_per",
    "value": "the sum of the scores of all lists",
    "bound": "what no other lists that keep the limits and fill as much can pass; NULL where"
    " min_per is not reached",
    "gap": "the share of the value by which the bound is above it",
    "empty": "what an empty place counts as",
}

sql_macro(
    "allocate",
    "recommender",
    "A list for each of many users under limits that bind all of them together, such as stock: the"
    " lists with the largest sum of scores, nearly.",
    ALLOCATE,
    ABOUT_LISTED,
    "decide/allocate",
    udf="morec_allocate",
)
sql_macro(
    "allocation_limits",
    "recommender",
    "What allocate comes to under the same arguments: each limit, how much of it is used, and what"
    " one more would bring.",
    ALLOCATE,
    ABOUT_LIMITED,
    "catalog/rows",
    udf="morec_allocation_limits",
)


@dataclasses.dataclass(frozen=True)
class Allocation:
    """Lists under limits, which are named, of users; listwise: scores depend on the place.

    item_ids are those of what is listed.
    """

    users: pa.Array
    item_ids: pa.Array
    named: list[Named]
    found: Found
    listwise: bool = False

    @property
    def missed(self) -> list[str]:
        """What is not reached."""
        item = self.found.items
        return [
            f"min_per: {one.limit.name} {one.groups[int(group)]}"
            for one in self.named
            if one.limit.least
            for group in np.flatnonzero(one.limit.used(item) < one.limit.bound)
        ]

    def lists(self, more: Callable[[Longs, Longs], dict[str, pa.Array]] | None = None) -> pa.Array:
        """The lists as rows, by user, the best item first.

        Args:
            more: further columns, from the user and the item of each row.
        """
        candidates = self.found.candidates
        score = np.where(self.found.listed, candidates.score, -np.inf)
        # by score; or as they were found, where an item's score is that of its place
        by = -np.arange(score.shape[1]) if self.listwise else score
        order = np.argsort(-np.where(self.found.listed, by, -np.inf), axis=1, kind="stable")
        user, rank = np.nonzero(np.take_along_axis(self.found.listed, order, 1))
        column = order[user, rank]
        item = candidates.item[user, column]
        limits = [one.limit for one in self.named]
        price = item_price(limits, self.found.prices, len(self.item_ids))
        unmet = pa.array([self.missed], pa.list_(pa.string()))
        columns = {
            "user_id": self.users.take(pa.array(user)),
            "rank": pa.array((rank + 1).astype(np.int32)),
            "item_id": self.item_ids.take(pa.array(item)),
            "score": pa.array(score[user, column].astype(np.float64)),
            "price": pa.array(price[item]),
            "unmet": unmet.take(pa.array(np.zeros(len(user), np.int64))),
            **(more(user, item) if more else {}),
        }
        return rows_of(columns)

    def limits(self) -> pa.Array:
        """The limits as rows."""
        found, missed = self.found, self.missed
        value = float(found.candidates.score[found.listed].astype(np.float64).sum())
        # where something is not reached, nothing is known of what could be
        whole = {
            "value": value,
            "bound": None if missed else value + found.short,
            "gap": None if missed or not value else found.short / abs(value),
            "empty": found.empty,
        }
        parts = []
        for one, price in zip(self.named, found.prices, strict=True):
            limit, count = one.limit, len(one.groups)
            none, given = pa.nulls(count, pa.float64()), pa.array(limit.bound)
            columns = [
                pa.repeat(limit.name, count),
                one.groups.cast(pa.string()),
                none if limit.least else given,
                given if limit.least else none,
                pa.array(limit.used(found.items)),
                pa.array(price),
                *(pa.repeat(pa.scalar(one, pa.float64()), count) for one in whole.values()),
            ]
            parts.append(pa.StructArray.from_arrays(columns, names=list(LIMITED)))
        nothing = pa.array([], arrow_rows(LIMITED).value_type)
        return pa.concat_arrays([nothing, *parts])


def allocated(session: Session, catalog: str, name: str, given: dict[str, Any]) -> Allocation:
    """The lists that the arguments of a macro ask for."""
    query = new_query(session, catalog, name)
    contending = Contending(query, users_of(query, given["users"]), given)
    allocation = allocate_over(OverItems(query), contending, given)
    return dataclasses.replace(allocation, listwise=contending.listwise)


def allocate_over(over: Over, contending: Contends, given: dict[str, Any]) -> Allocation:
    """Lists for users under the limits of the arguments limits, min_per, k and empty."""
    k = whole_number("k", given["k"], 1, MAX_K)
    empty = None if given["empty"] is None else number("empty", given["empty"])
    users = contending.users
    named = limits_of(over, given["limits"], given["min_per"])
    for one in named:
        if one.limit.least and one.limit.bound.sum() > len(users) * k:
            raise MorecError(
                f"min_per: {one.limit.name} asks for {one.limit.bound.sum():g} places, but"
                f" {len(users)} users have {k} each"
            )
    found = find_lists(contending, k, [one.limit for one in named], empty)
    return Allocation(users, over.ids, named, found)


@udf("morec_allocate", ["VARCHAR"] * 3, rows_type(LISTED))
def allocate(session: Session, *columns: pa.Array) -> pa.Array:
    """The lists of each row of arguments."""
    return of_rows(session, columns, lambda *asked: allocated(*asked).lists())


@udf("morec_allocation_limits", ["VARCHAR"] * 3, rows_type(LIMITED))
def allocation_limits(session: Session, *columns: pa.Array) -> pa.Array:
    """The limits of each row of arguments."""
    return of_rows(session, columns, lambda *asked: allocated(*asked).limits())


def of_users(
    session: Session,
    columns: Sequence[pa.Array],
    work: Callable[[Session, str, str, dict[str, Any], pa.Array], tuple[pa.Array, Longs]],
) -> pa.Array:
    """What work gives for the user of each row, as lists: for those who ask alike at once.

    Args:
        session: of the database instance.
        columns: the database, the recommender and, as JSON, the arguments, of which user_id is one.
        work: gives rows for users, as texts, and the place among them of the user of each, for a
            database, a recommender and the other arguments.
    """
    asked: dict[str, list[int]] = {}
    users = []
    given_rows = zip(*map(pa.Array.to_pylist, columns), strict=True)
    for place, (catalog, name, text) in enumerate(given_rows):
        given = json.loads(text)
        users.append(given.pop("user_id"))
        asked.setdefault(json.dumps([catalog, name, given]), []).append(place)
    rows, found = [], []
    for text, mine in asked.items():
        catalog, name, given = json.loads(text)
        whom = pa.array([users[row] for row in mine], pa.string())
        with share_of_cores():
            lists, of = work(session, catalog, name, given, whom)
        rows.append(np.array(mine)[of])
        found.append(lists)
    row = np.concatenate(rows)
    order = pa.array(np.argsort(row, kind="stable"))
    return listed(np.bincount(row, minlength=len(users)), pa.concat_arrays(found).take(order))


def of_rows(
    session: Session,
    columns: tuple[pa.Array, ...],
    work: Callable[[Session, str, str, dict[str, Any]], pa.Array],
) -> pa.Array:
    """What work(session, database, recommender, arguments) gives for each row, as lists."""
    found = []
    for catalog, name, given in zip(*map(pa.Array.to_pylist, columns), strict=True):
        with share_of_cores():
            found.append(work(session, catalog, name, json.loads(given)))
    return listed([len(one) for one in found], pa.concat_arrays(found))
