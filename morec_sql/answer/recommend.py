"""recommend and recommend_for: the ranked list for a user, or for a basket."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from ..registry import Argument, sql_macro
from ..udfs.ranking.constraints import KINDS
from .query import Query, query_udf
from .ranked import Asked, ranked_lists

USER = Argument("user_id", "the user; unknown users and NULL get what everyone likes")
BASKET = Argument("items", "a list of item ids, such as a basket or a session")
ATTRIBUTES = Argument(
    "attributes",
    "what is known of who it is for, a struct by names of user_features, such as {age: 34}",
    "NULL",
)
WEIGHTS = Argument(
    "weights",
    "a list in the order of the table objectives, a struct by name, in which an expression over the"
    " items may stand for an objective, or the name of weight_presets; one below 0 turns its"
    " objective around; the default weights by default",
    "NULL",
)
K = Argument("k", "length of the list", "10")
FILTER = Argument("filter", "a SQL predicate over the view items, applied before ranking", "NULL")
AS_OF = Argument("as_of", "rank as of a past time", "NULL")
ARGUMENTS = (
    WEIGHTS,
    K,
    FILTER,
    Argument(
        "exclude_seen", "whether to leave out what the history holds; by default the data says so",
        "NULL",
    ),
    Argument("diversify", "mmr, by mean distance, or dpp, by determinant", "'mmr'"),
    *(Argument(name, kind.about, "NULL") for name, kind in KINDS.items()),
    Argument(
        "context",
        "where, when or how, a struct by names of the argument context of create_recommender, such"
        " as {store: 367}, or of what rules are about",
        "NULL",
    ),
    AS_OF,
    Argument("version", "one of the table versions instead of that in use", "NULL"),
    Argument(
        "rules",
        "false for none of the table rules, or a list of names for these alone, in force or not; by"
        " default those in force",
        "NULL",
    ),
    Argument(
        "explore",
        "the chance, from 0 to 1, that a place is given to one of the best items that are left,"
        " drawn at random: at least 20, and five times k",
        "NULL",
    ),
    Argument("seed", "a whole number, with which a user's list is the same again", "NULL"),
    Argument(
        "without",
        "sources that are not to count, to compare: some of user_features, user_graph, context",
        "NULL",
    ),
)  # fmt: skip
RESULT = {
    "rank": "place in the list, from 1",
    "item_id": "the item, in the type of the id in the user's tables",
    "score": "the weighted sum",
    "contributions": "what each objective contributed to the score; with the adjustments they add"
    " up to it",
    "unmet": "the constraints and rules that the list does not meet",
    "personal": "whether anything is known of the user, or of the basket's items; false for what"
    " everyone gets",
    "reason": "why, in a sentence, for who asks for reasons; else NULL",
    "adjustments": "what expressions among the weights, and rules, added to the score, by name",
    "propensity": "the chance that the item is at this place, given those before it: 1 where"
    " nothing is explored",
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
    function: str,
    result: Mapping[str, str],
    **includes: str,
) -> None:
    """Declare a macro that is asked as recommend is, `of` what history_of_<of>.sql reads."""
    includes = {
        "history": f"answer/history_of_{of}",
        "asked": "answer/asked",
        "user": "answer/user_asked" if of == "user" else "answer/no_user",
        **includes,
    }
    sql_macro(
        name, "recommender", about, arguments, result, f"answer/{template}", includes, function
    )


def list_macro(
    name: str,
    about: str,
    arguments: tuple[Argument, ...],
    of: str,
    function: str = "morec_recommend",
    among: str = "",
) -> None:
    """Declare a macro that gives a list; `among` is the file of the items it is chosen from."""
    macro(
        name, about, (*arguments, REASONS), of, "recommend", function, RESULT,
        reason="answer/reason", among=among,
    )  # fmt: skip


list_macro("recommend", "The ranked list for a user.", (USER, *ARGUMENTS), "user")
list_macro(
    "recommend_for",
    "The ranked list for a basket or session, or for someone who is in no table.",
    (BASKET, *ARGUMENTS, ATTRIBUTES),
    "basket",
)
list_macro(
    "complete_basket",
    "What belongs to a basket and is not in it.",
    (BASKET, *but(exclude_seen="true"), ATTRIBUTES),
    "basket",
)
list_macro(
    "rank_items",
    "A list of yours, such as search results, in the order for a user.",
    (
        USER,
        Argument("items", "the items; those that are not in the catalogue are left out"),
        *but(k="NULL", exclude_seen="false", rules="false"),
    ),
    "user",
    "morec_rank_items",
    "answer/among_items",
)

ASKED = ["HUGEINT[]", "DOUBLE", "VARCHAR", "DOUBLE", "VARCHAR", "BOOLEAN", "VARCHAR", "VARCHAR"]
LISTS = (
    "STRUCT(rank INTEGER, item_id VARCHAR, score DOUBLE, contributions DOUBLE[],"
    " unmet VARCHAR[], personal BOOLEAN, adjustments MAP(VARCHAR, DOUBLE),"
    " propensity DOUBLE)[]"
)


@query_udf("morec_recommend", ASKED, LISTS)
def recommend(query: Query, *columns: pa.Array) -> pa.Array:
    """Rank the catalogue for a chunk of the users of a query; columns are as of Asked."""
    return ranked_lists(Asked(query, *columns))


@query_udf("morec_rank_items", ["INTEGER[]", *ASKED], LISTS)
def rank_items(
    query: Query,
    items: pa.Array,
    histories: pa.Array,
    as_of: pa.Array,
    weights: pa.Array,
    ks: pa.Array,
    *columns: pa.Array,
) -> pa.Array:
    """As recommend, of the items of each user alone, and all of them where no k is given."""
    all_of_them = pc.max_element_wise(items.value_lengths(), 1).cast(pa.float64())
    ks = pc.coalesce(ks, all_of_them)
    return ranked_lists(Asked(query, histories, as_of, weights, ks, *columns, items=items))
