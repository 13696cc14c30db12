"""The relevance model: a closed-form linear auto-encoder with a content tower and a repeat term.

The relevance of item j for a user with history h is the log-odds of a purchase,

    <A_u q_u, v_j> + <p_u, b_j> + c_u                       for an item the user does not know,
    gamma <A_u (q_u - x_j e_j), v_j> + c_j + <r, f_u(j)>    for one in the history,

with q_u = sum_h x_h e_h / |x|^(1/2).

- e and v come from a truncated EASE (Steck 2019, "Embarrassingly Shallow Autoencoders"). By the
  Woodbury identity the inverse in EASE's closed form, P = (X'X + lambda)^-1, is
  (1/lambda)(I - M) with M = V diag(s^2 / (s^2 + lambda)) V' for the singular vectors V and values
  s of X. So EASE's item-item weights B_ij = M_ij / (1 - M_jj) have rank d: one encoder and one
  decoder vector per item, and no items x items matrix.
- Item features F join as extra rows of X, sqrt(alpha) F' (collective EASE: Jeunen, Van Balen and
  Goethals 2020), which gives items without a single event a vector from their text, and a user a
  content term from the texts in the history.
- A second block of e and v is the principal components of the item features: likeness of content.
- v_j carries the item's trend (recent against long-run share of users) and b_j its popularity.
- A_u, p_u and c_u weigh the blocks of likeness and popularity. They depend on how much is known of
  the user: linear in 1 / (1 + items in the history / 20).
- f_u(j) is frequency, recency and rhythm of the user's own purchases of j. The history's items
  leave out what they say about themselves (EASE's zero diagonal).

The weights are two logistic regressions on a validation window: the history before it against
what the user did in it, over the history and over the best unseen items. Each user stands there
twice, with all of the history and with a few items of it, so that short histories are learnt too.
"""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .device import device

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

REPEAT_FEATURES = (
    "log_count",
    "log_strength_short",
    "log_strength_medium",
    "log_strength_long",
    "log_last",
    "log_first",
    "repeated",
    "rhythm",
    "overdue",
)
RIDGES = (0.1, 0.03, 0.01)  # lambda, in units of the largest squared singular value
TRENDS = (0.0, 0.5, 1.0)  # exponent of the trend
CONTENT_SHARE = 0.1  # energy of the feature rows against that of the event rows
CONTENT_DIMENSIONS = 32
CONTENDERS = 200  # items per user that contend for a list
FEW = 20.0  # a history of so many items is half-way from nothing to much
SHORT_HISTORIES = (0, 1, 2, 3, 5, 8, 13)  # sizes of the histories cut short
VALIDATION_USERS = 2000
MIN_POSITIVES = 50  # validation pairs below which the fixed combination is used


@dataclasses.dataclass(frozen=True)
class History:
    """User-item pairs as of a moment, sorted by user; every array has one entry per pair.

    strength has three columns: the sums of event weights that decay with the short, medium and
    long half-life, in units of the mean event weight. count is the number of distinct days (events
    where there is no time). last and first are the ages of the last and first event in units of the
    medium half-life.
    """

    user: Ints
    item: Ints
    strength: Floats
    count: Floats
    last: Floats
    first: Floats

    def __len__(self) -> int:
        return len(self.user)

    def take(self, keep: npt.NDArray[np.bool_]) -> History:
        """Return the pairs where `keep` is true."""
        return History(*(getattr(self, field.name)[keep] for field in dataclasses.fields(self)))

    def of_users(self, chosen: npt.NDArray[np.int64], users: int) -> History:
        """Return the pairs of some of `users` users, numbered by their place in sorted `chosen`."""
        if len(chosen) == users:
            return self
        number = np.full(users, -1, np.int32)
        number[chosen] = np.arange(len(chosen), dtype=np.int32)
        kept = self.take(number[self.user] >= 0)
        return dataclasses.replace(kept, user=number[kept.user])


