"""Smuggling, confusion and floods at the wire, against a target that keeps every byte it is sent."""

import h2.errors
import h2.events
import h2.settings
import pytest
import trio
from http_shapes import CHUNKED, HIDDEN, HOST, SMUGGLED, post
from http_stand import H2Client, echo, forwarding, read_until, recording, started

from doorward_core.http.limits import HttpLimits
from doorward_core.http.messages import BadRequest
from doorward_core.http.paths import canonical, refuse_overrides
from doorward_core.http.problem import problem
from doorward_core.net.listen import Limits


@pytest.mark.parametrize("shape", SMUGGLED)
async def test_h_01_an_ambiguous_message_is_refused_and_ends_the_connection(nursery, shape):
    recorder = await recording(nursery)
    stand = await forwarding(nursery, recorder.port)
    said = await stand.talk(SMUGGLED[shape] + HIDDEN)
    assert said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 505 "))
    assert said.count(b"HTTP/1.1 ") == 1
    assert b"hidden" not in recorder.heard
    assert b"0\r\n\r\n" not in recorder.heard, "a body that lied was given an end"
    stand.pool.close()


@pytest.mark.parametrize(
    ("sent", "arrived"),
    [
        # CL.0 and 0.CL: the body is the body, whatever its bytes look like.
        (post(b"Content-Length: %d\r\n" % len(HIDDEN), body=HIDDEN), b"content-length: 41\r\n\r\n" + HIDDEN),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n\r\nGET ", b"content-length: 4\r\n\r\nGET "),
        (post(CHUNKED, body=b"2\r\nab\r\n1\r\nc\r\n0\r\nX-Sum: 1\r\n\r\n"), b"c\r\n0\r\n\r\n"),
        (post(b"TRANSFER-ENCODING: CHUNKED\r\n", body=b"00003\r\nabc\r\n000\r\n\r\n"), b"\r\n3\r\nabc\r\n0\r\n\r\n"),
    ],
)
async def test_h_01_what_arrives_is_framed_anew(nursery, sent, arrived):
    recorder = await recording(nursery)
    stand = await forwarding(nursery, recorder.port)
    link = await stand.dial()
    await link.send_all(sent)
    await recorder.hears(arrived)
    link.close()
    assert recorder.heard.endswith(arrived)
    assert recorder.heard.count(b"host:") == 1
    assert b"chunked" not in recorder.heard or b"content-length" not in recorder.heard
    stand.pool.close()


async def test_h_01_pipelined_requests_are_each_decided(nursery):
    recorder = await recording(nursery)
    stand = await forwarding(nursery, recorder.port)
    link = await stand.dial()
    await link.send_all(b"GET /1 HTTP/1.1\r\n" + HOST + b"\r\n" + b"GET /../2 HTTP/1.1\r\n" + HOST + b"\r\n" + HIDDEN)
    said = await read_until(link, b"problem+json")
    link.close()
    assert said.count(b"HTTP/1.1 200") == 1
    assert recorder.heard.count(b"HTTP/1.1\r\n") == 1
    stand.pool.close()


# --- H-02 -------------------------------------------------------------------------------------------------------------


