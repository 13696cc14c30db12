"""The page of a server: recommenders, a workbench for lists, and figures; beside it Prometheus's.

Everything but the two that say whether the server lives is for its users, by HTTP's own question
for a name and a password, and what a user asks for runs as if it came from psql.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
import secrets
import threading
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..catalog.recommenders import recommenders
from ..errors import MorecError, nearest
from ..registry import MACROS
from ..server import users
from ..server.opening import Options
from ..server.refused import RefusedError, refused
from ..server.server import Server, Session
from ..templates import identifier
from . import calls

FILES = {"": "text/html", "page.css": "text/css", "page.js": "text/javascript"}
HEADERS = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
LARGEST = 100_000  # bytes of what is asked
REMEMBERED = 300.0  # seconds that a password that was right is not checked again


class Page:
    """Answers requests for one server.

    Args:
        server: the server.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        server.observed.asked = True
        # passwords that were right of late, by what cannot be turned back into them
        self._right: dict[tuple[str, bytes], float] = {}
        self._secret = secrets.token_bytes(32)
        answers: dict[str, Callable[[Session, dict[str, Any]], Any]] = {
            "recommenders": self.recommenders,
            "list": self.listed,
            "explain": self.explain,
            "figures": self.figures,
        }
        self.app = Starlette(
            routes=[
                Route("/favicon.ico", lambda _: Response(status_code=204)),
                Route("/healthz", self.lives),
                Route("/readyz", self.ready),
                Route("/metrics", self.metrics),
                *(
                    Route(f"/api/{name}", self._api(answer), methods=["GET", "POST"])
                    for name, answer in answers.items()
                ),
                *(Route(f"/{name}", self._file(name, kind)) for name, kind in FILES.items()),
            ]
        )

    # who asks

    def user(self, request: Request) -> str | None:
        """The user who asks; None of whom it is not known."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            name, _, password = base64.b64decode(given).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        place = request.client.host if request.client else ""
        kept = self._server.users.get(name)
        known = (kept or "", hmac.digest(self._secret, password.encode(), "sha256"))
        if time.monotonic() - self._right.get(known, -1e9) < REMEMBERED:
            return name
        time.sleep(self._server.failures.wait(name, place))
        if not users.is_right(password, kept):
            self._server.failures.add(name, place)
            self._server.observed.login(name, place, "refused")
            return None
        self._server.failures.forget(name, place)
        self._right = {known: time.monotonic(), **dict(list(self._right.items())[:99])}
        return name

    async def _asked(self, request: Request, work: Callable[[str], Response]) -> Response:
        """The answer to a user."""

        def answer() -> Response:
            name = self.user(request)
            if name is None:
                question = {"www-authenticate": 'Basic realm="morec_sql", charset="UTF-8"'}
                return PlainTextResponse(
                    "a name and a password are needed\n", 401, question | HEADERS
                )
            return work(name)

        return await run_in_threadpool(answer)

    # what is answered

    async def lives(self, request: Request) -> Response:
        """That the server is there, however much it has to do."""
        return PlainTextResponse("ok\n")

    def ready(self, request: Request) -> Response:
        """Whether statements are answered."""
        try:
            with self._server.session("") as session:
                session.looking.execute("SELECT 1").fetchall()
        except (duckdb.Error, RefusedError):
            return PlainTextResponse("not ready\n", 503)
        return PlainTextResponse("ready\n")

    async def metrics(self, request: Request) -> Response:
        """All figures, as Prometheus reads them."""
        kind = "text/plain; version=0.0.4; charset=utf-8"
        return await self._asked(
            request, lambda _: Response(self._server.observed.text(), media_type=kind)
        )

    def _file(self, name: str, kind: str) -> Callable[[Request], Any]:
        data = (resources.files(__package__) / "page" / (name or "index.html")).read_bytes()

        async def answer(request: Request) -> Response:
            return await self._asked(
                request, lambda _: Response(data, media_type=kind, headers=HEADERS)
            )

        return answer

    def _api(self, work: Callable[[Session, dict[str, Any]], Any]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            body = await request.body() if request.method == "POST" else b"{}"
            given: Any = None
            # a page of somebody else's cannot send this kind without asking first
            if request.method == "GET" or request.headers.get("content-type") == "application/json":
                try:
                    given = json.loads(body) if len(body) <= LARGEST else None
                except ValueError:
                    given = None
            if not isinstance(given, dict):
                return JSONResponse({"error": "an object of JSON is needed"}, 400, HEADERS)

            def done(name: str) -> Response:
                try:
                    with self._server.session(name) as session:
                        found = work(session, given)
                        return Response(
                            json.dumps(found, default=str),
                            media_type="application/json",
                            headers=HEADERS,
                        )
                except (MorecError, RefusedError, duckdb.Error, ValueError, TypeError) as error:
                    told = (
                        refused(error).message if not isinstance(error, TypeError) else str(error)
                    )
                    return JSONResponse({"error": told}, 400, HEADERS)

            return await self._asked(request, done)

        return answer

    def recommenders(self, session: Session, given: dict[str, Any]) -> Any:
        """The recommenders that a user sees, with objectives, versions and how they were made."""
        found = []
        for name in self._known(session):
            schema = identifier(name)
            found.append(
                {
                    "name": name,
                    "objectives": self.rows(
                        session,
                        f"SELECT objective, kind, default_weight FROM {schema}.objectives"
                        " ORDER BY position",
                    ),
                    "versions": self.rows(
                        session,
                        "SELECT id, in_use, strftime(created_at, '%Y-%m-%dT%H:%M') AS created_at,"
                        f" events, users, items, ndcg FROM {schema}.versions ORDER BY id DESC",
                    ),
                    "stages": self.rows(
                        session, f'SELECT stage, "rows", seconds FROM {schema}.stages'
                    ),
                }
            )
        return {"database": session.opened.catalog.name, "recommenders": found}

    def listed(self, session: Session, given: dict[str, Any]) -> Any:
        """A list, with the names of its items and the statement that gives it."""
        name = self._recommender(session, given)
        function, arguments = "recommend", {"user_id": _id(given.get("user"))}
        if given.get("basket") and not given.get("user"):
            function, arguments = "recommend_for", {"items": _ids(given["basket"])}
        for argument in ("k", "filter"):
            if given.get(argument):
                arguments[argument] = given[argument]
        if given.get("weights"):
            arguments["weights"] = json.dumps(given["weights"])
        statement = _statement(function, name, arguments)
        named = self._names(session, name)
        query = statement.rstrip(";")
        if named is not None:
            column, schema = identifier(named), identifier(name)
            query = (
                f"SELECT _l.*, _i.{column} AS name FROM ({query}) AS _l"
                f" LEFT JOIN {schema}.items AS _i ON _i.item_id = _l.item_id ORDER BY _l.rank"
            )
        begun = time.perf_counter()
        found = self.rows(session, query)
        took = round(1000 * (time.perf_counter() - begun))
        return {"sql": statement, "rows": found, "named": named is not None, "ms": took}

    def explain(self, session: Session, given: dict[str, Any]) -> Any:
        """What an item's score is made of."""
        name = self._recommender(session, given)
        arguments: dict[str, Any] = {
            "user_id": _id(given.get("user")),
            "item_id": _id(given.get("item")),
        }
        if given.get("weights"):
            arguments["weights"] = json.dumps(given["weights"])
        statement = _statement("explain", name, arguments)
        return {"sql": statement, "rows": self.rows(session, statement.rstrip(";"))}

    def figures(self, session: Session, given: dict[str, Any]) -> Any:
        """Figures of the server for people to read."""
        return self._server.observed.summary()

    def rows(self, session: Session, query: str) -> list[dict[str, Any]]:
        """The rows of a statement, as what came from psql would get them.

        Raises:
            RefusedError: it may not be run, failed or took too long.
        """
        stopped, begun, found, code = threading.Event(), time.monotonic(), [], "00000"

        def stop() -> None:
            stopped.set()
            session.interrupt()

        timer = threading.Timer(min(session.limits, default=threading.TIMEOUT_MAX), stop)
        timer.daemon = True
        timer.start()
        observed, statements = self._server.observed, session.statements
        try:
            answer = statements.run(statements.prepare(query, []), [])
            batches = observed.lists(query, answer.batches)
            found = [row for batch in batches for row in batch.to_pylist()]
        except Exception as error:
            told = refused(error)
            code = told.code
            said = "it took too long" if stopped.is_set() else told.message
            raise RefusedError(code, said) from error
        finally:
            timer.cancel()
            statements.end()
            took = time.monotonic() - begun
            observed.statement(session.user, 0, query, "select", took, len(found), code)
        return found

    def _known(self, session: Session) -> list[str]:
        row = session.looking.execute("SELECT current_database()").fetchone()
        return recommenders(session.looking, row[0]) if row else []

    def _recommender(self, session: Session, given: dict[str, Any]) -> str:
        name, known = str(given.get("recommender", "")), self._known(session)
        if name not in known:
            raise MorecError(f"recommender: there is no {name!r}; {nearest(name, known)}")
        return name

    def _names(self, session: Session, name: str) -> str | None:
        """The column that says what an item is: the first of its texts."""
        schema = identifier(name)
        [row] = self.rows(
            session,
            f"SELECT CAST(arguments AS JSON) ->> '$.text[0]' AS text FROM {schema}.settings",
        )
        try:
            self.rows(
                session, f"SELECT {identifier(row['text'] or '')} FROM {schema}.items LIMIT 0"
            )
        except RefusedError:
            return None
        return str(row["text"])


