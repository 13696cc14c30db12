"""What a role of users sees: a database of its own, made of views over the warehouse.

A role is of a file of TOML. Its database has the schemas that it may see, with columns masked and
rows left out, and the recommenders made anew over these views: so whatever a function reads for it,
a filter, an explanation or an error, it reads what the role may see.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from typing import Any

import duckdb

from ..catalog.kept_lists import LISTS, MADE
from ..catalog.recommenders import default_of, recommenders
from ..catalog.versions import in_use, put_to_use
from ..errors import MorecError, nearest
from ..source.pure import ROLE
from ..templates import first_row, identifier, literal, sql
from .config import check_names
from .refused import RefusedError
from .settings import milliseconds

logger = logging.getLogger("morec_sql.server")
FIELDS = {"users", "schemas", "functions", "mask", "rows", "most_rows", "timeout", "sessions"}
SHORTEST_KEY = 16  # characters of the key of hashes
# of a recommender: what is made with its views and functions, and what those look for as a table
OF_USERS = ("objectives", "reason_templates", "weight_presets", "rules")
OWN = {"settings", *OF_USERS}
ARCHIVE = "archive"
KEPT_LISTS = {LISTS, MADE}
# of a recommender: what was learnt of texts is in them, and may say what these are
OF_TEXTS = re.compile(r"(texts|item_vectors)(_\d+)?|archive")
BY_TEXTS = "search"  # the function that tells which items a text is like


@dataclasses.dataclass(frozen=True)
class Role:
    """What some users may do.

    Args:
        name: of the role.
        users: who has it.
        schemas: those that may be named, None for all.
        functions: those of the recommenders that may be called, None for all.
        mask: what stands for a column's values, by "table.column" or "schema.table.column": null,
            hash, or a constant as {"value": ...}.
        rows: which rows there are of a table, by "table" or "schema.table", as SQL.
        most_rows: of a result, None for any number.
        timeout: seconds that a statement may take, 0 for the server's own limit.
        sessions: how many there may be at once, None for the server's own limit.
        key: of hashes.
    """

    name: str
    users: frozenset[str] = frozenset()
    schemas: frozenset[str] | None = None
    functions: frozenset[str] | None = None
    mask: dict[str, Any] = dataclasses.field(default_factory=dict)
    rows: dict[str, str] = dataclasses.field(default_factory=dict)
    most_rows: int | None = None
    timeout: float = 0
    sessions: int | None = None
    key: str = ""

    @property
    def is_apart(self) -> bool:
        """Whether it sees a database of its own."""
        return bool(
            self.mask or self.rows or self.schemas is not None or self.functions is not None
        )


def read(found: dict[str, Any]) -> list[Role]:
    """The roles of a configuration.

    Raises:
        MorecError: they are not of the form that is expected.
    """
    key = found.get("key", "")
    if not isinstance(key, str):
        raise MorecError(f"key: {key!r} is no text")
    given = found.get("roles", {})
    if not isinstance(given, dict) or not all(isinstance(one, dict) for one in given.values()):
        raise MorecError("roles: each is a table of its own, such as [roles.analyst]")
    roles = [_role(name, one, key) for name, one in given.items()]
    of: dict[str, str] = {}
    for role in roles:
        for user in role.users:
            if of.setdefault(user, role.name) != role.name:
                raise MorecError(f"roles.{role.name}.users: {user!r} is of {of[user]}, too")
    return roles


def _role(name: str, given: dict[str, Any], key: str) -> Role:
    where = f"roles.{name}"
    if not re.fullmatch(r"[A-Za-z]\w{0,40}", name):
        raise MorecError(f"{where}: a role's name is of letters, digits and _")
    check_names(where, given, FIELDS)
    lists = {
        field: frozenset(_texts(f"{where}.{field}", given[field]))
        for field in ("users", "schemas", "functions")
        if field in given
    }
    mask, rows = given.get("mask", {}), given.get("rows", {})
    for field, value in (("mask", mask), ("rows", rows)):
        if not isinstance(value, dict):
            raise MorecError(f"{where}.{field}: it is a table, [{where}.{field}], not {value!r}")
    for column, kind in mask.items():
        if kind not in ("null", "hash") and not (isinstance(kind, dict) and set(kind) == {"value"}):
            raise MorecError(
                f"{where}.mask.{column}: {kind!r} is not 'null', 'hash' or {{value = ...}}"
            )
    if "hash" in mask.values() and len(key) < SHORTEST_KEY:
        raise MorecError(f"key: hashes need one of {SHORTEST_KEY} characters or more")
    for field in ("most_rows", "sessions"):
        if not isinstance(given.get(field, 1), int) or given.get(field, 1) < 1:
            raise MorecError(f"{where}.{field}: {given[field]!r} is no number above 0")
    try:
        timeout = milliseconds(str(given.get("timeout", "0"))) / 1000
    except RefusedError:
        raise MorecError(f"{where}.timeout: {given['timeout']!r} is no time such as 30s") from None
    return Role(
        name, mask=mask, rows=rows, most_rows=given.get("most_rows"), timeout=timeout,
        sessions=given.get("sessions"), key=key, **lists,
    )  # fmt: skip


def _texts(where: str, given: Any) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise MorecError(f"{where}: {given!r} is no list of names")
    return given


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a role sees in place of the warehouse.

    Args:
        database: its name.
        schemas: those that may be named.
        others: databases and schemas that may not.
        hidden: tables and views of `main` that may not be named, where it is one of these.
        kept: tables and views of recommenders that may not be, with their schema, since masked
            texts could be guessed by them.
    """

    database: str
    schemas: frozenset[str]
    others: frozenset[str]
    hidden: frozenset[str]
    kept: frozenset[str]


