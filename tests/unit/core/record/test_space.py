"""Room on the disks: what is refused before there is none, and that it comes back by itself."""

import pytest

from doorward_core.errors import RecordError
from doorward_core.event import EventKind
from doorward_core.record.limits import Limits
from doorward_core.record.space import LEAST_INODES, Space, measured

MIB = 1 << 20


class Disk:
    """What the kernel says, as a test will have it."""

    free, inodes = 1000 * MIB, 10**6

    def __call__(self, path):
        return self.free, self.inodes


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def told():
    return []


@pytest.fixture
def limits():
    return Limits()


@pytest.fixture
def space(tmp_path, disk, told, limits):
    async def keep(event):
        told.append(event.header["what"])
        return 0

    return Space({"record.folder": tmp_path, "record.keys": tmp_path / "not/yet"}, 256 * MIB, limits, keep, disk)


async def test_while_there_is_room_nothing_is_refused(space, limits, told):
    await space.look()
    assert (limits.problem, told) == ("", [])


async def test_below_the_floor_no_session_begins_and_below_half_of_it_nothing_does(space, disk, limits, told):
    disk.free = 255 * MIB
    await space.look()
    assert "nearly full (255 MiB free at `record.folder`)" in limits.refusal(EventKind.SESSION_OPENED)
    assert limits.refusal(EventKind.OPERATION_DECIDED) == ""
    disk.free = 127 * MIB
    await space.look()
    assert "127 MiB" in limits.refusal(EventKind.OPERATION_DECIDED)
    assert limits.refusal(EventKind.SESSION_REFUSED)  # so a flood of refusals cannot fill the rest
    assert not limits.refusal(EventKind.SESSION_CLOSED)
    await space.look()
    assert len(told) == 2, "each step is told once"


async def test_it_comes_back_by_itself_once_there_is_a_little_more_than_the_floor(space, disk, limits, told):
    disk.free = 100 * MIB
    await space.look()
    disk.free = 257 * MIB
    await space.look()
    assert limits.problem
    disk.free = 300 * MIB
    await space.look()
    assert limits.problem == ""
    assert "room again" in told[-1]


async def test_files_run_out_too(space, disk, limits):
    disk.inodes = LEAST_INODES // 2 - 1
    await space.look()
    assert "files free" in limits.refusal(EventKind.OPERATION_DECIDED)


async def test_a_disk_that_cannot_be_asked_or_written_is_left_to_the_log(tmp_path, limits):
    async def keep(event):
        raise RecordError("the disk is full")

    def broken(path):
        raise OSError(5, "Input/output error")

    await Space({"a": tmp_path}, MIB, limits, keep, broken).look()
    assert limits.problem == ""
    await Space({"a": tmp_path}, MIB, limits, keep, lambda path: (0, 0)).look()
    assert limits.problem


def test_the_kernel_is_asked_about_the_nearest_folder_that_is_there(tmp_path):
    free, inodes = measured(tmp_path / "not" / "yet")
    assert free > 0
    assert inodes > 0
