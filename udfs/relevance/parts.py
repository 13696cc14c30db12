"""How the parts of relevance add up for items that a user does not know.

The weights of likeness by behaviour, likeness by content and the two popularities come from a
logistic regression over the items that contend for a list, so that relevance is in log-odds. No
part counts against an item: a weight that would be negative, for a user with much or with little of
a history, is 0. Likeness by behaviour, and by content where there is one, are used unless other
parts rank clearly better: what is held out has hardly an item that is new to everyone, for which
content is. Users without a history have all in any case, and those with a short one the more of
them the shorter it is, where that ranks short histories clearly better. What attributes of users
add is largest without a history and fades with it; its weight is the one with which the lists of
users without a history are best. What friends took is weighed, and fades, likewise. What users were
shown and passed over speaks against what is like it, and fades, where that makes lists of short
histories better: never for it, since lists would then confirm themselves.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..history import Floats, History, Ints, Longs, bounds
from . import repeats
from .model import (
    OF_FRIENDS,
    OF_LABELS,
    OF_SHOWN,
    RelevanceModel,
    normalised,
    pair_weights,
    user_features,
    user_vectors,
)
from .sample import LISTED, OTHERS, Sample, best_unseen, better, compared, mean
from .sparse import added, at, dot

CONTENDERS = 200  # items per user that contend for a list
WEIGHT_RIDGE = 0.005  # per positive, on weights of standardised columns
# the columns of the parts: likeness by behaviour and by content, popularity ever and of late
PARTS = ((0, 1), (0,), (0, 2, 3), (0, 1, 2, 3))
# weights of attributes, of friends and of what was passed over that are tried, of that of likeness
# by behaviour for a short history
SHARES = (0.1, 0.3, 1.0, 3.0)
FADES = (20.0, 5.0, 1.0)  # items in a history with which these count half
FEW = (14, 4)  # items, below which a history may be a short one


def weighed(sample: Sample, model: RelevanceModel) -> RelevanceModel:
    """The model with the weights of its parts, learnt and chosen on the sample."""
    found, labels = _weighed(sample, dataclasses.replace(model, labels=None)), model.labels
    if labels is not None:
        with_labels = dataclasses.replace(found, labels=labels)
        found = _beside(sample, with_labels, OF_LABELS, sample.whole.labels.user)
        if not found.uses(OF_LABELS):
            found = dataclasses.replace(found, labels=None)
    if len(sample.whole.friends):
        found = _beside(sample, found, OF_FRIENDS, sample.whole.friends.user)
    if len(sample.whole.shown):
        found = _passed_over(sample, found)
    return found


def _beside(sample: Sample, model: RelevanceModel, source: str, user: Ints) -> RelevanceModel:
    """The model with a source beside the events, where it makes first lists better.

    Of the weights whose first lists are about as good as any, and the ways to fade with the history
    that leave the lists of others as good, those are taken by which first lists and those of short
    histories are best.

    Args:
        sample: users of the window that is held out.
        model: with what the source adds, which has no weight yet.
        source: OF_LABELS or OF_FRIENDS.
        user: of each entry that there is of the source.
    """
    unit = _unit(model)
    mine = np.unique(user).astype(np.int64)
    first = _first_lists(sample, model, mine)
    lists = {
        share * unit: _first_lists(sample, model.beside(source, share * unit), mine)
        for share in SHARES
    }
    best = max(lists.values(), key=mean)
    told = compared("first lists", best, first)
    found: dict[float, tuple[float, float]] = {}
    if told["used"]:
        before = [_ndcg(sample, model, history) for history in (sample.whole, sample.short)]
        good = [weight for weight, of_weight in lists.items() if not better(best, of_weight)]
        for option in itertools.product(good, FADES):
            with_it = model.beside(source, *option)
            after = [_ndcg(sample, with_it, history) for history in (sample.whole, sample.short)]
            if not any(better(*pair) for pair in zip(before, after, strict=True)):
                found[mean(lists[option[0]]) + mean(after[1])] = option
    chosen = model
    if found:
        weight, fade = found[max(found)]
        chosen = model.beside(source, weight, fade)
        told = compared("first lists", lists[weight], first)
    told |= chosen.chosen.get(source, {"used": False})
    return dataclasses.replace(chosen, chosen={**chosen.chosen, source: told})


def _passed_over(sample: Sample, model: RelevanceModel) -> RelevanceModel:
    """The model in which what users passed over counts, where it makes lists better.

    Lists of whole and of short histories count alike, of which those of whole ones must not become
    worse: who takes little of what is shown is known by little else. Weights are tried on some of
    the users by one way to fade with the history, and the others by the best of them; whether it
    counts is up to all.
    """

    def lists(of: Sample, option: RelevanceModel) -> npt.NDArray[np.float64]:
        return np.stack([_ndcg(of, option, one) for one in (of.whole, of.short)])

    def option(share: float, fade: float) -> RelevanceModel:
        return model.beside(OF_SHOWN, -share * _unit(model), fade)

    def try_out(options: Iterable[tuple[float, float]]) -> tuple[float, float]:
        found.update((one, lists(some, option(*one))) for one in options)
        good = [one for one, (whole, _) in found.items() if not better(before[0], whole)]
        return max(good or found, key=lambda one: mean(found[one]))

    some = sample.some(OTHERS)
    before = lists(some, model)
    found: dict[tuple[float, float], npt.NDArray[np.float64]] = {}
    share, _ = try_out(itertools.product(SHARES, FADES[1:2]))
    best = option(*try_out(itertools.product((share,), (FADES[0], *FADES[2:]))))
    old, new = lists(sample, model), lists(sample, best)
    told = compared("lists of whole and short histories", new.mean(0), old.mean(0))
    told["used"] = told["used"] and not better(old[0], new[0])
    chosen = best if told["used"] else model
    told |= chosen.chosen.get(OF_SHOWN, {})
    return dataclasses.replace(chosen, chosen={**chosen.chosen, OF_SHOWN: told})


def _unit(model: RelevanceModel) -> float:
    """The weight of likeness by behaviour for a short history, at least 1."""
    return max(float(model.unknown[0, 0] + model.unknown[1, 0]), 1.0)


def _first_lists(sample: Sample, model: RelevanceModel, mine: Longs) -> npt.NDArray[np.float64]:
    """How good the lists of some users would be if they had no history."""
    nothing = sample.whole.take(np.zeros(len(sample.whole), bool)).of_users(mine, sample.users)
    of_users = model.of_users(nothing, len(mine))
    table = np.concatenate([model.decoder, model.popularity], axis=1)
    lists = np.zeros((sample.users, min(LISTED, sample.items)), np.int64)
    lists[mine] = best_unseen(of_users.queries, table, nothing, lists.shape[1], of_users.more)
    return sample.ndcg_of(lists, False)[np.isin(sample.evaluated(False), mine)]


def _weighed(sample: Sample, model: RelevanceModel) -> RelevanceModel:
    """The model with the weights of all parts but labels."""
    pairs = _contending(sample, model)
    if pairs.label.all() or not pairs.label.any():
        return model
    options: list[tuple[int, ...]]
    options = [columns for columns in PARTS if model.content or 1 not in columns]
    everything = _learnt(pairs, options[-1])
    given = _given(model.chosen)
    if given:
        pairs.parts[:, 0] += pairs.parts[:, list(given)] @ np.array(
            list(given.values()), np.float32
        )
        kept = (tuple(part for part in columns if part not in given) for columns in options)
        options = list(dict.fromkeys(kept))
    candidates = []
    for columns in options:
        whole = not given and columns == options[-1]
        unknown = everything if whole else _learnt(pairs, columns)
        for part, weight in given.items():
            unknown[:, part] = weight * unknown[:, 0]
        candidates.append(dataclasses.replace(model, unknown=unknown, cold=everything))
    chosen = candidates[0]
    best = _ndcg(sample, chosen, sample.whole)
    for option in candidates[1:]:
        ndcg = _ndcg(sample, option, sample.whole)
        if better(ndcg, best):
            best, chosen = ndcg, option
    short = _ndcg(sample, chosen, sample.short)
    for few in FEW:
        option = dataclasses.replace(chosen, few=few)
        if not better(_ndcg(sample, option, sample.short), short):
            break
        if mean(_ndcg(sample, option, sample.whole)) >= mean(best):
            return option
    return chosen


def _ndcg(sample: Sample, model: RelevanceModel, history: History) -> npt.NDArray[np.float64]:
    """How good the lists of each user are, of whom no more than `history` is known."""
    of_users = model.of_users(history, sample.users)
    table = np.concatenate([model.decoder, model.popularity], axis=1)
    return sample.ndcg(of_users.queries, table, of_users.more)


def _given(settings: dict[str, Any]) -> dict[int, float]:
    """The parts whose weight beside likeness by behaviour is fixed, and that weight."""
    given: dict[int, float] = {}
    if settings["content_weight"] is not None:
        given[1] = settings["content_weight"]
    if settings["popularity_weight"] is not None:
        given |= {2: settings["popularity_weight"], 3: 0.0}
    return given


@dataclasses.dataclass(frozen=True)
class _Pairs:
    """Pairs of users and items that contend for their lists.

    parts, shape (pairs, 4); about, (pairs, 4), sparsity and activity of the user; label, (pairs,).
    """

    parts: Floats
    about: Floats
    label: npt.NDArray[np.bool_]


def _contending(sample: Sample, model: RelevanceModel) -> _Pairs:
    """The best unseen items of each user and row of the sample, by each of the parts."""
    rows, users = sample.rows, 2 * sample.users
    starts = bounds(rows.user, users)
    pair = normalised(pair_weights(rows, model.half_life), starts)
    queries = user_vectors(model.encoder, rows.item, pair, starts)
    split = queries.shape[1] - model.content
    blocks = [
        (np.ascontiguousarray(queries[:, part]), np.ascontiguousarray(model.decoder[:, part]))
        for part in (slice(None, split), slice(split, None))
    ]
    # the neighbours are a part of the likeness by behaviour
    more = None if model.neighbours is None else added(model.neighbours, pair, rows.item, starts)
    popular = np.argsort(-model.popularity[:, 1], kind="stable")[: CONTENDERS // 4]
    contenders = [np.tile(popular, (users, 1))]
    for (query, decoder), count, part in zip(
        blocks, (CONTENDERS, CONTENDERS // 4), (more, None), strict=True
    ):
        if query.shape[1]:
            contenders.append(best_unseen(query, decoder, rows, min(count, sample.items), part))
    candidate = np.concatenate(contenders, axis=1)
    pairs = np.unique(np.arange(users)[:, None] * sample.items + candidate)
    pairs = np.setdiff1d(pairs, sample.pairs_of(rows), assume_unique=True)
    row, item = np.divmod(pairs, sample.items)
    parts = np.column_stack(
        [
            *(dot(query, row, decoder, item) for query, decoder in blocks),
            model.popularity[item],
        ]
    )
    if more is not None:
        parts[:, 0] += at(more, row, item)
    about = user_features(starts, repeats.activity(rows, users))[row, 1:]
    label = np.isin(row % sample.users * sample.items + item, sample.truth)
    return _Pairs(parts, about, label)


def _learnt(pairs: _Pairs, columns: tuple[int, ...]) -> Floats:
    """The weights of some of the parts, none of them negative, shape (5, 5).

    They are linear in the sparsity of the history, from 0 to 1: both ends must not be negative.
    """
    plain, sparse = list(columns), list(columns)
    while True:
        design = np.concatenate(
            [pairs.parts[:, plain], pairs.about[:, :1] * pairs.parts[:, sparse], pairs.about],
            axis=1,
        )
        weights = _logistic(design, pairs.label)
        unknown = np.zeros((5, 5), np.float32)
        unknown[0, plain] = weights[: len(plain)]
        unknown[1, sparse] = weights[len(plain) : len(plain) + len(sparse)]
        unknown[1:, 4] = weights[-5:-1]
        unknown[0, 4] = weights[-1]
        with_much, with_little = unknown[0, :4], unknown[0, :4] + unknown[1, :4]
        worst = int(np.argmin(np.minimum(with_much, with_little)))
        if min(with_much[worst], with_little[worst]) >= 0:
            return unknown
        # a weight that changes its sign is the same for all; one that is negative for all is none
        if worst in sparse and worst in plain:
            plain_only = with_little[worst] < 0
            (sparse if plain_only else plain).remove(worst)
        else:
            (plain if worst in plain else sparse).remove(worst)


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
