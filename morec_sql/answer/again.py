"""next_basket and due: what users take again, how likely and when."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ..errors import MorecError
from ..registry import Argument, arrow_rows, rows_type, sql_macro
from ..udfs.history import bounds
from .history import history_of
from .query import Query, query_udf
from .recommend import USER, K

COLUMNS = {"item_id": "VARCHAR", "probability": "DOUBLE"}
RESULT = {
    "item_id": "the item",
    "probability": "that it is among what the user takes in the time that the repeat model learnt"
    " from, a thirteenth of the time of the events, if the user comes at all",
    "times": "on how many days the user took it so far",
    "last": "the last of them",
    "expected": "when it comes next by the mean of the days between; NULL where there was one only",
    "earliest": "where the interval begins that holds four of five",
    "latest": "where it ends",
}

sql_macro(
    "next_basket",
    "recommender",
    "What a user takes again: how likely, and when.",
    (USER, K),
    RESULT,
    "answer/next_basket",
    {"history": "answer/history_of_user", "rhythm": "answer/rhythm"},
)
sql_macro(
    "due",
    "recommender",
    "Who is due for what on a day, the most likely first.",
    (
        Argument("day", "the day; today by default", "current_date"),
        Argument("k", "at most so many items of each user", "10"),
    ),
    {"user_id": "the user", **RESULT},
    "answer/due",
    {"history": "answer/history_of_user", "rhythm": "answer/rhythm"},
)


@query_udf("morec_again", ["HUGEINT[]", "DOUBLE"], rows_type(COLUMNS))
def again(query: Query, histories: pa.Array, as_of: pa.Array) -> pa.Array:
    """How likely each user of a chunk takes each item of the history again; as of Asked."""
    recommender = query.recommender
    if recommender.clock.timeless:
        raise MorecError(
            f"event_time: {query.name!r} was made without, so nothing is known of when"
        )
    history = history_of(histories, as_of, recommender)
    odds = recommender.catalogue.model.again(history, len(histories))
    entries = pa.StructArray.from_arrays(
        [
            recommender.item_ids.take(pa.array(history.item)),
            pa.array(1 / (1 + np.exp(-odds.astype(np.float64)))),
        ],
        names=list(COLUMNS),
    )
    offsets = bounds(history.user, len(histories)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), entries).cast(arrow_rows(COLUMNS))
