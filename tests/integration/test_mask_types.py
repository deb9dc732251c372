"""Masks against a real PostgreSQL: what they make is a value of its type, and COPY says what the server meant."""

import decimal

import psycopg
import pytest
from psycopg.pq import ExecStatus, Format

from doorward_core.mask.detect import Detectors
from doorward_core.model import Transform
from doorward_postgres import arrays, types
from doorward_postgres.cells import Column, cell, read_bytea, read_numeric
from doorward_postgres.copy_formats import copy_format, cutter, decode, split
from doorward_postgres.copy_rows import CopyMasker
from doorward_postgres.rows import ColumnPlan, RowPlan, Verdict
from doorward_postgres.sqlstates import WORDING
from doorward_postgres.types import element, family
from doorward_postgres.wire_encode import encode_copy_data

pytestmark = pytest.mark.need_postgres

KEY = b"k" * 32
MASKED = sorted({*types._FAMILIES, *types._ARRAYS} - {705, 2275, 1263})  # pseudo-types have no values of their own
NASTY = [
    "plain", "", None, "\\N", "NULL", 'q"uote', "tab\ttab", "line\nline\r\n", "back\\slash\\", "comma,semi;bar|",
    "é ✓ 😀", "\\.", "'", "\x01\x1f\x7f", " lead and trail ", "{a,b}", "jane@example.com",
]  # fmt: skip


@pytest.fixture(scope="module")
def database(tls_server):
    with psycopg.connect(host=tls_server.sockets, port=tls_server.port, user="trust", dbname="postgres") as connection:
        connection.execute("set bytea_output = 'hex'")
        yield connection


def sent(database, type_oid: int, value: bytes, fmt: Format) -> bytes:
    """What the server says a value of a type is, as text."""
    result = database.pgconn.exec_params(b"select $1", [value], [type_oid], [fmt], Format.TEXT)
    assert result.status == ExecStatus.TUPLES_OK, result.error_message.decode()
    return result.get_value(0, 0)


@pytest.mark.parametrize("type_oid", MASKED)
def test_the_tables_know_types_by_the_servers_own_numbers(database, type_oid: int) -> None:
    inner = database.execute(
        "select e.oid::int from pg_type a left join pg_type e on e.typarray = a.oid where a.oid = %s", [type_oid]
    ).fetchone()
    assert inner == (element(type_oid),)
    if element(type_oid) is None:
        assert family(type_oid) is not None


@pytest.mark.parametrize("transform", [Transform.REDACT, Transform.PARTIAL, Transform.HASH])
@pytest.mark.parametrize("type_oid", MASKED)
def test_the_server_takes_every_replacement_for_a_value_of_its_type(
    database, type_oid: int, transform: Transform
) -> None:
    for fmt in Format:
        given = value_of(database, type_oid, fmt)
        made = cell(Column(type_oid, int(fmt)), transform, "pii", KEY)
        shown = made.constant if made.replace is None else made.replace(given)
        assert shown is not None
        sent(database, type_oid, shown, fmt)


def value_of(database, type_oid: int, fmt: Format) -> bytes:
    """A value of a type as the server writes it."""
    texts = {16: "t", 17: "\\x6a616e65", 114: '{"a": 1}', 3802: '{"a": 1}', 142: "<a/>", 869: "10.1.2.3", 650: "10.0.0.0/8",
             829: "08:00:2b:01:02:03", 774: "08:00:2b:01:02:03:04:05", 2950: "12345678-1234-5678-1234-567812345678",
             1082: "1999-12-31", 1114: "1999-12-31 01:02:03", 1184: "1999-12-31 01:02:03+02", 1083: "01:02:03",
             1266: "01:02:03+02", 1186: "1 day"}  # fmt: skip
    inner = element(type_oid) or type_oid
    text = texts.get(inner, "jane doe" if family(inner) is types.Family.TEXT and inner != 18 else "7")
    literal = (
        "{" + f'"{text}"'.replace('"{"', '"{\\"').replace("\\x", "\\\\x") + ",NULL}" if inner != type_oid else text
    )
    if inner != type_oid and inner in (114, 3802):
        literal = '{"7",NULL}'
    result = database.pgconn.exec_params(b"select $1", [literal.encode()], [type_oid], [Format.TEXT], fmt)
    assert result.status == ExecStatus.TUPLES_OK, result.error_message.decode()
    value = result.get_value(0, 0)
    assert value is not None
    return value


@pytest.mark.parametrize("type_oid", sorted(types.CONSTANTS))
def test_a_constant_says_the_same_in_both_formats(database, type_oid: int) -> None:
    constant = types.CONSTANTS[type_oid]
    if type_oid == 142:
        return  # XML is text in both
    assert sent(database, type_oid, constant.binary, Format.BINARY) == sent(
        database, type_oid, constant.text, Format.TEXT
    )


@pytest.mark.parametrize(
    "number", ["0", "1", "-1.50", "0.00012", "12345678901234567890.123456789", "1e30", "-9999", "10000", "NaN"]
)
def test_a_binary_numeric_of_the_server_is_read(database, number: str) -> None:
    result = database.pgconn.exec_params(b"select $1", [number.encode()], [1700], [Format.TEXT], Format.BINARY)
    read = read_numeric(result.get_value(0, 0))
    assert read == number if number == "NaN" else decimal.Decimal(read) == decimal.Decimal(number)


@pytest.mark.parametrize("output", ["hex", "escape"])
def test_a_bytea_of_the_server_is_read(database, output: str) -> None:
    database.execute(f"set bytea_output = '{output}'")
    raw = bytes(range(256))
    result = database.pgconn.exec_params(b"select $1", [raw], [17], [Format.BINARY], Format.TEXT)
    assert read_bytea(result.get_value(0, 0), 0) == raw
    database.execute("set bytea_output = 'hex'")


