"""Entries read at speed: the same values and the same refusals as those of `strict`, whatever came before."""

import pytest

from doorward_core.record import quick, strict
from doorward_core.record.encode import encode

GOOD = {
    "at": 5,
    "commit": b"",
    "head": {"act": [], "rows": 1, "seq": 7, "subject": "crew-7", "verb": "SELECT"},
    "index": 7,
    "key": b"",
    "kind": "operation.decided",
    "op": bytes(range(16)),
    "origin": "gateway.example",
    "part": [0, 1],
    "payload": b"",
    "session": bytes(16),
    "v": 1,
}
NUMBERS = [0, 1, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**64 - 1]


def outcome(read, data: bytes) -> object:
    try:
        found = read(data)
    except strict.StrictError as error:
        return str(error)
    if isinstance(found, strict.Strict):
        return found, sorted((key, repr(value)) for key, value in found.head.items())
    return found


def same(data: bytes) -> None:
    assert outcome(quick.entry, data) == outcome(strict.entry, data)


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "_headers", quick.Maps(strict.MAX_DEPTH - 1))
    monkeypatch.setattr(quick, "_bodies", quick.Maps(strict.MAX_DEPTH))


def test_entries_like_those_before_are_not_read_by_strict_again(monkeypatch):
    for seq in range(3):
        quick.entry(encode(GOOD | {"head": GOOD["head"] | {"seq": seq}}))
    monkeypatch.setattr(strict, "entry", None)
    monkeypatch.setattr(strict, "read_map", None)
    for number in NUMBERS:
        found = quick.entry(encode(GOOD | {"index": number, "at": number, "head": GOOD["head"] | {"seq": number}}))
        assert (found.index, found.at, found.head["seq"]) == (number, number, number)
        assert found.head["subject"] == "crew-7"


@pytest.mark.parametrize("number", NUMBERS)
def test_integers_have_one_spelling(number):
    data = encode(GOOD | {"at": number})
    same(data)
    spelled = encode(number)
    for tag, width in ((b"\xcc", 1), (b"\xcd", 2), (b"\xce", 4), (b"\xcf", 8)):
        if len(spelled) <= width and number < 256**width:
            longer = data.replace(b"\xa2at" + spelled, b"\xa2at" + tag + number.to_bytes(width, "big"), 1)
            same(longer)
            with pytest.raises(strict.StrictError):
                quick.entry(longer)


@pytest.mark.parametrize(
    "change",
    [
        {}, {"head": {}}, {"head": {"x": {"y": [1, "z"]}}}, {"head": {str(n).zfill(3): n for n in range(70)}},
        {"head": {"x": "y" * 9_000}}, {"head": {"x": "y" * 15_000}}, {"head": []}, {"kind": "nodot"}, {"kind": "a." + "b" * 40},
        {"origin": "ä.example"}, {"origin": "o" * 40}, {"origin": ""}, {"origin": 3}, {"op": b""}, {"op": bytes(8)},
        {"key": bytes(16)}, {"key": bytes(16), "payload": bytes(80), "commit": bytes(32)}, {"commit": bytes(31)},
        {"payload": bytes(300), "commit": bytes(32)}, {"payload": bytes(255), "commit": bytes(32)}, {"payload": bytes(64)},
        {"part": [1, 2], "head": {}, "payload": bytes(10)}, {"part": [0, 0]}, {"part": [0, 1, 2]}, {"part": [0, 300]},
        {"session": b""}, {"session": bytes(17)}, {"v": 2}, {"v": True}, {"extra": 1}, {"index": -1},
    ],
)  # fmt: skip
def test_every_entry_is_what_strict_says_of_it(change):
    for _ in range(3):  # the third time its shape is known
        same(encode(GOOD))
        same(encode(GOOD | change))


def test_every_changed_byte_and_every_cut_is_what_strict_says_of_it():
    for seq in (1, 300):
        quick.entry(encode(GOOD | {"head": GOOD["head"] | {"seq": seq}}))
    data = encode(GOOD)
    for at in range(len(data)):
        same(data[:at])
        for byte in (0, data[at] ^ 1, data[at] ^ 0x80, 0xA0, 0xC1, 0xCC, 0xFF):
            same(data[:at] + bytes((byte,)) + data[at + 1 :])
    same(data + b"\0")


BODIES = [
    b"", b"\xc0", b"\x80", b"\x81\xa1a", b"\x81\xa1a\x01", b"\x81\xa1a\x01\x00", b"\x82\xa1a\x01\xa1a\x01", b"\x90", b"\x01",
    b"\x82\xa1b\x01\xa1a\x01", b"\x81\xa1a\xcb" + bytes(8), b"\x81\xa1a\xcc\x01", b"\xde\x00\x01\xa1a\x01", b"\x81\x01\x01",
    b"\x81\xa1a" * 15 + b"\x01", b"\x81\xa1a" * 16 + b"\x01", b"\x81\xa1a" * 17 + b"\x01", b"\xdf\x00\x01\x00\x00",
    encode({str(n).zfill(2): n for n in range(20)}), encode({"a": {"b": None}, "c": True}), b"\x81\xa2\xff\xfe\x01",
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
def test_a_body_is_a_map_where_strict_says_so(body):
    def decoded(data: bytes) -> bool:
        return isinstance(strict.decode(data), dict)

    for _ in range(3):
        assert outcome(quick.is_map, body) == outcome(decoded, body)


def test_a_shape_is_of_its_depth():
    """A value that is deep enough below a header would be too deep below another map."""
    deep: object = 1
    for _ in range(strict.MAX_DEPTH - 2):
        deep = [deep]
    shallow, deeper = encode({"a": deep, "b": 1}), encode({"a": [deep], "b": 1})
    headers, bodies = quick.Maps(strict.MAX_DEPTH - 1), quick.Maps(strict.MAX_DEPTH)
    for number in (1, 2, 3):
        assert headers.read(encode({"a": deep, "b": number}), 0)[1] == len(shallow)
        assert bodies.read(encode({"a": [deep], "b": number}), 0)[1] == len(deeper)
        with pytest.raises(strict.StrictError):
            headers.read(encode({"a": [deep], "b": number}), 0)


def test_what_is_remembered_is_bounded():
    maps = quick.Maps(strict.MAX_DEPTH)
    for number in range(2_000):
        data = encode({f"k{number}": number, "x": [number]})
        for _ in range(2):
            assert maps.read(data, 0) == ({f"k{number}": number, "x": [number]}, len(data))
    assert sum(map(len, maps._shapes.values())) <= quick._SHAPES
