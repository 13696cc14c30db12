"""Trains the relevance model: what is chosen and learnt on windows of time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..device import device
from ..history import Floats, History, Signal, Window, bounds
from . import losses, repeats
from .content import content_of
from .low_rank import encoder_decoder, truncated_svd
from .model import RelevanceModel, dot, normalised, pair_weights, user_features, user_vectors
from .trend import TRENDS, trend

if TYPE_CHECKING:
    pass

RIDGES = (0.1, 0.03, 0.01)  # lambda, in units of the largest squared singular value
CONTENDERS = 200  # items per user that contend for a list
SHORT_HISTORIES = (0, 1, 2, 3, 5, 8, 13)  # sizes of the histories cut short
VALIDATION_USERS = 2000
WEIGHT_RIDGE = 0.005  # per positive, on weights of standardised columns
MIN_POSITIVES = 50  # validation pairs below which the fixed combination is used


def _ndcg(ranked_hits: npt.NDArray[np.bool_], truth_sizes: npt.NDArray[np.int64]) -> float:
    """Mean nDCG of ranked hits, shape (users, k), with binary gains."""
    discount = 1 / np.log2(np.arange(ranked_hits.shape[1]) + 2)
    ideal = np.cumsum(discount)[np.minimum(truth_sizes, ranked_hits.shape[1]) - 1]
    return float(np.mean((ranked_hits * discount).sum(axis=1) / ideal))


def fit(
    history: History,
    users: int,
    items: int,
    features: Floats | None,
    windows: Iterable[Window],
    signals: list[Signal],
    combine: str | list[float],
    dimensions: int,
    seed: int,
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
        dimensions: length of the item vectors.
        seed: of all that is random.
    """
    trainer = Trainer(users, items, features, dimensions, combine, seed)
    chosen = {"half_life": 2, "ridge": 0.03, "trend": TRENDS[0], "repeat_share": 1.0}
    # untrained: likeness first, then popularity, whoever the user is
    unknown = np.zeros((5, 5), np.float32)
    unknown[0] = 10.0, 0.5, 0.25, 0.25, 0.0
    again = repeats.untrained()
    designs: list[Floats] = []
    labels: list[npt.NDArray[np.bool_]] = []
    for window in map(_returning, windows):
        if len(window.user) < MIN_POSITIVES:
            continue
        sample = Sample(window, users, items, seed)
        if not designs:
            chosen = trainer.choose(sample) | {"repeat_share": sample.repeat_share()}
        # further training is for the latest window, which says how the parts add up, and for now
        observed = window.signals() if not designs else []
        model = trainer.model(window.past, chosen, unknown, again, observed)
        if not designs:
            unknown = trainer.weigh(sample, model)
            model = dataclasses.replace(model, unknown=unknown)
        designs.append(model.of_users(sample.whole, sample.users).design)
        labels.append(np.isin(sample.pairs_of(sample.whole), sample.truth))
    model = trainer.model(history, chosen, unknown, again, signals)
    if designs:
        some = some_users(users, VALIDATION_USERS)
        now = model.of_users(history.of_users(some, users), len(some)).design
        model = dataclasses.replace(model, repeats=repeats.fit(designs, labels, now, seed))
    return model


def some_users(users: int, count: int) -> npt.NDArray[np.int64]:
    """At most `count` of `users` users, spread evenly."""
    count = min(users, count)
    return np.arange(count) * users // count


def _returning(window: Window) -> Window:
    """The pairs of the window whose users have a history before it."""
    known = np.isin(window.user, window.past.user)
    return dataclasses.replace(window, user=window.user[known], item=window.item[known])


