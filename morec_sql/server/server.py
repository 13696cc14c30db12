"""The server: its socket, its clients in threads, what ends their statements, and its own end."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import secrets
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
from pg_mimic import messages

from ..errors import MorecError
from ..extension import load
from ..interrupts import stop_in
from ..templates import identifier
from . import alerts, config, roles, users
from .backend import LOGIN_SECONDS, Backend
from .gate import Gate
from .observed import Observed
from .opening import Options, is_loopback, tls
from .refused import CANCELLED, STOPPING, TOO_MANY, RefusedError, refused
from .settings import Settings
from .statements import Statements
from .stream import ClosedError, Stream
from .warehouse import Opened, Warehouse

logger = logging.getLogger("morec_sql.server")
AT_THE_DOOR = 100  # clients that may be logging in beside those that are in
LOOK = 0.05  # seconds between looks at what is to be ended
LOOK_AT_FIGURES = 5.0  # at what alerts are about
LOOK_AT_FILE = 1.0  # and at whether another file is in the place of the warehouse
PROTOCOL_VERSION = 196608  # 3.0


@dataclasses.dataclass(frozen=True)
class Session:
    """What a user works with: statements, settings, limits in seconds, and how to interrupt.

    user is the name; opened is the warehouse; looking is a connection on which nothing else is
    going on, for what is not the user's.
    """

    user: str
    opened: Opened
    statements: Statements
    settings: Settings
    limits: list[float]
    interrupt: Callable[[], None]
    looking: duckdb.DuckDBPyConnection


class Server:
    """A warehouse that is served.

    Args:
        warehouse: its file.
        options: how.

    Raises:
        MorecError: it cannot be served so.
    """

    def __init__(self, warehouse: Path, options: Options) -> None:
        self._options = options
        self._users_file = options.users or users.users_file(warehouse)
        self.users: dict[str, str] = {}
        self.reload()
        if not self.users:
            raise MorecError(
                f"users: there are none in {self._users_file.name};"
                f" `morec user add {warehouse.name} NAME` adds one"
            )
        self._tls = tls(options)
        if self._tls is None and not is_loopback(options.host):
            raise MorecError(
                f"host: {options.host!r} is not of this machine alone, which needs TLS;"
                " --certificate and --key give it"
            )
        found = config.read(options.config)
        known, thresholds = roles.read(found), alerts.read(found)
        self._roles = {user: role for role in known for user in role.users}
        self.warehouse = Warehouse(warehouse, options, known)
        self.observed = Observed(self.warehouse, thresholds)
        self.names = [self.warehouse.latest.catalog.database, "postgres"]
        self.failures = users.Failures()
        self.idle, self.longest = options.idle, options.longest
        self._backends: dict[int, Backend] = {}
        self._lock = threading.Lock()
        self._number = 0
        self._open = 0
        self._stopping = threading.Event()
        self._warming = threading.Thread(target=self._warm, name="morec warm", daemon=True)
        self._looking = threading.Thread(target=self._look, name="morec look", daemon=True)
        try:
            self._socket = socket.create_server((options.host, options.port), backlog=128)
        except OSError as error:
            self.warehouse.close()
            raise MorecError(
                f"port: {options.host}:{options.port} cannot be listened on: {error.strerror}"
            ) from None
        self.address: tuple[str, int] = self._socket.getsockname()[:2]

    def reload(self) -> None:
        """Read the users anew; who is in already stays."""
        self.users = users.read(self._users_file)

    def run(self) -> None:
        """Serve until `stop`."""
        watching = threading.Thread(target=self._watch, name="morec watch", daemon=True)
        watching.start()
        self._warming.start()
        self._looking.start()
        self._socket.settimeout(0.5)
        while not self._stopping.is_set():
            try:
                connected, address = self._socket.accept()
            except TimeoutError:
                continue
            except OSError:
                break
            with self._lock:
                full = self._open >= self._options.most + AT_THE_DOOR
                self._open += not full
            if full:
                connected.close()
                continue
            threading.Thread(
                target=self._client, args=(connected, str(address[0])), daemon=True
            ).start()
        self._end()
        watching.join()

    def _look(self) -> None:
        """Have figures looked at, again and again."""
        self._warming.join()
        with contextlib.suppress(KeyboardInterrupt):
            while not self._stopping.is_set():
                try:
                    if self.observed.asked:
                        self.observed.look()
                except duckdb.Error as error:
                    if not self._stopping.is_set():
                        logger.error("figures cannot be read: %s", error)
                self._stopping.wait(LOOK_AT_FIGURES)

    def _warm(self) -> None:
        with self.warehouse.using() as opened:
            opened.warm()

    def stop(self) -> None:
        """Have `run` end: no more clients, and those that are there have a moment to finish."""
        self._stopping.set()

    def _end(self, patience: float = 5.0) -> None:
        self._socket.close()
        until = time.monotonic() + patience
        while time.monotonic() < until and any(
            one.running.since is not None for one in self._all()
        ):
            time.sleep(0.05)
        for one in self._all():
            one.running.leave()
        beside = [self._warming, self._looking]
        stop_in(beside)
        for thread in [*beside, *(one.running.thread for one in self._all())]:
            thread.join(patience)
        self.warehouse.close()

    def _all(self) -> list[Backend]:
        with self._lock:
            return list(self._backends.values())

    # one client

    def _client(self, connected: socket.socket, place: str) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        stream = Stream(connected)
        stream.within(LOGIN_SECONDS)
        try:
            self._serve(stream, place)
        except ClosedError:
            pass
        except Exception as error:
            if not isinstance(error, RefusedError):
                logger.exception("a session failed")
            with contextlib.suppress(ClosedError):
                told = refused(error).fields("FATAL")
                stream.write(messages.make_error_response(told))
                stream.flush()
        finally:
            stream.close()
            with self._lock:
                self._open -= 1

    def _serve(self, stream: Stream, place: str) -> None:
        given = self._begin(stream)
        if given is None:
            return
        with self._lock:
            self._number += 1
            backend = Backend(self, stream, self._number, secrets.randbits(31), place)
        # who is not in yet takes nobody's place
        backend.come_in(given)
        with self._lock:
            full = len(self._backends) >= self._options.most
            if not full:
                self._backends[backend.number] = backend
            self.observed.sessions.set(len(self._backends))
        if full:
            self.observed.login(backend.user, place, "full")
            raise RefusedError(TOO_MANY, f"there are {self._options.most} sessions already")
        try:
            backend.serve(given)
        finally:
            with self._lock:
                del self._backends[backend.number]
                self.observed.sessions.set(len(self._backends))

    def _begin(self, stream: Stream) -> dict[str, str] | None:
        """What a client says of itself, after TLS where it wants it; None of one that cancels."""
        secure = False
        for _ in range(3):
            code, payload = stream.first()
            if code == messages.SSL_REQUEST_CODE and not secure:
                secure = self._tls is not None
                stream.write(b"S" if secure else b"N")
                stream.flush()
                if self._tls is not None:
                    try:
                        stream.replace(self._tls.wrap_socket(stream.socket, server_side=True))
                    except (OSError, ssl.SSLError) as error:
                        raise ClosedError(str(error)) from None
            elif code == messages.GSSENC_REQUEST_CODE:
                stream.write(b"N")
                stream.flush()
            elif code == messages.CANCEL_REQUEST_CODE:
                if len(payload) >= 8:
                    self._cancel(*messages.parse_cancel_request(payload))
                return None
            elif code >> 16 == PROTOCOL_VERSION >> 16:
                if self._options.require_tls and not secure:
                    raise RefusedError(
                        "28000", "only connections with TLS are served; sslmode=require"
                    )
                try:
                    return dict(messages.parse_startup_message(payload))
                except (ValueError, IndexError):
                    break
            else:
                break
        raise RefusedError("08P01", "this is not version 3 of PostgreSQL's protocol")

    def _cancel(self, number: int, secret: int) -> None:
        with self._lock:
            backend = self._backends.get(number)
        if backend is not None and secrets.compare_digest(str(backend.secret), str(secret)):
            backend.running.stop(RefusedError(CANCELLED, "the statement was cancelled by its user"))

    @contextlib.contextmanager
    def session(
        self, user: str, number: int = 0, settings: Settings | None = None
    ) -> Iterator[Session]:
        """What a user who was let in works with.

        Args:
            user: the name.
            number: of the session.
            settings: of one that goes on; new ones by default.

        Raises:
            RefusedError: there are as many sessions of the role as there may be.
        """
        role, writes = self._roles.get(user), self._options.allow_write
        if role is not None and role.sessions is not None:
            theirs = sum(self._roles.get(one.user) is role for one in self._all())
            if theirs > role.sessions:
                raise RefusedError(
                    TOO_MANY, f"there are {role.sessions} sessions of the role already"
                )
        limits = [one for one in (self._options.timeout, role.timeout if role else 0) if one]
        with (
            self.warehouse.using() as opened,
            opened.con.cursor() as con,
            opened.con.cursor() as looking,
        ):
            seen, catalog = None, opened.catalog
            if role is not None and role.is_apart:
                seen, catalog = opened.views.of(role)
                for one in (con, looking):
                    one.execute(f"USE {identifier(seen.database)}")
            elif writes:
                load(con)
            settings = settings or Settings(user, seen is not None or not writes)
            gate = Gate(looking, writes, catalog, seen)
            statements = Statements(con, gate, catalog, settings, number, role)
            yield Session(user, opened, statements, settings, limits, con.interrupt, looking)

    # what ends statements

    def _watch(self) -> None:
        """Give up statements that take too long, were cancelled, or whose client is gone."""
        looked = time.monotonic()
        while not self._stopping.is_set() or self._all():
            time.sleep(LOOK)
            if time.monotonic() - looked > LOOK_AT_FILE:
                self.warehouse.look()
                looked = time.monotonic()
            running = [one.running for one in self._all()]
            busy = [one for one in running if one.since is not None]
            for one in busy:
                since = one.since
                if since is not None and one.seconds and time.monotonic() - since > one.seconds:
                    one.stop(
                        RefusedError(
                            CANCELLED, f"the statement took more than {one.seconds:g} seconds"
                        )
                    )
                elif since is not None and time.monotonic() - since > 1 and one.is_gone:
                    one.stop(RefusedError(STOPPING, "the client is gone"))
                if one.is_stopped:
                    # it may not have begun in DuckDB when it was told first
                    one.interrupt()
                    stop_in([one.thread] if len(busy) > 1 else None)


def run_until_signalled(server: Server) -> None:
    """Serve until the process is told to end; SIGHUP has the users read anew."""

    def end(*_: object) -> None:
        server.stop()

    def reload(*_: object) -> None:
        try:
            server.reload()
        except MorecError as error:
            logger.error("%s; the users stay as they were", error)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, reload)
    server.run()
