"""How much the events of a channel count: read, and weighed by what they say of what came next."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from ..source.source import Source
from ..udfs.history import Events, Window
from ..udfs.relevance.choice import Options
from ..udfs.relevance.training import weigh_channels
from .reading import read_events
from .windows import clock_of, windows_of

if TYPE_CHECKING:
    import numpy.typing as npt


def read_weighed(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    users: int,
    items: int,
    options: Options,
    seed: int,
) -> tuple[Source, Events, npt.NDArray[np.bool_], dict[str, Any]]:
    """The events by the weights of their channels, of which those that none has been given learn.

    Args:
        con: with the temporary table of the events, which has the number of their channel.
        source: the user's tables.
        users: number of users.
        items: number of items.
        options: what is tried of each setting of relevance.
        seed: of all that is random.

    Returns:
        the tables with these weights, the distinct events, which of them are wanted, and what the
        weight of each channel is worth.
    """
    channels = source.channels
    events, wanted, channel = read_events(con, channels.numbered)
    if not len(channel):
        return source, events, wanted, {}

    def weighed(weights: dict[str, float]) -> Events:
        factor = np.array([weights.get(name, 1.0) for name in channels.names], np.float32)
        return dataclasses.replace(events, weight=events.weight * factor[channel])

    def window(weights: dict[str, float]) -> Window:
        mine = weighed(weights)
        return next(windows_of(con, source, clock_of(mine, source), mine, wanted))

    # what there is most of says least of one event
    count = np.bincount(channel, minlength=len(channels.names))
    names = [channels.names[place] for place in np.argsort(-count, kind="stable")]
    unweighed = [name for name in names if name in channels.unweighed]
    weights, told = weigh_channels(unweighed, window, users, items, options, seed)
    return source.weighing(weights), weighed(weights), wanted, told
