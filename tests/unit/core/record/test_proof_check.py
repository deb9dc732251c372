"""The files that prove, checked without the log: the vectors, and every flipped bit of them."""

import pytest

from doorward_core.record import merkle, proof_check, prove
from doorward_core.record.proof import Key, ProofError


def test_the_files_of_the_vectors_prove_what_they_say(vectors):
    case = vectors("proofs.json")
    key = Key.parse(case["vkey"])
    entry = proof_check.check(case["inclusion"].encode(), key)
    assert (entry.index, entry.head.size, entry.head.origin) == (7, 257, "vectors.example/log")
    assert b"operation.decided" in entry.entry
    extended = proof_check.check(case["consistency"].encode(), key)
    assert (extended.old_size, extended.head.size) == (100, 257)
    same = proof_check.check(case["same_size"].encode(), key)
    assert same.old_root == same.head.root


def test_every_bad_file_of_the_vectors_is_refused(vectors):
    case = vectors("proofs.json")
    for name, text in case["bad"].items():
        with pytest.raises(ProofError):
            proof_check.check(text.encode(), Key.parse(case["vkey"]))
            pytest.fail(name)


@pytest.mark.parametrize("which", ["inclusion", "consistency"])
def test_every_flipped_byte_is_refused(vectors, which):
    case = vectors("proofs.json")
    data, key = case[which].encode(), Key.parse(case["vkey"])
    for at in range(len(data)):
        with pytest.raises(ProofError):
            proof_check.check(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :], key)
            pytest.fail(str(at))


def test_every_proof_of_a_small_tree_holds_and_no_shorter_one():
    leaves = [merkle.leaf_hash(bytes([number])) for number in range(40)]
    for size in range(1, 40):
        root = merkle.root(leaves[:size])
        for index in range(size):
            path = merkle.inclusion_proof(leaves[:size], index)
            assert proof_check._climb(leaves[index], index, size, list(path)) == root
        for old in range(1, size + 1):
            steps = merkle.consistency_proof(leaves[:size], old)
            begin = merkle.root(leaves[:old])
            assert proof_check._both(old, size, list(steps), begin, whole=True) == (begin, root)
            if steps:
                with pytest.raises(ProofError, match="too short"):
                    proof_check._both(old, size, steps[1:], begin, whole=True)


def test_a_file_that_is_too_long_is_refused(vectors):
    case = vectors("proofs.json")
    with pytest.raises(ProofError, match="too long"):
        proof_check.check(case["inclusion"].encode() + b"x" * proof_check.MAX_FILE, Key.parse(case["vkey"]))


def test_both_sides_name_the_kinds_alike():
    assert (prove.INCLUSION, prove.CONSISTENCY) == (proof_check.INCLUSION, proof_check.CONSISTENCY)
