"""Who is asking: a credential and a peer in, an Identity or AuthenticationError out.

What it is: the one entrance to this room. It finds the issuer's settings and keys, has the token checked,
and applies what needs memory: the failure limit and the replay policy.
What it will not do: tell a client why it failed. Proxies answer every AuthenticationError with `CLIENT_MESSAGE`,
word for word, in their protocol's own form.

Invariants: the token lives in a Secret and in frames that end here, so that no error, log line, or crash dump
with local variables shows it; a token's own claims choose among configured issuers and never add one.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from doorward_core.errors import AuthenticationError, TooManyFailures
from doorward_core.identity.claims import required_text
from doorward_core.identity.jose import parse_compact
from doorward_core.identity.jwks import KeyCache, KeysUnavailable
from doorward_core.identity.limiter import FailureLimiter, fingerprint, source
from doorward_core.identity.replay import ReplayMemory
from doorward_core.identity.ssh_certificate import verify as verify_certificate
from doorward_core.identity.token import IssuerSettings, verify_jws
from doorward_core.identity.verified import Verified, VerifiedTokens
from doorward_core.model import Identity, Peer, Secret

CLIENT_MESSAGE: Final = "authentication failed"


@dataclass(frozen=True, slots=True)
class BearerToken:
    """An access token, from wherever the protocol carries it (a password message, an Authorization header)."""

    token: Secret

    @property
    def text(self) -> str:
        """What the failure limit knows it by."""
        return self.token.reveal()


@dataclass(frozen=True, slots=True)
class SshCertificate:
    """An SSH certificate, and the principal that its holder logs in as (`account@resource`).

    `blob` are the very bytes that the client sent.
    Whoever makes one has checked the signature with which the client proved that it holds the key.
    """

    blob: bytes
    principal: str

    @property
    def text(self) -> str:
        """What the failure limit knows it by."""
        return f"{self.principal} {self.blob.hex()}"


Credential: TypeAlias = BearerToken | SshCertificate


class Authenticator:
    """Checks credentials against the configured issuers. `clock` gives nanoseconds since the epoch.

    `authorities` sign the SSH certificates that are believed; without any, none is.
    """

    __slots__ = ("_authorities", "_clock", "_issuers", "_keys", "_limiter", "_seen", "_verified")

    def __init__(
        self,
        issuers: tuple[IssuerSettings, ...],
        *,
        clock: Callable[[], int],
        keys: KeyCache | None = None,
        authorities: Collection[Ed25519PublicKey] = (),
    ) -> None:
        by_name: Mapping[str, IssuerSettings] = {settings.issuer: settings for settings in issuers}
        if len(by_name) != len(issuers):
            raise ValueError("an issuer is configured twice")
        self._issuers = by_name
        self._clock = clock
        self._authorities = tuple(authorities)
        self._keys = keys or KeyCache()
        self._limiter = FailureLimiter()
        self._seen = ReplayMemory()
        self._verified = VerifiedTokens()

    async def authenticate(self, credential: Credential, peer: Peer) -> Identity:
        """Give the verified identity. Raises AuthenticationError with a message for our own log.

        What is raised is made here anew: it carries no frame and no context in which the token is a variable.
        Cancellation leaves nothing behind but a count.
        """
        if not self._limiter.admit(peer.address, credential.text, self._clock()):
            raise TooManyFailures("too many failures from this source")
        try:
            identity = await self._verify(credential, peer)
        except AuthenticationError as error:
            kind, problem = type(error), str(error)
        else:
            self._limiter.succeeded(credential.text)
            return identity
        if kind is not KeysUnavailable:
            self._limiter.failed(peer.address, credential.text, self._clock())
        raise kind(problem)

    def believes(self, credential: SshCertificate, peer: Peer) -> bool:
        """Tell whether a certificate would be taken from whoever proves to hold its key: the answer to a probe.

        It counts nothing and remembers nothing: an ssh-agent offers every key that it holds.
        """
        try:
            self._verify_certificate(credential, peer)
        except AuthenticationError:
            return False
        return True

    async def _verify(self, credential: Credential, peer: Peer) -> Identity:
        if isinstance(credential, SshCertificate):
            return self._verify_certificate(credential, peer)
        return await self._verify_token(credential.token, peer)

    def _verify_certificate(self, credential: SshCertificate, peer: Peer) -> Identity:
        identity = verify_certificate(
            credential.blob,
            self._authorities,
            principal=credential.principal,
            address=peer.address,
            now_unix_ns=self._clock(),
        )
        if identity.issuer not in self._issuers:
            raise AuthenticationError("certificate: its issuer is no longer configured")
        return identity

    async def _verify_token(self, token: Secret, peer: Peer) -> Identity:
        digest = fingerprint(token.reveal())
        verified = await self._again(digest) or await self._anew(token, digest)
        now_unix_ns, replay = self._clock(), verified.settings.replay
        if problem := self._seen.problem(verified.identity, replay, source(peer.address), now_unix_ns):
            raise AuthenticationError(problem)
        return verified.identity

    async def _again(self, digest: bytes) -> Verified | None:
        """What this token proved before, where it would prove the same now."""
        known = self._verified.get(digest)
        if known is None:
            return None
        keys = await self._keys.get(known.settings, known.kid, self._clock())
        if known.holds(keys, self._clock()):
            return known
        self._verified.forget(digest)
        return None

    async def _anew(self, token: Secret, digest: bytes) -> Verified:
        jws = parse_compact(token.reveal())
        issuer = required_text(jws.claims, "iss")
        settings = self._issuers.get(issuer)
        if settings is None:
            raise AuthenticationError(f"token: its issuer is not configured: {issuer!a}")
        keys = await self._keys.get(settings, jws.kid, self._clock())
        identity = verify_jws(jws, keys, settings, self._clock())
        key = keys.find(jws.kid)
        assert key is not None  # its signature has just held under it
        verified = Verified(identity, settings, jws.kid, key)
        self._verified.keep(digest, verified)
        return verified
