"""Proofs out of stored hashes are those that RFC 6962 makes of the leaves."""

import pytest

from doorward_core.record import merkle, prove

LEAVES = [merkle.leaf_hash(bytes([number])) for number in range(70)]


def hash_at(level, number):
    row = LEAVES[number << level : (number + 1) << level]
    assert len(row) == 1 << level
    return merkle.perfect_root(row)


@pytest.mark.parametrize("size", range(70))
def test_every_proof_of_a_small_tree(size):
    assert prove.tree_root(hash_at, size) == merkle.root(LEAVES[:size])
    for index in range(size):
        assert prove.inclusion(hash_at, index, size) == merkle.inclusion_proof(LEAVES[:size], index)
    for old in range(1, size + 1):
        assert prove.consistency(hash_at, old, size) == merkle.consistency_proof(LEAVES[:size], old)
    assert prove.consistency(hash_at, 0, size) == []


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (0, 0)])
def test_an_entry_that_is_not_there_has_no_proof(index, size):
    with pytest.raises(ValueError, match="no entry"):
        prove.inclusion(hash_at, index, size)


@pytest.mark.parametrize(("old", "size"), [(-1, 5), (6, 5)])
def test_a_tree_that_shrank_has_no_proof(old, size):
    with pytest.raises(ValueError, match="does not extend"):
        prove.consistency(hash_at, old, size)
