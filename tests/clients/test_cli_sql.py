"""Statements from a terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from morec_sql.clients.cli import app
from tests.conftest import CREATE_SMALL, SMALL


def run(*arguments: str, piped: str | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["sql", *arguments], input=piped)
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("cli") / "small.duckdb"
    status, out, _ = run(str(path), "-c", SMALL + CREATE_SMALL)
    assert status == 0
    assert "objectives" in out
    return str(path)


def test_lists_in_every_format(warehouse: str, tmp_path: Path) -> None:
    query = "SELECT rank, item_id, unmet FROM recommend($user, k => 3) ORDER BY rank"
    asked = (warehouse, "--read-only", "-c", query, "--param", "user=3")
    with duckdb.connect(warehouse, read_only=True) as con:
        import morec_sql

        morec_sql.load(con)
        wanted = con.execute(query, {"user": 3}).fetchall()
    status, out, _ = run(*asked, "--format", "json")
    assert status == 0
    assert [tuple(json.loads(line).values()) for line in out.splitlines()] == wanted
    _, out, _ = run(*asked, "--format", "csv")
    assert out.splitlines() == ["rank,item_id,unmet", *(f"{a},{b},[]" for a, b, _ in wanted)]
    _, out, _ = run(*asked)
    assert "item_id" in out
    assert str(wanted[0][1]) in out
    file = tmp_path / "lists.parquet"
    assert run(*asked, "--format", "parquet", "-o", str(file))[0] == 0
    assert duckdb.sql(f"FROM '{file}'").fetchall() == wanted


def test_statements_come_from_a_file_or_are_piped_in(warehouse: str, tmp_path: Path) -> None:
    file = tmp_path / "q.sql"
    file.write_text("CREATE TEMP TABLE t AS SELECT 1 AS a; INSERT INTO t VALUES (2); FROM t")
    # how many rows were written is no result
    for given in (run(warehouse, "-f", str(file), "--format", "csv"),
                  run(warehouse, "--format", "csv", piped=file.read_text())):  # fmt: skip
        assert (given[0], given[1].split()) == (0, ["a", "1", "2"])


def test_what_is_wrong_is_said_in_a_sentence(warehouse: str, tmp_path: Path) -> None:
    other = tmp_path / "no.duckdb"
    other.write_text("this is no database, though it has some length to it" * 99)
    for arguments, said in (
        ((warehouse, "-c", "FROM recommend(3, k => 0)"), "morec: k: 0 is not a whole number"),
        ((warehouse, "-c", "FROM nope"), "Table with name nope does not exist"),
        ((warehouse, "-c", "SELEC 1"), "syntax error"),
        ((warehouse, "-c", "SELECT 1", "--format", "xml"), "format: 'xml' is not one of table"),
        ((warehouse, "-c", "SELECT 1", "--param", "x"), "param: 'x' is not name=value"),
        ((str(other), "-c", "SELECT 1"), "morec: "),
        (
            (str(tmp_path / "none.duckdb"), "--read-only", "-c", "SELECT 1"),
            "path: there is no file",
        ),
    ):
        status, _, error = run(*arguments)
        assert status == 2
        assert said in error
        assert "Traceback" not in error


def test_an_early_error_ends_the_process_with_its_sentence_alone(warehouse: str) -> None:
    # torch is being imported in a thread then
    asked = "FROM recommend(3, version => 7)"
    done = subprocess.run(
        [Path(sys.executable).parent / "morec", "sql", warehouse, "--read-only", "-c", asked],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.strip() == "morec: version: '7' is not a version of 'shop' that is kept: 1"