@pytest.mark.parametrize(
    "literal",
    ["{}", '{a,"b c",NULL,"null","c\\"d","e\\\\f",""}', "{{a,b},{c,d}}", "[0:1]={a,b}", "[2:3][-1:0]={{a,b},{c,d}}"],
)
def test_arrays_of_the_server_keep_their_shape_in_both_formats(database, literal: str) -> None:
    made = {}
    for fmt in Format:
        result = database.pgconn.exec_params(b"select $1", [literal.encode()], [1009], [Format.TEXT], fmt)
        walk = arrays.replace_binary if fmt else arrays.replace_text
        new = walk(result.get_value(0, 0), lambda value: value.upper())
        made[fmt] = sent(database, 1009, new, fmt)
    assert made[Format.TEXT] == made[Format.BINARY]
    upper = database.execute("select array_agg(upper(x)) from unnest(%s::text[]) x", [literal]).fetchone()[0]
    flat = database.execute("select array_agg(x) from unnest(%s::text[]) x", [made[Format.TEXT].decode()]).fetchone()[0]
    assert flat == upper


COPIES = [
    ("format text", {"kind": "text"}),
    ("format text, delimiter '|', null 'none'", {"kind": "text", "delimiter": "|", "null": "none"}),
    ("format text, delimiter ' '", {"kind": "text", "delimiter": " "}),
    ("format csv", {"kind": "csv"}),
    ("format csv, header", {"kind": "csv", "header": True}),
    ("format csv, delimiter ';', quote '''', null '\\N'", {"kind": "csv", "delimiter": ";", "quote": "'", "null": "\\N"}),
    ("format csv, escape '\\', force_quote *", {"kind": "csv", "escape": "\\"}),
    ("format csv, delimiter 'a', quote 'l'", {"kind": "csv", "delimiter": "a", "quote": "l"}),
    ("format binary", {"kind": "binary"}),
]  # fmt: skip


def copied(database, options: str) -> list[bytes]:
    with database.cursor() as cursor, cursor.copy(f"copy nasty to stdout with ({options})") as copy:
        return [bytes(piece) for piece in copy]


@pytest.fixture
def nasty(database):
    with database.transaction(force_rollback=True):
        database.execute("create temp table nasty (id int, value text, amount numeric(10, 2))")
        database.cursor().executemany(
            "insert into nasty values (%s, %s, %s)", [(place, value, place) for place, value in enumerate(NASTY)]
        )
        yield


@pytest.mark.usefixtures("nasty")
@pytest.mark.parametrize(("options", "settings"), [one for one in COPIES if one[1]["kind"] != "binary"])
def test_copy_is_read_as_the_server_meant_it(database, options: str, settings) -> None:
    copy = copy_format(**settings)
    pieces = cutter(copy)
    rows = [row for piece in copied(database, options) for row in pieces.cut(piece)]
    found = [decode(copy, split(copy, row)[1]) for row in rows[1 if copy.header else 0 :]]
    expected = [None if value is None else value.encode() for value in NASTY]
    if copy.kind == "text" and copy.null != b"\\N":
        expected = [copy.null if value is None else value for value in expected]
    assert found == expected


@pytest.mark.usefixtures("nasty")
@pytest.mark.parametrize("transform", list(Transform))
@pytest.mark.parametrize(("options", "settings"), COPIES)
def test_a_masked_copy_can_be_read_by_the_server_again(database, options: str, settings, transform: Transform) -> None:
    columns = (
        ColumnPlan("id", Verdict.CLEAR, 23, -1, 0),
        ColumnPlan("value", Verdict.MASK, 25, -1, 0, transform, "pii"),
        ColumnPlan("amount", Verdict.MASK, 1700, ((10 << 16) | 2) + 4, 0, transform, "pii"),
    )
    masker = CopyMasker(RowPlan(columns, Detectors(["email"])), KEY, copy_format(**settings))
    messages = b"".join(encode_copy_data(piece) for piece in copied(database, options))
    out = bytes(masker.messages(messages, 0, len(messages)))
    masker.finish()
    database.execute("create temp table back (id int, value text, amount numeric(10, 2))")
    with (
        database.cursor() as cursor,
        cursor.copy(f"copy back from stdin with ({options.replace(', force_quote *', '')})") as copy,
    ):
        position = 0
        while position < len(out):
            length = int.from_bytes(out[position + 1 : position + 5], "big")
            copy.write(out[position + 5 : position + 1 + length])
            position += 1 + length
    rows = database.execute("select id, value, amount from back order by id").fetchall()
    assert [row[0] for row in rows] == list(range(len(NASTY)))
    told = [value for value in NASTY if value and len(value) > 3]
    assert not any(row[1] == value for row in rows for value in told)


@pytest.mark.parametrize(
    ("statement", "code"), [("select 1/0", "22012"), ("select 'x'::int", "22P02"), ("selec", "42601")]
)
def test_the_servers_codes_are_in_the_table(database, statement: str, code: str) -> None:
    with pytest.raises(psycopg.Error) as caught, database.transaction():
        database.execute(statement)
    assert caught.value.sqlstate == code
    assert code in WORDING


def test_every_code_that_a_driver_knows_of_the_servers_is_in_the_table() -> None:
    known = {code for code in psycopg.errors._sqlcodes if len(code) == 5 and not code.startswith("HV")}
    assert known - set(WORDING) == set()
