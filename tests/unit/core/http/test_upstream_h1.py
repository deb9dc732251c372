"""What a target is sent over HTTP/1.1 is framed from the body that there is, and from nothing that a client said."""

import socket

import pytest
import trio
from http_stand import a_head

from doorward_core.errors import LocalProtocolError, UpstreamProtocolError, UpstreamUnavailable
from doorward_core.http.limits import UpstreamLimits
from doorward_core.http.messages import UpstreamTimeout
from doorward_core.http.upstream_h1 import H1Upstream, Stale, request_bytes
from doorward_core.net.farewell import AT_ONCE
from doorward_core.net.link import Link


@pytest.fixture
async def ends():
    pair = [Link(end) for end in socket.socketpair()]
    yield pair
    for link in pair:
        link.close()


def test_a_request_is_framed_anew():
    theirs = (
        (b"host", b"evil"),
        (b"content-length", b"999"),
        (b"transfer-encoding", b"chunked"),
        (b"connection", b"x-hop"),
        (b"x-hop", b"1"),
        (b"expect", b"100-continue"),
        (b"upgrade", b"h2c"),
        (b"accept", b"*/*"),
    )
    head = a_head("POST", b"/p?q", theirs)
    base = b"POST /p?q HTTP/1.1\r\nhost: up.test\r\naccept: */*\r\n"
    assert request_bytes(head, 5) == base + b"content-length: 5\r\n\r\n"
    assert request_bytes(head, 0) == base + b"content-length: 0\r\n\r\n"
    assert request_bytes(head, -1) == base + b"transfer-encoding: chunked\r\n\r\n"
    assert request_bytes(head, 0, "websocket") == base + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n"
    assert request_bytes(a_head("GET"), 0) == b"GET / HTTP/1.1\r\nhost: up.test\r\n\r\n"


def test_a_line_break_is_not_sent():
    for head in (a_head("GET", b"/\r\nX: y"), a_head("GET", b"/", ((b"a", b"b\r\nc: d"),))):
        with pytest.raises(LocalProtocolError):
            request_bytes(head, 0)


async def test_an_end_before_an_answer_is_told_from_one_within_it(ends):
    ours, theirs = ends
    upstream = H1Upstream(ours, UpstreamLimits(), "up")
    theirs.close()
    with pytest.raises(Stale):
        await upstream.read_head("GET")
    upstream.close()


async def test_an_answer_that_is_cut_is_not_stale(ends):
    ours, theirs = ends
    upstream = H1Upstream(ours, UpstreamLimits(), "up")
    await theirs.send_all(b"HTTP/1.1 200")
    await theirs.aclose(AT_ONCE)
    with pytest.raises(UpstreamProtocolError):
        await upstream.read_head("GET")
    upstream.close()


async def test_a_silent_target_is_given_up(ends, autojump_clock):
    upstream = H1Upstream(ends[0], UpstreamLimits(answer_s=5), "up")
    with pytest.raises(UpstreamTimeout):
        await upstream.read_head("GET")
    assert not upstream.fresh()
    upstream.close()


async def test_what_is_said_unasked_makes_a_kept_connection_unfit(ends):
    upstream = H1Upstream(ends[0], UpstreamLimits(), "up")
    upstream.rest()
    assert upstream.fresh()
    await ends[1].send_all(b"H")
    await trio.lowlevel.wait_readable(ends[0]._socket)
    assert not upstream.fresh()
    upstream.close()


async def test_a_target_that_reads_nothing_is_given_up(ends, autojump_clock):
    upstream = H1Upstream(ends[0], UpstreamLimits(answer_s=5), "up")
    with pytest.raises(UpstreamUnavailable):
        await upstream.send([b"x" * 10_000_000])
    upstream.close()
