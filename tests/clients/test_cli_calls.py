"""Commands that call one SQL function each."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

import morec_sql
from morec_sql.clients.calls import value
from morec_sql.clients.cli import app
from tests.conftest import SMALL


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("calls") / "small.duckdb")
    with duckdb.connect(path) as con:
        con.execute(SMALL)
    status, out, error = run(
        "create", path, "shop", "orders", "--user-id", "customer_id", "--item-id", "product_id", "--items", "products", "--text", "title, category",
        "--event-time", "ordered_at", "--objectives", "{'relevance': NULL, 'margin': 'price / 2'}",
    )  # fmt: skip
    assert status == 0, error
    assert "SELECT * FROM create_recommender(\n    'shop',\n    'orders'," in error
    assert "text => ['title', 'category']" in error
    assert "stage" in out
    return path


@pytest.mark.parametrize(
    ("command", "statement"),
    [
        (
            ["recommend", "3", "--weights", "[0.6, 0.4]", "-k", "4", "--filter", "price > 2"],
            "SELECT * FROM shop.recommend(3, weights => [0.6, 0.4], k => 4, filter => 'price > 2');",
        ),
        (
            ["recommend", "3", "--weights", "{relevance: 0.6, margin: 1}", "--reasons", "true"],
            "SELECT * FROM shop.recommend(\n"
            "    3,\n    weights => {'relevance': 0.6, 'margin': 1},\n    reasons => TRUE\n);",
        ),
        (["recommend", "it's", "-r", "shop"], "SELECT * FROM shop.recommend('it''s');"),
        (
            ["similar", "7", "--by", "text", "--k", "3"],
            "SELECT * FROM shop.similar_items(7, k => 3, by => 'text');",
        ),
        (["search", "a warm drink"], "SELECT * FROM shop.search('a warm drink');"),
        (["explain", "3", "7"], "SELECT * FROM shop.explain(3, 7);"),
        (["versions"], "SELECT * FROM shop.versions ORDER BY id;"),
        (["refresh", "shop"], "SELECT * FROM refresh_recommender('shop');"),
    ],
)
def test_a_command_prints_its_statement_and_what_that_gives(
    warehouse: str, command: list[str], statement: str
) -> None:
    name, *arguments = command
    status, shown, _ = run(name, warehouse, *arguments, "--sql")
    assert (status, shown.strip()) == (0, statement)
    status, out, error = run(name, warehouse, *arguments, "--format", "json")
    assert status == 0, error
    assert " ".join(error.split()) == " ".join(statement.split())
    if name == "refresh":
        return
    with morec_sql.connect(warehouse, read_only=True) as con:
        wanted = con.sql(statement).to_arrow_table()
    found = [json.loads(line) for line in out.splitlines()]
    assert [list(row) for row in found] == [wanted.column_names] * len(wanted)
    assert len(found) == len(wanted) > 0


@pytest.mark.parametrize(
    ("given", "sql"),
    [("NaN", "'NaN'"), ("007", "'007'"), ("null", "NULL"), ('{"a": [1, null]}', "{'a': [1, NULL]}"),
     ("it's", "'it''s'"), ("true", "TRUE"), ("-1.5", "-1.5"), ("[a]", None)],
)  # fmt: skip
def test_values_are_json_constants_or_text(given: str, sql: str | None) -> None:
    if sql is None:
        with pytest.raises(morec_sql.MorecError, match="more in it than constants"):
            value(given)
    else:
        assert value(given) == sql


def test_the_terminal_and_sql_see_the_same_metrics(warehouse: str) -> None:
    status, out, _ = run("evaluate", warehouse, "-k", "4", "--baselines", "['popularity']")
    assert status == 0
    assert "popularity" in out
    assert "item knn" not in out
    status, out, _ = run("tune", warehouse, "--prefer", "{margin: 1}", "--budget", "10", "--store")
    assert status == 0
    with duckdb.connect(warehouse) as con:
        stored = con.execute("SELECT default_weight FROM shop.objectives").fetchall()
    assert stored != [(0.5,), (0.5,)]


def test_what_is_wrong_is_said_in_a_sentence(warehouse: str, tmp_path: Path) -> None:
    for arguments, said in (
        (("recommend", warehouse, "3", "-k", "0"), "morec: k: 0 is not a whole number"),
        (("recommend", warehouse, "3", "--weights", "[0.6, "), "is neither JSON nor a list or str"),
        (
            ("recommend", warehouse, "3", "--weights", "[(SELECT 1), 2]"),
            "more in it than constants",
        ),
        (("recommend", warehouse, "3", "-r", "shp"), "there is no 'shp'; did you mean 'shop'?"),
        (("recommend", str(tmp_path / "no.db"), "3"), "path: there is no file"),
        (("refresh", str(tmp_path / "no.db"), "shop"), "path: there is no file"),
        (("search", warehouse, "tea", "--format", "xml"), "format: 'xml' is not one of"),
        (("create", warehouse, "shop", "orders"), "exists already; pass replace"),
    ):
        status, _, error = run(*arguments)
        assert (status, said in error) == (2, True), error
        assert "Traceback" not in error
    assert run("create", str(tmp_path / "no.db"), "shop", "orders")[0] == 2
    assert not (tmp_path / "no.db").exists()
    empty = str(tmp_path / "empty.db")
    duckdb.connect(empty).close()
    status, _, error = run("recommend", empty, "3")
    assert status == 2
    assert "there is none in empty.db; `morec create` makes one" in error
