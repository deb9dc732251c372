"""The verifier's reading of cosignatures, against the same vectors as the maker's."""

import pytest

from doorward_core.record.checkpoint import COSIGNATURE, make_vkey, parse_vkey
from doorward_core.record.proof import ProofError
from doorward_core.record.quorum import Required, cosigned, witness_key


def test_the_cosigned_vector_names_its_witness_and_when(vectors):
    case = vectors("cosigned.json")
    found = cosigned(case["note"].encode(), [witness_key(case["witness_vkey"])])
    assert found.times == {"witness.example/w1": case["time"]}
    assert found.missing == ()


def test_lines_by_others_do_not_count(vectors):
    case = vectors("cosigned.json")
    bare = case["note"].removesuffix(case["answer"])
    for line in case["ignored"].values():
        found = cosigned((bare + line).encode(), [witness_key(case["witness_vkey"])])
        assert (found.times, found.missing) == ({}, ("witness.example/w1",))


def test_a_bad_line_in_a_witness_s_name_makes_the_note_bad(vectors):
    case = vectors("cosigned.json")
    bare = case["note"].removesuffix(case["answer"])
    for name, line in case["bad_lines"].items():
        with pytest.raises(ProofError):
            cosigned((bare + line).encode(), [witness_key(case["witness_vkey"])])
            pytest.fail(name)


def test_a_witness_that_signed_twice_counts_once_with_the_later_time(vectors):
    case = vectors("cosigned.json")
    found = cosigned((case["note"] + case["answer"]).encode(), [witness_key(case["witness_vkey"])])
    assert len(found.times) == 1


def test_every_flipped_bit_of_a_cosigned_note_loses_it(vectors):
    case = vectors("cosigned.json")
    note, keys = case["note"].encode(), [witness_key(case["witness_vkey"])]
    for at in range(len(note)):
        changed = note[:at] + bytes([note[at] ^ 1 << at % 8]) + note[at + 1 :]
        try:
            found = cosigned(changed, keys)
        except ProofError:
            continue
        # The log's own line is for the log's key to check.
        assert not found.times or changed.partition(b"\n\n")[0] == note.partition(b"\n\n")[0], at


@pytest.mark.parametrize("change", [lambda v: v[:-1], lambda v: v.replace("+", "-"), lambda v: "x" + v, lambda _: ""])
def test_a_vkey_that_is_no_witness_s(vectors, change):
    with pytest.raises(ProofError):
        witness_key(change(vectors("cosigned.json")["witness_vkey"]))


def test_what_is_required_must_be_possible_and_each_key_counts_once(vectors):
    vkey = vectors("cosigned.json")["witness_vkey"]
    assert Required.of((vkey,), 0).quorum == 1
    for vkeys, quorum, words in (((vkey, vkey), 1, "named twice"), ((vkey,), 2, "never reached")):
        with pytest.raises(ProofError, match=words):
            Required.of(vkeys, quorum)
    public = parse_vkey(vkey, COSIGNATURE)[1]
    with pytest.raises(ProofError, match="one key"):
        Required.of((vkey, make_vkey("other.example", public, COSIGNATURE)), 1)


def test_a_log_s_vkey_is_no_witness_s(vectors):
    with pytest.raises(ProofError, match="another type"):
        witness_key(vectors("cosigned.json")["log_vkey"])
