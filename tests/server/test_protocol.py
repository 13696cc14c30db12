"""Statements, transactions, cursors and errors, as clients of PostgreSQL know them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import morec_sql
from tests.server.conftest import Served, served

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
pytestmark = pytest.mark.server
LONG = "SELECT sum(a.range * b.range) FROM range(1000000) AS a, range(1000000) AS b"


@pytest.fixture
def con(shop: Served) -> Iterator[Any]:
    with psycopg.connect(shop.dsn) as connected:
        yield connected


def test_lists_are_those_of_the_process(shop: Served, con: Any) -> None:
    query = (
        "SELECT rank, item_id, score FROM recommend({}, weights => [0.6, 0.2, 0.1, 0.1], k => 5)"
    )
    here = morec_sql.connect(shop.path, read_only=True)
    for user in (3, 8, 999):
        assert (
            con.execute(query.format("%s"), [user]).fetchall()
            == here.execute(query.format(user)).fetchall()
        )
    assert (
        con.execute(
            "SELECT item_id FROM shop.recommend(%s, filter => %s, k => %s)", [3, "price > 15", 2]
        ).fetchall()
        == here.execute(
            "SELECT item_id FROM shop.recommend(3, filter => 'price > 15', k => 2)"
        ).fetchall()
    )
    here.close()


def test_errors_have_codes_and_one_sentence(con: Any) -> None:
    for query, code, words in [
        ("SELEC 1", "42601", "syntax error"),
        ("SELECT nope FROM products", "42703", "nope"),
        ("SELECT * FROM nope", "42P01", "nope"),
        ("SELECT * FROM nope.nope", "42P01", "nope"),
        ("SELECT recomend(3)", "42883", "did you mean 'recommend'"),
        ("SELECT CAST('x' AS INTEGER)", "22P02", "'x'"),
        ("SELECT CAST(300 AS TINYINT)", "22P02", "300"),
        ("SELECT * FROM recommend(3, weights => [1])", "22023", "weights: "),
        ("SELECT * FROM recommend(3, filter => 'nope > 1')", "22023", "filter: "),
        ("SELECT * FROM recommend(3, weights => {nope: 1})", "22023", "nope"),
        ("INSERT INTO products VALUES (1)", "42501", "read only"),
        ("SAVEPOINT a; ROLLBACK TO b", "3B001", "b"),
        ("SELECT 1; SELECT nope", "42703", "nope"),
    ]:
        with pytest.raises(psycopg.Error) as raised:
            con.execute(query)
        con.rollback()
        assert raised.value.sqlstate == code, query
        message = raised.value.diag.message_primary
        assert words in message, query
        assert "\n" not in message
        assert "MorecError" not in message


def test_an_error_shows_its_place(con: Any) -> None:
    with pytest.raises(psycopg.Error) as raised:
        con.execute("SELECT title,\n  nope FROM products")
    assert raised.value.diag.statement_position == "17"


def test_a_transaction_that_failed_waits_for_its_end(con: Any) -> None:
    con.execute("SELECT 1")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        con.execute("SELECT nope")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        con.execute("SELECT 1")
    con.rollback()
    assert con.execute("SELECT 1").fetchone() == (1,)
    # what COMMIT ends is rolled back
    with pytest.raises(psycopg.errors.UndefinedColumn):
        con.execute("SELECT nope")
    assert con.execute("COMMIT").statusmessage == "ROLLBACK"
    with con.transaction(), pytest.raises(psycopg.errors.UndefinedColumn), con.transaction():
        con.execute("SELECT nope")


def test_prepared_statements_cursors_and_pipelines(con: Any) -> None:
    for number in range(8):
        assert con.execute("SELECT %s::INT + 1", [number], prepare=True).fetchone() == (number + 1,)
    with con.cursor(name="some") as cursor:
        cursor.execute("SELECT i FROM range(1000) AS t(i)")
        assert [row[0] for row in cursor.fetchmany(3)] == [0, 1, 2]
        # other statements may come between
        assert con.execute("SELECT 7").fetchone() == (7,)
        assert len(cursor.fetchall()) == 997
    con.commit()
    con.autocommit = True
    with con.pipeline():
        first, second = con.execute("SELECT 1"), con.execute("SELECT 2")
        assert (first.fetchone(), second.fetchone()) == ((1,), (2,))

    def failing() -> None:
        with con.pipeline():
            con.execute("SELECT nope")
            con.execute("SELECT 1")

    with pytest.raises(psycopg.errors.UndefinedColumn):
        failing()
    assert con.execute("SELECT 3").fetchone() == (3,)


def test_several_statements_in_one_text(con: Any) -> None:
    con.autocommit = True
    cursor = con.execute("SELECT 1; -- nothing;\n; SELECT ';' AS two; /* ; */ SELECT $$;$$")
    found = [cursor.fetchall()]
    while cursor.nextset():
        found.append(cursor.fetchall())
    assert found == [[(1,)], [(";",)], [(";",)]]
    assert con.execute("").statusmessage is None
    assert con.execute(" ; ").statusmessage is None


def test_a_cancelled_statement_ends(con: Any) -> None:
    con.autocommit = True
    asked: list[float] = []

    def cancel() -> None:
        time.sleep(0.3)
        asked.append(time.monotonic())
        con.cancel_safe()

    other = threading.Thread(target=cancel)
    other.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        con.execute(LONG)
    # the figure itself is of benchmarks/server.py
    assert time.monotonic() - asked[0] < 1
    other.join()
    assert con.execute("SELECT 1").fetchone() == (1,)


def test_functions_of_ours_are_cancelled_too(shop: Served, con: Any) -> None:
    con.autocommit = True
    threading.Timer(1.0, con.cancel_safe).start()
    begun = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled):
        con.execute("SELECT * FROM shop.pareto(algorithm => 'nsga2', budget => 100000)")
    assert time.monotonic() - begun < 8


def test_statements_have_a_time_limit(con: Any) -> None:
    con.autocommit = True
    con.execute("SET statement_timeout = '300ms'")
    assert con.execute("SHOW statement_timeout").fetchone() == ("300ms",)
    with pytest.raises(psycopg.errors.QueryCanceled, match=r"more than 0\.3 seconds"):
        con.execute(LONG)
    with pytest.raises(psycopg.Error, match="no time"):
        con.execute("SET statement_timeout = 'soon'")


def test_settings_are_of_the_session(con: Any) -> None:
    con.autocommit = True
    con.execute("SET application_name TO 'a tool'")
    assert con.execute("SHOW application_name").fetchone() == ("a tool",)
    assert con.info.parameter_status("application_name") == "a tool"
    assert con.execute("SELECT current_setting('application_name')").fetchone() == ("a tool",)
    assert con.execute("SELECT set_config('search_path', 'shop', false)").fetchone() == ("shop",)
    con.execute("SET search_path = shop")
    assert con.execute("SELECT count(*) > 0 FROM versions").fetchone() == (True,)
    assert con.execute("SELECT current_user").fetchone() == ("ana",)
    for query in ("SET threads = 1", "SET enable_external_access = true", "SET ROLE admin",
                  "SET SESSION AUTHORIZATION admin"):  # fmt: skip
        with pytest.raises(psycopg.Error):
            con.execute(query)
    con.execute("RESET ALL")
    con.execute("DISCARD ALL")
    assert con.execute("SHOW application_name").fetchone() == ("",)


def test_what_writes_where_it_may(own: Path) -> None:
    with served(own, "--allow-write") as running:
        with psycopg.connect(running.dsn, autocommit=True) as con:
            assert (
                con.execute("CREATE TABLE t (i INTEGER, s VARCHAR)").statusmessage == "CREATE TABLE"
            )
            cursor = con.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
            assert cursor.statusmessage == "INSERT 0 2"
            assert con.execute("INSERT INTO t SELECT 3, 'c' RETURNING i").fetchall() == [(3,)]
            assert con.execute("UPDATE t SET s = %s WHERE i > %s", ["x", 1]).rowcount == 2
            assert con.execute("DELETE FROM t WHERE i = 1").statusmessage == "DELETE 1"
            # all of a text, or none
            with pytest.raises(psycopg.errors.UndefinedColumn):
                con.execute("INSERT INTO t VALUES (9, 'z'); SELECT nope")
            con.autocommit = False
            con.execute("INSERT INTO t VALUES (8, 'y')")
            con.rollback()
            assert con.execute("SELECT i FROM t ORDER BY i").fetchall() == [(2,), (3,)]
            con.commit()
            # events count at once, and a recommender is made anew
            con.autocommit = True
            before = con.execute("SELECT count(*) FROM shop.events").fetchone()[0]
            con.execute("INSERT INTO orders VALUES (3, 5, TIMESTAMP '2024-06-01', 1)")
            assert con.execute("SELECT count(*) FROM shop.events").fetchone() == (before + 1,)
            stages = con.execute("SELECT * FROM refresh_recommender('shop')").fetchall()
            assert stages
            with pytest.raises(psycopg.Error):
                con.execute("COPY t TO '/tmp/x.csv'")
        with psycopg.connect(running.dsn) as con:
            assert con.execute("SELECT count(*) FROM t").fetchone() == (2,)
