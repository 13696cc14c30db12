"""Lists of models and what is known of their items, as tables; a query of their metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..arrays import vectors
from ..catalog.values import self_information
from ..templates import identifier, literal, sql
from .trial import Trial


def write(trial: Trial, lists: dict[str, npt.NDArray[np.int64]]) -> str:
    """Write lists by model, and what is known of their items, as temporary tables.

    Returns:
        a query of the metrics that each user has, one row per model and user.
    """
    con, trained = trial.con, trial.trained
    models = list(lists)
    stacked = np.stack([lists[model] for model in models])
    model, user, place = np.nonzero(stacked >= 0)
    item = stacked[model, user, place]
    shown = np.unique(item)
    tables: dict[str, dict[str, Any]] = {
        "morec_lists": {
            "model": pa.DictionaryArray.from_arrays(pa.array(model, pa.int32()), models),
            "user_id": user,
            "rank": place + 1,
            "item_id": item,
        },
        "morec_values": {
            "item_id": np.arange(trained.items),
            "novelty": self_information(trained.history, trained.items),
        },
    }
    likeness = trained.catalogue.likeness
    rows = likeness.rows.cpu().numpy()[shown]
    if likeness.vectors is None:
        tables["morec_list_vectors"] = {
            "item_id": shown,
            "category": pa.array(rows, mask=rows < 0),
        }
    else:
        vector = likeness.vectors.cpu().numpy()[rows]
        tables["morec_list_vectors"] = {"item_id": shown, "vector": vectors(vector)}
    joins = []
    for position, objective in enumerate(trained.objectives):
        raw = trained.values.raw[:, position]
        if objective.measured:
            of_items = {"item_id": shown, "value": pa.array(raw[shown], from_pandas=True)}
            if objective.of_categories:
                category = pa.array(raw[shown], mask=raw[shown] < 0)
                of_items = {"item_id": shown, "category": category}
            tables[f"morec_values_{position}"] = of_items
            tables[f"morec_tastes_{position}"] = _tastes(trial, position)
            parts = {"position": str(position), "column": identifier(objective.metric)}
            joins.append(
                sql(objective.measured, metric=objective.kind, k=literal(trial.k), **parts)
            )
        elif objective.kind == "item":
            finite = np.where(np.isfinite(raw), raw, np.nan)
            tables["morec_values"][objective.metric] = pa.array(finite, from_pandas=True)
    for name, columns in tables.items():
        con.register("morec_new", pa.table(columns))
        con.execute(sql("measure/table", table=identifier(name)))
        con.unregister("morec_new")
    return sql("measure/metrics_of_users", k=literal(trial.k), joins=" ".join(joins))


def _tastes(trial: Trial, position: int) -> dict[str, Any]:
    """What users with a history are used to: a value, or the shares of categories."""
    values, catalogue, history = trial.trained.values, trial.trained.catalogue, trial.history
    if catalogue.kinds[position] == "fit":
        users = int(history.user.max(initial=-1)) + 1
        mean, deviation = values.mean[position], values.deviation[position]
        assert mean is not None
        assert deviation is not None
        taste = catalogue.taste(history, users, position) * deviation + mean
        return {"user_id": np.arange(users), "value": taste}
    user, category, share = catalogue.mix(history, position)
    return {"user_id": user, "category": category.astype(np.float64), "share": share}
