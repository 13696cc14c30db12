"""next_basket and due: what comes again, and when."""

from __future__ import annotations

import datetime as dt
import itertools
import statistics
from typing import Any

import duckdb
import pytest

from tests.conftest import create

Connection = duckdb.DuckDBPyConnection


def rows(con: Connection, query: str) -> list[tuple[Any, ...]]:
    return con.execute(query).fetchall()


def test_when_something_comes_again(small: Connection) -> None:
    found = rows(small, "FROM shop.next_basket(3, k => 50)")
    days: dict[int, list[dt.date]] = {}
    for item, day in rows(
        small,
        "SELECT DISTINCT product_id, ordered_at::DATE AS day FROM orders WHERE customer_id = 3"
        " ORDER BY day",
    ):
        days.setdefault(item, []).append(day)
    assert {row[0] for row in found} == set(days)
    probabilities = [row[1] for row in found]
    assert probabilities == sorted(probabilities, reverse=True)
    assert all(0 < probability < 1 for probability in probabilities)
    for item, _, times, last, expected, earliest, latest in found:
        mine = days[item]
        assert (times, last) == (len(mine), mine[-1])
        gaps = [(b - a).days for a, b in itertools.pairwise(mine)]
        if not gaps:
            assert (expected, earliest, latest) == (None, None, None)
            continue
        mean = statistics.mean(gaps)
        around = mean / 2
        if len(gaps) > 1:
            around = 1.2816 * statistics.stdev(gaps) * (1 + 1 / len(gaps)) ** 0.5
        around = max(around, 1)
        assert abs((expected - last).days - mean) <= 0.5
        assert abs((latest - last).days - (mean + around)) <= 0.5
        assert abs((earliest - last).days - max(mean - around, 1)) <= 0.5
    assert rows(small, "FROM shop.next_basket(3, k => 2)") == found[:2]
    assert rows(small, "FROM shop.next_basket(-3)") == rows(small, "FROM shop.next_basket(NULL)")
    assert rows(small, "FROM shop.next_basket(-3)") == []


def test_who_is_due(small: Connection) -> None:
    day = dt.date(2024, 4, 2)
    due = rows(small, f"FROM shop.due(DATE '{day}', k => 50)")
    assert due
    probabilities = [row[2] for row in due]
    assert probabilities == sorted(probabilities, reverse=True)
    of_each = {
        (user, *row)
        for (user,) in rows(small, "SELECT DISTINCT customer_id FROM orders")
        for row in rows(small, f"FROM shop.next_basket({user}, k => 50)")
        if row[5] is not None and row[5] <= day <= row[6]
    }
    assert {row[:2] for row in due} == {row[:2] for row in of_each}
    few = rows(small, f"SELECT user_id FROM shop.due(DATE '{day}', k => 1)")
    assert len(few) == len(set(few)) == len({row[0] for row in due})
    assert rows(small, "FROM shop.due(DATE '2030-01-01')") == []


def test_the_probability_is_worth_its_name(journey: Connection) -> None:
    # what was taken often and of late comes again
    found = rows(
        journey,
        "SELECT probability, times FROM (SELECT DISTINCT household_id FROM orders LIMIT 50) AS h,"
        " shop.next_basket(h.household_id, k => 500)",
    )
    often = [probability for probability, times in found if times >= 10]
    once = [probability for probability, times in found if times == 1]
    assert statistics.mean(often) > 3 * statistics.mean(once)


def test_without_times_nothing_is_known_of_when(tables: Connection) -> None:
    create(tables, event_time=None)
    for call in ("next_basket(3)", "due()"):
        with pytest.raises(duckdb.Error, match="event_time: 'shop' was made without"):
            rows(tables, f"FROM shop.{call}")
