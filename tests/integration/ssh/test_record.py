"""Without a record nothing passes, and what comes after a failed log is served again."""

import os
import signal
import time

import pytest
from crash_load import writer_of

pytestmark = pytest.mark.need_sshd


def permitted(gateway):
    """How many operations were permitted, whether or not that is on record by now."""
    lines = gateway.probe("/metrics")[1].splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith("doorward_operations_permitted "))


def test_no_command_runs_while_the_record_cannot_be_written(own_ssh_gateway, tmp_path):
    gateway = own_ssh_gateway()
    shared = ("-o", "ControlMaster=auto", "-o", f"ControlPath={tmp_path / 'c'}", "-o", "ControlPersist=120")
    assert gateway.ssh("true", options=shared, groups=("anything",)).returncode == 0
    writer = writer_of(gateway.process.pid)
    os.kill(writer, signal.SIGSTOP)
    before = permitted(gateway)
    waiting = gateway.popen("touch", str(tmp_path / "x"), options=shared, groups=("anything",))
    end = time.monotonic() + 60
    while permitted(gateway) == before:
        assert time.monotonic() < end
    assert not (tmp_path / "x").exists()
    os.kill(writer, signal.SIGKILL)
    assert waiting.wait(60) != 0
    assert not (tmp_path / "x").exists()
    end = time.monotonic() + 60
    while gateway.ssh("echo", "on", groups=("anything",)).stdout != b"on\n":
        assert time.monotonic() < end, gateway.said()
    assert '"kind": "RecordError"' in gateway.said()
