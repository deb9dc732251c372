"""The sessions of each identity: counted as they are taken, given back once each."""

from dataclasses import replace

import pytest

from doorward_core.model import AuthMethod, Identity, PrincipalKind
from doorward_core.shares import Shares

CREW = Identity(
    subject="crew-7",
    issuer="https://id.test",
    kind=PrincipalKind.AGENT,
    groups=frozenset(),
    method=AuthMethod.JWT,
    credential_id="1",
    authenticated_unix_ns=0,
    expires_unix_ns=1,
)


def test_an_identity_has_so_many_and_another_has_its_own():
    shares = Shares(2)
    assert [shares.take(CREW) for _ in range(3)] == [True, True, False]
    assert shares.take(replace(CREW, subject="crew-8"))
    assert shares.take(replace(CREW, issuer="https://other.test"))
    shares.give(CREW)
    assert [shares.take(replace(CREW, expires_unix_ns=2)) for _ in range(2)] == [True, False]


def test_without_a_bound_there_is_none():
    shares = Shares()
    assert all(shares.take(CREW) for _ in range(1000))


def test_what_was_never_taken_cannot_be_given_back():
    shares = Shares(1)
    assert shares.take(CREW)
    shares.give(CREW)
    with pytest.raises(KeyError):
        shares.give(CREW)
