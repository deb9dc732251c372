"""What passes through a channel: statuses, signals, input, output, large and slow."""

import hashlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.need_sshd
ANY = {"groups": ("anything",)}


def finished(gateway, count=1):
    """The entries that say how operations ended, once there are so many."""
    end = time.monotonic() + 60
    while len(found := gateway.entries("operation.finished")) < count:
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


def test_input_output_and_errors_keep_apart(ssh_gateway):
    done = ssh_gateway.ssh("cat; echo oops >&2; exit 3", stdin=b"in\n", **ANY)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"in\n", b"oops\n")


def test_a_signal_that_ended_it_is_told(ssh_gateway):
    assert ssh_gateway.ssh("kill -9 $$", **ANY).returncode == 255  # as ssh itself says it


def test_a_half_close_reaches_the_target_and_its_answer_comes_back(ssh_gateway):
    done = ssh_gateway.ssh("sha256sum; sleep 0.1; echo after", stdin=b"x" * 300_000, **ANY)
    assert done.stdout.split()[0].decode() == hashlib.sha256(b"x" * 300_000).hexdigest()
    assert done.stdout.endswith(b"after\n")


def test_a_large_download_is_intact(ssh_gateway):
    command = ssh_gateway.command("head -c 100000000 /dev/zero | tr '\\0' 'x'; exit 5", **ANY)
    sha = hashlib.sha256()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
        while piece := client.stdout.read(1 << 20):
            sha.update(piece)
    assert client.returncode == 5
    assert sha.hexdigest() == hashlib.sha256(b"x" * 100_000_000).hexdigest()


def test_a_large_upload_is_intact(ssh_gateway, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(os.urandom(1 << 20) * 60)
    with source.open("rb") as file:
        done = subprocess.run(ssh_gateway.command("sha256sum", **ANY), stdin=file, capture_output=True, check=True)
    assert done.stdout.split()[0].decode() == hashlib.sha256(source.read_bytes()).hexdigest()


def test_keys_are_exchanged_again_and_again_in_the_middle_of_it(ssh_gateway, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(os.urandom(1 << 20) * 30)
    often = ("-o", "RekeyLimit=5M")
    with source.open("rb") as file:
        command = ssh_gateway.command("cat", options=often, **ANY)
        done = subprocess.run(command, stdin=file, capture_output=True, check=True, timeout=100)
    assert done.stdout == source.read_bytes()


def memory(process):
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) // 1024


def test_a_client_that_does_not_read_makes_nobody_hold_what_it_does_not_read(ssh_gateway):
    client = ssh_gateway.popen("head -c 200000000 /dev/zero; echo end >&2", **ANY)
    assert client.stdout.read(1 << 20)
    before = memory(ssh_gateway.process)
    assert ssh_gateway.ssh("echo", "others", **ANY).stdout == b"others\n"
    assert memory(ssh_gateway.process) < before + 40
    total = 1 << 20
    while piece := client.stdout.read(1 << 20):
        total += len(piece)
    assert total == 200_000_000
    assert client.stderr.read() == b"end\n"


def test_a_target_that_does_not_read_makes_nobody_hold_what_it_does_not_read(ssh_gateway, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(bytes(150_000_000))
    before = memory(ssh_gateway.process)
    with source.open("rb") as file:
        with subprocess.Popen(
            ssh_gateway.command("sleep 1; wc -c", **ANY), stdin=file, stdout=subprocess.PIPE
        ) as client:
            assert client.stdout.read() == b"150000000\n"
    assert memory(ssh_gateway.process) < before + 40


def test_a_client_that_hangs_up_ends_the_command_s_input(ssh_gateway, tmp_path):
    mark = tmp_path / "ended"
    client = ssh_gateway.popen(f"echo up; cat; touch {mark}", **ANY)
    assert client.stdout.readline() == b"up\n"
    client.send_signal(signal.SIGKILL)
    end = time.monotonic() + 60
    while not mark.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_target_that_is_lost_is_said_and_is_no_success(ssh_gateway):
    process = ssh_gateway.popen("echo up; read word; kill -9 $PPID; sleep 5", **ANY)
    assert process.stdout.readline() == b"up\n"  # else the target may be lost before it has sent that
    said = process.communicate(b"go\n", timeout=90)
    assert (process.returncode, said[0]) == (255, b"")
    assert said[1] == b"doorward: the target is not available: the connection to it was lost\n"
    assert ssh_gateway.ssh("echo", "again", **ANY).stdout == b"again\n"


def test_many_commands_share_one_connection(ssh_gateway, tmp_path):
    control = tmp_path / "c"
    shared = ("-o", "ControlMaster=auto", "-o", f"ControlPath={control}", "-o", "ControlPersist=20")
    try:
        runs = [ssh_gateway.popen("echo", str(number), options=shared, **ANY) for number in range(5)]
        assert [run.communicate(timeout=90)[0] for run in runs] == [b"%d\n" % number for number in range(5)]
        assert ssh_gateway.ssh("exit 9", options=shared, **ANY).returncode == 9
    finally:
        subprocess.run(["ssh", "-o", f"ControlPath={control}", "-O", "exit", "x"], check=False, capture_output=True)


def test_a_listed_variable_reaches_the_target_and_others_do_not(ssh_gateway):
    sent = ("-o", "SetEnv=TZ=Europe/Vienna LD_PRELOAD=/tmp/x.so LC_ALL=C.UTF-8")
    done = ssh_gateway.ssh("echo $TZ,$LD_PRELOAD,$LC_ALL", options=sent, **ANY)
    assert done.stdout == b"Europe/Vienna,,C.UTF-8\n"


def test_what_ran_is_on_record_with_what_was_shown(own_ssh_gateway):
    gateway = own_ssh_gateway()
    gateway.ssh("printf '%s\\n' hello; echo oops >&2; exit 4", **ANY)
    ended = finished(gateway)[0]
    assert (ended.header["status"], ended.header["code"]) == ("error", "4")
    assert ended.header["bytes_down"] == 11
    assert sorted(ended.payload["shown"].split()) == [b"hello", b"oops"]
    assert ended.payload["shown_format"] == "ssh.output"
    asked = gateway.entries("operation.decided")[0]
    assert asked.payload["text"].startswith("printf")
    assert asked.header["verdict"] == "permit"
