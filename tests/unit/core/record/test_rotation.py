"""A change of keys as it should go; what crashes in it leave is in tests/crash/test_rotation_faults.py."""

import pytest

from doorward_core.errors import RecordError
from doorward_core.record import checkpoint
from doorward_core.record.reader import LogReader
from doorward_core.record.rotation import prepare, rotate


def test_the_old_key_signs_the_entry_and_the_new_one_everything_after_it(workshop):
    workshop.fill(5)
    old = workshop.vkey
    done = rotate(workshop.settings(), workshop.now)
    assert (done.old, done.finished, workshop.vkey) == (old, True, done.new)
    kinds = [entry.kind for entry in LogReader(workshop.folder).entries()]
    assert kinds[-4:] == ["log.closed", "log.opened", "key.rotated", "log.closed"]
    assert checkpoint.verify(workshop.checkpoint, done.new).size == len(kinds)


def test_the_next_key_can_be_known_before_it_is_used(workshop):
    workshop.fill(1)
    following = prepare(workshop.settings())
    assert prepare(workshop.settings()) == following  # asked twice, it is the same
    assert (workshop.root / "keys" / "signer.pem.next").stat().st_mode & 0o077 == 0
    workshop.fill(1)  # a gateway that starts meanwhile signs with the old one
    assert checkpoint.verify(workshop.checkpoint, workshop.vkey)
    assert rotate(workshop.settings(), workshop.now).new == following


def test_where_there_is_no_log_nothing_is_made(workshop):
    with pytest.raises(RecordError, match="no log"):
        rotate(workshop.settings(), workshop.now)
    with pytest.raises(RecordError, match="no signing key"):
        prepare(workshop.settings())
    assert not workshop.folder.exists()


def test_a_next_key_that_others_can_read_is_not_used(workshop):
    workshop.fill(1)
    prepare(workshop.settings())
    (workshop.root / "keys" / "signer.pem.next").chmod(0o644)
    with pytest.raises(RecordError, match="read by others"):
        rotate(workshop.settings(), workshop.now)
