"""Checks a Doorward evidence bundle: `python3 verify.py evidence.zip --key VKEY`.

One file, Python's standard library alone, any Python from 3.9 on; it writes nothing and asks no network.
Implements docs/spec/evidence.md and docs/spec/event-log.md: ZIP in one form, canonical msgpack, RFC 6962 (Merkle
trees), RFC 8032 (Ed25519), C2SP signed-note, tlog-checkpoint and tlog-cosignature.
It travels in every bundle, and shares no code with the programs that make bundles or logs.

What it will not do: believe a bundle about whose key it is (give `--key`), or about how often it was counted.
It is as trustworthy as the place that you have it from: a bundle's maker could put another one in.

Invariants: memory is bounded whatever a bundle holds; what is wrong is named, in words, never by a traceback.
Exit status: 0 everything holds; 1 something does not; 2 it could not be asked.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import codecs
import hashlib
import html
import json
import re
import struct
import sys
import zlib
from datetime import datetime, timezone
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Optional, Set, Tuple

FORMAT = "doorward-evidence@1"
MAX_MEMBERS = 65_534
MAX_MEMBER = 64 * 1024 * 1024
MAX_JSON = 16 * 1024 * 1024
MAX_JSON_ITEMS = 1_500_000  # what 16 MiB could hold else takes half a gigabyte as objects
MAX_PROBLEMS = 100
MAX_REMEMBERED = 2_000_000  # sessions and requests that one bundle may name: 100 bytes each
MAX_RECORDINGS = 10_000
MAX_LOADED = 100_000
MAX_PARTS = 684  # 32 MiB of body, its frame and its tag, in slices of 48 KiB
MAX_BODY = 32 * 1024 * 1024
MAX_HEAD = 15_000
SLICE = 49_152
DEPTH = 16


class Refused(Exception):
    """Why something is not what it has to be."""


# === canonical msgpack (event-log.md section 2) =======================================================================

TEXT, BYTES, ARRAY, MAP, UINT, SINT = range(6)
# tag: (what it begins, width of the number behind it, the least number that needs this width)
FORMS: Dict[int, Tuple[int, int, int]] = {
    0xC4: (BYTES, 1, 0), 0xC5: (BYTES, 2, 1 << 8), 0xC6: (BYTES, 4, 1 << 16),
    0xCC: (UINT, 1, 1 << 7), 0xCD: (UINT, 2, 1 << 8), 0xCE: (UINT, 4, 1 << 16), 0xCF: (UINT, 8, 1 << 32),
    0xD0: (SINT, 1, -(1 << 5)), 0xD1: (SINT, 2, -(1 << 7)), 0xD2: (SINT, 4, -(1 << 15)), 0xD3: (SINT, 8, -(1 << 31)),
    0xD9: (TEXT, 1, 1 << 5), 0xDA: (TEXT, 2, 1 << 8), 0xDB: (TEXT, 4, 1 << 16),
    0xDC: (ARRAY, 2, 1 << 4), 0xDD: (ARRAY, 4, 1 << 16),
    0xDE: (MAP, 2, 1 << 4), 0xDF: (MAP, 4, 1 << 16),
}  # fmt: skip


def value_at(data: bytes, at: int, depth: int = DEPTH) -> Tuple[Any, int]:  # noqa: C901, PLR0911 - one for each family
    """The canonical value at `at`, and where it ends; IndexError where the data ends first."""
    tag = data[at]
    at += 1
    if tag < 0x80:
        return tag, at
    if 0xA0 <= tag < 0xC0:
        return text_at(data, at, tag - 0xA0)
    if tag < 0x90:
        return map_at(data, at, tag - 0x80, depth)
    if tag < 0xA0:
        return array_at(data, at, tag - 0x90, depth)
    if tag >= 0xE0:
        return tag - 0x100, at
    if tag in (0xC0, 0xC2, 0xC3):
        return (None if tag == 0xC0 else tag == 0xC3), at
    if tag not in FORMS:
        raise Refused("a float, an extension or a reserved byte")
    what, width, least = FORMS[tag]
    number = int.from_bytes(data[at : at + width], "big", signed=what == SINT)
    at += width
    if at > len(data):
        raise IndexError
    if number >= least if what == SINT else number < least:
        raise Refused("a number or length that is longer than it need be")
    if what in (UINT, SINT):
        return number, at
    if what == BYTES:
        if at + number > len(data):
            raise IndexError
        return data[at : at + number], at + number
    return text_at(data, at, number) if what == TEXT else (map_at if what == MAP else array_at)(data, at, number, depth)


def text_at(data: bytes, at: int, length: int) -> Tuple[str, int]:
    """UTF-8 of this length."""
    raw = data[at : at + length]
    if len(raw) != length:
        raise IndexError
    try:
        return str(raw, "utf-8"), at + length
    except UnicodeDecodeError:
        raise Refused("a string that is not UTF-8") from None


def array_at(data: bytes, at: int, count: int, depth: int) -> Tuple[List[Any], int]:
    """So many values; a count that lies comes to the end of the data."""
    if not depth:
        raise Refused("nested too deep")
    items = []
    for _ in range(count):
        item, at = value_at(data, at, depth - 1)
        items.append(item)
    return items, at


def map_at(data: bytes, at: int, count: int, depth: int) -> Tuple[Dict[str, Any], int]:
    """So many pairs, their keys strings in ascending order."""
    if not depth:
        raise Refused("nested too deep")
    pairs: Dict[str, Any] = {}
    last = None
    for _ in range(count):
        key, at = value_at(data, at, 0)
        if type(key) is not str:
            raise Refused("a map key that is not a string")
        if last is not None and key <= last:  # the order of code points is that of UTF-8 bytes
            raise Refused("map keys that do not ascend")
        pairs[key], at = value_at(data, at, depth - 1)
        last = key
    return pairs, at


def whole_map(data: bytes) -> Dict[str, Any]:
    """Exactly one canonical map."""
    try:
        value, end = value_at(data, 0)
    except IndexError:
        raise Refused("a payload that ends inside a value") from None
    if end != len(data) or type(value) is not dict:
        raise Refused("a payload that is no map, or has something behind it")
    return value


# === entries (event-log.md sections 3 and 4) ==========================================================================

NAMES = ("at", "commit", "head", "index", "key", "kind", "op", "origin", "part", "payload", "session", "v")
TAGS = tuple(bytes([0xA0 + len(name)]) + name.encode() for name in NAMES)
TYPES = (int, bytes, dict, int, bytes, str, bytes, str, list, bytes, bytes, int)
KIND = re.compile(r"[a-z]+(-[a-z]+)*(\.[a-z]+(-[a-z]+)*)+")
COMMIT = b"doorward/commitment/v1\x00"


class Entry:
    """One entry, its rules checked; `stated` where its payload was withheld."""

    __slots__ = (*NAMES, "leaf", "parts", "stated")

    at: int
    commit: bytes
    head: Dict[str, Any]
    index: int
    key: bytes
    kind: str
    op: bytes
    origin: str
    part: int
    parts: int
    payload: bytes
    session: bytes
    v: int

    def __init__(self, data: bytes, leaf: Optional[bytes] = None) -> None:
        self.stated = leaf is not None
        self.leaf = leaf if leaf is not None else hashlib.sha256(b"\x00" + data).digest()
        try:
            self._read(data)
        except IndexError:
            raise Refused("it ends inside a value") from None
        self._check()

    def _read(self, data: bytes) -> None:
        if data[0] != 0x8C:
            raise Refused("it is not a map of twelve fields")
        at = 1
        for name, tag, kind in zip(NAMES, TAGS, TYPES):
            if not data.startswith(tag, at):
                raise Refused(f"the field {name} is not where it belongs")
            start = at + len(tag)
            value, at = value_at(data, start, DEPTH - 1)
            if type(value) is not kind or (type(value) is int and value < 0):
                raise Refused(f"the field {name} is of another type")
            if kind is dict and at - start > MAX_HEAD:
                raise Refused("its header is too long")
            setattr(self, name, value)
        if at != len(data):
            raise Refused("something follows it")

    def _check(self) -> None:  # noqa: C901 - the rules between the fields, one after the other
        part: Any = self.part
        if len(part) != 2 or any(type(number) is not int or number < 0 for number in part):
            raise Refused("its part is not [k, n]")
        self.part, self.parts = part
        if self.v != 1:
            raise Refused(f"it is of version {self.v}")
        if not self.part < self.parts <= MAX_PARTS:
            raise Refused("a part beyond the number of parts")
        if len(self.kind) > 64 or not KIND.fullmatch(self.kind):
            raise Refused("a kind that is not one")
        for name, length in (("commit", 32), ("key", 16), ("op", 16), ("session", 16)):
            if len(getattr(self, name)) not in (0, length):
                raise Refused(f"the field {name} is not {length} bytes")
        if self.part and (self.head or self.commit):
            raise Refused("a later part with a header or a commitment")
        if self.stated:
            if self.payload or self.key or not (self.part or self.commit):
                raise Refused("it is withheld, and need not be")
            return
        if not self.part and bool(self.commit) != bool(self.payload):
            raise Refused("a payload without a commitment, or the reverse")
        if self.key and not self.payload:
            raise Refused("a key without a payload")
        size, last = len(self.payload), self.part == self.parts - 1
        if size > SLICE or (self.parts > 1 and (size == 0 if last else size != SLICE)):
            raise Refused("a part of the wrong length")


def opened(first: Entry, blob: bytes, revealed: Optional[Tuple[bytes, bytes]]) -> Optional[Dict[str, Any]]:
    """The body of a whole event; None where it stays sealed."""
    if first.key:
        if len(blob) < 80 or (len(blob) - 16) % 64:
            raise Refused("a seal of the wrong length")
        if revealed is None:
            return None
        salt, body = revealed
    else:
        length = int.from_bytes(blob[32:36], "big")
        end = 36 + length
        if len(blob) < 64 or len(blob) % 64 or not 0 <= len(blob) - end < 64 or any(blob[end:]):
            raise Refused("a payload whose length and padding do not agree")
        salt, body = blob[:32], blob[36:end]
    if len(body) > MAX_BODY or hashlib.sha256(COMMIT + salt + body).digest() != first.commit:
        raise Refused("the payload is not the one that was committed to")
    return whole_map(body)


# === Ed25519 (RFC 8032 section 5.1.7) =================================================================================

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = Tuple[int, int, int, int]


def add(p: Point, q: Point) -> Point:
    """Addition in extended coordinates."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number: int, p: Point) -> Point:
    """Multiplication by doubling and adding; nothing here is secret."""
    result: Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, p)
        p = add(p, p)
        number >>= 1
    return result


