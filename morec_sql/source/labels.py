"""What users and events are said to be, as labels: age=25 to 34, city=berlin, store=367."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import json
from typing import Any

import duckdb

from ..errors import MorecError, shown
from ..templates import first_row, identifier, literal, sql, type_of
from .expressions import expression, is_number
from .tables import Table

LEAST_USERS = 5  # of a label, or it would say something of a person
RANGES = 8  # into which numbers are cut, each with as many users
FEW = 12  # values of a number, up to which there are no ranges of it
COMMON = 0.5  # share of the rows whose value LEAST_USERS have, from which on values are labels
WORDS = 2  # that most texts have, from which on labels are words, where values are not common
NO_FEATURES = ("STRUCT", "MAP", "UNION", "VARIANT", "BLOB", "INTERVAL", "BIT", "GEOMETRY")


@dataclasses.dataclass(frozen=True)
class Feature:
    """A column or expression that becomes labels: its name, its SQL, and the type of that."""

    name: str
    value: str
    kind: str

    @staticmethod
    def of(argument: str, name: str, value: str, kind: str) -> Feature:
        """A feature, or a MorecError where values of its type say nothing."""
        if kind.startswith(NO_FEATURES) or kind.removesuffix("[]").endswith("]"):
            raise MorecError(
                f"{argument}: {name!r} is {shown(kind)}, but labels are made of numbers, dates,"
                " texts, truth values and lists of these"
            )
        return Feature(name, value, kind)


def features_of_users(users: Table | None, given: list[str] | None, key: str) -> list[Feature]:
    """The columns of the users that are features.

    Args:
        users: their table, called _i.
        given: the argument user_features.
        key: the column of the ids.

    Raises:
        MorecError: there is no such column, or it cannot say anything of a user.
    """
    if not given:
        return []
    if users is None:
        raise MorecError("user_features: it names columns of users, but users is not given")
    columns = dict.fromkeys(users.column("user_features", name) for name in given)
    if key in columns:
        raise MorecError(f"user_features: {key!r} is the id of the users")
    return [
        Feature.of("user_features", name, f"_i.{identifier(name)}", users.columns[name])
        for name in columns
    ]


def features_of_events(
    con: duckdb.DuckDBPyConnection, events: Table, given: list[str] | dict[str, str] | None
) -> list[Feature]:
    """The context of events: columns or expressions, by their names.

    In a list an expression is called by its function, as in hour(bought_at).

    Raises:
        MorecError: one is no expression, or two have one name.
    """
    if not given:
        return []
    if not isinstance(given, dict):
        called = [_called(one) for one in given]
        given = dict(zip(called, given, strict=True)) if len({*called}) == len(called) else None
    if given is None or len({name.lower() for name in given}) < len(given):
        raise MorecError(
            "context: two of what it names have one name; a struct {name: 'SQL'} gives them others"
        )
    found = []
    for name, text in given.items():
        argument = f"context.{name}"
        written = expression(con, argument, text, events, wanted="category", every_row=True)
        kind = type_of(con, f"({written})", events.sql)
        found.append(Feature.of(argument, name, written, kind))
    return found


def _called(text: str) -> str:
    """What an expression in a list is called: a column as it is, a call by its function."""
    name = text.partition("(")[0].strip()
    return name.strip('"') if text.count("(") <= 1 and name.isidentifier() else text


class WrittenLabels:
    """The labels of the rows of a table, as SQL.

    sql is the list of the labels of a row, given that of what a query says in an argument.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        rows: str,
        features: list[Feature],
        argument: str,
        declared: str,
    ) -> None:
        """Look at the features of all rows.

        Args:
            con: where they are.
            rows: the table with its alias, which the SQL of the features is about.
            features: what becomes labels.
            argument: in which queries give values of the features.
            declared: the argument of create_recommender that names them.
        """
        read = [_read(con, rows, feature) for feature in features]
        self.sql = _lists(read, [feature.value for feature in features])
        types = {one.feature.name: one.json for one in read}
        self.given = sql(
            "source/labels_given",
            labels=_lists(read, [f"_i.{identifier(name)}" for name in types]),
            argument=argument,
            types=literal(json.dumps(types)),
            names=", ".join(map(literal, types)),
            said=literal(f"{argument}: "),
            shown=literal(f" is not a struct by names of {declared}: {', '.join(types)}"),
        )


@dataclasses.dataclass(frozen=True)
class _Read:
    """How a feature is read.

    by are the files of sql/ that write its labels; cuts are those of its ranges; json
    is its type as JSON says it.
    """

    feature: Feature
    by: list[str]
    cuts: list[float]
    json: Any

    def labels(self, value: str) -> list[str]:
        """The lists of labels of a value, both as SQL."""
        parts = {
            "name": literal(f"{self.feature.name}="),
            "value": value,
            "number": _number(value, self.feature.kind),
            "cuts": ", ".join(map(repr, self.cuts)),
            "ranges": _ranges(self.cuts, _is_time(self.feature.kind)),
        }
        return [sql(one, **parts) for one in self.by]


def _lists(read: list[_Read], values: list[str]) -> str:
    """All labels of a row, as one list."""
    found = [text for one, value in zip(read, values, strict=True) for text in one.labels(value)]
    return sql("source/labels", lists=", ".join(found))


def _read(con: duckdb.DuckDBPyConnection, rows: str, feature: Feature) -> _Read:
    """Look at the values of a feature."""
    kind = feature.kind
    if kind.endswith("]"):
        return _Read(feature, ["source/label_list"], [], ["VARCHAR"])
    report = sql(
        "source/feature_report",
        value=feature.value,
        number=_number(feature.value, kind),
        rows=rows,
        least=str(LEAST_USERS),
        words=str(WORDS),
        quantiles=", ".join(str(place / RANGES) for place in range(1, RANGES)),
    )
    row = first_row(con, report)
    assert row is not None
    distinct, common, long, cuts = row
    common, cuts = (common or 0) >= COMMON, sorted(cuts or [])
    if _is_time(kind):
        return _Read(feature, ["source/label_range"], cuts, "TIMESTAMP")
    if is_number(kind):
        # it may be a quantity or a code: where values are common each is a label, beside its range
        ranges = ["source/label_range"] if distinct > FEW else []
        return _Read(
            feature, ["source/label_number"] * (common or not ranges) + ranges, cuts, "DOUBLE"
        )
    free = kind == "VARCHAR" and not common and (long or 0) > 0.5
    return _Read(feature, ["source/label_words" if free else "source/label_text"], [], "VARCHAR")


def _is_time(kind: str) -> bool:
    return kind.startswith(("DATE", "TIMESTAMP"))


def _number(value: str, kind: str) -> str:
    """A value as a number, NULL where it is none."""
    if _is_time(kind):
        return f"epoch(CAST({value} AS TIMESTAMP))"
    return f"CAST({value if is_number(kind) else 'NULL'} AS DOUBLE)"


def _ranges(cuts: list[float], is_time: bool) -> str:
    """What the ranges between some numbers are called, as a list of SQL."""

    def called(cut: float) -> str:
        if is_time:
            start = datetime.datetime(1970, 1, 1)
            return str((start + datetime.timedelta(seconds=cut)).date())
        return f"{cut:.6g}"

    if not cuts:
        return literal("any")
    between = [f"{called(low)} to {called(high)}" for low, high in itertools.pairwise(cuts)]
    names = [f"below {called(cuts[0])}", *between, f"from {called(cuts[-1])}"]
    return ", ".join(map(literal, names))
