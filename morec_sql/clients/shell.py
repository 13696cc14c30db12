"""An interactive prompt for SQL: prompt_toolkit edits, and DuckDB runs."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import duckdb

from .. import registry
from ..errors import MorecError, shortened
from ..templates import sql
from . import query

if find_spec("prompt_toolkit") is None:
    raise MorecError("shell: it needs prompt_toolkit; pip install 'morec_sql[shell]'")

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import SqlLexer

HELP = """\
Statements end with a semicolon and may have several lines. Tab completes tables, columns, functions
and their arguments; Ctrl-C stops a query; the arrows bring earlier statements back.

.format table|csv|json   how results are shown
.help                    this
.quit                    or Ctrl-D
"""
QUIT = (".quit", ".exit", "quit", "exit", "quit;", "exit;")
WORD = re.compile(r"[\w.]+$")
CALL = re.compile(r"([\w.]+)\s*\($")
# texts, names and comments, also such as are not closed yet
QUOTED = re.compile(
    r"""'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|\$\$.*?(?:\$\$|$)|--[^\n]*|/\*.*?(?:\*/|$)""",
    re.DOTALL,
)
FORMATS = ("table", "csv", "json")  # that a terminal shows
MOST_WORDS = 200  # that are offered
ABOUT = 70  # letters of what is said of a word


def finished(text: str) -> bool:
    """Whether Enter runs a text: it is a command, nothing, or ends a statement."""
    stripped = text.strip()
    if not stripped or stripped.startswith(".") or stripped.lower() in QUIT:
        return True
    return _bare(stripped).rstrip().endswith(";")


class Words(Completer):
    """Completes what a database has, and the arguments of the functions that are called."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self._arguments = {macro.name: macro.arguments for macro in registry.MACROS.values()}
        self._known: list[tuple[str, str, str]] = []

    def forget(self) -> None:
        """Look up anew what there is: a statement may have changed it."""
        self._known = []

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterable[Completion]:
        """Complete the word before the cursor."""
        before = document.text_before_cursor
        found = WORD.search(before)
        word = found[0] if found else ""
        offered = [
            one for one in self._of_call(before) if one.text.lower().startswith(word.lower())
        ]
        if word and not offered:  # an argument's name is what is most likely wanted in a call
            if not self._known:
                with self._con.cursor() as cursor:
                    self._known = cursor.execute(sql("clients/words")).fetchall()
            offered = [
                Completion(name, display_meta=shortened(about, ABOUT))
                for name, _, about in self._known
                if name.lower().startswith(word.lower())
            ]
        for one in offered[:MOST_WORDS]:
            yield Completion(
                one.text, -len(word), display=one.display, display_meta=one.display_meta
            )

    def _of_call(self, before: str) -> list[Completion]:
        """The arguments of the function whose parentheses the cursor is in."""
        opened = _innermost(before)
        if opened is None:
            return []
        called = CALL.search(before[: opened + 1])
        arguments = self._arguments.get(called[1].split(".")[-1].lower(), ()) if called else ()
        given = set(re.findall(r"(\w+)\s*(?:=>|:=)", before[opened:]))
        return [
            Completion(f"{one.name} => ", display_meta=shortened(one.about, ABOUT))
            for one in arguments
            if one.default is not None and one.name not in given
        ]


def _innermost(text: str) -> int | None:
    """Where the innermost parenthesis stands that is not closed yet, outside of texts."""
    opened: list[int] = []
    for found in re.finditer("[()]", _bare(text)):
        if found[0] == "(":
            opened.append(found.start())
        elif opened:
            opened.pop()
    return opened[-1] if opened else None


def _bare(text: str) -> str:
    """A statement with texts, quoted names and comments blanked out, as long as it was."""

    def blank(found: re.Match[str]) -> str:
        ends = found[0][0] if found[0][0] in "'\"$" else " "
        return ends * len(found[0])

    return QUOTED.sub(blank, text)


def run(con: duckdb.DuckDBPyConnection, history: Path, title: str) -> None:
    """Prompt for statements and run them until the user leaves.

    Args:
        con: the connection.
        history: the file that keeps what was typed.
        title: what is shown at the start.
    """
    history.parent.mkdir(parents=True, exist_ok=True)
    words = Words(con)
    session: PromptSession[str] = PromptSession(
        "morec> ",
        history=FileHistory(str(history)),
        lexer=PygmentsLexer(SqlLexer),
        completer=words,
        multiline=Condition(lambda: not finished(get_app().current_buffer.text)),
        prompt_continuation="   ... ",
        complete_while_typing=False,
    )
    print(f"{title}\n.help tells what the prompt knows.")
    form = "table"
    while True:
        try:
            text = session.prompt().strip()
        except KeyboardInterrupt:
            continue  # the line is given up
        except EOFError:
            return
        if text.lower() in QUIT:
            return
        if text == ".help":
            print(HELP, end="")
        elif text.startswith(".format"):
            form = _format(text, form)
        elif text.startswith("."):
            print(f"morec: {text.split()[0]} is not known; .help lists what is", file=sys.stderr)
        elif text:
            _answer(con, text, form)
            words.forget()


def _format(text: str, before: str) -> str:
    """The format that a command chooses, that from before where it is not known."""
    chosen = text.removeprefix(".format").strip()
    try:
        query.check(chosen, FORMATS)
    except MorecError as error:
        print(f"morec: {error}", file=sys.stderr)
        return before
    return chosen


def _answer(con: duckdb.DuckDBPyConnection, text: str, form: str) -> None:
    """Run statements, and show their results, or what is wrong, and the time."""
    began = time.perf_counter()
    try:
        query.run(con, text, {}, form, sys.stdout.buffer)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("stopped")
    except (MorecError, duckdb.Error) as error:
        print(f"morec: {query.said(error)}", file=sys.stderr)
    print(f"{time.perf_counter() - began:.3f} s")
