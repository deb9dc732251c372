"""Threat model PG-45, PG-47, PG-80, PG-82, PG-84, PG-85 on the payload's way: what the target sends, and what leaves.

A target's bytes go in, the client's bytes come out; the secret must not be in them, in any spelling that the
format has for it, and a real driver must still read them.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import psycopg
import pytest
from psycopg.adapt import Transformer
from psycopg.pq import Format

from doorward_core.mask.detect import Detectors
from doorward_core.model import Mask, Transform
from doorward_postgres import types
from doorward_postgres.copy_formats import copy_format
from doorward_postgres.copy_rows import CopyMasker
from doorward_postgres.diagnostics import hide_diagnostic
from doorward_postgres.rows import ColumnPlan, RowMasker, RowPlan, Verdict, plan
from doorward_postgres.wire import Backend, FrameReader, Side
from doorward_postgres.wire_decode import Field, decode_data_row
from doorward_postgres.wire_encode import encode_copy_data, encode_data_row

KEY = b"k" * 32
SECRET = b"jane.secret@example.com"
CUSTOMER = 16_385
EMAIL = (CUSTOMER, 3)
PII = Mask("pii", ("public.customer.email",), (), Transform.PARTIAL, "email")
TYPED = sorted({*types._FAMILIES, *types._ARRAYS})


@dataclass(frozen=True)
class Output:
    clear: bool = False
    origin: tuple[int, int] | None = None
    tainted: frozenset[tuple[int, int]] = frozenset()


TAINTED = Output(tainted=frozenset({EMAIL}))


def lookup(oid: int, attnum: int) -> Mask | Literal["clear"] | None:
    if (oid, attnum) == EMAIL:
        return PII
    return "clear" if oid == CUSTOMER else None


def masked_by(verdict: Verdict, type_oid: int, fmt: int, transform: Transform = Transform.REDACT) -> RowMasker:
    return RowMasker(RowPlan((ColumnPlan("c", verdict, type_oid, -1, fmt, transform, "email"),)), KEY)


def one(masker: RowMasker, value: bytes | None) -> bytes | None:
    message = encode_data_row([value])
    out = bytes(masker.rows(message, 0, len(message)))
    return decode_data_row(out[5:])[0]


# --- PG-45: formats --------------------------------------------------------------------------------------------------

ENCODED: dict[str, tuple[int, bytes]] = {
    "text": (25, SECRET),
    "varchar": (1043, SECRET),
    "jsonb, version byte": (3802, b'\1{"email": "' + SECRET + b'"}'),
    "json": (114, b'"' + SECRET + b'"'),
    "bytea": (17, SECRET),
    "text array": (1009, struct.pack("!iiIiii", 1, 0, 25, 1, 1, len(SECRET)) + SECRET),
    "text array that lies": (1009, struct.pack("!iiIiii", 1, 0, 25, 2, 1, len(SECRET)) + SECRET),
    "composite": (2249, struct.pack("!iIi", 1, 25, len(SECRET)) + SECRET),
    "composite of the table's own type": (16_387, struct.pack("!iIi", 1, 25, len(SECRET)) + SECRET),
    "range": (3906, b"\2" + struct.pack("!i", len(SECRET)) + SECRET),
    "hstore": (16_500, struct.pack("!ii", 1, 5) + b"email" + struct.pack("!i", len(SECRET)) + SECRET),
    "a type that nobody knows": (999_999, SECRET),
    "text in a column that says it is a number": (23, SECRET),
    "text in a column that says it is a date": (1082, SECRET),
}


@pytest.mark.parametrize("transform", list(Transform))
@pytest.mark.parametrize("verdict", [Verdict.MASK, Verdict.WHOLE])
@pytest.mark.parametrize("name", ENCODED)
@pytest.mark.parametrize("fmt", [0, 1, 7])
def test_pg_45_no_format_and_no_type_carries_a_masked_value(
    name: str, fmt: int, verdict: Verdict, transform: Transform
) -> None:
    type_oid, value = ENCODED[name]
    shown = one(masked_by(verdict, type_oid, fmt, transform), value) or b""
    assert b"secret" not in shown
    assert SECRET.hex().encode() not in shown


@pytest.mark.parametrize(
    ("type_oid", "fmt", "value"),
    [
        (20, 1, struct.pack("!q", 4111111111111111)),
        (1700, 1, struct.pack("!HhHH4H", 4, 3, 0, 0, 4111, 1111, 1111, 1111)),
        (1016, 1, struct.pack("!iiIiiiq", 1, 0, 20, 1, 1, 8, 4111111111111111)),
        (17, 0, b"\\x" + b"4111111111111111".hex().encode()),
        (17, 0, b"4111111111111111"),
        (114, 0, b'{"card": 4111111111111111}'),
        (3802, 1, b'\1{"card": 4111111111111111}'),
        (2249, 1, struct.pack("!iIi", 1, 25, 16) + b"4111111111111111"),
    ],
)
def test_pg_45_detectors_read_values_whose_bytes_do_not_show_what_they_say(
    type_oid: int, fmt: int, value: bytes
) -> None:
    columns = (ColumnPlan("c", Verdict.CLEAR, type_oid, -1, fmt),)
    shown = one(RowMasker(RowPlan(columns, Detectors(["card"])), KEY), value)
    assert shown != value
    assert b"411111" not in (shown or b"")


# --- PG-47: COPY -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 5, 17, 4096])
@pytest.mark.parametrize(
    ("options", "data"),
    [
        ({"kind": "text"}, b"1\t" + SECRET + b"\n"),
        ({"kind": "text", "delimiter": "@"}, b"1@" + SECRET.replace(b"@", b"\\@") + b"\n"),
        ({"kind": "text", "null": SECRET.decode()}, b"1\t" + SECRET + b"\n"),
        ({"kind": "csv"}, b'1,"' + SECRET + b'"\n'),
        ({"kind": "csv", "header": True}, b"id,email\n1," + SECRET + b"\n"),
        ({"kind": "csv", "delimiter": "e", "quote": "x"}, b"1ex" + SECRET.replace(b"x", b"xx") + b"x\n"),
        ({"kind": "csv", "quote": "|", "escape": "\\"}, b"1,|\\|\n" + SECRET + b"|\n"),
        ({"kind": "binary"}, b"PGCOPY\n\xff\r\n\0" + bytes(8) + encode_data_row([b"0001", SECRET])[5:] + b"\xff\xff"),
    ],
)
def test_pg_47_copy_in_every_format_however_cut(options: dict[str, object], data: bytes, size: int) -> None:
    columns = (
        ColumnPlan("id", Verdict.CLEAR, 23, -1, 0),
        ColumnPlan("email", Verdict.MASK, 25, -1, 0, Transform.PARTIAL, "email"),
    )
    masker = CopyMasker(RowPlan(columns), KEY, copy_format(**options))  # type: ignore[arg-type] # options vary in type
    out = b""
    for at in range(0, len(data), size):
        message = encode_copy_data(data[at : at + size])
        out += bytes(masker.messages(message, 0, len(message)))
    masker.finish()
    assert out
    assert b"secret" not in out
    assert masker.masked == {"email": 1}


@pytest.mark.parametrize("encoding", ["SJIS", "BIG5", "GBK", "LATIN1", "SQL_ASCII"])
def test_pg_47_copy_in_an_encoding_whose_second_bytes_are_syntax_is_refused(encoding: str) -> None:
    with pytest.raises(ValueError, match="another encoding"):
        copy_format("csv", encoding=encoding)


# --- PG-80: derived columns ------------------------------------------------------------------------------------------

DERIVED = {
    "email||''": (25, SECRET),
    "reverse": (25, SECRET[::-1]),
    "encode base64": (25, b"amFuZS5zZWNyZXRAZXhhbXBsZS5jb20="),
    "md5": (25, b"0123456789abcdef0123456789abcdef"),
    "substr(email, 1, 1)": (25, b"j"),
    "ascii(substr())": (23, b"106"),
    "email::bytea": (17, b"\\x" + SECRET.hex().encode()),
    "length": (23, b"23"),
    "email = 'x'": (16, b"t"),
    "to_json(c)": (114, b'{"email":"' + SECRET + b'"}'),
    "jsonb_agg": (3802, b'["' + SECRET + b'"]'),
    "c::text": (25, b"(1," + SECRET + b")"),
    "the whole row": (16_387, b"(1," + SECRET + b")"),
    "array_agg": (1009, b"{" + SECRET + b"}"),
    "hstore(c)": (16_500, b'"email"=>"' + SECRET + b'"'),
    "xmlforest": (142, b"<email>" + SECRET + b"</email>"),
    "min(email)": (25, SECRET),
    "to_tsvector": (3614, b"'jane.secret@example.com':1"),
}


@pytest.mark.parametrize("outputs", [None, [Output()], [TAINTED]])
@pytest.mark.parametrize("name", DERIVED)
def test_pg_80_what_is_derived_from_a_masked_column_is_hidden_whole(
    name: str, outputs: Sequence[Output] | None
) -> None:
    type_oid, value = DERIVED[name]
    made = plan([Field("x", 0, 0, type_oid, -1, -1, 0)], outputs, lookup=lookup, closed_world=True)
    assert isinstance(made, RowPlan)
    shown = one(RowMasker(made, KEY), value)
    other = one(RowMasker(made, KEY), {16: b"f", 23: b"1"}.get(type_oid, b"{x}"))
    assert shown == other, "what leaves depends on the value"
    assert shown != value


def test_pg_80_a_count_that_the_tree_proves_is_in_clear() -> None:
    made = plan([Field("count", 0, 0, 20, 8, -1, 0)], [Output(clear=True)], lookup=lookup, closed_world=True)
    assert isinstance(made, RowPlan)
    assert one(RowMasker(made, KEY), b"10000") == b"10000"


def test_pg_80_returning_a_plain_column_that_was_just_set_from_a_masked_one() -> None:
    note = Field("note", CUSTOMER, 9, 25, -1, -1, 0)
    made = plan([note], [TAINTED], lookup=lookup, closed_world=True)
    assert isinstance(made, RowPlan)
    assert one(RowMasker(made, KEY), SECRET) == b"[masked:email]"


# --- PG-82: values in errors -----------------------------------------------------------------------------------------

TOLD = SECRET.decode()
ERRORS = {
    "email::int": [("C", "22P02"), ("M", f'invalid input syntax for type integer: "{TOLD}"')],
    "unique violation": [("C", "23505"), ("M", "duplicate key"), ("D", f"Key (email)=({TOLD}) already exists."),
                         ("n", "customer_email_key")],
    "raise notice": [("C", "00000"), ("M", TOLD), ("W", "PL/pgSQL function f() line 2 at RAISE")],
    "raise using every field": [("C", "P0001"), ("M", TOLD), ("D", TOLD), ("H", TOLD), ("c", TOLD), ("d", TOLD),
                                ("n", TOLD), ("s", TOLD), ("t", TOLD), ("W", TOLD)],
    "raise using errcode": [("C", TOLD[:5]), ("M", ""), ("W", "PL/pgSQL function f() line 2 at RAISE")],
    "context": [("C", "22012"), ("M", "division by zero"), ("W", f'SQL statement "select \'{TOLD}\'"')],
    "internal query": [("C", "42601"), ("M", "syntax error"), ("q", f"select {TOLD}"), ("p", "8")],
    "copy": [("C", "22P04"), ("M", "extra data"), ("W", f'COPY t, line 1: "{TOLD}"')],
    "invalid UTF-8": [("C", "22021"), ("M", f"invalid byte sequence: {TOLD}")],
    "a field of tomorrow": [("C", "XX000"), ("M", "x"), ("k", TOLD)],
}  # fmt: skip


@pytest.mark.parametrize("severity", ["ERROR", "NOTICE"])
@pytest.mark.parametrize("name", ERRORS)
def test_pg_82_no_field_of_an_error_or_notice_carries_a_value(name: str, severity: str) -> None:
    fields = [("S", severity), ("V", severity), *ERRORS[name]]
    shown, _ = hide_diagnostic(fields, touches_masked=True, detectors=None, key=KEY)
    said = " ".join(text for _, text in shown)
    assert "secret" not in said
    assert "jane" not in said
    assert {"S", "V", "C", "M"} <= {kind for kind, _ in shown}


@pytest.mark.parametrize("name", ["email::int", "unique violation", "raise notice", "context", "copy"])
def test_pg_82_where_nothing_masked_is_touched_detectors_still_look(name: str) -> None:
    shown, counts = hide_diagnostic(ERRORS[name], touches_masked=False, detectors=Detectors(["email"]), key=KEY)
    assert "secret" not in " ".join(text for _, text in shown)
    assert counts["email"] >= 1


# --- PG-84: borders and lengths --------------------------------------------------------------------------------------


def through_frames(masker: RowMasker, data: bytes, size: int) -> bytes:
    """The target's bytes in TCP segments of `size`, framed as the gateway frames them, rows masked run by run."""
    reader, out = FrameReader(Side.UPSTREAM), b""
    for at in range(0, len(data), size):
        reader.receive(data[at : at + size])
        for kind, start, _ in reader:
            assert kind == Backend.DataRow
            _, end = reader.run(kind)
            out += bytes(masker.rows(reader.buffer, start, end))
            reader.consume(end)
    return out


