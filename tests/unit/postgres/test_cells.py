"""One value replaced by another of its type, in both formats."""

import json
import struct
import uuid
from decimal import Decimal

import pytest

from doorward_core.model import Transform
from doorward_postgres.cells import Cell, Column, cell, read_bytea, read_numeric
from doorward_postgres.types import CONSTANTS

KEY = b"k" * 32
TEXT, BINARY = 0, 1


def numeric(text: str) -> bytes:
    """A binary numeric, made independently of the code under test: base 10,000 around the point."""
    sign, digits, exponent = Decimal(text).as_tuple()
    number = "".join(map(str, digits))
    scale = -int(exponent) if int(exponent) < 0 else 0
    number = (number + "0" * max(int(exponent), 0)).zfill(scale + 1)
    whole, fraction = (number[: len(number) - scale] or "0"), number[len(number) - scale :] if scale else ""
    whole = whole.zfill(-(-len(whole) // 4) * 4)
    fraction = fraction.ljust(-(-len(fraction) // 4) * 4, "0")
    places = [int((whole + fraction)[at : at + 4]) for at in range(0, len(whole + fraction), 4)]
    weight = len(whole) // 4 - 1
    return struct.pack("!HhHH", len(places), weight, 0x4000 if sign else 0, scale) + struct.pack(
        f"!{len(places)}H", *places
    )


def masked(
    oid: int, fmt: int, value: bytes, transform: Transform = Transform.REDACT, typmod: int = -1, **kw
) -> bytes | None:
    made = cell(Column(oid, fmt, typmod, **kw), transform, "pii", KEY)
    return made.constant if made.replace is None else made.replace(value)


@pytest.mark.parametrize("oid", sorted(CONSTANTS))
@pytest.mark.parametrize("transform", [Transform.REDACT, Transform.PARTIAL])
def test_typed_values_are_hidden_whole_by_a_valid_constant(oid: int, transform: Transform) -> None:
    assert masked(oid, TEXT, b"secret", transform) == CONSTANTS[oid].text
    assert masked(oid, BINARY, b"secret", transform) == CONSTANTS[oid].binary


@pytest.mark.parametrize("oid", [0, 2249, 16_400, 3904, 600, 3614, 3220])
@pytest.mark.parametrize("transform", list(Transform))
def test_types_without_a_valid_replacement_become_null(oid: int, transform: Transform) -> None:
    assert masked(oid, TEXT, b"secret", transform) is None
    assert masked(oid, BINARY, b"secret", transform) is None


@pytest.mark.parametrize("oid", [25, 23, 1009, 114, 17])
def test_null_is_null_for_every_type_and_so_is_a_format_that_does_not_exist(oid: int) -> None:
    assert cell(Column(oid, TEXT), Transform.NULL, "pii", KEY) == Cell()
    assert cell(Column(oid, 2), Transform.REDACT, "pii", KEY) == Cell()


def test_text_is_the_same_in_both_formats() -> None:
    for fmt in (TEXT, BINARY):
        assert masked(25, fmt, b"jane@example.com") == b"[masked:pii]"
        assert masked(25, fmt, b"jane@example.com", Transform.PARTIAL) == b"j***@***.com"
        token = masked(25, fmt, b"jane@example.com", Transform.HASH)
        assert token is not None
        assert token.startswith(b"pii_")


def test_a_text_that_is_not_utf_8_never_shows_a_byte_of_it() -> None:
    assert masked(25, TEXT, b"\xff\xfe\xfd\xfc", Transform.PARTIAL) == b"***"


@pytest.mark.parametrize("limit", [1, 2, 5, 12, 40])
@pytest.mark.parametrize("transform", [Transform.REDACT, Transform.PARTIAL, Transform.HASH])
@pytest.mark.parametrize("oid", [1042, 1043])
def test_a_replacement_fits_the_declared_length(oid: int, transform: Transform, limit: int) -> None:
    new = masked(oid, TEXT, b"jane@example.com", transform, typmod=limit + 4)
    assert new is not None
    assert 0 < len(new) <= limit


def test_a_cut_token_still_tells_values_apart() -> None:
    made = {masked(1043, TEXT, b"%d@example.com" % n, Transform.HASH, typmod=14) for n in range(100)}
    assert len(made) == 100


def test_bytea_in_its_three_spellings_says_the_same() -> None:
    raw = b"\0\xffjane\\"
    escaped = b"\\000\\377jane\\\\"
    assert read_bytea(raw, BINARY) == read_bytea(b"\\x" + raw.hex().encode(), TEXT) == read_bytea(escaped, TEXT) == raw
    tokens = {
        masked(17, BINARY, raw, Transform.HASH),
        bytes.fromhex(str(masked(17, TEXT, b"\\x" + raw.hex().encode(), Transform.HASH), "ascii")[2:]),
        bytes.fromhex(str(masked(17, TEXT, escaped, Transform.HASH), "ascii")[2:]),
    }
    assert len(tokens) == 1
    assert masked(17, TEXT, b"\\xzz", Transform.HASH) is None
    assert masked(17, TEXT, b"\\9", Transform.HASH) is None
    assert masked(17, BINARY, raw) == b"[masked:pii]"


def test_json_is_replaced_by_a_json_string_and_jsonb_keeps_its_version() -> None:
    text = masked(114, TEXT, b'{"a":1}')
    assert text is not None
    assert json.loads(text) == "[masked:pii]"
    binary = masked(3802, BINARY, b'\1{"a":1}')
    assert binary == b'\1"[masked:pii]"'
    assert masked(3802, BINARY, b'\1{"a":1}', Transform.HASH) == b"\1" + (
        masked(3802, TEXT, b'{"a":1}', Transform.HASH) or b""
    )


@pytest.mark.parametrize(("oid", "layout", "top"), [(21, "!h", 2**15), (23, "!i", 2**31), (20, "!q", 2**53)])
def test_integer_tokens_join_across_formats_and_stay_in_range(oid: int, layout: str, top: int) -> None:
    for number in (0, 1, -7, 32_000):
        text = masked(oid, TEXT, str(number).encode(), Transform.HASH)
        binary = masked(oid, BINARY, struct.pack(layout, number), Transform.HASH)
        assert text is not None
        assert binary is not None
        assert struct.unpack(layout, binary)[0] == int(text)
        assert 0 < int(text) < top
    assert masked(oid, BINARY, b"\0", Transform.HASH) is None
    assert masked(oid, TEXT, b"x", Transform.HASH) is None


@pytest.mark.parametrize(
    "text", ["0", "1", "-1", "12345678901234567890", "0.5", "-0.00012", "1.50", "10000", "99999999", "1E20"]
)
def test_a_binary_numeric_is_read(text: str) -> None:
    assert Decimal(read_numeric(numeric(text))) == Decimal(text)


def test_a_numeric_that_is_none_is_not_read() -> None:
    assert read_numeric(struct.pack("!HhHH", 0, 0, 0xC000, 0)) == "NaN"
    with pytest.raises(ValueError, match="another length"):
        read_numeric(numeric("1") + b"x")
    with pytest.raises(ValueError, match="beyond its base"):
        read_numeric(struct.pack("!HhHHH", 1, 0, 0, 0, 10_000))
    assert masked(1700, BINARY, b"x", Transform.HASH) is None
    assert masked(1700, TEXT, b"x", Transform.HASH) is None


@pytest.mark.parametrize("value", ["1.5", "-3", "0", "NaN", "12345678901234567890.123"])
def test_numeric_tokens_join_across_formats(value: str) -> None:
    text = masked(1700, TEXT, value.encode(), Transform.HASH)
    wire = struct.pack("!HhHH", 0, 0, 0xC000, 0) if value == "NaN" else numeric(value)
    binary = masked(1700, BINARY, wire, Transform.HASH)
    assert text is not None
    assert binary is not None
    assert Decimal(read_numeric(binary)) == Decimal(text.decode())


def test_equal_numerics_of_another_scale_have_one_token_and_it_fits_the_type() -> None:
    assert masked(1700, TEXT, b"1.50", Transform.HASH) == masked(1700, TEXT, b"1.5", Transform.HASH)
    typmod = ((4 << 16) | 2) + 4
    token = masked(1700, TEXT, b"12.34", Transform.HASH, typmod)
    assert token is not None
    assert 0 <= int(token) < 100
    assert masked(1700, TEXT, b"0.1", Transform.HASH, ((2 << 16) | 2) + 4) == b"0"


def test_a_uuid_token_is_a_uuid_of_version_8_in_both_formats() -> None:
    given = uuid.UUID("12345678-1234-5678-1234-567812345678")
    text = masked(2950, TEXT, str(given).encode(), Transform.HASH)
    binary = masked(2950, BINARY, given.bytes, Transform.HASH)
    assert text is not None
    assert binary is not None
    assert uuid.UUID(text.decode()) == uuid.UUID(bytes=binary)
    assert uuid.UUID(bytes=binary).version == 8
    assert masked(2950, TEXT, b"no", Transform.HASH) is None
    assert masked(2950, BINARY, b"no", Transform.HASH) is None


@pytest.mark.parametrize("oid", [1082, 1114, 1184])
def test_dates_are_null_where_the_session_writes_them_in_another_style(oid: int) -> None:
    assert masked(oid, TEXT, b"31.12.1999", iso_dates=False) is None
    assert masked(oid, BINARY, b"", iso_dates=False) == CONSTANTS[oid].binary


def test_arrays_are_masked_element_by_element() -> None:
    assert masked(1009, TEXT, b'{jane@example.com,NULL,"a b"}', Transform.PARTIAL) == b'{"j***@***.com",NULL,"***"}'
    assert masked(1007, TEXT, b"{1,2,NULL}") == b'{"0","0",NULL}'
    assert masked(1009, TEXT, b"not an array", Transform.PARTIAL) is None
    assert masked(1009, BINARY, b"not an array") is None
    given = struct.pack("!iiIiiii", 1, 1, 23, 2, 1, 4, 42) + struct.pack("!i", -1)
    assert masked(1007, BINARY, given) == struct.pack("!iiIiiii", 1, 1, 23, 2, 1, 4, 0) + struct.pack("!i", -1)
    assert masked(1015, TEXT, b"{jane@example.com}", Transform.REDACT, typmod=6) == b'{"**"}'
    assert masked(1182, TEXT, b"{1999-12-31}", iso_dates=False) == b"{NULL}"
