"""The warehouse of a command, opened, and what is wrong said in one sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import typer

from ..errors import MorecError, nearest
from ..extension import connect
from ..templates import database_of


def connected(path: Path, read_only: bool = False, there: bool = True) -> duckdb.DuckDBPyConnection:
    """Open a warehouse, without DuckDB's progress bar, which ours would be drawn over.

    Args:
        path: the file.
        read_only: whether nothing is to be written.
        there: whether it has to be there already.
    """
    if there:
        check_there(path)
    con = connect(path, read_only=read_only)
    con.execute("SET enable_progress_bar = false")
    return con


def check_there(path: Path) -> None:
    """Raise a MorecError where there is no such file."""
    if not path.exists():
        raise MorecError(f"path: there is no file {str(path)!r}")


def opened(
    path: Path, name: str | None, write: bool = False
) -> tuple[duckdb.DuckDBPyConnection, str]:
    """Open a warehouse, and find the recommender: connection, its name."""
    from ..catalog.recommenders import recommenders

    con = connected(path, read_only=not write)
    known = recommenders(con, database_of(con))
    if not known:
        raise MorecError(f"recommender: there is none in {path.name}; `morec create` makes one")
    if name is None and len(known) != 1:
        raise MorecError(f"recommender: one of {', '.join(known)} is needed")
    name = name or known[0]
    if name not in known:
        raise MorecError(f"recommender: there is no {name!r}; {nearest(name, known)}")
    return con, name


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Show what is wrong in one sentence, without a traceback."""
    from . import query

    try:
        yield
    except (MorecError, duckdb.Error) as error:
        typer.echo(f"morec: {query.said(error)}", err=True)
        raise typer.Exit(2) from None
