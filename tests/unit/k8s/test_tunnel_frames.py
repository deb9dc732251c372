"""Which ports a tunnel asks for, however its bytes are cut; and nothing that two readers could read in two ways."""

import struct
import zlib

import pytest

from doorward_k8s.channels import ChannelError
from doorward_k8s.tunnel_frames import DICTIONARY, MAX_CONTROL_BYTES, Openings


class Client:
    """What kubectl's side says."""

    def __init__(self):
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def frame(self, kind, payload, flags=0, version=3):
        return struct.pack("!HHI", 0x8000 | version, kind, flags << 24 | len(payload)) + payload

    def block(self, headers):
        raw = struct.pack("!I", len(headers))
        for pair in headers:
            for text in pair:
                raw += struct.pack("!I", len(text)) + text.encode()
        return self._deflate.compress(raw) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def opened(self, stream, *headers):
        return self.frame(1, struct.pack("!IIH", stream, 0, 0) + self.block(headers))


def data(stream, content):
    return struct.pack("!II", stream, len(content)) + content


def talk(client):
    return b"".join([
        client.frame(4, struct.pack("!II", 1, 7) + bytes(4)),
        client.opened(1, ("streamtype", "error"), ("port", "5432"), ("requestid", "0")),
        client.opened(3, ("streamtype", "data"), ("port", "5432"), ("requestid", "0")),
        data(3, struct.pack("!HHI", 0x8003, 1, 4) + b"a frame, were it one" * 100),
        client.frame(9, bytes(8)),
        client.opened(5, ("port", "080"), ("streamtype", "error")),
        client.frame(6, bytes(4)),
    ])  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
def test_each_port_is_told_however_the_bytes_are_cut(size):
    openings, whole, found = Openings(), talk(Client()), []
    for at in range(0, len(whole), size):
        found += openings.feed(whole[at : at + size])
    assert found == ["5432", "5432", "80"]


@pytest.mark.parametrize(
    "headers",
    [(), (("port", "1"), ("port", "2")), (("port", "1"), ("Port", "2")), (("port", ""),), (("port", "x"),),
     (("port", "-1"),), (("port", "٣"),), tuple(("a", "b") for _ in range(40))],
)  # fmt: skip
def test_a_stream_that_names_no_one_port_ends_the_tunnel(headers):
    client = Client()
    with pytest.raises(ChannelError):
        list(Openings().feed(client.opened(1, *headers)))


def test_what_is_not_as_it_should_be_ends_the_tunnel():
    client = Client()
    long = client.frame(1, bytes(MAX_CONTROL_BYTES + 1))
    bomb = Client().opened(1, ("port", "1"), ("x", "0" * 200_000))
    later = client.frame(8, struct.pack("!I", 1) + client.block((("port", "22"),)))
    for bad in (
        client.frame(1, bytes(10) + b"no zlib"),
        client.frame(1, b""),
        client.frame(5, b""),
        client.frame(1, bytes(20), version=2),
        long,
        bomb,
        later,
    ):
        with pytest.raises(ChannelError):
            list(Openings().feed(bad))
