"""What a client's statement may be: deny by default, in front of DuckDB's own wall.

A SELECT is read by DuckDB's own parser, so that nothing is taken for something else than DuckDB
takes it for; every function that it names has to be on the list, or a macro of the warehouse. What
writes is let through only where the server was told to; DuckDB does not tell its tree, and so every
name in front of a parenthesis counts as a function.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import duckdb

from ..errors import nearest
from ..registry import macros
from ..templates import literal, sql
from .catalog import Catalog
from .inference import inferred
from .refused import (
    PRIVILEGE,
    SYNTAX,
    TOO_LONG,
    UNKNOWN_FUNCTION,
    UNKNOWN_SCHEMA,
    RefusedError,
    refused,
)
from .roles import Seen
from .words import called_in, words_of

# views of DuckDB's own that show nothing but what is in the warehouse
SYSTEM = {
    "duckdb_columns", "duckdb_constraints", "duckdb_indexes", "duckdb_schemas", "duckdb_tables",
    "duckdb_types", "duckdb_views", "sqlite_master",
}  # fmt: skip
WRITES = {"ALTER", "CREATE", "DELETE", "DROP", "INSERT", "MERGE_INTO", "UPDATE"}
# of CREATE: only what stays inside the warehouse
CREATED = {"function", "index", "macro", "schema", "sequence", "table", "type", "view"}


@cache
def allowed() -> frozenset[str]:
    """The functions of DuckDB that clients may call."""
    text = (resources.files(__package__) / "functions.txt").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return frozenset(name for line in lines for name in line.split())


class Gate:
    """Checks the statements of one client.

    Args:
        con: a connection of its own, in which nothing else is going on.
        writes: whether statements may write.
        catalog: PostgreSQL's catalogue of what the client sees.
        seen: what its role sees in place of the warehouse, None for all of it.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        writes: bool,
        catalog: Catalog,
        seen: Seen | None = None,
    ) -> None:
        self._con = con
        con.execute(sql("server/parsed"))
        self._writes = writes and seen is None
        self._catalog = catalog
        self._seen = seen
        # of the names of views of DuckDB's there are others in the catalogue
        self._views = (SYSTEM if seen is None else set()) | catalog.views
        self._macros: set[str] = set()

    def check(self, text: str) -> bool:
        """Whether a statement only reads.

        Raises:
            RefusedError: it may not be run.
        """
        # DuckDB takes no parameters here
        asked = f"EXECUTE parsed({literal(text)})"
        [(wrong, place, statements, functions, tables, *paths)] = self._con.execute(
            asked
        ).fetchall()
        if wrong is None:
            if statements != 1:
                raise RefusedError(SYNTAX, f"one statement is needed here, {statements} came")
            if self._seen is not None:
                self._check_paths(self._seen, functions, tables, *paths)
            self._check_functions({name.lower() for name in functions})
            self._check_tables({name.lower() for name in tables})
            return True
        if "expression depth" in wrong:
            raise RefusedError(TOO_LONG, "the statement is nested more than 1,000 levels deep")
        if place is not None:
            raise RefusedError(SYNTAX, wrong, place=place + 1)
        self._check_other(text)
        return False

    def _check_paths(
        self,
        seen: Seen,
        functions: list[str],
        tables: list[str],
        table_schemas: list[str],
        table_catalogs: list[str],
        function_schemas: list[str],
        function_catalogs: list[str],
    ) -> None:
        """Raise RefusedError where a role names what it does not see."""
        named = [*zip(tables, table_schemas, table_catalogs, strict=True)]
        called = [("", *path) for path in zip(function_schemas, function_catalogs, strict=True)]
        for name, schema, catalog in [tuple(map(str.lower, one)) for one in (*named, *called)]:
            if catalog == self._catalog.attached.lower():
                continue
            if catalog not in ("", seen.database.lower()):
                raise RefusedError(UNKNOWN_SCHEMA, f"there is no database {catalog}")
            if schema in seen.others | {"information_schema", "pg_catalog"}:
                raise RefusedError(UNKNOWN_SCHEMA, f"there is no schema {schema}")
            if not schema and name in seen.hidden:
                raise RefusedError("42P01", f"there is no table {name}")
            # without a schema it depends on the path which one is meant
            if any(one == f"{schema}.{name}" if schema else one.endswith(f".{name}")
                   for one in seen.kept):  # fmt: skip
                raise RefusedError(
                    PRIVILEGE,
                    f"{name} is not served to this role, since masked texts could be guessed by it",
                )
        for name in sorted({name.lower() for name in functions}):
            # they write, or take the names of tables as texts
            if name in of_databases() or name.startswith("duckdb_"):
                raise RefusedError(PRIVILEGE, f"the function {name} is not served to this role")

    def may_name(self, schema: str) -> bool:
        """Whether a schema may be named."""
        return self._seen is None or schema.lower() in self._seen.schemas

    def place(self, query: str, given: dict[str, Any]) -> int:
        """Where DuckDB sees what is wrong, in characters from 1; 0 where it does not say."""
        before = "EXPLAIN\n"
        try:
            self._con.execute(before + query, given or None).fetchall()
        except duckdb.Error as error:
            found = refused(error, before + query).place
            return max(found - len(before), 0)
        return 0

    def types_of_parameters(self, text: str) -> dict[int, int]:
        """The types of parameters that can be told, by their places from 1."""
        return inferred(self._con, self._catalog, text)

    def _check_other(self, text: str) -> None:
        """Of a statement that is no SELECT."""
        try:
            kinds = [one.type.name for one in self._con.extract_statements(text)]
        except duckdb.ParserException as error:
            raise RefusedError(
                SYNTAX, str(error).split("\n")[0].removeprefix("Parser Error: ")
            ) from None
        words = words_of(text)
        if len(kinds) != 1 or kinds[0] not in WRITES:
            kind = words[0].upper() if words else "it"
            raise RefusedError(PRIVILEGE, f"the statement is of a kind that is not served: {kind}")
        if self._seen is not None:
            raise RefusedError(
                PRIVILEGE, f"{words[0].upper()} changes the warehouse, which this role only reads"
            )
        if not self._writes:
            raise RefusedError(
                PRIVILEGE,
                f"{words[0].upper()} changes the warehouse, which is served to read only",
                "`morec serve --allow-write` serves a warehouse to write, too.",
            )
        ignored = {"or", "replace", "temp", "temporary", "unique", "recursive"}
        made = next((word for word in words[1:] if word not in ignored), "")
        if kinds[0] in ("CREATE", "ALTER", "DROP") and made not in CREATED:
            raise RefusedError(PRIVILEGE, f"{words[0].upper()} {made.upper()} is not served")
        called = called_in(text)
        known = self._known_to_duckdb(called)
        self._check_functions(called & known)

    def _known_to_duckdb(self, names: set[str]) -> set[str]:
        query = (
            "SELECT DISTINCT lower(function_name) FROM duckdb_functions()"
            " WHERE lower(function_name) IN (SELECT unnest($names))"
        )
        return {row[0] for row in self._con.execute(query, {"names": sorted(names)}).fetchall()}

    def _check_functions(self, names: set[str]) -> None:
        unknown = names - allowed() - self._macros
        if unknown:
            rows = self._con.execute(sql("server/macros")).fetchall()
            self._macros = {row[0] for row in rows}
            unknown -= self._macros
        for name in sorted(unknown):
            if self._known_to_duckdb({name}):
                raise RefusedError(PRIVILEGE, f"the function {name} is not served")
            known = sorted(self._macros | {one for one in allowed() if one[0].isalpha()})
            raise RefusedError(
                UNKNOWN_FUNCTION, f"there is no function {name}; {nearest(name, known)}"
            )

    def _check_tables(self, names: set[str]) -> None:
        for name in sorted(names & self._catalog.system - self._views):
            raise RefusedError(PRIVILEGE, f"the view {name} is not served")


@cache
def of_databases() -> frozenset[str]:
    """Our functions that are of no recommender."""
    return frozenset(macro.name for macro in macros("database"))