@dataclasses.dataclass(frozen=True)
class RelevanceModel:
    """What scoring needs, for n items and d dimensions, of which the last `content` are of content.

    encoder and decoder have shape (n, d); popularity (n, 2) is the log of the users of each item,
    ever and of late. unknown, shape (2, 5), weighs behaviour, content, the two popularities and 1
    for items the user does not know: the first row for users with much history, the second is
    added for those with little (times `sparsity`). known weighs likeness, the two popularities,
    the REPEAT_FEATURES and 1 for items of the history. unit is the difference in log-odds that
    counts as 1 beside other objectives.
    """

    encoder: Floats
    decoder: Floats
    popularity: Floats
    content: int
    unknown: Floats
    known: Floats
    half_life: int
    chosen: dict[str, float]
    unit: float = 1.0

    def user_weights(self, starts: npt.NDArray[np.int64]) -> Floats:
        """The weights of the five parts of unknown items for each user, shape (users, 5)."""
        few = sparsity(starts)[:, None]
        out: Floats = (self.unknown[0] + few * self.unknown[1]).astype(np.float32)
        return out

    def scaled(self, queries: Floats, user_weights: Floats) -> Floats:
        """User vectors with the blocks of behaviour and content weighed, shape (users, d)."""
        out = queries * user_weights[:, :1]
        if self.content:
            out[:, -self.content :] = queries[:, -self.content :] * user_weights[:, 1:2]
        return out


def sparsity(starts: npt.NDArray[np.int64]) -> Floats:
    """How little is known of each user: 1 without history, towards 0 with a long one."""
    return (1 / (1 + np.diff(starts) / FEW)).astype(np.float32)


def repeat_features(history: History) -> Floats:
    """Frequency, recency and rhythm of each pair, shape (pairs, len(REPEAT_FEATURES))."""
    repeated = history.count > 1
    interval = (history.first - history.last) / np.maximum(history.count - 1, 1)
    # 0.3 of the medium half-life smooths the ratio where an interval is short
    overdue = np.where(repeated, np.log((history.last + 0.3) / (interval + 0.3)), 0)
    return np.column_stack(
        [
            np.log(history.count),
            *np.log(history.strength.T + 0.01),
            np.log1p(history.last),
            np.log1p(history.first),
            repeated,
            np.abs(overdue),
            overdue,
        ]
    ).astype(np.float32)


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


def bounds(user: Ints, users: int) -> npt.NDArray[np.int64]:
    """Where each user's pairs start in sorted `user`, length users + 1."""
    return np.searchsorted(user, np.arange(users + 1)).astype(np.int64)


def _sparse(starts: npt.NDArray[np.int64], item: Ints, weights: Floats, items: int) -> torch.Tensor:
    """The matrix of pair weights in compressed rows, shape (users, items)."""
    import torch

    with warnings.catch_warnings():
        # torch calls its compressed rows a beta feature once per process
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(
            torch.from_numpy(starts),
            torch.from_numpy(item.astype(np.int64)),
            torch.from_numpy(np.ascontiguousarray(weights, dtype=np.float32)),
            size=(len(starts) - 1, items),
            check_invariants=False,
        )


def user_vectors(
    encoder: Floats, item: Ints, weights: Floats, starts: npt.NDArray[np.int64]
) -> Floats:
    """Sum the encoder vectors of each user's items, shape (users, d); no history gives zeros."""
    import torch

    rows = _sparse(starts, item, weights, len(encoder))
    out: Floats = (rows @ torch.from_numpy(encoder)).numpy()
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
    on_cpu = _sparse(starts, item, weights, items)
    rows = on_cpu.to(where)
    columns = torch.transpose(on_cpu, 0, 1).to_sparse(layout=torch.sparse_csr).to(where)
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
    for _ in range(7):
        basis, _ = torch.linalg.qr(image)
        image = columns @ (rows @ basis) + content @ (content.T @ basis)
    values, rotation = torch.linalg.eigh((basis.T @ image).double())
    values = values.flip(0)[:rank].clamp(min=0).float()
    vectors = basis @ rotation.flip(1)[:, :rank].float()
    # the sign of a singular vector is arbitrary: the largest entry is made positive
    signs = torch.sign(vectors.gather(0, vectors.abs().argmax(0, keepdim=True)))
    return (vectors * signs).cpu().numpy(), values.cpu().numpy()


