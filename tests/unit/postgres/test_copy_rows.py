"""COPY TO STDOUT masked, in each format."""

import struct

import pytest

from doorward_core.errors import UpstreamProtocolError
from doorward_core.mask.detect import Detectors
from doorward_core.model import Transform
from doorward_postgres.copy_formats import CopyFormat, copy_format
from doorward_postgres.copy_rows import CopyMasker
from doorward_postgres.rows import ColumnPlan, RowPlan, Verdict
from doorward_postgres.wire_encode import encode_copy_data

KEY = b"k" * 32
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
TYPES = (23, 25, 25)


def row_plan(detect: tuple[str, ...] = (), *, owed: bool = True, types: tuple[int, ...] = TYPES) -> RowPlan:
    columns = [
        ColumnPlan(f"c{place}", Verdict.MASK if owed and place == 1 else Verdict.CLEAR, oid, -1, 0, Transform.PARTIAL, "email")
        for place, oid in enumerate(types)
    ]  # fmt: skip
    return RowPlan(tuple(columns), Detectors(detect) if detect else None)


def masker(copy: CopyFormat, detect: tuple[str, ...] = (), **kw) -> CopyMasker:
    return CopyMasker(row_plan(detect, **kw), KEY, copy)


def send(one: CopyMasker, *pieces: bytes) -> list[bytes]:
    data = b"".join(map(encode_copy_data, pieces))
    out = bytes(one.messages(data, 0, len(data)))
    found, position = [], 0
    while position < len(out):
        (length,) = struct.unpack_from("!I", out, position + 1)
        assert out[position : position + 1] == b"d"
        found.append(out[position + 5 : position + 1 + length])
        position += 1 + length
    return found


def tuple_of(*values: bytes | None) -> bytes:
    body = b"".join(struct.pack("!i", -1) if v is None else struct.pack("!i", len(v)) + v for v in values)
    return struct.pack("!h", len(values)) + body


def test_text() -> None:
    one = masker(copy_format("text"))
    assert send(one, b"1\tjane@a.com\tx\n", b"2\t\\N\ty\n") == [b"1\tj***@***.com\tx\n", b"2\t\\N\ty\n"]
    assert one.masked == {"email": 1}
    one.finish()


def test_csv_with_header_newlines_and_quotes() -> None:
    one = masker(copy_format("csv", header=True))
    rows = [b"id,email,note\n", b'1,"jane@a.com","x\ny"\n', b"2,,z\n"]
    assert send(one, *rows) == [b"id,email,note\n", b'1,"j***@***.com","x\ny"\n', b"2,,z\n"]


def test_binary_with_header_and_trailer() -> None:
    one = masker(copy_format("binary"))
    rows = [HEADER + tuple_of(bytes(4), b"jane@a.com", b"x"), tuple_of(bytes(4), None, None), TRAILER]
    assert send(one, *rows) == [
        HEADER + tuple_of(bytes(4), b"j***@***.com", b"x"),
        tuple_of(bytes(4), None, None),
        TRAILER,
    ]
    one.finish()


def test_an_empty_binary_copy() -> None:
    one = masker(copy_format("binary"))
    assert send(one, HEADER, TRAILER) == [HEADER + TRAILER]
    one.finish()


@pytest.mark.parametrize("kind", ["text", "csv", "binary"])
def test_rows_split_over_messages_come_out_one_in_each(kind: str) -> None:
    copy = copy_format(kind)
    whole = {
        "text": [b"1\tjane@a.com\tx\n", b"2\tjoe@b.com\t\n"],
        "csv": [b'1,jane@a.com,"x\ny"\n', b"2,joe@b.com,\n"],
        "binary": [HEADER + tuple_of(b"0001", b"jane@a.com", b"x"), tuple_of(b"0002", b"joe@b.com", None), TRAILER],
    }[kind]
    expected = send(masker(copy), *whole)
    data = b"".join(whole)
    one = masker(copy)
    found = [row for at in range(len(data)) for row in send(one, data[at : at + 1])]
    one.finish()
    joined = b"".join(found)
    assert joined == b"".join(expected)
    if kind != "binary":
        assert found == expected


def test_detectors_in_text_and_csv_see_what_a_field_says() -> None:
    one = masker(copy_format("text"), ("email", "card"), owed=False)
    assert send(one, b"1\tx\\njane@a.com\t4111 1111 1111 1111\n", b"2\tnothing\t\\N\n") == [
        b"1\tx\\nj***@***.com\t**** **** **** 1111\n",
        b"2\tnothing\t\\N\n",
    ]
    one = masker(copy_format("csv"), ("email",), owed=False)
    assert send(one, b'1,"say ""hi"" to jane@a.com",x\n') == [b'1,"say ""hi"" to j***@***.com",x\n']
    assert one.masked == {"email": 1}


