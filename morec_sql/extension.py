"""Opens the SQL interface in a DuckDB connection."""

from __future__ import annotations

import dataclasses
import functools
import os
import uuid
import weakref
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from duckdb.func import FunctionNullHandling, PythonUDFType

from . import evaluation, search, serve
from . import schema as schema_of
from .arrays import whole
from .expressions import MorecError, identifier, literal
from .source import Arguments
from .templates import first_row, sql
from .udfs.device import share_of_cores
from .udfs.embedding import DEFAULT_MODEL, embed_texts

VERSION = "0.1.0"
PENDING = 4  # builds that wait to be published
STAGES_TYPE = 'STRUCT(stage VARCHAR, "rows" BIGINT, seconds DOUBLE)[]'
MEASURED_TYPE = (
    "STRUCT(model VARCHAR, metric VARCHAR, value DOUBLE, standard_error DOUBLE, low DOUBLE,"
    " high DOUBLE, users BIGINT, difference DOUBLE, p_value DOUBLE)[]"
)
POINTS_TYPE = (
    "STRUCT(weights DOUBLE[], metrics DOUBLE[], hypervolume_contribution DOUBLE, knee BOOLEAN,"
    " today BOOLEAN, dominated BOOLEAN)[]"
)
TUNED_TYPE = "STRUCT(weights DOUBLE[], metrics DOUBLE[], evaluations BIGINT)[]"
RANKED_TYPE = (
    "STRUCT(rank INTEGER, item_id VARCHAR, score DOUBLE, contributions DOUBLE[], unmet VARCHAR[])[]"
)

# weak, since the functions registered in a database keep its instance as long as it is open
_instances: weakref.WeakValueDictionary[str, _Instance] = weakref.WeakValueDictionary()


class _Instance:
    """What the functions registered in one database instance share."""

    def __init__(self) -> None:
        # weak, since a strong reference would keep the file open behind its user's back
        self.connections: list[weakref.ref[duckdb.DuckDBPyConnection]] = []
        self.pending: dict[str, schema_of.Build] = {}
        self.recommenders: serve.Latest[serve.Recommender] = serve.Latest(serve.CACHED)
        self.queries: serve.Latest[serve.Query] = serve.Latest(serve.QUERIES)
        self.past = evaluation.Past()

    def add(self, con: duckdb.DuckDBPyConnection) -> None:
        self.connections = [ref for ref in self.connections if ref() is not None]
        if all(ref() is not con for ref in self.connections):
            self.connections.append(weakref.ref(con))

    def cursor(self, catalog: str) -> duckdb.DuckDBPyConnection:
        """A connection of our own to the database that a query runs in."""
        for ref in reversed(self.connections):
            con = ref()
            if con is None:
                continue
            try:
                cursor = con.cursor()
            except duckdb.ConnectionException:
                continue
            cursor.execute(f"USE {identifier(catalog)}")
            return cursor
        raise MorecError(
            "connection: the one that morec_sql.load was called with is closed; call"
            " morec_sql.load again with an open one"
        )


def connect(
    database: str | os.PathLike[str] = ":memory:", **options: Any
) -> duckdb.DuckDBPyConnection:
    """Open a database with the SQL interface loaded.

    Args:
        database: path of the file, or ":memory:".
        options: passed to `duckdb.connect`, such as read_only=True.
    """
    con = duckdb.connect(str(database), **options)
    load(con)
    return con


def load(con: duckdb.DuckDBPyConnection) -> None:
    """Make the SQL interface available in the database of an open connection.

    The functions are registered for all connections and cursors of the database instance; the
    table macros create_recommender, refresh_recommender and drop_recommender are written to the
    schema main of the current database unless it is read-only. May be repeated.
    """
    known = first_row(
        con, "SELECT count(*) FROM duckdb_functions() WHERE function_name = 'morec_instance'"
    )
    if known and known[0]:
        row = first_row(con, "SELECT morec_instance()")
        assert row is not None
        _instances[row[0]].add(con)
    else:
        key = uuid.uuid4().hex
        instance = _Instance()
        instance.add(con)
        _register(con, key, instance)
        _instances[key] = instance
    _write_macros(con)


