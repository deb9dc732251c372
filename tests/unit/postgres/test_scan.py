"""Detectors over framed rows: exact within fields, whatever the raw bytes look like."""

import struct

from doorward_core.mask.detect import Detectors
from doorward_postgres.cells import Column
from doorward_postgres.scan import FrameScanner
from doorward_postgres.wire_decode import decode_data_row
from doorward_postgres.wire_encode import encode_data_row

KEY = b"k" * 32
TEXT = Column(25, 0)


def scanner(*columns: Column | None, names: tuple[str, ...] = ("email", "card", "iban")) -> FrameScanner:
    return FrameScanner(columns, Detectors(names), KEY, {})


def rows_of(data: bytes) -> list[tuple[bytes | None, ...]]:
    found, position = [], 0
    while position < len(data):
        (length,) = struct.unpack_from("!I", data, position + 1)
        found.append(decode_data_row(data[position + 5 : position + 1 + length]))
        position += 1 + length
    return found


def run(one: FrameScanner, *rows: list[bytes | None]) -> list[tuple[bytes | None, ...]]:
    return rows_of(one.frames(b"".join(map(encode_data_row, rows))))


def test_a_batch_without_an_alarm_is_given_back_as_it_came() -> None:
    data = encode_data_row([b"nothing", b"here"]) * 10
    assert scanner(TEXT, TEXT).frames(data) is data


def test_a_false_alarm_changes_nothing() -> None:
    data = encode_data_row([b"4111111111111112"])
    assert scanner(TEXT).frames(data) is data


def test_findings_in_some_rows_and_fields_leave_the_others_alone() -> None:
    rows: list[list[bytes | None]] = [
        [b"a", None, b"to jane@a.com"],
        [b"b", b"c", b"d"],
        [b"joe@b.com", None, b"ann@c.org, 4111111111111111"],
        [None, None, None],
    ]
    one = scanner(TEXT, TEXT, TEXT)
    assert run(one, *rows) == [
        (b"a", None, b"to j***@***.com"),
        (b"b", b"c", b"d"),
        (b"j***@***.com", None, b"a***@***.org, ************1111"),
        (None, None, None),
    ]


def test_a_length_word_that_looks_like_a_digit_is_not_swallowed() -> None:
    """49 bytes: the last byte of the length word is an ASCII 1, right before the number."""
    value = b"4111111111111111" + b" " * 33
    assert len(value) == 0x31
    assert run(scanner(TEXT), [value]) == [(b"************1111" + b" " * 33,)]


def test_a_number_that_spans_two_fields_only_in_the_raw_bytes_is_none() -> None:
    assert run(scanner(TEXT, TEXT), [b"41111111", b"11111111"]) == [(b"41111111", b"11111111")]


def test_a_number_behind_a_false_match_that_begins_in_the_length_word() -> None:
    """0x30303030 as a length would be digits; four fields of 0x30 bytes come close enough."""
    value = b"4111111111111111".ljust(0x3030)
    (found,) = run(scanner(TEXT, TEXT), [b"1" * 11, value])
    assert found[0] == b"1" * 11
    assert found[1] == b"************1111".ljust(0x3030)


def test_masked_columns_are_not_searched() -> None:
    assert run(scanner(None, TEXT), [b"jane@a.com", b"jane@a.com"]) == [(b"jane@a.com", b"j***@***.com")]


def test_types_that_no_detector_means_are_not_searched() -> None:
    uuid = b"41111111-1111-1111-1111-411111111111"
    assert run(scanner(Column(2950, 0), names=("card", "phone")), [uuid]) == [(uuid,)]


def test_a_number_that_is_a_card_is_replaced_by_a_number() -> None:
    card = 4111111111111111
    assert run(scanner(Column(20, 0)), [str(card).encode()]) == [(b"0",)]
    assert run(scanner(Column(20, 1)), [struct.pack("!q", card)]) == [(bytes(8),)]
    assert run(scanner(Column(20, 1)), [struct.pack("!q", 42)]) == [(struct.pack("!q", 42),)]


def test_a_binary_array_is_searched_element_by_element() -> None:
    def array(*values: bytes) -> bytes:
        body = b"".join(struct.pack("!i", len(value)) + value for value in values)
        return struct.pack("!iiIii", 1, 0, 25, len(values), 1) + body

    assert run(scanner(Column(1009, 1)), [array(b"x", b"jane@a.com")]) == [(array(b"x", b"j***@***.com"),)]


def test_json_with_a_character_spelled_as_an_escape_is_hidden_whole() -> None:
    given = b'{"to": "jane\\u0040example.com"}'
    (found,) = run(scanner(Column(114, 0)), [given])
    assert found[0] is not None
    assert b"jane" not in found[0]
    harmless = b'{"to": "\\u0041nn"}'
    assert run(scanner(Column(114, 0)), [harmless]) == [(harmless,)]


def test_touched_names_the_rows_of_any_format() -> None:
    one = scanner(TEXT)
    assert one.touched([b"a", b"jane@a.com", b"b"], everything=False) == [1]
    assert one.touched([b"jane@", b"a.com"], everything=False) == [0, 1]
    assert one.touched([b"a", b"b"], everything=True) == [0, 1]
    assert scanner(Column(17, 0)).touched([b"a"], everything=False) == [0]
    assert scanner(Column(114, 0)).touched([b"\\u0040"], everything=False) == [0]


def test_counts_are_by_label() -> None:
    counts: dict[str, int] = {"email": 1}
    one = FrameScanner([TEXT], Detectors(["email", "card"]), KEY, counts)
    one.frames(encode_data_row([b"a@b.co c@d.org 4111111111111111"]))
    assert counts == {"email": 3, "card": 1}
