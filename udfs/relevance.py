"""The relevance model: a closed-form linear auto-encoder with a content tower and a repeat term.

The relevance of item j for a user with history h is the log-odds of a purchase,

    <A_u q_u, v_j> + <p_u, b_j> + c_u                       for an item the user does not know,
    f(u, j)                                                 for one in the history (repeats.py),

with q_u = sum_h x_h e_h / |x|^(1/2).

- e and v come from a truncated EASE (Steck 2019, "Embarrassingly Shallow Autoencoders"). By the
  Woodbury identity the inverse in EASE's closed form, P = (X'X + lambda)^-1, is
  (1/lambda)(I - M) with M = V diag(s^2 / (s^2 + lambda)) V' for the singular vectors V and values
  s of X. So EASE's item-item weights B_ij = M_ij / (1 - M_jj) have rank d: one encoder and one
  decoder vector per item, and no items x items matrix.
- Item features F join as extra rows of X, sqrt(alpha) F' (collective EASE: Jeunen, Van Balen and
  Goethals 2020), which gives items without a single event a vector from their text, and a user a
  content term from the texts in the history.
- A second block of e and v is the whitened principal components of the item features: likeness of
  content.
- v_j carries the item's trend (those who took it up of late against all its users) and b_j its
  popularity.
- A_u, p_u and c_u weigh the blocks of likeness and popularity, and depend on how much is known of
  the user: A_u and p_u are linear in 1 / (1 + items in the history / 20), c_u in that and in how
  active the user was.

What is chosen and learnt is so on the latest window of time: the history before it against what
the users did in it, over the best unseen items. Repeat purchases learn from earlier windows too.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from . import losses, repeats
from .device import device
from .history import Doubles, Floats, History, Ints, Signal, Window, bounds

if TYPE_CHECKING:
    import torch

RIDGES = (0.1, 0.03, 0.01)  # lambda, in units of the largest squared singular value
# how the trend of an item is counted: by whom, in what window (medium half-lives), and its exponent
TRENDS = (
    ("adopters", 1 / 3, 0.5),
    ("adopters", 1.2, 0.5),
    ("adopters", 1 / 3, 1.0),
    ("users", 1 / 3, 0.5),
    ("users", 1.2, 0.5),
    ("users", 1.2, 1.0),
    ("users", 1.2, 0.0),
)
CONTENT_SHARE = 0.1  # energy of the feature rows against that of the event rows
CONTENT_DIMENSIONS = 32
TEXTS_PER_DIMENSION = 10  # from so many on deviations are taken out by more than half
CONTENDERS = 200  # items per user that contend for a list
FEW = 20.0  # a history of so many items is half-way from nothing to much
SHORT_HISTORIES = (0, 1, 2, 3, 5, 8, 13)  # sizes of the histories cut short
VALIDATION_USERS = 2000
WEIGHT_RIDGE = 0.005  # per positive, on weights of standardised columns
SLICE = 4096  # rows that are held at once
ITERATIONS = 7  # of the subspace
MIN_POSITIVES = 50  # validation pairs below which the fixed combination is used


@dataclasses.dataclass(frozen=True)
class RelevanceModel:
    """What scoring needs, for n items and d dimensions, of which the last `content` are of content.

    encoder and decoder have shape (n, d); statistics (n, s) are the repeats.item_features, whose
    first two are popularity: log users ever and of late. unknown, shape (5, 5), gives the weights
    of behaviour, content, the two popularities and 1 for items that a user does not know, as a
    linear function of the user's features: 1, sparsity of the history, and activity. repeats is for
    the items of the history. unit is the difference in log-odds that counts as 1 beside other
    objectives.
    """

    encoder: Floats
    decoder: Floats
    statistics: Floats
    content: int
    unknown: Floats
    repeats: repeats.RepeatModel
    half_life: int
    chosen: dict[str, Any]
    unit: float = 1.0

    @functools.cached_property
    def own(self) -> Floats:
        """The likeness of each item to itself, by behaviour and by content, shape (n, 2)."""
        products = self.encoder * self.decoder
        split = products.shape[1] - self.content
        return np.stack([products[:, :split].sum(axis=1), products[:, split:].sum(axis=1)], axis=1)

    @functools.cached_property
    def popularity(self) -> Floats:
        """Log users of each item, ever and of late, shape (n, 2)."""
        return np.ascontiguousarray(self.statistics[:, :2])

    def typical_query(self) -> Floats:
        """About how large the entries of OfUsers.queries are, shape (d + 2,)."""
        weights = np.abs(self.unknown[0])
        # the vectors of FEW items, of which some point the same way
        items = np.sqrt((self.encoder**2).mean(axis=0)) * FEW**0.5
        split = self.encoder.shape[1] - self.content
        items[:split] *= weights[0]
        items[split:] *= weights[1]
        return np.concatenate([items, weights[2:4]]).astype(np.float32)

    def of_users(
        self, history: History, users: int, wanted: npt.NDArray[np.bool_] | None = None
    ) -> OfUsers:
        """Relevance of all items for `users` users with sorted `history`.

        Args:
            history: the users' pairs.
            users: how many users.
            wanted: for which pairs the repeat term is needed, shape (pairs,); None for all.
        """
        starts = bounds(history.user, users)
        activity = repeats.activity(history, users)
        weights = user_features(starts, activity) @ self.unknown
        pair = normalised(pair_weights(history, self.half_life), starts)
        queries = user_vectors(self.encoder, history.item, pair, starts)
        blocks = np.repeat(weights[:, :2], [queries.shape[1] - self.content, self.content], axis=1)
        queries *= blocks
        if wanted is not None:
            history, pair = history.take(wanted), pair[wanted]
        likeness = _dot(queries, history.user, self.decoder, history.item)
        mine = weights.take(history.user, 0)
        # what an item says about itself is left out, as by EASE's zero diagonal
        own = np.einsum("ij,ij->i", self.own.take(history.item, 0), mine[:, :2]) * pair
        design = repeats.design(history, activity, self.statistics, likeness - own)
        popular = np.einsum("ij,ij->i", self.popularity.take(history.item, 0), mine[:, 2:4])
        queries = np.concatenate([queries, weights[:, 2:4]], axis=1)
        known = self.repeats.log_odds(design) - mine[:, 4]
        more = (known - likeness - popular).astype(np.float64)
        bonus = np.bincount(history.user, more, minlength=users).astype(np.float64)
        return OfUsers(queries, known, bonus, design)


@dataclasses.dataclass(frozen=True)
class OfUsers:
    """Relevance of a batch of users in parts: all that is needed to score any item.

    relevance(u, j) = <queries_u, (decoder_j, popularity_j)> + a constant of the user; for the
    wanted pairs of the history the inner product gives way to known. bonus is by how much more that
    is, summed over each user's pairs, shape (users,); design are the features from which known
    comes.
    """

    queries: Floats
    known: Floats
    bonus: Doubles
    design: Floats


def user_features(starts: npt.NDArray[np.int64], activity: Floats) -> Floats:
    """What the weights depend on, shape (users, 5): 1, sparsity and activity.

    Sparsity is how little is known of the user: 1 without history, towards 0 with a long one.
    """
    sparsity = 1 / (1 + np.diff(starts) / FEW)
    return np.column_stack([np.ones(len(sparsity)), sparsity, activity]).astype(np.float32)


def pair_weights(history: History, half_life: int) -> Floats:
    """The weight x_h of each pair in the user vector, before normalisation over the user."""
    return np.log1p(history.strength[:, half_life])


def normalised(weights: Floats, starts: npt.NDArray[np.int64]) -> Floats:
    """Divide each user's pair weights by |x|^(1/2); `starts` bounds the users, length users + 1."""
    squares = np.concatenate([[0.0], np.cumsum(weights.astype(np.float64) ** 2)])
    norm = squares[starts[1:]] - squares[starts[:-1]]
    root = np.repeat(np.maximum(norm, 1e-12) ** 0.25, np.diff(starts))
    out: Floats = (weights / root).astype(np.float32)
    return out


