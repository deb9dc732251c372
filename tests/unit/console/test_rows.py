"""What a client saw, from recorded bytes: whole rows, and nothing of what was cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward_console.rows import aligned, cell, copy_text, data_rows, text_of


def _row(*cells: bytes | None) -> bytes:
    body = len(cells).to_bytes(2, "big")
    for value in cells:
        body += b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4, "big") + value
    return b"D" + (len(body) + 4).to_bytes(4, "big") + body


def test_rows_read_back():
    assert list(data_rows(_row(b"1", None) + _row(b"", "ä".encode()))) == [("1", None), ("", "ä")]


@given(cut=st.integers(0, 60))
def test_what_is_cut_is_left_out(cut):
    data = _row(b"1", b"two") + _row(b"3", b"four") + _row(None, None)
    whole = list(data_rows(data))
    assert list(data_rows(data[:cut])) == whole[: len(list(data_rows(data[:cut])))]


@given(st.binary(max_size=200))
def test_garbage_is_no_rows_and_no_error(data):
    assert all(isinstance(row, tuple) for row in data_rows(data))
    assert isinstance(copy_text(data), str)


def test_a_row_that_contradicts_its_length_ends_the_reading():
    lying = b"D" + (12).to_bytes(4, "big") + (9).to_bytes(2, "big") + b"\0\0\0\1xx"
    assert list(data_rows(_row(b"1") + lying)) == [("1",)]


@pytest.mark.parametrize(("value", "read"), [(b"x", "x"), (b"\0\0\0\1", "\\x00000001"), (b"\xff", "\\xff"), (b"", "")])
def test_what_is_not_text_is_hexadecimal(value, read):
    assert cell(value) == read


def test_copy_data_is_put_together():
    data = b"".join(b"d" + (len(part) + 4).to_bytes(4, "big") + part for part in (b"1\ta", b"\n2\t", b"b\n"))
    assert copy_text(data) == "1\ta\n2\tb\n"


def test_a_character_that_was_cut_is_left_out():
    assert text_of("ä".encode()[:1]) == ""


def test_columns_are_as_wide_as_they_must_be():
    assert aligned(["id", "n"], [["1", "long"], ["22", ""]]) == ["id | n", "---+-----", "1  | long", "22 |"]
