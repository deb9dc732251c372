"""Bytes that somebody calls a certificate: an identity for exactly one of them, and AuthenticationError for all others."""

import struct

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from doorward_core.errors import AuthenticationError
from doorward_core.identity.ssh_certificate import issue, verify
from doorward_core.identity.ssh_identity import decode
from doorward_core.identity.ssh_keys import BadKey, read_public
from doorward_core.model import AuthMethod, Identity, PrincipalKind

S = 1_000_000_000
NOW = 1_800_000_000 * S
CA = Ed25519PrivateKey.generate()
WHO = Identity(
    "crew-7",
    "https://id.example",
    PrincipalKind.AGENT,
    frozenset({"ops"}),
    AuthMethod.JWT,
    "jti-1",
    NOW,
    NOW + 3600 * S,
)
KEYS = (Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048))
GOOD = [issue(CA, key.public_key(), WHO, ["a@b"], serial=7, now_unix_ns=NOW).blob for key in KEYS]
KINDS = [
    b"ssh-ed25519-cert-v01@openssh.com",
    b"ecdsa-sha2-nistp256-cert-v01@openssh.com",
    b"ecdsa-sha2-nistp521-cert-v01@openssh.com",
    b"ssh-rsa-cert-v01@openssh.com",
    b"ssh-dss-cert-v01@openssh.com",
    b"sk-ssh-ed25519-cert-v01@openssh.com",
    b"x-cert-v01@openssh.com",
]


def accepted(data: bytes) -> bool:
    try:
        who = verify(data, [CA.public_key()], principal="a@b", address="10.0.0.1", now_unix_ns=NOW)
    except AuthenticationError:
        return False
    return who.subject == "crew-7"


@given(st.binary(max_size=600))
def test_garbage_is_refused(data):
    assert not accepted(data)


@given(st.sampled_from(KINDS), st.lists(st.binary(max_size=80), max_size=12), st.binary(max_size=40))
def test_garbage_in_the_right_frame_is_refused(kind, strings, rest):
    framed = b"".join(struct.pack(">I", len(part)) + part for part in (kind, *strings))
    assert not accepted(framed + rest)


@given(st.sampled_from(GOOD), st.data())
def test_a_certificate_with_anything_changed_is_refused(good, data):
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 40)))
    changed = good[:start] + data.draw(st.binary(max_size=40)) + good[end:]
    assert accepted(changed) == (changed == good)


@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_garbage_is_no_identity(data):
    try:
        decode(data, serial=1, now_unix_ns=NOW)
    except AuthenticationError:
        return
    raise AssertionError


@given(st.text(max_size=200) | st.text("AaZz09+/= ", max_size=200).map("ssh-ed25519 ".__add__))
def test_garbage_is_no_key(line):
    try:
        read_public(line)
    except BadKey:
        return
    raise AssertionError
