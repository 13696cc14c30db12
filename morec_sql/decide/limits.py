"""The limits of an allocation, read and evaluated over what is allocated: items or campaigns."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from ..answer.filters import items_of
from ..answer.query import Query
from ..errors import MorecError, nearest, shown
from ..source.checks import number
from ..source.expressions import evaluated, expression
from ..udfs.decide.candidates import Flags, Limit
from ..udfs.history import Doubles, Longs

ABOUT_LIMITS = (
    "what all lists together may take, by a name: {stock: 'stock'}, an expression over the items,"
    " for at most so many users of each, NULL for any number; {coupons: 500} for at most so many"
    " places in all lists; or a struct of most (a number, or an expression), per (a column or"
    " expression: at most that for each value of it), cost (an expression: what a place takes of"
    " it, 1 by default) and items (a predicate: which ones it is about), such as {budget: {most:"
    " 1000, cost: 'discount'}}"
)
ABOUT_MIN_PER = (
    "at least so many places in all lists for each value of a column or expression, as {brand: 20},"
    " or for some of its values, as {brand: {Acme: 50}}"
)


@dataclasses.dataclass(frozen=True)
class Named:
    """A limit, and what its groups are called: a value of an expression, or an item's id."""

    limit: Limit
    groups: pa.Array


class Over(Protocol):
    """What limits are about: ids are those of the things that are listed; one is what each is.

    there says which may be listed at all, shape (n,).
    """

    one: str

    @property
    def ids(self) -> pa.Array:
        """As texts."""

    @property
    def there(self) -> Flags:
        """Which may be listed at all, shape (n,)."""

    def values(self, argument: str, text: Any, wanted: str, kind: str) -> Any:
        """The values of an expression for each of them.

        Args:
            argument: what it came as.
            text: what the user wrote.
            wanted: as of source.expressions.expression.
            kind: the SQL type of the values.

        Returns:
            an Arrow array, NULL where there is none; of truth values a NumPy one, then false.

        Raises:
            MorecError: it cannot be evaluated.
        """


@dataclasses.dataclass
class OverItems:
    """The items of a recommender."""

    query: Query
    one: str = "item"

    @property
    def ids(self) -> pa.Array:
        """As texts."""
        return self.query.recommender.item_ids

    @property
    def there(self) -> Flags:
        """Which are recommended."""
        return self.query.recommender.listed

    def values(self, argument: str, text: Any, wanted: str, kind: str) -> Any:
        """As of Over."""
        with self.query.connect() as con:
            items = items_of(con, self.query.name)
            written = expression(con, argument, text, items, wanted=wanted)
        with evaluated(argument, text):
            return self.query.values([f"CAST(({written}) AS {kind})"])[0]


def limits_of(over: Over, limits: Any, min_per: Any) -> list[Named]:
    """Read the arguments limits and min_per of a query, as JSON has them.

    Raises:
        MorecError: one of them is wrong.
    """
    for argument, given in (("limits", limits), ("min_per", min_per)):
        if given is not None and (not isinstance(given, dict) or not given):
            raise MorecError(
                f"{argument}: a struct by name is needed, such as"
                f" {'{stock: 100}' if argument == 'limits' else '{brand: 20}'}, not {shown(given)}"
            )
    found = [_most(over, name, one) for name, one in (limits or {}).items()]
    found += [_least(over, key, one) for key, one in (min_per or {}).items()]
    # of no item is nothing
    return [one for one in found if len(one.groups)]


def _most(over: Over, name: str, given: Any) -> Named:
    """A limit of what is allowed."""
    if isinstance(given, str):
        most = _numbers(over, f"limits: {name}", given)
        finite = np.isfinite(most)
        items = np.flatnonzero(finite)
        group = np.where(finite, np.cumsum(finite) - 1, -1)
        ids = over.ids.take(pa.array(items))
        return Named(Limit(name, group, np.ones(len(group)), np.floor(most[items])), ids)
    fields = given if isinstance(given, dict) else {"most": given}
    some = f"{over.one}s"
    known = ("most", "per", "cost", some)
    for field in fields:
        if field not in known:
            raise MorecError(f"limits: {name}: unknown field {field!r}; {nearest(field, known)}")
    if fields.get("most") is None:
        raise MorecError(f"limits: {name}: the field most, a number or an expression, is missing")
    size = len(over.ids)
    group, values = _groups(over, f"limits: {name}", fields.get("per"))
    if fields.get(some) is not None:
        kept = over.values(f"limits: {name}", fields[some], "predicate", "BOOLEAN")
        group = np.where(np.asarray(kept, bool), group, -1)
    cost = np.ones(size)
    if fields.get("cost") is not None:
        cost = _numbers(over, f"limits: {name}", fields["cost"])
        unknown = np.flatnonzero(~np.isfinite(cost) & (group >= 0))
        if len(unknown):
            raise MorecError(
                f"limits: {name}: {shown(fields['cost'])} is NULL for the {over.one}"
                f" {over.ids[int(unknown[0])]}, where a number from 0 on is needed"
            )
        # what costs nothing is not limited
        group = np.where(cost > 0, group, -1)
    most = fields["most"]
    if isinstance(most, str):
        each = _numbers(over, f"limits: {name}", most)
        limited = np.isfinite(each) & (group >= 0)
        bound = np.full(len(values), np.inf)
        np.minimum.at(bound, group[limited], each[limited])
        # where an expression gives no number there is no limit
        group = np.where((group >= 0) & np.isfinite(np.append(bound, np.inf)[group]), group, -1)
        bound = np.where(np.isfinite(bound), bound, 0)
    else:
        bound = np.full(len(values), number(f"limits: {name}", most, 0))
    return Named(Limit(name, group, np.where(group >= 0, cost, 1.0), bound), values)


def _least(over: Over, key: str, given: Any) -> Named:
    """A limit of what is to be reached."""
    argument = f"min_per: {key}"
    group, values = _groups(over, argument, key)
    if isinstance(given, dict):
        names = values.to_pylist()
        bound = np.zeros(len(names))
        for value, least in given.items():
            if value not in names:
                hint = nearest(value, [str(name) for name in names])
                raise MorecError(f"{argument}: no item has the value {value!r}; {hint}")
            bound[names.index(value)] = number(argument, least, 0)
    else:
        bound = np.full(len(values), number(argument, given, 0))
    # what is not recommended to anybody cannot be reached
    there = np.bincount(group[over.there & (group >= 0)], minlength=len(values)) > 0
    return Named(Limit(key, group, np.ones(len(group)), np.where(there, bound, 0), True), values)


def _groups(over: Over, argument: str, per: Any) -> tuple[Longs, pa.Array]:
    """The number of each item's group, -1 without one, and the values that they are of."""
    if per is None:
        everything = pa.nulls(1, pa.string())
        return np.zeros(len(over.ids), np.int64), everything
    found = over.values(argument, per, "category", "VARCHAR").dictionary_encode()
    group = found.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return group, found.dictionary


def _numbers(over: Over, argument: str, text: Any) -> Doubles:
    """The values of an expression by item, from 0 on; NaN where there is none."""
    found = over.values(argument, text, "number", "DOUBLE")
    out: Doubles = found.to_numpy(zero_copy_only=False).astype(np.float64)
    bad = np.flatnonzero(out < 0)
    if len(bad):
        raise MorecError(
            f"{argument}: {shown(text)} is {out[bad[0]]:g} for the {over.one}"
            f" {over.ids[int(bad[0])]}, where a number from 0 on is needed, such as"
            f" greatest({text}, 0)"
        )
    return np.where(np.isfinite(out), out, np.nan)
