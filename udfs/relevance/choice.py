"""Chooses the settings of the relevance model: those with the best lists on a sample."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from ..history import NO_DECAY, History, bounds
from .content import Content, content_axes, features_of, projected
from .model import user_vectors
from .neighbours import RIDGES as NEIGHBOUR_RIDGES
from .neighbours import affordable
from .sample import Sample, better, compared, mean
from .sparse import added
from .trainer import Trainer
from .trend import NO_TREND, TRENDS

Settings = dict[str, Any]
Options = dict[str, tuple[Any, ...]]

# each setting, and what is tried
OPTIONS: Options = {
    "half_life": (1, 2, NO_DECAY),
    "trend": TRENDS,
    # of the low rank: lambda in units of the largest squared singular value, and exponents of the
    # number of users by which items are divided in histories, and multiplied in lists
    "rank": (64, 256, 512),
    "ridge": (0.3, 0.1, 0.03, 0.01),
    "damping": ((0.0, 0.0), (0.25, 0.0), (0.5, 0.5)),
    # of the neighbours: their weight beside the low rank, and their lambda
    "neighbour_weight": (0.0, 0.5, 1.0, 2.0, 4.0),
    "neighbour_ridge": NEIGHBOUR_RIDGES,
    # beside likeness by behaviour; None where it is learnt with all that it depends on
    "content_weight": (None,),
    "popularity_weight": (None,),
}
FIRST = {
    "half_life": NO_DECAY,
    "trend": NO_TREND,
    "ridge": 0.03,
    "neighbour_ridge": NEIGHBOUR_RIDGES[1],
}
UNTIMED_DAMPING = (0.5, 0.5)  # is tried first where time does not say what comes next
BESIDE = 0.5  # the weight of neighbours beside which others are tried
# settings that are numbers in order, of which the next is tried from where that was better
CLIMBED = ("ridge", "neighbour_ridge", "neighbour_weight")
# of a source of content beside the first, other than 1; it is never left out, since what has no
# text is known by it alone
CONTENT_WEIGHTS = (0.1, 0.3, 3.0)
ALIKE = 1e-3  # of the mean weight of events
ENOUGH = 50  # users by whom weights of content are chosen
WORTH_IT = 1.01  # how much better a larger rank must be
PROMISING = 1.03  # how much better a rank must be than half of it for a larger one to be tried
# what a rank above the smallest may cost: pairs times rank, items times its square
MOST_PRODUCTS = 4_000_000_000
MOST_SQUARES = 60_000_000_000


def first_of(options: Options) -> Settings:
    """The settings that others are tried beside, and that are used where nothing can be tried."""
    return {
        name: FIRST[name] if name in FIRST and FIRST[name] in values else values[0]
        for name, values in options.items()
    }


def within_reach(options: Options, history: History, users: int, items: int) -> Options:
    """The options without what would take too long, or too much memory, on this much data.

    What is the only option of its setting stays.

    Args:
        options: as OPTIONS.
        history: all pairs that there are.
        users: number of users.
        items: number of items in the catalogue.
    """
    smallest, *larger = options["rank"]
    ranks = [
        rank
        for rank in larger
        if len(history) * rank <= MOST_PRODUCTS and items * rank**2 <= MOST_SQUARES
    ]
    weights = options["neighbour_weight"]
    if 0.0 in weights and not affordable(bounds(history.user, users), items):
        weights = (0.0,)
    return {**options, "rank": (smallest, *ranks), "neighbour_weight": weights}


def choose(trainer: Trainer, samples: list[Sample], options: Options) -> Settings:
    """The settings with the best nDCG of items new to the user, by likeness alone.

    They are chosen one after the other, each beside the best of the others: half-life and trend;
    how much popular items are divided down, and the ridges; the rank, with its ridge, beside
    neighbours, which make up for columns that are missing; then their weight. A
    setting stays what it is unless another is clearly better: what is held out at random, or some
    users did next, is not quite what all will do.

    Args:
        trainer: makes the models.
        samples: against what; of the same users.
        options: what is tried of each setting, as OPTIONS.
    """
    choice = _Choice(trainer, samples, options)
    found = {**choice.alone(samples[0]), "neighbour_weight": first_of(options)["neighbour_weight"]}
    if BESIDE in options["neighbour_weight"]:
        found["neighbour_weight"] = BESIDE
    # a decomposition for each damping: at the smallest rank they are cheap
    for name in ("damping", "ridge", "neighbour_ridge"):
        found = choice.best(found, name)
    for rank in options["rank"][1:]:
        if not choice.promising(found):
            break
        larger = choice.best({**found, "rank": rank}, "ridge")
        if mean(choice.ndcg(larger)) < WORTH_IT * mean(choice.ndcg(found)):
            break
        found = larger
    for name in ("neighbour_weight", "neighbour_ridge"):
        found = choice.best(found, name)
    return {**found, "validation_ndcg": mean(choice.ndcg(found))}


def likeness(trainer: Trainer, sample: Sample, options: Options) -> npt.NDArray[np.float64]:
    """nDCG of lists by the low rank alone, with its half-life and trend, of each user."""
    choice = _Choice(trainer, [sample], options)
    return choice.ndcg(choice.alone(sample))


def weigh_content(sources: list[Content], sample: Sample) -> dict[str, Any]:
    """What each source of content is worth, with its weight, and the weights in the order given.

    By the lists of what is new to users by content alone: each source but the first is tried with
    others beside what is found so far.

    Args:
        sources: of the items.
        sample: against what.
    """
    starts, pair = sample.pairs(NO_DECAY)

    def ndcg(weights: list[float]) -> npt.NDArray[np.float64]:
        features = features_of(sources, weights)
        assert features is not None
        content = projected(features, content_axes(features))
        return sample.ndcg(user_vectors(content, sample.whole.item, pair, starts), content)

    weights = [1.0] * len(sources)
    told: dict[str, Any] = {}
    best = ndcg(weights) if len(sources) > 1 else np.zeros(0)
    for place in range(1, len(sources)):
        without = ndcg([*weights[:place], 0.0, *weights[place + 1 :]])
        for weight in CONTENT_WEIGHTS if len(best) >= ENOUGH else ():
            option = [*weights[:place], weight, *weights[place + 1 :]]
            found = ndcg(option)
            if better(found, best):
                best, weights = found, option
        told[sources[place].name] = compared("lists by content", best, without) | {"used": True}
    return {"content_weights": weights, "of_content": told}


class _Choice:
    """Measures settings on samples, each once."""

    def __init__(self, trainer: Trainer, samples: list[Sample], options: Options) -> None:
        self.options = options
        # each has a trainer of its own, which keeps what settings of one history share
        trainers = [trainer, *(copy.copy(trainer) for _ in samples[1:])]
        self._trained = list(zip(trainers, samples, strict=True))
        self._known: dict[str, npt.NDArray[np.float64]] = {}

    def ndcg(self, settings: Settings) -> npt.NDArray[np.float64]:
        """How good the lists of each user are with these settings."""
        key = repr(sorted(settings.items()))
        if key not in self._known:
            found = [self._measured(*trained, settings) for trained in self._trained]
            self._known[key] = np.concatenate(found)
        return self._known[key]

    def alone(self, sample: Sample) -> Settings:
        """The settings of the low rank alone, with the best half-life and trend."""
        found = {**first_of(self.options), "neighbour_weight": 0.0}
        if not sample.timed and UNTIMED_DAMPING in self.options["damping"]:
            found["damping"] = UNTIMED_DAMPING
        of_time: tuple[str, ...] = ("half_life", "ridge", "trend")
        if sample.timeless:
            # nothing decays, but histories that do count events by their weights
            weight = sample.past.strength[:, 0] / sample.past.count
            of_time = ("half_life",) if float(np.ptp(weight)) > ALIKE else ()
        for name in of_time:
            found = self.best(found, name)
        return found

    def _measured(
        self, trainer: Trainer, sample: Sample, settings: Settings
    ) -> npt.NDArray[np.float64]:
        encoder, decoder = trainer.factors(sample.past, settings)
        decoder = decoder * trainer.trend(sample.past, settings)[:, None]
        starts, pair = sample.pairs(settings["half_life"])
        queries = user_vectors(encoder, sample.whole.item, pair, starts)
        near = trainer.neighbours(sample.past, settings, self.options["neighbour_ridge"])
        more = None if near is None else added(near, pair, sample.whole.item, starts)
        return sample.ndcg(queries, decoder, more)

    def best(self, found: Settings, name: str) -> Settings:
        """The best settings among those that differ from `found` in one."""
        values = self.options[name]
        if len(values) == 1 or (name == "neighbour_ridge" and not found["neighbour_weight"]):
            return found
        others = [{**found, name: value} for value in values]
        if name in CLIMBED:
            return self._climbed(others, values.index(found[name]))
        best = max(others, key=lambda other: mean(self.ndcg(other)))
        return best if better(self.ndcg(best), self.ndcg(found)) else found

    def _climbed(self, others: list[Settings], place: int) -> Settings:
        """The best settings of an ordered list, step by step from a place in it."""
        for step in (1, -1):
            while 0 <= place + step < len(others) and better(
                self.ndcg(others[place + step]), self.ndcg(others[place])
            ):
                place += step
        return others[place]

    def promising(self, found: Settings) -> bool:
        """Whether a larger rank than that of `found` may be worth its decomposition.

        The first half of the columns is there already: what the second brings says so; of the low
        rank alone, since neighbours make up for columns that are missing.
        """
        alone = {**found, "neighbour_weight": 0.0}
        half = {**alone, "rank": found["rank"] // 2}
        return mean(self.ndcg(alone)) >= PROMISING * mean(self.ndcg(half))
