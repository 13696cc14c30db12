"""Shows an evaluation: a table for the terminal, a page for the browser."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from rich.box import SIMPLE_HEAD
from rich.table import Table

from ..errors import MorecError
from ..measure.evaluate import Evaluation, evaluation_of
from ..measure.requests import Request
from ..measure.significance import OURS, Measured
from ..session import Session
from ..templates import database_of
from .pictures import SIGNIFICANT, front_metrics, pictures, plot_front

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".html", ".png")
PICTURES = (".png", ".svg", ".pdf")
NOTE = f"* where the difference from ours has p < {SIGNIFICANT} in a paired permutation test."
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem }}
table {{ border-collapse: collapse }} th, td {{ padding: .2rem .8rem; text-align: right }}
th:first-child {{ text-align: left }} tr:nth-child(even) {{ background: #f3f3f3 }}
img {{ max-width: 100% }} .ours {{ font-weight: bold }} div {{ overflow-x: auto }}
pre {{ background: #f3f3f3; padding: .5rem; overflow-x: auto }}
</style>
<h1>{title}</h1>
{body}
</html>
"""


def check(path: Path, formats: Sequence[str] = FORMATS) -> None:
    """Raise a MorecError unless a report or picture can be written to `path`."""
    if path.suffix not in formats:
        raise MorecError(f"report: {str(path)!r} ends in none of {', '.join(formats)}")
    if find_spec("matplotlib") is None:
        raise MorecError("report: pictures need matplotlib; pip install 'morec_sql[report]'")


@dataclasses.dataclass(frozen=True)
class Call:
    """A call of a function whose result has a table of its own.

    text is the statement that calls that of the recommender `name`, given are its arguments, title
    is what it is about; path is where a report or picture is to be written, None for nowhere.
    """

    con: duckdb.DuckDBPyConnection
    name: str
    text: str
    given: dict[str, Any]
    title: str
    path: Path | None


def evaluation(call: Call) -> Table:
    """Evaluate a recommender, and write the report if one is wanted."""
    if call.path is not None:
        check(call.path)
    session = Session()
    session.add(call.con)
    request = Request.read({"baselines": True, **call.given})
    found = evaluation_of(session, database_of(call.con), call.name, request)
    title = f"Quality of {call.title}"
    if call.path is not None:
        write(found, title, call.path)
    return table(found, title)


def front(call: Call) -> Table:
    """Search the front of weights, and draw it if a picture is wanted."""
    if call.path is not None:
        check(call.path, PICTURES)
    found = call.con.sql(call.text).to_arrow_table()
    metrics = front_metrics(found.column_names, found.to_pylist(), call.given.get("objectives"))
    if call.path is not None:
        plot_front(found, metrics).savefig(call.path, dpi=120)
    return front_table(found, metrics, f"Weights of {call.title} that no others beat")


# what shows the result of a function by a table of its own, and writes it as a report or picture
SHOWN = {"evaluate": evaluation, "pareto": front}


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
    models, rows = _cells(evaluation, errors=True)
    about = (
        f"Lists of {evaluation.k} items for {evaluation.rows[0].users} users, trained on the events"
        f" before {evaluation.test_from} and measured on those from then on."
    )
    shown = html_table(
        ["metric", *models],
        [[metric, *cells] for metric, cells in rows],
        ours=1 + models.index(OURS),
    )
    said = "Quality against k, by objective and by activity of the users"
    body = (paragraph(about), shown, paragraph(NOTE), image(figure, said))
    path.write_text(page(title, *body), encoding="utf-8")


def page(title: str, *body: str) -> str:
    """A page of HTML that needs nothing beside it."""
    return PAGE.format(title=html.escape(title), body="\n".join(body))


def heading(text: str, level: int) -> str:
    """A heading, as HTML."""
    return f"<h{level}>{html.escape(text)}</h{level}>"


def paragraph(text: str) -> str:
    """A paragraph, as HTML."""
    return f"<p>{html.escape(text)}</p>"


def code(text: str) -> str:
    """A statement to copy, as HTML."""
    return f"<pre>{html.escape(text)}</pre>"


def details(summary: str, body: str) -> str:
    """What is shown when it is asked for, as HTML."""
    return f"<details><summary>{html.escape(summary)}</summary>{body}</details>"


def html_table(names: Sequence[str], rows: Sequence[Sequence[str]], ours: int | None = None) -> str:
    """Rows of text as a table of HTML; `ours` is the column that stands out."""

    def cell(place: int, text: str) -> str:
        kind = "th" if place == 0 else "td"
        mark = ' class="ours"' if place == ours else ""
        return f"<{kind}{mark}>{html.escape(text)}</{kind}>"

    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(cell(*one) for one in enumerate(row))}</tr>" for row in rows)
    return f"<div><table><tr>{head}</tr>{body}</table></div>"


def image(figure: Figure, said: str) -> str:
    """A picture within the page, as HTML; `said` is for those who do not see it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    picture = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{html.escape(said)}" src="data:image/png;base64,{picture}">'


def front_table(table: pa.Table, metrics: Sequence[str], title: str) -> Table:
    """The points of a front as rows, for the terminal."""
    out = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    rows = table.to_pylist()
    for name in (*rows[0]["weights"], *metrics, "share of the front", ""):
        out.add_column(name, justify="right", overflow="fold")
    for row in rows:
        marks = [name for name in ("knee", "today", "dominated") if row[name]]
        cells = [*row["weights"].values(), *(row[name] for name in metrics)]
        out.add_row(
            *(f"{cell:.3g}" for cell in cells),
            f"{row['hypervolume_contribution']:.1%}",
            ", ".join(marks),
            style="bold" if row["knee"] else "",
        )
    return out


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
