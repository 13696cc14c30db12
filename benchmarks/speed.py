"""How fast lists come, end to end from SQL, beside what only multiplies and sorts.

    pip install -c constraints.txt faiss-cpu usearch pandas   # the peers
    python benchmarks/speed.py              # 100,000 users, 68,260 items
    python benchmarks/speed.py 1e6          # time and memory of lists for a million users
    python benchmarks/speed.py 5e6 1e6 1e8  # of training on so many users, items and events
    python benchmarks/speed.py scale        # by users, items and threads

Generated events with skew: the activity of users is log-normal, items follow Zipf within tastes.
Peers get the vectors of users and items ready in memory and return bare indices; ours read the
events, make the user vectors, weigh three objectives, leave nothing out and return rows.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import torch

import morec_sql
from morec_sql.udfs.table import Table
from morec_sql.udfs.topk import Given

USERS, ITEMS, EVENTS = 100_000, 68_260, 3_000_000
TASTES = 256
DAY = 86_400
CREATE = """
    SELECT * FROM create_recommender(
        'shop',
        events => 'events',
        event_time => 'happened_at',
        items => 'products',
        objectives => {{
            'relevance': NULL,
            'margin': 'price - cost',
            'novelty': NULL,
            'diversity': 'diversity(category)'
        }},
        weights => {{relevance: 0.6, margin: 0.3, novelty: 0.1}}{more}
    )
"""
# one model whatever would be chosen, so that figures can be compared; and the widest
NARROW = ", dimensions => 64, relevance => {neighbour_weight: 0}"
WIDE = ", dimensions => 512, relevance => {neighbour_weight: 1}, replace => true"
BATCH = """
    SELECT count(*), sum(r.score)
    FROM (SELECT DISTINCT user_id FROM events WHERE user_id < {}) AS u,
        shop.recommend(u.user_id{}) AS r
