"""The nouns, on one page.

Every room of Doorward speaks in these types and in no others.
They are frozen and slotted, they know no protocol, and they do nothing.
Times are integer nanoseconds since the Unix epoch, UTC, with the unit in the name.
The words are the standards': principal, resource, action, obligation, advice (XACML 3.0),
PEP and PDP (NIST SP 800-207).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from doorward_core.secret import Secret as Secret  # noqa: PLC0414 - a noun too, with a page of its own


def _empty() -> Mapping[str, str]:
    """Give an immutable empty mapping, for the fields that have nothing to say."""
    return MappingProxyType({})


def _no_facts() -> Mapping[str, tuple[str, ...]]:
    """Give an immutable empty mapping of facts."""
    return MappingProxyType({})


# --- who -------------------------------------------------------------------------------------------------------------


class PrincipalKind(StrEnum):
    """Whether a person or a machine is asking."""

    AGENT = "agent"
    HUMAN = "human"


class AuthMethod(StrEnum):
    """How the identity was proved."""

    JWT = "jwt"
    SAML = "saml"
    X509 = "x509"
    SSH_CERTIFICATE = "ssh-certificate"


@dataclass(frozen=True, slots=True)
class Actor:
    """One link of an RFC 8693 `act` chain: a party on whose behalf, or by whom, the principal acts."""

    subject: str
    issuer: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking, as verified.

    `subject` is unique within `issuer`; both together are the principal.
    `sponsor` is the human that answers for an agent; empty where the credential names none.
    `display` is for people's eyes and is never matched on.
    `credential_id` is a `jti`, a serial or a digest, never the credential, and `authenticated_unix_ns` its last check.
    `logged_in_unix_ns` is when its issuer says that they logged in, or else made the credential; 0 where it is silent.
    """

    subject: str
    issuer: str
    kind: PrincipalKind
    groups: frozenset[str]
    method: AuthMethod
    credential_id: str
    authenticated_unix_ns: int
    expires_unix_ns: int
    actor_chain: tuple[Actor, ...] = ()
    sponsor: str = ""
    display: str = ""
    attributes: Mapping[str, str] = field(default_factory=_empty)
    logged_in_unix_ns: int = 0


# --- what is protected -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Resource:
    """A target as the operator named it. `protocol` is an open string.

    `account` is the login used there, in a session or where one is asked about; else empty.
    """

    name: str
    protocol: str
    labels: Mapping[str, str] = field(default_factory=_empty)
    account: str = ""


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a connection comes from: address, port (0 for a Unix socket), and what the client calls itself."""

    address: str
    port: int = 0
    software: str = ""
    encrypted: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """One admitted connection. `id` is 16 random bytes; `account` is the login used at the target."""

    id: bytes
    identity: Identity
    resource: Resource
    account: str
    peer: Peer
    origin: str
    opened_unix_ns: int
    policy_digest: bytes


# --- what is asked ---------------------------------------------------------------------------------------------------


class Action(StrEnum):
    """What an operation does to a target: a closed set, whatever the protocol."""

    CONNECT = "connect"
    SESSION = "session"
    READ = "read"
    PROBE = "probe"
    WRITE = "write"
    DEFINE = "define"
    ADMIN = "admin"
    EXECUTE = "execute"
    TRANSFER = "transfer"
    FORWARD = "forward"
    UNKNOWN = "unknown"


CHANGING = frozenset(
    {Action.WRITE, Action.DEFINE, Action.ADMIN, Action.EXECUTE, Action.TRANSFER, Action.FORWARD, Action.UNKNOWN}
)


@dataclass(frozen=True, slots=True)
class Target:
    """What an atom touches.

    `kind` is the target's own word (`relation`, `function`, `setting`, `role`, `channel`, `path`).
    `name` is canonical: resolved, unaliased, in the target's own folding (`public.customer`).
    `columns` narrows a relation; empty means all of it.
    `detail` qualifies a probe (`equality`, `other`) and is empty elsewhere.
    """

    kind: str
    name: str
    columns: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Atom:
    """One (action, target) pair: the unit that policy decides."""

    action: Action
    target: Target


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing asked.

    `text` is what a person reads, bounded; `text_truncated` says that there was more.
    `parameters` are bound values as text for a person, None for NULL, bounded likewise.
    `digest` is SHA-256 over everything that changes meaning (text, parameters, account, role, search_path, database).
    `complete` is False where it could not be read whole; policy then sees `unknown` besides the atoms.
    `pure` is True only where every atom is proved free of side effects (section "Durability" of ARCHITECTURE.md).
    `unseen` names input that will stream in afterwards and is not decided on (`copy-data`, `stdin`).
    `facts` are values that policy asked for (`query.limit`); one that is missing is not known, an empty one is absent.
    `retry`: clients give up before people decide; where its rule does not say, one identical retry is let through.
    `stoppable` says that the proxy itself ends it, or what it opens, at a `Limit` of bytes, rows and seconds.
    """

    id: bytes
    seq: int
    action: Action
    verb: str
    atoms: tuple[Atom, ...]
    text: str
    digest: bytes
    complete: bool = True
    pure: bool = False
    text_truncated: bool = False
    parameters: tuple[str | None, ...] = ()
    unseen: tuple[str, ...] = ()
    in_transaction: bool = False
    attributes: Mapping[str, str] = field(default_factory=_empty)
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=_no_facts)
    retry: bool = False
    stoppable: bool = False

    @property
    def changes(self) -> bool:
        """Tell whether it may change something at the target: nothing proves that it only reads."""
        return not self.complete or any(atom.action in CHANGING for atom in self.atoms)


