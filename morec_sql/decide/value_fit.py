"""What customers are going to order: methods, the choice among them, and how well they foretell."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from ..udfs.decide.lifetimes import credible, fit_lifetimes
from ..udfs.decide.orders import FEATURES, Cells, Known, Orders, known_at
from ..udfs.decide.quality import (
    CHOSEN,
    Measure,
    Measured,
    auc,
    calibration,
    explained,
    log_loss,
    mean_absolute,
    measured,
    root_mean_square,
)
from ..udfs.decide.response import Kind, Response, deviance, fit
from ..udfs.history import Doubles, Longs

REGRESSION, LIFETIMES, CELLS, LAST = "regression", "bg/nbd", "rfm", "last period"
METHODS = (REGRESSION, LIFETIMES, CELLS, LAST)
OUTCOMES: dict[str, Kind] = {"active": "chance", "orders": "count", "value": "amount"}
MEASURES: dict[str, dict[str, Measure]] = {
    "active": {"auc": auc, "log_loss": log_loss, "calibration": calibration},
    "orders": {"deviance_explained": explained, "calibration": calibration},
    "value": {
        "mean_absolute_error": mean_absolute,
        "root_mean_square_error": root_mean_square,
        "calibration": calibration,
    },
}
LEVEL = 0.9  # of the interval of what a customer's orders bring
TINY = 1e-9

Expected = dict[str, Doubles]


def came_of(orders: Orders, known: Known, moment: float, horizon: float) -> Expected:
    """The outcomes of those who are known, from a moment on within a horizon."""
    size = int(orders.customer.max(initial=-1)) + 1
    count, value = (one[known.customer] for one in orders.after(moment, horizon, size))
    return {"active": (count > 0).astype(np.float64), "orders": count, "value": value}


class Fitted:
    """The methods, fitted on what was known of customers at a moment and came after it."""

    def __init__(self, known: Known, came: Expected, horizon: float, seed: int) -> None:
        self._horizon, self._seed = horizon, seed
        nobody = np.zeros(len(known.customer), np.int64)
        everything = {"all": range(len(FEATURES))}
        recent = {LAST: [list(FEATURES).index(LAST)]}
        self.responses: dict[str, Response] = {
            "active": fit("chance", known.features, came["active"], nobody, everything)[1],
            "orders": fit("count", known.features, came["orders"], nobody, everything)[1],
        }
        self._recent = fit("chance", known.features, came["active"], nobody, recent)[1]
        self._cells = {name: Cells.fit(known, one) for name, one in came.items()}

    def expected(self, known: Known) -> dict[str, Expected]:
        """What each method expects of customers, by outcome."""
        worth = credible(known.total, known.squares, known.count)
        lifetimes = fit_lifetimes(known.x, known.t_x, known.age, self._seed)
        of = known.x, known.t_x, known.age, self._horizon
        by_rate, orders = self.responses["orders"].expected(known.features), lifetimes.orders(*of)
        return {
            REGRESSION: {
                "active": self.responses["active"].expected(known.features),
                "orders": by_rate,
                "value": by_rate * worth,
            },
            LIFETIMES: {
                "active": lifetimes.active(*of), "orders": orders, "value": orders * worth
            },
            CELLS: {name: one.expected(known) for name, one in self._cells.items()},
            LAST: {
                "active": self._recent.expected(known.features),
                "orders": known.recent[:, 0],
                "value": known.recent[:, 1],
            },
        }  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Foretold:
    """What customers are expected to do, and how well such was foretold before.

    known are the customers on the day now, expected what comes of them by outcome, low and high the
    interval of the value; chosen is the method of each outcome, quality by outcome, measure and
    method, and parts what each feature adds to the log-odds to be active, shape (n, f).
    """

    now: float
    known: Known
    expected: Expected
    low: Doubles
    high: Doubles
    chosen: dict[str, str]
    quality: dict[tuple[str, str], Mapping[str, Measured]]
    parts: Doubles


def foretell(orders: Orders, now: float, horizon: float, seed: int) -> Foretold:
    """Choose the methods on the horizon before the last one, measure them on the last, and apply.

    Args:
        orders: of all customers.
        now: the day from which on is foretold.
        horizon: in days.
        seed: of what is drawn.
    """
    known = [known_at(orders, now - back * horizon, horizon) for back in (2, 1, 0)]
    came = [
        came_of(orders, one, now - back * horizon, horizon)
        for back, one in zip((2, 1), known[:2], strict=True)
    ]
    chosen = _choice(known[0], came[0], horizon, seed)
    earlier = Fitted(known[0], came[0], horizon, seed).expected(known[1])
    quality = _quality(earlier, came[1], known[1], chosen, seed)
    final = Fitted(known[1], came[1], horizon, seed)
    expected = _of_choice(final.expected(known[2]), chosen)
    before = _of_choice(earlier, chosen)["value"]
    low, high = _interval(came[1]["value"], before, expected["value"])
    parts = final.responses["active"].parts(known[2].features)
    return Foretold(now, known[2], expected, low, high, chosen, quality, parts)


def _choice(known: Known, came: Expected, horizon: float, seed: int) -> dict[str, str]:
    """The method of each outcome that foretells best customers that it was not fitted on."""
    half = known.customer % 2
    expected = {method: {name: np.zeros(len(half)) for name in OUTCOMES} for method in METHODS}
    for side in (0, 1):
        others, mine = np.flatnonzero(half != side), np.flatnonzero(half == side)
        if not len(others) or not len(mine):
            continue
        fitted = Fitted(
            _some(known, others), {name: one[others] for name, one in came.items()}, horizon, seed
        )
        for method, found in fitted.expected(_some(known, mine)).items():
            for name in OUTCOMES:
                expected[method][name][mine] = found[name]
    return {
        name: min(METHODS, key=lambda one: deviance(kind, came[name], expected[one][name]))
        for name, kind in OUTCOMES.items()
    }


def _some(known: Known, rows: Longs) -> Known:
    """Some of the customers."""
    return Known(*(getattr(known, field.name)[rows] for field in dataclasses.fields(Known)))


def _of_choice(expected: dict[str, Expected], chosen: dict[str, str]) -> Expected:
    """What the chosen methods expect."""
    return {name: expected[method][name] for name, method in chosen.items()}


def _quality(
    expected: dict[str, Expected], came: Expected, known: Known, chosen: dict[str, str], seed: int
) -> dict[tuple[str, str], Mapping[str, Measured]]:
    """How well each method foretold what came, by outcome and measure."""
    found: dict[tuple[str, str], Mapping[str, Measured]] = {}
    for name, y in came.items():
        scores = {CHOSEN: expected[chosen[name]][name]}
        scores |= {method: expected[method][name] for method in METHODS}
        for measure, function in MEASURES[name].items():
            found[name, measure] = measured(function, y, scores, known.customer, seed)
    return found


def _interval(came: Doubles, expected: Doubles, now: Doubles) -> tuple[Doubles, Doubles]:
    """The interval that held as many of what came as it says, in units that grow with the mean.

    As by split conformal prediction (Lei et al. 2018), for each side by itself.
    """
    unit = max(float(np.abs(came).mean()), TINY)

    def spread(of: Doubles) -> Doubles:
        out: Doubles = np.sqrt((np.maximum(of, 0) + unit / 10) * unit)
        return out

    rest = (came - expected) / spread(expected)
    below, above = np.quantile(rest, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    low, high = now + below * spread(now), now + above * spread(now)
    if came.min(initial=0) >= 0:
        low = np.maximum(low, 0)
    return np.minimum(low, now), np.maximum(high, now)
