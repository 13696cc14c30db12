"""The warehouse that is served: its file, and another one that is put in its place."""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb

from ..catalog.recommenders import recommenders
from ..errors import MorecError
from ..templates import identifier
from .catalog import Catalog
from .opening import Options, walled
from .roles import Role
from .views import Views

logger = logging.getLogger("morec_sql.server")


class Opened:
    """A file as it was opened: a connection to it, its catalogue, and what roles see of it.

    Args:
        con: a connection to it, behind the wall, which nothing else has.
        known: the roles.

    Raises:
        MorecError: a role names what there is not.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, known: list[Role]) -> None:
        self.con, self.used = con, 0
        try:
            self.catalog = Catalog(con)
            self.views = Views(con, self.catalog.database, known)
            con.execute("SET lock_configuration = true")
        except BaseException:
            con.close()
            raise

    def warm(self) -> None:
        """Have the recommenders read before somebody asks for the first list."""
        with contextlib.suppress(duckdb.Error, KeyboardInterrupt), self.con.cursor() as con:
            for name in recommenders(con, self.catalog.database):
                con.execute(f"FROM {identifier(name)}.recommend(NULL, k => 1)").fetchall()


class Warehouse:
    """What is open of a warehouse's file: the latest, and those before it that are still used.

    A writer cannot open the file while it is served to be read, but put another one in its place,
    as by a rename; what is open stays what it was until nobody uses it.

    Args:
        path: the file.
        options: how it is served.
        known: the roles.

    Raises:
        MorecError: it cannot be served so.
    """

    def __init__(self, path: Path, options: Options, known: list[Role]) -> None:
        self._path, self._options, self._known = path, options, known
        self._lock = threading.Lock()
        self._mark = self._seen = _mark(path)
        self._opening = threading.Thread()
        self.latest = Opened(walled(path, options), known)

    @contextlib.contextmanager
    def using(self) -> Iterator[Opened]:
        """The latest, which stays open for as long."""
        with self._lock:
            opened = self.latest
            opened.used += 1
        try:
            yield opened
        finally:
            with self._lock:
                opened.used -= 1
                left = not opened.used and opened is not self.latest
            if left:
                _close(opened)

    def look(self) -> None:
        """Open the file anew, in a thread of its own, where another one is in its place.

        It has to be seen twice alike, since it may be on its way.
        """
        now = _mark(self._path)
        stays, self._seen = now == self._seen, now
        if self._options.allow_write or now is None or not stays or now == self._mark:
            return
        if not self._opening.is_alive():
            self._mark = now
            self._opening = threading.Thread(target=self._open, name="morec open", daemon=True)
            self._opening.start()

    def _open(self) -> None:
        try:
            with _beside(self._path) as path:
                opened = Opened(walled(path, self._options), self._known)
            opened.warm()
        except (MorecError, duckdb.Error, OSError) as error:
            logger.error("%s was replaced and cannot be served: %s", self._path.name, error)
            return
        with self._lock:
            before, self.latest = self.latest, opened
            unused = not before.used
        if unused:
            _close(before)
        logger.info("%s was replaced and is served as it is now", self._path.name)

    def close(self) -> None:
        """Close it; what does not end in time ends with the process."""
        _close(self.latest)


def _close(opened: Opened) -> None:
    with contextlib.suppress(duckdb.Error):
        opened.con.close()


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """The file by another path, for as long as it takes to open it.

    DuckDB knows what is open by its path, also where a symbolic link leads to it.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix=".morec-", dir=path.parent)
    except OSError:  # nothing can be written there
        folder = tempfile.TemporaryDirectory(prefix="morec-")
    with folder as name:
        other = Path(name) / path.name
        try:
            other.hardlink_to(path)
        except OSError:
            shutil.copy(path, other)
        yield other


def _mark(path: Path) -> tuple[int, int, int] | None:
    """By what another file in the place of one is known; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
