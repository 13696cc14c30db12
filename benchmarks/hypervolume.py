"""Fronts of weight vectors against simpler ways to balance objectives, by their hypervolume.

On Complete Journey, trained on all but the last four weeks and measured on these: relevance (nDCG),
basket value (log of the mean price paid), diversity and novelty of lists of 10 for 2,000 households
over the full catalogue. Hypervolume is over the metrics scaled to their range in all that was
measured, from their worst values; every way has the same budget. Where searches start, the velocity
of particles and the kernel of the surrogate were settled on this task; the fronts of three of the
metrics are a check on another one.

Run: python benchmarks/hypervolume.py
"""

from __future__ import annotations

import sys
import time

import moocore
import numpy as np

import morec_sql
from morec_sql.clients import demo
from morec_sql.measure.algorithms import FRONT, run_search
from morec_sql.measure.archive import Archive
from morec_sql.measure.requests import SearchRequest
from morec_sql.measure.trial import Trial, prepare
from morec_sql.progress import Progress
from morec_sql.session import Session
from morec_sql.udfs.ranking.lists import Ranking, rank

BUDGET = 200
CREATE = """
SELECT * FROM create_recommender(
    'shop',
    events => 'orders',
    user_id => 'household_id',
    item_id => 'product_id',
    event_time => 'transaction_timestamp',
    event_weight => 'CASE WHEN quantity > 0 THEN 1 END',
    items => 'products',
    text => ['department', 'product_category', 'product_type', 'brand'],
    objectives => {
        'relevance': NULL,
        'basket_value': 'ln(1 + sum(sales_value) / sum(quantity))',
        'diversity': NULL,
        'novelty': NULL
    }
)"""
SEARCHES = ("surrogate", "nsga2", "pso")
METRICS = ("ndcg", "mean_basket_value", "intra_list_diversity", "novelty")


class PostHoc(Trial):
    """Lists that re-rank the 100 most relevant items, as a stage behind another recommender."""

    pool = 100

    def lists(self, batches, weights, diversify):  # type: ignore[no-untyped-def]
        catalogue = self.trained.catalogue
        rows = []
        for batch in batches:
            if id(batch) not in POOLS:
                alone = np.tile(np.eye(4)[0], (batch.users, 1))
                POOLS[id(batch)] = rank(catalogue, batch, alone, self.pool)
            pool = POOLS[id(batch)]
            values = catalogue.values[pool.item]
            point = weights[0] * pool.score + weights[1] * values[:, :, 1]
            point += weights[3] * values[:, :, 3]
            rows.append(rerank(catalogue, pool.item, point, weights[2], self.k))
        return np.concatenate(rows)


POOLS: dict[int, Ranking] = {}


def rerank(catalogue, items, score, diversity, k):  # type: ignore[no-untyped-def]
    """Greedy maximal marginal relevance in NumPy, over candidates (users, c)."""
    if not diversity:
        return np.take_along_axis(items, np.argsort(-score, axis=1, kind="stable")[:, :k], axis=1)
    like = catalogue.likeness
    vectors = like.vectors.numpy()[like.rows.numpy()[items]]
    left, distance = score.copy(), np.zeros_like(score)
    users, picks = np.arange(len(items)), []
    for step in range(k):
        gain = 0.0
        if step:
            mean = distance / step - like.scale.mean
            gain = diversity * mean / like.scale.deviation
        pick = (left + gain).argmax(axis=1)
        picks.append(items[users, pick])
        left[users, pick] = -np.inf
        distance += 1 - np.einsum("uct,ut->uc", vectors, vectors[users, pick])
    return np.stack(picks, axis=1)


def run(
    trial: Trial, algorithm: str, budget: int, seed: int = 42, goals: tuple[str, ...] = METRICS
) -> tuple[np.ndarray, float]:
    """The metrics of the weight vectors that a search measures, in order, and its seconds."""
    began = time.perf_counter()
    with Progress() as progress:
        archive = Archive(trial, "mmr", budget, progress)
        run_search(archive, algorithm, lambda m: archive.columns(m, goals), len(goals), seed)
    return archive.columns(archive.metrics, METRICS), time.perf_counter() - began


def main() -> None:
    con = morec_sql.connect(sys.argv[1] if len(sys.argv) > 1 else ":memory:")
    if len(sys.argv) == 1:
        demo.load_warehouse(con)
        con.execute(CREATE).fetchall()
    catalog = con.execute("SELECT current_database()").fetchall()[0][0]
    given = {"algorithm": "grid", "budget": 1, "users": 2000, "seed": 1, "k": 10}
    request = SearchRequest.read(given, FRONT)
    session = Session()
    session.add(con)
    trial = prepare(con.cursor(), session, catalog, "shop", request.trial)
    post_hoc = PostHoc(**trial.__dict__)
    found: dict[str, tuple[np.ndarray, float]] = {}
    for name, algorithm, of in (
        ("grid", "grid", trial),
        ("random", "random", trial),
        *((name, name, trial) for name in SEARCHES),
        ("post-hoc re-ranking of the top 100, surrogate", "surrogate", post_hoc),
    ):
        found[name] = run(of, algorithm, BUDGET)
        print(name, len(found[name][0]), round(found[name][1], 1), file=sys.stderr, flush=True)
    third = len(found["grid"][0]) // 3
    for algorithm in SEARCHES:
        for seed in (1,):
            found[f"{algorithm}, seed {seed}"] = run(trial, algorithm, third, seed)
        found[f"{algorithm} for three"] = run(trial, algorithm, third, 42, METRICS[:3])
    corners = np.array([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]])
    with Progress() as progress:
        archive = Archive(trial, "mmr", 10, progress)
        single = archive.columns(archive.measure([tuple(row) for row in corners.tolist()]), METRICS)
    found["each objective alone"] = single, 0.0
    every = np.concatenate([values for values, _ in found.values()])
    every = every[np.isfinite(every).all(axis=1)]
    low, high = every.min(axis=0), every.max(axis=0)
    for name, worst, best in zip(METRICS, low, high, strict=True):
        print(f"{name}: {worst:.4g} to {best:.4g}")

    def volume(values: np.ndarray, count: int | None = None, goals: int = 4) -> float:
        values = values[:count, :goals]
        scaled = values[np.isfinite(values).all(axis=1)] - low[:goals]
        scaled = scaled / (high - low)[:goals]
        return float(moocore.hypervolume(scaled, ref=np.zeros(goals), maximise=True))

    grid = volume(found["grid"][0])
    print(f"\n| way | weight vectors | seconds | hypervolume | with {third} | grid's after |")
    print("|---|---|---|---|---|---|")
    for name, (values, seconds) in found.items():
        if name.endswith("three"):
            continue
        reached = next((n for n in range(1, len(values) + 1) if volume(values, n) >= grid), "-")
        print(
            f"| {name} | {len(values)} | {seconds:.0f} | {volume(values):.4f}"
            f" | {volume(values, third):.4f} | {reached} |"
        )
    print("\nFronts of the first three metrics alone:\n")
    for name in ("grid", *(f"{algorithm} for three" for algorithm in SEARCHES)):
        values, _ = found[name]
        print(f"- {name}: {volume(values, goals=3):.4f} with {len(values)} weight vectors")


if __name__ == "__main__":
    main()
