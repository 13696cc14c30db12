"""The dbt-duckdb plugin: every connection and thread of a dbt project has the SQL functions.

In profiles.yml: `plugins: [{module: morec_sql.dbt}]`. `package/` is the dbt package with the
materialisation `recommender`, a macro for lists of all users, and tests.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

try:
    from dbt.adapters.duckdb.plugins import BasePlugin
except ImportError as error:
    raise ImportError("morec_sql.dbt needs dbt-duckdb; pip install 'morec_sql[dbt]'") from error

from ..extension import load

PACKAGE = Path(__file__).parent / "package"


class Plugin(BasePlugin):  # type: ignore[misc]
    """Loads the functions where dbt-duckdb opens a connection, and a cursor for each thread."""

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Load the functions into the connection of the project."""
        load(conn)

    def configure_cursor(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Load them into the cursor of a thread, which has temporary macros of its own."""
        load(cursor)
