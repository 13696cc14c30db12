"""The sentence that says why a row is in a list."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import MorecError, shortened, shown
from ..templates import identifier
from ..udfs.history import Doubles, History
from .history import history_of
from .limits import limits_of, switched_off
from .query import Query, query_udf

LONGEST = 60  # characters of the name of an item in a sentence


@dataclasses.dataclass(frozen=True)
class Sentences:
    """What is said of the items of a recommender, in each language."""

    query: Query
    templates: dict[tuple[str, str], str]
    texts: list[str]

    @functools.cached_property
    def languages(self) -> list[str]:
        """The languages in which something can be said."""
        return sorted({language for language, _ in self.templates})

    def of(self, language: str, contributions: Doubles, history: History, item: int) -> str | None:
        """Why an item is in the list of a user: the largest part of its score."""
        recommender = self.query.recommender
        position = int(np.argmax(contributions))
        if recommender.catalogue.kinds[position] != "relevance" or contributions[position] <= 0:
            name = recommender.names[position]
            if contributions[position] > 0:
                return self._said(language, f"objective {name}", "objective", name=name)
            return self._said(language, "popularity")
        if item in history.item:
            return self._said(language, "repeat")
        of_item = recommender.catalogue.model.in_parts(history, item)
        parts = {"history item": of_item.behaviour, "content": of_item.content}
        likeness = sum(float(part.sum()) for part in parts.values())
        by_labels = float(of_item.labels.sum())
        if of_item.friends > max(likeness, of_item.popularity, by_labels):
            return self._said(language, "friends")
        if by_labels > max(likeness, of_item.popularity):
            label = int(history.labels.label[of_item.labels.argmax()])
            return self._said(language, "attribute", name=recommender.labels[label])
        if not len(history) or of_item.popularity >= likeness:
            return self._said(language, "popularity")
        # the likeness to the history is the sum of many parts, of which the largest is named
        kind = max(parts, key=lambda one: float(parts[one].max()))
        return self._said(language, kind, name=self._name(int(history.item[parts[kind].argmax()])))

    def _said(self, language: str, *kinds: str, name: str = "") -> str | None:
        found = (self.templates.get((language, kind)) for kind in kinds)
        template = next((one for one in found if one is not None), None)
        return None if template is None else template.replace("{name}", name)

    def _name(self, item: int) -> str:
        """What an item is called: its text, or its id without one."""
        text_id = int(self.query.recommender.catalogue.texts[1][item])
        if text_id < 0:
            return str(self.query.recommender.item_ids[item].as_py())
        return shortened(self.texts[text_id], LONGEST)


@query_udf(
    "morec_reason", ["VARCHAR", "VARCHAR", "DOUBLE[]", "HUGEINT[]", "DOUBLE", "VARCHAR"], "VARCHAR"
)
def reason(
    query: Query,
    languages: pa.Array,
    items: pa.Array,
    contributions: pa.Array,
    histories: pa.Array,
    as_of: pa.Array,
    limited: pa.Array,
) -> pa.Array:
    """Say why each row of a chunk is in its list.

    Args:
        query: the query.
        languages: true for English, or the language.
        items: the ids of the listed items, as text.
        contributions: what each objective contributed.
        histories: of the users, as of Asked, like the next.
        as_of: the moment.
        limited: as of Asked.
    """
    sentences = query.kept.get("sentences", lambda: _sentences(query))
    index = pc.index_in(items, value_set=query.recommender.item_ids).to_pylist()
    out = []
    last: tuple[pa.Array, History] | None = None
    for row, (asked, item) in enumerate(zip(languages.to_pylist(), index, strict=True)):
        language = "en" if asked.lower() == "true" else asked
        if language not in sentences.languages:
            raise MorecError(
                f"reasons: {shown(asked)} is neither true nor false nor a language of"
                f" reason_templates: {', '.join(sentences.languages)}"
            )
        mine = histories.slice(row, 1)
        # the rows of one list come one after the other
        if last is None or not last[0].equals(mine):
            known = history_of(mine, as_of.slice(row, 1), query.recommender)
            limits = [limits_of(limited[row].as_py())]
            last = mine, switched_off(known, limits, query.recommender)
        parts = np.array(contributions[row].as_py(), np.float64)
        out.append(sentences.of(language, parts, last[1], item))
    return pa.array(out, pa.string())


def _sentences(query: Query) -> Sentences:
    """Read the templates, and what items are called."""
    schema = identifier(query.name)
    with query.connect() as con:
        rows = con.execute(f"SELECT language, reason, template FROM {schema}.reason_templates")
        templates = {(language, kind): template for language, kind, template in rows.fetchall()}
        texts = con.execute(
            f"SELECT text FROM {query.recommender.where.texts} ORDER BY text_id"
        ).fetchall()
    return Sentences(query, templates, [text for (text,) in texts])