# --- what was decided ------------------------------------------------------------------------------------------------


class Effect(StrEnum):
    """What the decision point says."""

    PERMIT = "permit"
    DENY = "deny"
    HOLD = "hold"


class ReasonCode(StrEnum):
    """Why, as a closed set; the operator's words are in `advice`."""

    RULE = "rule"
    NO_RULE = "no-rule"
    INDETERMINATE = "indeterminate"
    OBLIGATION_UNSUPPORTED = "obligation-unsupported"
    EXPIRED = "expired"
    REJECTED = "rejected"
    TIMED_OUT = "timed-out"
    HELD = "held"
    WITHDRAWN = "withdrawn"
    CHANGED = "changed"
    LIMIT = "limit"
    REVOKED = "revoked"
    OBSERVED = "observed"
    UNAVAILABLE = "unavailable"


class RecordLevel(StrEnum):
    """How much of an operation the log keeps, least first."""

    DECISION = "decision"
    SHAPE = "shape"
    PAYLOAD = "payload"


class Transform(StrEnum):
    """What becomes of a masked value."""

    REDACT = "redact"
    PARTIAL = "partial"
    HASH = "hash"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class Mask:
    """Obligation: hide these values before they leave.

    `columns` are glob patterns over `schema.table.column`, and JSON paths, which begin with `$`;
    `detect` names content detectors.
    """

    rule: str
    columns: tuple[str, ...]
    detect: tuple[str, ...]
    transform: Transform
    label: str
    strict: bool = False


@dataclass(frozen=True, slots=True)
class MaskInput:
    """Obligation: hide these values in what the client sends, before the target sees them."""

    mask: Mask


@dataclass(frozen=True, slots=True)
class Approve:
    """Obligation: wait for people.

    `rule` and `rule_hash` (SHA-256 of the rule's canonical content) tie a grant to the rule that asked for it.
    `in_transaction_s` bounds a hold inside an open transaction; `grant_s` is how long an unused grant lives.
    `retry` is None where the rule leaves it to the protocol.
    `proof` names the kinds of proof that count, joined by ` or `: `token` is the least, and every other is one too.
    `fresh_s` is how long ago an approver may have logged in; 0 where that is all the same.
    `standing_s` is the longest for which standing access past this hold may be asked; 0 where it may not be.
    """

    rule: str
    rule_hash: bytes
    groups: frozenset[str]
    quorum: int
    within_s: int
    grant_s: int
    in_transaction_s: int
    retry: bool | None = None
    proof: str = "token"
    standing_s: int = 0
    fresh_s: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """Obligation: keep at least this much."""

    level: RecordLevel


@dataclass(frozen=True, slots=True)
class Limit:
    """Obligation: stop after this much; None means no limit."""

    rows: int | None = None
    bytes: int | None = None
    seconds: int | None = None


Obligation: TypeAlias = Mask | MaskInput | Approve | Record | Limit


@dataclass(frozen=True, slots=True)
class Match:
    """One rule that matched one atom."""

    rule: str
    rule_hash: bytes
    effect: Effect
    atom: Atom


@dataclass(frozen=True, slots=True)
class Decision:
    """What the decision point said, with every rule that matched.

    `observed` is what would have been decided, where `mode: observe` turned it into a permit.
    `advice` is for the client to read; `blamed` are the atoms that made it a denial or a hold.
    """

    effect: Effect
    reason: ReasonCode
    advice: str
    policy_digest: bytes
    obligations: tuple[Obligation, ...] = ()
    matches: tuple[Match, ...] = ()
    blamed: tuple[Atom, ...] = ()
    observed: Effect | None = None

    @property
    def approvals(self) -> tuple[Approve, ...]:
        """The holds that must all be satisfied."""
        return tuple(item for item in self.obligations if isinstance(item, Approve))


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to go on. Only `doorward_core.session_gate` makes one; only a Permit opens an upstream's `send`.

    `entry` is the index of its record in the log; `early` allows sending before that record is durable.
    """

    operation: Operation
    decision: Decision
    entry: int
    not_after_unix_ns: int
    early: bool = False


@dataclass(frozen=True, slots=True)
class Denial:
    """A refusal.

    `request_id` names the approval request where there was one; `retry` says whether trying again helps.
    """

    operation: Operation
    reason: ReasonCode
    advice: str
    entry: int
    request_id: str = ""
    retry: bool = False
    blamed: tuple[Atom, ...] = ()
