"""The command morec evaluate."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import morec_sql
from morec_sql.clients.cli import app
from tests.measure.test_evaluate import by_metric


def test_the_command_prints_a_table_and_writes_reports(small_file: Path, tmp_path: Path) -> None:
    page, picture = tmp_path / "report.html", tmp_path / "report.png"
    options = ["--k", "4", "--weights", '{"relevance": 1}', "--test-from", "2024-03-15"]
    for report in (page, picture):
        done = CliRunner().invoke(
            app, ["evaluate", str(small_file), *options, "--report", str(report)]
        )
        assert done.exit_code == 0, done.output
        assert "ndcg" in done.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    con = morec_sql.connect(small_file, read_only=True)
    call = "shop.evaluate(k => 4, weights => {relevance: 1}, test_from => TIMESTAMP '2024-03-15')"
    ours = by_metric(con, call)
    con.close()
    assert f"{ours['ndcg']:.4g}" in page.read_text()
    assert "data:image/png;base64," in page.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["nowhere.duckdb"], "path: there is no file 'nowhere.duckdb'"),
        (["SHOP", "-r", "shopp"], "recommender: there is no 'shopp'; did you mean 'shop'?"),
        (["SHOP", "--weights", "much"], "weights: 'much' is neither a list nor a struct"),
        (["SHOP", "--report", "report.doc"], "report: 'report.doc' ends in none of .html, .png"),
    ],
)
def test_errors_of_the_command(small_file: Path, options: list[str], message: str) -> None:
    arguments = [str(small_file) if option == "SHOP" else option for option in options]
    done = CliRunner().invoke(app, ["evaluate", *arguments])
    assert done.exit_code == 2
    assert message in done.output
