"""search: the items that a text asks for, by words, by meaning and for a user.

The scores, each from 0 to 1 for the best there is, are averaged (Bruch, Gai and Ingber 2023, "An
analysis of fusion functions for hybrid retrieval"). By reciprocal ranks, which forget by how much
one is better than the next, both together were worse than words alone (benchmarks/items.py).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import MorecError
from ..registry import Argument, arrow_rows, rows_type, sql_macro
from ..templates import first_row, identifier
from ..udfs.embedding import DEFAULT_MODEL, embed_texts
from ..udfs.history import Doubles, Floats, History, Longs
from ..udfs.ranking.lists import pair_scores
from ..udfs.ranking.words import Words
from .history import history_of
from .ranked import lengths_of, weights_of
from .recommend import FILTER, WEIGHTS, K
from .recommender import Query, query_udf

DEPTH = 200  # at least so many of each order are joined
COLUMNS = {
    "rank": "INTEGER",
    "item_id": "VARCHAR",
    "score": "DOUBLE",
    "by_words": "INTEGER",
    "by_meaning": "INTEGER",
    "by_user": "INTEGER",
}

sql_macro(
    "search",
    "recommender",
    "The items that a text asks for, by words (BM25), by meaning (embeddings) and, with a user, by"
    " score for the user.",
    (
        Argument("words", "what is looked for, in a language that the embedding model speaks"),
        Argument("user_id", "for whom; nobody in particular by default", "NULL"),
        K,
        FILTER,
        WEIGHTS,
    ),
    {
        "rank": "place, from 1",
        "item_id": "the item",
        "score": "the mean of the scores by words, meaning and user, each 1 for the best one",
        "by_words": "its place by words; NULL where it has none of them",
        "by_meaning": "its place by meaning; NULL behind the first ones",
        "by_user": "its place for the user among those found; NULL where nothing is known",
    },
    "answer/search",
    {"history": "answer/history_of_user"},
)


@dataclasses.dataclass(frozen=True)
class Texts:
    """What is searched of a recommender: its texts, and the model that embeds what is asked."""

    words: Words
    embeddings: Floats
    model: str


@query_udf(
    "morec_search", ["VARCHAR", "HUGEINT[]", "DOUBLE", "VARCHAR", "VARCHAR"], rows_type(COLUMNS)
)
def search(
    query: Query,
    texts: pa.Array,
    histories: pa.Array,
    ks: pa.Array,
    filters: pa.Array,
    weights: pa.Array,
) -> pa.Array:
    """Search for each text of a chunk.

    Args:
        query: the query.
        texts: what is looked for.
        histories: of the users, as of Asked; NULL for nobody in particular.
        ks: how many.
        filters: predicates over the items, NULL for none.
        weights: as JSON.
    """
    asked = texts.to_pylist()
    for text in asked:
        if text is None or not text.strip():
            raise MorecError("words: a text to look for is needed")
    known = query.recommender.kept.get("texts", lambda: _texts_of(query))
    k = lengths_of(ks)
    nobody = pa.nulls(len(asked), pa.float64())
    vectors = embed_texts(asked, known.model)
    history = history_of(histories, nobody, query.recommender)
    of_weights = weights_of(query, weights)
    found = [
        list(
            _found(
                query, known, text, vectors[row], int(k[row]), predicate,
                history.of_users(np.array([row]), len(asked)), of_weights[[row]],
            )
        )
        for row, (text, predicate) in enumerate(zip(asked, filters.to_pylist(), strict=True))
    ]  # fmt: skip
    return pa.array(found, arrow_rows(COLUMNS))


def _texts_of(query: Query) -> Texts:
    """Read what is searched."""
    schema = identifier(query.name)
    with query.connect() as con:
        texts = con.execute(f"SELECT text FROM {schema}.texts ORDER BY text_id").fetchall()
        row = first_row(con, f"SELECT arguments FROM {schema}.settings")
    if not texts:
        raise MorecError(
            f"search: {query.name!r} was made without text, so there is nothing to search"
        )
    assert row is not None
    embeddings, _ = query.recommender.catalogue.texts
    model = json.loads(row[0])["model"] or DEFAULT_MODEL
    return Texts(Words([text for (text,) in texts]), embeddings, model)


def _found(
    query: Query,
    known: Texts,
    text: str,
    vector: Floats,
    k: int,
    predicate: str | None,
    history: History,
    weights: Doubles,
) -> Iterator[tuple[Any, ...]]:
    """The rows of one text."""
    recommender = query.recommender
    catalogue = recommender.catalogue
    allowed = query.only(predicate)
    items = np.arange(catalogue.items) if allowed is None else allowed.items
    _, text_id = catalogue.texts
    items = items[text_id[items] >= 0]
    depth = max(2 * k, DEPTH)
    words = known.words.scores(text)[text_id[items]]
    meaning = (known.embeddings @ vector)[text_id[items]]
    orders = [_first(words, depth, above=0.0), _first(meaning, depth)]
    among = np.union1d(*orders)
    low = float(meaning.min(initial=0))
    parts = [
        words[among] / max(float(words.max(initial=0)), 1e-9),
        (meaning[among] - low) / max(float(meaning.max(initial=0)) - low, 1e-9),
    ]
    if len(history):
        batch = catalogue.batch(history, 1)
        user = np.zeros(len(among), np.int64)
        mine = pair_scores(catalogue, batch, weights, user, items[among])
        orders.append(among[_first(mine, depth)])
        low = float(mine.min(initial=0))
        parts.append((mine - low) / max(float(mine.max(initial=0)) - low, 1e-9))
    places = np.full((len(orders), len(items)), np.inf)
    for place, order in zip(places, orders, strict=True):
        place[order] = np.arange(1, len(order) + 1)
    score = np.mean(parts, axis=0)
    best = np.argsort(-score, kind="stable")[:k]
    names = recommender.item_ids.take(pa.array(items[among[best]])).to_pylist()
    for rank, (one, name) in enumerate(zip(best, names, strict=True), 1):
        ranks = [int(x) if np.isfinite(x) else None for x in places[:, among[one]]]
        yield rank, name, float(score[one]), *ranks, *[None] * (3 - len(ranks))


def _first(scores: Floats | Doubles, count: int, above: float = -np.inf) -> Longs:
    """Where the largest scores are, the largest first; at most so many, and above some value."""
    there = np.flatnonzero(scores > above) if above > -np.inf else np.arange(len(scores))
    if len(there) > count:
        there = there[np.argpartition(-scores[there], count - 1)[:count]]
    out: Longs = there[np.argsort(-scores[there], kind="stable")]
    return out
