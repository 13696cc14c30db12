"""score, users_for and bought_together: scores of pairs of a user and an item."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from ..arrays import alike
from ..registry import Argument, sql_macro
from ..udfs.history import Longs
from ..udfs.ranking.pairs import PairScores
from .filters import users_filtered
from .history import history_of
from .query import Query, query_udf
from .recommend import AS_OF, USER, WEIGHTS, K
from .weights import weighed

ITEM = Argument("item_id", "the item")
FEW = 4  # users of a chunk, whose vectors the next one may need

sql_macro(
    "score",
    "recommender",
    "The score of an item for a user, without what diversity and other objectives of the list add;"
    " NULL for an item that is not in the catalogue.",
    (USER, ITEM, WEIGHTS, AS_OF),
    {},
    "answer/score",
    {"item": "answer/item"},
    returns="DOUBLE",
)
sql_macro(
    "users_for",
    "recommender",
    "The users who are most likely to want an item, for a campaign or a segment.",
    (
        ITEM,
        K,
        WEIGHTS,
        Argument(
            "exclude_seen", "whether to leave out who has it already; by default the data says so",
            "NULL",
        ),
        Argument("filter", "a SQL predicate over the view users", "NULL"),
    ),
    {
        "rank": "place, from 1",
        "user_id": "the user",
        "score": "as of the function score",
        "known": "whether the user has it already",
        "personal": "whether anything is known of the user; those of whom nothing is come last",
    },
    "answer/users_for",
    {"history": "answer/history_of_user", "item": "answer/item"},
)  # fmt: skip
sql_macro(
    "bought_together",
    "recommender",
    "What is in the same baskets as an item or several.",
    (
        Argument("item_ids", "the item, or a list of items that are all in the basket"),
        K,
        Argument(
            "within",
            "an interval: a basket is what a user does within it; by default a day where a tenth of"
            " the days have several items, else all that a user ever does",
            "NULL",
        ),
    ),
    {
        "rank": "place by the number of baskets, from 1",
        "item_id": "the other item",
        "baskets": "how many have it and the others",
        "support": "their share of all baskets",
        "confidence": "their share of the baskets with the given items",
        "lift": "how many times as often as by chance that is",
        "score": "its relevance for the given items by the recommender, for comparison",
    },
    "answer/bought_together",
    {"history": "answer/history_of_items"},
)  # fmt: skip


@query_udf(
    "morec_score", ["VARCHAR", "INTEGER", "HUGEINT[]", "DOUBLE", "VARCHAR"], "DOUBLE"
)  # fmt: skip
def score(
    query: Query,
    users: pa.Array,
    items: pa.Array,
    histories: pa.Array,
    as_of: pa.Array,
    weights: pa.Array,
) -> pa.Array:
    """The scores of a chunk of pairs whose histories come with them, as of Asked."""
    return _scores(query, users, items, histories.take, as_of, weights)


@query_udf("morec_users", ["VARCHAR"], "VARCHAR[]")
def users(query: Query, filters: pa.Array) -> pa.Array:
    """The users that each filter of a chunk keeps; NULL for no filter."""
    found = {}
    for predicate in filters.unique().drop_null().to_pylist():
        with query.connect() as con:
            found[predicate] = users_filtered(con, query.name, predicate)
    return pa.array(map(found.get, filters.to_pylist()), pa.list_(pa.string()))


@query_udf("morec_score_pairs", ["VARCHAR", "INTEGER", "DOUBLE", "VARCHAR"], "DOUBLE")
def score_pairs(
    query: Query, users: pa.Array, items: pa.Array, as_of: pa.Array, weights: pa.Array
) -> pa.Array:
    """The scores of a chunk of pairs, with histories as they are committed."""

    def histories(rows: pa.Array) -> pa.Array:
        return query.histories(users.take(rows))

    return _scores(query, users, items, histories, as_of, weights, kept=True)


def _scores(
    query: Query,
    users: pa.Array,
    items: pa.Array,
    histories: Callable[[pa.Array], pa.Array],
    as_of: pa.Array,
    weights: pa.Array,
    kept: bool = False,
) -> pa.Array:
    """The scores of a chunk of pairs, NULL for what is no item.

    Args:
        query: the query.
        users: the users, as text: rows of one have one history.
        items: the numbers of the items, NULL for none.
        histories: gives those of the users of some rows, as of Asked.
        as_of: the moment, as of Asked, like the next.
        weights: as JSON.
        kept: whether users have one history in all chunks, so that what is made of it is kept.
    """
    recommender = query.recommender
    item = items.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    item = recommender.known(item)
    there = item >= 0
    out = np.full(len(items), np.nan)
    if there.any():
        # who comes more than once is worked out once
        asked = [users, as_of, weights]
        first, user = distinct_rows(asked)

        def scores_of() -> PairScores:
            rows = pa.array(first)
            when = as_of.take(rows)
            history = history_of(histories(rows), when, recommender)
            of = weighed(query, weights.take(rows))
            return PairScores(of.catalogue, of.catalogue.batch(history, len(first)), of.weights)

        if kept and len(first) <= FEW:
            # chunks of one user come one after the other
            key = tuple(column[int(row)].as_py() for row in first for column in asked)
            scores = query.scores.get(key, scores_of)
        else:
            scores = scores_of()
        out[there] = scores(user[there], item[there])
    return pa.array(out, mask=~there)


def distinct_rows(columns: list[pa.Array]) -> tuple[Longs, Longs]:
    """Where each distinct row of columns comes first, and which of them each row is."""
    key = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        if alike(column):  # found out in a quarter of the time
            continue
        place = column.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
        key = key * (int(place.max()) + 2) + place + 1
    if not key.any():
        return np.zeros(min(1, len(key)), np.int64), key
    _, first, of = np.unique(key, return_index=True, return_inverse=True)
    return first, of
