"""Pictures as a notebook shows them, and the example notebook, executed."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

import morec_sql
from morec_sql import MorecError

EXAMPLE = Path(__file__).parents[2] / "examples" / "notebook.ipynb"
EVALUATE = (
    "FROM shop.evaluate(k => 4, test_from => TIMESTAMP '2024-03-15', baselines => ['popularity'])"
)


def test_an_evaluation_is_drawn(small: duckdb.DuckDBPyConnection) -> None:
    rows = small.sql(EVALUATE).to_arrow_table()
    figure = morec_sql.plot_evaluation(rows, ["ndcg", "recall"])
    titles = [axis.get_title() for axis in figure.axes if axis.get_visible()]
    assert titles == ["ndcg", "recall"]
    by_name = {(row["model"], row["metric"]): row for row in rows.to_pylist()}
    bars = [patch.get_width() for patch in figure.axes[0].patches]
    assert bars == [by_name[model, "ndcg"]["value"] for model in ("morec_sql", "popularity")]
    [ours, _] = [line.get_xdata().tolist() for line in figure.axes[0].lines]
    assert ours == [by_name["morec_sql", "ndcg"][end] for end in ("low", "high")]
    # every metric by default, also from a relation; a notebook gets a picture without pyplot
    figure = morec_sql.plot_evaluation(small.sql(EVALUATE))
    assert len([axis for axis in figure.axes if axis.get_visible()]) == len(
        {metric for _, metric in by_name}
    )
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_what_cannot_be_drawn_is_said(small: duckdb.DuckDBPyConnection) -> None:
    rows = small.sql(EVALUATE).to_arrow_table()
    for call, said in (
        (
            lambda: morec_sql.plot_evaluation(rows, ["ndgc"]),
            "metrics: 'ndgc' was not measured; did",
        ),
        (lambda: morec_sql.plot_evaluation(rows, []), "metrics: there is none to draw"),
        (
            lambda: morec_sql.plot_evaluation(small.sql("SELECT 1 AS a")),
            "rows: the columns a are not those of evaluate",
        ),
    ):
        with pytest.raises(MorecError, match=said):
            call()


@pytest.mark.notebook
def test_the_example_runs_and_has_its_pictures(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    book = nbformat.read(EXAMPLE, as_version=4)
    assert not any(cell.get("outputs") for cell in book.cells), "outputs are not kept in it"
    nbclient.NotebookClient(
        book, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    shown = [output["data"] for output in outputs if "data" in output]
    assert len([data for data in shown if "image/png" in data]) == 8
    assert any("product_type" in data.get("text/plain", "") for data in shown)
    warned = [output["text"] for output in outputs if output.get("name") == "stderr"]
    assert not any("ipywidgets" in text and "rich" in text for text in warned)
