"""The page of `morec report`: what a recommender, and the decisions beside it, come to."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ..catalog.recommenders import stored_arguments, tables_of
from ..errors import MorecError, reason
from ..registry import MACROS
from ..templates import database_of, sql
from . import calls, report
from .decisions import drawn

MOST_ROWS = 20  # of a table
MOST_TEXTS = 3  # columns that say what an item is


@dataclasses.dataclass(frozen=True)
class Part:
    """A table, with a picture where its rows have one.

    Args:
        title: what it is.
        rows: the function or table of the recommender that it is of.
        takes: the arguments of the function, by the options that give them.
        file: the statement over these rows, in sql/clients; all of them by default.
        needs: an option without which there is no such table.
    """

    title: str
    rows: str
    takes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    file: str | None = None
    needs: str | None = None


SOLD = {"revenue": "revenue", "quantity": "quantity", "category": "category", "cost": "cost"}
LEARNT = {name: SOLD[name] for name in ("revenue", "quantity", "category")}
UNITS = {"quantity": "quantity"}
ORDERED = {"stock": "stock", "quantity": "quantity"}
PAGES = {
    "Lists": (
        Part("The version in use", "versions", file="clients/report_version"),
        Part("What each source is worth", "sources", file="clients/report_sources"),
        Part("What the training did", "stages"),
    ),
    "Customers": (
        Part("States", "user_value", {"revenue": "value"}, "clients/report_states"),
        Part("Who comes back", "retention"),
        Part("How well customers are foretold", "value_quality", {"revenue": "value"}),
    ),
    "Campaigns": (
        Part("Campaigns", "campaigns", file="clients/report_campaigns"),
        Part("How well the latest were foretold", "campaign_quality"),
        Part("What offers bring", "campaign_uplift"),
    ),
    "Prices": (
        Part("What plans trade for what", "price_front", SOLD, needs="revenue"),
        Part("New prices", "price_plan", SOLD, "clients/report_changes", needs="revenue"),
        Part("How well prices foretell units", "price_quality", LEARNT, needs="revenue"),
    ),
    "Stock": (
        Part("Demand of two weeks", "demand", UNITS, "clients/report_sellers"),
        Part("How well demand is foretold", "demand_quality", UNITS),
        Part("What to order", "reorder", ORDERED, "clients/report_orders", needs="stock"),
    ),
}  # fmt: skip


def write(
    con: duckdb.DuckDBPyConnection,
    name: str,
    about: str,
    options: Mapping[str, str | None],
    path: Path,
    say: Callable[[str], None],
) -> None:
    """Write the page.

    Args:
        con: a connection to the warehouse.
        name: the recommender.
        about: of what it is.
        options: SQL over the tables by the names that the parts take them by; None for none.
        path: the file.
        say: called with what is done next.

    Raises:
        MorecError: the file's ending is not .html, or matplotlib is not installed.
    """
    report.check(path, (".html",))
    given = {option: value for option, value in options.items() if value is not None}
    pieces = []
    for page, parts in PAGES.items():
        pieces.append(report.heading(page, 2))
        if page == "Campaigns" and "campaign_quality" not in tables_of(con, name):
            pieces.append(report.paragraph("There are none; create_campaigns reads them."))
            continue
        for part in parts:
            say(f"{page}: {part.title}")
            pieces.append(_shown(con, name, part, given))
    when = datetime.datetime.now().isoformat(" ", "minutes")
    path.write_text(
        report.page(f"Report of {about}", report.paragraph(f"Made at {when}."), *pieces),
        encoding="utf-8",
    )


def _shown(con: duckdb.DuckDBPyConnection, name: str, part: Part, given: Mapping[str, str]) -> str:
    """A part as HTML; where it cannot be computed, the sentence that says why."""
    title = report.heading(part.title, 3)
    if part.needs is not None and part.needs not in given:
        return title + report.paragraph(f"--{part.needs} brings it: SQL that says what that is.")
    statement = _statement(con, name, part, given)
    code = report.details("SQL", report.code(statement))
    try:
        table = con.sql(statement).to_arrow_table()
        figure = drawn(table)
    except duckdb.InterruptException:
        raise
    except (MorecError, duckdb.Error) as error:
        return title + report.paragraph(reason(error)) + code
    if figure is None:
        return title + _table(table) + code
    picture = report.image(figure, part.title)
    return title + picture + report.details("Numbers", _table(table)) + code


def _statement(
    con: duckdb.DuckDBPyConnection, name: str, part: Part, given: Mapping[str, str]
) -> str:
    """The statement of a part."""
    macro = MACROS.get(("recommender", part.rows))
    if macro is None:
        rows = f"{calls.plain(name)}.{part.rows}"
    else:
        taken = {one: given[option] for option, one in part.takes.items() if option in given}
        rows = calls.called(macro, name, taken)
    if part.file is None:
        return f"SELECT * FROM {rows};"
    schema = calls.plain(name)
    arguments, _ = stored_arguments(con, database_of(con), name)
    parts = {"title": "", "items": "", "schema": schema, "rows": rows}
    if arguments.items is not None and arguments.text:
        named = arguments.text[:MOST_TEXTS]
        parts["title"] = "".join(f"_i.{calls.plain(column)},\n    " for column in named)
        parts["items"] = f"JOIN {schema}.items AS _i ON _i.item_id = _p.item_id"
    return sql(part.file, **parts).strip()


def _table(table: pa.Table) -> str:
    """The first rows as a table of HTML."""
    rows = table.slice(0, MOST_ROWS).to_pylist()
    if not rows:
        return report.paragraph("There is no row.")
    cells = [[_cell(value, name) for name, value in row.items()] for row in rows]
    more = len(table) - len(rows)
    rest = report.paragraph(f"{more} more rows.") if more else ""
    return report.html_table(table.column_names, cells) + rest


def _cell(value: Any, column: str = "") -> str:
    """A value as people read it; ids are no amounts."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_cell(one)}" for name, one in value.items())
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ", "minutes")
    return f"{value:,}" if type(value) is int and not column.endswith("id") else str(value)
