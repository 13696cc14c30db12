"""Ctrl-C for functions that DuckDB runs in threads of its own.

Python tells of a signal in the main thread only, and DuckDB waits there until its other threads are
done. So what the main thread hears is passed on to those that are at work for us.
"""

from __future__ import annotations

import contextlib
import ctypes
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from types import FrameType

import duckdb

_lock = threading.RLock()
_working: set[int] = set()
_told: set[int] = set()  # those at work that something was raised in
_connections: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()
_where: tuple[float, int, int] | None = None  # when and in which line the last Ctrl-C came
MOST_STEPS = 1_000_000  # in which what is raised in a thread comes: it takes one or two
LATE = 2.0  # seconds after Ctrl-C in which DuckDB may still begin what it gives up


def listen() -> None:
    """Pass Ctrl-C on from now, beside what it does already; of no effect in another thread."""
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        return
    if getattr(previous, "passes_on", False):
        return

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        global _where
        with _lock:
            _where = (time.monotonic(), *_place(frame))
            for thread in _working:
                _raise(thread)
            for con in _connections:
                # one that is closed has nothing to interrupt
                with contextlib.suppress(duckdb.Error):
                    con.interrupt()
        previous(number, frame)

    on_interrupt.passes_on = True  # type: ignore[attr-defined]
    signal.signal(signal.SIGINT, on_interrupt)


def listen_in_notebooks() -> None:
    """As listen, and again in each cell of a notebook, whose kernel sets signals anew."""
    listen()
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        with contextlib.suppress(ValueError):
            shell.events.unregister("pre_run_cell", _on_cell)
        shell.events.register("pre_run_cell", _on_cell)


def _on_cell(_: object = None) -> None:
    listen()


def opened(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Have what a connection of ours runs stopped as well."""
    with _lock:
        _connections.add(con)
    return con


def stop_in(threads: Iterable[threading.Thread] | None) -> None:
    """Give up what is at work for us, as Ctrl-C does: in some threads, or for None in all."""
    wanted = None if threads is None else {thread.ident for thread in threads}
    with _lock:
        for thread in _working:
            if wanted is None or thread in wanted:
                _raise(thread)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Have Ctrl-C raise KeyboardInterrupt in this thread, as it does in the main thread anyway."""
    if threading.current_thread() is threading.main_thread():
        yield
        return
    thread = threading.get_ident()
    if _given_up():
        raise KeyboardInterrupt
    with _lock:
        inner = thread in _working
        _working.add(thread)
    try:
        yield
    finally:
        if not inner:
            with _lock:
                _working.discard(thread)
                late = thread in _told
                _told.discard(thread)
            if late:
                _let_come(thread)


def _place(frame: FrameType | None) -> tuple[int, int]:
    """Where a thread is."""
    return id(frame), -1 if frame is None else frame.f_lasti


def _given_up() -> bool:
    """Whether Ctrl-C came a moment ago and the main thread is still in the call that it came in."""
    if _where is None or time.monotonic() - _where[0] > LATE:
        return False
    main = sys._current_frames().get(threading.main_thread().ident or 0)
    return _place(main) == _where[1:]


def _raise(thread: int) -> None:
    """Have KeyboardInterrupt raised in a thread that is at work."""
    _told.add(thread)
    _raise_in(thread)


def _raise_in(thread: int) -> None:
    error = ctypes.py_object(KeyboardInterrupt)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), error)


def _let_come(thread: int) -> None:
    """Have what was raised too late in this thread come here, and not in what it does next.

    It is not taken back, since Python 3.11 would look for it at every call from then on, and do
    nothing else where calls are traced, as by a debugger.
    """
    with contextlib.suppress(KeyboardInterrupt):
        _raise_in(thread)  # in the place of what did not come yet
        for _ in range(MOST_STEPS):
            pass
