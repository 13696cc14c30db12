"""What expressions of users may do: compute from the rows of tables, and nothing else."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import duckdb

from ..errors import MorecError, shown
from ..templates import DIALECT, database_of, first_row, sql

if TYPE_CHECKING:
    from sqlglot import exp

ROLE = "morec_role_"  # begins the name of a database that a server makes for a role of users
STRICT = "morec_strict"  # a function that is there where expressions may read no other table
RANDOM = {"random", "uuid", "gen_random_uuid", "uuidv4", "uuidv7"}
ROWS = {"unnest", "range", "generate_series", "json_each", "json_tree", "repeat", "repeat_row"}
# of the session, the settings and the environment
OF_THE_SESSION = {"current_setting", "getenv", "getvariable", "pg_sleep", "which_secret"}
KEYWORDS = {
    "all", "and", "any", "as", "between", "by", "case", "cast", "distinct", "else", "exists",
    "filter", "from", "having", "in", "is", "join", "like", "not", "on", "or", "over", "select",
    "then", "try_cast", "union", "using", "values", "when", "where",
}  # fmt: skip
# what sqlglot knows and writes so is DuckDB's own syntax, unlike what stands so in a macro
SYNTAX = {"coalesce", "extract", "interval"}
DEEPEST = 8  # macros that call macros

# functions of DuckDB's own that were looked up, by their names: what is known of each
_of_duckdb: dict[str, list[tuple[Any, ...]]] = {}


def is_strict(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether expressions may read no other table in this database instance."""
    query = "SELECT 1 FROM duckdb_functions() WHERE function_name = ?"
    return first_row(con, query, [STRICT]) is not None


def check_pure(
    con: duckdb.DuckDBPyConnection, argument: str, text: str, parsed: exp.Expr, depth: int = 0
) -> None:
    """Raise a MorecError where an expression writes, or reads what is no table.

    Args:
        con: where its functions and tables are.
        argument: its name, for errors.
        text: what the user wrote.
        parsed: the same, or the definition of a macro in it.
        depth: how many macros it is in.
    """
    from sqlglot import exp

    read = [one for one in parsed.find_all(exp.Table) if isinstance(one.this, exp.Identifier)]
    ctes = {one.alias_or_name.lower() for one in parsed.find_all(exp.CTE)}
    tables = {one.name for one in read if one.db or one.name.lower() not in ctes}
    calls = _called(parsed.sql(DIALECT, comments=False))
    if not depth:
        calls -= SYNTAX - {one.name.lower() for one in parsed.find_all(exp.Anonymous)}
    if tables:
        if is_strict(con):
            raise MorecError(
                f"{argument}: {shown(text)} reads the table {min(tables)!r}, but morec_sql was"
                " loaded with other_tables=False"
            )
        known = {row[0] for row in con.execute(sql("source/readable")).fetchall()}
        if database_of(con).startswith(ROLE):
            # nothing but what the role sees: no other database, and no schema that is hidden
            seen = {row[0] for row in con.execute(sql("source/readable_of_role")).fetchall()}
            known &= {one.name.lower() for one in read if _path(one) in seen} | ctes
        for table in sorted(tables):
            if table.lower() not in known:
                raise MorecError(
                    f"{argument}: {shown(text)} reads {table!r}, which is no table or view of the"
                    " database; files and registered frames are not read"
                )
    if not calls:
        return
    found = _functions(con, calls)
    rows_only = {row[0] for row in found if row[1] in ("table", "pragma")} - {
        row[0] for row in found if row[1] not in ("table", "pragma")
    }
    volatile = {row[0] for row in found if row[2] == "VOLATILE"}
    for name in sorted(calls):
        if name.startswith("morec_") or name in OF_THE_SESSION | volatile - RANDOM:
            raise MorecError(
                f"{argument}: {shown(text)} calls {name}, which does more than compute a value"
                " from a row"
            )
        if name in rows_only - ROWS:
            raise MorecError(
                f"{argument}: {shown(text)} calls {name}, which reads what is no table or view of"
                " the database"
            )
    for name, _, _, internal, definition in found:
        if definition is not None and not internal:
            _check_macro(con, argument, text, name, definition, depth + 1)


def _functions(con: duckdb.DuckDBPyConnection, names: set[str]) -> list[tuple[Any, ...]]:
    """What DuckDB knows of functions by these names, as source/functions.sql says.

    DuckDB lists all of its functions for each question, which takes longer than most lists. What it
    brings itself stays as it is, and whoever has a macro of the same name made it of their own
    accord: only where somebody else's rights are kept from them is everything looked up anew.
    """
    if names <= _of_duckdb.keys() and not database_of(con).startswith(ROLE):
        return [row for name in names for row in _of_duckdb[name]]
    found = con.execute(sql("source/functions"), [sorted(names)]).fetchall()
    of_users = {name for name, _, _, internal, _ in found if not internal}
    for name in {row[0] for row in found} - of_users:
        _of_duckdb[name] = [row for row in found if row[0] == name]
    return found


def _path(table: exp.Table) -> str:
    """A table's name with all that stands before it."""
    parts = (table.catalog, table.db or "main", table.name)
    return ".".join(part.lower() for part in parts if part)


def _check_macro(
    con: duckdb.DuckDBPyConnection, argument: str, text: str, name: str, definition: str, depth: int
) -> None:
    """The same of a macro that an expression calls."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        parsed = sqlglot.parse_one(definition, dialect=DIALECT)
    except SqlglotError:
        parsed = None
    if parsed is None or depth > DEEPEST:
        raise MorecError(
            f"{argument}: {shown(text)} calls the macro {name}, which cannot be checked"
        ) from None
    check_pure(con, argument, text, parsed, depth)


def _called(text: str) -> set[str]:
    """Names that are followed by a parenthesis, in lower case, but for common keywords."""
    from sqlglot import TokenType, tokenize

    tokens = tokenize(text, dialect=DIALECT)
    names = {
        one.text.lower()
        for one, following in itertools.pairwise(tokens)
        if following.token_type == TokenType.L_PAREN and one.token_type != TokenType.STRING
    }
    return {name for name in names if name[:1].isalpha() or name[:1] == "_"} - KEYWORDS
