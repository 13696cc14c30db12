"""Commands of `morec` that call one SQL function each, made from its declaration."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer

from .. import registry
from ..errors import MorecError
from ..templates import DIALECT, first_row, identifier, literal

# a command and its function; those that are not of a recommender write
COMMANDS = {
    "create": "create_recommender",
    "refresh": "refresh_recommender",
    "recommend": "recommend",
    "similar": "similar_items",
    "search": "search",
    "explain": "explain",
    "evaluate": "evaluate",
    "pareto": "pareto",
    "tune": "tune",
}
LISTED = {"objectives", "text"}  # names, which may be given with commas between them
WIDTH = 88  # of a statement that stays on one line

Run = Callable[[Path, registry.Macro, str | None, dict[str, Any], dict[str, Any]], None]
PATH = Annotated[Path, typer.Argument(help="The warehouse file.")]
RECOMMENDER = Annotated[
    str | None, typer.Option("--recommender", "-r", help="Which one; the only one if left out.")
]
SQL = Annotated[bool, typer.Option("--sql", help="Print the statement, and do not run it.")]
FORMAT = Annotated[
    str, typer.Option("--format", help="table, csv, json (a line a row) or parquet.")
]


def add(app: typer.Typer, run: Run, more: Mapping[str, Mapping[str, Any]]) -> None:
    """Add the commands to an application.

    Args:
        app: the application.
        run: called with the file, the function, the recommender if one was named, the arguments of
            the function that were given and the other options.
        more: further options by command, as annotations by name; None where they are not given.
    """
    registry.discover()
    for command, name in COMMANDS.items():
        macro = next(one for (_, known), one in registry.MACROS.items() if known == name)
        app.command(command, help=macro.about)(_command(macro, run, more.get(command, {})))


def _command(macro: registry.Macro, run: Run, more: Mapping[str, Any]) -> Callable[..., None]:
    """A function whose signature, from which the command line is read, is that of a macro."""
    others = {"show": SQL, "form": FORMAT, **more}
    defaults = {"show": False, "form": "table"}

    def command(path: Path, recommender: str | None = None, **options: Any) -> None:
        rest = {name: options.pop(name) for name in others}
        given = {name: value for name, value in options.items() if value is not None}
        for name in LISTED & given.keys():
            if not re.match(r"\s*[\[{]", given[name]):
                given[name] = json.dumps([one.strip() for one in given[name].split(",")])
        run(path, macro, recommender, given, rest)

    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("path", kind, annotation=PATH)]
    for one in macro.arguments:
        default: Any = inspect.Parameter.empty
        annotation: Any = Annotated[str, typer.Argument(help=_help(one))]
        if one.default is not None:
            default = None
            # "true, or ..." takes other values, too
            flag = one.default in ("true", "false") and not one.about.startswith("true,")
            names = [f"--{one.name.replace('_', '-')}", f"-{one.name}"][: 1 + (len(one.name) == 1)]
            option = typer.Option(*([] if flag else names), help=_help(one), show_default=False)
            annotation = Annotated[(bool if flag else str) | None, option]
        parameters.append(inspect.Parameter(one.name, kind, default=default, annotation=annotation))
    if macro.of == "recommender":
        parameters.append(
            inspect.Parameter("recommender", kind, default=None, annotation=RECOMMENDER)
        )
    parameters.extend(
        inspect.Parameter(name, kind, default=defaults.get(name), annotation=annotation)
        for name, annotation in others.items()
    )
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


def _help(argument: registry.Argument) -> str:
    """What an argument is, with its default."""
    default = argument.default
    about = argument.about[:1].upper() + argument.about[1:]
    return about if default in (None, "NULL") else f"{about} [default: {default}]"


def statement(macro: registry.Macro, recommender: str | None, given: Mapping[str, Any]) -> str:
    """The statement that calls a function.

    Args:
        macro: the function.
        recommender: whose it is, None for one of the database.
        given: its arguments as they came from the terminal, by name: text that is JSON or a list or
            struct of SQL is taken as such, other text as text.
    """
    line = f"SELECT * FROM {called(macro, recommender, given)};"
    if len(line) <= WIDTH:
        return line
    return f"SELECT * FROM {called(macro, recommender, given, lines=True)};"


def called(
    macro: registry.Macro, recommender: str | None, given: Mapping[str, Any], lines: bool = False
) -> str:
    """The call of a function, as of statement; `lines` gives each argument one of its own."""
    arguments = [
        value(given[one.name]) if one.default is None else f"{one.name} => {value(given[one.name])}"
        for one in macro.arguments
        if one.name in given
    ]
    name = macro.name if recommender is None else f"{plain(recommender)}.{macro.name}"
    if lines:
        return f"{name}(\n    {f',{chr(10)}    '.join(arguments)}\n)"
    return f"{name}({', '.join(arguments)})"


def plain(name: str) -> str:
    """A name as people write it, quoted where it has to be."""
    simple = re.fullmatch("[a-z_][a-z0-9_]*", name) is not None
    keyword = simple and duckdb.tokenize(name)[0][1] is duckdb.token_type.keyword
    return name if simple and not keyword else identifier(name)


def read(con: duckdb.DuckDBPyConnection, given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as a function of SQL gets them, of those that came from the terminal."""
    fields = ", ".join(f"{literal(name)}: {value(one)}" for name, one in given.items())
    row = first_row(con, f"SELECT CAST(to_json({{{fields}}}) AS VARCHAR)") if given else ("{}",)
    assert row is not None
    arguments: dict[str, Any] = json.loads(row[0])
    return arguments


def value(given: Any) -> str:
    """The SQL of an argument."""
    if not isinstance(given, str):
        return literal(given)
    try:
        return _sql_of(json.loads(given, parse_constant=_no_json))
    except ValueError:
        return _constant(given) or literal(given)


def _no_json(constant: str) -> None:
    """Refuse NaN and infinities, which Python would take for JSON: they are words like others."""
    raise ValueError(constant)


def _sql_of(read: Any) -> str:
    """The SQL of what was read from JSON."""
    if isinstance(read, list):
        return f"[{', '.join(map(_sql_of, read))}]"
    if isinstance(read, dict):
        fields = (f"{literal(name)}: {_sql_of(one)}" for name, one in read.items())
        return f"{{{', '.join(fields)}}}"
    return literal(read)


def _constant(given: str) -> str | None:
    """The SQL of a list or struct of constants that is written as in SQL, None for other text."""
    import sqlglot
    from sqlglot import exp

    if not re.match(r"\s*[\[{]", given):
        return None
    try:
        tree = sqlglot.parse_one(given, dialect=DIALECT)
    except sqlglot.ParseError as error:
        raise MorecError(f"{given!r} is neither JSON nor a list or struct of SQL") from error
    allowed = (exp.Array, exp.Struct, exp.PropertyEQ, exp.Identifier, exp.Literal, exp.Null,
               exp.Boolean, exp.Neg)  # fmt: skip
    if not all(isinstance(node, allowed) for node in tree.walk()):
        raise MorecError(f"{given!r} has more in it than constants; `morec sql` runs any statement")
    return tree.sql(dialect=DIALECT)
