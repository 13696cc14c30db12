"""The reference of all SQL functions, made from their declarations: docs/reference.md."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Literal

from .. import registry
from ..catalog.metrics import METRICS
from ..catalog.objectives import KINDS
from ..udfs.baselines import BASELINES
from ..udfs.ranking import constraints

HEAD = """# Reference

What `morec reference` prints: every SQL function with its arguments and columns, and what can be
named in them.
"""
GROUPS: dict[Literal["database", "recommender"], tuple[str, str]] = {
    "database": (
        "Functions of the database",
        "Table functions of the schema `main`, there once `morec_sql.connect` or `morec_sql.load`"
        " has opened the database.",
    ),
    "recommender": (
        "Functions of a recommender",
        "Table functions of its schema: `shop.recommend(...)` for the recommender `shop`. The"
        " default recommender's `recommend` is `main.recommend`, too.",
    ),
}


def reference() -> str:
    """The whole page, as Markdown."""
    registry.discover()
    parts = [HEAD]
    for of, (title, about) in GROUPS.items():
        parts.append(f"## {title}\n\n{about}\n")
        listed = sorted(registry.macros(of), key=lambda macro: macro.name)
        parts.extend(map(_of_macro, listed))
    parts.append("## Functions of values\n\nScalar functions, in any query.\n")
    parts.extend(_of_udf(udf) for udf in registry.UDFS.values() if udf.arguments)
    for title, about, rows in _tables():
        parts.append(f"## {title}\n\n{about}\n\n{_table(('name', 'is'), rows)}")
    return "\n".join(parts)


def _of_macro(macro: registry.Macro) -> str:
    """A section about a macro."""
    about = macro.about
    if macro.returns:
        about += f" Returns {macro.returns}, in any expression."
    parts = [f"### {macro.name}\n\n{about}\n", _arguments(macro.arguments)]
    if macro.result:
        parts.append(_table(("column", "is"), macro.result.items()))
    return "\n".join(parts)


def _of_udf(udf: registry.Udf) -> str:
    """A section about a scalar function."""
    about = (inspect.getdoc(udf.function) or "").split("\n\n")[0]
    return f"### {udf.name}\n\n{about} Returns {udf.returns}.\n\n{_arguments(udf.arguments)}"


def _arguments(arguments: Iterable[registry.Argument]) -> str:
    rows = (
        (f"`{one.name}`", f"`{one.default}`" if one.default else "", one.about) for one in arguments
    )
    return _table(("argument", "default", "is"), rows)


def _tables() -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """What can be named in arguments: title, introduction and rows of each table."""
    yield (
        "Objectives",
        "What `objectives` of `create_recommender` declares: a name alone where it is built in, or"
        " a name and SQL.",
        [(f"`{_declared(name)}`", kind.about) for name, kind in KINDS.items()],
    )
    yield (
        "Constraints",
        "Arguments of `recommend` and `recommend_for`, each a struct of what is constrained and the"
        " limit.",
        [
            (f"`{name}`", f"{kind.about}; of a {kind.of}, {kind.limits}")
            for name, kind in constraints.KINDS.items()
        ],
    )
    yield (
        "Metrics",
        "What `evaluate`, `pareto` and `tune` measure, and `mean_<objective>` of each objective of"
        " the items.",
        [
            (f"`{name}`", metric.about + ("; less is better" if metric.lower_is_better else ""))
            for name, metric in METRICS.items()
        ],
    )
    yield (
        "Baselines",
        "What `evaluate` measures beside the recommender.",
        [
            (f"`{name}`", (inspect.getdoc(function) or "").split("\n\n")[0].rstrip("."))
            for name, function in BASELINES.items()
        ],
    )


def _declared(name: str) -> str:
    """How an objective is declared."""
    kind = KINDS[name]
    return name if kind.by_name or not kind.takes or name == "SQL" else f"{name}({kind.takes})"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |\n" for row in lines
    )
