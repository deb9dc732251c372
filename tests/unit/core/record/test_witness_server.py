"""A witness on a real port: what it answers, what it keeps, and what it keeps as evidence."""

import errno
import hashlib
import os

import httpx2
import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from witness_stand import ask, witness_settings, witnessed

from doorward_core.errors import RecordError
from doorward_core.record import checkpoint, merkle, witness
from doorward_core.record.cosign import cosignatures
from doorward_core.record.quorum import cosigned, witness_key
from doorward_core.record.witness_server import Witness

ORIGIN = "gateway.example/a"
LEAVES = [merkle.leaf_hash(bytes([number])) for number in range(50)]
FORKED = [*LEAVES[:2], merkle.leaf_hash(b"other"), *LEAVES[3:]]
DIGEST = hashlib.sha256(ORIGIN.encode()).hexdigest()


class House:
    """A log's key, and the requests that its gateway could make."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.vkey = checkpoint.make_vkey(ORIGIN, checkpoint.public_bytes(self.key.public_key()))
        self.logs = {ORIGIN: (self.vkey,)}

    def note(self, size, leaves=LEAVES):
        return checkpoint.sign(checkpoint.Checkpoint(ORIGIN, size, merkle.root(leaves[:size])), self.key)

    def body(self, old, size, leaves=LEAVES):
        proof = merkle.consistency_proof(leaves[:size], old) if 0 < old < size else ()
        return witness.write_request(old, proof, self.note(size, leaves))


@pytest.fixture
def house():
    return House()


async def test_it_cosigns_what_grows_and_keeps_the_last(house, tmp_path):
    async with witnessed(tmp_path, house.logs) as (url, vkey, settings):
        for old, size in ((0, 3), (3, 3), (3, 20)):
            answer = await ask(url, house.body(old, size))
            assert answer.status_code == 200, answer.text
            text = checkpoint.Checkpoint(ORIGIN, size, merkle.root(LEAVES[:size])).text()
            assert len(cosignatures(text, answer.content, (vkey,))) == 1
        kept = await _get(f"{url}/checkpoints/{DIGEST}")
    assert kept.content == (settings.state / f"{DIGEST}.checkpoint").read_bytes()
    assert cosigned(kept.content, [witness_key(vkey)]).missing == ()
    assert checkpoint.verify(kept.content, house.vkey).size == 20
    assert settings.key.stat().st_mode & 0o077 == 0


async def _get(url):
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.get(url)


async def test_one_connection_serves_many_requests(house, tmp_path):
    async with witnessed(tmp_path, house.logs) as (url, _, _), httpx2.AsyncClient(trust_env=False) as client:
        for size in range(1, 20):
            answer = await client.post(f"{url}/add-checkpoint", content=house.body(size - 1, size))
            assert answer.status_code == 200


async def test_who_is_behind_is_told_the_size(house, tmp_path):
    async with witnessed(tmp_path, house.logs) as (url, _, _):
        await ask(url, house.body(0, 20))
        answer = await ask(url, house.body(0, 30))
    assert (answer.status_code, answer.text) == (409, "20\n")
    assert answer.headers["content-type"] == "text/x.tlog.size"


async def test_strangers_are_told_nothing_of_what_is_held(house, tmp_path):
    async with witnessed(tmp_path, house.logs) as (url, _, _):
        await ask(url, house.body(0, 20))
        stranger = House()
        assert (await ask(url, stranger.body(0, 30))).status_code == 403
        other = checkpoint.sign(checkpoint.Checkpoint("other.example", 1, bytes(32)), house.key)
        assert (await ask(url, witness.write_request(0, (), other))).status_code == 404
        assert (await ask(url, b"hello")).status_code == 400
        assert (await ask(url, b"old 0\n" + b"A" * 70_000)).status_code == 413
        assert (await ask(url, house.body(20, 10))).status_code == 400
        assert (await _get(f"{url}/checkpoints/{'0' * 64}")).status_code == 404
        assert (await _get(f"{url}/add-checkpoint")).status_code == 405


async def test_a_fork_is_refused_and_both_notes_are_kept_once(house, tmp_path):
    async with witnessed(tmp_path, house.logs) as (url, vkey, settings):
        await ask(url, house.body(0, 20))
        for _ in range(2):
            same = await ask(url, house.body(20, 20, FORKED))
            longer = await ask(url, house.body(20, 30, FORKED))
        assert (same.status_code, longer.status_code) == (409, 422)
        assert same.headers["content-type"] != "text/x.tlog.size"
        assert (await ask(url, house.body(20, 30))).status_code == 200  # the honest log goes on
    found = sorted(path.read_bytes() for path in (settings.state / "evidence").iterdir())
    assert len(found) == 2
    for text, size in zip(found, (20, 30), strict=True):
        assert house.note(size, FORKED) in text
        assert house.note(20) in text
        held = text.partition(b"--- offered")[0].split(b"\n", 3)[3]
        assert cosigned(held, [witness_key(vkey)]).missing == ()


async def test_it_goes_on_after_a_restart_and_refuses_the_fork_still(house, tmp_path):
    async with witnessed(tmp_path, house.logs) as (url, _, _):
        await ask(url, house.body(0, 20))
    async with witnessed(tmp_path, house.logs) as (url, _, _):
        assert (await ask(url, house.body(0, 30, FORKED))).text == "20\n"
        assert (await ask(url, house.body(20, 30, FORKED))).status_code == 422
        assert (await ask(url, house.body(20, 30))).status_code == 200


async def test_of_two_forks_at_once_only_one_is_cosigned(house, tmp_path):
    answers = []

    async def one(url, leaves):
        answers.append((await ask(url, house.body(0, 20, leaves))).status_code)

    async with witnessed(tmp_path, house.logs) as (url, _, _), trio.open_nursery() as nursery:
        for leaves in (LEAVES, FORKED) * 3:
            nursery.start_soon(one, url, leaves)
    assert answers.count(200) == 1
    assert answers.count(409) == 5


async def test_what_cannot_be_kept_is_not_cosigned(house, tmp_path, monkeypatch):
    real = os.fsync

    def failing(_):
        raise OSError(errno.EIO, "bad disk")

    async with witnessed(tmp_path, house.logs) as (url, _, _):
        monkeypatch.setattr(os, "fsync", failing)
        assert (await _get(f"{url}/healthz")).status_code == 200
        assert (await ask(url, house.body(0, 20))).status_code == 503
        assert (await _get(f"{url}/healthz")).status_code == 503
        monkeypatch.setattr(os, "fsync", real)
        assert (await ask(url, house.body(0, 20, FORKED))).status_code == 200  # nobody was given the other
        assert (await _get(f"{url}/healthz")).text == "ok\n"
        assert (await ask(url, house.body(20, 20))).status_code == 409


def test_a_state_that_it_did_not_sign_is_refused(house, tmp_path):
    settings, _ = witness_settings(tmp_path, house.logs)
    Witness(settings).close()
    (settings.state / f"{DIGEST}.checkpoint").write_bytes(house.note(3))
    with pytest.raises(RecordError, match="not signed by this witness"):
        Witness(settings)


def test_two_processes_never_share_a_state(house, tmp_path):
    settings, _ = witness_settings(tmp_path, house.logs)
    first = Witness(settings)
    with pytest.raises(RecordError, match="another witness"):
        Witness(settings)
    first.close()
    Witness(settings).close()


def test_without_its_key_it_does_not_make_another(house, tmp_path):
    settings, _ = witness_settings(tmp_path, house.logs)
    settings.key.unlink()
    with pytest.raises(RecordError, match="no key"):
        Witness(settings)
    assert not settings.key.exists()
