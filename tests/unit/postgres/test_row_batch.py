"""Columns cut out of DataRow messages and put back."""

import struct

import pytest

from doorward_core.errors import UpstreamProtocolError
from doorward_postgres.row_batch import WORDS, Heads, cut
from doorward_postgres.wire_encode import encode_data_row

ROWS = [
    [b"1", None, b"three", b""],
    [b"", b"two" * 100, None, b"4"],
    [None, None, None, None],
    [b"\0", b"\n", b"c", b"d"],
]
DATA = b"".join(map(encode_data_row, ROWS))


@pytest.mark.parametrize("places", [[0], [3], [1], [0, 1], [1, 3], [0, 2, 3], [0, 1, 2, 3]])
def test_what_is_cut_and_put_back_is_the_same(places: list[int]) -> None:
    batch = cut(b"xx" + DATA + b"y", 2, 2 + len(DATA), places, 4)
    assert batch.values == [[row[place] for row in ROWS] for place in places]
    assert batch.joined(batch.values, Heads(4)) == DATA


def test_other_values_are_framed_anew() -> None:
    batch = cut(DATA, 0, len(DATA), [1], 4)
    new = [b"a", None, b"b" * 70_000, b""]
    rows = [[row[0], value, *row[2:]] for row, value in zip(ROWS, new, strict=True)]
    assert batch.joined([new], Heads(4)) == b"".join(map(encode_data_row, rows))


def test_headers_of_long_values_are_not_kept() -> None:
    heads = Heads(1)
    assert heads[1 << 20] == b"D" + struct.pack("!IH", (1 << 20) + 6, 1)
    assert WORDS[1 << 20] == struct.pack("!I", 1 << 20)
    assert not heads
    assert 1 << 20 not in WORDS


GOOD = encode_data_row([b"a", b"b"])
LIES = {
    "fewer fields": encode_data_row([b"a"]),
    "a negative length": GOOD.replace(b"\0\0\0\1b", b"\xff\xff\xff\xfeb"),
    "a negative length before": GOOD.replace(b"\0\0\0\1a", b"\xff\xff\xff\xfea"),
    "a field beyond its row": GOOD.replace(b"\0\0\0\1b", b"\0\0\0\2b") + GOOD,
    "a row that is too long": GOOD[:4] + bytes((GOOD[4] + 1,)) + GOOD[5:] + b"x",
    "a row beyond the buffer": GOOD[:-1],
    "a row of no length": b"D\0\0\0\0\0\2" + GOOD,
    "another message": b"C" + GOOD[1:],
    "half a header": GOOD + GOOD[:4],
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("places", [[0], [1], [0, 1]])
def test_a_lie_is_refused(lie: str, places: list[int]) -> None:
    with pytest.raises((UpstreamProtocolError, struct.error)):
        cut(LIES[lie], 0, len(LIES[lie]), places, 2)
