"""The graphs of the user's: between users, and of items and what joins them."""

from __future__ import annotations

import duckdb
import numpy as np

from ..progress import Stages
from ..source.graphs import Edges
from ..source.source import Source
from ..templates import first_row, sql
from ..udfs.evidence import MOST_FRIENDS, Graph
from ..udfs.history import Clock, bounds
from ..udfs.relevance.content import Content
from ..udfs.relevance.graph import WIDTH, graph_vectors

ITEM_GRAPH = "item_graph"  # what its vectors are called


def read_user_graph(
    con: duckdb.DuckDBPyConnection, source: Source, clock: Clock, users: int, stages: Stages
) -> Graph | None:
    """The graph between the users; None without any.

    Args:
        con: with the temporary table of the users.
        source: the user's tables.
        clock: by which events age.
        users: how many have events.
        stages: where what is left out is counted.
    """
    edges = source.user_graph
    if edges is None:
        return None
    kept = _counted(con, "user_graph", edges, stages)
    query = sql("train/friends", edges=edges.sql, usable=edges.usable, most=str(MOST_FRIENDS))
    columns = con.execute(query).fetchnumpy()
    user, friend = (np.asarray(columns[name], np.int32) for name in ("user_index", "friend_index"))
    stages.rows.append(("user_graph: edges between users with events", len(user), None))
    stages.count(
        f"user_graph: other edges, without events, double or beyond {MOST_FRIENDS} of a user",
        kept - len(user),
    )
    weight = np.asarray(columns["weight"], np.float64)
    mean = float(weight.mean()) if len(weight) else 1.0
    lives = np.array(clock.half_lives, np.float32) / np.float32(clock.half_lives[1])
    unit = (weight / mean).astype(np.float32)
    return Graph(bounds(user, users), friend, unit, lives, mean)


def read_item_graph(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    stages: Stages,
    every: str = "SELECT item_id FROM morec_items",
) -> list[Content]:
    """What items are like by the graph of items, as the only entry; none without any.

    Args:
        con: with the temporary table of the items.
        source: the user's tables.
        stages: where what is left out is counted.
        every: SQL of the ids of all items, of which those in the table may be some.
    """
    edges = source.item_graph
    if edges is None:
        return []
    kept = _counted(con, ITEM_GRAPH, edges, stages)
    con.execute(sql("train/nodes", edges=edges.sql, usable=edges.usable, items=every))
    nodes = con.execute(
        "SELECT md5_number_lower(name) AS name, is_item FROM morec_nodes ORDER BY number"
    ).fetchnumpy()
    mine = np.asarray(con.execute(sql("train/nodes_of_items")).fetchnumpy()["number"], np.int64)
    columns = con.execute(sql("train/edges_numbered")).fetchnumpy()
    con.execute("DROP TABLE morec_nodes; DROP TABLE morec_edges")
    items = int(np.sum(nodes["is_item"]))
    first, second = (np.asarray(columns[name], np.int64) for name in ("source", "target"))
    stages.rows.append((f"{ITEM_GRAPH}: edges", len(first), None))
    stages.count(f"{ITEM_GRAPH}: edges that come twice, counted once", kept - len(first))
    stages.count(f"{ITEM_GRAPH}: nodes that are no items", len(nodes["name"]) - items)
    weight = np.asarray(columns["weight"], np.float64)
    found, there = graph_vectors(first, second, weight, np.asarray(nodes["name"]), items)
    number = np.full(items, -1)
    number[there] = np.arange(len(there))
    row = number[mine]
    stages.rows.append((f"{ITEM_GRAPH}: items that it knows", int((row >= 0).sum()), None))
    mean = found.mean(axis=0) if len(found) else np.zeros(WIDTH, np.float32)
    return [Content(ITEM_GRAPH, found, row, mean)]


def _counted(con: duckdb.DuckDBPyConnection, argument: str, edges: Edges, stages: Stages) -> int:
    """How many edges count; what does not is said."""
    row = first_row(con, sql("source/edges_report", edges=edges.sql, usable=edges.usable))
    assert row is not None
    rows, unusable, loops = row
    stages.count(
        f"{argument}: left out, without both ends or a weight that is a number above 0", unusable
    )
    stages.count(f"{argument}: left out, from one to itself", loops)
    return int(rows - unusable - loops)
