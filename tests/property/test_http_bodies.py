"""For every body and every way to cut it: the output is the same, holds no secret, and is otherwise what it was."""

import gzip
import json
import string
import zlib
from collections.abc import Callable
from itertools import pairwise
from urllib.parse import parse_qsl, urlencode

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from doorward_core.http.codings import Decoder, Encoder
from doorward_core.http.messages import ResponseHead
from doorward_core.model import Mask, Transform
from doorward_http.bodies import Masked, plan
from doorward_http.owed import Owed

KEY = b"k" * 32
SECRET = "jane.doe@secret-mail.example"
CARD = 4111111111111111


def owed(*columns: str, detect: tuple[str, ...] = (), transform: Transform = Transform.REDACT) -> Owed:
    return Owed((Mask("r", columns, detect, transform, "pii"),), KEY)


def masked(owing: Owed, content_type: str, body: bytes, cuts: list[int], *, coding: str = "") -> bytes:
    headers = ((b"content-type", content_type.encode()), *(((b"content-encoding", coding.encode()),) if coding else ()))
    made = plan(ResponseHead(200, headers), owing, "GET")
    assert isinstance(made, Masked), made
    edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    out = [made.body.feed(body[start:end]) for start, end in pairwise(edges)]
    return b"".join([*out, made.body.end()])


CUTS = st.lists(st.integers(0, 10_000), max_size=12)
NAMES = st.sampled_from(["email", "Email", "name", "a", "b c", "é", 'q"uote', "x\\y", SECRET])
TEXTS = st.one_of(
    st.text(max_size=12),
    st.just(SECRET),
    st.builds(lambda a, b: f"{a} {SECRET} {b}", st.text(max_size=5), st.text(max_size=5)),
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.floats(allow_nan=False, allow_infinity=False), TEXTS,
    st.just(CARD),
)  # fmt: skip
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=20,
)


