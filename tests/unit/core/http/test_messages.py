"""Headers are looked up so that an ambiguity is seen."""

from doorward_core.errors import ClientProtocolError
from doorward_core.http.messages import BadRequest, get, get_all, without

HEADERS = ((b"a", b"1"), (b"b", b"2"), (b"a", b"3"))


def test_a_header_that_occurs_twice_has_no_one_value():
    assert get(HEADERS, b"b") == b"2"
    assert get(HEADERS, b"a") is None
    assert get(HEADERS, b"c") is None
    assert get_all(HEADERS, b"a") == (b"1", b"3")


def test_headers_are_dropped_by_name_and_keep_their_order():
    assert without(HEADERS, frozenset({b"b"})) == ((b"a", b"1"), (b"a", b"3"))


def test_a_bad_request_carries_its_status():
    refused = BadRequest("too long", 431)
    assert isinstance(refused, ClientProtocolError)
    assert (refused.status, refused.detail) == (431, "too long")
