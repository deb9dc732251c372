"""Files and folders on stable storage: here in steps, or in a process beside."""

import os
import subprocess
from pathlib import Path

import pytest

from doorward_core.errors import RecordError
from doorward_core.record import settle as settling
from doorward_core.record.settle import Helper, Steps, beside, settle

WAIT_S = 120  # for a process to end, which it does by itself


@pytest.fixture
def names(tmp_path):
    """The names of twenty files in two folders."""
    made = [f"tile/0/x000/{number:03d}" for number in range(10)] + [
        f"tile/entries/{number:03d}" for number in range(10)
    ]
    for name in made:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return made


@pytest.fixture
def flushed(tmp_path, monkeypatch):
    """What is flushed, in order, as names within the tree."""
    order, fsync = [], os.fsync

    def noted(descriptor):
        order.append(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path).as_posix())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return order


@pytest.fixture
def helper(tmp_path):
    made = Helper(tmp_path)
    yield made
    made.close()


FOLDERS = {".", "tile", "tile/0", "tile/0/x000", "tile/entries"}


def test_files_are_flushed_before_the_folders_that_lead_to_them(tmp_path, names, flushed):
    settle(tmp_path, names)
    assert flushed[:20] == names
    assert set(flushed[20:]) == FOLDERS


def test_more_files_than_are_open_at_once_are_all_flushed(tmp_path, names, flushed, monkeypatch):
    monkeypatch.setattr(settling, "_TOGETHER", 3)
    settle(tmp_path, names)
    assert flushed[:20] == names


def test_nothing_to_flush_is_done(tmp_path, flushed):
    settle(tmp_path, [])
    steps = Steps(tmp_path)
    assert steps.done()
    steps.begin([])
    assert steps.done()
    assert flushed == []


def test_a_look_flushes_a_few_and_the_last_one_the_folders(tmp_path, names, flushed):
    steps = Steps(tmp_path)
    steps.begin(names)
    assert [steps.done(), len(flushed), steps.done(), len(flushed)] == [False, 8, False, 16]
    assert steps.done()
    assert set(flushed[20:]) == FOLDERS
    steps.close()


def test_what_is_left_is_flushed_at_once_where_that_is_waited_for(tmp_path, names, flushed):
    steps = Steps(tmp_path)
    steps.begin(names)
    assert not steps.done()
    steps.finish()
    assert flushed[:20] == names


def test_a_kernel_that_takes_no_hint_flushes_all_the_same(tmp_path, names, flushed, monkeypatch):
    def cannot(*_):
        raise OSError(38, "no such call")

    monkeypatch.setattr(os, "posix_fadvise", cannot)
    settle(tmp_path, names)
    assert flushed[:20] == names


def test_a_flush_that_fails_is_told(tmp_path, names):
    (tmp_path / names[7]).unlink()
    with pytest.raises(FileNotFoundError):
        settle(tmp_path, names)


def test_the_process_beside_does_one_batch_after_the_other(helper, names):
    assert helper.done()
    for batch in (names[:5], names[5:], names):
        helper.begin(batch)
        helper.finish()
        assert helper.done()


def test_a_batch_without_files_is_answered(helper):
    helper.begin([])
    helper.finish()
    assert helper.done()


def test_the_process_beside_says_what_it_could_not_flush(tmp_path, helper, names):
    (tmp_path / names[7]).unlink()
    helper.begin(names)
    with pytest.raises(RecordError, match=r"could not be flushed: No such file or directory: .*/007"):
        helper.finish()


def test_a_process_beside_that_is_gone_is_a_failure(helper, names):
    helper.begin(names)
    helper.finish()
    helper._process.kill()
    helper._process.wait()
    with pytest.raises(RecordError, match="gone"):
        helper.begin(names)


def test_a_process_beside_that_goes_before_it_has_answered_is_a_failure(helper):
    helper._busy = True  # as if it had been asked: its end is all that it answers
    helper._process.kill()
    helper._process.wait()
    with pytest.raises(RecordError, match="gone"):
        helper.done()


def test_the_process_beside_ends_with_the_one_that_it_serves(tmp_path, names):
    """Closing the socket is all that is left of a writer that was killed."""
    helper = Helper(tmp_path)
    helper.begin(names)
    helper.finish()
    helper._ours.close()
    assert helper._process.wait(WAIT_S) == 0


def test_where_no_process_can_be_had_it_is_done_here(tmp_path, names, flushed, monkeypatch):
    def none(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", none)
    found = beside(tmp_path)
    found.begin(names)
    found.finish()
    assert flushed[:20] == names
    found.close()


def test_a_process_is_had_where_it_can(tmp_path, names):
    found = beside(tmp_path)
    assert isinstance(found, Helper)
    found.begin(names)
    found.finish()
    found.close()
