"""What a finding does to a value of each kind."""

import json
import struct

import pytest

from doorward_core.mask.detect import Detectors
from doorward_postgres.cells import Column
from doorward_postgres.contents import content, unescape

KEY = b"k" * 32
NAMES = ("email", "card", "iban")


def hide(oid: int, fmt: int, value: bytes, names: tuple[str, ...] = NAMES) -> bytes | None:
    detectors = Detectors(names)
    item = content(Column(oid, fmt), detectors, KEY)
    assert item is not None
    text = item.read(value) if item.read else value
    spans = detectors.spans(text)
    return item.hide(value, spans) if spans else value


@pytest.mark.parametrize("oid", [25, 1043, 16_400, 2249, 3614, 142, 1009])
def test_text_forms_are_cut_exactly(oid: int) -> None:
    assert hide(oid, 0, b'{"a b",jane@a.com}') == b'{"a b",j***@***.com}'


@pytest.mark.parametrize(
    ("given", "masked"),
    [
        (b'{"a": "jane@a.com"}', b'{"a": "j***@***.com"}'),
        (b'{"card": 4111111111111111, "n": 1}', b'{"card": "************1111", "n": 1}'),
        (b"4111111111111111", b'"************1111"'),
        (b"[4111111111111111.0]", None),
        (b'{"jane@a.com": 1}', b'{"j***@***.com": 1}'),
        (b'{"a": "x\\njane@a.com"}', b'{"a": "x\\nj***@***.com"}'),
        (b'{"a": "\\\\jane@a.com"}', b'{"a": "\\\\j***@***.com"}'),
        (b'{"a": "\\"jane@a.com"}', b'{"a": "\\"j***@***.com"}'),
        (b'{"a": "say \\"hi\\" to jane@a.com", "b": "joe@b.co"}', None),
        (b'{"a": "x", "b": ["1", 4111111111111111], "c": "y"}', None),
        (b'{"a": "\\\\", "b": 4111111111111111}', None),
        ("{“a”: 1}".encode() + b' {"b": "\\u00e9jane@a.com"}', b"\xe2"),
    ],
)
@pytest.mark.parametrize("oid", [114, 3802])
def test_json_stays_json_and_says_no_finding(oid: int, given: bytes, masked: bytes | None) -> None:
    new = hide(oid, 0, given)
    assert new is not None
    if masked == b"\xe2":
        assert b"jane" not in new
        return
    json.loads(new)
    assert b"jane" not in new
    assert b"joe@" not in new
    assert b"411111" not in new
    if masked is not None:
        assert new == masked


def test_binary_jsonb_keeps_its_version() -> None:
    assert hide(3802, 1, b'\1{"a": "jane@a.com"}') == b'\1{"a": "j***@***.com"}'
    broken = hide(3802, 1, b"\1 jane@a.com ")
    assert broken is not None
    assert broken[:1] == b"\1"
    json.loads(broken[1:])


def test_a_finding_that_is_no_part_of_a_string_or_number_takes_the_document() -> None:
    assert hide(114, 0, b"{jane@a.com}") == b'"[masked:email]"'


def test_json_arrays_are_hidden_whole() -> None:
    new = hide(199, 0, b'{"{\\"a\\": \\"jane@a.com\\"}"}')
    assert new is not None
    assert b"jane" not in new


def test_numbers_become_valid_numbers() -> None:
    assert hide(1700, 0, b"4111111111111111") == b"0"
    assert hide(1016, 0, b"{1,4111111111111111}") == b'{"0","0"}'


def test_values_whose_bytes_do_not_show_what_they_say_are_read() -> None:
    assert hide(20, 1, struct.pack("!q", 4111111111111111)) == bytes(8)
    numeric = struct.pack("!HhHH4H", 4, 3, 0, 0, 4111, 1111, 1111, 1111)
    assert hide(1700, 1, numeric) == bytes(8)
    cents = struct.pack("!HhHH5H", 5, 3, 0, 2, 4111, 1111, 1111, 1111, 5000)
    assert hide(1700, 1, cents) == bytes(8)
    assert hide(17, 0, b"\\x" + b"jane@a.com".hex().encode()) == b"\\x" + b"[masked:content]".hex().encode()
    assert hide(869, 1, bytes((2, 32, 0, 4, 10, 0, 0, 1)), ("ipv4",)) == bytes((2, 32, 0, 4, 0, 0, 0, 0))
    array = struct.pack("!iiIiiiq", 1, 0, 20, 1, 1, 8, 4111111111111111)
    assert hide(1016, 1, array) == struct.pack("!iiIiiiq", 1, 0, 20, 1, 1, 8, 0)
    assert hide(1001, 0, b'{"\\\\x' + b"jane@a.com".hex().encode() + b'"}') != b""


@pytest.mark.parametrize(("oid", "fmt", "value"), [(1700, 1, b"x"), (17, 0, b"\\xz"), (1016, 1, b"x"), (1001, 0, b"x")])
def test_what_cannot_be_read_says_nothing(oid: int, fmt: int, value: bytes) -> None:
    item = content(Column(oid, fmt), Detectors(NAMES), KEY)
    assert item is not None
    assert item.read is not None
    assert item.read(value) == b""


def test_binary_values_with_lengths_inside_are_hidden_whole() -> None:
    record = struct.pack("!iIi", 1, 25, 10) + b"jane@a.com"
    assert hide(2249, 1, record) is None
    assert hide(16_400, 1, record) is None


def test_a_binary_array_that_cannot_be_read_is_hidden_whole() -> None:
    assert hide(1009, 1, b"jane@a.com") is None


def test_bytea_in_binary_is_cut_like_text() -> None:
    assert hide(17, 1, b"\0jane@a.com\0") == b"\0j***@***.com\0"


def test_types_that_no_detector_means_have_no_content() -> None:
    assert content(Column(2950, 0), Detectors(NAMES), KEY) is None


def test_unescape() -> None:
    assert unescape(b"jane\\u0040a\\u002ecom") == b"jane@a.com"
    assert unescape(b"\\u00zz \\u0") == b"\\u00zz \\u0"