def point(data: bytes) -> Optional[Point]:
    """The point that these 32 bytes spell; None for none, or a second spelling."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the key made this signature."""
    key = point(public)
    if key is None or BASE is None or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    minus: Point = (P - key[0], key[1], key[2], P - key[3])
    x, y, z, _ = add(times(s, BASE), times(k, minus))
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


# === signed notes (C2SP signed-note, tlog-checkpoint, tlog-cosignature) ===============================================

ORIGIN = re.compile(r"[!-*,-~]{1,128}")
VKEY = re.compile(r"([!-*,-~]{1,128})\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})")
NOTE = re.compile(r"([!-*,-~]{1,128})\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n")
LINE = re.compile("\u2014 ([^ +\n]+) ([A-Za-z0-9+/]+={0,2})")
LOG_KEY, WITNESS_KEY = 1, 4


class Key:
    """A public key with its name; `kind` is its signature type."""

    def __init__(self, vkey: str) -> None:
        found = VKEY.fullmatch(vkey.strip())
        data = base64.b64decode(found[3]) if found else b""
        if not found or data[0] not in (LOG_KEY, WITNESS_KEY):
            raise Refused("not a vkey: that is one line, NAME+KEYID+KEY")
        self.name, self.vkey, self.kind, self.public = found[1], vkey.strip(), data[0], data[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + data).digest()[:4]
        if self.id.hex() != found[2]:
            raise Refused("a vkey whose key id is not that of its key")

    def made(self, text: bytes, blob: bytes) -> Tuple[bool, int]:
        """Whether the key made the signature in `blob`, and at what second (witnesses say so)."""
        if self.kind == LOG_KEY:
            return signed(self.public, blob[4:], text), 0
        stamp = int.from_bytes(blob[4:12], "big")
        return signed(self.public, blob[12:], b"cosignature/v1\ntime %d\n" % stamp + text), stamp


class Note:
    """A checkpoint, read strictly and not believed."""

    def __init__(self, data: bytes) -> None:
        try:
            text, _, tail = data[: 128 * 1024].decode("utf-8").rpartition("\n\n")
        except UnicodeDecodeError:
            raise Refused("a checkpoint that is not UTF-8") from None
        found = NOTE.fullmatch(text + "\n")
        lines = tail[:-1].split("\n")
        if not found or len(data) > 128 * 1024 or not tail.endswith("\n") or len(lines) > 64:
            raise Refused("not a checkpoint")
        self.origin, self.size, self.root, self.text = (
            found[1],
            int(found[2]),
            strict64(found[3]),
            (text + "\n").encode(),
        )
        self.lines: List[Tuple[str, bytes]] = []
        for line in lines:
            signature = LINE.fullmatch(line)
            if not signature:
                raise Refused("a signature line of a checkpoint that is not one")
            self.lines.append((signature[1], strict64(signature[2])))

    def by(self, key: Key) -> Tuple[Optional[bool], int]:
        """Whether this key's line holds (None: it has none), and of what second it is."""
        blobs = [blob for name, blob in self.lines if name == key.name and blob[:4] == key.id]
        found = [key.made(self.text, blob) for blob in blobs]
        return (all(good for good, _ in found), max(when for _, when in found)) if found else (None, 0)


def strict64(text: str) -> bytes:
    """Base64 in its only form."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        data = b""
    if base64.b64encode(data).decode() != text:
        raise Refused("base64 that is not in its only form")
    return data


# === the tree (RFC 6962) ==============================================================================================


def node(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """Takes leaves and roots of perfect subtrees from left to right."""

    def __init__(self) -> None:
        self.size = 0
        self.stack: List[Tuple[int, bytes]] = []

    def take(self, value: bytes, level: int = 0) -> None:
        """The next one; its place must be one where such a subtree can stand."""
        self.size += 1 << level
        while self.stack and self.stack[-1][0] == level:
            value = node(self.stack.pop()[1], value)
            level += 1
        self.stack.append((level, value))

    def root(self) -> bytes:
        """The root over everything that was taken."""
        if not self.stack:
            return hashlib.sha256(b"").digest()
        value = self.stack[-1][1]
        for _, left in reversed(self.stack[:-1]):
            value = node(left, value)
        return value


def levels(start: int, end: int) -> Iterator[int]:
    """The perfect subtrees that a gap falls into, by their heights."""
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        yield level
        start += 1 << level


def consistent(old: Note, size: int, root: bytes, proof: List[bytes]) -> bool:
    """RFC 9162 section 2.1.4.2: whether the old tree is the beginning of the new one."""
    if old.size in (size, 0):
        return not proof and (old.root == root if old.size else old.root == hashlib.sha256(b"").digest())
    if not old.size < size or not proof:
        return False
    path = proof if old.size & (old.size - 1) else [old.root, *proof]
    at, last = old.size - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if not last:
            return False
        if at & 1 or at == last:
            before, after = node(sibling, before), node(sibling, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = node(after, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old.root and after == root


# === the container (evidence.md section 3) ============================================================================

MEMBER = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){0,5}")
LOCAL = struct.Struct("<4sHHHHHIIIHH")
CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
END = struct.Struct("<4sHHHHIIH")
COMMENT = FORMAT.encode() + b" sha256:"
KNOWN = re.compile(
    r"README\.txt|verify\.py|manifest\.json|report\.(html|json)|report/[^/]+\.html|keys/[^/]+|policies/[0-9a-f]{64}/[^/]+"
    r"|logs/[^/]+/(log\.json|checkpoint|outside|(entries|revealed)/[0-9]{6})|recordings/[^/]+/[^/]+/[^/]+\.(cast|txt)"
)


class Bundle:
    """The members of a bundle; reading one checks that it is what the directory says."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = file.seek(0, 2)
        self.members: Dict[str, Tuple[int, int, int, int]] = {}
        tail = END.size + len(COMMENT) + 64
        if self.size < tail:
            raise Refused("it is too short to be a bundle")
        file.seek(self.size - tail)
        end = file.read(tail)
        signature, disk, disk2, count, count2, length, start, comment = END.unpack_from(end)
        if signature != b"PK\x05\x06" or end[END.size : -64] != COMMENT or comment != len(COMMENT) + 64:
            raise Refused("it does not end as a bundle does: it was cut, or is something else")
        if (disk, disk2) != (0, 0) or count != count2 or count > MAX_MEMBERS or start + length != self.size - tail:
            raise Refused("its end record does not fit its directory")
        self.digest = end[-64:]
        file.seek(start)
        self._directory(file.read(length), count, start)

    def intact(self) -> bool:
        """Whether the bytes are those whose hash the comment gives."""
        self.file.seek(0)
        digest, left = hashlib.sha256(), self.size - 64
        while left:
            chunk = self.file.read(min(left, 1 << 20))
            if not chunk:
                return False
            digest.update(chunk)
            left -= len(chunk)
        return digest.hexdigest().encode() == self.digest

    def _directory(self, data: bytes, count: int, start: int) -> None:
        at = offset = 0
        last = ""
        for _ in range(count):
            if at + CENTRAL.size > len(data):
                raise Refused("its directory ends inside a record")
            (signature, *rest) = CENTRAL.unpack_from(data, at)
            fixed, crc, packed, size, length = tuple(rest[:6]), rest[6], rest[7], rest[8], rest[9]
            at += CENTRAL.size + length
            name = data[at - length : at].decode("ascii", "replace")
            if (
                signature != b"PK\x01\x02"
                or fixed != (0x0314, 20, 0, 8, 0, 33)
                or tuple(rest[10:15]) != (0, 0, 0, 0, 0x81A40000)
            ):
                raise Refused(f"the directory's record of {name!a} is not in its only form")
            if len(name) > 200 or not MEMBER.fullmatch(name) or not KNOWN.fullmatch(name):
                raise Refused(f"a member with a name that a bundle does not have: {name!a}")
            if name <= last:
                raise Refused(f"members that are not in order, or twice: {name!a}")
            if size > MAX_MEMBER or packed > size + size // 1000 + 1024:
                raise Refused(f"{name} is larger than a member may be")
            local = LOCAL.pack(b"PK\x03\x04", 20, 0, 8, 0, 33, crc, packed, size, length, 0) + name.encode()
            self.file.seek(offset)
            if rest[15] != offset or self.file.read(len(local)) != local:
                raise Refused(f"the header of {name} does not fit the directory, or is not where it should be")
            self.members[name] = (offset + len(local), packed, size, crc)
            offset += len(local) + packed
            last = name
        if offset != start or at != len(data):
            raise Refused("something lies between its members, or behind its directory")

    def pieces(self, name: str) -> Iterator[bytes]:
        """The content of a member, in pieces of a megabyte at most."""
        offset, packed, size, crc = self.members[name]
        inflate, seen, check = zlib.decompressobj(-15), 0, 0
        self.file.seek(offset)
        raw = self.file.read(packed)
        while True:
            try:
                piece = inflate.decompress(raw, 1 << 20)
            except zlib.error:
                raise Refused(f"{name} cannot be unpacked") from None
            raw = inflate.unconsumed_tail
            seen += len(piece)
            if seen > size or (not piece and not inflate.eof):
                raise Refused(f"{name} does not unpack to what the directory says")
            if piece:
                check = zlib.crc32(piece, check)
                yield piece
            if inflate.eof:
                break
        if seen != size or check != crc or inflate.unused_data or raw:
            raise Refused(f"{name} does not unpack to what the directory says")

    def read(self, name: str) -> bytes:
        """A whole member."""
        if name not in self.members:
            raise Refused(f"{name} is missing")
        return b"".join(self.pieces(name))

    def json(self, name: str) -> Any:
        """A member that is canonical JSON."""
        data = self.read(name)
        if len(data) > MAX_JSON or data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_JSON_ITEMS:
            raise Refused(f"{name} is too large")
        try:
            value = json.loads(data.decode("ascii"), parse_int=small, parse_float=no_number, parse_constant=no_number)
            again = json.dumps(value, sort_keys=True, indent=1) + "\n"
        except (ValueError, RecursionError):
            raise Refused(f"{name} is not JSON, or has numbers that it may not have") from None
        if again.encode() != data:
            raise Refused(f"{name} is not in its only form")
        return value

    def under(self, folder: str) -> List[str]:
        """Names of the members in a folder, in order."""
        return [name for name in self.members if name.startswith(folder)]