@st.composite
def spelt(draw: Callable[..., object], document: object) -> bytes:
    """JSON in some spelling: blanks anywhere, characters escaped at will."""
    blank = draw(st.sampled_from(["", " ", "\n\t", "\r\n  "]))

    def text(value: str) -> str:
        plain = json.dumps(value, ensure_ascii=draw(st.booleans()))[1:-1]
        if draw(st.booleans()) and "\\" not in plain:
            at = draw(st.integers(0, len(plain)))
            plain = (
                plain[:at]
                + "".join(f"\\u{ord(c):04x}" for c in plain[at : at + 1] if ord(c) < 0x10000)
                + plain[at + 1 :]
            )
        return f'"{plain}"'

    def write(value: object) -> str:
        if isinstance(value, dict):
            return "{" + ",".join(f"{blank}{text(k)}{blank}:{blank}{write(v)}{blank}" for k, v in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ",".join(f"{blank}{write(v)}{blank}" for v in value) + "]"
        return text(value) if isinstance(value, str) else json.dumps(value)

    return write(document).encode("utf-8", "surrogatepass")


def expected(document: object, hide: bool, path: Callable[[str], bool]) -> object:
    """What `$..email` makes of it."""
    if isinstance(document, dict):
        return {k: expected(v, hide or path(k), path) for k, v in document.items()}
    if isinstance(document, list):
        return [expected(v, hide, path) for v in document]
    if not hide or document is None:
        return document
    return "[masked:pii]" if isinstance(document, str) else False if isinstance(document, bool) else 0


def is_email(name: str) -> bool:
    return name.lower() == "email"


@given(DOCUMENTS.flatmap(spelt), CUTS)
def test_json_by_path_hides_exactly_the_named_members(body: bytes, cuts: list[int]) -> None:
    out = masked(owed("$..email"), "application/json", body, cuts)
    assert json.loads(out) == json.loads(json.dumps(expected(json.loads(body), False, is_email)))
    assert out == masked(owed("$..email"), "application/json", body, [])


@given(DOCUMENTS.flatmap(spelt), CUTS)
def test_json_without_a_mask_that_hits_is_the_same_bytes(body: bytes, cuts: list[int]) -> None:
    assert masked(owed("$..nobody", "$.no.*.way[*]"), "application/json", body, cuts) == body
    assert masked(owed("$..*zzz*"), "application/json", body, cuts) == body


@given(DOCUMENTS.flatmap(spelt), CUTS, st.sampled_from([(), ("$.a",), ("$..['b c']", "$.*.email")]))
def test_json_by_detector_hides_every_spelling(body: bytes, cuts: list[int], columns: tuple[str, ...]) -> None:
    owing = owed(*columns, detect=("email", "card"))
    out = masked(owing, "application/json", body, cuts)
    shown = json.dumps(json.loads(out), ensure_ascii=False)
    assert SECRET not in shown
    assert str(CARD) not in shown
    assert out == masked(owing, "application/json", body, [])


@given(st.lists(DOCUMENTS, max_size=4), CUTS)
def test_json_texts_may_follow_each_other(documents: list[object], cuts: list[int]) -> None:
    body = b"".join(json.dumps(document).encode() + b"\n" for document in documents)
    out = masked(owed("$..email", detect=("email",)), "application/x-ndjson", body, cuts)
    assert SECRET.encode() not in out
    assert len(out.splitlines()) == len(documents)


EVENTS = st.lists(
    st.one_of(
        st.builds(lambda d: b"data: " + json.dumps(d).encode(), st.dictionaries(NAMES, LEAVES, max_size=3)),
        st.just(b": keep-alive"), st.just(b"event: update"), st.just(b"data: [DONE]"), st.just(b"id: 7"),
        st.just(b'data: {"a":\ndata: "jane.doe@secret-mail.example"}'),
    ),
    max_size=6,
)  # fmt: skip


@given(EVENTS, CUTS, st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_events_are_masked_however_they_are_cut(events: list[bytes], cuts: list[int], line: bytes) -> None:
    body = b"".join(event.replace(b"\n", line) + line * 2 for event in events)
    owing = owed("$.email", detect=("email",))
    out = masked(owing, "text/event-stream", body, cuts)
    assert SECRET.encode() not in out
    assert out == masked(owing, "text/event-stream", body, [])
    assert masked(owed("$.nobody"), "text/event-stream", body, cuts) == body


FIELDS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=10)


@given(st.lists(st.tuples(FIELDS, st.just(SECRET), FIELDS), max_size=5), CUTS, st.sampled_from(["\n", "\r\n"]))
def test_a_column_of_a_table_is_masked(rows: list[tuple[str, str, str]], cuts: list[int], end: str) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if set(text) & set('",\n\r') or not text.strip() else text

    body = end.join(["name,Email,note", *(",".join(map(quoted, row)) for row in rows)]).encode()
    out = masked(owed("$..email"), "text/csv", body, cuts)
    assert SECRET.encode() not in out
    assert out == body.replace(SECRET.encode(), b"[masked:pii]")


@given(st.lists(st.tuples(NAMES, TEXTS.filter(lambda t: "\0" not in t and t.isprintable())), max_size=5), CUTS)
def test_a_form_is_masked(pairs: list[tuple[str, str]], cuts: list[int]) -> None:
    body = urlencode(pairs).encode()
    out = masked(owed("$.email", detect=("email",)), "application/x-www-form-urlencoded", body, cuts)
    read = parse_qsl(out.decode(), keep_blank_values=True)
    assert len(read) == len(pairs)
    assert SECRET not in str(read)


@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=200), CUTS)
def test_text_is_masked_however_it_is_cut(text: str, cuts: list[int]) -> None:
    body = f"{text} {SECRET} {text}".encode()
    for kind in ("text/plain", "text/html"):
        out = masked(owed(detect=("email",)), kind, body, cuts)
        assert SECRET.encode() not in out
        assert out == masked(owed(detect=("email",)), kind, body, [])


COMPRESS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def decoded(codings: tuple[str, ...], body: bytes) -> bytes:
    out: list[bytes] = []
    decoder = Decoder(codings, out.append)
    decoder.feed(body)
    decoder.end()
    return b"".join(out)


@pytest.mark.parametrize("coding", COMPRESS)
@given(cuts=CUTS, padding=st.integers(0, 3000))
def test_a_coded_body_is_masked_and_coded_again(coding: str, cuts: list[int], padding: int) -> None:
    body = json.dumps({"pad": string.ascii_letters * (padding // 52), "email": SECRET}).encode()
    out = masked(owed("$.email"), "application/json", COMPRESS[coding](body), cuts, coding=coding)
    assert decoded((coding,), out) == body.replace(SECRET.encode(), b"[masked:pii]")


@given(st.lists(st.binary(max_size=2000), max_size=4), st.lists(st.sampled_from(sorted(COMPRESS)), max_size=3))
def test_codings_are_their_own_inverse(chunks: list[bytes], codings: list[str]) -> None:
    encoder = Encoder(tuple(codings))
    body = b"".join([*(encoder.feed(chunk) for chunk in chunks), encoder.end()])
    assert decoded(tuple(codings), body) == b"".join(chunks)


@given(CUTS, st.sampled_from(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "latin-1"]))
def test_a_body_in_another_charset_is_masked(cuts: list[int], charset: str) -> None:
    text = json.dumps({"é": 1, "email": SECRET}, ensure_ascii=False)
    kind = "application/json; charset=iso-8859-1" if charset == "latin-1" else "application/json"
    out = masked(owed("$.email"), kind, text.encode(charset), cuts)
    assert out.decode(charset) == text.replace(SECRET, "[masked:pii]")
