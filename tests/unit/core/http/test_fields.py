"""What frames a message is beyond doubt; what ends at a hop ends here."""

import pytest

from doorward_core.errors import UpstreamProtocolError
from doorward_core.http.fields import (
    check_trailers,
    connection_options,
    declared_length,
    end_to_end,
    look_alike,
    request_framing,
    response_framing,
    without_look_alikes,
)
from doorward_core.http.messages import BadRequest


def test_a_body_is_framed_by_one_length_or_by_chunks():
    assert request_framing(((b"content-length", b"12"),), "1.1")[:2] == ("length", 12)
    assert request_framing(((b"content-length", b"0"),), "1.1")[:2] == ("none", 0)
    assert request_framing(((b"transfer-encoding", b"Chunked"),), "1.1")[:2] == ("chunked", -1)
    assert request_framing((), "1.1")[:2] == ("none", -1)


@pytest.mark.parametrize("value", [b"+5", b"-1", b"0x5", b"5,5", b"05", b"", b"5 5", b"9" * 16, b"\xb2"])
def test_a_length_is_one_plain_number(value):
    with pytest.raises(BadRequest):
        request_framing(((b"content-length", value),), "1.1")
    with pytest.raises(UpstreamProtocolError):
        declared_length(((b"content-length", value),), UpstreamProtocolError)


def test_a_declared_length_is_said_once():
    assert declared_length((), BadRequest) is None
    assert declared_length(((b"content-length", b"7"),), BadRequest) == 7
    with pytest.raises(BadRequest):
        declared_length(((b"content-length", b"7"),) * 2, BadRequest)


def test_what_a_connection_wants():
    framing = request_framing(((b"connection", b"Upgrade, close"), (b"upgrade", b"WebSocket")), "1.1")
    assert (framing.upgrade, framing.close) == ("websocket", True)
    assert request_framing(((b"upgrade", b"h2c"),), "1.1").upgrade == ""
    assert request_framing((), "1.0").close
    assert not request_framing(((b"connection", b"keep-alive"),), "1.0").close


def test_continue_is_due_only_where_a_body_follows():
    expect = (b"expect", b"100-Continue")
    assert request_framing((expect, (b"content-length", b"1")), "1.1").expect_continue
    assert not request_framing((expect,), "1.1").expect_continue
    with pytest.raises(BadRequest) as refused:
        request_framing(((b"expect", b"miracles"),), "1.1")
    assert refused.value.status == 417


def test_a_response_is_framed_by_what_it_answers():
    def framing(status, method, *headers):
        return response_framing(headers, status, method, "1.1", UpstreamProtocolError)

    length = (b"content-length", b"5")
    assert framing(200, "GET", length).body == "length"
    assert framing(200, "HEAD", length)[:2] == ("none", 5)
    assert framing(304, "GET", length).body == "none"
    assert framing(100, "GET").body == "none"
    assert framing(200, "GET").body == "stream"
    assert framing(200, "GET").close
    assert framing(200, "GET", (b"transfer-encoding", b"chunked")).body == "chunked"
    for headers in [(length, length), (length, (b"transfer-encoding", b"chunked")), ((b"transfer-encoding", b"gzip"),)]:
        with pytest.raises(UpstreamProtocolError):
            framing(200, "GET", *headers)


def test_hop_by_hop_headers_end_here_and_so_do_those_that_they_name():
    headers = (
        (b"connection", b"close, X-Secret"),
        (b"x-secret", b"1"),
        (b"te", b"trailers"),
        (b"keep-alive", b"1"),
        (b"accept", b"*/*"),
    )
    assert end_to_end(headers) == ((b"accept", b"*/*"),)


def test_a_connection_header_is_a_short_list():
    assert connection_options(b"a , B", BadRequest) == {b"a", b"b"}
    for value in (b"a b", b",a", b",".join([b"x"] * 17)):
        with pytest.raises(BadRequest):
            connection_options(value, BadRequest)


def test_look_alikes_are_one_name():
    assert look_alike(b"X_Identity") == look_alike(b"x-identity") == look_alike(b"x.identity")
    headers = ((b"x_identity", b"1"), (b"X-IDENTITY", b"2"), (b"x-identit", b"3"))
    assert without_look_alikes(headers, [b"X-Identity"]) == ((b"x-identit", b"3"),)


def test_a_trailer_does_not_control_the_message():
    check_trailers(((b"x-checksum", b"1"),), BadRequest)
    for name in (b"content-length", b"transfer-encoding", b"host", b"authorization", b"content_length"):
        with pytest.raises(BadRequest):
            check_trailers(((name, b"1"),), BadRequest)