def same(value: Any) -> str:
    """A value of JSON so that those are equal which are written alike: in Python, true is 1."""
    return json.dumps(value, sort_keys=True)


def small(digits: str) -> int:
    """An integer that fits into 64 bits."""
    if len(digits) > 20:
        raise ValueError
    return int(digits)


def no_number(_: str) -> Any:
    """Floats have no place here."""
    raise ValueError


def escaped(name: str) -> str:
    """A name as a component of a path."""
    safe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
    found = "".join(
        char if char in safe or (char == "." and place) else "".join(f"~{byte:02x}" for byte in char.encode())
        for place, char in enumerate(name)
    )
    if len(found) <= LONGEST:
        return found
    return f"~~{hashlib.sha256(name.encode()).hexdigest()}~{found[-(LONGEST - 67) :]}"


# === what is counted (evidence.md section 7) ==========================================================================

FIGURES = """\
access.opened||session.opened|
access.human||session.opened|principal is human
access.agent||session.opened|principal is agent
access.sponsored||session.opened|principal is agent; sponsor set
access.unsponsored|!|session.opened|principal is agent; sponsor unset
access.plain|!|session.opened|encrypted unset
access.observe|!|session.opened|observe set
access.readonly||session.opened|read_only set
access.closed||session.closed|
access.covered||session.closed|coverage unset
access.uncovered|!|session.closed|coverage set
access.refused|!|session.refused|
access.anonymous|!|session.refused|subject unset
access.credentials||credential.issued|
access.watched||session.watched|
access.ended|!|session.ended|
access.requested||access.requested|
access.revoked|!|access.revoked|
access.restored||access.restored|
glass.broken|!|break-glass.opened|
glass.used|!|operation.decided|verdict is permit; @glass set
glass.reviewed||break-glass.reviewed|
reviews.signed||review.signed|
operations.decided||operation.decided|
operations.permitted||operation.decided|verdict is permit
operations.refused|!|operation.decided|verdict is deny
operations.observed|!|operation.decided|observed set
operations.unread|!|operation.decided|complete unset
operations.unseen|!|operation.decided|unseen set
operations.changing||operation.decided|verdict is permit; action in write, define, admin, execute
operations.unasked||operation.decided|verdict is permit; action in write, define, admin, execute; request unset
operations.privileged||operation.decided|verdict is permit; action in define, admin
operations.transfers||operation.decided|verdict is permit; action in transfer, forward
operations.finished||operation.finished|
operations.failed|!|operation.finished|status is error
operations.aborted|!|operation.finished|status is aborted
operations.masked||operation.finished|masked set
approvals.held||operation.held|
approvals.voted||approval.voted|
approvals.approving||approval.voted|counted set; verdict is approve
approvals.rejecting||approval.voted|counted set; verdict is reject
approvals.signed||approval.voted|counted set; proof in sshsig, webauthn
approvals.uncounted|!|approval.voted|counted unset
approvals.granted||approval.granted|
approvals.rejected||approval.rejected|
approvals.expired|!|approval.expired|
approvals.withdrawn||approval.withdrawn|
approvals.ran||operation.decided|verdict is permit; request set
approvals.ungranted|!|operation.decided|verdict is permit; request set; @granted unset; @glass unset
approvals.own|!|approval.voted|counted set; verdict is approve; @own set
policy.loaded||policy.loaded|
policy.refused|!|policy.refused|
record.entries||*|
record.recordings||stream.chunk|
record.opened||log.opened|
record.unclean|!|log.opened|previous is unclean
record.repaired|!|log.repaired|
record.rotated||key.rotated|
record.clock|!|*|clock_back_ns set
record.erased|!|content.erased|
record.freed||log.freed|
record.errors|!|gateway.error|
record.witness|!|witness.behind, witness.conflict|
content.clear||*|@content is clear
content.revealed||*|@content is revealed
content.sealed|!|*|@content is sealed
desk.logins||desk.login|
desk.refused|!|desk.refused|
desk.read||desk.read|
masked.values||operation.finished|sum masked
rows.shown||operation.finished|sum rows
"""
TABLES = """\
people|subject, issuer, principal, sponsor|access.opened, operations.permitted, operations.refused, approvals.held
resources|resource|access.opened, operations.permitted, operations.refused, approvals.held, operations.masked
accounts|resource, account|access.opened, operations.privileged, operations.changing
approvers|approver, approver_issuer, approver_principal|approvals.approving, approvals.rejecting, \
approvals.uncounted, approvals.own
rules|rules[]|operations.permitted, operations.refused, approvals.held
kinds|@kind|record.entries
labels|masked{}|operations.masked
coverage|coverage[]|access.uncovered
reasons|reason|operations.refused, access.refused
"""
LONGEST = 100  # characters of a component; what is longer is named by its hash and its end
CONTROLS = (
    "first.access first.approvals first.recordings A.5.3 A.5.15 A.5.16 A.5.17 A.5.18 A.5.28 A.5.33 A.8.2 A.8.3 A.8.5 "
    "A.8.11 A.8.12 A.8.15 A.8.16 A.8.17 A.8.32"
)
SHOWN_ROWS = 12  # of each table in report.html
CLOCKS_NS = 300 * 1_000_000_000  # by which two honest clocks may differ
LISTED, SAMPLED, SAMPLED_EXCEPTIONS, ROWS, GROUPS, KEY_CHARACTERS = 1000, 25, 100, 200, 20_000, 200
Facts = Dict[str, Any]


def total(value: Any) -> int:
    """An integer, or the integers of a map."""
    items = value.values() if type(value) is dict else (value,)
    return sum(item for item in items if type(item) is int)


