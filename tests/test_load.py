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


def of_a_shop(tmp_path: Path, code: str, seconds: float = 50) -> str:
    """Run Python by itself with the file of the small shop, and return what it prints."""
    path = tmp_path / "a.duckdb"
    con = morec_sql.connect(path)
    con.execute(SMALL)
    con.execute(CREATE_SMALL).fetchall()
    con.close()
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, timeout=seconds
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


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
    with pytest.raises(duckdb.Error, match=r"name: 'shop' cannot be written.*read-only"):
        create(con, replace="true")
    for call in (
        "refresh_recommender('shop')",
        "refresh_items('shop')",
        "refresh_objectives('shop')",
        "use_version('shop', 1)",
        "keep_lists('shop')",
        "drop_recommender('shop')",
    ):
        with pytest.raises(duckdb.Error, match=r"name: 'shop' cannot be written.*read-only"):
            con.execute(f"FROM {call}").fetchall()
    con.close()

    # under another name, beside another database
    con = morec_sql.connect()
    con.execute(f"ATTACH '{path}' AS other (READ_ONLY); USE other")
    assert con.execute("SELECT item_id FROM recommend(3)").fetchall() == here
    con.close()


def test_the_interface_is_loaded_without_what_trains() -> None:
    code = (
        "import sys, morec_sql; morec_sql.connect(); print({'torch', 'sklearn'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


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


def test_nothing_is_written_before_there_is_a_recommender(tmp_path: Path) -> None:
    con = morec_sql.connect(tmp_path / "a.duckdb")
    con.execute("CREATE TABLE precious AS SELECT 1 AS a")
    con.close()
    plain = duckdb.connect(tmp_path / "a.duckdb")
    macros = "SELECT count(*) FROM duckdb_functions() WHERE database_name = 'a'"
    assert plain.execute(macros).fetchall() == [(0,)]
    plain.execute(f"EXPORT DATABASE '{tmp_path / 'out'}'")
    other = duckdb.connect()
    other.execute(f"IMPORT DATABASE '{tmp_path / 'out'}'")
    assert other.execute("FROM precious").fetchall() == [(1,)]


EXPORTED = """
import sys, duckdb
folder = sys.argv[1]
con = duckdb.connect(f"{folder}/a.duckdb", read_only=True)
con.execute(f"EXPORT DATABASE '{folder}/out' (FORMAT parquet)")
con.close()
con = duckdb.connect(f"{folder}/c.duckdb")
con.execute(f"IMPORT DATABASE '{folder}/out'")
assert con.execute("SELECT count(*) FROM orders").fetchall() == [(1200,)]
try:
    con.execute("FROM recommend(7)")
    raise SystemExit("it answered")
except duckdb.CatalogException as error:
    assert "morec" in str(error)
con.close()
con = duckdb.connect(f"{folder}/d.duckdb")
con.execute(f"ATTACH '{folder}/a.duckdb' AS a (READ_ONLY)")
con.execute("COPY FROM DATABASE a TO d")
assert con.execute("SELECT count(*) FROM orders").fetchall() == [(1200,)]
"""


def test_a_recommender_is_exported_without_us_and_imported_with_us(tmp_path: Path) -> None:
    con = morec_sql.connect(tmp_path / "a.duckdb")
    con.execute(SMALL)
    con.execute(CREATE_SMALL).fetchall()
    here = con.execute("FROM recommend(7)").fetchall()
    con.close()
    done = subprocess.run([sys.executable, "-c", EXPORTED, str(tmp_path)], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    con = morec_sql.connect(tmp_path / "b.duckdb")
    con.execute(f"IMPORT DATABASE '{tmp_path / 'out'}'")
    assert con.execute("FROM recommend(7)").fetchall() == here
    con.execute("FROM refresh_recommender('shop')").fetchall()
    assert con.execute("FROM recommend(7)").fetchall() == here
    con.execute("FROM drop_recommender('shop')").fetchall()
    assert con.execute("SHOW TABLES").fetchall() == [("orders",), ("products",)]
    con.close()
    # and copied, or imported before, without us
    for name in ("c", "d"):
        con = morec_sql.connect(tmp_path / f"{name}.duckdb")
        assert con.execute("FROM recommend(7)").fetchall() == here
        con.close()


def test_a_recommender_answers_in_its_own_database(tmp_path: Path) -> None:
    lists = {}
    for name, shift in (("prod", 0), ("staging", 5)):
        con = morec_sql.connect(tmp_path / f"{name}.duckdb")
        con.execute(SMALL)
        con.execute(f"UPDATE orders SET product_id = (product_id + {shift}) % 20")
        con.execute(CREATE_SMALL).fetchall()
        lists[name] = con.execute("FROM shop.recommend(7)").fetchall()
        con.close()
    con = morec_sql.connect(tmp_path / "prod.duckdb")
    con.execute(f"ATTACH '{tmp_path / 'staging.duckdb'}'")
    with pytest.raises(duckdb.Error, match="'shop' of the database 'staging' answers where that"):
        con.execute("FROM staging.shop.recommend(7)").fetchall()
    with pytest.raises(duckdb.Error, match="'shop' of the database 'staging' answers where that"):
        con.execute("FROM staging.shop.evaluate()").fetchall()
    for name in ("staging", "prod", "staging"):
        con.execute(f"USE {name}")
        assert con.execute("FROM shop.recommend(7)").fetchall() == lists[name]
        assert con.execute("FROM recommend(7)").fetchall() == lists[name]
    con.close()


GOES_ON = """
import gc, sys, threading, duckdb, morec_sql
path = sys.argv[1]
one = duckdb.connect(path)
morec_sql.load(one)
two = duckdb.connect(path)
here = two.execute("FROM recommend(7)").fetchall()
one.close()
del one
gc.collect()
assert two.execute("FROM recommend(7)").fetchall() == here
threads = [threading.Thread(target=lambda: two.cursor().execute("FROM recommend(8)").fetchall())
           for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
two.close()
gc.collect()
three = morec_sql.connect(path)
assert three.execute("FROM recommend(7)").fetchall() == here
other = morec_sql.connect()
other.execute("CREATE TABLE t AS SELECT 1 AS a")
other.close()
assert three.execute("FROM recommend(7)").fetchall() == here
"""


def test_a_connection_may_be_closed_while_others_go_on(tmp_path: Path) -> None:
    of_a_shop(tmp_path, GOES_ON)


@pytest.mark.parametrize("ends", ["con.close()", "del con"])
def test_a_file_is_free_when_its_connection_is_gone(tmp_path: Path, ends: str) -> None:
    """Connections of our own wait for the next query, and do not hold the file meanwhile."""
    path = tmp_path / "a.duckdb"
    con = morec_sql.connect(path)
    con.execute(SMALL)
    con.execute(CREATE_SMALL).fetchall()
    con.execute("FROM recommend(7, filter => 'item_id > 1')").fetchall()
    if ends == "del con":
        del con
    else:
        con.close()
    # another configuration is refused as long as the file is open
    duckdb.connect(str(path), config={"threads": 1}).close()


def test_a_database_may_be_detached_and_attached_between_queries(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    con = morec_sql.connect(path)
    con.execute(SMALL)
    con.execute(CREATE_SMALL).fetchall()
    con.close()
    con = morec_sql.connect()
    lists = []
    for name in ("a", "a", "b"):
        con.execute(f"ATTACH '{path}' AS {name}; USE {name}")
        lists.append(con.execute("FROM shop.recommend(7, filter => 'item_id > 1')").fetchall())
        con.execute(f"USE memory; DETACH {name}")
    assert lists[0] == lists[1] == lists[2] != []


TRACED = """
import sys, morec_sql
con = morec_sql.connect(sys.argv[1])
users = "(SELECT i AS user_id FROM range(20000) AS t(i))"
con.execute(f"SELECT count(*) FROM {users} AS u, recommend(u.user_id)").fetchall()
calls = []
sys.settrace(lambda frame, *_: calls.append(frame.f_code.co_name))
def called(): pass
called()
sys.settrace(None)
assert "called" in calls
"""


def test_a_debugger_can_go_on_after_a_list(tmp_path: Path) -> None:
    """Python 3.11 hung in traced calls after a function had run in a thread of DuckDB's."""
    of_a_shop(tmp_path, TRACED)


INTERRUPTED = """
import os, signal, sys, threading, time, morec_sql
from morec_sql.udfs.ranking import lists
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where all this is in the background
con = morec_sql.connect(sys.argv[1])
con.execute("SET enable_progress_bar = false")
at_work, rank = threading.Event(), lists.rank
def slow(*arguments, **more):
    at_work.set()
    for _ in range(6000):
        time.sleep(0.01)
    return rank(*arguments, **more)
import morec_sql.answer.ranked as ranked
ranked.rank = slow
threading.Thread(target=lambda: (at_work.wait(), os.kill(os.getpid(), signal.SIGINT))).start()
users = "(SELECT i AS user_id FROM range(20000) AS t(i))"
try:
    con.execute(f"SELECT count(*) FROM {users} AS u, shop.recommend(u.user_id)").fetchall()
except BaseException as error:
    print(type(error).__name__)
ranked.rank = rank
assert len(con.execute("FROM shop.recommend(7)").fetchall()) == 10
"""


def test_an_interrupt_ends_what_runs_in_any_thread(tmp_path: Path) -> None:
    # alone, each of the threads would sleep for a minute
    assert of_a_shop(tmp_path, INTERRUPTED) in (
        "KeyboardInterrupt", "RuntimeError", "InvalidInputException", "InterruptException",
    )  # fmt: skip
