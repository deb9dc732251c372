"""The books of one SFTP channel: ids of our own, and every answer owed to somebody."""

import pytest

from doorward_core.errors import UpstreamProtocolError
from doorward_ssh import wire_sftp as wire
from doorward_ssh.machine_sftp_line import MAX_OUTSTANDING_BYTES, Line, code_of, native
from doorward_ssh.wire_sftp import Code, Kind, Request


def test_an_answer_goes_to_who_asked_and_only_once() -> None:
    line, got = Line(), []
    for number in range(3):
        line.ask(Request(Kind.STAT, 7, path=b"/"), lambda kind, body, number=number: got.append(number))
    ids = [int.from_bytes(packet[5:9], "big") for packet in line.to_server]
    assert len(set(ids)) == 3
    line.take_answer(Kind.ATTRS, ids[1], b"")
    assert got == [1]
    with pytest.raises(UpstreamProtocolError):
        line.take_answer(Kind.ATTRS, ids[1], b"")


def test_ids_come_round_without_meeting() -> None:
    line = Line()
    line.ask(Request(Kind.STAT, 7, path=b"/"), lambda kind, body: None)
    line._last = (1 << 32) - 1
    line.ask(Request(Kind.STAT, 7, path=b"/"), lambda kind, body: None)
    line.ask(Request(Kind.STAT, 7, path=b"/"), lambda kind, body: None)
    ids = [int.from_bytes(packet[5:9], "big") for packet in line.to_server]
    assert len(set(ids)) == 3


def test_bytes_under_way_are_bounded() -> None:
    line = Line()
    request = Request(Kind.READ, 1, handle=b"h", length=0xFFFFFFFF)
    while not line.full:
        line.taken(request)
        assert line._outstanding < 100
    assert line._outstanding_bytes >= MAX_OUTSTANDING_BYTES
    line.say(request, Code.FAILURE, "no")
    assert not line.full


def test_codes_are_named_as_the_draft_names_them() -> None:
    assert native(3) == "SSH_FX_PERMISSION_DENIED"
    assert native(99) == "SSH_FX_99"
    assert code_of(Kind.DATA, b"") == Code.OK
    assert code_of(Kind.STATUS, wire.encode_status(1, 4, "x")[9:]) == Code.FAILURE
    with pytest.raises(UpstreamProtocolError):
        code_of(Kind.STATUS, b"")
