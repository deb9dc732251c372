"""The verifier's own hashing, notes and frames: against the vectors and against the writer's."""

import pytest

from doorward_core.record import journal, merkle, proof


def test_roots_are_those_of_the_vectors(vectors):
    case = vectors("tree.json")
    hashes = [proof.leaf(bytes.fromhex(leaf)) for leaf in case["leaves"]]
    for size, root in enumerate(case["roots"]):
        assert proof.whole_root([], hashes[:size]).hex() == root


@pytest.mark.parametrize("size", [1, 255, 256, 257, 700, 1024])
def test_a_root_over_tiles_is_the_root_over_leaves(size):
    hashes = [merkle.leaf_hash(number.to_bytes(4, "big")) for number in range(size)]
    full = size // 256
    tiles = [proof.pair_up(hashes[at * 256 : at * 256 + 256]) for at in range(full)]
    assert proof.whole_root(tiles, hashes[full * 256 :]) == merkle.root(hashes)


def test_notes_are_judged_as_the_writer_judges_them(vectors):
    case = vectors("checkpoint.json")
    key = proof.Key.parse(case["vkey"])
    for note in [case["note"], *case["good"].values()]:
        assert proof.checkpoint(note.encode(), key).size == case["size"]
    for note in case["bad"].values():
        with pytest.raises(proof.ProofError):
            proof.checkpoint(note.encode(), key)


def test_every_flipped_bit_of_a_note_is_refused(vectors):
    case = vectors("checkpoint.json")
    key, note = proof.Key.parse(case["vkey"]), case["note"].encode()
    for at in range(len(note)):
        for bit in range(8):
            changed = bytearray(note)
            changed[at] ^= 1 << bit
            with pytest.raises(proof.ProofError):
                proof.checkpoint(bytes(changed), key)


def test_a_vkey_whose_parts_do_not_belong_together_is_refused(vectors):
    vkey = vectors("checkpoint.json")["vkey"]
    name, identifier, key = vkey.split("+", 2)
    for bad in ("", "x", f"{name}+00000000+{key}", f"other+{identifier}+{key}", f"{vkey}A", vkey[:-4]):
        with pytest.raises(proof.ProofError):
            proof.Key.parse(bad)


def test_frames_are_read_as_they_were_written():
    first = journal.pack_frame(256, [b"a", b"bc"], 256)
    second = journal.pack_frame(258, [b"d"], 258)
    assert proof.frames(first + second, 256) == ([b"a", b"bc", b"d"], len(first + second), False)
    assert proof.frames(first + second + bytes(100), 256)[0] == [b"a", b"bc", b"d"]
    assert proof.frames(second, 256)[0] == []


def test_a_broken_frame_is_torn_unless_a_later_one_calls_it_durable():
    frames = [journal.pack_frame(0, [b"a"], 0), journal.pack_frame(1, [b"b"], 0), journal.pack_frame(2, [b"c"], 1)]
    later = journal.pack_frame(3, [b"d"], 3)
    broken = bytearray(frames[1])
    broken[-1] ^= 1
    assert proof.frames(frames[0] + bytes(broken) + frames[2], 0) == ([b"a"], len(frames[0]), False)
    assert proof.frames(frames[0] + bytes(broken) + frames[2] + later, 0) == ([b"a"], len(frames[0]), True)
