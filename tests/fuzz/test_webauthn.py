"""Whatever a stranger sends for an assertion, a key, a registration or a line: a refusal, and never another exception."""

import contextlib
import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from passkey import Authenticator

from doorward_core.approvals.asked import read_ballot
from doorward_core.approvals.passkeys import enrol, parse_passkeys
from doorward_core.approvals.webauthn import Assertion, BadAssertion, RelyingParty, base64url, read_key, verify
from doorward_core.errors import ConfigError

PARTY = RelyingParty("desk.example", frozenset({"https://desk.example"}))
CHALLENGE = hashlib.sha256(b"a statement").digest()
DEVICE = Authenticator()
GOOD = DEVICE.assertion(CHALLENGE)
RP_HASH = hashlib.sha256(b"desk.example").digest()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=300)
@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=100))
def test_garbage_is_no_assertion(data, client, signature):
    with pytest.raises(BadAssertion):
        verify(Assertion(b"c", data, client, signature), DEVICE.key, CHALLENGE, PARTY)


@settings(max_examples=300)
@given(st.binary(max_size=300), st.integers(0, 255))
def test_garbage_behind_a_good_beginning_is_no_assertion(rest, flags):
    data = RP_HASH + bytes([flags]) + rest
    with pytest.raises(BadAssertion):
        verify(Assertion(b"c", data, GOOD.client_data, GOOD.signature), DEVICE.key, CHALLENGE, PARTY)


@settings(max_examples=300)
@given(JSON)
def test_any_json_for_client_data_is_no_assertion(document):
    client = json.dumps(document).encode()
    with pytest.raises(BadAssertion):
        verify(Assertion(b"c", GOOD.authenticator_data, client, GOOD.signature), DEVICE.key, CHALLENGE, PARTY)


@settings(max_examples=300)
@given(st.data())
def test_an_assertion_with_one_bit_changed_does_not_hold(data):
    parts = [GOOD.authenticator_data, GOOD.client_data, GOOD.signature]
    which = data.draw(st.integers(0, 2))
    at = data.draw(st.integers(0, len(parts[which]) - 1))
    changed = bytearray(parts[which])
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    parts[which] = bytes(changed)
    with pytest.raises(BadAssertion):
        verify(Assertion(GOOD.credential, *parts), DEVICE.key, CHALLENGE, PARTY)


@settings(max_examples=500)
@given(st.binary(max_size=200))
def test_garbage_is_no_key_or_one_that_verifies_nothing(data):
    with contextlib.suppress(BadAssertion):
        read_key(data)
    with pytest.raises(BadAssertion):
        verify(GOOD, data, CHALLENGE, PARTY)


@pytest.mark.parametrize("data", [b"\x81" * 4000, b"\xa1" * 4000, b"\x9b" + b"\xff" * 8, b"\xbb" + b"\xff" * 8])
def test_deep_and_endless_cbor_is_refused(data):
    with pytest.raises(BadAssertion):
        read_key(data)


@settings(max_examples=200)
@given(JSON, JSON, st.binary(max_size=300))
def test_garbage_is_no_registration(one, other, attested):
    response = {"response": {"clientDataJSON": "e30", "attestationObject": base64url(attested)}}
    document = {"subject": "dora", "issuer": "i", "label": "", "registration": one, "assertion": other}
    good = DEVICE.enrol()
    good["registration"]["response"]["attestationObject"] = base64url(attested)
    for given_ in (one, document, {**document, "registration": response}, good):
        with pytest.raises(ValueError):
            enrol(given_, PARTY)


@settings(max_examples=200)
@given(st.binary(min_size=1, max_size=200))
def test_garbage_is_no_file_of_passkeys(data):
    with contextlib.suppress(ConfigError):
        assert parse_passkeys(data, "f") == ()


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(["verdict", "reason", "proof", "content", "x"]), JSON))
def test_garbage_is_no_ballot(body):
    body["proof"] = body.get("proof") or {"kind": "webauthn", **body}
    with pytest.raises(ValueError):
        read_ballot(body)
