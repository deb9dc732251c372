"""The verifier's own hashing, signed notes and journal frames.

Implements docs/spec/event-log.md sections 6, 7 and 8 for `record.verify`.
It shares nothing with `record.merkle`, `record.checkpoint` and `record.journal`, which the writer uses.
Pure. Ed25519 itself comes from the `cryptography` package.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from struct import Struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WIDTH = 256
HASH = 32
_VKEY = re.compile(r"([!-*,-~]{1,128})\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})")
_TEXT = re.compile(r"([!-*,-~]{1,128})\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n")
_LINE = re.compile("\N{EM DASH} ([^ +\n]+) ([A-Za-z0-9+/]+={0,2})")
_MAX_NOTE = 128 * 1024
_FRAME_HEAD = 32
_LENGTH = Struct("!H")


class ProofError(ValueError):
    """A key, note or bundle that does not prove what it should."""


# --- RFC 6962 ---------------------------------------------------------------------------------------------------------


def leaf(entry: bytes) -> bytes:
    """Hash of a leaf."""
    return sha256(b"\x00" + entry).digest()


def pair_up(row: Sequence[bytes]) -> bytes:
    """Root of a power-of-two number of hashes, level by level."""
    while len(row) > 1:
        row = [sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]


def perfect_trees(row: Sequence[bytes]) -> list[bytes]:
    """Roots of the perfect subtrees that a row falls into, left to right: its length in binary."""
    roots: list[bytes] = []
    start = 0
    for bit in range(len(row).bit_length() - 1, -1, -1):
        if len(row) >> bit & 1:
            roots.append(pair_up(row[start : start + (1 << bit)]))
            start += 1 << bit
    return roots


def whole_root(tiles: Sequence[bytes], leaves: Sequence[bytes]) -> bytes:
    """Root of a tree from the roots of its full level 0 tiles and the leaf hashes behind them."""
    roots = perfect_trees(tiles) + perfect_trees(leaves)
    if not roots:
        return sha256(b"").digest()
    result = roots.pop()
    while roots:
        result = sha256(b"\x01" + roots.pop() + result).digest()
    return result


# --- signed notes -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Head:
    """What a checkpoint says."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Key:
    """A log's public key, with its name."""

    origin: str
    identifier: bytes
    public: bytes

    @classmethod
    def parse(cls, vkey: str) -> "Key":
        """Read `origin+keyid+base64`, checking that they belong together."""
        match = _VKEY.fullmatch(vkey.strip())
        if match is None:
            raise ProofError("not a vkey: that is one line, ORIGIN+KEYID+KEY, as the gateway writes it to log.vkey")
        origin, identifier, encoded = match.groups()
        data = base64.b64decode(encoded)
        if data[:1] != b"\x01" or sha256(origin.encode() + b"\n" + data).digest()[:4].hex() != identifier:
            raise ProofError("a vkey whose key id is not that of its key, or that is not Ed25519")
        return cls(origin, bytes.fromhex(identifier), data[1:])

    def check(self, signature: bytes, message: bytes) -> bool:
        """Whether this key made the signature."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


def checkpoint(note: bytes, key: Key) -> Head:
    """Read a checkpoint that `key` signed."""
    head, text, lines = read_note(note)
    if head.origin != key.origin:
        raise ProofError(f"a checkpoint of {head.origin!r}, not of {key.origin!r}")
    mine = [blob[4:] for name, blob in lines if name == key.origin and blob[:4] == key.identifier]
    if not mine:
        raise ProofError("a checkpoint that this key did not sign")
    if not all(key.check(signature, text) for signature in mine):
        raise ProofError("the checkpoint's signature is wrong")
    return head


def read_note(note: bytes) -> tuple[Head, bytes, list[tuple[str, bytes]]]:
    """Read a checkpoint without believing it: what it says, the signed text, (name, blob) of each signature."""
    try:
        decoded = note.decode() if len(note) <= _MAX_NOTE else ""
    except UnicodeDecodeError:
        decoded = ""
    text, _, tail = decoded.rpartition("\n\n")
    match = _TEXT.fullmatch(text + "\n")
    if match is None or not tail.endswith("\n"):
        raise ProofError("not a checkpoint")
    lines: list[tuple[str, bytes]] = []
    for line in tail[:-1].split("\n"):
        found = _LINE.fullmatch(line)
        if found is None:
            raise ProofError("a signature line that is not one")
        lines.append((found[1], _base64(found[2])))
    return Head(match[1], int(match[2]), _base64(match[3])), (text + "\n").encode(), lines


def _base64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        data = b""
    if base64.b64encode(data).decode() != text:
        raise ProofError("base64 that is not in its only form")
    return data


# --- bundles and journal ----------------------------------------------------------------------------------------------


def bundle(data: bytes) -> list[bytes]:
    """Entries of a bundle, up to where it breaks off; what is missing, the caller sees by the number."""
    entries: list[bytes] = []
    put, length_at = entries.append, _LENGTH.unpack_from
    start, last = 2, len(data)
    while start <= last:
        (length,) = length_at(data, start - 2)
        end = start + length
        if end > last:
            break
        put(data[start:end])
        start = end + 2
    return entries


def frames(data: bytes, first: int) -> tuple[list[bytes], int, bool]:
    """Read a journal segment: its entries, where its good frames end, and whether a durable frame is broken."""
    entries: list[bytes] = []
    at = 0
    while (found := _frame(data, at)) is not None and found[0] == first + len(entries):
        entries += found[2]
        at = found[3]
    lost = False
    later = data.find(b"DWJ1", at + 1)
    while later >= 0 and not lost:
        behind = _frame(data, later)
        lost = behind is not None and behind[1] > first + len(entries)
        later = data.find(b"DWJ1", later + 1)
    return entries, at, lost


def _frame(data: bytes, at: int) -> tuple[int, int, list[bytes], int] | None:
    """Give (first index, durable, entries, end) of a good frame."""
    head = data[at : at + _FRAME_HEAD]
    if len(head) < _FRAME_HEAD or head[:4] != b"DWJ1":
        return None
    length, count = int.from_bytes(head[4:8], "big"), int.from_bytes(head[24:28], "big")
    end = at + _FRAME_HEAD + length
    body = data[at + _FRAME_HEAD : end]
    if len(body) != length or zlib.crc32(head[:28] + body) != int.from_bytes(head[28:32], "big"):
        return None
    entries = bundle(body)
    if count == 0 or len(entries) != count or sum(map(len, entries)) + 2 * count != length:
        return None
    return int.from_bytes(head[8:16], "big"), int.from_bytes(head[16:24], "big"), entries, end
