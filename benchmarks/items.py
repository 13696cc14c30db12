"""How fast and how good explanations, scores, similar items and search are, from SQL.

    pip install -c constraints.txt usearch   # the peer for similar items
    python benchmarks/items.py               # Complete Journey, and search over a million texts

Complete Journey's recommender is made as in the demo. What is searched for is made from its own
texts: some words of a product's text, in half of the queries with a letter wrong; products are
relevant whose text has all of the words as they were.
"""

from __future__ import annotations

import functools
import string
import time

import duckdb
import numpy as np
from speed import best

import morec_sql
from morec_sql.arrays import matrix
from morec_sql.clients import demo
from morec_sql.templates import arrow
from morec_sql.udfs.history import Doubles, Longs
from morec_sql.udfs.ranking.pairs import PairScores

QUERIES, K = 300, 10


def explanations(con: duckdb.DuckDBPyConnection) -> None:
    """An explanation beside the list that it is about."""
    users = con.execute("SELECT DISTINCT household_id FROM orders LIMIT 30").fetchall()
    seconds: dict[str, list[float]] = {}
    for (user,) in users:
        items = [row[0] for row in con.execute(f"SELECT item_id FROM recommend({user})").fetchall()]
        for call in (
            f"recommend({user})",
            f"shop.explain({user}, {items[3]})",
            f"shop.what_if({user}, {items[9]})",
            f"shop.next_basket({user})",
            f"shop.rank_items({user}, {items})",
        ):
            work = functools.partial(lambda query: con.execute(query).fetchall(), f"FROM {call}")
            seconds.setdefault(call.split("(")[0], []).append(best(work, 2))
    took = {name: float(np.median(each)) for name, each in seconds.items()}
    for name, each in took.items():
        ratio = each / took["recommend"]
        print(f"{name}: {1000 * each:.0f} ms, {ratio:.2f} of recommend", flush=True)


def scores(con: duckdb.DuckDBPyConnection) -> None:
    """Ten million pairs from SQL, and the kernel alone on as many pairs of one chunk."""
    query = (
        "SELECT count(score), sum(score) FROM (SELECT shop.score(u.user_id, v.item_id) AS score"
        " FROM (SELECT DISTINCT household_id AS user_id FROM orders LIMIT 200) AS u,"
        " (SELECT item_id FROM shop.item_vectors LIMIT 50000) AS v)"
    )
    pairs = con.execute(query).fetchall()[0][0]
    ours = pairs / best(lambda: con.execute(query).fetchall(), 1)
    kernel: list[float] = []

    class Timed(PairScores):
        def __call__(self, user: Longs, item: Longs) -> Doubles:
            began = time.perf_counter()
            out = super().__call__(user, item)
            kernel.append(time.perf_counter() - began)
            return out

    import morec_sql.answer.scores as room

    room.PairScores = Timed  # type: ignore[misc]
    con.execute(query).fetchall()
    room.PairScores = PairScores  # type: ignore[misc]
    threads = con.execute("SELECT current_setting('threads')").fetchall()[0][0]
    rate = threads * pairs / sum(kernel)
    print(f"score: {ours:,.0f} pairs/s from SQL, {ours / rate:.2f} of the kernel's {rate:,.0f}")


def similar(con: duckdb.DuckDBPyConnection) -> None:
    """Similar items of 512 items, beside usearch's exact search in the same vectors."""
    from usearch.index import MetricKind, search

    rows = con.execute("SELECT encoder FROM shop.item_vectors ORDER BY item_index").fetchnumpy()
    content = con.execute("SELECT CAST(model ->> 'content' AS INT) FROM shop.settings").fetchall()
    vectors = np.stack(rows["encoder"])[:, : -content[0][0]].astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    query = (
        "SELECT count(*) FROM (SELECT item_id FROM shop.item_vectors WHERE item_index < 512) AS i,"
        " shop.similar_items(i.item_id, by => 'behaviour') AS s"
    )
    ours = best(lambda: con.execute(query).fetchall())
    peer = best(lambda: search(vectors, vectors[:512], 11, MetricKind.IP, exact=True, threads=2))
    print(f"similar items of 512: {1000 * ours:.0f} ms from SQL, usearch {1000 * peer:.0f} ms")


