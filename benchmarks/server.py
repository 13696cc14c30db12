"""What the server costs: a list for one user, many clients at once, a million rows, a cancel.

    python benchmarks/server.py warehouse.duckdb

The warehouse is one of `morec demo`, or any with a recommender whose users are numbers.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg

import morec_sql
from morec_sql.server import users

PASSWORD = "a long password"
ROWS = """
SELECT
    i, i * 1.5 AS price, 'name ' || i AS name,
    DATE '2024-01-01' + CAST(i % 300 AS INTEGER) AS day, i % 7 = 0 AS new
FROM range(1000000) AS t(i)
"""
LONG = "SELECT sum(a.range * b.range) FROM range(1000000) AS a, range(1000000) AS b"


def milliseconds(work: Callable[[int], object], times: int = 60) -> float:
    """The median time of some work."""
    took = []
    for number in range(times):
        begun = time.perf_counter()
        work(number)
        took.append(time.perf_counter() - begun)
    return 1000 * statistics.median(took)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("warehouse", type=Path)
    path = parser.parse_args().warehouse
    file = Path(tempfile.mkdtemp()) / "users.toml"
    users.write(file, {"ana": users.verifier(PASSWORD)})
    server = subprocess.Popen(
        [Path(sys.executable).parent / "morec", "serve", path, "--port", "0", "--no-log",
         "--users", file],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    found = re.search(r":(\d+);", server.stdout.readline())
    assert found is not None
    dsn = f"host=127.0.0.1 port={found[1]} user=ana password='{PASSWORD}' dbname={path.stem}"
    try:
        measure(path, dsn)
    finally:
        server.terminate()
        server.wait()


def measure(path: Path, dsn: str) -> None:
    here = morec_sql.connect(path, read_only=True)
    known = [row[0] for row in here.execute(
        "SELECT DISTINCT user_id FROM shop.events ORDER BY ALL LIMIT 200").fetchall()]  # fmt: skip
    query = "SELECT * FROM recommend({}, k => 10)"

    def in_process(number: int) -> object:
        return here.sql(query.format(known[number % len(known)])).fetchall()

    with psycopg.connect(dsn, autocommit=True) as con:

        def served(number: int) -> object:
            return con.execute(query.format(known[number % len(known)])).fetchall()  # type: ignore[arg-type]

        in_process(0)
        served(0)
        for _ in range(2):
            alone, through = milliseconds(in_process), milliseconds(served)
        print(
            f"a list for one user: {alone:.1f} ms in process, {through:.1f} ms through the server"
        )

        asked: list[float] = []

        def cancel() -> None:
            time.sleep(0.5)
            asked.append(time.perf_counter())
            con.cancel_safe()

        late = []
        for _ in range(5):
            other = threading.Thread(target=cancel)
            other.start()
            try:
                con.execute(LONG)
            except psycopg.errors.QueryCanceled:
                late.append(1000 * (time.perf_counter() - asked[-1]))
            other.join()
        print(f"a cancelled statement ends after {statistics.median(late):.0f} ms")

    def of_process(number: int) -> None:
        with here.cursor() as cursor:
            for user in known[number::32]:
                cursor.sql(query.format(user)).fetchall()

    def of_client(number: int) -> None:
        with psycopg.connect(dsn, autocommit=True) as con:
            ready.wait()
            for user in known[number::32]:
                con.execute(query.format(user)).fetchall()  # type: ignore[arg-type]

    for _ in range(2):
        begun = time.perf_counter()
        with ThreadPoolExecutor(32) as pool:
            list(pool.map(of_process, range(32)))
        process = len(known) / (time.perf_counter() - begun)
        ready = threading.Barrier(33)
        with ThreadPoolExecutor(32) as pool:
            clients = [pool.submit(of_client, number) for number in range(32)]
            ready.wait()
            begun = time.perf_counter()
            for client in clients:
                client.result()
        through = len(known) / (time.perf_counter() - begun)
    ratio = through / process
    print(
        f"32 at once: {process:.0f} lists/s in process, {through:.0f} by the server ({ratio:.2f})"
    )

    for _ in range(2):
        begun = time.perf_counter()
        done = subprocess.run(["psql", dsn, "-XAtq", "-c", ROWS], stdout=subprocess.PIPE)
        took = time.perf_counter() - begun
    size = len(done.stdout) / 2**20
    print(f"a million rows to psql: {took:.1f} s, {size:.0f} MiB of text, {size / took:.0f} MiB/s")
    for _ in range(2):
        begun = time.perf_counter()
        done = subprocess.run(
            ["psql", dsn, "-XAtq", "-c", f"COPY ({ROWS}) TO STDOUT"], stdout=subprocess.PIPE
        )
        took = time.perf_counter() - begun
    print(f"the same by COPY: {took:.1f} s, {len(done.stdout) / took / 2**20:.0f} MiB/s")


if __name__ == "__main__":
    main()
