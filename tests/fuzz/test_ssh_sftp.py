"""Garbage in an SFTP channel gives answers or a protocol error, whole and byte by byte, and never reaches the target."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sftp_stand import Stand

from doorward_core.errors import ClientProtocolError, UpstreamProtocolError
from doorward_core.mask.detect import Detectors
from doorward_ssh import wire_sftp as wire
from doorward_ssh.wire_sftp import Kind, Malformed, Request

EMAIL = Detectors(("email",))
KINDS = st.sampled_from([*wire.LAYOUTS, 0, 1, 2, 21, 99, 101, 255])
FRAMED = st.builds(lambda kind, body: wire.packet(kind, 5, body), KINDS, st.binary(max_size=200))
SHAPED = st.builds(
    lambda kind, path, rest: wire.packet(kind, 6, wire.string(path), rest),
    KINDS,
    st.sampled_from([b"/srv/a.txt", b"..", b"", b"/srv/link", b"\0\0\0\0\0\0\0\1", b"\xff" * 9]),
    st.binary(max_size=40),
)
EXTENDED = st.builds(
    lambda name, body: wire.packet(Kind.EXTENDED, 7, wire.string(name.encode()), body),
    st.sampled_from([*wire.EXTENSIONS, "x"]),
    st.binary(max_size=60),
)


@given(
    st.lists(st.one_of(FRAMED, SHAPED, EXTENDED, st.binary(max_size=30)), max_size=12),
    st.integers(1, 40),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_garbage_of_a_client_gives_answers_or_its_own_error(packets: list[bytes], chunk: int, openssh: bool) -> None:
    stand = Stand(allow=lambda facts: len(facts.text) % 3, detectors=EMAIL, openssh=openssh)
    stand.chunk = chunk
    try:
        stand.feed(b"".join(packets))
    except ClientProtocolError:
        return
    for kind, _, _ in stand.answers:
        assert kind in {Kind.STATUS, Kind.HANDLE, Kind.DATA, Kind.NAME, Kind.ATTRS, Kind.EXTENDED_REPLY}


@given(st.lists(st.one_of(FRAMED, st.binary(max_size=30)), max_size=6), st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_garbage_of_a_target_ends_the_channel_or_waits_for_more(packets: list[bytes], chunk: int) -> None:
    stand = Stand()
    data = b"".join(packets)
    try:
        for at in range(0, len(data), chunk):
            stand.machine.from_server(data[at : at + chunk])
    except UpstreamProtocolError:
        return
    assert not stand.machine.line.to_client


@given(KINDS, st.binary(max_size=300))
def test_decoding_raises_nothing_but_malformed(kind: int, body: bytes) -> None:
    for decode in (wire.decode_hello, wire.decode_status, wire.decode_handle, wire.decode_names, wire.decode_attrs):
        with suppress(Malformed):
            decode(body)
    try:
        request = wire.decode(kind, 1, body)
    except Malformed:
        return
    assert isinstance(request, Request)


def test_a_lying_target_is_an_error_of_the_target_alone() -> None:
    with pytest.raises(UpstreamProtocolError):
        Stand().machine.from_server(wire.packet(Kind.DATA, 0, b"x"))
