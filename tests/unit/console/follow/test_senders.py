"""Where followed events go: real files, real sockets."""

import hmac
import json
import re
from hashlib import sha256

import pytest
import trio

from doorward_console.follow.senders import NotDelivered, Unusable, sender_for


def parsed(data: bytes) -> list[dict]:
    return [json.loads(line) for line in data.decode("ascii").splitlines()]


async def test_a_file_gets_lines_at_its_end(tmp_path, log_entries):
    sender = sender_for(str(tmp_path / "out.jsonl"), "gw", content=False)
    await sender.send(log_entries[:2])
    await sender.send(log_entries[2:3])
    assert [one["index"] for one in parsed((tmp_path / "out.jsonl").read_bytes())] == [0, 1, 2]


async def test_a_line_that_a_crash_cut_stays_alone(tmp_path, log_entries):
    (tmp_path / "out").write_bytes(b'{"index": 7')
    await sender_for(str(tmp_path / "out"), "gw", content=False).send(log_entries[:1])
    first, second = (tmp_path / "out").read_bytes().splitlines()
    assert (first, json.loads(second)["index"]) == (b'{"index": 7', 0)


async def test_a_file_that_cannot_be_written_is_no_delivery(tmp_path, log_entries):
    with pytest.raises(NotDelivered, match="No such file"):
        await sender_for(str(tmp_path / "no" / "out"), "gw", content=False).send(log_entries[:1])


class Receiver:
    """A server on loopback that keeps what it is sent, and answers what it is told."""

    def __init__(self, answer: bytes = b"") -> None:
        self.received = b""
        self.answer = answer
        self.connections = 0
        self.hang_up = False
        self.over = trio.Event()

    async def serve(self, stream) -> None:
        self.connections += 1
        async with stream:
            if self.hang_up:
                return
            async for chunk in stream:
                self.received += chunk
                if self.answer and b"\r\n\r\n" in self.received:
                    head, _, body = self.received.partition(b"\r\n\r\n")
                    length = int(re.search(rb"content-length: (\d+)", head.lower()).group(1))
                    if len(body) >= length:
                        await stream.send_all(self.answer)
                        return
            self.over.set()


@pytest.fixture
async def listening(nursery):
    async def start(receiver: Receiver) -> int:
        (listener, *_) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, receiver.serve, [listener])
        return listener.socket.getsockname()[1]

    return start


def frames(data: bytes) -> list[bytes]:
    found = []
    while data:
        length, _, data = data.partition(b" ")
        found.append(data[: int(length)])
        data = data[int(length) :]
    return found


async def test_syslog_gets_counted_frames(listening, log_entries):
    receiver = Receiver()
    sender = sender_for(f"syslog://127.0.0.1:{await listening(receiver)}", "gw", content=False)
    await sender.send(log_entries[:3])
    await sender.aclose()
    with trio.fail_after(60):
        await receiver.over.wait()
    assert [frame.split(b" ")[5] for frame in frames(receiver.received)] == [e.kind.encode() for e in log_entries[:3]]


async def test_a_receiver_that_hangs_up_has_not_got_it(listening, log_entries):
    receiver = Receiver()
    receiver.hang_up = True
    sender = sender_for(f"syslog://127.0.0.1:{await listening(receiver)}", "gw", content=False)
    with pytest.raises(NotDelivered, match="syslog at"):
        for _ in range(50):
            await sender.send(log_entries[:3])


@pytest.mark.parametrize(("status", "good"), [(b"204 No Content", True), (b"302 Found", False), (b"500 Oh", False)])
async def test_a_webhook_gets_signed_lines_and_must_say_yes(listening, log_entries, status, good):
    receiver = Receiver(b"HTTP/1.1 " + status + b"\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")
    port = await listening(receiver)
    sender = sender_for(f"http://127.0.0.1:{port}/in", "gw", content=False, key=b"k" * 32)
    if good:
        await sender.send(log_entries[:2])
    else:
        with pytest.raises(NotDelivered, match="answered"):
            await sender.send(log_entries[:2])
    await sender.aclose()
    head, _, body = receiver.received.partition(b"\r\n\r\n")
    at, mac = re.search(rb"doorward-signature: t=(\d+),v1=([0-9a-f]+)", head.lower()).groups()
    assert hmac.new(b"k" * 32, at + b"." + body, sha256).hexdigest().encode() == mac
    assert [one["index"] for one in parsed(body)] == [0, 1]


@pytest.mark.parametrize(
    "to",
    ["http://siem.example/x", "syslog://siem.example", "ftp://x/y", "syslogs://h/path", "https://[::1", "syslog://:1"],
)
def test_what_would_not_be_safe_is_not_usable(to):
    with pytest.raises(Unusable):
        sender_for(to, "gw", content=False)
