"""Entries against the vectors, and each way in which they can be wrong."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from doorward_core.record import entry
from doorward_core.record.encode import encode
from doorward_core.record.merkle import leaf_hash


def rebuilt(case):
    fields = case["fields"]
    body = bytes.fromhex(case["body"]) or (encode({"shown": b"\xaa" * 100_000}) if case["body_is"] else b"")
    commit = blob = b""
    if body:
        salt = bytes.fromhex(case["salt"])
        commit, blob = entry.commitment(salt, body), entry.frame(salt, body)
        if case["payload_key"]:
            blob = entry.seal(AESGCM(bytes.fromhex(case["payload_key"])), fields["index"], blob, commit)
    return entry.Builder(fields["origin"]).event(
        fields["index"],
        fields["at"],
        fields["kind"],
        bytes.fromhex(fields["session"]),
        bytes.fromhex(fields["op"]),
        head=encode(fields["head"]),
        commit=commit,
        key=bytes.fromhex(fields["key"]),
        blob=blob,
    )


def test_the_vectors_are_built_as_written(vectors):
    for case in vectors("entries.json"):
        made = rebuilt(case)
        assert [leaf_hash(data).hex() for data in made] == case["leaf_hashes"], case["name"]
        assert [len(data) for data in made] == case["entry_lengths"]
        if case["entries"]:
            assert [data.hex() for data in made] == case["entries"]


def test_the_vectors_are_read_and_opened(vectors):
    for case in vectors("entries.json"):
        made = [entry.parse(data) for data in rebuilt(case)]
        first = made[0]
        assert first.head == case["fields"]["head"]
        assert (first.index, first.at_unix_ns, first.kind) == (1_000_000, case["fields"]["at"], "operation.decided")
        assert [item.part for item in made] == list(range(first.parts))
        if not first.payload:
            continue
        cipher = AESGCM(bytes.fromhex(case["payload_key"])) if case["payload_key"] else None
        payload = entry.open_blob(first, b"".join(item.payload for item in made), cipher)
        assert payload == (
            {"shown": b"\xaa" * 100_000} if case["body_is"] else {"text": "SELECT 1", "parameters": ["42", None]}
        )


def test_the_number_of_parts_is_known_before_building():
    for size in (0, 1, 27, 28, 29, 49_000, 49_116, 49_117, 98_268, 98_300, 200_000):
        for sealed in (False, True):
            blob = b"" if size == 0 else bytes(len(entry.frame(bytes(32), bytes(size))) + (16 if sealed else 0))
            made = entry.Builder("x").event(0, 0, "a.b", b"", b"", head=b"\x80", commit=bytes(32), blob=blob)
            assert entry.parts_of(size, sealed=sealed) == len(made), size
            assert all(len(data) <= entry.MAX_ENTRY for data in made)


def test_the_largest_entry_fits():
    head = encode({"x": "y" * (entry.MAX_HEAD - 6)})
    assert len(head) == entry.MAX_HEAD
    made = entry.Builder("o" * 128).event(
        2**63,
        2**63,
        "a." + "k" * 62,
        bytes(16),
        bytes(16),
        head=head,
        commit=bytes(32),
        key=bytes(16),
        blob=bytes(49_152),
    )
    assert [len(data) <= entry.MAX_ENTRY for data in made] == [True]
    assert entry.parse(made[0]).origin == "o" * 128


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "x" * 129, "ä", "a\n", "a\x7f"])
def test_an_origin_that_a_checkpoint_cannot_carry_is_refused(origin):
    with pytest.raises(entry.EntryError):
        entry.Builder(origin)


def test_a_header_or_payload_that_is_too_large_is_refused():
    with pytest.raises(entry.EntryError, match="header"):
        entry.pack_parts({"x": "y" * entry.MAX_HEAD}, {})
    with pytest.raises(entry.EntryError, match="payload"):
        entry.pack_parts({}, {"x": bytes(entry.MAX_PAYLOAD)})


def framed(case_salt=bytes(32)):
    body = encode({"text": "SELECT 1"})
    return entry.commitment(case_salt, body), entry.frame(case_salt, body)


def fields(commit, key=b"", index=3):
    return entry.Fields(index, 0, "a.b", b"", b"", "x", {}, commit, key, 0, 1, b"")


@pytest.mark.parametrize(
    "change",
    [
        lambda blob: blob[:-1],
        lambda blob: blob + bytes(64),
        lambda blob: blob[:-1] + b"\x01",
        lambda blob: blob[:35] + b"\xff" + blob[36:],
        lambda blob: b"\x01" + blob[1:],
        lambda blob: blob[:36] + b"\x80" + blob[37:],
        lambda _: b"",
    ],
)
def test_a_payload_that_is_not_framed_or_committed_exactly_is_refused(change):
    commit, blob = framed()
    assert entry.open_blob(fields(commit), blob, None) == {"text": "SELECT 1"}
    with pytest.raises(entry.EntryError):
        entry.open_blob(fields(commit), change(blob), None)


def test_a_seal_opens_only_with_its_key_at_its_index_under_its_commitment():
    commit, blob = framed()
    cipher = AESGCM(bytes(32))
    sealed = entry.seal(cipher, 3, blob, commit)
    key = bytes(16)
    assert entry.open_blob(fields(commit, key), sealed, cipher) == {"text": "SELECT 1"}
    for bad in (
        (fields(commit, key), sealed, AESGCM(bytes([1]) * 32)),
        (fields(commit, key, index=4), sealed, cipher),
        (fields(bytes(32), key), sealed, cipher),
        (fields(commit, key), sealed[:-1] + bytes([sealed[-1] ^ 1]), cipher),
        (fields(commit, key), sealed, None),
    ):
        with pytest.raises(entry.EntryError):
            entry.open_blob(*bad)


def test_a_body_s_length_shows_in_steps_of_64_bytes():
    assert len({len(entry.frame(bytes(32), bytes(size))) for size in range(29)}) == 1


def test_what_is_not_an_entry_is_refused_when_read(vectors):
    good = bytes.fromhex(vectors("entries.json")[0]["entries"][0])
    for bad in (
        b"",
        good[:-1],
        good + b"\x00",
        encode({"v": 1}),
        b"\x80",
        b"\x01",
        good[:-1] + b"\x02",
        good[:-1] + b"\xc3",
    ):
        with pytest.raises(entry.EntryError):
            entry.parse(bad)
