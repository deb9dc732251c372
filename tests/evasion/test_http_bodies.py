"""Ways to walk a value past the masks of HTTP bodies and headers, by their rows in docs/threat-model.md."""

import contextlib
import gzip
import json
import resource
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from doorward_core.errors import UnreadableBody
from doorward_core.http.codings import Decoder
from doorward_core.http.messages import Headers, ResponseHead
from doorward_core.model import Mask, Transform
from doorward_http.bodies import Masked, Plan, Unmaskable, Untouched, plan
from doorward_http.events import Messages
from doorward_http.header_masks import mask_headers, mask_reason, prepare_request_headers
from doorward_http.owed import Owed

KEY = b"k" * 32
SECRET = b"jane.doe@secret.example"
BY_PATH = Owed((Mask("r", ("$..email",), (), Transform.REDACT, "pii"),), KEY)
BY_CONTENT = Owed((Mask("r", (), ("email", "card"), Transform.REDACT, "pii"),), KEY)
BOTH = (BY_PATH, BY_CONTENT)


def planned(owed: Owed, content_type: str, *, coding: str = "", status: int = 200, more: Headers = ()) -> Plan:
    headers = ((b"content-type", content_type.encode()), *more)
    if coding:
        headers += ((b"content-encoding", coding.encode()),)
    return plan(ResponseHead(status, headers), owed, "GET")


def through(owed: Owed, content_type: str, body: bytes, *, coding: str = "", size: int = 0) -> bytes:
    made = planned(owed, content_type, coding=coding)
    assert isinstance(made, Masked), made
    size = size or len(body) or 1
    out = [made.body.feed(body[at : at + size]) for at in range(0, len(body), size)]
    return b"".join([*out, made.body.end()])


def undone(codings: tuple[str, ...], body: bytes) -> bytes:
    out: list[bytes] = []
    decoder = Decoder(codings, out.append)
    decoder.feed(body)
    decoder.end()
    return b"".join(out)


def raw_deflate(data: bytes) -> bytes:
    state = zlib.compressobj(9, zlib.DEFLATED, -15)
    return state.compress(data) + state.flush()


DOCUMENT = json.dumps({"people": [{"id": 1, "email": SECRET.decode(), "age": 41.50}]}).encode()


# --- H-06: what hides a value from the mask -------------------------------------------------------------------------


@pytest.mark.parametrize("owed", BOTH)
@pytest.mark.parametrize(
    ("coding", "encode", "codings"),
    [
        ("gzip", gzip.compress, ("gzip",)),
        ("x-gzip", gzip.compress, ("gzip",)),
        ("deflate", zlib.compress, ("deflate",)),
        ("deflate", raw_deflate, ("deflate",)),
        ("br", brotli.compress, ("br",)),
        ("zstd", zstandard.ZstdCompressor().compress, ("zstd",)),
        ("gzip, br", lambda body: brotli.compress(gzip.compress(body)), ("gzip", "br")),
        ("gzip", lambda body: gzip.compress(body[:40]) + gzip.compress(body[40:]), ("gzip",)),
    ],
)
def test_h_06_a_coded_body_is_decoded_masked_and_coded_again(
    owed: Owed, coding: str, encode: Callable[[bytes], bytes], codings: tuple[str, ...]
) -> None:
    shown = undone(codings, through(owed, "application/json", encode(DOCUMENT), coding=coding))
    assert SECRET not in shown
    assert json.loads(shown)["people"][0]["id"] == 1
    assert b"41.5" in shown


@pytest.mark.parametrize("owed", BOTH)
@pytest.mark.parametrize("coding", ["compress", "dcz", "exi", "gzip, unknown", "aes128gcm"])
def test_h_06_an_unknown_coding_is_refused(owed: Owed, coding: str) -> None:
    assert isinstance(planned(owed, "application/json", coding=coding), Unmaskable)


@pytest.mark.parametrize("owed", BOTH)
@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", DOCUMENT),
        ("gzip", brotli.compress(DOCUMENT)),
        ("br", gzip.compress(DOCUMENT, mtime=0)),
        ("", gzip.compress(DOCUMENT, mtime=0)),
        ("", zstandard.ZstdCompressor().compress(DOCUMENT)),
        ("gzip", gzip.compress(gzip.compress(DOCUMENT))),
    ],
)
def test_h_06_a_coding_that_is_not_the_declared_one_shows_nothing(owed: Owed, coding: str, body: bytes) -> None:
    with pytest.raises(UnreadableBody):
        assert SECRET not in through(owed, "application/json", body, coding=coding)


