"""What holds for every token, and not only for those in a list."""

import base64
import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from doorward_core.errors import AuthenticationError
from doorward_core.identity.jose import decode_base64url, parse_compact, parse_json_object
from doorward_core.identity.keys import parse_jwks
from doorward_core.identity.limiter import BURST, REFILL_NS, FailureLimiter
from doorward_core.identity.token import IssuerSettings, verify_token
from doorward_core.model import Identity, PrincipalKind
from doorward_demo.issuer import DevelopmentIssuer, base64url

NOW_S = 1_800_000_000
S = 1_000_000_000

plain = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=20)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def world() -> Iterator[SimpleNamespace]:
    issuer = DevelopmentIssuer(algorithm="EdDSA", clock=lambda: NOW_S * S)
    settings = IssuerSettings(issuer.url, frozenset({"doorward"}), attributes=("crew",))
    yield SimpleNamespace(issuer=issuer, keys=parse_jwks(issuer.jwks()), settings=settings)
    issuer.close()


def verdict(world: SimpleNamespace, token: bytes | str, now_ns: int = NOW_S * S) -> Identity | None:
    try:
        return verify_token(token, world.keys, world.settings, now_ns)
    except AuthenticationError:
        return None


def refusal_of(read: Callable[[], object]) -> AuthenticationError | None:
    """Give what a reader refuses with; anything else that it raises fails the test."""
    try:
        read()
    except AuthenticationError as error:
        return error
    return None


@given(st.binary(max_size=200))
def test_base64url_reads_back_what_it_wrote(data):
    assert decode_base64url(base64.urlsafe_b64encode(data).rstrip(b"=")) == data


@given(st.binary(max_size=60) | st.text("AZaz09-_=+/ ", max_size=60).map(str.encode))
def test_base64url_has_one_spelling_for_each_value(encoded):
    value = decode_base64url(encoded)
    assert value is None or base64.urlsafe_b64encode(value).rstrip(b"=") == encoded


@given(st.dictionaries(plain, json_values, max_size=6), st.booleans())
def test_every_honest_object_is_read_as_it_was_written(value, ascii_only):
    assert parse_json_object(json.dumps(value, ensure_ascii=ascii_only).encode(), "x") == value


@given(st.binary(max_size=300) | st.text('{}[]",:\\u0d8a1e-n', max_size=120).map(str.encode))
def test_any_bytes_give_an_object_or_a_refusal_that_quotes_nothing(data):
    refusal = refusal_of(lambda: parse_json_object(data, "x"))
    assert refusal is None or (refusal.__context__ is None and len(str(refusal)) < 60)


@given(st.binary(max_size=400) | st.text("AZaz09-_.=", max_size=200).map(str.encode) | st.text(max_size=100))
def test_any_text_gives_a_token_or_a_refusal(data):
    refusal = refusal_of(lambda: parse_compact(data))
    assert refusal is None or refusal.__context__ is None


@given(data=st.data())
def test_no_change_of_any_character_survives(world, data):
    token = world.issuer.issue("crew-7", groups=("a",), sponsor="maria")
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("ABab01-_.=\n\0é"))
    assume(token[place] != letter)
    assert verdict(world, token[:place] + letter + token[place + 1 :]) is None


@given(data=st.data())
def test_no_part_of_a_token_is_a_token(world, data):
    token = world.issuer.issue("crew-7")
    first, last = sorted((data.draw(st.integers(0, len(token))), data.draw(st.integers(0, len(token)))))
    assume(token[first:last] != token)
    assert verdict(world, token[first:last]) is None


@given(st.lists(st.integers(0, 2), min_size=3, max_size=3), st.lists(plain, min_size=2, max_size=2))
def test_no_patchwork_of_good_tokens_is_good(world, picks, subjects):
    assume(len(set(picks)) > 1)
    tokens = [
        world.issuer.issue(f"s-{number}-{text!a}"[:200]).split(".") for number, text in enumerate([*subjects, "x"])
    ]
    patched = ".".join(tokens[pick][place] for place, pick in enumerate(picks))
    assume(patched not in {".".join(token) for token in tokens})
    assert verdict(world, patched) is None


@given(st.dictionaries(st.sampled_from(("sub", "aud", "exp", "iat", "nbf", "jti", "groups", "act", "azp", "client_id",
       "doorward_kind", "doorward_sponsor", "name", "crew", "typ", "_claim_names")), json_values, max_size=6))  # fmt: skip
def test_any_claims_give_an_identity_that_is_fit_to_be_written_or_a_refusal(world, claims):
    identity = verdict(world, world.issuer.sign_claims(world.issuer.claims("crew-7") | claims))
    if identity is None:
        return
    texts = [identity.subject, identity.sponsor, identity.credential_id, identity.display, *identity.groups]
    texts += [*identity.attributes.values(), *(actor.subject for actor in identity.actor_chain)]
    assert all(text.isprintable() and len(text) <= 255 and text.encode("utf-8") is not None for text in texts)
    assert identity.expires_unix_ns > identity.authenticated_unix_ns


