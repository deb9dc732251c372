"""An authenticator in software: makes passkeys and assertions as a browser hands them over (WebAuthn section 5.1).

It signs with real keys and verifies nothing; what it makes goes to the real verifier.
"""

import base64
import hashlib
import json
import os
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from fido2 import cbor
from fido2.cose import ES256, RS256, EdDSA

from doorward_core.approvals.passkeys import Passkey, enrolment
from doorward_core.approvals.webauthn import Assertion, base64url

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


class Authenticator:
    """One passkey, for one site."""

    def __init__(self, rp_id="desk.example", origin="https://desk.example", kind="ES256", bits=2048) -> None:
        self.rp_id, self.origin, self.counter = rp_id, origin, 0
        self.credential = os.urandom(32)
        self.kind = kind
        if kind == "ES256":
            self.private = ec.generate_private_key(ec.SECP256R1())
            made = ES256
        elif kind == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
            made = EdDSA
        else:
            self.private = rsa.generate_private_key(65537, bits)
            made = RS256
        self.key = cbor.encode(dict(made.from_cryptography_key(self.private.public_key())))

    def passkey(self, subject="dora", issuer="https://id.example", label="phone") -> Passkey:
        return Passkey(subject, issuer, self.credential, self.key, label)

    def sign(self, data: bytes) -> bytes:
        if self.kind == "ES256":
            return self.private.sign(data, ec.ECDSA(hashes.SHA256()))
        if self.kind == "EdDSA":
            return self.private.sign(data)
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def client_data(self, over: bytes, kind: str, /, **changes) -> bytes:
        made = {"type": kind, "challenge": base64url(over), "origin": self.origin, "crossOrigin": False, **changes}
        return json.dumps(made).encode()

    def assertion(self, over: bytes, /, *, flags=PRESENT | VERIFIED, more=b"", count=True, **changes) -> Assertion:
        """Assert over a challenge; `changes` are to the client data, `more` is behind the authenticator data."""
        if count:
            self.counter += 1
        rp_hash = hashlib.sha256(self.rp_id.encode()).digest()
        data = rp_hash + struct.pack(">BI", flags, self.counter) + more
        client = self.client_data(over, "webauthn.get", **changes)
        return Assertion(self.credential, data, client, self.sign(data + hashlib.sha256(client).digest()))

    def over(self, statement: bytes, **changes) -> Assertion:
        return self.assertion(hashlib.sha256(statement).digest(), **changes)

    def enrol(self, subject="dora", issuer="https://id.example", label="phone", flags=PRESENT | VERIFIED | ATTESTED):
        """What the desk's page hands over: a registration, and an assertion by the new key."""
        challenge = hashlib.sha256(enrolment(subject, issuer, label)).digest()
        attested = bytes(16) + struct.pack(">H", len(self.credential)) + self.credential + self.key
        data = hashlib.sha256(self.rp_id.encode()).digest() + struct.pack(">BI", flags, 0) + attested
        made = cbor.encode({"fmt": "none", "authData": data, "attStmt": {}})
        used = self.assertion(challenge)
        create = self.client_data(challenge, "webauthn.create")
        registration = {"clientDataJSON": base64url(create), "attestationObject": base64url(made)}
        assertion = {
            "clientDataJSON": base64url(used.client_data),
            "authenticatorData": base64url(used.authenticator_data),
            "signature": base64url(used.signature),
        }
        name = base64url(self.credential)
        return {
            "subject": subject,
            "issuer": issuer,
            "label": label,
            "registration": {"id": name, "rawId": name, "type": "public-key", "response": registration},
            "assertion": {"id": name, "rawId": name, "type": "public-key", "response": assertion},
        }

    def proof(self, answer: dict, **changes) -> dict:
        """The proof of a vote, out of the answer of POST /v1/approvals/{id}/statement."""
        challenge = answer["challenge"]
        made = self.assertion(base64.urlsafe_b64decode(challenge + "=" * (-len(challenge) % 4)), **changes)
        return {
            "kind": "webauthn",
            "credential": base64url(made.credential),
            "authenticator_data": base64url(made.authenticator_data),
            "client_data": base64url(made.client_data),
            "signature": base64url(made.signature),
            "cast_unix_ns": answer["cast_unix_ns"],
        }
