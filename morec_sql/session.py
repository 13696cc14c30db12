"""What the functions registered in one database instance share: connections, and what is kept."""

from __future__ import annotations

import contextlib
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from threading import Event, Lock
from typing import Any, Generic, TypeVar

import duckdb

from .errors import MorecError
from .interrupts import opened
from .templates import first_row, identifier

T = TypeVar("T")
Connect = Callable[[], contextlib.AbstractContextManager[duckdb.DuckDBPyConnection]]
IDLE = 8  # connections of ours that wait for who reads next


class Session:
    """One database instance: a way to connect to it, and one object of each kind to share."""

    def __init__(self) -> None:
        # weak, since a strong reference would keep the file open behind its user's back
        self._connections: list[weakref.ref[duckdb.DuckDBPyConnection]] = []
        self._idle: list[tuple[str, duckdb.DuckDBPyConnection]] = []  # by database
        self._path: str | None = None
        self._locked = False  # the settings, for good
        self._shared: dict[type[Any], Any] = {}
        self._lock = Lock()

    def add(self, con: duckdb.DuckDBPyConnection) -> None:
        """Remember a connection that the user opened, and its file."""
        if self._path is None:
            with con.cursor() as cursor:
                row = first_row(
                    cursor,
                    "SELECT path FROM duckdb_databases() WHERE NOT internal ORDER BY database_oid",
                )
            self._path = row[0] if row else None
        self._connections = [ref for ref in self._connections if ref() is not None]
        if all(ref() is not con for ref in self._connections):
            self._connections.append(weakref.ref(con, self._forget))

    def _forget(self, _: object) -> None:
        """Let go of what is kept when the last connection is gone: others make it anew."""
        if not self._connected():
            self._shared, self._idle = {}, []

    def _connected(self) -> bool:
        """Whether a connection of the user's is there."""
        return any(ref() is not None for ref in self._connections)

    @contextlib.contextmanager
    def reader(self, catalog: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection as of `cursor` to read by, which is left as it came: others read by it next.

        It ends with the connection of the user that it was opened from.
        """
        con, kept = self._waiting(catalog), True
        if con is None:
            con, kept = self._cursor(catalog)
        try:
            yield con
        except BaseException:
            kept = False
            raise
        finally:
            with self._lock:
                # one of the user's may be gone meanwhile, whose file is not to be held
                kept = kept and len(self._idle) < IDLE and self._connected()
                if kept:
                    self._idle.append((catalog, con))
            if not kept:
                con.close()

    def _waiting(self, catalog: str) -> duckdb.DuckDBPyConnection | None:
        """The connection to a database that was put back last, None without any."""
        with self._lock:
            for place in range(len(self._idle) - 1, -1, -1):
                of, con = self._idle[place]
                if of == catalog:
                    del self._idle[place]
                    with contextlib.suppress(duckdb.ConnectionException):
                        con.cursor().close()  # fails where its user's is closed
                        return con
        return None

    def cursor(self, catalog: str) -> duckdb.DuckDBPyConnection:
        """A connection of our own to the database that a query runs in."""
        return self._cursor(catalog)[0]

    def _cursor(self, catalog: str) -> tuple[duckdb.DuckDBPyConnection, bool]:
        """A connection of our own, and whether it ends with one of the user's."""
        con, theirs = self._open()
        cursor = opened(con)
        # a table that is gone must not be taken from the variables of our own code
        if not self._locked:
            try:
                cursor.execute("SET python_enable_replacements = false")
            except duckdb.InvalidInputException:
                # a server has said so for all before it locked the settings
                self._locked = True
        cursor.execute(f"USE {identifier(catalog)}")
        return cursor, theirs

    def _open(self) -> tuple[duckdb.DuckDBPyConnection, bool]:
        for ref in reversed(self._connections):
            con = ref()
            if con is None:
                continue
            try:
                return con.cursor(), True
            except duckdb.ConnectionException:
                continue
        # all are closed, but the query that asks has one: the process has its file open
        for read_only in (False, True) if self._path else ():
            with contextlib.suppress(duckdb.Error):
                return duckdb.connect(str(self._path), read_only=read_only), False
        raise MorecError(
            "connection: the one that morec_sql.load was called with is closed; call"
            " morec_sql.load again with an open one"
        )

    def shared(self, kind: type[T]) -> T:
        """The one object of class `kind` here, made when it is first asked for."""
        with self._lock:
            if kind not in self._shared:
                self._shared[kind] = kind()
            found: T = self._shared[kind]
            return found


class Latest(Generic[T]):
    """Keeps the latest results of work that is asked for again, from any thread.

    Who asks for what is being worked out waits for it; what others ask for does not.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._results: OrderedDict[Hashable, T] = OrderedDict()
        self._at_work: dict[Hashable, Event] = {}
        self._lock = Lock()

    def get(self, key: Hashable, work: Callable[[], T]) -> T:
        """Return what `work` gives, or gave when `key` came before."""
        done = Event()
        while True:
            with self._lock:
                if key in self._results:
                    self._results.move_to_end(key)
                    return self._results[key]
                before = self._at_work.setdefault(key, done)
            if before is done:
                break
            before.wait()
        try:
            result = work()
            with self._lock:
                # unless it was to be forgotten meanwhile
                if self._at_work.get(key) is done:
                    self._keep(key, result)
            return result
        finally:
            with self._lock:
                if self._at_work.get(key) is done:
                    del self._at_work[key]
            done.set()

    def known(self, wanted: Callable[[Hashable], bool]) -> bool:
        """Whether there is a result of such a key."""
        with self._lock:
            return any(map(wanted, self._results))

    def replace(self, wanted: Callable[[Hashable], bool], results: dict[Hashable, T]) -> None:
        """Forget the results of some keys, and what is at work on them, and keep others instead."""
        with self._lock:
            for kept in (self._results, self._at_work):
                for key in list(filter(wanted, kept)):
                    del kept[key]
            for key, result in results.items():
                self._keep(key, result)

    def _keep(self, key: Hashable, result: T) -> None:
        self._results[key] = result
        self._results.move_to_end(key)
        while len(self._results) > self._size:
            self._results.popitem(last=False)
