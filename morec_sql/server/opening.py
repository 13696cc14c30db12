"""How a warehouse is served, and the warehouse opened for it, behind DuckDB's wall."""

from __future__ import annotations

import dataclasses
import ssl
from pathlib import Path

import duckdb

from ..errors import MorecError
from ..extension import connect


@dataclasses.dataclass(frozen=True)
class Options:
    """How a warehouse is served.

    Args:
        host: the address that is listened on.
        port: its port; 0 for one that is free.
        allow_write: whether statements may write.
        users: the file of users.
        config: a file of roles, None for none.
        certificate: of TLS, None for none.
        key: of the certificate; None where it is in the same file.
        require_tls: whether clients have to use it.
        most: how many sessions there may be at once.
        timeout: seconds that a statement may take, 0 for no end.
        idle: seconds after which a session that says nothing ends, None for never.
        longest: characters of a statement.
        memory: of DuckDB, such as 4GB; None for its own default.
    """

    host: str = "127.0.0.1"
    port: int = 5433
    allow_write: bool = False
    users: Path | None = None
    config: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    require_tls: bool = False
    most: int = 100
    timeout: float = 300.0
    idle: float | None = 8 * 3600.0
    longest: int = 1_000_000
    memory: str | None = None


def walled(warehouse: Path, options: Options) -> duckdb.DuckDBPyConnection:
    """The warehouse, behind DuckDB's wall: no files, no network, no extensions."""
    if not warehouse.exists():
        raise MorecError(f"path: there is no file {str(warehouse)!r}")
    con = connect(warehouse, read_only=not options.allow_write)
    try:
        con.execute("SET enable_progress_bar = false")
        con.execute("SET TimeZone = 'UTC'")
        # for the cursors of all clients, which do not inherit what is set for a connection
        con.execute("SET GLOBAL python_enable_replacements = false")
        if options.memory is not None:
            con.execute("SET memory_limit = $1", [options.memory])
        con.execute("SET enable_external_access = false")
    except duckdb.Error as error:
        con.close()
        raise MorecError(f"path: {warehouse.name} cannot be served: {error}") from None
    return con


def tls(options: Options) -> ssl.SSLContext | None:
    """What TLS needs, None where it is not spoken."""
    if options.certificate is None:
        if options.require_tls:
            raise MorecError("require_tls: it needs --certificate and --key")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(options.certificate, options.key)
    except (OSError, ssl.SSLError) as error:
        raise MorecError(
            f"certificate: {options.certificate.name} cannot be used: {error}"
        ) from None
    return context


def is_loopback(host: str) -> bool:
    """Whether an address is of this machine alone."""
    return host in ("localhost", "::1") or host.startswith("127.")
