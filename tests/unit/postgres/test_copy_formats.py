"""COPY's formats: rows cut, fields read and written, against Python's csv and PostgreSQL's rules."""

import csv
import io
import struct

import pytest

from doorward_core.errors import UpstreamProtocolError
from doorward_postgres.copy_formats import CopyFormat, copy_format, cutter, decode, encode, split

TEXT = copy_format("text")
CSV = copy_format("csv")
BINARY = copy_format("binary")
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"


def row(*values: bytes | None) -> bytes:
    body = b"".join(struct.pack("!i", -1) if v is None else struct.pack("!i", len(v)) + v for v in values)
    return struct.pack("!h", len(values)) + body


def cut(copy: CopyFormat, *pieces: bytes, limit: int = 1 << 20) -> list[bytes]:
    one = cutter(copy, limit)
    return [found for piece in pieces for found in one.cut(piece)]


def values(copy: CopyFormat, line: bytes) -> list[bytes | None]:
    return [decode(copy, item) for item in split(copy, line)]


# --- options ---------------------------------------------------------------------------------------------------------


def test_defaults_are_postgresqls() -> None:
    assert (TEXT.delimiter, TEXT.null, TEXT.header) == (b"\t", b"\\N", False)
    assert (CSV.delimiter, CSV.null, CSV.quote, CSV.escape) == (b",", b"", b'"', b'"')
    assert copy_format("csv", quote="'").escape == b"'"
    assert copy_format("text", encoding="utf-8") == TEXT
    assert copy_format("text", encoding="") == TEXT


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("xml", {}), ("text", {"encoding": "SJIS"}), ("text", {"delimiter": "||"}), ("text", {"delimiter": "a"}),
        ("text", {"delimiter": "\\"}), ("text", {"delimiter": "\n"}), ("text", {"delimiter": "é"}),
        ("csv", {"delimiter": '"'}), ("csv", {"delimiter": "\\", "escape": "\\"}), ("csv", {"quote": "\n"}),
    ],
)  # fmt: skip
def test_what_cannot_be_masked_for_certain_is_refused(kind: str, options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="COPY"):
        copy_format(kind, **options)  # type: ignore[arg-type] # the options are all strings here


def test_settings_that_may_hide_a_finding_from_the_prefilter_are_known() -> None:
    assert TEXT.plain
    assert CSV.plain
    assert BINARY.plain
    assert copy_format("text", delimiter="|").plain
    assert not copy_format("text", delimiter="@").plain
    assert not copy_format("text", delimiter=" ").plain
    assert not copy_format("csv", quote="1").plain
    assert not copy_format("csv", escape="\\").plain


# --- rows ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_text_rows_however_cut(size: int) -> None:
    data = b"a\tb\nc\\\\n\td\n\n"
    assert cut(TEXT, *[data[at : at + size] for at in range(0, len(data), size)]) == [b"a\tb\n", b"c\\\\n\td\n", b"\n"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    ("copy", "rows"),
    [
        (CSV, [b'a,"b\nc",d\n', b'"x ""y""\n",z\n', b"plain,1\n", b'"\n\n"\n']),
        (copy_format("csv", escape="\\"), [b'"a\\"\nb",c\n', b'"\\\\",\\\n', b'\\,"x\ny"\n', b"\\\\,1\n"]),
        (copy_format("csv", quote="'", delimiter=";"), [b"'a\n''b';\"\n", b"1;2\n"]),
    ],
)
def test_csv_rows_however_cut(copy: CopyFormat, rows: list[bytes], size: int) -> None:
    data = b"".join(rows)
    assert cut(copy, *[data[at : at + size] for at in range(0, len(data), size)]) == rows


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_binary_rows_however_cut(size: int) -> None:
    rows = [HEADER, row(b"a", None, b"\n" * 9), row(b"", b"", b""), TRAILER]
    data = b"".join(rows)
    one = cutter(BINARY)
    assert one.pending
    found = [row for at in range(0, len(data), size) for row in one.cut(data[at : at + size])]
    assert found == rows
    assert not one.pending


def test_a_binary_header_with_an_extension_is_one_row() -> None:
    header = b"PGCOPY\n\xff\r\n\0" + struct.pack("!II", 0, 3) + b"ext"
    assert cut(BINARY, header + TRAILER) == [header, TRAILER]


