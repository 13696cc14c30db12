"""The metrics of lists as table macros over any two tables, which are SQL alone."""

from __future__ import annotations

from ..catalog.metrics import METRICS
from ..registry import Argument, sql_macro

LISTS = Argument(
    "recommendations",
    "name of a table of lists: user_id, item_id, rank from 1 and, for several models, model",
)
K = Argument("k", "only so many of each list count", "10")
OF_USER = {"model": "of the lists, NULL without", "user_id": "whose list"}


for name, about, arguments, other in (
    (
        "ranking_metrics",
        "How well each list holds what the user did.",
        [Argument("truth", "name of a table of what they did: user_id, item_id")],
        OF_USER,
    ),
    (
        "item_metrics",
        "The mean over each list of every column of a table of items.",
        [Argument("items", "name of a table: item_id and columns of numbers")],
        OF_USER | {"...": "the mean of each column but item_id"},
    ),
    (
        "diversity_metrics",
        "How unlike the items of each list are.",
        [Argument("vectors", "name of a table: item_id and vector, or item_id and category")],
        OF_USER,
    ),
    (
        "category_metrics",
        "How well each list covers categories, and follows the user's own mix of them.",
        [
            Argument("categories", "name of a table: item_id, category"),
            Argument("mixes", "name of a table of users' own mixes: user_id, category, share"),
        ],
        OF_USER
        | {
            "coverage": "how many categories the list has",
            "calibration": "1 for the user's own mix, 0 for nothing in common (Steck 2018)",
        },
    ),
    (
        "catalogue_metrics",
        "How much of the catalogue all lists of a model use.",
        [Argument("items", "name of a table: the item_id of the catalogue")],
        {"model": OF_USER["model"]},
    ),
):
    columns = {one: metric.about for one, metric in METRICS.items() if metric.macro == name}
    if name == "item_metrics":
        columns = {}  # whatever columns come
    sql_macro(name, "database", about, (LISTS, *arguments, K), other | columns, f"measure/{name}")
