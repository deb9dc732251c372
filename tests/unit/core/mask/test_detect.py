"""Searching: areas of a batch, spans of a text, and what stands in their place."""

import pytest

from doorward_core.mask import detect
from doorward_core.mask.detect import Detectors, Span, detectors_for
from doorward_core.model import Mask, Transform

KEY = b"k" * 32


def mask(*names: str, transform: Transform = Transform.PARTIAL, rule: str = "pii") -> Mask:
    return Mask(rule, (), names, transform, rule)


def test_clean_text_has_no_hit_no_area_and_no_span() -> None:
    detectors = Detectors(["email", "card", "iban"])
    text = b"nothing to see here, order 12345 of 2024-01-01"
    assert not detectors.scan_hit(text)
    assert detectors.areas(text) == []
    assert detectors.spans(text) == []
    assert detectors.mask(text, key=KEY) == (text, ())


def test_no_detectors_find_nothing_and_are_false() -> None:
    detectors = Detectors([])
    assert not detectors
    assert not detectors.scan_hit(b"jane@example.com")
    assert detectors.areas(b"jane@example.com") == []
    assert detectors.spans(b"jane@example.com") == []


def test_each_finding_is_replaced_and_labelled() -> None:
    detectors = Detectors(["email", "card"])
    masked, labels = detectors.mask(b"mail jane@example.com card 4111 1111 1111 1111.", key=KEY)
    assert masked == b"mail j***@***.com card **** **** **** 1111."
    assert labels == ("email", "card")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_may_be_searched(kind) -> None:
    detectors = Detectors(["email"])
    data = kind(b"to jane@example.com")
    assert detectors.scan_hit(data)
    assert detectors.areas(data) == [(7, 9)]
    assert detectors.spans(data) == [Span(3, 19, "email")]


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        (Transform.REDACT, b"[masked:email]"),
        (Transform.NULL, b"[masked:email]"),
        (Transform.PARTIAL, b"j***@***.com"),
    ],
)
def test_a_part_of_a_text_cannot_be_null(transform: Transform, expected: bytes) -> None:
    detectors = detectors_for([mask("email", transform=transform)])
    assert detectors is not None
    assert detectors.mask(b"<jane@example.com>", key=KEY)[0] == b"<" + expected + b">"


def test_a_hash_is_the_token_of_the_finding() -> None:
    detectors = Detectors(["email"], {"email": Transform.HASH})
    first = detectors.mask(b"a jane@example.com", key=KEY)[0][2:]
    second = detectors.mask(b"other text jane@example.com", key=KEY)[0][11:]
    assert first == second
    assert first.startswith(b"email_")


def test_the_strictest_transform_wins_and_no_detectors_is_none() -> None:
    masks = [mask("email"), mask("email", "card", transform=Transform.REDACT), mask("card", transform=Transform.NULL)]
    detectors = detectors_for(masks)
    assert detectors is not None
    assert detectors.transforms == {"email": Transform.REDACT, "card": Transform.NULL}
    assert detectors_for([mask()]) is None


def test_overlapping_findings_are_hidden_together_and_whole() -> None:
    detectors = Detectors(["email", "iban"])
    masked, labels = detectors.mask(b"DE89370400440532013000@example.com", key=KEY)
    assert masked == b"[masked:iban_email]"
    assert labels == ("iban+email",)


def test_after_a_false_alarm_the_search_goes_on_within_it() -> None:
    assert Detectors(["iban"]).spans(b"BE12DE89370400440532013000") == [Span(4, 26, "iban")]


def test_after_too_many_false_alarms_the_rest_of_that_field_is_hidden(monkeypatch) -> None:
    monkeypatch.setattr(detect, "_MAX_FALSE_ALARMS", 3)
    noise = b"DE00370400440532013000 " * 8
    fields = b"\0".join([b"DE00370400440532013000", noise, b"plain"])
    spans = Detectors(["iban"]).spans(fields)
    assert len(spans) == 1
    assert spans[0].end == len(fields) - len(b"\0plain")
    assert spans[0].start > len(b"DE00370400440532013000")


def test_invalid_utf_8_in_a_finding_never_makes_invalid_utf_8() -> None:
    detectors = Detectors(["email"])
    masked, _ = detectors.mask(b"\xff\xfejane@example.com", key=KEY)
    masked.decode()
    assert b"jane" not in masked
