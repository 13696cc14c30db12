"""similar_items: what is most like an item."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from ..errors import MorecError, shown
from ..registry import Argument, arrow_rows, rows_type, sql_macro
from ..udfs.history import Longs
from ..udfs.ranking.similar import WAYS
from .query import Query, item_of, query_udf
from .ranked import lengths_of
from .recommend import FILTER, K

COLUMNS = {"rank": "INTEGER", "item_id": "VARCHAR", "similarity": "DOUBLE"}

sql_macro(
    "similar_items",
    "recommender",
    "The items that are most like one.",
    (
        Argument("item_id", "the item"),
        K,
        Argument(
            "by", "behaviour, who takes it with what; text, what it says; or both, their mean",
            "'both'",
        ),
        FILTER,
    ),
    {
        "rank": "place, from 1",
        "item_id": "the other item",
        "similarity": "the cosine, from -1 to 1",
    },
    "answer/similar_items",
    {"item": "answer/item"},
)  # fmt: skip


def _most(
    query: Query, items: Longs, k: Longs, by: str | None, predicate: str | None
) -> Iterator[list[tuple[int, str, float]]]:
    """The rows of each of some items that are asked alike."""
    recommender = query.recommender
    if by not in WAYS:
        raise MorecError(f"by: {shown(by)} is none of {', '.join(WAYS)}")
    if by != "behaviour" and not recommender.catalogue.likes.has_texts:
        if by == "text":
            raise MorecError("by: the recommender was made without text, so behaviour is left")
        by = "behaviour"
    kept = query.kept_by(predicate)
    chosen = None if kept.all() else np.flatnonzero(kept)
    longest = min(int(k.max()), recommender.catalogue.items)
    score, found = recommender.catalogue.likes.most(items, longest, by, chosen)
    for count, scores, others in zip(k, score, found, strict=True):
        real = np.flatnonzero(np.isfinite(scores))[:count]
        names = recommender.item_ids.take(pa.array(others[real])).to_pylist()
        yield list(zip(range(1, len(real) + 1), names, scores[real].tolist(), strict=True))


@query_udf(
    "morec_similar_items",
    ["VARCHAR", "INTEGER", "DOUBLE", "VARCHAR", "VARCHAR"],
    rows_type(COLUMNS),
)
def similar_items(
    query: Query, ids: pa.Array, items: pa.Array, ks: pa.Array, ways: pa.Array, filters: pa.Array
) -> pa.Array:
    """What is most like each item of a chunk.

    Args:
        query: the query.
        ids: the items as they were given.
        items: their numbers in the catalogue, NULL where they are not in it.
        ks: how many.
        ways: behaviour, text or both.
        filters: predicates over the items, NULL for none.
    """
    given = zip(ids.to_pylist(), items.to_pylist(), strict=True)
    wanted = np.array([item_of(query.recommender, *one) for one in given], np.int64)
    k = lengths_of(ks)
    hows = list(zip(ways.to_pylist(), filters.to_pylist(), strict=True))
    out: list[list[tuple[int, str, float]]] = [[] for _ in wanted]
    for how in dict.fromkeys(hows):
        rows = np.array([row for row, one in enumerate(hows) if one == how])
        for row, mine in zip(rows, _most(query, wanted[rows], k[rows], *how), strict=True):
            out[row] = mine
    return pa.array(out, arrow_rows(COLUMNS))
