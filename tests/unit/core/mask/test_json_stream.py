"""JSON as it streams: what leaves when, what is refused, and how much is held."""

import pytest

from doorward_core.errors import UnreadableBody
from doorward_core.mask.detect import Detectors
from doorward_core.mask.json_paths import Paths
from doorward_core.mask.json_stream import JsonMasker, TokenCutter
from doorward_core.model import Mask, Transform

KEY = b"k" * 32
EMAIL = Paths([Mask("r", ("$..email",), (), Transform.REDACT, "pii")])
NONE = Paths([])
DETECTORS = Detectors(["email", "card"])


def masked(masker: JsonMasker, body: bytes, size: int = 1) -> bytes:
    return b"".join([*(masker.feed(body[at : at + size]) for at in range(0, len(body), size)), masker.end()])


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_path_and_detector_together(size: int) -> None:
    masker = JsonMasker(EMAIL, DETECTORS, KEY)
    body = b'{"email":"a@b.de", "x":["c@d.de",4111111111111111 ], "n":1.50, "y" : {"email":7 , "z":1e2}}'
    after = b'{"email":"[masked:pii]", "x":["***@***.de",0 ], "n":1.50, "y" : {"email":0 , "z":1e2}}'
    assert masked(masker, body, size) == after
    assert masker.masked == {"pii": 2, "email": 1, "card": 1}


def test_what_is_whole_leaves_at_once() -> None:
    masker = JsonMasker(EMAIL, None, KEY)
    assert masker.feed(b'{"a":1}\n{"email":"x') == b'{"a":1}\n{'
    assert masker.feed(b'"}\n') == b'"email":"[masked:pii]"}\n'


@pytest.mark.parametrize("detectors", [DETECTORS, None])
@pytest.mark.parametrize("paths", [EMAIL, NONE])
@pytest.mark.parametrize("value", [b'{"a":1}', b"[1]", b'["a"]', b"7", b"null", b"-1.5e3"])
def test_the_newline_behind_a_value_leaves_with_it(paths: Paths, detectors: Detectors | None, value: bytes) -> None:
    masker = JsonMasker(paths, detectors, KEY)
    for end in (b"\n", b"\r\n", b" \n\n"):
        assert masker.feed(value + end) == value + end
        assert masker.feed(value) + masker.feed(end) == value + end
    assert masker.end() == b""


def test_half_a_number_is_held_where_detectors_look() -> None:
    masker = JsonMasker(NONE, DETECTORS, KEY)
    assert masker.feed(b'{"a":41111111') == b'{"a":'
    assert masker.feed(b"11111111}") == b"0}"
    assert masker.feed(b'\n{"a": 41111111') == b'\n{"a": '
    assert masker.feed(b"11111111 ") == b""
    assert masker.feed(b"}") == b"0 }"


def test_a_line_with_one_number_leaves_masked_with_its_end() -> None:
    masker = JsonMasker(NONE, DETECTORS, KEY)
    assert masker.feed(b"41111111") == b""
    assert masker.feed(b"11111111\n41") == b"0\n"
    assert masker.feed(b"11\ntrue\n") == b"4111\ntrue\n"
    assert masker.end() == b""


@pytest.mark.parametrize("paths", [EMAIL, NONE])
@pytest.mark.parametrize("body", [b'{"a":"b', b'{"a":"b\\', b'"'])
def test_a_body_that_ends_within_a_string_is_refused(paths: Paths, body: bytes) -> None:
    masker = JsonMasker(paths, DETECTORS, KEY)
    with pytest.raises(UnreadableBody):
        masked(masker, body, 100)


def test_a_body_that_ends_within_an_object_is_refused() -> None:
    with pytest.raises(UnreadableBody):
        masked(JsonMasker(EMAIL, None, KEY), b'{"a":1')


@pytest.mark.parametrize("paths", [EMAIL, NONE])
def test_a_string_longer_than_the_bound_is_refused(paths: Paths) -> None:
    masker = JsonMasker(paths, DETECTORS, KEY, max_token_bytes=1000)
    masker.feed(b'["' + b"x" * 900)
    with pytest.raises(UnreadableBody, match="1000"):
        masker.feed(b"x" * 200)


@pytest.mark.parametrize("paths", [EMAIL, NONE])
def test_nul_is_refused(paths: Paths) -> None:
    with pytest.raises(UnreadableBody, match="NUL"):
        JsonMasker(paths, DETECTORS, KEY).feed(b'"a\0b"')


def test_text_that_says_it_is_json_is_not_let_through_by_detectors_alone() -> None:
    with pytest.raises(UnreadableBody):
        masked(JsonMasker(NONE, DETECTORS, KEY), b"write to jane@example.com today", 3)


def test_digits_without_an_end_are_refused_rather_than_held() -> None:
    masker = JsonMasker(NONE, DETECTORS, KEY)
    with pytest.raises(UnreadableBody):
        for _ in range(20):
            masker.feed(b"1" * 10_000)


def test_blanks_without_an_end_are_not_held() -> None:
    masker = JsonMasker(NONE, DETECTORS, KEY)
    for _ in range(20):
        assert masker.feed(b" " * 10_000) == b" " * 10_000


def test_an_empty_body_stays_empty() -> None:
    assert masked(JsonMasker(EMAIL, DETECTORS, KEY), b"") == b""


def test_the_cutter_never_cuts_a_string() -> None:
    cutter, held = TokenCutter(), bytearray(b'["a\\"b", "c')
    assert cutter.scan(held) == 9
    assert not cutter.between
    del held[:9]
    cutter.moved(9)
    held += b'\\"d", 1'
    assert cutter.scan(held) == len(held)
    assert cutter.between
