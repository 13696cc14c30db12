"""The interface in a connection: read-only, again, beside macros of the users."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

import morec_sql
from tests.conftest import CREATE_SMALL, SMALL, create

Connection = duckdb.DuckDBPyConnection


def test_a_read_only_file_and_a_second_process(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    con = morec_sql.connect(path)
    con.execute(SMALL)
    con.execute(CREATE_SMALL).fetchall()
    here = con.execute("SELECT item_id FROM recommend(3)").fetchall()
    con.close()

    program = (
        "import sys, morec_sql; con = morec_sql.connect(sys.argv[1]);"
        "con.execute('SET enable_progress_bar = false');"
        "print(con.execute('SELECT item_id FROM recommend(3)').fetchall())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(here)

    con = morec_sql.connect(path, read_only=True)
    assert con.execute("SELECT item_id FROM recommend(3)").fetchall() == here
    with pytest.raises(duckdb.Error, match="read-only"):
        create(con, replace="true")
    con.close()

    # under another name, beside another database
    con = morec_sql.connect()
    con.execute(f"ATTACH '{path}' AS other (READ_ONLY); USE other")
    assert con.execute("SELECT item_id FROM recommend(3)").fetchall() == here
    con.close()


def test_loading_again_and_from_a_cursor() -> None:
    con = morec_sql.connect()
    con.execute(SMALL)
    morec_sql.load(con)
    cursor = con.cursor()
    morec_sql.load(cursor)
    cursor.execute(CREATE_SMALL).fetchall()
    assert len(con.execute("FROM recommend(1)").fetchall()) == 10
    cursor.close()
    assert len(con.cursor().execute("FROM recommend(1)").fetchall()) == 10
    con.close()


def test_a_macro_of_the_users_is_not_overwritten() -> None:
    con = duckdb.connect()
    con.execute("CREATE MACRO create_recommender(a) AS TABLE SELECT a AS mine")
    with pytest.raises(morec_sql.MorecError, match=r"main.create_recommender exists and is not"):
        morec_sql.load(con)
    assert con.execute("FROM create_recommender(1)").fetchall() == [(1,)]
