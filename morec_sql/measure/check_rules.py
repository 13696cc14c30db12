"""check_rules: what is wrong with the rules of a recommender, and what each changes."""

from __future__ import annotations

import datetime
import itertools
import json
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np

from ..answer.filters import users_filtered, values_of_items
from ..answer.impressions import ENOUGH, impressions
from ..answer.rules import Broken, Rule, rules_of
from ..catalog.recommenders import recommender_of
from ..catalog.versions import relations
from ..errors import reason
from ..registry import Argument, sql_function
from ..session import Session
from ..source.checks import whole_number
from ..templates import first_row, identifier, literal, sql
from ..udfs.history import Longs
from .requests import K

COLUMNS = {
    "name": "VARCHAR",
    "kind": "VARCHAR",
    "status": "VARCHAR",
    "problem": "VARCHAR",
    "items": "BIGINT",
    "users": "BIGINT",
    "lists_changed": "DOUBLE",
    "ndcg_without": "DOUBLE",
    "ndcg": "DOUBLE",
    "changes": "VARCHAR",
}
"""The SQL types of the rows."""
Matched = dict[str, tuple[Longs, Longs]]  # by rule, the items that it is about, and the others


@sql_function(
    of="database",
    returns=COLUMNS,
    arguments=(
        Argument("name", "the recommender"),
        K,
        Argument("users", "so many users' lists are tried; 0 for none", "100"),
    ),
    result={
        "name": "of the rule",
        "kind": "what it does",
        "status": "in force, disabled, not begun, over or broken",
        "problem": "what is wrong with it: why it is broken, that it matches nothing, or which"
        " one contradicts it",
        "items": "how many items it is about, NULL for all",
        "users": "how many users it is about, NULL for all",
        "lists_changed": "the share of users whose list, as of their last day, it changes alone",
        "ndcg_without": "nDCG of these lists without rules, by what the users took on that day",
        "ndcg": "the same with the rule",
        "changes": "how much more each objective contributes to an item of the lists, as JSON",
    },
    template="catalog/rows",
)
def check_rules(session: Session, catalog: str, _: str, given: dict[str, Any]) -> list[Any]:
    """Says what is wrong with each rule of a recommender, and what it changes in lists."""
    k = whole_number("k", given["k"], 1, 1000)
    users = whole_number("users", given["users"], 0)
    with session.cursor(catalog) as con:
        name = recommender_of(con, catalog, given["name"])
        catalogue = relations(name).item_vectors
        count = first_row(con, f"SELECT count(*) FROM {catalogue}")
        assert count is not None
        found = rules_of(con, name, {})[1]
        matched: Matched = {}
        out: list[dict[str, Any]] = []
        for rule in found:
            row: dict[str, Any] = dict.fromkeys(COLUMNS) | {
                "name": rule.name,
                "status": _status(rule),
            }
            if isinstance(rule, Broken):
                row["problem"] = rule.why
            else:
                row["kind"] = rule.kind
                try:
                    row |= _matched(con, name, rule, catalogue, count[0], matched)
                except (duckdb.Error, ValueError) as error:
                    row |= {"status": "broken", "problem": reason(error)}
            out.append(row)
        sound = [one for one in found if isinstance(one, Rule) and one.name in matched]
        for one, other, why in _conflicts(sound, matched):
            row = next(row for row in out if row["name"] == one.name)
            row["problem"] = row["problem"] or f"{why} {other.name!r}"
        if users:
            parts = {
                "schema": identifier(name),
                "main": identifier(catalog, "main"),
                "k": str(k),
                "users": str(users),
            }
            con.execute(sql("measure/rule_sample", **parts))
            for row in out:
                if row["status"] != "broken":
                    rule_name = literal(row["name"])
                    effect = first_row(con, sql("measure/rule_effect", **parts, rule=rule_name))
                    assert effect is not None
                    names = ("lists_changed", "ndcg_without", "ndcg", "changes")
                    row |= dict(zip(names, effect, strict=True))
                    row["changes"] = json.dumps(row["changes"])
    return out


