"""The gateway's own question at the target, against one that answers well, badly, late, or not at all."""

import socket

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from doorward_core.errors import UpstreamProtocolError, UpstreamUnavailable
from doorward_core.net.link import Link
from doorward_postgres import wire_encode as enc
from doorward_postgres.upstream import Dialer, Target, TlsMode, Upstream
from doorward_postgres.upstream_ask import WITHIN_S, settle_path
from doorward_postgres.wire_decode import Field

DESCRIBED = enc.encode_row_description((Field("search_path", 0, 0, 25, -1, -1, 0),))
READY = enc.encode_command_complete("SHOW") + enc.encode_ready_for_query("I")


def row(*values):
    return DESCRIBED + enc.encode_data_row(values)


@pytest.fixture
async def ends():
    ours, theirs = socket.socketpair()
    link, server = Link(ours), Link(theirs)
    dialer = Dialer(Target("127.0.0.1", 5432, "app", tls=TlsMode.DISABLE))
    yield Upstream(link, {"TimeZone": "UTC"}, 1, b"key4", "I", 3 << 16, "trust", b"", dialer), server
    link.close()
    server.close()


async def test_the_value_is_what_the_target_says(ends):
    upstream, server = ends
    await server.send_all(row(b'"$user", public') + READY)
    assert await settle_path(upstream) == '"$user", public'
    assert await server.receive() == enc.encode_query("SHOW search_path")


async def test_what_the_target_has_said_by_itself_is_not_asked_for(ends):
    upstream, server = ends
    upstream.parameters["search_path"] = "attic"
    assert await settle_path(upstream) == "attic"
    upstream.link.close()
    assert await server.receive() == b""


async def test_a_question_that_went_along_with_the_login_is_not_asked_twice(ends):
    upstream, server = ends
    upstream.asked = True
    upstream.parameters["search_path"] = "said by itself, and asked for all the same"
    await server.send_all(row(b"public") + READY)
    assert await settle_path(upstream) == upstream.parameters["search_path"] == "public"
    upstream.link.close()
    assert await server.receive() == b""


async def test_it_is_read_the_same_byte_by_byte(ends):
    upstream, server = ends
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_dribble, server, row(b"public") + READY)
        assert await settle_path(upstream) == "public"


async def _dribble(server, data):
    for byte in data:
        await server.send_all(bytes([byte]))
        await trio.lowlevel.checkpoint()


async def test_what_came_with_the_login_is_read_first(ends):
    upstream, _ = ends
    upstream.leftover = enc.encode_parameter_status("TimeZone", "CET") + row(b"public") + READY
    assert await settle_path(upstream) == "public"
    assert (upstream.parameters["TimeZone"], upstream.leftover) == ("CET", b"")


async def test_what_comes_behind_the_answer_is_left_for_the_session(ends):
    upstream, server = ends
    late = enc.encode_notice_response("NOTICE", "00000", "going down soon")
    await server.send_all(row(b"public") + READY + late[:10])
    await settle_path(upstream)
    assert upstream.leftover == late[:10]


@pytest.mark.parametrize(
    "answer",
    [
        READY,
        enc.encode_error_response("ERROR", "42704", "no such setting") + enc.encode_ready_for_query("I"),
        row(b"x") + enc.encode_error_response("ERROR", "XX000", "oh") + enc.encode_ready_for_query("I"),
        row(None) + READY,
        row(b"a", b"b") + READY,
        row(b"\xff") + READY,
    ],
    ids=["no row", "an error", "an error behind a row", "NULL", "two values", "not UTF-8"],
)
async def test_no_value_is_no_session(ends, answer):
    upstream, server = ends
    await server.send_all(answer)
    with pytest.raises(UpstreamUnavailable):
        await settle_path(upstream)


async def test_a_target_that_hangs_up_or_talks_nonsense_breaks_its_protocol(ends):
    upstream, server = ends
    await server.send_all(b"nonsense")
    with pytest.raises(UpstreamProtocolError):
        await settle_path(upstream)


async def test_a_target_that_hangs_up_is_noticed(ends):
    upstream, server = ends
    await server.send_all(row(b"public"))
    server.close()
    with pytest.raises((UpstreamProtocolError, UpstreamUnavailable)):
        await settle_path(upstream)


async def test_a_target_that_says_nothing_is_given_up_in_time(ends, mock_clock):
    upstream, _ = ends
    with pytest.raises(UpstreamUnavailable, match="15 s"):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_jump, mock_clock)
            try:
                await settle_path(upstream)
            except UpstreamUnavailable as error:
                nursery.cancel_scope.cancel()
                kept = error
        raise kept


async def _jump(mock_clock):
    await wait_all_tasks_blocked()
    mock_clock.jump(WITHIN_S)


async def test_an_answer_without_end_is_refused(ends):
    upstream, server = ends
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_flood, server)
        with pytest.raises(UpstreamProtocolError):
            await settle_path(upstream)
        nursery.cancel_scope.cancel()


async def _flood(server):
    await server.send_all(enc.encode_data_row([b"x" * 1_000_000]))
