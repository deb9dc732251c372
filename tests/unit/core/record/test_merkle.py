"""The tree against RFC 6962's published roots, and against itself in every shape up to two tiles."""

import pytest

from doorward_core.record import merkle


def hexes(items):
    return [bytes.fromhex(item) for item in items]


def leaves(count):
    return [merkle.leaf_hash(number.to_bytes(4, "big")) for number in range(count)]


def test_roots_are_those_of_the_vectors(vectors):
    case = vectors("tree.json")
    hashes = [merkle.leaf_hash(leaf) for leaf in hexes(case["leaves"])]
    assert [merkle.root(hashes[:size]) for size in range(len(hashes) + 1)] == hexes(case["roots"])


def test_proofs_of_the_vectors_hold_and_no_others(vectors):
    case = vectors("tree.json")
    hashes, roots = [merkle.leaf_hash(leaf) for leaf in hexes(case["leaves"])], hexes(case["roots"])
    for item in case["inclusion"]:
        proof, at, size = hexes(item["proof"]), item["index"], item["size"]
        assert merkle.included(hashes[at], at, size, proof, roots[size])
        assert not merkle.included(hashes[at - 1], at, size, proof, roots[size]) or size == 1
        assert not merkle.included(hashes[at], at, size, [*proof, bytes(32)], roots[size])
    for item in case["consistency"]:
        proof, old, new = hexes(item["proof"]), item["old"], item["new"]
        assert merkle.consistent(old, new, roots[old], roots[new], proof)
        assert not merkle.consistent(old, new, bytes(32), roots[new], proof)
        assert not merkle.consistent(old, new, roots[old], roots[new], [*proof, bytes(32)])


@pytest.mark.parametrize("size", [0, 1, 2, 3, 255, 256, 257, 511, 512, 513])
def test_a_growing_tree_has_the_root_of_its_leaves(size):
    hashes, tree = leaves(size), merkle.Tree()
    for leaf in hashes:
        tree.add(leaf)
    assert tree.root() == merkle.root(hashes)
    assert tree.size == size


def test_tiles_are_complete_and_partial_as_tlog_tiles_says():
    # The example of the specification, scaled by hand: 70,000 = 273 full tiles and 112; level 1: 1 full and 17; level 2: 1.
    tree, full = merkle.Tree(), {0: 0, 1: 0}
    for leaf in leaves(70_000):
        for level, number, data in tree.add(leaf):
            assert number == full[level]
            assert len(data) == 256 * 32
            full[level] += 1
    assert full == {0: 273, 1: 1}
    assert [(level, number, len(data) // 32) for level, number, data in tree.partial()] == [
        (0, 273, 112),
        (1, 1, 17),
        (2, 0, 1),
    ]


def test_proofs_over_uneven_trees():
    hashes = leaves(300)
    top = merkle.root(hashes)
    for at in (0, 1, 127, 128, 255, 256, 299):
        assert merkle.included(hashes[at], at, 300, merkle.inclusion_proof(hashes, at), top)
    for old in (1, 2, 128, 255, 256, 257, 299, 300):
        assert merkle.consistent(old, 300, merkle.root(hashes[:old]), top, merkle.consistency_proof(hashes, old))
    assert not merkle.included(hashes[0], 300, 300, [], top)
    assert merkle.consistent(0, 300, merkle.EMPTY_ROOT, top, [])


@pytest.mark.parametrize("begin", [0, 1, 255])
def test_many_leaves_at_once_are_the_same_tree(begin):
    one, many, first = merkle.Tree(), merkle.Tree(), []
    for number in range(begin):
        one.add(merkle.leaf_hash(bytes([number])))
        many.add(merkle.leaf_hash(bytes([number])))
    leaves = [merkle.leaf_hash(b"x" + bytes([number])) for number in range(256 - begin)]
    for leaf in leaves:
        first += one.add(leaf)
    assert many.extend([]) == []
    assert many.extend(leaves) == first
    assert (many.size, many.root(), many.levels) == (one.size, one.root(), one.levels)
    with pytest.raises(ValueError, match="room"):
        many.extend([leaves[0]] * 257)
