import dataclasses
import json

import pytest

from doorward_core.errors import AuthenticationError
from doorward_core.identity import token
from doorward_core.identity.token import IssuerSettings, verify_token
from doorward_core.model import Actor, AuthMethod, PrincipalKind
from doorward_demo.issuer import compact


def check(world, header=None, settings=None, now_ns=None, **claims):
    """Verify a token with these claims set; a claim of `...` is taken out."""
    payload = {name: value for name, value in (world.issuer.claims("crew-7") | claims).items() if value is not ...}
    raw = world.issuer.sign_claims(payload, header)
    chosen = dataclasses.replace(world.settings, **(settings or {}))
    return verify_token(raw, world.keys, chosen, now_ns or world.now_ns)


def refused(world, match, **options):
    with pytest.raises(AuthenticationError, match=match):
        check(world, **options)


def test_a_token_becomes_an_identity(world):
    raw = world.issuer.issue(
        "crew-7", "agent", ("crew-analysts",), "maria", {"crew": "quarterly", "name": "Seven", "jti": "j-1"}
    )
    settings = dataclasses.replace(world.settings, attributes=("crew", "task"))
    identity = verify_token(raw, world.keys, settings, world.now_ns)
    assert (identity.subject, identity.issuer) == ("crew-7", world.issuer.url)
    assert identity.kind is PrincipalKind.AGENT
    assert identity.groups == {"crew-analysts"}
    assert identity.method is AuthMethod.JWT
    assert identity.credential_id == "j-1"
    assert identity.authenticated_unix_ns == world.now_ns
    assert identity.expires_unix_ns == (world.now_s + 900 + 60) * 10**9
    assert (identity.actor_chain, identity.sponsor, identity.display) == ((), "maria", "Seven")
    assert identity.attributes == {"crew": "quarterly"}


def test_a_token_of_several_kilobytes_is_read(world):
    groups = tuple(f"/departments/analysts/crew-{number:04d}" for number in range(200))
    raw = world.issuer.issue("crew-7", "agent", groups)
    assert len(raw) > 8192
    assert verify_token(raw.encode(), world.keys, world.settings, world.now_ns).groups == set(groups)


def test_the_unverified_reader_gives_issuer_and_key(world):
    raw = world.issuer.issue("crew-7")
    assert token.unverified_issuer_and_kid(raw) == (world.issuer.url, world.issuer.kid)
    for claims in ({"iss": 7}, {}):
        with pytest.raises(AuthenticationError):
            token.unverified_issuer_and_kid(world.issuer.sign_claims(claims))


@pytest.mark.parametrize("issuer", ["{url}/", "{url}.evil.example", "{url}/../x", "x{url}", "", None, 7, ["{url}"]])
def test_an_issuer_matches_whole_or_not_at_all(world, issuer):
    value = issuer.format(url=world.issuer.url) if isinstance(issuer, str) else issuer
    refused(world, "issuer", iss=value)


def test_a_token_needs_a_known_key_and_an_allowed_algorithm(world):
    refused(world, "not among", header={"kid": "other"})
    refused(world, "not allowed", settings={"algorithms": ("RS256",)})
    refused(world, "not allowed", header={"alg": "es256"})
    refused(world, "does not fit", header={"alg": "RS256"})


def test_a_changed_token_does_not_hold(world):
    head, body, signature = world.issuer.issue("crew-7").split(".")
    other = world.issuer.issue("dba-tom").split(".")[1]
    for raw in (f"{head}.{other}.{signature}", f"{head}.{body}.{'A' * len(signature)}"):
        with pytest.raises(AuthenticationError, match="signature"):
            verify_token(raw, world.keys, world.settings, world.now_ns)


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "JWT", "jwt"])
def test_a_header_type_is_compared_as_a_media_type(world, typ):
    assert check(world, header={"typ": typ})


@pytest.mark.parametrize("typ", ["", "JOSE", "dpop+jwt", "logout+jwt", "secevent+jwt", "application/application/jwt"])
def test_a_header_type_that_is_not_configured_is_refused(world, typ):
    refused(world, "typ", header={"typ": typ})


def test_a_header_without_a_type_needs_the_operators_leave(world):
    raw_header = {"alg": "ES256", "kid": world.issuer.kid}
    claims = world.issuer.claims("crew-7")
    raw = token_without_typ(world, raw_header, claims)
    with pytest.raises(AuthenticationError, match="typ"):
        verify_token(raw, world.keys, world.settings, world.now_ns)
    lenient = dataclasses.replace(world.settings, typ=frozenset({""}))
    assert verify_token(raw, world.keys, lenient, world.now_ns).subject == "crew-7"


