"""what_if: the smallest changes that take an item out of a list.

History items are taken out one by one, those that add most to the item's score first, until it is
gone; then put back where it stays gone without them (in the manner of PRINCE, Ghazimatin et al.
2020). Each weight is changed alone. Every change is tried: the list is ranked anew with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from ..errors import MorecError
from ..registry import Argument
from ..udfs.history import Longs
from .explain import item_macro, item_udf, reasons_of
from .query import Query
from .ranked import Asked
from .recommend import USER

COLUMNS = {
    "change": "VARCHAR",
    "name": "VARCHAR",
    "was": "DOUBLE",
    "becomes": "DOUBLE",
    "instead": "VARCHAR",
}
NEAREST, FURTHEST = 0.02, 8.0  # changes of a weight, of the largest one, that are tried
HALVINGS = 7  # between a change that is too small and one that is enough

item_macro(
    "what_if",
    "The smallest changes that take an item out of a user's list: history items left out together,"
    " or one weight changed.",
    USER,
    "user",
    Argument("most", "how many items of the history may be left out", "20"),
    "morec_what_if",
    {
        "change": "without, for an item of the history that is left out (all of them together), or"
        " weight, for one that is changed alone",
        "name": "the item or the objective",
        "was": "what the history item added to the score, or the weight",
        "becomes": "0, or the weight with which the item is gone",
        "instead": "the item that comes into the list",
    },
)


def _rows(
    query: Query, asked: Asked, row: int, item: int, most: int
) -> Iterator[tuple[str, str, float, float, str | None]]:
    """The rows of one user."""
    rows = np.array([row])
    history = asked.history.of_users(rows, asked.users)
    ids = query.recommender.item_ids

    def name(item: int) -> str:
        return str(ids[item].as_py())

    batch = asked.batch(rows)
    listed = np.zeros(0, np.int64) if batch is None else asked.ranked(rows, batch).item[0]
    if batch is None or item not in listed:
        raise MorecError(f"item_id: {name(item)} is not in the list, so nothing takes it out")

    def without(pairs: Longs) -> Longs:
        """The list where some pairs of the history are left out."""
        kept = np.ones(len(history), bool)
        kept[pairs] = False
        fewer = asked.batch(rows, history.take(kept))
        assert fewer is not None  # the same items may be listed
        (mine,) = asked.ranked(rows, fewer).item
        return np.asarray(mine)

    def instead(others: Longs) -> str | None:
        new = [int(other) for other in others if other >= 0 and other not in listed]
        return name(new[0]) if new else None

    # what each item of the history adds to the score of the item, at its place in the list
    added: Counter[int] = Counter()
    for reason in reasons_of(asked, row, batch, listed, item):
        if reason.kind in ("history item", "content", "repeat"):
            added[reason.item] += reason.contribution  # type: ignore[assignment]
    pairs = [pair for pair in np.argsort([-added[of] for of in history.item.tolist()])]
    pairs = [int(pair) for pair in pairs if added[int(history.item[pair])] > 0][:most]
    left_out = _fewest(pairs, lambda some: item not in without(some))
    if left_out is not None:
        comes = instead(without(left_out))
        for pair in left_out:
            of = int(history.item[pair])
            yield "without", name(of), added[of], 0.0, comes
    weights = asked.weights[row]
    scale = float(np.abs(weights).max()) or 1.0
    for position, objective in enumerate(asked.names[: asked.declared]):

        def by(weight: float, position: int = position) -> Longs:
            changed = weights.copy()
            changed[position] = weight
            (mine,) = asked.ranked(rows, batch, changed[None]).item
            return np.asarray(mine)

        was = float(weights[position])
        becomes = _smallest(was, scale, lambda weight: item not in by(weight))
        if becomes is not None:
            yield "weight", objective, was, becomes, instead(by(becomes))


def _fewest(pairs: list[int], enough: Callable[[Longs], bool]) -> Longs | None:
    """The first few that are enough, without those that are not needed; None where all are not."""
    for count in range(1, len(pairs) + 1):
        if enough(np.array(pairs[:count])):
            break
    else:
        return None
    chosen = pairs[:count]
    for pair in pairs[: count - 1]:
        fewer = [one for one in chosen if one != pair]
        if enough(np.array(fewer)):
            chosen = fewer
    return np.array(chosen)


def _smallest(was: float, scale: float, enough: Callable[[float], bool]) -> float | None:
    """The value nearest to what was that is enough; None where none tried is.

    What was not below 0 stays so, and what was not above it.
    """
    low, high = 0.0 if was >= 0 else -np.inf, 0.0 if was < 0 else np.inf
    change = NEAREST * scale
    while change <= FURTHEST * scale:
        for end in (max(was - change, low), min(was + change, high)):
            if end != was and enough(end):
                near, far = was, end
                for _ in range(HALVINGS):
                    middle = (near + far) / 2
                    near, far = (near, middle) if enough(middle) else (middle, far)
                return far
        change *= 2
    return None


item_udf("morec_what_if", COLUMNS, _rows)
