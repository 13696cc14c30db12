"""What SQL passes of a list in one text, and histories without what it switches off."""

from __future__ import annotations

import dataclasses
import functools
import json
from typing import Any

import numpy as np

from ..errors import MorecError, shown
from ..source.checks import sources, whole_number
from ..udfs.history import History
from ..udfs.ranking.constraints import KINDS
from .recommender import Recommender

# sources beside the events, that a query can do without
SOURCES = ("user_features", "user_graph", "impressions", "context")
EVIDENCE = {"user_graph": "friends", "impressions": "shown"}  # what of a history comes from them


@dataclasses.dataclass(frozen=True)
class Limits:
    """What SQL passes of a list in one text: constraints, rules and context as JSON, and others.

    of_rules is the sum over the table of rules, as asked.sql makes it; None where it is not known.
    """

    constraints: str | None
    rules: str
    context: str
    explore: float
    seed: int | None
    without: tuple[str, ...]
    user: str | None
    of_rules: int | None


def limits_of(text: str | None) -> Limits:
    """Read what SQL passes: a sum of the rules, JSON and, behind a line break, the user.

    Nothing of it has to be there.
    """
    given, _, user = (text or "").partition("\n")
    return dataclasses.replace(_limits_alike(given), user=user or None)


@functools.lru_cache(maxsize=1024)
def _limits_alike(text: str) -> Limits:
    of_rules, brace, rest = text.partition("{")
    given = json.loads(brace + rest) if brace else {}
    constraints = {kind: given[kind] for kind in KINDS if given.get(kind) is not None}
    return Limits(
        json.dumps(constraints) if constraints else None,
        json.dumps(given.get("rules")),
        json.dumps(given.get("context")),
        _share(given.get("explore")),
        None if given.get("seed") is None else whole_number("seed", given["seed"], 0),
        sources("without", given.get("without"), SOURCES),
        None,
        int(of_rules) if of_rules else None,
    )


def _share(given: Any) -> float:
    """The argument explore."""
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if given is not None and not (is_number and 0 <= given <= 1):
        raise MorecError(f"explore: {shown(given)} is not a share from 0 to 1")
    return float(given or 0)


def switched_off(history: History, limits: list[Limits], recommender: Recommender) -> History:
    """The histories of users without the sources that their lists are to do without."""
    named = {source for one in limits for source in one.without}
    labels, others = history.labels, {}
    for source in named:
        without = np.array([source in one.without for one in limits])
        if source in EVIDENCE:
            number = np.where(without, -1, np.arange(len(limits), dtype=np.int32))
            others[EVIDENCE[source]] = getattr(history, EVIDENCE[source]).of_users(number)
            continue
        in_context = recommender.catalogue.model.in_context(labels.label)
        kept = ~without[labels.user] | (in_context != (source == "context"))
        labels = dataclasses.replace(labels, user=labels.user[kept], label=labels.label[kept])
    return dataclasses.replace(history, labels=labels, **others) if named else history
