"""HTTP/1.1 on the wire: heads, bodies, and what is refused with which status."""

import pytest

from doorward_core.errors import LocalProtocolError, UpstreamProtocolError
from doorward_core.http.h1_wire import RequestReader, ResponseReader, encode_request, encode_response
from doorward_core.http.limits import HttpLimits, UpstreamLimits
from doorward_core.http.messages import BadRequest

HOST = b"Host: a.example\r\n"


def reader(data, limits=None, scheme="http"):
    it = RequestReader(limits or HttpLimits(), scheme)
    it.receive(data)
    return it


def refusal(data, limits=None):
    with pytest.raises(BadRequest) as refused:
        reader(data, limits).next_head()
    return refused.value.status


def responses(data):
    it = ResponseReader(UpstreamLimits())
    it.receive(data)
    return it


def test_a_request_is_read():
    it = reader(b"POST /a?b HTTP/1.1\r\nHost: A.example\r\nX-A:  b \r\nContent-Length: 3\r\n\r\nabcGET")
    head = it.next_head()
    assert (head.method, head.target, head.authority, head.version) == ("POST", b"/a?b", "a.example", "1.1")
    assert head.headers == ((b"host", b"A.example"), (b"x-a", b"b"), (b"content-length", b"3"))
    assert (head.body, head.length) == ("length", 3)
    assert it.next_data() == b"abc"
    assert it.body_done
    assert it.next_data() == b""
    assert it.take_rest() == b"GET"


def test_pipelined_requests_are_read_one_by_one():
    it = reader((b"GET /1 HTTP/1.1\r\n" + HOST + b"\r\n") * 2)
    assert it.next_head().target == b"/1"
    assert it.next_head().target == b"/1"
    assert it.next_head() is None


_FIELDS = HOST + b"X-A: b\r\nConnection: keep-alive\r\n\r\n"
_LINES = (
    b"GET /1 HTTP/1.1", b"GET /2 HTTP/1.1", b"GET /1 HTTP/1.0", b"HEAD /1 HTTP/1.1", b"FOO /1 HTTP/1.1", b"GET * HTTP/1.1",
    b"GET http://a.example/3 HTTP/1.1", b"GET http://b.example/3 HTTP/1.1", b"GET  /1 HTTP/1.1", b"GET /1 HTTP/1.2",
    b"GET /\x01 HTTP/1.1", b"GET a.example:80 HTTP/1.1", b"get /1 HTTP/1.1", b"GET /#a HTTP/1.1",
)  # fmt: skip


def read_or_refused(it):
    try:
        head = it.next_head()
    except BadRequest as refused:
        return (refused.status, refused.detail)
    return (head, it.close, it.body_done)


@pytest.mark.parametrize("first", [b"GET /1 HTTP/1.1", b"HEAD /1 HTTP/1.0"])
@pytest.mark.parametrize("line", _LINES)
def test_a_head_is_read_the_same_whatever_was_read_before_it(first, line):
    second = line + b"\r\n" + _FIELDS
    alone = read_or_refused(reader(second))
    after = reader(first + b"\r\n" + _FIELDS + second)
    after.next_head()
    assert read_or_refused(after) == alone


@pytest.mark.parametrize(
    "fields",
    [HOST, HOST + b"Connection: close\r\n", HOST + HOST, b"Host: b.example\r\n", HOST + b"Content-Length: 1\r\n"],
)
def test_other_fields_are_read_anew(fields):
    second = b"GET /1 HTTP/1.1\r\n" + fields + b"\r\n"
    alone = read_or_refused(reader(second))
    after = reader(b"GET /1 HTTP/1.1\r\n" + _FIELDS + second)
    after.next_head()
    assert read_or_refused(after) == alone


def test_a_head_that_comes_again_is_the_same_object_up_to_a_size():
    asked = b"POST /1 HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n\r\na"
    it = reader(asked * 2)
    head = it.next_head()
    assert it.next_data() == b"a"
    assert it.next_head() is head
    assert not it.body_done
    assert it.next_data() == b"a"
    long = b"GET /1 HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 4096 + b"\r\n\r\n"
    it = reader(long * 2)
    assert it.next_head() is not it.next_head()


