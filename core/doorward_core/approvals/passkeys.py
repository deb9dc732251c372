"""Whose passkeys count: a file of the gateway's operator, one line for each, and how a new line is made.

    {"subject": "dora", "issuer": "https://id.example", "credential": "...", "key": "...", "label": "dora's phone"}

One JSON object in a line; `credential` (its id) and `key` (COSE) are base64url without padding; empty lines and lines
that begin with `#` say nothing. Why it is a file, and nothing that the desk's pages can write, is in docs/adr.
A new line comes of what a browser made (`enrol`): a registration, and an assertion by the new key over the same
challenge, so that nobody is given a key that does not work. No attestation is asked for: which make a key is of is
nobody's business, and proves nothing about who holds it.

It is pure; `doorward passkeys` and the gateway read and write the file.

Invariants:

- A credential id stands for one person only; what is not exactly a line of this form is refused, with its number.
- A passkey speaks for the subject and the issuer of its line, both, and for nobody else.
"""

import base64
import binascii
import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from fido2 import cbor

from doorward_core.approvals.webauthn import (
    MAX_CREDENTIAL_BYTES,
    TYPE_CREATE,
    Assertion,
    BadAssertion,
    RelyingParty,
    base64url,
    check_authenticator_data,
    check_client_data,
    read,
    read_key,
    verify,
)
from doorward_core.errors import ConfigError

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
MAX_PASSKEYS: Final = 10_000
MAX_LABEL_CHARACTERS: Final = 100
MAX_NAME_CHARACTERS: Final = 255
MAX_ATTESTATION_BYTES: Final = 64 * 1024
"""Of a registration: with the certificates of an attestation that nobody asked for."""
_MEMBERS: Final = ("subject", "issuer", "credential", "key", "label")
_RESPONSE: Final = frozenset({"subject", "issuer", "label", "registration", "assertion"})
_UNFIT: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Passkey:
    """One line: whose it is, the credential's id, its public key in COSE, and what its owner calls it."""

    subject: str
    issuer: str
    credential: bytes
    key: bytes
    label: str

    @property
    def line(self) -> str:
        """The line of the file, without its end."""
        texts = (self.subject, self.issuer, base64url(self.credential), base64url(self.key), self.label)
        return json.dumps(dict(zip(_MEMBERS, texts, strict=True)), ensure_ascii=True)

    @property
    def fingerprint(self) -> str:
        """Of the public key, to be read out: SHA-256, as ssh-keygen writes it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.key).digest()).rstrip(b"=").decode("ascii")


@dataclass(frozen=True, slots=True)
class Passkeys:
    """The passkeys that count, and where they may be used."""

    party: RelyingParty | None = None
    known: tuple[Passkey, ...] = ()

    def of(self, subject: str, issuer: str) -> tuple[Passkey, ...]:
        """Those of one person."""
        return tuple(item for item in self.known if (item.subject, item.issuer) == (subject, issuer))

    def verify(self, assertion: Assertion, *, subject: str, issuer: str, statement: bytes) -> tuple[Passkey, int]:
        """Verify that this person's passkey signed a statement; gives the passkey and its sign counter."""
        if self.party is None:
            raise BadAssertion("this gateway has no passkeys (`approvals.passkeys`)")
        mine = (item for item in self.of(subject, issuer) if item.credential == assertion.credential)
        found = next(mine, None)
        if found is None:
            raise BadAssertion("this passkey is not one of yours that the gateway knows")
        return found, verify(assertion, found.key, hashlib.sha256(statement).digest(), self.party)


def parse_passkeys(data: bytes, name: str) -> tuple[Passkey, ...]:
    """Read the file; ConfigError with every fault, by line."""
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError((f"{name}: larger than {MAX_FILE_BYTES} bytes",))
    found: list[Passkey] = []
    problems: list[str] = []
    seen: dict[bytes, int] = {}
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip() or line.lstrip().startswith(b"#"):
            continue
        try:
            item = _line(line)
        except (ValueError, RecursionError) as error:
            problems.append(f"{name}:{number}: {error}")
            continue
        if item.credential in seen:
            problems.append(f"{name}:{number}: the same credential as in line {seen[item.credential]}")
        seen[item.credential] = number
        found.append(item)
    if len(found) > MAX_PASSKEYS:
        problems.append(f"{name}: more than {MAX_PASSKEYS} passkeys")
    if problems:
        raise ConfigError(tuple(problems))
    return tuple(found)


def enrolment(subject: str, issuer: str, label: str) -> bytes:
    """What both halves of an enrolment are made over; the challenge is its SHA-256."""
    lines = (
        "doorward-passkey 1",
        f"subject: {json.dumps(subject)}",
        f"issuer: {json.dumps(issuer)}",
        f"label: {json.dumps(label)}",
    )
    return ("\n".join(lines) + "\n").encode("ascii")