def _times(
    matrix: sparse.csr_array, where: torch.device | str
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The function that multiplies the matrix by dense columns.

    Sums of embeddings are several times as fast as the products of sparse matrices.
    """
    import torch

    index, starts, weights = (
        torch.from_numpy(array).to(where) for array in (matrix.indices, matrix.indptr, matrix.data)
    )

    def product(columns: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.embedding_bag(
            index, columns, starts, mode="sum", per_sample_weights=weights,
            include_last_offset=True,
        )  # fmt: skip

    return product


def user_vectors(
    encoder: Floats, item: Ints, weights: Floats, starts: npt.NDArray[np.int64]
) -> Floats:
    """Sum the encoder vectors of each user's items, shape (users, d); no history gives zeros."""
    import torch

    matrix = sparse.csr_array((weights, item, starts), shape=(len(starts) - 1, len(encoder)))
    out: Floats = _times(matrix, "cpu")(torch.from_numpy(encoder)).numpy()
    return out


def _truncated_svd(
    starts: npt.NDArray[np.int64],
    item: Ints,
    weights: Floats,
    features: Floats | None,
    items: int,
    dimensions: int,
    seed: int,
) -> tuple[Floats, Floats]:
    """Right singular vectors (items, d) and squared singular values (d,) of [X; sqrt(alpha) F'].

    Randomised subspace iteration (Halko, Martinsson and Tropp 2011).
    """
    import torch

    where = device()
    matrix = sparse.csr_array((weights, item, starts), shape=(len(starts) - 1, items))
    of_users, of_items = _times(matrix, where), _times(matrix.T.tocsr(), where)
    content = torch.zeros((items, 0), device=where)
    if features is not None and features.any():
        content = torch.from_numpy(features).to(where)
        energy = float((weights.astype(np.float64) ** 2).sum()) / float(
            (features.astype(np.float64) ** 2).sum()
        )
        content = content * float(np.sqrt(CONTENT_SHARE * energy))
    rank = min(dimensions, items, len(starts) - 1 + content.shape[1])
    width = min(rank + 16, items)
    generator = torch.Generator().manual_seed(seed)
    basis = torch.randn((items, width), generator=generator).to(where)
    image = basis
    for iteration in range(ITERATIONS):
        # before the last the columns only have to stay apart
        basis = _orthonormal(image, 2 if iteration == ITERATIONS - 1 else 1)
        image = of_items(of_users(basis)) + content @ (content.T @ basis)
    values, rotation = torch.linalg.eigh((basis.T @ image).double())
    values = values.flip(0)[:rank].clamp(min=0).float()
    vectors = basis @ rotation.flip(1)[:, :rank].float()
    # the sign of a singular vector is arbitrary: the largest entry is made positive
    signs = torch.sign(vectors.gather(0, vectors.abs().argmax(0, keepdim=True)))
    return (vectors * signs).cpu().numpy(), values.cpu().numpy()


def _orthonormal(matrix: torch.Tensor, times: int) -> torch.Tensor:
    """An orthonormal basis of the columns; to the last bits where it is made two times.

    By Cholesky factors of the Gram matrix (CholeskyQR2, Yamamoto et al. 2015), which reads a tall
    matrix a few times only; by Householder's where columns are nearly dependent.
    """
    import torch

    basis = matrix
    one = torch.eye(matrix.shape[1], dtype=torch.float64, device=matrix.device)
    for _ in range(times):
        gram = torch.zeros_like(one)
        for part in torch.split(basis, SLICE):
            wide = part.double()
            gram.addmm_(wide.T, wide)
        factor, failed = torch.linalg.cholesky_ex(gram)
        pivots = factor.diagonal()
        if int(failed) or float(pivots.min()) < 1e-5 * float(pivots.max()):
            householder: torch.Tensor = torch.linalg.qr(matrix).Q
            return householder
        basis = basis @ torch.linalg.solve_triangular(factor, one, upper=False).T.float()
    return basis


def _encoder_decoder(vectors: Floats, values: Floats, ridge: float) -> tuple[Floats, Floats]:
    """EASE's factors: B_ij = <encoder_i, decoder_j> off the diagonal."""
    gain = values / (values + ridge * max(float(values[0]), 1e-12))
    encoder = vectors * np.sqrt(gain)
    own = (encoder**2).sum(axis=1, keepdims=True)
    return encoder, encoder / np.maximum(1 - own, 0.05)


def _trend(history: History, items: int, of: str, window: float, exponent: float) -> Floats:
    """Users or adopters of each item in the window against those expected from all its users.

    An adopter is a user whose first event with the item lies in the window: what many go on buying
    and nobody takes up has users, but no adopters.
    """
    users = np.bincount(history.item, minlength=items)
    age = history.first if of == "adopters" else history.last
    late = np.bincount(history.item, age <= window, minlength=items)
    share = late.sum() / max(users.sum(), 1)
    out: Floats = (((late + 1) / (users * share + 1)) ** exponent).astype(np.float32)
    return out


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
    trainer = _Trainer(users, items, features, dimensions, combine, seed)
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
        sample = _Sample(window, users, items, seed)
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


class _Sample:
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


class _Trainer:
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
        self.content = _content(features, items)
        self.decomposition: tuple[History, int, tuple[Floats, Floats]] | None = None

    def factors(self, history: History, chosen: dict[str, Any]) -> tuple[Floats, Floats]:
        """Encoder and decoder of behaviour in closed form, shape (items, d)."""
        half_life = chosen["half_life"]
        if self.decomposition is None or self.decomposition[:2] != (history, half_life):
            starts = bounds(history.user, self.users)
            weights = normalised(pair_weights(history, half_life), starts)
            svd = _truncated_svd(
                starts, history.item, weights, self.features, self.items, self.dimensions, self.seed
            )
            self.decomposition = history, half_life, svd
        return _encoder_decoder(*self.decomposition[2], chosen["ridge"])

    def trend(self, history: History, chosen: dict[str, Any]) -> Floats:
        """The factor of each decoder vector, shape (items, 1)."""
        return _trend(history, self.items, *chosen["trend"])[:, None]

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

    def choose(self, sample: _Sample) -> dict[str, Any]:
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

    def weigh(self, sample: _Sample, model: RelevanceModel) -> Floats:
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
                *(_dot(query, row, decoder, item) for query, decoder in blocks),
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


def _content(features: Floats | None, items: int) -> Floats:
    """Principal components of the features, rows of unit length or zero, shape (items, c).

    They are whitened (Su et al. 2021, "Whitening sentence representations for better semantics and
    faster retrieval"): else the few along which departments differ would drown the many that tell
    products of one apart. The fewer texts say how large a deviation is, the less is it taken out:
    whitened in full, the texts of a small catalogue would all be equally unlike.
    """
    if features is None or not features.any():
        return np.zeros((items, 0), np.float32)
    wide = features.astype(np.float64)
    values, vectors = np.linalg.eigh(wide.T @ wide)
    kept = values > 1e-9 * values[-1]
    axes = vectors[:, kept][:, ::-1][:, :CONTENT_DIMENSIONS]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    projected = wide @ axes
    texts = len(np.unique(projected[:, 0].round(6)))
    share = texts / (texts + TEXTS_PER_DIMENSION * axes.shape[1])
    projected /= values[kept][::-1][: axes.shape[1]] ** (share / 2)
    length = np.linalg.norm(projected, axis=1, keepdims=True)
    out: Floats = (projected / np.where(length > 1e-9, length, 1.0)).astype(np.float32)
    return out


def _dot(
    left: Floats, row: npt.NDArray[np.integer], right: Floats, item: npt.NDArray[np.integer]
) -> Floats:
    """Inner products of pairs of rows, in slices that fit in the cache."""
    if not left.shape[1]:
        return np.zeros(len(row), np.float32)
    out = np.empty(len(row), np.float32)
    for first in range(0, len(row), SLICE):
        part = slice(first, first + SLICE)
        np.einsum("ij,ij->i", left.take(row[part], 0), right.take(item[part], 0), out=out[part])
    return out


def _best_unseen(queries: Floats, decoder: Floats, rows: History, k: int) -> npt.NDArray[np.int64]:
    """The k best items by likeness that a row's history does not hold, best first."""
    import torch

    from .topk import Given, Table

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
