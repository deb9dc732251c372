"""For every value: what a transform hides stays hidden, and what a detector finds is gone."""

import string

from hypothesis import assume, example, given
from hypothesis import strategies as st

from doorward_core.mask.detect import Detectors
from doorward_core.mask.patterns import DETECTORS
from doorward_core.mask.transforms import MAX_SHOWN, apply, partial
from doorward_core.model import Transform

KEY = b"k" * 32
LABELS = st.sampled_from(["pii", "email", "card", "iban", "phone", "customer-email", ""])
WORD = st.text(string.ascii_letters + string.digits, min_size=1, max_size=20)
EMAILS = st.builds(lambda a, b, c: f"{a}@{b}.{c}", WORD, WORD, st.sampled_from(["com", "de", "co.uk", "museum"]))


@st.composite
def cards(draw) -> str:
    """A Visa number with its check digit, in one of the usual groupings."""
    digits = "4" + draw(st.text(string.digits, min_size=14, max_size=14))
    for check in string.digits:
        total = 0
        for place, digit in enumerate(reversed(digits + check)):
            number = int(digit) * (2 if place % 2 else 1)
            total += number - 9 if number > 9 else number
        if total % 10 == 0:
            digits += check
            break
    gap = draw(st.sampled_from(["", " ", "-"]))
    return gap.join(digits[at : at + 4] for at in range(0, 16, 4))


@st.composite
def ibans(draw) -> str:
    """A German IBAN whose check digits hold."""
    bban = draw(st.text(string.digits, min_size=18, max_size=18))
    check = 98 - int(bban + "131400") % 97
    text = f"DE{check:02d}{bban}"
    return draw(st.sampled_from([text, " ".join(text[at : at + 4] for at in range(0, 22, 4)), text.lower()]))


SECRETS = st.one_of(st.text(max_size=300), EMAILS, cards(), ibans(), WORD)


@given(SECRETS, LABELS, st.sampled_from([Transform.REDACT, Transform.NULL]))
def test_redact_and_null_do_not_depend_on_the_value(value: str, label: str, transform: Transform) -> None:
    assert apply(transform, value, key=KEY, label=label) == apply(transform, "", key=KEY, label=label)


def letters_shown(shown: str) -> int:
    """How many characters of a mask can come from the value."""
    return sum(char not in "*@.+ -" for char in shown)


@given(SECRETS, LABELS)
@example("a@b.c", "email")
@example("4" * 19, "card")
@example("\ud800x@y.z", "email")
def test_partial_shows_few_characters_and_never_the_value(value: str, label: str) -> None:
    shown = partial(value, label)
    assert letters_shown(shown) <= MAX_SHOWN
    assert shown.isprintable() or any(not char.isprintable() for char in value)
    if len(value) >= 4 and "*" not in value:
        assert value not in shown
    assert not any(char in shown for char in "\"\\{},\t\n'()")


@given(SECRETS, LABELS)
def test_a_token_depends_on_the_value_only_through_the_key(value: str, label: str) -> None:
    token = apply(Transform.HASH, value, key=KEY, label=label)
    assert token == apply(Transform.HASH, value, key=KEY, label=label)
    assert token != apply(Transform.HASH, value, key=b"other" * 7, label=label)
    assert token is not None
    assert token.isascii()


@given(
    st.sampled_from(["email", "card", "iban"]),
    st.data(),
    st.text(string.printable, max_size=40),
    st.text(string.printable, max_size=40),
)
def test_whatever_stands_around_it_a_secret_is_found_and_gone(name: str, data, before: str, after: str) -> None:
    secret = data.draw({"email": EMAILS, "card": cards(), "iban": ibans()}[name])
    if name == "card":
        assume(not before[-2:].strip(" .-")[-1:].isdigit() and not after[:2].strip(" .-")[:1].isdigit())
    if name == "iban":
        assume(not before[-34:].strip()[-1:].isalnum())
    text = (before + secret + after).encode()
    masked, labels = Detectors([name], {name: Transform.REDACT}).mask(text, key=KEY)
    assert labels
    assert secret.encode() not in masked


@given(st.binary(max_size=400), st.sets(st.sampled_from(sorted(DETECTORS)), min_size=1))
def test_spans_are_sorted_within_bounds_and_overlap_an_area(data: bytes, names: set[str]) -> None:
    detectors = Detectors(sorted(names))
    spans = detectors.spans(data)
    areas = detectors.areas(data)
    position = 0
    for start, end, _ in spans:
        assert position <= start < end <= len(data)
        assert any(first < end and start < last for first, last in areas)
        position = end
    assert detectors.scan_hit(data) or not spans


@given(st.lists(st.one_of(st.text(max_size=60), EMAILS, cards(), ibans()), max_size=8))
def test_searching_fields_joined_by_nul_finds_what_searching_each_finds(fields: list[str]) -> None:
    detectors = Detectors(["email", "card", "iban", "phone", "secrets", "national-id", "ipv4"])
    raw = [field.replace("\0", "").encode("utf-8", "replace") for field in fields]
    apart, offset = [], 0
    for field in raw:
        apart += [(start + offset, end + offset, label) for start, end, label in detectors.spans(field)]
        offset += len(field) + 1
    assert [tuple(span) for span in detectors.spans(b"\0".join(raw))] == apart


@given(st.one_of(EMAILS, cards(), ibans()), LABELS, st.sampled_from([Transform.REDACT, Transform.PARTIAL]))
def test_no_detector_finds_anything_in_a_mask(value: str, label: str, transform: Transform) -> None:
    text = apply(transform, value, key=KEY, label=label)
    assert text is not None
    assert Detectors(["email", "card", "iban"]).spans(text.encode()) == []
