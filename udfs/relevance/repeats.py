"""Repeat purchases: the log-odds that a user comes back to an item of the history.

The features of a pair are frequency, recency and rhythm of the user's own events with the item,
how the item fares with everyone, how active the user is, the likeness of the item to the rest of
the history, and how long ago the last event is against the interval usual for the item. A logistic
regression weighs them, and a small network adds what it misses (products and thresholds of
features); the network starts from nothing, so where there is little to learn from the regression
stays.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from ..history import Floats, History

PAIR_FEATURES = (
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
ITEM_FEATURES = (
    "log_users",
    "log_late_users",
    "log_latest_users",
    "log_late_adopters",
    "log_latest_adopters",
    "repeat_share",
    "log_mean_count",
    "log_strength_short",
    "log_strength_medium",
    "log_strength_long",
    "log_interval",
    "loyal_share",
)
USER_FEATURES = ("log_strength_short", "log_strength_medium", "log_strength_long")
FEATURES = 2 + len(PAIR_FEATURES) + len(ITEM_FEATURES) + len(USER_FEATURES)
LATE, LATEST = 1.2, 1 / 3  # windows of item features, in medium half-lives
HIDDEN = 32
NETWORKS = 3  # trained side by side and averaged
EPOCHS = 6
REGRESSION_ROWS = 200_000  # more rows make the network's start no better
BATCH = 4096
LEARNING_RATE = 0.006
LIMIT = 5.0  # deviations beyond which a feature is clipped


def pair_features(history: History) -> Floats:
    """Frequency, recency and rhythm of each pair, shape (pairs, len(PAIR_FEATURES))."""
    repeated = history.count > 1
    interval = _interval(history)
    # 0.3 of the medium half-life smooths the ratio where an interval is short
    overdue = np.where(repeated, np.log((history.last + 0.3) / (interval + 0.3)), 0)
    columns = [
        np.log(history.count),
        *np.log(history.strength.T + 0.01),
        np.log1p(history.last),
        np.log1p(history.first),
        repeated,
        np.abs(overdue),
        overdue,
    ]
    return np.stack(columns, axis=1, dtype=np.float32)


def _interval(history: History) -> Floats:
    """Mean time between the events of each pair, 0 where there is one, shape (pairs,)."""
    spans = history.first - history.last
    return (spans / np.maximum(history.count - 1, 1)).astype(np.float32)


def item_features(history: History, items: int) -> Floats:
    """How each item fares with all users, shape (items, len(ITEM_FEATURES)).

    An adopter is a user whose first event with the item lies in the window. The interval is that
    of the users who came back, the loyal are those of them who did so of late.
    """

    def count(weight: npt.NDArray[Any] | None = None) -> npt.NDArray[np.float64]:
        return np.bincount(history.item, weight, minlength=items).astype(np.float64)

    users = count()
    repeated = history.count > 1
    interval = np.log(_interval(history) + 0.3)
    usual = float(interval[repeated].mean()) if repeated.any() else 0.0
    return np.column_stack(
        [
            np.log1p(users),
            np.log1p(count(history.last <= LATE)),
            np.log1p(count(history.last <= LATEST)),
            np.log1p(count(history.first <= LATE)),
            np.log1p(count(history.first <= LATEST)),
            (count(history.count > 1) + 1) / (users + 4),
            np.log((count(history.count) + 1) / (users + 1)),
            *(np.log(count(strength) + 0.1) for strength in history.strength.T),
            (count(np.where(repeated, interval, 0)) + 3 * usual) / (count(repeated) + 3),
            (count(repeated & (history.last <= LATE)) + 1) / (count(repeated) + 2),
        ]
    ).astype(np.float32)


def activity(history: History, users: int) -> Floats:
    """Log of the decayed strength of all that a user did, shape (users, len(USER_FEATURES))."""
    sums = [np.bincount(history.user, column, minlength=users) for column in history.strength.T]
    out: Floats = np.log(np.column_stack(sums) + 0.1).astype(np.float32)
    return out


def design(history: History, active: Floats, statistics: Floats, likeness: Floats) -> Floats:
    """All features of each pair, shape (pairs, FEATURES).

    Args:
        history: the users' pairs.
        active: the activity of the users.
        statistics: the item_features of all items.
        likeness: of each pair's item to the rest of the user's history, in log-odds.
    """
    out = np.empty((len(history), FEATURES), np.float32)
    of_pair, of_item = 2 + len(PAIR_FEATURES), 2 + len(PAIR_FEATURES) + len(ITEM_FEATURES)
    out[:, 2:of_pair] = pair_features(history)
    out[:, of_pair:of_item] = statistics.take(history.item, 0)
    out[:, of_item:] = active.take(history.user, 0)
    out[:, 0] = likeness
    interval = out[:, of_pair + ITEM_FEATURES.index("log_interval")]
    out[:, 1] = np.log(history.last + np.float32(0.3)) - interval
    return out


@dataclasses.dataclass(frozen=True)
class RepeatModel:
    """Log-odds of a repeat purchase from f features, by h hidden units.

    mean and scale (f,) standardise the features; linear (f,) and intercept are the logistic
    regression; hidden (h, f), bias (h,) and output (h,) are the network.
    """

    mean: Floats
    scale: Floats
    linear: Floats
    intercept: float
    hidden: Floats
    bias: Floats
    output: Floats

    def log_odds(self, features: Floats) -> Floats:
        """The log-odds of rows of features, shape (rows,)."""
        import torch

        bias, hidden = torch.from_numpy(self.bias), torch.from_numpy(self.hidden.T)
        linear, output = torch.from_numpy(self.linear), torch.from_numpy(self.output)
        values = np.empty(len(features), np.float32)
        for first in range(0, len(features), BATCH):
            part = slice(first, first + BATCH)  # of which the hidden units fit in the cache
            rows = torch.from_numpy(_standardised(features[part], self.mean, self.scale))
            units = torch.addmm(bias, rows, hidden).relu_()
            values[part] = rows @ linear + units @ output
        return values + np.float32(self.intercept)

    def standardised_by(self, rows: Floats) -> RepeatModel:
        """The same for features that are distributed as those of `rows`; untrained ones stay."""
        if not self.trained:
            return self
        mean, scale = _moments(rows)
        return dataclasses.replace(self, mean=mean, scale=scale)

    @property
    def trained(self) -> bool:
        """Whether anything was learnt."""
        return bool(self.output.any())

    def as_json(self) -> dict[str, Any]:
        """All numbers as lists."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in vars(self).items()
        }

    @staticmethod
    def from_json(values: dict[str, Any]) -> RepeatModel:
        """Read what as_json wrote."""
        arrays: dict[str, Any] = {
            name: np.array(value, np.float32) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return RepeatModel(**arrays)


def _standardised(features: Floats, mean: Floats, scale: Floats) -> Floats:
    """Features of mean 0 and deviation 1, clipped."""
    out: Floats = np.clip((features - mean) / scale, -LIMIT, LIMIT)
    return out


def untrained() -> RepeatModel:
    """Where nothing can be learnt: frequency of late, likeness, and what is popular."""
    linear = np.zeros(FEATURES, np.float32)
    linear[0] = 1.0
    linear[1 + PAIR_FEATURES.index("log_strength_medium")] = 1.0
    for name in ("log_users", "log_late_users"):
        linear[1 + len(PAIR_FEATURES) + ITEM_FEATURES.index(name)] = 0.25
    return RepeatModel(
        mean=np.zeros(FEATURES, np.float32),
        scale=np.ones(FEATURES, np.float32),
        linear=linear,
        intercept=0.0,
        hidden=np.zeros((1, FEATURES), np.float32),
        bias=np.zeros(1, np.float32),
        output=np.zeros(1, np.float32),
    )


def fit(
    designs: list[Floats], labels: list[npt.NDArray[np.bool_]], now: Floats, seed: int
) -> RepeatModel:
    """Learn which pairs were repeated from the windows of time.

    Each window is standardised by itself, and the model by the features of now: histories grow
    longer and seasons change, and what was learnt from one month would shift in the next.

    Args:
        designs: per window the rows that `design` makes, shape (rows, FEATURES).
        labels: per window whether the user came back to the item, shape (rows,).
        now: rows of the histories as of now, shape (rows, FEATURES).
        seed: of the networks' starts and the order of the rows.
    """
    from sklearn.linear_model import LogisticRegression

    label = np.concatenate(labels)
    if label.all() or not label.any():
        return untrained()
    rows = np.concatenate([_standardised(rows, *_moments(rows)) for rows in designs])
    some = slice(None, None, -(-len(rows) // REGRESSION_ROWS))
    if label[some].all() or not label[some].any():
        some = slice(None)
    regression = LogisticRegression(solver="newton-cholesky").fit(rows[some], label[some])
    linear, intercept, hidden, bias, output = _networks(rows, label, regression, seed)
    return RepeatModel(
        *_moments(now),
        linear=linear.mean(axis=0),
        intercept=float(intercept.mean()),
        hidden=hidden,
        bias=bias,
        output=output.ravel() / np.float32(NETWORKS),
    )


def _moments(rows: Floats) -> tuple[Floats, Floats]:
    """Mean and deviation of each feature."""
    scale = rows.std(axis=0, dtype=np.float64)
    scale[scale < 1e-6] = 1.0
    return rows.mean(axis=0, dtype=np.float64).astype(np.float32), scale.astype(np.float32)


def _networks(
    rows: Floats, label: npt.NDArray[np.bool_], regression: Any, seed: int
) -> list[Floats]:
    """Train n networks side by side, each on top of the regression.

    Returns linear (n, f), intercept (n,), hidden (n h, f), bias (n h,) and output (n, h).
    """
    import torch

    width = rows.shape[1]
    generator = torch.Generator().manual_seed(seed)
    parameters = [
        torch.from_numpy(np.tile(regression.coef_.astype(np.float32), (NETWORKS, 1))),
        torch.from_numpy(np.tile(regression.intercept_.astype(np.float32), NETWORKS)),
        torch.randn((NETWORKS * HIDDEN, width), generator=generator) / width**0.5,
        torch.zeros(NETWORKS * HIDDEN),
        torch.zeros((NETWORKS, HIDDEN)),
    ]
    for parameter in parameters:
        parameter.requires_grad_()
    linear, intercept, hidden, bias, output = parameters
    data, targets = torch.from_numpy(rows), torch.from_numpy(label.astype(np.float32))
    batches = -(-len(rows) // BATCH)
    optimiser = torch.optim.Adam(parameters, lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, LEARNING_RATE, total_steps=EPOCHS * batches
    )
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(rows), generator=generator).chunk(batches):
            part = data[batch]
            units = torch.addmm(bias, part, hidden.T).relu().view(-1, NETWORKS, HIDDEN)
            odds = torch.addmm(intercept, part, linear.T) + (units * output).sum(dim=2)
            target = targets[batch, None].expand(-1, NETWORKS)
            # the sum over the networks, so that each learns as if it were alone
            loss = NETWORKS * torch.nn.functional.binary_cross_entropy_with_logits(odds, target)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return [parameter.detach().numpy() for parameter in parameters]
