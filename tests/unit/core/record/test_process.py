"""The writer process at its pipe: what it answers, and how it ends."""

import socket
import subprocess
import sys

import pytest

from doorward_core.record import process
from doorward_core.record.encode import Messages, encode, pack_message
from doorward_core.record.reader import LogReader
from doorward_core.record.verify import verify

LATER = 3_900_000_000_000_000_000


class Pipe:
    """The gateway's end, spoken by hand."""

    def __init__(self, settings, *, first=None) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(120)
        with theirs:
            self.child = subprocess.Popen(
                [sys.executable, "-P", "-m", "doorward_core.record.process"], stdin=theirs.fileno()
            )
        self.messages = Messages(1 << 20)
        self.send(*(first or (process.SETTINGS, process.settings_text(settings, 30.0))))

    def send(self, *message) -> None:
        self.socket.sendall(pack_message(message))

    def sendall(self, *messages) -> None:
        """In one chunk."""
        self.socket.sendall(b"".join(pack_message(message) for message in messages))

    def until(self, *wanted) -> None:
        """Read until the writer says this."""
        while wanted not in list(self.messages):
            chunk = self.socket.recv(65536)
            assert chunk
            self.messages.feed(chunk)

    def answers(self):
        """All that comes until the process ends, and its exit status."""
        got = []
        while True:
            try:
                chunk = self.socket.recv(65536)
            except ConnectionResetError:  # it left with something of ours unread
                chunk = b""
            if not chunk:
                break
            self.messages.feed(chunk)
            got += list(self.messages)
        self.socket.close()
        return got, self.child.wait(120)


@pytest.fixture
def pipe(workshop):
    return Pipe(workshop.settings())


def test_events_flush_and_close_in_order(workshop, pipe):
    pipe.send(process.EVENT, 1, LATER, "a.b", b"", b"", encode({"n": 1}), b"")
    pipe.send(process.FLUSH, 2, 1)
    pipe.send(process.CLOSE, LATER)
    answers, status = pipe.answers()
    assert status == 0
    assert answers[0][:2] == (process.OPENED, 1)
    assert answers[-2:] == [(process.DURABLE, 3), (process.CLOSED,)]
    assert verify(workshop.folder, public_key=workshop.vkey).ok


def test_who_waits_for_others_to_share_a_flush_does_not_wait_for_ever(pipe):
    """Three asked together; the one who comes back alone is served, and so is the next, until the log is closed."""
    for index, askers in ((1, 3), (2, 1), (3, 1)):
        pipe.send(process.EVENT, index, LATER, "a.b", b"", b"", encode({"n": index}), b"")
        pipe.send(process.FLUSH, index + 1, askers)
        pipe.until(process.DURABLE, index + 1)
    pipe.send(process.EVENT, 4, LATER, "a.b", b"", b"", encode({"n": 4}), b"")
    pipe.sendall((process.FLUSH, 5, 9), (process.CLOSE, LATER))
    answers, status = pipe.answers()
    assert status == 0
    assert answers[-1] == (process.CLOSED,)


def test_the_end_of_the_gateway_keeps_what_it_had_handed_over(workshop, pipe):
    pipe.send(process.EVENT, 1, LATER, "a.b", b"", b"", encode({"n": 1}), b"")
    pipe.socket.shutdown(socket.SHUT_WR)
    _, status = pipe.answers()
    assert status == 0
    assert [entry.kind for entry in LogReader(workshop.folder).entries()] == ["log.opened", "a.b"]
    assert verify(workshop.folder, public_key=workshop.vkey).checkpoint_size == 2


def test_half_a_message_at_the_end_is_no_event(workshop, pipe):
    message = pack_message((process.EVENT, 1, LATER, "a.b", b"", b"", encode({"n": 1}), b""))
    pipe.socket.sendall(message[:-3])
    pipe.socket.shutdown(socket.SHUT_WR)
    assert pipe.answers()[1] == 0
    assert [entry.kind for entry in LogReader(workshop.folder).entries()] == ["log.opened"]


@pytest.mark.parametrize(
    "message",
    [
        (9,),
        (process.EVENT, 7, LATER, "a.b", b"", b"", b"\x80", b""),
        (process.EVENT, 1, 0, "a.b", b"", b"", b"\x80", b""),
    ],
    ids=["unknown", "wrong index", "wrong time"],
)
def test_what_is_no_message_fails_with_a_reason(pipe, message):
    pipe.send(*message)
    answers, status = pipe.answers()
    assert status == 1
    assert answers[-1][0] == process.FAILED
    assert answers[-1][1]


def test_a_log_that_may_not_be_opened_is_said_in_words(workshop):
    workshop.fill(3)
    (workshop.folder / "checkpoint").write_bytes(b"nonsense")
    answers, status = Pipe(workshop.settings()).answers()
    assert status == 1
    assert "not a checkpoint of this log" in answers[0][1]
