"""explain and explain_basket: why an item has its score, in parts that add up to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from ..registry import Argument, arrow_rows, rows_type
from ..udfs.history import Longs
from ..udfs.ranking.catalogue import Batch
from ..udfs.ranking.reasons import Reason, reasons
from .query import Query, item_of, query_udf
from .ranked import Asked, whole_numbers
from .recommend import ARGUMENTS, ASKED, ATTRIBUTES, BASKET, USER, macro

ITEM = Argument("item_id", "the item, listed or not")
MORE = Argument("most", "how many of each kind that names items are named; others are one", "10")
RESULT = {
    "kind": "history item, content (text or vectors of one), list item (what one listed before"
    " takes or adds in diversity), attribute (of the user), friends (what these took),"
    " shown (what was, and was passed over), context (of the query), repeat, popularity, average"
    " (minus the mean relevance of all items), objective (or expression among the weights), or rule"
    " (what adds to the score, or without a number keeps the item out of the list)",
    "name": "the item, the attribute or context, the objective or the rule",
    "contribution": "its part of the score; they add up to it",
    "share": "its part of the sum of all absolute contributions, with its sign",
}
NAMED = ("history item", "content", "list item", "attribute")  # kinds of which a few are named
COLUMNS = {"kind": "VARCHAR", "name": "VARCHAR", "contribution": "DOUBLE", "share": "DOUBLE"}


def item_macro(
    name: str,
    about: str,
    key: Argument,
    of: str,
    most: Argument,
    function: str,
    result: Mapping[str, str],
) -> None:
    """Declare a macro that gives rows about an item, by a function that item_udf declares."""
    of_basket = (ATTRIBUTES,) if key is BASKET else ()
    arguments = (key, ITEM, *ARGUMENTS, *of_basket, most)
    macro(name, about, arguments, of, "of_item", function, result, item="answer/item")


def item_udf(
    name: str,
    columns: Mapping[str, str],
    rows: Callable[[Query, Asked, int, int, int], Iterable[tuple[Any, ...]]],
) -> None:
    """Declare a function that gives rows(query, asked, user, item, most) for each user."""

    @query_udf(name, ["VARCHAR", "INTEGER", "DOUBLE", *ASKED], rows_type(columns))
    def of_items(
        query: Query, ids: pa.Array, items: pa.Array, most: pa.Array, *of_lists: pa.Array
    ) -> pa.Array:
        asked = Asked(query, *of_lists)
        wanted = (
            item_of(query.recommender, *one)
            for one in zip(ids.to_pylist(), items.to_pylist(), strict=True)
        )
        counts = whole_numbers("most", most).tolist()
        found = [
            list(rows(query, asked, user, item, count))
            for user, (item, count) in enumerate(zip(wanted, counts, strict=True))
        ]
        return pa.array(found, arrow_rows(columns))


for name, key, about, history in (
    ("explain", USER, "Why an item has its score for a user: a row a reason.", "user"),
    ("explain_basket", BASKET, "As explain, for a basket or session.", "basket"),
):
    item_macro(name, about, key, history, MORE, "morec_explain", RESULT)


def reasons_of(
    asked: Asked, row: int, batch: Batch | None, listed: Longs, item: int
) -> list[Reason]:
    """The parts of an item's score for a user, whose list is given.

    Args:
        asked: the users.
        row: which of them.
        batch: the user alone; None where no item may be listed.
        listed: the list, -1 behind its end.
        item: the item; it is scored as behind the list where it is not in it.
    """
    rows = np.array([row])
    catalogue = asked.catalogue
    # what exclude_seen or a filter leaves out has its reasons, too
    plain = catalogue.batch(asked.history.of_users(rows, asked.users), 1)
    known = plain.known.relevance[plain.known.item == item]
    listed = listed[listed >= 0]
    before = listed[: int(np.argmax(listed == item))] if item in listed else listed
    diversify = asked.how(rows).diversify
    found = reasons(
        catalogue, batch or plain, asked.weights[row], item, before, diversify,
        float(known[0]) if len(known) else None,
    )  # fmt: skip
    for position, _, parts in asked.by_pair(rows, asked.weights[rows], np.array([[item]])):
        found += [Reason("objective", part, position=position) for part in parts.tolist()]
    return found


def _rows(
    query: Query, asked: Asked, row: int, item: int, most: int
) -> Iterator[tuple[str, str | None, float | None, float | None]]:
    """The rows of one user, the largest contributions first."""
    rows = np.array([row])
    batch = asked.batch(rows)
    listed = np.zeros(0, np.int64)
    if batch is not None:
        listed = asked.ranked(rows, batch).item[0]
    found = reasons_of(asked, row, batch, listed, item)

    def named(reason: Reason) -> str | None:
        if reason.item >= 0:
            return str(query.recommender.item_ids[reason.item].as_py())
        if reason.label >= 0:
            return query.recommender.labels[reason.label]
        return asked.names[reason.position] if reason.position >= 0 else None

    def kind_of(reason: Reason) -> str:
        return "rule" if reason.position >= asked.declared else reason.kind

    # a rule that is not about the item is no reason
    found = [one for one in found if one.contribution or kind_of(one) != "rule"]
    total = sum(abs(one.contribution) for one in found) or 1.0

    merged: list[tuple[str, str | None, float]] = []
    for kind in dict.fromkeys(map(kind_of, found)):
        mine = sorted(
            (one for one in found if kind_of(one) == kind), key=lambda one: -abs(one.contribution)
        )
        shown_few = mine[:most] if kind in NAMED else mine
        merged += [(kind, named(one), one.contribution) for one in shown_few]
        rest = mine[len(shown_few) :]
        if rest:
            merged.append((kind, f"{len(rest)} others", sum(one.contribution for one in rest)))
    merged.sort(key=lambda one: -abs(one[2]))
    yield from ((kind, name, part, part / total) for kind, name, part in merged)
    if item not in listed:
        yield from (("rule", rule, None, None) for rule in _rules(query, asked, row, batch, item))


def _rules(query: Query, asked: Asked, row: int, batch: Batch | None, item: int) -> Iterator[str]:
    """What keeps an item out of the list, whatever its score."""
    how = asked.how(np.array([row]))
    if not query.recommender.listed[item]:
        yield "not recommended: it is not in the items table"
    elif not query.kept_by(how.predicate)[item]:
        yield f"filter: {how.predicate}"
    for one in how.rules:
        let = asked.rules.allowed((one,), replace=True)
        resting = asked.resting(np.array([row]), (one,))
        if (let is not None and not let[item]) or (resting is not None and item in resting[1]):
            yield f"{one.name}: {one.kind}"
    if batch is not None:
        known = batch.known
        if asked.excludes_seen(row) and np.isneginf(known.relevance[known.item == item]).any():
            yield "exclude_seen: the user knows it"


item_udf("morec_explain", COLUMNS, _rows)
