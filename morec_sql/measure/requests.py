"""The arguments of evaluate, pareto and tune: declared, read, checked."""

from __future__ import annotations

import dataclasses
from importlib.util import find_spec
from typing import Any

from ..catalog.objectives import check_diversify
from ..errors import MorecError, nearest
from ..registry import Argument
from ..source.checks import names, sources, truth, whole_number
from ..udfs.baselines import BASELINES
from ..udfs.evidence import NO_EVIDENCE
from ..udfs.history import NO_LABELS

MAX_BUDGET = 100_000
# without which lists can be measured, and what histories have in their place
SOURCES: dict[str, dict[str, Any]] = {
    "user_features": {"labels": NO_LABELS},
    "user_graph": {"friends": NO_EVIDENCE},
    "impressions": {"shown": NO_EVIDENCE},
}

K = Argument("k", "length of the lists", "10")
TEST_FROM = Argument(
    "test_from",
    "a time: what comes before it trains, what comes after it is the truth; by default the last"
    " thirteenth of the time is",
    "NULL",
    "CAST(CAST(test_from AS TIMESTAMP) AS VARCHAR)",
)
NOVEL_ONLY = Argument("novel_only", "only items that are new to the user count", "false")
FILTER = Argument("filter", "a predicate over the items, for the lists and the truth", "NULL")
DIVERSIFY = Argument("diversify", "mmr, by mean distance, or dpp, by determinant", "'mmr'")
EVALUATE = (
    Argument("weights", "as in recommend", "NULL"),
    K,
    TEST_FROM,
    NOVEL_ONLY,
    Argument("history", "keep only so many of the latest items of each history", "NULL"),
    Argument("sample", "so many users instead of all", "NULL"),
    FILTER,
    DIVERSIFY,
    Argument(
        "without",
        f"one or more of {', '.join(SOURCES)}: lists without it are measured beside, as a"
        " baseline each",
        "NULL",
    ),
    Argument("baselines", f"true, false, or names of {', '.join(BASELINES)}", "true"),
)
BUDGET = Argument("budget", "so many weight vectors are measured", "200")
USERS = Argument("users", "so many users are measured", "2000")
SEED = Argument("seed", "of the search", "42")
SEARCH = (BUDGET, K, USERS, TEST_FROM, NOVEL_ONLY, FILTER, DIVERSIFY, SEED)


@dataclasses.dataclass(frozen=True)
class Request:
    """The arguments of evaluate, checked; weights are as they came."""

    weights: Any = None
    k: int = 10
    test_from: str | None = None
    novel_only: bool = False
    history: int | None = None
    sample: int | None = None
    filter: str | None = None
    diversify: str = "mmr"
    without: tuple[str, ...] = ()
    baselines: tuple[str, ...] = ()

    @staticmethod
    def read(given: dict[str, Any]) -> Request:
        """Read what the SQL macro passes."""
        given = {key: value for key, value in given.items() if value is not None}
        for key, low in (("k", 1), ("history", 0), ("sample", 1)):
            whole_number(key, given.get(key, low), low)
        truth("novel_only", given.get("novel_only", False))
        check_diversify(given.get("diversify", "mmr"))
        chosen = _baselines(given.pop("baselines", False))
        without = sources("without", given.pop("without", None), SOURCES)
        return Request(**given, without=without, baselines=tuple(dict.fromkeys(chosen)))


def _baselines(chosen: Any) -> list[str]:
    """Names of baselines: as given, all, or none."""
    if isinstance(chosen, bool):
        # ALS is left out where its library is not installed, unless it is asked for by name
        every = [name for name in BASELINES if name != "als" or find_spec("implicit")]
        return every if chosen else []
    if not isinstance(chosen, list):
        raise MorecError(f"baselines: true, false or a list of names is needed, not {chosen!r}")
    for name in chosen:
        if name not in BASELINES:
            raise MorecError(f"baselines: {name!r} is not known; {nearest(str(name), BASELINES)}")
    if "als" in chosen and not find_spec("implicit"):
        raise MorecError("baselines: 'als' needs a library; pip install 'morec_sql[als]'")
    return chosen


@dataclasses.dataclass(frozen=True)
class SearchRequest:
    """The arguments that pareto and tune have in common, checked."""

    trial: Request
    algorithm: str
    budget: int
    seed: int

    @staticmethod
    def read(given: dict[str, Any], algorithms: tuple[str, ...]) -> SearchRequest:
        """Read what the SQL macros pass.

        Args:
            given: `algorithm`, and values of SEARCH.
            algorithms: the names that are allowed.
        """
        given = dict(given)
        algorithm = given.pop("algorithm")
        if algorithm not in algorithms:
            raise MorecError(
                f"algorithm: {algorithm!r} is not known; {nearest(str(algorithm), algorithms)}"
            )
        budget = whole_number("budget", given.pop("budget"), 1, MAX_BUDGET)
        given["sample"] = whole_number("users", given.pop("users"), 1, 2**31)
        seed = whole_number("seed", given.pop("seed"), 0, 2**31)
        return SearchRequest(Request.read(given), algorithm, budget, seed)


def chosen_objectives(given: Any) -> list[str] | None:
    """Names of objectives, None for all."""
    return None if given is None else names("objectives", given)