@pytest.mark.parametrize("owed", BOTH)
@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream", "application/x-ndjson"])
def test_h_06_a_value_cut_at_any_place_is_masked(owed: Owed, content_type: str) -> None:
    body = b"data: " + DOCUMENT + b"\n\n" if content_type == "text/event-stream" else DOCUMENT + b"\n"
    whole = through(owed, content_type, body)
    assert SECRET not in whole
    for cut in range(1, len(body)):
        made = planned(owed, content_type)
        assert isinstance(made, Masked)
        assert made.body.feed(body[:cut]) + made.body.feed(body[cut:]) + made.body.end() == whole


@pytest.mark.parametrize("owed", BOTH)
def test_h_06_a_body_that_drips_is_masked(owed: Owed) -> None:
    assert through(owed, "application/json", DOCUMENT, size=1) == through(owed, "application/json", DOCUMENT)


@pytest.mark.parametrize("owed", BOTH)
def test_h_06_a_part_of_a_multipart_body_is_masked(owed: Owed) -> None:
    body = b"--x\r\nContent-Type: application/json\r\n\r\n" + DOCUMENT + b"\r\n--x--\r\n"
    assert SECRET not in through(owed, "multipart/mixed; boundary=x", body)
    assert SECRET not in through(owed, "multipart/mixed; boundary=x", body, size=1)


@pytest.mark.parametrize("owed", BOTH)
@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_h_06_another_charset_is_read_as_json_readers_read_it(owed: Owed, charset: str) -> None:
    shown = through(owed, "application/json", DOCUMENT.decode().encode(charset))
    assert SECRET.decode() not in shown.decode(charset)


@pytest.mark.parametrize("owed", BOTH)
@pytest.mark.parametrize("charset", ["utf-7", "cp037", "hz-gb-2312", "iso-2022-kr"])
def test_h_06_a_charset_that_can_hide_ascii_is_refused(owed: Owed, charset: str) -> None:
    assert isinstance(planned(owed, f"application/json; charset={charset}"), Unmaskable)


def test_h_06_a_text_in_utf16_without_saying_so_is_refused() -> None:
    with pytest.raises(UnreadableBody):
        through(BY_CONTENT, "text/plain", SECRET.decode().encode("utf-16-le"))


@pytest.mark.parametrize(
    "body",
    [
        b'{"x":"jane.doe\\u0040secret.example"}',
        b'{"x":"\\u006a\\u0061\\u006e\\u0065.doe\\u0040\\u0073ecret.example"}',
        b'{"x":"jane.doe@\\u0073ecret.example"}',
        b'{"x":"jane.doe\\u0040\\u0073ecret\\u002Eexample"}',
        b'["jane.doe@secret\\u002eexample"]',
        b'{"jane.doe\\u0040secret.example":0}',
    ],
)
def test_h_06_an_escape_in_json_hides_nothing_from_detectors(body: bytes) -> None:
    assert SECRET.decode() in json.dumps(json.loads(body))
    shown = through(BY_CONTENT, "application/json", body)
    assert SECRET.decode() not in json.dumps(json.loads(shown))


@pytest.mark.parametrize("name", [b"email", b"EMAIL", b"e\\u006dail", b"\\u0065\\u006D\\u0061\\u0069\\u006C"])
def test_h_06_an_escape_in_a_name_hides_nothing_from_paths(name: bytes) -> None:
    assert SECRET not in through(BY_PATH, "application/json", b'{"' + name + b'" :\n"' + SECRET + b'"}')


@pytest.mark.parametrize(
    "body",
    [
        b'{"email" "' + SECRET + b'"}', b"{'email': '" + SECRET + b"'}", b'{email: "' + SECRET + b'"}',
        b'{"a": 1} // "email": "' + SECRET + b'"', b')]}\',\n{"email": "' + SECRET + b'"}', b'"email": "' + SECRET + b'"',
        b'{"a": "\\"}, "email": "' + SECRET + b'"}', b'{"email": /**/ "' + SECRET + b'"}', b"email=" + SECRET,
        b'callback({"email": "' + SECRET + b'"})', b'{"x": ["email": }, "' + SECRET + b'"}',
    ],
)  # fmt: skip
def test_h_06_what_only_a_lenient_reader_takes_for_json_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableBody):
        assert SECRET not in through(BY_PATH, "application/json", body)


