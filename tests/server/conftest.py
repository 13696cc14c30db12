"""The small shop, served by the command as users start it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PASSWORD = "correct horse"
MOREC = str(Path(sys.executable).parent / "morec")


class Served(NamedTuple):
    """A warehouse that is served."""

    path: Path
    port: int
    process: subprocess.Popen[str]
    log: Path

    @property
    def dsn(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=ana password='{PASSWORD}' dbname=small"

    def url(self, driver: str) -> str:
        return f"postgresql+{driver}://ana:correct%20horse@127.0.0.1:{self.port}/small"

    @property
    def environment(self) -> dict[str, str]:
        """For what takes libpq's variables."""
        return {
            **os.environ,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": "ana",
            "PGPASSWORD": PASSWORD,
            "PGDATABASE": "small",
        }


Serve = Callable[..., contextlib.AbstractContextManager[Served]]


@contextlib.contextmanager
def served(path: Path, *options: str) -> Iterator[Served]:
    """Serve a warehouse until the end of the block."""
    log = path.with_name(f"{path.name}.log")
    with log.open("w") as errors:
        process = subprocess.Popen(
            [MOREC, "serve", str(path), "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        found = re.search(r"at [\d.]+:(\d+);", said)
        assert found is not None, said + log.read_text()
        yield Served(path, int(found[1]), process, log)
    finally:
        process.terminate()
        process.communicate(timeout=20)


def add_user(path: Path, name: str = "ana", password: str = PASSWORD) -> None:
    subprocess.run(
        [MOREC, "user", "add", str(path), name],
        input=f"{password}\n",
        text=True,
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="session")
def shop(small_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The small shop, served to read only to the user ana."""
    path = tmp_path_factory.mktemp("served") / "small.duckdb"
    shutil.copy(small_file, path)
    add_user(path)
    with served(path) as running:
        yield running


@pytest.fixture
def own(small_file: Path, tmp_path: Path) -> Path:
    """A small shop of a test's own, with the user ana, that is not served yet."""
    path = tmp_path / "small.duckdb"
    shutil.copy(small_file, path)
    add_user(path)
    return path
