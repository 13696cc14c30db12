"""The command `morec`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .expressions import MorecError
from .extension import VERSION, connect
from .templates import first_row

app = typer.Typer(help="Multi-objective recommendation inside DuckDB.", no_args_is_help=True)


@app.command()
def demo(
    path: Annotated[Path, typer.Argument(help="The warehouse file to write.")] = Path(
        "demo.duckdb"
    ),
) -> None:
    """Build a warehouse of real grocery orders and show recommendations with their SQL."""
    from . import demo as demonstration

    with _errors():
        demonstration.run(path, Console())


@app.command()
def evaluate(
    path: Annotated[Path, typer.Argument(help="The warehouse file.")],
    name: Annotated[
        str | None, typer.Argument(help="The recommender; the only one if left out.")
    ] = None,
    k: Annotated[int, typer.Option(help="Length of the lists.")] = 10,
    weights: Annotated[
        str | None, typer.Option(help="As JSON: a list, or an object by objective.")
    ] = None,
    test_from: Annotated[
        datetime | None, typer.Option(help="Events from then on are the test.")
    ] = None,
    novel_only: Annotated[bool, typer.Option(help="Only items that are new to the user.")] = False,
    sample: Annotated[int | None, typer.Option(help="So many users instead of all.")] = None,
    where: Annotated[
        str | None, typer.Option("--filter", help="A SQL predicate over the items.")
    ] = None,
    baselines: Annotated[bool, typer.Option(help="Measure the baselines too.")] = True,
    report: Annotated[
        Path | None, typer.Option(help="Write a report: a file that ends in .html or .png.")
    ] = None,
) -> None:
    """Train on the past, measure on what came after, and show how good the lists are."""
    from . import evaluation
    from . import report as reports
    from .schema import recommenders

    with _errors():
        if not path.exists():
            raise MorecError(f"path: there is no file {str(path)!r}")
        if report is not None:
            reports.check(report)
        request = evaluation.Request.from_json(
            json.dumps(
                {
                    "weights": None if weights is None else _json(weights),
                    "k": k,
                    "test_from": None if test_from is None else str(test_from),
                    "novel_only": novel_only,
                    "sample": sample,
                    "filter": where,
                    "baselines": baselines,
                }
            )
        )
        con = connect(path, read_only=True)
        row = first_row(con, "SELECT current_database()")
        assert row is not None
        known = recommenders(con, row[0])
        if name is None and len(known) != 1:
            raise MorecError(f"name: one of {', '.join(known) or 'no recommenders'} is needed")
        name = name or known[0]
        title = f"The recommender {name} in {path.name}"
        found = evaluation.evaluate(con.cursor, row[0], name, request, evaluation.Past())
        Console().print(reports.table(found, title))
        if report is not None:
            reports.write(found, title, report)
            typer.echo(f"wrote {report}")


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        raise MorecError(f"weights: {text!r} is not JSON, such as [0.6, 0.4]") from None


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Show what is wrong in one sentence, without a traceback."""
    try:
        yield
    except MorecError as error:
        typer.echo(f"morec: {error}", err=True)
        raise typer.Exit(2) from None


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(VERSION)
