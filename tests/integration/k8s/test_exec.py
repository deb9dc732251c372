"""kubectl exec, attach and cp: output, exit status, terminals, transfers, and what is on record of them."""

import os
import pty
import subprocess

import pytest
from k8s_stack import MASKS, POLICY, other_kubectl

from doorward_core.event import EventKind

pytestmark = pytest.mark.need_kubectl


def test_output_both_streams_and_the_exit_status_come_through(k8s):
    told = k8s.kubectl("exec", "-n", "shop", "web-0", "--", "sh", "-c", "echo out; echo err >&2; exit 3", check=False)
    assert (told.code, told.out) == (3, "out\n")
    assert told.said.startswith("err\n")
    (finished,) = k8s.until_recorded(EventKind.OPERATION_FINISHED, "exit 3")
    assert (finished.header["status"], finished.header["code"]) == ("error", "3")
    shown = sorted(finished.payload["shown"].splitlines())  # two pipes: which is read first is the machine's affair
    assert (shown, finished.payload["shown_format"]) == ([b"err", b"out"], "ssh.output")


def test_what_is_typed_arrives_and_its_end_is_told(k8s):
    told = k8s.kubectl("exec", "-i", "-n", "shop", "web-0", "--", "wc", "-c", stdin="x" * 300_000)
    assert told.out.strip() == "300000"


def test_much_output_is_whole(k8s):
    told = k8s.kubectl("exec", "-n", "shop", "web-0", "--", "seq", "1", "200000")
    assert told.out.splitlines()[-1] == "200000"
    assert len(told.out.splitlines()) == 200_000


def test_a_command_is_decided_by_what_it_runs(k8s):
    told = k8s.kubectl("exec", "-n", "shop", "web-0", "--", "sh", "-c", "ls; rm -rf /", check=False)
    assert "Files are removed by the platform team." in told.said
    assert not k8s.reached("/exec")


def test_an_exec_elsewhere_is_refused_whatever_it_runs(k8s):
    told = k8s.kubectl("exec", "-n", "store", "till-0", "--", "ls", check=False)
    assert "No rule allows execute (connect) on store/core/pods/exec/till-0" in told.said
    assert not k8s.reached("/exec")


def test_a_terminal_has_its_size_and_is_recorded_as_it_was_seen(k8s):
    near, far = pty.openpty()
    os.set_inheritable(far, True)
    subprocess.run(["stty", "rows", "33", "cols", "91"], stdin=far, check=True)
    process = subprocess.Popen(
        k8s.command("exec", "-it", "-n", "shop", "web-0", "--", "sh"), stdin=far, stdout=far, stderr=far, close_fds=True
    )
    os.close(far)
    k8s.running.append(process)
    seen = b""
    try:
        os.write(near, b"until stty size | grep '33 91'; do sleep 0.1; done; echo done-$((1+1)); exit 4\n")
        while b"done-2" not in seen:
            seen += os.read(near, 4096)
        while True:
            seen += os.read(near, 4096)
    except OSError:  # a terminal that nobody holds any more
        pass
    finally:
        os.close(near)
    assert process.wait(60) == 4
    assert b"33 91\r\n" in seen
    k8s.until_recorded(EventKind.OPERATION_FINISHED, "with stdin and tty")
    chunks = k8s.until_recorded(EventKind.STREAM_CHUNK, "with stdin and tty")
    taped = b"".join(one.payload["data"] for one in chunks if one.header["stream"] == "stdout")
    assert b"done-2" in taped
    assert b"91x33" in [one.payload["data"] for one in chunks if one.header["stream"] == "resize"]


def test_what_is_masked_is_masked_where_it_was_cut_as_well(own_k8s):
    k8s = own_k8s(policy=POLICY + MASKS.replace("except:", "strict: true\n    except:"))  # else it is let go in time
    script = "printf 'to ada@exam'; sleep 0.3; printf 'ple.com now\\n'; echo ada@example.com >&2"
    told = k8s.kubectl("exec", "-n", "shop", "web-0", "--", "sh", "-c", script)
    assert told.out == "to [masked:email] now\n"
    assert "ada@example.com" not in told.said
    (finished,) = k8s.until_recorded(EventKind.OPERATION_FINISHED, "printf")
    assert b"ada@" not in finished.payload["shown"]
    assert finished.header["masked"] == {"email": 2}


def test_files_are_copied_both_ways_and_seen_to_be(k8s, tmp_path):
    source, back = tmp_path / "data.bin", tmp_path / "back.bin"
    source.write_bytes(os.urandom(300_000))
    k8s.kubectl("cp", str(source), "shop/web-0:data.bin")
    k8s.kubectl("cp", "shop/web-0:data.bin", str(back))
    assert back.read_bytes() == source.read_bytes()
    decided = k8s.entries(EventKind.OPERATION_DECIDED)
    moved = [entry for entry in decided if entry.header["action"] == "transfer"]
    names = [atom["name"] for entry in moved for atom in entry.payload["atoms"] if atom["kind"] == "path"]
    assert "./data.bin" in names


def test_one_attaches_to_what_runs(k8s):
    told = k8s.kubectl("attach", "-i", "-n", "shop", "web-1", stdin="hello\n")
    assert "hello" in told.out


@pytest.mark.parametrize("minor", [20, 27, 28, 29])
def test_a_kubectl_that_speaks_spdy_is_told_what_helps(k8s, minor):
    program = other_kubectl(minor)
    told = k8s.kubectl("exec", "-n", "shop", "web-0", "--", "ls", program=program, check=False)
    assert "use kubectl 1.31 or newer" in told.said
    assert not k8s.reached("/exec")
    told = k8s.kubectl("exec", "-n", "store", "till-0", "--", "ls", program=program, check=False)
    assert "No rule allows execute" in told.said


@pytest.mark.parametrize(("minor", "setting"), [(29, "true"), (30, "true"), (31, ""), (33, ""), (35, "")])
def test_newer_ones_stream_over_websocket(k8s, minor, setting):
    program = other_kubectl(minor)
    environment = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": setting} if setting else {}
    told = k8s.kubectl("exec", "-n", "shop", "web-0", "--", "echo", "hi", program=program, environment=environment)
    assert told.out == "hi\n"


def test_a_live_exec_ends_with_its_session_and_says_why(own_k8s):
    k8s = own_k8s()
    running = k8s.start_kubectl("exec", "-n", "shop", "web-0", "--", "sh", "-c", "echo here; sleep 600")
    assert running.stdout.readline() == "here\n"
    operator = k8s.approver("opal", ("platform",))
    sessions = k8s.call("GET", "/v1/sessions", operator)[1]["sessions"]
    k8s.call("POST", f"/v1/sessions/{sessions[-1]['session']}/end", operator, {"reason": "enough"})
    done = k8s.finished(running)
    assert done.code != 0
    assert "an operator ended this session: enough" in done.said
