"""From tables to a model; writes nothing to the user's database."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from ..catalog.objectives import Objective, declared, default_weights
from ..catalog.values import Items
from ..errors import MorecError
from ..progress import Progress, Stage, Stages
from ..source.arguments import Arguments
from ..source.left_out import Counted, left_out
from ..source.losses import combination
from ..source.relevance import options_of
from ..source.source import Source, resolve
from ..templates import identifier
from ..udfs.history import NO_LABELS, Clock, History, Longs
from ..udfs.ranking.catalogue import Catalogue, Selection, likeness_of
from ..udfs.ranking.contending import contenders
from ..udfs.ranking.likeness import Scale
from ..udfs.relevance.content import Content
from ..udfs.relevance.model import OF_FRIENDS, OF_LABELS, OF_SHOWN, RelevanceModel
from ..udfs.relevance.sample import Sample
from ..udfs.relevance.training import fit
from .beside import Beside, read_beside
from .channels import read_weighed
from .check import checked, report, say
from .context import weighed_context
from .graphs import read_item_graph, read_user_graph
from .impressions import read_impressions
from .objectives import Values, exposure_of, relevance_unit, standardised, unit_share
from .reading import (
    embed_items,
    index_events,
    listed_items,
    load_catalogue,
    read_vectors,
)
from .windows import REPEAT_SHARE, clock_of, repeated, signals_of, windows_of

if TYPE_CHECKING:
    import numpy.typing as npt


READ = "events: "  # the counts of events begin so


@dataclasses.dataclass
class Trained:
    """A recommender in memory, before it is written anywhere.

    con holds the temporary tables morec_users, morec_items and morec_events, from which the model
    was trained; listed says which items are recommended, shape (items,); text_id is the text of
    each item, -1 without one.
    """

    con: duckdb.DuckDBPyConnection
    source: Source
    clock: Clock
    counted: Counted
    history: History
    users: int
    items: int
    model: RelevanceModel
    listed: npt.NDArray[np.bool_]
    objectives: list[Objective]
    default_weights: list[float]
    values: Values
    scale: Scale
    texts: list[str]
    embeddings: npt.NDArray[np.float32]
    text_id: npt.NDArray[np.int64]
    content: list[Content]
    beside: Beside
    stages: list[Stage]

    @functools.cached_property
    def catalogue(self) -> Catalogue:
        """The recommender, ready to score."""
        kinds = [objective.kind for objective in self.objectives]
        return Catalogue(
            self.model, kinds, self.values.columns, self.embeddings, self.text_id, self.scale
        )

    @functools.cached_property
    def recommended(self) -> Selection | None:
        """The items that are recommended; None for all."""
        return self.catalogue.listed(self.listed)

    def some(self, items: Longs) -> Selection | None:
        """Those of some items, sorted, that are recommended; None where none is."""
        kept = items[self.listed[items]]
        return self.catalogue.only(kept) if len(kept) else None

    @property
    def exclude_seen(self) -> bool:
        """Whether lists leave out what is known, since hardly anyone does the same thing twice."""
        return bool(self.model.chosen["repeat_share"] < REPEAT_SHARE)


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
    source = resolve(con, catalog, schema, dataclasses.replace(arguments, channel_weights=None))
    if until is not None:
        source = source.before(until)
    listed = declared(con, arguments.objectives, source)
    weights = default_weights(arguments.weights, listed)
    options = options_of(arguments.relevance, arguments.dimensions)
    combine = combination(arguments.combine, [loss for loss, _ in source.losses])
    with Progress() as progress:
        stages = Stages(progress)
        with stages.stage("read") as done:
            counted = left_out(con, source, stages)
            load_catalogue(con, source, listed)
            recommended = listed_items(con, source, stages)
            users, items, events = index_events(con, source, stages, source.channels.numbered)
            beside = read_beside(con, source, events, items)
            done(events)
        if not events:
            if until is not None or not items or _of_events(stages):
                raise _without_events(arguments, until, stages)
            stages.rows.append((f"{READ}none yet, lists go by content and objectives", 0, None))
            users = 1  # someone unknown stands for all
        with stages.stage("embed") as done:
            texts, embeddings, text_id, fresh = embed_items(con, catalog, arguments, progress)
            sources = []
            if texts:
                sources.append(Content("text", embeddings, text_id, embeddings.mean(axis=0)))
            sources += read_vectors(con, source, stages)
            sources += read_item_graph(con, source, stages)
            done(fresh)
        with stages.stage("train") as done:
            source, of_events, wanted, of_channels = read_weighed(
                con, source, users, items, options, arguments.seed
            )
            clock = clock_of(of_events, source)
            history = of_events.history(clock, clock.now)
            friends = read_user_graph(con, source, clock, users, stages)
            impressions, places = read_impressions(con, source, clock, stages)
            history = dataclasses.replace(
                history, labels=beside.of_users, graph=friends, impressions=impressions
            )
            signals = signals_of(con, source, clock)
            windows = windows_of(con, source, clock, of_events, wanted)
            # where there is too little to learn from, what the rows say
            again = repeated(of_events) if clock.timeless else 1.0
            del of_events, wanted  # the windows may do with a part of them
            # a training up to some time is for what is measured after it
            judge = functools.partial(
                _told, beside, embeddings, text_id, arguments.seed if until is None else None
            )
            model = fit(
                history, users, items, sources, windows, signals, combine,
                options, arguments.seed,
                judge,
            )  # fmt: skip
            if not model.uses(OF_LABELS):
                history = dataclasses.replace(history, labels=NO_LABELS)
            if not model.uses(OF_FRIENDS):
                history = dataclasses.replace(history, graph=None)
            if not model.uses(OF_SHOWN):
                history = dataclasses.replace(history, impressions=None)
            contending = contenders(model, history, users)
            chosen = {"repeat_share": again, **model.chosen}
            if friends is not None and model.uses(OF_FRIENDS):
                chosen[OF_FRIENDS] = {**chosen[OF_FRIENDS], "mean": friends.mean}
            if model.uses(OF_SHOWN):
                chosen[OF_SHOWN] = {**chosen[OF_SHOWN], "places": places.tolist()}
            unit = relevance_unit(contending) * chosen.get("unit_share", 1.0)
            if clock.timeless or "repeat_share" in model.chosen:
                stages.rows.append((_of_known(chosen["repeat_share"]), items, None))
            if of_channels:
                chosen["of_channels"] = of_channels
            model = beside.with_context(dataclasses.replace(model, chosen=chosen, unit=unit))
            if until is None:
                report(stages, chosen.get("check"))
                beside.report(stages, chosen)
                if friends is not None:
                    say(stages, "user_graph", chosen.get(OF_FRIENDS))
                if impressions is not None:
                    say(stages, "impressions", chosen.get(OF_SHOWN))
                for name in source.channels.unweighed:
                    worth = of_channels.get(name)
                    say(
                        stages, f"channel {name}, weight {worth['weight'] if worth else 1:g}", worth
                    )
                for name, found in chosen.get("of_content", {}).items():
                    say(stages, name, found)
            for signal in signals:
                said = _of_loss(signal.name, model.chosen["losses"])
                stages.rows.append((said, len(signal.user), None))
            done(len(history))
        with stages.stage("objectives") as done:
            of_items = Items(
                con, items, history, clock.now, clock.half_lives[1],
                lambda: exposure_of(contending, items),
            )  # fmt: skip
            values = standardised(listed, of_items, contending.item)
            values.report(stages, items)
            kinds = [objective.kind for objective in listed]
            likeness = likeness_of(model, kinds, values.columns, embeddings, text_id)
            scale = likeness.among_contenders(contending.item)
            done(len(listed))
    return Trained(
        con, source, clock, counted, history, users, items, model, recommended, listed, weights,
        values, scale, texts, embeddings, text_id, sources, beside, stages.rows,
    )  # fmt: skip


def _told(
    beside: Beside,
    embeddings: npt.NDArray[np.float32],
    text_id: npt.NDArray[np.int64],
    seed: int | None,
    sample: Sample,
    model: RelevanceModel,
) -> dict[str, Any]:
    """The unit of relevance on a sample; with a seed a check beside baselines, and contexts."""
    told: dict[str, Any] = {"unit_share": unit_share(sample, model, embeddings, text_id)}
    if seed is not None:
        told["check"] = checked(sample, model, seed)
        told |= weighed_context(beside, sample, model)
    return told


def _without_events(arguments: Arguments, until: str | None, stages: Stages) -> MorecError:
    """What is said where no event counts."""
    if until is not None:
        return MorecError(f"test_from: no event that counts comes before {until}")
    of_events = ", ".join(f"{rows:,} {what}" for what, rows in _of_events(stages).items())
    return MorecError(
        f"events: {arguments.events!r} has no usable event, with a user, an item, a finite time and"
        f" a weight above 0: {of_events or 'it has no row'}"
    )


def _of_events(stages: Stages) -> dict[str, int]:
    """How many events there are of each kind."""
    return {what.removeprefix(READ): rows for what, rows, _ in stages.rows if what.startswith(READ)}


def _of_known(repeat_share: float) -> str:
    """What a stage says of known items."""
    said = "left out of lists" if repeat_share < REPEAT_SHARE else "listed"
    return f"known items: {repeat_share:.1%} of what users do, {said}"


def _of_loss(name: str, losses: dict[str, float]) -> str:
    """What a stage says of a loss."""
    if name not in losses:
        return f"loss {name}: nothing to learn or weight 0, it has no effect"
    return f"loss {name}: {losses[name]:.3f} of what it was, for users held out"
