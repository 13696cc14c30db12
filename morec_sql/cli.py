"""The command `morec`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .expressions import MorecError
from .extension import VERSION

app = typer.Typer(help="Multi-objective recommendation inside DuckDB.", no_args_is_help=True)


@app.command()
def demo(
    path: Annotated[Path, typer.Argument(help="The warehouse file to write.")] = Path(
        "demo.duckdb"
    ),
) -> None:
    """Build a warehouse of real grocery orders and show recommendations with their SQL."""
    from . import demo as demonstration

    try:
        demonstration.run(path, Console())
    except MorecError as error:
        typer.echo(f"morec: {error}", err=True)
        raise typer.Exit(2) from None


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(VERSION)
