"""Shows an evaluation: a table for the terminal, pictures and a page for the browser."""

from __future__ import annotations

import base64
import html
import io
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from .evaluation import OURS, Evaluation, Measured
from .expressions import MorecError, literal
from .templates import sql

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIGNIFICANT = 0.05
CUTS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)
FORMATS = (".html", ".png")
NOTE = f"* where the difference from ours has p < {SIGNIFICANT} in a paired permutation test."

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem }}
table {{ border-collapse: collapse }} th, td {{ padding: .2rem .8rem; text-align: right }}
th:first-child {{ text-align: left }} tr:nth-child(even) {{ background: #f3f3f3 }}
img {{ max-width: 100% }} .ours {{ font-weight: bold }}
</style>
<h1>{title}</h1>
<p>{about}</p>
<table>{table}</table>
<p>{note}</p>
{pictures}
</html>
"""


def check(path: Path) -> None:
    """Raise a MorecError unless a report can be written to `path`."""
    if path.suffix not in FORMATS:
        raise MorecError(f"report: {str(path)!r} ends in neither .html nor .png")
    if find_spec("matplotlib") is None:
        raise MorecError("report: pictures need matplotlib; pip install 'morec_sql[report]'")


def table(evaluation: Evaluation, title: str) -> Table:
    """The metrics as rows and the models as columns, for the terminal."""
    models, rows = _cells(evaluation, errors=False)
    out = Table(
        title=title, title_justify="left", caption=NOTE, caption_justify="left",
        box=SIMPLE_HEAD, padding=(0, 1, 0, 0),
    )  # fmt: skip
    out.add_column("metric", no_wrap=True)
    for model in models:
        out.add_column(
            model, justify="right", overflow="fold", style="bold" if model == OURS else ""
        )
    for metric, cells in rows:
        out.add_row(metric, *cells)
    return out


def write(evaluation: Evaluation, title: str, path: Path) -> None:
    """Write the pictures, and in an .html file the table too.

    Raises:
        MorecError: the ending is unknown, or matplotlib is not installed.
    """
    check(path)
    figure = pictures(evaluation)
    if path.suffix == ".png":
        figure.savefig(path, dpi=120)
        return
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    picture = base64.b64encode(buffer.getvalue()).decode()
    models, rows = _cells(evaluation, errors=True)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("metric", *models))
    body = "".join(
        f"<tr><th>{html.escape(metric)}</th>"
        + "".join(
            f'<td class="{"ours" if model == OURS else ""}">{html.escape(cell)}</td>'
            for model, cell in zip(models, cells, strict=True)
        )
        + "</tr>"
        for metric, cells in rows
    )
    users = evaluation.rows[0].users
    path.write_text(
        PAGE.format(
            title=html.escape(title),
            about=html.escape(
                f"Lists of {evaluation.k} items for {users} users, trained on the events before"
                f" {evaluation.test_from} and measured on those from then on."
            ),
            table=f"<tr>{head}</tr>{body}",
            note=html.escape(NOTE),
            pictures=f'<img alt="Quality against k, by objective and by activity of the users"'
            f' src="data:image/png;base64,{picture}">',
        ),
        encoding="utf-8",
    )


def pictures(evaluation: Evaluation) -> Figure:
    """Quality against k, by activity of the users, and against each other metric."""
    from matplotlib.figure import Figure

    by_name = {(row.model, row.metric): row.value for row in evaluation.rows}
    models = list(dict.fromkeys(row.model for row in evaluation.rows))
    metrics = list(dict.fromkeys(row.metric for row in evaluation.rows))
    others = metrics[metrics.index("coverage") :]
    across = 3
    down = -(-(3 + len(others)) // across)
    figure = Figure(figsize=(5 * across, 4 * down), layout="constrained")
    axes = figure.subplots(down, across).ravel()
    colours = {model: f"C{number}" for number, model in enumerate(models)}
    k = evaluation.k

    cuts = [cut for cut in CUTS if cut < k] + [k]
    curves = [row for cut in cuts for row in _rows(evaluation, "evaluation_by_k", cut)]
    for place, (axis, name) in enumerate(zip(axes, ("nDCG", "recall"), strict=False), 2):
        for model in models:
            points = [(row[1], row[place]) for row in curves if row[0] == model]
            axis.plot(*zip(*points, strict=True), marker="o", label=model, color=colours[model])
        axis.set(xlabel="k", ylabel=f"{name} at k", title=f"{name} against k")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=7)
    groups = _rows(evaluation, "evaluation_by_activity", k)
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


def _rows(
    evaluation: Evaluation, query: str, k: int
) -> list[tuple[str, float, float, float, float]]:
    return evaluation.con.execute(sql(query, k=literal(k))).fetchall()


def _cells(evaluation: Evaluation, errors: bool) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """The models, and per metric one cell of text for each, with the standard error or without."""
    found = {(row.model, row.metric): row for row in evaluation.rows}
    models = list(dict.fromkeys(row.model for row in evaluation.rows))
    metrics = list(dict.fromkeys(row.metric for row in evaluation.rows))

    def cell(row: Measured) -> str:
        star = "*" if row.p_value is not None and row.p_value < SIGNIFICANT else ""
        error = f" ± {row.standard_error:.4f}" if errors else ""
        return f"{row.value:{'.4g' if errors else '.3g'}}{error}{star}"

    return models, [
        (metric, [cell(found[model, metric]) for model in models]) for metric in metrics
    ]