@pytest.mark.parametrize("owed", BOTH)
def test_h_06_a_name_said_twice_is_masked_twice(owed: Owed) -> None:
    body = b'{"email":"' + SECRET + b'","email":"' + SECRET + b'"}'
    assert SECRET not in through(owed, "application/json", body)


@pytest.mark.parametrize("owed", BOTH)
@pytest.mark.parametrize(
    "content_type",
    ["application/pdf", "application/grpc", "application/x-protobuf", "application/msgpack", "application/octet-stream",
     "application/zip", "application/cbor", "image/png", "application/vnd.apache.parquet"],
)  # fmt: skip
def test_h_06_what_nobody_can_look_into_is_refused(owed: Owed, content_type: str) -> None:
    assert isinstance(planned(owed, content_type), Unmaskable)


def test_h_06_base64_in_json_is_left_and_stated() -> None:
    """docs/http-masks.md says so: a value that was encoded within a string is not undone."""
    body = b'{"x":"amFuZS5kb2VAc2VjcmV0LmV4YW1wbGU="}'
    assert through(BY_CONTENT, "application/json", body) == body


@pytest.mark.parametrize("body", [b"<a>jane.doe&#64;secret.example</a>", b"<a>jane.doe&#x40;secret&#46;example</a>"])
def test_h_06_a_reference_in_markup_hides_nothing(body: bytes) -> None:
    for content_type in ("text/html", "application/xml", "image/svg+xml"):
        shown = through(BY_CONTENT, content_type, body)
        assert b"secret" not in shown


# --- H-07: parts, and what is computed from the whole ----------------------------------------------------------------


def test_h_07_parts_and_conditions_are_not_asked_for() -> None:
    asked = (
        (b"range", b"bytes=5-9"), (b"if-range", b'"x"'), (b"if-none-match", b'"x"'), (b"if-modified-since", b"x"),
        (b"want-repr-digest", b"sha-256=1"), (b"accept-encoding", b"compress, gzip"), (b"accept", b"*/*"),
    )  # fmt: skip
    sent = prepare_request_headers(asked, "GET", owes_mask=True)
    assert sent == ((b"accept", b"*/*"), (b"accept-encoding", b"gzip"))


@pytest.mark.parametrize("owed", BOTH)
def test_h_07_a_part_that_comes_all_the_same_is_refused(owed: Owed) -> None:
    assert isinstance(planned(owed, "application/json", status=206), Unmaskable)
    assert isinstance(planned(owed, "application/json", more=((b"content-range", b"bytes 5-9/50"),)), Unmaskable)
    assert isinstance(planned(owed, "multipart/byteranges; boundary=x", status=206), Unmaskable)


@pytest.mark.parametrize("owed", BOTH)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_h_07_nothing_computed_from_the_body_leaves(owed: Owed, method: str) -> None:
    computed = (
        b"content-length", b"etag", b"content-md5", b"digest", b"repr-digest", b"content-digest", b"accept-ranges",
        b"x-amz-checksum-crc32", b"x-goog-hash", b"x-goog-stored-content-length",
    )  # fmt: skip
    head = ResponseHead(200, ((b"content-type", b"application/json"), *((name, b"12345") for name in computed)))
    made = plan(head, owed, method)
    assert isinstance(made, Masked | Untouched)
    assert made.headers == ((b"content-type", b"application/json"),)


# --- H-08: bombs -----------------------------------------------------------------------------------------------------


