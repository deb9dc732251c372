"""The verifier's own reading: against the vectors, against the writer's, and rule by rule."""

import pytest

from doorward_core.record import entry, strict
from doorward_core.record.encode import encode


def test_the_canonical_vectors_read_the_same(vectors):
    cases = vectors("canonical.json")
    for case in cases["good"]:
        value = bytes.fromhex(case["bytes"]) if "bytes" in case else case["json"]
        assert strict.decode(bytes.fromhex(case["hex"])) == value, case
    for case in cases["bad"]:
        with pytest.raises(strict.StrictError):
            strict.decode(bytes.fromhex(case["hex"]))


def test_the_entry_vectors_satisfy_every_rule(vectors):
    for case in vectors("entries.json"):
        for data in case["entries"]:
            item = strict.entry(bytes.fromhex(data))
            assert item.head == case["fields"]["head"]
            if item.payload:
                strict.payload(item, item.payload)


GOOD = {
    "at": 5,
    "commit": b"",
    "head": {"verb": "SELECT"},
    "index": 7,
    "key": b"",
    "kind": "operation.decided",
    "op": b"",
    "origin": "gateway.example",
    "part": [0, 1],
    "payload": b"",
    "session": bytes(16),
    "v": 1,
}


def test_the_map_of_the_specification_is_what_the_builder_joins():
    assert strict.entry(encode(GOOD)).index == 7
    head = encode(GOOD["head"])
    made = entry.Builder("gateway.example").event(7, 5, "operation.decided", bytes(16), b"", head=head)
    assert made == [encode(GOOD)]


@pytest.mark.parametrize(
    "change",
    [
        {"at": -1},
        {"at": "5"},
        {"commit": bytes(31)},
        {"commit": bytes(32)},
        {"payload": bytes(64)},
        {"head": []},
        {"head": None},
        {"head": {"x": "y" * 15_000}},
        {"index": None},
        {"key": bytes(16)},
        {"key": bytes(15), "payload": bytes(80), "commit": bytes(32)},
        {"kind": "nodot"},
        {"kind": "Upper.case"},
        {"kind": "a..b"},
        {"kind": "a.b\n"},
        {"kind": "a." + "b" * 63},
        {"kind": b"a.b"},
        {"op": bytes(8)},
        {"origin": 3},
        {"part": [1, 1]},
        {"part": [0, 0]},
        {"part": [0, 2]},
        {"part": [1, 2]},
        {"part": [1, 2], "head": {}, "payload": b""},
        {"part": [1, 2], "head": {}, "payload": bytes(49_153)},
        {"part": [0, 1, 2]},
        {"part": 1},
        {"session": bytes(17)},
        {"v": 2},
        {"v": True},
        {"v": 0},
        {"extra": 1},
    ],
)
def test_an_entry_that_breaks_a_rule_is_refused(change):
    with pytest.raises(strict.StrictError):
        strict.entry(encode(GOOD | change))


def test_a_missing_field_is_refused():
    for name in GOOD:
        with pytest.raises(strict.StrictError):
            strict.entry(encode({key: value for key, value in GOOD.items() if key != name}))


def test_every_truncation_and_every_longer_entry_is_refused():
    data = encode(GOOD)
    for cut in range(len(data)):
        with pytest.raises(strict.StrictError):
            strict.entry(data[:cut])
    for bad in (data + b"\x00", data * 600):
        with pytest.raises(strict.StrictError):
            strict.entry(bad)


def test_a_payload_is_checked_against_its_commitment_without_any_key():
    body, salt = encode({"text": "x"}), bytes(range(32))
    blob, commit = entry.frame(salt, body), entry.commitment(salt, body)
    item = strict.entry(encode(GOOD | {"commit": commit, "payload": blob}))
    strict.payload(item, blob)
    for bad in (blob + bytes(64), blob[:-64], blob[:-1] + b"\x01", bytes(64), b"\x01" + blob[1:], blob[:-1]):
        with pytest.raises(strict.StrictError):
            strict.payload(item, bad)
    sealed = strict.entry(encode(GOOD | {"commit": commit, "payload": bytes(80), "key": bytes(16)}))
    strict.payload(sealed, bytes(80))
    for length in (0, 16, 64, 81):
        with pytest.raises(strict.StrictError):
            strict.payload(sealed, bytes(length))


def test_a_body_that_is_no_map_is_refused():
    body = encode([1])
    commit = entry.commitment(bytes(32), body)
    item = strict.entry(encode(GOOD | {"commit": commit, "payload": entry.frame(bytes(32), body)}))
    with pytest.raises(strict.StrictError, match="no map"):
        strict.payload(item, item.payload)
