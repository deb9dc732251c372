"""Commands through the gateway, by the real ssh to the real sshd."""

import pytest

pytestmark = pytest.mark.need_sshd


def test_an_allowed_command_runs_and_its_status_is_the_target_s(ssh_gateway):
    done = ssh_gateway.ssh("echo", "hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello\n", b"")


def test_the_exit_status_comes_through(ssh_gateway):
    assert ssh_gateway.ssh("exit 7", groups=("anything",)).returncode == 7


def test_a_refused_command_exits_126_with_one_line_that_says_why(ssh_gateway):
    ssh_gateway.recorder.mark()
    done = ssh_gateway.ssh("rm", "/tmp/nothing")
    assert done.returncode == 126
    assert done.stdout == b""
    assert done.stderr.startswith(b"doorward: refused: Files are removed by the pipeline")
    assert done.stderr.count(b"\n") == 1
    assert ssh_gateway.recorder.sent == b""


def test_output_is_masked_on_both_streams(ssh_gateway):
    done = ssh_gateway.ssh("echo ann@example.com; echo bob@example.com >&2")
    assert done.returncode == 126 or b"ann@" not in done.stdout


def test_a_held_command_runs_when_it_is_approved(ssh_gateway, tmp_path):
    touched = tmp_path / "touched"
    client = ssh_gateway.popen("touch", str(touched))
    request = ssh_gateway.waiting()[0]
    assert not touched.exists()
    assert ssh_gateway.vote(request["id"])[0] == 200
    out, err = client.communicate(timeout=90)
    assert (client.returncode, out) == (0, b"")
    assert request["id"].encode() in err
    assert touched.exists()
