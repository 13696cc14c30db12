"""Trains the relevance model: what is chosen and learnt on windows of time."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..history import History, Signal, Window
from . import repeats
from .choice import (
    ENOUGH,
    Options,
    choose,
    first_of,
    likeness,
    weigh_content,
    within_reach,
)
from .content import Content, features_of
from .labels import FOLDS
from .model import RelevanceModel
from .parts import weighed
from .sample import VALIDATION_USERS, Sample, better, compared
from .trainer import Trainer

CHANNEL_WEIGHTS = (0.3, 0.1, 0.03)  # that are tried
MIN_POSITIVES = 50  # validation pairs below which the fixed combination is used


def fit(
    history: History,
    users: int,
    items: int,
    sources: list[Content],
    windows: Iterable[Window],
    signals: list[Signal],
    combine: str | list[float],
    options: Options,
    seed: int,
    judge: Callable[[Sample, RelevanceModel], dict[str, Any]] | None = None,
) -> RelevanceModel:
    """Train the relevance model.

    Args:
        history: all pairs as of now, and the labels of users.
        users: number of users.
        items: number of items in the catalogue.
        sources: what items are like, such as by their texts.
        windows: windows of time to learn from, the latest first, of which each is used before the
            next is asked for; or folds held out. Without any that has enough pairs the parts have
            fixed weights.
        signals: what was observed, for the losses to train by; none leaves the closed form.
        combine: how the losses are combined, as in losses.train.
        options: what is tried of each setting, as choice.OPTIONS.
        seed: of all that is random.
        judge: what else is to be told of the model before the latest window, from what came in it;
            joins what was chosen.
    """
    options = within_reach(options, history, users, items)
    # what labels add to a user is learnt from others, or the own history would speak for them
    known = history.labels.in_folds(FOLDS) if len(history.labels) else history.labels
    beside = {"labels": known, "graph": history.graph, "impressions": history.impressions}
    samples = (
        Sample(window, users, items, seed)
        for window in (_returning(window, beside) for window in windows)
        if len(window.user) >= MIN_POSITIVES
    )
    # untrained: likeness first, then popularity, whoever the user is
    unknown = np.zeros((5, 5), np.float32)
    unknown[0] = 10.0, 0.5, 0.25, 0.25, 0.0
    again = repeats.untrained()
    first = next(samples, None)
    of_content: dict[str, Any] = {"content_weights": [1.0] * len(sources)}
    if first is not None:
        of_content = weigh_content(sources, first)
    features = features_of(sources, of_content["content_weights"])
    trainer = Trainer(users, items, features, combine, seed)
    if first is None:
        chosen = first_of(options) | of_content
        model = trainer.model(history, chosen, (unknown, None, 1), again, signals)
        return dataclasses.replace(model, fold_in=trainer.fold_in(history, chosen))
    # earlier windows of time are made when their turn comes: they say less of what is next
    together = [first] if first.timed else [first, *samples]
    chosen = choose(trainer, together, options)
    chosen |= {"repeat_share": first.repeat_share(), **of_content}
    latest = trainer.model(first.past, chosen, (unknown, None, 1), again, first.signals())
    latest = weighed(first, latest)
    parts = latest.unknown, latest.cold, latest.few
    chosen = latest.chosen
    design = latest.of_users(first.whole, first.users).design
    designs, labels = [design], [first.repeated()]
    # of the others only the likeness of known items is needed, for which few columns do
    settings = {**chosen, "neighbour_weight": 0.0, "rank": options["rank"][0]}
    for sample in itertools.chain(together[1:], samples):
        model = trainer.model(sample.past, settings, parts, again, [])
        designs.append(model.of_users(sample.whole, sample.users).design)
        labels.append(sample.repeated())
    model = trainer.model(history, chosen, parts, again, signals)
    model = dataclasses.replace(model, fold_in=trainer.fold_in(history, chosen))
    again = repeats.fit(designs, labels, design, seed)
    if judge is not None:
        told = judge(first, dataclasses.replace(latest, repeats=again))
        model = dataclasses.replace(model, chosen={**model.chosen, **told})
    some = some_users(users, VALIDATION_USERS)
    now = model.of_users(history.of_users(some, users), len(some)).design
    return dataclasses.replace(model, repeats=again.standardised_by(now))


def weigh_channels(
    channels: Sequence[str],
    window: Callable[[dict[str, float]], Window],
    users: int,
    items: int,
    options: Options,
    seed: int,
) -> tuple[dict[str, float], dict[str, Any]]:
    """What the events of channels count, and what that is worth; a channel counts 1 or less.

    Channels are tried one after the other, each with ever smaller weights for as long as lists of
    the low rank get clearly better.

    Args:
        channels: their names, in the order in which they are tried.
        window: the latest window, or what is held out, where channels have such weights.
        users: number of users.
        items: number of items in the catalogue.
        options: what is tried of each setting, as choice.OPTIONS.
        seed: of all that is random.

    Returns:
        the weights that are not 1, and what they are worth; nothing where too little is held out.
    """

    def ndcg(weights: dict[str, float]) -> npt.NDArray[np.float64]:
        latest = _returning(window(weights), {})
        if len(latest.user) < MIN_POSITIVES:
            return np.zeros(0)
        sample = Sample(latest, users, items, seed)
        return likeness(Trainer(users, items, None, "", seed), sample, options)

    weights: dict[str, float] = {}
    told: dict[str, Any] = {}
    best = ndcg(weights)
    for channel in channels if len(best) >= ENOUGH else ():
        tried: list[tuple[npt.NDArray[np.float64], float]] = []
        for weight in CHANNEL_WEIGHTS:
            found = ndcg({**weights, channel: weight})
            if tried and not better(found, tried[-1][0]):
                break
            tried.append((found, weight))
            if not better(found, best):
                break
        found, weight = tried[-1]
        told[channel] = compared("lists by its weight", found, best)
        if told[channel]["used"]:
            best, weights = found, {**weights, channel: weight}
        told[channel]["weight"] = weights.get(channel, 1.0)
    return weights, told


def some_users(users: int, count: int) -> npt.NDArray[np.int64]:
    """At most `count` of `users` users, spread evenly."""
    count = min(users, count)
    return np.arange(count) * users // count


def _returning(window: Window, beside: dict[str, Any]) -> Window:
    """The pairs of the window whose users have a history before it, with what is known beside."""
    known = np.isin(window.user, window.past.user)
    impressions = beside.get("impressions")
    if impressions is not None:
        # of events held out at random nobody knows what was shown before them
        impressions = impressions.before(window.since) if window.timed else None
    past = dataclasses.replace(window.past, **{**beside, "impressions": impressions})
    return dataclasses.replace(window, past=past, user=window.user[known], item=window.item[known])
