"""surrogate: what a recommender tends to do, in a few rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import MorecError
from ..registry import Argument, sql_function
from ..session import Session
from ..source.checks import whole_number
from ..templates import arrow, identifier, literal, sql
from .features import Feature, features_of, write_columns
from .requests import K

HELD_OUT = 0.3  # share of the users by whom the rules are measured
LEAST = 0.005  # share of the pairs that a rule is for, at least
OF_PAIRS = ["times taken before", "items in the history", "users of the item"]


@sql_function(
    of="recommender",
    returns={
        "rule": "VARCHAR",
        "listed": "DOUBLE",
        "share_of_lists": "DOUBLE",
        "fidelity": "DOUBLE",
        "auc": "DOUBLE",
    },
    arguments=(
        Argument("depth", "conditions of a rule, at most", "4"),
        K,
        Argument("users", "so many users' lists are looked at", "1000"),
    ),
    result={
        "rule": "conditions that hold together; an item and a user are under one rule",
        "listed": "how many of such pairs are listed, where one of three is in all",
        "share_of_lists": "the share of all places in lists that it is about",
        "fidelity": "how often all rules together are right about a pair, for users that"
        " they were not made from",
        "auc": "how well they order pairs of these users, from .5 for by chance to 1",
    },
    template="catalog/rows",
)
def surrogate(
    session: Session, catalog: str, name: str, given: dict[str, Any]
) -> list[tuple[str, float, float, float, float]]:
    """What the lists tend to hold, as the few rules of a decision tree (Craven and Shavlik 1996).

    It is learnt from columns of the items, and from what a user's history says of them: items in
    lists beside those that come next and others of the catalogue.
    """
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score
    from sklearn.tree import DecisionTreeClassifier

    depth = whole_number("depth", given["depth"], 1, 10)
    k = whole_number("k", given["k"], 1, 1000)
    users = whole_number("users", given["users"], 10)
    with session.cursor(catalog) as con:
        schema = identifier(name)
        numbers, categories = write_columns(con, name)
        parts = {"schema": schema, "k": literal(k), "users": literal(users)}
        con.execute(sql("measure/listed_pairs", **parts))
        shares = [f"share of the history in its {column}" for column in categories]
        table = arrow(
            con,
            sql(
                "measure/pairs_with_columns",
                columns="".join(f", _c.{identifier(one)}" for one in numbers + categories),
                shares="".join(
                    f", coalesce(_h{place}.share, 0) AS {identifier(one)}"
                    for place, one in enumerate(shares)
                ),
                joins="\n".join(
                    sql("measure/share_of_history", column=identifier(one), alias=f"_h{place}")
                    for place, one in enumerate(categories)
                ),
            ),
        )
    listed = table.column("in the list").to_numpy(zero_copy_only=False)
    user = table.column("number of the user").to_numpy()
    if not listed.any() or listed.all() or len(np.unique(user)) < 10:
        raise MorecError(
            f"surrogate: {name!r} has too few users with lists, or lists hold all that there is;"
            " 10 users and more items than k are needed"
        )
    features = features_of(table, [*OF_PAIRS, *shares, *numbers], categories)
    design = np.column_stack([one.values for one in features])
    # by the number of the user, which is as if drawn
    test = user > np.quantile(user, 1 - HELD_OUT)
    tree = DecisionTreeClassifier(
        max_depth=depth, min_samples_leaf=max(int(LEAST * len(listed)), 5), class_weight="balanced",
        random_state=0,
    ).fit(design[~test], listed[~test])  # fmt: skip
    said = tree.predict_proba(design[test])[:, list(tree.classes_).index(True)]
    fidelity = float(balanced_accuracy_score(listed[test], said >= 0.5))
    auc = float(roc_auc_score(listed[test], said))
    found = []
    leaf = tree.apply(design)
    for node, rule in _rules(tree.tree_, features, 0, {}):
        mine = leaf == node
        found.append((rule, float(listed[mine].mean()), float(listed[mine].sum() / listed.sum())))
    found.sort(key=lambda one: (-one[1], one[0]))
    return [(*one, fidelity, auc) for one in found]


def _rules(
    tree: Any, features: list[Feature], node: int, bounds: dict[int, tuple[float, float]]
) -> list[tuple[int, str]]:
    """The leaves below a node with their conditions; bounds are those of features on the way."""
    feature = int(tree.feature[node])
    if tree.children_left[node] == tree.children_right[node]:
        return [(node, _conditions(features, bounds) or "all")]
    low, high = bounds.get(feature, (-np.inf, np.inf))
    at = float(tree.threshold[node])
    left = {**bounds, feature: (low, min(high, at))}
    right = {**bounds, feature: (max(low, at), high)}
    return [
        *_rules(tree, features, int(tree.children_left[node]), left),
        *_rules(tree, features, int(tree.children_right[node]), right),
    ]


def _conditions(features: list[Feature], bounds: dict[int, tuple[float, float]]) -> str:
    """Conditions on features as text."""
    found = []
    for number, (low, high) in bounds.items():
        feature = features[number]
        if feature.category is not None:
            found.append(feature.says(float(low > 0)))
            continue
        whole = bool((feature.values == np.floor(feature.values)).all())
        if low > -np.inf:
            found.append(f"{feature.name} {'>=' if whole else '>'} {_edge(low, whole, 1)}")
        if high < np.inf:
            found.append(f"{feature.name} <= {_edge(high, whole, 0)}")
    return " and ".join(found)


def _edge(value: float, whole: bool, up: int) -> str:
    """A bound as text; of whole numbers the last that is inside."""
    return str(int(np.floor(value)) + up) if whole else f"{value:.4g}"
