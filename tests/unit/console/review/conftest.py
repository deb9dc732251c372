"""A log of some weeks, and the policy that was in force."""

from dataclasses import replace

import pytest

from doorward_console.review.ledger import ledger
from doorward_core import entries
from doorward_core.event import Event, EventKind
from doorward_core.model import (
    Action,
    Atom,
    AuthMethod,
    Decision,
    Effect,
    Identity,
    Match,
    Operation,
    Peer,
    PrincipalKind,
    ReasonCode,
    Resource,
    Session,
    Target,
)
from doorward_core.policy.load import parse_policy
from doorward_core.record.reader import Content, Entry

DAY = 86_400_000_000_000
NOW = 1_800_000_000_000_000_000
POLICY = """\
version: 1
rules:
  - {id: reads, effect: allow, who: {groups: [analysts]}, resource: shop, do: [read]}
  - {id: writes, effect: hold, who: {groups: [analysts]}, resource: shop, do: [write], approve: {by: {groups: [dba]}}}
  - {id: old-script, effect: allow, who: {subjects: [batch-1]}, resource: shop, do: [transfer]}
  - {id: help, effect: allow, resource: manual, do: [read]}
"""
SHOP, ISSUER = Resource("shop", "postgres"), "https://id"


def agent(subject: str, sponsor: str = "sam") -> Identity:
    groups = frozenset({"analysts"})
    return Identity(subject, ISSUER, PrincipalKind.AGENT, groups, AuthMethod.JWT, "j", 0, 0, sponsor=sponsor)


def entry(index: int, event: Event, at: int) -> Entry:
    return Entry(
        index, at, str(event.kind), event.session_id, event.operation_id, event.header, event.payload,
        Content.CLEAR, b"", 1, True,
    )  # fmt: skip


def deeds(who: Identity, key: bytes, *did: tuple[Action, Effect, str]):
    """One session of somebody: what it did, what became of it, and by which grant."""
    session = Session(key * 16, who, SHOP, "app", Peer("10.0.0.7"), "gw", NOW, b"p" * 32)
    yield entries.session_opened(session, read_only=False, observe=False, facts={})
    for number, (action, effect, request) in enumerate(did):
        atom = Atom(action, Target("relation", "public.orders"))
        rule = {"read": "reads", "write": "writes"}[action]
        matches = (Match(rule, b"h" * 32, effect, atom),)
        decision = Decision(effect, ReasonCode.RULE, "", b"p" * 32, (), matches)
        asked = Operation(bytes([number]) * 16, number, action, action.upper(), (atom,), "", b"")
        if effect is Effect.HOLD:
            yield entries.held(session, asked, decision, request_id=request, expires_unix_ns=0, card=b"")
            decision = replace(decision, effect=Effect.PERMIT)
        yield entries.decided(session, asked, decision, request_id=request)
    yield entries.session_closed(session, {}, [], "end")


def about(kind: EventKind, **header) -> Event:
    return Event(kind, {"subject": "crew-7", "issuer": ISSUER, "sponsor": "sam", "resource": "shop", **header}, {})


@pytest.fixture
def weeks() -> list[Entry]:
    crew, stray = agent("crew-7"), agent("crew-9", sponsor="")
    events = [
        *deeds(agent("gone"), b"a", (Action.READ, Effect.PERMIT, "")),
        about(EventKind.ACCESS_REQUESTED, request="ap-1", actions=["write"], standing_s=7200),
        about(EventKind.APPROVAL_GRANTED, request="ap-1", approvers=[f"{ISSUER}#dora"]),
        about(EventKind.ACCESS_REQUESTED, request="ap-2", actions=["write"], standing_s=7200, sponsor=""),
        about(EventKind.APPROVAL_GRANTED, request="ap-2", approvers=[f"{ISSUER}#dora"]),
        about(EventKind.ACCESS_REQUESTED, request="ap-3", actions=["write"], standing_s=7200),
        about(EventKind.APPROVAL_REJECTED, request="ap-3", approvers=[]),
        about(EventKind.BREAK_GLASS_OPENED, request="bg-1", expires_unix_ns=NOW),
        about(EventKind.BREAK_GLASS_OPENED, request="bg-2", expires_unix_ns=NOW),
        about(EventKind.BREAK_GLASS_REVIEWED, request="bg-2", reviewer="eve", reviewer_issuer=ISSUER),
        *deeds(
            crew, b"b", (Action.READ, Effect.PERMIT, ""), (Action.READ, Effect.DENY, ""),
            (Action.WRITE, Effect.HOLD, "ap-9"), (Action.WRITE, Effect.PERMIT, "ap-1"),
        ),
        *deeds(stray, b"c", (Action.READ, Effect.PERMIT, "")),
        about(
            EventKind.APPROVAL_VOTED, approver="dora", approver_issuer=ISSUER, verdict="approve", counted=True,
        ),
        about(EventKind.APPROVAL_VOTED, approver="dora", approver_issuer=ISSUER, verdict="approve", counted=False),
    ]  # fmt: skip
    # The first session lies before the time that is looked at.
    return [entry(index, event, NOW - (100 if index < 3 else 10) * DAY + index) for index, event in enumerate(events)]


@pytest.fixture
def counted(weeks):
    return ledger(weeks, since_unix_ns=NOW - 90 * DAY, until_unix_ns=NOW)


@pytest.fixture
def policy():
    return parse_policy(POLICY, "policy.yaml")
