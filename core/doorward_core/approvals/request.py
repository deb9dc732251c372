"""What waits for people: an approval request, the rules that hold it, and the votes cast on it.

This module holds nouns and the rules that need no waiting: how a request is named, what it is bound to, how it is
written down canonically.
It does not decide who may vote (`votes`), keeps nothing (`store`) and waits for nobody (`desk`).
It is pure: random bytes, keys and the time come in as arguments.

Invariants:

- A request never changes once it is made; an edited statement is a new request (threat model AP-07).
- `binding` covers everything that gives the operation its meaning and its maker: principal, actor chain, sponsor,
  resource, account and the operation's own digest. A grant fits nothing else (AP-02, AP-03).
- The binding is an HMAC under a key of the gateway, and stays in the store: it is on no card and in no log, so that
  it cannot be used to guess at content that was erased.
- `content_digest` covers everything that a card shows, and anyone who can read the card can compute it.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from doorward_core.model import Actor, Approve, Atom, Operation, PrincipalKind, Session

ID_PREFIX = "ap-"
ID_LENGTH = 12
"""Characters after the prefix, five bits each: 60 bits, which nobody finds by guessing, and which can be typed."""
ID_RANDOM_BYTES = 8
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o or u, so that nothing is misread."""
_LOOKALIKES = str.maketrans({"i": "1", "l": "1", "o": "0"})

NS_PER_S = 1_000_000_000


class RequestState(StrEnum):
    """Where a request stands. Only PENDING and GRANTED can change."""

    PENDING = "pending"
    GRANTED = "granted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    USED = "used"


