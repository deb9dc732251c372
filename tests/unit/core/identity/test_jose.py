import base64
import json

import pytest

from doorward_core.errors import AuthenticationError
from doorward_core.identity import jose


def segment(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(header: bytes = b'{"alg":"ES256"}', payload: bytes = b'{"iss":"x"}', signature: bytes = b"s") -> bytes:
    return b".".join(map(segment, (header, payload, signature)))


def test_a_plain_token_is_read_whole():
    jws = jose.parse_compact(token(b'{"alg":"ES256","kid":"k","typ":"JWT"}'))
    assert (jws.alg, jws.kid, jws.typ, jws.claims, jws.signature) == ("ES256", "k", "JWT", {"iss": "x"}, b"s")
    assert jws.signing_input == token(b'{"alg":"ES256","kid":"k","typ":"JWT"}').rpartition(b".")[0]


def test_text_and_bytes_are_read_the_same():
    assert jose.parse_compact(token()) == jose.parse_compact(token().decode())


def test_a_header_may_leave_out_kid_and_typ():
    jws = jose.parse_compact(token())
    assert (jws.kid, jws.typ) == (None, None)


def test_the_repr_shows_no_claim_and_no_signature():
    shown = repr(jose.parse_compact(token(payload=b'{"sub":"canary"}', signature=b"canary")))
    assert "canary" not in shown
    assert segment(b"canary").decode() not in shown


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        (b"", b""),
        (b"AA", b"\x00"),
        (b"_-8", b"\xff\xef"),
        (b"AAA", b"\x00\x00"),
        (b"AA==", None),
        (b"AB", None),  # stray bits in the last character
        (b"AAB", None),
        (b"A", None),
        (b"AAAAA", None),
        (b"+/8", None),
        (b"A A", None),
        (b"AAAA\n", None),
        (b"AA=A", None),
        (b"\xc3\xa4AA", None),
    ],
)
def test_base64url_is_canonical_or_nothing(encoded, value):
    assert jose.decode_base64url(encoded) == value


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'{"a":1,"a":2}', "a member occurs twice"),
        (b'{"x":{"a":1,"a":2}}', "a member occurs twice"),
        (b'{"a":1,"\\u0061":2}', "a member occurs twice"),
        (b'{"a":NaN}', "NaN and Infinity are not JSON"),
        (b'{"a":-Infinity}', "NaN and Infinity are not JSON"),
        (b'{"a":1e999}', "a number is out of range"),
        (b'{"a":' + b"9" * 5000 + b"}", "an integer is too long"),
        (b"[1]", "not an object"),
        (b"null", "not an object"),
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"a":1}x', "not valid JSON"),
        (b'\xef\xbb\xbf{"a":1}', "not valid JSON"),
        ('{"a":1}'.encode("utf-16"), "not valid Unicode text"),
        (b'{"a":"\xff"}', "not valid Unicode text"),
        (b'{"a":"\\ud800"}', "not valid Unicode text"),
        (b'{"\\udc00":1}', "not valid Unicode text"),
        (b'{"a":"line\nbreak"}', "not valid JSON"),
        (b'{"a":' + b"[" * 24 + b"]" * 24 + b"}", "nested too deep"),
        (b'{"a":' + b'["]",' * 5000 + b"1" + b"]" * 5000 + b"}", "nested too deep"),
        (b"[" * 100_000, "nested too deep"),
    ],
)
def test_json_that_two_readers_could_read_in_two_ways_is_refused(data, problem):
    with pytest.raises(AuthenticationError, match=f"^thing: {problem}$"):
        jose.parse_json_object(data, "thing")


def test_json_as_it_should_be_is_read():
    text = {"a": [1, 2.5, True, None, 'é[[[{{{\\"[['], "b": {"c": {}}, "😀": "\U0001f600"}
    assert jose.parse_json_object(json.dumps(text).encode(), "thing") == text
    assert jose.parse_json_object(json.dumps(text, ensure_ascii=False).encode(), "thing") == text
    assert jose.parse_json_object(b'{"a":' + b"[" * 23 + b"]" * 23 + b"}", "thing")


@pytest.mark.parametrize(
    "name", ["crit", "b64", "jwk", "jku", "x5u", "x5c", "enc", "zip", "cty", "iss", "nonce", "ALG"]
)
def test_a_header_member_that_is_not_on_the_list_is_refused(name):
    with pytest.raises(AuthenticationError, match="token header"):
        jose.parse_compact(token(json.dumps({"alg": "ES256", name: ["x"]}).encode()))


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"alg": None},
        {"alg": ["ES256"]},
        {"alg": "ES256", "kid": 1},
        {"alg": "ES256", "kid": None},
        {"alg": "ES256", "kid": ""},
        {"alg": "ES256", "kid": "k" * 257},
        {"alg": "ES256", "kid": "a\nb"},
        {"alg": "ES256", "typ": 1},
        {"alg": "ES256", "x5t": "x" * 3000},
    ],
)
def test_a_header_with_wrong_types_or_lengths_is_refused(header):
    with pytest.raises(AuthenticationError, match="token header"):
        jose.parse_compact(token(json.dumps(header).encode()))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b".",
        b"..",
        b"a.b",
        b"a.b.c.d",
        b"a.b.c.d.e",
        token() + b".",
        b"." + token(),
        token() + b"=",
        token() + b"\n",
        b" " + token(),
        token(signature=b""),
        token(payload=b""),
        token(payload=b"[]"),
        token().replace(b".", b"..", 1),
        "Bearer " + token().decode(),
        "tökén.a.b",
        b"\x00" * 10,
        b"a" * (jose.MAX_TOKEN_BYTES + 1),
    ],
)
def test_what_is_no_compact_token_is_refused(raw):
    with pytest.raises(AuthenticationError, match=r"^token"):
        jose.parse_compact(raw)


def test_a_token_just_within_the_bound_is_read():
    fixed = len(token(payload=b'{"p":""}'))
    room = (jose.MAX_TOKEN_BYTES - fixed) // 4 * 3
    assert len(jose.parse_compact(token(payload=b'{"p":"' + b"x" * room + b'"}')).claims["p"]) == room


def test_an_error_holds_nothing_of_the_text_that_it_refuses():
    with pytest.raises(AuthenticationError) as caught:
        jose.parse_json_object(b'{"canary": canary}', "thing")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "canary" not in str(caught.value)
