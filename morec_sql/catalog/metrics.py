"""Metrics of lists: one declaration each, and the table macro that computes it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric: what it is, and the macro (`sql/measure/<macro>.sql`) of which it is a column.

    of_lists: it is about all lists of a model together, not about each user's.
    """

    about: str
    macro: str
    of_lists: bool = False
    lower_is_better: bool = False


METRICS = {
    "precision": Metric("share of the list's places that hold a hit", "ranking_metrics"),
    "recall": Metric("hits, of the most that k places can hold, min(k, truth)", "ranking_metrics"),
    "f1": Metric("harmonic mean of the two, 2 hits / (k + min(k, truth))", "ranking_metrics"),
    "hit_rate": Metric("1 for a list with a hit, else 0", "ranking_metrics"),
    "ndcg": Metric("hits by 1 / log2(rank + 1), of the most there can be", "ranking_metrics"),
    "map": Metric(
        "mean precision at the hits, of the most that k places can hold", "ranking_metrics"
    ),
    "mrr": Metric("1 / rank of the first hit", "ranking_metrics"),
    "coverage": Metric("share of the catalogue that occurs in any list", "catalogue_metrics", True),
    "gini": Metric(
        "how unequally often items occur: 0 all alike, towards 1 few have it all",
        "catalogue_metrics",
        of_lists=True,
        lower_is_better=True,
    ),
    "intra_list_diversity": Metric("mean distance of two items of the list", "diversity_metrics"),
    "novelty": Metric("mean self-information of the items of the list, in bits", "item_metrics"),
}
OF_LISTS = tuple(name for name, metric in METRICS.items() if metric.of_lists)


def lower_is_better(name: str) -> bool:
    """Whether less of a metric, of METRICS or of an objective, is better."""
    return name in METRICS and METRICS[name].lower_is_better
