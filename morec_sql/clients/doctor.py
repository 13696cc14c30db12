"""What works here and what is missing: versions, device, embedding model, extras, recommenders."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import duckdb
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from ..catalog.installed import VERSION
from ..catalog.recommenders import default_of, recommenders
from ..errors import MorecError, reason
from ..extension import connect
from ..templates import database_of, first_row, identifier, literal, sql
from .query import said

LIBRARIES = ("duckdb", "sqlglot", "torch", "sentence-transformers", "pyarrow", "numpy")
STALE = 0.1  # share of new events from which training anew is advised


class Finding(NamedTuple):
    """What was looked at, how it is, what helps if it is not well, and whether it is an error."""

    what: str
    state: str
    advice: str = ""
    broken: bool = False


def findings(path: Path | None) -> Iterator[Finding]:
    """Look at the installation, and at a warehouse if one is given."""
    yield Finding("morec_sql", f"{VERSION}, Python {platform.python_version()}")
    yield Finding("libraries", ", ".join(f"{name} {_version(name)}" for name in LIBRARIES))
    yield _looked("device", _device)
    yield _looked("embedding model", _embedding)
    for extra, names in _extras().items():
        missing = [name for name in names if not _version(name)]
        state = ", ".join(f"{name} {_version(name)}" for name in names if name not in missing)
        advice = f"pip install 'morec_sql[{extra}]'" if missing else ""
        yield Finding(f"extra {extra}", state if not missing else "not installed", advice)
    if path is not None:
        yield from _warehouse(path)


def shown(rows: list[Finding]) -> Table:
    """Findings as a table for the terminal."""
    table = Table("", "is", "what helps", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for row in rows:
        # as they are: [dbt] of an extra is no markup
        cells = (Text(cell) for cell in (row.what, row.state, row.advice))
        table.add_row(*cells, style="red" if row.broken else "")
    return table


def _looked(what: str, look: Callable[[], str]) -> Finding:
    """A finding, which is broken where looking raises."""
    try:
        return Finding(what, look())
    except Exception as error:  # whatever a library raises is what is found
        return Finding(what, reason(error), broken=True)


def _device() -> str:
    import torch

    from ..udfs.device import device

    if device().type == "cuda":
        return f"{torch.cuda.get_device_name()}, and {os.cpu_count()} cores"
    return f"CPU, {torch.get_num_threads()} of {os.cpu_count()} cores"


def _embedding() -> str:
    from ..udfs.embedding import DEFAULT_MODEL, embed_texts

    return f"{DEFAULT_MODEL}, {embed_texts(['tea']).shape[1]} dimensions"


def _version(name: str) -> str:
    """The version of a package, "" where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _extras() -> dict[str, list[str]]:
    """The packages of each extra for users."""
    found: dict[str, list[str]] = {}
    for required in metadata.requires("morec_sql") or ():
        of = re.match(r"""([\w.-]+).*extra == ['"](\w+)['"]""", required)
        if of and of[2] != "dev":
            found.setdefault(of[2], []).append(of[1])
    return dict(sorted(found.items()))


def _warehouse(path: Path) -> Iterator[Finding]:
    """Findings about a file and its recommenders."""
    try:
        con = connect(path, read_only=True)
    except (MorecError, duckdb.Error) as error:
        yield Finding("warehouse", reason(error), broken=True)
        return
    catalog = database_of(con)
    known, default = recommenders(con, catalog), default_of(con, catalog)
    size = path.stat().st_size / 1e6
    if not known:
        yield Finding(
            "warehouse", f"{size:,.0f} MB, no recommender", "create_recommender makes one"
        )
    else:
        yield Finding("warehouse", f"{size:,.0f} MB, {len(known)} recommender(s)")
    for name in known:
        yield _recommender(con, name, name == default)
    con.close()


def _recommender(con: duckdb.DuckDBPyConnection, name: str, default: bool) -> Finding:
    """Whether a recommender answers and is fresh."""
    what = f"recommender {name}"
    schema = identifier(name)
    try:
        con.execute(f"FROM {schema}.recommend(NULL, k => 1)").fetchall()
        row = first_row(con, sql("clients/freshness", schema=schema))
    except duckdb.Error as error:
        text = said(error).splitlines()[0]
        advice = "" if "pip install" in text else f"refresh_recommender({literal(name)})"
        return Finding(what, text, advice, broken=True)
    assert row is not None
    version, created_at, events, items, new_events, new_items, gone_items = row
    state = (
        f"version {version} of {created_at:%Y-%m-%d %H:%M}{', the default' if default else ''}:"
        f" {events:,} events, {items:,} items; since then {new_events:,} events,"
        f" {new_items:,} new items, {gone_items:,} gone"
    )
    advice = ""
    if new_events > STALE * max(events, 1):
        advice = f"refresh_recommender({literal(name)}): more than {STALE:.0%} of events are new"
    elif new_items or gone_items:
        advice = f"refresh_items({literal(name)})"
    return Finding(what, state, advice)
