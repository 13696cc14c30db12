"""Values come over the wire as they are in DuckDB, in text and in the binary format."""

from __future__ import annotations

import csv
import datetime
import io
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.server.conftest import Served

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
pytestmark = pytest.mark.server
UTC = datetime.UTC

VALUES: list[tuple[str, Any]] = [
    ("true", True),
    ("CAST(-5 AS TINYINT)", -5),
    ("CAST(200 AS UTINYINT)", 200),
    ("CAST(-300 AS SMALLINT)", -300),
    ("CAST(70000 AS INTEGER)", 70000),
    ("CAST(4294967295 AS UINTEGER)", 4294967295),
    ("-9223372036854775807", -9223372036854775807),
    ("18446744073709551615::UBIGINT", Decimal("18446744073709551615")),
    ("170141183460469231731687303715884105727::HUGEINT", Decimal(2**127 - 1)),
    ("1.25::FLOAT", 1.25),
    ("0.1::DOUBLE", 0.1),
    ("1e300::DOUBLE", 1e300),
    ("'-inf'::DOUBLE", float("-inf")),
    ("1.50::DECIMAL(10, 2)", Decimal("1.50")),
    ("0.0000001::DECIMAL(18, 10)", Decimal("0.0000001000")),
    ("-12345678901234567890.123456789::DECIMAL(38, 9)", Decimal("-12345678901234567890.123456789")),
    ("'Ünïcode \t\n\"quoted\"'", 'Ünïcode \t\n"quoted"'),
    ("''", ""),
    ("'a'::ENUM('a', 'b')", "a"),
    ("'\\x00\\xFF'::BLOB", b"\x00\xff"),
    ("DATE '2024-02-29'", datetime.date(2024, 2, 29)),
    ("DATE '0001-01-01'", datetime.date(1, 1, 1)),
    ("TIME '23:59:59.000001'", datetime.time(23, 59, 59, 1)),
    ("TIMESTAMP '1969-12-31 23:59:59.5'", datetime.datetime(1969, 12, 31, 23, 59, 59, 500000)),
    ("TIMESTAMP_S '2024-01-01 00:00:01'", datetime.datetime(2024, 1, 1, 0, 0, 1)),
    ("TIMESTAMP_MS '2024-01-01 00:00:00.001'", datetime.datetime(2024, 1, 1, 0, 0, 0, 1000)),
    ("TIMESTAMP_NS '2024-01-01 00:00:00.000001999'", datetime.datetime(2024, 1, 1, 0, 0, 0, 1)),
    ("TIMESTAMPTZ '2024-06-01 12:00:00+02'", datetime.datetime(2024, 6, 1, 10, tzinfo=UTC)),
    ("INTERVAL '3 days 04:05:06.5'", datetime.timedelta(3, 14706, 500000)),
    ("INTERVAL '-90 minutes'", datetime.timedelta(minutes=-90)),
    ("'6ccd780c-baba-1026-9564-5b8c656024db'::UUID", uuid.UUID("6ccd780cbaba102695645b8c656024db")),
    ("[1, NULL, 3]", [1, None, 3]),
    ("['a', 'b,\"c', NULL, '']", ["a", 'b,"c', None, ""]),
    ("[0.5, 1.5]::DOUBLE[]", [0.5, 1.5]),
    ("[DATE '2024-01-01']", [datetime.date(2024, 1, 1)]),
    ("[1, 2]::INTEGER[2]", [1, 2]),
    ("[]::INTEGER[]", []),
    ("{'a': 1, 'b': [1.5, NULL]}", {"a": 1, "b": [1.5, None]}),
    ("MAP {'x': {'y': 1}}", {"x": {"y": 1}}),
    ("[[1], [2, 3]]", [[1], [2, 3]]),
    ("[{'a': 1}]", [{"a": 1}]),
    ("'{\"k\": [1, \"ü\"]}'::JSON", {"k": [1, "ü"]}),
    ("NULL", None),
    ("NULL::INTEGER[]", None),
    ("CAST(NULL AS TIMESTAMP)", None),
]  # fmt: skip


@pytest.fixture(scope="module")
def con(shop: Served) -> Iterator[Any]:
    with psycopg.connect(shop.dsn, autocommit=True) as connected:
        yield connected


@pytest.mark.parametrize("binary", [False, True])
def test_every_type_is_what_it_is(con: Any, binary: bool) -> None:
    for written, value in VALUES:
        with con.cursor(binary=binary) as cursor:
            # three rows of it, with one before that is NULL
            rows = cursor.execute(
                f"SELECT CASE WHEN i = 0 THEN NULL ELSE {written} END FROM range(4) AS t(i)"
            ).fetchall()
        assert rows == [(None,), (value,), (value,), (value,)], written


def text_of(con: Any, written: str) -> str | None:
    result = con.pgconn.exec_(f"SELECT {written}".encode())
    value = result.get_value(0, 0)
    return None if value is None else value.decode()


