"""A SQLAlchemy dialect, morec://, whose connections have the SQL functions."""

from __future__ import annotations

from typing import Any

import duckdb

try:
    import duckdb_sqlalchemy as base
except ImportError:
    try:
        # of which there is a version for SQLAlchemy 1.4, which Superset has
        import duckdb_engine as base
    except ImportError as error:
        raise ImportError(
            "morec:// needs duckdb-sqlalchemy; pip install 'morec_sql[sqlalchemy]'"
        ) from error

from ..extension import load


class Dialect(base.Dialect):  # type: ignore[misc]
    """That of duckdb-sqlalchemy or duckdb-engine, with the functions loaded in every connection.

    URLs are as its own: morec:///warehouse.duckdb, morec:///:memory:, and with
    ?access_mode=read_only one that nobody can write to.
    """

    driver = "morec"
    supports_statement_cache = True

    def connect(self, *arguments: Any, **parameters: Any) -> Any:
        """Open a connection that has the functions."""
        connection = super().connect(*arguments, **parameters)
        # it wraps that of DuckDB, and gives no name for it
        [native] = [
            one for one in vars(connection).values() if isinstance(one, duckdb.DuckDBPyConnection)
        ]
        load(native)
        return connection
