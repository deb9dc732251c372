"""SFTP packets: fields, bounds, and what is not read at all."""

import pytest

from doorward_core.errors import ClientProtocolError, UpstreamProtocolError
from doorward_ssh import wire_sftp as wire
from doorward_ssh.wire_sftp import Attrs, Code, Kind, Malformed, Request

ATTRS = Attrs(
    bytes.fromhex("0000000f 00000000000001ff 000003e8 000003e9 000081a4 00000001 00000002"),
    size=511,
    owner=(1000, 1001),
    permissions=0o100644,
    times=(1, 2),
)
REQUESTS = [
    Request(Kind.OPEN, 1, path=b"/a", flags=0x1A, attrs=ATTRS),
    Request(Kind.CLOSE, 2, handle=b"h"),
    Request(Kind.READ, 3, handle=b"h", offset=1 << 40, length=32768),
    Request(Kind.WRITE, 4, handle=b"h", offset=5, data=b"data"),
    Request(Kind.SETSTAT, 5, path=b"/a", attrs=ATTRS),
    Request(Kind.FSETSTAT, 6, handle=b"h"),
    Request(Kind.SYMLINK, 7, path=b"to", other=b"/link"),
    Request(Kind.EXTENDED, 8, name=wire.POSIX_RENAME, path=b"a", other=b"b"),
    Request(Kind.EXTENDED, 9, name=wire.COPY_DATA, handle=b"h", offset=1, length=2, target=b"t", to_offset=3),
    Request(Kind.EXTENDED, 10, name=wire.LIMITS),
    Request(Kind.EXTENDED, 11, name=wire.USERS_GROUPS, data=b"\0\0\0\1", more=b""),
]


def _decode(packet: bytes) -> Request:
    reader = wire.from_client()
    reader.receive(packet)
    found = reader.take()
    assert found is not None
    return wire.decode(*found)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda item: item.name or Kind(item.kind).name)
def test_a_request_is_read_as_it_was_written(request_: Request) -> None:
    assert _decode(wire.encode(request_)) == request_


def test_every_request_of_the_draft_has_its_fields() -> None:
    requests = {kind for kind in Kind if Kind.OPEN <= kind <= Kind.SYMLINK}
    assert set(wire.LAYOUTS) == requests


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda item: item.name or Kind(item.kind).name)
def test_a_byte_too_few_or_too_many_is_malformed(request_: Request) -> None:
    body = wire.encode(request_)[9:]
    for wrong in (body + b"\0", body[:-1]):
        if request_.name == wire.LIMITS and wrong == body[:-1]:
            continue  # another name then, and unknown
        with pytest.raises(Malformed):
            wire.decode(request_.kind, 1, wrong)


@pytest.mark.parametrize("size", [0, 4, wire.MAX_PACKET_BYTES + 1, 0xFFFFFFFF])
@pytest.mark.parametrize(
    ("reader", "fault"), [(wire.from_client, ClientProtocolError), (wire.from_server, UpstreamProtocolError)]
)
def test_a_length_out_of_bounds_ends_the_channel(size: int, reader, fault) -> None:
    one = reader()
    one.receive(size.to_bytes(4, "big") + b"\1\0\0\0\3")
    with pytest.raises(fault):
        one.take()


@pytest.mark.parametrize(
    "body",
    [
        wire.string(b"a\0b"),
        wire.string(b"x" * (wire.MAX_PATH_BYTES + 1)),
        (0xFFFFFFFF).to_bytes(4, "big") + b"abc",
    ],
    ids=["NUL", "too long", "longer than the packet"],
)
def test_a_path_that_could_be_read_in_two_ways_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        wire.decode(Kind.STAT, 1, body)


def test_attributes_of_later_versions_are_malformed() -> None:
    with pytest.raises(Malformed, match="bits"):
        wire.decode(Kind.MKDIR, 1, wire.string(b"/a") + (0x100).to_bytes(4, "big"))


def test_attributes_with_endless_extensions_are_malformed() -> None:
    body = wire.string(b"/a") + (0x80000000).to_bytes(4, "big") + (1 << 30).to_bytes(4, "big")
    with pytest.raises(Malformed, match="extensions"):
        wire.decode(Kind.MKDIR, 1, body)


def test_an_unknown_extension_is_named_and_not_read() -> None:
    body = wire.string(b"check-file") + b"anything"
    request = wire.decode(Kind.EXTENDED, 1, body)
    assert request == Request(Kind.EXTENDED, 1, name="check-file")
    assert wire.layout(request) is None


def test_a_status_carries_code_and_bounded_words() -> None:
    packet = wire.encode_status(5, Code.PERMISSION_DENIED, "no" * 5000)
    reader = wire.from_server()
    reader.receive(packet)
    found = reader.take()
    assert found is not None
    assert found[:2] == (Kind.STATUS, 5)
    assert wire.decode_status(found[2]) == (Code.PERMISSION_DENIED, b"no" * (wire.MAX_MESSAGE_BYTES // 2))


def test_a_status_without_words_is_read() -> None:
    assert wire.decode_status(b"\0\0\0\2") == (Code.NO_SUCH_FILE, b"")


def test_names_are_bounded_in_number() -> None:
    with pytest.raises(Malformed, match="names"):
        wire.decode_names((1 << 31).to_bytes(4, "big"))


def test_the_greeting_keeps_its_extensions() -> None:
    packet = wire.encode_hello(Kind.VERSION, ((b"a", b"1"), (b"b", b"2")))
    assert wire.decode_hello(packet[9:]) == ((b"a", b"1"), (b"b", b"2"))
    with pytest.raises(Malformed, match="too many"):
        wire.decode_hello(wire.string(b"a") * 2 * (wire.MAX_EXTENSIONS + 1))
