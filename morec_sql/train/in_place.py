"""Changes of a recommender without training it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager

import duckdb

from ..answer.recommender import Recommenders
from ..catalog.kept_lists import lists_anew
from ..catalog.objectives import Objective, declared
from ..catalog.recommenders import check_writable, recommender_of, stored_arguments
from ..progress import Stage
from ..session import Session
from ..source.arguments import Arguments
from ..source.source import Source, resolve

Writing = Callable[[], AbstractContextManager[None]]  # a transaction, as Recommenders.rewritten
Change = Callable[
    [duckdb.DuckDBPyConnection, str, Arguments, Source, list[Objective], Writing], list[Stage]
]


def changed(
    session: Session,
    catalog: str,
    name: str | None,
    change: Change,
    edit: Callable[[Arguments, list[Objective]], None] | None = None,
) -> list[Stage]:
    """Change the version in use of a recommender.

    Args:
        session: of the database instance.
        catalog: the database.
        name: the recommender, as it was given.
        change: called with a connection of its own, whose temporary tables it may use, the exact
            name, the arguments, the user's tables, the objectives, and in what it is to write;
            gives what was done.
        edit: changes the arguments, given the objectives as they were, before those are read.

    Raises:
        MorecError: there is no such recommender, it cannot be written, or an expression is not
            valid any more.
    """
    with session.cursor(catalog) as con:
        name = recommender_of(con, catalog, name)
        check_writable(con, catalog, name)
        arguments, schema = stored_arguments(con, catalog, name)
        source = resolve(con, catalog, schema, arguments)
        listed = declared(con, arguments.objectives, source)
        if edit is not None:
            edit(arguments, listed)
            listed = declared(con, arguments.objectives, source)
        rewritten = session.shared(Recommenders).rewritten
        writing = functools.partial(rewritten, con, catalog, name)
        stages = change(con, name, arguments, source, listed, writing)
    return [*stages, *lists_anew(session, catalog, name)]
