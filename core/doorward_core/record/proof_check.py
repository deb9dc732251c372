"""Checks the files that prove an entry, or that a log was only added to: without the log.

Implements docs/spec/event-log.md section 7.3 (C2SP tlog-proof, and the consistency proof) for readers.
It shares nothing with `record.prove` and `record.merkle`, which make them: the paths are walked from the root down.
Pure. It will not say that an earlier root was the right one: the reader compares it with a checkpoint that it kept.
"""

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256

from doorward_core.record import proof
from doorward_core.record.proof import HASH, Head, Key, ProofError, leaf

INCLUSION = "c2sp.org/tlog-proof@v1"
CONSISTENCY = "doorward/consistency-proof@1"
# An entry has 65,535 bytes at most, in base64 87,380; 63 hashes have 2,835; a note has 128 KiB at most.
MAX_FILE = 256 * 1024
_MAX_PATH = 63
_MAX_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Entry `index`, whose bytes are `entry`, is in the tree of `head`."""

    index: int
    entry: bytes
    head: Head
    note: bytes


@dataclass(frozen=True, slots=True)
class Consistency:
    """The tree of `head` begins with the `old_size` entries whose root is `old_root`."""

    old_size: int
    old_root: bytes
    head: Head
    note: bytes


def check(data: bytes, key: Key) -> Inclusion | Consistency:
    """Read a file and check all that it says with the log's key; raises ProofError."""
    if len(data) > MAX_FILE:
        raise ProofError("a proof that is too long")
    text, found, note = data.partition(b"\n\n")
    lines = text.decode("ascii", "replace").split("\n")
    if not found or lines[0] not in {INCLUSION, CONSISTENCY}:
        raise ProofError("not a proof: its first line says which kind it is")
    head = proof.checkpoint(note, key)
    if lines[0] == INCLUSION:
        return _inclusion(lines[1:], head, note)
    return _consistency(lines[1:], head, note)


def _inclusion(lines: list[str], head: Head, note: bytes) -> Inclusion:
    if len(lines) < 2 or not lines[0].startswith("extra ") or not lines[1].startswith("index "):  # noqa: PLR2004 - both
        raise ProofError("the proof has no entry, or no index")
    entry, index = _base64(lines[0].removeprefix("extra ")), _number(lines[1].removeprefix("index "))
    path = _path(lines[2:])
    if index >= head.size:
        raise ProofError(f"the checkpoint covers {head.size} entries; {index} is none of them")
    root = _climb(leaf(entry), index, head.size, path)
    if path or root != head.root:
        raise ProofError("the entry is not in the checkpoint's tree at that place")
    return Inclusion(index, entry, head, note)


def _consistency(lines: list[str], head: Head, note: bytes) -> Consistency:
    words = lines[0].split(" ") if lines else []
    if len(words) != 3 or words[0] != "old":  # noqa: PLR2004 - `old`, the size and the root
        raise ProofError("the proof does not say which tree it begins from")
    old_size, old_root, path = _number(words[1]), _base64(words[2]), _path(lines[1:])
    if not 0 < old_size <= head.size or len(old_root) != HASH:
        raise ProofError("the earlier tree is none, or longer than the checkpoint's")
    old, new = _both(old_size, head.size, path, old_root, whole=True)
    if path or old != old_root or new != head.root:
        raise ProofError("the checkpoint's tree does not extend the earlier one")
    return Consistency(old_size, old_root, head, note)


def _climb(value: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that a leaf and its path make; what they use of the path is taken from its end."""
    if size == 1:
        return value
    sibling, cut = _next(path), 1 << ((size - 1).bit_length() - 1)
    if index < cut:
        return sha256(b"\x01" + _climb(value, index, cut, path) + sibling).digest()
    return sha256(b"\x01" + sibling + _climb(value, index - cut, size - cut, path)).digest()


def _both(old_size: int, size: int, path: list[bytes], old_root: bytes, *, whole: bool) -> tuple[bytes, bytes]:
    """The roots of the earlier and of the later tree, over this part of them."""
    if old_size == size:
        value = old_root if whole else _next(path)
        return value, value
    sibling, cut = _next(path), 1 << ((size - 1).bit_length() - 1)
    if old_size <= cut:
        old, new = _both(old_size, cut, path, old_root, whole=whole)
        return old, sha256(b"\x01" + new + sibling).digest()
    old, new = _both(old_size - cut, size - cut, path, old_root, whole=False)
    return sha256(b"\x01" + sibling + old).digest(), sha256(b"\x01" + sibling + new).digest()


def _next(path: list[bytes]) -> bytes:
    if not path:
        raise ProofError("the proof is too short")
    return path.pop()


def _path(lines: list[str]) -> list[bytes]:
    hashes = [_base64(line) for line in lines]
    if len(hashes) > _MAX_PATH or any(len(item) != HASH for item in hashes):
        raise ProofError("a proof of too many hashes, or of something else")
    return hashes


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > _MAX_DIGITS or str(int(text)) != text:
        raise ProofError("a number that is not in its only form")
    return int(text)


def _base64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if base64.b64encode(data).decode() != text:
        raise ProofError("base64 that is not in its only form")
    return data
