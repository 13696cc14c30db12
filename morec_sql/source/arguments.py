"""The arguments of create_recommender: read, checked, stored."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..errors import MorecError
from ..udfs.embedding import DEFAULT_MODEL
from .checks import names, truth, whole_number


@dataclasses.dataclass
class Arguments:
    """The arguments of create_recommender, as they are stored.

    channel_weights are no argument: the training chooses them, for channels without a weight.
    """

    name: str
    events: Any
    user_id: str = "user_id"
    item_id: str = "item_id"
    event_time: str | None = None
    event_weight: str | None = None
    items: str | None = None
    items_item_id: str | None = None
    users: str | None = None
    users_user_id: str | None = None
    user_features: list[str] | None = None
    context: Any = None
    text: list[str] | None = None
    vectors: Any = None
    item_graph: str | None = None
    user_graph: str | None = None
    impressions: Any = None
    item_time: str | None = None
    unlisted_items: bool = False
    objectives: Any = None
    weights: Any = None
    losses: Any = None
    combine: Any = None
    relevance: Any = None
    model: str = DEFAULT_MODEL
    dimensions: int | None = None
    seed: int = 42
    versions: int = 3
    replace: bool = False
    make_default: bool | None = None
    channel_weights: dict[str, float] | None = None

    @staticmethod
    def read(given: dict[str, Any]) -> Arguments:
        """Read the arguments that the SQL macro passes, checking each one's type."""
        given = {key: value for key, value in given.items() if value is not None}
        for required in ("name", "events"):
            if required not in given:
                raise MorecError(f"{required}: a name is needed, not NULL")
        for key in ("text", "user_features"):
            if isinstance(given.get(key), str):
                given[key] = [given[key]]
            names(key, given.get(key, []), "column names")
        if isinstance(given.get("context"), str):
            given["context"] = [given["context"]]
        vectors = given.get("vectors", {})
        if not isinstance(vectors, dict) or not all(
            isinstance(one, str) for one in vectors.values()
        ):
            raise MorecError(
                f"vectors: a struct {{name: 'column or SQL'}} is needed, not {given['vectors']!r}"
            )
        context = given.get("context", [])
        if isinstance(context, dict):
            context = list(context.values())
        names("context", context, "columns or SQL expressions, or a struct of them by name,")
        events = given["events"]
        if not isinstance(events, str) and not (isinstance(events, list | dict) and events):
            raise MorecError(
                "events: the name of a table is needed, a list of several, or a struct of them by"
                f" channel, not {events!r}"
            )
        if isinstance(events, list):
            names("events", events, "names of tables")
        for key in ("name", "user_id", "item_id", "event_time", "event_weight", "items",
                    "items_item_id", "users", "users_user_id", "item_time", "model",
                    "item_graph", "user_graph"):  # fmt: skip
            if key in given and (not isinstance(given[key], str) or not given[key].strip()):
                raise MorecError(f"{key}: a name is needed, not {given[key]!r}")
        for key, low, high in (("dimensions", 2, 1024), ("seed", 0, 2**31), ("versions", 1, 1000)):
            whole_number(key, given.get(key, low), low, high)
        for key in ("replace", "make_default", "unlisted_items"):
            truth(key, given.get(key, True))
        return Arguments(**given)
