"""Settings of a session, as clients set and read them; none of them reaches DuckDB."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..catalog.installed import VERSION as OURS
from .answers import Answer, bare, text_column, told
from .refused import PARAMETER, PRIVILEGE, SYNTAX, RefusedError

# functions of their arguments, as far as these are constants; None is NULL
OfSession = dict[str, Callable[[list[str]], str | None]]
# of PostgreSQL: tools tell by it what they may ask
VERSION = "15.0"
# those that clients are told of when they change
REPORTED = {
    "application_name": "application_name",
    "client_encoding": "client_encoding",
    "datestyle": "DateStyle",
    "default_transaction_read_only": "default_transaction_read_only",
    "integer_datetimes": "integer_datetimes",
    "intervalstyle": "IntervalStyle",
    "is_superuser": "is_superuser",
    "server_encoding": "server_encoding",
    "server_version": "server_version",
    "session_authorization": "session_authorization",
    "standard_conforming_strings": "standard_conforming_strings",
    "timezone": "TimeZone",
}
# those that stay as they are, whatever a client wants
FIXED = {
    "client_encoding": "UTF8",
    "datestyle": "ISO, MDY",
    "in_hot_standby": "off",
    "integer_datetimes": "on",
    "intervalstyle": "postgres",
    "is_superuser": "off",
    "lc_collate": "C",
    "lc_ctype": "C",
    "max_identifier_length": "63",
    "max_index_keys": "32",
    "server_encoding": "UTF8",
    "server_version": VERSION,
    "server_version_num": "150000",
    "standard_conforming_strings": "on",
    # values with a zone are sent with that of UTC, which clients turn into their own
    "timezone": "UTC",
    "transaction_isolation": "repeatable read",
    "default_transaction_isolation": "repeatable read",
}
DEFAULTS = {
    "application_name": "",
    "backslash_quote": "safe_encoding",
    "bytea_output": "hex",
    "check_function_bodies": "on",
    "client_min_messages": "notice",
    "default_transaction_deferrable": "off",
    "default_transaction_read_only": "off",
    "enable_seqscan": "on",
    "escape_string_warning": "on",
    "extra_float_digits": "1",
    "geqo": "on",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "jit": "off",
    "lc_messages": "C",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    "lock_timeout": "0",
    "log_min_messages": "warning",
    "quote_all_identifiers": "off",
    "row_security": "on",
    "search_path": "main",
    "ssl": "off",
    "statement_timeout": "0",
    "synchronize_seqscans": "on",
    "synchronous_commit": "on",
    "tcp_keepalives_idle": "0",
    "transaction_deferrable": "off",
    "work_mem": "4MB",
    "xmloption": "content",
}
ENCODINGS = {"utf8", "utf-8", "unicode"}
SET = re.compile(
    r"set\s+(?:session\s+|local\s+)?(?:(time\s+zone)\s+|(names)\s+|(schema)\s+"
    r"|([\w.\"]+)\s*(?:=|\bto\b)\s*)(.*)$",
    re.IGNORECASE | re.DOTALL,
)
# accepted, and of no effect: every transaction is a snapshot
OF_TRANSACTIONS = re.compile(
    r"set\s+(?:session\s+characteristics|transaction|constraints)\b", re.IGNORECASE
)
OF_USERS = re.compile(
    r"set\s+(?:local\s+|session\s+)?(?:role|session\s+authorization)\b", re.IGNORECASE
)
SPOKEN = {
    "time zone": "timezone",
    "transaction isolation level": "transaction_isolation",
    "session authorization": "session_authorization",
}
UNITS = {"": 1, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


class Settings:
    """The settings of one session.

    Args:
        user: who it is of.
        read_only: whether nothing can be written.
    """

    def __init__(self, user: str, read_only: bool) -> None:
        self._user = user
        self._fixed = {**FIXED, "session_authorization": user}
        self._defaults = dict(DEFAULTS)
        if read_only:
            self._fixed |= {"transaction_read_only": "on", "default_transaction_read_only": "on"}
        else:
            self._defaults["transaction_read_only"] = "off"
        self._values: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        """The value of a setting, None where there is none of that name."""
        name = name.lower()
        for known in (self._fixed, self._values, self._defaults):
            if name in known:
                return known[name]
        return None

    def set(self, name: str, value: str) -> str:
        """Set one, and return the value that it has then.

        Raises:
            RefusedError: there is none of that name, or it cannot be of that value.
        """
        name = name.lower()
        if name in self._fixed:
            if name == "client_encoding" and value.strip("'\"").lower() not in ENCODINGS:
                raise RefusedError(PARAMETER, f"client_encoding: {value!r} is not UTF8")
            return self._fixed[name]
        if name not in self._defaults and "." not in name:
            raise RefusedError(
                "42704",
                f"there is no setting {name!r}; those of DuckDB are not to be changed in a session",
            )
        if name == "statement_timeout":
            milliseconds(value)
        self._values[name] = value
        return value

    def reset(self, name: str) -> None:
        """Give one back its default; all with the name "all"."""
        if name.lower() == "all":
            self._values.clear()
        else:
            self._values.pop(name.lower(), None)

    def current(self, given: list[str]) -> str | None:
        """What current_setting(name, missing_ok) gives."""
        if not given:
            return None
        found = self.get(given[0])
        if found is None and given[1:] != ["true"] and "." not in given[0]:
            raise RefusedError("42704", f"there is no setting {given[0]!r}")
        return found

    def functions(self, database: str, number: int) -> OfSession:
        """The functions of SQL whose value only the session knows, by their names.

        Args:
            database: the warehouse's name.
            number: of the session.
        """
        nothing = ("inet_server_addr", "inet_client_addr", "inet_server_port", "inet_client_port")
        return {
            "current_user": lambda _: self._user,
            "session_user": lambda _: self._user,
            "current_database": lambda _: database,
            "current_catalog": lambda _: database,
            "current_schema": lambda _: (self.get("search_path") or "main").split(",")[0],
            "version": lambda _: f"PostgreSQL {VERSION}, spoken by morec_sql {OURS}",
            "pg_backend_pid": lambda _: str(number),
            "current_setting": self.current,
            "set_config": lambda given: self.set(given[0], given[1]) if given[1:] else None,
            **dict.fromkeys(nothing, lambda _: None),
        }

    def knows(self, text: str) -> bool:
        """Whether a SHOW is of a setting, and not DuckDB's of a table or of all tables."""
        name = _named(text)
        return name == "all" or self.get(name) is not None

    def show(self, text: str) -> Answer:
        """Answer a SHOW."""
        name = _named(text)
        if name == "all":
            columns = [text_column(one) for one in ("name", "setting", "description")]
            return told("SHOW", columns, [(*one, "") for one in self.all()])
        return told("SHOW", [text_column(name)], [(self.get(name),)])

    def carry_out(self, text: str) -> str | None:
        """Carry out a SET or RESET.

        Returns:
            The path in which tables are to be looked for, where that is what it sets.

        Raises:
            RefusedError: it cannot be set so.
        """
        plain = bare(text)
        if plain[:5].lower() == "reset":
            self.reset(_named(text).replace(" ", ""))
            return None
        if OF_TRANSACTIONS.match(plain):
            return None
        if OF_USERS.match(plain):
            raise RefusedError(PRIVILEGE, "who a session is of does not change")
        found = SET.match(plain)
        if found is None:
            raise RefusedError(SYNTAX, "SET is written SET name = value")
        names = {1: "timezone", 2: "client_encoding", 3: "search_path"}
        name = next((names[one] for one in names if found[one]), (found[4] or "").strip('"'))
        given = found[5].strip().strip("'").replace("''", "'")
        if given.lower() == "default":
            self.reset(name)
            return None
        self.set(name, given)
        return given if name.lower() == "search_path" else None

    def all(self) -> list[tuple[str, str]]:
        """All with their values, by name."""
        return sorted((self._defaults | self._values | self._fixed).items())

    def reported(self) -> list[tuple[str, str]]:
        """Those that clients are told of, by the names that they know."""
        return [(shown, self.get(name) or "") for name, shown in REPORTED.items()]

    @property
    def timeout(self) -> float:
        """Seconds that a statement may take, 0 for no end."""
        return milliseconds(self.get("statement_timeout") or "0") / 1000


def _named(text: str) -> str:
    """The setting that a SHOW or RESET names, in lower case."""
    plain = re.sub(r"^(?:show|reset)\s+", "", bare(text), flags=re.IGNORECASE)
    spoken = re.sub(r"\s+", " ", plain.strip().strip('"').lower())
    return SPOKEN.get(spoken, spoken)


def milliseconds(text: str) -> int:
    """A time as PostgreSQL's settings have it, such as 500, 30s or 5min."""
    found = re.fullmatch(r"\s*(\d{1,9})\s*(ms|s|min|h|d|)\s*", text)
    if found is None:
        raise RefusedError(
            PARAMETER, f"statement_timeout: {text!r} is no time such as 500ms, 30s or 5min"
        )
    return int(found[1]) * UNITS[found[2]]
