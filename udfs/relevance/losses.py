"""Trains item vectors further, from their closed form, by several losses of what was observed.

The likeness of item j to user u is s = <q_u - x_uj e_j, v_j>, with the user vector q_u as in
relevance.py: what a pair says of itself is left out, as by EASE's zero diagonal. Each loss reads it
through a head of its own, z = a s + b log users_j + c, where a s deviates by a tenth or more, as
vectors that say nothing of a loss at first could not learn it otherwise:

- squared_error: of z from a rating, centred by user and divided by the deviation of all;
- cross_entropy: of the odds z from what is true or false of a pair; where nothing is ever false,
  sampled items stand in;
- ranking: of the softmax of z over the catalogue, by sampled items with the correction for how
  often they are drawn (Bengio and Senecal 2008).

All losses move the same encoder and decoder. They are divided by what they were, and combined by
fixed weights; by uncertainty, a learnt sum exp(-t) L + t/2 (Kendall, Gal and Cipolla 2018); or by
gradients: MGDA (Desideri 2012, Sener and Koltun 2018), the step of least norm among all mixtures,
which makes no loss worse, or PCGrad (Yu et al. 2020), which takes out of each gradient what goes
against another.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..device import device
from ..history import Floats, History, Ints, Signal, bounds
from ..numbers import spread

if TYPE_CHECKING:
    import torch

LOSSES = ("squared_error", "cross_entropy", "ranking")
GRADIENT_METHODS = ("mgda", "pcgrad")
METHODS = ("uncertainty", *GRADIENT_METHODS)

STEPS = 200
HEAD_STEPS = 40  # before the vectors move
CHECKED = 20  # steps between two looks at the users held out
USERS = 256  # of a step
HELD_OUT = 512  # users, or a tenth
PAIRS = 100  # of a user and loss in a step, on average
SAMPLED = 2048  # items of a step that stand for the catalogue
RATE = 0.01  # of the root mean square of the vectors
HEAD_RATE = 0.1
LEAST_SLOPE = 0.1  # deviation of what a head reads


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Encoder and decoder, shape (items, d), and losses on users held out, against before."""

    encoder: Floats
    decoder: Floats
    losses: dict[str, float]


