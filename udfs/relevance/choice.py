"""Chooses the settings of the relevance model: those with the best lists on a sample."""

from __future__ import annotations

from typing import Any

from ..history import NO_DECAY, History, bounds
from .model import added, user_vectors
from .neighbours import RIDGES as NEIGHBOUR_RIDGES
from .neighbours import affordable
from .sample import Sample
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
FIRST = {"half_life": 2, "ridge": 0.03, "neighbour_ridge": NEIGHBOUR_RIDGES[2]}
# where time does not say what comes next
UNTIMED = {"trend": NO_TREND, "damping": OPTIONS["damping"][2]}
# how much better a setting must be: at larger ranks, with more data, it would be less so
CLEARLY = {"damping": 1.01, "neighbour_weight": 1.01}
CLIMBED = ("ridge", "neighbour_weight", "neighbour_ridge")  # settings that are numbers in order
WORTH_IT = 1.003  # how much better a larger rank must be
PROMISING = 1.03  # how much better a rank must be than half of it for a larger one to be tried
MOST_PRODUCTS = 1_000_000_000  # of pairs and a rank that is tried above the smallest


def first_of(options: Options) -> Settings:
    """The settings that others are tried beside, and that are used where nothing can be tried."""
    return {
        name: FIRST[name] if name in FIRST and FIRST[name] in values else values[0]
        for name, values in options.items()
    }


def choose(trainer: Trainer, sample: Sample, options: Options) -> Settings:
    """The settings with the best nDCG of items new to the user, by likeness alone.

    They are chosen one after the other, each beside the best of the others: half-life and trend;
    then how much popular items are divided down, the ridge, and the neighbours' weight and ridge;
    then anew the weights and ridges for each larger rank, as long as that ranks better.

    Args:
        trainer: makes the models.
        sample: against what.
        options: what is tried of each setting, as OPTIONS.
    """
    choice = _Choice(trainer, sample, options)
    ranks = _ranks(sample.past, trainer.items, options["rank"])
    found = {**first_of(options), "rank": ranks[0]}
    if not sample.timed:
        found |= {name: value for name, value in UNTIMED.items() if value in options[name]}
    weight, found["neighbour_weight"] = found["neighbour_weight"], 0.0
    if not sample.timeless:
        for name in ("half_life", "ridge", "trend"):
            found = choice.best(found, name)
    found["neighbour_weight"] = weight
    if not weight and not affordable(bounds(sample.past.user, trainer.users)):
        choice.options["neighbour_weight"] = (0.0,)
    # a decomposition for each damping: at the smallest rank they are cheap
    for name in ("neighbour_weight", "neighbour_ridge", "damping", "ridge", "neighbour_weight",
                 "neighbour_ridge", "ridge"):  # fmt: skip
        found = choice.best(found, name)
    for rank in ranks[1:]:
        if not choice.promising(found):
            break
        larger = {**found, "rank": rank}
        for name in ("neighbour_weight", "ridge", "neighbour_ridge"):
            larger = choice.best(larger, name)
        if choice.ndcg(larger) < WORTH_IT * choice.ndcg(found):
            break
        found = larger
    return {**found, "validation_ndcg": choice.ndcg(found)}


def _ranks(history: History, items: int, ranks: tuple[int, ...]) -> list[int]:
    """The ranks that are tried: larger ones where the data is not too large for them."""
    return [
        rank
        for rank in ranks
        if rank == ranks[0]
        or (len(history) * rank <= MOST_PRODUCTS and items * rank**2 <= MOST_PRODUCTS * 20)
    ]


class _Choice:
    """Measures settings on a sample, each once."""

    def __init__(self, trainer: Trainer, sample: Sample, options: Options) -> None:
        self.trainer, self.sample, self.options = trainer, sample, dict(options)
        self._starts = bounds(sample.whole.user, sample.users)
        self._known: dict[str, float] = {}

    def ndcg(self, settings: Settings) -> float:
        """How good lists are with these settings."""
        key = repr(sorted(settings.items()))
        if key not in self._known:
            sample, trainer = self.sample, self.trainer
            encoder, decoder = trainer.factors(sample.past, settings)
            decoder = decoder * trainer.trend(sample.past, settings)[:, None]
            pair = sample.pair_weights(settings["half_life"])
            queries = user_vectors(encoder, sample.whole.item, pair, self._starts)
            near = trainer.neighbours(sample.past, settings, self.options["neighbour_ridge"])
            more = None
            if near is not None:
                more = added(near, pair, sample.whole.item, self._starts)
            self._known[key] = sample.ndcg(queries, decoder, more)
        return self._known[key]

    def best(self, found: Settings, name: str) -> Settings:
        """The best settings among those that differ from `found` in one."""
        values = self.options[name]
        if len(values) == 1 or (name == "neighbour_ridge" and not found["neighbour_weight"]):
            return found
        others = [{**found, name: value} for value in values]
        clearly = CLEARLY.get(name, 1.0)
        if name in CLIMBED:
            return self._climbed(others, values.index(found[name]), clearly)
        best = max(others, key=self.ndcg)
        return best if self.ndcg(best) > clearly * self.ndcg(found) else found

    def _climbed(self, others: list[Settings], place: int, clearly: float) -> Settings:
        """The best settings of an ordered list, step by step from a place in it.

        Those before are simpler: they are as good if not clearly worse.
        """
        top = self.ndcg(others[place])
        while place + 1 < len(others) and self.ndcg(others[place + 1]) > clearly * top:
            place += 1
            top = self.ndcg(others[place])
        while place and self.ndcg(others[place - 1]) * clearly > top:
            place -= 1
            top = max(top, self.ndcg(others[place]))
        return others[place]

    def promising(self, found: Settings) -> bool:
        """Whether a larger rank than that of `found` may be worth its decomposition.

        The first half of the columns is there already: what the second brings says so; of the low
        rank alone, since neighbours make up for columns that are missing.
        """
        alone = {**found, "neighbour_weight": 0.0}
        half = {**alone, "rank": found["rank"] // 2}
        return self.ndcg(alone) >= PROMISING * self.ndcg(half)
