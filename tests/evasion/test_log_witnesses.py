"""The threat model, "The log": whoever has the log's key, or has stolen it, against witnesses and against a new key."""

import shutil

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.record import checkpoint
from doorward_core.record.cosign import cosign, cosignatures, witness_vkey
from doorward_core.record.encode import encode
from doorward_core.record.engine import Engine, Settings
from doorward_core.record.keys import _read_key
from doorward_core.record.prove import consistency
from doorward_core.record.quorum import Required
from doorward_core.record.rotation import rotate
from doorward_core.record.tile_hashes import TileHashes
from doorward_core.record.tree_files import TreeFiles
from doorward_core.record.verify import verify
from doorward_core.record.witness import Held, consider, read_request, write_request

NOW = 1_800_000_000_000_000_000
ORIGIN = "gateway.example/a"


class Gateway:
    """A log whose owner may be the attacker."""

    def __init__(self, root, words="SELECT 1"):
        self.root, self.folder, self.words = root, root / "log", words
        self.settings = Settings(self.folder, ORIGIN, root / "keys" / "s.pem", root / "keys" / "p")

    def grow(self, count):
        engine = Engine(self.settings)
        engine.open(NOW)
        for _ in range(count):
            engine.add(engine.size, NOW, "a.b", b"", b"", head=encode({}), body=encode({"text": self.words}))
        engine.close(NOW)
        return self

    @property
    def note(self):
        return (self.folder / "checkpoint").read_bytes()

    @property
    def vkey(self):
        return (self.root / "keys" / "s.vkey").read_text().strip()


class Watcher:
    """A witness, as its rules say, without its port."""

    def __init__(self, name, gateway):
        self.name, self.key, self.trusted, self.held = name, Ed25519PrivateKey.generate(), (gateway.vkey,), Held()

    @property
    def vkey(self):
        return witness_vkey(self.name, self.key)

    def ask(self, gateway, *, old_size=None):
        """Give the status, and the line where there is one."""
        head = checkpoint.parse_text(checkpoint.split(gateway.note)[0])
        old_size = self.held.size if old_size is None else old_size
        tiles = TileHashes(TreeFiles(gateway.folder), head.size)
        proof = consistency(tiles.hash_at, old_size, head.size) if old_size <= head.size else []
        request = read_request(write_request(old_size, proof, gateway.note))
        verdict = consider(request, self.trusted, self.held)
        if verdict.status != 200:
            return verdict.status, b""
        self.held = Held(head.size, head.root, gateway.note)
        return 200, cosign(head.text(), self.name, self.key, NOW // 10**9)


@pytest.fixture
def honest(tmp_path):
    return Gateway(tmp_path / "a").grow(300)


@pytest.fixture
def fork(honest, tmp_path):
    """Another log by the very same key: what a second auditor would be shown."""
    (tmp_path / "b").mkdir()
    shutil.copytree(honest.root / "keys", tmp_path / "b" / "keys")
    return Gateway(tmp_path / "b", "DROP TABLE customer").grow(300)


@pytest.fixture
def watchers(honest):
    return [Watcher(f"w{number}.example", honest) for number in range(3)]


def test_l_04_no_quorum_stands_behind_two_logs(honest, fork, watchers):
    """Each of three witnesses signs whichever log it sees first: with a quorum of two only one log can have it."""
    lines = {honest: b"", fork: b""}
    for one, log in zip(watchers, (honest, honest, fork), strict=True):
        lines[log] += one.ask(log)[1]
    required = Required.of([one.vkey for one in watchers], 2)
    proved = [
        verify(log.folder, public_key=honest.vkey, outside_checkpoint=log.note + lines[log], required=required).ok
        for log in (honest, fork)
    ]
    assert proved == [True, False]
    for one, other in zip(watchers, (fork, fork, honest), strict=True):
        assert one.ask(other, old_size=0) == (409, b"")
        assert one.ask(other)[0] in {409, 422}  # of the same size, and then of another
        other.grow(5)
        assert one.ask(other)[0] == 422


def test_l_04_what_a_quorum_signed_verifies_and_its_fork_does_not(honest, fork, watchers):
    note = honest.note + b"".join(one.ask(honest)[1] for one in watchers[:2])
    required = Required.of([one.vkey for one in watchers], 2)
    good = verify(honest.folder, public_key=honest.vkey, outside_checkpoint=note, required=required)
    assert (good.ok, sorted(good.cosigned)) == (True, ["w0.example", "w1.example"])
    bad = verify(fork.folder, public_key=honest.vkey, outside_checkpoint=note, required=required)
    assert not bad.ok
    bare = verify(fork.folder, public_key=honest.vkey, outside_checkpoint=fork.note, required=required)
    assert "cosigned by 0 of the 2 witnesses" in bare.problems[0].what


def test_l_04_a_witness_goes_on_with_the_log_it_knows(honest, watchers):
    for _ in range(5):
        assert watchers[0].ask(honest)[0] == 200
        honest.grow(200)


def test_l_07_a_stolen_key_forks_nothing_that_witnesses_have_seen(honest, fork, watchers):
    """The thief has the key and the format; a quorum has seen the log before."""
    for one in watchers:
        assert one.ask(honest)[0] == 200
    fork.grow(1000)
    assert [one.ask(fork)[0] for one in watchers] == [422] * 3


def test_l_07_a_stolen_key_is_worth_nothing_once_it_was_changed(honest, fork, tmp_path):
    """What the thief goes on with under the old key is no checkpoint of the log any more, whoever pinned which."""
    shutil.copytree(honest.folder, tmp_path / "before")
    old_vkey, old_key = honest.vkey, _read_key(honest.root / "keys" / "s.pem")
    done = rotate(honest.settings, NOW)
    honest.grow(10)
    kept = honest.note
    head = checkpoint.parse_text(checkpoint.split(kept)[0])
    (honest.folder / "checkpoint").write_bytes(checkpoint.sign(head, old_key))
    for pin in (old_vkey, done.new):
        report = verify(honest.folder, public_key=pin)
        assert "a checkpoint that this key did not sign" in report.problems[0].what
    (honest.folder / "checkpoint").write_bytes(kept)
    for pin in (old_vkey, done.new):
        assert verify(honest.folder, public_key=pin, outside_checkpoint=kept).ok
        thief = verify(fork.folder, public_key=pin, outside_checkpoint=kept)
        assert not thief.ok


def test_l_07_a_witness_s_key_is_no_log_s_and_the_other_way_round(honest, watchers):
    text, _ = checkpoint.split(honest.note)
    log_key = _read_key(honest.root / "keys" / "s.pem")
    head = checkpoint.parse_text(text)
    as_log = checkpoint.sign(checkpoint.Checkpoint(ORIGIN, head.size, head.root), watchers[0].key)
    with pytest.raises(checkpoint.CheckpointError):
        checkpoint.verify(as_log, honest.vkey)
    by_log = cosign(text, watchers[0].name, log_key, 1)
    assert cosignatures(text, by_log, [watchers[0].vkey]) == ()