def test_text_is_as_postgresql_writes_it(con: Any) -> None:
    for written, text in [
        ("true", "t"),
        ("1.0::DOUBLE", "1"),
        ("'nan'::DOUBLE", "NaN"),
        ("DATE 'infinity'", "infinity"),
        ("DATE '-infinity'", "-infinity"),
        ("DATE '0044-03-15 (BC)'", "0044-03-15 BC"),
        ("DATE '12024-01-01'", "12024-01-01"),
        ("TIMESTAMP 'infinity'", "infinity"),
        ("TIMESTAMP '0044-03-15 (BC) 12:00:00.25'", "0044-03-15 12:00:00.25 BC"),
        ("TIMESTAMP '2024-01-01 10:00:00.120'", "2024-01-01 10:00:00.12"),
        ("TIMESTAMPTZ '2024-01-01 10:00:00+00'", "2024-01-01 10:00:00+00"),
        ("TIME '10:00:00'", "10:00:00"),
        ("INTERVAL '14 months'", "1 year 2 mons"),
        ("INTERVAL '0 days'", "00:00:00"),
        ("'ab'::BLOB", "\\x6162"),
        ("'101'::BIT", "101"),
        ("TIMETZ '10:00:00+02'", "10:00:00+02"),
        ("['a b', NULL, '{}']", '{"a b",NULL,"{}"}'),
        ("{'a': DATE '2024-01-01'}", '{"a": "2024-01-01"}'),
    ]:
        assert text_of(con, written) == text, written


def test_infinity_is_infinity_in_the_binary_format(con: Any) -> None:
    written = "DATE 'infinity', DATE '-infinity', TIMESTAMP 'infinity', TIMESTAMP '-infinity'"
    result = con.pgconn.exec_params(f"SELECT {written}".encode(), [], result_format=1)
    values = [int.from_bytes(result.get_value(0, place), signed=True) for place in range(4)]
    assert values == [2**31 - 1, -(2**31), 2**63 - 1, -(2**63)]


def test_parameters_of_every_type(con: Any) -> None:
    for written, value in [
        ("int", 5), ("bigint", 2**40), ("double", 0.1), ("boolean", True), ("text", "ü'x"),
        ("date", datetime.date(2024, 1, 1)), ("timestamp", datetime.datetime(2024, 1, 1, 3, 4, 5)),
        ("timestamptz", datetime.datetime(2024, 1, 1, 3, tzinfo=UTC)), ("blob", b"\x00a"),
        ("time", datetime.time(1, 2, 3)), ("uuid", uuid.UUID(int=7)), ("int[]", [1, None, 2]),
        ("text[]", ["a", None]), ("decimal(10,2)", Decimal("1.25")),
        ("interval", datetime.timedelta(days=2, hours=3)),
    ]:  # fmt: skip
        for placeholder in ("%s", "%b", "%t"):
            with con.cursor() as cursor:
                query = f"SELECT CAST({placeholder} AS {written})"
                assert cursor.execute(query, [value]).fetchone() == (value,), (written, placeholder)
    assert con.execute("SELECT %s IS NULL", [None]).fetchone() == (True,)


def test_a_large_result_is_whole(con: Any) -> None:
    with con.cursor() as cursor:
        cursor.execute("SELECT i, 'name ' || i, i / 4, CASE WHEN i % 3 = 0 THEN i END"
                       " FROM range(100000) AS t(i)")  # fmt: skip
        rows = cursor.fetchall()
    assert rows == [(i, f"name {i}", i / 4, i if i % 3 == 0 else None) for i in range(100_000)]


def test_copy_writes_text_csv_and_binary(con: Any) -> None:
    query = (
        "(SELECT i::INTEGER AS a, E'a\\t\\\\\\n\"x\", ' || i AS b, CASE WHEN i = 1 THEN '' END AS c"
        " FROM range(2) AS t(i))"
    )
    expected = [(0, 'a\t\\\n"x", 0', None), (1, 'a\t\\\n"x", 1', "")]

    def copied(options: str, types: list[str]) -> list[tuple[Any, ...]]:
        with con.cursor().copy(f"COPY {query} TO STDOUT {options}") as copy:
            copy.set_types(types)
            return list(copy.rows())

    types = ["int4", "text", "text"]
    assert copied("", types) == expected
    assert copied("(FORMAT binary)", types) == expected
    with con.cursor().copy(f"COPY {query} TO STDOUT WITH (FORMAT csv, HEADER)") as copy:
        text = b"".join(map(bytes, copy)).decode()
    read = list(csv.reader(io.StringIO(text)))
    assert read == [["a", "b", "c"], ["0", 'a\t\\\n"x", 0', ""], ["1", 'a\t\\\n"x", 1', ""]]
    # no value and an empty one are not the same
    assert text.endswith(',""\n')
    with con.cursor().copy("COPY (SELECT 1 WHERE false) TO STDOUT (FORMAT binary)") as copy:
        assert list(copy.rows()) == []
    with con.cursor().copy("COPY products (title, product_id) TO STDOUT") as copy:
        assert ("tea 0", "0") in list(copy.rows())
