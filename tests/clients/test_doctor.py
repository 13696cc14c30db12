"""What works, what is missing, and whether recommenders are fresh."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

import morec_sql
from morec_sql.clients.cli import app
from morec_sql.clients.doctor import findings


@pytest.fixture
def warehouse(small_file: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(small_file, tmp_path))


def of_shop(path: Path) -> tuple[str, str, bool]:
    [found] = [one for one in findings(path) if one.what == "recommender shop"]
    return found.state, found.advice, found.broken


def test_it_says_what_there_is(warehouse: Path) -> None:
    done = CliRunner().invoke(app, ["doctor", str(warehouse)], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    for said in (
        f"duckdb {duckdb.__version__}",
        "384 dimensions",
        "cores",
        "1,200 events, 22 items",
    ):
        assert said in done.output
    by_name = {one.what: one for one in findings(None)}
    assert by_name["extra report"].state.startswith("matplotlib ")
    dbt = by_name["extra dbt"]
    assert dbt.advice == ("" if dbt.state != "not installed" else "pip install 'morec_sql[dbt]'")


def test_it_tells_a_stale_recommender_from_a_fresh_one(warehouse: Path) -> None:
    state, advice, broken = of_shop(warehouse)
    assert (advice, broken) == ("", False)
    assert "since then 0 events, 0 new items, 0 gone" in state
    with duckdb.connect(warehouse) as con:
        con.execute("INSERT INTO products VALUES (99, 'tea 99', 'kitchen', 1, 1, 'a')")
        con.execute("DELETE FROM products WHERE product_id = 3")
    state, advice, _ = of_shop(warehouse)
    assert "since then 0 events, 1 new items, 1 gone" in state
    assert advice == "refresh_items('shop')"
    with duckdb.connect(warehouse) as con:
        con.execute(
            "INSERT INTO orders SELECT customer_id, product_id, TIMESTAMP '2024-05-01', 1 FROM orders"
            " LIMIT 130"
        )
    state, advice, _ = of_shop(warehouse)
    assert "since then 130 events" in state
    assert advice.startswith("refresh_recommender('shop')")


def test_it_finds_what_is_broken(warehouse: Path, tmp_path: Path) -> None:
    with duckdb.connect(warehouse) as con:
        con.execute("ALTER TABLE orders RENAME product_id TO product")
    _, advice, broken = of_shop(warehouse)
    assert broken
    assert advice == "refresh_recommender('shop')"
    assert CliRunner().invoke(app, ["doctor", str(warehouse)]).exit_code == 1
    empty = tmp_path / "empty.duckdb"
    duckdb.connect(empty).close()
    done = CliRunner().invoke(app, ["doctor", str(empty)], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    assert "no recommender" in done.output
    assert "morec_sql[superset]" in done.output
    done = CliRunner().invoke(app, ["doctor", str(tmp_path / "none.duckdb")])
    assert (done.exit_code, "path: there is no file" in done.stderr) == (2, True)


def test_a_recommender_of_a_newer_version_says_so(warehouse: Path) -> None:
    with duckdb.connect(warehouse) as con:
        con.execute(
            'UPDATE shop.settings SET model = json_merge_patch(model, \'{"made_with": "99.1"}\')'
        )
    state, advice, broken = of_shop(warehouse)
    assert broken
    assert "was made by morec_sql 99.1" in state
    assert "pip install --upgrade morec_sql" in state
    assert advice == ""
    with duckdb.connect(warehouse) as con:
        con.execute(
            "CREATE MACRO shop.later(x) AS TABLE SELECT y FROM (SELECT x AS x) AS t,"
            " LATERAL (SELECT morec_of_later(t.x) AS y)"
        )
    done = CliRunner().invoke(app, ["sql", str(warehouse), "-c", "FROM shop.later(1)"])
    assert done.exit_code == 2
    assert "it was made by a newer morec_sql, which has morec_of_later" in done.stderr


def test_a_file_that_is_in_use_names_who_has_it(warehouse: Path) -> None:
    hold = f"import duckdb; con = duckdb.connect({str(warehouse)!r}, read_only=%s); print(1, flush=True); input()"
    for read_only, asked, said in (
        (False, ["sql", str(warehouse), "--read-only", "-c", "SELECT 1"], "which may write"),
        (True, ["sql", str(warehouse), "-c", "SELECT 1"], "it can be read, too (read-only)"),
    ):
        holder = subprocess.Popen(
            [sys.executable, "-c", hold % read_only], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert holder.stdout is not None
        holder.stdout.readline()
        try:
            done = CliRunner().invoke(app, asked)
            assert done.exit_code == 2
            assert f"the process {holder.pid} (" in done.stderr
            assert said in done.stderr
            assert "\n" not in done.stderr.strip()
            with pytest.raises(morec_sql.MorecError, match=str(holder.pid)):
                morec_sql.connect(warehouse, read_only=not read_only)
        finally:
            holder.communicate(b"\n")
