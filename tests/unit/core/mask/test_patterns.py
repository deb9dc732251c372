"""Each detector: what it finds, what it leaves alone, and that its prefilter misses nothing."""

import pytest
import re2

from doorward_core.mask.detect import Detectors
from doorward_core.mask.patterns import DETECTORS, GROUPS, expand

# detector -> (texts it must find something in, texts that it must leave alone)
PEM_KEY = b"PRIVATE KEY-----"
CASES: dict[str, tuple[list[bytes], list[bytes]]] = {
    "email": (
        [
            b"jane@example.com", b"<jane.doe+tag@mail.example.co.uk>", "müller@exämple.de".encode(), b'"j d"@x.org',
            b"{a@b.co,c@d.org}", b"user=a@b.io&x", b"A@B.CO",
        ],
        [b"@example", b"a@b", b"jane at example.com", b"j***@***.com", b"[masked:email]", b"a@b@", b"@@@"],
    ),
    "card": (
        [
            b"4111111111111111", b"4111 1111 1111 1111", b"4111-1111-1111-1111", b"order 12 4111 1111 1111 1111 34",
            b"x4111111111111111y", b"378282246310005", b"5555.5555.5555.4444",
        ],
        [
            b"4111111111111112", b"1700000000000", b"1700000000000000", b"41111111111111111111111111",
            b"************1111", b"2024-01-01 12:00:00", b"12345678901",
        ],
    ),
    "iban": (
        [
            b"DE89370400440532013000", b"DE89 3704 0044 0532 0130 00", b"iban:GB29NWBK60161331926819.",
            b"BE12DE89370400440532013000", b"de89370400440532013000 text after", b"NO93 8601 1117 947",
        ],
        [b"DE88370400440532013000", b"DE8937040044", b"ZZ89370400440532013000", b"DE****************3000"],
    ),
    "phone": (
        [b"+442079460958", b"+44 20 7946 0958", b"(212) 555-0123", b"212-555-0123", b"+1 (212) 555-0123"],
        [b"+00", b"2024-01-01", b"+999 1", b"1234567890", b"+** ** **** **58", b"9212-555-01234"],
    ),
    "ipv4": ([b"10.0.0.1", b"at 192.168.1.255:80"], [b"1.2.3", b"999.1.1.1", b"1.2.3.4567"]),
    "us-ssn": ([b"078-05-1120"], [b"000-05-1120", b"1078-05-1120", b"078-05-11201", b"900-12-3456"]),
    "uk-nino": ([b"AB 12 34 56 C", b"ab123456c"], [b"AB12345C", b"XAB123456C", b"DA123456C"]),
    "fr-nir": ([b"2 55 08 14 168 025 38", b"255081416802538"], [b"255081416802539"]),
    "es-dni": ([b"12345678Z", b"X1234567L", b"12345678-Z"], [b"12345678A", b"A12345678Z"]),
    "it-cf": ([b"RSSMRA85T10A562S", b"rssmra85t10a562s"], [b"RSSMRA85T10A562A"]),
    "br-cpf": ([b"529.982.247-25"], [b"529.982.247-26", b"1529.982.247-25"]),
    "aws-key": ([b"AKIAIOSFODNN7EXAMPLE"], [b"AKIA", b"akiaiosfodnn7example"]),
    "github-token": ([b"ghp_" + b"a" * 36], [b"ghp_short"]),
    "jwt": ([b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", b"eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."], [b"eyJ.eyJ"]),
    "private-key": (
        [b"-----BEGIN RSA " + PEM_KEY + b"\nMII", b"x-----BEGIN OPENSSH " + PEM_KEY, b"-----BEGIN " + PEM_KEY],
        [b"-----BEGIN CERTIFICATE-----", b"-----BEGIN PUBLIC KEY-----"],
    ),
}  # fmt: skip


def test_every_detector_has_cases() -> None:
    assert set(CASES) == set(DETECTORS)


@pytest.mark.parametrize("name", DETECTORS)
def test_it_finds_what_it_should_and_the_prefilter_alarms(name: str) -> None:
    detectors = Detectors([name])
    for text in CASES[name][0]:
        assert detectors.spans(text), text
        assert detectors.scan_hit(text), text
        assert detectors.areas(text), text


@pytest.mark.parametrize("name", DETECTORS)
def test_it_leaves_alone_what_only_looks_like_it(name: str) -> None:
    for text in CASES[name][1]:
        assert Detectors([name]).spans(text) == [], text


@pytest.mark.parametrize("name", DETECTORS)
def test_whatever_stands_around_it_the_prefilter_alarms(name: str) -> None:
    """In a raw batch a length word stands before the value, and its last byte may be a letter or a digit."""
    detectors = Detectors([name])
    for text in CASES[name][0]:
        for byte in range(256):
            assert detectors.scan_hit(bytes((0, 0, 0, byte)) + text + bytes((0, 0, 0, byte)))


@pytest.mark.parametrize("name", DETECTORS)
def test_no_pattern_reaches_over_a_nul(name: str) -> None:
    detectors = Detectors([name])
    for text in CASES[name][0]:
        joined = b"\0".join([b"plain", text, text, b"plain"])
        assert all(b"\0" not in joined[span.start : span.end] for span in detectors.spans(joined))
        assert len(detectors.spans(joined)) == 2 * len(detectors.spans(text))


@pytest.mark.parametrize("name", DETECTORS)
def test_a_prefilter_has_no_anchor_and_no_boundary(name: str) -> None:
    for token in (rb"\b", rb"\B", rb"^", rb"$", rb"\A", rb"\z"):
        pattern = DETECTORS[name].prefilter.replace(b"[^", b"[!")
        assert token not in pattern


@pytest.mark.parametrize("name", DETECTORS)
def test_patterns_are_small_enough_to_be_matched_by_a_dfa(name: str) -> None:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    for pattern in (DETECTORS[name].prefilter, DETECTORS[name].exact):
        assert re2.compile(pattern, options).programsize < 2_000


def test_groups_stand_for_their_members_and_unknown_words_are_refused() -> None:
    assert expand(["secrets"]) == GROUPS["secrets"]
    assert expand(["email", "email", "card"]) == ("email", "card")
    with pytest.raises(ValueError, match="no detector is called 'emial'"):
        expand(["emial"])


def test_a_card_number_is_found_among_other_groups_of_digits_exactly() -> None:
    text = b"12 4111 1111 1111 1111 99 5555 5555 5555 4444"
    found = [text[span.start : span.end] for span in Detectors(["card"]).spans(text)]
    assert found == [b"4111 1111 1111 1111", b"5555 5555 5555 4444"]


def test_a_run_of_digits_in_too_many_groups_is_hidden_whole() -> None:
    text = b"4 " * 5_000
    (span,) = Detectors(["card"]).spans(text)
    assert (span.start, span.end) == (0, len(text) - 1)
