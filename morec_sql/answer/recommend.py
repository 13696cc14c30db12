"""recommend and recommend_for: the ranked list for a user, or for a basket."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pyarrow as pa

from ..registry import Argument, sql_macro, udf
from ..session import Session
from ..udfs.device import share_of_cores
from ..udfs.ranking.constraints import KINDS
from .ranked import Asked, ranked_lists
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
    "reason": "why, in a sentence, for who asks for reasons; else NULL",
}


REASONS = Argument(
    "reasons",
    "true, or a language of the table reason_templates, for a sentence with every row",
    "false",
)


def but(**defaults: str) -> tuple[Argument, ...]:
    """The arguments with other defaults."""
    return tuple(
        dataclasses.replace(one, default=defaults.get(one.name, one.default)) for one in ARGUMENTS
    )


def macro(
    name: str,
    about: str,
    arguments: tuple[Argument, ...],
    of: str,
    template: str,
    result: Mapping[str, str] = RESULT,
    function: str = "",
) -> None:
    """Declare a macro that is asked as recommend is, `of` what history_of_<of>.sql reads."""
    includes = {"history": f"answer/history_of_{of}", "asked": "answer/asked"}
    if result is RESULT:
        arguments, includes = (*arguments, REASONS), {**includes, "reason": "answer/reason"}
    sql_macro(
        name, "recommender", about, arguments, result, f"answer/{template}", includes, function
    )


macro("recommend", "The ranked list for a user.", (USER, *ARGUMENTS), "user", "recommend")
macro(
    "recommend_for", "The ranked list for a basket or session.", (BASKET, *ARGUMENTS), "items",
    "recommend",
)  # fmt: skip
macro(
    "complete_basket", "What belongs to a basket and is not in it.",
    (BASKET, *but(exclude_seen="true")), "items", "recommend",
)  # fmt: skip
macro(
    "rank_items", "A list of yours, such as search results, in the order for a user.",
    (USER, Argument("items", "the items; those that are not in the catalogue are left out"),
     *but(k="NULL", exclude_seen="false")), "user", "rank_items",
)  # fmt: skip

ASKED = ["HUGEINT[]", "DOUBLE", "VARCHAR", "DOUBLE", "VARCHAR", "BOOLEAN", "VARCHAR", "VARCHAR"]
LISTS = (
    "STRUCT(rank INTEGER, item_id VARCHAR, score DOUBLE, contributions DOUBLE[],"
    " unmet VARCHAR[], personal BOOLEAN)[]"
)


@udf("morec_recommend", ["VARCHAR"] * 3 + ["UBIGINT", *ASKED], LISTS)
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
        return ranked_lists(Asked(query, *columns))


@udf("morec_rank_items", ["VARCHAR"] * 3 + ["UBIGINT", "INTEGER[]", *ASKED], LISTS)
def rank_items(
    session: Session,
    catalogs: pa.Array,
    names: pa.Array,
    versions: pa.Array,
    queries: pa.Array,
    items: pa.Array,
    histories: pa.Array,
    as_of: pa.Array,
    weights: pa.Array,
    ks: pa.Array,
    filters: pa.Array,
    exclude_seen: pa.Array,
    diversify: pa.Array,
    limited: pa.Array,
) -> pa.Array:
    """As recommend, of the items of each user alone."""
    query = query_of(session, catalogs, names, versions, queries)
    with share_of_cores():
        return ranked_lists(
            Asked(
                query, histories, as_of, weights, ks, filters, exclude_seen, diversify, limited,
                items,
            )
        )  # fmt: skip
