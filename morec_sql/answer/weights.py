"""The weights of a query: of objectives, of expressions that nobody declared, or by a name."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..arrays import whole
from ..errors import MorecError, nearest, reason, shown
from ..source.checks import weights as checked
from ..source.expressions import expression
from ..templates import arrow, identifier, sql
from ..udfs.history import Doubles, Longs
from ..udfs.ranking.catalogue import Catalogue
from ..udfs.ranking.contending import SAMPLED_USERS, contenders, standardise
from .filters import items_of
from .history import history_of
from .query import Query

Column = npt.NDArray[Any]  # of numbers, or of truth values


@dataclasses.dataclass(frozen=True, eq=False)
class Weighed:
    """The weights of a chunk of users, shape (users, names), and what they are of.

    names are the objectives and, behind them, expressions and rules, whose values by item are
    `columns`; fixed are the weights of the last of these where they are those of all users.
    """

    query: Query
    names: list[str]
    weights: Doubles
    columns: list[Column]
    fixed: Doubles | None = None

    def with_rules(self, names: list[str], weights: Doubles, columns: Sequence[Column]) -> Weighed:
        """With the columns of rules behind; arguments are of these alone."""
        if not names:
            return self
        both = np.concatenate([self.weights, weights], axis=1)
        fixed = weights[0] if (weights == weights[0]).all() else None
        return Weighed(self.query, [*self.names, *names], both, [*self.columns, *columns], fixed)

    @functools.cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue that scores by all of them, kept while the values last."""
        recommender = self.query.recommender
        if not self.columns:
            return recommender.catalogue
        # arrays that came before are not read again; while they are kept no others have their ids
        _, digest = recommender.kept.digests.get(
            tuple(map(id, self.columns)), lambda: (self.columns, _digest(self.columns))
        )
        return recommender.kept.catalogues.get(
            (digest, None if self.fixed is None else self.fixed.tobytes()),
            lambda: recommender.catalogue.beside(
                np.stack(self.columns, axis=1, dtype=np.float64), self.fixed
            ),
        )


def _digest(columns: list[Column]) -> bytes:
    key = hashlib.blake2b(digest_size=16)
    for one in columns:
        key.update(np.packbits(one).tobytes() if one.dtype == np.bool_ else one.tobytes())
    return key.digest()


def weighed(query: Query, texts: pa.Array) -> Weighed:
    """Read the weights of users, as JSON; each distinct text is read once.

    A list is in the order of the objectives. A struct is by name: of objectives, or expressions
    over the items, whose values are standardised as those of objectives are. A text names one of
    the weight_presets. NULL stands for the default weights.
    """
    names = query.recommender.names
    encoded = texts.dictionary_encode()
    given = [_given(query, text) for text in encoded.dictionary.to_pylist()]
    own = {name.lower() for name in names}
    keys = [key for one in given if isinstance(one, dict) for key in one if key.lower() not in own]
    expressions = list(dict.fromkeys(keys))
    # sorted, so that the same ones in another order are the same catalogue
    expressions.sort()
    columns: list[Column] = []
    if expressions:
        columns += _values(query, tuple(expressions))
    listed = [*names, *expressions]
    behind = [0.0] * len(expressions)
    filled = [
        (query.default_weights() if one is None else checked(one, names)) + behind
        if not isinstance(one, dict)
        else checked(one, listed)
        for one in given
    ]
    if texts.null_count:
        filled.append(query.default_weights() + behind)
    index = encoded.indices.fill_null(len(given)).to_numpy(zero_copy_only=False)
    return Weighed(query, listed, np.array(filled, np.float64)[index], columns)


def _given(query: Query, text: str) -> Any:
    """What a text of JSON says, a preset already as its weights; None for the default ones."""
    try:
        given = json.loads(text)
    except ValueError:  # to_json writes NaN and infinity bare
        return text
    return _preset(query, given) if isinstance(given, str) else given


def _preset(query: Query, name: str) -> dict[str, float]:
    """The weights that have a name."""

    def read() -> dict[str, dict[str, float]]:
        with query.connect() as con:
            table = f"{identifier(query.name)}.weight_presets"
            try:
                return dict(con.execute(f"SELECT name, weights FROM {table}").fetchall())
            except duckdb.CatalogException:  # made before there were presets
                return {}

    presets: dict[str, dict[str, float]] = query.kept.get("presets", read)
    if name not in presets:
        names = ", ".join(query.recommender.names)
        there = nearest(name, presets) if presets else "that is empty"
        raise MorecError(
            f"weights: {shown(name)} is neither in the table weight_presets ({there}) nor a list or"
            f" a struct of numbers for {names}"
        )
    return presets[name]


def _values(query: Query, texts: tuple[str, ...]) -> list[Doubles]:
    """The values of expressions over the items, standardised as those of objectives are."""

    def read() -> list[Doubles]:
        with query.connect() as con:
            items = items_of(con, query.name)
            columns = []
            for text in texts:
                try:
                    written = expression(con, "weights", text, items)
                except MorecError:
                    columns_there = {column.lower() for column in items.columns}
                    if not text.isidentifier() or text.lower() in columns_there:
                        raise
                    names = query.recommender.names
                    raise MorecError(
                        f"weights: unknown objective {text!r}; {nearest(text, names)}"
                    ) from None
                columns.append(f"CAST(({written}) AS DOUBLE)")
        among = contending(query)
        try:
            found = query.values(columns)
        except duckdb.InterruptException:
            raise
        except duckdb.Error as error:
            said = shown(", ".join(texts))
            raise MorecError(f"weights: {said} cannot be evaluated: {reason(error)}") from None
        raw = (one.to_numpy(zero_copy_only=False).astype(np.float64) for one in found)
        return [standardise(one, among)[0] for one in raw]

    values: list[Doubles] = query.kept.get(("expressions", texts), read)
    return values


def contending(query: Query) -> Longs | None:
    """The items that contend for the lists of some users, shape (users, c); None without any."""

    def read() -> Longs | None:
        schema = identifier(query.name)
        with query.connect() as con:
            parts = {"schema": schema, "count": str(SAMPLED_USERS)}
            users = whole(arrow(con, sql("answer/some_users", **parts)).column(0))
        if not len(users):
            return None
        nobody = pa.nulls(len(users), pa.float64())
        history = history_of(query.histories(users), nobody, query.recommender)
        return contenders(query.recommender.catalogue.model, history, len(users)).item

    items: Longs | None = query.recommender.kept.some.get("contending", read)
    return items
