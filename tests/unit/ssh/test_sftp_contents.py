"""What passes through an open file: digests in sequence, and values hidden without moving a byte."""

import hashlib

from doorward_core.mask.detect import Detectors
from doorward_ssh.sftp_contents import Meter, TextCover


def test_a_sequence_from_the_first_byte_has_a_digest() -> None:
    meter = Meter(kept=4)
    meter.add(0, b"abc")
    meter.add(3, b"def")
    assert (meter.total, bytes(meter.shown)) == (6, b"abcd")
    assert meter.digest == hashlib.sha256(b"abcdef").digest()


def test_a_gap_a_repetition_and_what_was_not_seen_leave_none() -> None:
    for offset in (0, 4, 100):
        meter = Meter()
        meter.add(0, b"abc")
        meter.add(offset, b"x")
        assert meter.digest == b""
    unseen = Meter()
    unseen.scatter()
    assert unseen.digest == b""


def test_nothing_at_all_is_the_digest_of_an_empty_file() -> None:
    assert Meter().digest == hashlib.sha256(b"").digest()


def test_what_is_hidden_keeps_its_length() -> None:
    cover = TextCover(Detectors(("email",)))
    text = b"to alice@example.com, please"
    assert cover.cover(text, 0, len(text)) == b"to *****************, please"
    assert cover.masked == {"email": 1}


def test_a_part_of_a_value_is_hidden_too_and_counted_where_it_begins() -> None:
    cover = TextCover(Detectors(("email",)))
    text = b"to alice@example.com, please"
    assert cover.cover(text, 0, 6) == b"to ***"
    assert cover.cover(text, 6, 100) == b"**************, please"
    assert cover.masked == {"email": 1}


def test_a_private_key_ends_at_its_last_line() -> None:
    cover = TextCover(Detectors(("private-key",)))
    head, tail = b"-----BEGIN " + b"PRIVATE KEY-----\n", b"-----END " + b"PRIVATE KEY-----\n"
    text = b"before\n" + head + b"QUJD\n" * 20 + tail + b"after\n"
    found = cover.cover(text, 0, len(text))
    assert found.startswith(b"before\n*")
    assert found.endswith(b"*\nafter\n")
    assert b"QUJD" not in found


def test_a_file_with_a_nul_at_its_beginning_is_not_text() -> None:
    cover = TextCover(Detectors(("email",)))
    assert cover.text is None
    cover.sniff(b"PK\3\4\0")
    assert cover.text is False
    cover.sniff(b"plain")
    assert cover.text is True