class Verdict(StrEnum):
    """What an approver says."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class HeldRule:
    """One rule that must be satisfied: `quorum` distinct approvers, each in one of `groups`, each with `proof`.

    `rule_hash` is the SHA-256 of the rule's canonical content: a changed rule is another rule.
    `proof` names the kinds that count, joined by ` or `.
    `fresh_s` is how long ago an approver may have logged in; 0 for as long as their token is good.
    """

    rule: str
    rule_hash: bytes
    groups: frozenset[str]
    quorum: int
    proof: str = "token"
    fresh_s: int = 0


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """One operation that waits for people, with everything that an approver is shown.

    `digest` is the binding (see above) and is not shown.
    `attributes` are the requester's (crew, task); `context` is the operation's (role, search_path, database).
    `expires_unix_ns` ends the waiting; a grant then lives `grant_s` seconds from the moment it was given.
    `retry` leaves the undecided request open when its requester hangs up, and lets approvers allow an identical retry.
    `standing` is a request of no operation but for standing access (`standing`), which lasts `grant_s`.
    """

    id: str
    origin: str
    digest: bytes
    session_id: bytes
    operation_id: bytes
    subject: str
    issuer: str
    sponsor: str
    kind: PrincipalKind
    display: str
    attributes: Mapping[str, str]
    resource: str
    account: str
    verb: str
    text: str
    text_truncated: bool
    parameters: tuple[str | None, ...]
    atoms: tuple[Atom, ...]
    unseen: tuple[str, ...]
    rules: tuple[HeldRule, ...]
    reason: str
    opened_unix_ns: int
    expires_unix_ns: int
    grant_s: int
    retry: bool = False
    actor_chain: tuple[Actor, ...] = ()
    context: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    standing: bool = False

    @property
    def granted_rules(self) -> frozenset[tuple[str, bytes]]:
        """What a grant of this request satisfies, in the form that policy compares."""
        return frozenset((rule.rule, rule.rule_hash) for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Vote:
    """One verdict of one person, with its proof.

    `proof_kind` is `token` (the approver's own token was presented to the gateway: the weakest), or how it was signed:
    `sshsig` or `webauthn`.
    `proof` is the signature's armour, the assertion in JSON, or a digest of the token's id; never the token.
    `statement` is the exact text that the vote stands for, and that a signature covers.
    `cast_unix_ns` is the gateway's own time, `logged_in_unix_ns` when the approver had logged in (0: not known).
    `retry` is an approver's choice where the rule leaves one: False for the one that waits alone, True for an identical
    retry too. It is None where there was nothing to choose, and on what was kept before there was a choice.
    """

    request_id: str
    approver_subject: str
    approver_issuer: str
    approver_groups: frozenset[str]
    approver_kind: PrincipalKind
    verdict: Verdict
    reason: str
    cast_unix_ns: int
    proof_kind: str
    proof: bytes
    statement: bytes
    approver_display: str = ""
    approver_chain: tuple[Actor, ...] = ()
    logged_in_unix_ns: int = 0
    retry: bool | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A request as it stands: its state, since when, how long a grant is good for (0 where none), and its votes."""

    request: ApprovalRequest
    state: RequestState
    changed_unix_ns: int
    granted_until_unix_ns: int = 0
    votes: tuple[Vote, ...] = ()


@dataclass(frozen=True, slots=True)
class VoteOutcome:
    """What became of a vote. `refusal` is empty if it counted; `found` is False where there is no such request."""

    state: RequestState
    refusal: str = ""
    found: bool = True


def request_id(random: bytes) -> str:
    """Name a request, from `ID_RANDOM_BYTES` random bytes: `ap-` and twelve characters."""
    if len(random) < ID_RANDOM_BYTES:
        raise ValueError("a request's id needs at least 8 random bytes")
    number = int.from_bytes(random[:ID_RANDOM_BYTES], "big")
    characters = []
    for _ in range(ID_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[digit])
    return ID_PREFIX + "".join(characters)


def canonical_id(text: str) -> str | None:
    """Read an id as a person may type it (capitals, o for 0, l for 1); None if it cannot be one."""
    typed = text.strip().lower()
    if not typed.startswith(ID_PREFIX):
        return None
    rest = typed[len(ID_PREFIX) :].translate(_LOOKALIKES)
    if len(rest) != ID_LENGTH or any(character not in ALPHABET for character in rest):
        return None
    return ID_PREFIX + rest


def binding(key: bytes, session: Session, operation: Operation) -> bytes:
    """Tie a grant to one operation of one principal: HMAC-SHA256 under the gateway's own key.

    Fields are length-prefixed (8 bytes, big endian), so that no two different lists of fields read the same.
    """
    identity = session.identity
    fields = [
        "doorward-grant/1",
        identity.issuer,
        identity.subject,
        identity.sponsor,
        str(len(identity.actor_chain)),
        *(part for actor in identity.actor_chain for part in (actor.issuer, actor.subject)),
        session.resource.name,
        session.resource.protocol,
        session.account,
        operation.verb,
        "complete" if operation.complete else "incomplete",
        *operation.unseen,
    ]
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for raw in (*(text.encode("utf-8", "surrogatepass") for text in fields), operation.digest):
        mac.update(len(raw).to_bytes(8, "big"))
        mac.update(raw)
    return mac.digest()


def held_rules(holds: Iterable[Approve]) -> tuple[HeldRule, ...]:
    """The rules that a decision's approvals ask to be satisfied, each once, in a stable order."""
    unique = {
        (hold.rule, hold.rule_hash): HeldRule(
            hold.rule, hold.rule_hash, hold.groups, max(1, hold.quorum), hold.proof, hold.fresh_s
        )
        for hold in holds
    }
    return tuple(unique[key] for key in sorted(unique))


def request_for(
    session: Session,
    operation: Operation,
    holds: tuple[Approve, ...],
    *,
    name: str,
    digest: bytes,
    reason: str,
    now_unix_ns: int,
) -> ApprovalRequest:
    """Make the request for an operation that policy holds: the strictest bound of all the holds is the bound.

    Raises ValueError without a hold: a request that nobody's rule asked for could never be granted.
    """
    identity, expires_unix_ns = session.identity, _expires_unix_ns(session, operation, holds, now_unix_ns)
    return ApprovalRequest(
        id=name,
        origin=session.origin,
        digest=digest,
        session_id=session.id,
        operation_id=operation.id,
        subject=identity.subject,
        issuer=identity.issuer,
        sponsor=identity.sponsor,
        kind=identity.kind,
        display=identity.display,
        attributes=identity.attributes,
        resource=session.resource.name,
        account=session.account,
        verb=operation.verb,
        text=operation.text,
        text_truncated=operation.text_truncated,
        parameters=operation.parameters,
        atoms=operation.atoms,
        unseen=operation.unseen,
        rules=held_rules(holds),
        reason=reason,
        opened_unix_ns=now_unix_ns,
        expires_unix_ns=expires_unix_ns,
        grant_s=min(hold.grant_s for hold in holds),
        retry=all(operation.retry if hold.retry is None else hold.retry for hold in holds),
        actor_chain=identity.actor_chain,
        context=operation.attributes,
    )


def _expires_unix_ns(session: Session, operation: Operation, holds: tuple[Approve, ...], now_unix_ns: int) -> int:
    """How long to wait at most: an open transaction holds locks, and is kept waiting for less."""
    if not holds:
        raise ValueError("a request needs at least one rule that holds it")
    bounds_s = [hold.within_s for hold in holds]
    if operation.in_transaction:
        bounds_s += [hold.in_transaction_s for hold in holds]
    return min(now_unix_ns + min(bounds_s) * NS_PER_S, session.identity.expires_unix_ns)


def canonical_json(value: object) -> bytes:
    """Write JSON in the one form that is hashed and signed: sorted keys, no spaces, ASCII only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")