def enrol(document: object, party: RelyingParty, *, subject: str = "", issuer: str = "") -> Passkey:
    """Make a passkey of what a browser made: `registration` and `assertion` as `PublicKeyCredential.toJSON` has them.

    `subject` and `issuer`, where given, are whose it must be. ValueError (BadAssertion among them) says what is wrong.
    """
    if not isinstance(document, dict) or set(document) != _RESPONSE:
        raise ValueError(f"a response has {', '.join(sorted(_RESPONSE))}, and nothing else")
    who, where, label = (_name(document, member) for member in ("subject", "issuer", "label"))
    if subject not in ("", who) or issuer not in ("", where):
        raise ValueError(f"the response is of {who} ({where}), not of whom you say")
    challenge = hashlib.sha256(enrolment(who, where, label)).digest()
    made, used = _response(document["registration"]), _response(document["assertion"])
    check_client_data(_member(made, "clientDataJSON"), TYPE_CREATE, challenge, party)
    credential, key = _attested(_member(made, "attestationObject"), party)
    passkey = Passkey(who, where, credential, key, label)
    if _base64url(str(_object(document["assertion"]).get("rawId", ""))) != credential:
        raise BadAssertion("the two halves are of different passkeys")
    signed = Assertion(
        credential, _member(used, "authenticatorData"), _member(used, "clientDataJSON"), _member(used, "signature")
    )
    verify(signed, key, challenge, party)
    return passkey


def add_line(data: bytes, passkey: Passkey, name: str) -> bytes:
    """The file with one line more; ConfigError if that makes it wrong."""
    text = data if not data or data.endswith(b"\n") else data + b"\n"
    made = text + passkey.line.encode("ascii") + b"\n"
    parse_passkeys(made, name)
    return made


def read_base64url(text: str, most: int) -> bytes:
    """Read what `base64url` writes, and nothing else; ValueError."""
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise ValueError("not base64url without padding") from None
    if base64url(data) != text or len(data) > most:
        raise ValueError(f"not base64url without padding of {most} bytes at most")
    return data


def _line(line: bytes) -> Passkey:
    try:
        document = json.loads(line.decode("utf-8"), object_pairs_hook=_once)
    except ValueError as error:
        raise ValueError(f"not one JSON object: {error}") from None
    if not isinstance(document, dict) or set(document) != set(_MEMBERS):
        raise ValueError(f"a line has {', '.join(_MEMBERS)}, and nothing else")
    credential, key = document["credential"], document["key"]
    if not isinstance(credential, str) or not isinstance(key, str) or not credential:
        raise ValueError("credential and key are texts")
    passkey = Passkey(
        _name(document, "subject"),
        _name(document, "issuer"),
        read_base64url(credential, MAX_CREDENTIAL_BYTES),
        read_base64url(key, MAX_FILE_BYTES),
        _name(document, "label", MAX_LABEL_CHARACTERS, empty=True),
    )
    read_key(passkey.key)
    return passkey


def _attested(data: bytes, party: RelyingParty) -> tuple[bytes, bytes]:
    """The credential's id and its public key, out of a registration."""
    document = read(cbor.decode, data, "the registration cannot be read")
    inner = document.get("authData") if isinstance(document, dict) else None
    if not isinstance(inner, bytes):
        raise BadAssertion("the registration cannot be read")
    checked = check_authenticator_data(inner, party, MAX_ATTESTATION_BYTES)
    if checked.credential_data is None:
        raise BadAssertion("the registration is of no passkey")
    credential, key = checked.credential_data.credential_id, cbor.encode(checked.credential_data.public_key)
    if not 0 < len(credential) <= MAX_CREDENTIAL_BYTES:
        raise BadAssertion(f"a credential's id has at most {MAX_CREDENTIAL_BYTES} bytes")
    read_key(key)
    return credential, key


def _response(value: object) -> Mapping[str, object]:
    return _object(_object(value).get("response"))


def _member(response: Mapping[str, object], name: str) -> bytes:
    value = response.get(name)
    if not isinstance(value, str):
        raise ValueError(f"the browser's response has no {name}")  # noqa: TRY004 - a bad document, as all else here
    try:
        return read_base64url(value, MAX_ATTESTATION_BYTES)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _base64url(text: str) -> bytes:
    return read_base64url(text, MAX_CREDENTIAL_BYTES)


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError("not what a browser makes of a passkey")  # noqa: TRY004 - as above
    return value


def _name(document: Mapping[str, object], member: str, most: int = MAX_NAME_CHARACTERS, *, empty: bool = False) -> str:
    value = document[member]
    if not isinstance(value, str) or len(value) > most or (not value.strip() and not empty):
        raise ValueError(f"{member} is a text of at most {most} characters")
    if any(unicodedata.category(character) in _UNFIT for character in value):
        raise ValueError(f"{member} has control characters, or invisible ones")
    return value


def _once(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    found = list(pairs)
    if len({name for name, _ in found}) != len(found):
        raise ValueError("a member occurs twice")
    return dict(found)
