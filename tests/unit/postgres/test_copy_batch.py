"""Lines and columns of COPY at once, and what is left to the careful way."""

import pytest

from doorward_postgres import copy_batch, copy_formats
from doorward_postgres.copy_formats import copy_format
from doorward_postgres.wire_encode import encode_copy_data

TEXT, CSV = copy_format("text"), copy_format("csv")


def lines(*bodies: bytes) -> list[bytes] | None:
    data = b"".join(map(encode_copy_data, bodies))
    return copy_batch.lines(b"xx" + data + b"y", 2, 2 + len(data))


def test_a_line_in_each_message() -> None:
    assert lines(b"a\tb\n", b"\n", b"c" * 70_000 + b"\n") == [b"a\tb", b"", b"c" * 70_000]
    assert copy_batch.messages([b"a", b""]) == encode_copy_data(b"a\n") + encode_copy_data(b"\n")


@pytest.mark.parametrize("length", [2660 - 5, 10 - 5, 0x0A64 - 5 + 65_536])
def test_a_length_that_looks_like_the_end_of_a_line(length: int) -> None:
    """0x0A64 is a newline and the type of CopyData: what was cut there is no message, and is left to care."""
    body = b"a" * length + b"\n"
    assert lines(b"x\n", body, b"y\n") in ([b"x", body[:-1], b"y"], None)


@pytest.mark.parametrize(
    "bodies",
    [
        (b"a\nb\n",), (b"a",), (b"a\n", b"b"), (b"a", b"b\n"), (b"",), (b"a\n", b"", b"b\n"),
        (b"a\nd\0\0\0\6b\n",), (b"a\nd\0\0\0\7bb\n", b"c\n"), (b"a\nd",),
    ],
)  # fmt: skip
def test_what_is_no_line_in_each_message_is_given_up(bodies: tuple[bytes, ...]) -> None:
    found = lines(*bodies)
    assert found is None


def test_no_messages_and_others_are_given_up() -> None:
    assert copy_batch.lines(b"", 0, 0) is None
    assert copy_batch.lines(b"D\0\0\0\6a\n", 0, 7) is None


@pytest.mark.parametrize(
    ("copy", "rows", "fields"),
    [
        (TEXT, [b"a\tb", b"\\N\t"], [b"a", b"b", b"\\N", b""]),
        (TEXT, [b"a\\\tb\tc", b"d\te"], [b"a\\\tb", b"c", b"d", b"e"]),
        (TEXT, [b"a\\\\\tb", b"d\te\\"], [b"a\\\\", b"b", b"d", b"e\\"]),
        (TEXT, [b"a\tb\tc"], None),
        (TEXT, [b"a\tb", b"c"], None),
        (TEXT, [b"a\\\tb", b"c\td"], None),
        (CSV, [b"a,b", b",\\"], [b"a", b"b", b"", b"\\"]),
        (CSV, [b'"a,""b",c', b"d,e"], [b'"a,""b"', b"c", b"d", b"e"]),
        (CSV, [b'a"b,c', b'd,"e"'], [b'a"b', b"c", b"d", b'"e"']),
        (CSV, [b'"a"b,c'], None),
        (CSV, [b'"a,b'], None),
        (CSV, [b'"a\0",b'], [b'"a\0"', b"b"]),
        (copy_format("csv", escape="\\"), [b'"a\\",",b'], [b'"a\\","', b"b"]),
    ],
)
def test_fields(copy: copy_formats.CopyFormat, rows: list[bytes], fields: list[bytes] | None) -> None:
    found = copy_batch.fields(copy, rows, 2)
    assert found == fields
    if found is not None:
        assert copy_batch.joined(copy, found, 2) == rows


@pytest.mark.parametrize(
    "copy", [TEXT, CSV, copy_format("text", delimiter="|", null="none"), copy_format("csv", null="x")]
)
@pytest.mark.parametrize(
    "values", [[b"a", b"b"], [b"a", None], [b"\t", b"a"], [b'"', None], [b"\\", b"|"], [b"", b","], [b"x", b"none"]]
)
def test_values_are_written_and_read_as_each_alone(copy: copy_formats.CopyFormat, values: list[bytes | None]) -> None:
    written = copy_batch.encoded(copy, values)
    assert written == [copy_formats.encode(copy, value) for value in values]
    assert copy_batch.decoded(copy, written) == [copy_formats.decode(copy, one) for one in written]
