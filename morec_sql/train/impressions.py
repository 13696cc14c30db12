"""What users were shown before, and how much of it their not taking it says."""

from __future__ import annotations

import duckdb
import numpy as np

from ..answer.impressions import ENOUGH, impressions
from ..errors import MorecError
from ..progress import Stages
from ..source.impressions import MOST_PLACES
from ..source.source import Source
from ..templates import first_row, sql
from ..udfs.evidence import Impressions
from ..udfs.history import Clock, Floats


def read_impressions(
    con: duckdb.DuckDBPyConnection, source: Source, clock: Clock, stages: Stages
) -> tuple[Impressions | None, Floats]:
    """What users were shown before the end of the training, and the weight of each place.

    Nothing where no table of it is declared.

    Args:
        con: with the temporary tables of the users and items.
        source: the user's tables.
        clock: by which impressions age.
        stages: where what is left out is counted.
    """
    shown = source.impressions
    if shown is None:
        return None, np.ones(1, np.float32)
    row = first_row(con, sql("source/impressions_report", shown=shown.sql, usable=shown.usable))
    assert row is not None
    query = sql("train/impressions", shown=shown.sql, usable=shown.usable)
    columns = con.execute(query).fetchnumpy()
    user, item = (np.asarray(columns[name], np.int32) for name in ("user", "item"))
    stages.rows.append(("impressions: of users and items with events", len(user), None))
    stages.count("impressions: left out, without a user, an item or a finite time", row[1])
    stages.count("impressions: of others", row[0] - row[1] - len(user))
    weight = _places(con, source)
    place = np.asarray(columns["place"], np.int64)
    time = np.asarray(columns["time"], np.float64)
    lives = np.array(clock.half_lives, np.float32)
    return Impressions(user, item, time, weight[place - 1], lives, clock.now), weight


def _places(con: duckdb.DuckDBPyConnection, source: Source) -> Floats:
    """How much not being taken says at each place of a list, from the first on; at most 1.

    It is the odds of being taken there beside those at the first, all else alike: what nobody looks
    at nobody passes over. All places say as much where there is too little to learn from.
    """
    shown = source.impressions
    assert shown is not None
    out = np.ones(MOST_PLACES if shown.placed else 1, np.float32)
    if shown.placed:
        events = f"(SELECT * FROM ({source.events_raw}) AS _c WHERE {source.usable})"
        try:
            odds = impressions(con, events, shown.parts, most=ENOUGH).of["place"].sure
        except MorecError:
            return out
        out[: len(odds)] = np.exp(np.minimum(odds, 0))
        # lists were never so long
        out[len(odds) :] = out[len(odds) - 1]
    return out