def token_without_typ(world, header, claims):
    return compact(world.issuer.key, json.dumps(header).encode(), json.dumps(claims).encode(), "ES256")


@pytest.mark.parametrize(
    "claim",
    [{"typ": "ID"}, {"typ": "Refresh"}, {"typ": 7}, {"nonce": "n"}, {"at_hash": "h"}, {"c_hash": "h"}, {"events": {}}],
)
def test_a_token_for_another_use_is_refused(world, claim):
    refused(world, "access token", **claim)
    assert check(world, settings={"accept_id_tokens": True}, **claim)


def test_keycloaks_word_for_an_access_token_is_known(world):
    assert check(world, typ="Bearer")


@pytest.mark.parametrize("audience", [None, ..., [], "", "door", "doorward2", "DOORWARD", ["other"], [["doorward"]], 7])
def test_a_token_for_another_audience_is_refused(world, audience):
    refused(world, "token", aud=audience)


def test_a_second_audience_is_refused_unless_tolerated(world):
    refused(world, "others", aud=["doorward", "account"])
    assert check(world, aud=["doorward", "account"], settings={"tolerated_audiences": frozenset({"account"})})
    assert check(world, aud=["doorward", "b"], settings={"audiences": frozenset({"doorward", "b"})})
    refused(world, "not meant", aud="account", settings={"tolerated_audiences": frozenset({"account"})})


@pytest.mark.parametrize(
    ("offset_s", "problem"), [(959, ""), (960, "expired"), (961, "expired"), (-60, ""), (-61, "not valid yet")]
)
def test_times_are_held_to_with_the_skew_and_not_beyond(world, offset_s, problem):
    now_ns = world.now_ns + offset_s * 10**9
    if problem:
        refused(world, problem, now_ns=now_ns)
    else:
        assert check(world, now_ns=now_ns).expires_unix_ns > now_ns


def test_the_last_nanosecond_before_expiry_still_counts(world):
    assert check(world, now_ns=world.now_ns + 960 * 10**9 - 1)


@pytest.mark.parametrize(("nbf_s", "good"), [(-10, True), (60, True), (61, False), (10**6, False)])
def test_not_before_is_held_to(world, nbf_s, good):
    if good:
        assert check(world, nbf=world.now_s + nbf_s)
    else:
        refused(world, "not valid yet", nbf=world.now_s + nbf_s)


@pytest.mark.parametrize("claim", [{"exp": ...}, {"iat": ...}, {"exp": None}, {"exp": "9999999999"}, {"iat": True}])
def test_times_are_needed_and_are_numbers(world, claim):
    refused(world, "token: claim", **claim)


def test_a_long_life_is_refused(world):
    assert check(world, exp=world.now_s + 3600)
    refused(world, "max_age", exp=world.now_s + 3601)
    refused(world, "max_age", exp=world.now_s + 10 * 365 * 86400)
    assert check(world, exp=world.now_s + 7200, settings={"max_age_s": 7200})


def test_clients_are_an_allow_list(world):
    only = {"clients": frozenset({"crew-runner"})}
    assert check(world, client_id="crew-runner", settings=only)
    refused(world, "client", settings=only)
    refused(world, "client", client_id=..., settings=only)
    refused(world, "different clients", client_id="crew-runner", azp="other", settings=only)
    assert check(world, client_id=..., azp="crew-runner", settings=only)
    assert check(world, client_id=..., cid="crew-runner", appid="crew-runner", settings=only)


AGENT, HUMAN = PrincipalKind.AGENT, PrincipalKind.HUMAN


@pytest.mark.parametrize(
    ("settings", "claims", "kind"),
    [
        ({}, {"doorward_kind": ...}, AGENT),
        ({}, {"doorward_kind": "agent"}, AGENT),
        ({}, {"doorward_kind": "human"}, HUMAN),
        ({"kind": HUMAN}, {"doorward_kind": ...}, HUMAN),
        ({"kind": HUMAN}, {"doorward_kind": "agent"}, AGENT),
        ({"kind": AGENT}, {"doorward_kind": "human"}, AGENT),
        ({"human_clients": ("desk-*",)}, {"doorward_kind": ..., "client_id": "desk-1"}, HUMAN),
        ({"human_clients": ("*",)}, {"doorward_kind": ..., "client_id": ...}, AGENT),
        ({"agent_clients": ("crew-*",)}, {"doorward_kind": "human", "client_id": "crew-1"}, AGENT),
        ({"agent_clients": ("crew-*",), "kind": HUMAN}, {"doorward_kind": ..., "client_id": "crew-1"}, AGENT),
        ({"agent_clients": ("crew-*",), "human_clients": ("*",)}, {"doorward_kind": ..., "client_id": "CREW-1"}, HUMAN),
        ({"kind_claim": "utype", "kind_values": {"svc": AGENT, "emp": HUMAN}}, {"utype": "emp"}, HUMAN),
        ({"kind_claim": "utype", "kind_values": {"svc": AGENT, "emp": HUMAN}}, {"utype": "svc"}, AGENT),
    ],
)
def test_one_word_for_agent_is_enough(world, settings, claims, kind):
    assert check(world, settings=settings, **claims).kind is kind