def _write_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Write the macros of the schema main where they are missing or of another version."""
    comments = {
        "create_recommender": "reads the tables, embeds the texts, trains, and writes the schema"
        " of a recommender; one row per stage",
        "refresh_recommender": "trains a recommender anew on what its tables hold now",
        "refresh_objectives": "computes the objectives of a recommender anew, without training, on"
        " what its tables hold now",
        "drop_recommender": "removes a recommender",
        "ranking_metrics": "precision, recall, f1, hit_rate, ndcg, map and mrr of each user's list;"
        " two tables by name: (model,) user_id, item_id, rank and user_id, item_id",
        "item_metrics": "the mean over each list of every column of the second table but item_id",
        "diversity_metrics": "the mean distance of two items of each list; the second table has"
        " item_id and vector, or item_id and category",
        "category_metrics": "coverage of categories, and calibration to the user's own mix, of each"
        " list; tables with item_id, category and with user_id, category, share",
        "catalogue_metrics": "coverage and Gini coefficient of all lists of a model; the second"
        " table has the item_id of the catalogue",
    }
    comments = {name: f"{name}: {text} (morec_sql {VERSION})." for name, text in comments.items()}
    rows = con.execute(
        "SELECT function_name, comment FROM duckdb_functions() WHERE schema_name = 'main'"
        " AND database_name = current_database()"
    ).fetchall()
    present = {name: comment or "" for name, comment in rows if name in comments}
    if all(present.get(name) == comment for name, comment in comments.items()):
        return
    read_only = first_row(
        con, "SELECT readonly FROM duckdb_databases() WHERE database_name = current_database()"
    )
    if read_only and read_only[0]:
        return
    for name, comment in present.items():
        if "(morec_sql " not in comment:
            raise MorecError(
                f"connection: main.{name} exists and is not morec_sql's; drop or rename it first"
            )
    con.execute(sql("main_macros"))
    con.execute(sql("metrics_macros"))
    for name, comment in comments.items():
        con.execute(f"COMMENT ON MACRO TABLE main.{name} IS {literal(comment)}")


def _register(con: duckdb.DuckDBPyConnection, key: str, instance: _Instance) -> None:
    """Register the functions that the macros call; heavy modules are imported at first use."""

    def define(
        name: str,
        function: Callable[..., Any],
        parameters: Any,
        returns: str,
        writes: bool = False,
    ) -> None:
        # DuckDB reads the number of parameters from the signature, which `wraps` keeps
        @functools.wraps(function)
        def on_arrays(*columns: pa.ChunkedArray) -> pa.Array:
            return function(*map(whole, columns))

        con.create_function(
            name,
            on_arrays,
            parameters,
            returns,
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,
            side_effects=writes,
        )

    def build(catalogs: pa.Array, schemas: pa.Array, arguments: pa.Array) -> pa.Array:
        tokens = []
        for catalog, schema, text in zip(
            catalogs.to_pylist(), schemas.to_pylist(), arguments.to_pylist(), strict=True
        ):
            given = Arguments.from_json(text)
            tokens.append(_build(catalog, schema, given))
        return pa.array(tokens, pa.string())

    def rebuild(catalogs: pa.Array, names: pa.Array) -> pa.Array:
        tokens = []
        for catalog, name in zip(catalogs.to_pylist(), names.to_pylist(), strict=True):
            with instance.cursor(catalog) as cursor:
                given, schema = schema_of.stored_arguments(cursor, catalog, name)
            tokens.append(_build(catalog, schema, given))
        return pa.array(tokens, pa.string())

    def _build(catalog: str, schema: str, given: Arguments) -> str:
        from . import training

        # a build that was interrupted is never published: it goes when newer ones come
        while len(instance.pending) >= PENDING:
            instance.pending.pop(next(iter(instance.pending)), None)
        token = uuid.uuid4().hex
        cursor = instance.cursor(catalog)
        try:
            instance.pending[token] = training.build(cursor, catalog, schema, given)
        except BaseException:
            cursor.close()
            raise
        return token

    def publish(tokens: pa.Array) -> pa.Array:
        return _stages([schema_of.publish(instance.pending.pop(t)) for t in tokens.to_pylist()])

    def refresh_objectives(catalogs: pa.Array, names: pa.Array) -> pa.Array:
        from . import training

        refreshed = []
        for catalog, name in zip(catalogs.to_pylist(), names.to_pylist(), strict=True):
            with instance.cursor(catalog) as cursor:
                version, stages = training.refresh_objectives(cursor, catalog, name)
            instance.recommenders.forget(version)
            refreshed.append(stages)
        return _stages(refreshed)

    def drop(catalogs: pa.Array, names: pa.Array) -> pa.Array:
        dropped: list[list[tuple[str, int, float | None]]] = []
        for catalog, name in zip(catalogs.to_pylist(), names.to_pylist(), strict=True):
            with instance.cursor(catalog) as cursor:
                dropped.append([("drop", schema_of.drop(cursor, catalog, name), None)])
        return _stages(dropped)

    def recommend(
        catalogs: pa.Array,
        names: pa.Array,
        versions: pa.Array,
        queries: pa.Array,
        histories: pa.Array,
        as_of: pa.Array,
        weights: pa.Array,
        ks: pa.Array,
        filters: pa.Array,
        exclude_seen: pa.Array,
        diversify: pa.Array,
        limited: pa.Array,
    ) -> pa.Array:
        catalog, name, version, query = (
            column[0].as_py() for column in (catalogs, names, versions, queries)
        )
        connect = functools.partial(instance.cursor, catalog)

        def load() -> serve.Recommender:
            with connect() as cursor:
                return serve.load_recommender(cursor, name)

        found = instance.queries.get(
            (query, catalog, version),
            lambda: serve.Query(connect, instance.recommenders.get(version, load), name),
        )
        with share_of_cores():
            return serve.recommend(
                found, histories, as_of, weights, ks, filters, exclude_seen, diversify, limited
            )

    def evaluate(catalogs: pa.Array, names: pa.Array, requests: pa.Array) -> pa.Array:
        measured = []
        for catalog, name, text in zip(
            catalogs.to_pylist(), names.to_pylist(), requests.to_pylist(), strict=True
        ):
            request = evaluation.Request.from_json(text)
            # the two halves of a UNION may run at once, and train the same past
            with instance.past.lock:
                found = evaluation.evaluate(
                    functools.partial(instance.cursor, catalog),
                    catalog, name, request, instance.past,
                )  # fmt: skip
            measured.append([dataclasses.asdict(row) for row in found.rows])
        return pa.array(measured)

    def pareto(catalogs: pa.Array, names: pa.Array, requests: pa.Array) -> pa.Array:
        found = _searched(search.pareto, catalogs, names, requests)
        return pa.array([[dataclasses.asdict(point) for point in points] for points in found])

    def tune(catalogs: pa.Array, names: pa.Array, requests: pa.Array) -> pa.Array:
        found = _searched(search.tune, catalogs, names, requests)
        return pa.array(
            [
                [{"weights": point.weights, "metrics": point.metrics, "evaluations": evaluations}]
                for point, evaluations in found
            ]
        )

    def _searched(
        function: Callable[..., Any], catalogs: pa.Array, names: pa.Array, requests: pa.Array
    ) -> list[Any]:
        found = []
        for catalog, name, text in zip(
            catalogs.to_pylist(), names.to_pylist(), requests.to_pylist(), strict=True
        ):
            request = search.SearchRequest.from_json(text)
            with instance.past.lock:
                connect = functools.partial(instance.cursor, catalog)
                found.append(function(connect, catalog, name, request, instance.past))
        return found

    def embed(*arguments: pa.Array) -> pa.Array:
        if len(arguments) not in (1, 2):
            raise MorecError(
                f"embed: (text) or (text, model) is needed, not {len(arguments)} values"
            )
        return _embedded(*arguments)

    def similarity(*arguments: pa.Array) -> pa.Array:
        if len(arguments) not in (2, 3):
            raise MorecError(
                f"similarity: (a, b) or (a, b, model) is needed, not {len(arguments)} values"
            )
        left, right, *models = arguments
        one, other = _embedded(left, *models), _embedded(right, *models)
        known = pc.and_(one.is_valid(), other.is_valid())
        out = np.zeros(len(left), np.float32)
        rows = np.flatnonzero(known.to_numpy(zero_copy_only=False))
        if len(rows):
            a, b = (
                np.asarray(x.take(pa.array(rows)).to_pylist(), np.float32) for x in (one, other)
            )
            if a.shape != b.shape:
                raise MorecError(
                    f"similarity: vectors of {a.shape[-1]} and {b.shape[-1]} dimensions came;"
                    " both must have the same"
                )
            length = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
            out[rows] = np.einsum("ij,ij->i", a, b) / np.maximum(length, 1e-12)
        return pa.array(out, mask=~known.to_numpy(zero_copy_only=False))

    list_of_stages = pa.list_(
        pa.struct([("stage", pa.string()), ("rows", pa.int64()), ("seconds", pa.float64())])
    )

    def _stages(results: list[list[tuple[str, int, float | None]]]) -> pa.Array:
        names = ("stage", "rows", "seconds")
        return pa.array(
            [[dict(zip(names, row, strict=True)) for row in rows] for rows in results],
            list_of_stages,
        )

    define("morec_build", build, ["VARCHAR"] * 3, "VARCHAR", writes=True)
    define("morec_rebuild", rebuild, ["VARCHAR"] * 2, "VARCHAR", writes=True)
    define("morec_publish", publish, ["VARCHAR"], STAGES_TYPE, writes=True)
    define(
        "morec_refresh_objectives", refresh_objectives, ["VARCHAR"] * 2, STAGES_TYPE, writes=True
    )
    define("morec_drop", drop, ["VARCHAR"] * 2, STAGES_TYPE, writes=True)
    define("morec_evaluate", evaluate, ["VARCHAR"] * 3, MEASURED_TYPE, writes=True)
    define("morec_pareto", pareto, ["VARCHAR"] * 3, POINTS_TYPE, writes=True)
    define("morec_tune", tune, ["VARCHAR"] * 3, TUNED_TYPE, writes=True)
    define(
        "morec_recommend",
        recommend,
        ["VARCHAR"] * 3
        + ["UBIGINT", "HUGEINT[]", "DOUBLE"]
        + ["VARCHAR", "BIGINT", "VARCHAR", "BOOLEAN", "VARCHAR", "VARCHAR"],
        RANKED_TYPE,
        # a filter reads the items: the answer is not a function of the arguments alone
        writes=True,
    )
    define("embed", embed, None, "FLOAT[]")
    define("similarity", similarity, None, "FLOAT")
    con.create_function("morec_instance", lambda: key, [], "VARCHAR")


def _embedded(values: pa.Array, models: pa.Array | None = None) -> pa.Array:
    """Vectors of texts; values that are vectors already stay as they are."""
    if pa.types.is_null(values.type):
        return pa.nulls(len(values), pa.list_(pa.float32()))
    if pa.types.is_list(values.type) or pa.types.is_fixed_size_list(values.type):
        return pc.cast(values, pa.list_(pa.float32()))
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        raise MorecError(f"text: {values.type} came, but embed and similarity take text or vectors")
    name = DEFAULT_MODEL
    if models is not None:
        names = set(models.to_pylist())
        if len(names) > 1 or None in names:
            raise MorecError("model: one name for the whole query is needed")
        name = names.pop()
    present = values.is_valid().to_numpy(zero_copy_only=False)
    vectors = embed_texts(values.drop_null().to_pylist(), name)
    lengths = np.where(present, vectors.shape[1], 0)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(vectors.ravel()), mask=pa.array(~present)
    )
