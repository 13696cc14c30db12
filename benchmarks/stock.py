"""Demand of the last 14 days of Complete Journey, beside AutoETS and Croston's method.

Each foretells what every product sold in them, with the quantiles .1, .5 and .9, from the days
before. AutoETS (Hyndman and Khandakar 2008) and Croston's method, as it was and by Syntetos and
Boylan, are those of statsforecast, on units by fortnight, so that their quantiles are of the whole
horizon.

    pip install statsforecast
    python benchmarks/stock.py demo.duckdb

where demo.duckdb is what `morec demo demo.duckdb` wrote.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from scipy.stats import poisson

import morec_sql

HORIZON = 14
QUANTILES = (0.1, 0.5, 0.9)
KEPT = "product_category <> 'COUPON/MISC ITEMS'"
DRAWS = 200
DAYS = """
CREATE TEMP TABLE days AS
SELECT
    product_id,
    CAST(transaction_timestamp AS DATE) AS day,
    CAST(sum(quantity) AS DOUBLE) AS units
FROM orders
JOIN products USING (product_id)
WHERE quantity > 0 AND product_category <> 'COUPON/MISC ITEMS'
GROUP BY ALL
"""


def loss(truth: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """The pinball loss of each product, summed over the quantiles, shape (products,)."""
    less = truth[:, None] - quantiles
    levels = np.array(QUANTILES)
    return np.maximum(levels * less, (levels - 1) * less).sum(axis=1)


def ours(con: duckdb.DuckDBPyConnection, first: str, ids: pd.Index) -> np.ndarray:
    """The quantiles by shop.demand, shape (products, 3)."""
    kept = KEPT.replace("'", "''")
    rows = con.execute(
        f"SELECT item_id, quantile, units FROM shop.demand(horizon => {HORIZON},"
        f" quantity => 'quantity', filter => '{kept}', as_of => DATE '{first}')"
    ).df()
    wide = rows.pivot(index="item_id", columns="quantile", values="units")
    return wide.reindex(ids).fillna(0).to_numpy()


def theirs(series: pd.DataFrame, ids: pd.Index) -> dict[str, np.ndarray]:
    """The quantiles by statsforecast, of units by fortnight, each of shape (products, 3)."""
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS, CrostonClassic, CrostonSBA

    models: list[Any] = [AutoETS(season_length=1), CrostonClassic(), CrostonSBA()]
    found: dict[str, np.ndarray] = {}
    for model in models:
        began = time.perf_counter()
        level = [80] if isinstance(model, AutoETS) else None
        rows = StatsForecast(models=[model], freq=1, n_jobs=2).forecast(df=series, h=1, level=level)
        name = repr(model)
        rows = rows.set_index("unique_id").reindex(ids).fillna(0).clip(lower=0)
        middle = rows[name].to_numpy()
        if level:
            edges = rows[[f"{name}-lo-80", name, f"{name}-hi-80"]].to_numpy()
        else:
            # those for intermittent sales have no quantiles: those of Poisson counts stand for them
            edges = poisson.ppf(np.array(QUANTILES), middle[:, None])
        found[name] = np.nan_to_num(edges)
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return found


def main(path: Path) -> None:
    """Print a table of the losses."""
    with morec_sql.connect(path) as con:
        con.execute("SET enable_progress_bar = false")
        con.execute(DAYS)
        (last,) = con.execute("SELECT max(day) FROM days").fetchone() or (None,)
        first = (last - pd.Timedelta(days=HORIZON - 1)).isoformat()[:10]
        series = con.execute(
            "SELECT product_id AS unique_id, ds, sum(units) AS y FROM ("
            "  SELECT product_id,"
            f"  CAST(floor((day - DATE '{first}') / {HORIZON}.0) AS INTEGER) AS ds, units"
            f"  FROM days WHERE day < DATE '{first}') GROUP BY ALL ORDER BY ALL"
        ).df()
        truth = con.execute(
            f"SELECT product_id, sum(units) AS units FROM days WHERE day >= DATE '{first}'"
            " GROUP BY ALL"
        ).df()
        ids = pd.Index(np.sort(series["unique_id"].unique()))
        came = truth.set_index("product_id")["units"].reindex(ids).fillna(0).to_numpy()
        began = time.perf_counter()
        found = {"morec_sql": ours(con, first, ids)}
        print(f"morec_sql: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    # a fortnight without a sale is one with 0 units, from the first with one on, and of 13 at least
    start = series.groupby("unique_id")["ds"].min().clip(upper=-13)
    index = pd.MultiIndex.from_tuples(
        [(one, at) for one, since in start.items() for at in range(since, 0)],
        names=["unique_id", "ds"],
    )
    whole = series.set_index(["unique_id", "ds"]).reindex(index, fill_value=0.0).reset_index()
    found |= theirs(whole, ids)
    losses = {name: loss(came, quantiles) for name, quantiles in found.items()}
    scale = 2 / (len(QUANTILES) * came.sum())
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(ids), (DRAWS, len(ids)))
    print(f"{len(ids):,} products, {first} and {HORIZON - 1} days on, {came.sum():,.0f} units\n")
    print("| method | weighted quantile loss | ours less by | 90 % interval |\n|---|---|---|---|")
    for name, one in losses.items():
        less = (one - losses["morec_sql"])[drawn].sum(axis=1) / came[drawn].sum(axis=1)
        low, high = np.quantile(less * 2 / len(QUANTILES), [0.05, 0.95])
        gain = (one - losses["morec_sql"]).sum() * scale
        print(f"| {name} | {one.sum() * scale:.3f} | {gain:.3f} | {low:.3f} to {high:.3f} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