async def test_h_02_an_expectation_is_met_here_and_never_forwarded(nursery):
    recorder = await recording(nursery)
    stand = await forwarding(nursery, recorder.port)
    link = await stand.dial()
    await link.send_all(post(b"Expect: 100-continue\r\n", b"Content-Length: 5\r\n", body=b""))
    assert await read_until(link, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await link.send_all(b"hello")
    await read_until(link, b"ok")
    link.close()
    assert b"expect" not in recorder.heard.lower()
    said = await stand.talk(post(b"Expect: 200-ok\r\n", b"Content-Length: 5\r\n", body=b"hello") + HIDDEN)
    assert said.startswith(b"HTTP/1.1 417")
    assert said.count(b"HTTP/1.1 ") == 1
    stand.pool.close()


async def test_h_02_a_body_that_pauses_is_no_second_request(nursery, autojump_clock):
    recorder = await recording(nursery)
    stand = await forwarding(nursery, recorder.port)
    said = await stand.talk(post(b"Content-Length: 100\r\n", body=HIDDEN))
    assert said.count(b"HTTP/1.1 ") <= 1
    assert b"/hidden" not in recorder.heard.partition(b"\r\n\r\n")[0]
    stand.pool.close()


async def test_h_02_an_early_answer_ends_the_connection_with_the_rest_of_the_body_unread(nursery):
    async def refuse(exchange):
        exchange.established()
        await exchange.respond(*problem(403, "no"))

    stand = await started(nursery, refuse)
    said = await stand.talk(post(b"Content-Length: 9999999\r\n", body=HIDDEN))
    assert said.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in said


@pytest.mark.parametrize(
    "headers",
    [
        (b"Connection: Upgrade\r\n", b"Upgrade: websocket\r\n", b"Content-Length: 5\r\n"),
        (b"Connection: Upgrade, Transfer-Encoding\r\n", b"Upgrade: websocket\r\n", CHUNKED),
        (b"Connection: Content-Length\r\n", b"Content-Length: 5\r\n"),
        (b"Connection: Host\r\n", b"Content-Length: 5\r\n"),
        (b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Content-Length: 5\r\n"),
        (b"X-HTTP-Method-Override: DELETE\r\n", b"Content-Length: 5\r\n"),
        (b"X_Original_URL: /admin\r\n", b"Content-Length: 5\r\n"),
    ],
)
async def test_h_02_headers_that_would_change_the_message_are_refused(nursery, headers):
    recorder = await recording(nursery)
    stand = await forwarding(nursery, recorder.port)
    said = await stand.talk(post(*headers, body=b"hello") + HIDDEN)
    assert said.startswith(b"HTTP/1.1 400")
    assert recorder.heard == b""
    stand.pool.close()


async def test_h_02_nobody_strips_or_sets_our_identity_header(nursery):
    recorder = await recording(nursery)
    stand = await forwarding(nursery, recorder.port)
    link = await stand.dial()
    spellings = b"X-Identity: evil\r\nx_identity: evil\r\nX.Identity: evil\r\n"
    await link.send_all(b"GET / HTTP/1.1\r\n" + HOST + b"Connection: x-identity\r\n" + spellings + b"\r\n")
    await read_until(link, b"ok")
    link.close()
    assert b"evil" not in recorder.heard
    assert recorder.heard.count(b"x-identity: ours\r\n") == 1
    stand.pool.close()


async def test_h_02_an_upgrade_that_nobody_granted_is_forwarded_as_an_ordinary_request(nursery):
    recorder = await recording(nursery)
    stand = await forwarding(nursery, recorder.port)
    link = await stand.dial()
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    await link.send_all(b"GET / HTTP/1.1\r\n" + HOST + upgrade + b"\r\n")
    await read_until(link, b"ok")
    link.close()
    assert b"upgrade" not in recorder.heard.lower()
    assert b"http2-settings" not in recorder.heard.lower()
    stand.pool.close()


# --- H-03 -------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def over_h2(nursery):
    recorder = await recording(nursery)
    stand = await forwarding(nursery, recorder.port, over_h2=True, limits=HttpLimits(streams=20))
    client = await H2Client.on(stand, normalize_outbound_headers=False)
    await client.hear(h2.events.SettingsAcknowledged)
    client.recorder, client.stand = recorder, stand
    yield client
    client.link.close()
    stand.pool.close()


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x", b"a\r\nTransfer-Encoding: chunked")],
        [(b"x", b"a\nb")],
        [(b"x", b"a\0b")],
        [(b"x\r\ny", b"z")],
        [(b"x y", b"z")],
        [(b"x:y", b"z")],
        [(b"X-Upper", b"z")],
        [(b"", b"z")],
        [(b"transfer-encoding", b"chunked")],
        [(b"connection", b"close")],
        [(b"keep-alive", b"1")],
        [(b"proxy-connection", b"close")],
        [(b"upgrade", b"websocket")],
        [(b"te", b"gzip")],
        [(b"host", b"other.example")],
        [(b"host", b"a.example"), (b"host", b"a.example")],
        [(b"content-length", b"5"), (b"content-length", b"5")],
        [(b"content-length", b"5x")],
        [(b"content-length", b"9")],
        [(b"x", b"y"), (b":path", b"/hidden")],
        [(b":path", b"/hidden")],
        [(b":protocol", b"websocket")],
        [(b":status", b"200")],
    ],
)
async def test_h_03_a_head_that_http_1_could_not_carry_is_refused(over_h2, headers):
    stream = await over_h2.ask(*headers)
    try:
        status, _ = await over_h2.answer(stream)
    except EOFError:
        status = 0  # the connection ended with GOAWAY
    assert status in {0, 400}
    assert over_h2.recorder.heard == b""


