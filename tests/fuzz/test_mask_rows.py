"""Garbage from a target gives masked rows or UpstreamProtocolError, and nothing else."""

import contextlib
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doorward_core.errors import UpstreamProtocolError
from doorward_core.mask.detect import Detectors
from doorward_core.mask.patterns import DETECTORS
from doorward_core.model import Transform
from doorward_postgres import types
from doorward_postgres.copy_formats import copy_format
from doorward_postgres.copy_rows import CopyMasker
from doorward_postgres.rows import ColumnPlan, RowMasker, RowPlan, Verdict
from doorward_postgres.wire_encode import encode_copy_data, encode_data_row

KEY = b"k" * 32
OIDS = sorted({*types._FAMILIES, *types._ARRAYS, 0, 2249})


def row_plan(detect: bool, verdict: Verdict, oid: int, fmt: int, transform: Transform) -> RowPlan:
    columns = (
        ColumnPlan("a", verdict, oid, -1, fmt, transform, "pii"),
        ColumnPlan("b", Verdict.CLEAR, oid, -1, fmt),
    )
    return RowPlan(columns, Detectors(DETECTORS) if detect else None)


plans = st.builds(
    row_plan,
    st.booleans(),
    st.sampled_from(list(Verdict)),
    st.sampled_from(OIDS),
    st.sampled_from([0, 1]),
    st.sampled_from(list(Transform)),
)


@given(plans, st.binary(max_size=200))
@settings(max_examples=300)
def test_garbage_as_rows(plan: RowPlan, data: bytes) -> None:
    with contextlib.suppress(UpstreamProtocolError):
        RowMasker(plan, KEY).rows(data, 0, len(data))


@given(plans, st.lists(st.tuples(st.binary(max_size=60), st.binary(max_size=60)), min_size=1, max_size=4), st.data())
@settings(max_examples=300)
def test_rows_with_one_byte_changed(plan: RowPlan, rows, data) -> None:
    message = bytearray(b"".join(map(encode_data_row, rows)))
    message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(UpstreamProtocolError):
        RowMasker(plan, KEY).rows(bytes(message), 0, len(message))


@given(plans, st.binary(max_size=80))
@settings(max_examples=300)
def test_garbage_as_a_value_of_every_type(plan: RowPlan, value: bytes) -> None:
    message = encode_data_row([value, value])
    out = bytes(RowMasker(plan, KEY).rows(message, 0, len(message)))
    assert struct.unpack_from("!I", out, 1)[0] + 1 == len(out)


@given(plans, st.sampled_from(["text", "csv", "binary"]), st.lists(st.binary(max_size=60), max_size=6))
@settings(max_examples=300)
def test_garbage_as_copy(plan: RowPlan, kind: str, pieces: list[bytes]) -> None:
    masker = CopyMasker(plan, KEY, copy_format(kind))
    with contextlib.suppress(UpstreamProtocolError):
        for piece in pieces:
            message = encode_copy_data(piece)
            masker.messages(message, 0, len(message))
        masker.finish()


@given(plans, st.binary(max_size=60))
def test_garbage_as_copy_frames(plan: RowPlan, data: bytes) -> None:
    with contextlib.suppress(UpstreamProtocolError):
        CopyMasker(plan, KEY, copy_format("text")).messages(data, 0, len(data))


@pytest.mark.parametrize("seed", range(5))
def test_long_garbage_is_searched_in_bounded_false_alarms(seed: int) -> None:
    """Text made of the very characters that patterns look for: every detector gives in, none goes on for ever."""
    source = random.Random(seed)  # deterministic
    text = "".join(source.choices('DE0123456789 +-.@aX(){}"\\', k=60_000)).encode()
    spans = Detectors(DETECTORS).spans(text)
    assert spans == sorted(spans)
