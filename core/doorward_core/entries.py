"""How each thing that happens is written down: the events of docs/spec/event-log.md, and nothing else.

What it is: one pure function for each kind of event, from the nouns to an `Event`.
What it will not do: place, seal or write it (`doorward_core.record`), or decide what happens
(`doorward_core.session_gate`).

Invariants:
- A header holds no content of an operation: who, where, what kind, the verdict, and counts.
  Text, parameters, names of things and values shown are payload, which the operator may have sealed.
- A header fits into an entry whoever asks: a long list of names is cut there and says so, and is whole in the payload.
"""

from collections.abc import Iterable, Mapping

from doorward_core.event import Event, EventKind, Outcome, Value
from doorward_core.model import Atom, Decision, Denial, Identity, Operation, Peer, Permit, Record, RecordLevel, Session

NAMES_BYTES = 2048  # of one list in a header: an entry's header has 15,000 bytes, and up to three lists in it
APPROVAL_NAMES_BYTES = 512
MAX_APPROVALS = 8  # named in a header; the card in the payload has them all


def who(identity: Identity) -> dict[str, Value]:
    """The principal, denormalised into every record: nobody should need a join at three in the morning."""
    return {
        "subject": identity.subject,
        "issuer": identity.issuer,
        "principal": str(identity.kind),
        "sponsor": identity.sponsor,
        "act": _texts(f"{actor.issuer}#{actor.subject}" for actor in identity.actor_chain),
    }


def _texts(items: Iterable[str]) -> list[Value]:
    return list(items)


def _cut(names: list[Value], room: int = NAMES_BYTES) -> list[Value]:
    """Give a list of names, or as many as there is room for and how many more there are."""
    for place, name in enumerate(names):
        room -= len(str(name).encode("utf-8", "replace"))
        if room < 0:
            return [*names[:place], f"and {len(names) - place} more"]
    return names


def _event(
    kind: EventKind,
    header: dict[str, Value],
    payload: dict[str, Value] | None = None,
    *,
    session: Session | None = None,
    operation: Operation | None = None,
) -> Event:
    """Make the event; what does not fit into its header goes into its payload, under the same key."""
    content = payload or {}
    for key, value in header.items():
        if type(value) is list and len(value) > 1 and type(value[0]) is str:
            short = _cut(value)
            if short is not value:
                header[key] = short
                content = {**content, key: value}
    return Event(kind, header, content, session.id if session else b"", operation.id if operation else b"")


def credential_issued(
    identity: Identity, peer: Peer, kind: str, *, serial: int, expires_unix_ns: int, details: Mapping[str, Value]
) -> Event:
    """The gateway gave a credential of its own for the one that it was shown; `details` say what is in it."""
    return _event(
        EventKind.CREDENTIAL_ISSUED,
        {
            **who(identity),
            "credential": identity.credential_id,
            "peer": peer.address,
            "kind": kind,
            "serial": serial,
            "expires_unix_ns": expires_unix_ns,
        },
        dict(details),
    )


def session_opened(session: Session, *, read_only: bool, observe: bool, facts: Mapping[str, str]) -> Event:
    """A connection was admitted. `facts` are the proxy's own (what the upstream leg's TLS is, for one)."""
    identity = session.identity
    return _event(
        EventKind.SESSION_OPENED,
        {
            **who(identity),
            "groups": _texts(sorted(identity.groups)),
            "method": str(identity.method),
            "credential": identity.credential_id,
            "attributes": dict(identity.attributes),
            "expires_unix_ns": identity.expires_unix_ns,
            "resource": session.resource.name,
            "protocol": session.resource.protocol,
            "account": session.account,
            "peer": session.peer.address,
            "encrypted": session.peer.encrypted,
            "origin": session.origin,
            "policy": session.policy_digest,
            "read_only": read_only,
            "observe": observe,
            **facts,
        },
        {"software": session.peer.software, "display": identity.display},
        session=session,
    )


def session_refused(resource: str, peer: Peer, identity: Identity | None, reason: str, left_out: int = 0) -> Event:
    """A connection was not admitted; `reason` is for the operator, the client is told less.

    `left_out` are others that were refused in the same way, and have no entry of their own.
    """
    known = who(identity) if identity else {}
    more: dict[str, Value] = {"left_out": left_out} if left_out else {}
    return _event(
        EventKind.SESSION_REFUSED,
        {**known, "peer": peer.address, "encrypted": peer.encrypted, "reason": reason},
        {"resource": resource[:256], "software": peer.software, **more},
    )


def session_closed(session: Session, totals: Mapping[str, int], coverage: Iterable[str], reason: str) -> Event:
    """The session ended. `coverage` says what was not seen or not enforced, and why."""
    return _event(
        EventKind.SESSION_CLOSED,
        {
            **who(session.identity),
            "resource": session.resource.name,
            "account": session.account,
            "reason": reason,
            "totals": dict(totals),
            "coverage": _texts(coverage),
            "duration_ns": totals.get("duration_ns", 0),
        },
        session=session,
    )


def _attended(session: Session, operator: Identity, peer: Peer) -> dict[str, Value]:
    return {
        **who(session.identity),
        "resource": session.resource.name,
        "account": session.account,
        "operator": operator.subject,
        "operator_issuer": operator.issuer,
        "operator_credential": operator.credential_id,
        "peer": peer.address,
    }


def session_watched(session: Session, operator: Identity, peer: Peer) -> Event:
    """An operator began to watch a session."""
    return _event(EventKind.SESSION_WATCHED, _attended(session, operator, peer), session=session)


