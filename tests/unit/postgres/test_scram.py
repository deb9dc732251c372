"""SCRAM: what a server may not say, and what the channel is bound to."""

import base64
import hashlib
import hmac

import pytest

from doorward_core.errors import UpstreamProtocolError
from doorward_postgres.scram import Challenge, ScramClient, derive_keys

NONCE = b"n" * 18
OURS = base64.b64encode(NONCE).decode()
SALT = base64.b64encode(b"salt").decode()


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"r=%s,s=%s" % (OURS.encode(), SALT.encode()),
        f"r={OURS},s={SALT},i=4096".encode(),
        f"r=other{OURS},s={SALT},i=4096".encode(),
        f"r={OURS}{'x' * 1_000_000},s={SALT},i=4096".encode(),
        f"r={OURS}{'x' * 300},s={SALT},i=4096".encode(),
        f"r={OURS}x,s=,i=4096".encode(),
        f"r={OURS}x,s=!!!,i=4096".encode(),
        f"r={OURS}x,s={base64.b64encode(b's' * 300).decode()},i=4096".encode(),
        f"r={OURS}x,s={SALT},i=".encode(),
        f"r={OURS}x,s={SALT},i=-1".encode(),
        f"r={OURS}x,s={SALT},i=4096.0".encode(),
        f"r={OURS}x,s={SALT},i={'9' * 100}".encode(),
        f"r={OURS}x,s={SALT},i=\u0664".encode(),
        f"m=x,r={OURS}x,s={SALT},i=4096".encode(),
        f"r={OURS}x,s={SALT},i=4096,x=y".encode(),
        f"s={SALT},r={OURS}x,i=4096".encode(),
        b"e=other-error",
    ],
)
def test_a_server_first_message_that_lies_is_refused(message):
    with pytest.raises(UpstreamProtocolError):
        ScramClient(NONCE).challenge(message)


@pytest.mark.parametrize("message", [b"", b"v=", b"v=AAAA", b"e=invalid-proof", b"v=!", b"v=\xff", b"x=1"])
def test_a_server_that_proves_nothing_is_refused(message):
    client = ScramClient(NONCE)
    client.final(derive_keys("pencil", client.challenge(f"r={OURS}x,s={SALT},i=1".encode())))
    with pytest.raises(UpstreamProtocolError):
        client.verify(message)


def test_a_proof_before_its_time_is_refused():
    with pytest.raises(UpstreamProtocolError):
        ScramClient(NONCE).verify(b"v=")


@pytest.mark.parametrize(
    ("options", "header", "bound"),
    [
        ({}, b"n,,", b"n,,"),
        ({"binding_unused": True}, b"y,,", b"y,,"),
        ({"binding": b"hash"}, b"p=tls-server-end-point,,", b"p=tls-server-end-point,,hash"),
    ],
)
def test_the_channel_is_bound_in_header_and_proof(options, header, bound):
    client = ScramClient(NONCE, **options)
    assert client.first() == header + f"n=,r={OURS}".encode()
    final = client.final(derive_keys("pencil", client.challenge(f"r={OURS}x,s={SALT},i=1".encode())))
    assert final.startswith(b"c=" + base64.b64encode(bound) + f",r={OURS}x,p=".encode())


def test_keys_are_those_of_rfc_5802_and_show_nothing():
    keys = derive_keys("pencil", Challenge(b"salt", 3))
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", b"salt", 3)
    assert keys.client_key == hmac.digest(salted, b"Client Key", "sha256")
    assert keys.server_key == hmac.digest(salted, b"Server Key", "sha256")
    assert "client_key" not in repr(keys)
