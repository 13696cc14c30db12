"""The databases of roles, kept until what they are made of changes."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import duckdb

from ..templates import identifier, literal, sql
from . import roles
from .catalog import Catalog


class Views:
    """The databases of roles, made anew when the recommenders are.

    Args:
        con: a connection to the warehouse.
        warehouse: its name.
        wanted: the roles.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, warehouse: str, wanted: Iterable[roles.Role]
    ) -> None:
        self._con, self._warehouse = con, warehouse
        self._of: dict[str, tuple[Any, roles.Seen, Catalog]] = {}
        self._lock = threading.Lock()
        for role in wanted:
            if role.is_apart:
                self.of(role)

    def of(self, role: roles.Role) -> tuple[roles.Seen, Catalog]:
        """What a role sees, and the catalogue of it."""
        with self._lock, self._con.cursor() as con:
            con.execute(f"USE {identifier(self._warehouse)}")
            state = con.execute(sql("server/state", database=literal(self._warehouse))).fetchall()
            if role.name not in self._of or self._of[role.name][0] != state:
                seen = roles.build(con, self._warehouse, role)
                catalog = Catalog(con, seen.database, self._warehouse)
                self._of[role.name] = state, seen, catalog
            return self._of[role.name][1:]
