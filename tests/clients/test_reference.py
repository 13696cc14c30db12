"""The reference is what the declarations say, and says something of everything."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

import morec_sql
from morec_sql import registry
from morec_sql.clients.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"


def test_the_page_is_not_stale() -> None:
    """Run `morec reference > docs/reference.md` where it is."""
    printed = CliRunner().invoke(app, ["reference"])
    assert printed.exit_code == 0
    assert printed.output == PAGE.read_text(encoding="utf-8")


def test_everything_declared_is_documented() -> None:
    registry.discover()
    assert len(registry.MACROS) > 10
    for macro in registry.MACROS.values():
        assert macro.about.endswith(".")
        assert macro.result or macro.returns
        assert all(one.about for one in macro.arguments)
        assert f"### {macro.name}\n" in PAGE.read_text(encoding="utf-8")


def test_what_is_documented_can_be_called() -> None:
    """The arguments of the macros in the database are those of the reference, in its order."""
    con = morec_sql.connect()
    for macro in registry.macros("database"):
        parameters, comment = con.execute(
            "SELECT parameters, comment FROM duckdb_functions() WHERE function_name = ?",
            [macro.name],
        ).fetchall()[0]
        assert parameters == [one.name for one in macro.arguments]
        assert comment.startswith(macro.comment)
