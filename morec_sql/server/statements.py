"""The statements of one client: prepared, described and run, in transactions as PostgreSQL's."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable
from typing import Any

import duckdb
from pg_mimic import types

from ..templates import first_row, identifier
from . import copying, cursors, parameters, wire
from .answers import PLAN, Answer, Prepared, Rows, at_most, bare, columns_of, told, written
from .catalog import Catalog
from .cursors import Cursor
from .gate import Gate
from .refused import (
    ABORTED,
    NOT_SUPPORTED,
    PRIVILEGE,
    PROTOCOL,
    SYNTAX,
    RefusedError,
    refused,
)
from .roles import Role
from .settings import Settings
from .words import words_of

BATCH = 8192  # rows that are written at a time
ENDS = {"commit", "end", "rollback", "abort"}


class Statements:
    """All that one client does.

    Args:
        con: where its statements run.
        gate: what they may be.
        catalog: PostgreSQL's catalogue.
        settings: of its session.
        number: of the session.
        role: of the client, None where it may do all.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        gate: Gate,
        catalog: Catalog,
        settings: Settings,
        number: int,
        role: Role | None = None,
    ) -> None:
        self._con, self._gate, self._catalog, self._settings = con, gate, catalog, settings
        self._role = role
        self.status = "I"  # idle, T in a transaction, E in one that failed
        self._live: Rows | None = None
        self.cursors = cursors.Cursors()
        # in this transaction: statements that wrote, and how many had at each savepoint
        self._written = 0
        self._savepoints: dict[str, int] = {}
        self.forget_prepared: Callable[[str], None] = lambda name: None
        self._of_session = settings.functions(catalog.name, number)

    # preparing

    def prepare(self, text: str, oids: list[int]) -> Prepared:
        """Read a statement.

        Args:
            text: one statement.
            oids: the types of its parameters, as far as the client says; 0 for those it does not.

        Raises:
            RefusedError: it may not be run, or cannot be read.
        """
        words = words_of(text)
        prepared = Prepared(text, words)
        self._check_status(prepared)
        # DuckDB shows tables in the same words
        if prepared.first in SESSION and (prepared.first != "show" or self._settings.knows(text)):
            return prepared
        query, reads = self._checked(text)
        try:
            names = frozenset(self._con.extract_statements(query)[0].named_parameters)
        except duckdb.ParserException as error:
            raise refused(error, text) from None
        if any(not name.isdigit() for name in names):
            raise RefusedError(SYNTAX, f"parameters are $1, $2 and so on; {min(names)!r} came")
        count = max(map(int, names), default=0)
        if count > 1000:
            raise RefusedError(SYNTAX, f"a statement has at most 1000 parameters; {count} came")
        catalogue = query != text and prepared.first != "explain"
        completed = parameters.completed(text, oids, count)
        return Prepared(text, words, query, completed, names, reads, catalogue)

    def _check_status(self, prepared: Prepared) -> None:
        if self.status == "E" and prepared.first not in ENDS:
            raise RefusedError(ABORTED, "the transaction failed; only ROLLBACK or COMMIT end it")

    def _checked(self, text: str) -> tuple[str, bool]:
        """What DuckDB is to run of a statement, checked, and whether it only reads."""
        query = self._catalog.rewritten(text, self._of_session)
        explained = re.match(r"\s*explain\s+(?:analyze\s+)?(?:\([^)]*\)\s*)?", query, re.IGNORECASE)
        if explained and self._role is not None and self._role.is_apart:
            raise RefusedError(PRIVILEGE, "EXPLAIN is not served to this role")
        try:
            reads = self._gate.check(query[explained.end() :] if explained else query)
        except RefusedError as error:
            if query != text or explained:
                error.place = 0
            raise
        if explained:
            analyze = "ANALYZE " if "analyze" in explained[0].lower() else ""
            query = f"EXPLAIN {analyze}{query[explained.end() :]}"
        return query, reads

    def types_of(self, prepared: Prepared) -> list[int]:
        """The types of the parameters of a statement, from now on; text where nothing tells."""
        if not all(prepared.oids):
            known = self._gate.types_of_parameters(prepared.text)
            prepared.oids = [
                oid or known.get(place, types.TEXT) for place, oid in enumerate(prepared.oids, 1)
            ]
        return prepared.oids

    def describe(self, prepared: Prepared) -> list[wire.Column] | None:
        """The columns that a statement gives, without running it; None where it gives none."""
        if prepared.query is None:
            return self._describe_session(prepared)
        if prepared.first == "explain":
            return PLAN
        if not prepared.reads:
            return None
        self._settle()
        for blank in (parameters.sample, lambda _: None):
            given = {name: blank(prepared.oids[int(name) - 1]) for name in prepared.names}
            try:
                relation = self._con.sql(prepared.query, params=given or None)
                break
            except duckdb.Error as error:
                if blank is not parameters.sample or not given:
                    self.failed()
                    raise self._refused(error, prepared, given) from None
        return columns_of(relation, prepared.catalogue)

    # running

    def run(self, prepared: Prepared, values: list[Any]) -> Answer:
        """Run a statement.

        Args:
            prepared: as `prepare` gave it.
            values: of its parameters.

        Raises:
            RefusedError: it failed; so has the transaction that it is in.
        """
        self._check_status(prepared)
        if len(values) != len(prepared.oids):
            raise RefusedError(
                PROTOCOL, f"{len(values)} values came for {len(prepared.oids)} parameters"
            )
        given = {name: values[int(name) - 1] for name in prepared.names}
        try:
            if prepared.query is None:
                return SESSION[prepared.first](self, prepared.text)
            self._settle()
            return self._query(prepared, given)
        except BaseException as error:
            self.failed()
            raise self._refused(error, prepared, given) from error

    def _refused(
        self, error: BaseException, prepared: Prepared, given: dict[str, Any]
    ) -> RefusedError:
        """What is told of an error, with its place where the statement ran as it came."""
        told = refused(error, prepared.text)
        if told.code[:2] == "42" and not told.place and prepared.query == prepared.text:
            told.place = self._gate.place(prepared.text, given)
        return told

    def _query(self, prepared: Prepared, given: dict[str, Any]) -> Answer:
        assert prepared.query is not None
        if not prepared.reads:
            self._written += 1
        relation: Any = self._con.sql(prepared.query, params=given or None)
        if prepared.first == "explain":
            plan = "\n".join(str(row[-1]) for row in relation.fetchall())
            return told("EXPLAIN", PLAN, [(line,) for line in plan.split("\n")])
        if not prepared.reads and (relation is None or relation.columns == ["Count"]):
            counts = relation.fetchall() if relation is not None else []
            return Answer(written(prepared, counts[0][0] if counts else 0))
        columns = columns_of(relation, prepared.catalogue)
        rows = Rows(wire.readable(relation).to_arrow_reader(BATCH))
        self._live = rows
        tag = "SELECT" if prepared.reads else written(prepared, None)
        most = self._role.most_rows if self._role is not None else None
        return Answer(
            tag, columns, iter(rows) if most is None else at_most(most, rows), counted=True
        )

    def _settle(self) -> None:
        """Free the connection of a result that is under way."""
        if self._live is not None:
            self._live.keep()
            self._live = None

    def close_rows(self) -> None:
        """Let go of a result that nobody reads on."""
        if self._live is not None:
            self._live.close()
            self._live = None

    def failed(self) -> None:
        """Take note of an error: it ends a transaction, but for its ROLLBACK."""
        with contextlib.suppress(Exception):
            self.close_rows()
        if self.status == "T":
            self.status = "E"

    def end(self) -> None:
        """Undo what is not committed, and let go of everything."""
        with contextlib.suppress(Exception):
            self.close_rows()
        with contextlib.suppress(Exception):
            if self.status != "I":
                self._con.execute("ROLLBACK")

    # what the session answers itself

    def _begin(self, text: str) -> Answer:
        tag = "START TRANSACTION" if words_of(text)[0] == "start" else "BEGIN"
        if self.status != "I":
            return Answer(tag, notice="there is already a transaction in progress")
        self._settle()
        self._con.execute("BEGIN")
        self.status = "T"
        self._written = 0
        self._savepoints.clear()
        return Answer(tag)

    def _commit(self, text: str) -> Answer:
        if self.status == "E":
            return self._rollback(text)
        if self.status == "I":
            return Answer("COMMIT", notice="there is no transaction in progress")
        self._settle()
        self.cursors.clear()
        self.status = "I"
        self._con.execute("COMMIT")
        return Answer("COMMIT")

    def _rollback(self, text: str) -> Answer:
        back = re.match(r"rollback\s+(?:\w+\s+)?to\s+(?:savepoint\s+)?(.*)$", bare(text), re.I)
        if back is not None:
            return self._rollback_to(back[1])
        if self.status == "I":
            return Answer("ROLLBACK", notice="there is no transaction in progress")
        self.close_rows()
        self.cursors.clear()
        self.status = "I"
        # what failed to commit is undone already
        with contextlib.suppress(duckdb.TransactionException):
            self._con.execute("ROLLBACK")
        return Answer("ROLLBACK")

    def _savepoint(self, text: str) -> Answer:
        name = re.sub(r"^savepoint\s+", "", bare(text), flags=re.I)
        if self.status != "T":
            raise RefusedError("25P01", "SAVEPOINT is of a transaction; there is none in progress")
        self._savepoints[name] = self._written
        return Answer("SAVEPOINT")

    def _release(self, text: str) -> Answer:
        name = re.sub(r"^release\s+(?:savepoint\s+)?", "", bare(text), flags=re.I)
        if self._savepoints.pop(name, None) is None:
            raise RefusedError("3B001", f"there is no savepoint {name}")
        return Answer("RELEASE")

    def _rollback_to(self, name: str) -> Answer:
        """DuckDB has no savepoints: there is a way back only where nothing is to be undone."""
        if name not in self._savepoints:
            raise RefusedError("3B001", f"there is no savepoint {name}")
        if self._savepoints[name] != self._written:
            raise RefusedError(
                NOT_SUPPORTED, f"DuckDB has no savepoints: what was written after {name} stays"
            )
        self.close_rows()
        if not self._written:
            self._con.execute("ROLLBACK")
            self._con.execute("BEGIN")
        self.status = "T"
        return Answer("ROLLBACK")

    def _set(self, text: str) -> Answer:
        path = self._settings.carry_out(text)
        if path is not None:
            self.use(path)
        return Answer(words_of(text)[0].upper())

    def use(self, path: str) -> None:
        """Look for tables in the first schema of a path that there is."""
        self._settle()
        for part in path.split(","):
            name = part.strip().strip("\"'")
            query = (
                "SELECT schema_name FROM duckdb_schemas()"
                " WHERE database_name = ? AND schema_name = ?"
            )
            row = first_row(self._con, query, [self._catalog.database, name])
            if row is not None and self._gate.may_name(name):
                self._con.execute(f"USE {identifier(self._catalog.database, row[0])}")
                return

    def _discard(self, text: str) -> Answer:
        what = words_of(text)[1:2]
        if what == ["all"]:
            self._settings.reset("all")
            self.cursors.clear()
            self.forget_prepared("all")
        return Answer(f"DISCARD {(what or ['all'])[0].upper()}")

    def _deallocate(self, text: str) -> Answer:
        name = re.sub(r"^deallocate\s+(?:prepare\s+)?", "", bare(text), flags=re.I).strip('"')
        self.forget_prepared(name)
        return Answer("DEALLOCATE")

    def _listen(self, text: str) -> Answer:
        raise RefusedError(NOT_SUPPORTED, "there is nothing to listen to here")

    def _declare(self, text: str) -> Answer:
        name, query = cursors.declared(text)
        prepared = self.prepare(query, [])
        self._settle()
        self.cursors[name] = Cursor(self._query(prepared, {}))
        return Answer("DECLARE CURSOR")

    def _copy(self, text: str) -> Answer:
        query, form = copying.read(bare(text))
        prepared = self.prepare(query, [])
        if not prepared.reads or prepared.query is None:
            raise RefusedError(NOT_SUPPORTED, "COPY writes what a SELECT gives")
        self._settle()
        answer = self._query(prepared, {})
        return dataclasses.replace(answer, tag="COPY", copied=form)

    def _describe_session(self, prepared: Prepared) -> list[wire.Column] | None:
        """The columns of what the session answers itself."""
        if prepared.first == "show":
            return self._settings.show(prepared.text).columns
        if prepared.first == "fetch":
            return self.cursors.named(prepared.text)[0].columns
        return None


# by the word with which they begin
SESSION: dict[str, Callable[[Statements, str], Answer]] = {
    "begin": Statements._begin,
    "start": Statements._begin,
    "commit": Statements._commit,
    "end": Statements._commit,
    "rollback": Statements._rollback,
    "abort": Statements._rollback,
    "savepoint": Statements._savepoint,
    "release": Statements._release,
    "set": Statements._set,
    "show": lambda its, text: its._settings.show(text),
    "reset": Statements._set,
    "discard": Statements._discard,
    "deallocate": Statements._deallocate,
    "listen": Statements._listen,
    "unlisten": lambda its, text: Answer("UNLISTEN"),
    "declare": Statements._declare,
    "fetch": lambda its, text: its.cursors.fetch(text),
    "move": lambda its, text: its.cursors.move(text),
    "close": lambda its, text: its.cursors.close(text),
    "copy": Statements._copy,
}
