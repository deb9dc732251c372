"""Who asks, said to a target: what it claims, until when, and that it can be checked."""

import json
from dataclasses import replace

import jwt
import pytest

from doorward_core.identity.assertion import LIFE_S, Assertion
from doorward_core.model import Actor, AuthMethod, Identity, Peer, PrincipalKind, Resource, Session

NOW_S = 1_800_000_000
NS = 1_000_000_000
IDENTITY = Identity(
    "crew-7",
    "https://idp.example",
    PrincipalKind.AGENT,
    frozenset({"b", "a"}),
    AuthMethod.JWT,
    "jti-1",
    0,
    (NOW_S + 3600) * NS,
    actor_chain=(Actor("sam", "https://idp.example"), Actor("desk", "https://desk.example")),
    sponsor="sam@example.com",
)
SESSION = Session(b"s" * 16, IDENTITY, Resource("crm", "http"), "app", Peer("10.0.0.1"), "gw", 0, b"")
SIGNER = Assertion(b"k" * 32, "gateway.example")


def read(token, audience="https://crm.internal"):
    (key,) = json.loads(SIGNER.jwks())["keys"]
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": "doorward-identity+jwt", "kid": key["kid"]}
    return jwt.decode(
        token,
        jwt.PyJWK(key).key,
        algorithms=["EdDSA"],
        audience=audience,
        options={"verify_exp": False, "verify_iat": False},
    )


def test_it_says_who_asks_for_whom_and_through_which_session():
    token, again = SIGNER.sign(SESSION, "https://crm.internal", "7", NOW_S * NS)
    assert read(token) == {
        "iss": "gateway.example",
        "aud": "https://crm.internal",
        "sub": "crew-7",
        "sub_iss": "https://idp.example",
        "kind": "agent",
        "groups": ["a", "b"],
        "sid": "73" * 16,
        "jti": "7",
        "iat": NOW_S,
        "exp": NOW_S + LIFE_S,
        "sponsor": "sam@example.com",
        "act": {"sub": "sam", "iss": "https://idp.example", "act": {"sub": "desk", "iss": "https://desk.example"}},
    }
    assert again == (NOW_S + LIFE_S // 2) * NS


def test_it_never_outlives_the_credential():
    short = replace(SESSION, identity=replace(IDENTITY, expires_unix_ns=(NOW_S + 10) * NS, actor_chain=(), sponsor=""))
    token, again = SIGNER.sign(short, "https://crm.internal", "7", NOW_S * NS)
    claims = read(token)
    assert (claims["exp"], again) == (NOW_S + 10, (NOW_S + 5) * NS)
    assert not {"act", "sponsor"} & claims.keys()


def test_it_is_for_one_target():
    token, _ = SIGNER.sign(SESSION, "https://crm.internal", "7", NOW_S * NS)
    with pytest.raises(jwt.InvalidAudienceError):
        read(token, audience="https://other.internal")
