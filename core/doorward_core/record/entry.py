"""The entry: how one event becomes bytes of the log, and back.

Implements docs/spec/event-log.md sections 3 and 4: the fields, the payload's framing, commitment, seal and parts.
Pure: salt, key and time come in as arguments.
It will not decide what belongs in a header; the gate does.

Invariants: an entry is at most MAX_ENTRY bytes; it is canonical because its fields are joined in canonical order;
a payload that does not match its commitment is never returned.
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from doorward_core.event import Value
from doorward_core.record.encode import EncodingError, decode, encode

VERSION = 1
MAX_ENTRY = 65_535  # tlog-tiles gives an entry a u16 length
MAX_HEAD = 15_000  # with a slice and the other fields it stays below MAX_ENTRY
MAX_PAYLOAD = 32 * 1024 * 1024  # twice the largest statement that a proxy accepts
SLICE = 49_152  # 48 KiB of a payload in each entry
MAX_ORIGIN = 128
MAX_KIND = 64
ID_BYTES = 16
SALT_BYTES = 32
MAX_KEPT = 4096  # spellings of kinds and sessions that a builder keeps
PAD_BYTES = 64  # a body's length shows in steps of this
COMMIT_TAG = b"doorward/commitment/v1\x00"
# What frames a body, besides the body: salt, length, and at most 63 bytes of padding.
_FRAMED_HEAD = struct.Struct(">32sI")
_EMPTY_MAP = b"\x80"
_U16, _U32, _U64 = struct.Struct(">BH").pack, struct.Struct(">BI").pack, struct.Struct(">BQ").pack
_SMALL = tuple(bytes((value,)) for value in range(1 << 7))
_BINARY = tuple(bytes((0xC4, length)) for length in range(1 << 8))
_FIELDS = frozenset({"at", "commit", "head", "index", "key", "kind", "op", "origin", "part", "payload", "session", "v"})


class EntryError(ValueError):
    """Bytes that are not an entry of this log, or an event that cannot become one."""


@dataclass(frozen=True, slots=True)
class Fields:
    """One entry. `head` is None only where it was not decoded."""

    index: int
    at_unix_ns: int
    kind: str
    session: bytes
    operation: bytes
    origin: str
    head: Mapping[str, Value]
    commit: bytes
    key: bytes
    part: int
    parts: int
    payload: bytes


def check_origin(origin: str) -> None:
    """Raise EntryError unless `origin` is 1 to 128 printable ASCII characters without space and plus."""
    if not 1 <= len(origin) <= MAX_ORIGIN or any(not "!" <= char <= "~" or char == "+" for char in origin):
        raise EntryError("an origin is 1 to 128 printable ASCII characters without space and '+'")


# --- payload ----------------------------------------------------------------------------------------------------------


def commitment(salt: bytes, body: bytes) -> bytes:
    """What the header says of the payload (section 4.1)."""
    return hashlib.sha256(COMMIT_TAG + salt + body).digest()


def frame(salt: bytes, body: bytes) -> bytes:
    """`salt || u32 length || body || zeros` up to a multiple of 64 bytes."""
    framed = _FRAMED_HEAD.pack(salt, len(body)) + body
    return framed + bytes(-len(framed) % PAD_BYTES)


def unframe(framed: bytes) -> tuple[bytes, bytes]:
    """Give (salt, body); raises EntryError where the framing is not exact."""
    if len(framed) < _FRAMED_HEAD.size or len(framed) % PAD_BYTES:
        raise EntryError("payload framing: wrong length")
    salt, length = _FRAMED_HEAD.unpack_from(framed)
    end = _FRAMED_HEAD.size + length
    if not end <= len(framed) < end + PAD_BYTES or any(framed[end:]):
        raise EntryError("payload framing: length and padding do not agree")
    return salt, framed[_FRAMED_HEAD.size : end]


def nonce(index: int) -> bytes:
    """Twelve bytes that occur once under a key: a key lives in one run, and an index occurs once in a run."""
    return bytes(4) + index.to_bytes(8, "big")


def seal(cipher: AESGCM, index: int, framed: bytes, commit: bytes) -> bytes:
    """Seal a framed body for the event whose first entry is `index`."""
    return cipher.encrypt(nonce(index), framed, commit)


def open_blob(fields: Fields, blob: bytes, cipher: AESGCM | None) -> Mapping[str, Value]:
    """Give the payload of an event from its joined parts.

    `fields` is part 0.
    `cipher` is needed where `fields.key` is not empty.
    Raises EntryError where the seal, the framing or the commitment does not hold.
    """
    if fields.key:
        if cipher is None:
            raise EntryError("sealed, and no key was given")
        try:
            blob = cipher.decrypt(nonce(fields.index), blob, fields.commit)
        except InvalidTag as error:
            raise EntryError("the seal does not open with this key") from error
    salt, body = unframe(blob)
    if commitment(salt, body) != fields.commit:
        raise EntryError("the payload does not match its commitment")
    try:
        payload = decode(body)
    except EncodingError as error:
        raise EntryError(f"payload: {error}") from error
    if not isinstance(payload, dict):
        raise EntryError("a payload that is not a map")
    return payload


# --- building ---------------------------------------------------------------------------------------------------------


def _uint(value: int) -> bytes:
    """The shortest msgpack spelling of a non-negative integer."""
    if value < 1 << 7:
        return _SMALL[value]
    if value < 1 << 8:
        return b"\xcc" + value.to_bytes(1, "big")
    if value < 1 << 16:
        return _U16(0xCD, value)
    if value < 1 << 32:
        return _U32(0xCE, value)
    return _U64(0xCF, value)


def _binary(value: bytes) -> bytes:
    length = len(value)
    return (_BINARY[length] if length < 1 << 8 else _U16(0xC5, length)) + value


def _text(value: str) -> bytes:
    data = value.encode()
    if len(data) < 1 << 5:
        return (0xA0 | len(data)).to_bytes(1, "big") + data
    return b"\xd9" + len(data).to_bytes(1, "big") + data


class Builder:
    """Makes the entries of one log.

    One instance for each log: what never changes (origin, version) is spelled once.
    """

    __slots__ = ("_kinds", "_origin", "_tail", "_tails")

    def __init__(self, origin: str) -> None:
        check_origin(origin)
        self._origin = b"\xa6origin" + _text(origin) + b"\xa4part\x92"
        self._tail = b"\xa1v" + _uint(VERSION)
        # What is the same in the entries of one kind under one key, and of one session; all is begun anew past a bound.
        self._kinds: dict[tuple[bytes, str], bytes] = {}
        self._tails: dict[bytes, bytes] = {}

    def event(
        self,
        index: int,
        at_unix_ns: int,
        kind: str,
        session: bytes,
        operation: bytes,
        *,
        head: bytes,
        commit: bytes = b"",
        key: bytes = b"",
        blob: bytes = b"",
    ) -> list[bytes]:
        """Give the entries of one event: `head` and body are canonical already, `blob` is framed or sealed."""
        kinds = self._kinds.get((key, kind)) or self._of_kind(key, kind)
        shared = kinds + _binary(operation) + self._origin
        tail = self._tails.get(session) or self._of_session(session)
        start = b"\x8c\xa2at" + _uint(at_unix_ns) + b"\xa6commit"
        count = max(1, -(-len(blob) // SLICE))
        entries = []
        for part in range(count):
            piece = blob[part * SLICE : (part + 1) * SLICE] if count > 1 else blob
            entries.append(
                b"".join(
                    (
                        start,
                        _binary(commit if part == 0 else b""),
                        b"\xa4head",
                        head if part == 0 else _EMPTY_MAP,
                        b"\xa5index",
                        _uint(index + part),
                        shared,
                        _uint(part),
                        _uint(count),
                        b"\xa7payload",
                        _binary(piece),
                        tail,
                    )
                )
            )
        return entries

    def _of_kind(self, key: bytes, kind: str) -> bytes:
        if len(self._kinds) >= MAX_KEPT:
            self._kinds.clear()
        made = self._kinds[key, kind] = b"\xa3key" + _binary(key) + b"\xa4kind" + _text(kind) + b"\xa2op"
        return made

    def _of_session(self, session: bytes) -> bytes:
        if len(self._tails) >= MAX_KEPT:
            self._tails.clear()
        made = self._tails[session] = b"\xa7session" + _binary(session) + self._tail
        return made


def parts_of(body_bytes: int, *, sealed: bool) -> int:
    """How many entries an event takes whose body has this many bytes (0: no payload)."""
    if body_bytes == 0:
        return 1
    framed = _FRAMED_HEAD.size + body_bytes
    framed += -framed % PAD_BYTES
    return -(-(framed + (16 if sealed else 0)) // SLICE)


def pack_parts(head: Mapping[str, Value], payload: Mapping[str, Value]) -> tuple[bytes, bytes]:
    """Give canonical header and body (empty for no payload), or raise EntryError: too large, or without a form."""
    try:
        packed_head = encode(head)
        body = encode(payload) if payload else b""
    except EncodingError as error:
        raise EntryError(str(error)) from error
    if len(packed_head) > MAX_HEAD:
        raise EntryError(f"a header of {len(packed_head)} bytes; at most {MAX_HEAD}")
    if len(body) > MAX_PAYLOAD:
        raise EntryError(f"a payload of {len(body)} bytes; at most {MAX_PAYLOAD}")
    return packed_head, body


# --- reading ----------------------------------------------------------------------------------------------------------


def parse(data: bytes) -> Fields:
    """Read one entry for showing; raises EntryError. Proof is `record.verify`'s work, not this one's."""
    if len(data) > MAX_ENTRY:
        raise EntryError("longer than an entry may be")
    try:
        value = decode(data)
    except EncodingError as error:
        raise EntryError(str(error)) from error
    if not isinstance(value, dict) or value.keys() != _FIELDS:
        raise EntryError("not the fields of an entry")
    if value["v"] != VERSION or value["v"] is True:
        raise EntryError("an entry of another version")
    part = value["part"]
    if not isinstance(part, list) or len(part) != 2:  # noqa: PLR2004 - [k, n]
        raise EntryError("part is not [k, n]")
    fields = Fields(
        index=cast("int", value["index"]),
        at_unix_ns=cast("int", value["at"]),
        kind=cast("str", value["kind"]),
        session=cast("bytes", value["session"]),
        operation=cast("bytes", value["op"]),
        origin=cast("str", value["origin"]),
        head=cast("dict[str, Value]", value["head"]),
        commit=cast("bytes", value["commit"]),
        key=cast("bytes", value["key"]),
        part=cast("int", part[0]),
        parts=cast("int", part[1]),
        payload=cast("bytes", value["payload"]),
    )
    _check_types(fields)
    return fields


def _check_types(fields: Fields) -> None:
    """Refuse fields of a wrong type, so that whoever shows them need not look."""
    numbers = (fields.index, fields.at_unix_ns, fields.part, fields.parts)
    binaries = (fields.session, fields.operation, fields.commit, fields.key, fields.payload)
    if not (
        all(type(number) is int and number >= 0 for number in numbers)
        and all(type(binary) is bytes for binary in binaries)
        and type(fields.kind) is str
        and type(fields.origin) is str
        and isinstance(fields.head, dict)
    ):
        raise EntryError("a field of the wrong type")