def quality(con: duckdb.DuckDBPyConnection) -> None:
    """nDCG of search by words, by meaning and by both."""
    generator = np.random.default_rng(0)
    texts = dict(
        con.execute(
            "SELECT v.item_id, lower(t.text) FROM shop.item_vectors AS v"
            " JOIN shop.texts AS t USING (text_id) WHERE v.listed"
        ).fetchall()
    )
    words_of = {item: set(text.replace(",", " ").split()) for item, text in texts.items()}
    pool = sorted(set(texts.values()))
    ndcg: dict[str, list[float]] = {"by_words": [], "by_meaning": [], "rank": []}
    for number in range(QUERIES):
        words = [
            w for w in pool[generator.integers(len(pool))].replace(",", " ").split() if w.isalpha()
        ]
        if len(words) < 2:
            continue
        wanted = list(generator.choice(words, 2, replace=False))
        asked = list(wanted)
        if number % 2 and len(asked[0]) > 3:
            place = int(generator.integers(len(asked[0])))
            letter = string.ascii_lowercase[generator.integers(26)]
            asked[0] = asked[0][:place] + letter + asked[0][place + 1 :]
        relevant = {item for item, words in words_of.items() if set(wanted) <= words}
        # so many that what either order has first is among them
        found = con.execute(
            "SELECT item_id, rank, by_words, by_meaning FROM shop.search(?, k => 2000)",
            [" ".join(asked)],
        ).fetchall()
        ideal = sum(1 / np.log2(1 + place) for place in range(1, min(K, len(relevant)) + 1))
        for column, name in ((1, "rank"), (2, "by_words"), (3, "by_meaning")):
            gain = sum(
                1 / np.log2(1 + row[column])
                for row in found
                if row[column] is not None and row[column] <= K and row[0] in relevant
            )
            ndcg[name].append(gain / ideal)
    for name, values in ndcg.items():
        print(f"search, nDCG@{K} {name}: {np.mean(values):.3f} of {len(values)} queries")


def large(con: duckdb.DuckDBPyConnection) -> None:
    """Search over a million items with as many texts, made up: vectors between two real ones."""
    from morec_sql.udfs.embedding import embed_texts
    from morec_sql.udfs.ranking.meaning import Meaning, first
    from morec_sql.udfs.ranking.words import Words

    generator = np.random.default_rng(0)
    vocabulary = np.array([f"word{i}" for i in range(20_000)])
    drawn = (len(vocabulary) * generator.random((1_000_000, 6)) ** 3).astype(int)
    texts = [" ".join(row) for row in vocabulary[drawn]]
    real = matrix(arrow(con, "SELECT embedding FROM shop.texts ORDER BY text_id").column(0))
    ends = generator.integers(len(real), size=(2, len(texts)))
    vectors = real[ends[0]] + real[ends[1]]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    words, meaning = Words(texts), Meaning(vectors)
    embed_texts(["once"])

    def one() -> None:
        query = embed_texts([texts[7]])[0]
        first(words.scores(texts[7]), 200, above=0.0)
        meaning.exactly(query, first(meaning.roughly(query), 400))

    print(f"search among {len(texts):,} texts: {1000 * best(one, 5):.0f} ms, of which embedding the"
          f" query {1000 * best(lambda: embed_texts([texts[7]]), 5):.0f} ms")  # fmt: skip


def main() -> None:
    """Run all."""
    con = morec_sql.connect()
    demo.load_warehouse(con)
    con.execute("SET enable_progress_bar = false")
    con.execute(demo.CREATE).fetchall()
    for part in (explanations, scores, similar, quality, large):
        part(con)


if __name__ == "__main__":
    main()
