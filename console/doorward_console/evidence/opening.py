"""Contents of events, opened where that can be done: in the clear, or sealed for an identity that is at hand.

Implements docs/spec/event-log.md sections 4 and 5, with the readers of `doorward_core.record`.
A shell over key files; it writes nothing, and keeps keys of few sessions in memory.
"""

from collections import OrderedDict
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from doorward_core.errors import RecordError
from doorward_core.event import Value
from doorward_core.record import keys
from doorward_core.record.encode import EncodingError, decode
from doorward_core.record.entry import EntryError
from doorward_core.record.reveal import reveal
from doorward_core.record.strict import Strict

NONE, CLEAR, REVEALED, SEALED = "none", "clear", "revealed", "sealed"
_CIPHERS: Final = 1_024

Opened = tuple[bytes, bytes]
"""Salt and body."""


def body_of(index: int, opened: Opened | None) -> dict[str, Value] | None:
    """The payload's map; None where it stays sealed, or there is none."""
    if opened is None:
        return None
    try:
        body = decode(opened[1])
    except EncodingError as error:
        raise RecordError(f"entry {index}: {error}") from error
    return body if isinstance(body, dict) else {}


class Opener:
    """Opens the contents of one log.

    `gone` counts sealed events whose key's file is no longer there, by session, or by key where there is none: whether
    that was an erasure, only the log can tell.
    """

    def __init__(self, folder: Path | None, identities: tuple[object, ...] = ()) -> None:
        self._folder, self._identities = folder, identities
        self._ciphers: OrderedDict[bytes, AESGCM | None] = OrderedDict()
        self._gone: OrderedDict[bytes, bool] = OrderedDict()
        self.gone: dict[bytes, int] = {}

    def open(self, first: Strict, blob: bytes) -> tuple[str, Opened | None]:
        """What became of the payload, and salt and body where it can be had; RecordError where it does not hold."""
        if not blob:
            return NONE, None
        try:
            cipher = self._cipher(first) if first.key else None
            if first.key and cipher is None:
                if self._is_gone(first):
                    owner = first.session or first.key
                    self.gone[owner] = self.gone.get(owner, 0) + 1
                return SEALED, None
            found = reveal(first, blob, cipher)
        except EntryError as error:
            raise RecordError(
                f"entry {first.index}: its payload cannot be opened: {error}; see `doorward verify`"
            ) from error
        return REVEALED if first.key else CLEAR, (found.salt, found.body)

    def _cipher(self, first: Strict) -> AESGCM | None:
        if not self._identities or self._folder is None:
            return None
        if first.key not in self._ciphers:
            self._ciphers[first.key] = keys.unwrap(self._folder, first.session, first.key, self._identities)
            if len(self._ciphers) > _CIPHERS:
                self._ciphers.popitem(last=False)
        return self._ciphers[first.key]

    def _is_gone(self, first: Strict) -> bool:
        """Whether the key's file was deleted; nobody can tell where there is no folder of keys at all."""
        if self._folder is None or not self._folder.is_dir():
            return False
        known = self._gone.get(first.key)
        if known is None:
            known = self._gone[first.key] = not keys.exists(self._folder, first.session, first.key)
            if len(self._gone) > _CIPHERS:
                self._gone.popitem(last=False)
        return known