class Sample:
    """Some of the users of a window of time: their histories before it and what they did in it.

    A pair of a user (numbered by the place in the sample) and an item is one number. In `rows` each
    user stands twice, with all of the history and with a few items of it, so that short histories
    are learnt too.
    """

    def __init__(self, window: Window, users: int, items: int, seed: int) -> None:
        self.past, self.items = window.past, items
        generator = np.random.default_rng(seed)
        sample = np.unique(window.user).astype(np.int64)
        if len(sample) > VALIDATION_USERS:
            sample = np.sort(generator.choice(sample, VALIDATION_USERS, replace=False))
        self.users = len(sample)
        self.whole = window.past.of_users(sample, users)
        place = np.minimum(np.searchsorted(sample, window.user), self.users - 1)
        inside = sample[place] == window.user
        self.truth = np.unique(place[inside] * items + window.item[inside])

        key = generator.random(len(self.whole))
        size = generator.choice(SHORT_HISTORIES, self.users)
        short = self.whole.smallest(key, size[self.whole.user])
        self.rows = self.whole.followed_by(short, self.users)

    def repeat_share(self) -> float:
        """The share of what the users did in the window that they had done before it."""
        return float(np.isin(self.truth, self.pairs_of(self.whole)).mean())

    def pairs_of(self, history: History) -> npt.NDArray[np.int64]:
        """The pairs of a history as numbers."""
        return history.user.astype(np.int64) * self.items + history.item


