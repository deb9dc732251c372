"""What an archive has, whether it is whole, and a log back from it, as the commands say it."""

import json

import object_store
import pytest

from doorward_core.record.archive import Archiver, Terms
from doorward_core.record.archive_places import FolderPlace
from doorward_core.record.reader import LogReader


def fill(log, place, terms=None):
    one = Archiver(log, place, LogReader(log).checkpoint().origin, terms or Terms())
    one.resume()
    one.advance(1)


@pytest.fixture
def archive(log, tmp_path):
    target = tmp_path / "archive"
    target.mkdir()
    fill(log, FolderPlace(target))
    return target


def test_status_says_what_it_has_and_what_it_lacks(run, log, archive):
    done = run("archive", "status", archive, "--log", log, "--json")
    found = json.loads(done.output)
    assert (found["entries"], found["behind"], found["freed"], found["lock"]) == (13, 0, 0, "none")
    assert "entries   13" in run("archive", "status", archive).output


def test_a_log_that_is_not_there_is_named(run, tmp_path, archive):
    done = run("archive", "status", archive, "--log", tmp_path / "gone")
    assert done.exit_code == 2
    assert f"there is no log at {tmp_path / 'gone'}" in " ".join(done.stderr.split())


def test_an_empty_archive_is_not_one(run, tmp_path):
    done = run("archive", "status", tmp_path)
    assert (done.exit_code, "no checkpoint" in done.output) == (1, True)


def test_an_archive_is_verified_alone_and_beside_its_log(run, log, archive):
    key = log.parent / "signer.vkey"
    done = run("verify", "--archive", archive, "--key-file", key)
    assert done.exit_code == 0, done.output
    assert done.output.count("ok: every entry") == 1
    done = run("verify", log, "--archive", archive, "--key-file", key)
    assert done.exit_code == 0, done.output
    assert done.output.count("ok: every entry") == 2


def test_a_lost_or_altered_object_is_named(run, archive):
    (bundle,) = (archive / "tile/entries").rglob("*.p/*")
    good = bundle.read_bytes()
    bundle.chmod(0o644)
    bundle.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    done = run("verify", "--archive", archive)
    assert done.exit_code == 1
    assert "PROBLEM   entry 12" in done.output
    bundle.unlink()
    done = run("verify", "--archive", archive)
    assert (done.exit_code, "entry 0" in done.output) == (1, True)


def test_a_log_comes_back_and_is_proved(run, log, archive, tmp_path):
    done = run("archive", "restore", archive, "--to", tmp_path / "back", "--key-file", log.parent / "signer.vkey")
    assert done.exit_code == 0, done.output
    assert "13 entries came back" in done.output
    assert "ok: every entry" in done.output
    assert run("archive", "restore", archive, "--to", tmp_path / "back").exit_code == 2


def test_a_bucket_is_read_with_what_the_environment_says(run, log, tmp_path, monkeypatch):
    with object_store.object_store() as server:
        server.bucket()
        target = f"s3://{object_store.BUCKET}/gateway"
        assert "AWS_ACCESS_KEY_ID" in run("archive", "status", target).output
        fill(log, server.place(), Terms("compliance", 400 * 86_400))
        for name, value in (("ACCESS_KEY_ID", "id"), ("SECRET_ACCESS_KEY", "key"), ("ENDPOINT_URL", server.url)):
            monkeypatch.setenv(f"AWS_{name}", value)
        done = run("archive", "status", target)
        assert "compliance until" in done.output
        assert run("verify", "--archive", target).exit_code == 0
        assert run("archive", "restore", target, "--to", tmp_path / "back").exit_code == 0


def test_what_was_freed_is_read_from_the_archive_that_the_environment_names(run, log, archive, monkeypatch):
    monkeypatch.setenv("DOORWARD_ARCHIVE", str(archive))
    assert run("replay", "last", "--log", log).exit_code == 0
