"""One client's side of PostgreSQL's protocol: coming in, and then statement after statement."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pg_mimic import messages

from . import parameters, wire
from .answers import Prepared
from .cursors import READS, Cursor, Portal
from .login import login
from .refused import (
    INTERNAL,
    PROTOCOL,
    TOO_LONG,
    UNKNOWN_CURSOR,
    UNKNOWN_STATEMENT,
    RefusedError,
    read_as,
    refused,
)
from .running import Running
from .sending import Sender, format_of
from .statements import Statements
from .stream import ClosedError, Stream
from .words import statements_of, words_of

if TYPE_CHECKING:
    from .server import Server, Session
    from .settings import Settings

logger = logging.getLogger("morec_sql.server")
LOGIN_SECONDS = 20.0
SENDING_SECONDS = 60.0  # that a client may take none of what is sent
MOST_PREPARED = 1000
OF_START = {"user", "database", "options", "replication"}  # what is no setting at the start


class Backend:
    """Serves one client, from its login to its end, in a thread of its own.

    Args:
        server: whose it is.
        stream: of its messages.
        number: of the session.
        secret: which who cancels a statement has to know.
        place: from where the client comes.
    """

    def __init__(
        self, server: Server, stream: Stream, number: int, secret: int, place: str
    ) -> None:
        self.number, self.secret = number, secret
        self._server, self._stream, self._place = server, stream, place
        self._prepared: dict[str, Prepared] = {}
        self._portals: dict[str, Portal] = {}
        self._skipping = False
        # whether nothing is under way, and a message that was read and is to be carried out
        self._is_between = False
        self._next: tuple[bytes, bytes] | None = None
        self.running = Running(stream)
        self._sender = Sender(
            stream,
            self.running.check,
            lambda batches: server.observed.lists(self._doing, batches),
        )
        self._doing, self._begun = "", time.monotonic()
        self._statements: Statements  # once the client is in
        self.user = ""

    # coming in

    def come_in(self, given: dict[str, str]) -> None:
        """Let the client in.

        Args:
            given: what it said of itself when it began.

        Raises:
            RefusedError: it is not to come in.
        """
        self._stream.within(LOGIN_SECONDS)
        self.user = given.get("user", "")
        if not self.user:
            raise RefusedError("28000", "a user name is needed")
        try:
            login(self._stream, self.user, self._place, self._server.users, self._server.failures)
        except RefusedError:
            self._server.observed.login(self.user, self._place, "refused")
            raise
        self._server.observed.login(self.user, self._place, "in")
        database = given.get("database") or self.user  # which clients give that name none
        if database not in (*self._server.names, self.user):
            known = self._server.names[0]
            raise RefusedError("3D000", f"there is no database {database!r}, but {known!r}")

    def serve(self, given: dict[str, str]) -> None:
        """Carry out what a client says that was let in, until it goes."""
        settings: Settings | None = None
        stays = True
        while stays:
            with self._server.session(self.user, self.number, settings) as session:
                self.running.limits = session.limits
                self.running.interrupt = session.interrupt
                self._statements = session.statements
                self._statements.forget_prepared = self._forget
                if settings is None:
                    self._welcome(given, session.settings)
                else:
                    self._move(settings)
                settings = session.settings
                try:
                    stays = self._listen(session)
                finally:
                    self._statements.end()

    def _welcome(self, given: dict[str, str], settings: Settings) -> None:
        for name, value in given.items():
            if name not in OF_START and name[:5] != "_pq_.":
                settings.set(name, value)
        write = self._stream.write
        write(messages.make_authentication_ok())
        for name, value in settings.reported():
            write(messages.make_parameter_status(name, value))
        write(messages.make_backend_key_data(self.number, self.secret))
        self._ready()

    def _move(self, settings: Settings) -> None:
        """Go on with a file that was put in the place of the one before."""
        self._statements.use(settings.get("search_path") or "")
        kept = {}
        for name, one in self._prepared.items():
            # what it was about may be gone
            with contextlib.suppress(RefusedError):
                kept[name] = self._statements.prepare(one.text, one.oids)
        self._prepared = kept

    # message after message

    def _listen(self, session: Session) -> bool:
        """Carry out messages, until the client goes, or where it is to go on with another file.

        Returns:
            whether it goes on.
        """
        statements, settings = session.statements, session.settings
        handlers: dict[bytes, Callable[[bytes], None]] = {
            messages.QUERY: self._simple,
            messages.PARSE: self._parse,
            messages.BIND: self._bind,
            messages.DESCRIBE: self._describe,
            messages.EXECUTE: self._execute,
            messages.CLOSE: self._close,
            messages.FLUSH: lambda _: self._stream.flush(),
        }
        reported = dict(settings.reported())
        while True:
            self._stream.within(self._server.idle)
            kind, payload = self._next or self._stream.read()
            self._stream.within(SENDING_SECONDS)
            self._next = None
            if kind == messages.TERMINATE:
                return False
            if self._is_between and self._server.warehouse.latest is not session.opened:
                self._next = kind, payload
                return True
            self._is_between = False
            if kind == messages.SYNC:
                self._skipping = False
                if statements.status == "I":
                    self._portals.clear()
                    statements.close_rows()
                self._ready()
                continue
            if self._skipping and kind != messages.QUERY:
                continue
            if kind in (messages.COPY_DATA, messages.COPY_DONE, messages.COPY_FAIL):
                continue
            self._skipping = False
            try:
                if kind not in handlers:
                    raise RefusedError(PROTOCOL, f"there is no message {kind!r}")
                self._begun = time.monotonic()
                self.running.timed(handlers[kind], payload, settings.timeout)
            except (ClosedError, MemoryError):
                raise
            except Exception as error:
                statements.failed()
                told = self._error(error)
                self._tell(0, told.code)
                self._skipping = kind != messages.QUERY
            if kind == messages.QUERY:
                now = dict(settings.reported())
                for name, value in now.items() - reported.items():
                    self._stream.write(messages.make_parameter_status(name, value))
                reported = now
                self._ready()

    def _error(self, error: BaseException) -> RefusedError:
        told = refused(error)
        if told.code == INTERNAL:
            logger.error("a statement of %s failed in the server", self.user, exc_info=error)
        self._stream.write(messages.make_error_response(told.fields()))
        # a client that asks for no answers yet waits for this one
        self._stream.flush()
        return told

    def _ready(self) -> None:
        self._stream.write(messages.make_ready_for_query(self._statements.status.encode()))
        self._stream.flush()
        self._is_between = (
            self._statements.status == "I" and not self._portals and not self._statements.cursors
        )

    def _forget(self, name: str) -> None:
        if name.lower() == "all":
            self._prepared.clear()
        else:
            self._prepared.pop(name, None)

    # the simple protocol

    def _simple(self, payload: bytes) -> None:
        text = self._text(read_as(messages.parse_query, payload))
        statements = self._statements
        self._portals.pop("", None)
        pieces = statements_of(text)
        if not pieces:
            self._stream.write(messages.make_empty_query_response())
        # several are carried out all or none
        together = len(pieces) > 1 and statements.status == "I" and not any(
            piece.lstrip()[:8].lower().startswith(("begin", "start", "commit", "rollback", "end"))
            for piece in pieces
        )  # fmt: skip
        if together:
            statements.run(statements.prepare("BEGIN", []), [])
        try:
            for piece in pieces:
                self._doing, self._begun = piece, time.monotonic()
                prepared = statements.prepare(piece, [])
                self._tell(self._sender.whole(statements.run(prepared, [])))
        except BaseException:
            if together:
                statements.failed()
                statements.run(statements.prepare("ROLLBACK", []), [])
            raise
        if together:
            statements.run(statements.prepare("COMMIT", []), [])

    def _tell(self, rows: int, code: str = "00000", before: float = 0.0) -> None:
        """Take note of the statement that ended; `before` are seconds that it took earlier."""
        seconds = before + time.monotonic() - self._begun
        first = next(iter(words_of(self._doing)), "")
        observed = self._server.observed
        observed.statement(self.user, self.number, self._doing, first, seconds, rows, code)

    def _text(self, text: str) -> str:
        longest = self._server.longest
        if len(text) > longest:
            raise RefusedError(
                TOO_LONG, f"the statement has {len(text)} characters, {longest} at most are read"
            )
        return text

    # the extended protocol

    def _parse(self, payload: bytes) -> None:
        parsed = read_as(messages.parse_parse, payload)
        pieces = statements_of(self._text(parsed.sql))
        self._doing = pieces[0] if pieces else ""
        if len(pieces) > 1:
            raise RefusedError("42601", "a prepared statement is one statement")
        if parsed.statement_name and len(self._prepared) >= MOST_PREPARED:
            raise RefusedError(
                "53400", f"a session has at most {MOST_PREPARED} prepared statements"
            )
        text = pieces[0] if pieces else ""
        if pieces:
            prepared = self._statements.prepare(
                text, [oid & 0xFFFFFFFF for oid in parsed.param_oids]
            )
        else:
            prepared = Prepared("", [])
        self._prepared[parsed.statement_name] = prepared
        self._stream.write(messages.make_parse_complete())

    def _bind(self, payload: bytes) -> None:
        parsed = read_as(messages.parse_bind, payload)
        prepared = self._named(parsed.statement_name)
        if len(parsed.params) != len(prepared.oids):
            came, wanted = len(parsed.params), len(prepared.oids)
            raise RefusedError(PROTOCOL, f"{came} values came for {wanted} parameters")
        codes = parsed.param_format_codes
        values = [
            parameters.value(given, oid, bool(format_of(codes, place - 1)), place)
            for place, (given, oid) in enumerate(zip(parsed.params, prepared.oids, strict=True), 1)
        ]
        self._portals[parsed.portal_name] = Portal(prepared, values, parsed.result_format_codes)
        self._stream.write(messages.make_bind_complete())

    def _named(self, name: str) -> Prepared:
        if name not in self._prepared:
            raise RefusedError(UNKNOWN_STATEMENT, f"there is no prepared statement {name!r}")
        return self._prepared[name]

    def _portal(self, name: str) -> Portal:
        if name in self._portals:
            return self._portals[name]
        # what DECLARE made is one, too
        declared = self._statements.cursors.get(name)
        if declared is None:
            raise RefusedError(UNKNOWN_CURSOR, f"there is no portal {name!r}")
        return Portal(Prepared("DECLARE", ["fetch"]), [], [], declared.answer, declared)

    def _describe(self, payload: bytes) -> None:
        parsed = read_as(messages.parse_describe, payload)
        formats: list[int] = []
        if parsed.kind == messages.TARGET_STATEMENT:
            prepared = self._named(parsed.name)
            oids = self._statements.types_of(prepared)
            self._stream.write(messages.make_parameter_description(oids))
            columns = self._statements.describe(prepared) if prepared.text else None
        else:
            portal = self._portal(parsed.name)
            formats = portal.formats
            columns = self._columns_of(portal)
        self._sender.description(columns, formats)

    def _columns_of(self, portal: Portal) -> list[wire.Column] | None:
        """The columns of a portal; what only reads is run for it, so that it is read once."""
        if not portal.prepared.text:
            return None
        if portal.prepared.reads and portal.prepared.first in READS:
            self._start(portal)
            assert portal.answer is not None
            return portal.answer.columns
        return self._statements.describe(portal.prepared)

    def _start(self, portal: Portal) -> None:
        self._doing = portal.prepared.text
        if portal.answer is None:
            begun = time.monotonic()
            portal.answer = self._statements.run(portal.prepared, portal.values)
            portal.cursor = Cursor(portal.answer)
            portal.seconds = time.monotonic() - begun

    def _execute(self, payload: bytes) -> None:
        parsed = read_as(messages.parse_execute, payload)
        portal = self._portal(parsed.portal_name)
        if not portal.prepared.text:
            self._stream.write(messages.make_empty_query_response())
            return
        self._start(portal)
        self._begun = time.monotonic()
        answer, cursor = portal.answer, portal.cursor
        assert answer is not None
        assert cursor is not None
        self._sender.notice(answer)
        if answer.copied is not None:
            portal.sent = self._sender.copied(answer)
            self._sender.complete(answer, portal.sent)
            self._tell(portal.sent, before=portal.seconds)
            return
        limit = parsed.max_rows if parsed.max_rows > 0 else None
        if answer.columns is not None:
            portal.sent += self._sender.rows(answer.columns, cursor.take(limit), portal.formats)
        if limit is not None and answer.columns is not None and cursor.more:
            self._stream.write(messages.make_portal_suspended())
        else:
            self._sender.complete(answer, portal.sent)
            self._tell(portal.sent, before=portal.seconds)

    def _close(self, payload: bytes) -> None:
        parsed = read_as(messages.parse_close, payload)
        if parsed.kind == messages.TARGET_STATEMENT:
            self._prepared.pop(parsed.name, None)
        else:
            self._portals.pop(parsed.name, None)
        self._stream.write(messages.make_close_complete())
