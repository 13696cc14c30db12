"""What is running for a client, and how others have it given up."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable

from .refused import RefusedError
from .stream import ClosedError, Stream


class Running:
    """The statement that is running for a client, for who cancels it.

    since is when it began, None where none is running; seconds how long it may take, 0 for no end;
    limits those of the server and of the role; interrupt ends what DuckDB does for it.

    Args:
        stream: of the client's messages.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.since: float | None = None
        self.seconds: float = 0
        self.limits: list[float] = []
        self.interrupt: Callable[[], None] = lambda: None
        self.thread = threading.current_thread()
        self._stopped: RefusedError | None = None
        self._lock = threading.Lock()

    def timed(self, handler: Callable[[bytes], None], payload: bytes, wanted: float) -> None:
        """Carry out a message, while others may cancel it; `wanted` is the session's own limit."""
        limits = [*self.limits, wanted] if wanted else self.limits
        with self._lock:
            self._stopped = None
            self.seconds = min(limits, default=0)
            self.since = time.monotonic()
        try:
            handler(payload)
        except BaseException as error:
            if self._stopped is not None and not isinstance(error, ClosedError):
                raise self._stopped from error
            raise
        finally:
            with self._lock:
                self.since = None

    def check(self) -> None:
        """Raise where the statement is to be given up."""
        if self._stopped is not None:
            raise self._stopped

    def stop(self, why: RefusedError) -> None:
        """Have the statement that is running given up; from another thread."""
        with self._lock:
            if self.since is not None:
                self._stopped = self._stopped or why
                self.interrupt()

    @property
    def is_stopped(self) -> bool:
        """Whether the statement that is running is to be given up."""
        return self._stopped is not None and self.since is not None

    @property
    def is_gone(self) -> bool:
        """Whether the client has closed its side."""
        if not hasattr(select, "poll"):  # as on Windows, where its end is noticed by what is sent
            return False
        try:
            watched = select.poll()
            watched.register(self._stream.socket, getattr(select, "POLLRDHUP", select.POLLHUP))
            return bool(watched.poll(0))
        except (OSError, ValueError):
            return True

    def leave(self) -> None:
        """End the session; from another thread."""
        self.stop(RefusedError("57P01", "the server is being stopped"))
        self._stream.close()