class Figure:
    """One line of the table, and what it has come to."""

    def __init__(self, line: str) -> None:
        self.id, exception, kinds, conditions = line.split("|")
        self.kinds, self.exception = kinds.split(", "), bool(exception)
        self.limit = SAMPLED_EXCEPTIONS if exception else SAMPLED
        self.sum, self.tests = "", []
        for condition in filter(None, conditions.split("; ")):
            words = condition.split(" ", 2)
            if words[0] == "sum":
                self.sum = words[1]
            else:
                self.tests.append(
                    (words[0], words[1], frozenset(words[2].split(", ")) if len(words) > 2 else frozenset())
                )
        self.count = 0
        self.entries: List[List[int]] = []
        self.best: List[Tuple[bytes, int, int]] = []
        self.bar = b"\xff" * 33
        self.cells: List[Tuple[Table, int]] = []

    def about(self, kind: str) -> bool:
        """Whether it counts events of this kind."""
        return any(kind.startswith(name[:-1]) if name.endswith("*") else kind == name for name in self.kinds)

    def holds(self, facts: Facts, entry: Entry) -> bool:
        """Whether an event satisfies every condition."""
        for key, what, values in self.tests:
            value = (facts if key[0] == "@" else entry.head).get(key)
            if what in ("set", "unset"):
                if bool(value) != (what == "set"):
                    return False
            elif type(value) is not str or value not in values:
                return False
        return True

    def take(self, log: int, entry: Entry) -> None:
        """Count this event."""
        self.count += total(entry.head.get(self.sum)) if self.sum else 1
        if len(self.entries) < LISTED:
            self.entries.append([log, entry.index])
        if entry.leaf < self.bar:
            self.best.append((entry.leaf, log, entry.index))
            if len(self.best) >= 4 * self.limit:
                self._cut()

    def _cut(self) -> None:
        self.best = sorted(self.best)[: self.limit]
        if len(self.best) == self.limit:
            self.bar = self.best[-1][0]

    def result(self) -> Dict[str, Any]:
        """As report.json says it."""
        self._cut()
        return {"count": self.count, "entries": self.entries, "sample": [[log, index] for _, log, index in self.best]}


class Table:
    """Figures counted for each group of events."""

    def __init__(self, line: str, figures: Dict[str, Figure]) -> None:
        self.id, keys, columns = line.split("|")
        self.keys, self.columns = keys.split(", "), columns.split(", ")
        self.each = self.keys[0][:-2] if self.keys[0][-1] in "]}" else ""
        self.adds = self.keys[0][-1] == "}"
        self.groups: Dict[Tuple[str, ...], List[int]] = {}
        self.more = 0
        for place, column in enumerate(self.columns):
            figures[column].cells.append((self, place))

    def take(self, column: int, facts: Facts, entry: Entry) -> None:
        """Count an event that the figure in this column counts."""
        if self.each:
            found = entry.head.get(self.each)
            if type(found) is (dict if self.adds else list):
                for name in found:
                    self._add((text_of(name),), column, total(found[name]) if self.adds else 1)
            return
        keys = tuple([text_of((facts if key[0] == "@" else entry.head).get(key)) for key in self.keys])
        self._add(keys, column, 1)

    def _add(self, keys: Tuple[str, ...], column: int, number: int) -> None:
        row = self.groups.get(keys)
        if row is None:
            if len(self.groups) >= GROUPS:
                self.more += 1
                return
            row = self.groups[keys] = [0] * len(self.columns)
        row[column] += number

    def result(self) -> Dict[str, Any]:
        """As report.json says it."""
        rows = sorted(self.groups.items(), key=lambda row: (-sum(row[1]), row[0]))[:ROWS]
        return {"groups": len(self.groups), "more": self.more, "rows": [[list(keys), counts] for keys, counts in rows]}


def text_of(value: Any) -> str:
    """A string of a header, as a key of a table."""
    return value[:KEY_CHARACTERS] if type(value) is str else ""


def own(head: Dict[str, Any]) -> bool:
    """Whether a vote is by whoever asked, who answers for them, or stands in the chain of who acts for whom."""
    approver, issuer, sponsor, act = (head.get(name) for name in ("approver", "approver_issuer", "sponsor", "act"))
    if (approver, issuer) == (head.get("subject"), head.get("issuer")):
        return True
    return bool(approver) and (approver == sponsor or (type(act) is list and f"{issuer}#{approver}" in act))


class Counter:
    """All figures and tables; `watched` is told of each event that the figure `watch` counts."""

    def __init__(self, watch: str = "", watched: Optional[Callable[[int, Entry], None]] = None) -> None:
        self.figures = {figure.id: figure for figure in map(Figure, FIGURES.splitlines())}
        self.tables = [Table(line, self.figures) for line in TABLES.splitlines()]
        self.by_kind: Dict[str, List[Figure]] = {}
        self.watch, self.watched = watch, watched

    def take(self, log: int, entry: Entry, content: str, granted: Set[str], glass: Set[str]) -> None:
        """Count an event in scope."""
        head, kind = entry.head, entry.kind
        about = self.by_kind.get(kind)
        if about is None:
            about = [figure for figure in self.figures.values() if figure.about(kind)]
            if len(self.by_kind) < 1000:
                self.by_kind[kind] = about
        facts: Facts = {"@content": content, "@kind": kind}
        if kind == "operation.decided":
            named = type(head.get("request")) is str
            facts["@granted"] = named and head["request"] in granted
            facts["@glass"] = named and head["request"] in glass
        elif kind == "approval.voted":
            facts["@own"] = own(head)
        for figure in about:
            if not figure.tests or figure.holds(facts, entry):
                figure.take(log, entry)
                for table, column in figure.cells:
                    table.take(column, facts, entry)
                if self.watched is not None and figure.id == self.watch:
                    self.watched(log, entry)


# === one log of a bundle ==============================================================================================


class Scope:
    """Section 2: which events the bundle is about."""

    def __init__(self, scope: Any) -> None:
        lists: List[Any] = [scope.get(name) for name in ("resources", "subjects")] if type(scope) is dict else [None]
        for items in lists:
            if type(items) is not list or any(type(item) is not str for item in items) or items != sorted(set(items)):
                raise Refused("report.json: the scope is not one")
        self.resources: Set[str] = set(lists[0])
        self.subjects: Set[str] = set(lists[1])
        self.sessions: Dict[bytes, bool] = {}

    def has(self, entry: Entry) -> bool:
        """Whether the event that begins with this entry is in scope."""
        if not self.resources and not self.subjects:
            return True
        if not entry.session:
            return self._lets(entry.head)
        known = self.sessions.get(entry.session)
        if known is None:
            known = self._lets(entry.head)
            if any(entry.head.get(name) for name in ("resource", "subject", "sponsor")):
                remember(self.sessions, entry.session, known)
        return known

    def _lets(self, head: Dict[str, Any]) -> bool:
        resource, subject, sponsor = (head.get(name) for name in ("resource", "subject", "sponsor"))
        if self.resources and type(resource) is str and resource and resource not in self.resources:
            return False
        named = self.subjects and type(subject) is str and subject
        return not named or subject in self.subjects or (type(sponsor) is str and sponsor in self.subjects)


def remember(known: Dict[bytes, bool], key: bytes, value: bool) -> None:
    """Keep it, as long as there is room."""
    if len(known) >= MAX_REMEMBERED:
        raise Refused("it names more sessions than this verifier can keep in mind")
    known[key] = value


class Printed:
    """A digest of output in which line ends count alike, whole or not: a recording makes them whole for a player."""

    def __init__(self) -> None:
        self.hash, self.tail = hashlib.sha256(), ""

    def take(self, text: str) -> None:
        """The next piece. A carriage return counts, unless it stands before the end of a line, or before another."""
        text = self.tail + text
        kept = text.rstrip("\r")
        self.tail = "\r" if len(kept) < len(text) else ""
        kept = re.sub("\r+(\n?)", lambda found: found[1] or "\r", kept)
        self.hash.update(kept.encode("utf-8", "surrogatepass"))

    def digest(self) -> bytes:
        """Of all of it."""
        self.hash.update(self.tail.encode())
        self.tail = ""
        return self.hash.digest()


class Played:
    """The output of one operation as its chunks have it, to be compared with a recording."""

    def __init__(self) -> None:
        self.decoders: Dict[str, Any] = {}
        self.printed, self.pieces = Printed(), 0

    def take(self, stream: Any, data: Any) -> None:
        """The next chunk."""
        self.pieces += 1
        if stream == "resize" or type(stream) is not str or type(data) is not bytes:
            return
        if stream not in self.decoders and len(self.decoders) < 4:
            self.decoders[stream] = codecs.getincrementaldecoder("utf-8")("replace")
        if stream in self.decoders:
            self.printed.take(self.decoders[stream].decode(data))


