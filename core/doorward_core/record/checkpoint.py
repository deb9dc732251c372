"""Checkpoints: C2SP signed-note and tlog-checkpoint, with Ed25519, and the vkey.

Implements docs/spec/event-log.md section 7.
Pure: keys come in, text goes out.
It will not accept a second spelling: a parsed checkpoint, formatted again, gives the same bytes.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from doorward_core.record.entry import EntryError, check_origin

ED25519 = 0x01  # signature type of signed-note
COSIGNATURE = 0x04  # and of tlog-cosignature
_KEY_ID_BYTES = 4
_ROOT_BYTES = 32
_SIGNATURE_BYTES = 64
_PUBLIC_BYTES = 32
# 16 signatures must be accepted, and a post-quantum one is nearly 5 kB: signed-note's own advice.
MAX_NOTE = 128 * 1024
MAX_SIGNATURES = 32
_DASH = "\N{EM DASH} "
_TEXT_LINES = 3
# 2^63 - 1: no log is longer, and a number that long costs nothing to parse.
_MAX_SIZE_DIGITS = 19


class CheckpointError(ValueError):
    """A note, key or checkpoint that is not in its only form, or whose signature fails."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: `size` entries of `origin` have this RFC 6962 root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> bytes:
        """The note text, which is what is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()


def public_bytes(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of RFC 8032."""
    return key.public_bytes_raw()


def key_id(name: str, public: bytes, kind: int = ED25519) -> bytes:
    """First four bytes of `SHA-256(name || LF || kind || public key)`."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:_KEY_ID_BYTES]


def make_vkey(origin: str, public: bytes, kind: int = ED25519) -> str:
    """`origin+keyid+base64(kind || public key)`."""
    return f"{origin}+{key_id(origin, public, kind).hex()}+{base64.b64encode(bytes([kind]) + public).decode()}"


def parse_vkey(vkey: str, kind: int = ED25519) -> tuple[str, bytes]:
    """Give (origin, 32 bytes of public key); raises CheckpointError unless it is exactly one."""
    origin, _, rest = vkey.strip().partition("+")
    _, _, encoded = rest.partition("+")
    try:
        check_origin(origin)
        data = unbase64(encoded)
    except (EntryError, CheckpointError) as error:
        raise CheckpointError(f"not a vkey: {error}") from error
    if len(data) != 1 + _PUBLIC_BYTES or data[0] != kind or make_vkey(origin, data[1:], kind) != vkey.strip():
        raise CheckpointError("not an Ed25519 vkey, or its key id does not match")
    return origin, data[1:]


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> bytes:
    """Give the signed note."""
    public = public_bytes(key.public_key())
    text = checkpoint.text()
    blob = key_id(checkpoint.origin, public) + key.sign(text)
    return text + f"\n{_DASH}{checkpoint.origin} {base64.b64encode(blob).decode()}\n".encode()


def verify(note: bytes, vkey: str) -> Checkpoint:
    """Give the checkpoint of a note that the key has signed; raises CheckpointError otherwise."""
    origin, public = parse_vkey(vkey)
    text, signatures = split(note)
    wanted = key_id(origin, public)
    found = False
    for name, blob in signatures:
        if name == origin and blob[:_KEY_ID_BYTES] == wanted:
            try:
                Ed25519PublicKey.from_public_bytes(public).verify(blob[_KEY_ID_BYTES:], text)
            except InvalidSignature as error:
                raise CheckpointError("the signature is wrong") from error
            found = True
    if not found:
        raise CheckpointError("not signed by this key")
    checkpoint = parse_text(text)
    if checkpoint.origin != origin:
        raise CheckpointError("the checkpoint is of another origin")
    return checkpoint


def split(note: bytes) -> tuple[bytes, tuple[tuple[str, bytes], ...]]:
    """Give note text and (key name, signature blob) pairs; raises CheckpointError."""
    if len(note) > MAX_NOTE:
        raise CheckpointError("a note that is too long")
    try:
        decoded = note.decode()
    except UnicodeDecodeError as error:
        raise CheckpointError("a note that is not UTF-8") from error
    if any(char < " " and char != "\n" for char in decoded):
        raise CheckpointError("a control character in a note")
    text, separator, tail = decoded.rpartition("\n\n")
    if not separator or not text or not tail.endswith("\n"):
        raise CheckpointError("a note without signature lines")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise CheckpointError("too many signatures")
    return (text + "\n").encode(), tuple(_signature_line(line) for line in lines)


def _signature_line(line: str) -> tuple[str, bytes]:
    if not line.startswith(_DASH):
        raise CheckpointError("a signature line without its dash")
    name, _, encoded = line[len(_DASH) :].partition(" ")
    blob = unbase64(encoded)
    if not name or "+" in name or any(char.isspace() for char in name) or len(blob) <= _KEY_ID_BYTES:
        raise CheckpointError("a signature line that is not one")
    return name, blob


def parse_text(text: bytes) -> Checkpoint:
    """Read the three lines; raises CheckpointError for anything else, extension lines included."""
    lines = text.decode().split("\n")
    if len(lines) != _TEXT_LINES + 1 or lines[-1]:
        raise CheckpointError("a checkpoint has three lines")
    origin, size, encoded = lines[:_TEXT_LINES]
    root = unbase64(encoded)
    if not (size.isascii() and size.isdigit()) or len(size) > _MAX_SIZE_DIGITS or len(root) != _ROOT_BYTES:
        raise CheckpointError("size or root is malformed")
    try:
        check_origin(origin)
    except EntryError as error:
        raise CheckpointError(str(error)) from error
    checkpoint = Checkpoint(origin, int(size), root)
    if checkpoint.text() != text:
        raise CheckpointError("not in canonical form")
    return checkpoint


def unbase64(encoded: str) -> bytes:
    """Strict base64: alphabet, padding and unused bits."""
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CheckpointError("not base64") from error
    if base64.b64encode(data).decode() != encoded:
        raise CheckpointError("base64 that is not canonical")
    return data


def rotation_statement(origin: str, index: int, new_vkey: str) -> bytes:
    """What the old key signs when a new one takes over (section 7.1)."""
    return f"doorward/key-rotation/v1\n{origin}\n{index}\n{new_vkey}\n".encode()
