"""Values in percent-encoding, found however they are spelt."""

import pytest

from doorward_core.mask.detect import Detectors
from doorward_http.percent import mask_value

DETECTORS = Detectors(["email", "phone"])


@pytest.mark.parametrize(
    ("value", "after"),
    [
        (b"nothing here 100%", b"nothing here 100%"),
        (b"to jane@example.com.", b"to j***@***.com."),
        (b"/x?e=jane%40example.com&y=1", b"/x?e=j***@***.com&y=1"),
        (b"/x?e=%6aane%2540example.com", b"/x?e=j***@***.com"),
        (b"/x?e=%256aane%252540example.com", b"/x?e=j***@***.com"),
        (b"tel=%2B49301234567", b"tel=%2A%2A%2A67"),
        (b"tel=%2B49+30+1234567&a=b%20c", None),
        (b"a+b c%zz", b"a+b c%zz"),
    ],
)
def test_a_value_is_found_in_every_spelling(value: bytes, after: bytes | None) -> None:
    masked: dict[str, int] = {}
    shown = mask_value(value, DETECTORS, b"k", masked, marks=b"/?&=")
    if b"tel" in value:
        assert b"1234567" not in shown
        assert shown.startswith(b"tel=")
        assert masked == {"phone": 1}
    else:
        assert shown == after


def test_two_spellings_of_one_value_count_once() -> None:
    masked: dict[str, int] = {}
    mask_value(b"jane@example.com%20", DETECTORS, b"k", masked)
    assert masked == {"email": 1}
