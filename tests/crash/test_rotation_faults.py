"""A fault at every step of a change of keys: the log opens again, one key signs, and every pin still follows."""

import errno
import json
import shutil
import subprocess
import sys

import pytest
from fault_steps import Faults

from doorward_core.errors import RecordError
from doorward_core.record.checkpoint import CheckpointError
from doorward_core.record.checkpoint import verify as signed_by
from doorward_core.record.encode import encode
from doorward_core.record.engine import Engine, Settings
from doorward_core.record.journal import JournalError
from doorward_core.record.rotation import prepare, rotate
from doorward_core.record.verify import verify

NOW = 1_800_000_000_000_000_000


def settings(root):
    return Settings(
        root / "log", "gateway.example/a", root / "keys" / "s.pem", root / "keys" / "p", mirror=root / "second"
    )


def begin(root):
    """A log that was closed, and the key that signed it."""
    engine = Engine(settings(root))
    engine.open(NOW)
    for _ in range(5):
        engine.add(engine.size, NOW, "a.b", b"", b"", head=encode({}), body=encode({"x": 1}))
    engine.close(NOW)
    return engine.vkey


def check(root, old, kept):
    """Whatever happened: the log opens, signs with one key, and is followed from the key that auditors have."""
    engine = Engine(settings(root))
    engine.open(NOW + 10**9)
    engine.close(NOW + 10**9)
    now = engine.vkey
    note = (root / "log" / "checkpoint").read_bytes()
    assert signed_by(note, now).size == engine.size
    assert (root / "second" / "checkpoint").read_bytes() == note
    for pin in {old, now}:
        for outside in (kept, note):
            report = verify(root / "log", public_key=pin, outside_checkpoint=outside)
            assert report.ok, report.problems
            assert report.checks["keys"] == (1 if now == old else 2)
    if now != old:
        with pytest.raises(CheckpointError):
            signed_by(note, old)
    return now


@pytest.mark.parametrize(("code", "lose"), [(errno.ENOSPC, False), (errno.EIO, True)], ids=["full", "loses"])
def test_a_fault_at_every_step_of_a_change_of_keys(tmp_path, monkeypatch, code, lose):
    begin(tmp_path / "start")
    faults = Faults(monkeypatch, code, lose=lose)
    changed, fail_at, fired = set(), 1, True
    while fired:
        root = tmp_path / str(fail_at)
        shutil.copytree(tmp_path / "start", root)
        faults.synced = {path: path.stat().st_size for path in root.rglob("*") if path.is_file()}
        faults.named = set(root.rglob("*"))
        old, kept = (root / "keys" / "s.vkey").read_text().strip(), (root / "log" / "checkpoint").read_bytes()
        faults.count, faults.fail_at, faults.fired = 0, fail_at, False
        try:
            rotate(settings(root), NOW + 1)
        except (OSError, RecordError, JournalError):
            assert faults.fired
        fired = faults.fired
        faults.stop(root)
        changed.add(check(root, old, kept) != old)
        again = rotate(settings(root), NOW + 10**10)  # tried again, it succeeds
        assert again.finished
        assert not list((root / "keys").glob("*.next"))
        shutil.rmtree(root)
        fail_at += 1
    assert changed == {False, True}
    assert fail_at > 40


def test_while_the_second_place_cannot_be_written_both_keys_stay(tmp_path):
    old = begin(tmp_path)
    kept = (tmp_path / "log" / "checkpoint").read_bytes()
    (tmp_path / "second").rename(tmp_path / "away")
    (tmp_path / "second").write_text("a file where a folder should be")
    done = rotate(settings(tmp_path), NOW + 1)
    assert (done.finished, done.new != old) == (False, True)
    assert (tmp_path / "keys" / "s.pem.next").exists()
    (tmp_path / "second").unlink()
    (tmp_path / "away").rename(tmp_path / "second")
    assert check(tmp_path, old, kept) == done.new
    assert not (tmp_path / "keys" / "s.pem.next").exists()


def test_a_next_key_that_the_old_one_did_not_confirm_signs_nothing(tmp_path):
    """Whoever can write to the journal's end, but has no key, cannot make the writer change to another."""
    old = begin(tmp_path)
    following = prepare(settings(tmp_path))
    engine = Engine(settings(tmp_path))
    engine.open(NOW)
    head = encode({"vkey": following, "signature": bytes(64)})
    engine.add(engine.size, NOW, "key.rotated", b"", b"", head=head, body=b"")
    engine.flush()
    engine.release()
    again = Engine(settings(tmp_path))
    again.open(NOW)
    again.release()
    assert again.vkey == old
    assert (tmp_path / "keys" / "s.pem.next").exists()


def test_it_is_refused_while_a_gateway_has_the_log_open(tmp_path):
    begin(tmp_path)
    engine = Engine(settings(tmp_path))
    with pytest.raises(RecordError, match="another process"):
        rotate(settings(tmp_path), NOW)
    engine.release()


def test_three_changes_in_a_row_are_followed_from_any_key(tmp_path):
    keys, notes = [begin(tmp_path)], [(tmp_path / "log" / "checkpoint").read_bytes()]
    for number in range(3):
        keys.append(rotate(settings(tmp_path), NOW + number).new)
        notes.append((tmp_path / "log" / "checkpoint").read_bytes())
    assert len(set(keys)) == 4
    for pin in keys:
        for outside in notes:
            report = verify(tmp_path / "log", public_key=pin, outside_checkpoint=outside)
            assert (report.ok, report.checks["keys"]) == (True, 4), report.problems


def test_a_killed_process_in_the_middle_is_gone_on_with(tmp_path):
    old = begin(tmp_path)
    kept = (tmp_path / "log" / "checkpoint").read_bytes()
    script = f"""
import os, json, sys
from pathlib import Path
from doorward_core.record import engine, rotation
root = Path({json.dumps(str(tmp_path))})
engine.Engine._take_over = lambda self: os.kill(os.getpid(), 9)
rotation.rotate(engine.Settings(root / "log", "gateway.example/a", root / "keys" / "s.pem", root / "keys" / "p",
    mirror=root / "second"), {NOW + 1})
"""
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -9
    assert check(tmp_path, old, kept) != old
