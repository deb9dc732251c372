"""Logs for the tests of the index: small stories, written by the real writer, and what a plain scan of them finds."""

import trio

from doorward_core import entries
from doorward_core.approvals import events
from doorward_core.approvals.request import ApprovalRequest, HeldRule, RequestState, Verdict, Vote
from doorward_core.event import Event, EventKind, Outcome, Status
from doorward_core.model import (
    Action,
    Approve,
    Atom,
    AuthMethod,
    Decision,
    Effect,
    Identity,
    Match,
    Operation,
    Peer,
    Permit,
    PrincipalKind,
    ReasonCode,
    RecordLevel,
    Resource,
    Session,
    Target,
)
from doorward_core.record.writer import Log

NS = 1_000_000_000
NOW = 1_800_000_000 * NS  # 2027-01-15 08:00:00 UTC
ISSUER = "https://id.example"


def a_session(number, subject="crew-7", sponsor="sam", resource="shop", protocol="postgres", **attributes):
    identity = Identity(
        subject, ISSUER, PrincipalKind.AGENT, frozenset({"crew-analysts"}), AuthMethod.JWT, "jti-1", NOW,
        NOW + 10**6 * NS, sponsor=sponsor, attributes=attributes or {"crew": "seven", "task": "mail"},
    )  # fmt: skip
    return Session(
        bytes([number]) * 16, identity, Resource(resource, protocol), "app", Peer("10.0.0.7", encrypted=True),
        "gw.example", NOW, b"p" * 32,
    )  # fmt: skip


def asked(session, seq, text, *parameters, action=Action.READ, names=("public.customer",), verb="", number=None):
    atoms = tuple(Atom(action, Target("relation", name)) for name in names)
    id_ = bytes([session.id[0], number if number is not None else seq]) * 8
    verb = verb or text.partition(" ")[0]
    return Operation(id_, seq, action, verb, atoms, text, b"d" * 32, parameters=parameters)


def decision(effect, rule="rule-1", **changes):
    match = Match(rule, b"h" * 32, effect, Atom(Action.READ, Target("relation", "public.customer")))
    return Decision(effect, ReasonCode.RULE, "", b"p" * 32, matches=(match,), **changes)


def opened(session):
    return entries.session_opened(session, read_only=False, observe=False, facts={})


def closed(session, coverage=()):
    return entries.session_closed(session, {"duration_ns": 9 * NS}, coverage, "the client left")


def decided(session, operation, effect=Effect.PERMIT, rule="rule-1", request=""):
    return entries.decided(session, operation, decision(effect, rule), request_id=request)


def finished(session, operation, **how):
    outcome = Outcome(**{"status": Status.OK, "rows": 1, "bytes_down": 9, "duration_ns": 5, **how})
    permit = Permit(operation, decision(Effect.PERMIT), 1, NOW)
    return entries.finished(session, permit, outcome, RecordLevel.SHAPE)


def request_for(session, operation, name="ap-1"):
    identity = session.identity
    return ApprovalRequest(
        id=name, origin="gw.example", digest=b"d" * 32, session_id=session.id, operation_id=operation.id,
        subject=identity.subject, issuer=ISSUER, sponsor=identity.sponsor, kind=identity.kind, display="",
        attributes={}, resource=session.resource.name, account="app", verb=operation.verb, text=operation.text,
        text_truncated=False, parameters=operation.parameters, atoms=operation.atoms, unseen=(),
        rules=(HeldRule("changes", b"h" * 32, frozenset({"dba"}), 1),), reason="", opened_unix_ns=NOW,
        expires_unix_ns=NOW + 600 * NS, grant_s=300,
    )  # fmt: skip


def held(session, operation, name="ap-1"):
    hold = Approve("changes", b"h" * 32, frozenset({"dba"}), 1, 600, 300, 60)
    made = decision(Effect.HOLD, "changes", obligations=(hold,))
    return entries.held(session, operation, made, request_id=name, expires_unix_ns=NOW + 600 * NS, card=b"card")


def voted(
    session, operation, approver="dora", *, reason="looks fine", name="ap-1", refusal="", verdict=Verdict.APPROVE
):
    vote = Vote(
        name, approver, ISSUER, frozenset({"dba"}), PrincipalKind.HUMAN, verdict, reason, NOW, "token", b"", b""
    )
    return events.voted(request_for(session, operation, name), vote, refusal)


def ended(session, operation, state=RequestState.GRANTED, name="ap-1"):
    return events.ended(request_for(session, operation, name), state, ())


def changed_by_leave(session, seq, text, *parameters, name="ap-1", approver="dora", names=("public.customer",)):
    """A write that was held, approved, and done."""
    operation = asked(session, seq, text, *parameters, action=Action.WRITE, names=names)
    return [
        held(session, operation, name),
        voted(session, operation, approver, name=name),
        ended(session, operation, name=name),
        decided(session, operation, Effect.PERMIT, "changes", name),
        finished(session, operation),
    ]


def erased(session):
    return Event(EventKind.CONTENT_ERASED, {"what": [session.id.hex()]})


def sealed_to(recipients, folder):
    return {"keys": folder.parent / "keys" / "payload", "recipients": tuple(recipients)} if recipients else {}


def write(folder, made, *, origin="gw.example", at=NOW, step=NS, recipients=()):
    """Put events into the log at `folder`, one each second, whether it is there already or not."""

    async def writing():
        async with trio.open_nursery() as nursery:
            log = await Log.open(
                folder, origin=origin, signer=folder.parent / f"{folder.name}.pem", nursery=nursery,
                **sealed_to(recipients, folder),
            )  # fmt: skip
            for place, event in enumerate(made):
                log.append(event, at + place * step)
            await log.aclose()

    folder.parent.mkdir(parents=True, exist_ok=True)
    trio.run(writing)
    return folder


def story():
    """Two sessions: reads and a held write of one crew, a refused DDL and a change of another."""
    one, two = a_session(1), a_session(2, "crew-8", "maria", "ledger", crew="eight", task="books")
    select = asked(one, 1, "SELECT id, email FROM customer WHERE id = $1", "41")
    city = asked(two, 2, "UPDATE customer SET name = 'x' WHERE city = 'Ulm'", action=Action.WRITE)
    drop = asked(
        two, 1, "DROP TABLE orders -- \x1b]52;c;aGk=\x07\u202e", action=Action.DEFINE, names=("public.orders",)
    )
    return [
        opened(one),
        decided(one, select),
        finished(one, select, rows=3, masked={"email": 2}),
        opened(two),
        *changed_by_leave(one, 2, "UPDATE customer SET name = $1 WHERE id = $2", "x", "42"),
        decided(two, drop, Effect.DENY, "no-ddl"),
        decided(two, city, rule="writers"),
        finished(two, city, status=Status.ERROR, native_code="23505", rows=0),
        closed(one, ["copy data was not read"]),
    ]
