"""create_recommender and refresh_recommender."""

from __future__ import annotations

import dataclasses
import json
import uuid
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ..arrays import lists, vectors
from ..catalog.installed import VERSION
from ..catalog.objectives import metric_names
from ..catalog.recommenders import check_free, stored_arguments
from ..progress import STAGE_COLUMNS
from ..registry import Argument, sql_function
from ..session import Session
from ..source.arguments import Arguments
from ..source.checks import truth
from .objectives import objectives_table
from .publish import Build, Pending, views_of
from .training import Trained, train

LABELS = pa.list_(
    pa.struct(
        {
            "label": pa.string(),
            "users": pa.int64(),
            "key": pa.int64(),
            "context": pa.bool_(),
            "vector": pa.list_(pa.float32()),
            "items": pa.list_(pa.int32()),
            "odds": pa.list_(pa.float32()),
        }
    )
)
ARGUMENTS = (
    Argument("name", "the schema to make"),
    Argument(
        "events",
        "the table or view of events; schema.table and database.schema.table work too; or a list of"
        " several, or a struct of channels such as {web: {events: 'clicks', user_id: 'visitor',"
        " wanted: false}, shop: 'sales'}",
    ),
    Argument("user_id", "column of the events: who", "'user_id'"),
    Argument("item_id", "column of the events: what", "'item_id'"),
    Argument(
        "event_time",
        "column of the events: when; without it nothing decays and repeats are not modelled",
        "NULL",
    ),
    Argument(
        "event_weight",
        "a column or SQL expression over the events; rows where it is not a finite number above 0"
        " do not count",
        "NULL",
    ),
    Argument("items", "the table or view of items", "NULL"),
    Argument("items_item_id", "their id column, where it has another name", "NULL"),
    Argument(
        "users",
        "the table or view of users, for filters over them and users without events",
        "NULL",
    ),
    Argument("users_user_id", "their id column, where it has another name", "NULL"),
    Argument(
        "user_features",
        "columns of the users that say something of them, such as ['age', 'city']: numbers, dates,"
        " texts, truth values, lists; for first lists and short histories, where they help",
        "NULL",
    ),
    Argument(
        "context",
        "columns or SQL expressions over the events that say where, when or how, such as"
        " ['store', 'hour(sold_at)'], or a struct of these by name; for lists in such a context",
        "NULL",
    ),
    Argument("text", "text columns of the items, embedded together", "NULL"),
    Argument(
        "vectors",
        "vectors that items have, such as {image: 'image_embedding'}: columns or SQL expressions"
        " over the items that are lists of numbers, for likeness of content beside that of texts",
        "NULL",
    ),
    Argument(
        "item_graph",
        "edges between items and what joins them, such as categories or brands, or each other:"
        " 'table(from, to)' or 'table(from, to, weight)', with the columns of both ends",
        "NULL",
    ),
    Argument(
        "user_graph",
        "who the friends of users are, or who they follow: 'table(user, friend)' or 'table(user,"
        " friend, weight)'; what these took counts for users with few events of their own, where it"
        " helps",
        "NULL",
    ),
    Argument(
        "impressions",
        "what users were shown, and when: 'table(user, item, time)', or with the place in the list"
        " behind, or a list of such tables; what was passed over speaks against what is like it,"
        " where that makes lists better",
        "NULL",
    ),
    Argument(
        "item_time", "when the item appeared, for freshness; the first event otherwise", "NULL"
    ),
    Argument(
        "unlisted_items",
        "whether items of the events that the items table lacks are recommended; their events count"
        " in any case",
        "false",
    ),
    Argument(
        "objectives",
        "names of built-in ones, or a struct of names and SQL expressions; relevance, diversity and"
        " novelty by default",
        "NULL",
    ),
    Argument("weights", "the default weights, by position or name", "NULL"),
    Argument(
        "losses", "signals by which relevance is trained further, as {name: 'loss(SQL)'}", "NULL"
    ),
    Argument("combine", "how losses are combined: a method, or the weight of each", "NULL"),
    Argument(
        "relevance",
        "settings of relevance to fix instead of having them chosen by validation: a struct of"
        " half_life, trend, ridge, damping, neighbour_weight, neighbour_ridge, content_weight,"
        " popularity_weight",
        "NULL",
    ),
    Argument(
        "model",
        "a sentence-transformers name or folder; all-MiniLM-L6-v2 by default, from a PyPI package",
        "NULL",
    ),
    Argument("dimensions", "rank of the behaviour; chosen by validation by default", "NULL"),
    Argument("seed", "of all that is random; 42 by default", "NULL"),
    Argument(
        "versions",
        "how many versions are kept, of which the latest is put to use; 3 by default",
        "NULL",
    ),
    Argument("replace", "whether to replace a recommender of that name", "false"),
    Argument(
        "make_default", "whether main.recommend becomes its own; the first one has it", "NULL"
    ),
)


@sql_function(
    of="database",
    returns="VARCHAR",
    arguments=ARGUMENTS,
    result=STAGE_COLUMNS,
    template="train/built",
)
def create_recommender(session: Session, catalog: str, schema: str, given: dict[str, Any]) -> str:
    """Reads the tables, embeds the texts, trains, and writes the schema of a recommender."""
    return _pending(session, catalog, schema, Arguments.read(given), "create_recommender")


