"""The relevance model: a closed-form linear auto-encoder with a content tower and a repeat term.

The relevance of item j for a user with history h is the log-odds of a purchase,

    <q_u, v_j> + b_j                                  for an item the user does not know,
    gamma <q_u - x_j e_j, v_j> + c_j + <r, f_u(j)>    for one in the history,

with q_u = sum_h x_h e_h / |x|^(1/2).

- e and v come from a truncated EASE (Steck 2019, "Embarrassingly Shallow Autoencoders"). By the
  Woodbury identity the inverse in EASE's closed form, P = (X'X + lambda)^-1, is
  (1/lambda)(I - M) with M = V diag(s^2 / (s^2 + lambda)) V' for the singular vectors V and values
  s of X. So EASE's item-item weights B_ij = M_ij / (1 - M_jj) have rank d: one encoder and one
  decoder vector per item, and no items x items matrix.
- Item features F join as extra rows of X, sqrt(alpha) F' (collective EASE: Jeunen, Van Balen and
  Goethals 2020), which gives items without a single event a vector from their text, and a user a
  content term from the texts in the history.
- v_j carries the item's trend (recent against long-run share of users) and b_j its popularity.
- f_u(j) is frequency, recency and rhythm of the user's own purchases of j. The history's items
  leave out what they say about themselves (EASE's zero diagonal).

The weights a, b, c, gamma and r are two logistic regressions on a validation window: the history
before it against what the user did in it, over the history and over the best unseen items.
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
CONTENDERS = 200  # unseen items per user on which the parts are weighed against each other
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


@dataclasses.dataclass(frozen=True)
class RelevanceModel:
    """What scoring needs, for n items and d dimensions.

    encoder (n, d), decoder (n, d) and bias (n,) score unknown items. own_affinity (gamma), own_bias
    (n,) and repeat (one weight per REPEAT_FEATURES) score the items of the history. unit is the
    difference in log-odds that counts as 1 beside other objectives.
    """

    encoder: Floats
    decoder: Floats
    bias: Floats
    own_affinity: float
    own_bias: Floats
    repeat: Floats
    half_life: int
    chosen: dict[str, float]
    unit: float = 1.0


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
    rows = _sparse(starts, item, weights, items).to(where)
    columns = torch.transpose(rows, 0, 1).to_sparse(layout=torch.sparse_csr)
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
    unknown = np.array([10.0, 0.25, 0.25, 0.0], np.float32)
    known = np.concatenate([unknown[:3], np.zeros(len(REPEAT_FEATURES) + 1, np.float32)])
    known[3 + REPEAT_FEATURES.index("log_strength_medium")] = 1.0
    if validation is not None:
        learned = _learn(*validation, users, items, features, dimensions, seed)
        if learned is not None:
            chosen, unknown, known = learned
    encoder, decoder, statistics, _, _ = _parts(
        history, users, items, features, dimensions, seed, chosen
    )
    # a negative weight would turn likeness upside down; it only comes from a handful of pairs
    scale = max(float(unknown[0]), 1e-3)
    return RelevanceModel(
        encoder=encoder,
        decoder=decoder * np.float32(scale),
        bias=statistics @ unknown[1:3] + unknown[3],
        own_affinity=float(known[0]) / scale,
        own_bias=statistics @ known[1:3] + known[-1],
        repeat=known[3:-1],
        half_life=int(chosen["half_life"]),
        chosen=chosen,
    )


def _parts(
    history: History,
    users: int,
    items: int,
    features: Floats | None,
    dimensions: int,
    seed: int,
    chosen: dict[str, float],
    svd: tuple[Floats, Floats] | None = None,
) -> tuple[Floats, Floats, Floats, Floats, tuple[Floats, Floats]]:
    """Encoder, decoder with trend, item statistics, pair weights and the decomposition."""
    starts = bounds(history.user, users)
    weights = normalised(pair_weights(history, int(chosen["half_life"])), starts)
    if svd is None:
        svd = _truncated_svd(starts, history.item, weights, features, items, dimensions, seed)
    encoder, decoder = _encoder_decoder(*svd, chosen["ridge"])
    ever, late, trend = _item_statistics(history, items)
    decoder = decoder * (trend ** np.float32(chosen["trend"]))[:, None]
    return encoder, decoder, np.column_stack([ever, late]), weights, svd


def _learn(
    past: History,
    target_user: Ints,
    target_item: Ints,
    users: int,
    items: int,
    features: Floats | None,
    dimensions: int,
    seed: int,
) -> tuple[dict[str, float], Floats, Floats] | None:
    """Choose the hyper-parameters and learn how the parts add up, on the validation window.

    Returns None where the window has too few pairs of users with a history.
    """
    import torch

    returning = np.isin(target_user, past.user)
    if returning.sum() < MIN_POSITIVES:
        return None
    target_user, target_item = target_user[returning], target_item[returning]
    generator = np.random.default_rng(seed)
    sample = np.unique(target_user)
    if len(sample) > VALIDATION_USERS:
        sample = np.sort(generator.choice(sample, VALIDATION_USERS, replace=False))
    ours = np.isin(past.user, sample)
    row_of = np.full(users, -1, np.int64)
    row_of[sample] = np.arange(len(sample))
    mine = past.take(ours)
    mine_row = row_of[mine.user]
    mine_starts = bounds(mine_row.astype(np.int32), len(sample))
    inside = np.isin(target_user, sample)
    truth = np.unique(row_of[target_user[inside]] * items + target_item[inside])
    seen = mine_row * items + mine.item
    fresh = np.setdiff1d(truth, seen)
    fresh_sizes = np.bincount(fresh // items, minlength=len(sample))
    evaluated = np.flatnonzero(fresh_sizes)
    k = min(20, items)
    contenders = min(CONTENDERS, items)

    def rank_unseen(queries: Floats, decoder: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
        """The best unseen items of the sampled users by likeness, in blocks of users."""
        where = device()
        table = torch.from_numpy(decoder).to(where)
        index, score = [], []
        for first in range(0, len(sample), 256):
            block = torch.from_numpy(queries[first : first + 256]).to(where) @ table.T
            a, b = mine_starts[first], mine_starts[min(first + 256, len(sample))]
            block[
                torch.from_numpy(mine_row[a:b] - first),
                torch.from_numpy(mine.item[a:b].astype(np.int64)),
            ] = -torch.inf
            top = block.topk(contenders, dim=1)
            index.append(top.indices.cpu().numpy())
            score.append(top.values.cpu().numpy())
        return np.concatenate(index), np.concatenate(score)

    best: tuple[float, dict[str, float]] | None = None
    for half_life in (1, 2):
        svd = None
        for ridge in RIDGES:
            for trend in TRENDS:
                option = {"half_life": float(half_life), "ridge": ridge, "trend": trend}
                encoder, decoder, _, weights, svd = _parts(
                    past, users, items, features, dimensions, seed, option, svd
                )
                queries = user_vectors(encoder, mine.item, weights[ours], mine_starts)
                index, _ = rank_unseen(queries, decoder)
                hits = np.isin(evaluated[:, None] * items + index[evaluated, :k], fresh)
                quality = _ndcg(hits, fresh_sizes[evaluated]) if len(evaluated) else 0.0
                if best is None or quality > best[0]:
                    best = quality, option
    assert best is not None
    chosen = best[1]

    encoder, decoder, statistics, weights, _ = _parts(
        past, users, items, features, dimensions, seed, chosen
    )
    queries = user_vectors(encoder, mine.item, weights[ours], mine_starts)
    index, likeness = rank_unseen(queries, decoder)
    unseen_row = np.repeat(np.arange(len(sample)), contenders)
    unseen_item = index.ravel()
    possible = np.isfinite(likeness.ravel())
    unseen = np.column_stack([likeness.ravel(), statistics[unseen_item]])[possible]
    unseen_pair = unseen_row[possible] * items + unseen_item[possible]
    own = np.einsum("ij,ij->i", encoder[mine.item], decoder[mine.item]) * weights[ours]
    seen_likeness = np.einsum("ij,ij->i", queries[mine_row], decoder[mine.item]) - own
    known = np.column_stack([seen_likeness, statistics[mine.item], repeat_features(mine)])
    weights_unknown = _logistic(unseen, np.isin(unseen_pair, truth), seed)
    weights_known = _logistic(known, np.isin(seen, truth), seed)
    if weights_unknown is None or weights_known is None:
        return None
    return {**chosen, "validation_ndcg": best[0]}, weights_unknown, weights_known


def _logistic(design: Floats, label: npt.NDArray[np.bool_], seed: int) -> Floats | None:
    """Logistic regression: the weights of the columns, the intercept last; None for one class."""
    from sklearn.linear_model import LogisticRegression

    if label.all() or not label.any():
        return None
    scale = design.std(axis=0)
    scale[scale < 1e-6] = 1.0
    regression = LogisticRegression(max_iter=500, random_state=seed).fit(design / scale, label)
    return np.append(regression.coef_[0] / scale, regression.intercept_).astype(np.float32)
