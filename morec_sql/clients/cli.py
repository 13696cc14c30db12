"""The command `morec`."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import duckdb
import typer
from rich.console import Console

from ..errors import MorecError, nearest
from ..extension import VERSION, connect
from ..session import Session
from ..templates import first_row, identifier

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
    diversify: Annotated[str, typer.Option(help="mmr or dpp.")] = "mmr",
    baselines: Annotated[bool, typer.Option(help="Measure the baselines too.")] = True,
    report: Annotated[
        Path | None, typer.Option(help="Write a report: a file that ends in .html or .png.")
    ] = None,
) -> None:
    """Train on the past, measure on what came after, and show how good the lists are."""
    from ..measure.evaluate import evaluation_of
    from ..measure.requests import Request
    from . import report as reports

    with _errors():
        if report is not None:
            reports.check(report)
        request = Request.read(
            {
                "weights": None if weights is None else _json(weights),
                "k": k,
                "test_from": None if test_from is None else str(test_from),
                "novel_only": novel_only,
                "sample": sample,
                "filter": where,
                "diversify": diversify,
                "baselines": baselines,
            }
        )
        con, catalog, name = _open(path, name)
        title = f"The recommender {name} in {path.name}"
        session = Session()
        session.add(con)
        found = evaluation_of(session, catalog, name, request)
        Console().print(reports.table(found, title))
        if report is not None:
            reports.write(found, title, report)
            typer.echo(f"wrote {report}")


@app.command()
def pareto(
    path: Annotated[Path, typer.Argument(help="The warehouse file.")],
    name: Annotated[
        str | None, typer.Argument(help="The recommender; the only one if left out.")
    ] = None,
    objectives: Annotated[
        str | None, typer.Option(help="Objectives or metrics, with commas; all by default.")
    ] = None,
    algorithm: Annotated[
        str, typer.Option(help="surrogate, nsga2, nsga3, pso, ga, de, grid or random.")
    ] = "surrogate",
    budget: Annotated[int, typer.Option(help="So many weight vectors are measured.")] = 200,
    k: Annotated[int, typer.Option("--k", "-k", help="Length of the lists.")] = 10,
    users: Annotated[int, typer.Option(help="So many users at most.")] = 2000,
    test_from: Annotated[
        datetime | None, typer.Option(help="Events from then on are the test.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the front: a file that ends in .png, .svg or .pdf.")
    ] = None,
) -> None:
    """Search the weights that no others beat in all of the objectives, and draw them."""
    from . import pictures
    from . import report as reports

    with _errors():
        if picture is not None:
            reports.check(picture, (".png", ".svg", ".pdf"))
        con, _, name = _open(path, name)
        chosen = None if objectives is None else [part.strip() for part in objectives.split(",")]
        found = con.sql(
            f"SELECT * FROM {identifier(name)}.pareto(objectives => $objectives,"
            " algorithm => $algorithm, budget => $budget, k => $k, users => $users,"
            " test_from => $test_from)",
            params={
                "objectives": chosen, "algorithm": algorithm, "budget": budget, "k": k,
                "users": users, "test_from": test_from,
            },
        ).to_arrow_table()  # fmt: skip
        metrics = pictures.front_metrics(found.column_names, found.to_pylist(), chosen)
        title = f"Weights of the recommender {name} in {path.name} that no others beat"
        Console().print(reports.front_table(found, metrics, title))
        if picture is not None:
            pictures.plot_front(found, metrics).savefig(picture, dpi=120)
            typer.echo(f"wrote {picture}")


def _open(path: Path, name: str | None) -> tuple[duckdb.DuckDBPyConnection, str, str]:
    """Open a warehouse to read, and find the recommender: connection, database, its name."""
    from ..catalog.recommenders import recommenders

    if not path.exists():
        raise MorecError(f"path: there is no file {str(path)!r}")
    con = connect(path, read_only=True)
    row = first_row(con, "SELECT current_database()")
    assert row is not None
    known = recommenders(con, row[0])
    if name is None and len(known) != 1:
        raise MorecError(f"name: one of {', '.join(known) or 'no recommenders'} is needed")
    name = name or known[0]
    if name not in known:
        raise MorecError(f"name: there is no recommender {name!r}; {nearest(name, known)}")
    return con, row[0], name


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
    except (MorecError, duckdb.Error) as error:
        # errors of our functions come through DuckDB with its own words before them
        text = str(error).split("MorecError: ")[-1]
        typer.echo(f"morec: {text}", err=True)
        raise typer.Exit(2) from None


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(VERSION)


@app.command()
def sql(
    path: Annotated[Path, typer.Argument(help="The warehouse file, or :memory:.")],
    command: Annotated[str | None, typer.Option("--command", "-c", help="The statements.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", exists=True, dir_okay=False, help="A file of statements."),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="table, csv, json (a line a row) or parquet.")
    ] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write there instead of the terminal.")
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="name=value, for $name in the statements.")
    ] = None,
    read_only: Annotated[bool, typer.Option(help="Open the warehouse to read only.")] = False,
) -> None:
    """Run SQL with the functions in a warehouse: given by -c, by -f, or piped in."""
    from . import query

    with _errors():
        text = query.read(command, file)
        parameters = dict(map(query.parameter, param or []))
        if read_only and not path.exists():
            raise MorecError(f"path: there is no file {str(path)!r}")
        con = connect(path, read_only=read_only)
        con.execute("SET enable_progress_bar = false")
        with contextlib.ExitStack() as stack:
            stack.callback(con.close)
            out = sys.stdout.buffer if output is None else stack.enter_context(output.open("wb"))
            query.run(con, text, parameters, form, out)


@app.command("dbt")
def dbt_package() -> None:
    """Print the folder of the dbt package, for `local:` in packages.yml."""
    from importlib.resources import files

    typer.echo(files("morec_sql") / "dbt" / "package")


@app.command()
def reference() -> None:
    """Print the reference of all SQL functions, as Markdown."""
    from .reference import reference as page

    typer.echo(page(), nl=False)
