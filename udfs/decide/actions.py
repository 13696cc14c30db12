"""What contacts with users change, such as mailings, from who was held back from them."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..history import Doubles, Longs
from .candidates import Flags
from .estimates import sure
from .response import Response, fit
from .uplift import balance, effects

FEWEST = 50  # users of each group, of fewer nothing is said


@dataclasses.dataclass(frozen=True)
class Effect:
    """What an action changes on average, with its standard error; for each user by the response.

    share is how much of what sets users apart by it is no chance, p how likely drawn groups differ
    as these did before the contacts, and random whether they may have been drawn.
    """

    mean: float
    error: float
    share: float
    p: float
    random: bool
    response: Response

    @property
    def by_user(self) -> bool:
        """Whether it is not the same for all."""
        return self.share > 0 and bool(self.response.coefficient.any())

    @property
    def sure(self) -> float:
        """What of the mean is sure."""
        return float(sure(self.mean, self.error))

    def expected(self, x: Doubles) -> Doubles:
        """The effect on users with features x, shape (n,); the sure one on who is like nobody."""
        apart = self.share * (self.response.expected(x) - self.mean)
        out: Doubles = self.sure + np.where(self.response.beyond(x), 0.0, apart)
        return out


def effect(x: Doubles, got: Flags, y: Doubles, moment: Longs, users: Longs) -> Effect | None:
    """The effect of an action; None where too few got it, or were held back from it.

    Args:
        x: features of users before each contact, shape (n, f).
        got: who was not held back, shape (n,).
        y: what came afterwards, shape (n,).
        moment: of each contact, among which users are compared, shape (n,).
        users: of each, shape (n,).
    """
    _, number = np.unique(moment, return_inverse=True)
    both = (np.bincount(number, got) > 0) & (np.bincount(number, ~got) > 0)
    rows = both[number]
    x, got, y, moment, users = x[rows], got[rows], y[rows], moment[rows], users[rows]
    if min(len(np.unique(users[got])), len(np.unique(users[~got]))) < FEWEST:
        return None
    compared = balance(x, got, moment)
    each = effects(x, got, y, moment, users, compared.random)
    mean = float(each.mean())
    _, place = np.unique(users, return_inverse=True)
    # a user's contacts are not independent of each other
    error = float(np.sqrt((np.bincount(place, each - mean) ** 2).sum()) / len(each))
    subsets: dict[str, range | tuple[()]] = {"alike": (), "by user": range(x.shape[1])}
    _, response = fit("amount", x, each, users, subsets)
    return Effect(mean, error, _no_chance(x, each), compared.p, compared.random, response)


def _no_chance(x: Doubles, effect: Doubles) -> float:
    """The share of what a regression on x explains of effects that is no chance: 1 - 1 / F.

    F is that of its test: of features that say nothing it is 1 on average.
    """
    spread = x.std(axis=0)
    z = (x - x.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    rest = effect - effect.mean()
    slope, *_ = np.linalg.lstsq(z, rest, rcond=None)
    explained = float(((z @ slope) ** 2).sum())
    free = len(x) - z.shape[1] - 1
    left = float((rest**2).sum()) - explained
    if not explained or free <= 0 or left <= 0:
        return 0.0
    return max(0.0, 1 - float(z.shape[1] * left / (free * explained)))
