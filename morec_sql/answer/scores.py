"""score, users_for and bought_together: scores of pairs of a user and an item."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ..registry import Argument, sql_macro
from ..udfs.ranking.lists import pair_scores
from .history import history_of
from .ranked import weights_of
from .recommend import AS_OF, USER, WEIGHTS, K
from .recommender import Query, query_udf

ITEM = Argument("item_id", "the item")

sql_macro(
    "score",
    "recommender",
    "The score of an item for a user, without what diversity and other objectives of the list add;"
    " NULL for an item that is not in the catalogue.",
    (USER, ITEM, WEIGHTS, AS_OF),
    {},
    "answer/score",
    {"history": "answer/history_of_user", "item": "answer/item"},
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
    """The scores of a chunk of pairs.

    Args:
        query: the query.
        users: the users, as text: rows of one have one history.
        items: the numbers of the items, NULL for none.
        histories: of the users, as of Asked, like the next two.
        as_of: the moment.
        weights: as JSON.
    """
    recommender = query.recommender
    item = items.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    item = recommender.known(item)
    there = item >= 0
    out = np.full(len(items), np.nan)
    if there.any():
        # who comes more than once is worked out once
        asked = [
            column.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
            for column in (users, as_of, weights)
        ]
        _, first, user = np.unique(
            np.column_stack(asked), axis=0, return_index=True, return_inverse=True
        )
        rows = pa.array(first)
        history = history_of(histories.take(rows), as_of.take(rows), recommender)
        batch = recommender.catalogue.batch(history, len(first))
        out[there] = pair_scores(
            recommender.catalogue, batch, weights_of(query, weights.take(rows)),
            user.ravel()[there], item[there],
        )  # fmt: skip
    return pa.array(out, mask=~there)