"""


def generate(con: duckdb.DuckDBPyConnection, users: int, items: int, events: int) -> None:
    """Make the tables events and products."""
    generator = np.random.default_rng(1)
    activity = generator.lognormal(0, 1, users)
    user = np.repeat(np.arange(users), generator.multinomial(events, activity / activity.sum()))
    tastes = generator.integers(0, TASTES, (users, 3))
    taste = tastes[user, generator.integers(0, 3, len(user))]
    any_taste = generator.random(len(user)) < 0.2
    taste[any_taste] = generator.integers(0, TASTES, any_taste.sum())
    # the rank within the taste follows Zipf's law
    rank = ((items // TASTES) ** generator.random(len(user))).astype(np.int64) - 1
    item = generator.permutation(items)[taste + TASTES * rank]
    second = generator.integers(0, 365 * DAY, len(user))
    con.register("drawn", pa.table({"user_id": user, "item_id": item, "second": second}))
    con.execute(
        "CREATE TABLE events AS SELECT user_id, item_id,"
        " TIMESTAMP '2025-01-01' + to_seconds(second) AS happened_at FROM drawn ORDER BY second"
    )
    con.unregister("drawn")
    con.execute(f"""
        CREATE TABLE products AS
        SELECT
            i AS item_id,
            1 + hash(i) % 1000 / 100.0 AS price,
            price * (0.3 + hash(-i) % 500 / 1000.0) AS cost,
            'c' || hash(i + 0.5) % 100 AS category
        FROM range({items}) AS t(i)
    """)


def best(work: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of several runs."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def seconds_of(con: duckdb.DuckDBPyConnection, query: str, times: int) -> float:
    """Seconds of the fastest of several runs of a query."""
    return best(lambda: con.execute(query).fetchall(), times)


def peers(con: duckdb.DuckDBPyConnection, few: int | None = None) -> dict[str, float]:
    """Users per second of what ranks by plain vectors, the first `few`, in this process."""
    import faiss
    import pandas as pd
    from implicit.cpu.topk import topk
    from usearch.index import MetricKind, search

    items = np.stack(
        con.execute("SELECT decoder FROM shop.item_vectors ORDER BY item_index").fetchnumpy()[
            "decoder"
        ]
    ).astype(np.float32)
    generator = np.random.default_rng(0)
    users = items[generator.integers(0, len(items), (8192, 20))].mean(axis=1)
    rows, columns = torch.from_numpy(users), torch.from_numpy(items)

    def gemm() -> None:
        out = torch.empty((2048, 1024))
        for first in range(0, len(users), 2048):
            for start in range(0, len(items) - 1023, 1024):
                torch.mm(rows[first : first + 2048], columns[start : start + 1024].T, out=out)

    def in_torch() -> None:
        for first in range(0, len(users), 64):
            (rows[first : first + 64] @ columns.T).topk(10)

    def in_sql() -> None:
        con.execute("""
            SELECT u, max_by(item_index, list_inner_product(v, CAST(decoder AS FLOAT[])), 10)
            FROM plain_users, shop.item_vectors GROUP BY u
        """).fetchall()

    def by_nearest_join() -> None:
        con.execute("""
            SELECT u, item_index FROM plain_users
            JOIN shop.item_vectors
            NEAREST 10 BY SIMILARITY list_inner_product(v, CAST(decoder AS FLOAT[]))
        """).fetchall()

    margin = con.execute("SELECT price - cost FROM products ORDER BY item_id").fetchnumpy()
    catalogue = pd.DataFrame({"margin": np.asarray(next(iter(margin.values())), np.float32)})
    catalogue["novelty"] = np.linalg.norm(items, axis=1)

    def in_pandas() -> None:
        for user in users[:64]:
            frame = catalogue.assign(relevance=items @ user)
            frame = (frame - frame.mean()) / frame.std()
            frame["score"] = 0.6 * frame.relevance + 0.3 * frame.margin + 0.1 * frame.novelty
            frame.nlargest(10, "score")

    con.register("few", pa.table({"u": np.arange(16), "v": list(users[:16])}))
    con.execute(
        "CREATE OR REPLACE TEMP TABLE plain_users AS SELECT u, CAST(v AS FLOAT[]) AS v FROM few"
    )
    inner = faiss.METRIC_INNER_PRODUCT
    tasks: dict[str, tuple[Callable[[], object], int]] = {
        "float32 GEMM alone, blocked": (gemm, 8192),
        "faiss.knn": (lambda: faiss.knn(users, items, 10, metric=inner), 8192),
        "torch, GEMM and topk": (in_torch, 8192),
        "implicit": (lambda: topk(items, users, 10, num_threads=2), 8192),
        "usearch, exact": (
            lambda: search(items, users[:512], 10, MetricKind.IP, exact=True, threads=2), 512,
        ),
        "pandas, three objectives": (in_pandas, 64),
        "DuckDB, list_inner_product": (in_sql, 16),
        "DuckDB, NEAREST join": (by_nearest_join, 16),
    }  # fmt: skip
    speeds = {}
    for name, (work, count) in list(tasks.items())[:few]:
        try:
            speeds[name] = count / best(work)
        except Exception as error:  # a peer that fails is reported, and the others go on
            print(f"{name}: {error}", file=sys.stderr)
    return speeds


def peak() -> float:
    """The most memory that this process has held so far, in GiB."""
    # not ru_maxrss, which a new process takes over from the one that started it
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 2**20


def make(path: str, users: int, items: int, events: int) -> None:
    """Generate a database."""
    with duckdb.connect(path) as con:
        con.execute("SET enable_progress_bar = false")
        generate(con, users, items, events)


def train(path: str, events: int) -> None:
    """Print the time and memory of training, stage by stage."""
    con = morec_sql.connect(path)
    con.execute("SET enable_progress_bar = false")
    began = time.perf_counter()
    stages = con.execute(CREATE.format(more="")).fetchall()
    seconds = time.perf_counter() - began
    print(f"training on {events:,} events: {seconds:.0f} s, peak {peak():.2f} GiB")
    print(", ".join(f"{stage} {took:.0f} s" for stage, _, took in stages if took), flush=True)


def list_all(path: str) -> None:
    """Print the time and memory of a list for every user, streamed."""
    con = morec_sql.connect(path)
    con.execute("SET enable_progress_bar = false")
    began = time.perf_counter()
    query = (
        "SELECT u.user_id, r.* FROM (SELECT DISTINCT user_id FROM events) AS u,"
        " shop.recommend(u.user_id) AS r"
    )
    rows = sum(batch.num_rows for batch in con.sql(query).to_arrow_reader(100_000))
    print(f"{rows:,} rows, {time.perf_counter() - began:.0f} s, peak {peak():.2f} GiB", flush=True)
    single(con)


def single(con: duckdb.DuckDBPyConnection) -> None:
    """Print how long one user's list takes, without and with an index on the events."""
    con.execute("DROP INDEX IF EXISTS of_users")
    for more in ("", ", with an index"):
        if more:
            con.execute("CREATE INDEX of_users ON events (user_id)")
        seconds = [seconds_of(con, f"FROM recommend({user})", 1) for user in range(1000, 1200)]
        milliseconds = 1000 * float(np.median(seconds))
        print(f"one user{more}: {milliseconds:.1f} ms, median of {len(seconds)}", flush=True)


def large(users: int, items: int, events: int) -> None:
    """Generate, train and list in a process each."""
    print(f"{users:,} users, {items:,} items")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "large.duckdb")
        work: list[tuple[Callable[..., None], tuple[object, ...]]] = [
            (make, (path, users, items, events)),
            (train, (path, events)),
            (list_all, (path,)),
        ]
        for function, arguments in work:
            process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(process.exitcode)


