"""RFC 7677 section 3, byte for byte; RFC 4013 section 3 for SASLprep."""

import base64

import pytest

from doorward_postgres.scram import ScramClient, derive_keys, saslprep

_NONCE = base64.b64decode("rOprNGfwEbeRWgbNEkqO")
_SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"


def test_the_exchange_of_rfc_7677():
    client = ScramClient(_NONCE, user="user")
    assert client.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    challenge = client.challenge(_SERVER_FIRST)
    assert challenge.iterations == 4096
    assert client.final(derive_keys("pencil", challenge)) == (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    client.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


@pytest.mark.parametrize(
    ("password", "prepared"),
    [
        ("I\u00adX", b"IX"),
        ("user", b"user"),
        ("USER", b"USER"),
        ("\u00aa", b"a"),
        ("\u2168", b"IX"),
        # Refused by SASLprep, and then taken as they are, as PostgreSQL takes them:
        ("\u0007", b"\x07"),
        ("\u06271", "\u06271".encode()),
        # A right-to-left password, and a space that is none in ASCII:
        ("\u0627\u0628", "\u0627\u0628".encode()),
        ("a\u00a0b", b"a b"),
    ],
)
def test_the_examples_of_rfc_4013(password, prepared):
    assert saslprep(password) == prepared
