"""One revealed content: its salt and body, as a text of its own, and the check against an entry.

Implements docs/spec/event-log.md section 4.1, for whoever is handed content without a key.
Pure.
It will not prove that the entry is in a log: that is a proof's to do (section 7.3), or `record.verify`'s.

A revealed content is a text of five lines:

    doorward/revealed/v1
    <origin>
    <index of the event's first entry>
    <base64 of the salt>
    <base64 of the body>
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from doorward_core.event import Value
from doorward_core.record.encode import EncodingError, decode
from doorward_core.record.entry import (
    MAX_PAYLOAD,
    SALT_BYTES,
    EntryError,
    commitment,
    nonce,
    parse,
    unframe,
)

TAG: Final = "doorward/revealed/v1"
MAX_TEXT: Final = 2 * MAX_PAYLOAD
_LINES: Final = 5


@dataclass(frozen=True, slots=True)
class Revealed:
    """What one event's content was, and whose."""

    origin: str
    index: int
    salt: bytes
    body: bytes


class First(Protocol):
    """The first entry of an event, whoever read it."""

    @property
    def origin(self) -> str:
        """Of the log."""

    @property
    def index(self) -> int:
        """Its place there."""

    @property
    def key(self) -> bytes:
        """Id of the key that its content is sealed with; empty where it is not."""

    @property
    def commit(self) -> bytes:
        """What it commits to."""


def reveal(first: First, blob: bytes, cipher: AESGCM | None) -> Revealed:
    """Take the content out of an event: `first` is its first entry, `blob` its joined parts; raises EntryError."""
    if not blob:
        raise EntryError("it has no content")
    if first.key:
        if cipher is None:
            raise EntryError("it is sealed, and there is no key for it")
        try:
            blob = cipher.decrypt(nonce(first.index), blob, first.commit)
        except InvalidTag as error:
            raise EntryError("the seal does not open with this key") from error
    salt, body = unframe(blob)
    found = Revealed(first.origin, first.index, salt, body)
    if not hmac.compare_digest(commitment(salt, body), first.commit):
        raise EntryError("the payload does not match its commitment")
    return found


def write(revealed: Revealed) -> bytes:
    """As a text."""
    salt, body = (base64.b64encode(data).decode() for data in (revealed.salt, revealed.body))
    return f"{TAG}\n{revealed.origin}\n{revealed.index}\n{salt}\n{body}\n".encode()


def read(text: bytes) -> Revealed:
    """From a text; raises EntryError for anything that `write` would not have written."""
    lines = text.decode("ascii", "replace").split("\n")
    if len(text) > MAX_TEXT or len(lines) != _LINES + 1 or lines[0] != TAG or not lines[2].isdigit():
        raise EntryError("this is no revealed content")
    try:
        salt, body = (base64.b64decode(line, validate=True) for line in lines[3:5])
    except binascii.Error as error:
        raise EntryError("this is no revealed content") from error
    found = Revealed(lines[1], int(lines[2]), salt, body)
    if len(salt) != SALT_BYTES or write(found) != text:
        raise EntryError("this is no revealed content")
    return found


def check(revealed: Revealed, entry: bytes) -> Mapping[str, Value]:
    """The content, if it is what the entry commits to; raises EntryError where it is not."""
    fields = parse(entry)
    if (fields.origin, fields.index) != (revealed.origin, revealed.index):
        raise EntryError(f"it is of entry {revealed.index} of {revealed.origin}, and this is another")
    if not hmac.compare_digest(commitment(revealed.salt, revealed.body), fields.commit):
        raise EntryError("it is not what this entry commits to")
    try:
        payload = decode(revealed.body)
    except EncodingError as error:
        raise EntryError(f"payload: {error}") from error
    if not isinstance(payload, dict):
        raise EntryError("a payload that is not a map")
    return payload
