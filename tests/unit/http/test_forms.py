"""Forms: fields by their decoded names."""

import pytest

from doorward_core.errors import UnreadableBody
from doorward_core.model import Mask, Transform
from doorward_http.forms import Form
from doorward_http.owed import BodyLimits, Owed


def shown(body: bytes, *columns: str, detect: tuple[str, ...] = (), size: int = 1000) -> bytes:
    owing = Owed((Mask("r", columns, detect, Transform.REDACT, "pii"),), b"k" * 32, BodyLimits(max_token_bytes=1000))
    form = Form(owing)
    return b"".join([*(form.feed(body[at : at + size]) for at in range(0, len(body), size)), form.end()])


@pytest.mark.parametrize("size", [1, 4, 1000])
@pytest.mark.parametrize(
    ("body", "after"),
    [
        (b"a=1&email=x&b=2", b"a=1&email=[masked:pii]&b=2"),
        (b"%65mail=x", b"%65mail=[masked:pii]"),
        (b"E-mail=x&EMAIL=y", b"E-mail=x&EMAIL=[masked:pii]"),
        (b"email=&email", b"email=&email"),
        (b"a=%20%zz+&&=", b"a=%20%zz+&&="),
        (b"", b""),
    ],
)
def test_a_field_is_masked_by_its_name(body: bytes, after: bytes, size: int) -> None:
    assert shown(body, "$.email", size=size) == after


def test_values_and_names_are_seen_decoded() -> None:
    assert shown(b"to=jane%40example.com&a@b.com=1", detect=("email",)) == b"to=[masked:email]&[masked:email]=1"


def test_nul_and_long_fields_are_refused() -> None:
    with pytest.raises(UnreadableBody):
        shown(b"a=b%00c", "$.x")
    with pytest.raises(UnreadableBody):
        shown(b"a=" + b"b" * 2000, "$.x", size=100)
