"""Requests: their names, what they are bound to, and how the strictest bound of several holds wins."""

from dataclasses import replace

import pytest

from doorward_core.approvals.request import (
    ALPHABET,
    HeldRule,
    binding,
    canonical_id,
    held_rules,
    request_for,
    request_id,
)
from doorward_core.model import Action, Actor, Approve, Atom, Operation, Peer, Resource, Session, Target

NS = 1_000_000_000
NOW = 1_800_000_000 * NS
KEY = b"k" * 32


@pytest.fixture
def session(person) -> Session:
    identity = person("crew-7", sponsor="sam", attributes={"crew": "seven"})
    return Session(b"s" * 16, identity, Resource("app-db", "postgres"), "app", Peer("::1"), "gw", NOW, b"p" * 32)


OPERATION = Operation(
    id=b"o" * 16,
    seq=3,
    action=Action.WRITE,
    verb="UPDATE",
    atoms=(Atom(Action.WRITE, Target("relation", "public.customer")),),
    text="UPDATE customer SET name = $1",
    digest=b"d" * 32,
    parameters=("x",),
    attributes={"pg.search_path": "public"},
)
HOLD = Approve("writes", b"h" * 32, frozenset({"dba"}), 1, 600, 300, 60)


@pytest.mark.parametrize("number", [0, 1, 2**64 - 1, 0x0123456789ABCDEF])
def test_an_id_is_short_and_reads_back(number):
    name = request_id(number.to_bytes(8, "big"))
    assert len(name) == 15
    assert set(name[3:]) <= set(ALPHABET)
    assert canonical_id(f" {name.upper()} ") == name


def test_an_id_needs_its_randomness():
    with pytest.raises(ValueError):
        request_id(b"short")


def test_lookalikes_are_read_as_what_was_meant():
    assert canonical_id("AP-OIL123456789") == "ap-011123456789"


@pytest.mark.parametrize(
    "text", ["", "ap-", "0123456789ab", "ap-0123456789", "ap-0123456789abc", "ap-u123456789ab", "ap-../../../x"]
)
def test_what_cannot_be_an_id_is_none(text):
    assert canonical_id(text) is None


def _other_principal(session, **changes):
    return replace(session, identity=replace(session.identity, **changes))


def test_the_binding_changes_with_everything_that_changes_meaning(session):
    first = binding(KEY, session, OPERATION)
    others = [
        binding(b"x" * 32, session, OPERATION),
        binding(KEY, _other_principal(session, subject="crew-8"), OPERATION),
        binding(KEY, _other_principal(session, issuer="https://other.example"), OPERATION),
        binding(KEY, _other_principal(session, sponsor="tom"), OPERATION),
        binding(KEY, _other_principal(session, actor_chain=(Actor("a", "i"),)), OPERATION),
        binding(KEY, replace(session, account="admin"), OPERATION),
        binding(KEY, replace(session, resource=Resource("other-db", "postgres")), OPERATION),
        binding(KEY, session, replace(OPERATION, digest=b"e" * 32)),
        binding(KEY, session, replace(OPERATION, complete=False)),
        binding(KEY, session, replace(OPERATION, unseen=("copy-data",))),
    ]
    assert len({first, *others}) == len(others) + 1


def test_the_binding_is_the_same_in_another_session_of_the_same_principal(session):
    again = replace(session, id=b"t" * 16, opened_unix_ns=NOW + 1, peer=Peer("10.0.0.1"))
    assert binding(KEY, again, replace(OPERATION, id=b"q" * 16, seq=0)) == binding(KEY, session, OPERATION)


def test_fields_cannot_run_into_each_other(session):
    one = _other_principal(session, issuer="https://id.example", subject="crew-7")
    two = _other_principal(session, issuer="https://id.examplec", subject="rew-7")
    assert binding(KEY, one, OPERATION) != binding(KEY, two, OPERATION)


def _make(session, *holds, operation=OPERATION):
    return request_for(session, operation, holds, name="ap-0", digest=b"b" * 32, reason="why", now_unix_ns=NOW)


def test_the_strictest_of_several_holds_is_the_bound(session):
    stricter = replace(HOLD, rule="other", within_s=30, grant_s=10, retry=True)
    request = _make(session, HOLD, stricter)
    assert (request.expires_unix_ns, request.grant_s, request.retry) == (NOW + 30 * NS, 10, False)
    assert request.granted_rules == {("writes", b"h" * 32), ("other", b"h" * 32)}


def test_inside_a_transaction_the_wait_is_shorter(session):
    request = _make(session, HOLD, operation=replace(OPERATION, in_transaction=True))
    assert request.expires_unix_ns == NOW + 60 * NS


def test_a_request_does_not_outlive_the_requesters_credential(session):
    request = _make(_other_principal(session, expires_unix_ns=NOW + 5), HOLD)
    assert request.expires_unix_ns == NOW + 5


def test_a_request_that_no_rule_holds_is_not_made(session):
    with pytest.raises(ValueError):
        _make(session)


def test_the_same_rule_is_held_once_and_never_without_a_person():
    assert held_rules((HOLD, replace(HOLD, quorum=0))) == (HeldRule("writes", b"h" * 32, frozenset({"dba"}), 1),)
