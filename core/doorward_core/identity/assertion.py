"""Who asks, said to a target: a short-lived JWT that the gateway signs, and the key to check it with.

What it is: `Assertion`, one signing key's claims and its JWKS.
What it will not do: keep a key (it is given one), or say anything that the identity provider did not.

Implements: RFC 7519 (JWT), RFC 8693 section 4.1 (`act`), RFC 8037 (EdDSA), RFC 7517 (JWKS), RFC 7638 (thumbprint).
Invariants: pure; an assertion is for one target (`aud`), names its end, and never outlives the credential it is about.
"""

import base64
import hashlib
import json
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from doorward_core.model import Session

TYPE: Final = "doorward-identity+jwt"
LIFE_S: Final = 300  # long enough for a slow target with a clock that is off, too short to be worth stealing
NS_PER_S: Final = 1_000_000_000


class Assertion:
    """Signs with one Ed25519 key, made of 32 secret bytes, in the name of one gateway."""

    def __init__(self, seed: bytes, issuer: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._issuer = issuer
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        thumbprint = hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest()
        self.kid = base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode()
        self._jwk = {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "use": "sig", "alg": "EdDSA"}

    def jwks(self) -> bytes:
        """The key set to publish."""
        return json.dumps({"keys": [self._jwk]}, sort_keys=True).encode()

    def sign(self, session: Session, audience: str, identifier: str, now_unix_ns: int) -> tuple[bytes, int]:
        """A token about the principal of a session, and when (Unix ns) it is to be made anew."""
        identity = session.identity
        now_s = now_unix_ns // NS_PER_S
        end_s = min(now_s + LIFE_S, identity.expires_unix_ns // NS_PER_S)
        claims: dict[str, object] = {
            "iss": self._issuer,
            "aud": audience,
            "sub": identity.subject,
            "sub_iss": identity.issuer,
            "kind": str(identity.kind),
            "groups": sorted(identity.groups),
            "sid": session.id.hex(),
            "jti": identifier,
            "iat": now_s,
            "exp": end_s,
        }
        if identity.sponsor:
            claims["sponsor"] = identity.sponsor
        act: dict[str, object] = {}
        for actor in reversed(identity.actor_chain):
            act = {"sub": actor.subject, "iss": actor.issuer, **({"act": act} if act else {})}
        if act:
            claims["act"] = act
        token = jwt.encode(claims, self._key, algorithm="EdDSA", headers={"typ": TYPE, "kid": self.kid})
        return token.encode("ascii"), (now_s + (end_s - now_s) // 2) * NS_PER_S