@pytest.mark.parametrize(
    "data",
    [
        b"PGCOPY\n\xff\r\n\1" + bytes(8),
        b"PGCOPY\n\xff\r\n\0" + struct.pack("!II", 1 << 16, 0),
        b"PGCOPY\n\xff\r\n\0" + struct.pack("!II", 0, 1 << 30),
        HEADER + struct.pack("!h", -2),
        HEADER + struct.pack("!h", 1665),
        HEADER + struct.pack("!hi", 1, -2),
        HEADER + struct.pack("!hi", 1, 2**31 - 1),
        HEADER + TRAILER + b"x",
    ],
)
def test_binary_lies_are_refused(data: bytes) -> None:
    with pytest.raises(UpstreamProtocolError):
        cut(BINARY, data)


def test_binary_data_after_the_trailer_is_refused() -> None:
    one = cutter(BINARY)
    assert list(one.cut(HEADER + TRAILER)) == [HEADER, TRAILER]
    assert list(one.cut(b"")) == []
    with pytest.raises(UpstreamProtocolError):
        list(one.cut(b"x"))


@pytest.mark.parametrize(("copy", "piece"), [(TEXT, b"x"), (CSV, b'""'), (BINARY, HEADER + row(b"x" * 90))])
def test_a_row_that_never_ends_is_refused_at_the_bound(copy: CopyFormat, piece: bytes) -> None:
    with pytest.raises(UpstreamProtocolError):
        cut(copy, *[piece] * 200, limit=64)


def test_pending() -> None:
    one = cutter(TEXT)
    assert list(one.cut(b"a\nb")) == [b"a\n"]
    assert one.pending
    assert list(one.cut(b"\n")) == [b"b\n"]
    assert not one.pending


# --- fields ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"a\tb\n", [b"a", b"b"]),
        (b"\\N\t\n", [None, b""]),
        (b"\\\\N\t\\t\\n\\r\\b\\f\\v\n", [b"\\N", b"\t\n\r\b\f\v"]),
        (b"a\\\tb\tc\n", [b"a\tb", b"c"]),
        (b"a\\\\\tb\n", [b"a\\", b"b"]),
        (b"\\101\\x41\\x4\\7\\q\n", [b"AA\x04\x07q"]),
        (b"\\\\\\\\x41\n", [b"\\\\x41"]),
        (b"\\\\\\x41\n", [b"\\A"]),
    ],
)
def test_text_fields(line: bytes, expected: list[bytes | None]) -> None:
    assert values(TEXT, line) == expected


def test_a_text_null_of_the_clients_choice_counts_as_the_value() -> None:
    copy = copy_format("text", null="jane@example.com")
    assert values(copy, b"jane@example.com\n") == [b"jane@example.com"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"a,b\n", [b"a", b"b"]),
        (b',""\n', [None, b""]),
        (b'"a,b","c ""d""",e\n', [b"a,b", b'c "d"', b"e"]),
        (b'"a\nb",\n', [b"a\nb", None]),
    ],
)
def test_csv_fields(line: bytes, expected: list[bytes | None]) -> None:
    assert values(CSV, line) == expected


def test_csv_with_another_escape() -> None:
    copy = copy_format("csv", escape="\\")
    assert values(copy, b'"a\\"b\\\\",c\\\n') == [b'a"b\\', b"c\\"]


def test_csv_agrees_with_pythons_reader() -> None:
    rows = [["a", 'q"q', "x,y", "line\nline", "", "é"], ["1", "", "", "", "", ""]]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    found = [values(CSV, line) for line in cut(CSV, out.getvalue().encode())]
    assert found == [[item.encode() for item in one] for one in rows]


@pytest.mark.parametrize("line", [b'"a\n', b'"a"b,c\n'])
def test_csv_that_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(UpstreamProtocolError):
        split(CSV, line)


@pytest.mark.parametrize(
    "copy",
    [
        TEXT, copy_format("text", delimiter="|"), CSV, copy_format("csv", escape="\\"),
        copy_format("csv", quote="'", delimiter=";", null="NULL"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", [None, b"", b"\\N", b"NULL", b"a\tb\nc\\d", b'"q"', b"'s'", b"|;,", b"\0\x7f\xff"])
def test_what_is_written_reads_back(copy: CopyFormat, value: bytes | None) -> None:
    written = encode(copy, value)
    line = copy.delimiter.join([written, written]) + b"\n"
    assert cut(copy, line) == [line]
    assert values(copy, line) == [value, value]