@pytest.mark.parametrize("value", ["Human", "admin", "", 1, True, ["human"]])
def test_a_kind_that_is_not_configured_is_refused(world, value):
    refused(world, "doorward_kind", doorward_kind=value)


def test_whoever_acts_for_another_is_an_agent_and_the_human_answers_for_it(world):
    identity = check(world, sub="maria", doorward_kind="human", act={"sub": "crew-7"})
    assert identity.kind is AGENT
    assert identity.actor_chain == (Actor("crew-7", world.issuer.url),)
    assert identity.sponsor == "maria"


def test_an_agent_that_acts_for_an_agent_has_the_sponsor_that_is_named(world):
    act = {"sub": "tool-3"}
    assert check(world, doorward_kind="agent", act=act).sponsor == ""
    assert check(world, doorward_kind="agent", act=act, doorward_sponsor="maria").sponsor == "maria"
    assert check(world, sub="ana", doorward_kind="human", act=act, doorward_sponsor="maria").sponsor == "maria"


def test_a_sponsor_may_be_required_of_agents(world):
    strict = {"require_sponsor": True}
    refused(world, "sponsor", settings=strict)
    assert check(world, settings=strict, doorward_sponsor="maria").sponsor == "maria"
    assert check(world, settings=strict, doorward_kind="human").sponsor == ""


def test_a_human_has_no_sponsor(world):
    assert check(world, doorward_kind="human", doorward_sponsor="maria").sponsor == ""


def test_groups_and_subject_come_from_the_configured_claims(world):
    settings = {"groups_claim": "realm_access.roles", "subject_claim": "oid", "display_claim": "preferred_username"}
    claims = {"realm_access": {"roles": ["dba"]}, "oid": "00-11", "preferred_username": "tom"}
    identity = check(world, settings=settings, **claims)
    assert (identity.subject, identity.groups, identity.display) == ("00-11", {"dba"}, "tom")


@pytest.mark.parametrize("subject", [..., None, "", 7, "a\nb", "x" * 256, " crew-7"])
def test_a_subject_is_a_plain_text(world, subject):
    refused(world, "claim sub", sub=subject)


def test_a_token_without_an_id_is_known_by_what_was_signed(world):
    first = check(world, jti=...).credential_id
    assert first == check(world, jti=...).credential_id
    assert first.startswith("sha256:")
    assert first != check(world, jti=..., extra=1).credential_id
    refused(world, "jti", jti=7)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"issuer": "http://idp.example"}, "issuer is not https"),
        ({"issuer": "https://idp.example?x"}, "issuer has a query"),
        ({"jwks_uri": "http://idp.example/keys"}, "jwks_uri is not https"),
        ({"audiences": frozenset()}, "audiences"),
        ({"audiences": frozenset({""})}, "audiences"),
        ({"algorithms": ()}, "algorithms"),
        ({"algorithms": ("RS256", "none")}, "algorithms"),
        ({"algorithms": ("HS256",)}, "algorithms"),
        ({"skew_s": -1}, "skew_s"),
        ({"skew_s": 301}, "skew_s"),
        ({"max_age_s": 0}, "max_age_s"),
        ({"replay": "twice"}, "twice"),
    ],
)
def test_settings_that_could_never_be_safe_are_refused(change, problem):
    fields = {"issuer": "https://idp.example", "audiences": frozenset({"doorward"})} | change
    with pytest.raises(ValueError, match=problem):
        IssuerSettings(**fields)


def test_the_replay_policy_may_be_given_as_its_text():
    settings = IssuerSettings("https://idp.example", frozenset({"doorward"}), replay="same-source")
    assert settings.replay is token.Replay.SAME_SOURCE


def test_a_token_says_when_its_owner_logged_in_or_else_when_it_was_made(world):
    made = check(world)
    now_s = made.authenticated_unix_ns // 10**9
    assert check(world, auth_time=now_s - 500).logged_in_unix_ns == (now_s - 500) * 10**9
    assert check(world, iat=now_s - 60).logged_in_unix_ns == (now_s - 60) * 10**9
    assert check(world, auth_time=0).logged_in_unix_ns == 0
    assert check(world, auth_time=now_s + 500).logged_in_unix_ns == now_s * 10**9
    refused(world, "auth_time is not a time", auth_time="yesterday")
