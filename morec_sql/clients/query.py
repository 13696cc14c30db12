"""Statements from a terminal: run one by one, and their results written in some format."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import IO, Any

import duckdb
import pyarrow as pa

from ..catalog.installed import VERSION
from ..errors import MorecError

MOST_ROWS = 40  # of a table that is shown


def run(
    con: duckdb.DuckDBPyConnection, text: str, parameters: dict[str, Any], form: str, out: IO[bytes]
) -> None:
    """Run statements, and write the results of those that have any.

    Args:
        con: the connection.
        text: the statements.
        parameters: of all of them, by name.
        form: a name of FORMATS.
        out: where results go.

    Raises:
        MorecError: the format is not one of them.
    """
    check(form)
    stoppable(con, lambda: _run(con, text, parameters, form, out))


def stoppable(con: duckdb.DuckDBPyConnection, work: Callable[[], None]) -> None:
    """Do what a connection is used for such that Ctrl-C ends it, wherever DuckDB is.

    Python tells of a signal in its main thread only, and there not before DuckDB comes back.
    """
    with ThreadPoolExecutor(1) as pool:
        doing = pool.submit(work)
        try:
            doing.result()
        except KeyboardInterrupt:
            while not doing.done():
                con.interrupt()
                wait([doing], timeout=0.1)
            raise


def _run(
    con: duckdb.DuckDBPyConnection, text: str, parameters: dict[str, Any], form: str, out: IO[bytes]
) -> None:
    for statement in con.extract_statements(text):
        used = {name: parameters[name] for name in statement.named_parameters if name in parameters}
        kinds = statement.expected_result_type
        if duckdb.ExpectedResultType.QUERY_RESULT not in kinds:
            con.execute(statement, used or None)
            continue
        table = con.sql(statement.query, params=used).to_arrow_table()
        # how many rows were written is not what was asked
        if duckdb.ExpectedResultType.CHANGED_ROWS not in kinds or table.column_names != ["Count"]:
            FORMATS[form](con, table, out)


def _table(con: duckdb.DuckDBPyConnection, table: pa.Table, out: IO[bytes]) -> None:
    import contextlib
    import io

    # DuckDB's own boxes, as wide as the window
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        con.from_arrow(table).show(
            max_width=shutil.get_terminal_size((120, 40)).columns, max_rows=MOST_ROWS
        )
    out.write(shown.getvalue().encode())


def _csv(_: duckdb.DuckDBPyConnection, table: pa.Table, out: IO[bytes]) -> None:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        writer.writerow(
            [_json(one) if isinstance(one, dict | list) else one for one in row.values()]
        )
    out.write(text.getvalue().encode())


def _lines(_: duckdb.DuckDBPyConnection, table: pa.Table, out: IO[bytes]) -> None:
    for row in table.to_pylist():
        out.write(f"{_json(row)}\n".encode())


def _parquet(_: duckdb.DuckDBPyConnection, table: pa.Table, out: IO[bytes]) -> None:
    import pyarrow.parquet

    pyarrow.parquet.write_table(table, out)


def _json(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


FORMATS: dict[str, Callable[[duckdb.DuckDBPyConnection, pa.Table, IO[bytes]], None]] = {
    "table": _table,
    "csv": _csv,
    "json": _lines,
    "parquet": _parquet,
}


def check(form: str, known: Collection[str] = FORMATS) -> None:
    """Raise a MorecError unless a format is known."""
    if form not in known:
        raise MorecError(f"format: {form!r} is not one of {', '.join(known)}")


def said(error: Exception) -> str:
    """What is wrong: of our functions in their own words, without DuckDB's before them."""
    text = str(error).split("MorecError: ")[-1]
    missing = re.search(r"Scalar Function with name (morec_\w+) does not exist", text)
    if missing:
        return (
            f"recommender: it was made by a newer morec_sql, which has {missing[1]}; this is"
            f" {VERSION}; pip install --upgrade morec_sql"
        )
    return text


def read(command: str | None, file: Path | None) -> str:
    """The statements that were given: as text, in a file, or piped in."""
    if command is not None and file is not None:
        raise MorecError("file: it was given together with a command; one of them is needed")
    if command is not None:
        return command
    if file is not None:
        return file.read_text(encoding="utf-8")
    if sys.stdin.isatty():
        raise MorecError("command: no statement was given, by -c, by -f or piped in")
    return sys.stdin.read()


def parameter(given: str) -> tuple[str, Any]:
    """A parameter that is given as name=value; what is JSON is read as such."""
    name, equals, text = given.partition("=")
    if not equals or not name:
        raise MorecError(f"param: {given!r} is not name=value")
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text
