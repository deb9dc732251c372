"""Where revocations and openings lie over a restart: one small file, read once and written whole.

It is a synchronous shell: the register calls it from a worker thread.
Its first line is an HMAC-SHA256 of the rest under a key of the gateway that is not in the file.
A file that was altered, cut, or lacks a part is not believed, and a gateway does not start with it: what is missing of
it would be let in again. Putting back an older copy of the whole file is what the HMAC cannot see; a running gateway
never reads it again, and the event log tells what was revoked and never lifted.

A crash while writing leaves the file as it was before, and a draft beside it that the next writing replaces.
"""

import hmac
import os
from pathlib import Path
from typing import Final

from doorward_core.access.codec import decode, encode
from doorward_core.access.ledger import Ledger
from doorward_core.errors import StoreError

MAX_BYTES: Final = 32 * 1024 * 1024
"""Ten thousand revocations and openings with the longest reasons."""
MIN_KEY_BYTES: Final = 32


class LedgerFile:
    """The file, with mode 0600. `key` is at least 32 bytes and lies elsewhere. Every method may raise StoreError."""

    def __init__(self, path: Path, key: bytes) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise StoreError("the key of the ledger must have at least 32 bytes")
        self._path = path
        self._key = hmac.digest(key, b"doorward-access-ledger/1", "sha256")

    def load(self) -> Ledger:
        """Read it; an empty ledger where there is no file yet."""
        try:
            with self._path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return Ledger()
        except OSError as error:
            raise StoreError(f"{self._path} cannot be read: {error.strerror}") from error
        mac, _, body = data.partition(b"\n")
        if len(data) > MAX_BYTES or not hmac.compare_digest(mac, self._mac(body)):
            raise StoreError(f"{self._path} was altered: what it says is revoked cannot be believed")
        try:
            return decode(body)
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{self._path} cannot be read: {error}") from error

    def save(self, body: bytes) -> None:
        """Write it anew, what `codec.encode` gave; once this returns it is on stable storage."""
        draft = self._path.with_name(f"{self._path.name}.new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._mac(body) + b"\n" + body)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # the name too: a crash after this finds the new one
            finally:
                os.close(folder)
        except OSError as error:
            raise StoreError(f"{self._path} cannot be written: {error.strerror}") from error

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256").hex().encode("ascii")


def body_of(ledger: Ledger) -> bytes:
    """What `save` takes, made on the caller's own thread: a ledger may change while another one writes."""
    return encode(ledger)
