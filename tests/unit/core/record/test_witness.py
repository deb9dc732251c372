"""A witness's decisions, against the vectors and in every shape of a small tree."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.record import checkpoint, merkle, witness
from doorward_core.record.witness import Finding, Held, RequestError, consider, read_request

ORIGIN = "vectors.example/log"
LEAVES = [merkle.leaf_hash(bytes([number])) for number in range(20)]


def held_of(case):
    return Held(case["held"]["size"], bytes.fromhex(case["held"]["root"]), b"")


def test_the_request_of_the_vectors_is_cosigned(vectors):
    case = vectors("cosigned.json")
    request = read_request(case["request"].encode())
    verdict = consider(request, (case["log_vkey"],), held_of(case))
    assert (verdict.status, verdict.request, verdict.finding) == (200, request, None)
    assert witness.write_request(request.old_size, request.proof, request.note) == case["request"].encode()


def test_every_bad_request_of_the_vectors_is_refused(vectors):
    for name, body in vectors("cosigned.json")["bad_requests"].items():
        with pytest.raises(RequestError):
            read_request(body.encode())
            pytest.fail(name)


def test_every_refused_request_of_the_vectors_has_its_answer(vectors):
    case = vectors("cosigned.json")
    for name, body in case["refused_requests"].items():
        request = read_request(body.encode())
        trusted = (case["log_vkey"],) if request.checkpoint.origin == ORIGIN else ()
        verdict = consider(request, trusted, held_of(case))
        assert str(verdict.status) == name.split()[0], name
        assert (verdict.content_type == witness.SIZE_TYPE) == (name == "409"), name
        assert (verdict.finding is Finding.FORKED) == (name == "409 forked"), name
    assert consider(
        read_request(case["refused_requests"]["409"].encode()), (case["log_vkey"],), held_of(case)
    ).words == str(case["held"]["size"])


@pytest.fixture
def key():
    return Ed25519PrivateKey.generate()


def note_of(key, leaves):
    return checkpoint.sign(checkpoint.Checkpoint(ORIGIN, len(leaves), merkle.root(leaves)), key)


def asked(key, leaves, old_size, proof=None):
    if proof is None:
        proof = merkle.consistency_proof(leaves, old_size) if 0 < old_size < len(leaves) else ()
    return read_request(witness.write_request(old_size, proof, note_of(key, leaves)))


def vkey_of(key):
    return checkpoint.make_vkey(ORIGIN, checkpoint.public_bytes(key.public_key()))


def test_every_growth_is_cosigned_and_no_fork_is(key):
    for old in range(len(LEAVES)):
        held = Held(old, merkle.root(LEAVES[:old]), b"")
        for new in range(old, len(LEAVES)):
            assert consider(asked(key, LEAVES[:new], old), (vkey_of(key),), held).status == 200
            if old:
                forked = [merkle.leaf_hash(b"other"), *LEAVES[1:new]]
                assert consider(asked(key, forked, old), (vkey_of(key),), held).finding is not None


def test_one_of_several_trusted_keys_is_enough_and_strangers_lines_are_not_kept(key):
    other = Ed25519PrivateKey.generate()
    note = note_of(key, LEAVES) + b"\xe2\x80\x94 stranger.example AAAAAAAA\n"
    request = read_request(witness.write_request(0, (), note))
    trusted = (vkey_of(other), vkey_of(key))
    assert consider(request, trusted, Held()).status == 200
    assert witness.own_lines(note, trusted) == note_of(key, LEAVES)
    assert consider(request, (vkey_of(other),), Held()).status == 403


def test_a_proof_where_there_is_nothing_to_prove_is_refused(key):
    held = Held(5, merkle.root(LEAVES[:5]), b"")
    assert consider(asked(key, LEAVES[:5], 5, (bytes(32),)), (vkey_of(key),), held).status == 422
    assert consider(asked(key, LEAVES[:5], 0, (bytes(32),)), (vkey_of(key),), Held()).status == 422


def test_evidence_has_both_notes_as_they_were(key):
    held = Held(5, merkle.root(LEAVES[:5]), note_of(key, LEAVES[:5]))
    forked = [*LEAVES[:4], merkle.leaf_hash(b"other")]
    request = asked(key, forked, 5)
    text = witness.evidence(held, request, Finding.FORKED)
    for note in (held.note, request.note):
        assert note in text
        assert checkpoint.verify(note, vkey_of(key)).size == 5


@pytest.mark.parametrize("text", ["", "00", "01", "-1", "+1", " 1", "1 ", "1" * 20, "\N{ARABIC-INDIC DIGIT ONE}", "x"])
def test_a_size_has_one_spelling(text):
    assert witness.read_size(text) is None


def test_a_body_beyond_the_bound_is_refused():
    with pytest.raises(RequestError, match="too long"):
        read_request(b"old 0\n" + b"A" * witness.MAX_BODY)