def _encoder_decoder(vectors: Floats, values: Floats, ridge: float) -> tuple[Floats, Floats]:
    """EASE's factors: B_ij = <encoder_i, decoder_j> off the diagonal."""
    gain = values / (values + ridge * max(float(values[0]), 1e-12))
    encoder = vectors * np.sqrt(gain)
    own = (encoder**2).sum(axis=1, keepdims=True)
    return encoder, encoder / np.maximum(1 - own, 0.05)


def _item_statistics(history: History, items: int) -> tuple[Floats, Floats, Floats]:
    """Log users of each item, log users of late, and the trend: late against expected users."""
    users = np.bincount(history.item, minlength=items)
    late = np.bincount(history.item, history.last <= 1.2, minlength=items)
    share = late.sum() / max(users.sum(), 1)
    trend = (late + 1) / (users * share + 1)
    to32 = np.float32
    return np.log1p(users).astype(to32), np.log1p(late).astype(to32), trend.astype(to32)


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
    validation: tuple[History, Ints, Ints] | None,
    dimensions: int,
    seed: int,
) -> RelevanceModel:
    """Train the relevance model.

    Args:
        history: all pairs as of now.
        users: number of users.
        items: number of items in the catalogue.
        features: item features such as centred text embeddings, shape (items, features), or None.
        validation: the history as of the start of the validation window, and the users and items of
            the distinct pairs inside it. None, or too few pairs, uses fixed weights for the parts.
        dimensions: length of the item vectors.
        seed: of the random start of the decomposition.
    """
    chosen = {"half_life": 2.0, "ridge": 0.03, "trend": 0.5}
    # without a validation window: likeness first, then popularity, frequency for what is known
    unknown = np.zeros((2, 5), np.float32)
    unknown[0] = 10.0, 0.5, 0.25, 0.25, 0.0
    known = np.zeros(3 + len(REPEAT_FEATURES) + 1, np.float32)
    known[:3] = 1.0, 0.25, 0.25
    known[3 + REPEAT_FEATURES.index("log_strength_medium")] = 1.0
    content = _content(features, items)
    if validation is not None:
        learned = _learn(*validation, users, items, features, content, dimensions, seed)
        if learned is not None:
            chosen, unknown, known = learned
    encoder, decoder, popularity, _ = _parts(
        history, users, items, features, dimensions, seed, chosen
    )
    return RelevanceModel(
        encoder=np.concatenate([encoder, content], axis=1),
        decoder=np.concatenate([decoder, content], axis=1),
        popularity=popularity,
        content=content.shape[1],
        unknown=unknown,
        known=known,
        half_life=int(chosen["half_life"]),
        chosen=chosen,
    )


def _content(features: Floats | None, items: int) -> Floats:
    """Principal components of the features, rows of unit length or zero, shape (items, c)."""
    if features is None or not features.any():
        return np.zeros((items, 0), np.float32)
    wide = features.astype(np.float64)
    values, vectors = np.linalg.eigh(wide.T @ wide)
    kept = values > 1e-9 * values[-1]
    axes = vectors[:, kept][:, ::-1][:, :CONTENT_DIMENSIONS]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    projected = wide @ axes
    length = np.linalg.norm(projected, axis=1, keepdims=True)
    out: Floats = (projected / np.where(length > 1e-9, length, 1.0)).astype(np.float32)
    return out