def session_ended(session: Session, operator: Identity, peer: Peer, reason: str) -> Event:
    """An operator ended a session; its `session.closed` follows."""
    return _event(EventKind.SESSION_ENDED, _attended(session, operator, peer), {"reason": reason}, session=session)


def _asked(session: Session, operation: Operation) -> dict[str, Value]:
    return {
        **who(session.identity),
        "resource": session.resource.name,
        "account": session.account,
        "seq": operation.seq,
        "action": str(operation.action),
        "verb": operation.verb,
        "complete": operation.complete,
        "in_transaction": operation.in_transaction,
        "unseen": _texts(operation.unseen),
    }


def _atoms(atoms: Iterable[Atom]) -> list[Value]:
    return [
        {
            "action": str(atom.action),
            "kind": atom.target.kind,
            "name": atom.target.name,
            "columns": _texts(atom.target.columns),
            "detail": atom.target.detail,
        }
        for atom in atoms
    ]


def _content(operation: Operation) -> dict[str, Value]:
    return {
        "text": operation.text,
        "text_truncated": operation.text_truncated,
        "parameters": list(operation.parameters),
        "atoms": _atoms(operation.atoms),
        "attributes": dict(operation.attributes),
    }


def _verdict(decision: Decision) -> dict[str, Value]:
    return {
        "verdict": str(decision.effect),
        "reason": str(decision.reason),
        "rules": _texts(sorted({match.rule for match in decision.matches})),
        "observed": str(decision.observed) if decision.observed else "",
        "policy": decision.policy_digest,
    }


def decided(session: Session, operation: Operation, decision: Decision, *, request_id: str = "") -> Event:
    """An operation was permitted or denied."""
    return _event(
        EventKind.OPERATION_DECIDED,
        {**_asked(session, operation), **_verdict(decision), "request": request_id},
        {**_content(operation), "advice": decision.advice},
        session=session,
        operation=operation,
    )


def held(
    session: Session, operation: Operation, decision: Decision, *, request_id: str, expires_unix_ns: int, card: bytes
) -> Event:
    """An operation waits for people; `card` is what they are shown, whose digest their votes name."""
    return _event(
        EventKind.OPERATION_HELD,
        {
            **_asked(session, operation),
            **_verdict(decision),
            "request": request_id,
            "expires_unix_ns": expires_unix_ns,
            "approvals": [
                {
                    "rule": approve.rule,
                    "groups": _cut(_texts(sorted(approve.groups)), APPROVAL_NAMES_BYTES),
                    "quorum": approve.quorum,
                }
                for approve in decision.approvals[:MAX_APPROVALS]
            ],
        },
        {**_content(operation), "card": card},
        session=session,
        operation=operation,
    )


def finished(session: Session, permit: Permit, outcome: Outcome, level: RecordLevel) -> Event:
    """A permitted operation ended. What was shown is payload, and only where a level asks for it.

    `level` is the configuration's; a rule that matched may ask for more (the obligation `Record`), never for less.
    """
    header: dict[str, Value] = {
        **who(session.identity),
        "resource": session.resource.name,
        "seq": permit.operation.seq,
        "status": str(outcome.status),
        "code": outcome.native_code,
        "rows": outcome.rows,
        "bytes_up": outcome.bytes_up,
        "bytes_down": outcome.bytes_down,
        "masked": dict(outcome.masked),
        "duration_ns": outcome.duration_ns,
        "decided": permit.entry,
    }
    payload: dict[str, Value] = {}
    asked = {item.level for item in permit.decision.obligations if isinstance(item, Record)}
    if {level, *asked} != {RecordLevel.DECISION}:
        payload = {
            "columns": _texts(outcome.columns),
            "column_types": list(outcome.column_types),
            "column_formats": list(outcome.column_formats),
            "shown": outcome.shown,
            "shown_format": outcome.shown_format,
            "shown_digest": outcome.shown_digest,
            "shown_truncated": outcome.shown_truncated,
        }
        if outcome.changes or outcome.changes_truncated:
            payload["changes"] = [list(change) for change in outcome.changes]
            payload["changes_truncated"] = outcome.changes_truncated
    return _event(EventKind.OPERATION_FINISHED, header, payload, session=session, operation=permit.operation)


def stream_chunk(session: Session, operation: Operation, stream: str, offset: int, data: bytes) -> Event:
    """A piece of what the client of an operation was sent; `offset` is where it begins in its stream."""
    header: dict[str, Value] = {"stream": stream, "offset": offset}
    return _event(EventKind.STREAM_CHUNK, header, {"data": data}, session=session, operation=operation)


def refused_content(denial: Denial) -> str:
    """One line that says which atoms made a denial, for the client: names only, never values."""
    named = {f"{atom.action} {atom.target.kind} {atom.target.name}".strip() for atom in denial.blamed}
    return ", ".join(sorted(named)[:8])


def gateway_error(session: Session | None, what: str) -> Event:
    """Something failed in the gateway itself, or at the target; `what` carries no value and no credential."""
    return _event(
        EventKind.GATEWAY_ERROR,
        {"what": what, **(who(session.identity) if session else {})},
        session=session,
    )


def policy_loaded(digest: bytes, texts: Mapping[str, str]) -> Event:
    """A policy came into force; its text is kept whole."""
    return _event(EventKind.POLICY_LOADED, {"policy": digest}, {"texts": dict(texts)})


def policy_refused(problems: Iterable[str], digest_in_force: bytes) -> Event:
    """A changed policy could not be loaded; the old one stays."""
    return _event(EventKind.POLICY_REFUSED, {"policy": digest_in_force}, {"problems": _texts(problems)})