@pytest.mark.parametrize(
    ("copy", "line"),
    [
        (copy_format("text", delimiter=" "), b"1 4111\\ 1111\\ 1111\\ 1111 x\n"),
        (copy_format("text", delimiter="@"), b"1@jane\\@a.com@x\n"),
        (copy_format("csv", quote="1"), b"7,14" + b"11" * 15 + b"1,x\n"),
        (copy_format("csv", quote="@", escape="\\"), b"7,@jane\\@a.com@,x\n"),
    ],
)
def test_a_setting_that_hides_a_finding_from_the_prefilter_does_not_hide_it(copy: CopyFormat, line: bytes) -> None:
    one = masker(copy, ("email", "card"), owed=False)
    (found,) = send(one, line)
    assert found != line
    assert sum(one.masked.values()) == 1


def test_detectors_in_binary() -> None:
    one = masker(copy_format("binary"), ("email", "card"), owed=False, types=(20, 25, 25))
    (first, last) = send(one, HEADER + tuple_of(struct.pack("!q", 4111111111111111), b"to jane@a.com", None), TRAILER)
    assert first == HEADER + tuple_of(bytes(8), b"to j***@***.com", None)
    assert last == TRAILER


def test_a_header_line_is_never_searched_and_never_masked() -> None:
    one = masker(copy_format("csv", header=True), ("email",))
    assert send(one, b"id,jane@a.com,x\n") == [b"id,jane@a.com,x\n"]


def test_what_owes_nothing_passes_in_the_pieces_it_came_in() -> None:
    one = masker(copy_format("text"), owed=False)
    data = encode_copy_data(b"1\tja") + encode_copy_data(b"ne@a.com\t\n")
    assert one.messages(data, 0, len(data)) == data
    one.finish()


@pytest.mark.parametrize(
    ("copy", "row"),
    [
        (copy_format("text"), b"1\tx\n"),
        (copy_format("text"), b"1\tx\ty\tz\n"),
        (copy_format("csv"), b"1,x\n"),
        (copy_format("binary"), HEADER + tuple_of(b"0001", b"x")),
        (copy_format("csv", header=True), b"id,email\n"),
    ],
)
@pytest.mark.parametrize("detect", [(), ("email",)])
def test_another_number_of_fields_ends_the_connection(copy: CopyFormat, row: bytes, detect: tuple[str, ...]) -> None:
    with pytest.raises(UpstreamProtocolError):
        send(masker(copy, detect), row)


@pytest.mark.parametrize(
    "data", [b"d\0\0", b"D\0\0\0\4", b"d\0\0\0\3", b"d\0\0\0\7x", encode_copy_data(b"1\tx\ty\n") + b"d"]
)
def test_frames_that_are_none_end_the_connection(data: bytes) -> None:
    with pytest.raises(UpstreamProtocolError):
        masker(copy_format("text")).messages(data, 0, len(data))


@pytest.mark.parametrize("kind", ["text", "csv", "binary"])
def test_a_copy_that_ends_within_a_row_ends_the_connection(kind: str) -> None:
    one = masker(copy_format(kind))
    send(one, {"text": b"1\tx", "csv": b'1,"\n', "binary": HEADER}[kind])
    with pytest.raises(UpstreamProtocolError):
        one.finish()


def test_null_as_a_replacement_is_the_formats_null() -> None:
    columns = (ColumnPlan("c", Verdict.WHOLE, 16_400, -1, 0, Transform.REDACT, "x"),)
    for copy, expected in [
        (copy_format("text"), b"\\N\n"),
        (copy_format("csv"), b"\n"),
        (copy_format("csv", null="-"), b"-\n"),
    ]:
        assert send(CopyMasker(RowPlan(columns), KEY, copy), b"secret\n") == [expected]


@pytest.mark.parametrize("detect", [(), ("email",)])
def test_csv_cut_within_quotes_is_masked_as_the_row_that_it_is(detect: tuple[str, ...]) -> None:
    """The heading of a key alone is hidden with all that follows it; a line in the middle of a value is no row."""
    heading = b"-----BEGIN PRIVATE " + b"KEY-----"
    pieces = [b'1,"jane@a.com\n', b'more",x\n', b'2,,"' + heading + b"\n", b"MIIEvQ\n", b'end"\n']
    one = masker(copy_format("csv"), (*detect, "private-key"))
    sent = [row for piece in pieces for row in send(one, piece)]
    assert len(sent) == 2
    assert b"MIIEvQ" not in b"".join(sent)
    assert b"jane" not in b"".join(sent)


def test_binary_rows_in_messages_of_their_own_are_masked_like_those_in_pieces() -> None:
    rows = [tuple_of(bytes(4), b"jane@a.com", b"to joe@b.org"), tuple_of(bytes(4), None, b"x")]
    one, pieces = masker(copy_format("binary"), ("email",)), masker(copy_format("binary"), ("email",))
    together = send(one, HEADER) + send(one, *rows) + send(one, TRAILER)
    apart = [row for byte in HEADER + b"".join(rows) + TRAILER for row in send(pieces, bytes((byte,)))]
    assert b"".join(together) == b"".join(apart)
    assert one.masked == pieces.masked == {"email": 2}
