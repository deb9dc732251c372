"""Heads as h2 carries them are as strictly read as those of HTTP/1.1."""

import pytest

from doorward_core.errors import LocalProtocolError, UpstreamProtocolError
from doorward_core.http.h2_wire import (
    encode_request,
    encode_response,
    encode_trailers,
    request_head,
    response_head,
    trailers,
)
from doorward_core.http.limits import HttpLimits
from doorward_core.http.messages import BadRequest, Head, ResponseHead

PSEUDO = ((b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/a?b"), (b":authority", b"A.example"))


def head(*headers, pseudo=PSEUDO, ended=True, limits=None):
    return request_head((*pseudo, *headers), "https", limits or HttpLimits(), ended=ended)


def test_a_request_is_read():
    it = head((b"accept", b"*/*"))
    assert (it.method, it.target, it.authority, it.scheme, it.version) == ("GET", b"/a?b", "a.example", "https", "2")
    assert it.headers == ((b"accept", b"*/*"),)
    assert it.body == "none"


def test_a_body_has_a_length_or_ends_with_its_stream():
    assert head(ended=False).body == "stream"
    assert head((b"content-length", b"5"), ended=False).length == 5
    with pytest.raises(BadRequest):
        head((b"content-length", b"5"))
    with pytest.raises(BadRequest) as refused:
        head((b"content-length", b"5"), ended=False, limits=HttpLimits(body_bytes=4))
    assert refused.value.status == 413


def test_split_cookies_are_one():
    assert head((b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2")).headers == (
        (b"x", b"y"),
        (b"cookie", b"a=1; b=2"),
    )


def test_an_expectation_is_seen():
    assert head((b"expect", b"100-continue"), ended=False).expect_continue


def test_a_response_is_read_and_nothing_else():
    assert response_head(((b":status", b"200"), (b"a", b"b")), 10) == ResponseHead(200, ((b"a", b"b"),))
    for received in [
        (),
        ((b":status", b"abc"),),
        ((b":status", b"200"), (b":path", b"/")),
        ((b":status", b"200"), (b"A", b"b")),
    ]:
        with pytest.raises(UpstreamProtocolError):
            response_head(received, 10)


def test_trailers_are_headers_that_control_nothing():
    assert trailers(((b"grpc-status", b"0"),), BadRequest, 5) == ((b"grpc-status", b"0"),)
    for received in [((b":path", b"/"),), ((b"content-length", b"1"),), ((b"a", b"b\r\nc"),)]:
        with pytest.raises(BadRequest):
            trailers(received, BadRequest, 5)


def test_a_request_goes_on_without_what_was_of_the_connection():
    sent = Head(
        "POST",
        b"/x",
        "up.test",
        "https",
        (
            (b"host", b"a"),
            (b"connection", b"x-y"),
            (b"x-y", b"1"),
            (b"te", b"trailers"),
            (b"content-length", b"9"),
            (b"a", b" b "),
        ),
    )
    fields = encode_request(sent, 9, "http")
    assert fields == [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/x"),
        (b":authority", b"up.test"),
        (b"a", b"b"),
        (b"te", b"trailers"),
        (b"content-length", b"9"),
    ]


def test_a_response_goes_on_without_what_was_of_the_connection():
    fields = encode_response(
        ResponseHead(200, ((b"connection", b"close"), (b"transfer-encoding", b"chunked"), (b"a", b"b")))
    )
    assert fields == [(b":status", b"200"), (b"a", b"b")]
    assert encode_trailers(((b"a", b"b"), (b"te", b"x"))) == [(b"a", b"b")]
    with pytest.raises(LocalProtocolError):
        encode_response(ResponseHead(200, ((b"a", b"b\r\nc: d"),)))
