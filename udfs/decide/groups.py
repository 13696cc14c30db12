"""How counts spread over the rows of each item, by groups of items that share parameters.

Counts are Poisson, and what an item has in all is given, by which its level falls out of the
likelihood (Hausman, Hall and Griliches 1984); parameters have normal priors, and how far apart
those of groups are is found by the method of moments (DerSimonian and Laird 1986).
"""

from __future__ import annotations

import numpy as np

from ..history import Doubles, Longs

STEPS = 30  # of Newton's, at most
CLOSE = 1e-6
WIDE = 3.0  # standard deviation of what is thought of an elasticity before any sale
FARTHEST = 20.0  # elasticities and promotions are not beyond
WEEKS = 10.0  # that the dispersion of a group counts for beside an item's own
SOME = 1e-6  # information below which prices say nothing


class Groups:
    """How items' units spread over their weeks, by groups of items that share parameters.

    Args:
        item: of each row, numbers from 0 on, shape (n,).
        units: of each row.
        offset: what is known of each row, as a logarithm.
        x: what parameters are of, shape (n, p).
        group: of each item.
        dispersion: of each item, by which information is divided.
        count: of groups; by default up to the last one that an item is of.
    """

    def __init__(
        self,
        item: Longs,
        units: Doubles,
        offset: Doubles,
        x: Doubles,
        group: Longs,
        dispersion: Doubles,
        count: int | None = None,
    ) -> None:
        self.item, self.units, self.offset = item, units, offset
        # columns in one piece each are several times as fast
        self.columns = [np.ascontiguousarray(column) for column in x.T]
        self.of_row = group[item]
        self.group, self.dispersion_of = group, dispersion
        self.items = len(group)
        self.count = int(group.max(initial=-1)) + 1 if count is None else count
        self.total = np.bincount(self.item, self.units, minlength=self.items)

    def _mean(self, theta: Doubles) -> Doubles:
        """The expected units of each row, given those of each item."""
        linear = self.offset.copy()
        for x, slope in zip(self.columns, theta.T, strict=True):
            linear += x * slope[self.of_row]
        top = np.full(self.items, -np.inf)
        np.maximum.at(top, self.item, linear)
        weight = np.exp(linear - top[self.item])
        sums = np.bincount(self.item, weight, minlength=self.items)
        out: Doubles = weight / sums[self.item] * self.total[self.item]
        return out

    def _gradients(self, mean: Doubles) -> Doubles:
        """The gradient of what each item says, shape (items, p), at expected units of the rows."""
        rest = (self.units - mean) / self.dispersion_of[self.item]
        columns = [np.bincount(self.item, rest * x, minlength=self.items) for x in self.columns]
        out: Doubles = np.column_stack(columns).astype(np.float64)
        return out

    def _slopes(self, theta: Doubles) -> tuple[Doubles, Doubles]:
        """The gradient, shape (groups, p), and the information, shape (groups, p, p)."""
        mean = self._mean(theta)
        p = len(self.columns)
        of_items = self._gradients(mean)
        gradient = np.zeros((self.count, p))
        for k in range(p):
            gradient[:, k] = np.bincount(self.group, of_items[:, k], minlength=self.count)
        total = np.maximum(self.total, 1e-300)
        weighed = [mean * x for x in self.columns]
        centre = [np.bincount(self.item, one, minlength=self.items) for one in weighed]
        information = np.empty((self.count, p, p))
        for k in range(p):
            for m in range(k + 1):
                square = np.bincount(self.item, weighed[k] * self.columns[m], minlength=self.items)
                each = (square - centre[k] * centre[m] / total) / self.dispersion_of
                both = np.bincount(self.group, each, minlength=self.count)
                information[:, k, m] = information[:, m, k] = both
        return gradient, information

    def fit(self, mean: Doubles, precision: Doubles) -> tuple[Doubles, Doubles]:
        """The likeliest parameters with a normal prior, shape (groups, p), and their information.

        That is of the units alone, shape (groups, p, p).

        Args:
            mean: of the prior, shape (groups, p).
            precision: of the prior, the same.
        """
        theta = mean.copy()
        eye = np.eye(mean.shape[1])
        for _ in range(STEPS):
            gradient, information = self._slopes(theta)
            hessian = information + precision[:, :, None] * eye
            step = np.linalg.solve(hessian, (gradient - precision * (theta - mean))[:, :, None])
            # far from the top Newton's steps are too long
            step = np.clip(step[:, :, 0], -1, 1)
            theta = np.clip(theta + step, -FARTHEST, FARTHEST)
            if np.abs(step).max(initial=0) < CLOSE:
                break
        return theta, self._slopes(theta)[1]

    def one_step(self, theta: Doubles) -> tuple[Doubles, Doubles]:
        """Estimates of each group alone, a step of Newton's from theta, and their information."""
        gradient, information = self._slopes(theta)
        diagonal = np.einsum("gkk->gk", information)
        step = np.where(diagonal > SOME, gradient / np.maximum(diagonal, SOME), 0.0)
        return theta + step, diagonal

    def dispersion(self, theta: Doubles) -> Doubles:
        """The mean squared residual of each item, in units of that of Poisson counts, (items,).

        It is drawn towards that of its group, and at least 1.
        """
        mean = self._mean(theta)
        kept = mean > 1e-9
        square = np.where(kept, (self.units - mean) ** 2 / np.maximum(mean, 1e-9), 0.0)
        total = np.bincount(self.item, square, minlength=self.items)
        free = np.maximum(np.bincount(self.item, kept, minlength=self.items) - 1.0, 0)
        in_group = np.bincount(self.group, total) / np.maximum(np.bincount(self.group, free), 1)
        out: Doubles = (total + WEEKS * in_group[self.group]) / (free + WEEKS)
        return np.maximum(out, 1.0)

    def excess(self, theta: Doubles, information: Doubles) -> Doubles:
        """How many times as large the variance of theta is as its information says, (groups, p).

        It is where counts that are expected to be large vary more than in proportion, or the items
        of a group are not alike: by what rows of an item say together (Liang and Zeger 1986); at
        least 1.
        """
        gradient = self._gradients(self._mean(theta))
        said: Doubles = np.einsum("gkk->gk", information)
        out: Doubles = np.ones_like(said)
        for k in range(out.shape[1]):
            came = np.bincount(self.group, gradient[:, k] ** 2, minlength=self.count)
            known = said[:, k] > SOME
            out[known, k] = np.maximum(came[known] / said[known, k], 1.0)
        return out


