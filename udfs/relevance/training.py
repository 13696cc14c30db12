"""Trains the relevance model: what is chosen and learnt on windows of time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..history import NO_DECAY, Floats, History, Signal, Window, bounds
from . import losses, repeats
from .content import content_of
from .low_rank import damped, encoder_decoder, truncated_svd
from .model import RelevanceModel, added, normalised, pair_weights, user_vectors
from .neighbours import RIDGES as SPARSE_RIDGES
from .neighbours import affordable, neighbourhoods
from .parts import weighed
from .sample import VALIDATION_USERS, Sample
from .trend import NO_TREND, TRENDS, trend

if TYPE_CHECKING:
    from scipy.sparse import csr_array

RIDGES = (0.3, 0.1, 0.03, 0.01)  # lambda, in units of the largest squared singular value
# exponents of the number of users by which items are divided in histories, and multiplied in lists
DAMPINGS = ((0.0, 0.0), (0.25, 0.0), (0.5, 0.5))
RANKS = (64, 256, 512)
WEIGHTS = (0.5, 1.0, 2.0, 4.0)  # of the sparse part beside the low rank
SETTINGS: dict[str, tuple[Any, ...]] = {
    "half_life": (1, 2, NO_DECAY),
    "ridge": RIDGES,
    "damping": DAMPINGS,
    "trend": TRENDS,
}
UNTIMED = {"trend": NO_TREND, "damping": DAMPINGS[2]}  # where time does not say what comes next
WORTH_IT = 1.003  # how much better a larger rank must be
PROMISING = 1.03  # how much better a rank must be than half of it for a larger one to be tried
CLEARLY = 1.01  # how much better another damping must be: at larger ranks it would be less so
MOST_PRODUCTS = 1_000_000_000  # of pairs and a rank that is tried above the smallest
MIN_POSITIVES = 50  # validation pairs below which the fixed combination is used


def fit(
    history: History,
    users: int,
    items: int,
    features: Floats | None,
    windows: Iterable[Window],
    signals: list[Signal],
    combine: str | list[float],
    dimensions: int | None,
    seed: int,
    balance: Callable[[Sample, RelevanceModel], float] | None = None,
) -> RelevanceModel:
    """Train the relevance model.

    Args:
        history: all pairs as of now.
        users: number of users.
        items: number of items in the catalogue.
        features: item features such as centred text embeddings, shape (items, features), or None.
        windows: windows of time to learn from, the latest first; each is used before the next is
            asked for. Without any that has enough pairs the parts have fixed weights.
        signals: what was observed, for the losses to train by; none leaves the closed form.
        combine: how the losses are combined, as in losses.train.
        dimensions: rank of the behaviour, or None where it is to be chosen.
        seed: of all that is random.
        balance: gives, on the latest window, the share of the spread of relevance that is its unit
            beside other objectives.
    """
    trainer = Trainer(users, items, features, dimensions, combine, seed)
    chosen: dict[str, Any] = {
        "half_life": 2,
        "ridge": 0.03,
        "damping": DAMPINGS[0],
        "rank": dimensions or RANKS[0],
        "trend": TRENDS[0],
        "neighbours": None,
    }
    # untrained: likeness first, then popularity, whoever the user is
    unknown = np.zeros((5, 5), np.float32)
    unknown[0] = 10.0, 0.5, 0.25, 0.25, 0.0
    parts: tuple[Floats, Floats | None] = unknown, None
    again = repeats.untrained()
    latest: tuple[Sample, RelevanceModel] | None = None
    designs: list[Floats] = []
    labels: list[npt.NDArray[np.bool_]] = []
    for window in map(_returning, windows):
        if len(window.user) < MIN_POSITIVES:
            continue
        sample = Sample(window, users, items, seed)
        if not designs:
            chosen = trainer.choose(sample, chosen) | {"repeat_share": sample.repeat_share()}
        # further training is for the latest window, which says how the parts add up, and for now
        observed = window.signals() if not designs else []
        # of earlier windows only the likeness of known items is needed, for which few columns do
        settings = chosen
        if designs:
            settings = {**chosen, "neighbours": None, "rank": dimensions or RANKS[0]}
        model = trainer.model(window.past, settings, parts, again, observed)
        if not designs:
            model = weighed(sample, model)
            parts = model.unknown, model.cold
            latest = sample, model
        designs.append(model.of_users(sample.whole, sample.users).design)
        labels.append(np.isin(sample.pairs_of(sample.whole), sample.truth))
    model = trainer.model(history, chosen, parts, again, signals)
    if latest is not None:
        again = repeats.fit(
            designs, labels, latest[1].of_users(latest[0].whole, latest[0].users).design, seed
        )
        if balance is not None:
            share = balance(latest[0], dataclasses.replace(latest[1], repeats=again))
            model = dataclasses.replace(model, chosen={**model.chosen, "unit_share": share})
        some = some_users(users, VALIDATION_USERS)
        now = model.of_users(history.of_users(some, users), len(some)).design
        model = dataclasses.replace(model, repeats=again.standardised_by(now))
    return model


def some_users(users: int, count: int) -> npt.NDArray[np.int64]:
    """At most `count` of `users` users, spread evenly."""
    count = min(users, count)
    return np.arange(count) * users // count


def _returning(window: Window) -> Window:
    """The pairs of the window whose users have a history before it."""
    known = np.isin(window.user, window.past.user)
    return dataclasses.replace(window, user=window.user[known], item=window.item[known])


def by_ndcg(option: dict[str, Any]) -> float:
    """How good an option was measured to be."""
    return float(option["validation_ndcg"])


class _Choice:
    """Measures settings on a sample, each once.

    parts are the weights of neighbours for each ridge, where there are any.
    """

    def __init__(self, trainer: Trainer, sample: Sample) -> None:
        self.trainer, self.sample = trainer, sample
        self.parts: dict[float, csr_array] = {}
        self._starts = bounds(sample.whole.user, sample.users)
        self._known: dict[str, dict[str, Any]] = {}

    def measured(self, option: dict[str, Any]) -> dict[str, Any]:
        """The option with its nDCG."""
        option = {name: value for name, value in option.items() if name != "validation_ndcg"}
        key = repr(sorted(option.items(), key=lambda item: item[0]))
        if key not in self._known:
            sample = self.sample
            encoder, decoder = self.trainer.factors(sample.past, option)
            decoder = decoder * self.trainer.trend(sample.past, option)
            pair = normalised(pair_weights(sample.whole, option["half_life"]), self._starts)
            queries = user_vectors(encoder, sample.whole.item, pair, self._starts)
            more = None
            if option["neighbours"] is not None:
                ridge, weight = option["neighbours"]
                part = self.parts[ridge] * np.float32(weight)
                more = added(part, pair, sample.whole.item, self._starts)
            ndcg = sample.ndcg(queries, decoder, more)
            self._known[key] = {**option, "validation_ndcg": ndcg}
        return self._known[key]

    def best(self, found: dict[str, Any], name: str) -> dict[str, Any]:
        """The best option among those that differ from `found` in one setting."""
        if name == "neighbours":
            if not self.parts:
                return found
            ridge = (found["neighbours"] or (SPARSE_RIDGES[2], 0))[0]
            found = self._best(found, name, [None, *((ridge, weight) for weight in WEIGHTS)])
            if found[name] is None:
                return found
            return self._best(found, name, [(ridge, found[name][1]) for ridge in SPARSE_RIDGES])
        return self._best(found, name, SETTINGS[name])

    def _best(self, found: dict[str, Any], name: str, values: Iterable[Any]) -> dict[str, Any]:
        best = max((self.measured({**found, name: value}) for value in values), key=by_ndcg)
        hurdle = CLEARLY if name == "damping" else 1.0
        return best if by_ndcg(best) > hurdle * by_ndcg(found) else found


class Trainer:
    """Makes models of histories, and learns from samples how their parts add up."""

    def __init__(
        self,
        users: int,
        items: int,
        features: Floats | None,
        dimensions: int | None,
        combine: str | list[float],
        seed: int,
    ) -> None:
        self.users, self.items, self.dimensions, self.seed = users, items, dimensions, seed
        self.features, self.combine = features, combine
        self.content = content_of(features, items)
        self.decomposition: tuple[Any, ...] = (None,)

    def factors(self, history: History, chosen: dict[str, Any]) -> tuple[Floats, Floats]:
        """Encoder and decoder of behaviour in closed form, shape (items, rank)."""
        half_life, (of_histories, of_lists) = chosen["half_life"], chosen["damping"]
        rank = chosen["rank"]
        key = history, half_life, of_histories
        # the first vectors of a larger rank are those of a smaller one
        if self.decomposition[:3] != key or self.decomposition[3] < rank:
            starts = bounds(history.user, self.users)
            weights = normalised(pair_weights(history, half_life), starts)
            weights = weights * damped(history, self.items, of_histories)[history.item]
            svd = truncated_svd(
                starts, history.item, weights, self.features, self.items, rank, self.seed
            )
            self.decomposition = *key, rank, svd
        vectors, values = self.decomposition[4]
        encoder, decoder = encoder_decoder(vectors[:, :rank], values[:rank], chosen["ridge"])
        return (
            encoder * damped(history, self.items, of_histories)[:, None],
            decoder / damped(history, self.items, of_lists)[:, None],
        )

    def trend(self, history: History, chosen: dict[str, Any]) -> Floats:
        """The factor of each decoder vector, shape (items, 1)."""
        return trend(history, self.items, *chosen["trend"])[:, None]

    def model(
        self,
        history: History,
        chosen: dict[str, Any],
        parts: tuple[Floats, Floats | None],
        again: repeats.RepeatModel,
        signals: list[Signal],
    ) -> RelevanceModel:
        """The model of a history whose parts are weighed so, trained further by the signals."""
        encoder, decoder = self.factors(history, chosen)
        if signals:
            starts = bounds(history.user, self.users)
            weights = normalised(pair_weights(history, chosen["half_life"]), starts)
            trained = losses.train(
                encoder, decoder, history, weights, self.users, signals, self.combine, self.seed
            )
            encoder, decoder = trained.encoder, trained.decoder
            chosen = {**chosen, "losses": trained.losses}
        decoder = decoder * self.trend(history, chosen)
        neighbours = None
        if chosen["neighbours"] is not None:
            ridge, weight = chosen["neighbours"]
            [neighbours] = self.neighbours(history, chosen, (ridge,))
            neighbours = neighbours * np.float32(weight)
        return RelevanceModel(
            encoder=np.concatenate([encoder, self.content], axis=1),
            decoder=np.concatenate([decoder, self.content], axis=1),
            statistics=repeats.item_features(history, self.items),
            content=self.content.shape[1],
            unknown=parts[0],
            cold=parts[1],
            neighbours=neighbours,
            repeats=again,
            half_life=chosen["half_life"],
            chosen=chosen,
        )

    def neighbours(
        self, history: History, chosen: dict[str, Any], ridges: tuple[float, ...]
    ) -> list[csr_array]:
        """The weights of neighbours for each ridge, shape (items, items)."""
        starts = bounds(history.user, self.users)
        weights = normalised(pair_weights(history, chosen["half_life"]), starts)
        found = neighbourhoods(starts, history.item, weights, self.items, ridges)
        factor = self.trend(history, chosen)[:, 0]
        for one in found:
            one.data *= factor[one.indices]
        return found

    def choose(self, sample: Sample, first: dict[str, Any]) -> dict[str, Any]:
        """The settings with the best nDCG of items new to the user, by likeness alone.

        They are chosen one after the other, each beside the best of the others: half-life and
        trend; then how much popular items are divided down, the ridge, the neighbours' weight and
        ridge, and all of these anew for each larger rank, as long as that ranks better.

        Args:
            sample: against what.
            first: the settings that others are tried beside.
        """
        choice = _Choice(self, sample)
        ranks = [self.dimensions] if self.dimensions else self.ranks(sample.past)
        found = choice.measured({**first, "rank": ranks[0]} | ({} if sample.timed else UNTIMED))
        if not sample.timeless:
            for name in ("half_life", "ridge", "trend"):
                found = choice.best(found, name)
        if affordable(bounds(sample.past.user, self.users)):
            choice.parts = dict(
                zip(SPARSE_RIDGES, self.neighbours(sample.past, found, SPARSE_RIDGES), strict=True)
            )
        for rank in ranks:
            larger = found
            if rank > ranks[0]:
                if not self._promising(choice, found):
                    break
                larger = choice.measured({**found, "rank": rank})
            # a decomposition for each damping: at the smallest rank they are cheap
            dampings = ("damping", "ridge", "neighbours") if rank == ranks[0] else ()
            for name in ("neighbours", *dampings, "ridge"):
                larger = choice.best(larger, name)
            if rank > ranks[0] and by_ndcg(larger) < WORTH_IT * by_ndcg(found):
                break
            found = larger
        return found

    def _promising(self, choice: _Choice, found: dict[str, Any]) -> bool:
        """Whether a larger rank than that of `found` may be worth its decomposition.

        The first half of the columns is there already: what the second brings says so; of the low
        rank alone, since neighbours make up for columns that are missing.
        """
        alone = {**found, "neighbours": None}
        half = choice.measured({**alone, "rank": found["rank"] // 2})
        return by_ndcg(choice.measured(alone)) >= PROMISING * by_ndcg(half)

    def ranks(self, history: History) -> list[int]:
        """The ranks that are tried: larger ones where the data is not too large for them."""
        return [
            rank
            for rank in RANKS
            if rank == RANKS[0]
            or (len(history) * rank <= MOST_PRODUCTS and self.items * rank**2 <= MOST_PRODUCTS * 20)
        ]
