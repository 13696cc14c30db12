"""Pictures of evaluations and fronts."""

from __future__ import annotations

import io
import itertools
import textwrap
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..errors import MorecError, nearest
from ..measure.evaluate import Evaluation
from ..measure.significance import OURS
from ..templates import literal, sql

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.figure import Figure

SIGNIFICANT = 0.05
CUTS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)


def pictures(evaluation: Evaluation) -> Figure:
    """Quality against k, by activity of the users, and against each other metric."""
    by_name = {(row.model, row.metric): row.value for row in evaluation.rows}
    models = list(dict.fromkeys(row.model for row in evaluation.rows))
    metrics = list(dict.fromkeys(row.metric for row in evaluation.rows))
    others = metrics[metrics.index("coverage") :]
    across = 3
    down = -(-(3 + len(others)) // across)
    figure = figure_of(figsize=(5 * across, 4 * down), layout="constrained")
    axes = figure.subplots(down, across).ravel()
    colours = {model: f"C{number}" for number, model in enumerate(models)}
    k = evaluation.k

    cuts = [cut for cut in CUTS if cut < k] + [k]
    curves = [row for cut in cuts for row in _rows(evaluation, "measure/by_k", cut)]
    for place, (axis, name) in enumerate(zip(axes, ("nDCG", "recall"), strict=False), 2):
        for model in models:
            points = [(row[1], row[place]) for row in curves if row[0] == model]
            axis.plot(*zip(*points, strict=True), marker="o", label=model, color=colours[model])
        axis.set(xlabel="k", ylabel=f"{name} at k", title=f"{name} against k")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=7)
    groups = _rows(evaluation, "measure/by_activity", k)
    for model in models:
        quarters = [(f"{row[2]}-{row[3]}", row[4]) for row in groups if row[0] == model]
        axes[2].plot(*zip(*quarters, strict=True), marker="o", color=colours[model])
    axes[2].set(
        xlabel="items in the history (quarters of the users)",
        ylabel=f"nDCG at {k}",
        title="by activity of the users",
    )
    for axis, metric in zip(axes[3:], others, strict=False):
        for model in models:
            if (model, metric) in by_name:
                x, y = by_name[model, "ndcg"], by_name[model, metric]
                axis.scatter(x, y, color=colours[model], s=60)
        axis.set(xlabel=f"nDCG at {k}", ylabel=metric, title=f"{metric} against nDCG")
        axis.margins(0.2)
    for axis in axes[3 + len(others) :]:
        axis.set_visible(False)
    return figure


def plot_explanation(reasons: Any) -> Figure:
    """Draw what `explain`, `explain_basket`, `explain_locally` or `surrogate` return, as bars.

    Args:
        reasons: a DuckDB relation or an Arrow table of the columns of one of them.

    Returns:
        a matplotlib figure, which a notebook shows.

    Raises:
        MorecError: the columns are those of none, there is no row, or matplotlib is not installed.
    """
    table = table_of("plot_explanation", reasons)
    of = {"contribution": "contribution to the score", "listed": "share of such pairs in lists"}
    value = next((one for one in of if one in table.column_names), None)
    if value is None or not {"kind", "feature", "rule"} & {*table.column_names}:
        raise MorecError(
            f"reasons: the columns {', '.join(table.column_names)} are not those of explain,"
            " explain_locally or surrogate"
        )
    rows = [row for row in table.to_pylist() if row[value] is not None]
    if not rows:
        raise MorecError("reasons: there is no row with a value to draw")
    labels = [_reason(row) for row in rows]
    figure = figure_of(figsize=(9, 1.2 + 0.4 * len(rows)), layout="constrained")
    axis = figure.subplots()
    places = range(len(rows))
    values = [row[value] for row in rows]
    axis.barh(places, values, color=["C0" if one >= 0 else "C3" for one in values])
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(places, labels)
    axis.invert_yaxis()
    axis.set_xlabel(of[value])
    if value == "contribution" and "kind" in table.column_names:
        axis.set_title(f"they add up to {sum(values):.4g}")
    return figure


def _reason(row: dict[str, Any]) -> str:
    """What a bar is of, broken into lines."""
    if "kind" not in row:
        return textwrap.fill(str(row.get("rule") or row.get("feature")), 60)
    return row["kind"] if row["name"] is None else f"{row['kind']}: {row['name']}"


def figure_of(**options: Any) -> Figure:
    """An empty figure of such options, which a notebook shows without pyplot."""
    from matplotlib.figure import Figure

    class Picture(Figure):
        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            self.savefig(buffer, format="png")
            return buffer.getvalue()

    return Picture(**options)


def table_of(function: str, rows: Any) -> pa.Table:
    """Rows that were given to a function that draws."""
    if find_spec("matplotlib") is None:
        raise MorecError(f"{function}: it needs matplotlib; pip install 'morec_sql[report]'")
    return rows.to_arrow_table() if hasattr(rows, "to_arrow_table") else rows