@pytest.mark.parametrize("size", [1, 3, 64, 1000, 1 << 20])
def test_pg_84_a_value_cut_by_segments_is_masked_all_the_same(size: int) -> None:
    columns = (
        ColumnPlan("email", Verdict.MASK, 25, -1, 0, Transform.PARTIAL, "email"),
        ColumnPlan("note", Verdict.CLEAR, 25, -1, 0),
    )
    rows = b"".join(encode_data_row([SECRET, b"mail " + SECRET + b" for %d" % n]) for n in range(20))
    out = through_frames(RowMasker(RowPlan(columns, Detectors(["email"])), KEY), rows, size)
    assert b"secret" not in out
    assert out.count(b"j***@***.com") == 40


@pytest.mark.parametrize("verdict", [Verdict.CLEAR, Verdict.MASK])
def test_pg_84_the_end_of_ten_megabytes_is_looked_at(verdict: Verdict) -> None:
    value = b"lorem ipsum " * 850_000 + SECRET
    columns = (ColumnPlan("c", verdict, 25, -1, 0, Transform.REDACT, "email"),)
    shown = one(RowMasker(RowPlan(columns, Detectors(["email"])), KEY), value)
    assert shown is not None
    assert b"secret" not in shown


@pytest.mark.parametrize("verdict", [Verdict.CLEAR, Verdict.MASK])
def test_pg_84_row_1001_is_masked_like_the_first(verdict: Verdict) -> None:
    columns = (ColumnPlan("c", verdict, 25, -1, 0, Transform.PARTIAL, "email"),)
    data = encode_data_row([None]) * 1000 + encode_data_row([SECRET]) + encode_data_row([b"plain"]) * 1000
    masker = RowMasker(RowPlan(columns, Detectors(["email"])), KEY)
    assert b"secret" not in bytes(masker.rows(data, 0, len(data)))
    assert masker.masked["email"] == (1 if verdict is Verdict.CLEAR else 1001)