def train(
    encoder: Floats,
    decoder: Floats,
    history: History,
    weights: Floats,
    users: int,
    signals: list[Signal],
    combine: str | list[float],
    seed: int,
) -> Outcome:
    """Move the vectors down the losses, as far as it helps users that are held out.

    Args:
        encoder: shape (items, d).
        decoder: shape (items, d).
        history: the pairs from which user vectors are made.
        weights: x of each pair of the history.
        users: number of users.
        signals: what was observed; those without effect are left out.
        combine: one of METHODS, or the weight of each signal.
        seed: of the users held out and of what is sampled.
    """
    import torch

    factors = [1.0] * len(signals) if isinstance(combine, str) else combine
    counted = [
        (signal, factor)
        for signal, factor in zip(signals, factors, strict=True)
        if signal.has_effect and factor > 0
    ]
    signals = [signal for signal, _ in counted]
    observed = np.unique(np.concatenate([history.user[:0], *(one.user for one in signals)]))
    if len(observed) < 2:
        return Outcome(encoder, decoder, {})
    generator = np.random.default_rng(seed)
    generator.shuffle(observed)
    held, learning = np.split(observed, [max(1, min(HELD_OUT, len(observed) // 10))])
    pairs = _Pairs(history, weights, users, len(encoder))
    tasks = [_Task(signal, pairs) for signal in signals]
    descent = _Descent(pairs, tasks, encoder, decoder)
    fixed = torch.tensor([factor for _, factor in counted], device=device())
    of_gradients = _of_gradients(combine)

    def of_some() -> torch.Tensor:
        chosen = generator.choice(learning, min(USERS, len(learning)), replace=False)
        return descent.losses(chosen, generator)

    def of_held_out() -> torch.Tensor:
        with torch.no_grad():
            return descent.losses(held, np.random.default_rng(seed))

    with torch.no_grad():
        for task in tasks:
            task.fit_units(descent.step_of(learning[:HELD_OUT], generator))
    for _ in range(HEAD_STEPS):
        descent.descend(of_some().sum())
    unit = of_held_out().clamp_min(1e-9)
    best, kept = torch.ones_like(unit), descent.copies()
    for part in descent.vectors:
        part.requires_grad_()
    decay = torch.optim.lr_scheduler.LinearLR(descent.optimiser, 1.0, 0.05, total_iters=STEPS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # of the order in which PCGrad takes the losses
        for step in range(1, STEPS + 1):
            values = of_some() / unit
            factor = fixed
            if combine == "uncertainty":
                factor = (-descent.uncertainty).exp()
            elif of_gradients is not None:
                factor = of_gradients(_products(values, descent.vectors))
            descent.descend((factor * values).sum() + descent.uncertainty.sum() / 2)
            decay.step()
            if step % CHECKED == 0:
                now = of_held_out() / unit
                if _better(now, best, fixed, combine):
                    best, kept = now, descent.copies()
    encoder, decoder = (part.cpu().numpy() for part in kept)
    return Outcome(
        encoder, decoder, dict(zip([one.name for one in signals], best.tolist(), strict=True))
    )


class _Descent:
    """What moves: the vectors, the heads of the tasks and their uncertainty, and the optimiser."""

    def __init__(self, pairs: _Pairs, tasks: list[_Task], encoder: Floats, decoder: Floats) -> None:
        import torch

        self.pairs, self.tasks = pairs, tasks
        self.vectors = [torch.from_numpy(part.copy()).to(device()) for part in (encoder, decoder)]
        self.uncertainty = torch.zeros(len(tasks), device=device(), requires_grad=True)
        heads = {"params": [self.uncertainty, *(task.head for task in tasks)], "lr": HEAD_RATE}
        groups = [
            {"params": [part], "lr": RATE * float(part.square().mean().sqrt()),
             "betas": (0.9, 0.99)}
            for part in self.vectors
        ]  # fmt: skip
        self.optimiser = torch.optim.Adam([heads, *groups])

    def step_of(self, chosen: npt.NDArray[np.int32], sampling: np.random.Generator) -> _Step:
        """A step over some of the users."""
        return _Step(self.pairs, np.sort(chosen), self.vectors, sampling)

    def losses(self, chosen: npt.NDArray[np.int32], sampling: np.random.Generator) -> torch.Tensor:
        """The loss of each task over some of the users."""
        import torch

        step = self.step_of(chosen, sampling)
        return torch.stack([task.loss(step) for task in self.tasks])

    def descend(self, total: torch.Tensor) -> None:
        """Move down the gradient of a sum of losses."""
        self.optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()

    def copies(self) -> list[torch.Tensor]:
        """The vectors as they are now."""
        return [part.detach().clone() for part in self.vectors]


def _better(
    now: torch.Tensor, best: torch.Tensor, factors: torch.Tensor, combine: str | list[float]
) -> bool:
    """Whether losses are better than the best so far, in the sense of how they are combined."""
    if combine == "uncertainty":  # its sum is half the logarithm of each loss once t has settled
        now, best = now.log(), best.log()
    if combine == "mgda" and bool((now > 1).any()):
        return False
    return bool((factors * now).sum() < (factors * best).sum())


def _of_gradients(combine: str | list[float]) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """What gives the weights of the losses from the inner products of their gradients."""
    if combine not in GRADIENT_METHODS:
        return None
    from torchjd.aggregation import MGDAWeighting, PCGradWeighting

    return MGDAWeighting() if combine == "mgda" else PCGradWeighting()


def _products(values: torch.Tensor, vectors: list[torch.Tensor]) -> torch.Tensor:
    """Inner products of the gradients of the losses, shape (losses, losses)."""
    import torch

    gradients = [torch.autograd.grad(value, vectors, retain_graph=True) for value in values]
    products = torch.empty((len(values), len(values)), device=values.device)
    for row, one in enumerate(gradients):
        for column, other in enumerate(gradients[: row + 1]):
            products[row, column] = sum(
                torch.dot(mine.ravel(), its.ravel()) for mine, its in zip(one, other, strict=True)
            )
            products[column, row] = products[row, column]
    return products


class _Pairs:
    """The history as tensors: whose items with what weights, and how popular items are."""

    def __init__(self, history: History, weights: Floats, users: int, items: int) -> None:
        import torch

        self.users, self.items = users, items
        self.starts = bounds(history.user, users)
        self.number = history.user.astype(np.int64) * items + history.item
        self.weights = weights
        self.item_of = torch.from_numpy(history.item.astype(np.int64)).to(device())
        self.weight_of = torch.from_numpy(weights).to(device())
        popularity = np.log1p(np.bincount(history.item, minlength=items))
        self.drawn = popularity / popularity.sum()
        self.popularity = torch.from_numpy((popularity - popularity.mean()).astype(np.float32))
        self.popularity = self.popularity.to(device())

    def weight(self, user: Ints, item: Ints) -> Floats:
        """The weight in the history of given pairs, 0 where it does not hold them."""
        number = user.astype(np.int64) * self.items + item
        at = np.minimum(np.searchsorted(self.number, number), len(self.number) - 1)
        return np.where(self.number[at] == number, self.weights[at], 0.0).astype(np.float32)


class _Step:
    """Some users' vectors, and sampled items with how much too often they are drawn, in logs."""

    def __init__(
        self,
        pairs: _Pairs,
        chosen: npt.NDArray[np.int32],
        vectors: list[torch.Tensor],
        generator: np.random.Generator,
    ) -> None:
        import torch

        self.chosen, self.generator = chosen, generator
        self.encoder, self.decoder = vectors
        entry, place = spread(pairs.starts[chosen], pairs.starts[chosen + 1])
        mine = torch.from_numpy(entry).to(device())
        starts = np.searchsorted(place, np.arange(len(chosen)))
        self.queries = torch.nn.functional.embedding_bag(
            pairs.item_of[mine],
            self.encoder,
            torch.from_numpy(starts).to(device()),
            per_sample_weights=pairs.weight_of[mine],
            mode="sum",
        )
        sampled = generator.choice(pairs.items, SAMPLED, p=pairs.drawn)
        self.sampled = torch.from_numpy(sampled).to(device())
        often = np.log(pairs.drawn[sampled] * SAMPLED).astype(np.float32)
        self.often = torch.from_numpy(often).to(device())


class _Task:
    """One loss over its signal; head holds the logarithm of a above its least, b and c."""

    def __init__(self, signal: Signal, pairs: _Pairs) -> None:
        import torch

        self.loss_name = signal.loss
        self.starts = bounds(signal.user, pairs.users)
        value: npt.NDArray[np.floating] = signal.value
        if signal.loss == "squared_error":
            count = np.maximum(np.bincount(signal.user, minlength=pairs.users), 1)
            mean = np.bincount(signal.user, value, minlength=pairs.users) / count
            value = (value - mean[signal.user]) / max(float(value.std()), 1e-9)
        self.all_true = bool(value.all())
        self.value = torch.from_numpy(value.astype(np.float32)).to(device())
        self.item = torch.from_numpy(signal.item.astype(np.int64)).to(device())
        own = pairs.weight(signal.user, signal.item)
        self.own = torch.from_numpy(own).to(device())
        self.popularity = pairs.popularity
        self.head = torch.zeros(3, device=device())
        self.head.requires_grad_()
        self.deviation = 1.0

    def fit_units(self, step: _Step) -> None:
        """Learn by how much the likeness deviates before training."""
        read = self._likeness(step)
        if read is not None and len(read[0]) > 1:
            self.deviation = max(float(read[0].std()), 1e-9)

    def _likeness(
        self, step: _Step
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor] | None:
        """Of the pairs of the users of a step: likeness, item, value and the user's row."""
        import torch

        entry, place = spread(self.starts[step.chosen], self.starts[step.chosen + 1])
        limit = PAIRS * len(step.chosen)
        if len(entry) > limit:
            some = np.sort(step.generator.choice(len(entry), limit, replace=False))
            entry, place = entry[some], place[some]
        if not len(entry):
            return None
        mine, row = torch.from_numpy(entry).to(device()), torch.from_numpy(place).to(device())
        item = self.item[mine]
        decoded = step.decoder[item]
        likeness = (step.queries[row] * decoded).sum(dim=1)
        likeness = likeness - self.own[mine] * (step.encoder[item] * decoded).sum(dim=1)
        return likeness, item, self.value[mine], row

    def loss(self, step: _Step) -> torch.Tensor:
        """The mean loss over the pairs of the users of a step."""
        import torch
        from torch.nn.functional import mse_loss, softplus

        read = self._likeness(step)
        if read is None:
            return 0 * self.head.sum()
        likeness, item, value, row = read
        odds = self._read(likeness, item)
        if self.loss_name == "squared_error":
            return mse_loss(odds, value)
        if self.loss_name == "cross_entropy" and not self.all_true:
            return softplus(torch.where(value > 0, -odds, odds)).mean()
        others = self._read(step.queries @ step.decoder[step.sampled].T, step.sampled)
        if self.loss_name == "cross_entropy":
            return (softplus(-odds).mean() + softplus(others).mean()) / 2
        wanted = value > 0
        if not wanted.any():
            return 0 * self.head.sum()
        everything = torch.logaddexp(odds, (others - step.often).logsumexp(dim=1)[row])
        return (everything - odds)[wanted].mean()

    def _read(self, likeness: torch.Tensor, item: torch.Tensor) -> torch.Tensor:
        slope, popular, constant = self.head
        slope = (LEAST_SLOPE + slope.exp()) / self.deviation
        odds: torch.Tensor = slope * likeness + popular * self.popularity[item] + constant
        return odds
