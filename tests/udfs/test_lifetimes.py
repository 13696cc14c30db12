"""Kernels of growth: the formulas by published figures, and data of known truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import beta as beta_function
from scipy.special import gamma

from morec_sql.udfs.decide.lifetimes import Lifetimes, credible, fit_lifetimes, likelihood
from morec_sql.udfs.decide.orders import FEATURES, Cells, Orders, known_at

# of Fader, Hardie and Lee 2005, on the purchases of CDNOW, in weeks
CDNOW = Lifetimes(0.243, 4.414, 0.793, 2.426)
rng = np.random.default_rng(3)


def one(*values: float) -> list[np.ndarray]:
    return [np.array([value]) for value in values]


def test_expected_orders_are_those_of_the_paper() -> None:
    found = CDNOW.orders(*one(2, 30.43, 38.86), 39.0)
    assert found == pytest.approx([1.226], abs=1e-3)
    # in no time there is none
    assert CDNOW.orders(*one(2, 30.43, 38.86), 0.0) == pytest.approx([0])
    assert CDNOW.active(*one(2, 30.43, 38.86), 0.0) == pytest.approx([0])


def test_the_likelihood_is_the_integral_over_rates_and_losses() -> None:
    r, alpha, a, b = CDNOW.r, CDNOW.alpha, CDNOW.a, CDNOW.b
    x, t_x, age = 2, 10.0, 14.0

    def inner(rate: float) -> float:
        density = alpha**r * rate ** (r - 1) * np.exp(-rate * alpha) / gamma(r)
        stay = beta_function(a, b + x) / beta_function(a, b)
        lost = beta_function(a + 1, b + x - 1) / beta_function(a, b)
        alive = stay * rate**x * np.exp(-rate * age)
        return density * (alive + lost * rate**x * np.exp(-rate * t_x))

    by_hand = quad(inner, 0, np.inf, limit=200)[0]
    assert np.exp(likelihood(CDNOW, *one(x, t_x, age))) == pytest.approx([by_hand], rel=1e-5)


def test_the_chance_to_be_active_is_not_below_a_simulation() -> None:
    """Of many customers with the same past, drawn from what is known of them."""
    x, t_x, age, horizon = 3.0, 20.0, 22.0, 10.0
    alive = CDNOW.alive(*one(x, t_x, age))[0]
    draws = 200_000
    rate = rng.gamma(CDNOW.r + x, 1 / (CDNOW.alpha + age), draws)
    ordered = (rng.random(draws) < alive) & (rng.exponential(1 / rate) < horizon)
    assert CDNOW.active(*one(x, t_x, age), horizon)[0] == pytest.approx(ordered.mean(), abs=0.005)


def test_parameters_are_recovered() -> None:
    customers, span = 4000, 150.0
    truth = Lifetimes(0.8, 10.0, 1.2, 5.0)
    rate = rng.gamma(truth.r, 1 / truth.alpha, customers)
    leave = rng.beta(truth.a, truth.b, customers)
    age = rng.uniform(50, span, customers)
    x, t_x = np.zeros(customers), np.zeros(customers)
    for customer in range(customers):
        now = 0.0
        while True:
            now += rng.exponential(1 / rate[customer])
            if now > age[customer]:
                break
            x[customer] += 1
            t_x[customer] = now
            if rng.random() < leave[customer]:
                break
    found = fit_lifetimes(x, t_x, age, seed=1)
    assert found.r == pytest.approx(truth.r, rel=0.2)
    assert found.alpha == pytest.approx(truth.alpha, rel=0.3)
    assert found.a / (found.a + found.b) == pytest.approx(1.2 / 6.2, rel=0.25)
    # in other units the same
    days = fit_lifetimes(x, t_x * 7, age * 7, seed=1)
    assert days.alpha == pytest.approx(found.alpha * 7, rel=1e-3)


def test_who_ordered_once_is_never_known_to_be_lost() -> None:
    assert CDNOW.alive(*one(0, 0, 100)) == pytest.approx([1])
    late = CDNOW.alive(np.full(3, 5.0), np.array([90.0, 50, 10]), np.full(3, 100.0))
    assert (np.diff(late) < 0).all()


def test_means_are_drawn_towards_that_of_all_where_little_is_known() -> None:
    customers = 3000
    truth = rng.normal(20, 5, customers)
    count = rng.integers(1, 40, customers)
    spent = [rng.normal(mean, 10, n) for mean, n in zip(truth, count, strict=True)]
    total = np.array([values.sum() for values in spent])
    squares = np.array([(values**2).sum() for values in spent])
    found = credible(total, squares, count.astype(float))
    # as many orders as within / between weigh as much as what is known of all: 100 / 25
    weight = count / (count + 4)
    expected = weight * total / count + (1 - weight) * total.sum() / count.sum()
    assert found == pytest.approx(expected, abs=0.5)
    assert ((found - truth) ** 2).mean() < ((total / count - truth) ** 2).mean()
    same = credible(np.array([6.0, 3]), np.array([12.0, 3]), np.array([3.0, 3]))
    assert np.isfinite(same).all()
    assert credible(*one(0, 0, 0)).tolist() == [0]
    # returns
    assert credible(np.array([-5.0, 5]), np.array([25.0, 25]), np.ones(2)).sum() == pytest.approx(0)


def test_what_is_known_by_hand() -> None:
    orders = Orders(
        np.array([0, 0, 0, 2, 2]),
        np.array([0.0, 10, 30, 25, 50]),
        np.array([1.0, 2, 3, 4, 5]),
    )
    known = known_at(orders, 40.0, 20.0)
    assert known.customer.tolist() == [0, 2]
    assert known.x.tolist() == [2, 0]
    assert known.t_x.tolist() == [30, 0]
    assert known.age.tolist() == [40, 15]
    assert known.total.tolist() == [6, 4]
    assert known.squares.tolist() == [14, 16]
    assert known.recent.tolist() == [[1, 3], [1, 4]]
    features = dict(zip(FEATURES, known.features.T.tolist(), strict=True))
    assert features["recency"] == pytest.approx(np.log1p([10, 15]))
    assert features["lateness"] == pytest.approx(np.log1p([10 / 15, 15 / 15]))
    halves = [2**-4 + 2**-3 + 2**-1, 2 ** (-15 / 10)]
    assert features["lately"] == pytest.approx(np.log1p(halves))
    count, value = orders.after(40.0, 20.0, 3)
    assert count.tolist() == [0, 0, 1]
    assert value.tolist() == [0, 0, 5]
    nothing = known_at(orders, 0.0, 20.0)
    assert len(nothing.customer) == 0


def test_cells_are_means_of_those_alike() -> None:
    customers = 2000
    day = np.concatenate([np.full(customers, 10.0), np.full(customers // 2, 90.0)])
    number = np.concatenate([np.arange(customers), np.arange(customers // 2)])
    order = np.lexsort((day, number))
    orders = Orders(number[order], day[order], np.ones(len(order)))
    known = known_at(orders, 100.0, 30.0)
    came = (known.customer < customers // 2).astype(float)
    expected = Cells.fit(known, came).expected(known)
    assert expected == pytest.approx(came, abs=0.01)
