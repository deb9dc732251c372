"""Whom a revocation means, and whose glass is broken."""

import pytest

from doorward_core.access.ledger import Ledger, may_review
from doorward_core.model import Actor, AuthMethod, Peer, PrincipalKind, Resource, Session

NS = 1_000_000_000
START = 1_800_000_000 * NS


@pytest.mark.parametrize(
    ("what", "value", "changes"),
    [
        ("token", "jti-1", {}),
        ("token", "jti-1", {"credential_id": "77:jti-1", "method": AuthMethod.SSH_CERTIFICATE}),
        ("token", "77:jti-1", {"credential_id": "77:jti-1", "method": AuthMethod.SSH_CERTIFICATE}),
        ("subject", "dora", {"issuer": "https://elsewhere.example"}),
        ("subject", "DORA ", {}),
        ("subject", "crew-7", {"actor_chain": (Actor("crew-7", "x"),)}),
        ("subject", "dora@example.com", {"subject": "4711", "display": "Dora@example.com"}),
        ("sponsor", "Sam", {"sponsor": "sam"}),
        ("everything", "", {}),
    ],
)
def test_it_means_whoever_it_names(person, a_revocation, what, value, changes):
    one = a_revocation(what, value)
    assert one.means(person(**changes))
    assert Ledger([one]).refusing(person(**changes)) is one


@pytest.mark.parametrize(
    ("what", "value", "changes"),
    [
        ("token", "jti-2", {}),
        ("token", "jti-1", {"credential_id": "77:jti-1"}),
        ("token", "77", {"credential_id": "77:jti-1", "method": AuthMethod.SSH_CERTIFICATE}),
        ("subject", "dor", {}),
        ("sponsor", "dora", {}),
        ("sponsor", "", {}),
        ("session", "ab" * 16, {}),
    ],
)
def test_it_means_nobody_else(person, a_revocation, what, value, changes):
    assert not a_revocation(what, value).means(person(**changes))


def test_of_a_session_it_means_that_one_and_the_credential_that_opened_it(person, a_revocation):
    one = a_revocation("session", "61" * 16, credential="jti-1")
    session = Session(b"a" * 16, person(), Resource("shop", "postgres"), "app", Peer("::1"), "gw", START, b"")
    assert one.ends(session)
    assert one.means(person())
    assert not one.means(person(credential_id="jti-2"))


def test_everything_refuses_sessions_and_bars_nobody_who_could_lift_it(person, a_revocation):
    ledger = Ledger([a_revocation("everything", "")])
    assert ledger.refusing(person()) is not None
    assert ledger.barring(person()) is None
    assert Ledger([a_revocation("subject", "dora")]).barring(person()) is not None


def test_what_else_its_people_have_goes_with_it(a_revocation):
    assert a_revocation("subject", "crew-7").names("crew-7", "")
    assert not a_revocation("subject", "sam").names("crew-7", "", "sam")
    assert a_revocation("sponsor", "sam").names("crew-7", "", "Sam")
    assert a_revocation("everything", "").names("crew-7", "")
    assert not a_revocation("token", "jti-1").names("crew-7", "")


def test_broken_glass_is_one_persons_on_one_resource_for_a_time(person, an_opening):
    ledger = Ledger([], [an_opening()])

    def lets(now=START, resource="shop", **changes):
        return ledger.opening(person(**changes), resource, now) is not None

    assert lets()
    assert lets(now=START + 900 * NS - 1)
    assert not lets(now=START + 900 * NS)
    assert not lets(resource="other")
    assert not lets(subject="eve")
    assert not lets(issuer="https://elsewhere.example")


def test_no_agent_goes_on_by_it_whoever_answers_for_it(person, an_opening):
    one = an_opening()
    assert not one.lets(person(kind=PrincipalKind.AGENT), "shop", START)
    assert not one.lets(person("crew-7", kind=PrincipalKind.AGENT, sponsor="dora"), "shop", START)
    assert not one.lets(person(actor_chain=(Actor("crew-7", "x"),)), "shop", START)


@pytest.mark.parametrize(
    ("changes", "may"),
    [
        ({"subject": "eve"}, True),
        ({"subject": "dora"}, False),
        ({"subject": "DORA", "issuer": "https://elsewhere.example"}, False),
        ({"subject": "4711", "display": "dora@example.com"}, False),
        ({"subject": "eve", "kind": PrincipalKind.AGENT}, False),
        ({"subject": "eve", "actor_chain": (Actor("dora", "x"),)}, False),
    ],
)
def test_somebody_else_reviews(person, an_opening, changes, may):
    assert may_review(an_opening(display="Dora@example.com"), person(**changes)) is may
