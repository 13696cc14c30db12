"""Pictures of decisions other than lists: who comes back, who goes how far, what offers bring."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from ..errors import MorecError
from ..udfs.decide.quality import CHOSEN
from .pictures import figure_of, table_of

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.figure import Figure


def plot_decision(rows: Any) -> Figure:
    """Draw what `retention`, `funnel`, `campaign_uplift`, `price_front` or a quality holds.

    Args:
        rows: a DuckDB relation or an Arrow table with all of its columns, and one segment of
            `retention`.

    Returns:
        a matplotlib figure, which a notebook shows.

    Raises:
        MorecError: it is something else, or without a row, or matplotlib is not installed.
    """
    table = table_of("plot_decision", rows)
    figure = drawn(table)
    if figure is not None:
        return figure
    raise MorecError(
        "plot_decision: rows of retention, funnel, campaign_uplift, price_front, campaign_quality,"
        f" value_quality or price_quality are needed, not {len(table)} with the columns"
        f" {', '.join(table.column_names)}"
    )


def drawn(table: pa.Table) -> Figure | None:
    """The picture of rows that have one, None for others; parameters as of plot_decision."""
    columns = set(table.column_names)
    for needed, draw in PICTURES.items():
        if set(needed) <= columns and len(table):
            return draw(table)
    return None


def _retention(table: pa.Table) -> Figure:
    """Cohorts by periods, the darker the more come back; what is not over yet is left out."""
    import numpy as np

    rows = [row for row in table.to_pylist() if row["complete"]]
    if len({row["segment"] for row in rows}) > 1:
        raise MorecError("plot_decision: there are several segments; WHERE segment = ... keeps one")
    cohorts = sorted({row["cohort"] for row in rows})
    width = max((row["period"] for row in rows), default=0) + 1
    share = np.full((len(cohorts), width), np.nan)
    for row in rows:
        share[cohorts.index(row["cohort"]), row["period"]] = row["share"]
    figure = figure_of(figsize=(2 + 0.6 * width, 1.5 + 0.35 * len(cohorts)), layout="constrained")
    axis = figure.subplots()
    axis.imshow(share, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    for (down, across), value in np.ndenumerate(share):
        if np.isfinite(value):
            colour = "white" if value > 0.6 else "black"
            axis.text(across, down, f"{value:.0%}", ha="center", va="center", color=colour)
    axis.set_yticks(range(len(cohorts)), list(map(str, cohorts)))
    axis.set_xticks(range(width))
    axis.set(xlabel="periods since the first order", ylabel="first order in")
    return figure


def _funnel(table: pa.Table) -> Figure:
    """A bar for each step."""
    rows = table.to_pylist()
    figure = figure_of(figsize=(7, 1 + 0.5 * len(rows)), layout="constrained")
    axis = figure.subplots()
    names = [textwrap.fill(row["condition"], 40) for row in rows]
    bars = axis.barh(range(len(rows)), [row["users"] for row in rows])
    said = [f"{row['users']:,} ({row['share']:.0%})" if row["share"] else "0" for row in rows]
    axis.bar_label(bars, said, padding=3)
    axis.set_yticks(range(len(rows)), names)
    axis.invert_yaxis()
    axis.margins(x=0.2)
    axis.set(xlabel="users")
    return figure


def _uplift(table: pa.Table) -> Figure:
    """What offers bring by the share of users who get them, for each order of users."""
    rows = table.to_pylist()
    figure = figure_of(figsize=(7, 5), layout="constrained")
    axis = figure.subplots()
    for method in dict.fromkeys(row["method"] for row in rows):
        mine = [row for row in rows if row["method"] == method]
        share = [0.0, *(row["share"] for row in mine)]
        ours = method == CHOSEN
        axis.plot(share, [0.0, *(row["gain"] for row in mine)], lw=2 if ours else 1, label=method)
        if ours:
            low, high = ([0.0, *(row[edge] for row in mine)] for edge in ("low", "high"))
            axis.fill_between(share, low, high, alpha=0.2)
    whole = next(row["gain"] for row in reversed(rows) if row["share"] == 1)
    axis.plot([0, 1], [0, whole], color="grey", ls=":", label="at random")
    axis.set(xlabel="share of users who get the offer", ylabel="value beyond none, per user of all")
    axis.legend()
    return figure


def _quality(table: pa.Table) -> Figure:
    """The value of each measure for each method, with its interval, outcome by outcome."""
    rows = table.to_pylist()
    panels = list(dict.fromkeys((row["outcome"], row["measure"]) for row in rows))
    across = min(len(panels), 3)
    down = -(-len(panels) // across)
    figure = figure_of(figsize=(4 * across, 2.4 * down), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    for axis, panel in zip(axes, panels, strict=False):
        mine = [row for row in rows if (row["outcome"], row["measure"]) == panel]
        for place, row in enumerate(mine):
            colour = "C0" if row["method"] == CHOSEN else "grey"
            axis.plot([row["low"], row["high"]], [place, place], color=colour)
            axis.plot(row["value"], place, "o", color=colour)
        axis.set_yticks(range(len(mine)), [row["method"] for row in mine])
        axis.invert_yaxis()
        axis.set_title(": ".join(panel))
    return figure


def _front(table: pa.Table) -> Figure:
    """What weights of prices trade for what: profit against units."""
    rows = table.to_pylist()
    figure = figure_of(figsize=(7, 5), layout="constrained")
    axis = figure.subplots()
    axis.plot([row["units"] for row in rows], [row["profit"] for row in rows], "o-")
    for row in rows:
        axis.annotate(
            f"{row['weights']['profit']:g}", (row["units"], row["profit"]), xytext=(4, 4),
            textcoords="offset points",
        )  # fmt: skip
    axis.plot(1, 1, "*", color="black", markersize=14, label="prices of now")
    axis.set(xlabel="units, of those of now", ylabel="profit, of that of now")
    axis.set_title("each point a plan, with its weight of profit")
    axis.legend()
    return figure


# by the columns that rows of it have
PICTURES = {
    ("weights", "profit", "units", "revenue", "changed"): _front,
    ("cohort", "period", "share", "segment", "complete"): _retention,
    ("step", "condition", "users", "share"): _funnel,
    ("method", "share", "gain", "low", "high"): _uplift,
    ("outcome", "method", "measure", "value", "low", "high"): _quality,
}