def _status(rule: Rule | Broken) -> str:
    if isinstance(rule, Broken):
        return "broken"
    now = datetime.datetime.now()
    if not rule.enabled:
        return "disabled"
    if rule.starts is not None and now < rule.starts:
        return "not begun"
    return "in force" if rule.holds(now) else "over"


def _matched(
    con: duckdb.DuckDBPyConnection,
    name: str,
    rule: Rule,
    catalogue: str,
    count: int,
    matched: Matched,
) -> dict[str, Any]:
    """How many items and users a rule is about; its items are entered in `matched`."""
    texts = [text for text in (rule.items, rule.others) if text is not None]
    flags = values_of_items(con, name, [f"({one})" for one in texts], catalogue, count)
    numbers = [np.flatnonzero(one) for one in flags]
    every = np.arange(count)
    matched[rule.name] = (
        numbers[0] if rule.items is not None else every,
        numbers[-1] if rule.others is not None else every,
    )
    users = None if rule.users is None else len(users_filtered(con, name, rule.users, "users"))
    problem = None
    if any(not len(one) for one in numbers):
        problem = "it matches no item"
    if users == 0:
        problem = "it matches no user"
    if rule.tires is not None:
        events = f"{identifier(name)}.events"
        learnt = impressions(con, events, rule.tires.parts, rule.tires.days, most=ENOUGH)
        if not learnt.fatigue.any():
            problem = "being shown before was not found to lower any chance"
    items = None if rule.items is None else len(numbers[0])
    return {"items": items, "users": users, "problem": problem}


def _conflicts(rules: list[Rule], matched: Matched) -> Iterator[tuple[Rule, Rule, str]]:
    """Rules that cannot be followed beside another one, which comes first where either could."""
    for first, second in itertools.permutations(rules, 2):
        if not _meet(first, second):
            continue
        mine, theirs = matched[first.name][0], matched[second.name][0]
        before = rules.index(second) < rules.index(first)
        kinds = (first.kind, second.kind)
        if kinds == ("pin", "pin") and first.amount == second.amount and before:
            yield first, second, "the same rank is that of"
        elif kinds == ("include_only", "include_only") and before:
            if not len(np.intersect1d(mine, theirs)):
                yield first, second, "no item is included by it and by"
        elif first.kind in ("pin", "slots") and second.kind in ("exclude", "include_only"):
            left = np.setdiff1d(mine, theirs)
            if second.kind == "include_only":
                left = np.intersect1d(mine, theirs)
            if len(mine) and not len(left):
                yield first, second, "its items are left out by"
        elif kinds == ("slots", "cap"):
            too_few = second.amount < first.amount and not len(np.setdiff1d(mine, theirs))
            if too_few:
                yield first, second, "fewer of its items are allowed by"
    # both of two are asked for, and a third one keeps them apart
    asking = [one for one in rules if one.kind in ("pin", "slots") and len(matched[one.name][0])]
    for apart in (one for one in rules if one.kind == "never_with"):
        for first, second in itertools.permutations(asking, 2):
            if all(itertools.starmap(_meet, itertools.combinations((first, second, apart), 2))):
                pair = zip((first, second), matched[apart.name], strict=True)
                inside = all(np.isin(matched[one.name][0], those).all() for one, those in pair)
                if inside:
                    later, other = sorted((first, second), key=rules.index, reverse=True)
                    yield later, apart, f"it is not listed with what {other.name!r} asks for, by"


def _meet(one: Rule, other: Rule) -> bool:
    """Whether two rules may hold for the same list."""
    same_users = one.users is None or other.users is None or one.users == other.users
    begin = max((x.starts for x in (one, other) if x.starts is not None), default=None)
    end = min((x.ends for x in (one, other) if x.ends is not None), default=None)
    same_time = begin is None or end is None or begin < end
    return same_users and same_time and one.enabled and other.enabled