def _bomb(coding: str, size: int) -> bytes:
    block = b" " * 2**20
    if coding == "gzip":
        state = zlib.compressobj(9, zlib.DEFLATED, 31)
        return b"".join([*(state.compress(block) for _ in range(size // 2**20)), state.flush()])
    if coding == "br":
        made = brotli.Compressor(quality=1)
        return b"".join([*(made.process(block) for _ in range(size // 2**20)), made.finish()])
    wrote = zstandard.ZstdCompressor(level=1).compressobj()
    return b"".join([*(wrote.compress(block) for _ in range(size // 2**20)), wrote.flush()])


@pytest.mark.parametrize("owed", BOTH)
@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_h_08_a_bomb_goes_off_in_flat_memory(owed: Owed, coding: str) -> None:
    bomb = _bomb(coding, 256 * 2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnreadableBody):
        through(owed, "application/json", bomb, coding=coding)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024  # KiB: a quarter of what it unfolds to


def test_h_08_a_bomb_within_a_bomb_goes_off_too() -> None:
    bomb = gzip.compress(_bomb("gzip", 64 * 2**20))
    with pytest.raises(UnreadableBody):
        through(BY_CONTENT, "text/plain", bomb, coding="gzip, gzip")


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"email":'])
def test_h_08_json_nested_beyond_reason_is_refused(opening: bytes) -> None:
    with pytest.raises(UnreadableBody, match="deep"):
        through(BY_PATH, "application/json", opening * 100_000)


@pytest.mark.parametrize("owed", BOTH)
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'["' + b"\\" * 4_000_000),
        ("application/json", b'["' + b'\\"' * 2_000_000),
        ("application/json", b"[" + b"1" * 4_000_000),
        ("application/json", b'{"email":' + b" " * 4_000_000),
        ("application/json", b'[{"a":{"b":' * 300 + b"1," * 1_000_000),
        ("text/event-stream", b"data: x\n" * 500_000),
        ("text/event-stream", b"\r" * 1_000_000),
        ("text/csv", b"email,x\n" + b'"' * 4_000_000),
        ("application/x-www-form-urlencoded", b"%" * 900_000),
        ("multipart/mixed; boundary=x", b"--x\r\n\r\n" + b"\r\n-" * 1_000_000),
    ],
)
def test_h_08_hostile_bodies_cost_time_in_proportion(owed: Owed, content_type: str, body: bytes) -> None:
    """A quadratic reader takes hours for these, in pieces of 16 KiB."""
    with contextlib.suppress(UnreadableBody):
        through(owed, content_type, body, size=16_384)


# --- H-09: values outside of bodies ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x-customer", SECRET), (b"location", b"/people?email=jane.doe%40secret.example"),
        (b"location", b"https://h/jane.doe@secret.example/edit"), (b"link", b"</p/jane.doe@secret.example>; rel=next"),
        (b"set-cookie", b"who=jane.doe%2540secret.example; Path=/"), (b"www-authenticate", b'Basic realm="' + SECRET + b'"'),
        (b"warning", b'199 - "' + SECRET + b'"'), (b"content-disposition", b'attachment; filename="' + SECRET + b'.csv"'),
        (b"refresh", b"0;url=/x?m=" + SECRET), (b"server-timing", b"db;desc=" + SECRET),
    ],
)  # fmt: skip
def test_h_09_a_value_in_a_header_or_trailer_is_masked(name: bytes, value: bytes) -> None:
    masked: dict[str, int] = {}
    ((_, shown),) = mask_headers(((name, value),), BY_CONTENT, masked)
    assert b"secret.example" not in shown
    assert masked == {"email": 1}


def test_h_09_a_header_can_be_masked_by_name() -> None:
    owed = Owed((Mask("r", ("header.x-name",), (), Transform.REDACT, "pii"),), KEY)
    assert mask_headers(((b"x-name", b"Jane Doe"),), owed, {}) == ((b"x-name", b"[masked:pii]"),)


def test_h_09_the_words_of_the_status_line_are_dropped() -> None:
    assert mask_reason(b"Not Found: " + SECRET, BY_CONTENT) == b""


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_h_09_an_error_page_is_masked_or_refused(status: int) -> None:
    assert isinstance(planned(BY_CONTENT, "text/html", status=status), Masked)
    assert isinstance(planned(BY_PATH, "text/html", status=status), Unmaskable)
    assert isinstance(planned(BY_PATH, "application/problem+json", status=status), Masked)


def test_h_09_a_websocket_message_is_masked() -> None:
    assert SECRET not in Messages(BY_PATH, {}).mask(DOCUMENT)
    assert SECRET not in Messages(BY_CONTENT, {}).mask(b"from " + SECRET)
    with pytest.raises(UnreadableBody):
        Messages(BY_PATH, {}).mask(b"email " + SECRET)
