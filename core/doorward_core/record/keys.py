"""The keys of a log: the one that signs checkpoints, and those that seal payloads.

Implements docs/spec/event-log.md section 5, and the vkey file of section 7.
A shell over files, used by the writer process, which is the only one that ever holds these keys.
It will not load a payload key for writing, and will not write any key into the tree.

Invariants: key files are 0600 in a 0700 folder; a payload key is on stable storage, wrapped, before it seals anything.
"""

import base64
import secrets
from collections import OrderedDict
from pathlib import Path

import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from doorward_core.errors import RecordError
from doorward_core.record.checkpoint import ED25519, make_vkey, public_bytes
from doorward_core.record.entry import ID_BYTES
from doorward_core.record.journal import replace_file, sync_folder

SUFFIX = ".age"
GATEWAY = "gateway"
KEY_BYTES = 32
# An Ed25519 key in PKCS #8 (RFC 8410 section 7) is these bytes and the key; that is what `openssl genpkey` makes, too.
# Read here: the library's reader of every format there is takes memory that this process needs for nothing else.
_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")
_PEM = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----")
# An open session keeps its key in memory; a session beyond this number gets a second key file when it speaks again.
MAX_KEYS = 16_384


def signing_key(path: Path, origin: str, kind: int = ED25519) -> tuple[Ed25519PrivateKey, str]:
    """Load the signing key, or make it on first start; give it with its vkey, which is also written beside it.

    `kind` is what it signs: checkpoints, or cosignatures of them.

    Crash while making it: no key or the whole key; a log that it signs does not exist yet.
    """
    if path.exists():
        if path.stat().st_mode & 0o077:
            raise RecordError(f"the signing key {path.name} can be read by others; chmod 600 it")
        key = _read_key(path)
    else:
        key = _make_key(path)
    vkey = make_vkey(origin, public_bytes(key.public_key()), kind)
    public = path.with_suffix(".vkey")
    if not public.exists() or public.read_text().strip() != vkey:
        replace_file(public, f"{vkey}\n".encode())
    return key, vkey


def _make_key(path: Path) -> Ed25519PrivateKey:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = Ed25519PrivateKey.generate()
    encoded = base64.b64encode(_PKCS8 + key.private_bytes_raw()).decode()
    replace_file(path, "\n".join((_PEM[0], encoded, _PEM[1], "")).encode(), mode=0o600)
    return key


def _next_path(path: Path) -> Path:
    return path.with_name(path.name + ".next")


def next_key(path: Path, origin: str, *, make: bool = False) -> tuple[Ed25519PrivateKey, str] | None:
    """The key that is to follow the one at `path`, with its vkey; None where there is none and none is to be made."""
    following = _next_path(path)
    if not following.exists() and not make:
        return None
    if following.exists() and following.stat().st_mode & 0o077:
        raise RecordError(f"the signing key {following.name} can be read by others; it is to be replaced")
    key = _read_key(following) if following.exists() else _make_key(following)
    return key, make_vkey(origin, public_bytes(key.public_key()))


def promote_next(path: Path, vkey: str) -> None:
    """Let the next key take the name of the one at `path`, which is gone with that.

    Crash before the rename: both are there. After it: the new one alone; its vkey is put beside it at the next start.
    """
    _next_path(path).replace(path)
    sync_folder(path.parent)
    replace_file(path.with_suffix(".vkey"), f"{vkey}\n".encode())


def _read_key(path: Path) -> Ed25519PrivateKey:
    """The key in a PEM file; raises RecordError, which never quotes it."""
    try:
        begin, *lines, end = [line.strip() for line in path.read_text("ascii").strip().splitlines()]
        der = base64.b64decode("".join(lines), validate=True)
    except ValueError:
        begin, end, der = "", "", b""
    if (begin, end) != _PEM or der[: len(_PKCS8)] != _PKCS8 or len(der) != len(_PKCS8) + KEY_BYTES:
        raise RecordError(f"the signing key {path.name} is not an Ed25519 key (PEM, PKCS #8, not encrypted)")
    return Ed25519PrivateKey.from_private_bytes(der[len(_PKCS8) :])


def parse_recipient(text: str) -> pyrage.x25519.Recipient | pyrage.ssh.Recipient:
    """Read an age or SSH public key; raises RecordError."""
    parser = pyrage.ssh.Recipient if text.startswith("ssh-") else pyrage.x25519.Recipient
    try:
        return parser.from_str(text)
    except pyrage.RecipientError as error:
        raise RecordError(f"not a recipient of sealed payloads: {text[:20]}") from error


def parse_identities(text: str) -> tuple[object, ...]:
    """Read an auditor's secret keys: a file of `age-keygen`, or one unencrypted OpenSSH key; raises RecordError.

    The error never quotes the text.
    """
    try:
        if "-----BEGIN OPENSSH" in text:
            return (pyrage.ssh.Identity.from_buffer(text.encode()),)
        lines = [line.strip() for line in text.splitlines()]
        found = tuple(pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#"))
    except pyrage.IdentityError:
        raise RecordError("this is no age identity, nor an OpenSSH key without a pass phrase") from None
    if not found:
        raise RecordError("there is no identity in this file")
    return found


class KeyRing:
    """Makes payload keys, one for each session of this run, and keeps them in memory only."""

    def __init__(self, folder: Path, recipients: tuple[str, ...]) -> None:
        self._folder = folder
        self._recipients = [parse_recipient(text) for text in recipients]
        self._keys: OrderedDict[bytes, tuple[bytes, AESGCM]] = OrderedDict()
        if self._recipients:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def sealing(self) -> bool:
        """Whether payloads are sealed."""
        return bool(self._recipients)

    def key_for(self, session: bytes) -> tuple[bytes, AESGCM]:
        """Give (key id, cipher) for a session, or for the gateway where `session` is empty.

        A new key's file is durable when this returns.
        Crash before that: a key file that no entry needs.
        """
        found = self._keys.get(session)
        if found is None:
            key_id, key = secrets.token_bytes(ID_BYTES), secrets.token_bytes(KEY_BYTES)
            wrapped = pyrage.encrypt(key, self._recipients)
            replace_file(self._folder / key_file(session, key_id), wrapped, mode=0o600)
            found = self._keys[session] = (key_id, AESGCM(key))
            if len(self._keys) > MAX_KEYS:
                self._keys.popitem(last=False)
        return found

    def forget(self, session: bytes) -> None:
        """Drop a closed session's key from memory."""
        self._keys.pop(session, None)


def key_file(session: bytes, key_id: bytes) -> str:
    """Name of a payload key's file."""
    return f"{session.hex() or GATEWAY}.{key_id.hex()}{SUFFIX}"


def unwrap(folder: Path, session: bytes, key_id: bytes, identities: tuple[object, ...]) -> AESGCM | None:
    """Give the cipher of a payload key, or None where the file was erased; for readers.

    Raises RecordError where none of the identities opens it.
    """
    path = folder / key_file(session, key_id)
    try:
        wrapped = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        key = pyrage.decrypt(wrapped, list(identities))
    except pyrage.DecryptError as error:
        raise RecordError(f"{path.name}: not for this identity") from error
    if len(key) != KEY_BYTES:
        raise RecordError(f"{path.name}: not a payload key")
    return AESGCM(key)


def exists(folder: Path, session: bytes, key_id: bytes) -> bool:
    """Whether a payload key still exists, readable or not."""
    return (folder / key_file(session, key_id)).exists()
