"""The versions of a recommender: kept, put to use, pruned."""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import json
from typing import Any

import duckdb

from ..errors import MorecError, shown
from ..progress import STAGE_COLUMNS, STAGE_TYPES, Stage
from ..registry import MACROS, Argument, macros, sql_function
from ..session import Session
from ..templates import first_row, identifier, literal, sql, transaction
from ..udfs.evidence import MOST_FRIENDS, MOST_TAKEN
from ..udfs.ranking.constraints import KINDS
from ..udfs.relevance.repeats import ITEM_FEATURES
from .installed import write_macros
from .kept_lists import lists_anew
from .recommenders import (
    check_writable,
    default_comment,
    recommender_of,
    tables_of,
    wants_default,
)

CLEARLY = 2.0  # standard errors by which a version is worse than another
NO_FEATURES = "attributes: the recommender has no user_features that they could be values of"
TABLES = ("texts", "item_vectors")  # of each version


@dataclasses.dataclass(frozen=True)
class Relations:
    """Where a version of a recommender is, as SQL."""

    settings: str
    objectives: str
    texts: str
    item_vectors: str


def relations(name: str, number: int | None = None) -> Relations:
    """Where a version is; None for the one in use."""
    if number is None:
        return Relations(*(identifier(name, one.name) for one in dataclasses.fields(Relations)))
    archived = f"FROM {identifier(name)}.archive WHERE id = {number}"
    return Relations(
        f"(SELECT unnest(settings) {archived})",
        f"(SELECT unnest(objectives, recursive := true) {archived})",
        *(identifier(name, f"{table}_{number}") for table in TABLES),
    )


def kept(con: duckdb.DuckDBPyConnection, name: str) -> dict[int, str]:
    """The versions that are kept, and the training of each."""
    if "archive" not in tables_of(con, name):  # made before there were versions
        return {}
    archive = f"{identifier(name)}.archive"
    return dict(con.execute(f"SELECT id, settings.version FROM {archive} ORDER BY id").fetchall())


def in_use(con: duckdb.DuckDBPyConnection, name: str) -> int | None:
    """The number of the version in use; None for one that was made before there were versions."""
    there = kept(con, name)
    if not there or "settings" not in tables_of(con, name):
        return None
    row = first_row(con, f"SELECT version FROM {identifier(name)}.settings")
    return next((number for number, one in there.items() if (one,) == row), None)


def version_of(
    con: duckdb.DuckDBPyConnection, name: str, given: Any, argument: str = "version"
) -> int:
    """A version that is kept, or a MorecError."""
    there = kept(con, name)
    with contextlib.suppress(TypeError, ValueError):
        if float(given) in there:
            return int(float(given))
    known = ", ".join(map(str, there)) or "none"
    raise MorecError(
        f"{argument}: {shown(given)} is not a version of {name!r} that is kept: {known}"
    )


def add(
    con: duckdb.DuckDBPyConnection, name: str, made_by: str, dimensions: int, text_dimensions: int
) -> int:
    """Write a version from what the build holds in memory, and return its number."""
    schema = identifier(name)
    con.execute(sql("catalog/archive", schema=schema))
    row = first_row(con, f"SELECT coalesce(max(id), 0) + 1 FROM {schema}.archive")
    assert row is not None
    number = int(row[0])
    user = None
    with contextlib.suppress(OSError, KeyError, ImportError):
        user = getpass.getuser()
    where = relations(name, number)
    parts = {
        "schema": schema,
        "id": str(number),
        "made_by": literal(made_by),
        "created_by": literal(user),
        "dimensions": str(dimensions),
        "text_dimensions": str(text_dimensions),
        "statistics": str(len(ITEM_FEATURES)),
        "texts": where.texts,
        "item_vectors": where.item_vectors,
    }
    con.execute(sql("catalog/version", **parts))
    of_version = literal(f", of version {number}")[1:-1]
    con.execute(sql("catalog/comments_of_items", **parts, kind="TABLE", of_version=of_version))
    return number


