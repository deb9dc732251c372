"""The gate: who may come in, whom a revocation ends, and which policy is in force.

What it is: the first of the order `identify -> decide -> record -> relay -> mask -> record`
(NIST SP 800-207: the policy administrator between PEP and PDP).
A proxy drives and the gate is called; `admit` gives a `SessionGate`, and everything else is asked of that.

What it will not do: know a protocol, touch a wire, or evaluate a rule (that is `doorward_core.policy`).

Invariants:
- Nobody is told of a refusal, or of being in, before the record of it is durable; `early` leaves that to its proxy.
  Sources that failed too often are the exception: what they try goes on record together, once a second.
- One identity has no more than its share of the sessions, however many come at once.
- Whoever was revoked while being let in is let in revoked.
- No policy is in force whose text is not on record.
"""

import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog

from doorward_core import entries
from doorward_core.access.ledger import Revocation
from doorward_core.errors import (
    AdmissionRefused,
    AuthenticationError,
    RecordError,
    TooManyFailures,
    TooManySessions,
)
from doorward_core.identity.authenticate import Authenticator, Credential
from doorward_core.model import CHANGING, Effect, Identity, Peer, Resource, Session
from doorward_core.policy.decide import Policy
from doorward_core.seldom import Seldom
from doorward_core.session_gate import Premises, SessionGate
from doorward_core.terms import REVOKED_WORDS, Setting

log = structlog.get_logger()
GONE_WORDS: Final = "the client left before it was let in"
MANY_WORDS: Final = "{} has as many sessions open as one identity may ({}); close some, and try again"


@dataclass(slots=True, kw_only=True)
class Gate(Premises):
    """The gate of one gateway process."""

    origin: str
    resources: Mapping[str, Setting]
    authenticator: Authenticator
    told: Seldom = field(default_factory=Seldom)  # how often those whom nobody knows are in our own log
    kept: Seldom = field(default_factory=Seldom)  # and in the record, once they have failed too often

    async def admit(
        self, credential: Credential, resource_name: str, account: str, peer: Peer, *, early: bool = False
    ) -> SessionGate:
        """Verify who asks and open a session, or refuse it; either way the record is durable first.

        `early`: an opening may still be on its way there; nothing is said before `released(door.opened)` has returned.
        Raises AuthenticationError, AdmissionRefused or RecordError.
        Cancelled before it returns, it leaves at most a record of a session that was closed as it began.
        """
        now = self.clock()
        try:
            identity = await self.authenticator.authenticate(credential, peer)
        except AuthenticationError as error:
            await self.unknown(resource_name, peer, error)
            raise
        await self._check(resource_name, peer, identity)
        setting = self.resources.get(resource_name)
        if setting is None:
            await self._refused(resource_name, peer, identity, "no such resource")
            raise AdmissionRefused(f"no resource {resource_name[:64]!r} is granted to {identity.subject}")
        decision = self.policy.connect(identity, setting.at(account), now)
        if decision.effect is not Effect.PERMIT:
            await self._refused(resource_name, peer, identity, f"policy: {decision.reason}")
            raise AdmissionRefused(decision.advice or f"no rule grants {identity.subject} anything on {resource_name}")
        if setting.lacks(account):
            await self._refused(resource_name, peer, identity, "no such account")
            raise AdmissionRefused(f"there is no account {account[:64]!a} on {resource_name}")
        if not self.shares.take(identity):
            await self._refused(resource_name, peer, identity, "as many sessions of this identity as there may be")
            raise TooManySessions(MANY_WORDS.format(identity.subject, self.shares.each))
        door = await self._opened(identity, setting, account, peer, now, early=early)
        self.sessions[door.session.id] = door
        if (one := self.ledger.refusing(identity)) is not None:  # meanwhile: whoever revoked it did not see it yet
            door.revoke(one)
        return door

    async def unknown(self, resource: str, peer: Peer, error: AuthenticationError) -> None:
        """Put on record that somebody could not say who he is; the client learns nothing but that it failed.

        One source is on record as often as it may fail: behind that comes one entry a second, which counts the others,
        for whoever needs no credential must not be able to fill the disk.
        """
        now, reason = self.clock(), str(error)
        untold = self.told.left_out(now)
        if untold is not None:  # for the operator, who looks at our own log first
            log.warning("login.failed", resource=resource[:64], peer=peer.address, problem=reason, left_out=untold)
        unkept = self.kept.left_out(now) if isinstance(error, TooManyFailures) else 0
        if unkept is not None:
            await self._refused(resource, peer, None, reason, unkept)

    def account_of(self, identity: Identity, setting: Setting, account: str) -> tuple[Resource, bool]:
        """The resource as the account that a session of somebody's uses there, and whether it is told to be read only.

        Posture is fixed at login: if no rule could permit or hold a write, the target itself is told to refuse them.
        """
        read_only = not self.policy.could(identity, setting.at(account), CHANGING)
        return setting.at(account, read_only=read_only), read_only

    def meant(self, one: Revocation) -> tuple[SessionGate, ...]:
        """The live sessions that a revocation ends."""
        return tuple(door for door in self.sessions.values() if one.ends(door.session))

    def reload(self, policy: Policy, now_unix_ns: int) -> None:
        """Put another policy in force for every decision from here on; sessions stay.

        RecordError: its text could not be recorded, and the old one stays in force.
        """
        self.log.append(entries.policy_loaded(policy.digest, policy.texts), now_unix_ns)
        self.policy = policy

    async def _check(self, resource: str, peer: Peer, identity: Identity) -> None:
        one = self.ledger.refusing(identity)
        if one is not None:
            await self._refused(resource, peer, identity, f"revoked: {one.what} ({one.id})")
            raise AdmissionRefused(REVOKED_WORDS)

    async def _refused(
        self, resource: str, peer: Peer, identity: Identity | None, reason: str, left_out: int = 0
    ) -> None:
        event = entries.session_refused(resource, peer, identity, reason, left_out)
        await self.log.durable(self.log.append(event, self.clock()))

    async def _opened(
        self, identity: Identity, setting: Setting, account: str, peer: Peer, now: int, *, early: bool
    ) -> SessionGate:
        """A door whose opening is on record, or on its way there; else the place that was taken is given back."""
        door: SessionGate | None = None
        try:
            door = self._open(identity, setting, account, peer, now)
            self.log.soon(door.opened)
            if not early:
                await self.log.durable(door.opened)
        except BaseException:
            self.shares.give(identity)
            if door is not None:
                with suppress(RecordError):
                    door.close(GONE_WORDS)
            raise
        return door

    def _open(self, identity: Identity, setting: Setting, account: str, peer: Peer, now: int) -> SessionGate:
        (at, read_only), name = self.account_of(identity, setting, account), secrets.token_bytes(16)
        session = Session(name, identity, at, at.account, peer, self.origin, now, self.policy.digest)
        observe = self.policy.observes(at, now)
        door = SessionGate(self, session, read_only=read_only, observe=observe)
        opened = entries.session_opened(session, read_only=read_only, observe=observe, facts={})
        door.opened = self.log.append(opened, now)
        return door