@sql_function(
    of="database",
    returns="VARCHAR",
    arguments=(
        Argument("name", "the recommender"),
        Argument(
            "keep_if_worse",
            "whether the version in use stays where the new one is clearly worse on what was held"
            " out",
            "false",
        ),
    ),
    result=STAGE_COLUMNS,
    template="train/built",
)
def refresh_recommender(session: Session, catalog: str, _: str, given: dict[str, Any]) -> str:
    """Trains a recommender anew on what its tables hold now."""
    keep_if_worse = truth("keep_if_worse", given["keep_if_worse"])
    with session.cursor(catalog) as cursor:
        arguments, schema = stored_arguments(cursor, catalog, given["name"])
    return _pending(session, catalog, schema, arguments, "refresh_recommender", keep_if_worse)


def _pending(
    session: Session,
    catalog: str,
    schema: str,
    arguments: Arguments,
    made_by: str,
    keep_if_worse: bool = False,
) -> str:
    """Train a recommender, and return the token by which it is published."""
    cursor = session.cursor(catalog)
    try:
        built = build(cursor, catalog, schema, arguments)
        built = dataclasses.replace(built, made_by=made_by, keep_if_worse=keep_if_worse)
        return session.shared(Pending).add(built)
    except BaseException:
        cursor.close()
        raise


def build(con: duckdb.DuckDBPyConnection, catalog: str, schema: str, arguments: Arguments) -> Build:
    """Train a recommender and prepare all that publishing writes; the arguments are as of train.

    Raises:
        MorecError: an argument is wrong.
    """
    check_free(con, catalog, arguments)
    trained = train(con, catalog, schema, arguments)
    weights = dict(trained.source.channel_weights or {})
    arguments = dataclasses.replace(arguments, channel_weights=weights)
    version = uuid.uuid4().hex
    tables = {
        "morec_new_settings": _settings(trained, arguments, schema, version),
        "morec_new_objectives": objectives_table(
            trained.objectives, trained.default_weights, trained.values
        ),
        "morec_new_version": _version(trained, arguments),
        "morec_new_texts": pa.table(
            {
                "text_id": pa.array(range(len(trained.texts)), pa.int32()),
                "text": pa.array(trained.texts, pa.string()),
                "embedding": vectors(trained.embeddings),
            }
        ),
        "morec_new_vectors": pa.table(
            {
                "item_index": pa.array(np.arange(trained.items, dtype=np.int32)),
                "text_id": pa.array(trained.text_id.astype(np.int32), mask=trained.text_id < 0),
                "encoder": vectors(trained.model.encoder),
                "decoder": vectors(trained.model.decoder),
                "statistics": vectors(trained.model.statistics),
                "objectives": lists(trained.values.columns),
                "listed": pa.array(trained.listed),
                **_neighbours(trained),
            }
        ),
    }
    dimensions = trained.model.encoder.shape[1], max(trained.embeddings.shape[1], 1)
    return Build(con, catalog, arguments, version, tables, dimensions, trained.stages)


def _version(trained: Trained, arguments: Arguments) -> pa.Table:
    """What putting the version to use, and items that come later, need beside its tables."""
    fold_in, beside = trained.model.fold_in, trained.beside
    given = [
        None if known is None else known.written.given
        for known in (beside.attributes, beside.contexts)
    ]
    assert fold_in is not None
    mean = np.concatenate([np.zeros(0), *(one.mean for one in trained.content)])
    later = {
        "mean": mean.tolist(),
        "axes": fold_in.axes.ravel().tolist(),
        "texts": fold_in.texts.ravel().tolist(),
        "values": fold_in.values.tolist(),
        "damping": list(fold_in.damping),
        "late_share": fold_in.late_share,
    }
    return pa.table(
        {
            "fold_in": [later],
            "user_type": [trained.source.user_type],
            "item_type": [trained.source.item_type],
            "metrics": [metric_names(trained.objectives)],
            "views": [views_of(trained.source, arguments, trained.counted, beside.view_labels)],
            "labels": pa.array([beside.rows(trained.model)], LABELS),
            "attributes": pa.array([given[0]], pa.string()),
            "context": pa.array([given[1]], pa.string()),
        }
    )


def _neighbours(trained: Trained) -> dict[str, pa.Array]:
    """The neighbours of each item and their weights, as lists."""
    found = trained.model.neighbours
    if found is None:
        return {
            "neighbours": pa.nulls(trained.items, pa.list_(pa.int32())),
            "neighbour_weights": pa.nulls(trained.items, pa.list_(pa.float32())),
        }
    offsets = pa.array(found.indptr.astype(np.int32))
    return {
        "neighbours": pa.ListArray.from_arrays(offsets, pa.array(found.indices.astype(np.int32))),
        "neighbour_weights": pa.ListArray.from_arrays(
            offsets, pa.array(found.data.astype(np.float32))
        ),
    }


def _settings(trained: Trained, arguments: Arguments, schema: str, version: str) -> pa.Table:
    """How the recommender was made, and what training chose."""
    model, clock = trained.model, trained.clock
    chosen = {
        **model.chosen,
        "content": model.content,
        "unknown": model.unknown.tolist(),
        "cold": None if model.cold is None else model.cold.tolist(),
        "few": model.few,
        "repeats": model.repeats.as_json(),
        "unit": model.unit,
        "clock": dataclasses.asdict(clock),
        "distance": dataclasses.asdict(trained.scale),
        "exclude_seen": trained.exclude_seen,
        "vector_widths": [len(one.mean) for one in trained.content[bool(trained.texts) :]],
        "made_with": VERSION,
    }
    return pa.table(
        {
            "version": [version],
            "arguments": [json.dumps({**dataclasses.asdict(arguments), "schema": schema})],
            "model": [json.dumps(chosen)],
            "trained_until": pa.array([clock.now], pa.float64()),
        }
    )