def worse(con: duckdb.DuckDBPyConnection, name: str, number: int) -> Stage | None:
    """What is to be said where a version is clearly worse than the one in use.

    Each is measured on what was held out of its own training, so by a test of two samples.
    """
    before = in_use(con, name)
    if before is None:
        return None
    measures = f"SELECT id, ndcg, ndcg_error FROM {identifier(name)}.versions WHERE id IN (?, ?)"
    found = {row[0]: row[1:] for row in con.execute(measures, [before, number]).fetchall()}
    (old, old_error), (new, new_error) = found[before], found[number]
    if None in (old, old_error, new, new_error):
        return None
    if old - new <= CLEARLY * (old_error**2 + new_error**2) ** 0.5:
        return None
    return (f"check: nDCG {new:.4f} is worse than {old:.4f} of version {before}", number, None)


def put_to_use(
    con: duckdb.DuckDBPyConnection,
    catalog: str,
    name: str,
    number: int,
    make_default: bool | None = None,
) -> None:
    """Make a version the one that queries get: tables, macros and views.

    Macros are bound when they are made, and a column of the user's that has the name of a macro
    parameter would be taken for a conflict: so they are made over an empty view.
    """
    schema, where = identifier(name), relations(name, number)
    if in_use(con, name) is not None:
        con.execute(sql("catalog/weights_kept", schema=schema))
    else:
        # tables that were written before there were versions give way to views
        for table in tables_of(con, name) & {*TABLES, "stages"}:
            con.execute(f"DROP TABLE {identifier(name, table)}")
    row = first_row(
        con,
        "SELECT settings.version, list_transform(objectives, lambda o: o.objective), user_type,"
        " item_type, metrics, views, settings.model, attributes, context"
        f" FROM {schema}.archive WHERE id = {number}",
    )
    assert row is not None
    version, objectives, user_type, item_type, metrics, views, model, attributes, context = row
    if attributes is None:
        attributes = sql("source/no_labels_given", said=literal(NO_FEATURES))
    limits = (*KINDS, "rules", "context", "explore", "seed", "without")
    # what the macros of a recommender may know of it
    parts = {
        "schema_name": literal(name),
        "version": literal(version),
        "item_type": item_type,
        "campaign_type": _campaign_type(con, name),
        **history_parts(schema, user_type, json.loads(model)),
        "labels_of_query": sql("answer/labels_of_query", given=attributes, packed=label_packed()),
        "with_context": "list_concat" if context else "",
        "context": sql("answer/context", given=context, packed=label_packed()) if context else "",
        "items": sql("answer/history_of_items", schema=schema, item_type=item_type),
        "limits": ", ".join(f"{literal(kind)}: to_json({kind})" for kind in limits),
        "no_limits": literal(json.dumps(dict.fromkeys(limits), separators=(",", ":"))),
        "contributions": _by_name(objectives, "_r.contributions"),
        "weights": _by_name(objectives, "_r.weights"),
        "metrics": ", ".join(
            f"_r.metrics[{position}] AS {identifier(metric)}"
            for position, metric in enumerate(metrics, 1)
        ),
    }
    items = {"texts": where.texts, "item_vectors": where.item_vectors}
    con.execute(sql("catalog/use_version", schema=schema, id=str(number), **items))
    for own in ("catalog/reason_templates", "catalog/weight_presets", "catalog/rules"):
        con.execute(sql(own, schema=schema))
    con.execute(sql("catalog/events_placeholder", **parts, item_vectors=where.item_vectors))
    for macro in macros("recommender"):
        con.execute(macro.sql(**parts))
    if wants_default(con, catalog, name, make_default):
        recommend = MACROS["recommender", "recommend"]
        default = dataclasses.replace(
            recommend, template="catalog/default_recommend", includes={}, udf=""
        )
        con.execute(default.sql(schema=schema, comment=literal(default_comment(name))))
    for statement in views:
        con.execute(statement)
    write_macros(con)
    con.execute(sql("catalog/comments", schema=schema))
    present = relations(name)
    con.execute(
        sql(
            "catalog/comments_of_items",
            kind="VIEW",
            of_version=" of the version in use",
            texts=present.texts,
            item_vectors=present.item_vectors,
        )
    )
    for macro in macros("recommender"):
        called = f"{schema}.{identifier(macro.name)}"
        con.execute(f"COMMENT ON {macro.kind} {called} IS {literal(macro.comment)}")


