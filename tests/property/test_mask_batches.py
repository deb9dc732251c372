"""Whole columns at once give, byte for byte, what going value by value gives."""

import pytest
import re2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doorward_core.mask import emails, many, transforms
from doorward_core.mask.detect import Detectors
from doorward_core.mask.patterns import DETECTORS
from doorward_core.model import Transform
from doorward_postgres import copy_batch, scan
from doorward_postgres.cells import Column, cell
from doorward_postgres.copy_formats import CopyFormat, copy_format, decode, encode, split
from doorward_postgres.copy_rows import CopyMasker
from doorward_postgres.rows import ColumnPlan, RowMasker, RowPlan, Verdict
from doorward_postgres.wire_decode import decode_data_row
from doorward_postgres.wire_encode import encode_copy_data, encode_data_row

KEY = b"k" * 32
MARKS = st.sampled_from(
    [b"@", b".", b'"', b"a", b"B", b"1", b" ", b"-", b"+", b"\\", b"\t", b",", b"|", b"\n", b"\xc3\xa9", b"\xff", b"\0"]
)
FOUND = st.sampled_from(
    [
        b"jane@a.com",
        b"joe.x@b.co.uk",
        b'"j d"@x.org',
        b"4111 1111 1111 1111",
        b"DE89370400440532013000",
        b"\\N",
        b"NULL",
    ]
)
texts = st.lists(MARKS | FOUND | st.binary(max_size=3), max_size=12).map(b"".join)
values = st.none() | FOUND | texts


@given(st.lists(texts, max_size=8), st.sampled_from(["email", "pii", "card", "iban", "phone"]))
def test_many_partials_are_what_each_alone_becomes(given_values: list[bytes], label: str) -> None:
    assert many.partials(given_values, label) == [
        transforms.partial(value.decode("utf-8", "surrogateescape"), label).encode("utf-8", "replace")
        for value in given_values
    ]


@given(st.lists(MARKS, max_size=40).map(b"".join))
@settings(max_examples=1000)
def test_addresses_are_found_where_the_pattern_finds_them(text: bytes) -> None:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    pattern = re2.compile(DETECTORS["email"].exact, options)
    found = emails.find(text)
    assert found is None or found == [match.span() for match in pattern.finditer(text)]
    assert (found is None) == (b'"@' in text)


