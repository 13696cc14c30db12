"""Ten thousand sessions with something changed in each, against a server: it must not notice.

python benchmarks/fuzz.py [sessions]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import morec_sql
from morec_sql.server import users

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.conftest import CREATE_SMALL, SMALL
from tests.server import fuzz

PASSWORD = "a long password"


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    path = Path(tempfile.mkdtemp()) / "small.duckdb"
    with morec_sql.connect(path) as con:
        con.execute(SMALL)
        con.execute(CREATE_SMALL).fetchall()
    users.write(users.users_file(path), {"ana": users.verifier(PASSWORD)})
    server = subprocess.Popen(
        [Path(sys.executable).parent / "morec", "serve", path, "--port", "0", "--no-log"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    port = int(server.stdout.readline().split(";")[0].rsplit(":", 1)[1])

    def state() -> str:
        threads = len(os.listdir(f"/proc/{server.pid}/task"))
        pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
        return f"{pages * os.sysconf('SC_PAGE_SIZE') / 2**20:.0f} MiB, {threads} threads"

    begun = time.perf_counter()
    for done in range(0, wanted, 1000):
        print(f"{done} sessions: {state()}", flush=True)
        fuzz.fuzz(port, PASSWORD, min(1000, wanted - done), seed=done)
    time.sleep(5)
    took = time.perf_counter() - begun
    print(f"{wanted} sessions in {took:.0f} s: {state()}, exit code {server.poll()}")
    server.terminate()
    server.wait()


if __name__ == "__main__":
    main()
