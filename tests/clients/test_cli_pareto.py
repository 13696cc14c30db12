"""The command morec pareto."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

import morec_sql
from morec_sql.clients.cli import app
from tests.conftest import CREATE_SMALL, SMALL


def test_the_command_shows_and_draws_a_front(tmp_path: Path) -> None:
    path, picture = tmp_path / "shop.duckdb", tmp_path / "front.png"
    con = morec_sql.connect(path)
    con.execute(SMALL)
    con.execute(CREATE_SMALL.replace("'shop',", "'store',")).fetchall()
    con.close()
    call = ["pareto", str(path), "--objectives", "relevance, margin", "--budget", "20", "-k", "4"]
    done = CliRunner().invoke(app, [*call, "--picture", str(picture)], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    for word in ("mean_margin", "ndcg", "knee", "today"):
        assert word in done.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    wrong = CliRunner().invoke(app, [*call, "--algorithm", "nsga9"])
    assert wrong.exit_code == 2
    assert wrong.stderr.splitlines()[-1].startswith(
        "morec: algorithm: 'nsga9' is not known; did you mean 'nsga"
    )
    nowhere = CliRunner().invoke(app, ["pareto", str(tmp_path / "no.duckdb")])
    assert nowhere.exit_code == 2
    assert "path: there is no file" in nowhere.output