class Trainer:
    """Makes models of histories, and learns from samples how their parts add up."""

    def __init__(
        self,
        users: int,
        items: int,
        features: Floats | None,
        dimensions: int,
        combine: str | list[float],
        seed: int,
    ) -> None:
        self.users, self.items, self.dimensions, self.seed = users, items, dimensions, seed
        self.features, self.combine = features, combine
        self.content = content_of(features, items)
        self.decomposition: tuple[History, int, tuple[Floats, Floats]] | None = None

    def factors(self, history: History, chosen: dict[str, Any]) -> tuple[Floats, Floats]:
        """Encoder and decoder of behaviour in closed form, shape (items, d)."""
        half_life = chosen["half_life"]
        if self.decomposition is None or self.decomposition[:2] != (history, half_life):
            starts = bounds(history.user, self.users)
            weights = normalised(pair_weights(history, half_life), starts)
            svd = truncated_svd(
                starts, history.item, weights, self.features, self.items, self.dimensions, self.seed
            )
            self.decomposition = history, half_life, svd
        return encoder_decoder(*self.decomposition[2], chosen["ridge"])

    def trend(self, history: History, chosen: dict[str, Any]) -> Floats:
        """The factor of each decoder vector, shape (items, 1)."""
        return trend(history, self.items, *chosen["trend"])[:, None]

    def model(
        self,
        history: History,
        chosen: dict[str, Any],
        unknown: Floats,
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
        return RelevanceModel(
            encoder=np.concatenate([encoder, self.content], axis=1),
            decoder=np.concatenate([decoder, self.content], axis=1),
            statistics=repeats.item_features(history, self.items),
            content=self.content.shape[1],
            unknown=unknown,
            repeats=again,
            half_life=chosen["half_life"],
            chosen=chosen,
        )

    def choose(self, sample: Sample) -> dict[str, Any]:
        """The hyper-parameters with the best nDCG of items new to the user, by likeness alone."""
        fresh = np.setdiff1d(sample.truth, sample.pairs_of(sample.whole))
        sizes = np.bincount(fresh // self.items, minlength=sample.users)
        evaluated = np.flatnonzero(sizes)
        starts = bounds(sample.whole.user, sample.users)
        k = min(20, self.items)

        def measured(option: dict[str, Any]) -> dict[str, Any]:
            if not len(evaluated):
                return {**option, "validation_ndcg": 0.0}
            encoder, decoder = self.factors(sample.past, option)
            decoder = decoder * self.trend(sample.past, option)
            pair = normalised(pair_weights(sample.whole, option["half_life"]), starts)
            queries = user_vectors(encoder, sample.whole.item, pair, starts)
            index = _best_unseen(queries, decoder, sample.whole, k)
            hits = np.isin(evaluated[:, None] * self.items + index[evaluated], fresh)
            return {**option, "validation_ndcg": _ndcg(hits, sizes[evaluated])}

        def best(options: list[dict[str, Any]]) -> dict[str, Any]:
            return max(map(measured, options), key=lambda option: option["validation_ndcg"])

        # the trend is chosen last, with the half-life and ridge that are best under the first one
        first = best(
            [
                {"half_life": half_life, "ridge": ridge, "trend": TRENDS[0]}
                for half_life in (1, 2)
                for ridge in RIDGES
            ]
        )
        return best([{**first, "trend": trend} for trend in TRENDS])

    def weigh(self, sample: Sample, model: RelevanceModel) -> Floats:
        """Learn the weights of the parts of items that a user does not know, shape (5, 5).

        Returns those that the model of the past has where all contenders were bought, or none.
        """
        rows, users = sample.rows, 2 * sample.users
        starts = bounds(rows.user, users)
        pair = normalised(pair_weights(rows, model.half_life), starts)
        queries = user_vectors(model.encoder, rows.item, pair, starts)
        split = queries.shape[1] - model.content
        blocks = [
            (np.ascontiguousarray(queries[:, part]), np.ascontiguousarray(model.decoder[:, part]))
            for part in (slice(None, split), slice(split, None))
        ]
        popular = np.argsort(-model.popularity[:, 1], kind="stable")[: CONTENDERS // 4]
        contenders = [np.tile(popular, (users, 1))]
        for (query, decoder), count in zip(blocks, (CONTENDERS, CONTENDERS // 4), strict=True):
            if query.shape[1]:
                contenders.append(_best_unseen(query, decoder, rows, min(count, self.items)))
        candidate = np.concatenate(contenders, axis=1)
        pairs = np.unique(np.arange(users)[:, None] * self.items + candidate)
        pairs = np.setdiff1d(pairs, sample.pairs_of(rows), assume_unique=True)
        row, item = np.divmod(pairs, self.items)
        parts = np.column_stack(
            [
                *(dot(query, row, decoder, item) for query, decoder in blocks),
                model.popularity[item],
            ]
        )
        about = user_features(starts, repeats.activity(rows, users))[row, 1:]
        design = np.concatenate([parts, about[:, :1] * parts, about], axis=1)
        label = np.isin(row % sample.users * self.items + item, sample.truth)
        if label.all() or not label.any():
            return model.unknown
        weights = _logistic(design, label)
        unknown = np.zeros((5, 5), np.float32)
        unknown[0] = np.append(weights[:4], weights[-1])
        unknown[1] = weights[4:9]
        unknown[2:, 4] = weights[9:12]
        return unknown


def _best_unseen(queries: Floats, decoder: Floats, rows: History, k: int) -> npt.NDArray[np.int64]:
    """The k best items by likeness that a row's history does not hold, best first."""
    import torch

    from ..topk import Given, Table

    where = device()
    table = Table(torch.from_numpy(decoder).to(where))
    starts = bounds(rows.user, len(queries))
    index = []
    for first in range(0, len(queries), table.users):
        last = min(first + table.users, len(queries))
        query = torch.from_numpy(queries[first:last]).to(where)
        mine = slice(starts[first], starts[last])
        user = torch.from_numpy(rows.user[mine].astype(np.int64) - first).to(where)
        item = torch.from_numpy(rows.item[mine].astype(np.int64)).to(where)
        seen = Given(user, item, torch.full(user.shape, -torch.inf, device=where))
        index.append(table.top(query, seen, k)[1].cpu().numpy())
    return np.concatenate(index)


def _logistic(design: Floats, label: npt.NDArray[np.bool_]) -> Floats:
    """Logistic regression with a ridge: the weights of the columns, the intercept last.

    By Newton's method, which ends in the optimum: columns are nearly dependent (a part and the same
    by the sparsity of the history), and where quasi-Newton steps stop is up to rounding.
    """
    from sklearn.linear_model import LogisticRegression

    wide = design.astype(np.float64)
    scale = wide.std(axis=0)
    scale[scale < 1e-6] = 1.0
    regression = LogisticRegression(
        C=1 / (WEIGHT_RIDGE * label.sum()), solver="newton-cholesky", tol=1e-8
    ).fit(wide / scale, label)
    return np.append(regression.coef_[0] / scale, regression.intercept_).astype(np.float32)
