"""A client's login: SCRAM over its messages, slower after passwords that were wrong."""

from __future__ import annotations

import time

from pg_mimic import messages

from . import users
from .refused import LOGIN, PROTOCOL, RefusedError, read_as
from .stream import Stream


def login(
    stream: Stream, user: str, place: str, known: dict[str, str], failures: users.Failures
) -> None:
    """Check a client's password.

    Args:
        stream: of its messages.
        user: who it says it is.
        place: from where it comes.
        known: the verifiers, by user.
        failures: those before.

    Raises:
        RefusedError: the password is wrong, or there is no such user.
    """

    def answer() -> bytes:
        stream.flush()
        kind, payload = stream.read(longest=4096)
        if kind != messages.PASSWORD:
            raise RefusedError(PROTOCOL, "an answer to the question for the password is needed")
        return payload

    def ask(message: bytes) -> bytes:
        stream.write(messages.make_authentication_sasl_continue(message))
        return answer()

    wait = failures.wait(user, place)
    if wait:
        time.sleep(wait)
    stream.write(messages.make_authentication_sasl([users.MECHANISM]))
    mechanism, first = read_as(messages.parse_sasl_initial_response, answer())
    last = users.exchange(user, known, first, ask) if mechanism == users.MECHANISM else None
    if last is None:
        failures.add(user, place)
        raise RefusedError(LOGIN, f'password authentication failed for user "{user}"')
    failures.forget(user, place)
    stream.write(messages.make_authentication_sasl_final(last))
