"""One assertion by one key: what holds, and each thing that must not."""

import hashlib
import struct

import pytest
from fido2 import cbor
from passkey import ATTESTED, PRESENT, VERIFIED, Authenticator

from doorward_core.approvals.webauthn import (
    CLONED,
    BadAssertion,
    RelyingParty,
    check_counter,
    read_key,
    sign_counter,
    verify,
)

PARTY = RelyingParty("desk.example", frozenset({"https://desk.example", "https://eu.desk.example:8443"}))
CHALLENGE = hashlib.sha256(b"a statement").digest()


@pytest.fixture(scope="module")
def device():
    return Authenticator()


@pytest.mark.parametrize("kind", ["ES256", "EdDSA", "RS256"])
def test_an_assertion_of_each_algorithm_holds_and_gives_its_counter(kind):
    device = Authenticator(kind=kind)
    made = device.assertion(CHALLENGE)
    assert verify(made, device.key, CHALLENGE, PARTY) == device.counter == sign_counter(made.authenticator_data)


def test_each_configured_origin_may_be_used(device):
    made = device.assertion(CHALLENGE, origin="https://eu.desk.example:8443")
    assert verify(made, device.key, CHALLENGE, PARTY)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"type": "webauthn.create"}, "not of type webauthn.get"),
        ({"type": "payment.get"}, "not of type"),
        ({"type": None}, "not of type"),
        ({"challenge": "AAAA"}, "for something else"),
        ({"challenge": ""}, "for something else"),
        ({"challenge": 10**15}, "for something else"),
        ({"origin": "https://desk.example.evil.example"}, "not among `origins`"),
        ({"origin": "http://desk.example"}, "not among `origins`"),
        ({"origin": "https://desk.example:444"}, "not among `origins`"),
        ({"origin": ["https://desk.example"]}, "not among `origins`"),
        ({"crossOrigin": True}, "page of another site"),
        ({"crossOrigin": "no"}, "page of another site"),
        ({"crossOrigin": 0}, "page of another site"),
    ],
)
def test_ap_05_what_was_made_elsewhere_or_for_something_else_counts_for_nothing(device, changes, words):
    with pytest.raises(BadAssertion, match=words):
        verify(device.assertion(CHALLENGE, **changes), device.key, CHALLENGE, PARTY)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (0, "nobody touched"),
        (VERIFIED, "nobody touched"),
        (PRESENT, "did not verify who"),
        (PRESENT | VERIFIED | ATTESTED, "cannot be read"),
        (PRESENT | VERIFIED | 0x80, "cannot be read"),
    ],
)
def test_somebody_must_have_been_there_and_have_been_known(device, flags, words):
    with pytest.raises(BadAssertion, match=words):
        verify(device.assertion(CHALLENGE, flags=flags), device.key, CHALLENGE, PARTY)


def test_extensions_are_read_and_change_nothing(device):
    more = cbor.encode({"uvm": []})
    assert verify(device.assertion(CHALLENGE, flags=0x85, more=more), device.key, CHALLENGE, PARTY)


def test_a_new_passkey_among_the_data_is_refused(device):
    attested = bytes(16) + struct.pack(">H", 3) + b"abc" + device.key
    made = device.assertion(CHALLENGE, flags=0x45, more=attested)
    with pytest.raises(BadAssertion, match="of a new passkey"):
        verify(made, device.key, CHALLENGE, PARTY)


def test_a_passkey_of_another_site_is_refused():
    device = Authenticator(rp_id="other.example")
    with pytest.raises(BadAssertion, match="another site"):
        verify(device.assertion(CHALLENGE), device.key, CHALLENGE, PARTY)


def test_another_key_a_changed_byte_and_a_signature_of_anything_else_do_not_hold(device):
    made = device.assertion(CHALLENGE)
    data = made.authenticator_data
    other = data[:-1] + bytes([data[-1] ^ 1])
    changed = [
        (made, Authenticator().key),
        (made.__class__(made.credential, other, made.client_data, made.signature), device.key),
        (made.__class__(made.credential, data, made.client_data + b" ", made.signature), device.key),
        (made.__class__(made.credential, data, made.client_data, b""), device.key),
        (made, Authenticator(kind="EdDSA").key),
    ]
    for assertion, key in changed:
        with pytest.raises(BadAssertion, match="does not hold"):
            verify(assertion, key, CHALLENGE, PARTY)


def test_what_is_too_long_is_refused_before_it_is_read(device):
    made = device.assertion(CHALLENGE)
    long = bytes(5000)
    for parts in (
        (long, made.client_data, made.signature),
        (made.authenticator_data, long, made.signature),
        (made.authenticator_data, made.client_data, long),
    ):
        with pytest.raises(BadAssertion, match="too long"):
            verify(made.__class__(made.credential, *parts), device.key, CHALLENGE, PARTY)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({3: -35}, "another algorithm"),
        ({3: -65535}, "another algorithm"),
        ({3: [-7]}, "another algorithm"),
        ({3: None}, "cannot be read|another algorithm"),
        ({1: 3}, "not of the kind"),
        ({-1: 8}, "not of the kind"),
    ],
)
def test_keys_of_other_kinds_are_refused(device, change, words):
    document = {**cbor.decode(device.key), **change}
    data = cbor.encode({key: value for key, value in document.items() if value is not None})
    with pytest.raises(BadAssertion, match=words):
        read_key(data)


def test_a_weak_rsa_key_is_refused():
    with pytest.raises(BadAssertion, match="needs 2048"):
        read_key(Authenticator(kind="RS256", bits=1024).key)


@pytest.mark.parametrize("data", [b"", b"\xff", cbor.encode([1]), bytes(5000), cbor.encode({3: -257, 1: 3, -1: "n"})])
def test_what_is_no_key_is_refused(data):
    with pytest.raises(BadAssertion):
        read_key(data)


@pytest.mark.parametrize(("counter", "last"), [(0, 0), (1, 0), (5, 4)])
def test_a_counter_that_rises_or_is_not_kept_is_fine(counter, last):
    check_counter(counter, last)


@pytest.mark.parametrize(("counter", "last"), [(4, 4), (3, 4), (0, 4)])
def test_a_counter_that_went_back_is_the_sign_of_a_copy(counter, last):
    with pytest.raises(BadAssertion, match="may have been copied") as caught:
        check_counter(counter, last)
    assert str(caught.value) == CLONED
