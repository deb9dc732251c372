"""For every row: masked output never holds the secret, batches never change it, and it always parses."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from doorward_core.mask.detect import Detectors
from doorward_core.model import Transform
from doorward_postgres import types
from doorward_postgres.copy_formats import copy_format, cutter, decode, encode, split
from doorward_postgres.copy_rows import CopyMasker
from doorward_postgres.rows import ColumnPlan, RowMasker, RowPlan, Verdict
from doorward_postgres.wire_decode import decode_data_row
from doorward_postgres.wire_encode import encode_copy_data, encode_data_row

KEY = b"k" * 32
SECRET = b"Xq7SECRETz9"  # nothing that a mask makes holds it, and partial shows at most its first letter
NAMES = ("email", "card", "iban", "phone")
OIDS = sorted({*types._FAMILIES, *types._ARRAYS, 0, 2249, 16_400, 3904})
ARRAYS = [b"{Xq7SECRETz9,NULL}", b'{"Xq7SECRETz9"}', b"{{Xq7SECRETz9}}"]

secrets = st.builds(lambda a, b: a + SECRET + b, st.binary(max_size=20), st.binary(max_size=20)) | st.sampled_from(
    ARRAYS
)
harmless = st.none() | st.binary(max_size=70).filter(lambda value: SECRET not in value)
emails = st.sampled_from(
    [b"to jane@secret.com!", b"joe@secret.org", b"4111 1111 1111 1111", b"x" * 49 + b"jane@secret.com"]
)


def rows_of(data: bytes) -> list[tuple[bytes | None, ...]]:
    found, position = [], 0
    while position < len(data):
        (length,) = struct.unpack_from("!I", data, position + 1)
        assert data[position] == 0x44
        found.append(decode_data_row(data[position + 5 : position + 1 + length]))
        position += 1 + length
    assert position == len(data)
    return found


@st.composite
def results(draw) -> tuple[RowPlan, list[list[bytes | None]]]:
    """A plan with at least one masked column, and rows that hold the secret in masked columns only."""
    owed = draw(st.lists(st.booleans(), min_size=1, max_size=6).filter(any))
    columns = [
        ColumnPlan(
            f"c{place}",
            draw(st.sampled_from([Verdict.MASK, Verdict.WHOLE])) if one else Verdict.CLEAR,
            draw(st.sampled_from(OIDS)),
            draw(st.sampled_from([-1, 5, 12, 100, ((10 << 16) | 2) + 4])),
            draw(st.sampled_from([0, 1])),
            draw(st.sampled_from(list(Transform))),
            draw(st.sampled_from(["pii", "email", "card", "unproved"])),
        )
        for place, one in enumerate(owed)
    ]
    detect = draw(st.sampled_from([(), NAMES]))
    rows = draw(st.lists(st.tuples(*[st.none() | secrets if one else harmless for one in owed]).map(list), max_size=8))
    return RowPlan(tuple(columns), Detectors(detect) if detect else None), rows


@given(results())
@settings(max_examples=300)
def test_a_secret_in_a_masked_column_never_leaves_and_rows_parse(result) -> None:
    plan, rows = result
    data = b"".join(map(encode_data_row, rows))
    masker = RowMasker(plan, KEY)
    out = bytes(masker.rows(data, 0, len(data)))
    assert SECRET not in out
    found = rows_of(out)
    assert len(found) == len(rows)
    for row, given_row in zip(found, rows, strict=True):
        assert len(row) == len(plan.columns)
        for column, value, was in zip(plan.columns, row, given_row, strict=True):
            if was is None:
                assert value is None
            elif column.verdict is Verdict.CLEAR and plan.detectors is None:
                assert value == was
    owed = [column.verdict is not Verdict.CLEAR for column in plan.columns]
    hidden = sum(value is not None for row in rows for value, one in zip(row, owed, strict=True) if one)
    assert sum(masker.masked.values()) >= hidden


@given(results(), st.data())
@settings(max_examples=200)
def test_how_rows_are_cut_into_batches_never_changes_what_comes_out(result, data) -> None:
    plan, rows = result
    messages = [encode_data_row(row) for row in rows]
    whole = b"".join(messages)
    at_once = RowMasker(plan, KEY)
    expected = bytes(at_once.rows(whole, 0, len(whole)))
    one_by_one = RowMasker(plan, KEY)
    out, position = b"", 0
    for message in messages:
        if data.draw(st.booleans()):
            out += one_by_one.feed_row(message[5:])
        else:
            out += bytes(one_by_one.rows(whole, position, position + len(message)))
        position += len(message)
    assert out == expected
    assert one_by_one.masked == at_once.masked


@given(st.lists(st.tuples(harmless, emails, harmless), min_size=1, max_size=20))
def test_what_detectors_find_is_gone_and_its_neighbours_are_untouched(rows) -> None:
    plan = RowPlan(
        tuple(ColumnPlan(f"c{place}", Verdict.CLEAR, oid, -1, 0) for place, oid in enumerate((2950, 25, 2950))),
        Detectors(["email", "card"]),
    )
    data = b"".join(map(encode_data_row, rows))
    found = rows_of(bytes(RowMasker(plan, KEY).rows(data, 0, len(data))))
    for row, was in zip(found, rows, strict=True):
        assert (row[0], row[2]) == (was[0], was[2])
        assert row[1] is not None
        assert b"secret" not in row[1]
        assert b"4111 1111" not in row[1]


FORMATS = [
    copy_format("text"), copy_format("text", delimiter="|", null="none"), copy_format("csv"),
    copy_format("csv", delimiter=";", quote="'"), copy_format("csv", escape="\\", null="NULL"),
]  # fmt: skip
VALUES = st.none() | st.binary(max_size=30) | st.sampled_from([b"\\N", b"NULL", b"", b'"', b"\n", b"a\\", b",;|\t"])


@given(st.sampled_from(FORMATS), VALUES)
def test_a_copy_field_reads_back(copy, value) -> None:
    line = copy.delimiter.join([encode(copy, value)] * 3) + b"\n"
    (row,) = cutter(copy).cut(line)
    assert row == line
    assert [decode(copy, item) for item in split(copy, row)] == [
        copy.null if value is None and copy.kind == "text" and copy.null != b"\\N" else value
    ] * 3


@given(
    st.sampled_from([*FORMATS, copy_format("binary")]),
    st.lists(st.tuples(harmless, secrets, st.sampled_from([b"jane@a.com", b"plain", None])), max_size=6),
    st.lists(st.integers(1, 40), max_size=30),
)
@settings(max_examples=300)
def test_copy_hides_the_secret_however_it_is_cut(copy, rows, sizes) -> None:
    plan = RowPlan(
        tuple(
            ColumnPlan(f"c{place}", verdict, 25, -1, 0, Transform.REDACT, "pii")
            for place, verdict in enumerate((Verdict.CLEAR, Verdict.MASK, Verdict.CLEAR))
        ),
        Detectors(["email"]),
    )
    if copy.kind == "binary":
        pieces = [encode_data_row(row)[5:] for row in rows]
        data = b"".join([b"PGCOPY\n\xff\r\n\0" + bytes(8), *pieces, b"\xff\xff"])
    else:
        data = b"".join(copy.delimiter.join(encode(copy, value) for value in row) + b"\n" for row in rows)

    def run(cuts: list[int]) -> tuple[bytes, dict[str, int]]:
        masker, out, position = CopyMasker(plan, KEY, copy), b"", 0
        for size in [*cuts, len(data)]:
            message = encode_copy_data(data[position : position + size])
            out += unframed(bytes(masker.messages(message, 0, len(message))))
            position += size
        masker.finish()
        return out, masker.masked

    whole, counts = run([])
    assert SECRET not in whole
    assert run(sizes) == (whole, counts)
    found = (
        [[decode(copy, item) for item in split(copy, row)] for row in cutter(copy).cut(whole)]
        if copy.kind != "binary"
        else []
    )
    assert len(found) == (len(rows) if copy.kind != "binary" else 0)
    assert all(row[1] == b"[masked:pii]" for row in found)


def unframed(data: bytes) -> bytes:
    out, position = [], 0
    while position < len(data):
        (length,) = struct.unpack_from("!I", data, position + 1)
        out.append(data[position + 5 : position + 1 + length])
        position += 1 + length
    return b"".join(out)
