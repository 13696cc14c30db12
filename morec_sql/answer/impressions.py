"""What is learnt of a table of what was shown: how the chance that an item is taken falls."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import duckdb
import numpy as np

from ..errors import MorecError
from ..source.impressions import MOST_PLACES
from ..templates import arrow, first_row, literal, sql, type_of
from ..udfs.decide.fatigue import FEWEST, Levels, before, levels
from ..udfs.history import Doubles, Longs

MOST_TIMES = 6  # from which on levels are one
ENOUGH = 1_000_000  # impressions that lists learn from
DAYS, WITHIN = 7, 1  # of how many days earlier impressions count; within which items are taken


@dataclasses.dataclass(frozen=True)
class Impressions:
    """What was shown, and what came of it.

    Args:
        taken: of each impression, shape (n,).
        factors: the levels of each, from 0 on, by the factor: times, and place where it is known.
        of: what each level does.
    """

    taken: Doubles
    factors: dict[str, Longs]
    of: dict[str, Levels]

    @property
    def fatigue(self) -> Doubles:
        """What is added to the log-odds by how often an item was shown, shape (times,).

        It is what is sure of it, and never above 0: who is shown an item again may be who wants it.
        """
        return np.minimum(self.of["times"].sure, 0.0)


def impressions(
    con: duckdb.DuckDBPyConnection,
    events: str,
    parts: Mapping[str, str],
    days: int = DAYS,
    within: int = WITHIN,
    most: int | None = None,
) -> Impressions:
    """Learn from a table of what was shown.

    Args:
        con: where it is.
        events: as SQL, the table of the events, as the view of a recommender has them.
        parts: as SQL, the table and its columns user, item, at and, where there is one, place.
        days: of how many days before an impression earlier ones count.
        within: days within which an item is taken after it was shown.
        most: impressions that are read, of some users; all by default.

    Raises:
        MorecError: too little was taken of what was shown.
    """
    place = f"CAST(_s.{parts['place']} AS INTEGER)" if "place" in parts else "1"
    one_in = 1
    if most is not None:
        row = first_row(con, f"SELECT count(*) FROM {parts['table']}")
        assert row is not None
        one_in = max(1, -(-row[0] // most))
    query = sql(
        "answer/impressions",
        **{**parts, "place": place},
        events=events,
        user_type=type_of(con, "user_id", events),
        item_type=type_of(con, "item_id", events),
        days=literal(days),
        within=literal(within),
        one_in=str(one_in),
    )
    found = arrow(con, query)
    columns = {one: found.column(one).to_numpy() for one in found.column_names if one != "user_id"}
    taken = columns["taken"].astype(np.float64)
    if taken.sum() < FEWEST or taken.sum() > len(taken) - FEWEST:
        raise MorecError(
            f"impressions: of {len(taken)} that count {int(taken.sum())} were taken within {within}"
            f" days; at least {FEWEST} have to be, and as many not"
        )
    factors = {"times": np.minimum(columns["times"], MOST_TIMES).astype(np.int64)}
    if "place" in parts:
        where = np.nan_to_num(columns["place"].astype(np.float64), nan=1)
        factors["place"] = np.clip(where, 1, MOST_PLACES).astype(np.int64) - 1
    share = float(taken.mean())
    beside = [
        before(columns[f"taken_{of}"], columns[f"shown_{to}"], share)
        for of, to in (("by_user", "to_user"), ("of_item", "of_item"))
    ]
    of_factors = levels(taken, list(factors.values()), beside)
    return Impressions(taken, factors, dict(zip(factors, of_factors, strict=True)))
