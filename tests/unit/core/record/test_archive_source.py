"""An archive verified by itself: whatever is lost, altered or does not belong is named."""

import shutil

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.record.archive import Archiver, Terms, checkpoint_path
from doorward_core.record.archive_places import FolderPlace
from doorward_core.record.archive_source import verify_archive
from doorward_core.record.cosign import cosign, witness_vkey
from doorward_core.record.quorum import Required


@pytest.fixture
def archived(workshop, tmp_path):
    """An archive with several checkpoints."""
    place = tmp_path / "archive"
    place.mkdir()
    one = Archiver(workshop.folder, FolderPlace(place), workshop.origin, Terms())
    one.resume()
    engine = workshop.open()
    for count in (300, 1, 500):
        workshop.add(engine, count, payload={"text": "SELECT 1"})
        engine.checkpoint()
        one.advance(1)
    engine.release()
    return place


def proved(workshop, place):
    return verify_archive(FolderPlace(place), public_key=workshop.vkey)


def test_a_good_archive_verifies_alone(workshop, archived):
    report = proved(workshop, archived)
    assert report.ok, report.problems
    assert report.checkpoint_size == report.size == 802
    assert report.checks["checkpoints"] == 3
    assert report.checks["entries"] == 802


def test_every_object_that_is_lost_or_altered_is_found(workshop, archived):
    for path in sorted(path for path in archived.rglob("*") if path.is_file()):
        good = path.read_bytes()
        path.chmod(0o644)
        at = len(good) // 2
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        assert not proved(workshop, archived).ok, path
        path.unlink()
        report = proved(workshop, archived)
        # A partial object that no newest checkpoint needs, or an older checkpoint, leaves a whole archive behind.
        older = ".p/" in path.as_posix() or path.name in {f"{size:020d}" for size in (301, 302)}
        newest_lost = path.name == f"{802:020d}"
        assert (not report.ok) or older or newest_lost, path
        if newest_lost:
            assert report.checkpoint_size == 302
        path.write_bytes(good)
    assert proved(workshop, archived).ok


@pytest.mark.parametrize(
    "name", ["checkpoint/1", "note.txt", "journal/00000000000000000000.journal", "lock", "tile/0/1"]
)
def test_what_does_not_belong_is_named(workshop, archived, name):
    (archived / name).parent.mkdir(exist_ok=True)
    (archived / name).write_bytes(b"x")
    report = proved(workshop, archived)
    assert name in report.problems[0].what
    assert "does not belong" in report.problems[0].what


def assert_another_key(workshop, archived, other):
    other.fill(300)
    (archived / checkpoint_path(302)).write_bytes(other.checkpoint)
    assert "this key did not sign" in proved(workshop, archived).problems[0].what


def test_a_checkpoint_that_is_another_s_is_named(workshop, archived, tmp_path):
    good = (archived / checkpoint_path(302)).read_bytes()
    (archived / checkpoint_path(302)).chmod(0o644)
    (archived / checkpoint_path(302)).write_bytes((archived / checkpoint_path(301)).read_bytes())
    assert "it covers 301 entries" in proved(workshop, archived).problems[0].what
    (archived / checkpoint_path(302)).write_bytes(good)
    other = type(workshop)(tmp_path / "other")
    assert_another_key(workshop, archived, other)
    shutil.copytree(workshop.root / "keys", tmp_path / "other/keys", dirs_exist_ok=True)
    shutil.rmtree(other.folder)
    other.fill(300)  # by the same key: a fork
    (archived / checkpoint_path(302)).write_bytes(other.checkpoint)
    assert "not one of this tree" in proved(workshop, archived).problems[0].what


def test_an_empty_archive_proves_nothing(workshop, tmp_path):
    (tmp_path / "archive").mkdir()
    report = verify_archive(FolderPlace(tmp_path / "archive"))
    assert not report.ok
    assert "there is no checkpoint" in report.problems[0].what


def test_witnesses_that_are_required_are_looked_for(workshop, archived):
    witness = Ed25519PrivateKey.generate()
    required = Required.of([witness_vkey("w.example", witness)], 1)
    note = workshop.checkpoint
    place = FolderPlace(archived)
    bare = verify_archive(place, public_key=workshop.vkey, outside_checkpoint=note, required=required)
    assert not bare.ok
    assert "cosigned by 0 of the 1" in str(bare.problems)
    signed = note + cosign(note.partition(b"\n\n")[0] + b"\n", "w.example", witness, 1_800_000_000)
    report = verify_archive(place, public_key=workshop.vkey, outside_checkpoint=signed, required=required)
    assert (report.ok, list(report.cosigned)) == (True, ["w.example"]), report.problems