def _parts(
    history: History,
    users: int,
    items: int,
    features: Floats | None,
    dimensions: int,
    seed: int,
    chosen: dict[str, float],
    svd: tuple[Floats, Floats] | None = None,
) -> tuple[Floats, Floats, Floats, tuple[Floats, Floats]]:
    """Encoder, decoder with trend, popularity, and the decomposition, computed where not given."""
    if svd is None:
        starts = bounds(history.user, users)
        weights = normalised(pair_weights(history, int(chosen["half_life"])), starts)
        svd = _truncated_svd(starts, history.item, weights, features, items, dimensions, seed)
    encoder, decoder = _encoder_decoder(*svd, chosen["ridge"])
    ever, late, trend = _item_statistics(history, items)
    decoder = decoder * (trend ** np.float32(chosen["trend"]))[:, None]
    return encoder, decoder, np.column_stack([ever, late]), svd


def _validation_rows(
    past: History, sample: npt.NDArray[np.int64], users: int, seed: int
) -> tuple[History, npt.NDArray[np.int64]]:
    """The histories of the sampled users, whole and then cut short; and where each row starts."""
    generator = np.random.default_rng(seed)
    whole = past.of_users(sample, users)
    row = whole.user
    starts = bounds(row, len(sample))
    order = np.lexsort((generator.random(len(whole)), row))
    place = np.empty(len(whole), np.int64)
    place[order] = np.arange(len(whole)) - np.repeat(starts[:-1], np.diff(starts))
    size = generator.choice(SHORT_HISTORIES, len(sample))
    short = whole.take(place < size[row])
    both = History(
        *(
            np.concatenate([getattr(whole, field.name), getattr(short, field.name)])
            for field in dataclasses.fields(History)
        )
    )
    rows = np.concatenate([row, short.user + len(sample)]).astype(np.int32)
    return dataclasses.replace(both, user=rows), bounds(rows, 2 * len(sample))


