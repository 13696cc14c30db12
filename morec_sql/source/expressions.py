"""Expressions and predicates of users over a table: checked, and written as SQL by sqlglot."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import duckdb

from ..errors import MorecError, nearest, reason, shown
from ..templates import DIALECT, first_row, folded
from .pure import check_pure
from .tables import Table

if TYPE_CHECKING:
    from sqlglot import exp

DEEPEST = 100  # parentheses in each other
# what gives the same for the same values at any time, as sqlglot names it
STEADY = {
    "And", "Or", "Case", "If", "Coalesce", "Nullif", "Cast", "TryCast", "Abs", "Round", "Floor",
    "Ceil", "Ln", "Log", "Exp", "Sqrt", "Pow", "Greatest", "Least", "Lower", "Upper", "Length",
    "Trim", "Substring", "StartsWith", "Contains", "Concat", "RegexpLike",
}  # fmt: skip


def _parse(
    con: duckdb.DuckDBPyConnection, argument: str, text: str, columns: Iterable[str]
) -> exp.Expression:
    """Parse one SQL expression over `columns`, which does no more than compute."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    if not isinstance(text, str) or not text.strip():
        raise MorecError(f"{argument}: a SQL expression is needed, not {shown(text)}")
    if _depth(text) > DEEPEST:
        raise MorecError(f"{argument}: {shown(text)} has parentheses nested too deeply")
    try:
        statements = sqlglot.parse(f"SELECT {text}", dialect=DIALECT)
    except (SqlglotError, RecursionError):
        raise MorecError(f"{argument}: {shown(text)} is not a SQL expression") from None
    select = statements[0]
    if len(statements) != 1 or not isinstance(select, exp.Select):
        raise MorecError(f"{argument}: {shown(text)} holds more than one expression or statement")
    clauses = [name for name, value in select.args.items() if value and name != "expressions"]
    if clauses or len(select.expressions) != 1:
        raise MorecError(f"{argument}: {shown(text)} holds more than one expression or statement")
    expression: exp.Expression = select.expressions[0]
    if isinstance(expression, (exp.Alias, exp.Star)):
        raise MorecError(f"{argument}: {shown(text)} is not one SQL expression")
    # inside a subquery or a lambda, names of other things than columns are known to DuckDB alone
    if expression.find(exp.Subquery, exp.Select, exp.Lambda) is None:
        lowered = {folded(column) for column in columns}
        for column in expression.find_all(exp.Column):
            if folded(column.name) not in lowered and not column.table:
                hint = nearest(column.name, columns)
                if column.this.quoted:
                    hint = "a text is written in single quotes"
                raise MorecError(
                    f"{argument}: {shown(text)} refers to the unknown column {column.name!r};"
                    f" {hint}"
                )
    check_pure(con, argument, text, expression)
    return expression


def _depth(text: str) -> int:
    """How deeply parentheses are nested, at most: more are counted than there are in strings."""
    depth = deepest = 0
    for letter in text:
        if letter in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in ")]}":
            depth -= 1
    return deepest


@contextlib.contextmanager
def evaluated(argument: str, text: object) -> Iterator[None]:
    """Says that `text`, which came as an argument, cannot be evaluated where DuckDB cannot do it.

    Raises:
        MorecError: it cannot.
    """
    try:
        yield
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        raise MorecError(
            f"{argument}: {shown(text)} cannot be evaluated: {reason(error)}"
        ) from None


def call(argument: str, text: str, names: Iterable[str]) -> tuple[str, str] | None:
    """Read `text` as a call of one of `names` with one argument; None where it is something else.

    Returns:
        the name, and the SQL of its argument.
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    with contextlib.suppress(SqlglotError, TypeError, RecursionError):
        parsed = sqlglot.parse_one(text, dialect=DIALECT)
        if isinstance(parsed, exp.Anonymous) and str(parsed.this).lower() in names:
            name = str(parsed.this).lower()
            if len(parsed.expressions) != 1:
                raise MorecError(
                    f"{argument}: {shown(text)} has {len(parsed.expressions)} arguments, where"
                    f" {name} takes one"
                )
            return name, parsed.expressions[0].sql(DIALECT, comments=False)
    return None


def aggregates(con: duckdb.DuckDBPyConnection, text: str) -> bool:
    """Whether `text` is an expression that aggregates rows, outside of any subquery."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    with contextlib.suppress(SqlglotError, TypeError, RecursionError):
        return _aggregates(con, sqlglot.parse_one(text, dialect=DIALECT))
    return False


def _aggregates(con: duckdb.DuckDBPyConnection, parsed: exp.Expr) -> bool:
    from sqlglot import exp

    if parsed.find(exp.Subquery, exp.Select, exp.Window):
        return False
    if parsed.find(exp.AggFunc):
        return True
    # what sqlglot does not know may be an aggregate of DuckDB's
    names = sorted({str(function.this).lower() for function in parsed.find_all(exp.Anonymous)})
    query = (
        "SELECT 1 FROM duckdb_functions() WHERE function_type = 'aggregate'"
        " AND function_name IN (SELECT unnest(?))"
    )
    return bool(names) and first_row(con, query, [names]) is not None