def build(con: duckdb.DuckDBPyConnection, warehouse: str, role: Role) -> Seen:
    """Make the database of a role.

    Args:
        con: a connection to the warehouse, of which nothing else is going on.
        warehouse: its name.
        role: the role.

    Raises:
        MorecError: the role names what there is not.
    """
    columns = con.execute(sql("server/columns", database=literal(warehouse))).fetchall()
    views = con.execute(sql("server/views", database=literal(warehouse))).fetchall()
    schemas = sorted({row[0] for row in columns} | {row[0] for row in views} | {"main"})
    if warehouse.lower() in map(str.lower, schemas):
        raise MorecError(
            f"config: the file has the name of the schema {warehouse!r}, and a role could name"
            " either; a role with views of its own needs a file of another name"
        )
    _check(role, schemas, columns)
    ours = recommenders(con, warehouse)
    numbers = {name: in_use(con, name) for name in ours}
    known = {(row[0], row[1]) for row in columns}
    hidden = {name for name in ours if _hides_texts(con, role, name, known)}
    tables_of = {(row[0], row[1]) for row in (*columns, *views)}
    kept = frozenset(
        f"{schema}.{table}".lower()
        for schema, table in tables_of
        if schema in hidden and OF_TEXTS.fullmatch(table)
    )
    for name, number in numbers.items():
        made = f"SELECT views FROM {identifier(name, 'archive')} WHERE id = {number}"
        row = first_row(con, made) if number is not None else None
        if row is None or not all(_stays_within(text, warehouse) for text in row[0]):
            logger.warning("the role %s does not see the recommender %s", role.name, name)
            numbers[name] = None
    default = default_of(con, warehouse)
    count = first_row(con, "SELECT count(*) FROM duckdb_databases()")
    database = f"{ROLE}{role.name}_{count[0] if count else 0}"
    con.execute(f"ATTACH ':memory:' AS {identifier(database)} (READ_WRITE)")
    con.execute(f"USE {identifier(database)}")
    try:
        for schema in schemas:
            if schema != "main":
                con.execute(f"CREATE SCHEMA {identifier(schema)}")
        # the others are there for views and functions that read them
        seen = sorted(schemas if role.schemas is None else role.schemas)
        con.execute("CREATE SCHEMA morec_seen")
        con.execute("CREATE TABLE morec_seen.schemas AS SELECT unnest($1) AS name", [seen])
        listed = "CREATE TABLE morec_seen.kept AS SELECT unnest(CAST($1 AS VARCHAR[])) AS path"
        con.execute(listed, [sorted(kept)])
        tables: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for schema, table, column, kind in columns:
            tables.setdefault((schema, table), []).append((column, kind))
        for (schema, table), kinds in tables.items():
            if schema in ours and table in KEPT_LISTS and not _serves_lists(role, schema):
                continue
            if schema not in ours or table not in OWN:
                made = _masked(con, warehouse, role, schema, table, kinds, schema in hidden)
                kind = "TABLE" if schema in ours and table == ARCHIVE else "VIEW"
                con.execute(f"CREATE {kind} {identifier(schema, table)} AS {made}")
        within = [text for schema, _, text in views if schema not in ours]
        _make_views(con, [text for text in within if _stays_within(text, warehouse, kept)])
        for name, number in numbers.items():
            if number is not None:
                put_to_use(con, database, name, number, make_default=name == default)
                for table in OF_USERS:
                    # one that was made before may lack some
                    if (name, table) in tables:
                        parts = {
                            "own": identifier(name, table),
                            "theirs": identifier(warehouse, name, table),
                        }
                        con.execute(sql("server/own_of_users", **parts))
        _leave_functions(con, database, role, ours)
        for name in hidden:
            con.execute(f"DROP MACRO TABLE IF EXISTS {identifier(name, BY_TEXTS)}")
    finally:
        con.execute(f"USE {identifier(warehouse)}")
    named = frozenset(schemas) if role.schemas is None else role.schemas
    main = {row[1] for row in (*columns, *views) if row[0] == "main"}
    return Seen(
        database,
        frozenset(name.lower() for name in named),
        frozenset({warehouse.lower(), *(name.lower() for name in schemas)} - {*named}),
        frozenset(name.lower() for name in main) if "main" not in named else frozenset(),
        kept,
    )