@pytest.mark.parametrize(
    "pseudo",
    [
        {"path": b"/a b"},
        {"path": b"/a\r\nX: y"},
        {"path": b"*"},
        {"path": b""},
        {"path": b"http://b.example/"},
        {"path": b"/../admin"},
        {"authority": b"b@a.example"},
        {"authority": b"a.example\r\nX: y"},
        {"method": b"GET / HTTP/1.1\r\nX: y"},
        {"method": b"CONNECT"},
        {"method": b"get"},
    ],
)
async def test_h_03_a_pseudo_header_with_more_in_it_is_refused(over_h2, pseudo):
    stream = await over_h2.ask(**pseudo)
    try:
        status, _ = await over_h2.answer(stream)
    except EOFError:
        status = 0
    assert status in {0, 400, 501}
    assert over_h2.recorder.heard == b""


async def ended(client):
    """Whether the server ends the connection, and says why."""
    with pytest.raises(EOFError):
        await client.hear(h2.events.PingReceived)
    return any(isinstance(event, h2.events.ConnectionTerminated) for event in client.events)


def frame(kind, payload=b"", flags=0, stream=1):
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


@pytest.mark.parametrize(
    "flood",
    {
        "CONTINUATION": frame(1, b"\x82") + frame(9, b"") * 100,
        "CONTINUATION, large": frame(1, b"\x82") + frame(9, b"\x40" * 16_000) * 10,
        "PING": frame(6, bytes(8), stream=0) * 1000,
        "SETTINGS": frame(4, stream=0) * 1000,
        "PRIORITY": frame(2, bytes(5)) * 2000,
        "WINDOW_UPDATE": frame(8, b"\0\0\0\1", stream=0) * 2000,
        "unknown": frame(77, b"x") * 2000,
        "a frame of 16 MiB": b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
    }.items(),
    ids=lambda item: item[0],
)
async def test_h_03_floods_end_the_connection(over_h2, flood):
    await over_h2.link.send_all(flood[1])
    assert await ended(over_h2)
    assert over_h2.recorder.heard == b""
    assert over_h2.stand.told == []


async def test_h_03_rapid_reset_ends_the_connection(over_h2):
    with pytest.raises((EOFError, trio.BrokenResourceError)):
        for _ in range(1000):
            stream = await over_h2.ask()
            over_h2.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
            await over_h2.flush()
        await over_h2.hear(h2.events.PingReceived)
    assert over_h2.recorder.heard.count(b"GET ") < 200


async def test_h_03_resets_that_a_client_provokes_are_counted(over_h2):
    with pytest.raises((EOFError, trio.BrokenResourceError)):
        for _ in range(1000):
            stream = await over_h2.ask()
            await over_h2.link.send_all(frame(8, bytes(4), stream=stream))  # a WINDOW_UPDATE by nothing
            await over_h2.hear((h2.events.StreamReset, h2.events.StreamEnded), stream)
    assert over_h2.recorder.heard.count(b"GET ") < 200


async def test_h_03_a_header_bomb_is_not_unpacked(over_h2):
    large = over_h2.h2.encoder.encode([(b"x", b"y" * 4000)])  # into the dynamic table, then named a thousand times
    block = over_h2.h2.encoder.encode([(b":method", b"GET")]) + large + b"\xbe" * 1000
    await over_h2.link.send_all(frame(1, block, flags=5))
    assert await ended(over_h2)
    assert over_h2.recorder.heard == b""


async def test_h_03_http_2_without_alpn_is_not_spoken(nursery):
    recorder = await recording(nursery)
    stand = await forwarding(nursery, recorder.port)
    said = await stand.talk(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, stream=0))
    assert said.startswith(b"HTTP/1.1 505")
    assert recorder.heard == b""


# --- H-04 -------------------------------------------------------------------------------------------------------------