class Log:
    """The entries and proofs of one log."""

    def __init__(self, check: Check, place: int, folder: str) -> None:
        self.check, self.place, self.folder, self.bundle = check, place, folder, check.bundle
        self.about = self._described(self.bundle.json(f"{folder}/log.json"))
        self.note = Note(self.bundle.read(f"{folder}/checkpoint"))
        if (self.note.origin, self.note.size) != (self.origin, self.size):
            raise Refused(f"{folder}/checkpoint is of another log, or of another size than log.json says")
        self.rotations: List[Tuple[int, Any, Any]] = []
        self.announced: Any = None
        self.granted: Set[str] = set()
        self.glass: Set[str] = set()
        self.policies: Set[bytes] = set()
        self.readable: Dict[bytes, int] = {}  # sessions and gateway keys: the first entry whose content can be read
        self.erased: Dict[bytes, int] = {}  # those that are said to be erased: the last entry that says so
        self.unruled = 0
        self.whole = self.withheld = self.context = self.last_at = 0
        self.open: List[Entry] = []
        self.open_in_scope = True
        self.kept: Set[int] = set()  # sizes of checkpoints that the auditor kept
        self.roots: Dict[int, bytes] = {}  # at these sizes, where the entries reach there
        self.revealed = self._revealed()
        self.next_revealed = next(self.revealed, None)

    def _described(self, about: Any) -> Dict[str, Any]:
        numbers = ("behind", "from_unix_ns", "size", "to_unix_ns")
        wanted = {"consistency", "gaps", "origin", "period", "runs", *numbers}
        if type(about) is not dict or set(about) != wanted or type(about["origin"]) is not str:
            raise Refused(f"{self.folder}/log.json does not describe a log")
        if any(type(about[name]) is not int or about[name] < 0 for name in numbers):
            raise Refused(f"{self.folder}/log.json: a number that is none")
        self.origin, self.size = about["origin"], about["size"]
        self.since, self.until = about["from_unix_ns"], about["to_unix_ns"]
        if not ORIGIN.fullmatch(self.origin) or self.folder != f"logs/{escaped(self.origin)}":
            raise Refused(f"{self.folder} is not the place of its log")
        self.gaps, self.consistency = (self._hashes(about[name]) for name in ("gaps", "consistency"))
        self.runs = [self._pair(pair) for pair in self._list(about["runs"])]
        self.first, self.end = self._pair(about["period"])
        at = -1
        for start, end in self.runs:
            if not at < start < end <= self.size:
                raise Refused(f"{self.folder}/log.json: runs that overlap, touch, or go past the end")
            at = end
        around = (max(self.first - 1, 0), min(self.end + 1, self.size))
        if self.first > self.end or not any(
            start <= around[0] and around[1] <= end for start, end in self.runs or [(0, 0)]
        ):
            raise Refused(
                f"{self.folder}: the entries of the period are not there without a gap, with their neighbours"
            )
        return about

    def _list(self, value: Any) -> List[Any]:
        if type(value) is not list:
            raise Refused(f"{self.folder}/log.json: a list that is none")
        return value

    def _pair(self, value: Any) -> Tuple[int, int]:
        if type(value) is not list or len(value) != 2 or any(type(one) is not int or one < 0 for one in value):
            raise Refused(f"{self.folder}/log.json: a range that is none")
        return value[0], value[1]

    def _hashes(self, value: Any) -> List[bytes]:
        if any(type(one) is not str or not re.fullmatch("[0-9a-f]{64}", one) for one in self._list(value)):
            raise Refused(f"{self.folder}/log.json: a hash that is none")
        return [bytes.fromhex(one) for one in value]

    # --- records ------------------------------------------------------------------------------------------------------

    def _records(self) -> Iterator[Tuple[bytes, Optional[bytes]]]:
        """(entry, None), or (stated, leaf hash)."""
        for place, name in enumerate(self.bundle.under(f"{self.folder}/entries/")):
            if not name.endswith(f"/{place:06d}"):
                raise Refused(f"{name}: a file of entries before it is missing")
            data = self.bundle.read(name)
            at, end = 0, len(data)
            while at < end:
                length = int.from_bytes(data[at : at + 2], "big")
                at += 2
                leaf = None
                if not length:
                    leaf, length = data[at : at + 32], int.from_bytes(data[at + 32 : at + 34], "big")
                    at += 34
                at += length
                if at > end or not length:
                    raise Refused(f"{name} ends inside an entry")
                yield data[at - length : at], leaf

    def _revealed(self) -> Iterator[Tuple[int, bytes, bytes]]:
        last = -1
        for place, name in enumerate(self.bundle.under(f"{self.folder}/revealed/")):
            data = self.bundle.read(name)
            at = 0
            if not name.endswith(f"/{place:06d}"):
                raise Refused(f"{name}: a file of revealed contents before it is missing")
            while at < len(data):
                index, length = int.from_bytes(data[at : at + 8], "big"), int.from_bytes(data[at + 8 : at + 12], "big")
                end = at + 44 + length
                if end > len(data) or index <= last:
                    raise Refused(f"{name}: a record that is cut off, or out of order")
                yield index, data[at + 12 : at + 44], data[at + 44 : end]
                at, last = end, index

    # --- the pass -----------------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Every entry, and the root that they make with what the bundle does not hold."""
        tree, gaps, records = Tree(), iter(self.gaps), self._records()
        self.kept = self.check.kept_sizes(self.origin)
        for start, end in [*self.runs, (self.size, self.size)]:
            for level in levels(tree.size, start):
                value = next(gaps, None)
                if value is None:
                    raise Refused(f"{self.folder}/log.json has too few hashes of what is not in the bundle")
                tree.take(value, level)
            self._close(start)
            for index in range(start, end):
                self._mark(tree)
                record = next(records, None)
                if record is None:
                    raise Refused(f"{self.origin}: entry {index} is missing: the files of entries end before it")
                tree.take(self._entry(index, *record))
            self._close(end)
            self._mark(tree)
        if next(gaps, None) is not None or next(records, None) is not None:
            raise Refused(f"{self.folder} holds more entries or hashes than its runs say")
        if self.next_revealed is not None:
            self.check.bad(f"{self.origin}: entry {self.next_revealed[0]} is revealed, and is not a sealed event here")
        if tree.root() != self.note.root:
            self.check.bad(f"{self.origin}: the entries do not make the root of the checkpoint: something was changed")

    def _mark(self, tree: Tree) -> None:
        """Keep the root of this size, if a checkpoint of it was kept: what was taken so far is a tree by itself."""
        if tree.size in self.kept:
            self.roots[tree.size] = tree.root()

    def _entry(self, index: int, data: bytes, leaf: Optional[bytes]) -> bytes:
        try:
            entry = Entry(data, leaf)
            self._placed(index, entry)
        except Refused as error:
            self.check.bad(f"{self.origin}: entry {index}: {error}")
            self.open = []
            return leaf if leaf is not None else hashlib.sha256(b"\x00" + data).digest()
        counted = self.first <= index < self.end
        if not counted:
            self.context += 1
        elif entry.stated:
            self.withheld += 1
        else:
            self.whole += 1
        self._part(entry, counted)
        if self.check.show == (self.place, index):
            self.check.shown(entry)
        return entry.leaf

    def _placed(self, index: int, entry: Entry) -> None:
        if entry.index != index or entry.origin != self.origin:
            raise Refused(f"it is entry {entry.index} of {entry.origin!a}, at the place of another")
        if entry.at < self.last_at:
            raise Refused("its time is before that of an entry before it")
        self.last_at = entry.at
        if self.first <= index < self.end:
            if not self.since <= entry.at < self.until:
                raise Refused("its time is not in the period")
        elif index == self.first - 1 and entry.at >= self.since:
            raise Refused("it is of the period, which is said to begin after it")
        elif index == self.end and entry.at < self.until:
            raise Refused("it is of the period, which is said to end before it")

    def _part(self, entry: Entry, counted: bool) -> None:
        """Put events together from their parts."""
        if self.open:
            first = self.open[0]
            same = all(
                getattr(first, name) == getattr(entry, name) for name in ("at", "kind", "session", "op", "key", "parts")
            )
            if not same or entry.part != len(self.open) or entry.stated != first.stated:
                self.check.bad(f"{self.origin}: entry {entry.index} should be a further part of the event before it")
                self.open = []
                return
        elif entry.part:
            if counted:
                self.check.bad(f"{self.origin}: entry {entry.index}: a further part of an event that does not begin")
            return
        else:
            self.open_in_scope = self.check.scope.has(entry)
        self.open.append(entry)
        if len(self.open) == entry.parts:
            parts, self.open = self.open, []
            try:
                self._event(parts, counted)
            except Refused as error:
                self.check.bad(f"{self.origin}: entry {parts[0].index}: {error}")

    def _close(self, index: int) -> None:
        """A run ends: context may end within an event, the period may not."""
        if (
            self.open
            and self.open[0].index < self.end
            and index >= self.end > self.first
            and self.open[0].index >= self.first
        ):
            self.check.bad(f"{self.origin}: entry {self.open[0].index}: the rest of this event is missing")
        self.open = []

    def _event(self, parts: List[Entry], counted: bool) -> None:  # noqa: C901 - what each kind is good for
        first, body = parts[0], None
        if first.stated:
            if self.open_in_scope and counted:
                raise Refused("it is withheld, and is in scope")
            return
        content = "none"
        if first.payload:
            revealed = self._take_revealed(first)
            body = opened(first, b"".join(part.payload for part in parts), revealed)
            content = "sealed" if body is None else "revealed" if first.key else "clear"
        if first.kind == "log.opened" and first.index == 0:
            self.announced = first.head.get("vkey")
        elif first.kind == "key.rotated":
            self.rotations.append((first.index, first.head.get("vkey"), first.head.get("signature")))
        elif first.kind in ("approval.granted", "break-glass.opened") and type(first.head.get("request")) is str:
            if len(self.granted) + len(self.glass) >= MAX_REMEMBERED:
                raise Refused("there are more approvals than this verifier can keep in mind")
            (self.granted if first.kind == "approval.granted" else self.glass).add(first.head["request"])
        elif first.kind == "policy.loaded" and body is not None:
            self.check.policy(self.place, first, body)
        elif first.kind == "stream.chunk" and counted and body is not None:
            played = self.check.played.get((self.place, first.session, first.op))
            if played is not None:
                played.take(first.head.get("stream"), body.get("data"))
            elif self.open_in_scope and len(self.check.unplayed) < MAX_LOADED:
                self.check.unplayed.add((self.place, first.session, first.op))
        self._remember(first, body, counted)
        if counted and self.open_in_scope:
            self.check.counter.take(self.place, first, content, self.granted, self.glass)

    def _remember(self, first: Entry, body: Optional[Dict[str, Any]], counted: bool) -> None:
        """What one event says that another one may belie."""
        digest, owner = first.head.get("policy"), first.session or first.key
        if body is not None and owner and len(self.readable) < MAX_REMEMBERED:
            self.readable.setdefault(owner, first.index)
        if first.kind == "policy.loaded" and type(digest) is bytes and len(self.policies) < MAX_LOADED:
            self.policies.add(digest)
        elif first.kind == "operation.decided" and type(digest) is bytes:
            self.unruled += counted and digest not in self.policies
        elif first.kind == "content.erased":
            for name in ("what", "gateway_keys"):
                items = first.head.get(name)
                for item in items if type(items) is list else []:
                    if type(item) is str and re.fullmatch("[0-9a-f]{32}", item) and len(self.erased) < MAX_REMEMBERED:
                        self.erased[bytes.fromhex(item)] = first.index

    def _take_revealed(self, first: Entry) -> Optional[Tuple[bytes, bytes]]:
        found = self.next_revealed
        if found is None or found[0] > first.index:
            return None
        self.next_revealed = next(self.revealed, None)
        if found[0] < first.index or not first.key or not self.open_in_scope:
            raise Refused(f"what is revealed of entry {found[0]} belongs to no sealed event in scope")
        return found[1], found[2]

    # --- keys ---------------------------------------------------------------------------------------------------------

    def keys(self, pinned: Key) -> List[Tuple[int, Key]]:
        """(size from which on it signs, key): from the log's first key on, if that leads to the pinned one."""
        try:
            first = Key(self.announced) if type(self.announced) is str else pinned
        except Refused:
            first = pinned
        for start in (first, pinned):
            chain = self._chain(start)
            if any(key.public == pinned.public for _, key in chain):
                break
        return chain

    def _chain(self, first: Key) -> List[Tuple[int, Key]]:
        chain = [(0, first)]
        for index, vkey, signature in self.rotations:
            try:
                new = Key(vkey) if type(vkey) is str else None
            except Refused:
                new = None
            if new is None or new.name != self.origin or type(signature) is not bytes:
                self.check.bad(f"{self.origin}: entry {index}: a change of keys that names no key")
                continue
            text = f"doorward/key-rotation/v1\n{self.origin}\n{index}\n{vkey}\n"
            if signed(chain[-1][1].public, signature, text.encode()):
                chain.append((index + 1, new))
        return chain

    def result(self) -> Dict[str, Any]:
        """As report.json says it."""
        return {
            "origin": self.origin, "size": self.size, "root": self.note.root.hex(),
            "first": self.first, "end": self.end, "last_unix_ns": self.last_at,
            "behind": self.about["behind"], "whole": self.whole, "withheld": self.withheld, "context": self.context,
        }  # fmt: skip