def _check(role: Role, schemas: list[str], columns: list[tuple[str, str, str, str]]) -> None:
    """Raise a MorecError where a role names what is not in the warehouse."""
    where = f"roles.{role.name}"
    for schema in role.schemas or ():
        if schema not in schemas:
            raise MorecError(f"{where}.schemas: there is no {schema!r}; {nearest(schema, schemas)}")
    tables = {name for schema, table, *_ in columns for name in (table, f"{schema}.{table}")}
    for table in role.rows:
        if table not in tables:
            raise MorecError(f"{where}.rows: there is no table {table!r}; {nearest(table, tables)}")
    known = {
        f"{name}.{column}"
        for schema, table, column, _ in columns
        for name in (table, f"{schema}.{table}")
    }
    for column in role.mask:
        if column not in known:
            raise MorecError(
                f"{where}.mask: there is no column {column!r}; {nearest(column, known)}"
            )


def _serves_lists(role: Role, schema: str) -> bool:
    """Whether a role sees the lists that are kept: they are of all users, and of what there is."""
    named = {path.lower().removeprefix(f"{schema.lower()}.") for path in (*role.mask, *role.rows)}
    return not named or any(path.split(".")[0] in KEPT_LISTS for path in named)


def _masked(
    con: duckdb.DuckDBPyConnection,
    warehouse: str,
    role: Role,
    schema: str,
    table: str,
    kinds: list[tuple[str, str]],
    hidden: bool,
) -> str:
    """The SELECT of what a role sees of a table; `hidden` leaves out the texts of items."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    selected = []
    for column, kind in kinds:
        names = (f"{schema}.{table}.{column}", f"{table}.{column}")
        mask = next((role.mask[name] for name in names if name in role.mask), None)
        name = identifier(column)
        if hidden and (table[:6], column) == ("texts_", "text"):
            mask = "null"
        if mask is None:
            selected.append(name)
        elif mask == "hash":
            text = f"sha256({literal(role.key)} || CAST({name} AS VARCHAR))"
            selected.append(f"left({text}, 16) AS {name}")
        else:
            value = "NULL" if mask == "null" else literal(mask["value"])
            selected.append(f"CAST({value} AS {kind}) AS {name}")
    text = f"SELECT {', '.join(selected)} FROM {identifier(warehouse, schema, table)}"
    kept = next(
        (role.rows[name] for name in (f"{schema}.{table}", table) if name in role.rows), None
    )
    if kept is None:
        return text
    where = f"roles.{role.name}.rows.{table}"
    try:
        predicate = sqlglot.parse_one(kept, dialect="duckdb").sql("duckdb")
        # the limit keeps what a client filters by from being looked at before
        text += f" WHERE ({predicate}) LIMIT 9223372036854775807"
        con.execute(f"EXPLAIN {text}")
    except (SqlglotError, duckdb.Error) as error:
        raise MorecError(f"{where}: {kept!r} is no predicate over it: {error}") from None
    return text


def _make_views(con: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    """Make views, of which some read others; what reads something else is left out."""
    while texts:
        failed = []
        for text in texts:
            try:
                con.execute(text)
            except duckdb.Error:
                failed.append(text)
        if len(failed) == len(texts):
            return
        texts = failed


def _hides_texts(
    con: duckdb.DuckDBPyConnection, role: Role, name: str, tables: set[tuple[str, str]]
) -> bool:
    """Whether a column that is masked may be in the texts of a recommender's items.

    It may be where they are read from anything but a table without a mask, such as a view.
    """
    row = first_row(
        con, f"SELECT CAST(arguments AS JSON) ->> 'items' FROM {identifier(name, 'settings')}"
    )
    if not role.mask or row is None or row[0] is None:
        return False
    schema, _, table = row[0].replace('"', "").rpartition(".")
    schema = schema or "main"
    masked = {column.rsplit(".", 1)[0] for column in role.mask}
    return (schema, table) not in tables or bool({table, f"{schema}.{table}"} & masked)


def _stays_within(text: str, warehouse: str, kept: frozenset[str] = frozenset()) -> bool:
    """Whether a statement names no database, which would be past the views of a role.

    Nor any of the tables that are kept from it.
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        found = list(sqlglot.parse_one(text, dialect="duckdb").find_all(exp.Table))
    except SqlglotError:
        return False
    named = {one.catalog.lower() for one in found} | {one.db.lower() for one in found}
    if any(f"{one.db}.{one.name}".lower() in kept for one in found):
        return False
    # a view's own name is read as a table's, too, and may have that of its schema before it
    return warehouse.lower() not in named and not any(one.catalog for one in found[1:])


def _leave_functions(
    con: duckdb.DuckDBPyConnection, database: str, role: Role, ours: list[str]
) -> None:
    """Remove the functions that a role may not call."""
    if role.functions is None:
        return
    query = (
        "SELECT schema_name, function_name FROM duckdb_functions()"
        " WHERE database_name = ? AND function_type = 'table_macro'"
    )
    for schema, name in con.execute(query, [database]).fetchall():
        if name not in role.functions and (schema in ours or name == "recommend"):
            con.execute(f"DROP MACRO TABLE {identifier(schema, name)}")