def deviations(information: Doubles, precision: Doubles, of_middle: Doubles) -> Doubles:
    """Standard deviations of the parameters of groups that are drawn to a middle, (groups, p).

    Args:
        information: of each group, shape (groups, p, p).
        precision: with which it is drawn, shape (groups, p).
        of_middle: precision of the middle, shape (p,).
    """
    inverse = np.linalg.inv(information + precision[:, :, None] * np.eye(precision.shape[1]))
    drawn = inverse * precision[:, None, :]
    variance = inverse + (drawn / of_middle) @ drawn.transpose(0, 2, 1)
    out: Doubles = np.sqrt(np.einsum("gkk->gk", variance))
    return out


def weights(variance: Doubles, information: Doubles) -> Doubles:
    """What estimates that are apart by a variance count in their mean; 0 where nothing is known."""
    known = information > SOME
    out: Doubles = np.where(known, 1 / (variance + 1 / np.maximum(information, SOME)), 0.0)
    return out


def apart(estimate: Doubles, information: Doubles) -> Doubles:
    """The variance of what is estimated beyond that of the estimates, shape (p,)."""
    out = np.zeros(estimate.shape[1])
    for k in range(estimate.shape[1]):
        kept = information[:, k] > SOME
        weight, value = information[kept, k], estimate[kept, k]
        if len(weight) < 2:
            out[k] = WIDE**2
            continue
        total = weight.sum()
        middle = (weight * value).sum() / total
        free = len(weight) - 1
        excess = (weight * (value - middle) ** 2).sum() - free
        # and its standard error, since intervals with a variance that is too small are too narrow
        out[k] = (max(excess, 0.0) + (2 * free) ** 0.5) / (total - (weight**2).sum() / total)
    return out
