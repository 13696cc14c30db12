"""explain and explain_basket: why an item has its score, in parts that add up to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import MorecError
from ..registry import Argument, arrow_rows, rows_type, udf
from ..session import Session
from ..udfs.device import share_of_cores
from ..udfs.ranking.reasons import Reason, reasons
from .ranked import Asked
from .recommend import ARGUMENTS, ASKED, BASKET, USER, macro
from .recommender import Query, item_of, query_of

ITEM = Argument("item_id", "the item, listed or not")
MORE = Argument("most", "how many of each kind that names items are named; others are one", "10")
RESULT = {
    "kind": "history item, content (the text of one), list item (what one listed before takes or"
    " adds in diversity), repeat, popularity, average (minus the mean relevance of all items),"
    " objective, or rule (what keeps the item out of the list)",
    "name": "the item, the objective or the rule",
    "contribution": "its part of the score; they add up to it",
    "share": "its part of the sum of all absolute contributions, with its sign",
}
COLUMNS = {"kind": "VARCHAR", "name": "VARCHAR", "contribution": "DOUBLE", "share": "DOUBLE"}

for name, key, about, history in (
    ("explain", USER, "Why an item has its score for a user: a row a reason.", "user"),
    ("explain_basket", BASKET, "As explain, for a basket or session.", "items"),
):
    macro(name, about, (key, ITEM, *ARGUMENTS, MORE), history, "of_item", RESULT, "morec_explain")


@udf(
    "morec_explain",
    ["VARCHAR"] * 3 + ["UBIGINT", "VARCHAR", "INTEGER", "DOUBLE", *ASKED],
    rows_type(COLUMNS),
)
def explain(
    session: Session,
    catalogs: pa.Array,
    names: pa.Array,
    versions: pa.Array,
    queries: pa.Array,
    ids: pa.Array,
    items: pa.Array,
    most: pa.Array,
    *columns: pa.Array,
) -> pa.Array:
    """Explain an item for each user of a chunk.

    Args:
        session: of the database instance.
        catalogs: as of query_of, like the next three.
        names: the recommender.
        versions: its training.
        queries: a number of the query.
        ids: the items as they were given.
        items: their numbers in the catalogue, NULL where they are not in it.
        most: how many reasons of a kind are named.
        columns: what else `Asked` takes, in its order.
    """
    query = query_of(session, catalogs, names, versions, queries)
    with share_of_cores():
        asked = Asked(query, *columns)
        found = [
            list(_rows(query, asked, row, item_of(name, item), at_most(count)))
            for row, (name, item, count) in enumerate(
                zip(ids.to_pylist(), items.to_pylist(), most.to_pylist(), strict=True)
            )
        ]
    return pa.array(found, arrow_rows(COLUMNS))


def at_most(count: float) -> int:
    """The argument `most`, or a MorecError."""
    if not (count >= 1 and count == int(count)):
        raise MorecError(f"most: {count:g} is not a whole number from 1 on")
    return int(count)


def _rows(
    query: Query, asked: Asked, row: int, item: int, most: int
) -> Iterator[tuple[str, str | None, float | None, float | None]]:
    """The rows of one user, the largest contributions first."""
    rows = np.array([row])
    predicate, diversify, _ = asked.how(rows)
    catalogue = query.recommender.catalogue
    plain = catalogue.batch(asked.history.of_users(rows, asked.users), 1)
    batch = asked.batch(rows)
    listed = np.zeros(0, np.int64)
    if batch is not None:
        listed = asked.ranked(rows, batch).item[0]
        listed = listed[listed >= 0]
    before = listed[: int(np.argmax(listed == item))] if item in listed else listed
    known = plain.known.relevance[plain.known.item == item]
    found = reasons(
        catalogue, batch or plain, asked.weights[row], item, before, diversify,
        float(known[0]) if len(known) else None,
    )  # fmt: skip
    total = sum(abs(one.contribution) for one in found) or 1.0

    def named(reason: Reason) -> str | None:
        if reason.item >= 0:
            return str(query.recommender.item_ids[reason.item].as_py())
        return query.recommender.names[reason.position] if reason.position >= 0 else None

    merged: list[tuple[str, str | None, float]] = []
    for kind in dict.fromkeys(one.kind for one in found):
        mine = sorted(
            (one for one in found if one.kind == kind), key=lambda one: -abs(one.contribution)
        )
        shown_few = mine[:most] if kind in ("history item", "content", "list item") else mine
        merged += [(kind, named(one), one.contribution) for one in shown_few]
        rest = mine[len(shown_few) :]
        if rest:
            merged.append((kind, f"{len(rest)} others", sum(one.contribution for one in rest)))
    merged.sort(key=lambda one: -abs(one[2]))
    yield from ((kind, name, part, part / total) for kind, name, part in merged)
    if item not in listed:
        yield from (("rule", rule, None, None) for rule in _rules(query, predicate, batch, item))


def _rules(query: Query, predicate: str | None, batch: Any, item: int) -> Iterator[str]:
    """What keeps an item out of the list, whatever its score."""
    if not query.recommender.listed[item]:
        yield "not recommended: it is not in the items table"
    elif predicate is not None:
        allowed = query.only(predicate)
        if allowed is not None and allowed.number[item] < 0:
            yield f"filter: {predicate}"
    if batch is not None:
        known = batch.known
        if np.isneginf(known.relevance[known.item == item]).any():
            yield "exclude_seen: the user knows it"
