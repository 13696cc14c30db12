"""Who may come in: a file of verifiers, and the exchange that checks a password against them.

The file is TOML, a line for each user, with what PostgreSQL keeps of a password, too (RFC 5802): it
says whether one is right, and neither gives it away nor can be used in its stead.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import re
import secrets
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import scramp

from ..errors import MorecError

MECHANISM = "SCRAM-SHA-256"
ITERATIONS = 4096
SHORTEST = 8  # characters of a password
SLOWEST = 10.0  # seconds that a login waits after many that failed
FORGET = 300.0  # seconds after which failed logins no longer count
# for users that there are not: the same answer each time, so that nobody sees which there are
_SECRET = secrets.token_bytes(32)


def users_file(warehouse: Path) -> Path:
    """The file of users of a warehouse, beside it."""
    return warehouse.with_name(f"{warehouse.name}.users.toml")


def read(path: Path) -> dict[str, str]:
    """The verifiers in a file, by user; none where there is no file.

    Raises:
        MorecError: it is not what `morec user add` writes.
    """
    if not path.exists():
        return {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("users", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MorecError(f"users: {path.name} is not TOML: {error}") from None
    for name, verifier in found.items():
        if not isinstance(verifier, str) or _parts(verifier) is None:
            raise MorecError(
                f"users: what {path.name} has of {name!r} is no verifier;"
                " `morec user add` makes one"
            )
    return dict(found)


def write(path: Path, users: dict[str, str]) -> None:
    """Write the file of users, readable for its owner only; at once or not at all."""
    lines = [f'"{_quoted(name)}" = "{verifier}"\n' for name, verifier in sorted(users.items())]
    text = "# Users of `morec serve`: verifiers of passwords, made by `morec user add`.\n[users]\n"
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "".join(lines))
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')


def check_name(name: str) -> None:
    """Raise a MorecError unless a user may have a name."""
    if not re.fullmatch(r"[^\x00-\x1f\x7f]{1,63}", name):
        raise MorecError(f"name: {name!r} is not 1 to 63 printable characters")


def verifier(password: str) -> str:
    """What is kept of a password.

    Raises:
        MorecError: it is too short.
    """
    if len(password) < SHORTEST:
        raise MorecError(
            f"password: it has {len(password)} characters, at least {SHORTEST} are needed"
        )
    salt, stored, server, count = scramp.ScramMechanism(MECHANISM).make_auth_info(
        password, iteration_count=ITERATIONS
    )
    keys = (base64.b64encode(one).decode() for one in (salt, stored, server))
    return "{}${}:{}${}:{}".format(MECHANISM, count, *keys)


def is_right(password: str, kept: str | None) -> bool:
    """Whether a password is that of a verifier; of None no password is."""
    parts = _parts(kept) if kept is not None else None
    salt, stored, _, count = parts or _of_nobody("")
    # of nobody it takes as long
    _, found, _, _ = scramp.ScramMechanism(MECHANISM).make_auth_info(
        password, iteration_count=count, salt=salt
    )
    return hmac.compare_digest(found, stored) and parts is not None


def _parts(text: str) -> tuple[bytes, bytes, bytes, int] | None:
    """Salt, stored key, server key and iterations of a verifier; None where it is none."""
    found = re.fullmatch(r"SCRAM-SHA-256\$(\d{4,7}):([^$:]+)\$([^$:]+):([^$:]+)", text)
    if found is None:
        return None
    try:
        salt, stored, server = (
            base64.b64decode(part, validate=True) for part in found.groups()[1:]
        )
    except ValueError:
        return None
    return (salt, stored, server, int(found[1])) if len(stored) == len(server) == 32 else None


def _of_nobody(name: str) -> tuple[bytes, bytes, bytes, int]:
    """A verifier that no password fits."""
    salt = hmac.digest(_SECRET, name.encode(), "sha256")[:16]
    return salt, hashlib.sha256(secrets.token_bytes(32)).digest(), bytes(32), ITERATIONS


def exchange(
    name: str, known: dict[str, str], first: bytes, ask: Callable[[bytes], bytes]
) -> bytes | None:
    """The exchange of SCRAM with a client.

    Args:
        name: the user.
        known: the verifiers, by user.
        first: the client's first message.
        ask: sends a message and gives the answer to it.

    Returns:
        The last message for the client, None where the password is wrong or there is no such user.
    """
    kept = _parts(known[name]) if name in known else None
    server = scramp.ScramMechanism(MECHANISM).make_server(lambda _: kept or _of_nobody(name))
    try:
        # PostgreSQL's clients leave the name out, which came before; what is signed has it left out
        begin = first.decode().split(",", 3)
        if len(begin) < 4:
            return None
        server.set_client_first(",".join([*begin[:2], "n=user", begin[3]]))
        server.client_first_bare = ",".join(begin[2:])
        final = ask(server.get_server_first().encode())
        server.set_client_final(final.decode())
        last: str = server.get_server_final()
    except (scramp.ScramException, UnicodeDecodeError, ValueError):
        return None
    return last.encode() if kept is not None else None


class Failures:
    """Failed logins, which make the next ones of the same user and place wait."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], tuple[int, float]] = {}
        self._lock = threading.Lock()

    def wait(self, name: str, place: str) -> float:
        """How many seconds a login has to wait."""
        with self._lock:
            count, last = self._of.get((name, place), (0, 0.0))
        if time.monotonic() - last > FORGET:
            return 0.0
        return min(0.1 * 2**count, SLOWEST) if count else 0.0

    def add(self, name: str, place: str) -> None:
        """Count one that failed."""
        now = time.monotonic()
        with self._lock:
            self._of = {key: (n, at) for key, (n, at) in self._of.items() if now - at <= FORGET}
            count, _ = self._of.get((name, place), (0, 0.0))
            self._of[name, place] = count + 1, now

    def forget(self, name: str, place: str) -> None:
        """Forget those before one that went well."""
        with self._lock:
            self._of.pop((name, place), None)
