"""Messages over a socket: whole, of a bounded length, and within a bounded time."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Any

from .refused import PROTOCOL, TOO_LONG, RefusedError

# bytes of a message at most; a statement has a limit of its own
LONGEST = 64 * 2**20
LONGEST_AT_FIRST = 10_000
BUFFER = 256 * 1024


class ClosedError(Exception):
    """The client is gone."""


class Stream:
    """The messages of one client.

    Args:
        connected: its socket.
    """

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._waiting: list[bytes | memoryview] = []
        self._size = 0

    def within(self, seconds: float | None) -> None:
        """Wait no longer than that for the client, from now; None waits for ever."""
        self.socket.settimeout(seconds)

    def _exactly(self, count: int) -> bytes:
        received = bytearray()
        while len(received) < count:
            try:
                part = self.socket.recv(min(count - len(received), BUFFER))
            except (OSError, ValueError) as error:
                raise ClosedError(str(error)) from None
            if not part:
                raise ClosedError("the client closed the connection")
            received += part
        return bytes(received)

    def first(self) -> tuple[int, bytes]:
        """The message with which a client begins: what it asks for, and the rest."""
        length, code = struct.unpack("!iI", self._exactly(8))
        if not 8 <= length <= LONGEST_AT_FIRST:
            raise RefusedError(PROTOCOL, f"the first message is {length} bytes long")
        return code, self._exactly(length - 8)

    def read(self, longest: int = LONGEST) -> tuple[bytes, bytes]:
        """The next message: its kind and what is in it."""
        head = self._exactly(5)
        (length,) = struct.unpack("!i", head[1:])
        if length < 4:
            raise RefusedError(PROTOCOL, f"a message is {length} bytes long")
        if length > longest:
            raise RefusedError(
                TOO_LONG, f"a message is {length} bytes long, {longest} at most are read"
            )
        return head[:1], self._exactly(length - 4)

    def write(self, data: bytes | memoryview) -> None:
        """Send something, at the latest with the next `flush`."""
        self._waiting.append(data)
        self._size += len(data)
        if self._size >= BUFFER:
            self.flush()

    def flush(self) -> None:
        """Send all that waits."""
        waiting, self._waiting, self._size = self._waiting, [], 0
        try:
            for data in [b"".join(waiting)] if len(waiting) > 1 else waiting:
                self.socket.sendall(data)
        except (OSError, ValueError) as error:
            raise ClosedError(str(error)) from None

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError, ValueError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def replace(self, connected: Any) -> None:
        """Go on over another socket, as TLS wraps it."""
        self.socket = connected
