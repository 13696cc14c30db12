"""Who comes in, what bad clients do, and that no other client notices."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.server import fuzz
from tests.server.conftest import MOREC, PASSWORD, Served, add_user, served

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
pytestmark = pytest.mark.server
LONG = "SELECT sum(a.range * b.range) FROM range(1000000) AS a, range(1000000) AS b"


def answers(shop: Served) -> bool:
    with psycopg.connect(shop.dsn, connect_timeout=10) as con:
        return bool(con.execute("SELECT 1").fetchone() == (1,))


def sessions(process: subprocess.Popen[str]) -> int:
    """How many sockets a server has open."""
    folder = Path(f"/proc/{process.pid}/fd")
    found = 0
    for one in folder.iterdir():
        with contextlib.suppress(OSError):  # it may be closed since
            found += os.readlink(one).startswith("socket:")
    return found


def memory(process: subprocess.Popen[str]) -> float:
    """Megabytes that a server holds."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def morec(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([MOREC, *arguments], input=given, capture_output=True, text=True)


def test_only_users_with_their_password_come_in(shop: Served) -> None:
    for wrong in ({"password": "wrong"}, {"user": "bob"}, {"password": ""}, {"dbname": "other"}):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(shop.dsn, **wrong)
    time.sleep(0.5)
    assert answers(shop)


def test_an_unknown_user_is_told_no_more_than_a_known_one(shop: Served) -> None:
    said = []
    for user in ("ana", "nobody"):
        with pytest.raises(psycopg.OperationalError) as raised:
            psycopg.connect(shop.dsn, user=user, password="wrong")
        said.append(str(raised.value).replace(user, "X"))
    assert said[0] == said[1]


def test_failed_logins_make_the_next_wait(own: Path) -> None:
    with served(own) as running:
        took = []
        for _ in range(5):
            begun = time.monotonic()
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(running.dsn, password="wrong")
            took.append(time.monotonic() - begun)
        assert took[4] > took[0] + 1


def test_the_file_of_users_has_no_password(own: Path) -> None:
    file = own.with_name("small.duckdb.users.toml")
    assert PASSWORD not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert morec("user", "list", str(own)).stdout == "ana\n"
    short = morec("user", "add", str(own), "bob", given="short\n")
    assert "at least 8" in short.stderr
    assert short.returncode == 2
    assert morec("user", "list", str(own)).stdout == "ana\n"
    assert "did you mean 'ana'" in morec("user", "remove", str(own), "anna").stderr
    assert morec("user", "remove", str(own), "ana").returncode == 0
    nobody = morec("serve", str(own), "--port", "0")
    assert "there are none" in nobody.stderr
    file.write_text("[users]\nana = 'plain'\n")
    assert "no verifier" in morec("serve", str(own), "--port", "0").stderr
    file.write_text("[users\n")
    assert "not TOML" in morec("serve", str(own), "--port", "0").stderr


def test_users_are_read_anew_on_a_signal(own: Path) -> None:
    with served(own) as running:
        add_user(own, "bob", "another password")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(running.dsn, user="bob", password="another password")
        running.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        with psycopg.connect(running.dsn, user="bob", password="another password") as con:
            assert con.execute("SELECT current_user").fetchone() == ("bob",)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    made, key = folder / "server.crt", folder / "server.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-keyout", key, "-out", made, "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return made, key


def test_tls(own: Path, tmp_path: Path) -> None:
    made, key = certificate(tmp_path)
    options = ("--certificate", str(made), "--key", str(key), "--require-tls")
    with served(own, *options) as running:
        with psycopg.connect(running.dsn, sslmode="verify-full", sslrootcert=str(made)) as con:
            assert con.pgconn.ssl_in_use
            assert len(con.execute("SELECT * FROM range(100000)").fetchall()) == 100_000
        with pytest.raises(psycopg.OperationalError, match="TLS"):
            psycopg.connect(running.dsn, sslmode="disable")
        # cancels come without TLS from older clients
        with psycopg.connect(running.dsn, sslmode="require", autocommit=True) as con:
            threading.Timer(0.5, con.cancel).start()
            with pytest.raises(psycopg.errors.QueryCanceled):
                con.execute(LONG)
        assert answers(running)
    assert "needs TLS" in morec("serve", str(own), "--host", "0.0.0.0", "--port", "0").stderr
    assert "cannot be used" in morec("serve", str(own), "--certificate", str(key)).stderr


def test_bad_clients_are_noticed_by_nobody_else(shop: Served) -> None:
    with psycopg.connect(shop.dsn, autocommit=True) as con:

        def begun() -> socket.socket:
            return socket.create_connection(("127.0.0.1", shop.port), timeout=10)

        silent, half = begun(), begun()
        half.sendall(b"\0\0")
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, b"\xff" * 100, struct.pack("!ii", 8, 1),
                     struct.pack("!ii", 2**31 - 1, 196608), struct.pack("!ii", 16, 80877102) + b"\0" * 8,
                     struct.pack("!ii", 8, 80877103) + b"nonsense"):  # fmt: skip
            with begun() as bad:
                bad.sendall(data)
                bad.settimeout(1)
                with contextlib.suppress(OSError):
                    bad.recv(1000)
            assert con.execute("SELECT 1").fetchone() == (1,)
        silent.close()
        half.close()


