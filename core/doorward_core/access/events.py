"""What is written into the event log (docs/spec/event-log.md) of revocations and of break-glass access.

It is pure, and writes nothing itself. The header names who, whom and which; reasons and words are payload.
"""

from doorward_core.access.ledger import Opening, Review, Revocation
from doorward_core.entries import who
from doorward_core.event import Event, EventKind, Value
from doorward_core.model import Identity, Peer

STANDING = "standing"
"""What is revoked where standing access is: `what`, beside those of `ledger.What`."""


def revoked(one: Revocation, operator: Identity, peer: Peer, sessions: int) -> Event:
    """Something was revoked; the sessions that it ends end after this is on record."""
    header = {**_by(operator, peer), **_about(one.id, one.what.value, one.value), "sessions": sessions}
    return Event(EventKind.ACCESS_REVOKED, header, {"reason": one.reason})


def restored(one: Revocation, operator: Identity, peer: Peer, reason: str) -> Event:
    """A revocation was lifted."""
    header = {**_by(operator, peer), **_about(one.id, one.what.value, one.value)}
    return Event(EventKind.ACCESS_RESTORED, header, {"reason": reason})


def standing_revoked(request_id: str, by: Identity, peer: Peer, reason: str) -> Event:
    """Standing access was taken back, by an operator or by somebody whose it is to."""
    header = {**_by(by, peer), **_about("", STANDING, request_id), "sessions": 0, "request": request_id}
    return Event(EventKind.ACCESS_REVOKED, header, {"reason": reason})


def opened(one: Opening, identity: Identity, peer: Peer) -> Event:
    """Somebody broke the glass."""
    header: dict[str, Value] = {
        **who(identity),
        "request": one.id,
        "resource": one.resource,
        "expires_unix_ns": one.until_unix_ns,
        "credential": identity.credential_id,
        "peer": peer.address,
    }
    return Event(EventKind.BREAK_GLASS_OPENED, header, {"reason": one.reason, "display": identity.display})


def reviewed(one: Opening, review: Review, reviewer: Identity, peer: Peer) -> Event:
    """Somebody else signed what was done under broken glass."""
    header: dict[str, Value] = {
        "request": one.id,
        "resource": one.resource,
        "subject": one.subject,
        "issuer": one.issuer,
        "reviewer": reviewer.subject,
        "reviewer_issuer": reviewer.issuer,
        "reviewer_credential": reviewer.credential_id,
        "peer": peer.address,
    }
    return Event(EventKind.BREAK_GLASS_REVIEWED, header, {"words": review.words})


def _by(operator: Identity, peer: Peer) -> dict[str, Value]:
    return {
        "operator": operator.subject,
        "operator_issuer": operator.issuer,
        "operator_credential": operator.credential_id,
        "peer": peer.address,
    }


def _about(name: str, what: str, value: str) -> dict[str, Value]:
    return {"revocation": name, "what": what, "value": value}
