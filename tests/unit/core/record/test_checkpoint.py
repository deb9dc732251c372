"""Checkpoints against the vectors; the same notes go through the verifier's own reading in test_proof.py."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.record import checkpoint


def test_the_vector_is_signed_as_written(vectors):
    case = vectors("checkpoint.json")
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(case["seed"]))
    head = checkpoint.Checkpoint("vectors.example/log", case["size"], bytes.fromhex(case["root"]))
    assert checkpoint.sign(head, key).decode() == case["note"]
    assert checkpoint.make_vkey(head.origin, checkpoint.public_bytes(key.public_key())) == case["vkey"]
    assert checkpoint.verify(case["note"].encode(), case["vkey"]) == head


def test_other_signatures_are_ignored(vectors):
    case = vectors("checkpoint.json")
    for name, note in case["good"].items():
        assert checkpoint.verify(note.encode(), case["vkey"]).size == case["size"], name


def test_every_bad_note_of_the_vectors_is_refused(vectors):
    case = vectors("checkpoint.json")
    for note in case["bad"].values():
        with pytest.raises(checkpoint.CheckpointError):
            checkpoint.verify(note.encode(), case["vkey"])


def test_every_flipped_bit_of_a_note_is_refused(vectors):
    case = vectors("checkpoint.json")
    note = case["note"].encode()
    for at in range(len(note)):
        for bit in range(8):
            changed = bytearray(note)
            changed[at] ^= 1 << bit
            with pytest.raises(checkpoint.CheckpointError):
                checkpoint.verify(bytes(changed), case["vkey"])


def test_a_vkey_whose_parts_do_not_belong_together_is_refused(vectors):
    vkey = vectors("checkpoint.json")["vkey"]
    name, identifier, key = vkey.split("+", 2)
    for bad in (
        "",
        "x",
        f"{name}+{identifier}",
        f"{name}+00000000+{key}",
        f"other+{identifier}+{key}",
        f"{vkey}A",
        vkey[:-4],
    ):
        with pytest.raises(checkpoint.CheckpointError):
            checkpoint.parse_vkey(bad)


def test_a_note_that_is_too_long_or_has_too_many_lines_is_refused(vectors):
    case = vectors("checkpoint.json")
    line = "\N{EM DASH} witness.example AAAAAAAA\n"
    for note in (case["note"] + line * 40, case["note"] + line * 10_000):
        with pytest.raises(checkpoint.CheckpointError):
            checkpoint.verify(note.encode(), case["vkey"])