# === the whole check ==================================================================================================


class Check:
    """One run; the methods are the steps of section 9."""

    def __init__(self, bundle: Bundle, options: argparse.Namespace) -> None:
        self.bundle, self.options = bundle, options
        self.problems: List[str] = []
        self.notes: List[str] = []
        self.played: Dict[Tuple[int, bytes, bytes], Played] = {}
        self.texts: Dict[str, bytes] = {}
        self.unplayed: Set[Tuple[int, bytes, bytes]] = set()
        self.loaded: Set[Tuple[str, int, int]] = set()  # (path of a text, log, entry), as far as there is room
        self.show = tuple(options.show) if options.show else None
        self.counter = Counter(options.list or "", self._listed if options.list else None)
        self.logs: List[Log] = []

    def bad(self, what: str) -> None:
        """Something that does not hold."""
        if len(self.problems) < MAX_PROBLEMS and what not in self.problems:
            self.problems.append(what)

    def said(self, what: str) -> None:
        """Something that was checked."""
        if not (self.options.list or self.options.show or self.options.figures or self.options.quiet):
            tell("  ", what)

    def note(self, what: str) -> None:
        """Something that could not be."""
        self.notes.append(what)

    def run(self) -> None:
        """All steps; one that cannot be taken does not hide what the others find."""
        for step in (
            self._container,
            self._verifier,
            self._report_read,
            self._logs,
            self._signatures,
            self._recordings,
            self._policies,
            self._figures,
            self._page,
        ):
            try:
                step()
            except Refused as error:
                self.bad(str(error))
                if step in (self._report_read, self._logs):
                    return

    def _container(self) -> None:
        if not self.bundle.intact():
            self.bad("the file is not the one that was made: its bytes do not have the hash that it ends with")
        manifest = self.bundle.json("manifest.json")
        files = manifest.get("files") if type(manifest) is dict else None
        if type(files) is not dict or manifest != {"format": FORMAT, "files": files}:
            raise Refused("manifest.json is not a manifest of this format")
        for name in self.bundle.members:
            if name == "manifest.json":
                continue
            digest = hashlib.sha256()
            try:
                for piece in self.bundle.pieces(name):
                    digest.update(piece)
            except Refused as error:
                self.bad(str(error))
                continue
            if files.get(name) != digest.hexdigest():
                self.bad(f"{name} is not what the manifest says")
        for name in files:
            if name not in self.bundle.members:
                self.bad(f"{name!a} is in the manifest, and missing")
        self.said(f"container: {len(files)} files, each with the hash that the manifest gives, nothing between them")

    def _verifier(self) -> None:
        """Whether the verifier in the bundle is this one."""
        if self._own() not in (b"", self.bundle.read("verify.py")):
            self.note(
                "verify.py in the bundle is another one than this: whoever gets the bundle should not go by that one"
            )

    @staticmethod
    def _own() -> bytes:
        """This program; nothing where it cannot be read."""
        try:
            with open(globals().get("__file__", ""), "rb") as file:
                return file.read(1 << 20)
        except (OSError, ValueError):
            return b""

    def _report_read(self) -> None:
        self.report = self.bundle.json("report.json")
        wanted = {
            "controls",
            "figures",
            "format",
            "logs",
            "made",
            "period",
            "policies",
            "recordings",
            "scope",
            "tables",
        }
        if type(self.report) is not dict or set(self.report) != wanted:
            raise Refused("report.json is not a report of this format")
        if self.report["format"] != "doorward-evidence-report@1":
            raise Refused("report.json is of another format")
        self.scope = Scope(self.report["scope"])
        recordings = self.report["recordings"]
        if type(recordings) is not list or len(recordings) > MAX_RECORDINGS:
            raise Refused("report.json: recordings that are no list, or too many")
        for one in recordings:
            self.played[self._recording(one)] = Played()

    def _recording(self, one: Any) -> Tuple[int, bytes, bytes]:
        types = {"file": str, "log": int, "operation": str, "pieces": int, "session": str}
        if type(one) is not dict or {name: type(value) for name, value in one.items()} != types:
            raise Refused("report.json: a recording that is none")
        if not all(re.fullmatch("([0-9a-f]{32})?", one[name]) for name in ("operation", "session")):
            raise Refused("report.json: a recording of no session")
        return one["log"], bytes.fromhex(one["session"]), bytes.fromhex(one["operation"])

    def _logs(self) -> None:
        period = self.report["period"]
        folders = sorted({"/".join(name.split("/")[:2]) for name in self.bundle.under("logs/")})
        self.logs = [Log(self, 0, folder) for folder in folders]
        self.logs.sort(key=lambda log: log.origin)
        if not self.logs:
            raise Refused("there is no log in it")
        for place, log in enumerate(self.logs):
            log.place = place
            if period != {"from_unix_ns": log.since, "to_unix_ns": log.until}:
                self.bad(f"{log.origin}: its period is not the report's")
            self.scope.sessions.clear()  # ids are a log's own
            log.read()
            self._told(log)

    def _told(self, log: Log) -> None:
        if log.first < log.end:
            self.said(
                f"{log.origin}: entries {log.first:,} to {log.end - 1:,}, without a gap, "
                f"{moment(log.since)} to {moment(log.until)}"
            )
        else:
            self.said(f"{log.origin}: no entries in the period, {moment(log.since)} to {moment(log.until)}")
        self.said(
            f"  {log.whole:,} whole, {log.withheld:,} withheld, {log.context:,} before and after them for context"
        )
        self.said(
            f"  with {len(log.gaps)} hashes of what is not in the bundle they make the root of "
            f"the checkpoint over {log.size:,}"
        )
        if log.withheld:
            self.note(
                f"{log.origin}: {log.withheld:,} entries are given by their hashes; what is said of them, and so that "
                f"they are out of scope, is stated, not proved: who doubts it asks for these entries"
            )
        if log.end == log.size:
            self.note(
                f"{log.origin}: the log, as far as its checkpoint goes, ends within the period, "
                f"at {moment(log.last_at)}"
            )
        kept = sorted(place for owner, place in log.erased.items() if log.readable.get(owner, place) < place)
        if kept:
            self.note(
                f"{log.origin}: entry {kept[0]} says that content was erased which can be read in this bundle, "
                f"from before it: it was not erased, or the keys were kept elsewhere ({len(kept):,} of these)"
            )
        if log.unruled:
            self.note(
                f"{log.origin}: {log.unruled:,} operations were decided under a policy whose coming into force is not "
                f"before them in this bundle"
            )
        if log.about["behind"]:
            self.note(
                f"{log.origin}: {log.about['behind']:,} entries lay behind the checkpoint and are not in the bundle"
            )

    def _signatures(self) -> None:
        given = [Key(text) for text in self.options.key]
        stated = self.bundle.json("keys/keys.json")
        named: Dict[str, List[Any]] = {}
        for group in ("logs", "witnesses"):
            named[group] = stated.get(group) if type(stated) is dict else None  # type: ignore[assignment]  # looked at below
            if type(named[group]) is not list or any(
                type(one) is not dict or type(one.get("vkey")) is not str for one in named[group]
            ):
                raise Refused("keys/keys.json does not name keys")
        self._key_files(named["logs"])
        for log in self.logs:
            pinned = [key for key in given if key.name == log.origin and key.kind == LOG_KEY]
            if not pinned and given:
                self.bad(f"{log.origin}: none of the keys given is this log's: its key has to be given, too")
            elif not pinned:
                self.note(
                    f"{log.origin}: key not pinned: pass --key with the vkey as you had it from elsewhere; "
                    f"until then this shows only that the bundle agrees with itself"
                )
            stated_keys = [key for key in (Key(one["vkey"]) for one in named["logs"]) if key.name == log.origin]
            pinned = pinned or stated_keys
            if not pinned:
                self.bad(f"{log.origin}: there is no key for it")
                continue
            self._signature(log, log.keys(pinned[0]))
            self._witnesses(log, [Key(one["vkey"]) for one in named["witnesses"]])
        self._left_out(given)

    def _left_out(self, given: List[Key]) -> None:
        """Logs that the auditor knows of, and that are not here."""
        origins = {log.origin for log in self.logs}
        for key in given:
            if key.name not in origins:
                self.note(f"no log here is of {key.name}, whose key was given")
        for name, data in self.options.checkpoints:
            if Note(data).origin not in origins:
                self.bad(f"{name}: no log here is of {Note(data).origin}, whose checkpoint was given: it is left out")

    def _key_files(self, logs: List[Any]) -> None:
        """The files of keys are what keys.json says, and no others."""
        wanted = {f"keys/{escaped(Key(one['vkey']).name)}.vkey": one["vkey"] for one in logs}
        for name in self.bundle.under("keys/"):
            if name != "keys/keys.json" and self.bundle.read(name) != (wanted.get(name, "") + "\n").encode():
                self.bad(f"{name!a} is not a key that keys.json has")

    def _signature(self, log: Log, chain: List[Tuple[int, Key]]) -> None:
        key = [key for since, key in chain if since <= log.size][-1]
        good, _ = log.note.by(key)
        if good is None:
            found = {blob[:4].hex() for name, blob in log.note.lines if name == log.origin}
            signers = ", ".join(sorted(found)) or "none"
            self.bad(
                f"{log.origin}: the checkpoint is not signed by the key {key.id.hex()}: it has the key id {signers}; "
                f"if that was the log's key before a change, the checkpoint is older than the change: give that key"
            )
        elif not good:
            self.bad(f"{log.origin}: the checkpoint's signature is wrong")
        else:
            turned = f", {len(chain) - 1} changes of keys, each signed by the key before" if len(chain) > 1 else ""
            self.said(f"{log.origin}: checkpoint signed by key {key.id.hex()}{turned}")
        own = f"{log.folder}/outside"
        if own in self.bundle.members:
            self._older(log, chain, own, Note(self.bundle.read(own)))
        for name, data in self.options.checkpoints:
            note = Note(data)
            if note.origin == log.origin:
                self._older(log, chain, name, note)

    def kept_sizes(self, origin: str) -> Set[int]:
        """Sizes of the checkpoints of this log that the auditor holds."""
        return {note.size for note in (Note(data) for _, data in self.options.checkpoints) if note.origin == origin}

    def _older(self, log: Log, chain: List[Tuple[int, Key]], name: str, note: Note) -> None:
        """Whether the log goes on from an older checkpoint."""
        key = [key for since, key in chain if since <= note.size][-1]
        if note.origin != log.origin or not note.by(key)[0]:
            self.bad(f"{name}: not signed by the key of {log.origin}")
        elif note.size > log.size:
            self.bad(
                f"{name}: covers {note.size:,} entries of {log.origin}, "
                f"the bundle's checkpoint {log.size:,}: entries were removed"
            )
        elif note.size == log.size and note.root != log.note.root:
            self.bad(f"{name}: another root over {note.size:,} entries: there are two logs under one key")
        elif note.size in log.roots and log.roots[note.size] != note.root:
            self.bad(f"{name}: another root over {note.size:,} entries: the log was rewritten, or there are two")
        elif note.size in log.roots or consistent(
            note, log.size, log.note.root, log.consistency if note.size < log.size else []
        ):
            self.said(
                f"{log.origin}: the older checkpoint over {note.size:,} entries ({name}) is the beginning of this log"
            )
        elif name == f"{log.folder}/outside":
            self.bad(f"{name}: the log is no continuation of this checkpoint: it was rewritten or forked")
        else:
            self.bad(
                f"{name}: not proved to be the beginning of this log: the bundle has no proof from this checkpoint on; "
                f"ask for one made with --checkpoint {name}"
            )

    def _witnesses(self, log: Log, stated: List[Key]) -> None:
        given = [Key(text) for text in self.options.witness]
        for key in given or stated:
            if key.kind != WITNESS_KEY or key.name == log.origin:
                self.bad(f"{key.name}: the key {key.id.hex()} is not one of a witness")
                continue
            good, when = log.note.by(key)
            if good:
                self.said(f"{log.origin}: cosigned by the witness {key.name} at {moment(when * 1_000_000_000)}")
                if when * 1_000_000_000 + CLOCKS_NS < log.last_at:
                    self.note(
                        f"{log.origin}: that was before the last entry under it, which is dated {moment(log.last_at)}: "
                        f"the gateway's clock and the witness's do not agree"
                    )
                if not given:
                    self.note(f"witness {key.name}: its key is the bundle's own word: pass --witness")
            elif good is not None:
                self.bad(f"{log.origin}: the cosignature of {key.name} is wrong")
            elif given:
                self.bad(f"{log.origin}: the witness {key.name} did not cosign this checkpoint")
        known = {log.origin, *(key.name for key in given or stated)}
        others = sorted({name for name, _ in log.note.lines} - known)
        if others:
            self.note(f"{log.origin}: signature lines of unknown keys: {', '.join(others)!a}")

    # --- content ------------------------------------------------------------------------------------------------------

    def policy(self, log: int, first: Entry, body: Dict[str, Any]) -> None:
        """Keep what a policy event says its files are, by the path that the bundle gives them."""
        digest, texts = first.head.get("policy"), body.get("texts")
        if type(digest) is not bytes or type(texts) is not dict:
            return
        for name, text in texts.items():
            if name and type(text) is str and len(self.texts) < 10_000:
                path, found = f"policies/{digest.hex()}/{escaped(name)}", hashlib.sha256(text.encode()).digest()
                if self.texts.setdefault(path, found) != found:
                    self.bad(f"{path}: entry {first.index} has another text under the same digest of a policy")
                if len(self.loaded) < MAX_LOADED:
                    self.loaded.add((path, log, first.index))

    def _policies(self) -> None:
        files = self.bundle.under("policies/")
        for name in files:
            if self.texts.get(name) != hashlib.sha256(self.bundle.read(name)).digest():
                self.bad(f"{name} is not the text of a policy that the log says was loaded")
        for name in sorted(set(self.texts) - set(files)):
            self.bad(f"{name!a} is missing: the log has that policy's text")
        listed = self.report["policies"]
        if (
            type(listed) is not list
            or sorted(str(one.get("file")) if type(one) is dict else "" for one in listed) != files
        ):
            self.bad("report.json does not list the policies that are there")
        for one in listed if type(listed) is list else []:
            self._listed_policy(one)
        if files:
            self.said(f"policies: {len(files)} texts, each as the log recorded it when it was loaded")

    def _listed_policy(self, one: Any) -> None:
        about = {"digest": str, "file": str, "index": int, "log": int}
        if type(one) is not dict or {name: type(value) for name, value in one.items()} != about:
            self.bad("report.json: a policy that is none")
            return
        place = (one["file"], one["log"], one["index"])
        if one["digest"] != one["file"].split("/")[1:2][0] or (
            place not in self.loaded and len(self.loaded) < MAX_LOADED
        ):
            self.bad(f"report.json: {one['file']!a} was not loaded by the event that it names")

    def _recordings(self) -> None:
        listed = set()
        for one in self.report["recordings"]:
            played = self.played[self._recording(one)]
            listed |= {one["file"], one["file"][:-5] + ".txt"}
            digest = self._cast(one["file"])
            if digest != played.printed.digest() or played.pieces != one["pieces"]:
                self.bad(f"{one['file']!a} is not what the chunks of the log hold")
        for name in self.bundle.under("recordings/"):
            if name not in listed:
                self.bad(f"{name} is not in report.json")
        if self.played:
            self.said(
                f"recordings: {len(self.played):,}, each the output that the log's chunks hold; "
                f"their pace, sizes and titles, and the texts beside them, are the maker's"
            )
        if self.unplayed:
            self.note(
                f"recordings: of {len(self.unplayed):,} operations with recorded output there is none here: "
                f"their output stands in the entries alone (--list record.recordings)"
            )

    def _cast(self, name: str) -> bytes:
        output = Printed()
        for line in self.bundle.read(name).split(b"\n")[1:]:
            if line.count(b",") + line.count(b"[") + line.count(b"{") > MAX_JSON_ITEMS:
                raise Refused(f"{name}: a line with too much in it")
            try:
                event = json.loads(line, parse_int=small) if line else []
            except (ValueError, RecursionError):
                raise Refused(f"{name}: a line that is no JSON") from None
            if line and (type(event) is not list or len(event) != 3 or type(event[2]) is not str):
                raise Refused(f"{name}: a line that is no event")
            if line and event[1] == "o":
                output.take(event[2])
        return output.digest()

    def _figures(self) -> None:
        report = self.report
        for what, found in (
            ("figures", {name: figure.result() for name, figure in self.counter.figures.items()}),
            ("tables", {table.id: table.result() for table in self.counter.tables}),
        ):
            said = report[what]
            if type(said) is not dict or set(said) != set(found):
                raise Refused(f"report.json does not have the {what} of this format")
            for name, value in found.items():
                if same(said[name]) != same(value):
                    self.bad(f"report.json: {what} {name} is not what the entries say" + self._both(said[name], value))
        if same(report["logs"]) != same([log.result() for log in self.logs]):
            self.bad("report.json: what it says of the logs is not what was found")
        self._controls(report["controls"])
        self.said(
            f"report.json: {len(self.counter.figures)} figures and {len(self.counter.tables)} tables "
            f"counted again, from the entries"
        )

    def _controls(self, said: Any) -> None:
        """The sections are those of the format, and each exception that is not zero is in one of them."""
        named: Set[str] = set()
        if type(said) is not list or " ".join(str(one.get("id")) for one in said if type(one) is dict) != CONTROLS:
            self.bad("report.json: its sections are not those of this format")
            return
        for one in said:
            lists = [one.get("figures"), one.get("exceptions")]
            if len(one) != 3 or any(type(names) is not list or not names for names in lists[:1]):
                self.bad(f"report.json: the section {one['id']} has no figures")
            for names in lists:
                if type(names) is not list or any(
                    type(name) is not str or name not in self.counter.figures for name in names
                ):
                    self.bad(f"report.json: the section {one['id']} names a figure that is none")
                    return
            named |= set(lists[1])
        for figure in self.counter.figures.values():
            if figure.exception and figure.count and figure.id not in named:
                self.bad(f"report.json: no section has the exception {figure.id}, which is {figure.count:,}")

    @staticmethod
    def _both(said: Any, value: Dict[str, Any]) -> str:
        if type(said) is dict and type(said.get("count")) is int and "count" in value:
            return f": it says {said['count']:,}, they say {value['count']:,}"
        return ""

    def _page(self) -> None:
        text = self.bundle.read("report.html").decode("utf-8", "replace")
        found = re.findall(r'data-figure="([^"]*)"(?:>([0-9,]+)<)?', text)
        for name, digits in found:
            figure = self.counter.figures.get(name)
            if figure is None or digits != f"{figure.count:,}":
                self.bad(f"report.html: the figure {name!a} is not what the entries say")
        if not found:
            self.bad("report.html has no figures")
        there = {name for name, _ in found}
        for figure in self.counter.figures.values():
            if figure.exception and figure.count and figure.id not in there:
                self.bad(f"report.html does not show the exception {figure.id}, which is {figure.count:,}")
        tables = self._page_tables(text)
        self.said(f"report.html: {len(found)} figures and {tables} tables in it are those counted")
        self.note(
            "report.html: its words, what it looks like, its lists of requests, recordings and policies, and the pages "
            "of entries, are its maker's, as is README.txt: where something hangs on them, take it from --figures, "
            "--list and --show"
        )
        if self.options.figures:
            for figure in self.counter.figures.values():
                tell("", f"{figure.count:>12,} {'!' if figure.exception and figure.count else ' '} {figure.id}")

    def _page_tables(self, text: str) -> int:
        """How many tables of figures the page has, each with the rows that were counted, first of all the largest."""
        found = re.findall(r'<table data-table="([^"]*)">(.*?)</table>', text, re.DOTALL)
        for name, inside in found:
            table = next((table for table in self.counter.tables if table.id == name), None)
            rows = [
                [
                    html.unescape(re.sub("<[^>]*>", "", cell)).strip()
                    for cell in re.findall("<td[ >].*?</td>", row, re.DOTALL)
                ]
                for row in re.findall("<tr>(.*?)</tr>", inside.partition("<tbody>")[2], re.DOTALL)
            ]
            if table is None or not self._rows_agree(table, rows):
                self.bad(f"report.html: the table {name!a} is not what the entries say")
        for table in self.counter.tables:
            if table.groups and table.id not in {name for name, _ in found}:
                self.bad(f"report.html does not show the table {table.id}")
        return len(found)

    @staticmethod
    def _rows_agree(table: Table, rows: List[List[str]]) -> bool:
        counted = table.result()["rows"][:SHOWN_ROWS]
        if len(rows) != len(counted):
            return False
        for cells, (keys, counts) in zip(rows, counted):
            if cells[len(keys) :] != [f"{count:,}" for count in counts]:
                return False
            for cell, key in zip(cells, keys):
                plain = (
                    all(" " <= char <= "~" for char in key) and "\\" not in key
                )  # what else is in it, a page shows spelled out
                if plain and cell != (key.strip() or "\u2013"):
                    return False
        return True

    # --- asked for ----------------------------------------------------------------------------------------------------

    @staticmethod
    def _listed(log: int, entry: Entry) -> None:
        tell("", f"{log} {entry.index} {moment(entry.at)} {entry.kind} {entry.session.hex()}")

    def shown(self, entry: Entry) -> None:
        """Print one entry as JSON; of a payload in the clear its text."""
        data = {name: getattr(entry, name) for name in (*NAMES, "parts", "leaf")}
        if entry.payload and not entry.key and entry.parts == 1:
            try:
                data["payload"] = opened(entry, entry.payload, None)
            except Refused as error:
                self.bad(f"entry {entry.index}: {error}")
        sys.stdout.write(json.dumps(data, indent=1, default=bytes.hex) + "\n")


