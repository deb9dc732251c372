"""What was taken away, and what was broken open: revocations and break-glass openings, as they stand in this process.

What it is: the nouns, and the `Ledger` that says whom a revocation means and what an opening lets go on.
What it will not do: keep itself (`store`), write the record, end sessions, or decide who may (`doorward_core.gate` and
the control port do).
It is pure: time and random names come in.

Invariants:

- A revocation means whoever it names under every issuer and in every spelling; it errs towards refusing.
- `everything` refuses sessions, and nobody at the control port: somebody must be able to lift it.
- An opening is one person's own, on one resource, until its end: no agent uses it, whoever answers for that agent, and
  nobody who acts for that person (docs/adr/0016-break-glass-is-a-person-s-own.md).
- A review is owed for each opening until somebody else has signed it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from doorward_core.model import AuthMethod, Identity, PrincipalKind, Session
from doorward_core.people import fold, people


class What(StrEnum):
    """What a revocation takes away. A session's goes with the credential that opened it."""

    TOKEN = "token"  # noqa: S105 - a kind of revocation
    SUBJECT = "subject"
    SPONSOR = "sponsor"
    SESSION = "session"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Revocation:
    """One revocation, until it is lifted.

    `value` is whose or which: a credential's id, a subject, a sponsor, a session's id in hex; "" for everything.
    `credential` is that of the session, where one is meant.
    """

    id: str
    what: What
    value: str
    reason: str
    operator: str
    operator_issuer: str
    made_unix_ns: int
    credential: str = ""

    def means(self, identity: Identity) -> bool:
        """Whether it takes away what this identity came with."""
        if self.what is What.TOKEN:
            return _came_with(identity, self.value)
        if self.what is What.SESSION:
            return bool(self.credential) and identity.credential_id == self.credential
        if self.what is What.SUBJECT:
            return fold(self.value) in _names(identity)
        if self.what is What.SPONSOR:
            return bool(identity.sponsor) and fold(identity.sponsor) == fold(self.value)
        return True

    def names(self, subject: str, display: str, sponsor: str = "") -> bool:
        """Whether it takes away what somebody of these names has besides sessions; a credential has nothing else."""
        if self.what is What.SUBJECT:
            return fold(self.value) in people(subject, display)
        if self.what is What.SPONSOR:
            return bool(sponsor) and fold(sponsor) == fold(self.value)
        return self.what is What.EVERYTHING

    def ends(self, session: Session) -> bool:
        """Whether it ends this session."""
        return (self.what is What.SESSION and session.id.hex() == self.value) or self.means(session.identity)


@dataclass(frozen=True, slots=True)
class Review:
    """What somebody else said of an opening, afterwards."""

    reviewer: str
    issuer: str
    words: str
    signed_unix_ns: int


@dataclass(frozen=True, slots=True)
class Opening:
    """One person broke the glass of one resource."""

    id: str
    subject: str
    issuer: str
    display: str
    resource: str
    reason: str
    opened_unix_ns: int
    until_unix_ns: int
    review: Review | None = None

    def lets(self, identity: Identity, resource: str, now_unix_ns: int) -> bool:
        """Whether what is held for this identity on this resource may go on."""
        return (
            now_unix_ns < self.until_unix_ns
            and resource == self.resource
            and identity.kind is PrincipalKind.HUMAN
            and not identity.actor_chain
            and (identity.subject, identity.issuer) == (self.subject, self.issuer)
        )


class Ledger:
    """What is revoked and what is open now. While nothing is, asking costs one look at an empty table."""

    def __init__(self, revocations: Iterable[Revocation] = (), openings: Iterable[Opening] = ()) -> None:
        self.revocations = {one.id: one for one in revocations}
        self.openings = {one.id: one for one in openings}

    def refusing(self, identity: Identity) -> Revocation | None:
        """The revocation by which this identity has no session any more; None where there is none."""
        return next((one for one in self.revocations.values() if one.means(identity)), None)

    def barring(self, identity: Identity) -> Revocation | None:
        """The one by which it is not even heard at the control port: it is meant itself, not merely everybody."""
        some = (one for one in self.revocations.values() if one.what is not What.EVERYTHING)
        return next((one for one in some if one.means(identity)), None)

    def opening(self, identity: Identity, resource: str, now_unix_ns: int) -> Opening | None:
        """The opening by which what is held for this identity goes on; None where there is none."""
        return next((one for one in self.openings.values() if one.lets(identity, resource, now_unix_ns)), None)

    def owed(self) -> tuple[Opening, ...]:
        """The openings that nobody has reviewed yet, oldest first."""
        return tuple(one for one in self.openings.values() if one.review is None)


def may_review(opening: Opening, who: Identity) -> bool:
    """Whether somebody is another person than the one who opened, and answers for themselves."""
    mine = people(opening.subject, opening.display)
    return who.kind is PrincipalKind.HUMAN and not who.actor_chain and mine.isdisjoint(people(who.subject, who.display))


def _came_with(identity: Identity, credential: str) -> bool:
    """Its own credential, or the token that its SSH certificate was given for (`identity.ssh_identity`)."""
    if identity.credential_id == credential:
        return True
    certificate = identity.method is AuthMethod.SSH_CERTIFICATE
    return certificate and identity.credential_id.partition(":")[2] == credential


def _names(identity: Identity) -> frozenset[str]:
    return people(identity.subject, identity.display) | {fold(actor.subject) for actor in identity.actor_chain}
