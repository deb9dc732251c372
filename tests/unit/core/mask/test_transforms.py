"""What stands in place of a value."""

import pytest

from doorward_core.mask.transforms import apply, digest, partial, plain_label, redacted, token
from doorward_core.model import Transform

KEY = b"k" * 32


def shown(value: str, label: str = "pii") -> str | None:
    return apply(Transform.PARTIAL, value, key=KEY, label=label)


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("jane.doe@example.com", "j***@***.com"),
        ("ab@example.com", "***@***.com"),
        ("jane@host", "j***@***"),
        ("jane@example.secretsecret", "j***@***"),
        ("4111 1111 1111 1111", "**** **** **** 1111"),
        ("4111111111111111", "************1111"),
        ("378282246310005", "***********0005"),
        ("DE89 3704 0044 0532 0130 00", "DE****************3000"),
        ("+44 20 7946 0958", "+** ** **** **58"),
        ("(212) 555-0123", " ***  ***-**23"),
        ("Jane Doe", "J***"),
        ("Jan", "***"),
        ("", "***"),
        ('"quoted"', "***"),
    ],
)
def test_partial_shows_the_kind_and_little_else(value: str, masked: str) -> None:
    assert shown(value) == masked


def test_a_label_that_names_the_kind_is_believed_before_the_shape() -> None:
    assert shown("4111111111111111", "card") == "************1111"
    assert shown("12345678", "phone-home") == "******78"
    assert shown("not an address", "customer-email") == "n***"
    assert shown("short", "iban") == "s***"


def test_a_short_card_or_iban_is_plain_text_and_shows_no_digits() -> None:
    assert partial("4111", "card") == "4***"
    assert partial("123", "card") == "***"


def test_redact_and_null_say_nothing_of_the_value() -> None:
    for transform in (Transform.REDACT, Transform.NULL):
        made = {apply(transform, value, key=KEY, label="email") for value in ("", "a", "jane@example.com", "x" * 9999)}
        assert len(made) == 1
    assert redacted("email") == "[masked:email]"
    assert redacted("") == "[masked]"
    assert apply(Transform.NULL, "x", key=KEY, label="") is None


def test_a_token_is_stable_for_one_label_and_key_and_differs_for_others() -> None:
    first = apply(Transform.HASH, "jane@example.com", key=KEY, label="email")
    assert first == apply(Transform.HASH, "jane@example.com", key=KEY, label="email")
    others = {
        apply(Transform.HASH, "jane@example.org", key=KEY, label="email"),
        apply(Transform.HASH, "jane@example.com", key=b"o" * 32, label="email"),
        apply(Transform.HASH, "jane@example.com", key=KEY, label="mail"),
    }
    assert first not in others
    assert len(others) == 3


def test_label_and_value_cannot_be_shifted_into_each_other() -> None:
    assert digest(b"bc", key=KEY, label="a") != digest(b"c", key=KEY, label="ab")


def test_bytes_that_are_no_text_have_tokens_of_their_own() -> None:
    assert token(b"\xff", key=KEY, label="x") != token(b"\xfe", key=KEY, label="x")
    text = b"\xff".decode("utf-8", "surrogateescape")
    assert apply(Transform.HASH, text, key=KEY, label="x") == token(b"\xff", key=KEY, label="x")


def test_a_label_never_brings_syntax_into_a_replacement() -> None:
    assert plain_label('a"b\\c{d},e') == "a_b_c_d__e"
    assert plain_label("x" * 100) == "x" * 40
    assert token(b"v", key=KEY, label="{}").startswith("___")
