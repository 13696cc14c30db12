"""A recommender trained on the past, and who did what from then on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..answer.filters import filtered
from ..catalog.recommenders import stored_arguments
from ..errors import MorecError
from ..session import Session
from ..source.arguments import Arguments
from ..templates import arrow, first_row, identifier, literal, sql
from ..train.training import Trained, train
from ..train.windows import WINDOW
from ..udfs.history import History
from ..udfs.ranking.catalogue import Batch, Selection
from ..udfs.ranking.lists import rank
from .requests import SOURCES, Request

ROWS = 2048
Doubles = npt.NDArray[np.float64]


class Past:
    """Keeps the recommender that the last evaluation trained, for the next one on the same past."""

    def __init__(self) -> None:
        self.lock = Lock()
        self._key: tuple[Any, ...] | None = None
        self._trained: Trained | None = None

    def get(
        self,
        con: duckdb.DuckDBPyConnection,
        session: Session,
        catalog: str,
        name: str,
        test_from: str,
    ) -> Trained:
        """The recommender as trained on the events before `test_from`, on a connection kept."""
        query = sql("measure/past_key", schema=identifier(name), test_from=literal(test_from))
        found = first_row(con, query)
        assert found is not None
        key = (catalog, name, test_from, *found)
        if self._trained is None or key != self._key:
            if self._trained is not None:
                self._trained.con.close()
                self._trained = None
            arguments, schema = stored_arguments(con, catalog, name)
            cursor = session.cursor(catalog)
            try:
                self._trained = train(cursor, catalog, schema, arguments, until=test_from)
            except BaseException:
                cursor.close()
                raise
            self._key = key
        return self._trained


@dataclasses.dataclass(frozen=True)
class Trial:
    """A recommender as of a time, and who did what from then on.

    con holds the temporary tables morec_truth (user_id, item_id) and morec_test_users (name,
    user_index, user_id), where ids are numbers of ours; history is what is known of these users,
    numbered alike; allowed are the items that may be listed, None for all.
    """

    con: duckdb.DuckDBPyConnection
    arguments: Arguments
    trained: Trained
    test_from: str
    k: int
    users: int
    history: History
    exclude_seen: bool
    allowed: Selection | None

    def batches(self, keep: bool = False, without: str | None = None) -> Iterator[Batch]:
        """The users in batches.

        Args:
            keep: whether to keep their relevance, for many weights to be tried.
            without: one of SOURCES.
        """
        for first in range(0, self.users, ROWS):
            rows = np.arange(first, min(first + ROWS, self.users))
            mine = self.history.of_users(rows, self.users)
            if without is not None:
                mine = dataclasses.replace(mine, **SOURCES[without])
            excluded = np.full(len(rows), self.exclude_seen)
            yield self.trained.catalogue.batch(mine, len(rows), self.allowed, excluded, keep)

    def lists(
        self, batches: Iterable[Batch], weights: Doubles, diversify: str
    ) -> npt.NDArray[np.int64]:
        """Our lists, shape (users, k); -1 behind the end of a short one."""
        out = np.full((self.users, self.k), -1, np.int64)
        first = 0
        for batch in batches:
            ranked = rank(
                self.trained.catalogue,
                batch,
                np.tile(weights, (batch.users, 1)),
                self.k,
                diversify,
            )
            out[first : first + batch.users, : ranked.item.shape[1]] = ranked.item
            first += batch.users
        return out


def prepare(
    con: duckdb.DuckDBPyConnection, session: Session, catalog: str, name: str, request: Request
) -> Trial:
    """Train on the past, and find out who is measured against what.

    Args:
        con: a connection to the database of the recommender.
        session: keeps the training for the next trial.
        catalog: the name of the database.
        name: the recommender.
        request: what is to be measured.

    Raises:
        MorecError: an argument is wrong, or there is nothing to measure.
    """
    arguments, _ = stored_arguments(con, catalog, name)
    if arguments.event_time is None:
        raise MorecError(f"test_from: {name!r} has no event_time, so nothing comes after anything")
    test_from = _test_from(con, name, request.test_from)
    trained = session.shared(Past).get(con, session, catalog, name, test_from)
    if request.k > trained.items:
        raise MorecError(
            f"k: {request.k} is above the {trained.items} items of the catalogue of {name!r}"
        )
    con = trained.con
    allowed = trained.recommended
    if request.filter is not None:
        found = filtered(con, name, request.filter, catalogue="morec_items")
        found = found[trained.listed[found]]
        if not len(found):
            raise MorecError(f"filter: {request.filter!r} keeps no item")
        allowed = trained.catalogue.only(found)
    known, users = _truth(con, name, request, test_from, allowed)
    history = trained.history.of_users(known, trained.users)
    if request.history is not None:
        history = history.latest(request.history)
    exclude_seen = request.novel_only or trained.exclude_seen
    return Trial(
        con, arguments, trained, test_from, request.k, users, history, exclude_seen, allowed
    )


def _truth(
    con: duckdb.DuckDBPyConnection,
    name: str,
    request: Request,
    test_from: str,
    allowed: Selection | None,
) -> tuple[npt.NDArray[np.int64], int]:
    """Write what users did from the start of the test on.

    Returns:
        the numbers of the users that the training knows, and how many users there are in all.
    """
    kept = "true"
    if allowed is not None:
        con.register("morec_allowed", pa.table({"item_index": allowed.items}))
        kept = "_i.item_index IN (SELECT item_index FROM morec_allowed)"
    con.execute(
        sql(
            "measure/truth",
            schema=identifier(name),
            test_from=literal(test_from),
            kept=kept,
            novel_only=literal(request.novel_only),
            sample=literal(request.sample) if request.sample is not None else "NULL",
        )
    )
    numbers = arrow(con, "SELECT user_index FROM morec_test_users ORDER BY user_id").column(0)
    if not len(numbers):
        what = "an item that is new to them" if request.novel_only else "any item"
        chosen = " of the filter" if request.filter else ""
        raise MorecError(f"test_from: nobody has an event with {what}{chosen} from {test_from} on")
    return numbers.drop_null().to_numpy().astype(np.int64), len(numbers)


def _test_from(con: duckdb.DuckDBPyConnection, name: str, given: str | None) -> str:
    """The start of the test as a timestamp: as given, or with the last window of the events."""
    row = first_row(con, sql("measure/events_span", schema=identifier(name), share=literal(WINDOW)))
    assert row is not None
    first, last, start = row
    if first is None:
        raise MorecError(f"events: {name!r} has no event")
    if given is None:
        return str(start)
    if not str(first) < given <= str(last):
        raise MorecError(
            f"test_from: {given} leaves no event on one side; the events of {name!r} run from"
            f" {first} to {last}"
        )
    return given
