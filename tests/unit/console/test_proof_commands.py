"""`doorward log`: proofs made from a log and checked without it, and a new key."""

import json
import shutil

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.record import checkpoint
from doorward_core.record.cosign import cosign, witness_vkey
from doorward_core.record.encode import encode
from doorward_core.record.engine import Engine, Settings

NOW = 1_800_000_000_000_000_000


class Made:
    """A log that grew twice, and the checkpoint that was kept in between."""

    def __init__(self, root):
        self.root, self.folder = root, root / "log"
        self.settings = Settings(self.folder, "gateway.example/a", root / "keys" / "log.key", root / "keys" / "payload")
        self.grow(300)
        self.kept = root / "kept"
        shutil.copy(self.folder / "checkpoint", self.kept)
        self.grow(300)

    def grow(self, count):
        engine = Engine(self.settings)
        engine.open(NOW)
        for _ in range(count):
            engine.add(engine.size, NOW, "a.b", b"", b"", head=encode({"n": engine.size}), body=b"")
        engine.close(NOW)

    @property
    def vkey(self):
        return (self.root / "keys" / "log.vkey").read_text().strip()


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path)


def test_an_entry_is_proved_and_checked_without_the_log(run, made, tmp_path):
    done = run("log", "prove", made.folder, "--index", 400, "-o", tmp_path / "proof")
    assert done.exit_code == 0, done.output
    shutil.rmtree(made.folder)
    checked = run("log", "check-proof", tmp_path / "proof", "--key", made.vkey, "--json")
    assert checked.exit_code == 0, checked.output
    found = json.loads(checked.output)
    assert (found["ok"], found["index"], found["size"], found["kind"]) == (True, 400, 604, "a.b")


def test_in_the_tree_of_an_earlier_checkpoint(run, made, tmp_path):
    done = run(
        "log", "prove", made.folder, "--index", 7, "--size", 302, "--checkpoint", made.kept, "-o", tmp_path / "p"
    )
    assert done.exit_code == 0, done.output
    checked = run("log", "check-proof", tmp_path / "p", "--key-file", made.root / "keys" / "log.vkey")
    assert (checked.exit_code, "size      302" in checked.output) == (0, True)


def test_that_it_only_grew_is_proved_from_a_checkpoint_that_was_kept(run, made, tmp_path):
    done = run("log", "prove", made.folder, "--from", 302, "--to", 604, "-o", tmp_path / "proof")
    assert done.exit_code == 0, done.output
    bare = run("log", "check-proof", tmp_path / "proof", "--key", made.vkey)
    assert (bare.exit_code, "not compared" in bare.output) == (0, True)
    checked = run("log", "check-proof", tmp_path / "proof", "--key", made.vkey, "--checkpoint", made.kept)
    assert (checked.exit_code, "the checkpoint that you kept" in checked.output) == (0, True)
    other = run(
        "log", "check-proof", tmp_path / "proof", "--key", made.vkey, "--checkpoint", made.folder / "checkpoint"
    )
    assert (other.exit_code, "another checkpoint" in other.output) == (1, True)


def test_a_proof_that_was_changed_is_refused(run, made, tmp_path):
    text = run("log", "prove", made.folder, "--index", 400).output
    (tmp_path / "proof").write_text(text.replace("index 400", "index 401"))
    done = run("log", "check-proof", tmp_path / "proof", "--key", made.vkey)
    assert (done.exit_code, "not in the checkpoint's tree" in done.output) == (1, True)


def test_a_cosigned_checkpoint_makes_a_proof_with_witnesses(run, made, tmp_path):
    key = Ed25519PrivateKey.generate()
    note = (made.folder / "checkpoint").read_bytes()
    (tmp_path / "cosigned").write_bytes(note + cosign(checkpoint.split(note)[0], "w.example", key, 1_800_000_000))
    run("log", "prove", made.folder, "--index", 0, "--checkpoint", tmp_path / "cosigned", "-o", tmp_path / "proof")
    witness = ("--witness", witness_vkey("w.example", key))
    done = run("log", "check-proof", tmp_path / "proof", "--key", made.vkey, *witness)
    assert (done.exit_code, "cosigned  w.example, 2027" in done.output) == (0, True)
    other = ("--witness", witness_vkey("w.example", Ed25519PrivateKey.generate()))
    done = run("log", "check-proof", tmp_path / "proof", "--key", made.vkey, *other)
    assert (done.exit_code, "missing: w.example" in done.output) == (1, True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "either --index"),
        (("--index", 1, "--from", 1), "either --index"),
        (("--index", 604), "no entry 604"),
        (("--from", 605), "does not extend"),
        (("--index", 1, "--size", 300), "give the one of that size"),
    ],
)
def test_what_cannot_be_proved_is_said(run, made, options, words):
    done = run("log", "prove", made.folder, *options)
    assert (done.exit_code, words in done.output) == (2, True), done.output


def test_a_checkpoint_of_another_log_makes_no_proof(run, made, tmp_path):
    other = checkpoint.sign(checkpoint.Checkpoint("gateway.example/a", 302, bytes(32)), Ed25519PrivateKey.generate())
    (tmp_path / "other").write_bytes(other)
    done = run("log", "prove", made.folder, "--index", 1, "--checkpoint", tmp_path / "other")
    assert (done.exit_code, "do not make the root" in done.output) == (2, True)


def test_check_proof_needs_a_key(run, made, tmp_path):
    (tmp_path / "p").write_text("")
    assert run("log", "check-proof", tmp_path / "p").exit_code == 2


@pytest.fixture
def config(made):
    (made.root / "policy.yaml").write_text("version: 1\nrules: []\n")
    path = made.root / "gateway.yaml"
    path.write_text(
        "version: 1\norigin: gateway.example/a\nlisten: [{unix: s}]\n"
        "approvals: {store: a.sqlite, listen: {unix: a}}\n"
        "identity: {issuers: [{issuer: 'https://id.example', audience: [x]}]}\n"
        "record: {folder: log, keys: keys}\npolicy: policy.yaml\n"
        "resources: {r: {protocol: postgres, target: {}, accounts: {a: {user: a}}}}\n"
    )
    return path


def test_a_new_key_is_announced_used_and_followed(run, made, config):
    old = made.vkey
    following = run("log", "rotate-key", "--config", config, "--prepare").output.strip()
    assert made.vkey == old
    done = run("log", "rotate-key", "--config", config)
    assert (done.exit_code, done.output.strip()) == (0, following)
    assert made.vkey == following
    for key in (old, following):
        checked = run("verify", made.folder, "--key", key, "--checkpoint", made.kept)
        assert (checked.exit_code, "2 keys" in checked.output) == (0, True), checked.output


def test_while_a_gateway_runs_its_key_stays(run, made, config):
    engine = Engine(made.settings)
    done = run("log", "rotate-key", "--config", config)
    engine.release()
    assert (done.exit_code, "another process" in done.output) == (2, True)