def test_large_and_deep_statements_are_refused(shop: Served) -> None:
    with psycopg.connect(shop.dsn, autocommit=True) as con:
        for statement, code in [
            ("SELECT '" + "x" * 10_000_000 + "'", "54000"),
            ("SELECT " + "(" * 10_000 + "1" + ")" * 10_000, "54000"),
            ("SELECT " + "1+" * 10_000 + "1", "54000"),
            ("SELECT " + "[" * 10_000 + "]" * 10_000, "54000"),
            ("SELECT current_user, " + "(" * 10_000 + "1" + ")" * 10_000, "54000"),
            ("SELECT * FROM pg_class WHERE " + "NOT " * 10_000 + "true", "54000"),
            ("SELECT * FROM recommend(3, filter => '" + "(" * 10_000 + "true" + ")" * 10_000 + "')", None),
            ("SELECT ;" * 10_000, "42601"),
        ]:  # fmt: skip
            begun = time.monotonic()
            with pytest.raises(psycopg.Error) as raised:
                con.execute(statement)
            assert code is None or raised.value.sqlstate == code, statement[:50]
            assert time.monotonic() - begun < 10, statement[:50]
            assert con.execute("SELECT 1").fetchone() == (1,)


def test_a_client_that_is_gone_ends_its_statement(own: Path) -> None:
    with served(own) as running:
        code = f"import psycopg; psycopg.connect({running.dsn!r}).execute({LONG!r})"
        with psycopg.connect(running.dsn, autocommit=True) as con:
            before = sessions(running.process)
            gone = subprocess.Popen([sys.executable, "-c", code])
            time.sleep(3)
            gone.kill()
            gone.wait()
            for _ in range(50):
                if sessions(running.process) <= before:
                    break
                time.sleep(0.2)
            assert sessions(running.process) <= before
            # who reads nothing holds up nobody
            deaf = psycopg.connect(running.dsn)
            deaf.pgconn.send_query(b"SELECT repeat('x', 1000) FROM range(1000000)")
            assert con.execute("SELECT count(*) FROM orders").fetchone()[0] > 0
            deaf.pgconn.finish()


def test_a_cancel_with_another_key_is_none(shop: Served) -> None:
    with psycopg.connect(shop.dsn, autocommit=True) as con:
        number = con.info.backend_pid

        def cancel() -> None:
            time.sleep(0.3)
            for secret in (0, 1, -1):
                with socket.create_connection(("127.0.0.1", shop.port)) as other:
                    other.sendall(struct.pack("!iiii", 16, 80877102, number, secret))
                    other.recv(1)

        other = threading.Thread(target=cancel)
        other.start()
        assert con.execute("SELECT sum(range) FROM range(300000000)").fetchone()
        other.join()


def test_there_are_so_many_sessions_and_no_more(own: Path) -> None:
    with served(own, "--sessions", "3") as running:
        open_ones = [psycopg.connect(running.dsn) for _ in range(3)]
        with pytest.raises(psycopg.OperationalError, match="already"):
            psycopg.connect(running.dsn)
        open_ones[0].close()
        time.sleep(0.5)
        psycopg.connect(running.dsn).close()
        for one in open_ones:
            one.close()


def test_32_clients_at_once(shop: Served) -> None:
    import morec_sql

    query = "SELECT item_id FROM recommend({}, k => 5) ORDER BY rank"
    with morec_sql.connect(shop.path, read_only=True) as here:
        alone = [[row[0] for row in here.execute(query.format(u)).fetchall()] for u in range(60)]

    def client(number: int) -> bool:
        with psycopg.connect(shop.dsn, autocommit=True) as con:
            for user in range(number % 7, 60, 7):
                found = [row[0] for row in con.execute(query.format("%s"), [user])]
                if found != alone[user]:
                    return False
                with pytest.raises(psycopg.Error):
                    con.execute("SELECT * FROM recommend(3, filter => 'nope')")
        return True

    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(client, range(32)))


def test_changed_sessions(own: Path) -> None:
    with served(own) as running:
        fuzz.fuzz(running.port, PASSWORD, 40, seed=1)
        time.sleep(1)
        before, held = sessions(running.process), memory(running.process)
        fuzz.fuzz(running.port, PASSWORD, 260, seed=2)
        for _ in range(50):
            if sessions(running.process) <= before:
                break
            time.sleep(0.2)
        assert sessions(running.process) <= before
        assert memory(running.process) < held + 100
        assert running.process.poll() is None
        assert answers(running)
        assert "in the server" not in running.log.read_text()


def test_the_server_ends_well(own: Path) -> None:
    with served(own) as running:
        con: Any = psycopg.connect(running.dsn, autocommit=True)
        running.process.terminate()
        running.process.communicate(timeout=20)
        assert running.process.returncode == 0, running.log.read_text()
        with pytest.raises(psycopg.OperationalError):
            con.execute("SELECT 1")
