"""The operations that a log tells of, as policy was asked about them then.

It is pure: entries in; out come what was asked, by whom and what was decided, and each policy as it came into force.
What it will not do: decide, or make up what is not on record: facts and content that is sealed stay away.

Implements docs/spec/event-log.md, section 10 (`session.opened`, `operation.decided`, `operation.held`,
`policy.loaded`).
Invariants: an operation comes once, however often it was decided; a session's opening is one of them, without a text.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from doorward_core.event import EventKind, Value
from doorward_core.model import (
    Action,
    Atom,
    AuthMethod,
    Effect,
    Identity,
    Operation,
    PrincipalKind,
    ReasonCode,
    Resource,
    Target,
)
from doorward_core.record.reader import Entry

APART: Final = {
    ReasonCode.EXPIRED: "the credential had expired",
    ReasonCode.LIMIT: "a rate was used up",
    ReasonCode.UNAVAILABLE: "approvals could not be reached",
    ReasonCode.REVOKED: "access had been revoked",
    ReasonCode.OBLIGATION_UNSUPPORTED: "the gateway could not keep to what was owed",
}
"""Reasons for a denial that are not policy's, in words."""


@dataclass(frozen=True, slots=True)
class Told:
    """A policy that came into force: its digest, and its files by name."""

    digest: bytes
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that was decided. `operation` is None for the opening of a session.

    `was` is what policy said (a hold, whatever people answered), `policy` the digest of the one that said it.
    `apart` says why it was none of policy's doing; `sealed` that what was asked cannot be read.
    """

    index: int
    unix_ns: int
    identity: Identity
    resource: Resource
    operation: Operation | None
    was: Effect
    policy: bytes
    apart: str = ""
    sealed: bool = False


def recorded(entries: Iterable[Entry], resources: Mapping[str, Resource]) -> Iterator[Asked | Told]:
    """What the entries tell, in their order. `resources` give the labels of those whose names they have."""
    sessions: dict[bytes, tuple[Identity, Resource]] = {}
    held: set[bytes] = set()
    for entry in entries:
        if entry.kind == EventKind.POLICY_LOADED:
            yield _told(entry)
        elif entry.kind == EventKind.SESSION_OPENED:
            known = sessions[entry.session_id] = identity_of(entry), _where(entry, resources)
            yield Asked(entry.index, entry.time_unix_ns, *known, None, Effect.PERMIT, _bytes(entry, "policy"))
        elif entry.kind == EventKind.SESSION_CLOSED:
            sessions.pop(entry.session_id, None)
        elif entry.kind in (EventKind.OPERATION_HELD, EventKind.OPERATION_DECIDED):
            if entry.operation_id in held:
                held.discard(entry.operation_id)
            elif entry.session_id in sessions:
                if entry.kind == EventKind.OPERATION_HELD:
                    held.add(entry.operation_id)
                yield _asked(entry, *sessions[entry.session_id])


def _told(entry: Entry) -> Told:
    texts = (entry.payload or {}).get("texts")
    items = texts.items() if isinstance(texts, dict) else ()
    return Told(_bytes(entry, "policy"), {str(name): text for name, text in items if isinstance(text, str)})


def _asked(entry: Entry, identity: Identity, resource: Resource) -> Asked:
    operation = _operation(entry)
    account = text(entry, "account")
    if account != resource.account:
        resource = replace(resource, account=account)
    was = _was(entry)
    apart = APART.get(ReasonCode(text(entry, "reason")), "") if text(entry, "reason") in set(ReasonCode) else ""
    sealed, policy = entry.payload is None, _bytes(entry, "policy")
    if was is Effect.HOLD:
        apart = ""  # it was held, whatever ended the wait
    return Asked(entry.index, entry.time_unix_ns, identity, resource, operation, was, policy, apart, sealed)


def _was(entry: Entry) -> Effect:
    """What policy said. A request means that it was held, also where an earlier grant let it through at once."""
    if entry.kind == EventKind.OPERATION_HELD or text(entry, "request"):
        return Effect.HOLD
    observed = text(entry, "observed")
    return Effect(observed or text(entry, "verdict") or Effect.DENY)


def _operation(entry: Entry) -> Operation:
    payload: Mapping[str, Value] = entry.payload or {}
    attributes, words, action = payload.get("attributes"), payload.get("text"), text(entry, "action")
    return Operation(
        id=entry.operation_id,
        seq=0,
        action=Action(action) if action in set(Action) else Action.UNKNOWN,
        verb=text(entry, "verb"),
        atoms=tuple(_atoms(payload.get("atoms"))),
        text=words if isinstance(words, str) else "",
        digest=b"",
        complete=entry.header.get("complete") is True,
        attributes={k: v for k, v in attributes.items() if isinstance(v, str)} if isinstance(attributes, dict) else {},
        stoppable=True,
    )


def _atoms(value: Value) -> Iterator[Atom]:
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            action, kind, name, columns, detail = (item.get(k) for k in ("action", "kind", "name", "columns", "detail"))
            names = tuple(str(one) for one in columns) if isinstance(columns, list) else ()
            known = Action(str(action)) if action in set(Action) else Action.UNKNOWN
            yield Atom(known, Target(str(kind), str(name), names, str(detail or "")))


def identity_of(entry: Entry) -> Identity:
    """Who opened a session, as far as policy looks at it."""
    attributes, kind = entry.header.get("attributes"), text(entry, "principal")
    full = (entry.payload or {}).get("groups")  # a long list is cut in the header, and whole in the payload
    return Identity(
        subject=text(entry, "subject"),
        issuer=text(entry, "issuer"),
        kind=PrincipalKind(kind) if kind in set(PrincipalKind) else PrincipalKind.AGENT,
        groups=frozenset(texts(full) or texts(entry.header.get("groups"))),
        method=AuthMethod.JWT,
        credential_id="recorded",
        authenticated_unix_ns=0,
        expires_unix_ns=0,
        sponsor=text(entry, "sponsor"),
        attributes={k: v for k, v in attributes.items() if isinstance(v, str)} if isinstance(attributes, dict) else {},
    )


def _where(entry: Entry, resources: Mapping[str, Resource]) -> Resource:
    name, account = text(entry, "resource"), text(entry, "account")
    known = resources.get(name)
    return Resource(name, text(entry, "protocol"), known.labels if known else {}, account)


def text(entry: Entry, name: str) -> str:
    """A text of the header; empty where there is none."""
    value = entry.header.get(name)
    return value if isinstance(value, str) else ""


def texts(value: Value) -> tuple[str, ...]:
    """The texts of an array."""
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _bytes(entry: Entry, name: str) -> bytes:
    value = entry.header.get(name)
    return value if isinstance(value, bytes) else b""