def by_users(con: duckdb.DuckDBPyConnection, threads: int) -> None:
    """Lists for more and more users, from SQL."""
    con.execute(f"SET threads = {threads}")
    for users in (1, 10, 100, 1000, 10_000, 100_000):
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE chosen AS SELECT i AS user_id FROM range({users}) t(i)"
        )
        query = "SELECT count(*) FROM chosen, shop.recommend(chosen.user_id)"
        seconds = seconds_of(con, query, 3)
        print(f"| {threads} | {users:,} | {ITEMS:,} | {1000 * seconds:,.1f} |", flush=True)


def by_items(threads: int, items: int) -> None:
    """The kernel alone, against plain multiplication and selection.

    The length of the generated vectors follows a power law, as that of learnt ones does.
    """
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    none = torch.zeros(0, dtype=torch.int64)
    nothing = Given(none, none, torch.zeros(0))
    rows = torch.randn((items, 68), generator=generator)
    order = torch.randperm(items, generator=generator)
    rows[:, :64] *= (1 + order[:, None]) ** -0.5
    known = torch.randint(items, (256, 20), generator=generator)
    query = rows[known].sum(dim=1)
    query[:, :64] *= 8 / query[:, :64].norm(dim=1, keepdim=True)
    query[:, 64:] = 0.3

    table = Table.by_length(rows, (64, 1, 1, 1, 1))
    began = time.perf_counter()
    table.top(query, nothing, 10)
    built = time.perf_counter() - began
    ours = best(lambda: table.top(query, nothing, 10))
    one = best(lambda: table.top(query[:1], nothing, 10))
    plain = Table(rows)
    without = best(lambda: [plain.top(few, nothing, 10) for few in torch.split(query, 64)])
    print(
        f"| {threads} | {items:,} | {built:.1f} | {1000 * one:.1f} | {256 / ours:,.0f}"
        f" | {256 / without:,.0f} |",
        flush=True,
    )


def scale() -> None:
    """Print how time grows with users, items and threads."""
    con = morec_sql.connect()
    generate(con, USERS, ITEMS, EVENTS)
    con.execute("SET enable_progress_bar = false")
    con.execute(CREATE.format(more=NARROW)).fetchall()
    print("| threads | users | items | ms, from SQL |\n|---|---|---|---|")
    for threads in (1, 2):
        by_users(con, threads)
    con.close()
    print(
        "\n| threads | items | s, first call | ms, one user | users per second | all multiplied |"
        "\n|---|---|---|---|---|---|"
    )
    for threads in (1, 2):
        for items in (10_000, 100_000, 1_000_000):
            by_items(threads, items)
    by_items(2, 10_000_000)
    print(f"\npeak {peak():.1f} GiB")


def main() -> None:
    """Run all comparisons and print the table."""
    if sys.argv[1:] == ["scale"]:
        scale()
        return
    if len(sys.argv) > 1:
        users, *rest = (int(float(text)) for text in sys.argv[1:])
        large(users, rest[0] if rest else ITEMS, rest[1] if rest[1:] else 10 * users)
        return
    con = morec_sql.connect()
    generate(con, USERS, ITEMS, EVENTS)
    began = time.perf_counter()
    con.execute(CREATE.format(more=NARROW)).fetchall()
    print(f"training on {EVENTS:,} events: {time.perf_counter() - began:.0f} s")
    con.execute("SELECT * FROM shop.recommend(1)").fetchall()
    ours = {
        "three objectives": "",
        "a filter that keeps 1 %": ", filter => 'category = ''c7'''",
        "with diversity": ", weights => [0.6, 0.2, 0.1, 0.1]",
    }
    users = con.execute("SELECT count(DISTINCT user_id) FROM events").fetchall()[0][0]
    speeds = {
        f"morec_sql, {name}": users / seconds_of(con, BATCH.format(USERS, more), 3)
        for name, more in ours.items()
    }
    table(speeds | peers(con))
    single(con)
    began = time.perf_counter()
    con.execute(CREATE.format(more=WIDE)).fetchall()
    print(f"\nrank 512 with neighbours: training {time.perf_counter() - began:.0f} s")
    seconds = seconds_of(con, BATCH.format(8192, ""), 2)
    table({"morec_sql, three objectives": 8192 / seconds} | peers(con, 2))
    single(con)
    print(f"peak {peak():.1f} GiB")


def table(speeds: dict[str, float]) -> None:
    """Print users per second, and against ours, the first."""
    plain = next(iter(speeds.values()))
    print("\n| | users per second | against ours |\n|---|---|---|")
    for name, speed in speeds.items():
        print(f"| {name} | {speed:,.0f} | {speed / plain:.2f} |")
    print(flush=True)


if __name__ == "__main__":
    main()