def _learn(
    past: History,
    target_user: Ints,
    target_item: Ints,
    users: int,
    items: int,
    features: Floats | None,
    content: Floats,
    dimensions: int,
    seed: int,
) -> tuple[dict[str, float], Floats, Floats] | None:
    """Choose the hyper-parameters and learn how the parts add up, on the validation window.

    Returns None where the window has too few pairs of users with a history.
    """
    returning = np.isin(target_user, past.user)
    if returning.sum() < MIN_POSITIVES:
        return None
    target_user, target_item = target_user[returning], target_item[returning]
    sample = np.unique(target_user).astype(np.int64)
    if len(sample) > VALIDATION_USERS:
        generator = np.random.default_rng(seed)
        sample = np.sort(generator.choice(sample, VALIDATION_USERS, replace=False))
    rows, starts = _validation_rows(past, sample, users, seed)
    whole = len(sample)
    # a pair of row and item is one number
    place = np.searchsorted(sample, target_user)
    inside = sample[np.minimum(place, whole - 1)] == target_user
    truth = np.unique(place[inside] * items + target_item[inside])
    seen = rows.user.astype(np.int64) * items + rows.item
    fresh = np.setdiff1d(truth, seen)
    fresh_sizes = np.bincount(fresh // items, minlength=whole)
    evaluated = np.flatnonzero(fresh_sizes)
    k = min(20, items)
    mine = rows.take(rows.user < whole)

    best: tuple[float, dict[str, float]] | None = None
    for half_life in (1, 2):
        svd = None
        pair = normalised(pair_weights(mine, half_life), starts[: whole + 1])
        for ridge in RIDGES:
            for trend in TRENDS:
                option = {"half_life": float(half_life), "ridge": ridge, "trend": trend}
                encoder, decoder, _, svd = _parts(
                    past, users, items, features, dimensions, seed, option, svd
                )
                queries = user_vectors(encoder, mine.item, pair, starts[: whole + 1])
                index = _best_unseen(queries, decoder, mine, k)
                hits = np.isin(evaluated[:, None] * items + index[evaluated], fresh)
                quality = _ndcg(hits, fresh_sizes[evaluated]) if len(evaluated) else 0.0
                if best is None or quality > best[0]:
                    best = quality, option
    assert best is not None
    chosen = best[1]

    encoder, decoder, popularity, _ = _parts(past, users, items, features, dimensions, seed, chosen)
    pair = normalised(pair_weights(rows, int(chosen["half_life"])), starts)
    behaviour = user_vectors(encoder, rows.item, pair, starts)
    profile = user_vectors(content, rows.item, pair, starts)
    popular = np.argsort(-popularity[:, 1], kind="stable")[: CONTENDERS // 4]
    contenders = [
        _best_unseen(behaviour, decoder, rows, min(CONTENDERS, items)),
        np.tile(popular, (2 * whole, 1)),
    ]
    if content.shape[1]:
        contenders.append(_best_unseen(profile, content, rows, min(CONTENDERS // 4, items)))
    candidate = np.concatenate(contenders, axis=1)
    pairs = np.unique(np.arange(2 * whole)[:, None] * items + candidate)
    pairs = np.setdiff1d(pairs, seen, assume_unique=True)
    row, item = np.divmod(pairs, items)
    parts = np.column_stack(
        [_dot(behaviour, row, decoder, item), _dot(profile, row, content, item), popularity[item]]
    )
    few = sparsity(starts)[row][:, None]
    label = np.isin(row % whole * items + item, truth)
    weights = _logistic(np.concatenate([parts, few * parts, few], axis=1), label, seed)
    known_label = np.isin(seen[: len(mine)], truth)
    if weights is None or known_label.all() or not known_label.any():
        return None
    unknown = np.stack([np.append(weights[:4], weights[9]), weights[4:9]])

    # the known items see the likeness as unknown items do, without what they say of themselves
    effect = (unknown[0] + sparsity(starts)[mine.user][:, None] * unknown[1]).astype(np.float32)
    own = np.column_stack(
        [
            np.einsum("ij,ij->i", encoder[mine.item], decoder[mine.item]),
            np.einsum("ij,ij->i", content[mine.item], content[mine.item]),
        ]
    )
    likeness = np.column_stack(
        [
            _dot(behaviour, mine.user, decoder, mine.item),
            _dot(profile, mine.user, content, mine.item),
        ]
    )
    likeness = ((likeness - own * pair[: len(mine), None]) * effect[:, :2]).sum(axis=1)
    design = np.column_stack([likeness, popularity[mine.item], repeat_features(mine)])
    known = _logistic(design, known_label, seed)
    assert known is not None
    return {**chosen, "validation_ndcg": best[0]}, unknown, known


def _dot(
    left: Floats, row: npt.NDArray[np.integer], right: Floats, item: npt.NDArray[np.integer]
) -> Floats:
    """Inner products of pairs of rows, in slices that fit in memory."""
    out = np.empty(len(row), np.float32)
    for first in range(0, len(row), 1 << 18):
        part = slice(first, first + (1 << 18))
        out[part] = np.einsum("ij,ij->i", left[row[part]], right[item[part]])
    return out


def _best_unseen(queries: Floats, decoder: Floats, rows: History, k: int) -> npt.NDArray[np.int64]:
    """The k best items by likeness that a row's history does not hold, best first."""
    import torch

    where = device()
    table = torch.from_numpy(decoder).to(where)
    starts = bounds(rows.user, len(queries))
    index = []
    for first in range(0, len(queries), 256):
        last = min(first + 256, len(queries))
        block = torch.from_numpy(queries[first:last]).to(where) @ table.T
        mine = slice(starts[first], starts[last])
        block[
            torch.from_numpy(rows.user[mine].astype(np.int64) - first),
            torch.from_numpy(rows.item[mine].astype(np.int64)),
        ] = -torch.inf
        index.append(block.topk(k, dim=1).indices.cpu().numpy())
    return np.concatenate(index)


def _logistic(design: Floats, label: npt.NDArray[np.bool_], seed: int) -> Floats | None:
    """Logistic regression: the weights of the columns, the intercept last; None for one class."""
    from sklearn.linear_model import LogisticRegression

    if label.all() or not label.any():
        return None
    scale = design.std(axis=0)
    scale[scale < 1e-6] = 1.0
    regression = LogisticRegression(max_iter=500, random_state=seed).fit(design / scale, label)
    return np.append(regression.coef_[0] / scale, regression.intercept_).astype(np.float32)