def test_a_response_that_comes_again_answers_what_it_answers():
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
    it = responses(answer + b"a" + answer + answer + b"b")
    first = it.next_head("GET")
    assert it.next_data() == b"a"
    assert it.next_head("HEAD") == first
    assert it.body_done
    second = it.next_head("GET")
    assert (second, it.next_data()) == (first, b"b")


def test_a_body_that_is_all_that_was_received_is_not_copied():
    it = reader(b"PUT / HTTP/1.1\r\n" + HOST + b"Content-Length: 500000\r\n\r\n")
    it.next_head()
    piece = b"x" * 100_000
    it.receive(piece)
    assert it.next_data() is piece


def test_an_absolute_target_must_name_the_host_that_the_host_header_names():
    head = reader(b"GET http://A.example?q HTTP/1.1\r\n" + HOST + b"\r\n").next_head()
    assert (head.target, head.authority) == (b"/?q", "a.example")
    assert refusal(b"GET http://b.example/ HTTP/1.1\r\n" + HOST + b"\r\n") == 400
    assert refusal(b"GET https://a.example/ HTTP/1.1\r\n" + HOST + b"\r\n") == 400


def test_a_client_that_ends_between_requests_has_ended():
    it = reader(b"")
    assert it.next_head() is None
    assert it.ended


def test_a_client_that_ends_within_a_request_is_told():
    it = reader(b"GET / HTTP/1.1\r\nHo")
    it.receive(b"")
    with pytest.raises(BadRequest):
        it.next_head()
    it = reader(b"PUT / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nab")
    it.next_head()
    assert it.next_data() == b"ab"
    it.receive(b"")
    with pytest.raises(BadRequest):
        it.next_data()


def test_each_refusal_has_its_status():
    small = HttpLimits(head_bytes=200, header_count=3, target_bytes=20, body_bytes=10)
    get = b"GET / HTTP/1.1\r\n" + HOST
    assert refusal(b"GET / HTTP/2.0\r\n" + HOST + b"\r\n") == 505
    assert refusal(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == 505
    assert refusal(b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n") == 501
    assert refusal(get + b"A: b\r\n" * 3 + b"\r\n", small) == 431
    assert refusal(get + b"A: " + b"b" * 300, small) == 431
    assert refusal(b"GET /" + b"a" * 30 + b" HTTP/1.1\r\n" + HOST + b"\r\n", small) == 414
    assert refusal(get + b"Content-Length: 11\r\n\r\n", small) == 413
    assert refusal(b"CONNECT a.example:1 HTTP/1.1\r\n" + HOST + b"\r\n") == 400
    assert refusal(b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n") == 400


def test_a_response_is_read():
    it = responses(b"HTTP/1.1 200 \r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    head = it.next_head("GET")
    assert (head.status, head.reason) == (200, b"")
    assert it.next_data() == b"ok"
    assert it.close


def test_a_response_without_a_length_ends_with_its_connection():
    it = responses(b"HTTP/1.1 200 OK\r\n\r\nsome")
    it.next_head("GET")
    assert it.next_data() == b"some"
    assert it.next_data() is None
    it.receive(b"")
    assert it.next_data() == b""


def test_a_response_to_head_has_no_body():
    it = responses(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    it.next_head("HEAD")
    assert it.body_done


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        b"HTTP/1.1 200 OK\nA: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 300 + b"\r\n",
    ],
)
def test_a_response_that_is_not_plain_is_refused(data):
    with pytest.raises(UpstreamProtocolError):
        responses(data).next_head("GET")


def test_a_body_that_is_cut_is_seen():
    it = responses(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
    it.next_head("GET")
    assert it.next_data() == b"hel"
    it.receive(b"")
    with pytest.raises(UpstreamProtocolError):
        it.next_data()


def test_what_is_written_can_be_read_as_nothing_else():
    assert encode_request("GET", b"/", ((b"a", b"b"),)) == b"GET / HTTP/1.1\r\na: b\r\n\r\n"
    assert encode_response(204, b"", ()) == b"HTTP/1.1 204 \r\n\r\n"
    for headers in [((b"a", b"b\r\nc: d"),), ((b"a\r\nb", b"c"),), ((b"a b", b"c"),), ((b"a", b"\x00"),)]:
        with pytest.raises(LocalProtocolError):
            encode_response(200, b"OK", headers)
    with pytest.raises(LocalProtocolError):
        encode_request("GET", b"/ HTTP/1.1\r\nX: y\r\n\r\nGET /", ())
