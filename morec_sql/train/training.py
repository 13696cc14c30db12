"""From tables to a model; writes nothing to the user's database."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

import duckdb
import numpy as np

from ..catalog.objectives import Objective, declared, default_weights
from ..catalog.values import Items
from ..errors import MorecError
from ..progress import Progress, Stage, Stages
from ..source.arguments import Arguments
from ..source.left_out import left_out
from ..source.losses import combination
from ..source.source import Source, resolve
from ..templates import identifier
from ..udfs.history import Clock, History
from ..udfs.ranking.catalogue import Catalogue
from ..udfs.relevance.model import RelevanceModel
from ..udfs.relevance.training import fit
from .objectives import Values, exposure_of, relevance_unit, standardised
from .reading import embed_items, index_events, load_catalogue, read_events
from .windows import clock_of, signals_of, windows_of

if TYPE_CHECKING:
    import numpy.typing as npt

REPEAT_SHARE = 0.05  # of validation pairs; below it recommend leaves out what is known


@dataclasses.dataclass
class Trained:
    """A recommender in memory, before it is written anywhere.

    con holds the temporary tables morec_users, morec_items and morec_events, from which the model
    was trained; text_id is the text of each item, -1 without one.
    """

    con: duckdb.DuckDBPyConnection
    source: Source
    clock: Clock
    weight_cap: float
    history: History
    users: int
    items: int
    model: RelevanceModel
    objectives: list[Objective]
    default_weights: list[float]
    values: Values
    texts: list[str]
    embeddings: npt.NDArray[np.float32]
    text_id: npt.NDArray[np.int64]
    stages: list[Stage]

    @functools.cached_property
    def catalogue(self) -> Catalogue:
        """The recommender, ready to score."""
        kinds = [objective.kind for objective in self.objectives]
        return Catalogue(self.model, kinds, self.values.columns, self.embeddings, self.text_id)

    @property
    def exclude_seen(self) -> bool:
        """Whether lists leave out what is known, since hardly anyone buys the same thing twice."""
        return not self.source.has_time or self.model.chosen["repeat_share"] < REPEAT_SHARE


def train(
    con: duckdb.DuckDBPyConnection,
    catalog: str,
    schema: str,
    arguments: Arguments,
    until: str | None = None,
) -> Trained:
    """Read, embed and train; nothing is written to the database.

    Args:
        con: a connection of its own, whose temporary tables the training may use.
        catalog: the database of the recommender.
        schema: where unqualified table names are looked up first.
        arguments: as given in SQL.
        until: a timestamp; events from it on are left out.

    Raises:
        MorecError: an argument is wrong.
    """
    con.execute(f"USE {identifier(catalog)}")
    source = resolve(con, catalog, schema, arguments)
    if until is not None:
        source = source.before(until)
    listed = declared(con, arguments.objectives, source)
    weights = default_weights(arguments.weights, listed)
    combine = combination(arguments.combine, [loss for loss, _ in source.losses])
    with Progress() as progress:
        stages = Stages(progress)
        with stages.stage("read") as done:
            cap = left_out(con, source, stages)
            load_catalogue(con, source, listed)
            users, items, events = index_events(con, source, stages)
            done(events)
        if not events:
            raise MorecError(
                f"events: {arguments.events!r} has no usable event (ids present,"
                " a finite time, a positive weight)"
            )
        with stages.stage("embed") as done:
            texts, embeddings, text_id, fresh = embed_items(con, catalog, arguments, progress)
            done(fresh)
        with stages.stage("train") as done:
            of_events, wanted = read_events(con)
            clock = clock_of(of_events, source)
            history = of_events.history(clock, clock.now)
            signals = signals_of(con, source, clock)
            windows = windows_of(con, source, clock, of_events, wanted)
            del of_events, wanted  # the windows may do with a part of them
            model = fit(
                history, users, items, _features(embeddings, text_id), windows, signals, combine,
                arguments.dimensions, arguments.seed,
            )  # fmt: skip
            model = dataclasses.replace(model, unit=relevance_unit(model, history, users))
            for signal in signals:
                said = _of_loss(signal.name, model.chosen["losses"])
                stages.rows.append((said, len(signal.user), None))
            done(len(history))
        with stages.stage("objectives") as done:
            of_items = Items(
                con, items, history, clock.now, clock.half_lives[1],
                lambda: exposure_of(model, history, users),
            )  # fmt: skip
            values = standardised(listed, of_items)
            values.report(stages, items)
            done(len(listed))
    return Trained(
        con, source, clock, cap, history, users, items, model, listed, weights, values,
        texts, embeddings, text_id, stages.rows,
    )  # fmt: skip


def _features(
    embeddings: npt.NDArray[np.float32], text_id: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32] | None:
    """The centred embedding of each item's text, 0 without one; None where there is no text."""
    if not len(embeddings):
        return None
    centred = embeddings[text_id] - embeddings.mean(axis=0)
    return np.where((text_id >= 0)[:, None], centred, 0).astype(np.float32)


def _of_loss(name: str, losses: dict[str, float]) -> str:
    """What a stage says of a loss."""
    if name not in losses:
        return f"loss {name}: nothing to learn or weight 0, it has no effect"
    return f"loss {name}: {losses[name]:.3f} of what it was, for users held out"
