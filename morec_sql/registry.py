"""Declares SQL functions: one declaration makes the UDF, its macro, its comment and its reference.

A macro is a file of `sql/`, which several may share. Its declaration fills the placeholders:

- `${parameters}`: the arguments with their defaults, as CREATE MACRO wants them;
- `${passed}`: the same arguments handed on by name, for a macro that calls another one;
- `${call}`: the call of the Python function that is declared together with it;
- `${udf}`: the name of the function that it calls otherwise, and `${columns}`: the columns of its
  result, from the rows `_r`;
- `${later}`: stands before a subquery that DuckDB is to bind when the macro is called: it binds
  macros when they are made, too, and what an import makes would fail where our functions, or views
  that come later, are not there yet;
- `${temporary}`: "TEMP " for a macro of one connection;
- and whatever the caller of `Macro.sql` knows, such as `${schema}`.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from .arrays import whole
from .interrupts import interruptible
from .session import Session
from .templates import literal, sql

ROOMS = ("source", "catalog", "answer", "train", "measure", "decide")  # from the ground up
ARROW = {
    "VARCHAR": pa.string(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DOUBLE[]": pa.list_(pa.float64()),
    "VARCHAR[]": pa.list_(pa.string()),
}

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True)
class Argument:
    """An argument of a SQL function.

    default is SQL, None where a value must be given; passed is the SQL of the value as a Python
    function gets it, its JSON if left out.
    """

    name: str
    about: str
    default: str | None = None
    passed: str | None = None


@dataclasses.dataclass(frozen=True)
class Udf:
    """A Python function over whole columns: function(session, *arrays) gives an array.

    takes are the SQL types of the columns, None for any number of any type. One with arguments is
    for users, the others are called by macros.
    """

    name: str
    takes: list[Any] | None
    returns: str
    function: Callable[..., Any]
    arguments: tuple[Argument, ...] = ()

    def register(self, con: duckdb.DuckDBPyConnection, session: Session) -> None:
        """Make it available in the database instance of a connection."""

        def on_arrays(*columns: pa.ChunkedArray) -> pa.Array:
            with interruptible():
                return self.function(session, *map(whole, columns))

        if self.takes is not None:
            # DuckDB reads the number of parameters from the signature
            places = [
                inspect.Parameter(f"_{place}", inspect.Parameter.POSITIONAL_ONLY)
                for place in range(len(self.takes))
            ]
            on_arrays.__signature__ = inspect.Signature(places)  # type: ignore[attr-defined]
        KEPT.append(on_arrays)
        con.create_function(
            self.name,
            on_arrays,
            self.takes,
            self.returns,
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,
            # what a macro calls reads or writes tables: it is no function of its arguments alone
            side_effects=not self.arguments,
        )


@dataclasses.dataclass(frozen=True)
class Macro:
    """A macro of the schema main (`of` the database), or of each recommender.

    template is its file in sql/; includes are further ones, by the placeholder that they fill, ""
    for nothing. result says what each column of a row is; returns is the SQL type of one that gives
    a value instead of a table.
    """

    name: str
    of: Literal["database", "recommender"]
    about: str
    arguments: tuple[Argument, ...]
    result: Mapping[str, str]
    template: str
    includes: Mapping[str, str]
    udf: str = ""
    returns: str = ""

    @property
    def kind(self) -> str:
        """What COMMENT ON and DROP call it."""
        return "MACRO" if self.returns else "MACRO TABLE"

    @property
    def parameters(self) -> str:
        """The arguments as CREATE MACRO wants them, a line each."""
        return "".join(
            f"\n    {one.name}{'' if one.default is None else f' := {one.default}'}"
            f"{',' if one is not self.arguments[-1] else chr(10)}"
            for one in self.arguments
        )

    def sql(self, **parts: str) -> str:
        """The statement that makes it.

        Args:
            parts: SQL for the placeholders that the declaration does not fill.
        """
        values = ",\n        ".join(
            f"{literal(one.name)}: {one.passed or f'to_json({one.name})'}" for one in self.arguments
        )
        parts = {
            "name": self.name,
            "temporary": "",
            "udf": self.udf,
            "columns": ", ".join(f"_r.{column} AS {column}" for column in self.result),
            "later": f"(SELECT {self.arguments[0].name} AS _given) AS _later, LATERAL",
            "parameters": self.parameters,
            "passed": ", ".join(
                one.name if one.default is None else f"{one.name} => {one.name}"
                for one in self.arguments
            ),
            **parts,
        }
        schema = parts.get("schema_name", "current_schema()")
        given = f"CAST(to_json({{\n        {values}\n    }}) AS VARCHAR)"
        database = "current_database()"
        if self.of == "recommender" and self.udf:
            database = f"morec_here({database}, {schema}, {parts['version']})"
        parts["call"] = f"{self.udf}({database}, {schema}, {given})"
        included = {
            place: sql(name, **parts) if name else "" for place, name in self.includes.items()
        }
        return sql(self.template, **parts, **included)

    @property
    def comment(self) -> str:
        """All that its users need to know, for COMMENT ON."""
        names = ", ".join(one.name for one in self.arguments)
        lines = " ".join(f"{one.name}: {one.about}." for one in self.arguments)
        return f"{self.name}({names}): {self.about} {lines}"


def rows_type(columns: Mapping[str, str]) -> str:
    """The SQL type of rows with columns of such SQL types."""
    fields = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
    return f"STRUCT({fields})[]"


def arrow_rows(columns: Mapping[str, str]) -> pa.DataType:
    """The Arrow type of rows with columns of such SQL types, which tuples and dicts fit."""
    return pa.list_(pa.struct([(column, ARROW[kind]) for column, kind in columns.items()]))


# DuckDB lets go of a function when the connection that registered it is closed, and still calls it
# from the others
KEPT: list[Callable[..., Any]] = []
UDFS: dict[str, Udf] = {}
MACROS: dict[tuple[str, str], Macro] = {}


def udf(
    name: str, takes: list[str] | None, returns: str, arguments: Iterable[Argument] = ()
) -> Callable[[Function], Function]:
    """Declare a function over whole columns; parameters are the fields of Udf."""

    def declare(function: Function) -> Function:
        UDFS[name] = Udf(name, takes, returns, function, tuple(arguments))
        return function

    return declare


def sql_macro(
    name: str,
    of: Literal["database", "recommender"],
    about: str,
    arguments: Iterable[Argument],
    result: Mapping[str, str],
    template: str,
    includes: Mapping[str, str] | None = None,
    udf: str = "",
    returns: str = "",
) -> None:
    """Declare a macro that is SQL, or calls what `udf` declared; the fields of Macro."""
    MACROS[of, name] = Macro(
        name, of, about, tuple(arguments), result, template, includes or {}, udf, returns
    )


def sql_function(
    of: Literal["database", "recommender"],
    returns: Mapping[str, str] | str,
    arguments: Iterable[Argument] = (),
    result: Mapping[str, str] | None = None,
    template: str | None = None,
) -> Callable[[Function], Function]:
    """Declare a Python function together with the table macro that calls it.

    The macro has the function's name and its docstring's first paragraph for users to read.

    It is called as function(session, catalog, schema, given): the database, the recommender (or the
    current schema, for a function of the database), and the arguments by name.

    Args:
        of: what has the macro: the schema main of the database, or each recommender.
        returns: the SQL types of the columns of the rows that the function gives, as tuples or
            dicts; or the SQL type of its one value.
        arguments: of the macro.
        result: what each column that the macro gives is.
        template: its file in sql/; by default that of its name in the function's room.
    """
    if isinstance(returns, str):
        kind, arrow = returns, ARROW[returns]
    else:
        kind, arrow = rows_type(returns), arrow_rows(returns)

    def declare(function: Function) -> Function:
        def by_row(session: Session, *columns: pa.Array) -> pa.Array:
            found = [
                function(session, catalog, schema, json.loads(given))
                for catalog, schema, given in zip(*map(pa.Array.to_pylist, columns), strict=True)
            ]
            return pa.array(found, arrow)

        name = function.__name__
        room = function.__module__.split(".")[1]
        about = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
        UDFS[f"morec_{name}"] = Udf(f"morec_{name}", ["VARCHAR"] * 3, kind, by_row)
        columns = result if result is not None else {}
        file = template or f"{room}/{name}"
        sql_macro(name, of, about, arguments, columns, file, udf=f"morec_{name}")
        return function

    return declare


def discover() -> None:
    """Import every module of the rooms, so that all that they declare is known."""
    for room in ROOMS:
        package = importlib.import_module(f"morec_sql.{room}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"morec_sql.{room}.{module.name}")


def macros(of: Literal["database", "recommender"]) -> list[Macro]:
    """The macros of a database, or of each recommender."""
    return [macro for (kind, _), macro in MACROS.items() if kind == of]
