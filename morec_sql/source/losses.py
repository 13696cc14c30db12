"""Losses that relevance is trained by: what of the events each one reads, as declared."""

from __future__ import annotations

import dataclasses
from importlib.util import find_spec
from typing import Any

import duckdb

from ..errors import MorecError, nearest
from ..udfs.relevance.losses import GRADIENT_METHODS, LOSSES, METHODS
from .checks import weights
from .expressions import call, expression
from .tables import Table


@dataclasses.dataclass(frozen=True)
class Loss:
    """A loss under its name: its kind, one of LOSSES, and the SQL over the events that it reads."""

    name: str
    kind: str
    sql: str


def declared(con: duckdb.DuckDBPyConnection, given: Any, events: Table) -> list[Loss]:
    """Read `losses`: a struct of names and calls, such as {'clicks': 'cross_entropy(clicked)'}."""
    if given is None:
        return []
    if not isinstance(given, dict) or not given:
        raise MorecError(
            f"losses: a struct {{name: 'loss(SQL)'}} is needed, not {given!r};"
            f" a loss is {', '.join(LOSSES)}"
        )
    if len({name.lower() for name in given}) < len(given):
        raise MorecError("losses: a name occurs twice; names differ in more than their case")
    found = []
    for name, text in given.items():
        argument = f"losses.{name}"
        called = call(argument, text, LOSSES)
        if called is None:
            function = str(text).split("(")[0].strip()
            raise MorecError(
                f"{argument}: {text!r} is not a call of a loss such as 'ranking(SQL)';"
                f" {nearest(function, LOSSES)}"
            )
        kind, argument_sql = called
        wanted = "number" if kind == "squared_error" else "predicate"
        written = expression(con, argument, argument_sql, events, wanted=wanted, every_row=True)
        found.append(Loss(name, kind, written))
    return found


def combination(given: Any, losses: list[Loss]) -> str | list[float]:
    """Read `combine`: how the losses are combined, one of METHODS or the weight of each loss."""
    if given is None:
        return METHODS[0]
    if not losses:
        raise MorecError(f"combine: {given!r} combines losses, but losses is not given")
    if isinstance(given, str):
        if given not in METHODS:
            raise MorecError(
                f"combine: {given!r} is not known; {nearest(given, METHODS)}"
                " (or a weight for each loss)"
            )
        if given in GRADIENT_METHODS and not find_spec("torchjd"):
            raise MorecError(
                f"combine: {given!r} needs a library; pip install 'morec_sql[gradients]'"
            )
        return given
    return weights(given, [loss.name for loss in losses], "combine", "loss", negative=False)


def wanted(losses: list[Loss]) -> str | None:
    """The predicate over the events that says what relevance is about; None where no loss says so.

    That is what the ranking losses rank first, or else what the cross-entropies expect.
    """
    for kind in ("ranking", "cross_entropy"):
        predicates = [f"({loss.sql})" for loss in losses if loss.kind == kind]
        if predicates:
            return " OR ".join(predicates)
    return None
