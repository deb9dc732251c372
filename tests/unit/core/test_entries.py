"""What is written down of each thing that happens: no content in a header, and nothing that cannot be encoded."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from doorward_core import entries
from doorward_core.event import EventKind, Outcome, Status
from doorward_core.model import (
    Action,
    Actor,
    Approve,
    Atom,
    AuthMethod,
    Decision,
    Denial,
    Effect,
    Identity,
    Match,
    Operation,
    Peer,
    Permit,
    PrincipalKind,
    ReasonCode,
    Record,
    RecordLevel,
    Resource,
    Session,
    Target,
)
from doorward_core.record.encode import decode, encode
from doorward_core.record.memory import MemoryLog

CANARY = "canary-7c1f"
IDENTITY = Identity(
    "crew-7",
    "https://id.example",
    PrincipalKind.AGENT,
    frozenset({"writers", "analysts"}),
    AuthMethod.JWT,
    "jti-1",
    1,
    2,
    actor_chain=(Actor("planner", "https://id.example"),),
    sponsor="sam@example.com",
    display=f"Crew {CANARY}",
    attributes=MappingProxyType({"crew": "seven"}),
)
SESSION = Session(
    b"s" * 16,
    IDENTITY,
    Resource("app-db", "postgres"),
    "app",
    Peer("10.0.0.7", 5432, f"psql {CANARY}", encrypted=True),
    "gw.example",
    5,
    b"p" * 32,
)
ATOM = Atom(Action.WRITE, Target("relation", f"public.{CANARY}", (CANARY,), CANARY))
OPERATION = Operation(
    b"o" * 16,
    7,
    Action.WRITE,
    "UPDATE",
    (ATOM,),
    f"UPDATE {CANARY}",
    b"d" * 32,
    parameters=(CANARY, None),
    unseen=("copy-data",),
    attributes=MappingProxyType({"search_path": CANARY}),
)
APPROVE = Approve("writes-wait", b"h" * 32, frozenset({"owners", "dba"}), 2, 600, 300, 60)
DECISION = Decision(
    Effect.HOLD,
    ReasonCode.RULE,
    f"ask {CANARY}",
    b"p" * 32,
    (APPROVE,),
    (Match("writes-wait", b"h" * 32, Effect.HOLD, ATOM), Match("reads", b"r" * 32, Effect.PERMIT, ATOM)),
    (ATOM,),
)
PERMIT = Permit(OPERATION, DECISION, 41, 9)
OUTCOME = Outcome(
    Status.ERROR,
    "23505",
    3,
    10,
    20,
    (CANARY,),
    (25,),
    (0,),
    MappingProxyType({"pii": 2}),
    5,
    CANARY.encode(),
    "rows",
    b"g" * 32,
)
EVERY = {
    EventKind.CREDENTIAL_ISSUED: entries.credential_issued(
        IDENTITY,
        SESSION.peer,
        "ssh-certificate",
        serial=7,
        expires_unix_ns=9,
        details={"principals": [f"{CANARY}@web1"]},
    ),
    EventKind.SESSION_OPENED: entries.session_opened(SESSION, read_only=True, observe=False, facts={"leg": "tls"}),
    EventKind.SESSION_REFUSED: entries.session_refused(CANARY, SESSION.peer, IDENTITY, "no such resource"),
    EventKind.SESSION_CLOSED: entries.session_closed(SESSION, {"rows": 3, "duration_ns": 8}, ["a pty"], "bye"),
    EventKind.OPERATION_DECIDED: entries.decided(SESSION, OPERATION, DECISION, request_id="ap-1"),
    EventKind.OPERATION_HELD: entries.held(
        SESSION, OPERATION, DECISION, request_id="ap-1", expires_unix_ns=99, card=CANARY.encode()
    ),
    EventKind.OPERATION_FINISHED: entries.finished(SESSION, PERMIT, OUTCOME, RecordLevel.SHAPE),
    EventKind.GATEWAY_ERROR: entries.gateway_error(SESSION, "target: gone"),
    EventKind.POLICY_LOADED: entries.policy_loaded(b"p" * 32, {"policy.yaml": CANARY}),
    EventKind.POLICY_REFUSED: entries.policy_refused([f"policy.yaml:1: {CANARY}"], b"p" * 32),
}
OF_A_SESSION = [kind for kind in EVERY if kind.value.startswith(("session.o", "session.c", "operation."))]


@pytest.mark.parametrize("kind", EVERY)
def test_each_event_is_of_its_kind_and_has_a_canonical_spelling(kind):
    event = EVERY[kind]
    assert event.kind is kind
    for part in (event.header, event.payload):
        assert decode(encode(part)) == part


@pytest.mark.parametrize("kind", EVERY)
def test_no_header_holds_content(kind):
    """Texts, parameters, names of things, values and what a client says of itself are payload, which can be sealed."""
    assert CANARY.encode() not in encode(EVERY[kind].header)
    if kind not in (EventKind.SESSION_CLOSED, EventKind.GATEWAY_ERROR):
        assert CANARY.encode() in encode(EVERY[kind].payload)


@pytest.mark.parametrize("kind", OF_A_SESSION)
def test_everything_of_a_session_says_who_and_belongs_to_it(kind):
    event = EVERY[kind]
    assert event.session_id == SESSION.id
    assert event.operation_id == (OPERATION.id if kind.value.startswith("operation.") else b"")
    assert {name: event.header[name] for name in ("subject", "issuer", "principal", "sponsor", "act", "resource")} == {
        "subject": "crew-7",
        "issuer": "https://id.example",
        "principal": "agent",
        "sponsor": "sam@example.com",
        "act": ["https://id.example#planner"],
        "resource": "app-db",
    }


def test_a_decision_names_its_rules_its_policy_and_its_request():
    header = EVERY[EventKind.OPERATION_DECIDED].header
    assert header["rules"] == ["reads", "writes-wait"]
    assert (header["verdict"], header["reason"], header["observed"]) == ("hold", "rule", "")
    assert (header["policy"], header["request"], header["seq"], header["verb"]) == (b"p" * 32, "ap-1", 7, "UPDATE")
    assert (header["complete"], header["unseen"]) == (True, ["copy-data"])
    observed = replace(DECISION, effect=Effect.PERMIT, observed=Effect.HOLD)
    assert entries.decided(SESSION, OPERATION, observed).header["observed"] == "hold"


def test_what_was_asked_is_kept_whole_as_content():
    payload = EVERY[EventKind.OPERATION_DECIDED].payload
    assert payload["text"] == OPERATION.text
    assert payload["parameters"] == [CANARY, None]
    assert payload["atoms"] == [
        {"action": "write", "kind": "relation", "name": f"public.{CANARY}", "columns": [CANARY], "detail": CANARY}
    ]
    assert payload["advice"] == DECISION.advice


def test_a_hold_says_whose_approval_it_waits_for_and_until_when():
    header = EVERY[EventKind.OPERATION_HELD].header
    assert header["approvals"] == [{"rule": "writes-wait", "groups": ["dba", "owners"], "quorum": 2}]
    assert header["expires_unix_ns"] == 99


def test_an_outcome_is_counts_in_the_header_and_what_was_shown_in_the_payload():
    event = EVERY[EventKind.OPERATION_FINISHED]
    assert {name: event.header[name] for name in ("status", "code", "rows", "bytes_up", "bytes_down", "decided")} == {
        "status": "error",
        "code": "23505",
        "rows": 3,
        "bytes_up": 10,
        "bytes_down": 20,
        "decided": 41,
    }
    assert event.header["masked"] == {"pii": 2}
    assert event.payload["shown"] == CANARY.encode()
    assert event.payload["shown_digest"] == b"g" * 32


@pytest.mark.parametrize(
    ("configured", "asked", "kept"),
    [
        (RecordLevel.DECISION, None, False),
        (RecordLevel.DECISION, RecordLevel.DECISION, False),
        (RecordLevel.DECISION, RecordLevel.SHAPE, True),
        (RecordLevel.SHAPE, RecordLevel.DECISION, True),
        (RecordLevel.PAYLOAD, None, True),
    ],
)
def test_what_was_shown_is_kept_where_the_configuration_or_a_rule_asks_for_it(configured, asked, kept):
    obligations = () if asked is None else (Record(asked),)
    permit = replace(PERMIT, decision=replace(DECISION, obligations=obligations))
    assert bool(entries.finished(SESSION, permit, OUTCOME, configured).payload) is kept


def test_what_was_changed_is_content_and_there_only_where_something_was():
    assert "changes" not in entries.finished(SESSION, PERMIT, OUTCOME, RecordLevel.SHAPE).payload
    outcome = replace(OUTCOME, changes=(("spec.replicas", "1", "7"), ("data.a", None, CANARY)))
    event = entries.finished(SESSION, PERMIT, outcome, RecordLevel.SHAPE)
    assert event.payload["changes"] == [["spec.replicas", "1", "7"], ["data.a", None, CANARY]]
    assert event.payload["changes_truncated"] is False
    assert CANARY.encode() not in encode(dict(event.header))
    assert not entries.finished(SESSION, PERMIT, outcome, RecordLevel.DECISION).payload


def test_a_refusal_at_the_door_without_an_identity_names_nobody():
    event = entries.session_refused("x" * 1000, Peer("10.0.0.7"), None, "token: expired")
    assert set(event.header) == {"peer", "encrypted", "reason"}
    assert len(str(event.payload["resource"])) == 256
    assert event.session_id == b""


def test_an_error_without_a_session_is_the_gateways_own():
    event = entries.gateway_error(None, "disk")
    assert (event.session_id, dict(event.header)) == (b"", {"what": "disk"})


def test_a_denial_is_told_by_names_each_once_and_not_too_many():
    many = tuple(Atom(Action.READ, Target("relation", f"public.t{number}")) for number in range(20))
    denial = Denial(OPERATION, ReasonCode.NO_RULE, "", 1, blamed=(many[0], many[0], *many))
    told = entries.refused_content(denial)
    assert told.count("read relation public.t0") == 1
    assert told.count(",") == 7


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_no_number_of_groups_rules_or_remarks_makes_an_event_that_cannot_be_written(count):
    """A header is bounded; a principal in a thousand groups must be admitted, and what is cut must be said."""
    names = [f"{number:04}-{'g' * 250}" for number in range(count)]
    identity = replace(IDENTITY, groups=frozenset(names))
    session = replace(SESSION, identity=identity)
    rules = [name[:80] for name in names]
    decision = replace(DECISION, matches=tuple(Match(rule, b"h", Effect.PERMIT, ATOM) for rule in rules))
    held = replace(decision, obligations=(replace(APPROVE, groups=frozenset(names)),) * max(1, count))
    log = MemoryLog()
    for event in (
        entries.session_opened(session, read_only=False, observe=False, facts={}),
        entries.session_closed(session, {}, names, "bye"),
        entries.decided(session, OPERATION, decision),
        entries.held(session, OPERATION, held, request_id="ap-1", expires_unix_ns=99, card=b""),
    ):
        log.append(event, 0)
    for event, key, whole in zip(log.events, ("groups", "coverage", "rules"), (names, names, rules), strict=False):
        shown = event.header[key]
        if count < 1000:
            assert shown == whole
            assert key not in event.payload
        else:
            assert shown[:-1] == whole[: len(shown) - 1]
            assert shown[-1] == f"and {count - len(shown) + 1} more"
            assert event.payload[key] == whole
    assert len(log.events[-1].header["approvals"]) == max(1, min(count, entries.MAX_APPROVALS))
    assert all(isinstance(approval, dict) for approval in log.events[-1].header["approvals"])
