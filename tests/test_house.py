"""The order of the house: who may import whom, and where things stand."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent
# from the ground up: a room imports only what stands before it
ROOMS = (
    "errors", "arrays", "templates", "progress", "interrupts", "session", "registry", "source", "catalog",
    "answer", "train", "measure", "decide", "extension", "server", "clients", "dbt", "__init__",
)  # fmt: skip
MOST_LINES = 400


def sources(folder: str) -> list[Path]:
    return sorted(path for path in (HOUSE / folder).rglob("*") if path.suffix in (".py", ".sql"))


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it, as dotted names from the top."""
    package = list(path.relative_to(HOUSE).with_suffix("").parts[:-1])
    if package[0] == "udfs":
        package.insert(0, "morec_sql")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level]
            if node.module:
                yield ".".join([*base, node.module])
            else:
                yield from (".".join([*base, name.name]) for name in node.names)


@pytest.mark.parametrize(
    "path",
    [path for path in sources("morec_sql") if not {"udfs", "sql", "package"} & set(path.parts)],
    ids=lambda path: str(path.relative_to(HOUSE)),
)
def test_a_room_imports_only_what_stands_before_it(path: Path) -> None:
    room = path.relative_to(HOUSE / "morec_sql").with_suffix("").parts[0]
    for module in imported(path):
        if module.startswith("morec_sql.") and not module.startswith("morec_sql.udfs"):
            assert ROOMS.index(module.split(".")[1]) <= ROOMS.index(room), module


@pytest.mark.parametrize(
    "path", [path for path in sources("udfs")], ids=lambda path: str(path.relative_to(HOUSE))
)
def test_arithmetic_knows_no_sql(path: Path) -> None:
    for module in imported(path):
        assert module.split(".")[0] not in ("duckdb", "sqlglot", "pyarrow"), module
        assert not module.startswith("morec_sql.") or module.startswith("morec_sql.udfs"), module


def test_a_concern_has_one_name_in_every_wing() -> None:
    for wing in ("sql", "tests"):
        rooms = {path.name for path in (HOUSE / wing).iterdir() if path.is_dir()}
        assert rooms - {"__pycache__"} <= {*ROOMS, "udfs"}


def test_every_statement_is_used_and_says_what_it_makes() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in sources("morec_sql"))
    from morec_sql import registry

    registry.discover()
    used = set(re.findall(r'"(\w+/\w+)"', code))
    used |= {macro.template for macro in registry.MACROS.values()}
    used |= {name for macro in registry.MACROS.values() for name in macro.includes.values()}
    for path in (path for path in sources("sql") if path.suffix == ".sql"):
        assert path.relative_to(HOUSE / "sql").with_suffix("").as_posix() in used
        assert path.read_text(encoding="utf-8").startswith("-- ")


@pytest.mark.parametrize("folder", ["morec_sql", "udfs", "sql", "tests", "benchmarks"])
def test_a_file_is_one_idea(folder: str) -> None:
    lines = {path: path.read_text(encoding="utf-8").count("\n") for path in sources(folder)}
    assert not {path.name: count for path, count in lines.items() if count > MOST_LINES}


def test_every_package_is_shipped() -> None:
    with (HOUSE / "pyproject.toml").open("rb") as file:
        listed = tomllib.load(file)["tool"]["setuptools"]["packages"]
    folders = {path.parent for path in sources("morec_sql") if path.name == "__init__.py"}
    folders |= {path.parent for wing in ("udfs", "sql") for path in sources(wing)
                if path.name == "__init__.py"}  # fmt: skip
    names = set()
    for folder in folders:
        parts = folder.relative_to(HOUSE).parts
        names.add(".".join(parts if parts[0] == "morec_sql" else ("morec_sql", *parts)))
    assert set(listed) == names
