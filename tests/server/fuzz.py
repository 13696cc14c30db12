"""Sessions as clients have them, with something changed in each: bytes, lengths, order, or an end."""

from __future__ import annotations

import hashlib
import hmac
import os
import random
import socket
import struct
from base64 import b64decode, b64encode

USER, DATABASE = b"ana", b"small"


def message(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("!i", len(payload) + 4) + payload


def startup() -> bytes:
    payload = struct.pack("!i", 196608) + b"user\0" + USER + b"\0database\0" + DATABASE + b"\0\0"
    return struct.pack("!i", len(payload) + 4) + payload


def recorded() -> list[list[bytes]]:
    """The messages of sessions after their login."""
    text = b"SELECT item_id, 1.5, 'x', [1, 2], DATE '2024-01-01' FROM recommend(3, k => 2)"

    def parse(name: bytes, query: bytes, oids: tuple[int, ...] = ()) -> bytes:
        types = struct.pack(f"!h{len(oids)}i", len(oids), *oids)
        return message(b"P", name + b"\0" + query + b"\0" + types)

    def bind(values: tuple[bytes, ...] = (), formats: tuple[int, ...] = (), out: int = 0) -> bytes:
        given = b"".join(struct.pack("!i", len(value)) + value for value in values)
        codes = struct.pack(f"!h{len(formats)}h", len(formats), *formats)
        return message(b"B", b"\0\0" + codes + struct.pack("!h", len(values)) + given
                       + struct.pack("!hh", 1, out))  # fmt: skip

    execute, sync = message(b"E", b"\0" + struct.pack("!i", 0)), message(b"S", b"")
    describe, end = message(b"D", b"P\0"), message(b"X", b"")
    number = struct.pack("!i", 3)
    return [
        [message(b"Q", text + b"\0"), end],
        [message(b"Q", b"BEGIN; SELECT 1; SELECT nope; COMMIT\0"), message(b"Q", b"ROLLBACK\0"), end],
        [parse(b"", text), bind(), describe, execute, sync, end],
        [parse(b"", b"SELECT $1::INT + 1", (23,)), bind((number,), (1,), 1), describe, execute, sync],
        [parse(b"s", b"SELECT * FROM range(100)"), message(b"D", b"Ss\0"),
         message(b"B", b"p\0s\0" + struct.pack("!hhh", 0, 0, 0)),
         message(b"E", b"p\0" + struct.pack("!i", 10)), message(b"H", b""),
         message(b"E", b"p\0" + struct.pack("!i", 10)), message(b"C", b"Pp\0"), sync],
        [message(b"Q", b"COPY (SELECT * FROM range(50)) TO STDOUT (FORMAT binary)\0"), end],
        [message(b"Q", b"SET application_name = 'x'; SHOW ALL\0"), message(b"f", b"no\0"), end],
        [message(b"Q", b"DECLARE c CURSOR FOR SELECT 1\0"), message(b"Q", b"FETCH ALL FROM c\0"), end],
    ]  # fmt: skip


def changed(messages: list[bytes], chance: random.Random) -> bytes:
    """The bytes of a session with something changed."""
    messages = list(messages)
    way = chance.randrange(8)
    place = chance.randrange(len(messages))
    if way == 0:  # some bytes are others
        data = bytearray(messages[place])
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        messages[place] = bytes(data)
    elif way == 1:  # a length that is not so
        length = chance.choice([0, 1, 3, 5, -1, 2**31 - 1, 70_000, len(messages[place]) + 20])
        messages[place] = messages[place][:1] + struct.pack("!i", length) + messages[place][5:]
    elif way == 2:  # an end in the middle
        whole = b"".join(messages)
        return whole[: chance.randrange(len(whole))]
    elif way == 3:
        chance.shuffle(messages)
    elif way == 4:
        messages.insert(place, os.urandom(chance.randint(1, 300)))
    elif way == 5:
        messages[place] = messages[place] * chance.randint(2, 40)
    elif way == 6:  # of a kind that is not so
        messages[place] = bytes([chance.randrange(256)]) + messages[place][1:]
    else:
        payload = bytearray(messages[place][5:])
        del payload[chance.randrange(len(payload) + 1) :]
        messages[place] = message(messages[place][:1], bytes(payload))
    return b"".join(messages)


class Client:
    """A client that says what it is told to.

    Args:
        port: of the server.
    """

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)

    def read(self) -> tuple[bytes, bytes]:
        head = self._exactly(5)
        return head[:1], self._exactly(struct.unpack("!i", head[1:])[0] - 4)

    def _exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            part = self.socket.recv(count - len(found))
            if not part:
                raise EOFError
            found += part
        return found

    def login(self, password: bytes) -> None:
        """The client's side of SCRAM-SHA-256 (RFC 5802)."""
        self.socket.sendall(startup())
        self.read()
        nonce = b64encode(os.urandom(12))
        bare = b"n=,r=" + nonce
        first = b"n,," + bare
        self.socket.sendall(
            message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first)
        )
        given = self.read()[1][4:]
        facts = dict(part.split(b"=", 1) for part in given.split(b","))
        salted = hashlib.pbkdf2_hmac("sha256", password, b64decode(facts[b"s"]), int(facts[b"i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        final = b"c=biws,r=" + facts[b"r"]
        signed = hmac.digest(
            hashlib.sha256(key).digest(), b",".join([bare, given, final]), "sha256"
        )
        proof = b64encode(bytes(a ^ b for a, b in zip(key, signed, strict=True)))
        self.socket.sendall(message(b"p", final + b",p=" + proof))
        while self.read()[0] != b"Z":
            pass

    def drain(self) -> None:
        """Read until the server has nothing more to say, or closes."""
        self.socket.shutdown(socket.SHUT_WR)
        try:
            while self.socket.recv(65536):
                pass
        except OSError:
            pass

    def close(self) -> None:
        self.socket.close()


def fuzz(port: int, password: str, sessions: int, seed: int) -> None:
    """Have so many sessions with something changed in each."""
    chance = random.Random(seed)
    whole = recorded()
    for _ in range(sessions):
        client = Client(port)
        try:
            if chance.random() < 0.2:
                # before the login
                begun = bytearray(startup())
                for _ in range(chance.randint(1, 6)):
                    begun[chance.randrange(len(begun))] = chance.randrange(256)
                client.socket.sendall(bytes(begun[: chance.randint(0, len(begun))]))
            else:
                client.login(password.encode())
                client.socket.sendall(changed(chance.choice(whole), chance))
            if chance.random() < 0.9:
                client.drain()
        except (OSError, EOFError):
            pass
        finally:
            client.close()
