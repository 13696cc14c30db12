"""The interactive prompt, in a terminal of its own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pexpect
import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from morec_sql.clients.shell import Words, finished

MOREC = str(Path(sys.executable).parent / "morec")
LONG = "SELECT count(*) FROM range(1000000000000) AS t(i) WHERE i % 7 = 3;"


@pytest.fixture
def prompt(small_file: Path, tmp_path: Path) -> Iterator[pexpect.spawn]:
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "TERM": "xterm",
        "PROMPT_TOOLKIT_NO_CPR": "1",
    }
    spawned = pexpect.spawn(
        MOREC,
        ["shell", str(small_file)],
        dimensions=(40, 100),
        encoding="utf-8",
        timeout=60,
        env=environment,
    )
    spawned.expect("morec>")
    yield spawned
    spawned.close(force=True)


def ask(prompt: pexpect.spawn, text: str, *answers: str) -> None:
    prompt.send(text + "\r")
    for answer in answers:
        prompt.expect(answer)
    prompt.expect(r"\d\.\d\d\d s")
    prompt.expect("morec>")


def test_statements_of_several_lines_and_their_results(prompt: pexpect.spawn) -> None:
    prompt.send("SELECT 40 +\r")
    ask(prompt, "2 AS answer, ';' AS s;", "answer", " 42 ")
    # a semicolon within a text does not end it
    prompt.send("SELECT 'a;\r")
    ask(prompt, "b' || 'c' AS t;", "bc")
    # Tab completes an argument
    prompt.send("SELECT item_id FROM shop.recommend(3, filt\t")
    time.sleep(0.5)
    ask(prompt, "'item_id = 16', k => 2);", "item_id", " 16 ")
    prompt.send(".format csv\r")
    prompt.expect("morec>")
    ask(prompt, "SELECT 1 AS a, 2 AS b;", "a,b\r+\n1,2")
    prompt.send(".quit\r")
    prompt.expect(pexpect.EOF)
    prompt.close()
    assert prompt.exitstatus == 0


def test_what_is_wrong_leaves_the_prompt(prompt: pexpect.spawn) -> None:
    ask(prompt, "FROM recommend(3, k => 0);", "morec: k: 0 is not a whole number")
    ask(prompt, "SELECT 1 FROM WHERE;", "syntax error", r"\^")
    prompt.send(".what\r")
    prompt.expect("is not known; .help lists")
    prompt.expect("morec>")
    prompt.sendeof()
    prompt.expect(pexpect.EOF)


@pytest.mark.parametrize(
    "long", [LONG, "FROM shop.pareto(budget => 100000, algorithm => 'random', k => 5);"]
)
def test_ctrl_c_stops_a_query_and_keeps_the_prompt(prompt: pexpect.spawn, long: str) -> None:
    prompt.send(long + "\r")
    time.sleep(4)
    prompt.sendintr()
    prompt.expect("stopped")
    ask(prompt, "SELECT 'still' || ' here' AS s;", "still here")
    # and at the prompt it gives up the line
    prompt.send("SELECT nonsense")
    prompt.sendintr()
    ask(prompt, "SELECT 'and' || ' here' AS s;", "and here")


def test_completion_knows_tables_columns_functions_and_arguments(
    small: duckdb.DuckDBPyConnection,
) -> None:
    words = Words(small)

    def offered(text: str) -> list[str]:
        return [one.text for one in words.get_completions(Document(text), CompleteEvent())]

    assert offered("SELECT * FROM prod") == ["product_id", "products"]
    assert offered("FROM shop.reco") == [
        "shop.recommend(",
        "shop.recommend_campaigns(",
        "shop.recommend_for(",
    ]
    assert offered("FROM create_") == ["create_campaigns(", "create_recommender("]
    assert offered("FROM shop.recommend(3, max") == ["max_per => "]
    assert "k => " not in offered("FROM shop.recommend(3, k => 3, ")
    assert "weights => " in offered("FROM shop.recommend(3, k => 3, ")
    # within another call, a text or behind the parentheses there is nothing of it
    assert offered("FROM shop.recommend(abs(wei") == ["weight", "weights"]
    assert offered("FROM shop.recommend(3) WHERE wei") == ["weight", "weights"]
    assert offered("FROM shop.recommend('(', wei") == ["weights => "]
    small.execute("CREATE TABLE produce AS SELECT 1 AS a")
    try:
        words.forget()
        assert "produce" in offered("FROM prod")
    finally:
        small.execute("DROP TABLE produce")


@pytest.mark.parametrize(
    ("text", "ends"),
    [("", True), ("SELECT 1", False), ("SELECT 1;", True), ("SELECT ';", False), (".help", True),
     ("SELECT 1; SELECT 2", False), ("quit", True), ("SELECT 1 -- ;", False), ("SELEC 1;", True)],
)  # fmt: skip
def test_enter_runs_what_is_finished(text: str, ends: bool) -> None:
    assert finished(text) is ends


def test_the_shell_wants_a_terminal() -> None:
    from typer.testing import CliRunner

    from morec_sql.clients.cli import app

    done = CliRunner().invoke(app, ["shell"], input="SELECT 1;")
    assert done.exit_code == 2
    assert "it needs a terminal; `morec sql` runs what is piped in" in done.stderr
