"""A shop with campaigns, to be asked or to be changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import morec_sql
from tests.decide.campaigns import CREATE, TABLES, Connection, create


@pytest.fixture(scope="module")
def shop() -> Iterator[Connection]:
    """The made shop with its campaigns, without a control group; tests leave it as it was."""
    con = morec_sql.connect()
    con.execute(TABLES)
    con.execute(CREATE).fetchall()
    create(con)
    yield con
    con.close()


@pytest.fixture
def plain(plain_file: Path) -> Iterator[Connection]:
    """A copy of the made shop without campaigns, to be changed."""
    con = morec_sql.connect(plain_file)
    yield con
    con.close()


@pytest.fixture(scope="module")
def made_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "made.duckdb"
    with morec_sql.connect(path) as con:
        con.execute(TABLES)
        con.execute(CREATE).fetchall()
    return path


@pytest.fixture
def plain_file(made_file: Path, tmp_path: Path) -> Path:
    path = tmp_path / "copy.duckdb"
    path.write_bytes(made_file.read_bytes())
    return path
