import contextlib
import json
import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from evidence_stand import HOSTILE, NOW, check, said

from doorward_console.evidence.verify import (
    BASE,
    FIGURES,
    Entry,
    Key,
    L,
    Note,
    Refused,
    Tree,
    consistent,
    levels,
    moment,
    point,
    signed,
    value_at,
)
from doorward_core.record import merkle

VECTORS = Path(__file__).parents[3] / "vectors" / "event_log"


def _vector(name: str):
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


# --- the formats ------------------------------------------------------------------------------------------------------


def test_ed25519_agrees_with_openssl_on_good_and_altered_signatures():
    for number in range(8):
        key = Ed25519PrivateKey.generate()
        public, message = key.public_key().public_bytes_raw(), bytes(range(number * 9))
        signature = key.sign(message)
        assert signed(public, signature, message)
        assert not signed(public, signature, message + b"x")
        for place in (0, 31, 32, 63):
            altered = bytearray(signature)
            altered[place] ^= 1
            assert not signed(public, bytes(altered), message)


def test_ed25519_has_one_spelling():
    key = Ed25519PrivateKey.generate()
    public, signature = key.public_key().public_bytes_raw(), key.sign(b"m")
    s = int.from_bytes(signature[32:], "little") + L
    assert not signed(public, signature[:32] + s.to_bytes(32, "little"), b"m")
    assert point((2**255 - 19 + 1).to_bytes(32, "little")) is None
    assert BASE is not None
    assert not signed(public, signature[:63], b"m")


def test_rfc_8032_vector():
    public = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
    signature = bytes.fromhex(
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    )
    assert signed(public, signature, bytes.fromhex("af82"))


def test_canonical_values_are_read_and_all_others_refused():
    vectors = _vector("canonical")
    for case in vectors["good"]:
        data = bytes.fromhex(case["hex"])
        value, end = value_at(data, 0)
        assert end == len(data)
        if "json" in case:
            assert value == case["json"]
    for case in vectors["bad"]:
        data = bytes.fromhex(case["hex"])
        try:
            _, end = value_at(data, 0)
        except (Refused, IndexError):
            continue
        assert end != len(data), case["why"]


def test_entries_of_the_vectors_are_read():
    for case in _vector("entries"):
        for data in case.get("entries", []):
            entry = Entry(bytes.fromhex(data))
            assert entry.index >= case["fields"]["index"]


def test_checkpoints_of_the_vectors():
    vectors = _vector("checkpoint")
    key = Key(vectors["vkey"])
    for text in (vectors["note"], *vectors["good"].values()):
        note = Note(text.encode())
        assert note.by(key)[0]
        assert str(note.size) == str(vectors["size"])
    for why, text in vectors["bad"].items():
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes.fromhex(text["hex"])
        with contextlib.suppress(Refused):
            assert not (Note(data).origin == key.name and Note(data).by(key)[0]), why


def test_trees_of_the_vectors():
    vectors = _vector("tree")
    leaves = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in vectors["leaves"]]
    for size, root in enumerate(vectors["roots"]):
        tree = Tree()
        for leaf in leaves[:size]:
            tree.take(leaf)
        assert tree.root().hex() == root
    for case in vectors["consistency"]:
        old = Note.__new__(Note)
        old.size, old.root = case["old"], bytes.fromhex(vectors["roots"][case["old"]])
        root, proof = bytes.fromhex(vectors["roots"][case["new"]]), [bytes.fromhex(one) for one in case["proof"]]
        assert consistent(old, case["new"], root, proof)
        assert not consistent(old, case["new"], bytes(32), proof)
        assert not consistent(old, case["new"], root, [*proof, bytes(32)])


def test_gaps_fall_into_subtrees_that_can_stand_there():
    for start, end in ((0, 1), (0, 7), (3, 17), (256, 1000), (255, 257)):
        at = start
        for level in levels(start, end):
            assert at % (1 << level) == 0
            at += 1 << level
        assert at == end


# --- as an auditor runs it --------------------------------------------------------------------------------------------


def test_it_says_what_it_did_and_what_it_could_not(made, told):
    done = check(made)
    assert done.returncode == 0, done.stdout
    assert "key not pinned: pass --key" in done.stdout
    done = check(made, "--key", told.vkey)
    for words in ("without a gap", "signed by key", "counted again", "OK"):
        assert words in done.stdout
    assert "not pinned" not in done.stdout


def test_a_wrong_key_is_no_key(made, tmp_path):
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    from doorward_core.record.checkpoint import make_vkey  # noqa: PLC0415 - beside its only use

    status, words = said(made, "--key", make_vkey("gateway.example/a", other))
    assert status == 1
    assert "not signed by the key" in words
    status, words = said(made, "--key", make_vkey("another", other))
    assert "no log here is of another" in words


def test_a_key_may_come_from_a_file_and_a_checkpoint_from_the_auditor(made, told):
    status, words = said(
        made, "--key-file", str(told.root / "keys" / "log.vkey"), "--checkpoint", str(told.folder / "checkpoint")
    )
    assert status == 0
    assert "is the beginning of this log" in words


def test_every_event_that_a_figure_counts_is_listed(made):
    status, words = said(made, "--list", "operations.permitted")
    assert status == 0
    assert len(re.findall(r"^0 \d+ 2027", words, re.MULTILINE)) == 5


def test_one_entry_is_shown_and_obeyed_by_no_terminal(made):
    _, words = said(made, "--list", "operations.decided")
    index = words.split()[1]
    _, words = said(made, "--show", "0", index)
    assert words.isascii()
    assert "\x1b" not in words
    assert json.loads(words.partition("NOTE")[0])["payload"]["text"] == HOSTILE


def test_usage_is_not_a_verdict(made):
    assert check(made, "--list", "nothing.such").returncode == 2
    assert check(made, "--key-file", "/nowhere").returncode == 2
    assert check(made.parent / "nowhere.zip").returncode == 1


def test_moments_beyond_any_calendar_are_numbers():
    assert moment(NOW) == "2027-01-15 08:00:00Z"
    assert moment(1 << 63).endswith(("Z", "ns"))


def test_figures_are_written_as_in_the_document():
    assert len({line.split("|")[0] for line in FIGURES.splitlines()}) == len(FIGURES.splitlines())
