"""Makes relevance models of histories, by given settings."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..history import Floats, History, Ints, Longs, Signal, bounds
from . import losses, repeats
from .content import content_axes, projected
from .fold_in import SMALLEST, FoldIn
from .labels import folded_vectors, label_vectors
from .low_rank import content_scale, damped, damping_mean, encoder_decoder, truncated_svd
from .model import RelevanceModel, normalised, pair_weights, user_vectors
from .neighbours import neighbourhoods
from .trend import late_share, trend

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LABELLED_USERS = 100_000  # from whom what labels add is learnt


class Trainer:
    """Makes models of histories; what other settings need of the same history is made once.

    Settings are as in choice.OPTIONS.
    """

    def __init__(
        self,
        users: int,
        items: int,
        features: Floats | None,
        combine: str | list[float],
        seed: int,
    ) -> None:
        self.users, self.items, self.seed = users, items, seed
        self.features, self.combine = features, combine
        self.axes = content_axes(features)
        self.content = np.zeros((items, 0), np.float32)
        if features is not None and self.axes.shape[1]:
            self.content = projected(features, self.axes)
        self.decomposition: tuple[Any, ...] = ()
        self.sparse: tuple[Any, ...] = ()

    def pairs(self, history: History, settings: dict[str, Any]) -> tuple[Longs, Floats]:
        """Where each user's pairs start, and the weight of each pair in its user's vector."""
        starts = bounds(history.user, self.users)
        return starts, normalised(pair_weights(history, settings["half_life"]), starts)

    def factors(self, history: History, settings: dict[str, Any]) -> tuple[Floats, Floats]:
        """Encoder and decoder of behaviour in closed form, shape (items, rank)."""
        half_life, (of_histories, of_lists) = settings["half_life"], settings["damping"]
        rank = settings["rank"]
        key = history, half_life, of_histories
        # the first vectors of a larger rank are those of a smaller one
        if self.decomposition[:3] != key or self.decomposition[3] < rank:
            starts, weights = self.pairs(history, settings)
            weights = weights * damped(history, self.items, of_histories)[history.item]
            self.decomposition = *key, rank, self._decomposed(starts, history.item, weights, rank)
        vectors, values = self.decomposition[4]
        encoder, decoder = encoder_decoder(vectors[:, :rank], values[:rank], settings["ridge"])
        return (
            encoder * damped(history, self.items, of_histories)[:, None],
            decoder / damped(history, self.items, of_lists)[:, None],
        )

    def _decomposed(
        self, starts: Longs, item: Ints, weights: Floats, rank: int
    ) -> tuple[Floats, Floats]:
        """The singular vectors of all items, shape (items, r), and their squared values, (r,).

        Items that nobody has taken and that have the same features, such as no text, are one row
        times the root of their number, which comes to the same: there may be many in a catalogue.
        """
        taken = np.flatnonzero(np.bincount(item, minlength=self.items))
        cold = np.setdiff1d(np.arange(self.items), taken, assume_unique=True)
        _, first, kind, count = np.unique(
            self._feature_key[cold], return_index=True, return_inverse=True, return_counts=True
        )
        number = np.full(self.items, -1, np.int32)
        number[taken] = np.arange(len(taken), dtype=np.int32)
        features, root = None, np.sqrt(count, dtype=np.float32)[:, None]
        if self.features is not None:
            of_cold = root * self.features[cold[first]]
            features = np.concatenate([self.features[taken], of_cold])
        mine, values = truncated_svd(
            starts, number[item], weights, features, len(taken) + len(first), rank, self.seed
        )
        vectors = np.empty((self.items, len(values)), np.float32)
        vectors[taken] = mine[: len(taken)]
        vectors[cold] = (mine[len(taken) :] / root)[kind]
        return vectors, values

    @functools.cached_property
    def _feature_key(self) -> npt.NDArray[np.uint64]:
        """A number drawn by the features of each item, the same for the same, shape (items,)."""
        if self.features is None:
            return np.zeros(self.items, np.uint64)
        generator = np.random.default_rng(0)
        words = np.ascontiguousarray(self.features + np.float32(0)).view(np.uint32)
        odd = generator.integers(1, 1 << 63, words.shape[1], dtype=np.uint64) * np.uint64(2)
        out = np.zeros(self.items, np.uint64)
        for word, factor in zip(words.T, odd + np.uint64(1), strict=True):
            out += word * factor
        return out

    def trend(self, history: History, settings: dict[str, Any]) -> Floats:
        """The factor of each item, shape (items,)."""
        return trend(history, self.items, *settings["trend"])

    def neighbours(
        self, history: History, settings: dict[str, Any], ridges: tuple[float, ...] = ()
    ) -> csr_array | None:
        """The weights of neighbours, shape (items, items); None where they do not count.

        Args:
            history: of all users.
            settings: among them the ridge of the neighbours.
            ridges: others that will be asked for: together they take hardly longer than one.
        """
        if not settings["neighbour_weight"]:
            return None
        ridge = settings["neighbour_ridge"]
        key = history, settings["half_life"]
        if self.sparse[:2] != key or ridge not in self.sparse[2]:
            self.sparse = ()
            starts, weights = self.pairs(history, settings)
            ridges = (*ridges, ridge)
            found = neighbourhoods(starts, history.item, weights, self.items, ridges)
            self.sparse = *key, dict(zip(ridges, found, strict=True))
        out = self.sparse[2][ridge] * np.float32(settings["neighbour_weight"])
        out.data *= self.trend(history, settings)[out.indices]
        return out

    def fold_in(self, history: History, settings: dict[str, Any]) -> FoldIn:
        """What items that come later need, of a training on the history of all users."""
        self.factors(history, settings)
        vectors, values = (part[..., : settings["rank"]] for part in self.decomposition[4])
        texts = np.zeros((len(self.axes), len(values)), np.float32)
        if self.features is not None and self.axes.shape[1]:
            _, weights = self.pairs(history, settings)
            of_histories = damped(history, self.items, settings["damping"][0])
            scale = content_scale(weights * of_histories[history.item], self.features)
            least = max(SMALLEST * float(values.max(initial=0)), 1e-30)
            inverse = np.where(values > least, scale / np.maximum(values, least), 0)
            texts = (self.features.T @ vectors * inverse).astype(np.float32)
        of, window, _ = settings["trend"]
        of_histories, of_lists = settings["damping"]
        damping = (
            damping_mean(history, self.items, of_histories),
            damping_mean(history, self.items, of_lists),
        )
        return FoldIn(self.axes, texts, values, damping, late_share(history, of, window))

    def model(
        self,
        history: History,
        settings: dict[str, Any],
        parts: tuple[Floats, Floats | None, int],
        again: repeats.RepeatModel,
        signals: list[Signal],
    ) -> RelevanceModel:
        """The model of a history whose parts are weighed so, trained further by the signals."""
        encoder, decoder = self.factors(history, settings)
        if signals:
            _, weights = self.pairs(history, settings)
            trained = losses.train(
                encoder, decoder, history, weights, self.users, signals, self.combine, self.seed
            )
            encoder, decoder = trained.encoder, trained.decoder
            settings = {**settings, "losses": trained.losses}
        decoder = decoder * self.trend(history, settings)[:, None]
        labels, settings = self._labels(history, encoder, settings)
        return RelevanceModel(
            encoder=np.concatenate([encoder, self.content], axis=1),
            decoder=np.concatenate([decoder, self.content], axis=1),
            statistics=repeats.item_features(history, self.items),
            content=self.content.shape[1],
            unknown=parts[0],
            cold=parts[1],
            few=parts[2],
            neighbours=self.neighbours(history, settings),
            repeats=again,
            half_life=settings["half_life"],
            chosen=settings,
            labels=labels,
        )

    def _labels(
        self, history: History, encoder: Floats, settings: dict[str, Any]
    ) -> tuple[Floats | None, dict[str, Any]]:
        """The vectors of the labels that users have, and the settings with their ridge.

        Whether they are used is chosen on labels in folds (parts.py), like the ridge.
        """
        chosen = settings.get("of_labels", {"used": history.labels.folds > 1})
        if not len(history.labels) or not chosen["used"]:
            return None, settings
        # of many users some say enough
        some = np.unique(history.labels.user).astype(np.int64)
        some = some[:: -(-len(some) // LABELLED_USERS)]
        folds = history.labels.folds
        history = dataclasses.replace(history, graph=None).of_users(some, self.users)
        starts = bounds(history.user, len(some))
        weights = normalised(pair_weights(history, settings["half_life"]), starts)
        vectors = user_vectors(encoder, history.item, weights, starts)
        if folds == 1:
            return label_vectors(history.labels, vectors, settings["label_ridge"]), settings
        found, ridge = folded_vectors(history.labels, vectors, some % folds)
        return found, {**settings, "label_ridge": ridge}
