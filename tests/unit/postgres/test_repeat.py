"""Which chunks come apart, and into what; which answers are the one seen before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward_postgres import wire_encode as enc
from doorward_postgres.repeat import MAX_CHUNK_BYTES, MAX_VALUES, Answer, split
from doorward_postgres.wire_decode import Bind, Field

FIELDS = enc.encode_row_description((Field("n", 0, 0, 25, -1, -1, 0),))
ROW = enc.encode_data_row([b"value"])
END = enc.encode_execute() + enc.SYNC


def done(rows, status="I"):
    return enc.encode_command_complete(f"SELECT {rows}") + enc.encode_ready_for_query(status)


names = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)
values = st.lists(st.none() | st.binary(max_size=40), max_size=5).map(tuple)
formats = st.sampled_from(((), (0,), (1,)))
binds = st.builds(Bind, st.just(""), names, formats, values, formats)


@given(binds, st.sampled_from((END, enc.encode_describe("P") + END)))
def test_a_bind_comes_apart_into_its_values_and_the_rest(bind, behind):
    frame = enc.encode_bind(bind)
    shape = split(frame + behind)
    assert shape.values == bind.params
    assert shape.bound_bytes == len(frame)
    head, tail, _ = shape.key
    packed = b"".join(
        b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4, "big") + value for value in bind.params
    )
    assert frame[:5] + head + packed + tail == frame + behind


@given(binds, binds)
def test_equal_keys_mean_equal_in_everything_but_the_values(one, two):
    same = one.statement == two.statement and one.param_formats == two.param_formats
    same = same and one.result_formats == two.result_formats and len(one.params) == len(two.params)
    assert (split(enc.encode_bind(one) + END).key == split(enc.encode_bind(two) + END).key) == same


@given(st.binary(max_size=60) | st.builds(lambda tail: b"B\0\0\0" + tail + enc.SYNC, st.binary(max_size=40)))
def test_garbage_comes_apart_or_does_not_and_that_is_all(chunk):
    split(chunk)


def test_a_length_that_ends_elsewhere_is_another_key():
    """The server would read the Bind to where its length says, whatever stands there."""
    frame = enc.encode_bind(Bind("", "s", (), (b"1",), ())) + END
    for wrong in (-2, -1, 1, 2, 9):
        length = int.from_bytes(frame[1:5], "big") + wrong
        other = split(frame[:1] + length.to_bytes(4, "big") + frame[5:])
        assert other is None or other.key != split(frame).key


@pytest.mark.parametrize(
    "chunk",
    [
        enc.SYNC,
        enc.encode_bind(Bind("named", "s", (), (), ())) + END,
        enc.encode_bind(Bind("", "s", (), (), ())),
        enc.encode_bind(Bind("", "s", (), (b"x",) * (MAX_VALUES + 1), ())) + END,
        enc.encode_bind(Bind("", "s", (), (bytes(MAX_CHUNK_BYTES),), ())) + END,
        enc.encode_query("select 1") + enc.SYNC,
        enc.encode_query("select 1")[:-1],
        b"B\x00\x00\x00\x0d\x00s\x00\x00\x00\x00\x01\xff\xff" + END,
        b"B\x00\x00\x00\x12\x00s\x00\x00\x00\x00\x01\xff\xff\xff\xfe\x00\x00\x00" + END,
    ],
)
def test_what_is_not_one_bind_or_one_query_does_not_come_apart(chunk):
    assert split(chunk) is None


def test_a_query_is_its_own_key():
    frame = enc.encode_query("select 1")
    assert split(frame).key[0] == frame
    assert split(frame).values == ()


@given(st.integers(0, 40))
def test_an_answer_is_known_by_all_but_its_rows(rows):
    answer = Answer.learned(FIELDS + ROW + done(1), 1)
    assert answer.rows(FIELDS + ROW * rows + done(rows)) == (rows, len(FIELDS), len(FIELDS) + rows * len(ROW))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        FIELDS,
        FIELDS + ROW,
        FIELDS + ROW + done(2),
        FIELDS + ROW + done(1, "T"),
        FIELDS + ROW + done(1) + enc.encode_ready_for_query("I"),
        FIELDS + ROW + done(1)[:-1],
        FIELDS + enc.encode_data_row([b"a", b"b"]) + done(1),
        enc.BIND_COMPLETE + FIELDS + ROW + done(1),
        FIELDS + b"D\x00\x00\x00\x05\x00\x00" + done(1),
        FIELDS + b"D\x00\x00\x00\x00\x00\x01" + ROW + done(2),
        FIELDS + b"D\x00\x00\xff\xff\x00\x01" + done(1),
        FIELDS + ROW + enc.encode_notice_response("NOTICE", "00000", "look") + done(1),
        FIELDS + ROW + enc.encode_command_complete("FETCH 1") + enc.encode_ready_for_query("I"),
        FIELDS + ROW + enc.encode_error_response("ERROR", "22012", "no") + enc.encode_ready_for_query("I"),
    ],
)
def test_any_other_answer_is_not_it(data):
    assert Answer.learned(FIELDS + ROW + done(1), 1).rows(data) is None
    assert Answer.learned(data, 1) is None or data.startswith(enc.BIND_COMPLETE)


def test_where_nothing_hangs_on_the_width_any_will_do():
    answer = Answer.learned(enc.BIND_COMPLETE + ROW + done(1), -1)
    assert answer.rows(enc.BIND_COMPLETE + enc.encode_data_row([b"a", b"b"]) + done(1)) is not None


def test_an_answer_with_another_description_of_the_same_length_is_another_answer():
    known = Answer.learned(FIELDS + ROW + done(1), 1)
    for name, table, number in (("m", 0, 0), ("n", 7, 0), ("n", 0, 3)):
        other = enc.encode_row_description((Field(name, table, number, 25, -1, -1, 0),))
        assert len(other) == len(FIELDS)
        assert known.rows(other + ROW + done(1)) is None
    assert known.rows(FIELDS + ROW + done(1)) is not None
