"""PostgreSQL's catalogue, which tools read before anything else: made of DuckDB's own.

It is a database in memory, `morec_pg`, of views and macros with the names, the columns and the type
numbers that clients of PostgreSQL know. A statement that reads the catalogue, or asks for something
of the session, is written anew for DuckDB; all others are left as they came.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from ..templates import DIALECT, database_of, identifier, literal, sql
from . import settings, wire

if TYPE_CHECKING:
    from sqlglot import exp

DATABASE = "morec_pg"
MENTIONS = re.compile(
    r"\bpg_|\binformation_schema\b|\bversion\s*\(|\bset_config\b|\bcurrent_setting\b|::\s*reg"
    r"|\bcurrent_(?:user|role|schema|schemas|database|catalog)\b|\bsession_user\b|\bquote_ident\b"
    r"|\b(?:obj|col|shobj)_description\b|\bhas_\w+_privilege\b|\bformat_type\b|\bto_regclass\b"
    r"|\bas\s+regclass\b|\binet_\w+\s*\(",
    re.IGNORECASE,
)
# types whose values are names to people and numbers to the catalogue
NAMES = {"regclass", "regtype", "regproc"}
# what the casts to the catalogue's other types come to
PLAIN = {
    "name": "VARCHAR", "char": "VARCHAR", "oid": "UINTEGER", "xid": "UINTEGER",
    "int2vector": "BIGINT[]", "oidvector": "BIGINT[]", "regtype": "UINTEGER",
    "regrole": "VARCHAR", "regnamespace": "VARCHAR", "regprocedure": "VARCHAR",
    "regproc": "VARCHAR", "sql_identifier": "VARCHAR", "character_data": "VARCHAR",
    "cardinal_number": "INTEGER", "yes_or_no": "VARCHAR",
}  # fmt: skip
# DuckDB's own view of the name shows more than is to be seen
RENAMED = {"pg_settings": "settings_of_postgres"}
# columns that hold names of functions here, and in PostgreSQL numbers that are shown as names
OF_TYPES = {"typinput", "typoutput", "typreceive", "typsend"}
SYNONYMS = {"json_build_object": "json_object", "jsonb_build_object": "json_object",
            "json_agg": "json_group_array"}  # fmt: skip
# which sqlglot does not read
OID_LISTS = re.compile(r"::\s*oid\s*\[\]", re.IGNORECASE)
REGULAR = {"~": False, "!~": True, "~*": False, "!~*": True}


class Catalog:
    """The catalogue of one warehouse, and how statements that read it are written for DuckDB.

    Args:
        con: a connection to the warehouse.
        database: what it shows, that which the connection uses by default.
        name: what the database is called to clients, as that which it shows by default.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        database: str | None = None,
        name: str | None = None,
    ) -> None:
        self.database = database or database_of(con)
        self.name = name or self.database
        self.attached = f"{DATABASE}_{database}" if database else DATABASE
        pg = identifier(self.attached)
        con.execute(f"ATTACH ':memory:' AS {pg} (READ_WRITE)")
        oids = [oid for oid, _ in wire.SCALARS.values()]
        con.register("scalars", pa.table({"name": list(wire.SCALARS), "oid": oids}))
        con.execute(sql("server/pg_types", pg=pg))
        con.unregister("scalars")
        named = literal(self.database)
        con.execute(sql("server/pg_empty", pg=pg))
        known = sorted((settings.DEFAULTS | settings.FIXED).items())
        con.executemany(sql("server/pg_setting", pg=pg), [list(one) for one in known])
        con.execute(sql("server/pg_catalog", pg=pg, database=named, name=literal(self.name)))
        con.execute(sql("server/pg_functions", pg=pg))
        con.execute(
            sql("server/information_schema", pg=pg, database=named, name=literal(self.name))
        )
        rows = con.execute(sql("server/pg_names", database=literal(self.attached))).fetchall()
        self._tables = {(schema, name) for kind, schema, name in rows if kind == "table"}
        self._functions = {name for kind, _, name in rows if kind == "function"}
        # the names of views of DuckDB's own
        self.system = {row[0] for row in con.execute(sql("server/system_views")).fetchall()}

    @property
    def views(self) -> set[str]:
        """The names of its tables and views."""
        return {name for _, name in self._tables}

    def rewritten(self, text: str, of_session: settings.OfSession) -> str:
        """A statement for DuckDB.

        Args:
            text: as it came.
            of_session: functions whose value only the session knows.

        Returns:
            The text itself where it reads no catalogue, or cannot be read as PostgreSQL's.
        """
        if MENTIONS.search(text) is None:
            return text
        import sqlglot
        from sqlglot import exp
        from sqlglot.errors import SqlglotError

        try:
            tree = sqlglot.parse_one(OID_LISTS.sub("::uint[]", text), dialect="postgres")
        except (SqlglotError, RecursionError):
            return text
        for select in tree.find_all(exp.Select):
            for one in list(select.expressions):
                name = _named(one)
                if name and not isinstance(one, exp.Column):
                    one.replace(exp.alias_(one.copy(), name, quoted=True))
        changes = (self._operators, self._casts, self._calls(of_session), self._read)
        # from the leaves up, so that what is changed has changed parts
        for node in reversed(list(tree.walk())):
            changed = node
            for change in changes:
                changed = change(changed)
            if changed is not node:
                tree = changed if node is tree else tree
                node.replace(changed)
        return tree.sql(DIALECT)

    def _read(self, node: exp.Expr) -> exp.Expr:
        """Tables: those of the catalogue are ours."""
        from sqlglot import exp

        if isinstance(node, exp.Column) and node.db in ("pg_catalog", "information_schema"):
            node.set("db", None)
        if isinstance(node, exp.Bracket) and node.this.name.lower() in wire.VECTORS:
            places = [exp.paren(one) + 1 for one in node.expressions]
            return exp.Bracket(this=node.this, expressions=places)
        if isinstance(node, exp.EQ | exp.NEQ) and node.this.name.lower() in OF_TYPES:
            number = node.expression.is_number
            node.set("expression", exp.Literal.string("-") if number else node.expression)
        if isinstance(node, exp.Column) and node.name.lower() in wire.VECTORS:
            select = node.parent
            if isinstance(select, exp.Select) and select.parent is None:
                text = exp.func("array_to_string", node.copy(), exp.Literal.string(" "))
                return exp.alias_(text, node.name)
        if not isinstance(node, exp.Table):
            return node
        if not isinstance(node.this, exp.Identifier):
            if node.db.lower() == "pg_catalog":
                node.set("db", None)
            return node
        schema, name = node.db.lower(), node.name.lower()
        name = RENAMED.get(name, name)
        room = {"pg_catalog": "main", "": "main", "information_schema": "information"}.get(schema)
        if (
            room is None
            or (room, name) not in self._tables
            or (not schema and node.name[:3].lower() != "pg_")
        ):
            return node
        if not node.alias:
            node.set("alias", exp.TableAlias(this=exp.to_identifier(node.name)))
        node.set("this", exp.to_identifier(name, quoted=True))
        node.set("db", exp.to_identifier(room))
        node.set("catalog", exp.to_identifier(self.attached, quoted=True))
        return node

    def _calls(self, of_session: settings.OfSession) -> Callable[[exp.Expr], exp.Expr]:
        """Functions: of the session, and of the catalogue."""
        from sqlglot import exp

        known = {
            exp.CurrentUser: "current_user",
            exp.SessionUser: "session_user",
            exp.CurrentVersion: "version",
            exp.CurrentDatabase: "current_database",
            exp.CurrentSchema: "current_schema",
            exp.CurrentCatalog: "current_database",
            exp.CurrentRole: "current_user",
        }

        def change(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Dot) and isinstance(node.this, exp.Identifier):
                # the function after it was seen to before
                named = node.this.name.lower() in ("pg_catalog", "information_schema")
                after: exp.Expr = node.expression
                return after if named else node
            if (
                isinstance(node, exp.Column)
                and node.table.lower() in ("pg_catalog", "")
                and (node.name.lower() in ("current_catalog", "current_role", "session_user"))
            ):
                value = of_session["current_user"]([])
                return exp.Literal.string(value)
            if not isinstance(node, exp.Func) or isinstance(node, exp.Cast):
                return node
            name = known.get(type(node)) or (
                node.name if isinstance(node, exp.Anonymous) else node.sql_name()
            )
            name = name.lower()
            if name in of_session:
                constants = [one.name for one in node.expressions if isinstance(one, exp.Literal)]
                value = of_session[name](constants)
                if value is None:
                    return exp.Null()
                number = name == "pg_backend_pid"
                return exp.Literal.number(value) if number else exp.Literal.string(value)
            if name == "current_schemas":
                return exp.Array(expressions=[exp.Literal.string("main")])
            if name in SYNONYMS and isinstance(node, exp.Anonymous):
                node.set("this", SYNONYMS[name])
            if name in self._functions:
                return self._call(name, *node.expressions)
            return node

        return change

    def _call(self, name: str, *arguments: exp.Expr) -> exp.Expr:
        from sqlglot import exp

        path = identifier(self.attached, "main", name)
        return exp.Anonymous(this=path, expressions=list(arguments))

    @staticmethod
    def _operators(node: exp.Expr) -> exp.Expr:
        """Operators that are written with their schema, and orders of letters."""
        from sqlglot import exp

        if isinstance(node, exp.Collate):
            ordered: exp.Expr = node.this
            return ordered
        if isinstance(node, exp.Operator):
            operator = str(node.args.get("operator", "")).split(".")[-1].strip()
            if operator in REGULAR:
                flags = exp.Literal.string("i") if operator.endswith("*") else None
                found = exp.RegexpLike(this=node.this, expression=node.expression, flag=flags)
                return exp.Not(this=found) if REGULAR[operator] else found
            if operator == "=":
                return exp.EQ(this=node.this, expression=node.expression)
        return node

    def _casts(self, node: exp.Expr) -> exp.Expr:
        """Casts to types that DuckDB has not."""
        from sqlglot import exp

        if not isinstance(node, exp.Cast):
            return node
        wanted = node.to.sql("postgres").lower().replace('"', "").split(".")[-1]
        element = wanted.removesuffix("[]")
        if wanted in NAMES:
            inner: exp.Expr = node.this
            text = inner.is_string or isinstance(inner, exp.Parameter)
            text |= isinstance(inner, exp.Cast) and inner.is_type("text", "varchar")
            if wanted == "regproc" and not isinstance(node.parent, exp.Cast):
                # columns of functions, such as typinput, hold their names
                return inner
            if text:
                return self._call(f"to_{wanted}", exp.cast(inner, "text"))
            kept = isinstance(node.parent, exp.Cast | exp.Select)
            if wanted == "regclass" and kept:
                return self._call("regclass_name", inner)
            if wanted == "regtype":
                return self._call("format_type", inner, exp.Null())
            return inner if wanted == "regclass" else exp.cast(inner, PLAIN[wanted])
        if element in PLAIN:
            return exp.cast(node.this, PLAIN[element] + wanted[len(element) :], dialect=DIALECT)
        if node.to.this == exp.DataType.Type.USERDEFINED or "." in node.to.sql("postgres"):
            return exp.cast(node.this, wanted, dialect="postgres")
        return node


def _named(node: exp.Expr) -> str:
    """The name that PostgreSQL gives a column of a result, "" for that which it has anyway."""
    from sqlglot import exp

    if isinstance(node, exp.Column):
        return node.name
    if isinstance(node, exp.Cast | exp.Paren):
        return _named(node.this)
    if isinstance(node, exp.Dot):
        return _named(node.expression)
    if isinstance(node, exp.Case):
        return "case"
    if isinstance(node, exp.Anonymous):
        return node.name.lower()
    if isinstance(node, exp.Func):
        return "version" if isinstance(node, exp.CurrentVersion) else node.sql_name().lower()
    return ""
