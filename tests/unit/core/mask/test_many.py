"""Many values at once: what each alone would become."""

import pytest

from doorward_core.mask import many, transforms

VALUES = [
    b"jane@example.com", b"ab@example.com", b"j@x.de", b"Jane Doe@example.com", b".a.@x.org", b"x@y", b"a@b@c.com",
    b"jane@example.photography", b"jane@.com", b" jane@a.com ", b"", b"plain text", b"4111111111111111", b"\xff\xfe@x.de",
    "müller@exämple.de".encode(), b"DE89370400440532013000", b"+44 20 7946 0958", b"jane@a.com\njoe@b.com",
]  # fmt: skip


def alone(value: bytes, label: str) -> bytes:
    return transforms.partial(value.decode("utf-8", "surrogateescape"), label).encode("utf-8", "replace")


@pytest.mark.parametrize("label", ["email", "customer-email", "pii", "card", "iban", "phone", ""])
@pytest.mark.parametrize("values", [VALUES, [], VALUES[:1], [*VALUES, b"a\0b@c.de"], [b"\0"]])
def test_partials_are_what_each_alone_becomes(label: str, values: list[bytes]) -> None:
    assert many.partials(values, label) == [alone(value, label) for value in values]


@pytest.mark.parametrize("key", [b"k" * 32, b"", b"k" * 64, b"k" * 200])
@pytest.mark.parametrize("label", ["email", "", "über"])
def test_tokens_are_what_each_alone_becomes(key: bytes, label: str) -> None:
    expected = [transforms.token(value, key=key, label=label).encode() for value in VALUES]
    assert many.tokens(VALUES, key=key, label=label) == expected


def test_what_is_remembered_is_bounded() -> None:
    tops = [f"{a}{b}{c}" for a in "abcdefghijklmnopq" for b in "abcdefghijklmnopq" for c in "abcdefghijklmnopq"]
    many.partials([f"jane@x.{top}".encode() for top in tops], "email")
    assert len(many._shown) <= many._KNOWN < len(tops)
