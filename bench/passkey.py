"""A passkey in software: signs the statement of a vote as a browser's authenticator does (WebAuthn section 6.3.3).

It verifies nobody and keeps its key in memory: for measuring what a gateway does with what it makes, and for no more.
"""

import hashlib
import json
import os
import struct
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256

from doorward_core.approvals.passkeys import Passkey
from doorward_core.approvals.webauthn import base64url

PRESENT_AND_VERIFIED = 0x05


class SoftPasskey:
    """One ES256 passkey of one person for one site."""

    def __init__(self, rp_id: str, origin: str) -> None:
        self._rp_hash = hashlib.sha256(rp_id.encode()).digest()
        self._origin = origin
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._count = 0
        self.credential = os.urandom(32)

    def line(self, subject: str, issuer: str) -> str:
        """The line of the gateway's file that makes it count."""
        key = cbor.encode(dict(ES256.from_cryptography_key(self._key.public_key())))  # type: ignore[no-untyped-call]  # fido2's
        return Passkey(subject, issuer, self.credential, key, "bench").line + "\n"

    def proof(self, drafted: dict[str, Any]) -> dict[str, object]:
        """The proof of a vote, out of the gateway's answer to what it would have to sign."""
        self._count += 1
        challenge = str(drafted["challenge"])
        client = {"type": "webauthn.get", "challenge": challenge, "origin": self._origin, "crossOrigin": False}
        client_data = json.dumps(client).encode()
        data = self._rp_hash + struct.pack(">BI", PRESENT_AND_VERIFIED, self._count)
        signature = self._key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        return {
            "kind": "webauthn",
            "credential": base64url(self.credential),
            "authenticator_data": base64url(data),
            "client_data": base64url(client_data),
            "signature": base64url(signature),
            "cast_unix_ns": drafted["cast_unix_ns"],
        }
