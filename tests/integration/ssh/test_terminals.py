"""Shells in a terminal: one decision, recorded whole, resized, masked as far as it goes."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

pytestmark = pytest.mark.need_sshd
ANY = {"groups": ("anything",)}

POLICY = """\
version: 1
rules:
  - id: shells
    effect: allow
    who: {groups: [crew-operators]}
    resource: web1
    do: [execute]
    targets: {shell: [deploy]}
masks:
  - id: pii
    resource: web1
    detect: [email]
    with: redact
"""


class Terminal:
    """ssh in a terminal of its own."""

    def __init__(self, command, rows=24, columns=80):
        self.master, slave = pty.openpty()
        self._size(rows, columns)
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.seen = b""

    def _size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        self._size(rows, columns)
        self.process.send_signal(signal.SIGWINCH)

    def type(self, text):
        os.write(self.master, text.encode())

    def until(self, wanted, within_s=60):
        """Read until this has been seen; gives all that was read since the last call."""
        end = time.monotonic() + within_s
        start = len(self.seen)
        while wanted not in self.seen[start:]:
            left = end - time.monotonic()
            assert left > 0, self.seen
            if select.select([self.master], [], [], left)[0]:
                try:
                    self.seen += os.read(self.master, 65536)
                except OSError:
                    break
        return self.seen[start:]

    def end(self):
        """Read to the end; gives the exit status."""
        with contextlib.suppress(OSError):
            while data := os.read(self.master, 65536):
                self.seen += data
        return self.process.wait(60)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(60)
        os.close(self.master)


def closed(gateway, within_s=60):
    """The entry that says how the first session ended, once it is there."""
    end = time.monotonic() + within_s
    while not (found := gateway.entries("session.closed")):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found[0]


@pytest.fixture
def terminal():
    """A maker of terminals; all are closed with the test."""
    made = []

    def make(command, **size):
        made.append(Terminal(command, **size))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_shell_is_one_decision_and_recorded_whole(own_ssh_gateway, terminal):
    gateway = own_ssh_gateway(policy=POLICY)
    screen = terminal(gateway.command("-tt"))
    screen.type("PS1='> '; stty size; echo one$((1+1))\n")
    screen.until(b"one2")
    screen.resize(50, 132)
    screen.type("until stty size | grep -q '50 132'; do sleep 0.1; done; stty size\n")  # keys may overtake a resize
    screen.until(b"50 132\r\n")
    screen.type("exit 3\n")
    assert screen.end() == 3
    closed(gateway)
    decided = gateway.entries("operation.decided")
    assert [entry.header["verb"] for entry in decided] == ["shell"]
    assert decided[0].header["unseen"] == ["stdin"]
    chunks = gateway.entries("stream.chunk")
    kept = b"".join(chunk.payload["data"] for chunk in chunks if chunk.header["stream"] == "stdout")
    assert screen.seen.endswith(kept)  # before it: what the terminal here echoed until ssh had taken it over
    assert b"one2" in kept
    assert kept.endswith(b"logout\r\n")
    sizes = [chunk.payload["data"] for chunk in chunks if chunk.header["stream"] == "resize"]
    assert sizes == [b"80x24", b"132x50"]
    times = [chunk.time_unix_ns for chunk in chunks]
    assert times == sorted(times)


def test_a_terminal_is_masked_as_far_as_it_goes_and_the_record_says_so(own_ssh_gateway, terminal):
    gateway = own_ssh_gateway(policy=POLICY)
    screen = terminal(gateway.command("-tt"))
    screen.type("stty -echo; printf 'to %s@example.com\\n' ann; exit\n")
    assert screen.end() == 0
    assert b"[masked:email]" in screen.seen
    assert b"to ann@example.com" not in screen.seen
    assert any("terminal" in words for words in closed(gateway).header["coverage"])


def test_a_strict_mask_refuses_a_terminal(own_ssh_gateway, terminal):
    gateway = own_ssh_gateway(policy=POLICY + "    strict: true\n")
    screen = terminal(gateway.command("-tt"))
    assert screen.end() == 126
    assert b"without a terminal" in screen.seen


def test_a_shell_that_no_rule_allows_is_refused_in_the_terminal(ssh_gateway, terminal):
    screen = terminal(ssh_gateway.command("-tt"))
    assert screen.end() == 126
    assert b"doorward: refused:" in screen.seen


def test_an_interrupt_reaches_what_runs(ssh_gateway, terminal):
    screen = terminal(ssh_gateway.command("-tt", **ANY))
    # Said by what is to be interrupted: a shell is deaf to a ^C between two of its commands.
    screen.type("PS1='> '; sh -c 'echo run\"\"ning; exec sleep 600'\n")
    screen.until(b"running")  # as it is said there, not as it was typed here
    screen.type("\x03")
    screen.until(b"^C")
    screen.type("echo $((40+2)); exit\n")
    screen.until(b"42")
    assert screen.end() == 0


def test_a_held_command_says_so_in_the_terminal(ssh_gateway, terminal, tmp_path):
    screen = terminal(ssh_gateway.command("-tt", "touch", str(tmp_path / "x")))
    said = screen.until(b"]")
    request = ssh_gateway.waiting()[0]
    assert request["id"].encode() in said
    assert ssh_gateway.vote(request["id"], "reject", reason="not today")[0] == 200
    assert screen.end() == 126
    assert b"not today" in screen.seen
    assert not (tmp_path / "x").exists()