AMBIGUOUS = [
    b"/a/../admin", b"/a/./b", b"/..", b"/.", b"/a/..", b"/%2e%2e/admin", b"/%2E/", b"/.%2e/admin", b"/a%2fb", b"/a%2Fb",
    b"/a%5cb", b"/a\\b", b"/a;x/b", b"/a%3bx", b"/..;/admin", b"//admin", b"/a//b", b"/a%00", b"/a%0d%0aX:y", b"/a%09b",
    b"/%252e%252e/admin", b"/a%252fb", b"/%c0%ae%c0%ae/", b"/%c0%af", b"/%ff", b"/%ef%bc%8e%ef%bc%8e/admin",
    b"/%ef%bc%8fadmin", b"/a%zz", b"/a%", b"/a#b", b"/a%23b", b"/a%3fb", b"*", b"admin", b"/a\xc3\xa4", b'/a"b', b"/a|b",
    b"/%u002e/", b"/.%20/", b"/%20./", b"/...",
]  # fmt: skip


@pytest.mark.parametrize("target", AMBIGUOUS)
async def test_h_04_a_path_that_could_be_read_in_two_ways_is_refused(nursery, target):
    recorder = await recording(nursery)
    stand = await forwarding(nursery, recorder.port)
    said = await stand.talk(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n" + HIDDEN)
    assert said.startswith(b"HTTP/1.1 400")
    assert recorder.heard == b""


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/%61dmin", b"/admin"),
        (b"/ADMIN", b"/ADMIN"),
        (b"http://a.example/admin", b"/admin"),
        (b"HTTP://A.EXAMPLE/admin?x", b"/admin?x"),
        (b"/x?a=/../b", b"/x?a=/../b"),
        (b"/x?a=1;b=2", b"/x?a=1%3Bb=2"),
        (b"/x?a=b|c", b"/x?a=b%7Cc"),
    ],
)
async def test_h_04_what_is_decided_on_is_what_is_forwarded(nursery, target, path):
    recorder = await recording(nursery)
    stand = await forwarding(nursery, recorder.port)
    link = await stand.dial()
    await link.send_all(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    await read_until(link, b"ok")
    link.close()
    assert recorder.heard.startswith(b"GET " + path + b" HTTP/1.1\r\n")
    stand.pool.close()


def test_h_04_a_method_is_not_changed_by_the_query():
    for query in (b"_method=DELETE", b"%5fmethod=DELETE", b"a=1&_Method=x"):
        with pytest.raises(BadRequest):
            refuse_overrides((), canonical(b"/?" + query))


# --- H-05 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example\r\nhost: a.example\r\n\r\n",
        b"GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"GET http://a.example:81/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"GET http://x@a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"GET https://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"GET //b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example.\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x@a.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example:80:80\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example:abc\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example/b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example b.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost:\ta.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1%00\r\n\r\n",
        b"CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n",
    ],
)
async def test_h_05_a_request_has_one_host_or_none_at_all(nursery, head):
    recorder = await recording(nursery)
    stand = await forwarding(nursery, recorder.port)
    said = await stand.talk(head + HIDDEN)
    assert said.startswith(b"HTTP/1.1 400")
    assert recorder.heard == b""


# --- H-08, as far as heads go ------------------------------------------------------------------------------------------


async def test_h_08_a_million_headers_are_not_kept(nursery):
    stand = await started(nursery, echo)
    link = await stand.dial()
    sent = 0
    try:
        await link.send_all(b"GET / HTTP/1.1\r\n" + HOST)
        for _ in range(1000):
            await link.send_all(b"a: b\r\n" * 1000)
            sent += 6000
    except trio.BrokenResourceError:
        pass
    link.close()
    assert [refused.status for refused in stand.refused] == [431]
    assert sent < 6_000_000


async def test_h_08_slowloris_holds_nothing_and_hurts_nobody(nursery, patient_clock):
    stand = await started(nursery, echo, server_limits=Limits(connections=100, handshakes=50, handshake_s=10))
    slow = [await stand.dial() for _ in range(40)]
    for link in slow:
        await link.send_all(b"GET / HTTP/1.1\r\nX: ")
    said = await stand.talk(b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200")
    with trio.fail_after(120):
        for link in slow:
            with pytest.raises(trio.BrokenResourceError):
                while True:
                    await link.send_all(b"a")
                    await trio.sleep(1)
            link.close()
    assert stand.server.connected == 0
