"""One bundle's findings, and the joining of parts across bundles."""

import pytest

from doorward_core.record import audit, entry, proof
from doorward_core.record.encode import encode

ORIGIN = "gateway.example/a"


def made(index, *, at=5, body=b"", kind="a.b"):
    commit = blob = b""
    if body:
        commit, blob = entry.commitment(bytes(32), body), entry.frame(bytes(32), body)
    return entry.Builder(ORIGIN).event(index, at, kind, b"", b"", head=b"\x80", commit=commit, blob=blob)


def findings(entries, start=0):
    return audit.check_entries(entries, start, ORIGIN)


def packed(entries):
    return b"".join(len(data).to_bytes(2, "big") + data for data in entries), b"".join(map(proof.leaf, entries))


def test_a_good_bundle_has_no_problem():
    entries = made(0) + made(1, body=encode({"x": 1}))
    data, tile = packed(entries)
    found = audit.check_bundle(data, tile, 0, 2, ORIGIN)
    assert (found.problem, found.payloads, found.last_at) == (None, 1, 5)


@pytest.mark.parametrize(
    ("change", "index", "words"),
    [
        (lambda data, tile: (data, None), 0, "missing"),
        (lambda data, tile: (data, tile[:-1]), 2, "hash"),
        (lambda data, tile: (data, tile + b"x"), 0, "wrong length"),
        (lambda data, tile: (data[:-1], tile), 2, "missing"),
        (lambda data, tile: (data + b"\x00", tile), 2, "follows"),
        (lambda data, tile: (b"", tile), 0, "missing"),
        (lambda data, tile: (data, tile[:32] + bytes(32) + tile[64:]), 1, "hash"),
    ],
)
def test_a_bundle_that_is_not_its_tile_is_blamed_on_the_first_bad_entry(change, index, words):
    data, tile = change(*packed(made(0) + made(1) + made(2)))
    problem = audit.check_bundle(data, tile, 0, 3, ORIGIN).problem
    assert problem.index == index
    assert words in problem.what


def test_wrong_index_origin_and_time_are_named():
    assert findings(made(0) + made(2)).problem.index == 1
    assert "time" in findings(made(0, at=9) + made(1, at=8)).problem.what
    other = entry.Builder("other.example").event(0, 5, "a.b", b"", b"", head=b"\x80")
    assert "other.example" in findings(other).problem.what


def events(*bundles):
    joined = audit.Events()
    for start, entries in bundles:
        joined.take(findings(entries, start))
    joined.finish()
    return joined


LONG = made(254, body=encode({"x": bytes(200_000)}))


def test_an_event_s_parts_are_joined_across_bundles():
    joined = events((254, LONG[:2]), (256, LONG[2:]))
    assert joined.problem is None
    assert joined.payloads == 1


def test_parts_that_are_missing_doubled_or_foreign_are_named():
    assert events((254, LONG[:2])).problem.index == 254
    assert events((256, LONG[2:])).problem.index == 256
    assert events((254, LONG[:2]), (256, made(256))).problem.index == 256
    stranger = made(254, body=encode({"x": bytes(200_000)}), kind="c.d")
    assert events((254, LONG[:2]), (256, stranger[2:])).problem.index == 256


def test_a_long_payload_must_match_its_commitment_too():
    parts = made(254, body=encode({"x": b"\x01" * 200_000}))
    assert events((254, [*LONG[:2]]), (256, [parts[2], *LONG[3:]])).problem.index == 254
