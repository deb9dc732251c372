"""One host, in one spelling, or a refusal."""

import pytest

from doorward_core.http.authority import canonical_authority, host_of, one_authority
from doorward_core.http.messages import BadRequest


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        (b"Gateway.Example", "gateway.example"),
        (b"gateway.example:8443", "gateway.example:8443"),
        (b"gateway.example:443", "gateway.example"),
        (b"10.0.0.1:80", "10.0.0.1:80"),
        (b"[2001:DB8:0:0::1]:8443", "[2001:db8::1]:8443"),
        (b"my_host", "my_host"),
    ],
)
def test_an_authority_has_one_spelling(given, canonical):
    assert canonical_authority(given, "https") == canonical


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"a.example.",
        b"user@a.example",
        b"a.example:",
        b"a.example:0",
        b"a.example:080",
        b"a.example:65536",
        b"a.example:8443:1",
        b"a..example",
        b"-a.example",
        b"a.example/",
        b"a.example?x",
        b"a,b",
        b"a b",
        b"a%2eexample",
        b"\xc3\xa4.example",
        b"[::1",
        b"[::1%25eth0]",
        b"[v1.a]",
        b"::1",
        b"a" * 300,
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(given):
    with pytest.raises(BadRequest):
        canonical_authority(given, "https")


def test_two_places_must_name_one_host():
    assert one_authority((b"A.example",), b"a.example:443", "https") == "a.example"
    assert one_authority((), b"a.example", "https") == "a.example"
    for hosts, other in [((b"a", b"a"), None), ((), None), ((b"a",), b"b"), ((b"a",), b"a:8443")]:
        with pytest.raises(BadRequest):
            one_authority(hosts, other, "https")


def test_the_host_without_its_port():
    assert [host_of(text) for text in ("a:1", "a", "[::1]:2", "[::1]")] == ["a", "a", "::1", "::1"]
