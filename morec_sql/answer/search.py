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
from ..udfs.numbers import spread
from ..udfs.ranking.catalogue import Catalogue
from ..udfs.ranking.meaning import Meaning, first
from ..udfs.ranking.pairs import PairScores
from ..udfs.ranking.words import Words
from .history import history_of
from .query import Query, query_udf
from .ranked import lengths_of
from .recommend import FILTER, WEIGHTS, K
from .weights import weighed

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
class Among:
    """The items that are searched, by text: items[starts[t]:starts[t + 1]] have text t."""

    items: Longs
    starts: Longs

    @classmethod
    def of(cls, items: Longs, text_id: Longs, texts: int) -> Among:
        """Those of some items that have a text, which text_id gives for all, -1 for none."""
        text = text_id[items]
        order = np.argsort(text, kind="stable")
        return cls(items[order], np.searchsorted(text[order], np.arange(texts + 1)))

    def of_texts(self, texts: Longs, count: int) -> Longs:
        """The first `count` items of texts, in their order."""
        rows, _ = spread(self.starts[texts], self.starts[texts + 1])
        out: Longs = self.items[rows[:count]]
        return out


@dataclasses.dataclass(frozen=True)
class Texts:
    """What is searched of a recommender.

    model embeds what is asked; listed are the items that are recommended.
    """

    words: Words
    meaning: Meaning
    model: str
    listed: Among


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
    known = query.recommender.kept.some.get("texts", lambda: _texts_of(query))
    k = lengths_of(ks)
    nobody = pa.nulls(len(asked), pa.float64())
    vectors = embed_texts(asked, known.model)
    history = history_of(histories, nobody, query.recommender)
    of = weighed(query, weights)
    found = [
        list(
            _found(
                query, known, text, vectors[row], int(k[row]), predicate,
                history.of_users(np.array([row]), len(asked)), of.catalogue, of.weights[[row]],
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
    words = Words([text for (text,) in texts])
    return Texts(words, Meaning(embeddings), model, _among(query, None))


def _among(query: Query, predicate: str | None) -> Among:
    """The items that a filter keeps."""
    catalogue = query.recommender.catalogue
    embeddings, text_id = catalogue.texts
    items = np.flatnonzero(query.kept_by(predicate))
    return Among.of(items, text_id, len(embeddings))


def _found(
    query: Query,
    known: Texts,
    text: str,
    vector: Floats,
    k: int,
    predicate: str | None,
    history: History,
    catalogue: Catalogue,
    weights: Doubles,
) -> Iterator[tuple[Any, ...]]:
    """The rows of one text."""
    recommender = query.recommender
    among = known.listed
    if predicate is not None:
        among = query.kept.get(("among", predicate), lambda: _among(query, predicate))
    depth = max(2 * k, DEPTH)
    empty = np.diff(among.starts) == 0
    words, meaning = known.words.scores(text), known.meaning.roughly(vector)
    words[empty], meaning[empty] = 0, -np.inf
    by_words = first(words, depth, above=0.0)
    least = float(meaning.min(initial=0, where=~empty))
    near = first(meaning, 2 * depth, above=-2.0)
    # exact ones of all that may be listed
    texts = np.union1d(by_words, near)
    meaning[texts] = known.meaning.exactly(vector, texts)
    by_meaning = near[first(meaning[near], depth)]
    orders = [among.of_texts(texts, depth) for texts in (by_words, by_meaning)]
    found = np.union1d(*orders)
    text_of = catalogue.texts[1][found]
    parts = [_to_best(words[text_of], 0.0), _to_best(meaning[text_of], least)]
    if len(history):
        batch = catalogue.batch(history, 1)
        user = np.zeros(len(found), np.int64)
        scores = PairScores(catalogue, batch, weights)
        mine = scores(user, found).astype(np.float32)
        orders.append(found[first(mine, depth)])
        parts.append(_to_best(mine, float(mine.min(initial=0))))
    places = np.full((len(orders), len(found)), np.inf)
    for place, order in zip(places, orders, strict=True):
        place[np.searchsorted(found, order)] = np.arange(1, len(order) + 1)
    score: Floats = np.mean(parts, axis=0)
    best = first(score, k)
    names = recommender.item_ids.take(pa.array(found[best])).to_pylist()
    for rank, (one, name) in enumerate(zip(best, names, strict=True), 1):
        ranks = [int(x) if np.isfinite(x) else None for x in places[:, one]]
        yield rank, name, float(score[one]), *ranks, *[None] * (3 - len(ranks))


def _to_best(scores: Floats, least: float) -> Floats:
    """Scores as shares of the way from the least one to the best."""
    out: Floats = (scores - least) / max(float(scores.max(initial=least)) - least, 1e-9)
    return out
