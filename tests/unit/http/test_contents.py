"""Which content can be masked, and which is refused before a byte has left."""

import pytest

from doorward_core.errors import UnreadableBody
from doorward_core.model import Mask, Transform
from doorward_http.contents import Clear, Then, Value, content_for
from doorward_http.media import read_media
from doorward_http.owed import Owed

KEY = b"k" * 32


def mask(*columns: str, detect: tuple[str, ...] = ()) -> Mask:
    return Mask("r", columns, detect, Transform.REDACT, "pii")


@pytest.mark.parametrize(
    "kind",
    [b"application/pdf", b"image/png", b"application/octet-stream", b"application/grpc", b"application/vnd.ms-excel"],
)
@pytest.mark.parametrize("owing", [Owed((mask("$.a"),), KEY), Owed((mask(detect=("email",)),), KEY)])
def test_what_nobody_can_look_into_is_refused(kind: bytes, owing: Owed) -> None:
    with pytest.raises(UnreadableBody):
        content_for(read_media(kind), owing)


@pytest.mark.parametrize("kind", [b"text/plain", b"text/html", b"application/xml", b"application/yaml"])
def test_text_is_masked_by_detectors_and_refused_by_path(kind: bytes) -> None:
    content = content_for(read_media(kind), Owed((mask(detect=("email",)),), KEY))
    assert content.feed(b"a@b.com\n") == b"[masked:email]\n"
    with pytest.raises(UnreadableBody):
        content_for(read_media(kind), Owed((mask("$.a", detect=("email",)),), KEY))


def test_a_table_is_masked_by_both() -> None:
    owing = Owed((mask("$..iban", detect=("email",)),), KEY)
    content = content_for(read_media(b"text/csv"), owing)
    out = content.feed(b"iban,note\nX,a@b.com\n") + content.end()
    assert out == b"iban,note\n[masked:pii],[masked:email]\n"
    assert content.masked == {"pii": 1, "email": 1}


def test_a_table_without_a_heading_is_refused_by_path() -> None:
    media = read_media(b"text/csv; header=absent")
    with pytest.raises(UnreadableBody):
        content_for(media, Owed((mask("$..a"),), KEY))
    assert content_for(media, Owed((mask(detect=("email",)),), KEY)).feed(b"a@b.com\n") == b"[masked:email]\n"


def test_a_field_that_is_masked_whole_is_bounded() -> None:
    value = Value(mask("$.a"), KEY)
    with pytest.raises(UnreadableBody):
        value.feed(b"x" * (2**20 + 1))


def test_clear_is_clear_and_then_comes_after() -> None:
    both = Then(Clear(), Clear())
    assert (both.feed(b"x"), both.end(), both.masked) == (b"x", b"", {})