@pytest.fixture(params=[True, False], ids=["columns", "fields"])
def crowded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether batches are searched by whole columns, however little is in them."""
    monkeypatch.setattr(scan.FrameScanner, "crowded", lambda *_args: request.param)
    return bool(request.param)


@st.composite
def plans(draw: st.DrawFn) -> tuple[tuple[ColumnPlan, ...], tuple[str, ...]]:
    verdicts = draw(st.lists(st.sampled_from([Verdict.CLEAR, Verdict.MASK]), min_size=1, max_size=4))
    columns = tuple(
        ColumnPlan(
            f"c{place}", verdict, draw(st.sampled_from([25, 1043, 114, 1009, 2950, 23])), draw(st.sampled_from([-1, 9])), 0,
            draw(st.sampled_from(list(Transform))), draw(st.sampled_from(["email", "pii"])),
        )
        for place, verdict in enumerate(verdicts)
    )  # fmt: skip
    return columns, draw(st.sampled_from([(), ("email",), ("email", "card", "iban")]))


@given(plans(), st.data())
@settings(max_examples=200)
def test_masked_columns_are_what_each_value_alone_becomes(plan: tuple, data: st.DataObject) -> None:
    columns, _ = plan
    rows = data.draw(st.lists(st.tuples(*[values] * len(columns)), max_size=5))
    cells = [cell(Column(one.type_oid, 0, one.typmod), one.transform, one.label, KEY) for one in columns]
    expected = []
    for row in rows:
        new = []
        for value, made, one in zip(row, cells, columns, strict=True):
            if value is None or one.verdict is Verdict.CLEAR:
                new.append(value)
            else:
                new.append(made.replace(value) if made.replace else made.constant)
        expected.append(tuple(new))
    sent = b"".join(map(encode_data_row, rows))
    out = bytes(RowMasker(RowPlan(columns), KEY).rows(sent, 0, len(sent)))
    assert [decode_data_row(message) for message in bodies(out)] == expected


def bodies(data: bytes) -> list[bytes]:
    found, position = [], 0
    while position < len(data):
        end = position + 1 + int.from_bytes(data[position + 1 : position + 5], "big")
        found.append(data[position + 5 : end])
        position = end
    return found


@given(plans(), st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_searching_columns_is_searching_row_by_row(crowded: bool, plan: tuple, data: st.DataObject) -> None:
    columns, detect = plan
    rows = data.draw(st.lists(st.tuples(*[values] * len(columns)), min_size=1, max_size=6))
    row_plan = RowPlan(columns, Detectors(detect) if detect else None)
    messages = [encode_data_row(row) for row in rows]
    sent = b"".join(messages)
    at_once, one_by_one = RowMasker(row_plan, KEY), RowMasker(row_plan, KEY)
    out = bytes(at_once.rows(sent, 0, len(sent)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan.FrameScanner, "crowded", lambda *_args: False)
        assert out == b"".join(one_by_one.feed_row(message[5:]) for message in messages)
    assert at_once.masked == one_by_one.masked


FORMATS = [
    copy_format("text"), copy_format("text", delimiter="|", null="none"), copy_format("text", delimiter=" "),
    copy_format("csv"), copy_format("csv", delimiter=";", quote="'"), copy_format("csv", escape="\\", null="NULL"),
    copy_format("csv", header=True),
]  # fmt: skip


LINES = st.lists(
    st.sampled_from([b'"', b"'", b",", b";", b"|", b"\t", b"\\", b"a", b"\0", b'""', b'","', b'"a"']), max_size=12
).map(b"".join)


@given(st.sampled_from(FORMATS), st.lists(LINES, min_size=1, max_size=4), st.integers(1, 4))
@settings(max_examples=1000)
def test_fields_split_at_once_are_those_split_line_by_line(copy: CopyFormat, lines: list[bytes], count: int) -> None:
    """Of any line, well formed or not: they are given up, or they are the same."""
    found = copy_batch.fields(copy, lines, count)
    if found is not None and copy_batch.whole(copy, lines):
        assert found == [field for line in lines for field in split(copy, line)]
        assert len(found) == count * len(lines)
        assert copy_batch.joined(copy, found, count) == lines
        assert copy_batch.decoded(copy, found) == [decode(copy, field) for field in found]


@given(st.sampled_from(FORMATS), plans(), st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_copy_line_by_line_is_copy_in_one_piece(
    crowded: bool, copy: CopyFormat, plan: tuple, data: st.DataObject
) -> None:
    columns, detect = plan
    rows = data.draw(st.lists(st.tuples(*[values] * len(columns)), min_size=1, max_size=6))
    lines = [copy.delimiter.join(encode(copy, value) for value in row) + b"\n" for row in rows]
    row_plan = RowPlan(columns, Detectors(detect) if detect else None)
    by_line, in_one = CopyMasker(row_plan, KEY, copy), CopyMasker(row_plan, KEY, copy)
    torn = [piece + b"\n" for piece in b"".join(lines).split(b"\n")[:-1]]  # a value of CSV may hold a newline
    sent = b"".join(map(encode_copy_data, torn if data.draw(st.booleans()) else lines))
    out = bodies(bytes(by_line.messages(sent, 0, len(sent))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan.FrameScanner, "crowded", lambda *_args: False)
        # One message that ends within a line is for the careful way alone.
        first = encode_copy_data(b"".join(lines)[:-1])
        careful = bodies(bytes(in_one.messages(first, 0, len(first))))
        last = encode_copy_data(b"\n")
        careful += bodies(bytes(in_one.messages(last, 0, len(last))))
    if row_plan.untouched:
        out, careful = [b"".join(out)], [b"".join(careful)]
    assert out == careful
    assert by_line.masked == in_one.masked


@given(plans(), st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_binary_copy_row_by_row_is_copy_in_one_piece(crowded: bool, plan: tuple, data: st.DataObject) -> None:
    columns, detect = plan
    rows = data.draw(st.lists(st.tuples(*[values] * len(columns)), min_size=1, max_size=6))
    pieces = [b"PGCOPY\n\xff\r\n\0" + bytes(8), *(encode_data_row(row)[5:] for row in rows), b"\xff\xff"]
    row_plan, copy = RowPlan(columns, Detectors(detect) if detect else None), copy_format("binary")
    by_row, in_one = CopyMasker(row_plan, KEY, copy), CopyMasker(row_plan, KEY, copy)
    out = b""
    for some in (pieces[:1], pieces[1:-1], pieces[-1:]):
        sent = b"".join(map(encode_copy_data, some))
        out += b"".join(bodies(bytes(by_row.messages(sent, 0, len(sent)))))
    by_row.finish()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan.FrameScanner, "crowded", lambda *_args: False)
        whole = encode_copy_data(b"".join(pieces))
        assert out == b"".join(bodies(bytes(in_one.messages(whole, 0, len(whole)))))
    assert by_row.masked == in_one.masked