def plot_evaluation(rows: Any, metrics: Sequence[str] | None = None) -> Figure:
    """Draw what `evaluate` returns: each metric of each model with its 95 % interval.

    Args:
        rows: a DuckDB relation or an Arrow table of all the columns of `evaluate`.
        metrics: those to draw, all of them by default.

    Returns:
        a matplotlib figure, which a notebook shows. A star marks where ours differs from a baseline
        with p < .05.

    Raises:
        MorecError: a metric was not measured, the columns are not those of evaluate, or matplotlib
            is not installed.
    """
    table = table_of("plot_evaluation", rows)
    if not {"model", "metric", "value", "low", "high", "p_value"} <= {*table.column_names}:
        raise MorecError(
            f"rows: the columns {', '.join(table.column_names)} are not those of evaluate"
        )
    found = {(row["model"], row["metric"]): row for row in table.to_pylist()}
    models = list(dict.fromkeys(model for model, _ in found))
    measured = list(dict.fromkeys(metric for _, metric in found))
    names = list(metrics) if metrics is not None else measured
    for name in names:
        if name not in measured:
            raise MorecError(f"metrics: {name!r} was not measured; {nearest(name, measured)}")
    if not names:
        raise MorecError("metrics: there is none to draw")
    across = min(len(names), 4)
    down = -(-len(names) // across)
    size = 3.4 * across, (1 + 0.3 * len(models)) * down
    figure = figure_of(figsize=size, layout="constrained")
    axes = figure.subplots(down, across, squeeze=False, sharey=True).ravel()
    for axis, name in zip(axes, names, strict=False):
        for place, model in enumerate(models):
            row = found.get((model, name))
            if row is None or row["value"] is None:
                continue
            axis.barh(place, row["value"], color="C0" if model == OURS else "0.75")
            if row["low"] is not None:
                axis.plot([row["low"], row["high"]], [place, place], color="black", linewidth=1)
            if row["p_value"] is not None and row["p_value"] < SIGNIFICANT:
                axis.annotate(" *", (max(row["value"], row["high"] or 0), place), va="center")
        axis.set(title=name)
        axis.margins(x=0.1)
    axes[0].set_yticks(range(len(models)), models)
    axes[0].invert_yaxis()
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    return figure


def plot_front(points: Any, metrics: Sequence[str] | None = None) -> Figure:
    """Draw what `pareto` returns, with the knee and today's weights marked.

    Two metrics are drawn against each other, more as a matrix of pairs above parallel coordinates.

    Args:
        points: a DuckDB relation or an Arrow table of all the columns of `pareto`.
        metrics: the columns to draw; by default what each objective is measured by.

    Returns:
        a matplotlib figure, which a notebook shows.

    Raises:
        MorecError: a metric is not among the columns, there are fewer than two, or matplotlib is
            not installed.
    """
    table = table_of("plot_front", points)
    rows = table.to_pylist()
    names = list(metrics) if metrics is not None else front_metrics(table.column_names, rows)
    for name in names:
        if name not in table.column_names:
            raise MorecError(
                f"metrics: {name!r} is not a column; {nearest(name, table.column_names)}"
            )
    if len(names) < 2 or not rows:
        raise MorecError(f"metrics: two or more and some points are needed, not {names!r}")
    pairs = list(itertools.combinations(names, 2))
    if len(pairs) == 1:
        figure = figure_of(figsize=(7, 5), layout="constrained")
        _pair(figure.subplots(), rows, *names)
        figure.axes[0].legend()
        return figure
    across = min(len(pairs), 3)
    down = -(-len(pairs) // across)
    figure = figure_of(figsize=(5 * across, 4 * down + 4), layout="constrained")
    grid = figure.add_gridspec(down + 1, across)
    for number, pair in enumerate(pairs):
        _pair(figure.add_subplot(grid[number // across, number % across]), rows, *pair)
    figure.axes[0].legend()
    axis = figure.add_subplot(grid[down, :])
    values = [[row[name] for name in names] for row in rows]
    low, high = ([edge(column) for column in zip(*values, strict=True)] for edge in (min, max))
    for row, mine in sorted(zip(rows, values, strict=True), key=lambda pair: _style(pair[0])[1]):
        scaled = [
            (value - least) / (most - least) if most > least else 0.5
            for value, least, most in zip(mine, low, high, strict=True)
        ]
        _, order, colour = _style(row)
        axis.plot(names, scaled, color=colour, alpha=1 if order else 0.35, lw=2 if order else 1)
    axis.set(ylabel="from worst to best", title="each line a weight vector")
    return figure


def front_metrics(
    columns: Sequence[str], rows: list[dict[str, Any]], chosen: Sequence[str] | None = None
) -> list[str]:
    """The columns by which objectives are measured: the chosen ones, or those with weights."""
    found = []
    known = {column.lower(): column for column in columns}
    for objective in chosen or (rows[0]["weights"] if rows else ()):
        for name in (f"mean_{objective}", {"relevance": "ndcg"}.get(objective.lower(), objective)):
            if name.lower() in known:
                found.append(known[name.lower()])
                break
        else:
            found.append("intra_list_diversity")
    return list(dict.fromkeys(found))


def _style(row: dict[str, Any]) -> tuple[str, int, str]:
    """Label, order of drawing and colour of a point."""
    if row["today"]:
        return "today's weights", 2, "C3"
    return ("knee", 1, "C1") if row["knee"] else ("front", 0, "C0")


def _pair(axis: Any, rows: list[dict[str, Any]], x: str, y: str) -> None:
    """Two metrics of the points against each other."""
    for style in sorted({_style(row) for row in rows}, key=lambda style: style[1]):
        mine = [row for row in rows if _style(row) == style]
        label, order, colour = style
        points = [row[x] for row in mine], [row[y] for row in mine]
        size, marker = (90, "*D"[order - 1]) if order else (25, "o")
        axis.scatter(*points, color=colour, label=label, s=size, marker=marker, zorder=2 + order)
    axis.set(xlabel=x, ylabel=y)


def _rows(
    evaluation: Evaluation, query: str, k: int
) -> list[tuple[str, float, float, float, float]]:
    return evaluation.con.execute(sql(query, k=literal(k))).fetchall()
