"""Another file is put in the place of the one that is served: it is taken up without a stop."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import morec_sql
from tests.server.conftest import Served, add_user, served

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
pytestmark = pytest.mark.server


def replace(path: Path, *statements: str) -> None:
    """Put a copy in the place of a warehouse, changed by some statements."""
    copy = path.with_name("next.duckdb")
    shutil.copy(path, copy)
    con = morec_sql.connect(copy)
    for statement in statements:
        con.execute(statement)
    con.close()
    os.replace(copy, path)


def awaited(ask: Callable[[], Any], wanted: Any, seconds: float = 30) -> Any:
    """What is answered in the end, when it is what is wanted or the time is over."""
    until = time.monotonic() + seconds
    while (found := ask()) != wanted and time.monotonic() < until:
        time.sleep(0.2)
    return found


def deleted(process: subprocess.Popen[str]) -> int:
    """How many files a server has open that are there no more."""
    found = 0
    for one in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # it may be closed since
            found += os.readlink(one).endswith(".duckdb (deleted)")
    return found


def orders(con: Any) -> int:
    return int(con.execute("SELECT count(*) FROM orders").fetchone()[0])


def test_sessions_go_on_with_what_is_there_now(own: Path) -> None:
    with served(own) as running, contextlib.ExitStack() as stack:
        connect = lambda **more: stack.enter_context(psycopg.connect(running.dsn, **more))  # noqa: E731
        plain, reading, prepared = connect(autocommit=True), connect(), connect(autocommit=True)
        before = orders(plain)
        assert orders(reading) == before  # in a transaction
        plain.execute("SET search_path = shop")
        plain.execute("SET statement_timeout = '77s'")
        ask = "SELECT item_id FROM shop.recommend(%s, k => 3)"
        lists = prepared.execute(ask, [7], prepare=True).fetchall()
        replace(
            own,
            "DELETE FROM orders WHERE customer_id = 7",
            "CREATE TABLE fresh AS SELECT 1 AS x",
            "FROM refresh_recommender('shop')",
        )
        fewer = awaited(lambda: orders(plain) < before, True)
        assert fewer
        # what was set stays, and what is there now is shown and asked
        assert plain.execute("SHOW statement_timeout").fetchone() == ("77s",)
        assert plain.execute("SELECT count(*) FROM versions").fetchone() == (2,)
        assert plain.execute("SELECT x FROM fresh").fetchone() == (1,)
        tables = "SELECT count(*) FROM pg_class WHERE relname = 'fresh'"
        assert plain.execute(tables).fetchone() == (1,)
        assert prepared.execute(ask, [7], prepare=True).fetchall() != lists
        # a transaction sees what it began with, and the next one what there is
        assert orders(reading) == before
        # what was opened beside has lost that name of its
        assert deleted(running.process) == 2
        reading.commit()
        assert orders(reading) < before
        assert awaited(lambda: deleted(running.process), 1) == 1


def test_what_cannot_be_served_is_not(own: Path) -> None:
    with served(own) as running, psycopg.connect(running.dsn, autocommit=True) as con:
        before = orders(con)
        kept = own.with_name("kept.duckdb")
        shutil.copy(own, kept)
        broken = own.with_name("broken")
        broken.write_text("no warehouse")
        os.replace(broken, own)
        said = "was replaced and cannot be served"
        assert awaited(lambda: said in running.log.read_text(), True)
        assert orders(con) == before
        with psycopg.connect(running.dsn) as other:
            assert orders(other) == before
        # gone for a while, and then there again
        own.unlink()
        time.sleep(2.5)
        assert orders(con) == before
        shutil.copy(kept, own)
        replace(own, "DELETE FROM orders WHERE customer_id = 7")
        assert awaited(lambda: orders(con) < before, True)


def test_roles_see_what_is_there_now(own: Path, tmp_path: Path) -> None:
    add_user(own, "bob")
    config = tmp_path / "roles.toml"
    config.write_text(
        "[roles.analyst]\nusers = ['bob']\n[roles.analyst.rows]\norders = 'customer_id > 9'\n"
    )
    with served(own, "--config", str(config)) as running:
        bob = Served.dsn.fget(running).replace("user=ana", "user=bob")  # type: ignore[attr-defined]
        with psycopg.connect(bob, autocommit=True) as con:
            before = orders(con)
            listed = con.execute("SELECT count(*) FROM shop.recommend(12, k => 3)").fetchone()
            replace(own, "DELETE FROM orders WHERE customer_id IN (3, 33)")
            assert awaited(lambda: orders(con) < before, True)
            least = con.execute("SELECT min(customer_id) FROM orders").fetchone()
            assert least == (10,)
            again = con.execute("SELECT count(*) FROM shop.recommend(12, k => 3)").fetchone()
            assert again == listed == (3,)
            with pytest.raises(psycopg.Error):
                con.execute("FROM small.main.orders")
