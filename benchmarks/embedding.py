"""How fast product texts are embedded, in float32 and in bfloat16, and what bfloat16 loses.

The texts are those of Complete Journey's products. Without bfloat16 instructions both are the same.

Run: python benchmarks/embedding.py
"""

from __future__ import annotations

import time

import numpy as np

import morec_sql
from morec_sql.clients import demo
from morec_sql.udfs.embedding import embed_texts

TEXTS = """
    SELECT DISTINCT concat_ws(' | ', department, product_category, product_type, brand)
    FROM products
    ORDER BY ALL
"""
PAIRS = 200_000
NEAREST = 10


def main() -> None:
    con = morec_sql.connect()
    demo.load_warehouse(con)
    texts = [row[0] for row in con.execute(TEXTS).fetchall()]
    embed_texts(texts[:64])
    vectors = {}
    for name, bfloat16 in (("float32", False), ("bfloat16", True)):
        began = time.perf_counter()
        vectors[name] = embed_texts(texts, bfloat16=bfloat16)
        print(f"{name}: {len(texts) / (time.perf_counter() - began):,.0f} texts per second")
    exact, rounded = vectors.values()
    left, right = np.random.default_rng(0).integers(0, len(texts), (2, PAIRS))
    error = np.abs(
        (exact[left] * exact[right]).sum(axis=1) - (rounded[left] * rounded[right]).sum(axis=1)
    )
    print(f"similarity of {PAIRS:,} pairs off by {error.mean():.4f}, at most {error.max():.4f}")
    nearest = []
    for each in (exact, rounded):
        likeness = each @ each.T
        np.fill_diagonal(likeness, -1)
        nearest.append(np.argpartition(-likeness, NEAREST, axis=1)[:, :NEAREST])
    shared = [len(np.intersect1d(a, b)) for a, b in zip(*nearest, strict=True)]
    print(f"of the {NEAREST} nearest texts {np.mean(shared) / NEAREST:.1%} are the same")


if __name__ == "__main__":
    main()