def moment(unix_ns: int) -> str:
    """A time, UTC."""
    try:
        return datetime.fromtimestamp(unix_ns // 1_000_000_000, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{unix_ns} ns"


def tell(mark: str, what: str) -> None:
    """Print one line, harmless whatever is in it."""
    line = what.encode("ascii", "backslashreplace").decode()
    sys.stdout.write(mark + "".join(char if " " <= char <= "~" else f"\\x{ord(char):02x}" for char in line) + "\n")


def arguments(argv: List[str]) -> argparse.Namespace:
    """What was asked."""
    parser = argparse.ArgumentParser(
        description="Check a Doorward evidence bundle, offline, and say in words what was checked."
    )
    parser.add_argument("bundle")
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="VKEY",
        help="a gateway's public key, as you had it from elsewhere",
    )
    parser.add_argument("--key-file", action="append", default=[], help="a file with such a key")
    parser.add_argument("--witness", action="append", default=[], metavar="VKEY", help="a witness's public key")
    parser.add_argument("--checkpoint", action="append", default=[], metavar="FILE", help="a checkpoint that you kept")
    parser.add_argument(
        "--list",
        metavar="FIGURE",
        choices=[line.split("|")[0] for line in FIGURES.splitlines()],
        help="print every entry that a figure counts",
    )
    parser.add_argument("--figures", action="store_true", help="print every figure, counted from the entries")
    parser.add_argument("--show", nargs=2, type=int, metavar=("LOG", "INDEX"), help="print one entry")
    parser.add_argument("--quiet", action="store_true", help="say nothing but the result")
    options = parser.parse_args(argv)
    try:
        for name in options.key_file:
            with open(name, encoding="ascii") as file:
                options.key.append(file.read(4096))
        options.checkpoints = []
        for name in options.checkpoint:
            with open(name, "rb") as binary:
                options.checkpoints.append((name, binary.read(1 << 17)))
    except (OSError, UnicodeError) as error:
        parser.error(str(error))
    return options


def main(argv: List[str]) -> int:
    """Check one bundle; the exit status."""
    options = arguments(argv)
    problems, notes = [], []
    try:
        with open(options.bundle, "rb") as file:
            check = Check(Bundle(file), options)
            check.run()
            problems, notes = check.problems, check.notes
    except Refused as error:
        problems = [str(error)]
    except (OSError, MemoryError, RecursionError) as error:
        problems = [f"it cannot be read: {error or type(error).__name__}"]
    for note in notes:
        tell("NOTE    ", note)
    for problem in problems:
        tell("PROBLEM ", problem)
    if not (options.list or options.show) or problems:
        tell(
            "",
            "NOT OK"
            if problems
            else "OK: everything that this bundle holds was checked; what could not be is in the notes above"
            if notes
            else "OK: everything was checked",
        )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