@given(
    st.integers(-7200, 7200), st.integers(-7200, 7200), st.none() | st.integers(-7200, 7200), st.integers(-7200, 7200)
)
def test_an_identity_is_given_exactly_while_it_lives(world, iat, exp, nbf, now):
    claims = world.issuer.claims("crew-7") | {"iat": NOW_S + iat, "exp": NOW_S + exp}
    if nbf is not None:
        claims["nbf"] = NOW_S + nbf
    identity = verdict(world, world.issuer.sign_claims(claims), (NOW_S + now) * S)
    skew, longest = world.settings.skew_s, world.settings.max_age_s
    lives = max(iat, iat if nbf is None else nbf) - skew <= now < exp + skew and exp - iat <= longest
    assert (identity is not None) is lives
    if identity is not None:
        assert identity.expires_unix_ns == (NOW_S + exp + skew) * S


@given(
    st.sampled_from((None, *PrincipalKind)),
    st.sampled_from((None, "agent", "human")),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_a_human_is_one_only_if_nothing_says_agent(world, fixed, claimed, flags):
    agent_client, human_client, acts = flags
    claims = world.issuer.claims("crew-7") | {"doorward_kind": claimed}
    if acts:
        claims["act"] = {"sub": "tool"}
    settings = IssuerSettings(
        world.issuer.url,
        frozenset({"doorward"}),
        kind=fixed,
        agent_clients=("crew-*",) if agent_client else (),
        human_clients=("crew-*",) if human_client else (),
    )
    kind = verify_token(world.issuer.sign_claims(claims), world.keys, settings, NOW_S * S).kind
    says_agent = PrincipalKind.AGENT in {fixed, claimed} or agent_client or acts
    says_human = PrincipalKind.HUMAN in {fixed, claimed} or human_client
    assert (kind is PrincipalKind.HUMAN) is (says_human and not says_agent)


@given(st.text(max_size=200), st.text(max_size=200))
def test_audiences_are_equal_or_not(world, audience, other):
    token = world.issuer.sign_claims(world.issuer.claims("crew-7") | {"aud": audience})
    assert (verdict(world, token) is not None) is (audience == "doorward")
    token = world.issuer.sign_claims(world.issuer.claims("crew-7") | {"aud": [audience, other]})
    assert (verdict(world, token) is not None) is ({audience, other} == {"doorward"})


@given(st.binary(max_size=300) | st.dictionaries(plain, json_values, max_size=4).map(lambda v: json.dumps(v).encode()))
def test_any_document_gives_a_key_set_or_a_refusal(data):
    with pytest.raises(AuthenticationError):
        parse_jwks(data)


members = st.fixed_dictionaries(
    {},
    optional={
        "kty": st.sampled_from(("RSA", "EC", "OKP", "oct", "", None)),
        "crv": st.sampled_from(("P-256", "Ed25519", "P-521", "X25519", None)),
        "kid": st.sampled_from(("a", "b", "", None, 7)),
        "alg": st.sampled_from(("RS256", "ES256", "EdDSA", "none", None)),
        "use": st.sampled_from(("sig", "enc", None)),
        "n": st.binary(max_size=300).map(base64url),
        "e": st.sampled_from(("AQAB", "Aw", "", None)),
        "x": st.binary(max_size=70).map(base64url) | st.binary(min_size=32, max_size=32).map(base64url),
        "y": st.binary(max_size=70).map(base64url),
    },
)


@given(st.lists(members, max_size=5))
def test_a_key_set_never_holds_two_keys_of_one_id_or_a_key_for_an_algorithm_of_another_type(found):
    try:
        keys = parse_jwks(json.dumps({"keys": found}).encode())
    except AuthenticationError:
        return
    named = [key.kid for key in keys.keys if key.kid is not None]
    assert len(named) == len(set(named))
    assert all(key.algorithms for key in keys.keys)


@given(st.lists(st.tuples(st.sampled_from(("10.0.0.1", "10.0.0.2")), st.integers(0, 5 * REFILL_NS)), max_size=200))
def test_a_source_never_fails_oftener_than_its_burst_and_its_refill(steps):
    limiter, now_ns, failed = FailureLimiter(), 0, {"10.0.0.1": 0, "10.0.0.2": 0}
    for address, pause_ns in steps:
        now_ns += pause_ns
        if limiter.admit(address, "bad", now_ns):
            limiter.failed(address, "bad", now_ns)
            failed[address] += 1
    assert all(count <= BURST + now_ns // REFILL_NS for count in failed.values())