def history_parts(schema: str, user_type: str, chosen: dict[str, Any]) -> dict[str, str]:
    """What answer/history_of_user.sql needs to be filled with.

    Args:
        schema: of the recommender, as SQL.
        user_type: of the ids of users.
        chosen: what the training chose.
    """
    parts = {"schema": schema, "user_type": user_type}
    more = ""
    if chosen.get("of_labels", {}).get("used"):
        more += sql("answer/labels_of_user", **parts, packed=label_packed())
    if chosen.get("of_friends", {}).get("used"):
        latest = "_k._packed" if chosen["clock"]["now"] else "hash(_k._packed)"
        most = {"most": str(MOST_TAKEN), "friends": str(MOST_FRIENDS)}
        more += sql("answer/friends_of_user", **parts, **most, latest=latest)
    if chosen.get("of_shown", {}).get("used"):
        more += sql("answer/impressions_of_user", **parts, most=str(MOST_TAKEN))
    return {**parts, "more": more, "with_more": "list_concat" if more else ""}


def label_packed() -> str:
    """A label _t, as SQL puts it into histories."""
    return sql("answer/label_packed", key=sql("source/label_key", label="_t"))


def prune(con: duckdb.DuckDBPyConnection, name: str, count: int) -> None:
    """Remove all but the latest `count` versions; the one in use stays."""
    for number in set(list(kept(con, name))[:-count]) - {in_use(con, name)}:
        where = relations(name, number)
        con.execute(
            f"DROP TABLE {where.texts}; DROP TABLE {where.item_vectors};"
            f" DELETE FROM {identifier(name)}.archive WHERE id = {number}"
        )


@sql_function(
    of="database",
    returns=STAGE_TYPES,
    arguments=(
        Argument("name", "the recommender"),
        Argument("version", "its number in the table versions"),
    ),
    result=STAGE_COLUMNS,
    template="catalog/rows",
)
def use_version(session: Session, catalog: str, _: str, given: dict[str, Any]) -> list[Stage]:
    """Goes back, or forth, to a version of a recommender that is kept."""
    with session.cursor(catalog) as con:
        name = recommender_of(con, catalog, given["name"])
        number = version_of(con, name, given["version"])
        check_writable(con, catalog, name)
        with transaction(con):
            con.execute(sql("catalog/archive", schema=identifier(name)))
            put_to_use(con, catalog, name, number)
        row = first_row(con, f"SELECT count(*) FROM {relations(name).item_vectors}")
        assert row is not None
    stage = (f"version {number} is in use", row[0], None)
    return [stage, *lists_anew(session, catalog, name)]


def _campaign_type(con: duckdb.DuckDBPyConnection, name: str) -> str:
    """The type of the ids of campaigns; that of texts where a recommender has none."""
    row = first_row(
        con,
        "SELECT data_type FROM duckdb_columns() WHERE database_name = current_database()"
        " AND schema_name = ? AND table_name = 'campaigns' AND column_name = 'campaign_id'",
        [name],
    )
    return str(row[0]) if row else "VARCHAR"


def _by_name(objectives: list[str], values: str) -> str:
    """The fields of a struct that has one of the list `values` for each objective."""
    return ", ".join(
        f"{literal(objective)}: {values}[{position}]"
        for position, objective in enumerate(objectives, 1)
    )