# --- PG-85: types ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", list(Transform))
@pytest.mark.parametrize("fmt", [Format.TEXT, Format.BINARY])
@pytest.mark.parametrize("type_oid", TYPED)
def test_pg_85_a_driver_reads_what_a_mask_makes_of_every_type(type_oid: int, fmt: Format, transform: Transform) -> None:
    constant = types.CONSTANTS.get(type_oid)
    value = (constant.binary if fmt else constant.text) if constant else b'{"a": 1}'
    inner = types.element(type_oid)
    if inner is not None:
        pair = types.CONSTANTS.get(inner, types.Constant(b"x", b"x"))
        binary = struct.pack("!iiIiii", 1, 0, inner, 1, 1, len(pair.binary)) + pair.binary
        value = binary if fmt else b'{"' + pair.text + b'"}'
    shown = one(masked_by(Verdict.MASK, type_oid, int(fmt), transform), value)
    if shown is None:
        return
    try:
        loader = Transformer().get_loader(type_oid, fmt)
    except psycopg.InterfaceError:
        return  # no binary loader for this type: the driver gives bytes
    if type_oid == 3802 and fmt is Format.BINARY and transform is not Transform.NULL:
        assert shown[:1] == b"\1"
    loader.load(shown)


@pytest.mark.parametrize("limit", [1, 3, 10])
@pytest.mark.parametrize("transform", [Transform.REDACT, Transform.PARTIAL, Transform.HASH])
@pytest.mark.parametrize("type_oid", [1042, 1043])
def test_pg_85_a_replacement_fits_its_column(type_oid: int, transform: Transform, limit: int) -> None:
    columns = (ColumnPlan("c", Verdict.MASK, type_oid, limit + 4, 0, transform, "email"),)
    shown = one(RowMasker(RowPlan(columns), KEY), SECRET)
    assert shown is not None
    assert len(shown) <= limit
