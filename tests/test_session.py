"""What queries share: results that are kept, whoever asks for them meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from morec_sql.session import Latest

SOON = 20.0  # seconds, for what is to happen at once


def slow(kept: Latest[Any], key: str, result: Any, pool: ThreadPoolExecutor) -> tuple[Any, Event]:
    """Someone who works on a key until they are let go."""
    begun, go_on = Event(), Event()

    def work() -> Any:
        begun.set()
        assert go_on.wait(SOON)
        return result

    future = pool.submit(kept.get, key, work)
    assert begun.wait(SOON)
    return future, go_on


def test_what_is_asked_for_again_is_there_and_the_latest_stay() -> None:
    kept: Latest[int] = Latest(2)
    asked: list[str] = []
    for key in ("a", "b", "a", "c", "a", "b"):
        kept.get(key, lambda key=key: asked.append(key) or len(asked))  # type: ignore[misc]
    assert asked == ["a", "b", "c", "b"]


def test_only_those_wait_who_want_the_same() -> None:
    kept: Latest[str] = Latest(4)
    with ThreadPoolExecutor() as pool:
        first, go_on = slow(kept, "a", "slow", pool)
        second = pool.submit(kept.get, "a", lambda: "mine")
        assert pool.submit(kept.get, "b", lambda: "other").result(SOON) == "other"
        assert not second.done()
        go_on.set()
        assert (first.result(SOON), second.result(SOON)) == ("slow", "slow")


def test_where_work_fails_the_next_one_tries() -> None:
    kept: Latest[str] = Latest(4)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: str(1 / 0))
    assert kept.get("a", lambda: "there") == "there"


def test_what_is_replaced_while_someone_works_on_it_stays_replaced() -> None:
    kept: Latest[str] = Latest(4)
    with ThreadPoolExecutor() as pool:
        first, go_on = slow(kept, "a", "old", pool)
        kept.replace(lambda key: key == "a", {"a": "new"})
        assert kept.get("a", lambda: "newer") == "new"
        go_on.set()
        assert first.result(SOON) == "old"
        assert kept.get("a", lambda: "newer") == "new"
        # and where nothing takes its place, who asks later does not wait for what began before
        first, go_on = slow(kept, "b", "old", pool)
        kept.replace(lambda key: key == "b", {})
        assert kept.get("b", lambda: "newer") == "newer"
        go_on.set()
        assert first.result(SOON) == "old"
        assert kept.get("b", lambda: "newest") == "newer"
