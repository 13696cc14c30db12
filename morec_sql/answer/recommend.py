"""recommend and recommend_for: the ranked list for a user, or for a basket."""

from __future__ import annotations

import pyarrow as pa

from ..registry import Argument, sql_macro, udf
from ..session import Session
from ..udfs.device import share_of_cores
from ..udfs.ranking.constraints import KINDS
from .ranked import ranked_lists
from .recommender import query_of

USER = Argument("user_id", "the user; unknown users and NULL get what everyone likes")
BASKET = Argument("items", "a list of item ids, such as a basket or a session")
ARGUMENTS = (
    Argument(
        "weights",
        "a list in the order of the table objectives, or a struct by name; the default weights by"
        " default",
        "NULL",
    ),
    Argument("k", "length of the list", "10"),
    Argument("filter", "a SQL predicate over the view items, applied before ranking", "NULL"),
    Argument(
        "exclude_seen", "whether to leave out what the history holds; by default the data says so",
        "NULL",
    ),
    Argument("diversify", "mmr, by mean distance, or dpp, by determinant", "'mmr'"),
    *(Argument(name, kind.about, "NULL") for name, kind in KINDS.items()),
    Argument("as_of", "rank as of a past time", "NULL"),
)  # fmt: skip
RESULT = {
    "rank": "place in the list, from 1",
    "item_id": "the item, in the type of the id in the user's tables",
    "score": "the weighted sum",
    "contributions": "what each objective contributed to the score; they add up to it",
    "unmet": "the constraints that the list does not meet",
    "personal": "whether anything is known of the user, or of the basket's items; false for what"
    " everyone gets",
}

for name, key, about, history in (
    ("recommend", USER, "The ranked list for a user.", "history_of_user"),
    ("recommend_for", BASKET, "The ranked list for a basket or session.", "history_of_items"),
):
    sql_macro(
        name,
        "recommender",
        about,
        (key, *ARGUMENTS),
        RESULT,
        "answer/recommend",
        {"history": f"answer/{history}", "asked": "answer/asked"},
    )


@udf(
    "morec_recommend",
    ["VARCHAR"] * 3
    + ["UBIGINT", "HUGEINT[]", "DOUBLE"]
    + ["VARCHAR", "DOUBLE", "VARCHAR", "BOOLEAN", "VARCHAR", "VARCHAR"],
    "STRUCT(rank INTEGER, item_id VARCHAR, score DOUBLE, contributions DOUBLE[],"
    " unmet VARCHAR[], personal BOOLEAN)[]",
)
def recommend(
    session: Session,
    catalogs: pa.Array,
    names: pa.Array,
    versions: pa.Array,
    queries: pa.Array,
    *columns: pa.Array,
) -> pa.Array:
    """Rank the catalogue for a chunk of the users of a query.

    Args:
        session: of the database instance.
        catalogs: the database, the same in all rows as the next three.
        names: the recommender.
        versions: its training.
        queries: a number of the query.
        columns: what else `Asked` takes, in its order.
    """
    query = query_of(session, catalogs, names, versions, queries)
    with share_of_cores():
        return ranked_lists(query, *columns)