def _statement(function: str, name: str, arguments: dict[str, Any]) -> str:
    return calls.statement(MACROS["recommender", function], name, arguments)


def _id(given: Any) -> Any:
    """An id as it was typed: a number where it is one, nothing for nothing."""
    if given in (None, ""):
        return None
    text = str(given).strip()
    return int(text) if re.fullmatch(r"-?\d{1,18}", text) else text


def _ids(given: Any) -> str:
    return json.dumps([_id(one) for one in str(given).split(",") if one.strip()])


def start(server: Server, options: Options, port: int) -> tuple[uvicorn.Server, int]:
    """Serve the page beside a server, in a thread of its own.

    Args:
        server: the server.
        options: of it: the page has its address and its certificate.
        port: of the page, 0 for one that is free.

    Returns:
        What is to be told to end (`should_exit`), and the port.

    Raises:
        MorecError: the port is not free.
    """
    config = uvicorn.Config(
        Page(server).app, host=options.host, port=port, log_level="warning", access_log=False,
        ssl_certfile=_path(options.certificate),
        ssl_keyfile=_path(options.key or options.certificate),
        server_header=False,
    )  # fmt: skip
    running = uvicorn.Server(config)
    try:
        listened = config.bind_socket()
    except SystemExit:
        raise MorecError(f"web: {options.host}:{port} cannot be listened on") from None
    serving = threading.Thread(target=running.run, args=([listened],), daemon=True)
    serving.start()
    # who is told of the address finds somebody there
    while serving.is_alive() and not running.started:
        time.sleep(0.01)
    return running, int(listened.getsockname()[1])


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)
