"""Addresses found from their @: the same as the pattern, in time linear in the text."""

import time

import pytest

from doorward_core.mask import emails


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"", []),
        (b"jane@example.com", [b"jane@example.com"]),
        (b"to jane@a.com, joe@b.co.uk.", [b"jane@a.com", b"joe@b.co.uk"]),
        (b"a@b@c.de", [b"b@c.de"]),
        (b"a@b.co+x@d.com", [b"a@b.co", b"+x@d.com"]),
        (b"a@b.co@d.com", [b"a@b.co"]),
        (b"@b.co x@@y.zz j***@***.com", []),
        (b"x\0@a.com\0j@a.com", [b"j@a.com"]),
        ("müller@exämple.de".encode(), ["müller@exämple.de".encode()]),
    ],
)
def test_what_is_found(text: bytes, found: list[bytes]) -> None:
    assert [text[start:end] for start, end in emails.find(text) or []] == found


def test_a_quoted_local_part_is_left_to_the_pattern() -> None:
    assert emails.find(b'"j d"@x.org') is None


@pytest.mark.parametrize("piece", [b"@a", b"a@", b" @a.b", b"a", b"a.", b"@a.b-", b"@\x80"])
def test_hostile_text_takes_no_longer_for_each_byte(piece: bytes) -> None:
    """Twenty times the text must not take four hundred times as long; fifty leaves room for a busy machine."""

    def took(count: int) -> float:
        text = piece * count
        best = 1.0
        for _ in range(3):
            begun = time.process_time()
            emails.find(text)
            emails.NEAR.findall(text)
            best = min(best, time.process_time() - begun)
        return best

    assert took(200_000) < max(took(10_000), 0.001) * 60
