"""ATTACKS on the HTTP gateway by what another reader reads in the same bytes: frameworks, charsets, late fields."""

import json

import pytest
from http_raw import ask, raw, request, status

FORM = "Content-Type: application/x-www-form-urlencoded"
JSON = "Content-Type: application/json"
UTF_7 = b'{"percent": 5, "+AHAAZQByAGMAZQBuAHQ-": 90}'


# --- H-04: the method that is decided on ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        ((FORM,), b"a=;&_method=delete"),
        ((FORM,), b"a=%ff&_method=delete"),
        ((FORM,), b"&".join(b"f%d=" % n for n in range(1200)) + b"&_method=delete"),
        ((FORM,), b"[_method]=delete"),
        ((FORM,), b"a=1&%20%5fmethod=delete"),
        ((FORM + "; charset=ibm037",), b"%6d%94%85%a3%88%96%84=delete"),
        ((FORM, "Content-Encoding: gzip"), b"\x1f\x8b"),
        ((FORM, JSON), b"_method=delete"),
        ((JSON, FORM), b"_method=delete"),
        ((FORM + ", application/json",), b"_method=delete"),
        ((), b"_method=delete"),
        ((FORM, "Connection: content-type"), b"_method=delete"),
        (("Content-Type: multipart/related; boundary=b",), b'--b\r\nContent-Disposition: x; name="_method"\r\n\r\nx'),
        (
            ("Content-Type: multipart/form-data; boundary=b",),
            b"--b\r\nContent-Disposition: x; name*=''_method\r\n\r\nx",
        ),
    ],
)
def test_h_04_no_reading_of_a_form_changes_the_method(http, lines, body):
    assert status(ask(http, "POST /crm/files/1 HTTP/1.1", *lines, body=body)) in {400, 413, 415}
    assert bytes(http.recorder.sent) == b""


def test_h_04_a_long_form_is_looked_at_as_it_streams(own_http):
    http = own_http()  # what is cut arrives in part, at any time
    body = b"a=" + b"x" * (2 << 20)
    assert status(ask(http, "POST /crm/files/1 HTTP/1.1", FORM, body=body)) == 200
    http.crm.seen.clear()
    answer = ask(http, "POST /crm/files/1 HTTP/1.1", FORM, body=body + b"&_method=delete")
    assert not answer or status(answer) == 400
    assert http.crm.seen == []


@pytest.mark.parametrize("line", ["X.HTTP.Method.Override: DELETE", "X_HTTP.Method-Override: DELETE"])
def test_h_04_no_spelling_of_a_header_changes_the_method(http, line):
    assert status(ask(http, "POST /crm/files/1 HTTP/1.1", line, body=b"x")) == 400
    assert bytes(http.recorder.sent) == b""


@pytest.mark.parametrize("query", ["[_method]=DELETE", "_method[]=DELETE", "]_method=DELETE", "%20_method%20=DELETE"])
def test_h_04_no_spelling_of_a_query_changes_the_method(http, query):
    assert status(ask(http, f"POST /crm/files/1?{query} HTTP/1.1", "Content-Type: text/plain", body=b"x")) == 400
    assert bytes(http.recorder.sent) == b""


@pytest.mark.parametrize("path", ["/admin.json", "/admin.", "/ADMIN.xml/", "/admin.x.json"])
def test_h_04_no_format_in_a_path_passes_an_exception(http, path):
    assert status(ask(http, f"GET /crm{path} HTTP/1.1")) == 403
    assert bytes(http.recorder.sent) == b""


# --- H-04: what conditions look at ------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["[export]=csv", "]export=csv", "[[export]]=csv", "export]=csv", "export.as=csv"])
def test_h_04_no_bracket_of_a_query_passes_a_block_on_it(http, query):
    assert status(ask(http, f"GET /crm/customers?{query} HTTP/1.1")) == 403
    assert bytes(http.recorder.sent) == b""


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("application/json; charset=utf-7", UTF_7),
        ("application/json;charset='UTF-7'", UTF_7),
        ('application/json; x=y ; Charset = "utf-7"', UTF_7),
        ("application/json", b'{"percent": 5, "percent\\u0000": 90}'),
        ("application/json", b'{"percent": "\\ud800"}'),
        ("application/json", b'{"percent": 5, "perCent\\u0000x": 90}'),
    ],
)
def test_h_04_no_charset_and_no_half_character_passes_an_allow_on_a_body(http, media, body):
    answer = ask(http, "POST /crm/discounts HTTP/1.1", f"Content-Type: {media}", body=body)
    assert status(answer) == 403, answer
    assert bytes(http.recorder.sent) == b""


def test_h_04_json_in_utf_8_by_any_of_its_names_is_still_decided_on(http):
    for charset in ("utf-8", "UTF8", '"us-ascii"'):
        answer = ask(http, "POST /crm/discounts HTTP/1.1", f"{JSON}; charset={charset}", body=b'{"percent": 5}')
        assert status(answer) == 200, answer


# --- H-02: what comes late, and what is not waited for ----------------------------------------------------------------


@pytest.mark.parametrize("size", [10, 3 << 20])
def test_h_02_a_trailer_never_adds_to_what_was_decided(own_http, size):
    http = own_http()
    body = b"%x\r\n%b\r\n0\r\nX-Tenant: other\r\n\r\n" % (size, b"x" * size)
    sent = request(http, "PUT /crm/files/1 HTTP/1.1", "Transfer-Encoding: chunked", "Trailer: x-tenant", body=body)
    answer = raw(http, sent)
    assert not answer or status(answer) == 400
    assert http.crm.seen == []
    assert b"other" not in bytes(http.recorder.sent)


def test_h_02_who_asks_before_sending_is_refused_without_being_heard(http):
    lines = ("Expect: 100-continue", "Content-Length: 1000000")
    answer = ask(http, "DELETE /crm/customers/1 HTTP/1.1", *lines)
    assert status(answer) == 403
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answer.lower()
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["type"] == "urn:doorward:refused"
    for token in ("nobody", "a.b.c"):
        answer = ask(http, "DELETE /crm/customers/1 HTTP/1.1", *lines, token=token)
        assert answer.startswith(b"HTTP/1.1 401")
    assert bytes(http.recorder.sent) == b""


def test_h_02_who_asks_before_sending_is_heard_where_that_can_matter(http):
    first = request(http, "POST /crm/files/1 HTTP/1.1", "Content-Length: 5", "Expect: 100-continue")
    answer = raw(http, first, b"hello")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")
    (seen,) = http.crm.seen
    assert (seen.body, seen.header("expect")) == (b"hello", [])
