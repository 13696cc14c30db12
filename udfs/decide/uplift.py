"""What an offer changes: doubly robust effects, from who got it and who was kept from it.

With e the chance of the offer and m_0, m_1 what is expected without and with it, the mean of

    m_1(x) - m_0(x) + (t - e) / (e (1 - e)) (y - m_t(x))

over whoever has the features x is the effect of the offer if either e or both m are right (Robins,
Rotnitzky and Zhao 1994); a regression of it on x gives the effect for each (Kennedy 2020). Each m
is fitted on other users than those it is for.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from ..history import Doubles, Longs
from .candidates import Flags
from .response import FOLDS, fit

LEAST_CHANCE = 0.02  # of being offered or kept from it, so that no user counts for fifty
SHARES = 10  # steps of the curve
NOT_RANDOM = 1e-3  # so unlikely is it that a random control group differs that much


@dataclasses.dataclass(frozen=True)
class Balance:
    """How who was offered something differs from who was kept from it, before.

    offered and kept are the means of each feature, difference that of them in standard deviations,
    within campaigns, all of shape (f,); p is the chance that drawn groups differ that much in all.
    """

    offered: Doubles
    kept: Doubles
    difference: Doubles
    p: float

    @property
    def random(self) -> bool:
        """Whether the groups may have been drawn."""
        return self.p >= NOT_RANDOM


def balance(x: Doubles, offered: Flags, campaign: Longs) -> Balance:
    """Compare who got offers with who was kept from them.

    Whether the groups were drawn is by the F test of a regression of who is in which on the
    features, both less their means in each campaign.

    Args:
        x: features, shape (n, f), NaN where one is unknown.
        offered: who got the offer, shape (n,).
        campaign: of each row, shape (n,).
    """
    from scipy import stats

    x = np.where(np.isfinite(x), x, np.nanmean(x, axis=0))
    inside, group = _centred(x, campaign), _centred(offered.astype(np.float64)[:, None], campaign)
    spread = inside.std(axis=0)
    varied = spread > 1e-9
    z = inside[:, varied] / spread[varied]
    slope, *_ = np.linalg.lstsq(z, group[:, 0], rcond=None)
    rest = group[:, 0] - z @ slope
    free = len(x) - len(np.unique(campaign)) - z.shape[1]
    explained = float((group**2).sum() - (rest**2).sum())
    p = 1.0
    if free > 0 and z.shape[1] and float((rest**2).sum()) > 0:
        statistic = explained / z.shape[1] / (float((rest**2).sum()) / free)
        p = float(stats.f.sf(statistic, z.shape[1], free))
    apart = inside[offered].mean(axis=0) - inside[~offered].mean(axis=0)
    difference = apart / np.where(varied, spread, 1.0)
    return Balance(x[offered].mean(axis=0), x[~offered].mean(axis=0), difference, p)


def _centred(values: Doubles, group: Longs) -> Doubles:
    """Less the mean of each row's group."""
    _, number = np.unique(group, return_inverse=True)
    count = np.bincount(number)
    mean = np.column_stack([np.bincount(number, column) / count for column in values.T])
    out: Doubles = values - mean[number]
    return out


def effects(
    x: Doubles, offered: Flags, y: Doubles, campaign: Longs, users: Longs, drawn: bool
) -> Doubles:
    """The doubly robust effect of each row, shape (n,), to be averaged and regressed.

    Args:
        x: features, shape (n, f).
        offered: who got the offer, shape (n,).
        y: what came, shape (n,).
        campaign: of each row, shape (n,).
        users: of each row, shape (n,).
        drawn: whether it was drawn who got it, so that the chance is the share in each campaign.
    """
    every = {"all": range(x.shape[1])}
    out = np.empty(len(y))
    fold = np.unique(users, return_inverse=True)[1] % FOLDS
    for left in np.unique(fold):
        mine, others = fold == left, fold != left
        if drawn:
            chance = _share(offered, campaign)[mine]
        else:
            _, model = fit("chance", x[others], offered[others] * 1.0, campaign[others], every)
            chance = model.expected(x[mine])
        chance = np.clip(chance, LEAST_CHANCE, 1 - LEAST_CHANCE)
        expected = []
        for group in (~offered, offered):
            rows = others & group
            rows = rows if rows.any() else group
            _, model = fit("amount", x[rows], y[rows], campaign[rows], every)
            expected.append(model.expected(x[mine]))
        got = offered[mine]
        rest = y[mine] - np.where(got, expected[1], expected[0])
        weight = (got - chance) / (chance * (1 - chance))
        out[mine] = expected[1] - expected[0] + weight * rest
    return out


def _share(offered: Flags, campaign: Longs) -> Doubles:
    """The share of each row's campaign that got the offer."""
    _, number = np.unique(campaign, return_inverse=True)
    out: Doubles = (np.bincount(number, offered) / np.bincount(number))[number]
    return out


def gains(effect: Doubles, score: Doubles, weight: Doubles) -> Doubles:
    """What offers to the best tenth, two tenths, ... bring per user of all, shape (SHARES + 1,).

    Args:
        effect: of each row.
        score: the higher, the earlier.
        weight: how often each row counts.
    """
    order = np.argsort(-score, kind="stable")
    count = np.concatenate([[0.0], np.cumsum(weight[order])])
    total = np.concatenate([[0.0], np.cumsum((weight * effect)[order])])
    wanted = np.linspace(0, count[-1], SHARES + 1)
    out: Doubles = np.interp(wanted, count, total) / count[-1]
    return out


def qini(effect: Doubles, score: Doubles, weight: Doubles) -> float:
    """The area between the curve of gains and that of a random order (Radcliffe 2007)."""
    curve = gains(effect, score, weight)
    return float(np.trapezoid(curve - np.linspace(0, curve[-1], SHARES + 1), dx=1 / SHARES))