def is_vector(kind: str) -> bool:
    """Whether a type of DuckDB is a list or array of numbers."""
    return kind.endswith("]") and is_number(kind.rpartition("[")[0])


def as_vector(written: str) -> str:
    """SQL of an expression of such a type as a list of floats."""
    return f"TRY_CAST(({written}) AS FLOAT[])"


def expression(
    con: duckdb.DuckDBPyConnection,
    argument: str,
    text: str,
    table: Table,
    wanted: str = "number",
    per: str | None = None,
    every_row: bool = False,
) -> str:
    """Check a SQL expression over the columns of `table`, and write it anew.

    Args:
        con: where the table is; the expression is bound, not run, unless on every row.
        argument: the name of the argument, for errors.
        text: what the user wrote.
        table: the table whose columns it may use.
        wanted: a number (or BOOLEAN), a predicate, or a category, which may be of any type.
        per: for an aggregate, the SQL that it is grouped by; without it there must be one value
            per row.
        every_row: whether it must compute on every row that there is now.
    """
    from sqlglot import exp

    parsed = _parse(con, argument, text, table.columns)
    per_row = per is None and parsed.find(exp.Subquery, exp.Select) is None
    if per_row and (_aggregates(con, parsed) or parsed.find(exp.Window)):
        raise MorecError(
            f"{argument}: {shown(text)} aggregates rows, where one value per row is needed"
        )
    written = parsed.sql(DIALECT, comments=False)
    rows = f"{table.sql} AS _e GROUP BY {per}" if per else table.sql
    with evaluated(argument, text):
        row = first_row(con, f"DESCRIBE SELECT ({written}) AS value FROM {rows}")
    kind = str(row[1]) if row else ""
    if wanted == "predicate" and kind != "BOOLEAN":
        raise MorecError(f"{argument}: {shown(text)} is {kind}, but a predicate must be BOOLEAN")
    if wanted == "number" and not is_number(kind) and kind != "BOOLEAN":
        raise MorecError(f"{argument}: {shown(text)} is {kind}, but a number is needed")
    if every_row:
        try:
            first_row(con, f"SELECT count(value) FROM (SELECT ({written}) AS value FROM {rows})")
        except duckdb.InterruptException:
            raise
        except duckdb.Error as error:
            raise MorecError(
                f"{argument}: {shown(text)} cannot be computed on every row: {reason(error)}"
            ) from None
    return written


def query(con: duckdb.DuckDBPyConnection, argument: str, text: str) -> Table | None:
    """Check a SELECT statement, and write it anew as a table in parentheses; None for no SELECT.

    Arguments are those of expression, and the statement may do as little.
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    if not text.strip().lower().startswith(("select ", "from ", "with ", "(")):
        return None
    try:
        statements = sqlglot.parse(text, dialect=DIALECT)
    except (SqlglotError, RecursionError):
        raise MorecError(f"{argument}: {shown(text)} is not a SQL query") from None
    parsed = statements[0]
    if len(statements) != 1 or not isinstance(parsed, exp.Query):
        raise MorecError(f"{argument}: {shown(text)} is not one SELECT statement")
    check_pure(con, argument, text, parsed)
    written = f"({parsed.sql(DIALECT, comments=False)})"
    with evaluated(argument, text):
        described = con.execute(f"DESCRIBE SELECT * FROM {written}").fetchall()
    return Table(written, {row[0]: row[1] for row in described})


@functools.lru_cache(maxsize=4096)
def _steady(written: str) -> frozenset[str] | None:
    """The columns that an expression, as written by sqlglot, depends on alone; None for more."""
    import sqlglot
    from sqlglot import exp

    parsed = sqlglot.parse_one(written, dialect=DIALECT)
    if parsed.find(exp.Subquery, exp.Select, exp.Lambda, exp.Window):
        return None
    if any(type(one).__name__ not in STEADY for one in parsed.find_all(exp.Func)):
        return None
    columns = list(parsed.find_all(exp.Column))
    # what stands before a point may be a column, too
    return None if any(one.table for one in columns) else frozenset(one.name for one in columns)


def depend_on(written: Iterable[str]) -> frozenset[str] | None:
    """As _steady, of several expressions together."""
    read: frozenset[str] = frozenset()
    for columns in map(_steady, written):
        if columns is None:
            return None
        read |= columns
    return read


def go_together(kind: str, other: str) -> bool:
    """Whether ids of two types can be compared."""
    return kind == other or (is_number(kind) and is_number(other))


def is_time(kind: str) -> bool:
    """Whether a DuckDB type name is of days or times of day on them."""
    return kind.startswith(("TIMESTAMP", "DATE")) and not kind.endswith("]")


def is_number(kind: str) -> bool:
    """Whether a DuckDB type name is numeric."""
    name, _, rest = kind.partition("(")
    return name in {
        "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT",
        "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL",
    } and not rest.endswith("]")  # fmt: skip
