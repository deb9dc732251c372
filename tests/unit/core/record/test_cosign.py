"""Cosignatures against the vectors; the same lines go through the verifier's own reading in test_quorum.py."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.record import cosign
from doorward_core.record.checkpoint import CheckpointError, split


def test_the_vector_is_cosigned_as_written(vectors):
    case = vectors("cosigned.json")
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(case["witness_seed"]))
    text = split(case["note"].encode())[0]
    assert cosign.witness_vkey("witness.example/w1", key) == case["witness_vkey"]
    assert cosign.message(text, case["time"]).decode() == case["message"]
    line = cosign.cosign(text, "witness.example/w1", key, case["time"])
    assert line.decode() == case["answer"]
    (found,) = cosign.cosignatures(text, line, (case["witness_vkey"],))
    assert (found.name, found.time_s, found.line) == ("witness.example/w1", case["time"], line)


def test_lines_by_others_are_ignored_and_a_witness_counts_once(vectors):
    case = vectors("cosigned.json")
    text = split(case["note"].encode())[0]
    lines = "".join((*case["ignored"].values(), case["answer"], case["answer"])).encode()
    assert len(cosign.cosignatures(text, lines, (case["witness_vkey"],))) == 1
    for line in case["ignored"].values():
        assert cosign.cosignatures(text, line.encode(), (case["witness_vkey"],)) == ()


def test_every_bad_line_in_the_witness_s_name_is_refused(vectors):
    case = vectors("cosigned.json")
    text = split(case["note"].encode())[0]
    for name, line in case["bad_lines"].items():
        with pytest.raises(CheckpointError):
            cosign.cosignatures(text, line.encode(), (case["witness_vkey"],))
            pytest.fail(name)


@pytest.mark.parametrize("lines", [b"", b"hello\n", b"\xff\n", b"\xe2\x80\x94 w AAAA", b"x" * 200_000])
def test_an_answer_that_is_none_is_refused(vectors, lines):
    case = vectors("cosigned.json")
    with pytest.raises(CheckpointError):
        cosign.cosignatures(split(case["note"].encode())[0], lines, (case["witness_vkey"],))


@pytest.mark.parametrize("time_s", [-1, 2**63])
def test_a_time_that_no_cosignature_can_have(time_s):
    with pytest.raises(CheckpointError):
        cosign.message(b"a\n", time_s)


def test_a_log_s_key_is_no_witness_s(vectors):
    case = vectors("cosigned.json")
    with pytest.raises(CheckpointError):
        cosign.cosignatures(b"a\n", case["answer"].encode(), (case["log_vkey"],))
